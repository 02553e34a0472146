"""Right programs on cases with fresh numbers: none of them may fail.

    python tests/verify/alarms.py --series 20          # 20 packs, every program
    python tests/verify/alarms.py --series 200 --only sdpa c

The programs: transformers (eager and SDPA; float32, float64, and bfloat16 by autocast),
the C program of these tests, and models of transformers exported to ONNX.  A series is
thirteen cases with weights and inputs of its own.  Exporting takes half a minute each.
"""

import argparse
import logging
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from test_bert_c import built                                         # noqa: E402
from test_onnx import OUTPUTS, export                                 # noqa: E402

from numbert.verify.adapters import (from_onnx, from_program,         # noqa: E402
                                     from_transformers)
from numbert.verify.selftest import false_alarms                      # noqa: E402

PRECISIONS = (("fp32", {}), ("fp64", {"dtype": "float64"}),
              ("bf16", {"autocast": "bfloat16"}))


def programs(folder):
    """Return {label: (profile, candidate)}."""
    def exported(case):
        path = Path(folder, f"{case.name}.onnx")
        export(case, path)
        return path

    return {**{f"{attention} {profile}": (profile, from_transformers(
        attention, **options)) for attention in ("eager", "sdpa")
        for profile, options in PRECISIONS},
        "c": ("fp32", from_program([built(Path(folder))])),
        "onnx": ("fp32", from_onnx(exported, OUTPUTS))}


def main(argv=None):
    """Print how many runs there were, and each that failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, default=20, help="how many packs")
    parser.add_argument("--first", type=int, default=1, help="the number of the first")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD",
                        help="programs whose label has one of these words")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    runs, alarms, worst = Counter(), Counter(), Counter()
    with tempfile.TemporaryDirectory() as folder:
        chosen = {label: program for label, program in programs(folder).items()
                  if not args.only or {*args.only} & {*label.split()}}
        for i, label, report in false_alarms(
                chosen, range(args.first, args.first + args.series)):
            runs[label] += 1
            worst[label] = max(worst[label], *(
                max(tensor.error or 0, tensor.peak or 0, tensor.step or 0)
                for tensor in report.tensors))
            for tensor in (tensor for tensor in report.tensors if tensor.wrong):
                print(f"series {i}, {label}: {tensor} {tensor}", flush=True)
            alarms[label] += any(tensor.wrong for tensor in report.tensors)
    for label, count in runs.items():
        print(f"{label:12} {alarms[label]} false alarms in {count} runs; the largest "
              f"error over its gate: {worst[label]:.2f}")
    print(f"{alarms.total()} false alarms in {runs.total()} runs")


if __name__ == "__main__":
    main()
