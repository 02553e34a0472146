"""The exercises of notebook 00, set-up and shapes."""

import numpy as np

from ...checkpoints import example_checkpoint
from ...tokenization import BertTokenizer
from .exercise import Exercise

SENTENCE = "Tom is a footballer."
MASK = 4


def pieces():
    """The tokens of SENTENCE, without special ones."""
    return BertTokenizer.from_pretrained(example_checkpoint()).tokenize(SENTENCE)


def gapped(rng):
    """Draw logits (T, V) and ids (T,) with two gaps, neither at an end."""
    ids = rng.integers(5, 30, 9)
    ids[rng.choice(np.arange(1, 8), 2, replace=False)] = MASK
    return rng.normal(size=(9, 30)), ids, MASK


def shapes(B, T, C, N, F, V):
    """The shapes that 00.3 asks for."""
    return {"hidden": (B, T, C), "probs": (B, N, T, T), "intermediate": (B, T, F),
            "logits": (B, T, V)}


def with_other(name, shape):
    """Return `shapes` with another shape under one name; `shape` takes the letters."""
    return lambda *letters: {**shapes(*letters), name: shape(*letters)}


EXERCISES = {
    "00.1": Exercise(
        reference=lambda: len(pieces()) + 2,
        mistakes={
            "These are the words.  The full stop is a token too, and that is not all.":
                lambda: len(SENTENCE.split()),
            "These are the words and the full stop.  One word is not in the vocabulary "
            "as a whole, and the model sees two special tokens.":
                lambda: len(SENTENCE.split()) + 1,
            "`[CLS]` and `[SEP]` are missing: the model sees them, too.":
                lambda: len(pieces()),
            "A word that the vocabulary lacks is cut into more than one piece.":
                lambda: len(pieces()) + 1,
            "The text has two special tokens, one at either end.  You have one more.":
                lambda: len(pieces()) + 3,
        }),
    "00.2": Exercise(
        inputs=gapped,
        reference=lambda logits, ids, mask: logits[ids == mask].argmax(-1),
        mistakes={
            "The maximum is taken over the places.  Each gap needs the best of the V "
            "words, which lie on the last axis.":
                lambda logits, ids, mask: logits[ids == mask].argmax(0),
            "These are guesses for all T places.  Keep those where ids is mask_id.":
                lambda logits, ids, mask: logits.argmax(-1),
            "Only the first gap is filled.":
                lambda logits, ids, mask: logits[ids == mask].argmax(-1)[:1],
            "Only the first gap is filled, and its id should stand in a list.":
                lambda logits, ids, mask: logits[ids == mask].argmax(-1)[0],
            "This is the largest logit itself.  What is asked for is its place on the "
            "axis of V, the id.":
                lambda logits, ids, mask: logits[ids == mask].max(-1),
            "These are the words that the model finds least likely.":
                lambda logits, ids, mask: logits[ids == mask].argmin(-1),
            "These are the guesses one place before the gaps.  BERT guesses a word at "
            "the place of the gap itself.":
                lambda logits, ids, mask: logits[np.roll(ids == mask, -1)].argmax(-1),
            "These are the guesses one place after the gaps.  BERT guesses a word at "
            "the place of the gap itself.":
                lambda logits, ids, mask: logits[np.roll(ids == mask, 1)].argmax(-1),
            "These are the guesses for the tokens that are not hidden.":
                lambda logits, ids, mask: logits[ids != mask].argmax(-1),
        }),
    "00.3": Exercise(
        inputs=lambda rng: tuple(int(x) for x in rng.permutation(np.arange(2, 8))),
        reference=shapes,
        mistakes={
            "`probs` has no axis of heads.  Each of the N heads has its own map.":
                with_other("probs", lambda B, T, C, N, F, V: (B, T, T)),
            "`probs` has its axis of heads in another place: look at the letters in "
            "the blue boxes.":
                with_other("probs", lambda B, T, C, N, F, V: (B, T, T, N)),
            "`probs` has its axis of heads behind that of the queries: look at the "
            "letters in the blue boxes.":
                with_other("probs", lambda B, T, C, N, F, V: (B, T, N, T)),
            "`probs` compares tokens with tokens.  Its last axis has no numbers of the "
            "hidden state.":
                with_other("probs", lambda B, T, C, N, F, V: (B, N, T, C)),
            "`intermediate` is as wide as the hidden state.  The middle of the "
            "feed-forward step has a size of its own.":
                with_other("intermediate", lambda B, T, C, N, F, V: (B, T, C)),
            "`logits` are as wide as the hidden state.  There is one score for each "
            "entry of the vocabulary.":
                with_other("logits", lambda B, T, C, N, F, V: (B, T, C)),
            "`logits` lack the axis of tokens.  Every token has scores, not only one.":
                with_other("logits", lambda B, T, C, N, F, V: (B, V)),
            "`hidden` has an axis of heads.  A layer returns the heads joined again.":
                with_other("hidden", lambda B, T, C, N, F, V: (B, N, T, C // N)),
        }),
}
