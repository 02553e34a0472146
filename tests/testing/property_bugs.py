"""Bugs that people put into tokenizers, each as a stage of the readable tokenizer.

    for bug in TOKENIZER_BUGS:
        buggy = bug.make()          # a TokenizerTarget; see properties.targets

They measure what properties and vectors catch.  Run this file for a table of what the
properties catch, alone:

    PYTHONPATH=. python tests/testing/property_bugs.py [kind ...]

The kinds are the parts of the bug catalogue: cleaning, cjk, accents, case, splitting,
pieces, vocabulary, special, offsets, truncation, windows, padding, layout, decoding,
batch.
"""

import sys
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import Phase, settings

from numbert.testing.properties.table import applying, check
from row_bugs import ROW_BUGS
from text_bugs import TEXT_BUGS

TOKENIZER_BUGS = tuple(TEXT_BUGS + ROW_BUGS)
# The laws that look at a kind of bug, to be tried first; the others come after them.
LOOK = {"cleaning": "T20 T6", "cjk": "T21", "accents": "T27 T9 T32",
        "case": "T10 T33 T11", "splitting": "T22 T25 T21 T7",
        "pieces": "T25 T12 T11", "vocabulary": "T3 T13 T24 T25", "special": "T23",
        "offsets": "T15 T28 T29", "truncation": "T16 T30 T31", "windows": "T19",
        "padding": "T17", "layout": "T4 T5", "decoding": "T14", "batch": "T18 T25 T2"}
# To be seen is enough: no shrinking, and the same examples every time.
HUNT = settings(phases=[Phase.generate], database=None, derandomize=True)


def catches(entry, target, max_examples=200) -> bool:
    """Whether a property fails for a target."""
    try:
        check(entry, target, max_examples=max_examples, options=HUNT)
    except Exception:               # a bug may as well crash
        return True
    return False


def caught_by(bug, max_examples=200, others=True) -> str | None:
    """Return the id of a law that a buggy tokenizer breaks, or None.

    others: also try the laws that do not look at this kind of bug.
    """
    first, found = LOOK[bug.kind].split(), bug.make()
    laws = {entry.law.id: entry for entry in applying("tokenizer", found)}
    order = [*first, *(name for name in laws if name not in first and others)]
    return next((name for name in order if name in laws
                 and catches(laws[name], found, max_examples if name in first
                             else max_examples // 8)), None)


def main(kinds) -> None:
    """Print which law catches each bug, and how many are caught."""
    bugs = [bug for bug in TOKENIZER_BUGS if not kinds or bug.kind in kinds]
    total, caught = Counter(), Counter()
    for bug in bugs:
        name = caught_by(bug)
        total[bug.kind] += 1
        caught[bug.kind] += name is not None
        print(f"{bug.kind:11} {name or 'MISSED':7} {bug.name}", flush=True)
    for kind in total:
        print(f"{kind:11} {caught[kind]} of {total[kind]}")
    print(f"all         {caught.total()} of {total.total()}")


if __name__ == "__main__":
    main(sys.argv[1:])
