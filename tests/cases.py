"""The situations in which every model class is compared with Hugging Face.

A case is (class, config changes, inputs).  Weights are the stress weights of seed 0.
"""

import numpy as np

import numbert
from common import B, CLASSES, SMALL, T, config, ids

LM = (numbert.BertForPreTraining, numbert.BertLMHeadModel, numbert.BertForMaskedLM)
DECODERS = (numbert.BertModel, numbert.BertLMHeadModel)
V, C, LONGEST = (SMALL[k] for k in ("vocab_size", "hidden_size",
                                    "max_position_embeddings"))


def fill(shape, seed=11):
    """Random numbers for embeddings and encoder states."""
    return np.random.default_rng(seed).standard_normal(shape)


def mask_of(shape, side):
    """A padding mask: the first row loses two tokens on one side, or all of them."""
    mask = np.ones(shape, np.int64)
    places = {"right": slice(-2, None), "left": slice(2), "all": slice(None)}
    mask[0, ..., places[side]] = 0
    return mask


def labels_for(cls, cfg, shape, seed=3):
    """Labels that fit the class: some ignored, one answer outside the text."""
    rng = np.random.default_rng(seed)
    batch, classes = shape[0], cfg.num_labels
    if cls in LM:
        labels = {"labels": np.where(rng.random(shape) < 0.5,
                                     rng.integers(0, V, shape), -100)}
        if cls is numbert.BertForPreTraining:
            labels["next_sentence_label"] = rng.integers(0, 2, batch)
        return labels
    if cls is numbert.BertForQuestionAnswering:
        return {"start_positions": np.array([1, shape[-1] + 3]),
                "end_positions": np.array([3, 0])}
    if cls is numbert.BertForTokenClassification:
        return {"labels": np.where(rng.random(shape) < 0.7,
                                   rng.integers(0, classes, shape), -100)}
    if cls is numbert.BertForMultipleChoice:
        return {"labels": rng.integers(0, shape[1], batch)}
    if cls is numbert.BertForNextSentencePrediction:
        return {"labels": rng.integers(0, 2, batch)}
    if cls is numbert.BertForSequenceClassification:
        kind = cfg.problem_type or ("regression" if classes == 1 else "")
        if kind == "regression":
            return {"labels": rng.standard_normal((batch, classes)[:1 + (classes > 1)])}
        if kind == "multi_label_classification":
            return {"labels": rng.integers(0, 2, (batch, classes)).astype(float)}
        return {"labels": rng.integers(0, classes, batch)}
    return {}


def cases():
    """{name: (class, config changes, inputs)}"""
    found = {}

    def case(name, cls, inputs, **changes):
        found[f"{cls.__name__}-{name}"] = cls, changes, inputs

    for cls in CLASSES:
        shape = (B, 3, T) if cls is numbert.BertForMultipleChoice else (B, T)
        base = {"is_decoder": True} if cls is numbert.BertLMHeadModel else {}
        x = ids(shape)
        labels = labels_for(cls, config(**base), shape)
        for side in ("right", "left", "all"):
            case(f"padding-{side}", cls, {
                "input_ids": x, "attention_mask": mask_of(shape, side), **labels},
                **base)
        case("everything", cls, {
            "input_ids": np.where(np.arange(T) == T - 1, 0, x),      # [PAD] looked up
            "token_type_ids": (x % 2), "attention_mask": mask_of(shape, "right"),
            "position_ids": (x + np.arange(T)) % LONGEST, **labels}, **base)
        case("embeds", cls, {"inputs_embeds": fill((*shape, C)), **labels}, **base)
        case("eps", cls, {"input_ids": x, **labels}, layer_norm_eps=1e-5, **base)
        for length in (1, LONGEST):
            y = ids((*shape[:-1], length))
            case(f"length-{length}", cls, {
                "input_ids": y, **labels_for(cls, config(**base), y.shape)}, **base)

    model, x = numbert.BertModel, {"input_ids": ids()}
    for name in ("gelu_new", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh",
                 "sigmoid"):
        case(f"act-{name}", model, x, hidden_act=name)
        masked = numbert.BertForMaskedLM
        case(f"act-{name}", masked, {**x, **labels_for(masked, config(), (B, T))},
             hidden_act=name)
    rng = np.random.default_rng(8)
    for name, heads in {"mask-per-head": 3, "mask-per-query": 1}.items():
        case(name, model, {**x, "attention_mask": rng.random((B, heads, T, T)) < 0.7})
    case("one-layer-one-head", model, x, num_hidden_layers=1, num_attention_heads=1)

    states = {"encoder_hidden_states": fill((B, 7, C)),
              "encoder_attention_mask": mask_of((B, 7), "left")}
    crossed = {"is_decoder": True, "add_cross_attention": True}
    for cls in DECODERS:
        labels = labels_for(cls, config(**crossed), (B, T))
        case("cross", cls, {**x, **states, **labels}, **crossed)
        padding = {"attention_mask": mask_of((B, T), "right")}
        case("cross-padding", cls, {**x, **states, **labels, **padding}, **crossed)
        case("decoder", cls, {**x, **labels}, is_decoder=True)
    for cls in LM:
        base = {"is_decoder": cls is numbert.BertLMHeadModel}
        case("untied", cls, {**x, **labels_for(cls, config(), (B, T))},
             tie_word_embeddings=False, **base)
    cls = numbert.BertForSequenceClassification
    for name, changes in {
            "regression": {"num_labels": 1}, "classes": {"num_labels": 4},
            "regression-several": {"num_labels": 3, "problem_type": "regression"},
            "multi-label": {"num_labels": 3,
                            "problem_type": "multi_label_classification"}}.items():
        case(name, cls, {**x, **labels_for(cls, config(**changes), (B, T))}, **changes)
    case("multi-label-by-dtype", cls, {**x, "labels": np.ones((B, 2))})
    case("classes", numbert.BertForTokenClassification, {
        **x, **labels_for(numbert.BertForTokenClassification, config(num_labels=5),
                          (B, T))}, num_labels=5)
    return found


CASES = cases()
