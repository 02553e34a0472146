"""The leaf operations on tensors of torch; their backward is autograd's.

Each returns (out, None): there is nothing to save.  Where torch has one kernel for an
operation, that kernel is used, since it computes in float32 inside, also on tensors of
half precision.  See bert/ops, bert/activations and bert/losses for the shapes.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    raise ImportError("torch is not installed, expected it for to_torch and "
                      "from_pretrained(..., device=...): pip install "
                      '"numbert[torch]"') from None

from ..bert.activations import LAPLACE_MEAN, LAPLACE_SPREAD
from ..bert.losses import IGNORE_INDEX
from ..bert.ops import GELU_TANH_CUBE

CAUSAL = "causal"           # the mask that hides later positions and nothing else


# ------------------------------------------------------ look-ups, products, LayerNorm

def linear(x, w, b=None):
    return F.linear(x, w, b), None


def embedding(ids, table):
    return F.embedding(ids, table), None


def word_embedding(ids, table, padding_idx=None):
    return F.embedding(ids, table, padding_idx), None


def first_token(x):
    return x[:, 0], None


def layer_norm(x, w, b, eps):
    return F.layer_norm(x, w.shape, w, b, eps), None


def dropout(x, rate, rng):
    return (x if rng is None or rate == 0 else F.dropout(x, rate)), None


# -------------------------------------------------------------------------- attention

def attention_scores(q, k):
    return (q * (1 / math.sqrt(q.shape[-1]))) @ k.swapaxes(-1, -2), None


def mask_scores(scores, mask):
    """mask: additive, see additive_mask; None hides nothing."""
    return (scores if mask is None else scores + cast(mask, scores.dtype)), None


def softmax(scores):
    return F.softmax(scores, -1), None


def weighted_sum(probs, v):
    return probs @ v, None


def sdpa(p, q, k, v, mask):
    """Attention in one operation, which never holds the probabilities.

    q (B, N, T, D), k (B, N, S, D), v (B, N, S, D) -> out (B, N, T, D)
    mask: additive with -inf; CAUSAL; or None.
    HF: a row that may attend to no key gives 0, where eager attention is uniform.
    """
    rate = 0.0 if p.run.rng is None else p.run.config.attention_probs_dropout_prob
    causal = mask is CAUSAL
    mask = None if mask is None or causal else cast(mask, q.dtype)
    return F.scaled_dot_product_attention(q, k, v, mask, rate, causal), None


def additive_mask(mask, dtype, lowest=None):
    """Turn True = may attend into 0, and False into the lowest score.

    lowest: by default half the lowest number of the dtype, since its sum with a score
    stays finite.  So a row without any key is uniform, as in NumPy.
    """
    lowest = torch.finfo(dtype).min / 2 if lowest is None else lowest
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(
        ~mask, lowest)


def cast(mask, dtype):
    """Return an additive mask in the dtype that autocast gave the scores."""
    if mask.dtype == dtype:
        return mask
    if torch.finfo(dtype).max < torch.finfo(mask.dtype).max:
        least = torch.finfo(dtype).min / 2
        mask = torch.where(mask.isinf(), mask, mask.clamp(min=least))
    return mask.to(dtype)


# ------------------------------------------------------------------------ activations

def identity(x):
    return x, None


def gelu(x):
    return F.gelu(x), None


def gelu_tanh(x):
    return F.gelu(x, approximate="tanh"), None


def gelu_fast(x):
    inner = 0.7978845608 * (x + GELU_TANH_CUBE * x * x * x)
    return 0.5 * x * (1 + torch.tanh(inner)), None


def gelu_10(x):
    return F.gelu(x).clamp(max=10), None


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x), None


def relu(x):
    return F.relu(x), None


def relu2(x):
    return F.relu(x).square(), None


def relu6(x):
    return F.relu6(x), None


def leaky_relu(x):
    return F.leaky_relu(x), None


def silu(x):
    return F.silu(x), None


def mish(x):
    return F.mish(x), None


def hardswish(x):
    return F.hardswish(x), None


def sqrt_softplus(x):
    return F.softplus(x).sqrt(), None


def laplace(x):
    z = (x - LAPLACE_MEAN) * (1 / (LAPLACE_SPREAD * math.sqrt(2)))
    return 0.5 * (1 + torch.erf(z)), None


def tanh(x):
    return torch.tanh(x), None


def sigmoid(x):
    return torch.sigmoid(x), None


# ----------------------------------------------------------------------------- losses

def cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, count=None):
    logits, labels = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
    return mean(F.cross_entropy, logits, labels, count, ignore_index=ignore_index)


def mse(outputs, targets, count=None):
    return mean(F.mse_loss, outputs, targets.to(outputs.dtype), count)


def bce_with_logits(logits, targets, count=None):
    return mean(F.binary_cross_entropy_with_logits, logits, targets.to(logits.dtype),
                count)


def mean(loss, outputs, labels, count, **options):
    """Return the mean of a loss; with a count, its sum divided by that."""
    if count is None:
        return loss(outputs, labels, **options), None
    return loss(outputs, labels, reduction="sum", **options) / count, None


class Table(SimpleNamespace):
    """A table of leaf operations, of which pickle and deepcopy keep only the name."""

    def __reduce__(self):
        return "TORCH"


TORCH = Table(**{f.__name__: f for f in (
    linear, embedding, word_embedding, first_token, layer_norm, dropout,
    attention_scores, mask_scores, softmax, weighted_sum, identity, gelu, gelu_tanh,
    gelu_fast, gelu_10, quick_gelu, relu, relu2, relu6, leaky_relu, silu, mish,
    hardswish, sqrt_softplus, laplace, tanh, sigmoid, cross_entropy, mse,
    bce_with_logits)})
