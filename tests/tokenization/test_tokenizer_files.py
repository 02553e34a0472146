"""Saving and loading tokenizers: round trips, transformers' files, broken files."""

import json
import os
import shutil
import time

import pytest
import tokenizer_cases as cases
from minilm import minilm_dir

from numbert.tokenization import AddedToken, BertTokenizer, BertTokenizerLegacy

TEXT = "Hello NEWTOK naïve [MASK] <e> 中文 don't"


def make(**settings):
    tokenizer = BertTokenizer(dict(cases.VOCAB), **settings)
    tokenizer.add_tokens(["NewTok", AddedToken("lead", lstrip=True)])
    tokenizer.add_special_tokens({"extra_special_tokens": ["<e>"]})
    return tokenizer


def write(folder, **files):
    """Write files; their names are given with _ for ."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name.replace("_txt", ".txt").replace("_json", ".json")).write_text(
            text, encoding="utf-8", newline="")
    return folder


def read(path):
    return json.loads(path.read_text("utf-8"))


def same(one, other):
    assert dict(one(TEXT, return_offsets_mapping=True)) == dict(
        other(TEXT, return_offsets_mapping=True))
    assert one.get_vocab() == other.get_vocab()
    assert one.added_tokens_decoder == other.added_tokens_decoder
    assert one.special_tokens_map == other.special_tokens_map
    assert one.extra_special_tokens == other.extra_special_tokens
    for name in ("model_max_length", "padding_side", "truncation_side", "vocab_size",
                 "do_lower_case", "strip_accents", "clean_up_tokenization_spaces"):
        assert getattr(one, name) == getattr(other, name), name


# --------------------------------------------------------------------- round trips

@pytest.mark.parametrize("settings", [
    {}, {"do_lower_case": False, "model_max_length": 77}, {"strip_accents": False},
    {"padding_side": "left", "truncation_side": "left", "cls_token": "hello"},
    {"clean_up_tokenization_spaces": True}])
def test_round_trip(tmp_path, settings):
    tokenizer = make(**settings)
    paths = tokenizer.save_pretrained(tmp_path / "new" / "folder")
    assert [os.path.basename(path) for path in paths] == [
        "tokenizer_config.json", "tokenizer.json"]
    again = BertTokenizer.from_pretrained(tmp_path / "new" / "folder")
    same(tokenizer, again)
    assert sorted(os.listdir(tmp_path / "new" / "folder")) == sorted(
        os.path.basename(path) for path in paths)


@pytest.mark.parametrize("kind", [BertTokenizer, BertTokenizerLegacy])
def test_what_a_file_holds_besides_is_kept(tmp_path, kind):
    more = {"note": {"kept": [1]}, "tokenize": "a method here", "_core": 3,
            "add_bos_token": False, "backend": "tokenizers"}
    write(tmp_path, vocab_txt="\n".join(cases.VOCAB), tokenizer_config_json=more)
    kind.from_pretrained(tmp_path).save_pretrained(tmp_path / "again")
    saved = read(tmp_path / "again" / "tokenizer_config.json")
    assert {name: saved[name] for name in more} == more


def test_round_trip_legacy(tmp_path):
    tokenizer = BertTokenizerLegacy(dict(cases.VOCAB), never_split=["zzz"])
    paths = tokenizer.save_pretrained(tmp_path / "plain", filename_prefix="p")
    assert [os.path.basename(path) for path in paths] == [
        "p-tokenizer_config.json", "p-vocab.txt"]
    tokenizer.add_tokens(["Brandnew"])
    paths = tokenizer.save_pretrained(tmp_path / "more")
    assert "added_tokens.json" in [os.path.basename(path) for path in paths]
    again = BertTokenizerLegacy.from_pretrained(tmp_path / "more")
    assert again.tokenize("brandnew zzz") == ["brandnew", "zzz"]
    assert again("brandnew zzz") == tokenizer("brandnew zzz")
    assert again.never_split == ["zzz"] and again.get_vocab() == tokenizer.get_vocab()


@pytest.fixture(scope="module")
def transformers():
    os.environ["HF_HUB_OFFLINE"] = "1"
    module = pytest.importorskip("transformers")
    module.logging.set_verbosity_error()
    return module


@pytest.mark.parametrize("settings", [
    {}, {"do_lower_case": False}, {"split_special_tokens": True, "cls_token": "<s>"},
    {"extra_special_tokens": {"image_token": "<img>"}, "model_max_length": 9}])
def test_transformers_reads_ours_and_we_read_theirs(tmp_path, transformers, settings):
    mine = BertTokenizer(dict(cases.VOCAB), **settings)
    other = transformers.BertTokenizer(dict(cases.VOCAB), **settings)
    for tokenizer, token in ((mine, AddedToken), (other, transformers.AddedToken)):
        tokenizer.add_tokens(["NewTok", token("lead", lstrip=True, single_word=True)])
        tokenizer.add_special_tokens({"extra_special_tokens": ["<e>"]})
    mine.save_pretrained(tmp_path / "mine")
    other.save_pretrained(tmp_path / "other")
    for name in ("mine", "other"):
        loaded = BertTokenizer.from_pretrained(tmp_path / name)
        theirs = transformers.BertTokenizer.from_pretrained(tmp_path / name)
        for text in (TEXT, "[SEP] lead, zzz  leads"):
            got, want = loaded(text, verbose=False), theirs(text, verbose=False)
            assert dict(got) == dict(want) and got.tokens() == want.tokens()
        assert loaded.get_vocab() == theirs.get_vocab()
        assert loaded.special_tokens_map == theirs.special_tokens_map
    assert (read(tmp_path / "mine" / "tokenizer.json")
            == read(tmp_path / "other" / "tokenizer.json"))
    configs = [read(tmp_path / name / "tokenizer_config.json")
               for name in ("mine", "other")]
    for name in set(configs[0]) | set(configs[1]):
        if name not in ("backend", "is_local", "local_files_only"):
            one, other = (config.get(name) or None for config in configs)
            assert one == other, name


def test_legacy_files_both_ways(tmp_path, transformers):
    from transformers.models.bert.tokenization_bert_legacy import (
        BertTokenizerLegacy as Theirs)
    mine = BertTokenizerLegacy(dict(cases.VOCAB))
    mine.add_tokens(["Brandnew"])
    mine.save_pretrained(tmp_path / "mine")
    theirs = Theirs.from_pretrained(str(tmp_path / "mine"))
    theirs.save_pretrained(tmp_path / "theirs")
    again = BertTokenizerLegacy.from_pretrained(tmp_path / "theirs")
    for text in (TEXT, "brandnew zzz"):
        assert dict(mine(text)) == dict(theirs(text)) == dict(again(text))
    assert mine.get_vocab() == theirs.get_vocab() == again.get_vocab()


def test_a_real_checkpoint(transformers):
    folder = minilm_dir()
    mine = BertTokenizer.from_pretrained(folder)
    theirs = transformers.BertTokenizer.from_pretrained(str(folder))
    for text in (TEXT, "Zürich — 3.14!", "プログラム 한국어 😀"):
        assert dict(mine(text)) == dict(theirs(text))
    assert mine.model_max_length == 512 and mine.vocab_size == 30522
    for name in ("vocab.txt", "tokenizer.json"):
        alone = BertTokenizer.from_pretrained(folder / name)
        assert dict(alone(TEXT)) == dict(mine(TEXT))


# --------------------------------------------------------------- which file says what

def test_one_file_alone(tmp_path):
    make().save_pretrained(tmp_path)
    alone = BertTokenizer.from_pretrained(tmp_path / "tokenizer.json")
    same(alone, make_without_config())
    vocab = write(tmp_path / "v", vocab_txt="\n".join(cases.VOCAB)) / "vocab.txt"
    assert BertTokenizer.from_pretrained(str(vocab)).get_vocab() == cases.VOCAB
    assert BertTokenizer(vocab_file=vocab).get_vocab() == cases.VOCAB
    assert BertTokenizer(vocab).get_vocab() == cases.VOCAB


def make_without_config():
    """What tokenizer.json alone knows: the extra token has no name there."""
    tokenizer = make()
    tokenizer.extra_special_tokens = []
    return tokenizer


def test_settings_come_from_the_config_and_the_caller(tmp_path):
    write(tmp_path, vocab_txt="\n".join(cases.VOCAB), tokenizer_config_json={
        "do_lower_case": False, "model_max_length": 33, "tokenizer_class": "X"})
    loaded = BertTokenizer.from_pretrained(tmp_path)
    assert loaded.tokenize("Hello") == ["Hello"] and loaded.model_max_length == 33
    mine = BertTokenizer.from_pretrained(
        tmp_path, do_lower_case=True, model_max_length=7)
    assert mine.tokenize("Hello") == ["hello"] and mine.model_max_length == 7


def test_tokenizer_json_wins_over_vocab_txt(tmp_path):
    make().save_pretrained(tmp_path)
    write(tmp_path, vocab_txt="[UNK]\nother\n")
    assert BertTokenizer.from_pretrained(tmp_path).convert_tokens_to_ids("a") == 5


def test_special_tokens_map_and_added_tokens(tmp_path):
    write(tmp_path, vocab_txt="\n".join(cases.VOCAB), special_tokens_map_json={
        "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False,
                       "single_word": False, "normalized": False},
        "additional_special_tokens": ["<e>"]},
        added_tokens_json={"newtok2": 61, "<e>": 62})
    loaded = BertTokenizer.from_pretrained(tmp_path)
    assert loaded.tokenize("a  [MASK] newtok2<e>") == [
        "a", "  [MASK]", "newtok2", "<e>"]
    assert loaded.convert_tokens_to_ids(["newtok2", "<e>"]) == [61, 62]
    assert loaded.added_tokens_decoder[62].special
    assert not loaded.added_tokens_decoder[61].special
    assert loaded.extra_special_tokens == ["<e>"]


def test_sides_of_tokenizer_json_are_the_defaults(tmp_path):
    make().save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    saved = read(path)
    saved["padding"] = {"direction": "Left", "strategy": "BatchLongest"}
    saved["truncation"] = {"max_length": 4, "strategy": "LongestFirst", "stride": 0}
    path.write_text(json.dumps(saved), encoding="utf-8")
    loaded = BertTokenizer.from_pretrained(tmp_path)
    assert (loaded.padding_side, loaded.truncation_side) == ("left", "right")
    assert len(loaded("a b c a b c")["input_ids"]) == 8      # not cut unless asked for


# ------------------------------------------------------------------ odd vocabularies

@pytest.mark.parametrize("text, want", [
    ("[UNK]\na\nb\n", {"[UNK]": 0, "a": 1, "b": 2}),
    ("[UNK]\na\nb", {"[UNK]": 0, "a": 1, "b": 2}),
    ("[UNK]\r\na\r\nb\r\n", {"[UNK]": 0, "a": 1, "b": 2}),
    ("[UNK]\na \t\nb\u2003\nc\x1c\n", {"[UNK]": 0, "a": 1, "b": 2, "c\x1c": 3}),
    ("[UNK]\n\na\n\n", {"[UNK]": 0, "": 3, "a": 2}),
    ("[UNK]\na\nb\na\n", {"[UNK]": 0, "a": 3, "b": 2}),
    ("\ufeff[UNK]\na\n", {"[UNK]": 0, "a": 1})],
    ids=["plain", "no end", "CR LF", "trailing spaces", "blank lines", "twice", "BOM"])
@pytest.mark.filterwarnings("ignore:the new token")
def test_lines_of_a_vocabulary(tmp_path, text, want):
    path = write(tmp_path, vocab_txt=text) / "vocab.txt"
    tokenizer = BertTokenizer(path)
    assert tokenizer.base_vocab == want and tokenizer.vocab_size == len(want)
    assert tokenizer("a x", add_special_tokens=False)["input_ids"] == [want["a"], 0]


def test_missing_special_tokens_are_added():
    tokenizer = BertTokenizer({"[UNK]": 0, "a": 1})
    assert tokenizer.get_vocab() == {"[UNK]": 0, "a": 1, "[SEP]": 2, "[PAD]": 3,
                                     "[CLS]": 4, "[MASK]": 5}
    assert tokenizer.vocab_size == 2 and len(tokenizer) == 6
    assert tokenizer("a")["input_ids"] == [4, 1, 2]
    assert BertTokenizer()("a")["input_ids"] == [2, 1, 3]


def test_no_unknown_token():
    tokenizer = BertTokenizer({"a": 0})
    assert tokenizer.tokenize("a") == ["a"]
    with pytest.raises(ValueError, match=r"\[UNK\]"):
        tokenizer("b")
    assert BertTokenizerLegacy({"a": 0}).tokenize("b") == ["[UNK]"]


@pytest.mark.filterwarnings("ignore:the new token")
def test_save_vocabulary_keeps_every_id(tmp_path):
    vocab = {"[UNK]": 0, "b": 2, "a": 5}
    paths = BertTokenizer(vocab).save_vocabulary(tmp_path, "x")
    assert [os.path.basename(path) for path in paths] == ["x-vocab.txt"]
    assert BertTokenizer(paths[0]).base_vocab == vocab
    with pytest.raises(ValueError, match="largest id is 1000000000, expected fewer"):
        BertTokenizer({"[UNK]": 0, "a": 10**9}).save_vocabulary(tmp_path)
    with pytest.raises(ValueError, match="has a line break, expected none"):
        BertTokenizer({"[UNK]": 0, "a\nb": 1}).save_vocabulary(tmp_path)
    with pytest.raises(NotADirectoryError, match="expected a directory: create it"):
        BertTokenizer().save_vocabulary(tmp_path / "absent")


# -------------------------------------------------------------------- names on the hub

def test_a_name_on_the_hub(tmp_path, monkeypatch):
    from numbert.system import hub as the_hub
    make().save_pretrained(tmp_path)
    asked = []

    def resolve(name, filenames, **hub):
        asked.append((name, set(filenames), hub))
        return tmp_path

    monkeypatch.setattr(the_hub, "resolve", resolve)
    loaded = BertTokenizer.from_pretrained(
        "someone/model", revision="v1", use_fast=True, subfolder="a")
    same(loaded, make())
    assert asked == [("someone/model", {
        "vocab.txt", "tokenizer.json", "tokenizer_config.json", "added_tokens.json",
        "special_tokens_map.json"}, {
            "revision": "v1", "cache_dir": None, "token": None, "subfolder": "a",
            "force_download": False, "local_files_only": False})]
    assert loaded.name_or_path == "someone/model"
    assert "use_fast" not in loaded.init_kwargs


# --------------------------------------------------------------------- time to load

def test_a_vocabulary_of_the_usual_size_loads_quickly(tmp_path):
    # At most 40 ms for loading and the first call; twice that for slow machines.
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
              *(f"w{i}" if i % 4 else f"##w{i}" for i in range(30_517))]
    write(tmp_path, vocab_txt="\n".join(tokens) + "\n")
    spent = []
    for _ in range(7):
        start = time.process_time()
        ids = BertTokenizer.from_pretrained(tmp_path)("w1 w30515 x")["input_ids"]
        spent.append(time.process_time() - start)
        assert ids == [2, 6, 30_520, 1, 3]
    assert min(spent) < 2 * 0.040, spent


# -------------------------------------------------------------------- broken files

@pytest.mark.parametrize("name, content, message", [
    ("vocab_txt", "", "is empty, expected one token per line"),
    ("tokenizer_json", "{", "broken JSON"),
    ("tokenizer_json", "[]", "holds a list, expected a JSON object"),
    ("tokenizer_json", {"model": {"type": "BPE", "vocab": {}}},
     "the type of model is 'BPE', expected 'WordPiece'"),
    ("tokenizer_json", {"model": {"type": "WordPiece", "vocab": {"a": "b"}}},
     "vocab maps 'a' to 'b', expected a str and a whole number: convert them"),
    ("tokenizer_json", {"model": {"type": "WordPiece", "vocab": {"a": 1, "b": 1}}},
     "the id of 'b' is 1, expected a new one"),
    ("tokenizer_json", {}, "model has no vocab, expected the vocabulary"),
    ("tokenizer_json", {"model": {"type": "WordPiece"}}, "model has no vocab"),
    ("tokenizer_json", {"model": 3}, "model is 3, expected a JSON object"),
    ("tokenizer_config_json", "{,}", "broken JSON"),
    ("special_tokens_map_json", "3", "holds a number, expected a JSON"),
    ("added_tokens_json", "not json", "broken JSON")])
def test_broken_files(tmp_path, name, content, message):
    files = {"vocab_txt": "[UNK]\na\n", name: content}
    write(tmp_path, **files)
    with pytest.raises(ValueError, match=message) as error:
        BertTokenizer.from_pretrained(tmp_path)
    assert name.rpartition("_")[0] in str(error.value)


@pytest.mark.parametrize("setting, value, message", [
    ("do_lower_case", "yes", "do_lower_case is 'yes', expected True or False:"),
    ("model_max_length", "x", "model_max_length is 'x', expected a whole number")])
def test_settings_of_another_type(tmp_path, setting, value, message):
    write(tmp_path, vocab_txt="[UNK]\na\n", tokenizer_config_json={setting: value})
    for tokenizer in (BertTokenizer, BertTokenizerLegacy):
        with pytest.raises(TypeError, match=message):
            tokenizer.from_pretrained(tmp_path)


def test_a_limit_written_as_a_float(tmp_path):
    write(tmp_path, vocab_txt="[UNK]\na\n",
          tokenizer_config_json='{"model_max_length": 1e30}')
    limit = BertTokenizer.from_pretrained(tmp_path).model_max_length
    assert limit == int(1e30) and isinstance(limit, int)


def test_invalid_utf8_says_where(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"[UNK]\na\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"byte 8 \(line 3\) is 0xff"):
        BertTokenizer(path)


def test_no_tokenizer_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither vocab.txt nor tokenizer.json"):
        BertTokenizer.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError):
        BertTokenizer.from_pretrained(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        BertTokenizer(tmp_path / "absent.txt")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileExistsError):
        BertTokenizer().save_pretrained(tmp_path / "file")


def test_tokenizer_json_of_another_normalizer_warns(tmp_path):
    make().save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="lowercase=True, but do_lower_case=False"):
        BertTokenizer.from_pretrained(tmp_path, do_lower_case=False)


def test_a_crash_while_saving_keeps_the_old_file(tmp_path, monkeypatch):
    make().save_pretrained(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        make(do_lower_case=False).save_pretrained(tmp_path)
    assert {name: (tmp_path / name).read_bytes()
            for name in os.listdir(tmp_path)} == before


def test_settings_that_json_cant_hold_change_no_file(tmp_path):
    make().save_pretrained(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    with pytest.raises(TypeError, match="not JSON serializable"):
        tokenizer = make(do_lower_case=False)
        tokenizer.init_kwargs["note"] = object()
        tokenizer.save_pretrained(tmp_path)
    assert {name: (tmp_path / name).read_bytes()
            for name in os.listdir(tmp_path)} == before


def test_saved_files_can_be_read_by_others(tmp_path):
    old = os.umask(0o022)
    try:
        paths = make().save_pretrained(tmp_path)
    finally:
        os.umask(old)
    assert {os.stat(path).st_mode & 0o777 for path in paths} == {0o644}
    shutil.rmtree(tmp_path)
