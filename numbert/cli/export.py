"""numbert export: a checkpoint as a file that runs without numbert."""

from __future__ import annotations

import os
import warnings
from typing import Any

from . import common

EXAMPLES = """\
  numbert export --to onnx --model DIR --out model.onnx
  numbert export --to onnx --model DIR --out model.onnx --class BertModel"""
DESCRIPTION = """\
Write a checkpoint as an ONNX file, for onnxruntime and other programs.  The sizes of
the batch and the length of the texts stay open.  Inputs and outputs have the names that
they have in transformers.  Before the file is put in place, onnxruntime computes with
it, and NumPy has to agree.  This needs numbert[torch,onnx]."""


def register(command, name: str) -> None:
    """Say what `numbert export` takes."""
    common.describe(command, run, EXAMPLES, DESCRIPTION)
    common.add_model(command)
    command.add_argument("--to", choices=("onnx",), required=True,
                         help="the format: onnx")
    command.add_argument("--out", metavar="FILE", required=True,
                         help="where to write it, such as model.onnx")
    command.add_argument("--class", metavar="NAME", dest="model_class",
                         help="which of the nine model classes to load; default: the "
                              "one that config.json names")
    command.add_argument("--overwrite", action="store_true",
                         help="replace FILE if it exists")


def run(args) -> None:
    """Export a checkpoint, and print what the file reads and gives."""
    from ..backends.onnx_export import check_place, export_onnx, tools
    from ..system.places import refuse_inputs
    place = common.model_folder(args.model)
    check_place(args.out, args.overwrite)
    refuse_inputs(args.out, model=place)
    tools()                              # says what to install, before a model is read
    model = loaded(place, args.model_class)
    show(model, export_onnx(model, args.out, overwrite=args.overwrite))


def loaded(place: str, name: str | None) -> Any:
    """Load a checkpoint as a class, or as the one that its config.json names.

    Raises:
        ValueError: there is no such class, or the checkpoint lacks its trained head.
    """
    from ..models.classes import BertModel
    refuse_pair(place)
    cls = class_named(name) if name else saved_class(place)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\w+ (starts fresh|does not use)")
        model, report = cls.from_pretrained(place, output_loading_info=True)
        missing = sorted(report["missing_keys"])
        if missing and cls is BertModel:
            return cls.from_pretrained(place, add_pooling_layer=False)
    saved_as = set(model.config.architectures or [cls.__name__])
    other = cls.heads and not saved_as & {cls.__name__, BertModel.__name__, *cls.fits}
    if missing or other:
        found = f"lacks {', '.join(missing)}" if missing else \
            f"was saved as {', '.join(saved_as)}"
        raise ValueError(f"{place} {found}, expected the trained head of a "
                         f"{cls.__name__}: train one, or pass --class BertModel to "
                         "export what is below the head")
    return model


def refuse_pair(place: str) -> None:
    """Refuse an encoder-decoder."""
    from ..backends.onnx_export import PAIR
    from ..models.encoder_decoder_config import EncoderDecoderConfig
    from ..system.hub import resolve
    from ..system.jsonfiles import read_json
    config = read_json(resolve(place, ("config.json",)) / "config.json")
    if config.get("model_type") == EncoderDecoderConfig.model_type:
        raise ValueError(PAIR)


def class_named(name: str) -> Any:
    """Return the model class of this name."""
    classes = model_classes()
    if name not in classes:
        raise ValueError(f"--class is {name!r}, expected one of {', '.join(classes)}: "
                         "correct it")
    return classes[name]


def saved_class(place: str) -> Any:
    """Return the model class that a checkpoint was saved as."""
    from ..models.config import BertConfig
    config = BertConfig.from_pretrained(place)
    named = config.architectures or ["no class"]
    classes = model_classes()
    if named[0] not in classes:
        raise ValueError(f"config.json of {place} names {named[0]}, expected one of "
                         f"{', '.join(classes)}: say which it is with --class NAME")
    return classes[named[0]]


def model_classes() -> dict[str, Any]:
    """Return {name: class} of the nine model classes."""
    from ..models import classes
    from ..models.base import BertPreTrainedModel
    return {name: cls for name, cls in vars(classes).items()
            if isinstance(cls, type) and issubclass(cls, BertPreTrainedModel)
            and cls.__module__ == classes.__name__}


def show(model, made) -> None:
    """Print what was written, and how it was checked."""
    print(f"{made.path}: {type(model).__name__}, {model.num_parameters():,} parameters,"
          f" {common.size(os.path.getsize(made.path))}\n")
    rows = [("reads", name, axes) for name, axes in made.inputs.items()]
    rows += [("gives", name, axes) for name, axes in made.outputs.items()]
    width = max(len(name) for _, name, _ in rows)
    for what, name, axes in rows:
        shape = f"({', '.join(map(str, axes))})"
        found = made.errors.get(name)
        print(f"  {what} {name:{width}}  {shape}" + (
            f", off from NumPy by {found[0]:.1e}, bound {found[1]:.1e}" if found
            else ""))
    sizes = " and ".join(" x ".join(map(str, shape)) for shape in made.shapes)
    print(f"\nchecked with onnxruntime on {sizes} tokens")
