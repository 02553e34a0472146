"""Candidates of every kind: what they give, and what they say when they can't."""

import json
import os
import sys
import time
import warnings

import numpy as np
import pytest

from numbert.models.trace import GRADIENT
from numbert.system.checkpoint import read_file
from numbert.system.saving import write_tensors
from numbert.verify.adapters import (called, from_folder, from_program, from_torch,
                                     program_file)
from numbert.verify.cases import TABLE, make_case
from numbert.verify.names import parse_rules, rename
from numbert.verify.propose import propose
from numbert.verify.results import CandidateError
from numbert.verify.run import UPDATE, PARAMETER, run

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def hugging_face(attention="eager", dtype=torch.float64):
    """A function that makes the transformers model of a case, its weights random."""
    def make(case):
        config = transformers.BertConfig(**case.config)
        config._attn_implementation = attention
        return getattr(transformers, case.kind)(config).to(dtype)
    return make


def misses(got, want, bound):
    """The names whose entries differ by more than bound times the largest entry.

    The gradient of a key's bias is 0, and what a candidate gives is rounding alone.
    """
    return [name for name in want if name in got and not np.allclose(
        got[name], want[name], rtol=0, atol=bound * (np.abs(want[name]).max() + 0.01))]


# ------------------------------------------------------------------------- called

def test_what_a_function_gives_comes_as_arrays():
    given = called(lambda case: {"loss": 1.5, "x": [1, 2],
                                 "t": torch.ones(2).bfloat16()}, make_case("choice"))
    assert {name: (x.dtype.kind, x.shape) for name, x in given.items()} == {
        "loss": ("f", ()), "x": ("i", (2,)), "t": ("f", (2,))}


def boom(case):
    raise ValueError("layer \x1b[2J")


@pytest.mark.parametrize("candidate, says", [
    (boom, r"case choice: the candidate raised ValueError: layer \u001b["),
    (lambda case: sys.exit(0), "the candidate raised SystemExit: 0"),
    (lambda case: None, "gave a NoneType, expected {pack name: array}"),
    (lambda case: {3: np.ones(1)}, "gave the name 3, expected a string"),
    (lambda case: {"loss": {}}, "loss is a dict, expected an array"),
    (lambda case: {"loss": [[1], [2, 3]]}, "loss is a list, expected an array"),
    (lambda case: {"loss": np.array([{}])}, "loss is an array of object,"),
])
def test_a_function_that_gives_no_tensors_is_one_clear_error(candidate, says):
    with pytest.raises(CandidateError) as error:
        called(candidate, make_case("choice"))
    assert str(error.value).startswith("case choice: ")
    assert "\x1b" not in str(error.value)
    assert says in str(error.value)


def test_ctrl_c_is_not_an_error_of_the_candidate():
    def stop(case):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        called(stop, make_case("choice"))


# -------------------------------------------------------------------------- torch

@pytest.mark.parametrize("attention, lacks", [
    ("eager", {"scores"}), ("sdpa", {"scores", "probs"})])
@pytest.mark.parametrize("name", TABLE)
def test_transformers_gives_all_but_the_scores(name, attention, lacks):
    case = make_case(name)
    want, got = run(case), called(from_torch(hugging_face(attention)), case)
    missing = {x for x in want if x not in got and not UPDATE.fullmatch(x)}
    lacks = lacks | {"mlm_loss", "nsp_loss", "start_loss", "end_loss"}
    if "inputs_embeds" in case.inputs:
        lacks |= {"word_embeddings"}
    assert {x.split(".")[-1].removeprefix(GRADIENT) for x in missing} <= lacks
    assert set(got) < set(want)
    assert sum(x.startswith(GRADIENT) for x in got) > 10
    assert {x for x in want if x.startswith(PARAMETER)} <= set(got)
    # scaled_dot_product_attention has a rule of its own for rows without a key, and
    # huge scores cancel.  transformers computes the causal loss in float32.
    if attention == "eager" or name not in ("decoder", "tokens", "huge-scores"):
        assert not misses(got, want, 1e-6 if name == "decoder" else 1e-10)
    assert ("loss" in misses(got, want, 1e-10)) == (name == "decoder")


@pytest.mark.parametrize("dtype, autocast, bound", [
    (torch.float32, None, 1e-4), (torch.float32, torch.bfloat16, 0.3),
    (torch.float32, "bfloat16", 0.3), (torch.bfloat16, None, 0.5)])
def test_other_precisions_are_what_they_say(dtype, autocast, bound):
    case = make_case("classification")
    want = run(case)
    got = called(from_torch(hugging_face(dtype=dtype), autocast=autocast), case)
    assert not misses(got, want, bound)
    assert len(misses(got, want, bound / 1e4)) > 20       # and not a better one
    assert all(x.dtype == np.float32 for x in got.values())


def test_a_module_in_training_mode_runs_without_dropout():
    case = make_case("masked-lm")
    make = hugging_face()
    got = called(from_torch(lambda case: make(case).train()), case)
    assert not misses(got, run(case), 1e-10)


class Outside(torch.nn.Module):
    """Passes arguments on to a transformers model, as a tuple or as a dictionary."""

    def __init__(self, case, give):
        super().__init__()
        self.give, inner = give, hugging_face()(case)
        for name, child in inner.named_children():
            setattr(self, name, child)
        object.__setattr__(self, "inner", inner)

    def forward(self, **arguments):
        return self.give(self.inner(**arguments))


@pytest.mark.parametrize("name, give", [
    ("classification", lambda out: out.to_tuple()),
    ("classification", lambda out: {"loss": out.loss}),
    ("classification", lambda out: out.loss),
    ("model", lambda out: (out.last_hidden_state, out.pooler_output))])
def test_outputs_are_read_by_name_or_in_order(name, give):
    case = make_case(name)
    want = run(case)
    got = called(from_torch(lambda case: Outside(case, give)), case)
    assert not misses(got, want, 1e-10)
    assert {x for x in want if x.startswith(PARAMETER)} <= set(got)


def test_a_module_that_cannot_go_back_gives_its_forward_pass():
    case = make_case("classification")
    got = called(from_torch(lambda case: Outside(case, lambda out: out.loss.detach())),
                 case)
    assert "loss" in got and not [x for x in got if ":" in x]


def test_a_parameter_that_gets_no_gradient_has_the_gradient_0():
    """Left out, it would look like a step that the candidate can't show."""
    class Cut(torch.nn.Module):
        def __init__(self, pooler):
            super().__init__()
            self.dense, self.activation = pooler.dense, pooler.activation

        def forward(self, x):
            return self.activation(self.dense(x[:, 0]).detach()).requires_grad_()

    def make(case):
        model = hugging_face()(case)
        model.bert.pooler = Cut(model.bert.pooler)
        return model

    got = called(from_torch(make), make_case("classification"))
    assert not got["dparam:bert.pooler.dense.weight"].any()
    assert got["dparam:classifier.weight"].any()


def test_what_a_hook_saw_stays_when_it_is_written_over():
    def make(case):
        model = hugging_face()(case)
        model.bert.encoder.layer[0].intermediate.dense.register_forward_hook(
            lambda module, args, out: out.mul_(3))
        return model

    case = make_case("classification")
    want, got = run(case), called(from_torch(make), case)
    place = "bert.encoder.layer.0.intermediate.dense"
    # This hook came first: numbert's sees what flows on, and notes it at once.
    assert np.allclose(got[place], 3 * want[place], rtol=1e-12)


def loaded(case):
    """A module that its maker fills, so that its names do not matter."""
    model = hugging_face()(case)
    model.load_state_dict({name: torch.from_numpy(x) for name, x in
                           case.params.items()}, strict=False)
    return model


def test_names_of_its_own_are_all_given():
    case = make_case("classification")
    got = called(from_torch(loaded, load=False), case)
    assert {"bert.encoder.layer.0", "bert.encoder.layer.0.attention.self.1",
            "grad:bert.encoder.layer.0.attention.self.0", "loss",
            "bert.encoder.layer.0.output.LayerNorm.in"} <= set(got)
    want = run(case)
    assert np.allclose(got["bert.encoder.layer.0"],
                       want["bert.encoder.layer.0.output.out"], rtol=0, atol=1e-12)


def test_rules_for_names_of_its_own_are_found(tmp_path):
    """All steps but the scores, which transformers does not show."""
    cases = [make_case(name) for name in ("model", "pretraining", "decoder")]
    candidate = from_torch(loaded, load=False)
    truth = {case.name: run(case) for case in cases}
    seen = {case.name: called(candidate, case) for case in cases}
    found = parse_rules(json.loads(propose(truth, seen, form="json")), "proposal")
    for case in cases:
        got = rename(found, seen[case.name], case)
        assert {name.split(".")[-1] for name in truth[case.name] if name not in got} \
            <= {"scores", "mlm_loss", "nsp_loss"}
        assert not misses(got, truth[case.name], 1e-6)


class NoSegments(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Linear(2, 2)

    def forward(self, input_ids, attention_mask):
        return input_ids


def renamed(case):
    model = hugging_face()(case)
    model.bert.encoder.layers = model.bert.encoder.layer
    del model.bert.encoder.layer
    return model


def too_much(case):
    model = hugging_face()(case)
    model.extra = torch.nn.Linear(2, 2)
    return model


@pytest.mark.parametrize("make, says", [
    (renamed, "no weight bert.encoder.layer.0.attention.self.query.weight, expected "
              "Hugging Face's names; nearest: bert.encoder.layers.0.attention.self.q"),
    (too_much, "the case has no weight extra.weight, expected those of"),
    (lambda case: hugging_face()(case._replace(config={**case.config,
                                                       "intermediate_size": 21})),
     "intermediate.dense.weight is (21, 12) in the module, expected (20, 12)"),
    (lambda case: torch.nn.Identity(), "the module has no weight"),
    (lambda case: Outside(case, lambda out: {"logits": out.logits}),
     "Outside gave no loss, expected loss; it gave: logits"),
    (lambda case: 7, "AttributeError")])
def test_a_module_that_does_not_fit_is_one_clear_error(make, says):
    with warnings.catch_warnings(), pytest.raises(CandidateError) as error:
        called(from_torch(make), make_case("classification"))
    assert says in str(error.value)


def test_an_argument_that_forward_lacks_is_named():
    with pytest.raises(CandidateError, match="NoSegments.forward has no argument "
                       "token_type_ids, expected .*: input_ids, attention_mask"):
        called(from_torch(lambda case: NoSegments(), load=False),
               make_case("classification"))


# ----------------------------------------------------------------------- programs

def program(tmp_path, text, timeout=20.0):
    """The candidate of a Python script; `given` and `made` are its two files."""
    path = tmp_path / "program.py"
    path.write_text("import os, sys, time, signal, subprocess\n"
                    f"given, made = sys.argv[1:]\n{text}\n")
    return from_program([sys.executable, str(path)], timeout=timeout)


def test_a_program_gets_the_case_and_gives_tensors(tmp_path):
    copy = program(tmp_path, f"import shutil; shutil.copy(given, {str(tmp_path)!r} + "
                             "'/seen.safetensors'); shutil.copy(given, made)")
    case = make_case("multi-label")
    got = called(copy, case)
    tensors, metadata = program_file(case)
    assert set(got) == set(tensors) == set(read_file(tmp_path / "seen.safetensors"))
    for name, x in tensors.items():
        assert got[name].dtype == x.dtype and np.array_equal(got[name], x)
    assert np.array_equal(got["param:classifier.weight"],
                          case.params["classifier.weight"])
    assert np.array_equal(got["in:labels"], case.inputs["labels"])
    assert got["config.num_labels"] == 5 and got["config.num_labels"].dtype == np.int64
    assert got["config.layer_norm_eps"] == 1e-12 and got["config.is_decoder"] == 0
    assert metadata == {"case": "multi-label", "class": case.kind, "hidden_act": "gelu",
                        "problem_type": "multi_label_classification"}
    from safetensors import safe_open
    with safe_open(tmp_path / "seen.safetensors", "numpy") as file:
        assert file.metadata() == metadata
    assert {"cot:last_hidden_state", "cot:pooler_output"} < set(
        program_file(make_case("model"))[0])


def test_a_program_may_write_bfloat16(tmp_path):
    from safetensors.torch import save_file
    save_file({"loss": torch.tensor(1.5).bfloat16()}, tmp_path / "choice.safetensors")
    loss = called(from_folder(tmp_path), make_case("choice"))["loss"]
    assert loss == 1.5 and loss.dtype == np.float32 and loss.shape == ()


@pytest.mark.parametrize("text, says", [
    ("print('out\\x1b[2J of', file=sys.stderr); print('luck'); sys.exit(3)",
     ["failed (exit code 3)", "\n  out\\u001b[2J of", "\n  luck"]),
    ("os.kill(os.getpid(), signal.SIGKILL)",
     ["failed (signal 9 ended it)", "(nothing)"]),
    ("pass", ["out.safetensors was not written"]),
    ("os.mkdir(made)", ["out.safetensors was not written"]),
    ("open(made, 'w')", ["out.safetensors is empty (0 bytes)"]),
    ("x = open(given, 'rb').read(); open(made, 'wb').write(x[:len(x) // 2])",
     ["out.safetensors (", "is cut short or has another format"]),
    ("open(made, 'w').write('loss 1.5')", ["is cut short or has another format"])])
def test_a_program_that_fails_is_one_clear_error(tmp_path, text, says):
    with pytest.raises(CandidateError) as error:
        called(program(tmp_path, text), make_case("choice"))
    for part in ["case choice: ", *says]:
        assert part in str(error.value)
    assert "\x1b" not in str(error.value)


def test_only_the_end_of_what_a_program_printed_is_shown(tmp_path):
    with pytest.raises(CandidateError) as error:
        called(program(tmp_path, "print('x' * 10**6 + '\\nlast'); sys.exit(1)"),
               make_case("choice"))
    assert len(str(error.value)) < 3000 and str(error.value).endswith("\n  last")


def test_a_program_that_hangs_is_stopped_with_what_it_started(tmp_path):
    child = tmp_path / "child"
    hang = program(tmp_path, "child = subprocess.Popen(['sleep', '60'])\n"
                   f"open({str(child)!r}, 'w').write(str(child.pid))\ntime.sleep(60)",
                   timeout=2)
    start = time.time()
    with pytest.raises(CandidateError, match="ran for more than 2 seconds and was"):
        called(hang, make_case("choice"))
    assert time.time() - start < 20
    assert not alive(int(child.read_text()))


def alive(pid):
    """Whether a process still runs, a few seconds from now."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat") as file:
                if file.read().split(")")[-1].split()[0] == "Z":    # nobody waits
                    return False
        except (ProcessLookupError, FileNotFoundError):
            return False
        time.sleep(0.1)
    return True


def test_what_cannot_be_started_is_named(tmp_path):
    case = make_case("choice")
    plain = tmp_path / "plain"
    plain.write_text("no program")
    for path in (tmp_path / "nowhere", plain, tmp_path):
        with pytest.raises(CandidateError, match="could not be started .* expected a "):
            called(from_program([str(path)]), case)


@pytest.mark.parametrize("argv, timeout, says", [
    ("./bert", 10, "argv is './bert', expected a list"), ([], 10, "argv is \\[\\]"),
    (["./bert"], 0, "timeout is 0, expected seconds above 0"),
    (["./bert"], float("nan"), "timeout is nan")])
def test_arguments_of_a_program_are_checked(argv, timeout, says):
    with pytest.raises(ValueError, match=says):
        from_program(argv, timeout=timeout)


# ------------------------------------------------------------------------ folders

def test_a_folder_gives_what_lies_in_it(tmp_path):
    write_tensors({"loss": np.array(2.5)}, tmp_path / "choice.safetensors", {})
    candidate = from_folder(tmp_path)
    assert called(candidate, make_case("choice")) == {"loss": 2.5}
    assert called(candidate, make_case("tokens")) == {}
    (tmp_path / "tokens.safetensors").write_bytes(b"")
    with pytest.raises(CandidateError, match=r"case tokens: .* is empty \(0 bytes\)"):
        called(candidate, make_case("tokens"))


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(CandidateError, match="is not a folder"):
        from_folder(tmp_path / "nowhere")
    with pytest.raises(CandidateError, match="holds no results"):
        from_folder(tmp_path)
