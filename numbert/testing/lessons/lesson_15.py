"""The exercises of notebook 15, the torch path.  They need no torch."""

import numpy as np

from .exercise import Exercise, softmax


def scores_and_mask(rng):
    """Return scores (T, S) and a mask with a row of each kind: all, some, one, none."""
    mask = rng.random((5, 4)) < 0.6
    mask[0], mask[1], mask[2] = True, [True, False, False, False], False
    return rng.normal(size=(5, 4)) * 3, mask


def masked_softmax(scores, mask, empty=0.0):
    """The softmax over the keys that may be attended to; `empty` fills other rows."""
    exps = np.where(mask, np.exp(scores), 0)                       # (T, S)
    total = exps.sum(-1, keepdims=True)
    return np.where(total == 0, empty, exps / np.where(total == 0, 1, total))


def floats(rng):
    """Return float32 numbers (n,): random ones, and ties of both kinds."""
    ties = np.array([0x43808000, 0x43818000, 0xC3408000, 0xC3FF8000], np.uint32)
    return (np.concatenate([rng.normal(size=20).astype(np.float32) * 100,
                            ties.view(np.float32)]),)


def to_bfloat16(x, tie=None):
    """Round the upper 16 bits; `tie` is added to the half, by default the last bit."""
    bits = np.asarray(x, np.float32).view(np.uint32).astype(np.uint64)
    bits = bits + 0x7FFF + ((bits >> 16 & 1) if tie is None else tie)
    return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32)


def cut(x):
    """Keep the first 16 bits of float32 numbers and drop the others."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


def half(x):
    """Round to float16; what is too large becomes infinite, without a warning."""
    with np.errstate(over="ignore"):
        return np.asarray(x, np.float32).astype(np.float16).astype(np.float32)


def gradients(rng):
    """Return gradients (n,), of which the largest in size is negative."""
    g = rng.normal(size=12) * 1e-6
    return (np.append(g, -1.7 * np.abs(g).max()),)


def scale_for(grads, most=65504.0):
    return 2.0 ** np.floor(np.log2(most / np.abs(grads).max()))


def parts(rng):
    """Return the losses and the counts of four parts, one of them without labels."""
    losses, counts = rng.uniform(2, 8, 4), rng.integers(5, 40, 4)
    losses[2], counts[2] = np.nan, 0
    return losses, counts


EXERCISES = {
    "15.1": Exercise(
        inputs=scores_and_mask, reference=masked_softmax,
        mistakes={
            "Rows without a key are uniform, as in eager attention.  Here they are 0.":
                lambda s, m: masked_softmax(s, m, 1 / s.shape[-1]),
            "Rows without a key are nan: there is nothing to divide by.":
                lambda s, m: masked_softmax(s, m, np.nan),
            "The mask is not used.":
                lambda s, m: softmax(s),
            "The mask comes after the softmax, so that rows no longer sum to 1.":
                lambda s, m: np.where(m, softmax(s), 0),
            "The mask is the wrong way round: true means that a key may be seen.":
                lambda s, m: masked_softmax(s, ~m),
            "Masked scores are 0.  A score of 0 is a score like others.  It is the "
            "weight that must be 0.":
                lambda s, m: softmax(np.where(m, s, 0)),
            "The sum runs over the queries.  A row belongs to one query, and its keys "
            "are the columns.":
                lambda s, m: masked_softmax(s.T, m.T).T,
        }),
    "15.2": Exercise(
        inputs=floats, reference=to_bfloat16,
        mistakes={
            "The lower bits are cut off.  That always rounds towards zero; go to the "
            "nearest.":
                cut,
            "Ties always go up.  They go to the number whose last bit is 0.":
                lambda x: to_bfloat16(x, 1),
            "Ties always go down.  They go to the number whose last bit is 0.":
                lambda x: to_bfloat16(x, 0),
            "Ties go to the number whose last bit is 1.  It is the other one.":
                lambda x: to_bfloat16(x, 1 - (np.asarray(x, np.float32).view(np.uint32)
                                              >> np.uint32(16) & np.uint32(1))),
            "This is float16.  It has more digits and a smaller range.":
                half,
            "Nothing is rounded: this is x.":
                lambda x: np.asarray(x, np.float32),
        }),
    "15.3": Exercise(
        reference=lambda: 2.0 ** -7,
        mistakes={
            "That is a tie, and it goes to the number with a 0 at its end: to 1.0.":
                lambda: 2.0 ** -8,
            "That is the answer for float16, which has 11 bits.":
                lambda: 2.0 ** -10,
            "That is the answer for float32, which has 24 bits.":
                lambda: 2.0 ** -23,
            "That is far more than needed.  bfloat16 has 8 bits, with the leading 1.":
                lambda: 2.0 ** -6,
        }),
    "15.4": Exercise(
        inputs=gradients, reference=scale_for,
        mistakes={
            "The scale is no power of two, so that it makes rounding errors.":
                lambda g: 65504 / np.abs(g).max(),
            "It is rounded up, and so one gradient is too large for float16.":
                lambda g: 2.0 ** np.ceil(np.log2(65504 / np.abs(g).max())),
            "The signs matter here, and should not: the largest gradient may be "
            "negative.":
                lambda g: scale_for(g[g > 0]),
            "It is that of the smallest gradient.  The largest one overflows first.":
                lambda g: scale_for(np.abs(g).min()),
            "This is the exponent.  The scale is two to that power.":
                lambda g: np.floor(np.log2(65504 / np.abs(g).max())),
            "It is too small by a factor.  The limit is the largest number, not 1.":
                lambda g: scale_for(g, 1.0),
            "This is 1 / scale: multiply by it, do not divide.":
                lambda g: 1 / scale_for(g),
        }),
    "15.5": Exercise(
        inputs=parts, reference=lambda x, n: np.nansum(x * n) / n.sum(),
        mistakes={
            "The part without labels makes the whole nan.  Leave it out: nan times 0 "
            "is nan.":
                lambda x, n: x @ n / n.sum(),
            "This is the mean of means.  A part with more labels weighs more.":
                lambda x, n: np.nanmean(x),
            "It is divided by the number of processes, not by that of the labels.":
                lambda x, n: np.nansum(x * n) / len(x),
            "It is divided by the number of parts that have labels.  Count labels.":
                lambda x, n: np.nansum(x * n) / np.sum(n > 0),
            "It is the sum over all labels.  The mean is asked for.":
                lambda x, n: np.nansum(x * n),
            "The counts do not matter here, but they should: this is the sum of the "
            "means.":
                lambda x, n: np.nansum(x),
        }),
}
