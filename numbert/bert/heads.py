"""Heads: what each of the nine classes puts on top of the backbone."""

from . import ops
from .blocks import activation, activation_backward, dense, dense_backward
from .blocks import dropout, dropout_backward, norm, norm_backward


def lm_head(p, x, table, bias):
    """A score for every word piece: transform x, then compare it with each embedding.

    x (..., C), table (V, C), bias (V,) -> out (..., V)        HF: BertLMPredictionHead
    The table is an argument because it is usually the word embedding table itself
    (tied weights, Press & Wolf 2017); its gradient goes back to the caller.
    """
    t = p.at("transform")
    h, dense_saved = dense(t.at("dense"), x)                       # (..., C)
    t.tap("dense", h)
    h, activation_saved = activation(p, h)
    h, norm_saved = norm(t.at("LayerNorm"), h)
    t.tap("out", h)
    out, decoder_saved = p.run.ops.linear(h, table, bias)          # (..., V)
    p.tap("out", out)
    return out, p.saved(dense_saved, activation_saved, norm_saved, decoder_saved)


def lm_head_backward(dout, saved, g):
    """dout (..., V) -> dx (..., C), dtable (V, C), dbias (V,)

    From out = h table^T + bias: dh = dout table, dtable = dout^T h, and dbias sums dout
    over positions.  dx is dh taken back through LayerNorm, activation and dense.
    """
    dense_saved, activation_saved, norm_saved, decoder_saved = saved
    t = g.at("transform")
    g.tap("out", dout)
    dh, dtable, dbias = ops.linear_backward(dout, decoder_saved)   # (..., C)
    t.tap("out", dh)
    dh = norm_backward(dh, norm_saved, t.at("LayerNorm"))
    dh = activation_backward(dh, activation_saved, g)
    t.tap("dense", dh)
    return dense_backward(dh, dense_saved, t.at("dense")), dtable, dbias


def decoder_names(config) -> tuple[str, str]:
    """Names of the decoder's table and bias: tied to the embeddings, or its own."""
    if config.tie_word_embeddings:
        return "bert.embeddings.word_embeddings.weight", "cls.predictions.bias"
    return "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"


def word_head(p, x):
    """The masked or causal LM head of a whole model, with its table tied or not.

    x (..., C) -> out (..., V); p is the scope of the whole model.
    """
    table, bias = decoder_names(p.run.config)
    return lm_head(p.at("cls.predictions"), x, p[table], p[bias])


def word_head_backward(dout, saved, g):
    """dout (..., V) -> dx (..., C); a tied table gets this and its look-up's part.

    A tied table is used twice, to look words up and to score them: g adds both parts.
    """
    table, bias = decoder_names(g.run.config)
    dx, dtable, dbias = lm_head_backward(dout, saved, g.at("cls.predictions"))
    g.add(table, dtable)
    g.add(bias, dbias)
    return dx


def classifier(p, x, rate=0.0):
    """Dropout, then one linear layer; also the NSP and question answering heads.

    x (..., C) -> out (..., K)
    """
    x, drop_saved = dropout(p, x, rate)
    out, dense_saved = dense(p, x)                                 # (..., K)
    p.tap("out", out)
    return out, p.saved(drop_saved, dense_saved)


def classifier_backward(dout, saved, g):
    """dout (..., K) -> dx (..., C)

    The chain rule, last step first: out = dense(dropout(x)), so dense, then dropout.
    """
    drop_saved, dense_saved = saved
    g.tap("out", dout)
    return dropout_backward(dense_backward(dout, dense_saved, g), drop_saved)


def classifier_dropout(config) -> float:
    """The rate before a classifier: its own, or else that of the hidden states."""
    own = config.classifier_dropout
    return config.hidden_dropout_prob if own is None else own
