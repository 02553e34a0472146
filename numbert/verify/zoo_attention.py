"""The zoo, second part: the bugs of attention and of its masks; see zoo."""

from __future__ import annotations

import numpy as np

from .mutants import Mutant
from .zoo_changes import (each, exchanged, inside, interleaved, no_dense, one_head,
                          without)

SELF, CROSS = r"attention\.self\.", r"crossattention\."
SPLIT = "x.reshape(*x.shape[:-1], heads, -1).swapaxes(-2, -3)"
MULTI, BACK = "bert.attention.multi_head", "bert.attention.multi_head_backward"
JOINED = "models.inputs.joined_mask"
ATTEND, ATTEND_BACK = "bert.attention.attend", "bert.attention.attend_backward"
BIASES = {"query": r"query\.", "key": r"key\.", "value": r"value\.",
          "output": r"attention\.output\.dense\."}
CONTEXT, DCONTEXT = "merge_heads(context)", "split_heads(dout, heads)"
INNER = "reshape(*dout.shape[:2], -1, heads).transpose(0, 3, 1, 2)"
SPLIT_KV = "split_heads(k, heads), split_heads(v, heads)"
MERGE_KV = "merge_heads(dk[..., -new:, :]), merge_heads(dv[..., -new:, :])"
FIRST = "np.concatenate([y.sum(1, keepdims=True), 0 * y[:, 1:]], 1)"
AFTER_SOFTMAX = 'p.tap("softmax", probs)'


# ------------------------------------------------------ lines that are much alike

def scale(name: str, title: str, new: str) -> Mutant:
    """Multiply attention scores by another number."""
    old = "(1 / math.sqrt(q.shape[-1]))"
    return Mutant(f"B13-{name}", title, module=r"\.scores", edits=(
        ("bert.ops.attention_scores", old, f"({new})"),
        ("bert.ops.attention_scores_backward", old, f"({new})")))


def mask(name: str, title: str, new: str, kind="forward") -> Mutant:
    """Treat hidden keys in another way."""
    return Mutant(name, title, kind=kind, module=r"\.probs", edits=(
        ("bert.ops.mask_scores", "np.where(mask, scores, np.finfo(scores.dtype).min)",
         new),))


def states(name: str, title: str, new: str, backward: str, module: str) -> Mutant:
    """Attend with other queries, keys and values than were computed."""
    return Mutant(name, title, module=module, edits=(
        (MULTI, "p, q, k, v, mask)", f"p, {new}, mask)"),
        (BACK, "dq = merge_heads(dq)", f"{backward}\n    dq = merge_heads(dq)")))


def softmax(name: str, title: str, new: str) -> Mutant:
    """Divide the exponentials of a softmax by another sum."""
    return Mutant(f"B25-{name}", title, module=r"\.probs", edits=(
        ("bert.ops.softmax", "exps.sum(-1, keepdims=True)", new),))


def cut(name: str, title: str, test: str) -> Mutant:
    """Cut a head off."""
    return Mutant(f"B22-{name}", title, module=r"\.context", edits=(
        (MULTI, CONTEXT, f"merge_heads(context * ({test})[:, None, None])"),
        (BACK, DCONTEXT, f"{DCONTEXT} * ({test})[:, None, None]")))


# -------------------------------------------------------------------- B. attention

ATTENTIONS = [
    Mutant("B1-ignored", "attention_mask is ignored", kind="inputs",
           inputs=without("attention_mask"), module=r"\.probs"),
    mask("B1-none", "no mask at all, not even the causal one", "scores"),
    Mutant("B1-first", "attention_mask is used in the first layer only", edits=(
        ("bert.encoder.stack", "x, mask, source, source_mask,",
         "x, mask if i == 0 else None, source, source_mask,"),),
        module=r"layer\.1\.attention\.self\.probs"),
    Mutant("B1-queries", "attention_mask hides queries, not keys", edits=(
        (ATTEND, "ops.mask_scores(scores, mask)", "ops.mask_scores(scores, mask if "
         'mask is None or "cross" in p.prefix else mask.swapaxes(-1, -2))'),),
        module=r"\.probs"),
    Mutant("B2", "the mask is inverted: 1 hides a token", kind="inputs",
           inputs=lambda x: {**x, "attention_mask": 1 - x["attention_mask"]},
           module=r"\.probs"),
    mask("B3", "the mask of zeros and ones is added to the scores", "scores + mask"),
    mask("B4", "scores are multiplied by the mask", "scores * mask"),
    mask("B5-100", "hidden keys get -100 added, which large scores beat",
         "scores - 100 * ~mask"),
    mask("B5-10000", "hidden keys get -10000 added, which large scores beat",
         "scores - 10000.0 * ~mask"),
    mask("B8", "the mask is 0 times minus infinity, which is nan",
         "scores + ~mask * -np.inf"),
    mask("B7-nan", "a text without any token gets nan", "np.where(mask, scores, "
         "-np.inf)", "variant"),
    Mutant("B7-zero", "a text without any token attends to nothing: zeros",
           kind="variant", module=r"\.probs", edits=(
               (ATTEND, 'p.tap("softmax", probs)', "if mask is not None:\n        "
                "probs = probs * mask.any(-1, keepdims=True)\n    "
                'p.tap("softmax", probs)'),)),
    *(Mutant(f"B9-{name}", f"the softmax of attention runs over the {name}", edits=(
        (ATTEND, "ops.softmax(scores)", f"ops.softmax(scores.swapaxes(-1, {axis}))\n"
         f"    probs = probs.swapaxes(-1, {axis})"),
        (ATTEND_BACK, "ops.softmax_backward(dprobs, softmax_saved)",
         f"ops.softmax_backward(dprobs.swapaxes(-1, {axis}), softmax_saved)"
         f".swapaxes(-1, {axis})")), module=r"\.probs")
      for name, axis in (("queries", -2), ("heads", -3))),
    Mutant("B10-merge", "heads are merged by a reshape, without a transpose", edits=(
        (MULTI, "merge_heads(context)", "context.reshape(x.shape)"),
        (BACK, "split_heads(dout, heads)",
         "dout.reshape(len(dout), heads, dout.shape[1], -1)")), module=r"\.context"),
    Mutant("B10-split", "heads are split by a reshape, without a transpose", edits=(
        (MULTI, "split_heads(q, heads)", "q.reshape(len(q), heads, q.shape[1], -1)"),
        (MULTI, "split_heads(k, heads), split_heads(v, heads)",
         "(y.reshape(len(y), heads, y.shape[1], -1) for y in (k, v))"),
        (BACK, "merge_heads(dq)", "dq.reshape(dout.shape)"),
        (BACK, "merge_heads(dk[..., -new:, :]), merge_heads(dv[..., -new:, :])",
         "(y.reshape(len(y), new, -1) for y in (dk, dv))")), module=r"\.scores"),
    Mutant("B10-order", "heads are merged in reverse order", edits=(
        (MULTI, CONTEXT, "merge_heads(context[:, ::-1])"),
        (BACK, DCONTEXT, f"{DCONTEXT}[:, ::-1]")), module=r"\.context"),
    Mutant("B11-split", "every N-th channel makes a head, but heads are merged right",
           edits=((MULTI, "split_heads(q, heads)",
                   f"q.{INNER.replace('dout', 'q')}"),
                  (MULTI, SPLIT_KV,
                   f"(y.{INNER.replace('dout', 'y')} for y in (k, v))"),
                  (BACK, "merge_heads(dq)",
                   "dq.transpose(0, 2, 3, 1).reshape(dout.shape)"),
                  (BACK, MERGE_KV, "(y.transpose(0, 2, 3, 1).reshape(len(y), new, -1) "
                   "for y in (dk, dv))")), module=r"\.scores"),
    Mutant("B11-merge", "heads are merged channel by channel", edits=(
        (MULTI, CONTEXT, "context.transpose(0, 2, 3, 1).reshape(x.shape)"),
        (BACK, DCONTEXT, f"dout.{INNER}")), module=r"\.context"),
    Mutant("B11", "heads take every N-th channel, not a run of channels", edits=(
        ("bert.attention.split_heads", SPLIT,
         "np.moveaxis(x.reshape(*x.shape[:-1], -1, heads), -1, -3)"),
        ("bert.attention.merge_heads", "x.swapaxes(-2, -3)", "np.moveaxis(x, -3, -1)")),
        module=r"\.scores"),
    Mutant("B12", "attention probabilities are transposed", edits=(
        (ATTEND, "ops.weighted_sum(probs, v)", "ops.weighted_sum(probs.swapaxes(-1, -2)"
         " if probs.shape[-1] == probs.shape[-2] else probs, v)"),),
        module=r"\.context"),
    scale("hidden", "scores are divided by sqrt(C), not sqrt(D)",
          "(q.shape[-1] * q.shape[-3]) ** -0.5"),
    scale("none", "scores are not divided by anything", "1.0"),
    scale("square", "scores are divided by D, not sqrt(D)", "1 / q.shape[-1]"),
    scale("heads", "scores are divided by sqrt(N), not sqrt(D)",
          "q.shape[-3] ** -0.5"),
    scale("inverse", "scores are multiplied by sqrt(D)", "q.shape[-1] ** 0.5"),
    Mutant("B13-after", "probabilities are divided by sqrt(D), not the scores", edits=(
        ("bert.ops.attention_scores", "(1 / math.sqrt(q.shape[-1]))", "1.0"),
        ("bert.ops.attention_scores_backward", "(1 / math.sqrt(q.shape[-1]))", "1.0"),
        (ATTEND, AFTER_SOFTMAX, f"probs = probs * q.shape[-1] ** -0.5\n    "
         f"{AFTER_SOFTMAX}"),
        (ATTEND_BACK, "ops.softmax_backward(dprobs,",
         "ops.softmax_backward(dprobs * dout.shape[-1] ** -0.5,")),
        module=r"\.scores"),
    *(Mutant(f"B14-{name}", f"rows of the {name} weight have the heads inside",
             kind="weights", params=each(rf"self\.{name}\.weight", inside),
             module=rf"self\.{name}") for name in ("query", "key", "value")),
    Mutant("B14-order", "a fused projection is read as key, value, query",
           kind="weights", params=exchanged(query="key", key="value", value="query"),
           module=r"self\.query"),
    Mutant("B14-heads", "a fused projection is read head by head", kind="weights",
           params=interleaved, module=r"self\.query"),
    Mutant("B15-qk", "query and key weights are swapped", kind="weights",
           params=exchanged(query="key", key="query"), module=r"self\.query"),
    Mutant("B15-kv", "key and value weights are swapped", kind="weights",
           params=exchanged(key="value", value="key"), module=r"self\.key"),
    states("B15-qk-states", "queries and keys are swapped after their projections",
           "*((k, q) if q.shape == k.shape else (q, k)), v",
           "dq, dk = (dk, dq) if dq.shape == dk.shape else (dq, dk)", r"\.scores"),
    states("B15-kv-states", "keys and values are swapped after their projections",
           "q, v, k", "dk, dv = dv, dk", r"\.scores"),
    *(Mutant(f"B16-{name}", f"the bias of the attention's {name} is dropped",
             kind="weights", params=each(f"{pattern}bias", np.zeros_like),
             module=pattern[:-2]) for name, pattern in BIASES.items()),
    Mutant("B17", "all heads share the first head's projections", kind="weights",
           params=each(r"self\.(query|key|value)", one_head), module=r"self\.query"),
    states("B17-scores", "all heads share the first head's queries and keys",
           "*(y[:, :1].repeat(heads, 1) for y in (q, k)), v",
           f"dq, dk = ({FIRST} for y in (dq, dk))", r"\.scores"),
    states("B17-values", "all heads share the first head's values",
           "q, k, v[:, :1].repeat(heads, 1)", f"dv, = ({FIRST} for y in (dv,))",
           r"\.context"),
    Mutant("B18-alone", "a decoder hides later tokens, but no padding", edits=(
        (JOINED, "later if mask is None else mask & later", "later"),),
           module=r"\.probs"),
    Mutant("B18-always", "an encoder hides later tokens, as a decoder does", edits=(
        (JOINED, "if not causal:", "if queries != keys:"),), module=r"\.probs"),
    Mutant("B18-lost", "a decoder sees later tokens: the causal mask is lost", edits=(
        (JOINED, "if not causal:", "if True:"),), module=r"\.probs"),
    *(Mutant(f"B18-{name}", title, module=r"\.probs", edits=(
        ("bert.attention.causal_mask",
         "np.tri(queries, keys, keys - queries, dtype=bool)", new),))
      for name, title, new in (
          ("strict", "a token of a decoder does not see itself",
           "np.tri(queries, keys, keys - queries - 1, dtype=bool)"),
          ("ahead", "a token of a decoder sees the next one",
           "np.tri(queries, keys, keys - queries + 1, dtype=bool)"),
          ("turned", "the causal mask is transposed: only later tokens are seen",
           "np.tri(queries, keys, keys - queries, dtype=bool).T"))),
    Mutant("B21-no-mask", "cross-attention ignores encoder_attention_mask", edits=(
        ("bert.encoder.layer", "h, source_mask,", "h, None,"),),
        module=CROSS + r"self\.probs"),
    Mutant("B21-own-mask", "cross-attention uses the decoder's own mask", edits=(
        ("bert.encoder.layer", "h, source_mask,", "h, mask[..., :source.shape[1]],"),),
        module=CROSS + r"self\.probs"),
    Mutant("B21-own-row", "cross-attention uses the first row of the decoder's mask",
           edits=(("bert.encoder.layer", "h, source_mask,",
                   "h, mask[..., :1, :source.shape[1]],"),),
           module=CROSS + r"self\.probs"),
    Mutant("B21-order", "cross-attention comes before self-attention", edits=(
        ("bert.encoder.layer", 'h, self_saved = attention(p.at("attention"), x, mask, '
         "past=past)\n    cross_saved = None", "h, cross_saved = x, None"),
        ("bert.encoder.layer", "out, forward_saved =", "h, self_saved = attention("
         'p.at("attention"), h, mask, past=past)\n    out, forward_saved ='),
        ("bert.encoder.layer_backward", "if cross_saved", "dh, _ = attention_backward("
         'dh, self_saved, g.at("attention"))\n    if cross_saved'),
        ("bert.encoder.layer_backward", "dx, _ = attention_backward(dh, self_saved, "
         'g.at("attention"))', "dx = dh")), module=SELF),
    Mutant("B21-own-text", "cross-attention reads the decoder's own states", edits=(
        ("bert.encoder.layer", "h, source_mask,", "h, mask,"),
        ("bert.encoder.layer", "source, cross_past)", "None, cross_past)")),
        module=CROSS + r"self\.key"),
    Mutant("B21-left-out", "cross-attention is left out", edits=(
        ("bert.encoder.layer", "if source is not None:", "if False:"),),
        module=CROSS + r"|layer\.0\.intermediate\.dense"),
    Mutant("B21-weights", "cross-attention uses the weights of self-attention",
           kind="weights", params=lambda params: {
               name: params[name.replace("crossattention", "attention")]
               for name in params}, module=CROSS),
    cut("first", "the first head is cut off", "np.arange(heads) > 0"),
    cut("last", "the last head is cut off", "np.arange(heads) < heads - 1"),
    Mutant("B23", "the mask is applied after the softmax", edits=(
        (ATTEND, "ops.mask_scores(scores, mask)", "scores, None"),
        (ATTEND, 'p.tap("softmax", probs)', "if mask is not None:\n        "
         'probs = probs * mask\n    p.tap("softmax", probs)')), module=r"\.probs"),
    Mutant("B24", "attention has no output projection", kind="weights",
           params=no_dense(r"attention\.output\.dense"),
           module=r"attention\.output\.dense"),
    softmax("epsilon", "1e-5 is added to the sum of the softmax of attention",
            "exps.sum(-1, keepdims=True) + 1e-5"),
    softmax("plus-one", "1 is added to the sum of the softmax of attention",
            "exps.sum(-1, keepdims=True) + 1"),
    Mutant("B25-no-maximum", "the softmax of attention does not subtract the largest",
           edits=(("bert.ops.softmax", "scores.max(-1, keepdims=True)", "0"),),
           module=r"\.probs"),
    Mutant("B25-twice", "the softmax of attention is taken twice", edits=(
        (ATTEND, AFTER_SOFTMAX, "probs, second = ops.softmax(probs)\n    softmax_saved "
         f"= softmax_saved, second\n    {AFTER_SOFTMAX}"),
        (ATTEND_BACK, "ops.softmax_backward(dprobs, softmax_saved)",
         "ops.softmax_backward(ops.softmax_backward(dprobs, softmax_saved[1]), "
         "softmax_saved[0])")), module=r"\.probs"),
]
