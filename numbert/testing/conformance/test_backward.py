"""Level backward: targets, losses and gradients."""

LEVEL = "backward"


def test_vector(suite, vector):
    """The output for a vector is right."""
    suite.check_vector(vector)


def test_law(suite, law):
    """A law holds."""
    suite.check_law(law)


def test_golden(suite, case, kind):
    """Tensors of the golden pack are right, but for rounding."""
    suite.check_golden(LEVEL, case, kind)
