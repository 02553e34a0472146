"""ONNX files as candidates: transformers models, exported, in onnxruntime."""

import sys
import warnings

import numpy as np
import pytest

from numbert.verify.adapters import called, from_onnx
from numbert.verify.cases import make_case
from numbert.verify.results import CandidateError
from numbert.verify.run import run

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

# Hidden state i is what layer i - 1 gives.
OUTPUTS = {"bert.embeddings.out": "hidden0", "encoder.layer.0.output.out": "hidden1",
           "bert.encoder.layer.1.output.out": "hidden2", "pooler.out": "pooled",
           "bert.encoder.layer.0.attention.self.probs": "probs0",
           "cls.predictions.out": "scores", "classifier.out": "scores", "loss": "loss"}


class Flat(torch.nn.Module):
    """A transformers model whose inputs and outputs come in order, one by one."""

    def __init__(self, case):
        super().__init__()
        config = transformers.BertConfig(**case.config)
        config._attn_implementation = "eager"
        self.model = getattr(transformers, case.kind)(config)
        self.model.load_state_dict({name: torch.from_numpy(x) for name, x in
                                    case.params.items()}, strict=False)
        self.model.tie_weights()
        self.names, self.bare = list(case.inputs), case.kind == "BertModel"

    def forward(self, *arguments):
        out = self.model(**dict(zip(self.names, arguments)), output_attentions=True,
                         output_hidden_states=True)
        last = (out.pooler_output,) if self.bare else (next(
            out[name] for name in ("logits", "prediction_logits", "start_logits")
            if name in out), out.loss)
        return *out.hidden_states, out.attentions[0], *last


def export(case, path):
    """Write the ONNX file of a case."""
    count = 1 + case.config["num_hidden_layers"]
    names = [*(f"hidden{i}" for i in range(count)), "probs0",
             *(["pooled"] if case.kind == "BertModel" else
               ["starts" if "Question" in case.kind else "choices" if "Choice" in
                case.kind else "scores", "loss"])]
    arguments = tuple(torch.tensor(np.asarray(x, order="C"))
                      for x in case.inputs.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")            # of torch, about its own code
        torch.onnx.export(Flat(case).eval(), arguments, path, dynamo=True,
                          verbose=False, input_names=list(case.inputs),
                          output_names=names)


@pytest.mark.parametrize("name", ["model", "decoder", "regression", "multi-label",
                                  "tokens"])
def test_an_exported_model_is_right(tmp_path, name):
    """In float32, whether its inputs are ids, vectors or float labels."""
    case = make_case(name)
    export(case, tmp_path / f"{name}.onnx")
    got = called(from_onnx(lambda case: tmp_path / f"{case.name}.onnx", OUTPUTS), case)
    want = run(case)
    assert set(got) < set(want)
    assert len(got) == (6 if name == "decoder" else 5)
    for step, x in got.items():
        assert x.dtype == np.float32 and x.shape == np.shape(want[step])
        assert np.allclose(x, want[step], rtol=0,
                           atol=1e-5 * np.abs(want[step]).max()), step


def graph(path, reads="input_ids", dtype=onnx.TensorProto.FLOAT):
    """Write a tiny graph: y = x + x."""
    value = onnx.helper.make_tensor_value_info
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(
        [onnx.helper.make_node("Add", [reads, reads], ["y"])], "double",
        [value(reads, dtype, None)], [value("y", dtype, None)]),
        opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize("dtype", ["FLOAT", "DOUBLE", "INT64", "INT32"])
def test_inputs_come_in_the_dtypes_of_the_graph(tmp_path, dtype):
    graph(tmp_path / "x.onnx", dtype=getattr(onnx.TensorProto, dtype))
    case = make_case("choice")
    got = called(from_onnx(lambda case: tmp_path / "x.onnx", {"loss": "y"}), case)
    assert np.array_equal(got["loss"], 2 * case.inputs["input_ids"])
    assert got["loss"].dtype == {"FLOAT": "float32", "DOUBLE": "float64"}.get(
        dtype, dtype.lower())


def test_only_what_a_case_has_is_asked_for(tmp_path):
    graph(tmp_path / "x.onnx")
    candidate = from_onnx(lambda case: str(tmp_path / "x.onnx"),
                          {"loss": "y", "qa_outputs.out": "y", "pooler.out": "none"})
    assert list(called(candidate, make_case("choice"))) == ["loss"]


@pytest.mark.parametrize("file, reads, outputs, says", [
    ("x.onnx", "ids", {"loss": "y"}, "the graph reads ids, expected an input of the "
     "case; nearest: input_ids"),
    ("x.onnx", "input_ids", {"loss": "z"}, "has the outputs y, expected one of z for"),
    ("x.onnx", "input_ids", {"lost": "y"}, "expected one of y for a step of the case"),
    ("none.onnx", "input_ids", {"loss": "y"}, "none.onnx is not a file, expected"),
    ("bad.onnx", "input_ids", {"loss": "y"}, "bad.onnx can't be loaded")])
def test_what_does_not_fit_is_one_clear_error(tmp_path, file, reads, outputs, says):
    graph(tmp_path / "x.onnx", reads)
    (tmp_path / "bad.onnx").write_bytes(b"not ONNX")
    with pytest.raises(CandidateError) as error:
        called(from_onnx(lambda case: tmp_path / file, outputs), make_case("choice"))
    assert str(error.value).startswith("case choice: ") and says in str(error.value)


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "numbert\[onnx\]"'):
        from_onnx(lambda case: "x", {})
