"""`numbert bench tokenizer` on a little text."""

import argparse
import json

import pytest

from numbert.cli import bench_tokenizer as bench


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(bench, "SENTENCES", 7)
    monkeypatch.setattr(bench, "SIZE", 4000)


def arguments(*words):
    """The parsed arguments."""
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args(words)


def test_it_measures_each_task_and_compares(small, tmp_path):
    pytest.importorskip("matplotlib")
    figures, drawing = tmp_path / "figures.json", tmp_path / "times.svg"
    bench.run(arguments("--rounds", "1", "--json", str(figures), "--plot",
                        str(drawing)))
    rows = json.loads(figures.read_text())["rows"]
    assert all(row["task"] in drawing.read_text() for row in rows)
    assert len(rows) == 11 and len({row["task"] for row in rows}) == 11
    for row in rows:
        assert row["numbert_ms"] > 0 and row["characters"] > 0
        assert row.get("same", True), row["task"]
        if "ratio" in row:
            assert row["ratio"] == pytest.approx(
                row["hugging_face_ms"] / row["numbert_ms"])


def test_without_hugging_face_it_prints_ours(small, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "text.txt").write_text("Some words, and more of them. " * 20, "utf-8")
    bench.run(arguments("--rounds", "1", "--file", str(tmp_path / "text.txt")))
    out = capsys.readouterr().out
    assert "Mchar/s" in out and "not installed" in out and "ratio" not in out


def test_loading_is_measured_with_a_new_tokenizer_each_time():
    made = []

    def make():
        made.append(lambda text: {"input_ids": [len(text)]})
        return made[-1]

    row = bench._measure_load({"numbert": make, "hugging_face": make}, "abc", 3)
    assert len(made) == 6 and row["task"] == bench.LOAD and row["same"]
    assert row["characters"] == 3 and "ratio" in row
    assert bench.LOAD in bench.table([row], 3)


def test_the_memory_of_a_long_text(small, monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "LONG", 300_000)
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)
    figures = tmp_path / "figures.json"
    bench.run(arguments("--rounds", "1", "--memory", "--json", str(figures)))
    memory = json.loads(figures.read_text())["memory"]
    # At least the ids, and far below what a Python object per piece would take.
    assert memory["characters"] == 300_000
    assert 100_000 < memory["numbert_bytes"] < 100_000_000
    assert "300,000 characters: numbert" in bench.memory_text(memory)
    assert "Hugging Face 2" in bench.memory_text({**memory, "hugging_face_bytes": 2e9})


def test_a_result_that_differs_is_shown():
    row = {"task": "t", "characters": 5, "numbert_ms": 0.5, "hugging_face_ms": 5.0,
           "ratio": 10.0, "same": False}
    assert "NO" in bench.table([row], 1) and "500 us" in bench.table([row], 1)


def test_the_made_up_text_is_always_the_same():
    text = bench.english_like(5000)
    assert text == bench.english_like(5000) and len(text) == 5000
    assert bench.english_like(100) != bench.english_like(100, seed=1)
    assert len(bench.sentences(text, 9)) == 9


@pytest.mark.parametrize("content, match", [
    (b"", "no text"), (b" \n ", "no text"), (b"ab\xff", "byte 2 .line 1. is 0xff")])
def test_a_file_without_text(content, match, tmp_path):
    (tmp_path / "f.txt").write_bytes(content)
    with pytest.raises(ValueError, match=match):
        bench.text_of(str(tmp_path / "f.txt"))
