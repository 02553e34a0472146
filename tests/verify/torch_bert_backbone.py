"""BERT in plain torch: from token ids to hidden states.  See torch_bert."""

import math

import torch
from torch import nn
from torch.nn.functional import dropout

from torch_bert_parts import (PAD, Dense, Embedding, LayerNorm, activation, gelu,
                              normed, times_gradient, value_of)


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
        if bug == "A4-short":
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
        if bug == "A9-root":                        # as in Vaswani et al., section 3.4
            words = words * math.sqrt(words.shape[-1])
        if bug == "G8-lookup":
            words = words.detach()
        places = self.position_embeddings(positions)
        if bug == "A4-sines":
            angle = positions[..., None] / 1e4 ** (torch.arange(6) / 6)
            places = torch.cat([angle.sin(), angle.cos()], -1).to(words)
        if bug == "A4-shared":                      # one row, that of the first text
            places = places[:1]
        x = words + places
        if bug == "A7-early":
            return self.LayerNorm(x) + self.token_type_embeddings(types)
        if bug != "A1-none":
            x = x + self.token_type_embeddings(types)
        if bug == "A4-twice":
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
        if self.c.bug == "B11-split":
            return x.view(texts, tokens, size // heads, heads).permute(0, 3, 1, 2)
        return x.view(texts, tokens, heads, size // heads).transpose(1, 2)

    def merge(self, x):
        """(B, N, T, d) -> (B, T, N d)"""
        texts, heads, tokens, size = x.shape
        wrong = x.reshape(texts, tokens, heads * size)
        right = x.transpose(1, 2).reshape(texts, tokens, heads * size)
        if self.c.bug == "B10-merge":
            return wrong
        if self.c.bug == "G18-heads":
            return value_of(right, gradient_of=wrong)
        if self.c.bug == "B10-order":
            return x.flip(1).transpose(1, 2).reshape(texts, tokens, heads * size)
        if self.c.bug == "B11-merge":
            return x.permute(0, 2, 3, 1).reshape(texts, tokens, heads * size)
        return right

    def masked(self, scores, allowed):
        bug, weak = self.c.bug, {"B5-100": -100.0, "B5-10000": -10000.0}
        if bug == "B1-none" or bug == "B21-unmasked" and self.cross or \
                bug == "B1-deep" and self.number:
            return scores
        if bug == "B1-queries" and not self.cross:
            allowed = allowed.mT
        if bug == "B2-inverted":
            allowed = ~allowed
        if bug == "B3-added":
            return scores + allowed.to(scores.dtype)
        if bug == "B4-times":
            return scores * allowed
        if bug == "B23-after":
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
        if bug == "B25-no-maximum":
            e = torch.exp(scores)
        total = e.sum(-1, keepdim=True)
        if bug == "G12-mean":
            total = total.detach()
        probs = e / total
        if bug == "B25-plus-one":
            probs = e / (1 + total)
        if bug == "B25-epsilon":
            probs = e / (total + 1e-5)
        if bug == "B25-twice":
            probs = probs.softmax(-1)
        if bug == "G12-straight":
            probs = value_of(probs, gradient_of=scores)
        if bug == "B23-after":
            probs = probs * allowed
        if bug == "B7-zero":
            probs = probs * allowed.any(-1, keepdim=True)
        if bug == "C13-probs":
            probs = dropout(probs, 0.1, training=True)
        return probs

    def forward(self, x, allowed, source=None):
        bug, source = self.c.bug, x if source is None else source
        q, v = self.query(x), self.value(source)
        k = self.key(source.detach() if bug == "G18-source" and self.cross else
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
        if bug == "G18-keys":
            k = k.detach()
        scale = {"B13-model": math.sqrt(x.shape[-1]), "B13-none": 1,
                 "B13-square": q.shape[-1], "B13-heads": math.sqrt(q.shape[1]),
                 "B13-after": 1}.get(bug, math.sqrt(q.shape[-1]))
        scores = q @ k.mT / scale
        if bug == "G13-both":
            scores = times_gradient(scores, scale)
        probs = self.softmax(self.masked(scores, allowed), allowed)
        if bug == "B13-after":
            probs = probs / math.sqrt(q.shape[-1])
        context = probs @ v
        if bug == "B12-transposed" and not self.cross:
            context = probs.mT @ v
        if bug == "G18-turned" and not self.cross:
            context = probs @ v.detach() + probs.mT.detach() @ (v - v.detach())
        if bug == "G18-detached":
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
        if bug == f"C8-none-{role}":
            residual = 0 * residual
        if bug == f"C8-twice-{role}":
            residual = 2 * residual
        if bug == f"G14-{role}":
            residual = residual.detach()
        if bug == f"G14-double-{role}":
            residual = times_gradient(residual, 2)
        x = self.dense(x)
        if bug == f"C13-scale-{role}":
            x = 0.9 * x
        if bug == f"C8-after-{role}":
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
        inner = self.intermediate(start if bug == "C8-parallel" else x)
        return self.output(inner, start if bug == "C8-far" else x)


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
        if bug == "D6-real":
            first = (x * real).sum(1) / real.sum(1)
        if bug == "D6-mean":
            first = x.mean(1)
        if bug == "G19-detached":
            first = first.detach()
        h = self.dense(first)
        y = torch.tanh(h)
        return {"D6-relu": h.relu(), "D6-linear": h, "D6-gelu": gelu(h), "D6-none":
                first, "G16-straight": value_of(y, gradient_of=h), "G16-tanh":
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
