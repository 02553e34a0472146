"""Mistakes in data for masked language modeling, and right pipelines to put them in.

BUGS is a list of (name, make, check, settings): `make(rng, tokens)` yields batches of
rows with about so many tokens, which `check_masking` takes; `check` is the name of a
check that must fail; `settings` are those of `rules`.  Nothing here imports numbert.

The vocabulary has V pieces: five special ones, and "##" pieces from CONTINUES on.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

V, PAD, UNK, CLS, SEP, MASK = 1000, 0, 1, 2, 3, 4
CONTINUES, WIDTH, BATCH = 700, 128, 250
SPECIAL = (PAD, CLS, SEP, MASK)
VOCABULARY = {"size": V, "mask_id": MASK, "special_ids": SPECIAL, "pad_id": PAD,
              "unk_id": UNK, "continues": np.arange(V) >= CONTINUES}


class Bug(NamedTuple):
    name: str
    make: object
    check: str
    settings: dict
    tokens: int                 # with so many it is surely seen


# ------------------------------------------------------------------------ the corpus

def texts(rng, rows, width=WIDTH):
    """(rows, width) ids: [CLS] A [SEP] B [SEP], padded; few pieces are very common."""
    ids = (rng.random((rows, width)) ** 3 * (V - 5)).astype(int)
    ids = ids * 7919 % (V - 5) + 5                      # common ones are anywhere
    ids[rng.random((rows, width)) < 0.01] = UNK
    lengths = rng.integers(width * 3 // 4, width + 1, rows)
    for row, length in zip(ids, lengths):
        row[0], row[length // 3], row[length - 1] = CLS, SEP, SEP
        row[length:] = PAD
    return ids


def corpus(rng, tokens, **settings):
    """Batches of `texts` with about so many tokens that are not padding."""
    for _ in range(-(-tokens // (BATCH * WIDTH * 7 // 8))):
        yield texts(rng, BATCH, **settings)


def ordinary(ids):
    """What may be masked."""
    return ~np.isin(ids, SPECIAL)


# -------------------------------------------------------------- masking, done right

def pick(rng, ids, rate=0.15):
    """Each piece by itself: (B, T) booleans."""
    return ordinary(ids) & (rng.random(ids.shape) < rate)


def numbers(ids, rate=0.15, most=20):
    """How many pieces google's rule picks in each row."""
    return [min(most, max(1, round(int(n) * rate))) for n in (ids != PAD).sum(1)]


def pick_numbers(rng, ids, numbers):
    """A number of pieces of each row, every choice equally likely."""
    picked = np.zeros(ids.shape, bool)
    for row, can, number in zip(picked, ordinary(ids), numbers):
        places = np.flatnonzero(can)
        row[rng.permutation(places)[:number]] = True
    return picked


def words(ids):
    """The number of each piece's word (B, T): "##" goes on, a special piece ends."""
    starts = np.ones(ids.shape, bool)
    fixed = ~ordinary(ids)
    starts[:, 1:] = (ids[:, 1:] < CONTINUES) | fixed[:, :-1]
    return np.cumsum(starts, 1)


def pick_words(rng, ids, rate=0.15):
    """Each word by itself."""
    drawn = rng.random(ids.shape) < rate
    return ordinary(ids) & np.take_along_axis(drawn, words(ids) - 1, 1)


def whole_vocabulary(rng, ids):
    return rng.integers(0, V, ids.shape)


def replaced(rng, ids, picked, split=(0.8, 0.1, 0.1), draw=None,
             pieces=whole_vocabulary):
    """What the model sees: 80 % [MASK], 10 % another piece, 10 % as it was."""
    draw = rng.random(ids.shape) if draw is None else draw
    out = np.where(picked & (draw < split[0]), MASK, ids)
    swap = picked & (draw >= split[0]) & (draw < split[0] + split[1])
    return np.where(swap, pieces(rng, ids), out)


def row(ids, out, picked):
    """A batch as `check_masking` takes it."""
    return {"original": ids, "masked": out, "labels": np.where(picked, ids, -100)}


def mlm(picking=pick, replacing=replaced, **settings):
    """A pipeline: `make(rng, tokens)` that yields masked batches."""
    def make(rng, tokens):
        for ids in corpus(rng, tokens, **settings):
            picked = picking(rng, ids)
            yield row(ids, replacing(rng, ids, picked), picked)
    return make


def labelled(change):
    """A right pipeline, whose batches are changed at the end."""
    def make(rng, tokens):
        for batch in mlm()(rng, tokens):
            yield batch | change(rng, **batch)
    return make


# ------------------------------------------------------------------ wrong selections

def with_special(id):
    def picking(rng, ids):
        return (ordinary(ids) | (ids == id)) & (rng.random(ids.shape) < 0.15)
    return picking


def with_replacement(rng, ids):
    picked = np.zeros(ids.shape, bool)
    for one, can, number in zip(picked, ordinary(ids), numbers(ids)):
        one[rng.choice(np.flatnonzero(can), number)] = True
    return picked


def first_pieces_of_words(rng, ids):
    first = np.ones(ids.shape, bool)
    first[:, 1:] = np.diff(words(ids)) > 0
    return pick_words(rng, ids) & first


def from_the_left(rng, ids):
    """Stops when 15 % are found, going through the row at twice the rate."""
    found = pick(rng, ids, 0.3)
    return found & (np.cumsum(found, 1) <= np.array(numbers(ids))[:, None])


def never_the_last(rng, ids):
    last = np.cumsum(ordinary(ids)[:, ::-1], 1)[:, ::-1] == 1
    return pick(rng, ids) & ~last


def spans(rng, ids):
    starts = rng.random(ids.shape) < 1 - 0.85 ** 0.5
    return ordinary(ids) & (starts | np.roll(starts, 1, 1))


def row_or_nothing(rng, ids):
    return ordinary(ids) & (rng.random((len(ids), 1)) < 0.15)


def one_mask_for_a_batch(rng, ids):
    return ordinary(ids) & (rng.random((1, ids.shape[1])) < 0.15)


def no_continuations(rng, ids):
    return pick(rng, ids) & (ids < CONTINUES)


def not_the_commonest(rng, ids):
    return pick(rng, ids) & (ids != np.bincount(ids[ordinary(ids)]).argmax())


def counted(change):
    """Google's rule with other numbers."""
    return lambda rng, ids: pick_numbers(rng, ids, change(ids))


def masks_of_an_epoch(rng, tokens):
    kept = list(mlm()(rng, tokens // 2))
    return kept + kept[::-1]


# ---------------------------------------------------------------- wrong replacements

def split(*shares, **settings):
    return lambda rng, ids, picked: replaced(rng, ids, picked, shares, **settings)


def pieces(draw):
    return split(0.8, 0.1, 0.1, pieces=draw)


def random_then_mask(rng, ids, picked):
    """A second draw overwrites random pieces by [MASK]."""
    out = replaced(rng, ids, picked)
    return np.where(picked & (out != ids) & (rng.random(ids.shape) < 0.1), MASK, out)


def chosen_for_a_row(rng, ids, picked):
    draw = np.repeat(rng.random((len(ids), 1)), ids.shape[1], 1)
    return replaced(rng, ids, picked, draw=draw)


def of_the_batch(rng, ids):
    return rng.choice(ids[ordinary(ids)], ids.shape)


def of_a_pool(rng, ids):
    pool = np.random.default_rng(5).permutation(np.arange(5, V))[:600]
    return rng.choice(pool, ids.shape)


def special_ten_times(rng, ids):
    """The special pieces are in the list many times over."""
    often = rng.random(ids.shape) < 0.05
    return np.where(often, rng.integers(0, 5, ids.shape), rng.integers(0, V, ids.shape))


def shuffled_deck():
    """Random pieces from a shuffled list that is gone through: too even."""
    deck = [np.empty(0, int)]

    def draw(rng, ids):
        while len(deck[0]) < ids.size:
            deck[0] = np.append(deck[0], rng.permutation(V))
        taken, deck[0] = deck[0][:ids.size], deck[0][ids.size:]
        return taken.reshape(ids.shape)

    def replacing(rng, ids, picked):
        draws = rng.random(ids.shape)
        swap = picked & (draws >= 0.8) & (draws < 0.9)
        out = np.where(picked & (draws < 0.8), MASK, ids)
        out[swap] = draw(rng, ids[swap])
        return out
    return replacing


# ---------------------------------------------------------------------- wrong labels

def shifted(rng, original, labels, **_):
    picked = np.roll(labels != -100, -1, 1)
    return {"labels": np.where(picked, np.roll(original, 1, 1), -100)}


def moved(rng, original, labels, **_):
    after = np.roll(original, -1, 1)
    return {"labels": np.where(labels != -100, after, -100)}


def masked_ids(rng, masked, labels, **_):
    return {"labels": np.where(labels != -100, masked, -100)}


def ignoring(value):
    return lambda rng, labels, **_: {"labels": np.where(labels != -100, labels, value)}


def everywhere(rng, original, **_):
    return {"labels": original}


def only_at_mask(rng, masked, labels, **_):
    return {"labels": np.where(masked == MASK, labels, -100)}


def not_where_kept(rng, original, masked, labels, **_):
    return {"labels": np.where(masked != original, labels, -100)}


def unlabelled_noise(rng, original, masked, **_):
    noise = ordinary(original) & (rng.random(original.shape) < 0.001)
    return {"masked": np.where(noise, whole_vocabulary(rng, original), masked)}


# -------------------------------------------------------------------- next sentences

def nsp(share=0.5, change=None, pairs=None, told=True):
    """A pipeline of pairs that say which documents they are from."""
    def make(rng, tokens):
        for batch in mlm()(rng, tokens):
            n = len(batch["original"])
            follows = rng.random(n) < share
            a = rng.integers(0, 400, n)
            other = (a + rng.integers(1, 400, n)) % 400
            found = {"next_sentence_label": np.where(follows, 0, 1),
                     "documents": np.stack([a, np.where(follows, a, other)], 1),
                     **({"is_next": follows} if told else {})}
            yield batch | found | (change(rng, **found) if change else {})
    return make


def inverted(rng, next_sentence_label, **_):
    return {"next_sentence_label": 1 - next_sentence_label}


def shuffled(rng, next_sentence_label, **_):
    return {"next_sentence_label": rng.permutation(next_sentence_label)}


def always(value):
    return lambda rng, next_sentence_label, **_: {
        "next_sentence_label": np.full_like(next_sentence_label, value)}


def from_the_document(rng, next_sentence_label, documents, **_):
    a, other = documents.T
    near = (next_sentence_label == 1) & (rng.random(len(a)) < 1 / 100)
    return {"documents": np.stack([a, np.where(near, a, other)], 1)}


def over_the_end(rng, next_sentence_label, documents, **_):
    a, other = documents.T
    over = (next_sentence_label == 0) & (rng.random(len(a)) < 0.01)
    return {"documents": np.stack([a, np.where(over, a + 1, other)], 1)}


GOOGLE, WORDS = {"rule": "count"}, {"whole_words": True}
RIGHT = [("each piece by itself", mlm(), {}),
         ("a number of pieces", mlm(counted(numbers)), GOOGLE),
         ("whole words", mlm(pick_words), WORDS),
         ("whole words, all [MASK]", mlm(pick_words, split(1, 0, 0)),
          WORDS | {"split": (1, 0, 0)}),
         ("random pieces that are not special",
          mlm(replacing=pieces(lambda rng, ids: rng.integers(5, V, ids.shape))), {}),
         ("pairs of sentences", nsp(), {}), ("pairs, is_next not told", nsp(told=False),
                                             {})]

FEW, MANY = 120_000, 1_000_000
NEED_MANY = ("14 % selected", "16 % selected", "79/11/10", "random, then [MASK] on top",
             "45 % follow", "55 % follow", "[SEP] is masked",
             "random pieces of half the vocabulary", "whole words are split")

BUGS = [Bug(name, make, check, next(iter(more), {}),
            MANY if name in NEED_MANY else FEW) for name, make, check, *more in [
    ("14 % selected", mlm(lambda rng, ids: pick(rng, ids, 0.14)), "rate"),
    ("16 % selected", mlm(lambda rng, ids: pick(rng, ids, 0.16)), "rate"),
    ("the rate is applied twice",
     mlm(lambda rng, ids: pick(rng, ids, 0.15 ** 2)), "rate"),
    ("[SEP] is masked", mlm(with_special(SEP)), "special"),
    ("[CLS] is masked", mlm(with_special(CLS)), "special"),
    ("padding is masked", mlm(with_special(PAD)), "padding"),
    ("drawn with replacement", mlm(with_replacement), "count", GOOGLE),
    ("the number has no limit", mlm(counted(numbers)), "count",
     GOOGLE | {"max_predictions": 16}),
    ("the number is rounded down",
     mlm(counted(lambda ids: [int(n * 0.15) for n in (ids != PAD).sum(1)])), "count",
     GOOGLE),
    ("the number leaves out [CLS] and [SEP]",
     mlm(counted(lambda ids: [round(n * 0.15) for n in ordinary(ids).sum(1)])), "count",
     GOOGLE),
    ("the number counts padding",
     mlm(counted(lambda ids: [round(ids.shape[1] * 0.15)] * len(ids))), "count",
     GOOGLE),
    ("short rows get none",
     mlm(counted(lambda ids: [round(n * 0.05) for n in (ids != PAD).sum(1)]), width=9),
     "count", GOOGLE | {"rate": 0.05}),
    ("whole words are split", mlm(), "words", WORDS),
    ("only first pieces of words", mlm(first_pieces_of_words), "words", WORDS),
    ("words where pieces were asked for", mlm(pick_words), "neighbours"),
    ("spans of two", mlm(spans), "neighbours"),
    ("from the left", mlm(from_the_left), "places"),
    ("never the last", mlm(never_the_last), "places"),
    ("a row or nothing", mlm(row_or_nothing), "rows"),
    ("one mask for a batch", mlm(one_mask_for_a_batch), "places"),
    ("no ## pieces", mlm(no_continuations), "pieces"),
    ("not the commonest piece", mlm(not_the_commonest), "pieces"),
    ("masks of an epoch", masks_of_an_epoch, "reuse"),
    ("79/11/10", mlm(replacing=split(0.79, 0.11, 0.1)), "split"),
    ("80/2/18", mlm(replacing=split(0.8, 0.02, 0.18)), "split"),
    ("never [MASK]", mlm(replacing=split(0, 0.1, 0.9)), "split"),
    ("always [MASK]", mlm(replacing=split(1, 0, 0)), "split"),
    ("never random", mlm(replacing=split(0.8, 0, 0.2)), "split"),
    ("random, then [MASK] on top", mlm(replacing=random_then_mask), "split"),
    ("one choice for a row", mlm(replacing=chosen_for_a_row), "fresh"),
    ("random pieces of half the vocabulary",
     mlm(replacing=pieces(lambda rng, ids: rng.integers(0, V // 2, ids.shape))),
     "ranges"),
    ("random pieces without the last 5 %",
     mlm(replacing=pieces(lambda rng, ids: rng.integers(0, V * 19 // 20, ids.shape))),
     "ranges"),
    ("random pieces from the text", mlm(replacing=pieces(of_the_batch)), "ranges"),
    ("random pieces with even ids",
     mlm(replacing=pieces(lambda rng, ids: 2 * rng.integers(0, V // 2, ids.shape))),
     "ranges"),
    ("random pieces of a pool", mlm(replacing=pieces(of_a_pool)), "repeats"),
    ("random pieces of a deck", mlm(replacing=shuffled_deck()), "repeats"),
    ("the random piece is [UNK]",
     mlm(replacing=pieces(lambda rng, ids: np.full_like(ids, UNK))), "random"),
    ("random pieces are often special", mlm(replacing=pieces(special_ten_times)),
     "random"),
    ("random pieces up to V",
     mlm(replacing=pieces(lambda rng, ids: rng.integers(0, V + 1, ids.shape))),
     "range"),
    ("labels are shifted", labelled(shifted), "labels"),
    ("labels of the next piece", labelled(moved), "labels"),
    ("labels are the masked ids", labelled(masked_ids), "labels"),
    ("-1 is ignored", labelled(ignoring(-1)), "labels"),
    ("0 is ignored", labelled(ignoring(0)), "labels"),
    ("labels everywhere", labelled(everywhere), "special"),
    ("labels at [MASK] alone", labelled(only_at_mask), "inputs"),
    ("no labels where kept", labelled(not_where_kept), "split"),
    ("noise without labels", labelled(unlabelled_noise), "inputs"),
    ("45 % follow", nsp(0.45), "next"),
    ("55 % follow", nsp(0.55), "next"),
    ("polarity is inverted", nsp(change=inverted), "polarity"),
    ("polarity is inverted, is_next not told", nsp(change=inverted, told=False),
     "apart"),
    ("labels of pairs are shuffled", nsp(change=shuffled), "polarity"),
    ("every pair is called random", nsp(change=always(1)), "next"),
    ("random B of A's document", nsp(change=from_the_document), "same document"),
    ("pairs over the end of a document", nsp(change=over_the_end), "apart")]]


def slow_google(rng, ids, rate=0.15, most=20, whole_words=False):
    """One row by google's create_masked_lm_predictions, as a plain loop.

    rng: of Python's random.  Differs from the original in one place: a word ends at
    [SEP].
    """
    words = []
    for i, (before, token) in enumerate(pairwise([CLS, *ids])):
        if token in SPECIAL:
            continue
        if whole_words and token >= CONTINUES and before not in SPECIAL:
            words[-1].append(i)
        else:
            words.append([i])
    rng.shuffle(words)
    number = min(most, max(1, round(sum(token != PAD for token in ids) * rate)))
    out, labels = list(ids), [-100] * len(ids)
    chosen = 0
    for word in words:
        if chosen >= number:
            break
        if chosen + len(word) > number:
            continue
        chosen += len(word)
        for i in word:
            labels[i] = ids[i]
            if rng.random() < 0.8:
                out[i] = MASK
            elif rng.random() >= 0.5:
                out[i] = rng.randint(0, V - 1)
    return out, labels
