"""Heads: what the model classes put on top of the backbone.

Each takes the scope `p` of a whole model and finds its own parameters in it.
"""

from .blocks import activation, activation_backward, dense, dense_backward
from .blocks import dropout, dropout_backward, norm, norm_backward


def lm_head(p, x, table, bias):
    """Score every word piece: transform x, then compare it with each embedding.

    x (..., C), table (V, C), bias (V,) -> out (..., V)        HF: BertLMPredictionHead
    The table is an argument because it usually is the word embedding table itself (tied
    weights, Press & Wolf 2017); its gradient goes back to the caller.
    """
    t = p.at("transform")
    h, dense_saved = dense(t.at("dense"), x)                       # (..., C)
    t.tap("dense", h)
    h, activation_saved = activation(p, h)                         # (..., C)
    t.tap("act", h)
    h, norm_saved = norm(t.at("LayerNorm"), h)                     # (..., C)
    t.tap("out", h)
    out, decoder_saved = p.run.ops.linear(h, table, bias)          # (..., V)
    p.tap("out", out)
    return out, p.saved(dense_saved, activation_saved, norm_saved, decoder_saved)


def lm_head_backward(dout, saved, g):
    """dout (..., V) -> dx (..., C), dtable (V, C), dbias (V,)

    From out = h table^T + bias: dh = dout table, dtable = dout^T h, and dbias is the
    sum of dout over positions.  Then back through LayerNorm, activation and dense.
    """
    dense_saved, activation_saved, norm_saved, decoder_saved = saved
    t = g.at("transform")
    g.tap("out", dout)
    dh, dtable, dbias = g.run.ops.linear_backward(dout, decoder_saved)
    t.tap("out", dh)                                               # (..., C)
    dh = norm_backward(dh, norm_saved, t.at("LayerNorm"))
    t.tap("act", dh)
    dh = activation_backward(dh, activation_saved, g)
    t.tap("dense", dh)
    return dense_backward(dh, dense_saved, t.at("dense")), dtable, dbias


def decoder_names(config) -> tuple[str, str]:
    """The names of the decoder's table and bias; tied, they are the embeddings'."""
    if config.tie_word_embeddings:
        return "bert.embeddings.word_embeddings.weight", "cls.predictions.bias"
    return "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"


def word_head(p, x, places=None):
    """The LM head, masked or causal: a score for every word piece.

    x (B, T, C) -> out (B, T, V)
    places: which positions to score, numbered row by row from 0 to B T - 1, an array of
    any shape; out is then (*places.shape, V).  None means all.
    """
    picked, pick_saved = x, None
    if places is not None:             # a look-up in the table of all positions
        table = x.reshape(-1, x.shape[-1])                         # (B T, C)
        picked, pick_saved = p.run.ops.embedding(places, table)    # (..., C)
    table, bias = decoder_names(p.run.config)
    out, head_saved = lm_head(p.at("cls.predictions"), picked, p[table], p[bias])
    return out, p.saved(pick_saved, head_saved, x.shape)


def word_head_backward(dout, saved, g):
    """dout (..., V) -> dx (B, T, C)

    A tied table is used twice, to look words up and to score them; g adds up the two
    gradients.  A position that was not scored gets the gradient 0.
    """
    pick_saved, head_saved, shape = saved
    table, bias = decoder_names(g.run.config)
    dx, dtable, dbias = lm_head_backward(dout, head_saved, g.at("cls.predictions"))
    g.add(table, dtable)
    g.add(bias, dbias)
    if pick_saved is not None:
        dx = g.run.ops.embedding_backward(dx, pick_saved).reshape(shape)
    return dx


def classifier(p, x):
    """Dropout, then one score per label, for whole texts or for every token.

    x (..., C) -> out (..., K)
    """
    x, drop_saved = dropout(p, x, classifier_dropout(p.run.config))
    out, scores_saved = scores(p.at("classifier"), x)              # (..., K)
    return out, p.saved(drop_saved, scores_saved)


def classifier_backward(dout, saved, g):
    """dout (..., K) -> dx (..., C)

    The chain rule, last step first: the scores, then dropout.
    """
    drop_saved, scores_saved = saved
    dx = scores_backward(dout, scores_saved, g.at("classifier"))
    return dropout_backward(dx, drop_saved, g)


def classifier_dropout(config) -> float:
    """Return classifier_dropout or, if that is None, hidden_dropout_prob."""
    own = config.classifier_dropout
    return config.hidden_dropout_prob if own is None else own


def order_head(p, x):
    """Next sentence prediction: a score for "B follows A" and one for "B is random".

    x (B, C) -> out (B, 2)
    """
    return scores(p.at("cls.seq_relationship"), x)


def order_head_backward(dout, saved, g):
    """dout (B, 2) -> dx (B, C)

    One linear layer; see scores_backward.
    """
    return scores_backward(dout, saved, g.at("cls.seq_relationship"))


def span_head(p, x):
    """Question answering: how well an answer could start, and end, at each token.

    x (B, T, C) -> out (B, T, 2)
    """
    return scores(p.at("qa_outputs"), x)


def span_head_backward(dout, saved, g):
    """dout (B, T, 2) -> dx (B, T, C)

    One linear layer; see scores_backward.
    """
    return scores_backward(dout, saved, g.at("qa_outputs"))


def scores(p, x):
    """One linear layer, whose output is traced.

    x (..., C) -> out (..., K)
    """
    out, saved = dense(p, x)                                       # (..., K)
    p.tap("out", out)
    return out, saved


def scores_backward(dout, saved, g):
    """dout (..., K) -> dx (..., C)

    From out = x w^T + b: dx = dout w; see dense_backward.
    """
    g.tap("out", dout)
    return dense_backward(dout, saved, g)
