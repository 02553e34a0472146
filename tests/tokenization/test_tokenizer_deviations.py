"""Every row of the table of deviations: what numbert does and, where transformers is
installed, what transformers does.  test_NAME is the test of the deviation NAME; those
of settings and files are in test_settings_deviations.py."""

import json
import os
import warnings

import numpy as np
import pytest
import test_settings_deviations
from deviation_cases import error, legacy, make
from tokenizer_cases import VOCAB

from numbert.tokenization import AddedToken, BertTokenizer, BertTokenizerLegacy
from numbert.tokenization.deviations import DEVIATIONS


def differ(hf, call, theirs, ours):
    """The exceptions of one call on both tokenizers, by name; None for none."""
    assert error(lambda: call(make())) == ours
    if hf:
        assert error(lambda: call(hf.make())) == theirs


def test_vocab_file(hf, vocab_file):
    assert BertTokenizer(vocab_file=vocab_file).vocab_size == len(VOCAB)
    if hf:
        assert hf.BertTokenizer(vocab_file=vocab_file).vocab_size == 5


def test_save_vocabulary(hf, vocab_file, tmp_path):
    assert make().save_vocabulary(tmp_path) == (str(tmp_path / "vocab.txt"),)
    if hf:
        theirs = hf.BertTokenizer.from_pretrained(vocab_file)
        assert theirs.save_vocabulary(str(tmp_path))[0].endswith("tokenizer.model")


def test_no_room(hf):
    differ(hf, lambda t: t("a b c", max_length=1), None, "ValueError")


def test_stride_panic(hf):
    differ(hf, lambda t: t("a b c", max_length=4, stride=2), "PanicException",
           "ValueError")


def test_blank_panic(hf):
    def call(tokenizer):
        token = AddedToken if isinstance(tokenizer, BertTokenizer) else hf.AddedToken
        tokenizer.add_tokens([token("x", rstrip=True), token(" ", lstrip=True)])
        return tokenizer("x  b c").tokens()

    differ(hf, call, "PanicException", None)
    assert call(make()) == ["[CLS]", "x  ", "b", " ", "c", "[SEP]"]


def test_plain_exception(hf):
    differ(hf, lambda t: t("a b c", "a", truncation="only_second", max_length=4),
           "Exception", "ValueError")


def test_negative_length(hf):
    differ(hf, lambda t: t("a", truncation=True, max_length=-1), "OverflowError",
           "ValueError")


def test_empty_batch(hf):
    differ(hf, lambda t: t([]), "IndexError", "ValueError")


def test_not_text(hf):
    differ(hf, lambda t: t(3), "ValueError", "TypeError")


def test_unknown_argument(hf):
    differ(hf, lambda t: t("a", pad_to_max_length=True), None, "TypeError")


def test_tokenize_batch(hf):
    differ(hf, lambda t: t.tokenize(["a", "b"]), None, "TypeError")


def test_tensors_of_others():
    assert error(lambda: make()("a", return_tensors="mlx")) == "ValueError"


def test_empty_offsets(hf):
    named = dict(add_special_tokens=False, return_tensors="np",
                 return_offsets_mapping=True)
    assert make()("", **named)["offset_mapping"].shape == (1, 0, 2)
    if hf:
        assert hf.make()("", **named)["offset_mapping"].shape == (1, 0)


def test_negative_index(hf):
    assert make()("a b").token_to_word(-2) == 1
    if hf:
        assert error(lambda: hf.make()("a b").token_to_word(-2)) == "AttributeError"


def test_out_of_range(hf):
    differ(hf, lambda t: t("a").token_to_word(9), None, "IndexError")


def test_sequence_index(hf):
    differ(hf, lambda t: t("a").char_to_token(0, 0, 1), None, "IndexError")


def test_word_to_chars(hf):
    differ(hf, lambda t: t("a").word_to_chars(9), "TypeError", None)


def test_overflowing_attribute(hf):
    assert make()("a b c", max_length=3)[0].overflowing == []
    if hf:
        assert len(hf.make()("a b c", max_length=3)[0].overflowing) == 2


@pytest.mark.parametrize("text, known", [("\ufeff[UNK]\na\n", True), ("", None)])
def test_byte_order_mark(hf, tmp_path, text, known):
    path = tmp_path / "vocab.txt"
    path.write_text(text, encoding="utf-8")
    if known:
        assert "[UNK]" in BertTokenizer(path).base_vocab
    else:
        assert error(lambda: BertTokenizer(path)) == "ValueError"
    if hf:
        theirs = hf.BertTokenizer(str(path))
        assert theirs.vocab_size == (2 if known else 0)
        assert ("\ufeff[UNK]" in theirs.get_vocab()) == bool(known)


test_empty_vocabulary = test_byte_order_mark


def test_same_id(hf):
    assert error(lambda: BertTokenizer({"[UNK]": 0, "a": 1, "b": 1})) == "ValueError"
    if hf:
        hf.BertTokenizer({"[UNK]": 0, "a": 1, "b": 1})


def test_taken_id(hf):
    vocab = {**VOCAB, "far": len(VOCAB) + 1}
    tokenizer = BertTokenizer(vocab)
    with pytest.warns(UserWarning, match="'new1' gets the id 62, which 'far' already"):
        tokenizer.add_tokens(["new1", "new2"])
    names = ["new1", "new2", "far"]
    assert tokenizer.convert_tokens_to_ids(names) == [62, 63, 62]
    if hf:
        theirs = hf.BertTokenizer(vocab)
        theirs.add_tokens(["new1", "new2"])
        assert theirs.convert_tokens_to_ids(names) == [62, 63, 62]


def test_missing_special_token(hf):
    assert error(lambda: make(cls_token=None)) == "ValueError"
    if hf:
        assert hf.make(cls_token=None)("a")["input_ids"][0] == 2


def test_blank_in_special_token(hf):
    named = {"cls_token": "start here"}
    assert make(**named).tokenize("start here a") == ["start here", "a"]
    if hf:
        assert error(lambda: hf.make(**named)) == "ValueError"


def test_other_tokenizer(hf, tmp_path):
    make().save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    saved = json.loads(path.read_text("utf-8"))
    saved["model"].update(type="BPE", merges=[])
    path.write_text(json.dumps(saved), encoding="utf-8")
    assert error(lambda: BertTokenizer.from_pretrained(tmp_path)) == "ValueError"


def test_other_normalizer(hf, tmp_path):
    make(do_lower_case=False).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    with pytest.warns(UserWarning, match="lowercase=False, but do_lower_case=True"):
        assert BertTokenizer.from_pretrained(path).tokenize("A") == ["a"]
    if hf:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert hf.BertTokenizer.from_pretrained(str(path)).tokenize("A") == ["a"]


def test_saved_settings(hf, tmp_path):
    make().save_pretrained(tmp_path)
    assert "backend" not in json.loads((tmp_path / "tokenizer_config.json").read_text())
    if hf:
        hf.make().save_pretrained(tmp_path)
        assert "backend" in json.loads((tmp_path / "tokenizer_config.json").read_text())


def test_save_to_file(hf, vocab_file):
    differ(hf, lambda t: t.save_pretrained(vocab_file), None, "FileExistsError")


def both_load(hf, folder):
    """The exceptions of loading a folder here and in transformers, by name."""
    theirs = hf and error(lambda: hf.BertTokenizer.from_pretrained(str(folder)))
    return error(lambda: BertTokenizer.from_pretrained(folder)), theirs


def test_half_surrogate(hf, tmp_path):
    tokenizer = make()
    tokenizer.init_kwargs["note"] = "here"
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(path.read_text("utf-8").replace("here", "\\ud800"), "utf-8")
    assert both_load(hf, tmp_path) == ("ValueError", None)
    if hf:
        loaded = hf.BertTokenizer.from_pretrained(str(tmp_path))
        assert error(lambda: loaded.save_pretrained(str(tmp_path / "a"))) is not None


def test_token_without_content(hf, tmp_path):
    make().save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    saved = json.loads(path.read_text("utf-8"))
    saved["added_tokens"].append({"id": 61, "special": True})
    path.write_text(json.dumps(saved), "utf-8")
    assert both_load(hf, tmp_path) == ("ValueError", None)


def test_other_input_names(hf):
    def names(make):
        return make(model_input_names="input_ids").model_input_names

    assert error(lambda: names(make)) == "TypeError"
    if hf:
        assert names(hf.make) == list("input_ids")


def test_boolean_id(hf):
    differ(hf, lambda t: t.decode([True]), None, "TypeError")


def test_set_special_token(hf):
    differ(hf, lambda t: setattr(t, "pad_token", 5), "ValueError", "TypeError")


def test_special_and_normalized(hf):
    for tokenizer, token, normalized in [(make(), AddedToken, False)] + (
            [(hf.make(), hf.AddedToken, True)] if hf else []):
        tokenizer.add_tokens([token("New", normalized=True)], special_tokens=True)
        assert tokenizer.added_tokens_decoder[len(VOCAB)].normalized == normalized


def test_readded_token(hf):
    for tokenizer, shown in [(make(), "New")] + ([(hf.make(), "new")] if hf else []):
        tokenizer.add_tokens(["New"])
        tokenizer.add_tokens(["New"], special_tokens=True)
        assert tokenizer.convert_ids_to_tokens(len(VOCAB)) == shown


def test_same_normal_form(hf):
    def found(tokenizer):
        tokenizer.add_tokens(["Newa", "NEWA", "newa"])
        return tokenizer("newa", add_special_tokens=False)["input_ids"][0] - len(VOCAB)

    assert {found(make()) for _ in range(20)} == {0}
    if hf:
        assert len({found(hf.make()) for _ in range(40)}) > 1


def test_rust_backend():
    assert error(lambda: make().backend_tokenizer) == "AttributeError"


def test_chat_templates():
    assert error(lambda: make().apply_chat_template([])) == "AttributeError"


def test_legacy_offsets(hf):
    assert error(lambda: legacy()("a", return_offsets_mapping=True)) == (
        "NotImplementedError")
    if hf:
        assert "offset_mapping" not in hf.legacy()("a", return_offsets_mapping=True)


def test_legacy_overflow(hf):
    named = dict(max_length=3, truncation=True, return_overflowing_tokens=True)
    out = legacy()(["a b", "c"], **named)
    assert out["overflowing_tokens"] == [[6], []]
    assert out["num_truncated_tokens"] == [1, 0]
    if hf:
        assert error(lambda: hf.legacy()(["a b", "c"], **named)) == "AssertionError"


def test_legacy_empty_pair(hf):
    named = dict(max_length=5, truncation=True)
    assert legacy(truncation_side="left")("a b c", "", **named)["input_ids"] == [
        2, 6, 7, 3, 3]
    if hf:
        assert hf.legacy(truncation_side="left")("a b c", "", **named)["input_ids"] == [
            2, 6, 7, 3]


def test_legacy_too_short(hf):
    named = dict(max_length=5, truncation="only_second")
    with pytest.warns(UserWarning, match="a text of length 1 can't lose 2"):
        ours = legacy()("a b c", "a", **named)["input_ids"]
    assert ours == [2, 5, 6, 7, 3, 3]
    if hf:
        assert hf.legacy()("a b c", "a", **named)["input_ids"] == ours


def test_legacy_added_tokens_path(hf, tmp_path):
    assert all(map(os.path.exists, legacy().save_pretrained(tmp_path / "ours")))
    if hf:
        assert not all(map(os.path.exists, hf.legacy().save_pretrained(
            str(tmp_path / "theirs"))))


def test_legacy_from_json(hf, tmp_path):
    make().save_pretrained(tmp_path)
    assert BertTokenizerLegacy.from_pretrained(tmp_path).tokenize("a") == ["a"]
    if hf:
        assert error(lambda: hf.Legacy.from_pretrained(str(tmp_path))) is not None


def test_legacy_negative_id(hf):
    assert error(lambda: legacy().decode([-1])) == "OverflowError"
    if hf:
        assert hf.legacy().decode([-1]) == "[UNK]"


def test_legacy_do_lower_case(hf):
    assert legacy(do_basic_tokenize=False).do_lower_case is True
    if hf:
        assert hf.legacy(do_basic_tokenize=False).do_lower_case is not True


def test_every_deviation_has_its_test():
    names = [deviation.name for deviation in DEVIATIONS]
    assert len(set(names)) == len(names)
    tests = {name[5:] for name in (*globals(), *vars(test_settings_deviations))
             if name.startswith("test_")}
    assert tests == {*names, "every_deviation_has_its_test", "settings_deviations"}
    assert all(np.char.str_len(list(deviation)).min() for deviation in DEVIATIONS)
