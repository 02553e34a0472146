"""WordPiece: cut a word into the longest pieces the vocabulary has, from left to right.

Source: Schuster and Nakajima, "Japanese and Korean voice search", 2012; Wu et al.,
"Google's neural machine translation system", 2016, section 4.1; the greedy cut is
google-research/bert's WordpieceTokenizer.
"""

MAX_CHARS = 100         # a longer word is unknown
PREFIX = "##"           # marks a piece that continues a word


def wordpiece(word, vocab, max_chars=MAX_CHARS):
    """Cut a word greedily: take the longest piece that fits, then go on after it.

    Return [(piece, start, end), ...].  Return None if no piece fits somewhere, or if
    the word has more than max_chars characters.

    >>> wordpiece("unaffable", {"un", "##aff", "##able", "##a"})
    [('un', 0, 2), ('##aff', 2, 5), ('##able', 5, 9)]
    """
    if len(word) > max_chars:
        return None
    pieces, start = [], 0
    while start < len(word):
        prefix = PREFIX if start else ""
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in vocab:
                break
        else:
            return None
        pieces.append((prefix + word[start:end], start, end))
        start = end
    return pieces
