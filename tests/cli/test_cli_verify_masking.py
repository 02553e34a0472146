"""numbert verify-masking: what it reads, prints and draws, and its exit codes."""

import io
import json
import sys

import numpy as np
import pytest

from numbert.cli import main
from numbert.training import masking
from tiny import tokenizer

IDS = ["--vocab-size", "34", "--mask-id", "4", "--special-ids", "0,2,3", "--pad-id",
       "0", "--unk-id", "1"]


def written(path, rate=0.15, rows=300, **more):
    """A file of rows that numbert masks at a rate."""
    rng = np.random.default_rng(0)
    vocab = masking.vocabulary(tokenizer())
    with open(path, "w") as file:
        for _ in range(rows):
            ids = np.array([2, *rng.integers(5, 34, 60), 3, 0])
            out, labels = masking.mask_bernoulli(ids, rng, vocab, rate)
            row = {"original": ids, "masked": out, "labels": labels}
            file.write(json.dumps({name: x.tolist() for name, x in row.items()} | more)
                       + "\n")
    return str(path)


@pytest.fixture
def right(tmp_path):
    return written(tmp_path / "right.jsonl")


@pytest.fixture
def wrong(tmp_path):
    return written(tmp_path / "wrong.jsonl", rate=0.25)


def test_right_and_wrong(numbert_main, right, wrong, tmp_path):
    tokenizer().save_pretrained(str(tmp_path / "t"))
    for vocabulary in (IDS, ["--tokenizer", tmp_path / "t"]):
        code, out, err = numbert_main("verify-masking", right, *vocabulary)
        assert (code, err) == (0, "")
        assert out.startswith(f"RIGHT  {right}: no check fails")
        code, out, err = numbert_main("verify-masking", wrong, *vocabulary)
        assert (code, err) == (1, "") and out.startswith(f"WRONG  {wrong}: 1 of 22")
        assert "15 % were asked for" in out
    assert numbert_main("verify-masking", wrong, *IDS, "--rate", ".25")[0] == 0


def test_json(numbert_main, wrong):
    code, out, _ = numbert_main("verify-masking", wrong, *IDS, "--json")
    found = json.loads(out)
    assert (code, found["verdict"], found["format"]) == (1, "wrong", 1)
    rate, = (check for check in found["checks"] if check["name"] == "rate")
    part, = rate["parts"]
    assert part["trials"] == 18_000 and part["found"] > part["most"]
    assert rate["p"] < rate["level"] < found["asked"]["false_alarms"]


def test_every_number(numbert_main, right):
    _, out, _ = numbert_main("verify-masking", right, *IDS, "--all")
    assert "part 16 of 16: " in out and "ids 5 to 19: " in out


def test_stdin(numbert_main, right, monkeypatch):
    with open(right, "rb") as file:
        content = io.TextIOWrapper(io.BytesIO(file.read()))
    monkeypatch.setattr(sys, "stdin", content)
    code, out, _ = numbert_main("verify-masking", "-", *IDS)
    assert code == 0 and out.startswith("RIGHT  stdin: ")


def test_rules_and_next_sentences(numbert_main, tmp_path):
    path = written(tmp_path / "a", next_sentence_label=1, is_next=True)
    code, out, _ = numbert_main("verify-masking", path, *IDS, "--next-share", "0,.5")
    assert code == 1 and "polarity is inverted" in out and "1 of 22" in out
    code, out, _ = numbert_main("verify-masking", path, *IDS, "--rule", "count",
                                "--max-predictions", "9", "--split", "1,0,0")
    assert code == 1 and "WRONG  the number in each row" in out
    code, out, _ = numbert_main("verify-masking", path, *IDS, "--whole-words")
    assert code == 2


def test_a_picture(numbert_main, wrong, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.png"
    code, _, err = numbert_main("verify-masking", wrong, *IDS, "--plot", path)
    assert (code, err) == (1, "") and path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("args, says", [
    ([], "the vocabulary is not given in full"), (IDS[:2], "--special-ids"),
    ([*IDS, "--tokenizer", "t"], "--tokenizer is given with ids"),
    ([*IDS, "--rate", "2"], "rate is 2.0"), ([*IDS, "--split", ".8,.2"], "split is"),
    ([*IDS, "--split", "a,b"], "'a,b' is not a list of numbers"),
    ([*IDS, "--rule", "exact"], "invalid choice"),
    ([*IDS, "--mask-id", "-4"], "expected"), ([*IDS, "--plot", "a.gif"], "a.gif"),
    ([*IDS, "--plot", "nowhere/a.png"], "nowhere is not a folder"),
    ([*IDS, "--false-alarms", "0"], "false_alarms is 0")])
def test_what_it_refuses(numbert_main, right, args, says):
    code, out, err = numbert_main("verify-masking", right, *args)
    assert (code, out) == (2, "") and says in err


def test_it_does_not_draw_over_its_input(numbert_main, right, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(open(right, "rb").read())
    code, _, err = numbert_main("verify-masking", path, *IDS, "--plot", path)
    assert code == 2 and "would replace" in err
    assert path.read_bytes() == open(right, "rb").read()


@pytest.mark.parametrize("line, says", [
    ("[1]", "holds a list"), ("{", "is broken JSON"), ('{"original": 1}', "is 1"),
    ('{"a\\u001b[2J": 1}', r"there is a\u001b[2J"), ('{"original": "abc"}', '"abc"'),
    ('{"original": [1], "masked": [NaN], "labels": [1]}', "masked is")])
def test_hostile_lines_are_named(numbert_main, right, line, says):
    with open(right, "a") as file:
        file.write(line + "\n")
    code, out, err = numbert_main("verify-masking", right, *IDS)
    assert (code, out) == (2, "") and says in err and "right.jsonl, line 301" in err
    assert "\33" not in err and err.count("\n") == 1


def test_no_such_file(capsys):
    assert main(["verify-masking", "nowhere.jsonl", *IDS]) == 2
    assert "nowhere.jsonl: No such file" in capsys.readouterr().err
