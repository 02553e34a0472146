"""Level tokenizer: from a text to the rows that a model reads, and back."""

LEVEL = "tokenizer"


def test_vector(suite, vector):
    """The output for a vector is right."""
    suite.check_vector(vector)


def test_law(suite, law):
    """A law holds."""
    suite.check_law(law)
