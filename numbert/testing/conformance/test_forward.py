"""Level forward: masks, positions, and what a model computes."""

import pytest

from .golden import CHOICES

LEVEL = "forward"


def test_vector(suite, vector):
    """The output for a vector is right."""
    suite.check_vector(vector)


def test_law(suite, law):
    """A law holds."""
    suite.check_law(law)


def test_golden(suite, case, kind):
    """Tensors of the golden pack are right, but for rounding."""
    suite.check_golden(LEVEL, case, kind)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda name: name.replace(" ", "-"))
def test_choice(suite, choice):
    """What BERT leaves open is as in transformers with eager attention."""
    suite.check_choice(choice)
