"""How many of the bugs of torch_bert are called by their name?

    python tests/verify/torch_bert_named.py                     # all: some minutes
    python tests/verify/torch_bert_named.py --only B13-none C   # a bug, and all of C

A bug has the right name if the first that the report names has the same id in the
catalogue; others that are named besides are counted apart.  Bugs that the comparison
can't see have no name, and are left out.
"""

import argparse
import logging
import re
import sys
import warnings
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from torch_bert import make                                           # noqa: E402
from torch_bert_bugs import BUGS, UNSEEN                              # noqa: E402

from numbert.verify.adapters import from_torch                        # noqa: E402
from numbert.verify.compare import bare, verify                       # noqa: E402
from numbert.verify.packs import shipped                              # noqa: E402

NAMES = ("right name", "wrong name", "no name")
COUNTED = ("killed", "right step", *NAMES, "others too")


def of_catalogue(bug):
    """Return the catalogue's id of a bug: "B13-none" -> "B13"."""
    return bug.split("-")[0]


def tried(pack, bug):
    """Return (which of COUNTED hold, the names in the report) for one bug."""
    report = verify(pack, from_torch(lambda case: make(case, bug)))
    names = [named.id for named in report.diagnosis]
    found = {"killed"} if report.verdict == "fail" else set()
    if report.first and re.fullmatch(BUGS[bug][1], bare(report.first.name)):
        found.add("right step")
    found.add("no name" if not names else
              "right name" if of_catalogue(names[0]) == of_catalogue(bug) else
              "wrong name")
    if any(of_catalogue(name) != of_catalogue(bug) for name in names[1:]):
        found.add("others too")
    return found, names + [f"(near {named.id})" for named in report.nearest]


def main(argv=None):
    """Print a line for each bug, and the rates."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD",
                        help="bugs whose ids begin with one of these words")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    pack, counts, runs = shipped(), Counter(), 0
    for bug in BUGS:
        if bug in UNSEEN or not bug.startswith(tuple(args.only)):
            continue
        found, names = tried(pack, bug)
        runs += 1
        counts.update(found)
        missed = "" if "right step" in found else "  (at another step)"
        print(f"{[*found & {*NAMES}][0]:10}  {bug:24} "
              f"{', '.join(names) or '-'}{missed}", flush=True)
    for count in COUNTED:
        print(f"{count:10}  {counts[count]:3} of {runs}, "
              f"{counts[count] / max(runs, 1):.1%}")


if __name__ == "__main__":
    main()
