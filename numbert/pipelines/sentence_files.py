"""How a sentence-transformers checkpoint wants its vectors made.

modules.json lists the modules that a text goes through: a Transformer, a Pooling, and
any number of others.  Each has a folder of its own, except the first.

Source: the files that sentence-transformers 6.2 reads and writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..bert.activations import ACTIVATIONS
from ..system import checkpoint
from ..system.hub import resolve
from ..system.jsonfiles import read_json
from ..system.numbers import is_whole_number
from .sentences import POOLINGS, dense, layer_norm, unit

FILES = ("config.json", "modules.json", "sentence_bert_config.json",
         "config_sentence_transformers.json")
FOLDER = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
OWN = "sentence_transformers."                   # begins the type of a known module
AGAIN = ("load it in sentence-transformers and save it again, or make the vectors "
         "there")
OLD_POOLINGS = {"pooling_mode_lasttoken": "lasttoken"} | {
    f"pooling_mode_{old}": new for old, new in (
        ("cls_token", "cls"), ("max_tokens", "max"), ("mean_tokens", "mean"),
        ("mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("weightedmean_tokens", "weightedmean"))}
# torch.nn's activations without settings, by the names that BERT's have.
TORCH_ACTIVATIONS = {
    "Identity": "linear", "Tanh": "tanh", "ReLU": "relu", "ReLU6": "relu6",
    "GELU": "gelu", "SiLU": "silu", "Sigmoid": "sigmoid", "LeakyReLU": "leaky_relu",
    "Mish": "mish", "Hardswish": "hardswish"}
# What a module's files may say without a change to the vectors.
PLAIN_TEXT = {"transformer_task": "feature-extraction",
              "module_output_name": "token_embeddings",
              "modality_config": {"text": {"method": "forward",
                                           "method_output_name": "last_hidden_state"}}}
SENTENCE = {"module_input_name": "sentence_embedding",
            "module_output_name": "sentence_embedding"}


def sentence_settings(name_or_path, **hub) -> dict[str, Any]:
    """Return the arguments of `embed` that a sentence-transformers checkpoint asks for.

    Args:
        name_or_path: a folder with a checkpoint, or a name on the Hugging Face hub.
        **hub: where and how to look for it; the arguments of system.hub.resolve.

    Returns:
        a dict with what modules.json and the files of its modules set of pooling,
        include_prompt, steps, max_length, do_lower_case, prompts, prompt_name and
        truncate_dim; an empty dict for a plain checkpoint, which has no modules.json.

    Raises:
        OSError: a file is missing.
        ValueError: a file is not what it should be, or asks for something that numbert
            does not do: a module, a setting or an activation that it does not know.
    """
    directory = resolve(name_or_path, FILES, **hub)
    if not (directory / "modules.json").is_file():
        return {}
    modules = read_modules(directory)
    if not Path(name_or_path).is_dir():
        fetch_modules(name_or_path, directory, modules, hub)
    settings = {**text_settings(directory), **prompt_settings(directory)}
    steps: list[Callable] = []
    for kind, folder in modules[1:]:
        for file in ("config.json", "model.safetensors"):
            checkpoint.check_inside(directory, f"{folder}/{file}")
        config = optional(directory / folder / "config.json")
        if kind == "Pooling":
            settings.update(pooling_settings(config, directory / folder))
        else:
            steps += STEPS[kind](config, directory / folder)
            check_widths(directory, settings["pooling"], steps, directory / folder)
    return {**settings, "steps": tuple(steps)} if steps else settings


def fetch_modules(name: str, directory: Path, modules: list[tuple[str, str]],
                  hub: dict) -> None:
    """Fetch the files of the modules of a repository, from the commit of the others.

    directory: where the others are: the folder of their commit, and the subfolder.
    """
    inside = PurePosixPath(hub.get("subfolder") or "")
    commit = directory.parents[len(inside.parts) - 1] if inside.parts else directory
    resolve(name, ["modules.json", *(
        f"{folder}/{file}" for _, folder in modules if folder
        for file in ("config.json", "model.safetensors"))],
        **{**hub, "revision": commit.name})


def check_widths(directory: Path, pooling: str | tuple[str, ...],
                 steps: list[Callable], folder: Path) -> None:
    """Refuse the last of the steps, that of `folder`, if it does not fit the others."""
    width: Any = optional(directory / "config.json").get("hidden_size")
    if not is_whole_number(width):
        return                                   # BertConfig says what is wrong
    width *= 1 if isinstance(pooling, str) else len(pooling)
    for step in steps:
        weight = getattr(step, "keywords", {}).get("weight")   # (E, C), or (C,)
        if weight is None:
            continue
        if weight.shape[-1] != width:
            raise ValueError(f"{folder}: a vector has {width} values, expected "
                             f"{weight.shape[-1]}: {AGAIN}")
        width = len(weight)


def read_modules(directory: Path) -> list[tuple[str, str]]:
    """Return the (type, folder) of each module of modules.json, checked."""
    path = directory / "modules.json"
    modules = []
    for entry in read_json(path, list, "a JSON list of modules"):
        kind = entry.get("type") if isinstance(entry, dict) else None
        name = str(kind).rpartition(".")[2]
        if not str(kind).startswith(OWN) or name not in (
                "Transformer", "Pooling", *STEPS):
            raise ValueError(
                f"{path} names a module of type {kind!r}, expected Transformer, "
                f"Pooling, {', '.join(STEPS)} of sentence-transformers: {AGAIN}")
        folder = entry.get("path")
        if folder != "" if name == "Transformer" else not (
                isinstance(folder, str) and FOLDER.fullmatch(folder)):
            expected = "'', the folder of modules.json itself" \
                if name == "Transformer" else "the name of a folder beside it"
            raise ValueError(f"{path} puts the module {name} into {folder!r}, expected "
                             f"{expected}: {AGAIN}")
        modules.append((name, folder))
    if [name for name, _ in modules[:2]] != ["Transformer", "Pooling"] or \
            len([1 for name, _ in modules if name in ("Transformer", "Pooling")]) > 2:
        raise ValueError(f"{path} lists {', '.join(name for name, _ in modules)}, "
                         "expected Transformer, Pooling, and then others: "
                         f"{AGAIN}")
    return modules


# ----------------------------------------------------------- what the files set

def text_settings(directory: Path) -> dict[str, Any]:
    """Return what sentence_bert_config.json says: max_length and do_lower_case."""
    path = directory / "sentence_bert_config.json"
    given, settings = optional(path), {}
    longest = taken(given, path, "max_seq_length", None, "a whole number of at least 3",
                    lambda value: is_whole_number(value) and value >= 3)
    if longest is not None:
        # HF: a number above the model's own is no error as long as texts are short.
        positions = optional(directory / "config.json").get("max_position_embeddings")
        settings["max_length"] = min(longest, positions) \
            if is_whole_number(positions) else longest
    if truth(given, path, "do_lower_case", False):
        settings["do_lower_case"] = True
    given.pop("unpad_inputs", None)              # how to compute, not what
    nothing_else(given, path, PLAIN_TEXT)
    return settings


def prompt_settings(directory: Path) -> dict[str, Any]:
    """Return what config_sentence_transformers.json says: prompts, truncate_dim."""
    path = directory / "config_sentence_transformers.json"
    given, settings = optional(path), {}
    prompts = taken(given, path, "prompts", {}, "an object of texts", lambda value:
                    isinstance(value, dict) and all(
                        text is None or isinstance(text, str)
                        for text in value.values()))
    if prompts:
        settings["prompts"] = {name: text or "" for name, text in prompts.items()}
    name = taken(given, path, "default_prompt_name", None, "the name of a prompt",
                 lambda value: isinstance(value, str) and value in (prompts or {}))
    if name is not None:
        settings["prompt_name"] = name
    count = taken(given, path, "truncate_dim", None, "a whole number of at least 1",
                  lambda value: is_whole_number(value) and value >= 1)
    if count is not None:
        settings["truncate_dim"] = count
    for name in ("__version__", "similarity_fn_name"):       # not about vectors
        given.pop(name, None)
    nothing_else(given, path, {"model_type": "SentenceTransformer"})
    return settings


def pooling_settings(config: dict, folder: Path) -> dict[str, Any]:
    """Return what a Pooling module says: pooling and include_prompt."""
    path = folder / "config.json"
    if not config:
        raise FileNotFoundError(f"{path} is missing or empty, expected the settings of "
                                "the module Pooling: download the checkpoint again")
    old = {name: truth(config, path, name, False) for name in OLD_POOLINGS}
    # HF: several old names are joined in the order of POOLINGS; none means the mean.
    names = [name for name in POOLINGS
             if any(old[key] for key, new in OLD_POOLINGS.items() if new == name)]
    names = taken(config, path, "pooling_mode", names or ["mean"], "a name, or a list "
                  f"of names, out of {', '.join(POOLINGS)}", known_poolings)
    names = [names] if isinstance(names, str) else names
    settings: dict[str, Any] = {
        "pooling": names[0] if len(names) == 1 else tuple(names)}
    if not truth(config, path, "include_prompt", True):
        settings["include_prompt"] = False
    for name in ("word_embedding_dimension", "embedding_dimension"):   # the model's
        config.pop(name, None)
    nothing_else(config, path, {})
    return settings


def known_poolings(value) -> bool:
    """Whether a value is the name of a pooling, or a list of such names."""
    names = [value] if isinstance(value, str) else value
    return isinstance(names, list) and names != [] and all(
        isinstance(name, str) and name in POOLINGS for name in names)


# ------------------------------------------------------------------------------- steps

def dense_steps(config: dict, folder: Path) -> list[Callable]:
    """Return a Dense module as a step.  HF: the activation is Tanh by default."""
    path = folder / "config.json"
    e, c = (size(config, path, name) for name in ("out_features", "in_features"))
    bias = truth(config, path, "bias", True)
    residual = truth(config, path, "use_residual", False)
    name = config.pop("activation_function", "torch.nn.modules.activation.Tanh")
    short = name.rpartition(".")[2] if str(name).startswith("torch.nn.") else ""
    if short not in TORCH_ACTIVATIONS:
        raise ValueError(f"activation_function in {path} is {name!r}, expected one of "
                         f"torch.nn's {', '.join(TORCH_ACTIVATIONS)}: {AGAIN}")
    nothing_else(config, path, SENTENCE)
    shapes = {"linear.weight": (e, c), **({"linear.bias": (e,)} if bias else {}),
              **({"residual.weight": (e, c)} if residual and c != e else {})}
    arrays = weights(folder, shapes)
    return [partial(dense, weight=arrays["linear.weight"],
                    bias=arrays.get("linear.bias"), residual=residual,
                    shortcut=arrays.get("residual.weight"),
                    activation=ACTIVATIONS[TORCH_ACTIVATIONS[short]])]


def layer_norm_steps(config: dict, folder: Path) -> list[Callable]:
    """Return a LayerNorm module as a step."""
    width = size(config, folder / "config.json", "dimension")
    nothing_else(config, folder / "config.json", {})
    arrays = weights(folder, {"norm.weight": (width,), "norm.bias": (width,)})
    return [partial(layer_norm, weight=arrays["norm.weight"],
                    bias=arrays["norm.bias"])]


def normalize_steps(config: dict, folder: Path) -> list[Callable]:
    """Return a Normalize module as a step."""
    nothing_else(config, folder / "config.json", SENTENCE)
    return [unit]


def dropout_steps(config: dict, folder: Path) -> list[Callable]:
    """Return no step: dropout is for training."""
    return []


STEPS: dict[str, Callable] = {"Dense": dense_steps, "LayerNorm": layer_norm_steps,
                              "Normalize": normalize_steps, "Dropout": dropout_steps}


def weights(folder: Path, shapes: dict) -> dict[str, np.ndarray]:
    """Return a module's tensors, which must have these names and shapes."""
    file = folder / "model.safetensors"
    if not file.is_file():
        pickle = folder / "pytorch_model.bin"
        raise FileNotFoundError(
            f"{folder} holds {'only ' + pickle.name if pickle.is_file() else 'no'} "
            "weights, expected model.safetensors, as a pickle can run code: load the "
            "checkpoint in sentence-transformers and save it again")
    found, report = checkpoint.load(folder, shapes, dtype="float64", base_prefix="")
    if report.missing or report.unexpected:
        raise ValueError(f"{file} holds {', '.join([*found, *report.unexpected])}, "
                         f"expected {', '.join(shapes)}: download it again")
    return found


# --------------------------------------------------------------- reading one setting

def optional(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file, or an empty dict if there is no file."""
    return read_json(path) if path.is_file() else {}


def taken(given: dict, path: Path, name: str, default, expected: str,
          allowed: Callable) -> Any:
    """Take a setting out of a file's; a null counts as left out."""
    value = given.pop(name, None)
    if value is None:
        return default
    if not allowed(value):
        raise ValueError(f"{name} in {path} is {value!r}, expected {expected}: {AGAIN}")
    return value


def truth(given: dict, path: Path, name: str, default: bool) -> bool:
    """Take a boolean out of a file's settings."""
    return taken(given, path, name, default, "true or false",
                 lambda value: isinstance(value, bool))


def size(given: dict, path: Path, name: str) -> int:
    """Take a size out of a file's settings, which must name it."""
    if given.get(name) is None:
        raise ValueError(f"{name} is missing in {path}, expected a whole number of at "
                         "least 1: download the file again")
    return taken(given, path, name, None, "a whole number of at least 1",
                 lambda value: is_whole_number(value) and value >= 1)


def nothing_else(given: Mapping, path: Path, plain: Mapping) -> None:
    """Refuse a setting that would change the vectors in a way that numbert lacks."""
    for name, value in given.items():
        if value not in (None, {}, []) and value != plain.get(name):
            expected = repr(plain[name]) if name in plain else "no such setting"
            raise ValueError(f"{name} in {path} is {value!r}, expected {expected}: "
                             f"{AGAIN}")
