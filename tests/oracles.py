"""Slow, independent oracles: Python loops, math.fsum and math.erf.

Nothing of numbert is imported here, and no NumPy arithmetic is used for the values.
"""

import itertools
import math

import numpy as np


def linear(x, w, b):
    """out[o] = sum_i x[i] w[o, i] + b[o], for each row of x (R, I)."""
    return np.array([[math.fsum([*(xi * wi for xi, wi in zip(row, weights)), bias])
                      for weights, bias in zip(w, b)] for row in x])


def layer_norm(x, w, b, eps):
    """Each row of x (R, C): subtract the mean, divide by sqrt(variance + eps)."""
    out = []
    for row in x:
        mean = math.fsum(row) / len(row)
        var = math.fsum((v - mean) ** 2 for v in row) / len(row)
        out.append([(v - mean) / math.sqrt(var + eps) * wi + bi
                    for v, wi, bi in zip(row, w, b)])
    return np.array(out)


def softmax(row):
    """exp(s) / sum exp(s), shifted by the largest."""
    top = max(row)
    exps = [math.exp(s - top) for s in row]
    total = math.fsum(exps)
    return [e / total for e in exps]


def attention(q, k, v, mask=None):
    """q (T, D), k and v (S, D), mask (T, S) -> (T, D), one head; no key: all alike."""
    out = []
    for t, query in enumerate(q):
        scores = [math.fsum(a * b for a, b in zip(query, key)) / math.sqrt(len(query))
                  for key in k]
        allowed = range(len(k)) if mask is None else np.flatnonzero(mask[t])
        weights = [0.0] * len(k)
        if len(allowed):
            for s, p in zip(allowed, softmax([scores[s] for s in allowed])):
                weights[s] = p
        else:
            weights = [1 / len(k)] * len(k)
        out.append([math.fsum(p * value[d] for p, value in zip(weights, v))
                    for d in range(v.shape[1])])
    return np.array(out)


def gelu(x):
    """x Phi(x), with erfc where 1 + erf would cancel."""
    return x * 0.5 * math.erfc(-x / math.sqrt(2))


def gelu_tanh(x):
    """The tanh form of google-research/bert."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def sigmoid(x):
    """Without overflow."""
    return 1 / (1 + math.exp(-x)) if x > -700 else math.exp(x)


def softplus(x):
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def gelu_fast(x):
    return x / 2 * (1 + math.tanh(0.7978845608 * x * (1 + 0.044715 * x * x)))


ACTIVATIONS = {
    "gelu": gelu, "gelu_python": gelu, "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh, "gelu_python_tanh": gelu_tanh,
    "gelu_accurate": gelu_tanh, "gelu_fast": gelu_fast,
    "gelu_10": lambda x: min(gelu(x), 10.0),
    "quick_gelu": lambda x: x * sigmoid(1.702 * x),
    "relu": lambda x: max(x, 0.0), "relu2": lambda x: max(x, 0.0) ** 2,
    "relu6": lambda x: min(max(x, 0.0), 6.0),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "silu": lambda x: x * sigmoid(x), "swish": lambda x: x * sigmoid(x),
    "mish": lambda x: x * math.tanh(softplus(x)),
    "hardswish": lambda x: x * min(max(x + 3, 0.0), 6.0) / 6,
    "sqrtsoftplus": lambda x: math.sqrt(x if x > 20 else softplus(x)),
    "laplace": lambda x: (1 + math.erf((x - 0.707107) / (0.282095 * math.sqrt(2)))) / 2,
    "tanh": math.tanh, "sigmoid": sigmoid, "linear": lambda x: x}


def cross_entropy(logits, labels, ignore):
    """Mean of -log softmax(row)[label] over rows whose label is not ignored."""
    losses = []
    for row, label in zip(logits, labels):
        if label != ignore:
            top = max(row)
            losses.append(top + math.log(math.fsum(math.exp(s - top) for s in row))
                          - row[label])
    return math.fsum(losses) / len(losses)


def bce(logits, targets):
    """Mean of -[t log s + (1 - t) log(1 - s)]."""
    terms = []
    for x, t in zip(np.ravel(logits), np.ravel(targets)):
        s = sigmoid(x)
        terms.append(-(t * math.log(s) + (1 - t) * math.log(1 - s)))
    return math.fsum(terms) / len(terms)


def embedding_gradient(dout, ids, rows):
    """For every place, add its gradient to the row that was looked up."""
    width = dout.shape[-1]
    table = [[0.0] * width for _ in range(rows)]
    for place in itertools.product(*map(range, ids.shape)):
        for c in range(width):
            table[ids[place]][c] += dout[place][c]
    return np.array(table)
