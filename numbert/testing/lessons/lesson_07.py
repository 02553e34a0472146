"""The exercises of notebook 07, data for pre-training."""

import numpy as np

from ...bert.losses import IGNORE_INDEX
from .exercise import Exercise, softmax

MASK_ID = 4


def count(length, most):
    """length: tokens of a row, [CLS] and [SEP] included -> how many are masked"""
    return min(most, max(1, round(0.15 * length)))


def mask(ids, picked, draw, other, *, to_mask=0.8, to_random=0.1):
    """ids, picked, draw, other (T,) -> masked (T,), labels (T,)"""
    masked = np.where(picked & (draw < to_mask), MASK_ID, ids)
    random = picked & (draw >= to_mask) & (draw < to_mask + to_random)
    return np.where(random, other, masked), np.where(picked, ids, IGNORE_INDEX)


def with_labels(made, labels):
    """The masked ids of (masked, labels), with other labels."""
    return made[0], labels


def starts(drawn, continues):
    """The place of the first piece of each piece's word (T,)."""
    return np.maximum.accumulate(np.where(continues, 0, np.arange(len(drawn))))


def any_of_word(drawn, continues):
    """Whether any piece of each piece's word was drawn (T,)."""
    first = starts(drawn, continues)
    return np.bincount(first, drawn, len(drawn))[first] > 0


def last_of_word(drawn, continues):
    """Whether the last piece of each piece's word was drawn (T,)."""
    first = starts(drawn, continues)
    last = np.zeros(len(drawn), int)
    np.maximum.at(last, first, np.arange(len(drawn)))
    return drawn[last[first]]


def drawn_arrays(rng):
    """ids, picked, draw, other of a row of 60 tokens: each outcome occurs."""
    return (rng.integers(5, 90, 60), rng.random(60) < 0.6, rng.random(60),
            rng.integers(90, 200, 60))


EXERCISES = {
    "07.1": Exercise(
        inputs=lambda rng: (np.array([2, 3, 17, 18, 30, 50, 64, 130, 200, 512]
                                     + list(rng.integers(5, 500, 6))),
                            int(rng.integers(16, 24))),
        reference=lambda lengths, most: np.array([count(int(x), most)
                                                  for x in lengths]),
        mistakes={
            "The product is cut off.  It should be rounded to the nearest number.":
                lambda lengths, most: np.clip((0.15 * lengths).astype(int), 1, most),
            "The product is always rounded up.  It should be rounded to the nearest "
            "number.":
                lambda lengths, most: np.clip(np.ceil(0.15 * lengths).astype(int), 1,
                                              most),
            "A half is rounded up.  It should go to the even neighbour.":
                lambda lengths, most: np.clip(
                    np.floor(0.15 * lengths + 0.5).astype(int), 1, most),
            "A long row gets more than the limit.":
                lambda lengths, most: np.maximum(
                    1, np.round(0.15 * lengths).astype(int)),
            "A short row gets nothing at all.":
                lambda lengths, most: np.minimum(
                    most, np.round(0.15 * lengths).astype(int)),
            "Special tokens were taken off the length.  The rule counts all tokens but "
            "padding.":
                lambda lengths, most: np.array([count(int(x) - 2, most)
                                                for x in lengths]),
        }),
    "07.2": Exercise(
        inputs=drawn_arrays, reference=mask,
        mistakes={
            "F11": lambda *given: with_labels(
                mask(*given), np.where(given[1], mask(*given)[0], IGNORE_INDEX)),
            "F15": lambda *given: with_labels(mask(*given), given[0]),
            "Pieces that were picked and kept have no label.  The model must predict "
            "them, too.":
                lambda *given: with_labels(mask(*given), np.where(
                    mask(*given)[0] != given[0], given[0], IGNORE_INDEX)),
            "The label of what was not picked is 0, which is the id of [PAD].  The "
            "loss leaves out another number.":
                lambda *given: with_labels(mask(*given), np.where(
                    given[1], given[0], 0)),
            "All that does not become [MASK] becomes random.  A tenth of what was "
            "picked should stay.":
                lambda *given: mask(*given, to_random=0.2),
            "F4": lambda *given: mask(*given, to_mask=0.9, to_random=0.0),
            "All that was picked becomes [MASK].":
                lambda *given: mask(*given, to_mask=1.0, to_random=0.0),
            "Pieces that were not picked change as well.":
                lambda ids, picked, draw, other: with_labels(
                    mask(ids, np.full_like(picked, True), draw, other),
                    np.where(picked, ids, IGNORE_INDEX)),
        }),
    "07.3": Exercise(
        inputs=lambda rng: (rng.uniform(0.5, 0.9, 5), rng.uniform(0.02, 0.1, 5)),
        reference=lambda to_mask, to_random: to_random / (1 - to_mask),
        mistakes={
            "This is the share of all picked pieces.  The second draw sees only what "
            "the first has left.":
                lambda to_mask, to_random: to_random,
            "This is right for 80/10/10 only.  Look at how much the first draw leaves.":
                lambda to_mask, to_random: 0.5 + 0 * to_mask,
            "You divided by the share that becomes [MASK].  Divide by the share that "
            "is left.":
                lambda to_mask, to_random: to_random / to_mask,
            "This is a share of all the picked pieces: it is multiplied where it "
            "should be divided.":
                lambda to_mask, to_random: to_random * (1 - to_mask),
            "This is the share that is kept, of what the first draw leaves.":
                lambda to_mask, to_random: 1 - to_random / (1 - to_mask),
        }),
    "07.4": Exercise(
        inputs=lambda rng: (rng.random(80) < 0.4,
                            (rng.random(80) < 0.5) & (np.arange(80) > 0)),
        reference=lambda drawn, continues: drawn[starts(drawn, continues)],
        mistakes={
            "F10": lambda drawn, continues: drawn,
            "A word is picked if any of its pieces was drawn.  Long words are then "
            "picked too often.":
                any_of_word,
            "The last piece of a word decides.  The first one should: see the text "
            "above.":
                last_of_word,
            "Only first pieces are picked.  The pieces after them should follow.":
                lambda drawn, continues: drawn & ~continues,
            "A piece follows the piece before it, as that was drawn by itself.  It "
            "should follow the first piece of its word.":
                lambda drawn, continues: np.where(continues, np.roll(drawn, 1), drawn),
        }),
    "07.5": Exercise(
        inputs=lambda rng: (rng.normal(size=(6, 2)) * 2,),
        reference=lambda logits: softmax(logits)[:, 0],
        mistakes={
            "F13": lambda logits: softmax(logits)[:, 1],
            "The softmax runs over the pairs.  Each pair has two logits of its own.":
                lambda logits: softmax(logits, 0)[:, 0],
            "This is the sigmoid of one logit.  The other one counts as well.":
                lambda logits: 1 / (1 + np.exp(-logits[:, 0])),
            "This is the class of the larger logit.  A probability is asked for.":
                lambda logits: logits.argmax(1) * 1.0,
            "These are exponentials.  Divide them by their sum.":
                lambda logits: np.exp(logits[:, 0]),
            "These are both probabilities.  Return the one of the class that is asked "
            "for.":
                softmax,
        }),
}
