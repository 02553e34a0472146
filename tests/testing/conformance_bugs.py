"""How many seeded bugs the vectors, the laws and the report on masking catch.

    PYTHONPATH=. python tests/testing/conformance_bugs.py [tokenizer | data]

Each kind of test is asked alone.  The bugs are those of property_bugs.py (tokenizers),
masking_bugs.py (pipelines), vector_bugs_labels.py (masking by given draws, losses) and
broken_laws.py (masking).  A dash says that a kind of test can't be put to a bug:
vectors need draws that are given, and the report needs rows of masked text.
"""

import inspect
import sys
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import numpy as np                                          # noqa: E402

import broken_laws                                          # noqa: E402
import masking_bugs                                         # noqa: E402
import row_bugs                                             # noqa: E402
import text_bugs                                            # noqa: E402
import vector_bugs                                          # noqa: E402
import vector_bugs_labels                                   # noqa: E402
from numbert.testing import vectors                         # noqa: E402
from numbert.testing.masking_report import check_masking, rules     # noqa: E402
from numbert.testing.properties.table import applying       # noqa: E402
from numbert.testing.properties.targets import MaskingTarget, OperationsTarget  # noqa
from numbert.tokenization.definition import normalization as n      # noqa: E402
from property_bugs import TOKENIZER_BUGS, catches, caught_by        # noqa: E402
from readable_tokenizer import STAGES, target               # noqa: E402
from slow_masks import ORACLES                              # noqa: E402

LEFT_OUT = {"strip_accents": None, "chinese_chars": True, "added_tokens": [],
            "split_special_tokens": False, "clean_up": False}
KINDS = ("vectors", "laws", "report")


# ------------------------------------------------------------------------- tokenizers

def stages_of(bug):
    """The stages that a bug replaces."""
    seen = []

    def capture(vocab=None, lowercase=True, **changed):
        seen.append(changed)
        return target()

    with mock.patch.object(text_bugs, "target", capture), \
            mock.patch.object(row_bugs, "target", capture):
        bug.make()
    return seen[0]


def readable(asked, changed):
    """The readable tokenizer's answer to a vector; None if it can't be put to it."""
    settings, given = asked["settings"], asked["input"]
    operation, s = asked["operation"], SimpleNamespace(**{**STAGES, **changed})
    if any(settings.get(name, value) != value for name, value in LEFT_OUT.items()):
        return None
    if operation == "wordpiece":
        return [x[0] for x in s.cut(given["word"], set(settings["vocab"]))]
    if operation == "read_vocabulary":
        return sorted(map(list, s.read(given["file"]).items()), key=lambda x: x[1])
    if operation in ("clean", "normalize", "pre_tokenize"):
        return stage(operation, s, given["text"], settings.get("lowercase", True))
    made = target({piece: i for i, piece in enumerate(settings["vocab"])},
                  settings.get("lowercase", True), **changed)
    if operation == "decode":
        return made.decode(given["ids"], settings["skip_special_tokens"])
    if operation == "encode":
        row = made.encode(given["text"], given["pair"] or None,
                          add_special_tokens=settings["add_special_tokens"])
        return {**row, "input_ids": row["ids"], "token_type_ids": row["type_ids"],
                "offsets": [list(span) for span in row["offsets"]]}
    return batch(made, given["samples"], settings)


def stage(operation, s, text, lowercase):
    """What a stage of the text gives."""
    chars = s.clean([(c, i, i + 1) for i, c in enumerate(s.enter(text))])
    if operation == "clean":
        return "".join(c for c, _, _ in chars)
    for step in [s.cjk, s.accents, s.lower] if lowercase else [s.cjk]:
        chars = step(chars)
    if operation == "pre_tokenize":
        return [n.plain(word) for word in s.words(chars)]
    return [word for word in n.plain(chars).split(" ") if word]


def batch(made, samples, settings):
    """What `encode_batch` gives; windows are not padded."""
    padded = settings["padding"] != "do_not_pad"
    if settings["padding"] == "max_length" or padded and settings["overflow"]:
        return None
    rows = made.encode_batch(
        *zip(*samples), padding="longest" if padded else None,
        padding_side=settings["padding_side"],
        pad_to_multiple_of=settings["pad_to_multiple_of"] or 1,
        add_special_tokens=settings["add_special_tokens"],
        truncation=settings["truncation"], max_length=settings["max_length"],
        stride=settings["stride"], truncation_side=settings["truncation_side"])
    windows = [(i, x) for i, row in enumerate(rows) for x in (
        row, *(row["overflowing"] if settings["overflow"] else []))]
    return {"sample": [i for i, _ in windows],
            "input_ids": [x["ids"] for _, x in windows],
            "token_type_ids": [x["type_ids"] for _, x in windows],
            "attention_mask": [x["attention_mask"] for _, x in windows]}


def passes(vector, asked, changed):
    """Whether an answer is right; None if there is none."""
    try:
        output = readable(asked, changed)
    except Exception:                    # a bug may as well crash
        return False
    return None if output is None else \
        vectors.check(vector, {"output": output}) is None


def usable():
    """(vector, request) of all vectors that the right tokenizer passes."""
    pairs = [(v, vectors.request(v)) for group in vectors.groups()[:10]
             for v in vectors.every(group, dialect="hf-fast")]
    return [(v, asked) for v, asked in pairs if passes(v, asked, {})]


def tokenizer_rows(bugs=TOKENIZER_BUGS, examples=200):
    """Yield (kind, name, {kind of test: the id of one that fails, or None})."""
    known = usable()
    print(f"{len(known)} vectors can be put to the readable tokenizer", flush=True)
    for bug in bugs:
        changed = stages_of(bug)
        yield bug.kind, bug.name, {
            "vectors": next((v["id"] for v, asked in known if changed
                             and passes(v, asked, changed) is False), None),
            "laws": caught_by(bug, examples)}


# ------------------------------------------------------------------- masking and data

def law_of(level, made, names=None, examples=100):
    """The id of a law that fails, or None."""
    return next((e.law.id for e in applying(level, made)
                 if (names is None or e.law.id in names)
                 and catches(e, made, examples)), None)


def pipeline(make, settings):
    """A pipeline as a target of the laws; None if it is not of single rows.

    Its rate is fixed, so laws about other rates can't be put to it.
    """
    parts = inspect.getclosurevars(make).nonlocals
    change = parts.get("change")
    if not {"picking", "replacing"} <= set(parts) and \
            make.__qualname__.split(".")[0] != "labelled":
        return None
    picking = parts.get("picking", masking_bugs.pick)
    replacing = parts.get("replacing", masking_bugs.replaced)

    def mask(ids, seed, probability=0.15):
        rng, ids = np.random.default_rng(seed), ids[None]
        picked = picking(rng, ids)
        row = masking_bugs.row(ids, replacing(rng, ids, picked), picked)
        if change is not None:
            row |= change(rng, **row)
        return row["masked"][0], row["labels"][0]

    words, google = settings.get("whole_words"), settings.get("rule") == "count"
    return MaskingTarget(
        mask, masking_bugs.V, special_ids=masking_bugs.SPECIAL,
        continues=np.arange(masking_bugs.V) >= masking_bugs.CONTINUES if words else
        None, exact=google or None, max_predictions=settings.get("max_predictions", 20))


ANY_RATE = ("M1", "M2", "M3", "M7", "M9", "M10", "M11")


def seen(rows, settings):
    """The name of a check of the report that fails, or None."""
    report = check_masking(rows, rules(**settings))
    return next((x.name for x in report.checks if x.verdict == "wrong"), None)


def pipeline_rows(bugs=masking_bugs.BUGS, examples=100):
    """Yield the same for pipelines, whose draws are their own."""
    for bug in bugs:
        made = pipeline(bug.make, bug.settings)
        yield "pipeline", bug.name, {
            "report": seen(bug.make(np.random.default_rng(1), bug.tokens),
                           {**masking_bugs.VOCABULARY, **bug.settings}),
            **({} if made is None else {"laws": law_of("masking", made, ANY_RATE,
                                                       examples)})}


def drawn(mlm_mask):
    """Masking by given draws as a target of the laws."""
    def mask(ids, seed, probability=0.15):
        rng = np.random.default_rng(seed)
        given = {"ids": ids.tolist(), "special_ids": [0, 2, 3, 4], "mask_id": 4,
                 "pick": rng.random(len(ids)).tolist(),
                 "fate": rng.random(len(ids)).tolist(),
                 "random_ids": rng.integers(0, 60, len(ids)).tolist()}
        out = mlm_mask(given, {"probability": probability})
        return np.array(out["ids"]), np.array(out["labels"])
    return MaskingTarget(mask, 60)


def loss_target(cross_entropy):
    """A loss as a target of the laws."""
    def call(logits, labels):
        out = cross_entropy({"logits": logits.tolist(), "labels": labels.tolist()}, {})
        loss = np.nan if out["loss"] is None else out["loss"]
        return np.asarray(loss), np.asarray(out["gradient"], float)
    return OperationsTarget(cross_entropy=call)


def masked_rows(made, rows=1000, width=128):
    """Rows of random words as a target masks them."""
    rng = np.random.default_rng(0)
    for seed in range(rows):
        ids = rng.integers(5, made.vocab_size, width)
        ids[0], ids[-9], ids[-8:] = 2, 3, made.pad_id
        yield (ids, *made.mask(ids.copy(), seed))


SIXTY = {"size": 60, "mask_id": 4, "special_ids": (0, 2, 3, 4), "pad_id": 0,
         "unk_id": 1}


def vector_fails(functions, wrong):
    """The id of a vector that wrong functions fail and right ones don't, or None."""
    def fails(found, v, asked):
        try:
            said = {"output": found[v["operation"]](asked["input"], asked["settings"])}
        except (ValueError, OverflowError) as error:
            said = {"error": str(error)}
        return vectors.check(v, said) is not None

    pairs = ((v, vectors.request(v)) for v in vectors.every(dialect="hf-fast")
             if v["operation"] in wrong)
    return next((v["id"] for v, asked in pairs if fails(wrong, v, asked)
                 and not fails(functions, v, asked)), None)


def draw_rows(bugs=None, examples=100):
    """Yield the same for masking by given draws, targets and losses."""
    operations = {"mlm_mask", "mlm_count", "targets", "cross_entropy"}
    for id, name, mutant in vector_bugs.BUGS if bugs is None else bugs:
        wrong = mutant(ORACLES | {op: lambda given, settings: None for op in
                                  vector_bugs.STAGES})
        if not set(wrong) <= operations:
            continue
        found = {"vectors": vector_fails(ORACLES, wrong)}
        if "mlm_mask" in wrong:
            made = drawn(wrong["mlm_mask"])
            found |= {"laws": law_of("masking", made, None, examples),
                      "report": seen(masked_rows(made), SIXTY)}
        if "cross_entropy" in wrong:
            found["laws"] = law_of("operation", loss_target(wrong["cross_entropy"]),
                                   None, examples)
        yield "draws, labels", f"{id} {name}", found


def law_rows(examples=100):
    """Yield the same for the masking that breaks one law each."""
    for id, made in broken_laws.MASKING.items():
        found = {"laws": law_of("masking", made, None, examples)}
        if made.continues is None and "pairs" not in id and id not in (
                "M12", "M13", "M14"):
            found["report"] = seen(masked_rows(made), SIXTY | {
                "special_ids": made.special_ids, "size": made.vocab_size})
        yield "masking", f"breaks {id}", found


# ------------------------------------------------------------------------------ table

def show(rows):
    """Print each bug and what catches it, then how many each kind of test catches."""
    total, put, caught = Counter(), Counter(), Counter()
    for kind, name, found in rows:
        total[kind] += 1
        for test in KINDS:
            put[kind, test] += test in found
            caught[kind, test] += found.get(test) is not None
        caught[kind, "together"] += any(x is not None for x in found.values())
        cells = [str(found[test] or "MISSED") if test in found else "-"
                 for test in KINDS]
        print(f"{kind:13} {name:45} {'  '.join(f'{cell:20}' for cell in cells)}",
              flush=True)
    print(f"\n{'':13} {'bugs':>5} " + "".join(f"{x:>14}" for x in KINDS) +
          f"{'together':>14}")
    for kind in [*total, "all"]:
        of = total if kind == "all" else [kind]
        cells = [f"{sum(caught[k, test] for k in of)} of "
                 f"{sum(put[k, test] for k in of)}" for test in KINDS]
        number = sum(total[k] for k in of)
        print(f"{kind:13} {number:5} " + "".join(f"{x:>14}" for x in cells) +
              f"{sum(caught[k, 'together'] for k in of):>8} of {number}")


def main(which) -> None:
    """Print the tables."""
    assert vector_bugs_labels
    warnings.simplefilter("ignore")
    if which in ([], ["tokenizer"]):
        show(tokenizer_rows())
    if which in ([], ["data"]):
        show(row for rows in (draw_rows(), law_rows(), pipeline_rows())
             for row in rows)


if __name__ == "__main__":
    main(sys.argv[1:])
