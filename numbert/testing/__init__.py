"""Tools for testing an implementation of BERT: numbert's own, or anybody's."""
