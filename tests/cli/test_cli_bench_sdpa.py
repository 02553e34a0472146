"""`numbert bench sdpa`: a tiny model on the CPU, and the arithmetic of its tables."""

import argparse
import json
from types import SimpleNamespace

import pytest

import numbert
import tiny
from cli_cases import without
from numbert.cli import bench_sdpa as bench

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return tiny.checkpoint(folder, cls=numbert.BertLMHeadModel)


@pytest.fixture
def alone(monkeypatch):
    """As if transformers were not installed."""
    find = bench.importlib.util.find_spec
    monkeypatch.setattr(bench.importlib.util, "find_spec",
                        lambda name: None if name == "transformers" else find(name))


QUICK = ("--device", "cpu", "--rounds", 2, "--tokens", 3)


# ------------------------------------------------------------------ measured for real

def test_it_measures_both_tables(numbert_main, small, tmp_path):
    pytest.importorskip("matplotlib")
    figures, drawing = tmp_path / "figures.json", tmp_path / "times.png"
    code, out, err = numbert_main("bench", "sdpa", "--model", small, *QUICK, "--rows",
                                  "1x5", "2x4", "--json", figures, "--plot", drawing)
    assert (code, err) == (0, "")
    assert "training, ms per batch" in out and "inference, ms per token" in out
    assert drawing.read_bytes().startswith(b"\x89PNG")
    found = json.loads(figures.read_text())
    assert found["torch"] == torch.__version__ and found["dtype"] == "float32"
    assert found["cudnn"] is None and found["page"].startswith("https://huggingface.co")
    assert [(x["table"], x["batch"], x["length"]) for x in found["rows"]] == [
        (table, *row) for table in bench.PAGE for row in ((1, 5), (2, 4))]
    who = {"numbert", "transformers"} if found["transformers"] else {"numbert"}
    for row in found["rows"]:
        assert set(row["found"]) == who and row["page"] is None
        for x in row["found"].values():
            assert x["eager_count"] == x["sdpa_count"] == 2
            assert x["eager_mb"] is x["sdpa_mb"] is x["saving"] is None
            for key in ("eager_ms", "sdpa_ms", "eager_median_ms", "sdpa_median_ms"):
                assert 0 < x[key] < 60_000
            assert x["eager_ms"] == pytest.approx(
                x["sdpa_ms"] * (1 + x["speedup"] / 100))


def test_it_works_without_transformers(alone, numbert_main, small):
    code, out, err = numbert_main("bench", "sdpa", "--model", small, *QUICK, "--rows",
                                  "1x4", "--table", "training", "--dtype", "float64")
    assert (code, err) == (0, "")
    assert "without transformers (pip install transformers)" in out
    assert "float64" in out and "inference," not in out and "1 x 4" in out


def models_of(small, decoder):
    settings = {"device": torch.device("cpu"), "dtype": torch.float32, "rounds": 1,
                "config": numbert.BertConfig.from_pretrained(small), "steps": 2,
                "calls": 2, "tokens": 3, "compile": False}
    return settings, bench.contenders(settings, decoder)


def test_the_contenders_are_one_model(small):
    """Same weights: the logits and the tokens they generate are the same."""
    settings, models = models_of(small, decoder=True)
    ids = torch.tensor([[7, 9, 11, 8, 5], [5, 6, 8, 12, 13]])
    with torch.no_grad():
        logits = [x.module.eval()(input_ids=ids).logits for x in models]
    written = [torch.as_tensor(bench.inference(x, ids, settings, False)())
               for x in models]
    assert {x.attention for x in models} == {"eager", "sdpa"}
    assert written[0].shape == (2, 8) and torch.equal(written[0][:, :5], ids)
    for x, y in zip(logits[1:], written[1:]):
        torch.testing.assert_close(x, logits[0])
        assert torch.equal(y, written[0])


def test_a_step_of_training_drops_out_and_leaves_no_gradients(small, alone):
    settings, (eager, _) = models_of(small, decoder=False)
    seen = []
    eager.module.register_forward_hook(lambda m, inputs, out: seen.append(out.logits))
    table = eager.module.get_parameter("cls.predictions.bias")
    table.register_hook(lambda grad: seen.append(grad.clone()))
    before = table.detach().clone()
    step = bench.training(eager, torch.tensor([[7, 9, 11]]), settings, False)
    step(), step()
    first, grad, second, _ = seen
    assert not torch.equal(first, second)                   # dropout acts
    assert torch.equal(grad, torch.full_like(grad, 3))      # of the sum over 3 tokens
    assert all(x.grad is None for x in eager.module.parameters())
    assert torch.equal(table, before)                       # no optimizer


# ------------------------------------------------------------------------- arithmetic

def test_percentages_by_hand():
    assert bench.percent(3.0, 2.0) == 50.0 and bench.percent(1.0, 2.0) == -50.0
    assert bench.percent(None, None) is None
    eager = {"ms": 12.0, "median_ms": 11.0, "spread_ms": 1.0, "count": 4, "mb": 5.0}
    both = bench.compared(eager, {**eager, "ms": 10.0, "mb": 4.0})
    assert both["speedup"] == pytest.approx(20) and both["saving"] == 25
    assert bench.summary([4, 1, 2, 3, 10]) == {
        "ms": 4, "median_ms": 3, "spread_ms": 2, "count": 5}


@pytest.mark.parametrize("table", bench.PAGE)
def test_the_pages_numbers_agree_with_one_another(table):
    """Its percentages follow from its columns, which it rounded afterwards."""
    half = 0.5 if table == "training" else 0.0005           # ms
    for eager, sdpa, speedup, *memory, saving in bench.PAGE[table].values():
        low = bench.percent(eager - half, sdpa + half)
        assert low - 1e-3 <= speedup <= bench.percent(eager + half, sdpa - half) + 1e-3
        assert bench.percent(*memory) == pytest.approx(saving, abs=1e-3)


def test_a_long_time_fits_into_its_column():
    found = {"eager_ms": 12063.614, "eager_median_ms": 12098.585,
             "eager_spread_ms": 98.2}
    assert bench.times(found, "eager") == "12063.6 (12098.6, 98.20)"
    assert len(bench.times(found, "eager")) <= 24


def test_a_row_of_the_page_stands_below_ours():
    found = bench.compared(*[{"ms": x, "median_ms": x, "spread_ms": 0.25, "count": 2,
                              "mb": None} for x in (21.0, 14.0)])
    row = {"table": "training", "batch": 4, "length": 256, "compiled": True,
           "found": {"numbert": found}, "page": dict(zip(
               bench.FIELDS, bench.PAGE["training"][4, 256]))}
    ours, page = bench.lines_of(row)
    assert ours.split() == ("4 x 256 compiled numbert 21.00 (21.00, 0.25) 14.00 "
                            "(14.00, 0.25) 50.0 % - - -").split()
    assert page.split() == "the page 23.00 17.00 35.5 % 939.2 764.8 22.8 %".split()


class Event:
    """Stands for an event of CUDA; events are recorded 1, 2, 3 ... ms apart."""

    made: list = []

    def __init__(self, enable_timing):
        assert enable_timing
        self.made.append(self)

    def record(self):
        self.at = sum(range(len([x for x in self.made if hasattr(x, "at")]) + 1))

    def elapsed_time(self, other):
        return other.at - self.at


def test_time_and_memory_on_cuda(monkeypatch, small, alone):
    """With a stand-in for the device: what is read when, and what is made of it."""
    calls = []
    monkeypatch.setattr(Event, "made", [])
    for name, value in (("synchronize", None), ("reset_peak_memory_stats", None),
                        ("memory_allocated", 7_000), ("max_memory_allocated", 9_500)):
        monkeypatch.setattr(torch.cuda, name,
                            lambda device, x=name, y=value: calls.append(x) or y)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.no_grad())
    times, peak = bench.timed(lambda: calls.append("step"), 3,
                              SimpleNamespace(type="cuda"))
    assert times == pytest.approx([0.001, 0.002, 0.003]) and peak == 2_500
    assert calls == ["synchronize", "reset_peak_memory_stats", "memory_allocated",
                     "step", "step", "step", "synchronize", "max_memory_allocated"]


def test_memory_counts_only_its_own_model(monkeypatch, small, alone):
    settings, models = models_of(small, decoder=False)
    monkeypatch.setattr(bench, "timed", lambda *args: ([0.5, 0.25], 1_000_000))
    row = bench.measured_row(models, settings, "training", 2, 4)
    sizes = numbert.BertLMHeadModel(settings["config"], rng=0).params.values()
    found = row["found"]["numbert"]
    least = sum(x.size for x in sizes) * 4 + 2 * (2 * 4 * 8)     # and ids, and mask
    assert found["eager_ms"] == 375 and found["saving"] == 0
    # transformers' names include a few buffers of positions.
    assert 0 <= found["eager_mb"] * 1e6 - 1_000_000 - least < 2_000


def test_compiled_rows(monkeypatch, small, alone):
    asked = []
    monkeypatch.setattr(torch, "compile",
                        lambda module, **options: asked.append(options) or module)
    monkeypatch.setattr(bench, "timed", lambda step, *args: (step(), ([0.5], 10**6))[1])
    settings, _ = models_of(small, decoder=False)
    rows = bench.measure({**settings, "compile": True, "rows": {
        "training": [(1, 4)], "inference": [(1, 4)]}})["rows"]
    assert [(x["table"], x["compiled"]) for x in rows] == [
        ("training", False), ("training", True), ("inference", False)]
    assert asked == 2 * [{"mode": "reduce-overhead", "dynamic": False}]
    assert rows[0]["found"]["numbert"]["eager_mb"] > 1
    assert rows[1]["found"]["numbert"]["eager_mb"] is None


# ----------------------------------------------------------------------------- errors

@pytest.mark.parametrize("options, message", [
    (["--device", "nonsense"], "device is 'nonsense', expected one that torch can use"),
    (["--dtype", "int8"], "dtype is 'int8', expected one of float32"),
    (["--rows", "4"], "the row is '4', expected a batch size, an x and a length"),
    (["--rows", "0x4"], "the row is '0x4', expected"),
    (["--rows", "1x33"], "a row of training needs 33 positions, expected at most the "
                         "model's max_position_embeddings 32"),
    (["--rows", "1x30", "--tokens", 3], "a row of inference needs 33 positions"),
    (["--plot", "times.txt"], "--plot is times.txt, expected a name that ends in"),
    (["--json", "nowhere/x.json"], "expected one for the file of --json"),
])
def test_errors_come_before_any_work(options, message, numbert_main, small,
                                     monkeypatch):
    monkeypatch.setattr(bench, "measure", lambda settings: pytest.fail("measured"))
    code, out, err = numbert_main("bench", "sdpa", "--device", "cpu", "--model", small,
                                  *options)
    assert code == 2 and out == "" and message in err


def test_without_torch():
    said = without("torch", "bench", "sdpa")
    assert (said.returncode, said.stdout) == (2, "")
    assert 'pip install "numbert[torch]"' in said.stderr
    assert said.stderr.count("\n") == 1


def test_the_defaults_of_the_page_and_of_a_cpu(monkeypatch):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    small = bench.plan(parser.parse_args(["--device", "cpu"]))
    assert small["rows"] == {x: list(bench.SMALL[x]) for x in bench.PAGE}
    assert small["dtype"] == torch.float32 and small["tokens"] == 8
    from numbert.backends import torch_model
    monkeypatch.setattr(torch_model, "checked", lambda *args: {
        "device": torch.device(args[0]), "dtype": None})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    page = bench.plan(parser.parse_args([]))
    assert page["device"].type == "cuda" and page["dtype"] == torch.float16
    assert page["rows"] == {x: list(bench.PAGE[x]) for x in bench.PAGE}
    assert page["tokens"] == 100 and page["config"].num_hidden_layers == 12
