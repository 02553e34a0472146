"""Say whether a pipeline masks as it should, from what it wrote.

    asked = rules_of(tokenizer, rate=0.15)
    report = check_file("masked.jsonl", asked)        # or check_masking(rows, asked)
    print(text(report))

Read rows, which says what is read, then counts, checks and likely; binomial holds the
bounds.  This room may import bert and system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...system.datafiles import text_lines
from .checks import SHARES, Report, all_checks
from .counts import count, new_counts
from .likely import likely
from .rows import Rules, chunks, file_rows, given_rows, rules, rules_of
from .printed import text, to_json

__all__ = ["check_file", "check_masking", "judged", "rules", "rules_of", "text",
           "to_json"]


def check_file(path, asked: Rules, progress: Callable = iter) -> Report:
    """Check a JSONL file, whose rows rows describes.

    Args:
        path: the file.
        asked: from `rules` or `rules_of`.
        progress: wraps what is read, as tqdm does.

    Raises:
        ValueError: a line is not such a row; it is named.
        OSError: the file can't be read.
    """
    return judged(progress(file_rows(text_lines(path))), asked, str(path))


def check_masking(examples: Iterable, asked: Rules, source: str = "rows") -> Report:
    """Check rows, or batches of rows, in memory or from a generator.

    What must never happen, such as a masked [SEP], is counted; one case is enough.
    What is left to chance, such as the 15 %, is compared with exact bounds.  All checks
    together call a right pipeline wrong with a probability of at most `false_alarms`.
    What dialects of BERT do differently is allowed: whether [UNK] is masked, and
    whether random pieces may be special, or the original itself.

    Args:
        examples: each a mapping with original, masked and labels, lists or arrays (T,)
            or arrays (B, T), and perhaps the other fields of rows; or a triple
            of these three.
        asked: from `rules` or `rules_of`.
        source: what the report calls them.

    Raises:
        ValueError: a row lacks a field or has a wrong one; there are no rows.
    """
    return judged(given_rows(examples), asked, source)


def judged(rows, asked: Rules, source: str) -> Report:
    """Count rows and judge the counts."""
    counts = new_counts(asked, asked.false_alarms * SHARES["reuse"])
    for chunk in chunks(rows, asked):
        count(counts, chunk, asked)
    if not counts["total"]["rows"]:
        raise ValueError(f"{source} holds no rows, expected at least one: write one "
                         "JSON object per line")
    checks = [check._replace(likely=likely(check.name, counts, asked))
              if check.verdict == "wrong" else check
              for check in all_checks(counts, asked)]
    wrong = any(check.verdict == "wrong" for check in checks)
    return Report(source, "wrong" if wrong else "right", asked,
                  {name: int(x) for name, x in counts["total"].items()}, checks)
