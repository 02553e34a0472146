"""as_module: an ordinary torch.nn.Module with the names of transformers."""

import copy
import io
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import numbert  # noqa: E402
from common import B, CLASSES, T, config, ids, stressed, twin  # noqa: E402

TIED = [(cls, tied) for cls in CLASSES for tied in (True, False)]


def small(cls, **changes):
    """A module of a class with stress weights."""
    return stressed(cls, config(**changes)).to_torch().as_module()


def shape_of(module):
    """The shape of ids that a module takes."""
    choices = isinstance(module.model, numbert.BertForMultipleChoice)
    return (B, 3, T) if choices else (B, T)


@pytest.mark.parametrize("cls, tied", TIED)
def test_names_order_and_ties_are_those_of_transformers(cls, tied):
    model = stressed(cls, config(tie_word_embeddings=tied))
    hf, module = twin(model), model.to_torch().as_module()
    want, got = hf.state_dict(), module.state_dict()
    assert list(got) == list(want)
    assert [name for name, _ in module.named_parameters()] == [
        name for name, _ in hf.named_parameters()]
    for name in want:
        assert torch.equal(got[name], want[name]), name
    groups = [{frozenset(n for n in state if state[n].data_ptr() == x.data_ptr())
               for x in state.values()} for state in (want, got)]
    assert groups[0] == groups[1]
    module.load_state_dict({name: x + 1 for name, x in want.items()})
    assert torch.equal(model.to_torch().params[next(iter(want))] + 1,
                       module.model.params[next(iter(want))])


def test_a_module_shares_its_parameters_with_the_torch_model_only():
    model = stressed(numbert.BertModel)
    other = model.to_torch()
    before = model(ids())[0]
    with torch.no_grad():
        for x in other.as_module().parameters():
            x.zero_()
    assert not other(ids())[0].any()
    assert np.array_equal(model(ids())[0], before)


def test_five_steps_of_adamw_are_those_of_transformers():
    model = stressed(numbert.BertForMaskedLM)
    hf, module = twin(model, "sdpa").train(), model.to_torch().as_module().train()
    x, losses = torch.tensor(ids()), []
    for one in (hf, module):
        torch.manual_seed(0)
        optimizer = torch.optim.AdamW(one.parameters(), lr=1e-2)
        losses.append([])
        for _ in range(5):
            loss = one(input_ids=x, labels=x).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses[-1].append(loss.item())
    assert losses[0] == losses[1] and losses[0][0] > losses[0][-1]


@pytest.mark.parametrize("cls", [numbert.BertForMaskedLM, numbert.BertLMHeadModel])
def test_pickle_and_deepcopy(cls):
    module = small(cls).eval()
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    x = torch.tensor(ids())
    want = module(x).logits
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)),
                  torch.load(file, weights_only=False)):
        assert torch.equal(other(x).logits, want)
        with torch.no_grad():
            next(other.parameters()).zero_()        # the copy reads its own parameters
        assert not torch.equal(other(x).logits, want)
        assert torch.equal(module(x).logits, want)


def test_functional_call_reads_the_parameters_it_is_given():
    module = small(numbert.BertModel).eval()
    x = torch.tensor(ids())
    params = {name: torch.zeros_like(p) for name, p in module.named_parameters()}
    assert not torch.func.functional_call(module, params, (x,))[0].any()
    assert module(x)[0].any()

    def loss(params, x):
        return torch.func.functional_call(module, params, (x[None],))[1].sum()

    params = {name: p.detach() for name, p in module.named_parameters()}
    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(params, x)
    module(x)[1].sum().backward()
    for name, p in module.named_parameters():
        assert torch.allclose(each[name].sum(0), p.grad, rtol=0, atol=1e-12), name


def test_hooks_see_each_layer_and_checkpointing_changes_nothing():
    from torch.distributed.algorithms._checkpoint import checkpoint_wrapper
    module, x, seen = small(numbert.BertModel).eval(), torch.tensor(ids()), []
    layers = module.encoder.layer
    for layer in layers:
        layer.register_forward_pre_hook(
            lambda layer, args: seen.append(args[2].shape))
    module(x)[1].sum().backward()
    want = [p.grad.clone() for p in module.parameters()]
    assert seen == [(B, T, 12)] * 2 and len(layers) == 2
    module.zero_grad()
    for i, layer in enumerate(layers):
        layers[i] = checkpoint_wrapper.checkpoint_wrapper(layer)
    module(x)[1].sum().backward()
    assert len(seen) == 6                       # forward, and each layer once more
    for p, grad in zip(module.parameters(), want):
        assert torch.equal(p.grad, grad)


@pytest.mark.parametrize("cls", CLASSES)
def test_outputs_can_be_taken_apart_and_put_together(cls):
    from torch.utils import _pytree
    module = small(cls, is_decoder=cls is numbert.BertLMHeadModel).eval()
    out = module(torch.tensor(ids(shape_of(module))))
    leaves, spec = _pytree.tree_flatten(out)
    assert leaves and all(isinstance(x, torch.Tensor) for x in leaves)
    again = _pytree.tree_unflatten(leaves, spec)
    assert type(again) is type(out) and again.keys() == out.keys()


def test_autocast_as_in_transformers():
    model = stressed(numbert.BertForSequenceClassification, dtype="float32")
    x = torch.tensor(ids())
    results = []
    for module in (twin(model, "sdpa"), model.to_torch().as_module().eval()):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = module(input_ids=x, labels=torch.tensor([0, 1])).loss
        loss.backward()
        results.append([loss.item(), *(p.grad for p in module.parameters())])
    assert results[0][0] == results[1][0]
    for a, b in zip(results[0][1:], results[1][1:]):
        assert torch.equal(a, b)


def test_gradient_scaling_as_in_transformers():
    """In float16, some steps are skipped, as gradients overflow, and some are taken."""
    model = stressed(numbert.BertForSequenceClassification, dtype="float32")
    x, runs = torch.tensor(ids()), []
    for module in (twin(model, "sdpa"), model.to_torch().as_module().eval()):
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0 ** 19, growth_interval=3)
        log = []
        for _ in range(7):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                loss = module(input_ids=x, labels=torch.tensor([0, 1])).loss
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            log.append((loss.item(), scaler.get_scale()))
        runs.append((log, list(module.parameters())))
    assert runs[0][0] == runs[1][0]
    for a, b in zip(runs[0][1], runs[1][1]):
        assert torch.equal(a, b)
    losses, scales = zip(*runs[1][0])
    assert scales == tuple(2.0 ** n for n in (18, 18, 18, 19, 18, 18, 18))
    assert losses[0] == losses[1] > losses[2] > losses[3] > losses[4] == losses[5]


def test_a_numpy_model_has_no_module():
    with pytest.raises(TypeError, match="to_torch"):
        stressed(numbert.BertModel).as_module()
