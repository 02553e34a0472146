"""The taps of a model: what a Trace can record, listed without a run."""

from __future__ import annotations

from .params import HEAD_SHAPES

Shapes = dict[str, tuple]


def taps(model) -> dict[str, tuple]:
    """Return {name of a tap: shape of its array}, in the order of computation.

    Sizes that depend on the input are letters: "B" texts of "T" tokens, in
    multiple-choice models "B M" texts, and "S" keys to attend to.  In self-attention S
    is T plus the positions in the cache, in cross-attention the tokens of the source.

    A forward pass records these names, and a backward pass their gradients, of the same
    shapes, as `grad:NAME`.  Cross-attention is recorded if the call is given an
    encoder's output, and a loss if it is given labels.  The words' logits have fewer
    rows if the call asks for some positions only, and there is one row of positions for
    each text if the call gives position_ids with as many.

    Args:
        model: any model of numbert.

    Example:
        >>> numbert.taps(model)["bert.encoder.layer.0.attention.self.probs"]
        ("B", 12, "T", "S")
    """
    if model.halves:
        halves = {f"{half}.{tap}": shape for half in model.halves
                  for tap, shape in taps(getattr(model, half)).items() if tap != "loss"}
        return {**halves, "loss": ()}
    config, pooler, rows = model.config, model.pooler, model.rows
    shapes = {f"{model.prefix}{name}": shape
              for name, shape in backbone_taps(config, rows, pooler).items()}
    for head in model.heads:
        shapes |= word_taps(config, rows) if head == "lm" else score_taps(
            HEAD_SHAPES[head](config), (rows,) if pooler else (rows, "T"))
    if len(model.terms) > 1:
        shapes |= {term.tap: () for term in model.terms}
    return {**shapes, "loss": ()} if model.terms else shapes


def attention_taps(config, batch, source) -> Shapes:
    """The taps of an attention block, whose keys come from `source` tokens per text."""
    state = (batch, "T", config.hidden_size)
    keys = (batch, source, config.hidden_size)
    pairs = (batch, config.num_attention_heads, "T", "S")
    return {"self.query": state, "self.key": keys, "self.value": keys,
            "self.scores": pairs, "self.masked_scores": pairs, "self.softmax": pairs,
            "self.probs": pairs, "self.context": state,
            "output.dense": state, "output.sum": state, "output.out": state}


def backbone_taps(config, batch, pooler: bool) -> Shapes:
    """The taps of embeddings, layers and, if there is one, the pooler."""
    state = (batch, "T", config.hidden_size)
    wide = (batch, "T", config.intermediate_size)
    shapes: Shapes = {
        "embeddings.word_embeddings": state, "embeddings.token_type_embeddings": state,
        "embeddings.position_embeddings": (1, *state[1:]), "embeddings.sum": state,
        "embeddings.LayerNorm": state, "embeddings.out": state}
    blocks = {"attention": "T"}
    if config.add_cross_attention:
        blocks["crossattention"] = "S"
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}"
        for block, source in blocks.items():
            shapes |= {f"{layer}.{block}.{name}": shape for name, shape
                       in attention_taps(config, batch, source).items()}
        shapes |= {f"{layer}.intermediate.dense": wide,
                   f"{layer}.intermediate.out": wide, f"{layer}.output.dense": state,
                   f"{layer}.output.sum": state, f"{layer}.output.out": state}
    if pooler:
        shapes |= {"pooler.dense": (batch, config.hidden_size),
                   "pooler.out": (batch, config.hidden_size)}
    return shapes


def word_taps(config, batch) -> Shapes:
    """The taps of the LM head, which scores every token."""
    state = (batch, "T", config.hidden_size)
    return {"cls.predictions.transform.dense": state,
            "cls.predictions.transform.act": state,
            "cls.predictions.transform.out": state,
            "cls.predictions.out": (batch, "T", config.vocab_size)}


def score_taps(head: Shapes, rows: tuple) -> Shapes:
    """The tap of a head that is one linear layer: a score for each row of its weight.

    head: the shapes of its parameters; rows: the other axes, texts or tokens.
    """
    return {name.removesuffix("weight") + "out": (*rows, shape[0])
            for name, shape in head.items() if name.endswith(".weight")}
