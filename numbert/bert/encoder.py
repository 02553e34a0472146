"""The stack of layers, the pooler, and the backbone they form with the embeddings.

Devlin et al. 2019, section 3.
"""

from .attention import add_norm, add_norm_backward, attention, attention_backward
from .blocks import activation, activation_backward, dense, dense_backward
from .embeddings import embeddings, embeddings_backward
from .packing import pack, unpack


def feed_forward(p, x):
    """The second half of a layer: two dense layers, applied to each position alone.

    x (..., C) -> out (..., C)                     HF: BertIntermediate and BertOutput
    """
    h, dense_saved = dense(p.at("intermediate.dense"), x)          # (..., F)
    p.tap("intermediate.dense", h)
    h, activation_saved = activation(p, h)                         # (..., F)
    p.tap("intermediate.out", h)
    out, out_saved = add_norm(p.at("output"), h, x)                # (..., C)
    return out, p.saved(dense_saved, activation_saved, out_saved)


def feed_forward_backward(dout, saved, g):
    """dout (..., C) -> dx (..., C)

    x is used twice, as the residual and as the input of the first dense layer, so its
    two gradients add up.  The second comes back through activation and dense.
    """
    dense_saved, activation_saved, out_saved = saved
    dh, dx = add_norm_backward(dout, out_saved, g.at("output"))    # (..., F), (..., C)
    g.tap("intermediate.out", dh)
    dh = activation_backward(dh, activation_saved, g)              # (..., F)
    g.tap("intermediate.dense", dh)
    return dx + dense_backward(dh, dense_saved, g.at("intermediate.dense"))


def layer(p, x, mask, source=None, source_mask=None, past=None, cross_past=None):
    """Self-attention, cross-attention if there is a source, then feed-forward.

    x (B, T, C), source (B, S, C) -> out (B, T, C)                    HF: BertLayer
    """
    h, self_saved = attention(p.at("attention"), x, mask, past=past)
    cross_saved = None
    if source is not None:
        h, cross_saved = attention(p.at("crossattention"), h, source_mask,
                                   source, cross_past)
    out, forward_saved = feed_forward(p, h)                        # (B, T, C)
    return out, p.saved(self_saved, cross_saved, forward_saved)


def layer_backward(dout, saved, g):
    """dout (B, T, C) -> dx (B, T, C), dsource (B, S, C) or None

    The chain rule, last step first: the dx of each step is the dout of the one before.
    Only cross-attention reads the source, so dsource comes from there alone.
    """
    self_saved, cross_saved, forward_saved = saved
    dh, dsource = feed_forward_backward(dout, forward_saved, g), None
    if cross_saved is not None:
        dh, dsource = attention_backward(dh, cross_saved, g.at("crossattention"))
    dx, _ = attention_backward(dh, self_saved, g.at("attention"))
    return dx, dsource


def stack(p, x, mask, source=None, source_mask=None, past=None, cross_past=None):
    """All layers, one after the other.

    x (B, T, C), source (B, S, C) -> out (B, T, C)                  HF: BertEncoder
    past, cross_past: a DynamicCache each, or None.
    """
    saved = []
    for i in range(p.run.config.num_hidden_layers):
        own, cross = (None if c is None else c[i] for c in (past, cross_past))
        x, layer_saved = p.call(f"layer.{i}", layer, x, mask, source, source_mask,
                                own, cross)
        saved.append(layer_saved)        # None if no backward follows: nothing is kept
    return x, saved if p.run.keep else None


def stack_backward(dout, saved, g):
    """dout (B, T, C) -> dx (B, T, C), dsource (B, S, C) or None

    Layer i reads what layer i - 1 wrote, so the dx of i is the dout of i - 1.
    Every layer reads the same source, so the source's gradient is a sum over layers.
    """
    dsource = None
    for i in reversed(range(len(saved))):
        dout, part = layer_backward(dout, saved[i], g.at(f"layer.{i}"))
        g.done(f"layer.{i}", saved)
        if part is not None:
            dsource = part if dsource is None else dsource + part
    return dout, dsource


def pooler(p, x):
    """The state of the first token, [CLS], through one dense layer and tanh.

    x (B, T, C) -> out (B, C)                                        HF: BertPooler
    """
    first, first_saved = p.run.ops.first_token(x)                  # (B, C)
    h, dense_saved = dense(p.at("dense"), first)                   # (B, C)
    p.tap("dense", h)
    out, tanh_saved = p.run.ops.tanh(h)                            # (B, C)
    p.tap("out", out)
    return out, p.saved(first_saved, dense_saved, tanh_saved)


def pooler_backward(dout, saved, g):
    """dout (B, C) -> dx (B, T, C)

    From out = tanh(h), h = first w^T + b: dh = dout (1 - out^2), dfirst = dh w.
    The pooler reads no token but the first, so the others get the gradient 0.
    """
    first_saved, dense_saved, tanh_saved = saved
    g.tap("out", dout)
    dh = g.run.ops.tanh_backward(dout, tanh_saved)                 # (B, C)
    g.tap("dense", dh)
    dfirst = dense_backward(dh, dense_saved, g.at("dense"))        # (B, C)
    return g.run.ops.first_token_backward(dfirst, first_saved)


def backbone(p, tokens, mask=None, source=None, source_mask=None, past=None,
             cross_past=None):
    """BERT without a head: embed, run the stack and, if there is a pooler, pool.

    -> sequence (B, T, C), pooled (B, C) or None                      HF: BertModel
    tokens: the arguments of `embeddings`; the others are those of `stack`.
    If the mask is a Plan, padding is left out until the stack is done.
    """
    packed = {name: pack(x, mask) for name, x in tokens.items()}
    x, embeddings_saved = embeddings(p.at("embeddings"), **packed)
    x, stack_saved = stack(p.at("encoder"), x, mask, source, source_mask,
                           past, cross_past)
    x = unpack(x, mask)                                            # (B, T, C)
    pooled, pooler_saved = None, None
    if "pooler.dense.weight" in p:
        pooled, pooler_saved = pooler(p.at("pooler"), x)           # (B, C)
    return (x, pooled), p.saved(embeddings_saved, stack_saved, pooler_saved, mask)


def backbone_backward(dsequence, dpooled, saved, g):
    """dsequence (B, T, C), dpooled (B, C) -> dembeds (B, T, C), dsource (B, S, C)

    The chain rule, last part first: pooler, stack, embeddings.  The sequence is used
    twice, as an output and by the pooler, so its two gradients add up.
    A gradient that is None counts as zero; dsource is None without cross-attention.
    """
    embeddings_saved, stack_saved, pooler_saved, mask = saved
    dx = dsequence                                                 # (B, T, C)
    if dpooled is not None:
        part = pooler_backward(dpooled, pooler_saved, g.at("pooler"))
        dx = part if dx is None else dx + part
    dx, dsource = stack_backward(pack(dx, mask), stack_saved, g.at("encoder"))
    dembeds = embeddings_backward(dx, embeddings_saved, g.at("embeddings"))
    return unpack(dembeds, mask), dsource
