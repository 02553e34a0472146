"""Laws of tokenization, T1 to T26, on text that is hard on purpose.

Each test is marked `exact` (true of every implementation of BERT's tokenizer) or
`dialect` (true of Hugging Face's BertTokenizer; others may differ).
"""

import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from tokenizer_cases import VOCAB

from numbert.testing.strategies import (MARKS, SPECIAL, bert_text, call_options,
                                        scalars, split_text, vocabularies)
from numbert.tokenization import BertTokenizer
from numbert.tokenization.fast.pipeline import normalize
from numbert.tokenization.definition.wordpiece import MAX_CHARS

quick = settings(deadline=None, max_examples=120, derandomize=True,
                 suppress_health_check=[HealthCheck.too_slow])

TOKENIZER = BertTokenizer(VOCAB)
CASED = BertTokenizer(VOCAB, do_lower_case=False)
texts = bert_text(vocab=tuple(VOCAB)[5:])
# Text in which no special token can arise or vanish when it is put beside other text.
no_special = texts.filter(lambda text: "[" not in text and "]" not in text)


def exact(test):
    """Mark a law that holds for every implementation."""
    test.law = "exact"
    return test


def dialect(test):
    """Mark a law of Hugging Face's BertTokenizer."""
    test.law = "dialect"
    return test


def ids(text, tokenizer=TOKENIZER):
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]


def tokens(text, tokenizer=TOKENIZER):
    return tokenizer.tokenize(text)


@exact
@given(text=texts, pair=texts)
@example(text="", pair="\x00")
@example(text="a" * 201, pair="\u0378\ufffd")
@quick
def test_t1_never_raises(text, pair):
    for tokenizer in (TOKENIZER, CASED):
        tokenizer(text, pair)
        tokenizer([text, pair], return_offsets_mapping=True, padding=True)


@dialect
def test_t1_but_for_half_surrogates():
    for surrogate in ("\ud800", "\udfff"):
        with pytest.raises(TypeError):
            TOKENIZER("a" + surrogate)


@exact
@given(text=texts, between=texts)
@quick
def test_t2_no_state(text, between):
    fresh = BertTokenizer(VOCAB)(text, return_offsets_mapping=True)
    TOKENIZER(between)
    assert dict(TOKENIZER(text, return_offsets_mapping=True)) == dict(fresh)
    assert dict(TOKENIZER(text, return_offsets_mapping=True)) == dict(fresh)


@exact
@given(text=texts, vocab=vocabularies(special=False))
@quick
def test_t3_ids_are_in_the_vocabulary(text, vocab):
    tokenizer = BertTokenizer(vocab)
    assert all(0 <= i < len(tokenizer) for i in tokenizer(text)["input_ids"])


@exact
@given(a=texts, b=texts)
@quick
def test_t4_layout(a, b):
    cls, sep = [TOKENIZER.cls_token_id], [TOKENIZER.sep_token_id]
    assert TOKENIZER(a)["input_ids"] == cls + ids(a) + sep
    assert TOKENIZER([(a, b)])["input_ids"] == [cls + ids(a) + sep + ids(b) + sep]


@exact
@given(a=texts, b=texts)
@quick
def test_t5_types(a, b):
    row = TOKENIZER([(a, b)])["token_type_ids"][0]
    assert row == [0] * (len(ids(a)) + 2) + [1] * (len(ids(b)) + 1)


@exact
@given(words=st.lists(no_special, max_size=5),
       gaps=st.lists(st.sampled_from((" ", "  ", "\t", "\n", "\u3000", " \xa0 ")),
                     min_size=6, max_size=6))
@quick
def test_t6_white_space_only_separates(words, gaps):
    spaced = gaps[0] + "".join(word + gap for word, gap in zip(words, gaps[1:]))
    assert ids(spaced) == ids(" ".join(words))


@exact
@given(a=no_special, b=no_special)
@quick
def test_t7_texts_side_by_side(a, b):
    assert ids(a + " " + b) == ids(a) + ids(b)


@dialect
@given(text=texts)
@quick
def test_t8_normalisation_twice(text):
    once = normalize(TOKENIZER.core, text)
    # Marks that are younger than the tables stay, and are sorted among the others.
    assume(not any(mark in unicodedata.normalize("NFD", text) for mark in MARKS))
    assert normalize(TOKENIZER.core, once).split() == once.split()


@exact
@given(text=texts)
@quick
def test_t9_composed_or_not_is_one(text):
    """But for ideographs that NFC replaces, such as U+F900."""
    composed = unicodedata.normalize("NFC", text)
    assume(not any(mark in unicodedata.normalize("NFD", text) for mark in MARKS))
    assume(unicodedata.normalize("NFD", text) == unicodedata.normalize("NFD", composed))
    assume(not any("\uf900" <= c <= "\ufaff" or c >= "\U0002f800" for c in text))
    assert ids(composed) == ids(unicodedata.normalize("NFD", text))


@dialect
@given(text=texts)
@quick
def test_t10_lower_case_text_is_the_same(text):
    """But for the final sigma, the dotted I, and letters younger than the tables."""
    assume(not set(text) & set("ΣİςI\u0130\u1e9e") and "[" not in text)
    lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    assert ids(lowered) == ids(text)


@exact
@given(vocab=vocabularies(), words=st.lists(st.text("abcde", min_size=1, max_size=8)))
@quick
def test_t11_pieces_make_up_the_word_and_are_the_longest(vocab, words):
    tokenizer = BertTokenizer(vocab)
    for word in words:
        got = tokens(word, tokenizer)
        if got == ["[UNK]"]:
            continue
        at = 0
        for piece in got:
            bare = piece[2:] if at else piece
            assert word.startswith(bare, at)
            longer = [word[at:end] for end in range(at + len(bare) + 1, len(word) + 1)]
            assert not any(("##" if at else "") + other in vocab for other in longer)
            at += len(bare)
        assert at == len(word)


@exact
@given(vocab=vocabularies(alphabet="abc", max_pieces=8),
       word=st.text("abcd", min_size=1, max_size=8))
@quick
def test_t12_unknown_if_and_only_if_the_greedy_cut_fails(vocab, word):
    at = 0
    while at < len(word):
        prefix = "##" if at else ""
        ends = [end for end in range(at + 1, len(word) + 1)
                if prefix + word[at:end] in vocab]
        if not ends:
            break
        at = max(ends)
    tokenizer = BertTokenizer(vocab)
    assert (tokens(word, tokenizer) == ["[UNK]"]) == (at < len(word))


@dialect
@pytest.mark.parametrize("size", [99, 100, 101, 199, 200, 201])
def test_t12_words_of_more_than_100_characters_are_unknown(size):
    assert (tokens("a" * size) == ["[UNK]"]) == (size > MAX_CHARS == 100)
    # A syllable counts as the three letters that it decomposes to.
    korean = BertTokenizer({"[UNK]": 0, "\u1112": 1, "##\u1112": 2, "##\u1161": 3,
                            "##\u11ab": 4})
    unknown = tokens("한" * (size // 3), korean) == ["[UNK]"]
    assert unknown == (size // 3 * 3 > 100)


@exact
@pytest.mark.parametrize("word", [t for t in VOCAB if t.islower() and t.isascii()
                                  and not t.startswith("##")])
def test_t13_words_of_the_vocabulary_are_themselves(word):
    assert tokens(word) == [word]


@exact
@given(text=no_special)
@quick
def test_t14_decoding_and_encoding_again(text):
    row = ids(text)
    assume(TOKENIZER.unk_token_id not in row)
    written = " ".join(TOKENIZER.convert_ids_to_tokens(row)).replace(" ##", "")
    assert ids(written) == row


@exact
@given(text=texts)
@quick
def test_t15_offsets(text):
    row = TOKENIZER(text, add_special_tokens=False)[0]
    assert all(0 <= start <= end <= len(text) for start, end in row.offsets)
    starts = [start for start, _ in row.offsets]
    assert starts == sorted(starts)
    for token, (start, end) in zip(row.tokens, row.offsets):
        if token in SPECIAL or any(mark in text for mark in MARKS):
            continue
        # The text of the token, normalised, is the token; but a character that becomes
        # several (a syllable, an ideograph in spaces) may be shared by its pieces.
        piece = token[2:] if token.startswith("##") else token
        assert piece in normalize(TOKENIZER.core, text[start:end])


@exact
@given(a=texts, b=texts, max_length=st.integers(3, 20),
       side=st.sampled_from(("right", "left")))
@quick
def test_t16_truncation(a, b, max_length, side):
    tokenizer = BertTokenizer(VOCAB, truncation_side=side)
    row = tokenizer([(a, b)], truncation=True, max_length=max_length)[0]
    kept = [[i for i, s in zip(row.ids, row.sequence_ids) if s == which]
            for which in (0, 1)]
    sizes = [len(ids(a)), len(ids(b))]
    room = max_length - 3
    assert len(row) == min(sum(sizes), room) + 3
    for part, whole in zip(kept, (ids(a), ids(b))):
        whole = whole[:len(part)] if side == "right" else whole[len(whole) - len(part):]
        assert part == whole
    if all(len(part) < size for part, size in zip(kept, sizes)):
        assert abs(len(kept[0]) - len(kept[1])) <= 1


@dialect
def test_t16_on_a_tie_the_second_text_keeps_more():
    row = TOKENIZER("a b c a b", "a b c a b", truncation=True, max_length=12)[0]
    assert (row.sequence_ids.count(0), row.sequence_ids.count(1)) == (4, 5)


@exact
@given(batch=st.lists(texts, min_size=1, max_size=12),
       multiple=st.sampled_from((1, 4, 7)), side=st.sampled_from(("right", "left")))
@quick
def test_t17_padding(batch, multiple, side):
    out = TOKENIZER(batch, padding=True, pad_to_multiple_of=multiple, padding_side=side,
                    return_tensors="np")
    sizes = [len(ids(text)) + 2 for text in batch]
    wide = -(-max(sizes) // multiple) * multiple
    assert out["input_ids"].shape == (len(batch), wide)
    assert out["attention_mask"].sum(1).tolist() == sizes
    pads = out["attention_mask"] == 0
    assert (out["input_ids"][pads] == TOKENIZER.pad_token_id).all()
    assert (np.sort(pads, axis=1) == (pads if side == "right" else pads[:, ::-1])).all()


@exact
@given(batch=st.lists(texts, min_size=1, max_size=12), named=call_options())
@quick
def test_t18_a_batch_is_its_rows(batch, named):
    for name in ("padding", "return_tensors", "return_overflowing_tokens", "stride"):
        named.pop(name, None)
    out = TOKENIZER(batch, **named, verbose=False)
    for i, text in enumerate(batch):
        row = TOKENIZER(text, **named, verbose=False)
        row = {**row, **({"length": row["length"][0]} if "length" in row else {})}
        assert {name: values[i] for name, values in out.items()} == row


@exact
@given(text=texts, max_length=st.integers(3, 12), stride=st.integers(0, 8),
       side=st.sampled_from(("right", "left")))
@quick
def test_t19_windows_cover_the_text(text, max_length, stride, side):
    assume(stride < max_length - 2)
    tokenizer = BertTokenizer(VOCAB, truncation_side=side)
    rows = tokenizer(text, truncation=True, max_length=max_length, stride=stride,
                     return_overflowing_tokens=True)["input_ids"]
    rows = [row[1:-1] for row in (rows if side == "right" else rows[::-1])]
    whole = list(rows[0])
    for before, row in zip(rows, rows[1:]):
        assert before[len(before) - stride:] == row[:stride]
        whole += row[stride:]
    assert whole == ids(text)
    assert all(len(row) <= max_length - 2 for row in rows)


@exact
@given(text=no_special, place=st.integers(0, 20),
       char=st.sampled_from(("\x00", "\ufffd", "\x01", "\x7f", "\u200b", "\xad")))
@quick
def test_t20_control_characters_are_nothing(text, place, char):
    assert ids(text[:place] + char + text[place:]) == ids(text)


@dialect
@given(place=st.integers(0, 2), char=st.sampled_from(("\ue000", "\U000f0000")))
@quick
def test_t20_private_use_is_nothing_but_unassigned_is_unknown(place, char):
    assert tokens("ab"[:place] + char + "ab"[place:]) == ["a", "##b"]
    assert tokens("a\u0378b") == ["[UNK]"]


@dialect
@given(before=no_special, after=no_special)
@quick
def test_t21_ideographs_stand_alone(before, after):
    assert ids(before + "中" + after) == ids(before) + [VOCAB["中"]] + ids(after)
    plain = BertTokenizer(VOCAB, tokenize_chinese_chars=False)
    assert plain.tokenize("a中") == ["[UNK]"]


@exact
@given(before=no_special, after=no_special, char=st.sampled_from("!,.?'-"))
@quick
def test_t22_punctuation_stands_alone(before, after, char):
    assume(not after or not unicodedata.combining(after[0]))
    assert ids(before + char + after) == ids(before) + [VOCAB[char]] + ids(after)


@exact
@given(before=no_special, after=no_special, special=st.sampled_from(SPECIAL))
@quick
def test_t23_special_tokens_are_whole(before, after, special):
    assert ids(before + special + after) == ids(before) + [VOCAB[special]] + ids(after)
    split = TOKENIZER(special, add_special_tokens=False, split_special_tokens=True)
    assert VOCAB[special] not in split["input_ids"] or special == "[UNK]"


@exact
@given(vocab=vocabularies(special=False), text=texts,
       lower=st.booleans(), strip=st.sampled_from((None, True, False)))
@settings(quick, max_examples=25)
def test_t24_saving_and_loading(vocab, text, lower, strip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer = BertTokenizer(vocab, do_lower_case=lower, strip_accents=strip)
    tokenizer.save_pretrained(folder)
    loaded = BertTokenizer.from_pretrained(folder)
    assert dict(loaded(text)) == dict(tokenizer(text))
    assert loaded.get_vocab() == tokenizer.get_vocab()


@exact
@given(batch=st.lists(texts, min_size=9, max_size=40))
@settings(quick, max_examples=40)
def test_t25_many_texts_at_once_are_the_same_pieces(batch):
    many = TOKENIZER(batch, return_offsets_mapping=True)
    for i, text in enumerate(batch):
        row = TOKENIZER(text, return_offsets_mapping=True)
        assert many["input_ids"][i] == row["input_ids"]
        assert many["offset_mapping"][i] == row["offset_mapping"]
        assert many.word_ids(i) == row.word_ids()


@exact
@given(text=no_special, more=st.sampled_from(("x", "hello!", "中", "[MASK]")))
@quick
def test_t26_what_follows_changes_nothing_before(text, more):
    row = ids(text + " " + more)
    assert row[:len(ids(text))] == ids(text)


# ---------------------------------------------------------------- words, and strategies

@exact
@given(words=split_text(vocab=tuple(VOCAB)[5:]))
@quick
def test_split_words_are_their_texts_one_after_the_other(words):
    row = TOKENIZER([words], is_split_into_words=True)[0]
    assert row.ids[1:-1] == [i for word in words for i in ids(word)]
    owners = [n for n, word in enumerate(words) for _ in ids(word)]
    assert row.word_ids[1:-1] == owners


@given(char=scalars())
@quick
def test_scalars_can_be_written(char):
    char.encode("utf-8")


def test_strategies_refuse_nonsense():
    for strategy in (lambda: bert_text(max_parts=-1),
                     lambda: vocabularies(alphabet=""),
                     lambda: call_options(max_length=1)):
        with pytest.raises(InvalidArgument):
            strategy()


def test_every_law_is_here():
    laws = {name.split("_")[1]: test.law for name, test in globals().items()
            if name.startswith("test_t")}
    assert {f"t{n}" for n in range(1, 27)} <= set(laws)
    assert set(laws.values()) == {"exact", "dialect"}
