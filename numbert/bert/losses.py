"""Losses: pure pairs like ops.  Each gives a scalar of the dtype of its logits."""

import numpy as np

IGNORE_INDEX = -100         # a label of this value has no part in the loss


def log_softmax(x):
    """x (..., K) -> out (..., K): log of the softmax, by shifting to the largest."""
    x = x - x.max(-1, keepdims=True)                       # (..., K)  at most 0
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, count=None):
    """Mean of -log p(label) over the rows whose label is not ignored.

    logits (R, K), labels (R,) -> loss ()
    count: what to divide the sum by instead of the number of labels that count.
    HF: if every label is ignored the mean is 0 / 0 = nan (and the gradient 0).
    """
    used = labels != ignore_index                          # (R,)
    logp = log_softmax(logits)                             # (R, K)
    safe = np.where(used, labels, 0)                       # (R,)
    losses = -logp[np.arange(len(logp)), safe]             # (R,)
    total = losses.sum(where=used, dtype=logits.dtype)
    count = int(used.sum()) if count is None else count
    loss = total / count if count else total * float("nan")
    return loss, (logp, safe, used, count)


def cross_entropy_backward(dloss, saved):
    """dloss () -> dlogits (R, K): (softmax - one-hot) / count, 0 where ignored.

    A row with label c has the loss -log p_c = log(sum_j exp z_j) - z_c.  Its derivative
    by z_k is exp z_k / sum_j exp z_j - 1[k = c], which is softmax_k - one-hot_k.
    The loss is the sum of the rows used, over count: hence dloss / count.
    """
    logp, safe, used, count = saved
    dlogits = np.exp(logp)                                 # (R, K)
    dlogits[np.arange(len(logp)), safe] -= 1
    dlogits *= dloss / max(count, 1)
    dlogits[~used] = 0
    return dlogits


def mse(outputs, targets):
    """Mean squared error, over every entry.

    outputs (...), targets (...) -> loss ()
    """
    difference = outputs - targets                         # (...)
    return np.mean(difference * difference), difference


def mse_backward(dloss, saved):
    """dloss () -> doutputs (...): 2 (outputs - targets) / number of entries

    d/do of (o - t)^2 is 2 (o - t), and a mean of n entries gives each 1 / n of it.
    """
    return saved * (2 * dloss / max(saved.size, 1))


def bce_with_logits(logits, targets):
    """Mean of -[t log s + (1 - t) log(1 - s)], s = sigmoid(logits), over every entry.

    logits (...), targets (...) -> loss ()
    Written as max(x, 0) - x t + log(1 + exp(-|x|)), in which nothing overflows.
    """
    tail = np.exp(-np.abs(logits))                         # (...)  in (0, 1]
    losses = np.maximum(logits, 0) - logits * targets + np.log1p(tail)
    s = np.where(logits >= 0, 1, tail) / (1 + tail)        # (...)  sigmoid(logits)
    return np.mean(losses), (s, targets)


def bce_with_logits_backward(dloss, saved):
    """dloss () -> dlogits (...): (sigmoid(logits) - targets) / number of entries

    With s = 1 / (1 + exp(-x)) an entry's loss is log(1 + exp(x)) - x t.  Its derivative
    is exp(x) / (1 + exp(x)) - t = s - t, and a mean of n gives each entry 1 / n of it.
    """
    s, targets = saved
    return (s - targets) * (dloss / max(s.size, 1))
