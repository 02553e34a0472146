"""The NumPy path must agree with the definition, and both with Hugging Face.

With NUMBERT_EXHAUSTIVE=1 more than 200,000 random strings, over all options of the
normaliser, are compared with Hugging Face; without it, 18,000.
"""

import copy
import itertools
import json
import os
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from golden import make_codepoints
from hypothesis import given, settings
from hypothesis import strategies as st

from numbert.tokenization.fast import lexicon as lexicon_module
from numbert.tokenization.fast import vectorized
from numbert.tokenization.definition.added_tokens import AddedToken
from numbert.tokenization.definition.encode import encode_plain
from numbert.tokenization.fast.keytable import KeyTable, pack, width_of, widths
from numbert.tokenization.fast.lexicon import Lexicon, wordpiece_many
from numbert.tokenization.fast.letters import ascii_letters, unicode_letters
from numbert.tokenization.fast.pipeline import compile_core, encode, encode_one
from numbert.tokenization.definition.wordpiece import wordpiece

# Characters whose treatment depends on their neighbours, or that are odd in some way.
MARKS = "\u0300\u0301\u0316\u0323\u0344\u302e\u302f\U0001d165\u1b44\u08d4\u0f73\u3099"
ODD = ("\0\t\n\r\x0b\x0c\x1c\x1f\x85\xa0\xad\u200b\u200d\ufeff\u2028\u3000\ue000\ufffd"
       "\u0130\u03a3\u1e9e\u037e\u1fef\u2260\u226e中文\U0002b820\U0002b920\uf900가한"
       "\u1100\u1161\U0001f600\U0001d15e\u0958\u09dc\U000e0100\U0010ffff")
TEXT = st.text(st.one_of(
    st.sampled_from("abcABC  .,#é"), st.sampled_from(MARKS), st.sampled_from(ODD),
    st.characters(exclude_categories=["Cs"])), max_size=30)


def small_vocabulary():
    """A vocabulary in which many random words have pieces."""
    pieces = ["[UNK]", "[MASK]", "ab", "abc", "##bc", "##ab", "cab", "##cc", "aé", "é"]
    for c in "abcABCéE.,#=中文가\u1100\u1161\u302e\u0301\u0300\ue000\U0001f600σςßi\u0307":
        pieces += [c, "##" + c]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


VOCAB = small_vocabulary()
OPTIONS = list(itertools.product((True, False), (None, True, False), (True, False)))
CORES = [compile_core(VOCAB, lowercase=lowercase, strip_accents=accents,
                      chinese_chars=cjk,
                      added_tokens={1: AddedToken("[MASK]", special=True)})
         for lowercase, accents, cjk in OPTIONS]


def rows(pieces):
    """Pieces as one tuple of four lists for each text."""
    splits = pieces.splits.tolist()
    columns = [column.tolist() for column in pieces[:4]]
    return [tuple(column[a:b] for column in columns)
            for a, b in zip(splits, splits[1:])]


@pytest.fixture
def tiny_blocks(monkeypatch):
    """Everything through NumPy, in blocks of a few characters."""
    monkeypatch.setattr("numbert.tokenization.fast.pipeline.SMALL", -1)
    monkeypatch.setattr(vectorized, "BLOCK", 7)
    monkeypatch.setattr(lexicon_module, "FEW", 2)
    monkeypatch.setattr(lexicon_module, "MAX_WORDS", 10)


# --- the whole path ------------------------------------------------------------------

@pytest.mark.parametrize("name, lowercase, context", make_codepoints.settings())
def test_every_code_point_is_as_in_hugging_face(name, lowercase, context):
    # 1,112,064 code points against digests recorded from transformers.
    recorded = json.loads(make_codepoints.FILE.read_text("utf-8"))[name]
    core = compile_core(make_codepoints.vocabulary(), lowercase=lowercase)
    for plane, want in enumerate(recorded):
        got = encode(core, make_codepoints.texts(plane, context))
        assert make_codepoints.digest(
            got.ids, got.starts, got.ends, got.splits) == want, f"plane {plane}"


@given(texts=st.lists(TEXT, max_size=4), which=st.integers(0, len(CORES) - 1))
@settings(max_examples=400, deadline=None)
def test_numpy_agrees_with_the_definition(texts, which):
    core = CORES[which]
    want = [encode_plain(core.plain, text) for text in texts]
    padding = "some more words " * 500                  # makes it a large batch
    got = rows(encode(core, texts + [padding]))
    assert got[:-1] == want


@given(text=TEXT, which=st.integers(0, len(CORES) - 1))
@settings(max_examples=400, deadline=None)
def test_the_cache_of_words_agrees_with_the_definition(text, which):
    core = CORES[which]
    want = encode_plain(core.plain, text)
    assert encode_one(core, text) == want               # once cold, once from the cache
    assert encode_one(core, text) == want
    assert encode_one(core, text, offsets=False)[0] == want[0]


def test_blocks_do_not_show(tiny_blocks):
    rng = np.random.default_rng(0)
    alphabet = list("abc  ,é中\u0301가\U0001f600\xad") + ["[MASK]"]
    for core in CORES[:4]:
        texts = ["".join(rng.choice(alphabet, rng.integers(0, 60))) for _ in range(60)]
        assert rows(encode(core, texts)) == [
            encode_plain(core.plain, text) for text in texts]


def test_ids_alone_are_the_same_ids():
    texts = ["abc [MASK] cab, é中!", ""] * 2000
    whole, ids = encode(CORES[0], texts), encode(CORES[0], texts, offsets=False)
    assert ids.starts is ids.ends is ids.words is None
    np.testing.assert_array_equal(ids.ids, whole.ids)
    np.testing.assert_array_equal(ids.splits, whole.splits)


def test_added_tokens_in_a_large_batch():
    added = {1: AddedToken("[MASK]", special=True),
             90: AddedToken("New Tok", lstrip=True),
             91: AddedToken("caB", single_word=True), 92: AddedToken("中", rstrip=True)}
    core = compile_core(VOCAB, added_tokens=added)
    texts = ["a[MASK]b new tok", "[MASK]", "", "  NEW TOKs caB cab acab", "中中 中",
             "x中\u302e", "[MASK][MASK] c", "plain"] * 200
    for split in (False, True):
        want = [encode_plain(core.plain, text, split) for text in texts]
        assert rows(encode(core, texts, split_special_tokens=split)) == want


@pytest.mark.parametrize("count", [1, 3000])
def test_half_a_surrogate_pair_is_refused(count):
    with pytest.raises(TypeError, match="character 2 .* surrogate"):
        encode(CORES[0], ["fine"] * count + ["ab\ud800c"])


@pytest.mark.parametrize("word", ["zzz", "a" * 101, "ü", "a\U0001f601"])
def test_a_missing_unknown_token_is_named(word):
    core = compile_core({"a": 0, "##a": 1})
    many = ["a"] * 7000 + [word]
    for texts in ([word], many, many):      # what failed must not be remembered
        with pytest.raises(ValueError, match=r"\[UNK\]"):
            encode(core, texts)
        assert set(encode(core, ["aa"] * 4000).ids.tolist()) == {0, 1}  # still whole


@pytest.mark.parametrize("text", ["", " ", "a b " * 3000, "é " * 4000])
def test_an_empty_vocabulary(text):
    with_unknown = compile_core({"[UNK]": 7})
    assert set(encode(with_unknown, [text]).ids.tolist()) <= {7}
    if not text.strip():
        assert len(encode(compile_core({}), [text] * 7000).ids) == 0


def test_threads_may_share_a_core():
    batches = [[f"{'abc' * (i % 5)}{chr(97 + j % 26)}{i * j:x} é" for j in range(1000)]
               for i in range(6)]
    want = [encode(compile_core(VOCAB), texts).ids.tolist() for texts in batches]
    for _ in range(3):
        core = compile_core(VOCAB)
        with ThreadPoolExecutor(6) as pool:
            got = list(pool.map(lambda part: encode(core, part).ids.tolist(), batches))
        assert got == want


@pytest.mark.parametrize("duplicate", [
    copy.deepcopy, lambda core: pickle.loads(pickle.dumps(core))])
def test_a_core_can_be_copied_and_sent_to_a_process(duplicate):
    texts = ["abc [MASK] é", "cab"] * 2000
    want = encode(CORES[0], texts).ids.tolist()
    other = duplicate(CORES[0])
    assert encode(other, texts).ids.tolist() == want
    assert encode_one(other, texts[0]) == encode_one(CORES[0], texts[0])


def test_unknown_pieces_are_never_negative():
    assert (encode(CORES[0], ["é zz 中 \u200b \x85" * 2000]).ids >= 0).all()


def test_memory_stays_bounded(monkeypatch):
    # Only words never seen before: some 400,000, of 4 MB in all.
    monkeypatch.setattr(lexicon_module, "MAX_WORDS", 20_000)
    core = compile_core(VOCAB)
    text = " ".join("abcabc"[:1 + i % 6] + str(i) for i in range(400_000))
    encode(core, [text[:100_000]], offsets=False)
    tracemalloc.start()
    encode(core, [text], offsets=False)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 40e6 and peak < 80e6
    words = sum(lexicon.words.used for lexicon in core.reader.lexicons.values())
    assert words < len(VOCAB) + 20_000 + vectorized.BLOCK / 2


@pytest.mark.parametrize("text", [
    "a" * 300_000, "\u200b" * 300_000 + "ab", "a\u0301" * 10_000, "中" * 300_000,
    "é" * 200_000, "=\u0338" * 3000])
def test_text_without_white_space(text):
    for core in (CORES[0], CORES[6]):
        pieces = encode(core, [text])
        if len(text) <= 20_000:
            assert rows(pieces) == [encode_plain(core.plain, text)]
        elif text[0] == "中":
            assert len(pieces.ids) == len(text)
        elif text[0] == "\u200b":
            assert list(zip(pieces.starts, pieces.ends))[0] == (300_000, 300_002)
        else:
            assert pieces.ids.tolist() == [0] and pieces.ends.tolist() == [len(text)]


# --- its parts -----------------------------------------------------------------------

@given(words=st.lists(st.tuples(
    st.integers(0, 20), st.integers(1, 32)), min_size=1, max_size=200),
    dtype=st.sampled_from([np.uint8, np.uint16]))
@settings(max_examples=60, deadline=None)
def test_key_table_is_a_dict(words, dtype):
    # Words of one repeated letter, so that many differ in their length alone.
    words = [np.full(length, 1 + letter * 11, dtype) for letter, length in words]
    letters = np.concatenate(words + [np.zeros(40, dtype)])
    lengths = np.array([len(word) for word in words])
    starts = np.cumsum(lengths) - lengths
    width = width_of(lengths, dtype)
    for w in widths(dtype):
        rows = np.flatnonzero(width == w)
        table, known = KeyTable(w), {}
        for part in np.array_split(rows, 3):
            keys = pack(letters, starts[part], lengths[part], w)
            assert table.find(keys).tolist() == [
                known.get(words[i].tobytes(), -1) for i in part]
            numbers, new = table.add(keys, len(known)) if part.size else ([], [])
            for i in new:
                known[words[part[i]].tobytes()] = len(known)
            assert list(numbers) == [known[words[i].tobytes()] for i in part]
        assert len(known) == table.used == len({words[i].tobytes() for i in rows})


def test_key_table_survives_collisions_and_growth():
    rng = np.random.default_rng(0)
    keys = [rng.integers(0, 2 ** 63, 20_000).astype(np.uint64) << np.uint64(40)]
    table = KeyTable(1)
    unique = len(np.unique(keys[0]))
    numbers, new = table.add(keys, 5)
    assert len(new) == unique and set(numbers.tolist()) == set(range(5, 5 + unique))
    more = [np.arange(1, 50_000).astype(np.uint64)]
    table.add(more, 10 ** 6)
    np.testing.assert_array_equal(table.find(keys), numbers)
    assert (table.find([np.array([2 ** 60 + 1], np.uint64)]) == -1).all()


@given(words=st.lists(st.text("abc", min_size=1, max_size=12), min_size=1, max_size=12),
       pieces=st.sets(st.text("abc", min_size=1, max_size=4), max_size=12),
       inside=st.sets(st.text("abc", min_size=1, max_size=4), max_size=12))
@settings(max_examples=200, deadline=None)
def test_many_words_side_by_side_are_cut_like_one(words, pieces, inside):
    vocab = {piece: i for i, piece in
             enumerate([*sorted(pieces), *("##" + piece for piece in sorted(inside))])}
    text = "".join(words)
    ends = np.cumsum([len(word) for word in words])
    starts = ends - [len(word) for word in words]

    def find(starts, ends, begins):
        prefix = "" if begins else "##"
        return np.array([vocab.get(prefix + text[a:b], -1)
                         for a, b in zip(starts, ends)], np.int64)

    (owner, ids, at, stop), failed = wordpiece_many(find, starts, ends)
    for i, word in enumerate(words):
        want = wordpiece(word, vocab)
        assert (want is None) == failed[i]
        if want is not None:
            mine = owner == i
            assert [(vocab[piece], a, b) for piece, a, b in want] == list(
                zip(ids[mine], at[mine] - starts[i], stop[mine] - starts[i]))


@pytest.mark.parametrize("letters", [
    ascii_letters(True), ascii_letters(False),
    unicode_letters(VOCAB, True, True, True)])
def test_a_lexicon_knows_its_vocabulary(letters):
    lexicon = Lexicon(letters, VOCAB, None, None)
    text = "ab abc cab ."
    got, _ = letters.read(text)
    starts, ends = np.array([0, 3, 7, 11]), np.array([2, 6, 10, 12])
    numbers = lexicon.look_up(text, got, starts, ends)
    ids = lexicon.pieces.columns[0][lexicon.words.columns[0][numbers]]
    assert ids.tolist() == [VOCAB["ab"], VOCAB["abc"], VOCAB["cab"], VOCAB["."]]


# --- against Hugging Face, where it is installed -------------------------------------

@pytest.mark.parametrize("which", range(len(CORES)))
def test_random_text_is_as_in_hugging_face(which):
    transformers = pytest.importorskip("transformers")
    core, rng = CORES[which], np.random.default_rng(which)
    lowercase, accents, cjk = OPTIONS[which]
    tokenizer = transformers.BertTokenizer(
        vocab=VOCAB, do_lower_case=lowercase, strip_accents=accents,
        tokenize_chinese_chars=cjk)
    alphabet = list("abcABC   .,é" + MARKS + ODD) + ["[MASK]", "abc", "cab"]
    anything = [chr(c) for c in rng.integers(0x80, 0x20000, 300)
                if not 0xD800 <= c < 0xE000]
    alphabet += anything
    count = 17_000 if os.environ.get("NUMBERT_EXHAUSTIVE") else 1_500
    texts = ["".join(rng.choice(alphabet, rng.integers(0, 16))) for _ in range(count)]
    want = tokenizer._tokenizer.encode_batch(texts, add_special_tokens=False)
    assert rows(encode(core, texts)) == [
        (row.ids, [a for a, _ in row.offsets], [b for _, b in row.offsets],
         row.word_ids) for row in want]
