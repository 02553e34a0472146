"""What many tests share: stress weights, small configurations, bounds, the HF twin."""

import numpy as np
import pytest

import numbert

# Small, distinct and awkward: a swapped axis cannot pass.  C = N D = 3 * 4.
SMALL = dict(vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
             intermediate_size=19, max_position_embeddings=11, type_vocab_size=2)
B, T, S = 2, 5, 7

CLASSES = (numbert.BertModel, numbert.BertForPreTraining, numbert.BertLMHeadModel,
           numbert.BertForMaskedLM, numbert.BertForNextSentencePrediction,
           numbert.BertForSequenceClassification, numbert.BertForMultipleChoice,
           numbert.BertForTokenClassification, numbert.BertForQuestionAnswering)


def config(**changes):
    """A small configuration."""
    return numbert.BertConfig(**{**SMALL, **changes})


def stress(params, rng=0):
    """Weights under which no mistake hides: LayerNorm != 1, biases != 0, large scores.

    At BERT's own initialisation a swap of two LayerNorms changes nothing at all.
    """
    rng = np.random.default_rng(rng)
    values = {}
    for name, x in params.items():
        noise = rng.standard_normal(x.shape)
        if name.endswith("LayerNorm.weight"):
            value = 1 + 0.3 * noise
        elif name.endswith("bias"):
            value = 0.3 * noise
        elif "_embeddings." in name:
            value = 0.5 * noise
        else:
            value = 1.3 / np.sqrt(x.shape[1]) * noise
        values[name] = value.astype(x.dtype)
    return values


def stressed(cls, cfg=None, dtype="float64", rng=0, **options):
    """A model of this class with stress weights."""
    model = cls(config() if cfg is None else cfg, dtype=dtype, **options)
    model.params = stress(model.params, rng)
    return model


def ids(shape=(B, T), vocab=SMALL["vocab_size"], rng=0):
    """Random token ids."""
    return np.random.default_rng(rng).integers(1, vocab, shape)


def assert_near(got, want, bound, what=""):
    """Every entry within `bound` (absolute); nan only beside nan, and equal shapes."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: {got.shape}, not {want.shape}"
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore"):                        # inf - inf
        error = np.where(same, 0, np.abs(got - want))
    error = np.where(np.isnan(error), np.inf, error)           # nan on one side only
    if error.size and not error.max() <= bound:
        at = np.unravel_index(error.argmax(), error.shape)
        raise AssertionError(
            f"{what}{[int(i) for i in at] or ''} is {got[at]}, expected {want[at]}: "
            f"off by {error[at]:.3g}, bound {bound:.3g}")


def bound(dtype, size=1, scale=1.0):
    """Rounding of a sum of `size` terms of magnitude `scale`: (2 sqrt(n) + 8) eps."""
    return (2 * np.sqrt(size) + 8) * float(np.finfo(dtype).eps) * scale


def twin(model, attention="eager"):
    """The Hugging Face model of the same class, configuration and weights, in eval."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    values = model.config.to_dict()
    values.pop("dtype", None)
    cfg = transformers.BertConfig(**values)
    cfg._attn_implementation = attention
    extra = {} if type(model) is not numbert.BertModel else \
        {"add_pooling_layer": model.pooler}
    hf = getattr(transformers, type(model).__name__)(cfg, **extra)
    hf = hf.to(getattr(torch, str(model.dtype))).eval()
    state = {name: torch.tensor(x) for name, x in model.params.items()}
    missing, unexpected = hf.load_state_dict(state, strict=False)
    tied = set(getattr(hf, "_tied_weights_keys", None) or {})
    assert not unexpected and set(missing) <= tied, (missing, unexpected)
    hf.tie_weights()
    return hf


def of_today():
    """Skip a test of what older versions of transformers do otherwise.

    Python 3.10 gets 5.20 at most.
    """
    transformers = pytest.importorskip("transformers")
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    if version < (5, 24):
        pytest.skip(f"needs transformers 5.24, not {transformers.__version__}")


def to_torch(inputs):
    """NumPy arrays as tensors."""
    import torch
    return {name: torch.tensor(x) if isinstance(x, np.ndarray) else x
            for name, x in inputs.items()}
