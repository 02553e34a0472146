"""Losses: pure pairs like those of ops.  Each gives one number, of the logits' dtype.

A loss is a mean: a sum divided by `count`.  By default that is the number of labels
that are not ignored, and for mse and bce_with_logits the number of entries.  Training
gives the count of the whole batch when it computes the batch in parts.
"""

import numpy as np

from .ops import rows, sigmoid

IGNORE_INDEX = -100         # a label of this value has no part in the loss


def log_softmax(x):
    """The logarithm of the softmax; subtracting the largest entry avoids overflow.

    x (..., K) -> out (..., K)
    """
    x = x - x.max(-1, keepdims=True)                       # (..., K)  at most 0
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, count=None):
    """The mean of -log p(label) over all labels that are not ignored.

    logits (..., K), labels (...) -> loss ()
    HF: if every label is ignored, the mean is 0 / 0 = nan, and its gradient 0.
    """
    labels = labels.reshape(-1)                            # (R,)
    used = labels != ignore_index                          # (R,)
    logp = log_softmax(rows(logits))                       # (R, K)
    safe = np.where(used, labels, 0)                       # (R,)
    losses = -logp[np.arange(len(logp)), safe]             # (R,)
    total = losses.sum(where=used, dtype=logits.dtype)
    count = int(used.sum()) if count is None else count
    loss = total / count if count else total * float("nan")
    return loss, (logits.shape, logp, safe, used, count)


def cross_entropy_backward(dloss, saved):
    """dloss () -> dlogits (..., K): (softmax - one-hot) / count, 0 where ignored.

    A label c has the loss -log p_c = log(sum_j exp z_j) - z_c.  Its derivative with
    respect to z_k is exp z_k / sum_j exp z_j - 1[k = c], or softmax_k - one-hot_k.
    The loss is a sum over labels divided by count: hence the factor dloss / count.
    """
    shape, logp, safe, used, count = saved
    dlogits = np.exp(logp)                                 # (R, K)
    dlogits[np.arange(len(logp)), safe] -= 1
    dlogits *= dloss / (count or 1)
    dlogits[~used] = 0
    return dlogits.reshape(shape)


def mse(outputs, targets, count=None):
    """The mean squared error, over all entries.

    outputs (...), targets (...) -> loss ()
    """
    difference = outputs - targets                         # (...)
    count = difference.size if count is None else count
    return (difference * difference).sum() / count, (difference, count)


def mse_backward(dloss, saved):
    """dloss () -> doutputs (...): 2 (outputs - targets) / count

    The derivative of (o - t)^2 with respect to o is 2 (o - t), and in the mean each
    entry has the weight 1 / count.
    """
    difference, count = saved
    return difference * (2 * dloss / max(count, 1))


def bce_with_logits(logits, targets, count=None):
    """The mean of -[t log s + (1 - t) log(1 - s)] over all entries, s = sigmoid(x).

    logits (...), targets (...) -> loss ()
    It is computed as max(x, 0) - x t + log(1 + exp(-|x|)), in which nothing overflows.
    """
    tail = np.exp(-np.abs(logits))                         # (...)  in (0, 1]
    losses = np.maximum(logits, 0) - logits * targets + np.log1p(tail)
    count = losses.size if count is None else count
    return losses.sum() / count, (logits, targets, count)


def bce_with_logits_backward(dloss, saved):
    """dloss () -> dlogits (...): (sigmoid(logits) - targets) / count

    With s = 1 / (1 + exp(-x)), the loss of one entry is log(1 + exp(x)) - x t.  Its
    derivative is exp(x) / (1 + exp(x)) - t = s - t, and in the mean each entry has the
    weight 1 / count.
    """
    logits, targets, count = saved
    s, _ = sigmoid(logits)                                 # (...)
    return (s - targets) * (dloss / max(count, 1))
