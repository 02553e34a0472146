"""Embeddings: a token starts as the sum of three vectors: word, position, segment.

Devlin et al. 2019, section 3 and figure 2.
"""

from .blocks import dropout, dropout_backward, norm, norm_backward


def embeddings(p, ids, position_ids, token_type_ids, inputs_embeds=None):
    """Word + token type + position, then LayerNorm and dropout.

    ids (B, T), position_ids (1 or B, T), token_type_ids (B, T) -> out (B, T, C)
    inputs_embeds (B, T, C), if given, take the place of the word embeddings.
    HF: BertEmbeddings
    """
    look_up = p.run.ops.embedding
    if inputs_embeds is None:
        word, word_saved = p.run.ops.word_embedding(
            ids, p["word_embeddings.weight"], p.run.config.pad_token_id)
    else:
        word, word_saved = inputs_embeds, None
    kind, kind_saved = look_up(token_type_ids, p["token_type_embeddings.weight"])
    place, place_saved = look_up(position_ids, p["position_embeddings.weight"])
    p.tap("word_embeddings", word)
    p.tap("token_type_embeddings", kind)
    p.tap("position_embeddings", place)

    h = word + kind + place                                        # (B, T, C)
    p.tap("sum", h)
    h, norm_saved = norm(p.at("LayerNorm"), h)                     # (B, T, C)
    p.tap("LayerNorm", h)
    out, drop_saved = dropout(p, h, p.run.config.hidden_dropout_prob)
    p.tap("out", out)
    return out, p.saved(word_saved, kind_saved, place_saved, norm_saved, drop_saved)


def embeddings_backward(dout, saved, g):
    """dout (B, T, C) -> dinputs_embeds (B, T, C)

    Dropout and LayerNorm, in reverse, give dsum, the gradient of word + kind + place.
    A sum passes its whole gradient to each of its terms, and each look-up adds it to
    the rows it copied.  If all sequences share one row of positions, that row is used B
    times, so its gradient is summed over the batch.
    """
    look_up_backward = g.run.ops.embedding_backward
    word_saved, kind_saved, place_saved, norm_saved, drop_saved = saved
    g.tap("out", dout)
    dh = dropout_backward(dout, drop_saved, g)                     # (B, T, C)
    g.tap("LayerNorm", dh)
    dsum = norm_backward(dh, norm_saved, g.at("LayerNorm"))        # (B, T, C)
    g.tap("sum", dsum)

    g.tap("word_embeddings", dsum)
    g.tap("token_type_embeddings", dsum)
    g.add("token_type_embeddings.weight", look_up_backward(dsum, kind_saved))
    shared = place_saved[0].shape[0] == 1 < dsum.shape[0]          # one row for all
    dplace = dsum.sum(0, keepdims=True) if shared else dsum
    g.tap("position_embeddings", dplace)
    g.add("position_embeddings.weight", look_up_backward(dplace, place_saved))
    if word_saved is not None:
        g.add("word_embeddings.weight",
              g.run.ops.word_embedding_backward(dsum, word_saved))
    return dsum
