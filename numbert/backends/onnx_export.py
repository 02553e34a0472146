"""A model as an ONNX file, which runs without numbert and without Python.

    numbert.export_onnx(model, "model.onnx")

    session = onnxruntime.InferenceSession("model.onnx")        # in the other program
    batch = tokenizer(texts, padding=True, return_tensors="np")
    logits, = session.run(["logits"], dict(batch))

torch traces the module of the model, see torch_module, with the sizes of the batch and
of the texts left open.  Attention is the "eager" one, so that a text which is all
padding gives what it gives in NumPy.  Before the file is put in place, onnxruntime
computes with it, at other sizes than those of the trace, and NumPy has to agree.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..models.base import BertPreTrainedModel
from ..system.saving import atomic_file

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
PAIR = ("the model is an encoder-decoder, which is two graphs, expected one of the "
        "nine classes: export its halves from Python, with numbert.export_onnx("
        "model.encoder, ...) and numbert.export_onnx(model.decoder, ...)")
MOST_BYTES = 2 ** 31 - 2 ** 24          # of parameters; one ONNX file holds 2 GiB


class Exported(NamedTuple):
    """An ONNX file that was written, and how it was checked."""

    path: Path
    inputs: dict[str, tuple]            # {name: its axes, names or sizes}
    outputs: dict[str, tuple]
    shapes: list[tuple[int, ...]]       # of the inputs with which it was checked
    errors: dict[str, tuple]            # {output: largest difference, the bound on it}


def export_onnx(model, path, *, inputs: Sequence[str] = INPUTS,
                overwrite: bool = False) -> Exported:
    """Write a model as an ONNX file, and check it with onnxruntime.

    The axes of the batch, the choices and the length of the texts stay open.  Outputs
    have the names that they have in transformers.  There is no loss, and no cache: a
    decoder computes all positions at each call.

    Args:
        model: one of the nine classes, computing with NumPy in float32.
        path: the file to write, such as "model.onnx".
        inputs: the arguments of the model that the graph reads: input_ids or
            inputs_embeds, and as many as you like of attention_mask, token_type_ids
            and position_ids, and in a decoder with cross-attention of
            encoder_hidden_states and encoder_attention_mask.
        overwrite: whether a file that is there may be replaced.

    Returns:
        the inputs and outputs of the graph, and how far it is from NumPy.

    Raises:
        ImportError: torch, onnx, onnxruntime or onnxscript is not installed.
        TypeError: the model is not one of the nine classes, or not NumPy's in float32.
        ValueError: an input is unknown, the model is too large for one file, or what
            onnxruntime computes is not what NumPy does; then no file is kept.
        FileExistsError: the file exists; see overwrite.
        OSError: the file can't be written.
    """
    tools()
    path = check_place(path, overwrite)
    check_model(model)
    open_axes = input_axes(model, inputs)
    with atomic_file(path) as temporary:
        names = trace(model, open_axes, temporary)
        found = compared(model, open_axes, names, temporary)
    return found._replace(path=path)


def tools():
    """Return the modules onnx, onnxruntime and torch.

    Raises:
        ImportError: one of them, or onnxscript, is not installed, or torch is too old.
    """
    try:
        import torch
        import onnx
        import onnxruntime
        import onnxscript                               # noqa: F401    torch needs it
    except ModuleNotFoundError as error:
        raise ImportError(f"{error.name} is not installed, expected it to export to "
                          'ONNX: pip install "numbert[torch,onnx]"') from None
    if torch.__version__ < "2.7":
        raise ImportError(f"torch is {torch.__version__}, expected 2.7 or newer to "
                          "export to ONNX: pip install --upgrade torch")
    return onnx, onnxruntime, torch


def check_place(path, overwrite: bool) -> Path:
    """Return the file to write, links resolved; refuse it if no file can go there.

    Raises:
        FileNotFoundError, IsADirectoryError: there is no such folder, or it is one.
        FileExistsError: the file exists, and is not to be replaced.
    """
    target = Path(path).resolve()        # a link stays; what it points to is replaced
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target.parent} is not a folder, expected one for "
                                f"{target.name}: make it first")
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder, expected a file: give a name such"
                                f" as {Path(path) / 'model.onnx'}")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{path} exists, expected the name of a new file: choose "
                              "another, or set overwrite (--overwrite) to replace it")
    return target


def check_model(model) -> None:
    """Refuse what is not one of the nine classes, in NumPy, float32 and 2 GiB."""
    if getattr(model, "halves", ()):
        raise TypeError(PAIR)
    if not isinstance(model, BertPreTrainedModel):
        raise TypeError(f"model is a {type(model).__name__}, expected one of numbert's "
                        "nine model classes: load one with from_pretrained")
    if "module" in vars(model):
        raise TypeError("the model computes with torch, expected one of NumPy, with "
                        "which the file is compared: save it with save_pretrained, and "
                        "load it without device")
    if model.dtype != np.float32:
        raise TypeError(f"the model is in {model.dtype}, expected float32, as "
                        "onnxruntime lacks erf, and so GELU, in float64: load it with "
                        'dtype="float32"')
    size = sum(x.nbytes for x in model.params.values())
    if size > MOST_BYTES:
        raise ValueError(f"the parameters take {size:,} bytes, expected at most "
                         f"{MOST_BYTES:,}, as one ONNX file holds 2 GiB: export a "
                         "smaller model")


# ------------------------------------------------------------------ inputs and outputs

def input_axes(model, inputs: Sequence[str]) -> dict[str, tuple]:
    """Return {input: its axes}: a name for each open one, the size of any other.

    Raises:
        ValueError: an input is unknown, or words are missing or given twice.
    """
    text: tuple = ("batch", "length") if model.rows == "B" else \
        ("batch", "choices", "length")
    known = {**dict.fromkeys((*INPUTS, "position_ids"), text),
             "inputs_embeds": (*text, model.config.hidden_size)}
    if model.config.add_cross_attention and hasattr(model.output, "cache"):
        known |= {"encoder_hidden_states": ("batch", "source",
                                            model.config.hidden_size),
                  "encoder_attention_mask": ("batch", "source")}
    for name in inputs:
        if name not in known:
            raise ValueError(f"inputs holds {name!r}, expected some of "
                             f"{', '.join(known)}: check the spelling")
    twice = [name for i, name in enumerate(inputs) if name in inputs[:i]]
    if twice:
        raise ValueError(f"inputs names {twice[0]} twice, expected each input once: "
                         "leave one out")
    if ("input_ids" in inputs) == ("inputs_embeds" in inputs):
        raise ValueError(f"inputs is {', '.join(inputs)}, expected one of input_ids "
                         "and inputs_embeds in it: name one of them")
    return {name: known[name] for name in inputs}


def example(model, axes: dict[str, tuple], batch: int, length: int) -> dict:
    """Return random inputs of a size, as arrays; each text has a word that counts."""
    config, rng = model.config, np.random.default_rng(batch)
    sizes = {"batch": batch, "choices": 3, "length": length, "source": length + 1}
    limits = {"input_ids": config.vocab_size, "token_type_ids": config.type_vocab_size,
              "position_ids": config.max_position_embeddings}
    found = {}
    for name, names in axes.items():
        shape = tuple(sizes.get(axis, axis) for axis in names)
        if name in limits:
            found[name] = rng.integers(0, limits[name], shape)
        elif name.endswith("mask"):
            found[name] = rng.integers(0, 2, shape)
            found[name][..., 0] = 1
        else:
            found[name] = rng.standard_normal(shape).astype(model.dtype)
    return found


def outputs_of(output) -> dict:
    """Return {name: array or tensor} of an output: no cache, no states of layers."""
    return {name: x for name, x in output.items() if hasattr(x, "shape")}


# ---------------------------------------------------------------------------- tracing

def trace(model, axes: dict[str, tuple], path: Path) -> list[str]:
    """Write the graph of a model to a file, and return the names of its outputs."""
    _, _, torch = tools()
    from .torch_module import Flat
    flat = Flat(model.to_torch(attn_implementation="eager").as_module().eval(), axes)
    given = example(model, axes, 2, min(model.config.max_position_embeddings, 8))
    names = list(outputs_of(model(**given, return_dict=True)))
    opened = tuple({i: axis for i, axis in enumerate(names) if isinstance(axis, str)}
                   for names in axes.values())
    with quiet():
        torch.onnx.export(flat, tuple(map(torch.tensor, given.values())), path,
                          dynamo=True, verbose=False, external_data=False,
                          input_names=list(axes), output_names=names,
                          dynamic_shapes={"tensors": opened})
    return names


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what torch says about its own code and about packages it does not find."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


# --------------------------------------------------------------------------- checking

def compared(model, axes: dict[str, tuple], names: list[str], path: Path) -> Exported:
    """Compute with a file, at two sizes of its own, and with NumPy; see export_onnx."""
    session = opened(path)
    longest = model.config.max_position_embeddings
    calls = [example(model, axes, batch, length) for batch, length in
             ((1, longest), (3, max(1, longest // 2)))]
    wanted = [outputs_of(model(**given, return_dict=True)) for given in calls]
    got = [computed(session, names, given) for given in calls]
    errors = {}
    for i, name in enumerate(names):
        pairs = [(one[i], want[name]) for one, want in zip(got, wanted)]
        # A single logit may be 0 by chance; LayerNorm gives numbers of about 1.
        bound = rounding(model) * max(1, *(np.abs(want).max() for _, want in pairs))
        errors[name] = distance(name, pairs), float(bound)
        if not errors[name][0] <= bound:                # not a number is no success
            raise ValueError(
                f"{name} in onnxruntime is off from NumPy by {errors[name][0]:.3g}, "
                f"expected at most {bound:.3g}, so no file is kept: check that the "
                "weights are finite, and try other versions of torch and onnxruntime")
    return Exported(path, axes_of(session.get_inputs()), axes_of(session.get_outputs()),
                    [next(iter(given.values())).shape for given in calls], errors)


def opened(path: Path):
    """Return a session of onnxruntime for a file that is valid ONNX."""
    onnx, onnxruntime, _ = tools()
    try:
        onnx.checker.check_model(path, full_check=True)
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:             # their exceptions have no class in common
        raise refused(error) from None


def computed(session, names: list[str], given: dict) -> list[np.ndarray]:
    """Return the outputs of these names, computed by onnxruntime."""
    try:
        return session.run(names, given)
    except Exception as error:
        raise refused(error) from None


def refused(error: Exception) -> ValueError:
    """Return the error for a file that can't be used."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return ValueError(f"onnxruntime can't use the file ({reason}), expected it to "
                      "compute, so no file is kept: try other versions of torch, onnx "
                      "and onnxruntime")


def distance(name: str, pairs) -> float:
    """Return the largest difference in pairs of arrays; nan if one holds nan."""
    for got, want in pairs:
        if got.shape != want.shape:
            raise ValueError(f"{name} has shape {got.shape} in onnxruntime, expected "
                             f"{want.shape}, so no file is kept: try another version of"
                             " torch")
    return float(np.max([np.abs(got - want).max() for got, want in pairs]))


def axes_of(values) -> dict[str, tuple]:
    """Return {name: axes} of the inputs or the outputs of a session."""
    return {x.name: tuple(x.shape) for x in values}


def rounding(model) -> float:
    """Return the largest error that rounding explains, as a share of the peak.

    Rounding makes a sum of n numbers wrong by about sqrt(n) eps; n counts the terms on
    the way through all layers and the head.
    """
    config = model.config
    terms = (1 + config.num_hidden_layers) * (
        4 * config.hidden_size + config.intermediate_size)
    return (2 * math.sqrt(terms) + 8) * float(np.finfo(model.dtype).eps)
