"""numbert: BERT in pure NumPy that you can read, check and trust."""

__version__ = "0.1.0"
