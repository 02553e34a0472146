"""Count what a check of masking needs, chunk by chunk, in memory that does not grow.

`new_counts` makes a dict, and `count` adds a chunk to it; masking_report judges it.

A unit is what is selected as a whole: a piece or, with whole words, a word, which its
first piece stands for.  Where a number of words is asked for, long words fit less
often; there only words of one piece are units, because these are alike.
"""

from __future__ import annotations

import math
from collections import Counter
from hashlib import blake2b

import numpy as np

from .binomial import TILTS, log_norms
from .rows import Rules

EXAMPLES = 3                    # that are kept of each mistake
BINS = 16                       # parts of a row, for the places of what is selected
ORIGINALS, COPIES = 100_000, 16     # rows whose masks are remembered, and how many
NEVER = np.iinfo(np.int64).max


def new_counts(asked: Rules, reuse_level: float) -> dict:
    """Return empty counts.

    reuse_level: how often masks that were drawn anew may look reused, at most.
    """
    size = asked.size
    return {
        "total": Counter(),             # rows, tokens, units, selected, ...
        "wrong": Counter(),             # {a mistake: how often}
        "signs": Counter(),             # {a sign of why: how often}
        "examples": {},                 # {a mistake: the first places}
        "rows": Counter(),              # {(units, selected): rows}
        "bins": np.zeros((3, BINS)),    # units, selected, expected, by place
        "pieces": np.zeros((3, size)),  # the same by piece
        "pairs": np.zeros(3),           # pairs of neighbours, both selected, expected
        "kinds": Counter(),             # {"mask", "random", "kept", "pairs", "both"}
        "special": np.zeros(size, np.int64),       # random pieces that are special
        "random": np.zeros(size, np.int64),        # ordinary random pieces
        "replaced": np.zeros(size, np.int64),      # what these stand for
        "first": np.full(size, NEVER),  # when a random piece first came up
        "drawn": 0, "repeats": 0, "distinct": 0,
        "norms": np.zeros(len(TILTS)),
        "next": Counter(), "documents": set(),
        "masks": {}, "reuse": [0, 0, 0.0], "reuse_level": reuse_level}


def count(counts: dict, chunk: dict, asked: Rules) -> None:
    """Add a chunk of rows, as `rows.chunks` makes them."""
    original, special = chunk["original"], chunk["special"] & ~chunk["padding"]
    unsure = np.zeros_like(special)
    if asked.unk_id is not None:
        told = np.array(chunk["told"])[chunk["row"]]
        unsure = (original == asked.unk_id) & ~told & ~special & ~chunk["padding"]
    eligible = ~special & ~chunk["padding"] & ~unsure
    selected = chunk["labels"] != asked.ignored
    counts["total"] += Counter(
        rows=len(chunk["where"]), tokens=len(original), eligible=int(eligible.sum()),
        selected=int((selected & eligible).sum()))
    count_mistakes(counts, chunk, asked, selected, special)
    units, sizes, inside = units_of(chunk, asked, eligible, selected)
    if asked.whole_words:
        counts["total"]["words"] += len(units)
        note(counts, chunk, "words", units[(inside > 0) & (inside < sizes)])
    count_numbers(counts, chunk, asked, selected, eligible, unsure,
                  (units, sizes, inside))
    if asked.rule == "count" and asked.whole_words:
        units = units[sizes == 1]
    count_units(counts, chunk, units, selected[units])
    count_kinds(counts, chunk, asked, units[selected[units]])
    count_random(counts, chunk, asked, selected & eligible)
    count_sentences(counts, chunk)


def note(counts: dict, chunk: dict, name: str, places) -> None:
    """Count a mistake at these places (n,) of a chunk, and keep the first as examples.
    """
    counts["wrong"][name] += len(places)
    kept = counts["examples"].setdefault(name, [])
    for i in places[:EXAMPLES - len(kept)]:
        kept.append({"where": chunk["where"][chunk["row"][i]],
                     "place": int(chunk["place"][i]),
                     **{what: int(chunk[what][i])
                        for what in ("original", "masked", "labels")}})


# ------------------------------------------------------------------- what is exact

def count_mistakes(counts, chunk, asked: Rules, selected, special) -> None:
    """Count labels, inputs and special tokens that are wrong.

    selected (n,), special (n,)
    """
    original, masked, labels = (chunk[x] for x in ("original", "masked", "labels"))
    bad = selected & (labels != original)
    note(counts, chunk, "labels", np.flatnonzero(bad))
    changed = ~selected & (masked != original)
    note(counts, chunk, "inputs", np.flatnonzero(changed))
    note(counts, chunk, "special", np.flatnonzero(selected & special))
    note(counts, chunk, "padding", np.flatnonzero(selected & chunk["padding"]))
    note(counts, chunk, "range",
         np.flatnonzero((masked < 0) | (masked >= asked.size)))
    same = chunk["row"][1:] == chunk["row"][:-1]            # (n - 1,)  as the next
    after = np.append(np.where(same, original[1:], -1), -1)
    before = np.insert(np.where(same, original[:-1], -1), 0, -1)
    signs = counts["signs"]
    signs += Counter({
        "labels are masked": int((bad & (labels == masked)).sum()),
        "labels from after": int((bad & (labels == after)).sum()),
        "labels from before": int((bad & (labels == before)).sum()),
        "changed to [MASK]": int((changed & (masked == asked.mask_id)).sum()),
        "labels everywhere": int((selected & ~bad & special).sum()),
        "specials": int(special.sum()), "labelled": int(selected.sum())})
    for value, times in zip(*np.unique(labels[bad], return_counts=True)):
        if value in (-1, 0) or value < 0:
            signs[f"label {value}"] += int(times)
    for id, times in zip(*np.unique(original[selected & special], return_counts=True)):
        signs[f"special {id}"] += int(times)


def units_of(chunk, asked: Rules, eligible, selected):
    """Return the first piece of each unit, its pieces, and how many are selected.

    eligible (n,), selected (n,) -> (units,), (units,), (units,)
    """
    places = np.flatnonzero(eligible)
    if not asked.whole_words or not len(places):
        return places, np.ones(len(places), np.int64), selected[places].astype(np.int64)
    word, row = chunk["word"], chunk["row"]
    before = np.maximum(places - 1, 0)
    starts = (places == 0) | ~eligible[before] | (row[before] != row[places]) | (
        word[before] != word[places]) | (word[places] < 0)
    group = np.cumsum(starts) - 1
    return (places[starts], np.bincount(group),
            np.bincount(group, selected[places]).astype(np.int64))


def count_numbers(counts, chunk, asked: Rules, selected, eligible, unsure, words
                  ) -> None:
    """Count the rows that have as many selected pieces as google's rule says.

    A word that was left out must not fit into what is missing of the number.
    selected (n,), eligible (n,), unsure (n,): [UNK], which some pipelines select
    """
    units, sizes, inside = words
    row, rows = chunk["row"], len(chunk["where"])

    def per_row(flags):
        return np.bincount(row[flags], minlength=rows)

    length = per_row(~chunk["padding"])
    number = np.clip(np.rint(length * asked.rate), 1, asked.max_predictions).astype(int)
    found = per_row(selected & (eligible | unsure))
    least, most = (np.minimum(number, x) for x in (
        per_row(eligible), per_row(eligible | unsure)))
    wrong = (found < least) | (found > most)
    if asked.whole_words:
        out = inside == 0
        smallest = np.full(rows, NEVER)
        np.minimum.at(smallest, row[units[out]], sizes[out])
        wrong = (found > number) | (smallest <= number - found)
    signs = counts["signs"]
    signs["rows by google's rule"] += int((~wrong).sum())
    if asked.rule == "count":
        note(counts, chunk, "count", chunk["start"][wrong])
        for has, should in zip(found[wrong][:1], number[wrong]):
            counts.setdefault("first number", (int(has), int(should)))
        signs["count more"] += int((found > number).sum())


# -------------------------------------------------------------- what is a statistic

def count_units(counts, chunk, units, selected) -> None:
    """Count units and selected ones: by row, place, piece, and pair of neighbours.

    Given how many of a row are selected, every choice of so many is equally likely.
    What is expected here is the mean under that law, which holds for both rules.

    units (u,): places of first pieces, selected (u,)
    """
    row = chunk["row"][units]
    rows = len(chunk["where"])
    e = np.bincount(row, minlength=rows)
    k = np.bincount(row, selected, minlength=rows).astype(np.int64)
    counts["total"]["units"] += len(units)
    counts["total"]["selected units"] += int(selected.sum())
    pairs, times = np.unique(np.stack([e, k]), axis=1, return_counts=True)
    for (units_of_row, chosen), many in zip(pairs.T.tolist(), times.tolist()):
        counts["rows"][units_of_row, chosen] += many
    share = (k / np.maximum(e, 1))[row]                     # (u,)  expected of each
    rank = np.arange(len(units)) - (np.cumsum(e) - e)[row]
    for name, key in (("bins", rank * BINS // e[row]),
                      ("pieces", chunk["original"][units])):
        table = counts[name]
        for line, weights in enumerate((None, selected, share)):
            table[line] += np.bincount(key, weights, minlength=table.shape[1])
    first = np.flatnonzero((rank % 2 == 0) & (rank + 1 < e[row]))
    here = row[first]
    counts["pairs"] += (len(first), (selected[first] & selected[first + 1]).sum(),
                        (k * (k - 1) / np.maximum(e * (e - 1), 1))[here].sum())
    count_reuse(counts, chunk, units, selected, e, k)


def count_reuse(counts, chunk, units, selected, e, k) -> None:
    """Count rows that come again with the same selection.

    Two selections of k of e units agree with probability 1 / C(e, k).  Rows are
    compared while the sum of these stays under the level.
    """
    known, reuse = counts["masks"], counts["reuse"]
    ends = np.cumsum(e)
    for i, (start, length) in enumerate(zip(chunk["start"], chunk["length"])):
        text = blake2b(chunk["original"][start:start + length].tobytes(),
                       digest_size=16).digest()
        earlier = known.get(text)
        if earlier is None and len(known) >= ORIGINALS:
            continue
        mask = selected[ends[i] - e[i]:ends[i]]
        mine = (int(k[i]), blake2b(mask.tobytes(), digest_size=16).digest())
        alike = [other for other in earlier or () if other[0] == mine[0]]
        odds = len(alike) / math.comb(int(e[i]), int(k[i]))
        if alike and reuse[2] + odds <= counts["reuse_level"]:
            reuse[0] += 1
            reuse[2] += odds
            if mine in alike:
                reuse[1] += 1
                note(counts, chunk, "reuse", chunk["start"][[i]])
        if earlier is None:
            known[text] = {mine}
        elif len(earlier) < COPIES:
            earlier.add(mine)


def count_kinds(counts, chunk, asked: Rules, chosen) -> None:
    """Count what became of the selected units, and of pairs that follow each other.

    chosen (s,): places of selected units.  Of a word the first piece counts: whether
    the others are replaced on their own is left open.
    """
    original, masked = chunk["original"][chosen], chunk["masked"][chosen]
    hidden = masked == asked.mask_id
    kept = masked == original
    row = chunk["row"][chosen]
    number = np.bincount(row, minlength=len(chunk["where"]))
    rank = np.arange(len(chosen)) - (np.cumsum(number) - number)[row]
    first = np.flatnonzero((rank % 2 == 0) & (rank + 1 < number[row]))
    counts["kinds"] += Counter(
        mask=int(hidden.sum()), kept=int((kept & ~hidden).sum()),
        random=int((~kept & ~hidden).sum()), pairs=len(first),
        both=int((hidden[first] & hidden[first + 1]).sum()))


def count_random(counts, chunk, asked: Rules, selected) -> None:
    """Count the random pieces, and how often one comes that came before.

    Given that a random piece is ordinary, not special, and is not the original, each of
    the m other ordinary pieces has the probability 1 / m, whether or not the pipeline
    draws special pieces as well.

    selected (n,): what is selected and may be
    """
    masked, original = chunk["masked"][selected], chunk["original"][selected]
    drawn = (masked != asked.mask_id) & (masked != original) & (masked >= 0) & (
        masked < asked.size)
    masked, original = masked[drawn], original[drawn]
    ordinary = ordinary_pieces(asked)
    counts["drawn"] += len(masked)
    counts["special"] += np.bincount(masked, minlength=asked.size) * ~ordinary
    plain = ordinary[masked] & ordinary[original]
    masked, original = masked[plain], original[plain]
    counts["random"] += np.bincount(masked, minlength=asked.size)
    counts["replaced"] += np.bincount(original, minlength=asked.size)
    before = int(counts["replaced"].sum()) - len(masked)
    first, others = counts["first"], int(ordinary.sum()) - 1
    fresh, at = np.unique(masked, return_index=True)
    unseen = first[fresh] == NEVER
    first[fresh[unseen]] = before + at[unseen]
    now = before + np.arange(len(masked))
    again = first[masked] < now
    seen = counts["distinct"] + np.cumsum(~again) - ~again   # distinct ones before
    chance = (seen - (first[original] < now)) / others
    counts["repeats"] += int(again.sum())
    counts["distinct"] += int((~again).sum())
    counts["norms"] += log_norms(chance).sum(0)


def ordinary_pieces(asked: Rules) -> np.ndarray:
    """Return which pieces are neither special nor [UNK]: (V,) booleans."""
    found = ~asked.special
    if asked.unk_id is not None:
        found[asked.unk_id] = False
    return found


def count_sentences(counts, chunk) -> None:
    """Count the labels of next sentences, and those that contradict the row."""
    found = counts["next"]
    for i, (label, follows, documents) in enumerate(zip(
            chunk["next"], chunk["follows"], chunk["documents"])):
        if label is None:
            continue
        found[label] += 1
        here = chunk["start"][[i]]
        if follows is not None:
            found["told"] += 1
            if follows != (label == 0):
                note(counts, chunk, "polarity", here)
        if documents is None:
            continue
        if len(counts["documents"]) < 1000:
            counts["documents"] |= {*documents}
        found["documents"] += 1
        same = documents[0] == documents[1]
        if label == 0 and not same:
            note(counts, chunk, "apart", here)
        found["random"] += label == 1
        if label == 1 and same:
            note(counts, chunk, "same document", here)
