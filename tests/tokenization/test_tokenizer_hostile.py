"""Broken and hostile tokenizer files: an error that names the file, or a tokenizer.

Each file is changed at random, in its bytes or in the structure of its JSON, and then
loaded, used, saved and loaded again.  NUMBERT_EXHAUSTIVE=1 makes 20,000 loads of it.
"""

import copy
import json
import os
import random
import traceback
import warnings

import pytest
import tokenizer_cases as cases

import numbert
from numbert.tokenization import AddedToken, BertTokenizer, BertTokenizerLegacy

LOADS = 20_000 if os.environ.get("NUMBERT_EXHAUSTIVE") else 600
TEXT = "a unaffable [MASK] <e>  lead zzz 中 É"
JUNK = (None, True, False, 0, 1, -1, 1.5, 1e308, 2**31, 10**30, "", "x", "5", " ",
        "\ud800", "a\nb", "[UNK]", [], [[]], {}, [None], ["x"], [5], {"content": 5},
        {"content": "x"}, {"content": "x", "lstrip": 1}, [{"content": "y"}], {"x": "y"},
        {"0": {"content": "x"}}, {"id": 3}, "Left", "up", "9" * 5000)
KEYS = ("self", "cls", "vocab", "vocab_file", "tokenizer_file", "tokenizer_object",
        "added_tokens_decoder", "model_specific_special_tokens", "init_kwargs", "_core",
        "_vocab", "__class__", "name_or_path", "cls_token", "x_token", "max_len",
        "extra_special_tokens", "additional_special_tokens", "model_input_names",
        "never_split", "padding_side", "special_tokens_map", "kwargs", "\ud800", "",
        "do_lower_case", "model_max_length", "content", "id", "type", "direction")


def original(kind, folder):
    """Save a tokenizer of each kind, with a file of each kind."""
    more = {"never_split": ["b"]} if kind is BertTokenizerLegacy else {}
    tokenizer = kind(dict(cases.VOCAB), extra_special_tokens=["<e>"], **more)
    tokenizer.add_tokens(["NewTok", AddedToken("lead", lstrip=True)])
    tokenizer.save_pretrained(folder)
    if kind is BertTokenizerLegacy:             # as older versions wrote it
        config = folder / "tokenizer_config.json"
        settings = json.loads(config.read_text("utf-8"))
        del settings["added_tokens_decoder"]
        config.write_text(json.dumps(settings), "utf-8")
        (folder / "special_tokens_map.json").write_text(json.dumps({
            "mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False,
                           "single_word": False, "normalized": False},
            "cls_token": "[CLS]", "additional_special_tokens": ["<e>", {
                "content": "<f>", "lstrip": False}]}), "utf-8")
    else:
        path = folder / "tokenizer.json"
        saved = json.loads(path.read_text("utf-8"))
        saved["truncation"] = {"direction": "Left", "max_length": 9, "stride": 0,
                               "strategy": "LongestFirst"}
        saved["padding"] = {"direction": "Right", "strategy": "BatchLongest",
                            "pad_to_multiple_of": None, "pad_id": 0,
                            "pad_type_id": 0, "pad_token": "[PAD]"}
        path.write_text(json.dumps(saved), "utf-8")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def change_json(rng, value):
    """Change one place of a JSON value, and return the value."""
    where = value
    while True:
        inner = [item for item in (where.values() if isinstance(where, dict) else where)
                 if isinstance(item, (dict, list)) and item]
        if not inner or rng.random() < .3:
            break
        where = rng.choice(inner)
    places = list(where) if isinstance(where, dict) else list(range(len(where)))
    place, junk = rng.choice(places), copy.deepcopy(rng.choice(JUNK))
    kind = rng.choice(("junk", "junk", "drop", "add", "rename", "swap"))
    if kind == "drop":
        del where[place]
    elif kind == "add" and isinstance(where, dict):
        where[rng.choice(KEYS)] = junk
    elif kind == "add":
        where.insert(place, junk)
    elif kind == "rename" and isinstance(where, dict):
        where[rng.choice(KEYS)] = where.pop(place)
    elif kind == "swap":
        other = rng.choice(places)
        where[place], where[other] = where[other], where[place]
    else:
        where[place] = junk
    return value


def change_bytes(rng, raw):
    """Change some bytes: flip, drop, double or insert them."""
    at, size = rng.randrange(len(raw)), rng.randint(1, 20)
    kind = rng.choice(("flip", "drop", "double", "insert", "cut"))
    if kind == "flip":
        return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1:]
    if kind == "drop":
        return raw[:at] + raw[at + size:]
    if kind == "double":
        return raw[:at] + raw[at:at + size] + raw[at:]
    if kind == "insert":
        return raw[:at] + rng.randbytes(size) + raw[at:]
    return raw[:at]


def change(rng, name, raw):
    """Return the changed content of a file."""
    if not name.endswith(".json") or rng.random() < .2:
        return change_bytes(rng, raw)
    value = json.loads(raw)
    if rng.random() < .03:
        value = copy.deepcopy(rng.choice(JUNK))
    for _ in range(rng.randint(1, 2)):
        if value and isinstance(value, (dict, list)):
            value = change_json(rng, value)
    return json.dumps(value).encode()


def numberts_own(error):
    """Whether numbert raised the error itself, in its own words."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    inside = frame.filename.startswith(os.path.dirname(numbert.__file__))
    return (inside and frame.line.startswith("raise") and ", expected " in str(error)
            and isinstance(error, (TypeError, ValueError, OSError)))


def use(tokenizer, folder, kind):
    """Encode, decode, save and load; an unknown word may have no token."""
    try:
        ids = tokenizer(TEXT, truncation=True, max_length=8)["input_ids"]
        tokenizer.decode(ids)
        tokenizer.decode(ids, skip_special_tokens=True)
    except ValueError as error:
        assert numberts_own(error)
    repr(tokenizer)
    tokenizer.save_pretrained(folder)
    again, vocab = kind.from_pretrained(folder), tokenizer.get_vocab()
    if len(set(vocab.values())) == len(vocab):      # else: see the deviation taken_id
        assert again.get_vocab() == vocab


@pytest.mark.parametrize("kind", [BertTokenizer, BertTokenizerLegacy])
def test_changed_files(kind, tmp_path):
    before = original(kind, tmp_path)
    assert kind.from_pretrained(tmp_path).tokenize("newtok <e>") == ["newtok", "<e>"]
    refused = 0
    for seed in range(LOADS // 2):
        rng = random.Random(seed)
        name = rng.choice(sorted(before))
        path = tmp_path / name
        path.write_bytes(change(rng, name, before[name]))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    tokenizer = kind.from_pretrained(tmp_path)
                except Exception as error:
                    assert numberts_own(error) and str(tmp_path) in str(error)
                    refused += 1
                else:
                    use(tokenizer, tmp_path / "again", kind)
        except BaseException as error:
            raise AssertionError(f"seed {seed}, {name}: {path.read_bytes()!r}"
                                 ) from error
        path.write_bytes(before[name])
    assert .1 * LOADS / 2 < refused < .9 * LOADS / 2
