"""The checks of a report on masking: from counts to verdicts.

`all_checks` returns them, first those of which one mistake is enough, then those that
compare what is left to chance with exact bounds.  Together the latter call a right
pipeline wrong with a probability of at most `false_alarms`: each test has its share of
it (SHARES), which a test of many numbers divides among them.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

import numpy as np

from . import binomial
from .counts import BINS, ordinary_pieces
from .rows import Rules

# How the false-alarm rate is divided among the tests.
SHARES = {"rate": 0.2, "split": 0.15, "fresh": 0.02, "random": 0.08, "ranges": 0.08,
          "repeats": 0.08, "next": 0.2, "rows": 0.05, "places": 0.04,
          "neighbours": 0.04, "pieces": 0.04, "reuse": 0.01, "same document": 0.01}
LOOKED_AT = 32                  # the most suspicious pieces get exact tails


class Part(NamedTuple):
    """A number that was compared: `found` of `trials`, each with a probability from
    `low` to `high`; a right pipeline gives `least` to `most`."""

    label: str
    found: int
    trials: int
    low: float
    high: float
    least: int
    most: int
    p: float                    # of this part alone


class Check(NamedTuple):
    """What one check found."""

    name: str
    title: str
    verdict: str                # "right", "wrong" or "not checked"
    observed: str
    expected: str
    p: float | None             # None where one mistake is enough
    level: float | None         # p at or below it is wrong
    likely: str                 # the mistake that explains it best
    examples: list[dict]
    parts: list[Part]


class Report(NamedTuple):
    """What was checked, and all that was found."""

    source: str
    verdict: str                # "right" or "wrong"
    asked: Rules
    total: dict[str, int]
    checks: list[Check]


def all_checks(counts: dict, asked: Rules) -> list[Check]:
    """Return every check of these counts."""
    return [*exact_checks(counts, asked), *chance_checks(counts, asked)]


# ------------------------------------------------------------------- what is exact

def exact_checks(counts: dict, asked: Rules) -> list[Check]:
    """Return the checks of which one mistake is enough."""
    total, found = counts["total"], counts["next"]
    table = [
        ("labels", "labels are the original pieces", counts["signs"]["labelled"],
         "labels"),
        ("inputs", "other inputs are unchanged", total["tokens"], "tokens"),
        ("special", "special tokens are spared", counts["signs"]["specials"],
         "special tokens"),
        ("padding", "padding is spared", total["tokens"], "tokens"),
        ("range", "inputs are in the vocabulary", total["tokens"], "tokens"),
        ("words", "words are whole", total["words"] if asked.whole_words else 0,
         "words"),
        ("count", "the number in each row",
         total["rows"] if asked.rule == "count" else 0, "rows"),
        ("polarity", "0 means that B follows A", found["told"], "pairs"),
        ("apart", "B that follows is of A's document", found["documents"], "pairs")]
    unchecked = {"words": "not asked for", "count": "not asked for",
                 "polarity": "rows have no next_sentence_label with is_next",
                 "apart": "rows have no next_sentence_label with documents"}
    checks = []
    for name, title, trials, what in table:
        wrong = counts["wrong"][name]
        skip = name in unchecked and not trials
        checks.append(Check(
            name, title, "not checked" if skip else "wrong" if wrong else "right",
            unchecked[name] if skip else f"{wrong:,} wrong of {trials:,} {what}",
            "none wrong", None, None, "", counts["examples"].get(name, []), []))
    return checks


# ------------------------------------------------------------- what is left to chance

def chance_checks(counts: dict, asked: Rules) -> list[Check]:
    """Return the checks that compare counts with what chance allows."""
    bernoulli = asked.rule == "bernoulli"
    unit = "words" if asked.whole_words else "pieces"
    total = counts["total"]

    def parted(name, title, parts, tests=None, why="too little data"):
        return from_parts(name, title, parts, asked, tests, why)

    level = asked.false_alarms * SHARES["rate"]
    rate = [part("selected", total["selected units"], total["units"], asked.rate,
                 asked.rate, level)] if bernoulli and total["units"] else []
    return [
        parted("rate", f"selected {unit}", rate, why="the number is checked instead"),
        row_check(counts, asked) if bernoulli else
        parted("rows", "selected in each row", []),
        parted("places", "all places of a row alike",
               place_parts(counts, asked)),
        neighbour_check(counts, asked),
        parted("pieces", "all pieces selected alike", *piece_parts(counts, asked)),
        parted("split", "[MASK], random, kept", split_parts(counts, asked)),
        parted("fresh", "two in a row become [MASK]", fresh_parts(counts, asked)),
        parted("random", "random pieces, one by one", *random_parts(counts, asked)),
        parted("ranges", "random pieces, in groups", range_parts(counts, asked)),
        repeats_check(counts, asked),
        reuse_check(counts, asked),
        next_check(counts, asked),
        parted("same document", "random B is of another document",
               document_parts(counts, asked), why="rows have no documents")]


def part(label: str, found, trials, low: float, high: float, level: float,
         mixed: bool = False) -> Part:
    """Compare a count with the bounds of `binomial` at a level."""
    found, trials = int(found), int(trials)
    return Part(label, found, trials, low, high,
                *binomial.bounds(trials, low, high, level, mixed),
                binomial.two_sided(found, trials, low, high, mixed))


def from_parts(name: str, title: str, parts: list[Part], asked: Rules,
               tests: int | None = None, why: str = "") -> Check:
    """Return a check of several numbers; its p-value allows for their number.

    tests: how many there are, if `parts` are only the most suspicious.
    """
    level = asked.false_alarms * SHARES[name]
    if not parts:
        return Check(name, title, "not checked", why, "", None, level, "", [], [])
    p = min(1.0, min(x.p for x in parts) * (tests or len(parts)))
    shown = parts if len(parts) <= 3 else [min(parts, key=lambda x: x.p)]
    observed = ", ".join(percent(x.found, x.trials) for x in shown)
    expected = ", ".join(between(x) for x in shown)
    if len(parts) > 3:
        observed = f"{shown[0].label}: {observed}"
    if len(parts) > 3 and p > level:
        observed, expected = f"none of {tests or len(parts):,} is far off", ""
    return Check(name, title, "wrong" if p <= level else "right", observed, expected, p,
                 level, "", [], parts)


def between(x: Part) -> str:
    """Return the bounds of a share as text."""
    return f"{percent(x.least, x.trials)[:-2]} to {percent(x.most, x.trials)}"


def percent(number: float, of: float) -> str:
    """Return a share as per cent with enough digits."""
    share = 100 * number / of if of else 0.0
    return f"{share:.2f} %" if share >= 1 or share == 0 else f"{share:.2g} %"


def row_check(counts, asked: Rules) -> Check:
    """Return the check that no row has far too many or too few selected units."""
    rows = counts["total"]["rows"]
    level = asked.false_alarms * SHARES["rows"]
    worst = min(counts["rows"], key=lambda x: binomial.two_sided(
        x[1], x[0], asked.rate, asked.rate))
    found = part(f"{worst[1]} of {worst[0]} in a row", worst[1], worst[0], asked.rate,
                 asked.rate, level / rows)
    p = min(1.0, found.p * rows)
    return Check("rows", "selected in each row", "wrong" if p <= level else "right",
                 f"the oddest row has {worst[1]} of {worst[0]}",
                 f"{found.least} to {found.most}", p, level, "", [], [found])


def mean_parts(labels, table, level: float) -> list[Part]:
    """Return parts of counts whose mean is expected, by place or by piece.

    table (3, n): units, selected, expected
    """
    found = []
    for label, (units, selected, expected) in zip(labels, table.T):
        if units:
            mean = min(1.0, float(expected / units))
            found.append(part(label, selected, units, mean, mean, level, mixed=True))
    return found


def place_parts(counts, asked: Rules) -> list[Part]:
    """Return how many units are selected in each sixteenth of a row."""
    labels = [f"part {i + 1} of {BINS}" for i in range(BINS)]
    level = asked.false_alarms * SHARES["places"] / BINS
    return mean_parts(labels, counts["bins"], level)


def piece_parts(counts, asked: Rules) -> tuple[list[Part], int]:
    """Return the pieces that are selected most unexpectedly, and how many there are."""
    table = counts["pieces"]
    tests = int((table[0] > 0).sum())
    if not tests:
        return [], 0
    share = table[2] / np.maximum(table[0], 1)
    worst = most_unlikely(table[1], table[0], share)
    return mean_parts([named(i, asked) for i in worst], table[:, worst],
                      asked.false_alarms * SHARES["pieces"] / tests), tests


def most_unlikely(found, trials, p) -> np.ndarray:
    """Return the places of the counts that are farthest off: (k,).

    found (n,), trials (n,), p (n,): the share that is expected
    """
    share = found / np.maximum(trials, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        far = trials * (np.where(share > 0, share * np.log(share / p), 0) + np.where(
            share < 1, (1 - share) * np.log((1 - share) / (1 - p)), 0))
    far = np.where(trials > 0, np.nan_to_num(far, nan=0.0, posinf=1e300), -1)
    return np.argsort(-far, kind="stable")[:LOOKED_AT]


def named(id, asked: Rules) -> str:
    """Return a piece as people read it: its text if that is known."""
    return f"piece {id}" if asked.tokens is None else \
        f"{asked.tokens[id]} ({id})" if 0 <= id < asked.size else f"{id}"


def neighbour_check(counts, asked: Rules) -> Check:
    """Return the check that neighbours are selected independently.

    The pairs of a row share its number of selected units, so they are negatively
    associated, and Chernoff's bound takes the place of the binomial tails.
    """
    title = "neighbours selected independently"
    level = asked.false_alarms * SHARES["neighbours"]
    pairs, both, expected = counts["pairs"]
    if not pairs:
        return Check("neighbours", title, "not checked", "too little data", "", None,
                     level, "", [], [])
    mean = min(1.0, expected / pairs)
    p = min(1.0, 2 * binomial.chernoff(both, int(pairs), mean))
    return Check("neighbours", title, "wrong" if p <= level else "right",
                 f"both of two: {percent(both, pairs)}", f"about {percent(mean, 1)}", p,
                 level, "", [], [])


def split_parts(counts, asked: Rules) -> list[Part]:
    """Return how many selected units became [MASK], a random piece, or stayed.

    A random piece is the original, or [MASK], once in as many draws as there are
    pieces, if the pipeline draws these at all.
    """
    kinds, (hidden, drawn, kept) = counts["kinds"], asked.split
    n = kinds["mask"] + kinds["random"] + kinds["kept"]
    if not n:
        return []
    hit = drawn / int(ordinary_pieces(asked).sum())
    level = asked.false_alarms * SHARES["split"] / 3
    return [part(name, kinds[kind], n, max(0.0, low), min(1.0, high), level)
            for name, kind, low, high in (
                ("[MASK]", "mask", hidden, hidden + hit),
                ("random", "random", drawn - 2 * hit, drawn),
                ("kept", "kept", kept, kept + hit))]


def fresh_parts(counts, asked: Rules) -> list[Part]:
    """Return how often two selected units in a row both became [MASK]."""
    kinds, hidden = counts["kinds"], asked.split[0]
    most = min(1.0, hidden + asked.split[1] / int(ordinary_pieces(asked).sum()))
    return [part("both [MASK]", kinds["both"], kinds["pairs"], hidden ** 2, most ** 2,
                 asked.false_alarms * SHARES["fresh"])] if kinds["pairs"] else []


def random_parts(counts, asked: Rules) -> tuple[list[Part], int]:
    """Return the random pieces that come most unexpectedly, and how many there are.

    A special piece may come as often as any other, or never.
    """
    ordinary = ordinary_pieces(asked)
    p = 1 / (int(ordinary.sum()) - 1)
    trials = int(counts["random"].sum()) - counts["replaced"]        # (V,)
    if not counts["drawn"]:
        return [], 0
    level = asked.false_alarms * SHARES["random"] / asked.size
    expected = np.full(asked.size, p)
    worst = most_unlikely(counts["random"], trials * ordinary, expected)
    parts = [part(named(i, asked), counts["random"][i], trials[i], p, p, level)
             for i in worst if ordinary[i]]
    return parts + [
        part(named(i, asked), counts["special"][i], counts["drawn"], 0.0, p, level)
        for i in np.flatnonzero(~ordinary)], asked.size


def range_parts(counts, asked: Rules) -> list[Part]:
    """Return how many random pieces lie in parts of the vocabulary.

    The parts are halves, quarters and so on to 32nds of the ordinary pieces, by id and
    by how often they are replaced, and those whose id has a one in some binary digit.
    """
    pieces = np.flatnonzero(ordinary_pieces(asked))
    drawn, replaced = counts["random"], counts["replaced"]
    if not drawn.sum():
        return []
    common = pieces[np.argsort(-counts["pieces"][0][pieces], kind="stable")]
    groups = [(f"ids {group[0]} to {group[-1]}", group) for group in halves(pieces)]
    groups += [(f"{len(group):,} pieces, from rank "
                f"{int(np.flatnonzero(common == group[0])[0]) + 1:,} by frequency",
                group) for group in halves(common)]
    groups += [(f"ids with the binary digit {2 ** bit}", chosen)
               for bit in range(asked.size.bit_length())
               if 0 < len(chosen := pieces[pieces >> bit & 1 == 1]) < len(pieces)]
    level = asked.false_alarms * SHARES["ranges"] / len(groups)
    n, others = int(drawn.sum()), len(pieces) - 1
    found = []
    for label, chosen in groups:
        mean = (len(chosen) - int(replaced[chosen].sum()) / n) / others
        mean = min(1.0, max(0.0, mean))
        found.append(part(label, drawn[chosen].sum(), n, mean, mean, level, mixed=True))
    return found


def halves(pieces) -> list[np.ndarray]:
    """Return the halves, quarters, ... 32nds of a list: arrays, none empty."""
    return [group for power in range(1, 6) for group in
            np.array_split(pieces, 2 ** power) if 2 ** power <= len(pieces)]


def repeats_check(counts, asked: Rules) -> Check:
    """Return the check that random pieces come again as often as chance has it.

    This sees any law that is not uniform, if there are enough pieces: then some come
    more often, and more of what comes was there before.  The chance of each draw
    depends on the earlier ones, which `binomial.stopped` allows.
    """
    title, level = "random pieces come again", asked.false_alarms * SHARES["repeats"]
    n = int(counts["random"].sum())
    if not n:
        return Check("repeats", title, "not checked", "too little data", "", None,
                     level, "", [], [])
    others = int(ordinary_pieces(asked).sum()) - 1
    p = binomial.stopped(counts["repeats"], counts["norms"])
    again = n + (others + 1) * np.expm1(n * np.log1p(-1 / (others + 1)))
    return Check("repeats", title, "wrong" if p <= level else "right",
                 f"{counts['repeats']:,} of {n:,} pieces", f"about {again:,.0f}", p,
                 level, "", [], [])


def reuse_check(counts, asked: Rules) -> Check:
    """Return the check that a row that comes again is masked anew."""
    compared, same, odds = counts["reuse"]
    title, level = "rows that return are masked anew", counts["reuse_level"]
    if not compared:
        return Check("reuse", title, "not checked", "no long row comes twice", "", None,
                     level, "", [], [])
    return Check("reuse", title, "wrong" if same else "right",
                 f"{same:,} alike of {compared:,}", "none alike", odds if same else 1.0,
                 level, "", counts["examples"].get("reuse", []), [])


def next_check(counts, asked: Rules) -> Check:
    """Return the check of the share of pairs in which B follows A.

    How many pairs a corpus gives depends on these draws: after a random B, what follows
    A is used again.  `binomial.stopped` allows for that.
    """
    zeros, n = counts["next"][0], counts["next"][0] + counts["next"][1]
    title, level = "B follows A", asked.false_alarms * SHARES["next"]
    if not n:
        return Check("next", title, "not checked", "rows have no next_sentence_label",
                     "", None, level, "", [], [])
    low, high = asked.next_share
    p = next_p(zeros, n, low, high)
    least, most = bounds_of_next(n, low, high, level)
    found = Part("B follows A", zeros, n, low, high, least, most, p)
    return Check("next", title, "wrong" if p <= level else "right", percent(zeros, n),
                 between(found), p, level, "", [],
                 [found])


def next_p(zeros: int, n: int, low: float, high: float) -> float:
    """Return the p-value of a number of pairs in which B follows A."""
    tilts = binomial.TILTS
    norms = n * np.where(tilts < 0, binomial.log_norms(low), binomial.log_norms(high))
    return binomial.stopped(zeros, norms)


def bounds_of_next(n: int, low: float, high: float, level: float) -> tuple[int, int]:
    """Return the least and the greatest number of pairs that is right."""
    middle = round(n * (low + high) / 2)
    right = [range(middle + 1), range(middle, n + 1)]
    least = bisect_left(right[0], True, key=lambda x: next_p(x, n, low, high) > level)
    most = bisect_left(right[1], True, key=lambda x: next_p(x, n, low, high) <= level)
    return least, middle + most - 1


def document_parts(counts, asked: Rules) -> list[Part]:
    """Return how often a random B is of A's document.

    google's code gives up after ten draws, so it happens once in D ** 10, or less often
    if the corpus has more than the D documents that were seen.
    """
    found, total = counts["wrong"]["same document"], counts["next"]["random"]
    if not counts["next"]["documents"] or not total:
        return []
    most = 1 / max(1, len(counts["documents"])) ** 10
    return [part("same document", found, total, 0.0, most,
                 asked.false_alarms * SHARES["same document"])]
