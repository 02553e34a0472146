"""Parameters: their names, their shapes, and the values they start from.

All parameters of a model are one flat dict {name: array} with the names and layouts of
Hugging Face's state dict.  Tied tensors appear in it once.
"""

from __future__ import annotations

import math

import numpy as np

from ..system.numbers import generator

DTYPES = ("float32", "float64")

# The MLM head's decoder is the word embedding table and its bias is the head's bias:
# alias -> the one name under which the tensor is stored.
TIES = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}


def linear_shapes(name: str, inputs: int, outputs: int) -> dict:
    """The shapes of a linear layer's weight, (out, in), and bias, (out,)."""
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm_shapes(name: str, width: int) -> dict:
    """The shapes of a LayerNorm's weight, its scale, and bias, its shift."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def attention_shapes(name: str, width: int) -> dict:
    """The shapes of an attention block, for self- or cross-attention."""
    return {**linear_shapes(f"{name}.self.query", width, width),
            **linear_shapes(f"{name}.self.key", width, width),
            **linear_shapes(f"{name}.self.value", width, width),
            **linear_shapes(f"{name}.output.dense", width, width),
            **norm_shapes(f"{name}.output.LayerNorm", width)}


def bert_shapes(config, pooler: bool) -> dict:
    """The shapes of the backbone: embeddings, layers and, if wanted, a pooler."""
    c, f = config.hidden_size, config.intermediate_size
    shapes = {
        "embeddings.word_embeddings.weight": (config.vocab_size, c),
        "embeddings.position_embeddings.weight": (config.max_position_embeddings, c),
        "embeddings.token_type_embeddings.weight": (config.type_vocab_size, c),
        **norm_shapes("embeddings.LayerNorm", c)}
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}"
        shapes |= attention_shapes(f"{layer}.attention", c)
        if config.add_cross_attention:
            shapes |= attention_shapes(f"{layer}.crossattention", c)
        shapes |= {**linear_shapes(f"{layer}.intermediate.dense", c, f),
                   **linear_shapes(f"{layer}.output.dense", f, c),
                   **norm_shapes(f"{layer}.output.LayerNorm", c)}
    if pooler:
        shapes |= linear_shapes("pooler.dense", c, c)
    return shapes


def lm_shapes(config) -> dict:
    """The shapes of the LM head; its decoder is listed only if it is not tied."""
    c, v = config.hidden_size, config.vocab_size
    shapes = {"cls.predictions.bias": (v,),
              **linear_shapes("cls.predictions.transform.dense", c, c),
              **norm_shapes("cls.predictions.transform.LayerNorm", c)}
    if not config.tie_word_embeddings:
        # HF: untied, the decoder has a bias of its own, and nothing uses `bias`.
        shapes |= linear_shapes("cls.predictions.decoder", c, v)
    return shapes


def class_count(config) -> int:
    """The number of classes K of a classifier, which needs at least one."""
    if config.num_labels < 1:
        raise ValueError("num_labels is 0, expected a whole number above 0 for a "
                         "classifier: pass num_labels=... or name the classes in "
                         "id2label")
    return config.num_labels


HEAD_SHAPES = {
    "lm": lm_shapes,
    "nsp": lambda config: linear_shapes("cls.seq_relationship", config.hidden_size, 2),
    "classifier": lambda config: linear_shapes(
        "classifier", config.hidden_size, class_count(config)),
    "choice": lambda config: linear_shapes("classifier", config.hidden_size, 1),
    "qa": lambda config: linear_shapes(
        "qa_outputs", config.hidden_size, config.num_labels),
}


def param_shapes(config, cls, pooler: bool | None = None) -> dict:
    """Return every parameter's name and shape, in Hugging Face's order.

    Initialisation, loading, counting and documentation all read this one table.

    Args:
        config: a BertConfig.
        cls: a model class; its `prefix`, `pooler` and `heads` say what it is made of.
        pooler: overrides cls.pooler, as BertModel's add_pooling_layer does.
    """
    pooler = cls.pooler if pooler is None else pooler
    shapes = {cls.prefix + name: shape
              for name, shape in bert_shapes(config, pooler).items()}
    for head in cls.heads:
        shapes |= HEAD_SHAPES[head](config)
    return shapes


def init(config, shapes: dict, rng, dtype) -> dict:
    """Return fresh parameters: weights drawn at random, biases 0, LayerNorm scales 1.

    HF: weights are N(0, initializer_range^2), and the [PAD] row of the word embeddings
    is zero.  (google-research/bert cuts the distribution off at two deviations.)

    Args:
        shapes: what to make, from param_shapes.
        rng: a numpy Generator, or a seed for one.
        dtype: of the result; one seed gives the same numbers in each, up to rounding.
    """
    if not shapes and type(rng) is int and rng >= 0:
        return {}                # a seed without use: numpy.random is slow to import
    rng = generator(rng)
    params = {}
    for name, shape in shapes.items():
        if name.endswith("LayerNorm.weight"):
            params[name] = np.ones(shape, dtype)
        elif name.endswith("bias"):
            params[name] = np.zeros(shape, dtype)
        else:
            draw = rng.standard_normal(shape) * config.initializer_range
            params[name] = draw.astype(dtype, copy=False)
        if name.endswith("word_embeddings.weight") and config.pad_token_id is not None:
            params[name][config.pad_token_id] = 0
    return params


def checked_dtype(dtype) -> np.dtype:
    """Return float32 or float64 as a NumPy dtype; refuse anything else."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise ValueError(f"dtype is {name!r}, expected one of {', '.join(DTYPES)}: "
                         "NumPy computes in these; half-precision files are converted."
                         "  To compute in half precision, with torch, pass a device")
    return np.dtype(name)


def checked_params(params: dict, shapes: dict) -> dict:
    """Return the parameters of a model, after checking names, shapes and dtypes."""
    found = {name: np.shape(x) for name, x in params.items()}
    wrong = [f"{name} {found.get(name, 'is missing')}, expected "
             f"{shapes.get(name, 'none')}" for name in {**shapes, **found}
             if found.get(name) != shapes.get(name)]
    if wrong:
        raise ValueError(f"params hold {'; '.join(wrong)}: take them from a model with "
                         "the same configuration")
    dtypes = {np.asarray(x).dtype.name for x in params.values()}
    if len(dtypes) != 1 or not dtypes <= {*DTYPES}:
        raise ValueError(f"params have the dtypes {sorted(dtypes)}, expected one of "
                         f"{', '.join(DTYPES)} for all: convert them with astype")
    return {name: params[name] for name in shapes}


def parts(params, prefix: str) -> list[tuple[str, int, int]]:
    """Return (part of the model, its tensors, their numbers), for a table.

    All layers are alike, so one row stands for each of them.

    params: {name: array}.  prefix: starts the names of the backbone.
    """
    found: dict[str, list[int]] = {}
    layers = {name.split("layer.")[1].split(".")[0] for name in params
              if ".layer." in name}
    for name, x in params.items():
        inner = name.removeprefix(prefix)
        place = inner.split(".")[0]
        if place == "encoder":
            place = f"each of {len(layers)} layers" if len(layers) > 1 else "the layer"
            if ".layer.0." not in name:
                continue
        elif place not in ("embeddings", "pooler"):
            place = "head"
        found.setdefault(place, []).append(math.prod(x.shape))
    return [(place, len(sizes), sum(sizes)) for place, sizes in found.items()]


def loaded_dtype(dtype, config, stored, torch=None) -> np.dtype:
    """Return the dtype to load; "auto" means the checkpoint's, if NumPy computes in it.

    torch: from torch_options.  Half precision is loaded as float32, and converted then;
    its dtype is filled in for "auto".
    """
    if torch is not None:
        if torch["dtype"] is None:
            torch["dtype"] = config.dtype or "float32"
        dtype = "float64" if str(torch["dtype"]).endswith("float64") else "float32"
    if dtype == "auto":
        kinds = [found.dtype for found in stored.values()]
        name = config.dtype or (kinds[0] if kinds else "")
        dtype = "float64" if name in ("float64", "F64") else "float32"
    return checked_dtype(dtype)


def tied_names(cls, config) -> dict[str, str]:
    """Return second names of tied parameters, {alias: name in params}."""
    return TIES if "lm" in cls.heads and config.tie_word_embeddings else {}
