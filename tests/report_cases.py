"""Reports made by hand, for tests of what is written about them."""

import math

from numbert.verify.results import Judged, Named, Report

LAYER = "bert.encoder.layer.0."
EVIL = "\x1b[2J</td><script>document.title='hacked'</script>|*`x`\n\ud800&\u202e]]>"


def judged(case, name, error=0.5, step=None, status=None, **more):
    """A tensor whose peak is half its error; it fails if one of the measures is > 1."""
    kind = ("optimiser step" if name.startswith("adamw") else "parameter gradient"
            if name.startswith("dparam:") else "gradient" if name.startswith("grad:")
            else "loss" if name.endswith("loss") else "activation")
    if status is None:
        status = "fail" if max(error, step or 0) > 1 else "pass"
    measured = {} if status in ("missing", "shape", "dtype") else \
        {"error": error, "peak": error / 2, "step": step}
    return Judged(case, name, kind, status, **{**measured, **more})


def report(tensors, **more):
    """A report on these tensors."""
    wrong = [x for x in tensors if x.status not in ("pass", "missing")]
    steps = [x for x in wrong if (x.step or 2) > 1]
    fields = {"candidate": "a candidate", "profile": "fp32",
              "pack": {"name": "golden", "format": 1, "sha256": "0123456789abcdef" * 4,
                       "numbert": "0.1.0"},
              "versions": {"numbert": "0.1.0", "numpy": "2.0.0"}, "tensors": tensors,
              "first": steps[0] if steps else None, "also": steps[1:],
              "diagnosis": [], "partly": False, "nearest": [], "variants": {},
              "undecidable": [], "seconds": 1.25}
    return Report(**{**fields, **more})


def right():
    """Two cases, all well; one tensor is not shown."""
    return report([
        judged("model", "embeddings.out", 0.01, 0.02),
        judged("model", "encoder.layer.0.attention.self.query", status="missing"),
        judged("model", "encoder.layer.0.output.out", 0.0, 0.0),
        judged("masked-lm", LAYER + "output.out", 0.75, 0.5),
        judged("masked-lm", "loss", 0.25, 0.125),
        judged("masked-lm", f"grad:{LAYER}output.out", 0.3, 0.9),
        judged("masked-lm", "dparam:cls.predictions.bias", 0.04),
    ], variants={"fully masked rows": "uniform"})


BUG = Named("C1-tanh", "GELU in its tanh form", "Two formulas are called GELU.",
            "Use the one with erf.", (f"model: {LAYER}intermediate.out",))
OTHER = Named("C2", "ReLU in place of GELU", "It is quicker.", "Use GELU.", ())


def wrong(**more):
    """A wrong step, what follows from it, and one of each other status."""
    return report([
        judged("model", "embeddings.out", 0.01, 0.02),
        judged("model", LAYER + "intermediate.out", 154, 618.0),
        judged("model", LAYER + "output.out", 99.6, 0.5),
        judged("masked-lm", "bert.pooler.out", status="shape",
               detail="shape (12, 4), expected (4, 12)"),
        judged("masked-lm", "loss", math.inf, math.inf, status="not finite",
               detail="1 of 1 entries are nan"),
        judged("masked-lm", "grad:cls.predictions.out", status="dtype",
               detail="dtype object, expected floating point"),
        judged("choice", "loss", status="missing"),
    ], **{"diagnosis": [BUG], **more})


def evil():
    """A report whose every foreign text tries to be something else."""
    return report([judged(EVIL, EVIL, 20.0, 30.0, detail=EVIL),
                   judged("model", EVIL, status="shape", detail=EVIL)],
                  candidate=EVIL, diagnosis=[Named(*[EVIL] * 4, (EVIL,))],
                  variants={EVIL: EVIL}, undecidable=[EVIL], profile=EVIL,
                  pack={"name": EVIL, "sha256": EVIL}, versions={EVIL: EVIL})
