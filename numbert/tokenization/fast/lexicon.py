"""All words seen so far: a number for each, and its pieces."""

import numpy as np

from ..definition.wordpiece import PREFIX
from .keytable import MAX_LETTERS, KeyTable, pack, width_of, widths
from .letters import HARD, HARD_ALONE
from .words import as_word

MAX_WORDS = 1 << 17         # beyond this many, all but the vocabulary is forgotten
MAX_KEY = 256               # longer words are not remembered
FEW = 64                    # fewer new words are cut one by one


class Pile:
    """Parallel int32 arrays that grow at the end, by doubling."""

    def __init__(self, n_columns):
        self.columns = [np.zeros(1024, np.int32) for _ in range(n_columns)]
        self.used = 0

    def extend(self, *new):
        """Add the items of one array for each column."""
        end = self.used + len(new[0])
        for i, column in enumerate(self.columns):
            if end > len(column):
                column = np.resize(column, max(end, 2 * len(column)))
            column[self.used:end] = new[i]
            self.columns[i] = column
        self.used = end

    def cut(self, used):
        """Drop all but the first `used` items."""
        self.used = used


class Lexicon:
    """Numbers words, and remembers the pieces of each.

    Args:
        letters: a `Letters`.
        vocab: {piece: id}.
        solve: function word -> its ids, starts, ends and word numbers, four lists.
        unknown: function word -> the id of the unknown token.
    """

    def __init__(self, letters, vocab, solve, unknown):
        self.letters, self.solve, self.unknown = letters, solve, unknown
        self.pieces = Pile(4)       # of each piece: id, start, end, number of its word
        self.words = Pile(3)        # of each word: first piece, how many pieces, words
        self.vocab = vocab
        self.long: dict[str, int] = {}
        begin = [piece for piece in vocab if not piece.startswith(PREFIX)]
        self.begin, ids, lengths = self._piece_tables(begin, 0)
        zeros = np.zeros_like(ids)
        self._store((np.arange(len(ids)), ids, zeros, lengths, zeros), zeros + 1)
        self.go_on: dict[int, KeyTable] = {}    # these two are made when needed
        self.go_on_ids = np.zeros(0, np.int32)
        self.tables = {width: table.copy() for width, table in self.begin.items()}
        self.n_vocab = len(ids)

    def _piece_tables(self, pieces, skip):
        """Return ({width: KeyTable of numbers}, ids by number, lengths by number).

        Pieces that no normalised word can have are left out.  The first `skip`
        characters of each piece, the prefix, are not part of its key.
        """
        if self.letters.dtype == np.uint8:
            pieces = list(filter(str.isascii, pieces))
        pieces = [piece for piece in pieces if skip < len(piece) <= MAX_LETTERS + skip]
        ids = np.array([self.vocab[piece] for piece in pieces], np.int32)
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        text = "".join(pieces)
        letters, _ = self.letters.read(text)
        same = letters[:len(text)] == np.frombuffer(text.encode("utf-32-le"), "<u4")
        same &= self.letters.simple[letters[:len(text)]]
        bad = np.concatenate([[0], np.cumsum(~same)])
        ends = np.cumsum(lengths)
        good = np.flatnonzero(bad[ends] == bad[ends - lengths])
        starts, lengths, ids = (ends - lengths)[good] + skip, lengths[good], ids[good]
        lengths = lengths - skip
        tables, new_rows = {}, []
        count = 0
        width = width_of(lengths, letters.dtype)
        for w in widths(letters.dtype):
            rows = np.flatnonzero(width == w)
            tables[w] = KeyTable(w)
            _, new = tables[w].add(pack(letters, starts[rows], lengths[rows], w), count)
            new_rows.append(rows[new])
            count += len(new)
        order = np.concatenate(new_rows)
        return tables, ids[order], lengths[order]

    def _store(self, pieces, n_words):
        """Add new words.

        Args:
            pieces: their pieces in order, five arrays (m,): owner (0 is the first new
                word), id, start, end, and number of the word in its owner.
            n_words: how many words each new word is made of, (n,).
        """
        owner, ids, starts, ends, words = pieces
        counts = np.bincount(owner, minlength=len(n_words))
        first = self.pieces.used + np.cumsum(counts) - counts
        self.words.extend(first, counts, n_words)
        self.pieces.extend(ids, starts, ends, words)

    def look_up(self, text, letters, starts, ends):
        """Return the number of each word text[start:end].  (n,), (n,) -> (n,) int32

        Raises:
            ValueError: a word is unknown and the vocabulary has no unknown token.
        """
        if self.words.used > self.n_vocab + MAX_WORDS:
            self._forget()
        try:
            return self._look_up(text, letters, starts, ends)
        except BaseException:       # words may have a number but no pieces yet
            self._forget()
            raise

    def _forget(self):
        """Go back to the vocabulary."""
        self.tables = {width: table.copy() for width, table in self.begin.items()}
        self.words.cut(self.n_vocab)
        self.pieces.cut(self.n_vocab)
        self.long.clear()

    def _look_up(self, text, letters, starts, ends):
        """Do `look_up` without cleaning up after an error."""
        lengths = ends - starts
        out = np.empty(len(starts), np.int32)
        width = width_of(lengths, letters.dtype)
        hard = np.flatnonzero((letters == HARD) | (letters == HARD_ALONE))
        width[np.searchsorted(starts, hard, "right") - 1] = 0
        for w, table in self.tables.items():
            rows = np.flatnonzero(width == w)
            if not rows.size:
                continue
            keys = pack(letters, starts[rows], lengths[rows], w)
            numbers = table.find(keys)
            absent = np.flatnonzero(numbers < 0)
            if absent.size:
                numbers[absent], new = table.add(
                    [column[absent] for column in keys], self.words.used)
                new = rows[absent[new]]
                self._solve(text, letters, starts[new], ends[new])
            out[rows] = numbers
        for i in np.flatnonzero(width == 0).tolist():
            out[i] = self._long_word(text[starts[i]:ends[i]])
        return out

    def _solve(self, text, letters, starts, ends):
        """Find the pieces of new words and store them, in the same order."""
        hard = self._is_hard(letters, starts, ends)
        if len(hard) < FEW:
            hard[:] = True
        easy = np.flatnonzero(~hard)
        parts = []
        if easy.size:
            parts.append(self._solve_easy(text, letters, starts, ends, easy))
        n_words = np.ones(len(starts), np.int32)
        for i in np.flatnonzero(hard).tolist():
            word = as_word(*self.solve(text[starts[i]:ends[i]]))
            parts.append(np.array([(i, *piece) for piece in word.pieces], np.int32)
                         .reshape(-1, 5).T)
            n_words[i] = word.n_words
        pieces = np.concatenate(parts, axis=1)
        pieces = pieces[:, np.argsort(pieces[0], kind="stable")]
        self._store(pieces, n_words)

    def _is_hard(self, letters, starts, ends):
        """Whether each word has a character that is not simple.  (n,), (n,) -> (n,)"""
        bad = np.concatenate([[0], np.cumsum(~self.letters.simple[letters])])
        return bad[starts] < bad[ends]

    def _solve_easy(self, text, letters, starts, ends, easy):
        """Return the pieces of words, int32 (5, m): owner, id, start, end, word."""
        (word, ids, at, stop), failed = wordpiece_many(
            self._finder(letters), starts[easy], ends[easy])
        good = ~failed[word]
        owner, lost = easy[word[good]], easy[failed]
        zeros = np.zeros(len(owner) + len(lost), np.int32)
        unknown = self.unknown(text[starts[lost[0]]:ends[lost[0]]]) if lost.size else 0
        return np.array([
            np.concatenate([owner, lost]),
            np.concatenate([ids[good], np.full(len(lost), unknown)]),
            np.concatenate([at[good] - starts[owner], zeros[:len(lost)]]),
            np.concatenate([stop[good] - starts[owner], ends[lost] - starts[lost]]),
            zeros], np.int32)

    def _finder(self, letters):
        """Return a function that finds letters[start:end] in the vocabulary."""
        if not self.go_on:
            go_on = [piece for piece in self.vocab if piece.startswith(PREFIX)]
            self.go_on, ids, _ = self._piece_tables(go_on, len(PREFIX))
            self.go_on_ids = np.append(ids, np.int32(-1))       # [-1] says "none"
        begin_ids = np.append(self.pieces.columns[0][:self.n_vocab], np.int32(-1))

        def find(starts, ends, begins):
            tables, ids = ((self.begin, begin_ids) if begins
                           else (self.go_on, self.go_on_ids))
            numbers = np.full(len(starts), -1, np.int32)
            width = width_of(ends - starts, letters.dtype)
            for w, table in tables.items():
                rows = np.flatnonzero(width == w)
                if rows.size:
                    at = starts[rows]
                    numbers[rows] = table.find(pack(letters, at, ends[rows] - at, w))
            return ids[numbers]
        return find

    def _long_word(self, text):
        """Return the number of a word that has no key."""
        number = self.long.get(text)
        if number is None:
            word = as_word(*self.solve(text))
            pieces = np.array([(0, *piece) for piece in word.pieces], np.int32)
            number = self.words.used
            self._store(pieces.reshape(-1, 5).T, np.array([word.n_words]))
            if len(text) <= MAX_KEY:
                self.long[text] = number
        return number


def wordpiece_many(find, starts, ends):
    """Cut many words greedily, side by side.

    This is the loop of `definition.wordpiece` with an array in place of each number.
    Word i is letters[starts[i]:ends[i]], and at[i] is how far it has been cut.  Each
    round tries all ends of the next piece at once, for every word that is not done.

    Args:
        find: function (starts, ends, begins) -> id of each piece, -1 where there is
            none; `begins` says that these pieces begin their words.
        starts, ends: (n,)

    Returns:
        (word, id, start, end), each (m,): the pieces in order, and the words that they
        belong to; and failed (n,): which words have no pieces (the pieces found before
        they failed are in the list).
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
