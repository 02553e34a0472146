"""export_onnx: the files against proven numbers, transformers and their own check."""

import sys

import numpy as np
import pytest

import numbert
from common import assert_near, bound, config, ids, stressed, to_torch, twin
from numbert.backends import onnx_export
from numbert.verify.adapters import from_onnx
from numbert.verify.compare import verify
from numbert.verify.packs import shipped

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from numbert.backends import torch_module  # noqa: E402

OLD = b"the file that was there"


def session_of(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


# ---------------------------------------------------- against the pack of ground truth

def exported(case, path):
    """The file of a case, which reads all that the case has but labels."""
    model = getattr(numbert, case.kind)(numbert.BertConfig(**case.config),
                                        params=case.params)
    known = (*onnx_export.INPUTS, "position_ids", "inputs_embeds",
             "encoder_hidden_states", "encoder_attention_mask")
    return numbert.export_onnx(model, path, inputs=[x for x in known
                                                    if x in case.inputs])


def steps(case, path):
    """What the file of a case gives, as pack names it."""
    def read(**outputs):
        found = {name.replace("__", "."): out for name, out in outputs.items()}
        return from_onnx(lambda case: path, found)(case)

    if case.kind == "BertModel":
        last = f"encoder__layer__{case.config['num_hidden_layers'] - 1}__output__out"
        return read(**{last: "last_hidden_state", "pooler__out": "pooler_output"})
    if case.kind == "BertForPreTraining":
        return read(cls__predictions__out="prediction_logits",
                    cls__seq_relationship__out="seq_relationship_logits")
    if case.kind == "BertForQuestionAnswering":
        pair = [read(qa_outputs__out=name)["qa_outputs.out"]
                for name in ("start_logits", "end_logits")]
        return {"qa_outputs.out": np.stack(pair, -1)}
    got = read(classifier__out="logits", cls__predictions__out="logits",
               cls__seq_relationship__out="logits")
    if case.kind == "BertForMultipleChoice":
        return {"classifier.out": got["classifier.out"].reshape(-1, 1)}
    return got


def verdict(name, path, case=None):
    """The verdict on the file of a case, and the number of tensors that it judged."""
    pack = shipped()
    packed = pack.cases[name]
    made = exported(case or packed.case, path)
    report = verify(pack._replace(cases={name: packed}),
                    lambda case: steps(case, path), diagnose=False)
    judged = [x for x in report.tensors if x.status != "missing"]
    return report.verdict, len(judged), made


@pytest.mark.parametrize("name", [
    "model", "pretraining", "decoder", "masked-lm", "next-sentence", "regression",
    "choice", "tokens", "questions"])
def test_each_class_agrees_with_proven_numbers(tmp_path, name):
    """Ids or vectors, positions, a source, and a text that is all padding."""
    found, count, made = verdict(name, tmp_path / "model.onnx")
    assert found == "pass" and count == len(made.outputs) - (name == "questions")
    assert all(error <= most < 1e-4 for error, most in made.errors.values())
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_wrong_file_fails(tmp_path):
    case = shipped().cases["classification"].case
    other = case._replace(config={**case.config, "hidden_act": "gelu_new"})
    assert verdict("classification", tmp_path / "model.onnx", other)[0] == "fail"


# ----------------------------------------------------------------- against transformers

def test_all_sizes_are_open(tmp_path):
    """Other settings of the configuration change nothing: states, tuples, caches."""
    model = stressed(numbert.BertLMHeadModel, config(
        is_decoder=True, return_dict=False, output_attentions=True,
        output_hidden_states=True), "float32")
    path = tmp_path / "model.onnx"
    made = numbert.export_onnx(model, str(path))
    assert made.path == path and made.shapes == [(1, 11), (3, 5)]
    assert made.inputs == dict.fromkeys(onnx_export.INPUTS, ("batch", "length"))
    assert made.outputs == {"logits": ("batch", "length", 37)}
    session, hf = session_of(path), twin(model)
    for shape in ((1, 1), (2, 8), (5, 3), (4, 11)):
        mask = np.ones(shape, np.int64)
        mask[0, 1:], mask[-1, :-1] = 0, 0                   # padding on either side
        inputs = {"input_ids": ids(shape), "attention_mask": mask,
                  "token_type_ids": ids(shape, 2)}
        got, = session.run(["logits"], inputs)
        with torch.no_grad():
            want = hf(**to_torch(inputs), use_cache=False, return_dict=True).logits
        assert_near(got, want.numpy(), bound("float32", 200, want.abs().max().item()))


# ------------------------------------------------------------------ the check of a file

@pytest.fixture
def target(tmp_path):
    """A file that is there, and has to stay as it is."""
    (tmp_path / "model.onnx").write_bytes(OLD)
    return tmp_path / "model.onnx"


def refuses(target, model, error, says, **options):
    """The export is refused in one line, and the folder is what it was."""
    with pytest.raises(error, match=says):
        numbert.export_onnx(model, target, **{"overwrite": True, **options})
    assert target.read_bytes() == OLD and len(list(target.parent.iterdir())) == 1


def tiny(cls=numbert.BertForTokenClassification, dtype="float32", **changes):
    return stressed(cls, config(num_hidden_layers=1, **changes), dtype)


def test_a_file_with_wrong_numbers_is_not_kept(target, monkeypatch):
    forward = torch_module.Flat.forward
    monkeypatch.setattr(torch_module.Flat, "forward", lambda self, *tensors:
                        tuple(x + .01 for x in forward(self, *tensors)))
    refuses(target, tiny(), ValueError, "logits in onnxruntime is off from NumPy by "
            r"0\.01, expected at most .*e-05")


def test_a_file_of_fixed_sizes_is_not_kept(target, monkeypatch):
    export = torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", lambda *args, **options: export(
        *args, **{**options, "dynamic_shapes": None}))
    refuses(target, tiny(), ValueError, "onnxruntime can't use the file")


def test_a_file_with_an_output_of_another_shape_is_not_kept(target, monkeypatch):
    forward = torch_module.Flat.forward
    monkeypatch.setattr(torch_module.Flat, "forward", lambda self, *tensors:
                        tuple(x[:, :1] for x in forward(self, *tensors)))
    refuses(target, tiny(), ValueError, r"logits has shape \(1, 1, 2\) in onnxruntime")


def test_a_file_that_gives_nan_is_not_kept(target):
    model = tiny()
    model.params["classifier.bias"][0] = np.nan
    refuses(target, model, ValueError, "logits in onnxruntime is off from NumPy by nan")


# ----------------------------------------------------------- bad input, before any work

@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr(onnx_export, "trace", lambda *args: pytest.fail("it traced"))


def test_what_is_no_model_of_this_kind_is_refused(target, no_work):
    pair = numbert.EncoderDecoderModel(
        encoder=numbert.BertModel(config()), decoder=numbert.BertLMHeadModel(
            config(is_decoder=True, add_cross_attention=True)))
    for model, says in ((pair, "an encoder-decoder, .*export its halves"),
                        (tiny().to_torch(), "computes with torch, expected one of"),
                        (tiny(dtype="float64"), 'float64, expected float32.*dtype="f'),
                        (tiny().to_torch().as_module(), "model is a Root, expected")):
        refuses(target, model, TypeError, says)


def test_what_is_too_large_for_one_file_is_refused(target, no_work, monkeypatch):
    monkeypatch.setattr(onnx_export, "MOST_BYTES", 1000)
    refuses(target, tiny(), ValueError, r"take [\d,]+ bytes, expected at most 1,000")


@pytest.mark.parametrize("inputs, says", [
    (["input_ids", "labels"], "inputs holds 'labels', expected some of input_ids, "),
    (["input_ids", "encoder_hidden_states"], "holds 'encoder_hidden_states'"),
    (["attention_mask"], "expected one of input_ids and inputs_embeds in it"),
    (["input_ids", "inputs_embeds"], "expected one of input_ids and inputs_embeds"),
    (["input_ids", "input_ids"], "input_ids twice")])
def test_inputs_that_do_not_fit_are_refused(target, no_work, inputs, says):
    refuses(target, tiny(), ValueError, says, inputs=inputs)


def test_a_place_that_does_not_fit_is_refused(target, no_work):
    refuses(target, tiny(), FileExistsError, "model.onnx exists, expected the name of",
            overwrite=False)
    for path, error in ((target.parent, IsADirectoryError),
                        (target.parent / "none" / "model.onnx", FileNotFoundError)):
        with pytest.raises(error, match="expected"):
            numbert.export_onnx(tiny(), path)
    assert len(list(target.parent.iterdir())) == 1


@pytest.mark.parametrize("package", ["torch", "onnx", "onnxruntime", "onnxscript"])
def test_each_package_that_is_absent_is_named(target, no_work, monkeypatch, package):
    model = tiny()
    monkeypatch.setitem(sys.modules, package, None)
    refuses(target, model, ImportError, rf"{package} is not installed, expected it .*"
            r'pip install "numbert\[torch,onnx\]"')


def test_a_torch_that_is_too_old_is_refused(target, no_work, monkeypatch):
    monkeypatch.setattr(torch, "__version__", type(torch.__version__)("2.6.1"))
    refuses(target, tiny(), ImportError, "torch is 2.6.1, expected 2.7 or newer")
