"""BERT's tokenizer, written to be read; `tokenize` below is the whole of it.

Read normalization, then wordpiece: `tokenize` puts the two together.  Then read
added_tokens, which finds special tokens such as [MASK], and encode, which adds them and
notes where in the text each piece stands.  tables holds the Unicode properties of each
character.
This room imports nothing else from numbert.
"""

from .normalization import normalize, normalizer_steps, plain, spanned, split_words
from .wordpiece import wordpiece as pieces_of


def tokenize(text, vocab, lowercase=True):
    """Cut a text into the word pieces that BERT reads.

    Normalise the text, split it into words, and cut each word into the longest pieces
    that the vocabulary has.  [UNK] stands for a word that has no pieces.

    >>> vocab = {"[UNK]", "un", "##aff", "##able", "cafe", "!"}
    >>> tokenize("Unaffable Café & bar!", vocab)
    ['un', '##aff', '##able', 'cafe', '[UNK]', '[UNK]', '!']

    This is `BertTokenizer(vocab).tokenize(text)`, except that [MASK] and other added
    tokens are treated as ordinary text.  `encode.encode_plain` finds those, and tells
    where in the text each piece stands.

    Args:
        text: a str.
        vocab: the pieces, a set or a dict of piece -> id.
        lowercase: lower-case the text and strip accents.  Pass False for a cased
            vocabulary.

    Returns:
        list of str
    """
    chars = normalize(spanned(text), normalizer_steps(lowercase))
    tokens = []
    for word in split_words(chars):
        pieces = pieces_of(plain(word), vocab)
        tokens += ["[UNK]"] if pieces is None else [piece for piece, _, _ in pieces]
    return tokens
