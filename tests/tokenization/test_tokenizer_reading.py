"""What is wrong in a tokenizer's files is named, and what they leave out has a default.
"""

import json
import re

import pytest
import tokenizer_cases as cases

from numbert.tokenization import AddedToken, BertTokenizer, BertTokenizerLegacy

FULL = {"id": 61, "content": "<n>", "single_word": True, "lstrip": True, "rstrip": True,
        "normalized": False, "special": True}
TOKENIZERS = (BertTokenizer, BertTokenizerLegacy)


def write(folder, **files):
    """Write JSON files by their names without .json, beside a vocab.txt."""
    (folder / "vocab.txt").write_text("\n".join(cases.VOCAB), encoding="utf-8")
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return folder


def whole(**parts):
    """A tokenizer.json with some parts of its own."""
    return {"model": {"type": "WordPiece", "vocab": cases.VOCAB}, **parts}


LACKING = [{name: value for name, value in FULL.items() if name not in left_out}
           for left_out in (["single_word"], ["lstrip"], ["rstrip"], ["normalized"],
                            ["special"], ["special", "normalized"], list(FULL)[2:])]


@pytest.mark.parametrize("token", LACKING)
def test_flags_that_an_added_token_lacks(tmp_path, token):
    write(tmp_path, tokenizer=whole(added_tokens=[token]))
    flags = {name: value for name, value in token.items() if name != "id"}
    want = AddedToken(**flags)
    assert want.special is token.get("special", False)
    assert want.normalized is token.get("normalized", not want.special)
    for kind in TOKENIZERS:
        tokenizer = kind.from_pretrained(tmp_path)
        assert tokenizer.added_tokens_decoder[61] == want
        assert tokenizer.tokenize("a <n>")[0] == "a"


def test_flags_that_an_added_token_lacks_in_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    made = BertTokenizer(dict(cases.VOCAB))
    made.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    saved = json.loads(path.read_text("utf-8"))
    for token in LACKING:
        tokens = [*saved["added_tokens"], token]
        path.write_text(json.dumps({**saved, "added_tokens": tokens}), "utf-8")
        mine = BertTokenizer.from_pretrained(tmp_path)
        other = transformers.BertTokenizer.from_pretrained(str(tmp_path))
        assert str(mine.added_tokens_decoder) == str(other.added_tokens_decoder)
        for text in ("a  <n> b", "<N>x <n>"):
            got, want = mine(text), other(text)
            assert dict(got) == dict(want) and got.tokens() == want.tokens()


@pytest.mark.parametrize("name, value, message", [
    ("tokenizer", whole(added_tokens=5), "added_tokens is 5, expected a list"),
    ("tokenizer", whole(added_tokens=["<n>"]), "an added token is '<n>', expected a J"),
    ("tokenizer", whole(added_tokens=[{**FULL, "id": -1}]),
     "the id of an added token is -1, expected a whole number from 0 to 2147483647"),
    ("tokenizer", whole(added_tokens=[{**FULL, "id": None}]),
     "the id of an added token is None, expected a whole number"),
    ("tokenizer", whole(added_tokens=[{**FULL, "lstrip": "true"}]),
     "lstrip is 'true', expected True or False"),
    ("tokenizer", whole(added_tokens=[{"id": 61}]), "content is None, expected a str"),
    ("tokenizer", whole(truncation={"direction": "up"}),
     "the direction of truncation is 'up', expected 'Left' or 'Right'"),
    ("tokenizer", whole(padding=[1]), "padding is [1], expected a JSON object"),
    ("tokenizer", whole(normalizer="x"), "normalizer is 'x', expected a JSON object"),
    ("tokenizer", whole(model={"vocab": [["a", 0.5]]}),
     "token 0 of vocab is ['a', 0.5], expected a str"),
    ("tokenizer", whole(model={"vocab": None}), "vocab is a NoneType, expected a dict"),
    ("tokenizer_config", {"added_tokens_decoder": []},
     "added_tokens_decoder is [], expected a JSON object"),
    ("tokenizer_config", {"added_tokens_decoder": {"x": FULL}},
     "the id of an added token is 'x', expected a whole number"),
    ("tokenizer_config", {"added_tokens_decoder": {"9" * 5000: FULL}},
     "the id of an added token is '999"),
    ("tokenizer_config", {"extra_special_tokens": 5}, "extra_special_tokens is 5, exp"),
    ("tokenizer_config", {"extra_special_tokens": [None]},
     "a token of extra_special_tokens is None, expected a str"),
    ("tokenizer_config", {"model_specific_special_tokens": 5},
     "model_specific_special_tokens is 5, expected a dict"),
    ("tokenizer_config", {"model_input_names": "input_ids"},
     "model_input_names is 'input_ids', expected a list of str"),
    ("tokenizer_config", {"padding_side": 0}, "padding_side is 0, expected 'right'"),
    ("tokenizer_config", {"note": "\ud800"}, "holds half a surrogate pair, exp"),
    ("special_tokens_map", {"cls_token": 5}, "cls_token is 5, expected a str"),
    ("special_tokens_map", {"cls_token": {"lstrip": True}}, "content is None, exp"),
    ("special_tokens_map", {"unk_token": {"content": "x", "rstrip": 1}},
     "rstrip is 1, expected True or False"),
    ("added_tokens", {"<n>": "x"}, "the id of an added token is 'x', expected a whole"),
    ("added_tokens", {"<n>": True}, "the id of an added token is True, expected"),
    ("added_tokens", {"<n>": [1]}, "the id of an added token is [1], expected")])
def test_what_is_wrong_is_named(tmp_path, name, value, message):
    write(tmp_path, **{name: value})
    for kind in TOKENIZERS:
        with pytest.raises((TypeError, ValueError), match=re.escape(message)) as error:
            kind.from_pretrained(tmp_path)
        assert str(tmp_path) in str(error.value)


def test_a_setting_of_the_caller_is_no_fault_of_a_file(tmp_path):
    write(tmp_path, tokenizer_config={"do_lower_case": True})
    with pytest.raises(TypeError, match="^do_lower_case is 5, expected True or False"):
        BertTokenizer.from_pretrained(tmp_path, do_lower_case=5)
    with pytest.raises(TypeError, match="tokenizer_config.json: do_lower_case is 5, "):
        BertTokenizer.from_pretrained(write(tmp_path, tokenizer_config={
            "do_lower_case": 5}))


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_names_in_a_file_that_mean_something_in_python(tmp_path, kind):
    """They are settings like others; paths in a file open no file."""
    (tmp_path / "other.txt").write_text("[UNK]\nother\n", encoding="utf-8")
    write(tmp_path, tokenizer_config={
        "self": 1, "cls": 2, "kwargs": 3, "_core": 4, "init_kwargs": 5, "path": 6,
        "vocab": {"a": 0}, "vocab_file": str(tmp_path / "other.txt"),
        "tokenizer_file": str(tmp_path / "absent.json")})
    tokenizer = kind.from_pretrained(tmp_path)
    assert tokenizer.base_vocab == cases.VOCAB
    tokenizer.save_pretrained(tmp_path / "again")
    config = tmp_path / "again" / "tokenizer_config.json"
    saved = json.loads(config.read_text("utf-8"))
    for name, value in (("self", 1), ("cls", 2), ("kwargs", 3), ("_core", 4),
                        ("init_kwargs", 5), ("path", 6)):
        assert saved[name] == value
    assert not {"vocab", "vocab_file", "tokenizer_file"} & set(saved)
