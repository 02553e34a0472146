"""BERT in plain torch: the parts that a layer is built of.  See torch_bert.

In every module `bug` is the name of a bug, or None.  The right way is the one that is
left if each `if bug == ...` is skipped.
"""

import math

import torch
from torch import nn

PAD = 0


# ------------------------------------------------------------- gradients of bugs

def value_of(x, gradient_of):
    """The value of x with the gradient of another tensor: backward bugs need it."""
    return x.detach() + (gradient_of - gradient_of.detach())


def times_gradient(x, factor):
    """x itself; its gradient is multiplied by a factor."""
    return value_of(x, gradient_of=x * factor)


class DenseOtherWay(torch.autograd.Function):
    """x w^T, whose backward pass multiplies by w^T where w is due."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.T

    @staticmethod
    def backward(ctx, dout):
        x, w = ctx.saved_tensors
        return dout @ w.T, dout.flatten(0, -2).T @ x.flatten(0, -2)


class LookUpLast(torch.autograd.Function):
    """Rows of a table; of a row that is used twice, one use gets no gradient."""

    @staticmethod
    def forward(ctx, ids, table):
        ctx.save_for_backward(ids, table)
        return table[ids]

    @staticmethod
    def backward(ctx, dout):
        ids, table = ctx.saved_tensors
        dtable = torch.zeros_like(table)
        for i, row in zip(ids.flatten(), dout.flatten(0, -2)):
            if i != PAD and row.any():
                dtable[i] = row
        return None, dtable


# -------------------------------------------------------------------- small parts

class Dense(nn.Module):
    """x w^T + b; `role` says which of the many it is."""

    def __init__(self, c, inputs, outputs, role):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.bug, self.role, self.heads = c.bug, role, c.num_attention_heads

    def forward(self, x):
        w, b, bug = self.weight, self.bias, self.bug
        if bug == f"D1-{self.role}":                    # a file of the other layout
            w = w.reshape(w.shape[::-1]).T
        if bug in (f"B16-{self.role}", f"D11-{self.role}"):
            b = 0 * b
        if bug == f"D3-{self.role}":
            b = 2 * b
        if bug == f"B14-{self.role}":                   # heads outside, or inside
            w = w.view(self.heads, -1, w.shape[1]).transpose(0, 1).reshape(w.shape)
        if bug == f"G16-{self.role}-dx":
            return DenseOtherWay.apply(x, w) + b
        if bug == f"G16-{self.role}-dw":
            return value_of(x @ w.T, x @ w.detach().T + x.detach() @ w) + b
        if bug == f"G16-{self.role}-db":
            b = times_gradient(b, 1 / len(x))
        if bug == f"G16-{self.role}-mean":
            w = times_gradient(w, 1 / len(x))
        if bug == f"D1-{self.role}-frozen":
            w = w.detach()
        return x @ w.T + b


def normed(x, w, b, eps, bug):
    """Layer normalisation: mean 0 and variance 1 over the last axis, then w and b."""
    mean = x.mean(-1, keepdim=True)
    var = (x - mean).pow(2).mean(-1, keepdim=True)
    if bug in ("C3-1e-3", "C3-1e-5", "C3-1e-6", "C3-1e-7", "C3-1e-12"):
        eps = float(bug.removeprefix("C3-"))
    if bug == "C3-range":                          # initializer_range, not the epsilon
        eps = 0.02
    if bug == "C4-unbiased":
        var = var * x.shape[-1] / (x.shape[-1] - 1)
    if bug == "C5-moments":
        var = (x * x).mean(-1, keepdim=True) - mean * mean
    if bug == "C4-uncentred":
        var = (x * x).mean(-1, keepdim=True)
    if bug == "G11-shift":
        mean = mean.detach()
    if bug == "G11-stretch":
        var = var.detach()
    std = torch.sqrt(var + eps)
    if bug == "C4-outside":
        std = torch.sqrt(var) + eps
    norm = (x - mean) / std
    if bug == "C4-mean-left":                                     # the mean is left in
        norm = x / std
    if bug == "G11-gamma":
        return norm * w.detach() + (w - w.detach()) + b
    if bug == "C10-frozen":
        w = w.detach()
    if bug == "G11-beta":
        b = times_gradient(b, 1 / len(x))
    if bug in ("C10-lost", "C10-gamma"):
        w = 1 + 0 * w
    if bug in ("C10-lost", "C10-beta"):
        b = 0 * b
    if bug == "C10-plus-one":
        w = 1 + w
    return norm * w + b


class LayerNorm(nn.Module):
    def __init__(self, c, role=""):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(c.hidden_size))
        self.bias = nn.Parameter(torch.empty(c.hidden_size))
        self.bug, self.role, self.eps = c.bug, role, c.layer_norm_eps
        self.instead = []                           # a bug may use those of another

    def forward(self, x):
        eps = 1e-5 if self.bug == "C3-head" and self.role == "head" else self.eps
        use = self.instead[0] if self.instead else self
        return normed(x, use.weight, use.bias, eps, self.bug)


def gelu(x):
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def erf_by_five_terms(x):
    """Abramowitz & Stegun 7.1.26, which is off by up to 1.5e-7."""
    t = 1 / (1 + 0.3275911 * x.abs())
    sum_ = 0 * t
    for a in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sum_ = (sum_ + a) * t
    return torch.sign(x) * (1 - sum_ * torch.exp(-x * x))


def activation(x, c, head=False):
    """GELU, in the form that the configuration asks for."""
    bug = c.bug
    if head and bug == "C1-head":
        return gelu_tanh(x)
    if head and bug == "C2-head":
        return x.relu()
    if bug == "C1-tanh":
        return gelu_tanh(x)
    if bug == "C1-erf":
        return gelu(x)
    if bug == "C1-swapped":
        return gelu_tanh(x) if c.hidden_act == "gelu" else gelu(x)
    if bug == "C1-digits" and c.hidden_act == "gelu_new":
        return 0.5 * x * (1 + torch.tanh(0.7979 * (x + 0.0447 * x ** 3)))
    if bug == "C1-five-terms" and c.hidden_act == "gelu":
        return 0.5 * x * (1 + erf_by_five_terms(x / math.sqrt(2)))
    if bug == "C2-relu":
        return x.relu()
    if bug == "C2-quick":
        return x * torch.sigmoid(1.702 * x)
    if bug == "C2-silu":
        return x * torch.sigmoid(x)
    if bug == "C2-none":
        return x
    right = gelu(x) if c.hidden_act == "gelu" else gelu_tanh(x)
    if bug == "G15-tanh-form":
        return value_of(right, gradient_of=gelu_tanh(x))
    if bug == "G15-straight":
        return value_of(right, gradient_of=x)
    if bug == "G15-relu":
        return value_of(right, gradient_of=x.relu())
    if bug == "G15-density":                               # x phi(x) is missing
        return value_of(right, x * (0.5 * (1 + torch.erf(x / math.sqrt(2)))).detach())
    return right


class Embedding(nn.Module):
    """Rows of a table.  The row of padding, if there is one, learns nothing here."""

    def __init__(self, c, count, role, padding=None):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, c.hidden_size))
        self.bug, self.role, self.padding = c.bug, role, padding

    def forward(self, ids):
        w, bug = self.weight, self.bug
        if bug == f"G10-{self.role}":                   # a mean over the texts
            w = times_gradient(w, 1 / len(ids))
        if bug == "A6-zero" and self.padding is not None:
            w = w * (torch.arange(len(w)) != PAD)[:, None]
        if bug == "G10-words" and self.padding is not None:
            return LookUpLast.apply(ids, w)
        rows = w[ids]
        if self.padding is None or bug == "G10-pad":
            return rows
        return torch.where((ids == self.padding)[..., None], rows.detach(), rows)
