"""The parameters of a torch model, as a module with Hugging Face's names.

The module is a tree of parts without code.  A block is a function, and the stack runs
each layer through the part of its name.  So what torch and others hang on a module
(hooks, checkpoint wrappers, FSDP) sees each layer's call.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import torch_ops     # noqa: F401    it says what to install if torch is absent
from ..models import outputs
from ..models.cache import DynamicCache, EncoderDecoderCache

import torch


class Part(torch.nn.Module):
    """A node of the tree; it runs a block, which finds its parameters below it."""

    def forward(self, block, *arguments):
        return block(*arguments)


class Root(torch.nn.Module):
    """A whole model as an ordinary torch.nn.Module; `as_module` returns it.

    Its names, their order and ties in state_dict are those of transformers.  A call
    takes the arguments of the model's class, and returns the same output, in tensors.
    In training mode, where a new module is, dropout acts.
    """

    def __init__(self, model):
        super().__init__()
        self.model = model

    def extra_repr(self) -> str:
        return type(self.model).__name__

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, *others, **options):
        return run(self, input_ids, attention_mask, token_type_ids, position_ids,
                   inputs_embeds, *others, **options)


class PairRoot(Root):
    """An encoder-decoder as a module: its arguments come in another order."""

    def forward(self, *inputs, **options):
        return run(self, *inputs, **options)


def run(root, *inputs, **options):
    """Call the model of a root: with dropout in training mode, and for tensors."""
    if root.training:
        options.setdefault("rng", True)
    return root.model.forward(*inputs, keep=False, tensors=True, **options)[0]


class Flat(torch.nn.Module):
    """A module whose inputs and outputs are tensors in order, as ONNX has them.

    Args:
        module: a Root.
        inputs: the names of its arguments, in order.
    """

    def __init__(self, module, inputs):
        super().__init__()
        self.module, self.inputs = module, tuple(inputs)

    def forward(self, *tensors):
        output = self.module(**dict(zip(self.inputs, tensors)), return_dict=True)
        return tuple(x for x in output.values() if isinstance(x, torch.Tensor))


class Parameters(Mapping):
    """The parameters of a module: {name: the tensor that is there now}.

    A tensor is looked up each time, as FSDP, `to` and functional_call replace them.

    Args:
        root: the module.
        names: the full names of the parameters.
    """

    def __init__(self, root, names):
        self.root = root
        self.places = {name: place(root, name) for name in names}

    def __getitem__(self, name: str):
        part, last = self.places[name]
        return part._parameters[last]

    def __iter__(self):
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, name) -> bool:
        return name in self.places

    def __setitem__(self, name: str, value) -> None:
        raise TypeError(f"{name} cannot be replaced in a torch model, expected a change"
                        " in place: with torch.no_grad(): model.params[name].copy_(...)"
                        ", or change the NumPy model before to_torch")


def place(root, name: str):
    """Return the part in which a parameter is, and the last word of its name."""
    path, _, last = name.rpartition(".")
    return root.get_submodule(path), last


def plant(root, tensors: dict, aliases: dict[str, str]) -> None:
    """Put tensors into the tree under a root, each under its name.

    aliases: {second name: name}.  Second names come last, as in transformers.
    """
    for name, tensor in tensors.items():
        register(root, name, torch.nn.Parameter(tensor))
    for alias, name in aliases.items():
        part, last = place(root, name)
        register(root, alias, part._parameters[last])


def register(root, name: str, parameter) -> None:
    """Register a parameter, and the parts on the way to it."""
    part, (*path, last) = root, name.split(".")
    for word in path:
        if word not in part._modules:
            part.add_module(word, torch.nn.ModuleList() if word == "layer" else Part())
        part = part._modules[word]
    part.register_parameter(last, parameter)


def call(block, p, *arguments):
    """Run a block through the part of the tree that its scope names; see Run.call."""
    part = p.arrays.root.get_submodule(p.prefix[:-1])
    return part(block, p, *arguments)


# ------------------------- what a model returns, for export, DDP and FSDP to look into

def flatten(output):
    names = output.keys()
    return [getattr(output, name) for name in names], tuple(names)


def flatten_cache(cache):
    return [list(layer) for layer in cache.layers], None


def flatten_both(cache):
    return [cache.self_attention_cache, cache.cross_attention_cache], None


def open_to_torch(cls, flat, made) -> None:
    """Let torch look into objects of a class.

    flat: object -> list of what it holds, and its names; made: these -> object.
    """
    def with_keys(x):
        values, names = flat(x)
        return [(torch.utils._pytree.MappingKey(name), value) for name, value
                in zip(names or range(len(values)), values)], names

    torch.utils._pytree.register_pytree_node(
        cls, flat, made, serialized_type_name=f"{cls.__module__}.{cls.__name__}",
        flatten_with_keys_fn=with_keys)


def open_all() -> None:
    """Let torch look into what a model returns."""
    for cls in outputs.ModelOutput.__subclasses__() + \
            outputs.MaskedLMOutput.__subclasses__():
        open_to_torch(cls, flatten, lambda values, names, cls=cls:
                      cls(**dict(zip(names, values))))
    open_to_torch(DynamicCache, flatten_cache, lambda layers, _: DynamicCache(layers))
    open_to_torch(EncoderDecoderCache, flatten_both,
                  lambda pair, _: EncoderDecoderCache(*pair))


open_all()
