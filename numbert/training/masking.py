"""The data of pre-training: masked word pieces and pairs of sentences.

Devlin et al. 2019, section 3.1 and appendix A.1.  The same token ids and the same state
of the numpy Generator always give the same result.  Arrays that are passed in are never
written to.

Two rules pick the word pieces to mask.  `mask_exact`, of google-research/bert's
create_pretraining_data.py, picks an exact number per sequence.  `mask_bernoulli`, of
Hugging Face's DataCollatorForLanguageModeling, decides for each piece by itself, so a
short sequence may have none.  Under both rules 80 % of the picked pieces become [MASK],
10 % become a random piece (any of the vocabulary, even a special token or the true
piece), and 10 % stay.  The label is the true piece, and -100 where none was picked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX, cross_entropy
from ..system.datafiles import text_lines
from .batches import collate as pad_together

IS_NEXT, IS_RANDOM = 0, 1            # HF and google-research/bert: 0 means B follows A

Document = list[list[int]]           # sentences, each a list of token ids


class Vocabulary(NamedTuple):
    """What masking needs to know about a tokenizer; see `vocabulary`."""

    size: int
    pad_id: int
    unk_id: int
    cls_id: int
    sep_id: int
    mask_id: int
    special_ids: tuple[int, ...]     # all of them, [UNK] included
    continues: np.ndarray            # (V,) booleans: the piece starts with "##"


def vocabulary(tokenizer) -> Vocabulary:
    """Return the Vocabulary of a BertTokenizer.

    Raises:
        ValueError: it has no [MASK] or no [PAD].
    """
    if tokenizer.mask_token is None or tokenizer.pad_token is None:
        raise ValueError(f"mask_token is {tokenizer.mask_token!r} and pad_token is "
                         f"{tokenizer.pad_token!r}, expected two tokens: pre-training "
                         "needs a tokenizer that has both")
    size = len(tokenizer)
    continues = np.zeros(size, bool)
    continues[[i for token, i in tokenizer.get_vocab().items()
               if token.startswith("##")]] = True
    return Vocabulary(size, tokenizer.pad_token_id, tokenizer.unk_token_id,
                      tokenizer.cls_token_id, tokenizer.sep_token_id,
                      tokenizer.mask_token_id, tuple(tokenizer.all_special_ids),
                      continues)


# ------------------------------------------------------------------------- masking

def mask_exact(input_ids, rng: np.random.Generator, vocab: Vocabulary,
               probability: float = 0.15, max_predictions: int = 20,
               whole_word: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Mask an exact number of the word pieces of one sequence.

    The number is min(max_predictions, max(1, round(probability * T))), where T counts
    [CLS] and [SEP] but not padding, and round takes a half to the even number.

    Args:
        input_ids: (T,) ids with special tokens, perhaps padded.
        rng: draws which pieces to mask, and what they become.
        vocab: from `vocabulary(tokenizer)`.
        probability: the share to mask, in [0, 1].
        max_predictions: the most pieces to mask.
        whole_word: mask all pieces of a word or none.  Words that no longer fit are
            skipped, so fewer pieces than the number may be masked.

    Returns:
        the masked ids (T,) and the labels (T,).

    Source: google-research/bert, create_masked_lm_predictions.  There, whole-word
    masking joins a "##" piece at the start of segment B to the last word of A; here a
    special token ends a word.
    """
    ids = checked_ids(input_ids, vocab, probability)
    if ids.ndim != 1:
        raise ValueError(f"input_ids has shape {ids.shape}, expected (tokens,): "
                         "mask one sequence at a time")
    if max_predictions < 1:
        raise ValueError(f"max_predictions is {max_predictions}, expected at least 1: "
                         "the paper's code has 20 for 128 tokens")
    require_generator(rng)
    fixed = np.isin(ids, [i for i in vocab.special_ids if i != vocab.unk_id])
    length = int(np.sum(ids != vocab.pad_id))
    count = min(max_predictions, max(1, round(length * probability)))
    starts = word_starts(ids, vocab, fixed) if whole_word else ~fixed       # (T,)
    picked = pick_words(starts, fixed, rng, count)
    return replace(ids, picked, rng, vocab)


def pick_words(starts, fixed, rng, count: int) -> np.ndarray:
    """Pick words at random until `count` pieces are reached.

    starts (T,): where a word starts.  fixed (T,): what may not be picked -> (T,)
    """
    words = np.cumsum(starts) * ~fixed                 # (T,)  from 1; 0 where fixed
    sizes = np.bincount(words, minlength=1)            # pieces of each word
    order = 1 + rng.permutation(len(sizes) - 1)
    chosen, left = np.zeros(len(sizes), bool), count
    for word in order:
        if left == 0:
            break
        if sizes[word] <= left:
            chosen[word] = True
            left -= sizes[word]
    return chosen[words]


def mask_bernoulli(input_ids, rng: np.random.Generator, vocab: Vocabulary,
                   probability: float = 0.15, whole_word: bool = False,
                   special_tokens_mask=None, to_mask: float = 0.8,
                   to_random: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Mask each word piece with the same probability, independently of the others.

    Args:
        input_ids: (..., T) ids with special tokens, perhaps padded.
        rng, vocab, probability: as in `mask_exact`.
        whole_word: draw once for each word, for all its pieces.
            HF: all of these become [MASK]; none stays or is random.  Here a word is a
            piece and the "##" pieces after it; there it is whatever touches in the
            text, so that "don't" is one word.
        special_tokens_mask: (..., T) true where nothing may be masked, as a tokenizer
            returns it.  None spares every special token.
        to_mask, to_random: the shares of the picked pieces that become [MASK] or a
            random piece; they do not matter with whole_word.

    Returns:
        the masked ids (..., T) and the labels (..., T).
    """
    ids = checked_ids(input_ids, vocab, probability)
    require_generator(rng)
    if special_tokens_mask is None:
        fixed = np.isin(ids, vocab.special_ids)
    else:
        fixed = np.asarray(special_tokens_mask).astype(bool)
        if fixed.shape != ids.shape:
            raise ValueError(f"special_tokens_mask has shape {fixed.shape}, expected "
                             f"{ids.shape}, as input_ids has: give a number per id")
    drawn = rng.random(ids.shape) < probability                         # (..., T)
    if not whole_word:
        return replace(ids, drawn & ~fixed, rng, vocab, to_mask, to_random)
    starts = word_starts(ids, vocab, fixed)                             # (..., T)
    place = np.maximum.accumulate(np.where(starts, np.arange(ids.shape[-1]), 0), -1)
    picked = np.take_along_axis(drawn, place, -1) & ~fixed   # as the word's first piece
    return replace(ids, picked, rng, vocab, to_mask=1.0, to_random=0.0)


def word_starts(ids, vocab: Vocabulary, fixed) -> np.ndarray:
    """Mark where words start: at a piece without "##", and after a special token.

    ids (..., T), fixed (..., T): special tokens -> (..., T)
    """
    after = np.ones_like(fixed)
    after[..., 1:] = fixed[..., :-1]
    return ~fixed & (~vocab.continues[ids] | after)


def replace(ids, picked, rng, vocab: Vocabulary, to_mask: float = 0.8,
            to_random: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Replace the picked pieces, and make the labels.

    ids (..., T), picked (..., T) booleans -> ids (..., T), labels (..., T)
    """
    out, labels = ids.copy(), np.where(picked, ids, IGNORE_INDEX)
    draw = rng.random(ids.shape)                                        # (..., T)
    out[picked & (draw < to_mask)] = vocab.mask_id
    random = picked & (draw >= to_mask) & (draw < to_mask + to_random)
    out[random] = rng.integers(vocab.size, size=int(random.sum()))
    return out, labels


def tally(logits, labels) -> tuple[int, int, float]:
    """Count the labels and the right predictions, and add up -log p of the labels.

    logits (..., V), labels (...): -100 where there is nothing to predict
    """
    used = labels != IGNORE_INDEX
    logits, labels = logits[used], labels[used]
    loss, _ = cross_entropy(logits, labels, count=1)
    return len(labels), int(np.sum(logits.argmax(-1) == labels)), float(loss)


def checked_ids(input_ids, vocab: Vocabulary, probability: float) -> np.ndarray:
    """Return the ids as an int64 array, once they and the probability are checked."""
    if not 0 <= probability <= 1:
        raise ValueError(f"probability is {probability}, expected 0 to 1: the paper "
                         "has 0.15")
    ids = np.asarray(input_ids)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"input_ids has dtype {ids.dtype}, expected integers: encode "
                        "text with a tokenizer first")
    if ids.size and not (0 <= ids.min() and ids.max() < vocab.size):
        raise ValueError(f"input_ids holds {ids.min()} to {ids.max()}, expected ids "
                         f"from 0 to {vocab.size - 1}, those of the vocabulary: encode "
                         "with the tokenizer that it comes from")
    return ids.astype(np.int64, copy=False)


def require_generator(rng) -> None:
    """Refuse a seed, with which every call would mask or cut in the same places."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}, expected a numpy.random.Generator: make one "
                        "with np.random.default_rng(seed)")


# --------------------------------------------------------------- pairs of sentences

class Pair(NamedTuple):
    """Two segments, and whether the second follows the first (0) or not (1)."""

    a: list[int]
    b: list[int]
    next_sentence_label: int


def next_sentence_pairs(documents: Sequence[Document], rng: np.random.Generator,
                        max_length: int = 128, short_probability: float = 0.1
                        ) -> list[Pair]:
    """Cut every document into pairs of segments, half of which have a random B.

    It is slightly more than half: after a chunk of one sentence there is no next
    sentence to take, so B is random.

    Args:
        documents: each a list of sentences, each a list of ids, without special tokens.
        rng: draws where to cut, and the random segments.
        max_length: the most tokens in [CLS] A [SEP] B [SEP], at least 5.
        short_probability: how often the pairs of a document aim at a shorter length,
            drawn from 2 to max_length - 3, so that the model sees short inputs too.

    Returns:
        the pairs, in the order of the documents: shuffle them for training.  Call again
        for other pairs (google-research/bert does so dupe_factor = 10 times).

    Raises:
        ValueError: there are no documents, or one is empty or has an empty sentence.

    Source: google-research/bert, create_instances_from_document.
    """
    if not 0 <= short_probability <= 1:
        raise ValueError(f"short_probability is {short_probability}, expected 0 to 1: "
                         "the paper's code has 0.1")
    if max_length < 5:
        raise ValueError(f"max_length is {max_length}, expected at least 5: [CLS], "
                         "[SEP], [SEP] and a token of each segment")
    if not documents:
        raise ValueError("documents is empty, expected at least one to make pairs "
                         "from: check the corpus")
    require_generator(rng)
    for i, document in enumerate(documents):
        if not document or not all(map(len, document)):
            raise ValueError(f"document {i} is empty or holds an empty sentence, "
                             "expected sentences of at least one token: leave empty "
                             "ones out")
    return [pair for i in range(len(documents))
            for pair in document_pairs(documents, i, rng, max_length - 3,
                                       short_probability)]


def document_pairs(documents, index: int, rng, most: int, short_probability: float
                   ) -> Iterator[Pair]:
    """Yield the pairs of one document; A and B together have at most `most` tokens."""
    document = documents[index]
    target = most
    if rng.random() < short_probability:
        target = int(rng.integers(2, most + 1))
    start = 0                                          # of the chunk, in sentences
    while start < len(document):
        end, length = start, 0
        while end < len(document) and length < target:
            length += len(document[end])
            end += 1
        cut = start + 1                                # A is start:cut
        if end - start >= 2:
            cut = int(rng.integers(start + 1, end))
        a = joined(document[start:cut])
        if end - start == 1 or rng.random() < 0.5:
            label = IS_RANDOM
            b = random_segment(documents, index, rng, target - len(a))
            start = cut                    # what follows A was not used: it comes next
        else:
            label = IS_NEXT
            b = joined(document[cut:end])
            start = end
        yield Pair(*truncate_pair(a, b, most, rng), label)


def random_segment(documents, index: int, rng, length: int) -> list[int]:
    """Join sentences from a random place in another document up to about `length`.

    If ten draws all hit the document itself, it is used, as in google-research/bert:
    with very few documents a "random" segment may come from the same one.
    """
    for _ in range(10):
        other = int(rng.integers(len(documents)))
        if other != index:
            break
    document, segment = documents[other], list[int]()
    for sentence in document[int(rng.integers(len(document))):]:
        segment += sentence
        if len(segment) >= length:
            break
    return segment


def joined(sentences: Document) -> list[int]:
    """Join sentences into one list of ids."""
    return [token for sentence in sentences for token in sentence]


def truncate_pair(a: list[int], b: list[int], most: int, rng
                  ) -> tuple[list[int], list[int]]:
    """Cut the longer segment (B if equal) at a random end until both fit."""
    bounds = [[0, len(a)], [0, len(b)]]
    while sum(stop - start for start, stop in bounds) > most:
        (start_a, stop_a), (start_b, stop_b) = bounds
        longer = bounds[0] if stop_a - start_a > stop_b - start_b else bounds[1]
        if rng.random() < 0.5:
            longer[0] += 1
        else:
            longer[1] -= 1
    return a[slice(*bounds[0])], b[slice(*bounds[1])]


# ------------------------------------------------------------------ for train()

def pair_inputs(pair: Pair, vocab: Vocabulary) -> dict:
    """Make [CLS] A [SEP] B [SEP] an example for `train`, not masked yet."""
    ids = [vocab.cls_id, *pair.a, vocab.sep_id, *pair.b, vocab.sep_id]
    types = np.repeat([0, 1], [len(pair.a) + 2, len(pair.b) + 1])
    return {"input_ids": np.array(ids, np.int64), "token_type_ids": types,
            "next_sentence_label": pair.next_sentence_label}


def masking_collate(vocab: Vocabulary, rule: str = "exact", **settings) -> Callable:
    """Make a `collate` for `train` that masks every batch anew.

    Args:
        vocab: from `vocabulary(tokenizer)`.
        rule: "exact" or "bernoulli".
        **settings: keywords of mask_exact or mask_bernoulli.

    Returns:
        collate(examples, rng) -> a padded batch with masked input_ids and labels.
    """
    rules: dict[str, Callable] = {"exact": mask_exact, "bernoulli": mask_bernoulli}
    if rule not in rules:
        raise ValueError(f"rule is {rule!r}, expected one of {', '.join(rules)}: the "
                         "paper's is exact")
    nothing = [vocab.cls_id], np.random.default_rng(0)
    rules[rule](*nothing, vocab, **settings)       # so that bad settings show up here

    def collate(examples, rng):
        masked = []
        for example in examples:
            ids, labels = rules[rule](example["input_ids"], rng, vocab, **settings)
            masked.append({**example, "input_ids": ids, "labels": labels})
        return pad_together(masked, pad_token_id=vocab.pad_id)

    return collate


def read_documents(path, tokenizer) -> list[Document]:
    """Read documents from a text file: a sentence per line, a blank line after each.

    Raises:
        ValueError: the file is not UTF-8, or holds no sentence.
        OSError: the file can't be read.
    """
    documents: list[list[str]] = [[]]
    for _, line in text_lines(path):
        if line.strip():
            documents[-1].append(line.strip())
        elif documents[-1]:
            documents.append([])
    sentences = [sentence for document in documents for sentence in document]
    if not sentences:
        raise ValueError(f"{path} holds no sentences, expected one per line, and a "
                         "blank line between documents: choose another file")
    encoded = iter(tokenizer(sentences, add_special_tokens=False, verbose=False,
                             return_attention_mask=False)["input_ids"])
    found = [[ids for ids in (list(next(encoded)) for _ in document) if ids]
             for document in documents]
    return [document for document in found if document]
