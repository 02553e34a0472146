"""Test vectors for tokenizers, masks, positions and labels, in any language.

README.md beside this file explains them.  Read reading, which finds a vector, then
checking, which compares an answer with it, then programs, which asks a program.
This room may import what numbert.testing may.

    from numbert.testing import vectors
    for vector in vectors.load("cleaning")["vectors"]:
        output = my_clean(**vectors.request(vector)["input"])
        problem = vectors.check(vector, {"output": output}, "hf-fast")
"""

from .checking import check, output_of
from .programs import Outcome, run, summary
from .reading import DIALECTS, every, expected, find, groups, load, request

__all__ = ["DIALECTS", "Outcome", "check", "every", "expected", "find", "groups",
           "load", "output_of", "request", "run", "summary"]
