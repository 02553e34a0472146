"""Hypothesis strategies for text and vocabularies, rich in what tokenizers get wrong.

    @given(bert_text())
    def test_my_tokenizer(text): ...

The simplest alternatives come first, so failures shrink to short lower-case words.
"""

import hypothesis.strategies as st
from hypothesis.errors import InvalidArgument

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("the", "un", "unaffable", "hello", "world", "a", "b", "naive", "don't", "3.14")

# One list per kind of trouble; `bert_text` mixes them.
WHITE_SPACE = tuple(" \t\n\r\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000")
CONTROLS = tuple("\x00\x0b\x0c\x1c\x85\xad\u200b\u200d\u200e\ufeff\ufffd\ue000"
                 "\U000f0000\u0378")
PUNCTUATION = tuple("!$+<=>^`|~.,'\"#[](){}_-\u2014\u00bf\u3002\u037e\u2e4f")
MARKS = tuple("\u0301\u0308\u0327\u0345\u302e\u302f\u1b44\U0001d165\U0001e94a")
ACCENTED = ("é", "e\u0301", "ü", "Å", "\u212b", "ñ", "ệ", "\u1e69", "\u2260", "ǆ", "ǅ")
CASES = ("İ", "ı", "ß", "ẞ", "Σ", "ΟΔΟΣ", "ς", "ﬁ", "Ⓐ", "Ა", "\U00010400", "Ωμ")
CJK = ("中", "文", "\u3400", "\u4dbf", "\u4dc0", "\u4e00", "\u9fff", "\ua000",
       "\uf900", "\ufaff", "\U00020000", "\U0002a6df", "\U0002b820", "\U0002b91f",
       "\U0002b920", "\U0002ceaf", "\U0002f800", "\U0002fa1f",
       "か\u3099", "が", "한", "\u1112\u1161")
LOOKALIKES = ("[MASK]", "[mask]", "[MASK]x", "x[SEP]", "[CLS", "MASK]", "[ MASK ]",
              "##a", "##", "[UNK]")
EMOJI = ("\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
         "\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "\U0001fae8")
LONG = tuple("a" * n for n in (99, 100, 101, 199, 200, 201)) + ("한" * 33, "한" * 34)
KINDS = (WORDS, WHITE_SPACE, PUNCTUATION, ACCENTED, CASES, CJK, LOOKALIKES, CONTROLS,
         MARKS, EMOJI, LONG)


def scalars():
    """Draw any one character that UTF-8 can encode.

    @given(scalars())
    def test_a_character_is_cleaned_alone(char):
        assert len(my_clean(char)) <= 1
    """
    return st.characters(codec="utf-8")


def bert_text(*, vocab=(), max_parts=12):
    """Draw text as a tokenizer meets it: words, and all that is hard about them.

    @given(bert_text(vocab=my_tokenizer.vocab))
    def test_it_never_raises(text):
        my_tokenizer.encode(text)

    Args:
        vocab: more pieces to make words of; some get one character changed.
        max_parts: the largest number of parts that are strung together.
    """
    if max_parts < 0:
        raise InvalidArgument(f"max_parts is {max_parts!r}, expected 0 or more: give "
                              "the largest number of parts of a text")
    parts = [st.sampled_from(kind) for kind in KINDS]
    parts.insert(1, st.just(" "))
    parts.append(st.text(scalars(), max_size=4))
    pieces = tuple(piece[2:] if piece.startswith("##") else piece for piece in vocab)
    if pieces:
        parts.insert(0, st.sampled_from(pieces))
        parts.append(_near(pieces))
    return st.lists(st.one_of(parts), max_size=max_parts).map("".join)


@st.composite
def _near(draw, pieces):
    """Draw a piece with one character changed."""
    piece = draw(st.sampled_from(pieces))
    if not piece:
        return piece
    place = draw(st.integers(0, len(piece) - 1))
    return piece[:place] + draw(scalars()) + piece[place + 1:]


def split_text(*, vocab=(), max_words=5):
    """Draw a text as a list of words; a word may be empty or hold spaces.

    @given(split_text())
    def test_each_word_is_known_by_its_number(words):
        assert max(my_tokenizer.word_ids(words), default=0) < max(1, len(words))
    """
    return st.lists(bert_text(vocab=vocab, max_parts=3), max_size=max_words)


def vocabularies(*, alphabet="abcdeé中.,'", max_pieces=30, special=True):
    """Draw a small vocabulary, {token: id}: special tokens, then pieces.

    @given(vocabularies(alphabet="ab"), st.text("ab"))
    def test_pieces_are_of_the_vocabulary(vocab, word):
        assert set(my_wordpiece(word, vocab)) <= set(vocab)

    Args:
        alphabet: the characters that pieces are made of; not all of them need be
            pieces themselves.
        max_pieces: the largest number of pieces besides the special tokens.
        special: False allows special tokens to be missing, all but [UNK].
    """
    if not alphabet:
        raise InvalidArgument(f"alphabet is {alphabet!r}, expected at least one "
                              "character: pieces are made of them")
    others = st.lists(st.sampled_from(SPECIAL), unique=True)
    known = st.just(list(SPECIAL)) if special else others.map(
        lambda names: ["[UNK]", *names])
    piece = st.builds(str.__add__, st.sampled_from(("", "##")),
                      st.text(alphabet, min_size=1, max_size=4))
    pieces = st.lists(piece, unique=True, max_size=max_pieces)
    return st.builds(_numbered, known, pieces)


def _numbered(known, pieces):
    return {token: i for i, token in enumerate(dict.fromkeys([*known, *pieces]))}


def call_options(*, max_length=24, overflow=True):
    """Draw arguments for a tokenizer call that go together: any texts succeed.

    So tensors come with padding, a side with what pads, a stride with windows that it
    fits in, and max_length with what needs it.

    @given(bert_text(), call_options())
    def test_my_tokenizer_takes_what_transformers_takes(text, options):
        my_tokenizer(text, **options)

    Args:
        max_length: the largest max_length to draw; the smallest is 3.
        overflow: also draw return_overflowing_tokens and stride.
    """
    if max_length < 3:
        raise InvalidArgument(f"max_length is {max_length!r}, expected 3 or more: "
                              "[CLS], a token and [SEP] need that much room")
    return _options_that_fit(max_length, overflow)


@st.composite
def _options_that_fit(draw, max_length, overflow):
    """Draw the free options first, then what goes with them."""
    named = draw(st.fixed_dictionaries({}, optional={
        "padding": st.sampled_from((True, "max_length")),
        "truncation": st.sampled_from((True, "only_first")),
        "add_special_tokens": st.just(False),
        "return_special_tokens_mask": st.just(True),
        "return_offsets_mapping": st.just(True),
        "return_length": st.just(True),
    }))
    if named.get("padding") == "max_length" or "truncation" in named:
        named["max_length"] = draw(st.integers(3, max_length))
    if "padding" in named:
        named |= draw(st.fixed_dictionaries({}, optional={
            "padding_side": st.sampled_from(("right", "left")),
            "return_tensors": st.just("np"),
        }))
    if named.get("padding") == "max_length" and "truncation" not in named:
        named.pop("return_tensors", None)       # a longer text would stick out
    if overflow and "truncation" in named:
        # A window holds [CLS] and [SEP], and must move on by a token.
        named |= draw(st.fixed_dictionaries({}, optional={
            "return_overflowing_tokens": st.just(True),
            "stride": st.integers(0, min(named["max_length"] - 3, 4)),
        }))
    return named
