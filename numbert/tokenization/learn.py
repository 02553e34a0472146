"""Learn a WordPiece vocabulary from text.

Begin with single characters.  Join the pair of neighbouring pieces that makes the text
most likely, and repeat until the vocabulary is full.

Source: Schuster and Nakajima, "Japanese and Korean voice search", ICASSP 2012: of all
possible new units, take the one that increases the likelihood of the training data
most.  The model behind the likelihood is a unigram model here: a piece u that occurs
n(u) times among N has the probability n(u) / N.  So the log-likelihood is

    L = sum over u of n(u) log n(u)  -  N log N.

If a and b stand side by side m times, joining them takes m from n(a), from n(b) and
from N, and adds m to n(ab).  `_gains` computes the change of L exactly.

HF: the trainer that Hugging Face calls WordPiece joins the most frequent pair.  That is
byte pair encoding (Sennrich, Haddow and Birch, 2016) with ## in front of pieces.  The
score m / (n(a) n(b)), often quoted for WordPiece, is the change of L per joined place,
not in total, so it prefers the rarest pairs.
"""

import math
import operator
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from .definition.normalization import (check_unicode, normalize, normalizer_steps,
                                       plain, spanned, split_words)
from .definition.tables import CJK, PUNCT, flags
from .definition.wordpiece import MAX_CHARS, PREFIX
from .fast.words import TO_SPACE

ONE_STR = ("texts is one str, expected an iterable of str: pass a list of texts, or an "
           "open file")
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def train_wordpiece(texts, vocab_size, *, lowercase=True, strip_accents=None,
                    chinese_chars=True, special_tokens=SPECIAL_TOKENS, min_frequency=2,
                    limit_alphabet=1000):
    """Learn the pieces of a WordPiece vocabulary.

    The same words always give the same vocabulary, in whatever order the texts come.

    Args:
        texts: an iterable of str, such as the lines of a file.
        vocab_size: the number of pieces, special tokens included.  There are fewer if
            no pair is left to join.
        lowercase, strip_accents, chinese_chars: as for the tokenizer that will use it.
        special_tokens: the first pieces.
        min_frequency: leave pairs alone that occur less often.
        limit_alphabet: how many characters to keep, the most frequent ones.  Words
            with other characters are left out.

    Returns:
        {piece: id}: the special tokens, the characters, and the joined pieces in the
        order in which they were learned.

    Raises:
        TypeError: `texts` is one str, or holds something other than str; or vocab_size
            is not a whole number.
        ValueError: there are no words in the texts; or vocab_size is too small for the
            special tokens and the characters.
    """
    try:
        vocab_size = operator.index(vocab_size)
    except TypeError:
        raise TypeError(f"vocab_size is {vocab_size!r}, expected a whole number of "
                        "pieces: pass 30000, for example") from None
    counts = count_words(
        texts, normalizer_steps(lowercase, strip_accents, chinese_chars))
    if not counts:
        raise ValueError("texts holds no words, expected some to learn from: pass at "
                         "least one text that is not blank (an iterator can be read "
                         "only once)")
    alphabet = _alphabet(counts, limit_alphabet)
    pieces = [*special_tokens, *alphabet,
              *(PREFIX + c for c in alphabet if not _stands_alone(c, chinese_chars))]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    if vocab_size < len(vocab):
        raise ValueError(
            f"vocab_size is {vocab_size}, expected at least {len(vocab)}, to hold "
            f"{len(special_tokens)} special tokens and {len(alphabet)} characters: "
            "raise vocab_size or lower limit_alphabet")
    kept = set(alphabet)
    known = {word: n for word, n in sorted(counts.items()) if kept.issuperset(word)}
    return _join_pairs(_Corpus(known), vocab, vocab_size, max(min_frequency, 1))


def _alphabet(counts, limit):
    """Return the `limit` most frequent characters of the words, sorted."""
    letters: Counter = Counter()
    for word, n in counts.items():
        for c in word:
            letters[c] += n
    return sorted(sorted(letters, key=lambda c: (-letters[c], c))[:limit])


def each_text(texts):
    """Yield the texts of an iterable of str and of lists of str, one by one."""
    if isinstance(texts, str):
        raise TypeError(ONE_STR)
    for item in texts:
        if isinstance(item, (list, tuple)):
            yield from item
        else:
            yield item


def count_words(texts, steps):
    """Count how often each normalised word occurs; return a Counter.

    Args:
        texts: an iterable of str.
        steps: from `normalizer_steps`.
    """
    if isinstance(texts, str):
        raise TypeError(ONE_STR)
    if not isinstance(texts, Iterable):
        raise TypeError(f"texts is {texts!r}, expected an iterable of str: pass a list "
                        "of texts, or an open file")
    raw: Counter = Counter()
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {i} is {text!r}, expected a str: correct it or "
                            "remove it")
        check_unicode(text, f"text {i}")
        raw.update(text.translate(TO_SPACE).split(" "))
    words: Counter = Counter()
    for stretch, n in raw.items():
        for word in split_words(normalize(spanned(stretch), steps)):
            if len(word) <= MAX_CHARS:
                words[plain(word)] += n
    return words


def _stands_alone(char, chinese_chars):
    """Whether a character is always a word by itself."""
    return bool(flags(char) & (PUNCT | CJK if chinese_chars else PUNCT))


class _Corpus:
    """Words cut into pieces, and how often each piece and each pair of pieces occurs.

    Args:
        counts: {word: how often it occurs}.
    """

    def __init__(self, counts):
        self.names: list[str] = []              # of pieces, by number
        self.numbers: dict[str, int] = {}
        self.pair_numbers: dict[tuple[int, int], int] = {}
        self.pairs: list[tuple[int, int]] = []
        self.where: list[set[int]] = []         # which words a pair occurs in
        self.counts = list(counts.values())
        self.words = [[self.number(PREFIX + c if i else c) for i, c in enumerate(word)]
                      for word in counts]
        n_piece: Counter = Counter()
        n_pair: Counter = Counter()
        for i, (word, n) in enumerate(zip(self.words, self.counts)):
            for piece in word:
                n_piece[piece] += n
            for pair in _neighbours(word):
                n_pair[self.pair_number(pair)] += n
                self.where[self.pair_number(pair)].add(i)
        self.n_piece = np.array([n_piece[i] for i in range(len(self.names))], float)
        self.n_pair = np.array([n_pair[i] for i in range(len(self.pairs))], float)
        self.sides = np.array(self.pairs, np.intp).reshape(-1, 2)

    def number(self, name):
        """Return the number of a piece; give it one if it has none."""
        if name not in self.numbers:
            self.numbers[name] = len(self.names)
            self.names.append(name)
        return self.numbers[name]

    def pair_number(self, pair):
        """Return the number of a pair; give it one if it has none."""
        if pair not in self.pair_numbers:
            self.pair_numbers[pair] = len(self.pairs)
            self.pairs.append(pair)
            self.where.append(set())
        return self.pair_numbers[pair]

    def joined(self, pair):
        """Return the name of the piece that pair number `pair` makes."""
        left, right = self.pairs[pair]
        return self.names[left] + self.names[right][len(PREFIX):]

    def join(self, pair):
        """Join a pair, given by number, wherever it occurs, and update all counts."""
        a, b = self.pairs[pair]
        ab = self.number(self.joined(pair))
        more_pieces: dict[int, int] = defaultdict(int)
        more_pairs: dict[int, int] = defaultdict(int)
        for i in sorted(self.where[pair]):
            old, n = self.words[i], self.counts[i]
            new = _replace(old, a, b, ab)
            for word, sign in ((old, -n), (new, n)):
                for piece in word:
                    more_pieces[piece] += sign
                for two in _neighbours(word):
                    number = self.pair_number(two)
                    more_pairs[number] += sign
                    self.where[number].add(i)
            for two in set(_neighbours(old)) - set(_neighbours(new)):
                self.where[self.pair_numbers[two]].discard(i)
            self.words[i] = new
        self.n_piece = _add(self.n_piece, more_pieces, len(self.names))
        self.n_pair = _add(self.n_pair, more_pairs, len(self.pairs))
        new = self.pairs[len(self.sides):]
        self.sides = np.concatenate([self.sides, np.array(new, np.intp).reshape(-1, 2)])


def _neighbours(word):
    """Return the pairs of neighbours that can be joined at once: one a a in a a a."""
    out, last = [], -2
    for i, pair in enumerate(zip(word, word[1:])):
        if pair[0] == pair[1]:
            if last == i - 1:
                continue
            last = i
        out.append(pair)
    return out


def _replace(word, a, b, ab):
    """Replace each a followed by b by ab, from left to right."""
    out: list[int] = []
    i = 0
    while i < len(word):
        if word[i] == a and i + 1 < len(word) and word[i + 1] == b:
            out.append(ab)
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


def _add(array, more, size):
    """Lengthen an array with zeros to `size`, and add the changes {index: change}."""
    if size > len(array):
        array = np.concatenate([array, np.zeros(size - len(array))])
    array[list(more)] += list(more.values())
    return array


def _join_pairs(corpus, vocab, vocab_size, min_frequency):
    """Join the best pair until the vocabulary is full; change and return `vocab`."""
    while len(vocab) < vocab_size:
        best = _best_pair(corpus, min_frequency)
        if best is None:
            break
        vocab.setdefault(corpus.joined(best), len(vocab))
        corpus.join(best)
    return vocab


def _best_pair(corpus, min_frequency):
    """Return the pair of the largest gain, or None if no pair gains anything.

    If several gain the same, the first by name wins.  A pair that occurs m times gains
    at most m (1 + log N - log m), which grows with m.  So once a frequent pair gains
    enough, the rare ones can be skipped.
    """
    n_pair, total = corpus.n_pair, corpus.n_piece.sum()
    if not len(n_pair) or n_pair.max() < min_frequency:
        return None
    least = n_pair.max() / 4
    while True:
        rows = np.flatnonzero(n_pair >= max(least, min_frequency))
        gains = _gains(corpus, rows, total)
        best = gains.max()
        if least <= min_frequency or best >= least * (1 + math.log(total / least)):
            break
        least /= 4
    if best <= 0:
        return None
    # Gains that differ only by rounding are equal, so that all machines agree.
    equals = rows[gains >= best * (1 - 1e-11)]
    names = corpus.names
    return min(equals.tolist(), key=lambda p: tuple(names[i] for i in corpus.pairs[p]))


def _gains(corpus, rows, total):
    """Return how much joining each pair would raise the log-likelihood.  -> (n,)"""
    def x_log_x(x):
        return x * np.log(np.maximum(x, 1))

    a, b = corpus.sides[rows].T
    m = corpus.n_pair[rows]
    n_a, n_b = corpus.n_piece[a], corpus.n_piece[b]
    same = a == b                               # both sides are one piece
    parts = np.where(
        same, x_log_x(np.maximum(n_a - 2 * m, 0)) - x_log_x(n_a),
        x_log_x(n_a - m) - x_log_x(n_a) + x_log_x(n_b - m) - x_log_x(n_b))
    # n(ab) is 0 before: equal letters have been joined alike everywhere.
    return parts + x_log_x(m) - x_log_x(total - m) + x_log_x(total)
