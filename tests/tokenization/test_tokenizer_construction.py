"""What a tokenizer is made from, and settings that change after it was made.

Authority: transformers, where it is installed.
"""

import json
import os

import pytest
import tokenizer_cases as cases

from numbert.tokenization import AddedToken, BertTokenizer, BertTokenizerLegacy

TEXT = "Hello NEWTOK naïve [MASK] <e> 中文 don't zzz"
KINDS = (BertTokenizer, BertTokenizerLegacy)


def make(kind=BertTokenizer, **settings):
    tokenizer = kind(dict(cases.VOCAB), **settings)
    tokenizer.add_tokens(["NewTok", AddedToken("lead", lstrip=True)])
    return tokenizer


@pytest.fixture(scope="module")
def transformers():
    os.environ["HF_HUB_OFFLINE"] = "1"
    module = pytest.importorskip("transformers")
    module.logging.set_verbosity(100)
    return module


def answers(tokenizer):
    batch = tokenizer(TEXT, "a b", return_offsets_mapping=True)
    return dict(batch), batch.tokens(), tokenizer.get_vocab(), {
        i: (t.content, t.special, t.normalized, t.lstrip)
        for i, t in tokenizer.added_tokens_decoder.items()}


# ----------------------------------------------- tokenizer_file and tokenizer_object

@pytest.mark.parametrize("saved", [
    {}, {"do_lower_case": False}, {"strip_accents": False, "cls_token": "<s>"}])
@pytest.mark.parametrize("given", [{}, {"sep_token": "hello"}])
def test_a_tokenizer_file_is_as_in_transformers(tmp_path, transformers, saved, given):
    make(**saved).save_pretrained(tmp_path)
    file = str(tmp_path / "tokenizer.json")
    theirs = transformers.BertTokenizer(tokenizer_file=file, **given)
    assert answers(BertTokenizer(tokenizer_file=file, **given)) == answers(theirs)
    ours = BertTokenizer(tokenizer_object=theirs.backend_tokenizer, **given)
    assert answers(ours) == answers(theirs)
    both = BertTokenizer({"x": 0}, tokenizer_file="/absent",
                         tokenizer_object=theirs.backend_tokenizer, **given)
    assert answers(both) == answers(theirs)


def test_a_tokenizer_file_says_what_the_settings_are(tmp_path):
    make(do_lower_case=False, truncation_side="left").save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    tokenizer = BertTokenizer(tokenizer_file=file, do_lower_case=False)
    assert tokenizer.do_lower_case is False
    assert tokenizer.tokenize("Hello NewTok") == ["Hello", "NewTok"]
    tokenizer.save_pretrained(tmp_path / "again")
    again = BertTokenizer.from_pretrained(tmp_path / "again")
    assert answers(again) == answers(tokenizer)
    values = json.loads(file.read_text("utf-8"))
    values.update(truncation={"direction": "Left"}, padding={"direction": "Left"})
    file.write_text(json.dumps(values), "utf-8")
    sides = BertTokenizer(tokenizer_file=file, padding_side="right")
    assert (sides.truncation_side, sides.padding_side) == ("left", "right")


@pytest.mark.parametrize("change, message", [
    ({"normalizer": None}, "type of normalizer is None, expected 'BertNormalizer'"),
    ({"normalizer": {"type": "NFD"}}, "type of normalizer is 'NFD', expected"),
    ({"pre_tokenizer": {"type": "Whitespace"}}, "of pre_tokenizer is 'Whitespace'"),
    ({"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False}},
     "cleanup of decoder is False, expected True, as BERT has it"),
    ({"model": {"type": "WordPiece", "vocab": {"a": 0}, "unk_token": "a",
                "max_input_chars_per_word": 7}},
     "max_input_chars_per_word of model is 7, expected 100"),
    ({"normalizer": {"type": "BertNormalizer", "lowercase": "yes"}},
     "lowercase of normalizer is 'yes', expected True or False")])
def test_a_tokenizer_file_of_another_kind_is_refused(tmp_path, change, message):
    make().save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **change}))
    with pytest.raises(ValueError) as error:
        BertTokenizer(tokenizer_file=file)
    assert message in str(error.value) and str(file) in str(error.value)


def test_wrong_sources_are_named(tmp_path):
    with pytest.raises(TypeError, match="tokenizer_object is 'x', expected a tok"):
        BertTokenizer(tokenizer_object="x")
    with pytest.raises(TypeError, match="Legacy has no argument tokenizer_file"):
        BertTokenizerLegacy(dict(cases.VOCAB), tokenizer_file="x")


def test_from_pretrained_with_another_file(tmp_path, transformers):
    make(model_max_length=7).save_pretrained(tmp_path)
    other = transformers.BertTokenizer(dict(cases.VOCAB), do_lower_case=False)
    other.add_tokens(["Other"])
    other.save_pretrained(tmp_path / "other")
    file = str(tmp_path / "other" / "tokenizer.json")
    with pytest.warns(UserWarning, match="lowercase=False, but do_lower_case=True is"):
        ours = BertTokenizer.from_pretrained(tmp_path, tokenizer_file=file)
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path, tokenizer_file=file)
    assert ours("Hello")["input_ids"] == theirs("Hello")["input_ids"]
    assert "Other" in ours.get_vocab() and ours.model_max_length == 7
    backend = other.backend_tokenizer
    ours = BertTokenizer.from_pretrained(tmp_path, tokenizer_object=backend)
    theirs = transformers.BertTokenizer.from_pretrained(
        tmp_path, tokenizer_object=backend)
    assert ours("Hello Other")["input_ids"] == theirs("Hello Other")["input_ids"]
    assert ours.model_max_length == 7 and ours.do_lower_case is False


# ------------------------------------------------------------------------- subfolder

@pytest.mark.parametrize("kind", KINDS)
def test_a_subfolder(tmp_path, kind):
    make(kind).save_pretrained(tmp_path / "a" / "b")
    loaded = kind.from_pretrained(tmp_path, subfolder="a/b")
    assert dict(loaded(TEXT)) == dict(make(kind)(TEXT))
    assert loaded.name_or_path == str(tmp_path)
    with pytest.raises(FileNotFoundError, match="has no directory 'a/c', expected"):
        kind.from_pretrained(tmp_path, subfolder="a/c")
    with pytest.raises(ValueError, match="subfolder is '../a', expected a path inside"):
        kind.from_pretrained(tmp_path / "a", subfolder="../a")


def test_a_file_has_no_subfolder(tmp_path):
    path, = make().save_vocabulary(tmp_path)
    with pytest.raises(ValueError, match="subfolder is 'a', expected none beside the"):
        BertTokenizer.from_pretrained(path, subfolder="a")


@pytest.mark.parametrize("kind", KINDS)
def test_added_tokens_as_an_argument(tmp_path, kind):
    """Authority: the tokenizer to which the token is added."""
    want, size = kind(dict(cases.VOCAB)), len(cases.VOCAB)
    new = [AddedToken("<l>"), AddedToken("lead", lstrip=True)]
    added = {size + 1: new[1], size: new[0]}
    path, = want.save_vocabulary(tmp_path)
    want.add_tokens(new)
    for tokenizer in (kind(dict(cases.VOCAB), added_tokens_decoder=added),
                      kind.from_pretrained(path, added_tokens_decoder=added)):
        assert dict(tokenizer("<l> a lead")) == dict(want("<l> a lead"))
        assert tokenizer.get_vocab() == want.get_vocab()
    for wrong, message in (([], "added_tokens_decoder is .., expected a dict"),
                           ({5: "x"}, "added_tokens_decoder maps 5 to 'x', expected")):
        with pytest.raises(TypeError, match=message):
            kind(dict(cases.VOCAB), added_tokens_decoder=wrong)


def test_the_names_of_transformers(tmp_path):
    make().save_pretrained(save_directory=tmp_path)
    loaded = BertTokenizer.from_pretrained(pretrained_model_name_or_path=tmp_path)
    assert answers(loaded) == answers(make())


# --------------------------------------------------------------- special tokens: None

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["mask_token", "pad_token", "bos_token"])
@pytest.mark.parametrize("late", [False, True])
def test_none_stays_none(tmp_path, kind, name, late):
    tokenizer = make(kind) if late else make(kind, **{name: None})
    if late:
        setattr(tokenizer, name, None)
    assert getattr(tokenizer, name) is None
    tokenizer.save_pretrained(tmp_path)
    again = kind.from_pretrained(tmp_path)
    assert getattr(again, name) is getattr(again, f"{name}_id") is None
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert again.added_tokens_decoder == tokenizer.added_tokens_decoder
    assert dict(again(TEXT)) == dict(tokenizer(TEXT))


@pytest.mark.parametrize("kind", KINDS)
def test_a_special_token_of_another_name_changes(tmp_path, kind):
    tokenizer = make(kind, image_token="hello")
    tokenizer.image_token = "world"
    assert tokenizer.special_tokens_map["image_token"] == "world"
    assert tokenizer.SPECIAL_TOKENS_ATTRIBUTES[-1] == "image_token"
    tokenizer.save_pretrained(tmp_path / "world")
    assert kind.from_pretrained(tmp_path / "world").image_token == "world"
    tokenizer.image_token = None
    tokenizer.save_pretrained(tmp_path / "none")
    again = kind.from_pretrained(tmp_path / "none")
    assert "image_token" not in again.special_tokens_map


@pytest.mark.parametrize("name", ["mask_token", "pad_token"])
@pytest.mark.parametrize("late", [False, True])
def test_none_in_the_files_is_as_in_transformers(tmp_path, transformers, name, late):
    mine, theirs = (kind(dict(cases.VOCAB), **({} if late else {name: None}))
                    for kind in (BertTokenizer, transformers.BertTokenizer))
    for tokenizer, folder in ((mine, "mine"), (theirs, "theirs")):
        if late:
            setattr(tokenizer, name, None)
        tokenizer.save_pretrained(tmp_path / folder)
        saved = (tmp_path / folder / "tokenizer_config.json").read_text("utf-8")
        assert json.loads(saved)[name] is None
    for folder in ("mine", "theirs"):
        one = BertTokenizer.from_pretrained(tmp_path / folder)
        other = transformers.BertTokenizer.from_pretrained(tmp_path / folder)
        assert answers(one) == answers(other)
        assert one.special_tokens_map == other.special_tokens_map


def test_what_bert_needs_is_never_none(tmp_path):
    tokenizer = make()
    for name in ("unk_token", "cls_token", "sep_token", "cls_token_id"):
        with pytest.raises(ValueError, match="_token is None, expected a token, bec"):
            setattr(tokenizer, name, None)
    assert tokenizer.cls_token == "[CLS]"
    old = BertTokenizerLegacy(dict(cases.VOCAB), unk_token=None, sep_token=None)
    old.save_pretrained(tmp_path)
    again = BertTokenizerLegacy.from_pretrained(tmp_path)
    assert again.unk_token is again.sep_token is None
    with pytest.raises(ValueError, match="unk_token is None, expected a token of the "
                                         f"vocabulary of {tmp_path} to stand"):
        again.tokenize("zzz")


# ------------------------------------------------------------- settings that change

CHANGES = ({"do_lower_case": False}, {"strip_accents": False},
           {"do_lower_case": False, "strip_accents": True},
           {"tokenize_chinese_chars": False})
HARD = "Hello naïve İx 中文a NewTok É NEWTOK"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("called", [False, True])
def test_a_changed_setting_has_one_effect(tmp_path, kind, change, called):
    """Authority: the tokenizer that is made with the setting from the start."""
    want, tokenizer = make(kind, **change), make(kind)
    if called:
        ids = tokenizer(HARD)["input_ids"]
        tokenizer.decode(ids), tokenizer.tokenize(HARD), tokenizer(HARD * 2000)
    for name, value in change.items():
        setattr(tokenizer, name, value)
    if kind is BertTokenizerLegacy:         # it lower-cased NewTok when it was added
        want, tokenizer = (kind(dict(cases.VOCAB), **change), tokenizer)
        text = HARD.replace("NewTok", "").replace("NEWTOK", "")
    else:
        text = HARD
    assert tokenizer.tokenize(text) == want.tokenize(text)
    assert dict(tokenizer(text)) == dict(want(text))
    if kind is BertTokenizer:
        ids = want(text * 2000, verbose=False)["input_ids"]
        assert tokenizer(text * 2000, verbose=False)["input_ids"] == ids
        assert tokenizer.decode(ids) == want.decode(ids)
    tokenizer.save_pretrained(tmp_path)
    assert kind.from_pretrained(tmp_path).tokenize(text) == want.tokenize(text)
    with pytest.raises(TypeError, match="do_lower_case is 'no', expected True or"):
        tokenizer.do_lower_case = "no"


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_are_saved(tmp_path, kind):
    late = {"padding_side": "left", "truncation_side": "left", "model_max_length": 9,
            "split_special_tokens": True, "model_input_names": ["input_ids"],
            "clean_up_tokenization_spaces": kind is BertTokenizer}
    tokenizer = make(kind)
    for name, value in late.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(tmp_path)
    again = kind.from_pretrained(tmp_path)
    assert {name: getattr(again, name) for name in late} == late


# ----------------------------------------------------------------- unknown arguments

@pytest.mark.parametrize("kind", KINDS)
def test_unknown_arguments_are_refused(tmp_path, kind):
    make(kind).save_pretrained(tmp_path)
    for function in (lambda **more: kind(dict(cases.VOCAB), **more),
                     lambda **more: kind.from_pretrained(tmp_path, **more)):
        with pytest.raises(TypeError, match="has no argument do_lowercase, expected one"
                           " of do_lower_case, strip_accents"):
            function(do_lowercase=False)
        with pytest.raises(TypeError, match="takes no chat_template, on purpose: BERT"):
            function(chat_template="{{ x }}")
        with pytest.raises(TypeError, match="has no argument my_token"):
            function(my_token=3)
        assert function(my_token="hello", chat_template=None).my_token_id == 11
    with pytest.raises(TypeError, match="takes no trust_remote_code, on purpose"):
        kind.from_pretrained(tmp_path, trust_remote_code=True)
    kind.from_pretrained(tmp_path, trust_remote_code=False)
    with pytest.raises(TypeError, match="takes no push_to_hub, on purpose: numbert"):
        make(kind).save_pretrained(tmp_path, push_to_hub=True)
    make(kind).save_pretrained(tmp_path, push_to_hub=False)
