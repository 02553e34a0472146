"""The zoo: the bugs that people make when they write BERT, a line or two for each.

See mutants for what a line means, and bugs for what each bug is and how to fix it.
`module` matches the names of the tensors at which a bug first shows.  Most bugs of a
forward pass are put into its backward too: programs that find gradients by themselves
have both.
"""

from __future__ import annotations

import re

import numpy as np

from .mutants import Mutant
from .zoo_attention import ATTEND, ATTENTIONS
from .zoo_backward import BACKWARD
from .zoo_changes import (counted_down, cut_off, dropped, each, first_norm, norms,
                          positions_of_mask, positions_of_roberta, swapped_norms,
                          without)
from .zoo_heads import HEADS, LOSSES
from .zoo_probed import PROBED


# ------------------------------------------------------ lines that are much alike

def activation(name: str, title: str, op: str, only=None, head=False) -> Mutant:
    """Use another activation, in the layers or in the LM head.

    only: where the configuration asks for this one; everywhere by default.
    """
    start = "bert.heads.lm_head" if head else "bert.encoder.feed_forward"
    test = "" if only is None else f' if p.run.config.hidden_act == "{only}" else ' \
        "activation(p, h)"
    back = test.replace("p.run", "g.run").replace(
        "activation(p, h)", "activation_backward(dh, activation_saved, g)")
    return Mutant(
        name, title, module=r"transform\.act" if head else r"intermediate\.out", edits=(
            (start, "activation(p, h)", f"p.run.ops.{op}(h){test}"),
            (f"{start}_backward", "activation_backward(dh, activation_saved, g)",
             f"g.run.ops.{op}_backward(dh, activation_saved){back}")))


def epsilon(eps: str) -> Mutant:
    """Fix the epsilon of all LayerNorms."""
    return Mutant(f"C3-{eps}", f"layer_norm_eps is {eps}, whatever the configuration",
                  edits=(("bert.blocks.norm", "p.run.config.layer_norm_eps", eps),),
                  module=r"embeddings\.out")


def only_norm(name: str, where: str, function: str, scope: str, module: str) -> Mutant:
    """Fix the epsilon of one LayerNorm."""
    return Mutant(f"C3-{name}", f"layer_norm_eps is 1e-5 in {where}, right elsewhere",
                  module=module, edits=(
                      (function, f'norm({scope}.at("LayerNorm"), h)',
                       f'{scope}.run.ops.layer_norm(h, {scope}["LayerNorm.weight"], '
                       f'{scope}["LayerNorm.bias"], 1e-5)'),))


def no_norm(name: str, where: str, test: str, module: str) -> Mutant:
    """Leave the LayerNorm of one half of a layer out."""
    return Mutant(f"C7-{name}", f"no LayerNorm after {where}", module=module, edits=(
        ("bert.attention.add_norm", 'norm(p.at("LayerNorm"), h)',
         f'(h * 1, None) if {test} else norm(p.at("LayerNorm"), h)'),
        ("bert.attention.add_norm_backward",
         'norm_backward(dout, norm_saved, g.at("LayerNorm"))',
         'dout if norm_saved is None else '
         'norm_backward(dout, norm_saved, g.at("LayerNorm"))')))


def residual(name: str, title: str, times: int, test: str, module: str) -> Mutant:
    """Add the residual of one half of a layer another number of times."""
    return Mutant(f"C8-{name}", title, module=module, edits=(
        ("bert.attention.add_norm", "h + residual",
         f"h + ({times} if {test} else 1) * residual"),
        ("bert.attention.add_norm_backward", 'g.at("dense")), dsum',
         f'g.at("dense")), dsum * ({times} if {test.replace("p.", "g.")} else 1)')))


def after(name: str, where: str, test: str, module: str) -> Mutant:
    """Add the residual of one half of a layer after its LayerNorm."""
    return Mutant(f"C8-after-{name}", f"the residual around {where} is added after the "
                  "LayerNorm", module=module, edits=(
                      ("bert.attention.add_norm", "h + residual",
                       f"h + (0 if {test} else 1) * residual"),
                      ("bert.attention.add_norm", 'p.tap("out", out)',
                       f"out = out + (1 if {test} else 0) * residual\n    "
                       'p.tap("out", out)')))


def sines(name: str, title: str, axis: int) -> Mutant:
    """Add sines and cosines in place of learned positions."""
    return Mutant(name, title, module=r"embeddings\.sum", edits=(
        ("bert.embeddings.embeddings", "h = word + kind + place",
         "np, c = __import__('numpy'), word.shape[-1]\n    "
         "angle = position_ids[..., None] / 1e4 ** (np.arange(0, c, 2) / c)\n    "
         f"waves = np.stack([np.sin(angle), np.cos(angle)], {axis})\n    "
         "h = word + kind + waves.reshape(place.shape).astype(word.dtype)"),
        ("bert.embeddings.embeddings_backward",
         'g.add("position_embeddings.weight", look_up_backward(dplace, place_saved))',
         "pass")))


def scaled(name: str, title: str, module: str, *edits) -> Mutant:
    """Multiply hidden states by what dropout would have kept."""
    return Mutant(f"C13-{name}", title, module=module, edits=edits)


ATTENTION, OUTPUT = '"attention" in p.prefix', '"attention" not in p.prefix'

# ------------------------------------------------------------------- A. embeddings

EMBEDDINGS = [
    Mutant("A1-ignored", "token types are ignored: every token is of type 0",
           inputs=without("token_type_ids"), kind="inputs", module="token_type_emb"),
    Mutant("A1-ones", "every token is of type 1", kind="inputs",
           inputs=lambda x: {**x, "token_type_ids": np.ones_like(x["token_type_ids"])},
           module="token_type_emb"),
    Mutant("A1-flipped", "the two token types are swapped", kind="weights",
           params=each("token_type_embeddings", lambda x: x[::-1]),
           module="token_type_emb"),
    Mutant("A1-left-out", "token type embeddings are not added", edits=(
        ("bert.embeddings.embeddings", "word + kind + place", "word + place"),
        ("bert.embeddings.embeddings_backward",
         'g.add("token_type_embeddings.weight", look_up_backward(dsum, kind_saved))',
         "pass")), module=r"embeddings\.sum"),
    Mutant("A2", "attention_mask and token_type_ids are swapped", kind="inputs",
           inputs=lambda x: {**x, "attention_mask": x["token_type_ids"],
                             "token_type_ids": x["attention_mask"]},
           module="token_type_emb"),
    *(Mutant(f"A3-{word}", f"positions start at {i}, as RoBERTa's do", edits=(
        ("bert.embeddings.embeddings", "look_up(position_ids,",
         f'look_up((position_ids + {i}) % len(p["position_embeddings.weight"]),'),),
        module="position_emb") for i, word in ((1, "one"), (2, "two"))),
    Mutant("A3-roberta", "positions count real tokens from 1, and padding is 0",
           kind="inputs", inputs=positions_of_roberta, module="position_emb"),
    Mutant("A4-mask", "positions count only the real tokens", kind="inputs",
           inputs=positions_of_mask, module="position_emb"),
    Mutant("A4-ignored", "position_ids are ignored", kind="inputs",
           inputs=without("position_ids"), module="position_emb"),
    Mutant("A4-first", "all texts get the positions of the first", kind="inputs",
           inputs=lambda x: {**x, "position_ids": x["position_ids"][:1]}
           if "position_ids" in x else x, module="position_emb"),
    Mutant("A4-backwards", "positions count down", kind="inputs",
           inputs=counted_down, module="position_emb"),
    Mutant("A4-short", "positions beyond a limit are taken as that limit", edits=(
        ("bert.embeddings.embeddings", "look_up(position_ids,", "look_up(position_ids."
         'clip(max=len(p["position_embeddings.weight"]) - 4),'),),
        module="position_emb", match=cut_off),
    Mutant("A4-shared", "all texts get the position vectors of the first", edits=(
        ("bert.embeddings.embeddings", "word + kind + place",
         "word + kind + place[:1]"),
        ("bert.embeddings.embeddings_backward",
         "dplace = dsum.sum(0, keepdims=True) if shared else dsum",
         "dplace = dsum[:len(place_saved[0])] * 0\n    "
         "dplace[:1] = dsum.sum(0, keepdims=True)")), module=r"embeddings\.sum"),
    Mutant("A4-twice", "position embeddings are added twice", edits=(
        ("bert.embeddings.embeddings", "word + kind + place",
         "word + kind + 2 * place"),
        ("bert.embeddings.embeddings_backward", "look_up_backward(dplace, place_saved)",
         "2 * look_up_backward(dplace, place_saved)")), module=r"embeddings\.sum"),
    sines("A4-sines", "positions are sines, and cosines beside them", -1),
    sines("A4-waves", "positions are sines in one half, cosines in the other", -2),
    Mutant("A4-left-out", "position embeddings are not added", edits=(
        ("bert.embeddings.embeddings", "word + kind + place", "word + kind"),
        ("bert.embeddings.embeddings_backward",
         'g.add("position_embeddings.weight", look_up_backward(dplace, place_saved))',
         "pass")), module=r"embeddings\.sum"),
    Mutant("A5", "token ids are off by one", kind="weights",
           params=each("word_embeddings", lambda x: np.roll(x, 1, 0)),
           module="word_embeddings"),
    Mutant("A6-zero", "the embedding of [PAD] is taken to be zero", kind="weights",
           params=each("word_embeddings", lambda x: np.concatenate([0 * x[:1], x[1:]])),
           module="word_embeddings"),
    Mutant("A6-cleared", "what is looked up for [PAD] is set to zero", edits=(
        ("bert.embeddings.embeddings", "word + kind + place",
         "word * (1 if ids is None else "
         "(ids != p.run.config.pad_token_id)[..., None]) + kind + place"),),
           module=r"embeddings\.sum"),
    Mutant("A7-left-out", "no LayerNorm after the embeddings", edits=(
        ("bert.embeddings.embeddings", 'norm(p.at("LayerNorm"), h)', "h * 1, None"),
        ("bert.embeddings.embeddings_backward",
         'norm_backward(dh, norm_saved, g.at("LayerNorm"))', "dh")),
        module=r"embeddings\.out"),
    Mutant("A7-early", "positions are added after the LayerNorm", edits=(
        ("bert.embeddings.embeddings", "word + kind + place", "word + kind"),
        ("bert.embeddings.embeddings", 'p.tap("LayerNorm", h)',
         'h = h + place\n    p.tap("LayerNorm", h)')), module=r"embeddings\.sum"),
    Mutant("A7-types", "token types are added after the LayerNorm", edits=(
        ("bert.embeddings.embeddings", "word + kind + place", "word + place"),
        ("bert.embeddings.embeddings", 'p.tap("LayerNorm", h)',
         'h = h + kind\n    p.tap("LayerNorm", h)')), module=r"embeddings\.sum"),
    Mutant("A9", "word embeddings are multiplied by sqrt(C)", edits=(
        ("bert.embeddings.embeddings", "word + kind + place",
         "word * word.shape[-1] ** 0.5 + kind + place"),), module=r"embeddings\.sum"),
]

# --------------------------------------- C. LayerNorm, activation, residual, dropout

NORM, NORM_BACK = "bert.ops.layer_norm", "bert.ops.layer_norm_backward"
HIDDEN = "p.run.config.hidden_dropout_prob"
SQUARES = "np.vecdot(centred, centred)[..., None] / x.shape[-1]"
PRE = ('p.run.ops.layer_norm(x, p["output.LayerNorm.weight"], '
       'p["output.LayerNorm.bias"], p.run.config.layer_norm_eps)[0]')
PRE_EDITS = (
    ("bert.attention.attention", "multi_head(p.at(\"self\"), x, source, mask, past)",
     f"multi_head(p.at(\"self\"), y := {PRE}, y if source is x else source, mask, "
     "past)"),
    ("bert.encoder.feed_forward", 'dense(p.at("intermediate.dense"), x)',
     f'dense(p.at("intermediate.dense"), {PRE})'),
    ("bert.attention.add_norm", 'norm(p.at("LayerNorm"), h)', "h * 1, None"),
    ("bert.attention.add_norm_backward",
     'norm_backward(dout, norm_saved, g.at("LayerNorm"))', "dout"))
# The second half of a layer gets what the first half starts from as well.
START = (("bert.encoder.layer", "feed_forward(p, h)", "feed_forward(p, h, x)"),
         ("bert.encoder.feed_forward", "def feed_forward(p, x)",
          "def feed_forward(p, x, start)"),
         ("bert.encoder.layer_backward", "dh, dsource = feed", "(dh, direct), dsource"
          " = feed"),
         ("bert.encoder.layer_backward", "return dx, dsource",
          "return dx + direct, dsource"))
KEPT_EMBEDDINGS = (
    ("bert.embeddings.embeddings", 'p.tap("out", out)',
     'out = 0.9 * out\n    p.tap("out", out)'),
    ("bert.embeddings.embeddings_backward", "dropout_backward(dout",
     "0.9 * dropout_backward(dout"))
HALF = 'dense_backward(dh, dense_saved, g.at("intermediate.dense"))'

LAYERS = [
    activation("C1-layer", "GELU by tanh in the layers, where erf is asked for",
               "gelu_tanh", "gelu"),
    activation("C1-head", "GELU by tanh in the LM head, where erf is asked for",
               "gelu_tanh", "gelu", head=True),
    activation("C1-erf", "GELU by erf, where gelu_new asks for tanh", "gelu",
               "gelu_new"),
    Mutant("C1-digits", "the constants of GELU's tanh form have four digits", edits=(
        ("bert.ops.gelu_tanh", "scale * (x + GELU_TANH_CUBE",
         "0.7979 * (x + 0.0447"),
        ("bert.ops.gelu_tanh", "(x, t, scale)", "(x, t, 0.7979)"),
        ("bert.ops.gelu_tanh_backward", "GELU_TANH_CUBE", "0.0447")),
        module=r"intermediate\.out"),
    activation("C2-quick", "QuickGELU, x sigmoid(1.702 x), for GELU", "quick_gelu"),
    activation("C2-quick-head", "QuickGELU for GELU in the LM head", "quick_gelu",
               head=True),
    activation("C2-relu", "ReLU for GELU", "relu"),
    activation("C2-relu-head", "ReLU for GELU in the LM head", "relu", head=True),
    activation("C2-silu", "SiLU for GELU", "silu"),
    activation("C2-none", "no activation in the layers", "identity"),
    *map(epsilon, ("1e-3", "1e-5", "1e-6", "1e-7", "1e-12")),
    Mutant("C3-range", "layer_norm_eps is initializer_range, 0.02", edits=(
        ("bert.blocks.norm", "layer_norm_eps", "initializer_range"),),
        module=r"embeddings\.out"),
    only_norm("embeddings", "the embeddings", "bert.embeddings.embeddings", "p",
              r"embeddings\.out"),
    only_norm("layers", "the layers", "bert.attention.add_norm", "p",
              r"attention\.output\.out"),
    only_norm("head", "the LM head", "bert.heads.lm_head", "t", r"transform\.out"),
    Mutant("C4-outside", "eps is added outside the square root",
           edits=((NORM, "np.sqrt(var + eps)", "(np.sqrt(var) + eps)"),),
           module=r"embeddings\.out"),
    Mutant("C4-unbiased", "the variance is divided by C - 1, not C",
           edits=((NORM, "/ x.shape[-1]", "/ (x.shape[-1] - 1)"),),
           module=r"embeddings\.out"),
    Mutant("C4-no-mean", "LayerNorm does not subtract the mean", edits=(
        (NORM, "x.mean(-1, keepdims=True)", "0"),
        (NORM_BACK, "dnorm - shift - norm", "dnorm - norm")),
        module=r"embeddings\.out"),
    Mutant("C4-no-root", "LayerNorm divides by the variance, not by its root",
           edits=((NORM, "np.sqrt(var + eps)", "(var + eps)"),),
           module=r"embeddings\.out"),
    Mutant("C4-uncentred", "the variance is the mean of x^2, without its mean", edits=(
        (NORM, "np.vecdot(centred, centred)", "np.vecdot(x, x)"),
        (NORM, "(norm, rstd, w)", "(norm, rstd, w, x * rstd)"),
        (NORM_BACK, "norm, rstd, w = saved", "norm, rstd, w, other = saved"),
        (NORM_BACK, "norm * stretch", "other * stretch")), module=r"embeddings\.out"),
    Mutant("C4-mean-left", "x is divided by its deviation, with its mean left in",
           edits=((NORM, "norm = centred", "norm = x * 1"),
                  (NORM, "(norm, rstd, w)", "(norm, rstd, w, centred * rstd)"),
                  (NORM_BACK, "norm, rstd, w = saved", "norm, rstd, w, other = saved"),
                  (NORM_BACK, "dnorm - shift - norm * stretch",
                   "dnorm - other * stretch")), module=r"embeddings\.out"),
    Mutant("C5", "the variance is computed as E[x^2] - E[x]^2", kind="equivalent",
           edits=((NORM, SQUARES, "(x * x).mean(-1, keepdims=True) "
                   "- x.mean(-1, keepdims=True) ** 2"),)),
    Mutant("C7-pre", "LayerNorm before each half of a layer, not after it",
           edits=PRE_EDITS, module=r"self\.query"),
    # A hook on a LayerNorm shows what it reads: here that is no sum.
    Mutant("C7-pre-read", "LayerNorm before each half of a layer, and `sum` before it",
           edits=(*PRE_EDITS, ("bert.attention.add_norm", 'p.tap("sum", h)',
                               'p.tap("sum", residual * 1)')), module=r"self\.query"),
    Mutant("C7-final-own", "the last LayerNorm is applied once more at the end", edits=(
        ("bert.encoder.stack", "return x, saved if p.run.keep else None",
         'last = p.at(f"layer.{i}.output.LayerNorm")\n    '
         'x, _ = p.run.ops.layer_norm(x, last["weight"], last["bias"], '
         "p.run.config.layer_norm_eps)\n    return x, saved if p.run.keep else None"),),
        module="pooler|transform|classifier|qa_out"),
    Mutant("C7-final", "one more LayerNorm after the last layer", edits=(
        ("bert.encoder.stack", "return x, saved if p.run.keep else None",
         "x, _ = p.run.ops.layer_norm(x, 1.0, 0.0, p.run.config.layer_norm_eps)\n    "
         "return x, saved if p.run.keep else None"),),
        module="pooler|transform|classifier|qa_out"),
    no_norm("attention", "attention", ATTENTION, r"attention\.output\.out"),
    no_norm("output", "the feed-forward half", OUTPUT, r"\d\.output\.out"),
    residual("attention", "no residual around attention", 0, ATTENTION,
             r"attention\.output\.sum"),
    residual("output", "no residual around the feed-forward half", 0, OUTPUT,
             r"\d\.output\.sum"),
    residual("double-attention", "the residual around attention is added twice", 2,
             ATTENTION, r"attention\.output\.sum"),
    residual("double-output", "the residual of the feed-forward half is added twice", 2,
             OUTPUT, r"\d\.output\.sum"),
    after("attention", "attention", ATTENTION, r"attention\.output\.sum"),
    after("output", "the feed-forward half", OUTPUT, r"\d\.output\.sum"),
    Mutant("C8-far", "the second residual starts before attention", edits=(
        *START, ("bert.encoder.feed_forward", 'at("output"), h, x)',
                 'at("output"), h, start)'),
        ("bert.encoder.feed_forward_backward", f"dx + {HALF}", f"{HALF}, dx")),
        module=r"\d\.output\.sum"),
    Mutant("C8-parallel", "the feed-forward half reads what attention reads", edits=(
        *START, ("bert.encoder.feed_forward", 'dense(p.at("intermediate.dense"), x)',
                 'dense(p.at("intermediate.dense"), start)'),
        ("bert.encoder.feed_forward_backward", f"dx + {HALF}", f"dx, {HALF}")),
        module=r"intermediate\.dense"),
    Mutant("C8-after", "the residual is added after the LayerNorm", edits=(
        ("bert.attention.add_norm", "h + residual", "h + 0 * residual"),
        ("bert.attention.add_norm", 'p.tap("out", out)',
         'out = out + residual\n    p.tap("out", out)')), module=r"output\.sum"),
    Mutant("C8-double", "the residual is added twice", edits=(
        ("bert.attention.add_norm", "h + residual", "h + 2 * residual"),
        ("bert.attention.add_norm_backward", 'g.at("dense")), dsum',
         'g.at("dense")), 2 * dsum')), module=r"output\.sum"),
    Mutant("C9-swapped", "the two LayerNorms of a layer are swapped", kind="weights",
           params=swapped_norms, module=r"attention\.output\.out"),
    Mutant("C9-twice", "attention's LayerNorm is used for both halves of a layer",
           kind="weights", params=lambda params: {name: params[re.sub(
               r"(\d)\.output\.L", r"\1.attention.output.L", name)]
               for name in params}, module=r"\d\.output\.out"),
    Mutant("C9-first", "all layers end with the LayerNorm of the first", kind="weights",
           params=first_norm, module=r"layer\.1\.output\.out"),
    Mutant("C10-plus-one", "1 is added to LayerNorm's weights", kind="weights",
           params=each(r"LayerNorm\.weight", lambda x: x + 1),
           module=r"embeddings\.out"),
    Mutant("C10-all", "LayerNorm's weights and biases stay at 1 and 0", kind="weights",
           params=norms("LayerNorm"), module=r"embeddings\.out"),
    Mutant("C10-weight", "LayerNorm's weights stay at 1", kind="weights",
           params=norms("LayerNorm", bias=False), module=r"embeddings\.out"),
    Mutant("C10-bias", "LayerNorm's biases stay at 0", kind="weights",
           params=norms("LayerNorm", weight=False), module=r"embeddings\.out"),
    Mutant("C10-head", "the LM head's LayerNorm stays at 1 and 0", kind="weights",
           params=norms(r"transform\.LayerNorm"), module=r"transform\.out"),
    Mutant("C13-probs", "dropout of attention is left on", kind="random", edits=(
        (ATTEND, "dropout(p, probs, p.run.config.attention_probs_dropout_prob)",
         "p.run.ops.dropout(probs, p.run.config.attention_probs_dropout_prob, "
         "np.random.default_rng(0))"),), module=r"\.probs", match=dropped(0.1)),
    Mutant("C13-hidden", "dropout of hidden states is left on", kind="random",
           edits=tuple(
               (name, f"dropout(p, h, {HIDDEN})", f"p.run.ops.dropout(h, {HIDDEN}, "
                "__import__('numpy').random.default_rng(0))")
               for name in ("bert.embeddings.embeddings", "bert.attention.add_norm")),
           module=r"embeddings\.out", match=dropped(0.1)),
    scaled("kept", "hidden states are multiplied by 0.9 where dropout would be",
           r"embeddings\.out", *KEPT_EMBEDDINGS,
           ("bert.attention.add_norm", "h + residual", "0.9 * h + residual"),
           ("bert.attention.add_norm_backward", "dropout_backward(dsum",
            "0.9 * dropout_backward(dsum")),
    scaled("kept-embeddings", "embeddings are multiplied by 0.9, as if by dropout",
           r"embeddings\.out", *KEPT_EMBEDDINGS),
    scaled("kept-output", "the feed-forward half is multiplied by 0.9",
           r"\d\.output\.sum", ("bert.attention.add_norm", "h + residual",
                                f"h * (0.9 if {OUTPUT} else 1) + residual"),
           ("bert.attention.add_norm_backward", "dropout_backward(dsum", "(0.9 if "
            f"{OUTPUT.replace('p.', 'g.')} else 1) * dropout_backward(dsum")),
]
MUTANTS = EMBEDDINGS + ATTENTIONS + LAYERS + HEADS + LOSSES + BACKWARD + PROBED


def visible() -> list[Mutant]:
    """Return the bugs that a pack can show: they change what numbert computes."""
    return [mutant for mutant in MUTANTS
            if mutant.probe is None and mutant.kind not in ("equivalent", "variant")]
