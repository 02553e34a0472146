"""The exercises of notebook 14, debugging a port; and its five broken BERTs.

Do not read on if you want to find the bugs yourself.
"""

from functools import cache

import numpy as np

from ...verify.compare import verify
from ...verify.mutants import mutated_run
from ...verify.packs import shipped
from ...verify.zoo import MUTANTS
from .exercise import Exercise

PORTS = {1: ("B3",), 2: ("C1-layer",), 3: ("C9-swapped",), 4: ("G11-weight",),
         5: ("B13-hidden", "D1-query")}


def port(number: int):
    """Return one of the broken BERTs, 1 to 5: a function case -> {tensor: array}.

    Raises:
        ValueError: there is no such number.
    """
    if number not in PORTS:
        raise ValueError(f"the port is {number!r}, expected one of 1 to {len(PORTS)}: "
                         "the notebook has five")
    bugs = [mutant for mutant in MUTANTS if mutant.id in PORTS[number]]

    def candidate(case):
        return mutated_run(bugs, case, dtype="float32", optimizers={})

    candidate.__name__ = f"port {number}"
    return candidate


@cache
def bugs_of(number: int) -> list[str]:
    """Return the entries of the catalogue that explain a port, as `verify` finds them.
    """
    pack = shipped()
    report = verify(pack._replace(cases={"model": pack.cases["model"]}), port(number))
    return sorted(bug.id.split("-")[0] for bug in report.diagnosis)


# -------------------------------------------------------------------------- embeddings

def tables(rng):
    """Return three tables, LayerNorm's weight and bias, ids, types and eps."""
    words, places, types = (rng.normal(size=(n, 8)) * 0.03 for n in (11, 9, 2))
    return (words, places, types, rng.uniform(0.5, 1.5, 8), rng.normal(size=8),
            rng.integers(0, 11, (3, 5)), rng.integers(0, 2, (3, 5)), 1e-5)


def embedded(normed=True, factor=1.0, typed=True, placed=True, first=0,
             unbiased=False, least=None, axis=-1):
    """Return the answer of somebody who embeds in some way."""
    def answer(words, positions, types, weight, bias, ids, type_ids, eps):
        place = np.arange(first, first + ids.shape[1])
        x = factor * words[ids] + positions[place] * placed + types[type_ids] * typed
        if not normed:
            return x
        var = x.var(axis, keepdims=True, ddof=int(unbiased))
        norm = (x - x.mean(axis, keepdims=True)) / np.sqrt(
            var + (eps if least is None else least))
        return norm * weight + bias
    return answer


def plain(words, positions, types, weight, bias, ids, type_ids, eps):
    """The answer of somebody who forgets LayerNorm's weight and bias."""
    return embedded()(words, positions, types, 1, 0, ids, type_ids, eps)


def outside(words, positions, types, weight, bias, ids, type_ids, eps):
    """The answer of somebody who adds epsilon to the deviation."""
    x = words[ids] + positions[:ids.shape[1]] + types[type_ids]
    return (x - x.mean(-1, keepdims=True)) / (
        x.std(-1, keepdims=True) + eps) * weight + bias


EXERCISES = {
    "14.1": Exercise(
        inputs=tables,
        reference=embedded(),
        mistakes={
            "A1": embedded(typed=False),
            "The positions are missing.": embedded(placed=False),
            "LayerNorm's weight and bias are missing.": plain,
            "Epsilon is added to the deviation.  It belongs under the root, to the "
            "variance.": outside,
            "The mean and the variance are those of a channel over the tokens.  "
            "LayerNorm takes them over the channels of a token.": embedded(axis=1),
            "A3": embedded(first=1),
            "A7": embedded(normed=False),
            "A9": embedded(factor=np.sqrt(8)),
            "C3": embedded(least=0.0),
            "LayerNorm's epsilon is not the one that the function is given.":
                embedded(least=1e-12),
            "C4": embedded(unbiased=True),
        }),
    "14.2": Exercise(
        reference=lambda: bugs_of(2)[0],
        mistakes={
            "Another activation would be off by much more than 0.001 somewhere.  Look "
            "at how small the largest difference is.":
                lambda: "C2",
            "The first wrong step has no LayerNorm in it.  Look up what makes "
            "intermediate.out of intermediate.dense.":
                lambda: "C3",
            "The variance belongs to LayerNorm, but the first wrong step is between "
            "two dense layers.":
                lambda: "C5",
            "The two LayerNorms of a layer are far from the first wrong step: it reads "
            "intermediate.dense, which is right.":
                lambda: "C9",
            "The first wrong step has no weight.  The tensor that it reads is right.":
                lambda: "D1",
            "It looks like rounding, but it is hundreds of times larger, and the same "
            "curve at every point.":
                lambda: "none",
        }),
    "14.3": Exercise(
        reference=lambda: bugs_of(3)[0],
        mistakes={
            "With a wrong epsilon new weights would give wrong numbers, too.":
                lambda: "C3",
            "The activations are right, since intermediate.dense is wrong before them.":
                lambda: "C1",
            "Another formula would be wrong for new weights, too.":
                lambda: "C4",
            "In another place LayerNorm would change the result with new weights, too; "
            "and the sum before it would be wrong.":
                lambda: "C7",
            "Weights that stay at 1 and 0 explain all symptoms but one: the LayerNorm "
            "of the embeddings is right.  Try what comes out with other weights.":
                lambda: "C10",
            "The dense layer before the sum is right.":
                lambda: "D1",
        }),
    "14.4": Exercise(
        reference=lambda: bugs_of(4)[0],
        mistakes={
            "A look-up is the last step of the backward pass.  The first wrong "
            "gradient is far before it.":
                lambda: "G10",
            "Queries and keys come later in the backward pass.  Look at the first "
            "gradient that is wrong.":
                lambda: "G13",
            "The gradients at the softmax are wrong in consequence only.  Look at the "
            "first one that is wrong.":
                lambda: "G12",
            "Where residuals begin, two gradients are added.  The first wrong one is "
            "at a sum, which is what LayerNorm reads.":
                lambda: "G14",
            "The first wrong gradient comes before that of any GELU: backward runs "
            "from the end to the beginning.":
                lambda: "G15",
            "Dense layers turn right gradients into right ones here.  See which step "
            "the first wrong one belongs to.":
                lambda: "G16",
        }),
    "14.5": Exercise(
        reference=lambda: bugs_of(5),
        mistakes={
            "Both are right, but in another order.  The list is to be sorted.":
                lambda: bugs_of(5)[::-1],
            "One is right.  The scores do not fit their own queries and keys, and that "
            "is a second bug.":
                lambda: bugs_of(5)[1:],
            "One is right.  But the queries are wrong before there are any scores.":
                lambda: bugs_of(5)[:1],
            "The query is one of them.  A bias that is dropped would move all tokens "
            "by the same vector: check whether it does.":
                lambda: ["B13", "D11"],
            "The queries are not the keys: compare the port's query with the true key.":
                lambda: ["B13", "B15"],
            "The scores are one of them.  A bias that is dropped would move all "
            "queries by the same vector: check whether it does.":
                lambda: ["B13", "B16"],
        }),
}
