"""WordPiece: cut a word into the longest pieces the vocabulary has, from left to right.

Source: Schuster and Nakajima, "Japanese and Korean voice search", 2012; Wu et al.,
"Google's neural machine translation system", 2016, section 4.1; the greedy cut is
google-research/bert's WordpieceTokenizer.

The same thing is here twice: for one word, and for many words side by side.
"""

import numpy as np

MAX_CHARS = 100
PREFIX = "##"


def wordpiece(word, vocab):
    """Greedy longest match: [(piece, start, end), ...]; None if some part has no piece.

    A piece that does not begin the word is written with ## in the vocabulary.

    >>> wordpiece("unaffable", {"un", "##aff", "##able", "##a"})
    [('un', 0, 2), ('##aff', 2, 5), ('##able', 5, 9)]
    """
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


def wordpiece_many(find, starts, ends):
    """Greedy longest match, many words side by side.

    It is the loop of `wordpiece` with an array where that has one number: word i is
    letters[starts[i]:ends[i]], and at[i] is how far it has been cut.  In each round all
    ends of the next piece are tried at once, for every word that is not done.

    Args:
        find: function (starts, ends, begins) -> id of each piece, -1 where there is
            none; `begins` says that these pieces begin their words.
        starts, ends: (n,)

    Returns:
        (word, id, start, end), each (m,): the pieces in order, and whose they are; and
        failed (n,): words that have no pieces (what was found of them is there too).
    """
    at, going, begins, found = starts.copy(), np.arange(len(starts)), True, []
    while going.size:
        left = ends[going] - at[going]                      # letters still to cut
        word = np.repeat(going, left)                       # a candidate for each end
        stop = np.arange(1, len(word) + 1) - np.repeat(np.cumsum(left) - left, left)
        stop += at[word]
        ids = find(at[word], stop, begins)
        hits = np.flatnonzero(ids >= 0)
        longest = hits[np.diff(word[hits], append=-1) != 0]     # the last of each word
        word, stop = word[longest], stop[longest]
        found.append((word, ids[longest], at[word], stop))
        at[word] = stop
        going, begins = word[stop < ends[word]], False
    pieces = [np.concatenate(column) for column in zip(*found)]
    order = np.argsort(pieces[0], kind="stable")            # found from left to right
    return tuple(column[order] for column in pieces), at < ends
