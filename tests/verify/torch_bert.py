"""BERT in plain torch, written from the papers, and bugs to put into it.

    make(case)                      the right model for a case of numbert.verify
    make(case, "B13-model")         the same with one bug of torch_bert_bugs.BUGS

Nothing of numbert is used.  Modules and parameters have Hugging Face's names.  The
formulas are those of Vaswani et al. 2017 and Devlin et al. 2019.
"""

import math
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn.functional import dropout, one_hot

DEFAULTS = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2,
            "num_labels": 2, "is_decoder": False, "add_cross_attention": False,
            "problem_type": None}
PAD, IGNORED = 0, -100


def make(case, bug=None):
    """Return the module for a case, with its head, and with a bug if one is named."""
    c = SimpleNamespace(**{**DEFAULTS, **case.config}, bug=bug)
    if case.kind == "BertModel":
        return Bert(c, "pooler.dense.weight" in case.params)
    return HEADS[case.kind](c)


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


class LossEverywhere(torch.autograd.Function):
    """Logits; in the backward pass, rows that are ignored get a gradient as well."""

    @staticmethod
    def forward(ctx, logits):
        ctx.save_for_backward(logits)
        return logits.clone()

    @staticmethod
    def backward(ctx, dout):
        logits, = ctx.saved_tensors
        silent = (dout == 0).all(-1, keepdim=True)
        return dout + silent * logits.softmax(-1) / len(logits)


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
        if bug == f"D2-{self.role}":
            b = 0 * b
        if bug == f"D3-{self.role}":
            b = 2 * b
        if bug == f"B14-{self.role}":                   # heads outside, or inside
            w = w.view(self.heads, -1, w.shape[1]).transpose(0, 1).reshape(w.shape)
        if bug == f"D1-{self.role}-dx":
            return DenseOtherWay.apply(x, w) + b
        if bug == f"D1-{self.role}-dw":
            return value_of(x @ w.T, x @ w.detach().T + x.detach() @ w) + b
        if bug == f"D2-{self.role}-db":
            b = times_gradient(b, 1 / len(x))
        if bug == f"D1-{self.role}-dw-mean":
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
    if bug == "C11-range":                          # initializer_range, not the epsilon
        eps = 0.02
    if bug == "C4-unbiased":
        var = var * x.shape[-1] / (x.shape[-1] - 1)
    if bug == "C5-moments":
        var = (x * x).mean(-1, keepdim=True) - mean * mean
    if bug == "C5-uncentred":
        var = (x * x).mean(-1, keepdim=True)
    if bug == "C5-mean-grad":
        mean = mean.detach()
    if bug == "C5-var-grad":
        var = var.detach()
    std = torch.sqrt(var + eps)
    if bug == "C4-outside":
        std = torch.sqrt(var) + eps
    norm = (x - mean) / std
    if bug == "C5-rms":                                     # the mean is left in
        norm = x / std
    if bug == "C10-dgamma":
        return norm * w.detach() + (w - w.detach()) + b
    if bug == "C10-frozen":
        w = w.detach()
    if bug == "C10-dbeta":
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
        eps = 1e-5 if self.bug == "D5-eps" and self.role == "head" else self.eps
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
    if bug == "C1-tanh-grad":
        return value_of(right, gradient_of=gelu_tanh(x))
    if bug == "C2-straight":
        return value_of(right, gradient_of=x)
    if bug == "C2-relu-grad":
        return value_of(right, gradient_of=x.relu())
    if bug == "C2-term-grad":                               # x phi(x) is missing
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
        if bug == f"A3-{self.role}-grad":                   # a mean over the texts
            w = times_gradient(w, 1 / len(ids))
        if bug == "A6-zero" and self.padding is not None:
            w = w * (torch.arange(len(w)) != PAD)[:, None]
        if bug == "G8-last" and self.padding is not None:
            return LookUpLast.apply(ids, w)
        rows = w[ids]
        if self.padding is None or bug == "A6-grad":
            return rows
        return torch.where((ids == self.padding)[..., None], rows.detach(), rows)


# ------------------------------------------------------------------------ backbone

class Embeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = Embedding(c, c.vocab_size, "word", PAD)
        self.position_embeddings = Embedding(c, c.max_position_embeddings, "position")
        self.token_type_embeddings = Embedding(c, c.type_vocab_size, "type")
        self.LayerNorm = LayerNorm(c)
        self.c = c

    def forward(self, ids, types, positions, mask, words):
        bug, last = self.c.bug, self.c.max_position_embeddings - 1
        words = self.word_embeddings(ids) if words is None else words
        length = words.shape[1]
        if positions is None or bug == "A4-ignored":
            positions = torch.arange(length)[None]
        if bug in ("A3-1", "A3-2"):
            positions = (positions + int(bug[-1])).clamp(max=last)
        if bug == "A3-roberta":
            positions = (mask.cumsum(-1) * mask).clamp(max=last)
        if bug == "A4-left":
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
        if bug == "A4-backwards":
            positions = positions.flip(-1)
        if bug == "A8-short":
            positions = positions.clamp(max=9)
        if bug == "A1-zeros":
            types = 0 * types
        if bug == "A1-ones":
            types = 0 * types + 1
        if bug == "A1-swapped":
            types = 1 - types
        if bug == "A6-words":
            words = words * (mask == 1)[..., None] * (ids != PAD)[..., None] \
                if ids is not None else words
        if bug == "A7-root":                        # as in Vaswani et al., section 3.4
            words = words * math.sqrt(words.shape[-1])
        if bug == "G8-lookup":
            words = words.detach()
        places = self.position_embeddings(positions)
        if bug == "A3-sines":
            angle = positions[..., None] / 1e4 ** (torch.arange(6) / 6)
            places = torch.cat([angle.sin(), angle.cos()], -1).to(words)
        if bug == "A3-shared":                      # one row, that of the first text
            places = places[:1]
        x = words + places
        if bug == "A7-early":
            return self.LayerNorm(x) + self.token_type_embeddings(types)
        if bug != "A1-none":
            x = x + self.token_type_embeddings(types)
        if bug == "A3-twice":
            x = x + self.position_embeddings(positions)
        if bug == "A7-none":
            self.LayerNorm(x)
            return x
        x = self.LayerNorm(x)
        return dropout(x, 0.1, training=True) if bug == "C13-on" else \
            0.9 * x if bug == "C13-scale" else x


class SelfAttention(nn.Module):
    """softmax(Q K^T / sqrt(d)) V in each head; keys and values may have a source."""

    def __init__(self, c, cross, number):
        super().__init__()
        for role in ("query", "key", "value"):
            setattr(self, role, Dense(c, c.hidden_size, c.hidden_size, role))
        self.c, self.cross, self.number = c, cross, number

    def split(self, x):
        """(B, T, N d) -> (B, N, T, d)"""
        heads, (texts, tokens, size) = self.c.num_attention_heads, x.shape
        if self.c.bug == "B10-split":
            return x.view(texts, heads, tokens, size // heads)
        if self.c.bug == "B10-interleaved":
            return x.view(texts, tokens, size // heads, heads).permute(0, 3, 1, 2)
        return x.view(texts, tokens, heads, size // heads).transpose(1, 2)

    def merge(self, x):
        """(B, N, T, d) -> (B, T, N d)"""
        texts, heads, tokens, size = x.shape
        wrong = x.reshape(texts, tokens, heads * size)
        right = x.transpose(1, 2).reshape(texts, tokens, heads * size)
        if self.c.bug == "B10-merge":
            return wrong
        if self.c.bug == "B10-merge-grad":
            return value_of(right, gradient_of=wrong)
        if self.c.bug == "B10-order":
            return x.flip(1).transpose(1, 2).reshape(texts, tokens, heads * size)
        if self.c.bug == "B10-inner":
            return x.permute(0, 2, 3, 1).reshape(texts, tokens, heads * size)
        return right

    def masked(self, scores, allowed):
        bug, weak = self.c.bug, {"B5-100": -100.0, "B5-10000": -10000.0}
        if bug == "B1-none" or bug == "B1-cross" and self.cross or \
                bug == "B20-deep" and self.number:
            return scores
        if bug == "B1-queries" and not self.cross:
            allowed = allowed.mT
        if bug == "B2-inverted":
            allowed = ~allowed
        if bug == "B3-added":
            return scores + allowed.to(scores.dtype)
        if bug == "B4-times":
            return scores * allowed
        if bug == "B4-after":
            return scores
        if bug in weak:
            return scores + weak[bug] * ~allowed
        if bug == "B7-inf":
            return scores.masked_fill(~allowed, -math.inf)
        if bug == "B8-zero-inf":
            return scores + (~allowed).to(scores.dtype) * -math.inf
        return scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)

    def softmax(self, scores, allowed):
        bug = self.c.bug
        if bug == "B9-queries":
            return scores.softmax(-2)
        if bug == "B9-heads":
            return scores.softmax(1)
        e = torch.exp(scores - scores.amax(-1, keepdim=True).detach())
        if bug == "E12-softmax":
            e = torch.exp(scores)
        total = e.sum(-1, keepdim=True)
        if bug == "B9-term-grad":
            total = total.detach()
        probs = e / total
        if bug == "B9-plus-one":
            probs = e / (1 + total)
        if bug == "B9-epsilon":
            probs = e / (total + 1e-5)
        if bug == "B9-twice":
            probs = probs.softmax(-1)
        if bug == "B9-straight":
            probs = value_of(probs, gradient_of=scores)
        if bug == "B4-after":
            probs = probs * allowed
        if bug == "B7-zero":
            probs = probs * allowed.any(-1, keepdim=True)
        if bug == "C13-probs":
            probs = dropout(probs, 0.1, training=True)
        return probs

    def forward(self, x, allowed, source=None):
        bug, source = self.c.bug, x if source is None else source
        q, v = self.query(x), self.value(source)
        k = self.key(source.detach() if bug == "B21-key-grad" and self.cross else
                     source)
        if bug == "B15-qk" and not self.cross:
            q, k = k, q
        if bug == "B15-kv":
            k, v = v, k
        q, k, v = self.split(q), self.split(k), self.split(v)
        if bug == "B17-shared":
            q, k = q[:, :1].expand_as(q), k[:, :1].expand_as(k)
        if bug == "B17-value":
            v = v[:, :1].expand_as(v)
        if bug == "B13-key-grad":
            k = k.detach()
        scale = {"B13-model": math.sqrt(x.shape[-1]), "B13-none": 1,
                 "B13-square": q.shape[-1], "B13-heads": math.sqrt(q.shape[1]),
                 "B13-after": 1}.get(bug, math.sqrt(q.shape[-1]))
        scores = q @ k.mT / scale
        if bug == "B13-grad":
            scores = times_gradient(scores, scale)
        probs = self.softmax(self.masked(scores, allowed), allowed)
        if bug == "B13-after":
            probs = probs / math.sqrt(q.shape[-1])
        context = probs @ v
        if bug == "B9-transposed" and not self.cross:
            context = probs.mT @ v
        if bug == "B15-value-grad" and not self.cross:
            context = probs @ v.detach() + probs.mT.detach() @ (v - v.detach())
        if bug == "B15-probs-grad":
            context = probs.detach() @ v
        if bug == "B22-head":
            context = context * (torch.arange(context.shape[1]) > 0)[:, None, None]
        return self.merge(context), probs


class Output(nn.Module):
    """How both halves of a layer end: LayerNorm(dense(x) + residual)."""

    def __init__(self, c, inputs, role):
        super().__init__()
        self.dense = Dense(c, inputs, c.hidden_size, role)
        self.LayerNorm = LayerNorm(c, role)
        self.bug, self.role = c.bug, role

    def forward(self, x, residual):
        bug, role = self.bug, self.role
        if bug == f"C7-no-residual-{role}":
            residual = 0 * residual
        if bug == f"C7-twice-{role}":
            residual = 2 * residual
        if bug == f"C7-detached-{role}":
            residual = residual.detach()
        if bug == f"C7-double-grad-{role}":
            residual = times_gradient(residual, 2)
        x = self.dense(x)
        if bug == f"C13-scale-{role}":
            x = 0.9 * x
        if bug == f"C7-inside-{role}":
            return self.LayerNorm(x) + residual
        if bug == "C7-pre":
            return x + residual
        return self.LayerNorm(x + residual)


class Attention(nn.Module):
    def __init__(self, c, cross, number):
        super().__init__()
        self.self = SelfAttention(c, cross, number)
        self.output = Output(c, c.hidden_size, "attention")
        self.bug = c.bug

    def forward(self, x, allowed, source=None):
        given = self.output.LayerNorm(x) if self.bug == "C7-pre" else x
        context, _ = self.self(given, allowed, source)
        return self.output(context, x)


class Intermediate(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense = Dense(c, c.hidden_size, c.intermediate_size, "intermediate")
        self.c = c

    def forward(self, x):
        return activation(self.dense(x), self.c)


class Layer(nn.Module):
    def __init__(self, c, number):
        super().__init__()
        self.attention = Attention(c, False, number)
        if c.add_cross_attention:
            self.crossattention = Attention(c, True, number)
        self.intermediate = Intermediate(c)
        self.output = Output(c, c.intermediate_size, "output")
        self.bug, self.cross = c.bug, c.add_cross_attention
        first, second = self.attention.output.LayerNorm, self.output.LayerNorm
        if c.bug == "C9-swapped":
            first.instead, second.instead = [second], [first]
        if c.bug == "C9-shared":
            second.instead = [first]

    def forward(self, x, allowed, source, source_allowed):
        bug, start = self.bug, x
        if self.cross and bug == "B21-order":
            x = self.crossattention(x, source_allowed, source)
        x = self.attention(x, allowed)
        if self.cross and bug not in ("B21-order", "B21-none"):
            if bug == "B21-self":
                source, source_allowed = x, allowed
            if bug == "B21-mask":
                source_allowed = allowed[..., :1, :source.shape[1]]
            x = self.crossattention(x, source_allowed, source)
        if bug == "C7-pre":
            return self.output(self.intermediate(self.output.LayerNorm(x)), x)
        inner = self.intermediate(start if bug == "C7-parallel" else x)
        return self.output(inner, start if bug == "C7-far" else x)


class Encoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layer = nn.ModuleList(Layer(c, i) for i in range(c.num_hidden_layers))
        self.c = c
        for layer in self.layer:
            if c.bug == "C9-first":
                layer.output.LayerNorm.instead = [self.layer[0].output.LayerNorm]

    def forward(self, x, *masks_and_source):
        for layer in self.layer:
            x = layer(x, *masks_and_source)
        if self.c.bug == "C7-final":
            norm = self.layer[-1].output.LayerNorm
            x = normed(x, norm.weight, norm.bias, norm.eps, None)
        return x


class Pooler(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense = Dense(c, c.hidden_size, c.hidden_size, "pooler")
        self.bug = c.bug

    def forward(self, x, mask):
        bug, real = self.bug, mask.to(x.dtype)[..., None]
        first = x[:, 0]
        if bug == "D6-last":
            first = x[:, -1]
        if bug == "D6-last-real":
            first = x[torch.arange(len(x)), mask.shape[1] - 1 - mask.flip(1).argmax(1)]
        if bug == "D6-first-real":
            first = x[torch.arange(len(x)), mask.argmax(1)]
        if bug == "D7-real":
            first = (x * real).sum(1) / real.sum(1)
        if bug == "D7-all":
            first = x.mean(1)
        if bug == "D6-detached":
            first = first.detach()
        h = self.dense(first)
        y = torch.tanh(h)
        return {"D6-relu": h.relu(), "D6-linear": h, "D6-gelu": gelu(h), "D6-none":
                first, "D6-straight": value_of(y, gradient_of=h), "D6-term-grad":
                value_of(y, gradient_of=h * (1 - y).detach())}.get(bug, y)


class Bert(nn.Module):
    """BertModel.  Returns {"last_hidden_state", "pooler_output"}."""

    def __init__(self, c, pooling):
        super().__init__()
        self.embeddings = Embeddings(c)
        self.encoder = Encoder(c)
        self.pooler = Pooler(c) if pooling else None
        self.c = c

    def forward(self, attention_mask, input_ids=None, token_type_ids=None,
                position_ids=None, inputs_embeds=None, encoder_hidden_states=None,
                encoder_attention_mask=None):
        bug, mask, types = self.c.bug, attention_mask, token_type_ids
        if bug == "A2-swapped":
            mask, types = types, mask
        x = self.embeddings(input_ids, types, position_ids, mask, inputs_embeds)
        allowed = (mask == 1)[:, None, None, :]                    # (B, 1, 1, S)
        tokens = mask.shape[1]
        causal = torch.ones(tokens, tokens, dtype=torch.bool).tril(
            {"B18-strict": -1, "B18-next": 1}.get(bug, 0))
        if self.c.is_decoder and bug != "B18-none" or bug == "B18-always":
            allowed = causal[None, None] if bug == "B18-alone" else allowed & causal
        source_allowed = None if encoder_attention_mask is None else \
            (encoder_attention_mask == 1)[:, None, None, :]
        x = self.encoder(x, allowed, encoder_hidden_states, source_allowed)
        return {"last_hidden_state": x, "pooler_output":
                self.pooler(x, mask) if self.pooler else None}


# -------------------------------------------------------------------------- losses

def cross_entropy(logits, labels, c, ignored=IGNORED):
    """The mean of -log softmax(logits)[label] over labels that are not ignored.

    logits (..., K), labels (...)
    """
    bug = c.bug
    if bug == "E6-grad":
        logits = LossEverywhere.apply(logits)
    counted = labels != ignored
    if bug == "E1-minus-one":
        counted = labels != -1
    if bug == "E2-zero":
        counted = counted & (labels != 0)
    top = logits.amax(-1, keepdim=True).detach()
    if bug == "E12-loss":
        top = 0 * top
    logp = logits - top - torch.log(torch.exp(logits - top).sum(-1, keepdim=True))
    if bug == "E12-epsilon":
        logp = torch.log(logits.softmax(-1) + 1e-6)
    if bug == "E12-probs":                                  # torch takes logits
        logp = logits.softmax(-1).log_softmax(-1)
    classes = logits.shape[-1]
    picked = (logp * one_hot(labels % classes, classes)).sum(-1) * counted
    count = counted.sum()
    if bug == "E3-all":
        count = counted.numel()
    loss = -picked.sum() / count
    if bug == "E3-smoothing":
        loss = 0.9 * loss - 0.1 * (logp.mean(-1) * counted).sum() / count
    if bug == "E3-sum":
        loss = -picked.sum()
    if bug == "E3-all-grad":
        loss = times_gradient(loss, counted.sum() / counted.numel())
    if bug == "E3-texts" and counted.dim() > 1:             # a mean of means
        loss = (-picked.sum(-1) / counted.sum(-1).clamp(min=1)).mean()
    return loss


def word_loss(logits, labels, inputs, c):
    """The loss of masked or of next words; may look at the inputs if it is wrong."""
    if c.bug == "E10-all":
        labels = torch.where((labels == IGNORED) & (inputs["attention_mask"] == 1),
                             inputs["input_ids"], labels)
    return cross_entropy(logits, labels, c)


def text_loss(logits, labels, c):
    """The loss of a sequence classifier: its kind follows from problem_type."""
    problem = c.problem_type or (
        "regression" if c.num_labels == 1 else "single_label_classification")
    if c.bug == "E8-dtype" and labels.is_floating_point():
        problem = "regression"
    if c.bug == "E8-argmax" and problem.startswith("multi"):
        return cross_entropy(logits, labels.argmax(-1), c)
    if problem == "regression":
        miss = (logits if labels.dim() > 1 else logits[:, 0]) - labels
        loss = miss.abs() if c.bug == "E8-absolute" else miss ** 2
        return times_gradient(loss, 0.5).mean() if c.bug == "E8-two-grad" else \
            loss.sum() if c.bug == "E8-sum" else \
            loss.mean() / 2 if c.bug == "E8-half" else loss.mean()
    if problem == "single_label_classification":
        return cross_entropy(logits, labels, c)
    p, q = torch.sigmoid(logits), torch.sigmoid(-logits)
    terms = -(labels * torch.log(p) + (1 - labels) * torch.log(q))
    if c.bug == "E8-epsilon":
        terms = -(labels * torch.log(p + 1e-6) + (1 - labels) * torch.log(q + 1e-6))
    if c.bug == "E8-positives":
        terms = -(labels * torch.log(p))
    if c.bug == "E8-straight":
        terms = value_of(terms, gradient_of=logits * (0.5 - labels))
    return terms.sum(-1).mean() if c.bug == "E8-classes" else terms.mean()


def span_loss(logits, start, end, c):
    """The mean of two losses; positions are clamped to 0 .. T, and T is ignored."""
    bug, tokens = c.bug, logits.shape[1]
    if bug == "E9-swapped":
        start, end = end, start
    losses = []
    for i, place in enumerate((start, end)):
        if bug == "E9-before":
            place = torch.where(place < 0, tokens, place)
        place = place.clamp(0, tokens - 1 if bug == "E9-last" else tokens)
        if bug == "E9-zero":
            place = torch.where(place == tokens, 0, place)
        losses.append(cross_entropy(logits[..., i], place, c, ignored=tokens))
    if bug == "E9-sum":
        return losses[0] + losses[1]
    if bug == "E9-start":
        return losses[0]
    if bug == "E9-end-grad":
        losses[1] = losses[1].detach()
    return (losses[0] + losses[1]) / 2


# --------------------------------------------------------------------------- heads

class Transform(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense = Dense(c, c.hidden_size, c.hidden_size, "transform")
        self.LayerNorm = LayerNorm(c, "head")
        self.c = c

    def forward(self, x):
        h = self.dense(x)
        h = h if self.c.bug == "D5-act" else activation(h, self.c, head=True)
        out = self.LayerNorm(h)
        return h if self.c.bug == "D5-norm" else out


class Predictions(nn.Module):
    """Scores of words: the table of embeddings is used once more, with a bias."""

    def __init__(self, c, words):
        super().__init__()
        self.transform = Transform(c)
        self.bias = nn.Parameter(torch.empty(c.vocab_size))
        self.words, self.bug = [words], c.bug           # a list: it is registered once

    def forward(self, x):
        bug, w, b = self.bug, self.words[0].weight, self.bias
        if bug == "G8-decoder":
            w = w.detach()
        if bug == "A6-tied":
            w = torch.where((torch.arange(len(w)) == PAD)[:, None], w.detach(), w)
        if bug == "D4-untied":
            w = 0 * w + torch.linspace(-1, 1, w.numel()).to(w).view(w.shape) / 64
        if bug == "D4-bias":
            b = 0 * b + torch.linspace(-1, 1, len(b)).to(b)
        if bug == "D2-bias":
            b = 0 * b
        if bug == "D3-twice":
            b = 2 * b
        if bug == "D2-bias-grad":
            b = times_gradient(b, 1 / len(x))
        return (x if bug == "D5-none" else self.transform(x)) @ w.T + b


class Cls(nn.Module):
    def __init__(self, c, bert, words, pairs):
        super().__init__()
        if words:
            self.predictions = Predictions(c, bert.embeddings.word_embeddings)
        if pairs:
            self.seq_relationship = Dense(c, c.hidden_size, 2, "nsp")


class Head(nn.Module):
    """A backbone and what comes after it."""

    pooling = words = pairs = False

    def __init__(self, c):
        super().__init__()
        self.bert = Bert(c, self.pooling)
        if self.words or self.pairs:
            self.cls = Cls(c, self.bert, self.words, self.pairs)
        self.c = c

    def pair_loss(self, pooled, labels):
        logits = self.cls.seq_relationship(pooled)
        if self.c.bug == "D9-logits":
            logits = logits.flip(-1)
        if self.c.bug == "D9-labels":
            labels = 1 - labels
        return cross_entropy(logits, labels, self.c)


class ForPreTraining(Head):
    pooling = words = pairs = True

    def forward(self, labels, next_sentence_label, **inputs):
        out, bug = self.bert(**inputs), self.c.bug
        words = word_loss(self.cls.predictions(out["last_hidden_state"]), labels,
                          inputs, self.c)
        pairs = self.pair_loss(out["pooler_output"], next_sentence_label)
        if bug == "E14-pairs-grad":
            pairs = pairs.detach()
        return {"loss": {"E14-mean": (words + pairs) / 2, "E14-words": words,
                         "E14-pairs": pairs}.get(bug, words + pairs)}


class LMHead(Head):
    words = True

    def forward(self, labels, **inputs):
        logits = self.cls.predictions(self.bert(**inputs)["last_hidden_state"])
        if self.c.bug != "E10-unshifted":
            logits, labels = logits[:, :-1], labels[:, 1:]
        if self.c.bug == "E10-shifted-twice":
            logits, labels = logits[:, :-1], labels[:, 1:]
        return {"loss": cross_entropy(logits, labels, self.c)}


class ForMaskedLM(Head):
    words = True

    def forward(self, labels, **inputs):
        logits = self.cls.predictions(self.bert(**inputs)["last_hidden_state"])
        return {"loss": word_loss(logits, labels, inputs, self.c)}


class ForNextSentencePrediction(Head):
    pooling = pairs = True

    def forward(self, labels, **inputs):
        return {"loss": self.pair_loss(self.bert(**inputs)["pooler_output"], labels)}


class ForSequenceClassification(Head):
    pooling = True

    def __init__(self, c):
        super().__init__(c)
        self.classifier = Dense(c, c.hidden_size, c.num_labels, "classifier")

    def forward(self, labels, **inputs):
        out = self.bert(**inputs)
        pooled = out["last_hidden_state"][:, 0] if self.c.bug == "D6-unpooled" else \
            out["pooler_output"]
        return {"loss": text_loss(self.classifier(pooled), labels, self.c)}


class ForMultipleChoice(Head):
    pooling = True

    def __init__(self, c):
        super().__init__(c)
        self.classifier = Dense(c, c.hidden_size, 1, "choice")

    def forward(self, labels, **inputs):
        texts, choices = inputs["input_ids"].shape[:2]
        if self.c.bug == "D8-transposed":
            inputs = {name: x.transpose(0, 1) for name, x in inputs.items()}
        inputs = {name: x.flatten(0, 1) for name, x in inputs.items()}
        scores = self.classifier(self.bert(**inputs)["pooler_output"])
        scores = scores.view(choices, texts).T if self.c.bug == "D8-reshape" else \
            scores.view(texts, choices)
        if self.c.bug == "D8-texts":
            return {"loss": -scores.log_softmax(0)[torch.arange(texts), labels].mean()}
        return {"loss": cross_entropy(scores, labels, self.c)}


class ForTokenClassification(Head):
    def __init__(self, c):
        super().__init__(c)
        self.classifier = Dense(c, c.hidden_size, c.num_labels, "classifier")

    def forward(self, labels, **inputs):
        logits = self.classifier(self.bert(**inputs)["last_hidden_state"])
        if self.c.bug == "E7-padding":
            labels = torch.where(inputs["attention_mask"] == 0, 0, labels)
        if self.c.bug == "E7-ignored":
            labels = labels.clamp(min=0)
        return {"loss": cross_entropy(logits, labels, self.c)}


class ForQuestionAnswering(Head):
    def __init__(self, c):
        super().__init__(c)
        self.qa_outputs = Dense(c, c.hidden_size, 2, "qa")

    def forward(self, start_positions, end_positions, **inputs):
        logits = self.qa_outputs(self.bert(**inputs)["last_hidden_state"])
        return {"loss": span_loss(logits, start_positions, end_positions, self.c)}


HEADS = {"BertForPreTraining": ForPreTraining, "BertLMHeadModel": LMHead,
         "BertForMaskedLM": ForMaskedLM,
         "BertForNextSentencePrediction": ForNextSentencePrediction,
         "BertForSequenceClassification": ForSequenceClassification,
         "BertForMultipleChoice": ForMultipleChoice,
         "BertForTokenClassification": ForTokenClassification,
         "BertForQuestionAnswering": ForQuestionAnswering}
