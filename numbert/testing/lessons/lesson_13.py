"""The exercises of notebook 13, property tests."""

import numpy as np

from ...bert import ops
from .exercise import Exercise

WORDS = ("oslo", "anna", "bert", "lives", "in", "a", "town")


# -------------------------------------------------------------------------- shrinking

def failure(rng):
    """Return a list, and a function that is true if the failure is still in it.

    Three items are needed.  One more must stay as long as a later one is there.
    """
    size = int(rng.integers(9, 13))
    items = [int(i) for i in rng.permutation(size)]
    places = sorted(int(i) for i in rng.choice(np.arange(1, size - 1), 5, False))
    first, *needed, last = (items[place] for place in places)

    def fails(rest):
        return set(needed) <= set(rest) and (first in rest or last not in rest)

    return items, fails


def shrunk(items, fails, rounds=None):
    """Return the items that remain when single ones are deleted, for some rounds."""
    items, before = list(items), None
    while items != before and rounds != 0:
        before, rounds = list(items), rounds and rounds - 1
        for item in before:
            rest = [x for x in items if x != item]
            items = rest if fails(rest) else items
    return items


def one_deletion(items, fails):
    """Return the first list with one item less that fails."""
    return next(items[:i] + items[i + 1:] for i in range(len(items))
                if fails(items[:i] + items[i + 1:]))


def cut_at_the_ends(items, fails):
    """Return the shortest run of neighbours that is found by cutting at both ends."""
    items = list(items)
    while fails(items[:-1]):
        items = items[:-1]
    while fails(items[1:]):
        items = items[1:]
    return items


# --------------------------------------------------------------------- a law of tokens

def first_is_bare(text):
    """Return the words; all but the first begin with ##."""
    return [word if i == 0 else f"##{word}" for i, word in enumerate(text.split())]


TOKENIZERS = (
    str.split,
    lambda text: text.split()[::-1],
    first_is_bare,
    lambda text: list(dict.fromkeys(text.split())),
    lambda text: sorted(text.split()),
    lambda text: list(text.replace(" ", "")),
)


def two_texts(rng):
    """Return the tokenizers in some order, and two texts that share a word."""
    a, b = (list(rng.choice(WORDS, 2, False)) for _ in range(2))
    order = rng.permutation(len(TOKENIZERS))
    return [TOKENIZERS[i] for i in order], " ".join([*a, "the"]), " ".join(["the", *b])


def law(same, join="{} {}"):
    """Return the answer that compares the tokens of both texts in some way."""
    return lambda tokenizers, a, b: [
        bool(same(tokens(join.format(a, b)), tokens(a), tokens(b)))
        for tokens in tokenizers]


# ------------------------------------------------------------------------------ padding

def batch(rng):
    """Return ids, types and mask (B, T) of a batch, and how much padding to add."""
    shape = (2, int(rng.integers(4, 7)))
    mask = np.ones(shape, np.int64)
    mask[1, -1] = 0
    return (rng.integers(5, 30, shape) * mask, rng.integers(0, 2, shape) * mask, mask,
            int(rng.integers(1, 4)))


def padding(ids=0, types=0, mask=0, where=((0, 0), (0, 1))):
    """Return the answer that pads with these values."""
    return lambda input_ids, token_type_ids, attention_mask, pad: tuple(
        np.pad(x, np.array(where) * pad, constant_values=value)
        for x, value in ((input_ids, ids), (token_type_ids, types),
                         (attention_mask, mask)))


# ---------------------------------------------------------------------------- gradients

SCALE = np.array([0.5, 2.0, -1.0, 3.0])     # not all alike: then J is not symmetric


def layer_norm(x):
    return ops.layer_norm(x, SCALE, 0 * SCALE, 1e-5)[0]


def layer_norm_backward(w, x):
    return ops.layer_norm_backward(w, ops.layer_norm(x, SCALE, 0 * SCALE, 1e-5)[1])[0]


def step(rng):
    """Return a step of the model, its backward pass, a place and two directions."""
    return (layer_norm, layer_norm_backward, *rng.normal(size=(3, 3, 4)), 0.125)


def central(f, x, v, h):
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


EXERCISES = {
    "13.1": Exercise(
        inputs=failure,
        reference=shrunk,
        mistakes={
            "Something can still be deleted.  After a round over all items go round "
            "again, until a whole round deletes nothing.":
                lambda items, fails: shrunk(items, fails, 1),
            "Only one item is deleted.  Go on with the rest.":
                one_deletion,
            "Items are cut off at the ends only.  Those in the middle may go too.":
                cut_at_the_ends,
            "Nothing is deleted.  Keep the rest if the rest still fails.":
                lambda items, fails: items,
            "Too much is deleted: the result does not fail any more.  Delete an item "
            "only if the rest fails.":
                lambda items, fails: [],
        }),
    "13.2": Exercise(
        inputs=two_texts,
        reference=law(lambda both, a, b: both == a + b),
        mistakes={
            "The texts are joined without a space, so that two words become one.":
                law(lambda both, a, b: both == a + b, "{}{}"),
            "Only the number of tokens is compared.  Other tokens may be as many.":
                law(lambda both, a, b: len(both) == len(a) + len(b)),
            "The order of the tokens is not compared.  It matters to BERT.":
                law(lambda both, a, b: sorted(both) == sorted(a + b)),
            "How often a token occurs is not compared, as a set has each once.":
                law(lambda both, a, b: set(both) == set(a + b)),
            "The tokens of b are put before those of a.":
                law(lambda both, a, b: both == b + a),
            "It is True for those that break the law: turn it round.":
                law(lambda both, a, b: both != a + b),
        }),
    "13.3": Exercise(
        inputs=batch,
        reference=padding(),
        mistakes={
            "The mask of the new tokens is 1, so everybody looks at them.":
                padding(mask=1),
            "The new tokens are on the left.  There they would shift the positions of "
            "all the others.":
                padding(where=((0, 0), (1, 0))),
            "Rows were added to the batch.  The axis of tokens is the last one.":
                padding(where=((0, 1), (0, 0))),
            "The ids of the new tokens are not that of [PAD].":
                padding(ids=1),
            "The type of the new tokens is not 0.":
                padding(types=1),
        }),
    "13.4": Exercise(
        reference=lambda: [True, False, True, False],
        mistakes={
            "Not all of them.  Look for those where sums are added in another order, "
            "or by a matrix product of another shape.":
                lambda: [True, True, True, True],
            "Some of them do.  Think of 0 times any number, and of what a factor of 2 "
            "changes in a floating-point number.":
                lambda: [False, False, False, False],
            "Look at number 1 again.  The weight of a hidden key is exactly 0.":
                lambda: [False, False, True, False],
            "Look at number 2 again.  A matrix product may add up in another order "
            "when it has more rows.":
                lambda: [True, True, True, False],
            "Look at number 3 again.  A factor of 2 changes the exponent only, and no "
            "digit is rounded.":
                lambda: [True, False, False, False],
            "Look at number 4 again.  The output projection adds up over the heads, in "
            "their order.":
                lambda: [True, False, True, True],
            "It is the other way round: True is for those that hold to the bit.":
                lambda: [False, True, False, True],
        }),
    "13.5": Exercise(
        inputs=step,
        reference=lambda f, back, x, v, w, h: (
            (w * central(f, x, v, h)).sum(), (back(w, x) * v).sum()),
        mistakes={
            "The difference is one-sided.  Take one step forward and one back.":
                lambda f, back, x, v, w, h: (
                    (w * (f(x + h * v) - f(x))).sum() / h, (back(w, x) * v).sum()),
            "The two ends are 2 h apart, and the difference is divided by h.":
                lambda f, back, x, v, w, h: (
                    2 * (w * central(f, x, v, h)).sum(), (back(w, x) * v).sum()),
            "The directions have changed places.  v is one of the input, and w one of "
            "the output.":
                lambda f, back, x, v, w, h: (
                    (v * central(f, x, w, h)).sum(), (back(v, x) * w).sum()),
            "In the gradient the directions have changed places.  f_backward takes w, "
            "and v comes after it.":
                lambda f, back, x, v, w, h: (
                    (w * central(f, x, v, h)).sum(), (back(v, x) * w).sum()),
            "The slope is not multiplied by w before it is added up.":
                lambda f, back, x, v, w, h: (
                    central(f, x, v, h).sum(), (back(w, x) * v).sum()),
            "The gradient is not multiplied by v before it is added up.":
                lambda f, back, x, v, w, h: (
                    (w * central(f, x, v, h)).sum(), back(w, x).sum()),
            "The products are averaged.  A dot product adds them up.":
                lambda f, back, x, v, w, h: (
                    (w * central(f, x, v, h)).mean(), (back(w, x) * v).mean()),
        }),
}
