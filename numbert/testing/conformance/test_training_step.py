"""Level training_step: parameters after an update."""

LEVEL = "training_step"


def test_law(suite, law):
    """A law holds."""
    suite.check_law(law)


def test_golden(suite, case, kind):
    """Tensors of the golden pack are right, but for rounding."""
    suite.check_golden(LEVEL, case, kind)
