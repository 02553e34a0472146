"""Hypothesis strategies for what models read: configurations, weights, batches, labels.

    @given(encoded_batches(vocab_size=100))
    def test_my_model(batch):
        my_model(**batch)

Ids are as in most small vocabularies: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4,
and words from 5.  Everything is NumPy: int64 ids and masks, True or 1 where attended.
The simplest case comes first: one row, no padding, one layer, the word 5.
"""

import hypothesis.strategies as st
import numpy as np
from hypothesis.errors import InvalidArgument

from ...models.config import BertConfig

PAD, UNK, CLS, SEP, MASK, FIRST_WORD = range(6)
IGNORED = -100
SEEDS = st.integers(0, 2 ** 32 - 1)
PADDINGS = ("none", "right", "left")
ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu")


def require(ok, name, value, expected, remedy):
    """Refuse an argument before anything is drawn."""
    if not ok:
        raise InvalidArgument(f"{name} is {value!r}, expected {expected}: {remedy}")


# ------------------------------------------------------------------------ the model

def configs(*, max_layers=2, max_heads=3, **fixed):
    """Draw a small BertConfig; `to_dict()` turns it into plain values.

    @given(configs(num_labels=3))
    def test_it_builds(config):
        MyBert(**config.to_dict())

    Args:
        max_layers, max_heads: the most layers, and heads per layer.
        fixed: fields of BertConfig that are given, not drawn.
    """
    require(max_layers >= 1, "max_layers", max_layers, "1 or more",
            "a model has layers")
    require(max_heads >= 1, "max_heads", max_heads, "1 or more", "a layer has heads")
    drawn = {
        "num_hidden_layers": st.integers(1, max_layers),
        "hidden_act": st.sampled_from(ACTIVATIONS),
        "intermediate_size": st.integers(5, 19),
        "max_position_embeddings": st.integers(12, 20),
        "layer_norm_eps": st.sampled_from((1e-12, 1e-5, 1e-3)),
        "vocab_size": st.integers(11, 40),
    }
    free = {name: values for name, values in drawn.items() if name not in fixed}
    heads = st.tuples(st.integers(1, max_heads), st.integers(4, 6))
    return st.builds(_config, heads, st.fixed_dictionaries(free), st.just(fixed))


def _config(heads, drawn, fixed):
    number, size = heads
    return BertConfig(**{"num_attention_heads": number, "hidden_size": number * size,
                         **drawn, **fixed})


def stress_weights(shapes, *, dtype="float64"):
    """Draw weights under which no mistake hides; shrinks to those of seed 0.

    @given(stress_weights({name: x.shape for name, x in my_params.items()}))
    def test_with_hard_weights(params):
        check(my_model(params))

    LayerNorm weights are not 1, biases are not 0, and scores are so large that
    attention is far from uniform.  At BERT's own initialisation a swap of two
    LayerNorms changes nothing at all, and a wrong scale of the scores next to nothing.

    Args:
        shapes: {name: shape} with Hugging Face's names, in which "LayerNorm.weight",
            "bias" and "embeddings" tell what a tensor is.
        dtype: of the arrays.
    """
    return SEEDS.map(lambda seed: stressed(shapes, dtype, seed))


def stressed(shapes, dtype="float64", seed=0):
    """Return {name: array}, the weights that `stress_weights` draws for a seed."""
    rng, values = np.random.default_rng(seed), {}
    for name, shape in shapes.items():
        noise = rng.standard_normal(shape)
        if name.endswith("LayerNorm.weight"):
            value = 1 + 0.3 * noise
        elif len(shape) < 2:
            value = 0.3 * noise
        elif "_embeddings." in name:
            value = 0.5 * noise
        else:
            value = 1.3 / np.sqrt(shape[1]) * noise
        values[name] = value.astype(dtype)
    return values


# ------------------------------------------------------------------- what it reads

def encoded_batches(*, vocab_size=37, max_batch=3, max_length=8, padding="any",
                    pairs=True, min_words=0):
    """Draw a batch as a tokenizer returns it, {name: (B, T) int64}.

    @given(encoded_batches(padding="right"))
    def test_padding_is_masked(batch):
        assert (batch["attention_mask"] == (batch["input_ids"] != 0)).all()

    The names are input_ids, token_type_ids and attention_mask.  A row is [CLS] a [SEP]
    or [CLS] a [SEP] b [SEP].

    Args:
        vocab_size: ids are below it.
        max_batch: the most rows.
        max_length: the most tokens of a row.
        padding: "none" (all rows are equally long), "right", "left", or "any" of these.
        pairs: also draw rows with a second text.
        min_words: the fewest words of each text.
    """
    _check_batch(vocab_size, max_batch, max_length, padding, min_words, pairs)
    return _batches(vocab_size, max_batch, max_length, padding, pairs, min_words)


def _check_batch(vocab_size, max_batch, max_length, padding, min_words, pairs):
    least = 3 + 2 * min_words if pairs else 2 + min_words
    require(vocab_size > FIRST_WORD, "vocab_size", vocab_size,
            f"more than {FIRST_WORD}", "words come after the five special tokens")
    require(max_batch >= 1, "max_batch", max_batch, "1 or more", "a batch has rows")
    require(min_words >= 0, "min_words", min_words, "0 or more", "it is a number")
    require(max_length >= least, "max_length", max_length, f"{least} or more",
            "special tokens and words need the room")
    require(padding in (*PADDINGS, "any"), "padding", padding,
            f"one of {', '.join(PADDINGS)}, any", "it says where the padding stands")


@st.composite
def _batches(draw, vocab_size, max_batch, max_length, padding, pairs, min_words):
    """Draw the rows one by one, then pad them."""
    where = draw(st.sampled_from(PADDINGS)) if padding == "any" else padding
    words = st.integers(FIRST_WORD, vocab_size - 1)
    second = st.none() | st.just(True) if pairs is True else st.just(pairs or None)

    def row(sizes=None):
        if sizes is None:
            double = draw(second)
            room = max_length - (3 if double else 2)
            a = draw(st.integers(min_words, room - (min_words if double else 0)))
            sizes = (a, draw(st.integers(min_words, room - a)) if double else None)
        a, b = (None if n is None else draw(st.lists(words, min_size=n, max_size=n))
                for n in sizes)
        return sizes, framed(a, b)

    sizes, first = row()
    rows, count = [first], draw(st.integers(1, max_batch))
    while len(rows) < count:
        rows.append(row(sizes if where == "none" else None)[1])
    return padded(rows, "right" if where == "none" else where)


def framed(a, b=None):
    """Return (ids, token types) of [CLS] a [SEP], or of [CLS] a [SEP] b [SEP]."""
    ids, types = [CLS, *a, SEP], [0] * (len(a) + 2)
    if b is not None:
        ids, types = [*ids, *b, SEP], [*types, *[1] * (len(b) + 1)]
    return ids, types


def padded(rows, side="right"):
    """Pad rows of (ids, token types) to one length: the batch as {name: (B, T)}."""
    width = max(len(ids) for ids, _ in rows)
    columns: tuple[list, list, list] = [], [], []
    for ids, types in rows:
        gap = [0] * (width - len(ids))
        for column, values in zip(columns, (ids, types, [1] * len(ids))):
            column.append([*gap, *values] if side == "left" else [*values, *gap])
    names = "input_ids", "token_type_ids", "attention_mask"
    return {name: np.array(x, np.int64) for name, x in zip(names, columns)}


def attention_masks(batch, length, *, keys=None, heads=2, ndims=(2, 1, 3, 4),
                    with_fully_masked=False):
    """Draw a mask of any shape that attention takes; True or 1: may attend.

    @given(attention_masks(2, 5))
    def test_what_is_masked_has_no_weight(mask):
        assert (my_probabilities(x, mask) * (mask == 0) == 0).all()

    The whole shapes are (S,), (B, S), (B, T, S) and (B, N, T, S), and any axis but
    that of the keys may be 1.  The dtype is int64 or bool.

    Args:
        batch, length: B and T.
        keys: S; T by default.
        heads: N.
        ndims: the numbers of axes to draw, the simplest first.  transformers takes 2
            and 4.
        with_fully_masked: also draw masks in which some query may attend to no key.
    """
    keys = length if keys is None else keys
    sizes = batch, heads, length, keys
    require(min(sizes) >= 1, "the size", sizes, "1 or more along each axis",
            "a mask covers at least one token")
    require(bool(ndims) and set(ndims) <= {1, 2, 3, 4}, "ndims", ndims,
            "some of 1, 2, 3, 4", "those are the shapes of masks")
    return _masks(batch, length, keys, heads, tuple(ndims), with_fully_masked)


@st.composite
def _masks(draw, batch, length, keys, heads, ndims, with_fully_masked):
    ndim = draw(st.sampled_from(ndims))
    whole = {1: (), 2: (batch,), 3: (batch, length), 4: (batch, heads, length)}[ndim]
    # As many draws for any ndim, so that none of them counts as simpler.
    alike = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    shape = (*(1 if same else n for n, same in zip(whole, alike)), keys)
    size = int(np.prod(shape))
    # The places do not depend on `alike`, so that it can shrink and leave them alone.
    hidden = draw(st.sets(st.integers(0, int(np.prod(whole)) * keys - 1)))
    mask = np.ones(size, np.int64)
    mask[[place % size for place in hidden]] = 0
    mask = mask.reshape(shape)
    if not with_fully_masked:
        mask[..., 0] |= ~mask.any(-1)           # each query keeps a key
    return mask.astype(draw(st.sampled_from((np.int64, bool))))


def position_ids(batch, length, *, max_position=None):
    """Draw positions of the shape (1, T), (T,) or (B, T); simplest: 0, 1, 2, ...

    @given(position_ids(2, 5, max_position=512))
    def test_positions_are_looked_up(places):
        my_model(ids, position_ids=places)

    Args:
        batch, length: B and T.
        max_position: positions are below it; T by default.
    """
    limit = length if max_position is None else max_position
    require(min(batch, length) >= 1, "the shape", (batch, length), "1 or more",
            "there is at least one token")
    require(limit >= length, "max_position", limit, f"{length} or more",
            "0, 1, 2, ... needs one position per token")
    return _positions(batch, length, limit)


@st.composite
def _positions(draw, batch, length, limit):
    shape = draw(st.sampled_from(((1, length), (length,), (batch, length))))
    size = int(np.prod(shape))
    plain = np.resize(np.arange(length), shape)
    if draw(st.booleans()):
        free = st.lists(st.integers(0, limit - 1), min_size=size, max_size=size)
        plain = np.array(draw(free)).reshape(shape)
    return plain.astype(np.int64)


# --------------------------------------------------------------- what it is to say

def mlm_batches(*, vocab_size=37, max_batch=3, max_length=8, padding="any", pairs=True):
    """Draw a batch of masked text with its labels, as pre-training makes it.

    @given(mlm_batches())
    def test_the_loss_is_finite(batch):
        assert np.isfinite(my_mlm(**batch).loss)

    input_ids hold [MASK], a random id, or the true word at the places that are to be
    predicted; labels (B, T) hold the true word there and -100 elsewhere.  At least one
    word of the batch is to be predicted.  Arguments as in encoded_batches.
    """
    _check_batch(vocab_size, max_batch, max_length, padding, 1, pairs)
    return _mlm(vocab_size, max_batch, max_length, padding, pairs)


@st.composite
def _mlm(draw, vocab_size, max_batch, max_length, padding, pairs):
    batch = draw(_batches(vocab_size, max_batch, max_length, padding, pairs, 1))
    true = batch["input_ids"]
    labels, ids = np.full_like(true, IGNORED), true.copy()
    places = [tuple(at) for at in np.argwhere(true >= FIRST_WORD)]
    picked = draw(st.lists(st.sampled_from(places), min_size=1, unique=True))
    for at in picked:
        labels[at] = true[at]
        ids[at] = draw(st.one_of(st.just(MASK), st.just(int(true[at])),
                                 st.integers(0, vocab_size - 1)))
    return {**batch, "input_ids": ids, "labels": labels}


def nsp_pairs(*, vocab_size=37, max_batch=3, max_length=10, padding="any"):
    """Draw a batch of pairs of texts with next_sentence_label (B,): 0 means B follows.

    @given(nsp_pairs())
    def test_the_second_text_is_of_type_1(batch):
        assert batch["token_type_ids"].any(1).all()

    Both texts of a row have a word at least.  Arguments as in encoded_batches.
    """
    _check_batch(vocab_size, max_batch, max_length, padding, 1, True)
    return _nsp(vocab_size, max_batch, max_length, padding)


@st.composite
def _nsp(draw, vocab_size, max_batch, max_length, padding):
    batch = draw(_batches(vocab_size, max_batch, max_length, padding, "always", 1))
    rows = len(batch["input_ids"])
    labels = draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows))
    return {**batch, "next_sentence_label": np.array(labels, np.int64)}


def classification_labels(batch, *, num_labels=3, kind="single", length=None,
                          with_ignored=False):
    """Draw labels for a classifier or for regression.

    @given(classification_labels(4, length=7, with_ignored=True))
    def test_some_token_counts(labels):
        assert (labels != -100).any()

    Args:
        batch: B, the number of rows.
        num_labels: K, the number of classes.
        kind: "single" (int64, one class each), "multi" (float64 0 or 1, (B, K)) or
            "regression" (float64, (B,) if K is 1, else (B, K)).
        length: T, for single labels (B, T), one for each token; None: (B,).
        with_ignored: let some of the single labels, never all, be -100.
    """
    require(batch >= 1, "batch", batch, "1 or more", "a batch has rows")
    require(num_labels >= 1, "num_labels", num_labels, "1 or more", "name a class")
    require(kind in ("single", "multi", "regression"), "kind", kind,
            "single, multi or regression", "it is what the loss depends on")
    shape = (batch,) if length is None else (batch, length)
    values: st.SearchStrategy = st.integers(0, num_labels - 1)
    if kind == "multi":
        shape, values = (batch, num_labels), st.sampled_from((0.0, 1.0))
    elif kind == "regression":
        shape = (batch,) if num_labels == 1 else (batch, num_labels)
        values = st.integers(-40, 40).map(lambda n: n / 8)
    elif with_ignored:
        values = st.sampled_from((*range(num_labels), IGNORED))
    size = int(np.prod(shape))
    lists = st.lists(values, min_size=size, max_size=size)
    if with_ignored:
        lists = lists.filter(lambda labels: set(labels) != {IGNORED})
    return lists.map(lambda labels: np.array(labels).reshape(shape))


def documents(*, max_documents=4, max_sentences=5, max_words=5):
    """Draw documents for next-sentence prediction; every word is another id.

    @given(documents())
    def test_pairs_are_cut_from_the_documents(documents):
        my_pairs(documents)

    A document is a list of sentences, each a list of ids, so from its ids one can tell
    where a segment comes from.  There are two documents at least.
    """
    require(max_documents >= 2, "max_documents", max_documents, "2 or more",
            "a random sentence comes from another document")
    sizes = st.lists(st.integers(1, max_words), min_size=1, max_size=max_sentences)
    return st.lists(sizes, min_size=2, max_size=max_documents).map(_numbered)


def _numbered(sizes):
    """Turn the lengths of sentences into ids that count upward from 5."""
    done, out = FIRST_WORD, list[list]()
    for document in sizes:
        out.append([])
        for n in document:
            out[-1].append(list(range(done, done + n)))
            done += n
    return out
