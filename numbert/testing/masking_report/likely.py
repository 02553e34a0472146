"""Guess the mistake behind what a check of masking found.

Each function gets the counts and what was asked for, and returns a sentence or two:
what was seen, and what to do.  A guess changes no verdict.
"""

from __future__ import annotations

from .rows import Rules


def likely(name: str, counts: dict, asked: Rules) -> str:
    """Return the likely mistake behind a check that failed; "" without a guess."""
    guess = GUESSES.get(name)
    return guess(counts, asked) if guess else ""


def of_labels(counts: dict, asked: Rules) -> str:
    """Labels that are not the original pieces."""
    signs, wrong = counts["signs"], counts["wrong"]["labels"]
    values = {name: x for name, x in signs.items() if name.startswith("label ")}
    most = max(values, key=values.__getitem__, default="")
    if most and values[most] > 0.5 * wrong:
        value = most.split()[1]
        return f"{value} is the label at {values[most]:,} other places: the loss " \
            f"ignores {asked.ignored}; write that, or pass {value} as the ignored label"
    if signs["labels from after"] > 0.5 * wrong or \
            signs["labels from before"] > 0.5 * wrong:
        return "the labels are shifted by one: in a masked language model the label " \
            "stands at the place of its own piece"
    if signs["labels are masked"] > 0.5 * wrong:
        return "the labels hold the masked ids: copy the ids before they are masked"
    return "take the labels from the ids before anything is masked"


def of_inputs(counts: dict, asked: Rules) -> str:
    """Inputs that change where there is no label."""
    signs, wrong = counts["signs"], counts["wrong"]["inputs"]
    if signs["changed to [MASK]"] > 0.5 * wrong:
        return f"[MASK] stands at {signs['changed to [MASK]']:,} places without a " \
            "label: choose the places once, and use them for both"
    return "pieces are replaced that have no label: a random piece needs its label, too"


def of_special(counts: dict, asked: Rules) -> str:
    """Special tokens that are selected."""
    found = {name: x for name, x in counts["signs"].items()
             if name.startswith("special ")}
    if counts["signs"]["labels everywhere"] and \
            counts["signs"]["labelled"] > 0.9 * counts["total"]["tokens"]:
        return everywhere(asked)
    most = max(found, key=found.__getitem__, default="special 0")
    id = int(most.split()[1])
    token = asked.tokens[id] if asked.tokens is not None else f"the special id {id}"
    times = found.get(most, 0)
    return f"{token} was masked {times:,} time{'s' * (times != 1)}: exclude special " \
        "tokens before drawing"


def everywhere(asked: Rules) -> str:
    """Return what to do about labels at every place."""
    return f"almost every token has a label: write {asked.ignored} where nothing was " \
        "selected, or the loss is that of copying"


def of_padding(counts: dict, asked: Rules) -> str:
    """Padding that is selected."""
    return f"padding has {counts['wrong']['padding']:,} labels: draw only where the " \
        f"attention mask is 1, and label the rest {asked.ignored}"


def of_range(counts: dict, asked: Rules) -> str:
    """Ids outside the vocabulary."""
    return f"random pieces must be from 0 to {asked.size - 1}: the end of a range is " \
        "excluded in NumPy and torch, but included in Python's randint"


def of_words(counts: dict, asked: Rules) -> str:
    """Words of which only a part is selected."""
    return f"{counts['wrong']['words']:,} words were split: draw once for each word, " \
        "and select all of its pieces or none"


def of_count(counts: dict, asked: Rules) -> str:
    """Rows with a wrong number of selected pieces."""
    signs = counts["signs"]
    more = signs["count more"] > 0.5 * counts["wrong"]["count"]
    why = "round up a small share to 1, and count [CLS] and [SEP] but not padding" \
        if more else "draw without replacement, and count [CLS] and [SEP]"
    has, should = counts["first number"]
    return f"the first such row has {has} selected pieces, expected " \
        f"{should}: {why}; if pieces are drawn one by one, ask for the " \
        "rule bernoulli"


def of_rate(counts: dict, asked: Rules) -> str:
    """A rate that is not the one asked for."""
    total, kinds = counts["total"], counts["kinds"]
    found = total["selected units"] / total["units"]
    said = f"{100 * found:.2f} % are selected, {100 * asked.rate:.4g} % were asked for"
    if found > 0.9:
        return everywhere(asked)
    if counts["signs"]["rows by google's rule"] == total["rows"] > 1:
        return f"{said}: every row has the number of google's code; if that is " \
            "meant, ask for the rule count"
    if asked.split[2] and not kinds["kept"]:
        return f"{said}: pieces that were kept have no label, but they need one"
    if not kinds["kept"] and not kinds["random"] and not asked.whole_words:
        return f"{said}: only [MASK] has labels; random and kept pieces need them, too"
    return f"{said}: draw a number for each piece that may be masked, and compare " \
        "it with the rate"


def of_split(counts: dict, asked: Rules) -> str:
    """Shares of [MASK], random and kept that are wrong."""
    kinds = counts["kinds"]
    n = kinds["mask"] + kinds["random"] + kinds["kept"]
    hidden, drawn, kept = (kinds[x] / n for x in ("mask", "random", "kept"))
    said = "the split is " + "/".join(f"{100 * x:.1f}" for x in (hidden, drawn, kept)) \
        + ", asked for " + "/".join(f"{100 * x:.4g}" for x in asked.split)
    if hidden < 0.02 < asked.split[0]:
        return f"{said}: [MASK] is never written; look at the comparison that leads " \
            "there"
    if asked.split[0] < 0.98 < hidden:
        return f"{said}: the branches for random and kept pieces are never taken " \
            "(Hugging Face has it so for whole words: then ask for 1, 0, 0)"
    if asked.split[1] and not kinds["random"]:
        return f"{said}: no random piece is ever drawn; look at the comparison that " \
            "leads there"
    if asked.split[2] and not kinds["kept"]:
        return f"{said}: no piece is kept, or those that are have no label"
    left = 1 - asked.split[0]
    if asked.split[1] and abs(drawn - asked.split[1] * left) < 0.1 * asked.split[1]:
        return f"{said}: the share of random pieces is taken of what [MASK] left; " \
            f"there it must be {asked.split[1] / left:.4g}"
    return f"{said}: draw one number for each selected piece, and compare it with " \
        f"{asked.split[0]:.4g} and {asked.split[0] + asked.split[1]:.4g}"


def of_ranges(counts: dict, asked: Rules) -> str:
    """Random pieces that are not uniform."""
    return "random pieces are not uniform: draw from the whole vocabulary, not from " \
        "a part of it or from the text"


def of_next(counts: dict, asked: Rules) -> str:
    """A share of next sentences that is wrong."""
    found = counts["next"]
    share = 100 * found[0] / (found[0] + found[1])
    asked_share = " to ".join(f"{100 * x:.4g}" for x in sorted({*asked.next_share}))
    extra = "; chunks of one sentence always get a random B: allow for these with " \
        "next_share" if 40 < share < 100 * asked.next_share[0] else ""
    return f"B follows A in {share:.1f} % of the pairs, {asked_share} % were asked " \
        f"for: draw a fair coin for each pair{extra}"


def of_polarity(counts: dict, asked: Rules) -> str:
    """Labels of next sentences that contradict is_next."""
    wrong, told = counts["wrong"]["polarity"], counts["next"]["told"]
    if wrong > 0.9 * told:
        return "polarity is inverted: 0 means that B follows A, 1 that B is random"
    return f"{wrong:,} of {told:,} labels contradict is_next: set both where B is " \
        "chosen, and shuffle whole rows"


def of_apart(counts: dict, asked: Rules) -> str:
    """Pairs that are said to follow each other, of two documents."""
    found = counts["next"]
    if counts["wrong"]["apart"] > 0.9 * found[0]:
        return "polarity is inverted: 0 means that B follows A, 1 that B is random"
    return f"{counts['wrong']['apart']:,} pairs of two documents have the label 0: " \
        "end a chunk where its document ends"


def plain(text: str):
    """Return a guess that is always the same."""
    return lambda counts, asked: text


GUESSES = {
    "labels": of_labels, "inputs": of_inputs, "special": of_special,
    "padding": of_padding, "range": of_range, "words": of_words, "count": of_count,
    "rate": of_rate, "split": of_split, "ranges": of_ranges, "random": of_ranges,
    "repeats": of_ranges, "next": of_next, "polarity": of_polarity, "apart": of_apart,
    "rows": plain("single rows have far too many or too few: draw for each piece, not "
                  "for a row"),
    "places": plain("some places of a row are selected more often than others: draw "
                    "over the whole row, and don't stop early"),
    "neighbours": plain("neighbours are selected together, or avoid each other: draw "
                        "for each by itself; if words or spans are meant, say so"),
    "pieces": plain("some pieces are selected more often than others: let every piece "
                    "that is not special be drawn with the same rate"),
    "fresh": plain("what becomes of a piece depends on the one before: draw it anew "
                   "for each selected piece"),
    "reuse": plain("the masks of a row were drawn once and used again: mask when a "
                   "batch is made, or write each row several times with new masks"),
    "same document": plain("random sentences come from A's own document: draw again "
                           "until the document is another")}
