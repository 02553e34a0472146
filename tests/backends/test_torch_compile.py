"""The modules of all nine classes under torch.compile and torch.export."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import numbert  # noqa: E402
from cases import labels_for, mask_of  # noqa: E402
from common import (  # noqa: E402
    B, CLASSES, SMALL, T, assert_near, bound, config, ids, stressed)

LONGEST = SMALL["max_position_embeddings"]


def small(cls, dtype="float64"):
    """A module of a class, of one layer, with stress weights; and its configuration."""
    cfg = config(num_hidden_layers=1, is_decoder=cls is numbert.BertLMHeadModel)
    return stressed(cls, cfg, dtype).to_torch().as_module().eval(), cfg


def shape_of(cls, batch=B, length=T):
    """The shape of ids that a class takes."""
    return (batch, 3, length) if cls is numbert.BertForMultipleChoice else \
        (batch, length)


def leaves(output):
    """The tensors of an output, those of a cache too."""
    return torch.utils._pytree.tree_leaves(output)


# ------------------------------------------------------------------------- compiling

def in_a_process_of_its_own(function, **environment):
    """Run a function of this file: torch.compile remembers what it compiled before."""
    code = f"import test_torch_compile as here; here.{function}()"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment})
    assert said.returncode == 0, said.stderr


def both(cls, backend, dtype):
    """A module of a class, compiled as one graph or not at all, and inputs for it."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    module, cfg = small(cls, dtype)
    given = {"input_ids": ids(shape_of(cls)), **labels_for(cls, cfg, shape_of(cls))}
    return module, torch.compile(module, fullgraph=True, backend=backend), {
        name: torch.tensor(x) for name, x in given.items()}


def outputs_and_gradients(module, parameters, inputs):
    """What a module gives, and the gradients of its loss or of all its outputs."""
    output = module(**inputs)
    start = output.get("loss", sum(x.square().sum() for x in leaves(output)))
    return leaves(output) + list(torch.autograd.grad(start, parameters,
                                                     allow_unused=True))


def compile_all():
    """One graph without a mask and one with it, forward and backward, bit for bit."""
    for cls in CLASSES:
        module, compiled, inputs = both(cls, "aot_eager", "float64")
        mask = torch.tensor(mask_of(shape_of(cls), "right"))
        for given in (inputs, {**inputs, "attention_mask": mask}):
            want, got = (outputs_and_gradients(f, list(module.parameters()), given)
                         for f in (module, compiled))
            assert len(got) == len(want)
            for one, other in zip(got, want):
                assert torch.equal(one, other), cls
        assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 2, cls
        assert not torch._dynamo.utils.counters["graph_break"], cls


def test_each_class_compiles_into_one_graph():
    in_a_process_of_its_own("compile_all")


def compile_to_machine_code():
    """Forward only, as the compiler of C++ is slow."""
    module, compiled, inputs = both(numbert.BertModel, "inductor", "float32")
    with torch.no_grad():
        for one, other in zip(leaves(compiled(**inputs)), leaves(module(**inputs))):
            assert_near(one, other, bound("float32", 200, other.abs().max().item()))


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_machine_code_computes_the_same(tmp_path):
    in_a_process_of_its_own("compile_to_machine_code",
                            TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.rglob("*.so"))                      # what g++ made


# ------------------------------------------------------------------------- exporting

@pytest.mark.parametrize("cls", CLASSES)
def test_each_class_exports_with_sizes_left_open(cls):
    module, _ = small(cls)
    inputs = {"input_ids": torch.tensor(ids(shape_of(cls))),
              "attention_mask": torch.ones(shape_of(cls), dtype=torch.long)}
    length = torch.export.Dim("length", max=LONGEST)
    sizes = {0: torch.export.Dim("batch"), len(shape_of(cls)) - 1: length}
    program = torch.export.export(module, (), inputs,
                                  dynamic_shapes={name: sizes for name in inputs})
    for batch, length in ((3, 7), (1, 1), (4, LONGEST)):
        shape = shape_of(cls, batch, length)
        x, mask = ids(shape), np.ones(shape, np.int64)
        mask[0, ..., 4:] = 0
        x, mask = torch.tensor(x), torch.tensor(mask)
        got, want = program.module()(input_ids=x, attention_mask=mask), module(x, mask)
        assert type(got) is type(want)
        assert len(leaves(got)) == len(leaves(want)) > 0
        for one, other in zip(leaves(got), leaves(want)):
            assert torch.equal(one, other), shape
