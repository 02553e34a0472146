"""Bugs of labels, losses and masked language models; see vector_bugs.py."""

import numpy as np

import vector_bugs
from vector_bugs import asked, bug, said

TARGETS, LOSS, MLM = "targets", "cross_entropy", "mlm_mask"


def of(*kinds):
    """Only targets of these kinds."""
    def limited(change):
        return lambda out, given, settings: change(out, given) if given["kind"] in \
            kinds else out
    return limited


said("E10", "every place counts", TARGETS, of("masked")(
    lambda out, given: [[0 if x is None else x for x in row] for row in out]))
said("E2", "label 0 is ignored", TARGETS, of("masked", "words")(
    lambda out, given: [[x or None for x in row] if isinstance(row, list) else
                        row or None for row in out]))
said("B18", "not shifted", TARGETS, of("causal")(lambda out, given: [
    [None if x == -100 else x for x in row] for row in given["labels"]]))
said("F2", "padding has targets", TARGETS, of("causal")(lambda out, given: [
    [0 if x is None else x for x in row] for row in out]))
said("E7", "every piece counts", TARGETS, of("words")(lambda out, given: [
    None if w is None else given["word_labels"][w] for w in given["word_ids"]]))
said("E7", "the last piece counts", TARGETS, of("words")(lambda out, given: [
    given["word_labels"][w] if w is not None and w not in given["word_ids"][i + 1:]
    else None for i, w in enumerate(given["word_ids"])]))
said("E9", "clamped to the end", TARGETS, of("span")(lambda out, given: [
    min(max(x, 0), given["length"] - 1) for x in given["positions"]]))
said("E9", "the end is one later", TARGETS, of("span")(lambda out, given: [
    max(x, 0) if x <= given["length"] else None for x in given["positions"]]))
said("E9", "negative is ignored", TARGETS, of("span")(lambda out, given: [
    x if 0 <= x < given["length"] else None for x in given["positions"]]))
for id in ("F13", "D9"):
    said(id, "polarity", TARGETS, of("sentences")(lambda out, given: [
        1 - x for x in out]))


# ------------------------------------------------------------------------------- losses

def loss(ignored=-100, over_all=False, shift=True, leak=False, total=False):
    """A loss with faults."""
    def call(given, settings):
        z, labels = np.array(given["logits"]), np.array(given["labels"])
        if ((labels >= z.shape[1]) | ((labels < 0) & (labels != ignored))).any():
            if not (labels == -100).any():
                raise ValueError("a label")
        used = (labels != ignored) & (labels >= 0)
        with np.errstate(all="ignore"):
            z = z - z.max(-1, keepdims=True) if shift else z
            p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
            count = len(labels) if over_all else used.sum()
            one = np.eye(z.shape[1])[np.where(used, labels, 0)]
            gradient = (p - one) / (1 if total else max(count, 1))
            losses = -np.log((p * one).sum(-1))[used]
            value = losses.sum() / (1 if total else count)
        if not leak:
            gradient[~used] = 0
        return {"loss": float(value) if np.isfinite(value) else None,
                "count": int(used.sum()), "gradient": gradient.tolist()}
    return lambda right: {LOSS: call}


vector_bugs.BUGS += [
    ("E1", "-1 is ignored", loss(ignored=-1)), ("E2", "0 is ignored", loss(ignored=0)),
    ("E3", "the mean is over all", loss(over_all=True)),
    ("E6", "ignored rows have a gradient", loss(leak=True)),
    ("E12", "the largest is not subtracted", loss(shift=False)),
    ("E14", "a sum, no mean", loss(total=True))]


@bug("E4")
def the_gradient_of_nothing_is_not_a_number(right):
    def call(given, settings):
        out = right[LOSS](given, settings)
        return out if out["count"] else {**out, "gradient": None}
    return {LOSS: call}


# --------------------------------------------------------------------- masked language

def masked(pick=lambda draw, p: draw < p,
           spared=lambda piece, special: piece in special,
           shares=(.8, .9), order="", label=lambda old, new: old, random_from=0):
    """Masking with faults."""
    def call(given, settings):
        ids, labels = [], []
        for i, piece in enumerate(given["ids"]):
            picked = pick(given["pick"][i], settings["probability"]) and \
                not spared(piece, given["special_ids"])
            fate, new = given["fate"][i], piece
            if picked and fate < shares[0]:
                new = given["mask_id"]
            elif picked and fate < shares[1]:
                new = given["mask_id"] if order == "overwritten" else \
                    max(given["random_ids"][i], random_from)
            ids.append(new)
            labels.append(label(piece, new) if picked else -100)
        return {"ids": ids, "labels": labels}
    return lambda right: {MLM: call}


vector_bugs.BUGS += [
    ("F1", "special tokens are picked", masked(
        spared=lambda piece, special: piece == 0)),
    ("F2", "padding is picked", masked(spared=lambda piece, special: piece in (2, 3))),
    ("F3", "prob < prob * 0.8", masked(pick=lambda draw, p: draw < draw * .8)),
    ("F3", "at most, not below", masked(pick=lambda draw, p: draw <= p)),
    ("F3", "the other way round", masked(pick=lambda draw, p: draw > p)),
    ("F4", "random is overwritten", masked(order="overwritten")),
    ("F5", "never random", masked(shares=(.8, .8))),
    ("F5", "never as it was", masked(shares=(.8, 1.0))),
    ("F6", "one fewer each", lambda right: {"mlm_count": lambda given, settings: max(
        1, right["mlm_count"](given, settings) - 1)
        if isinstance(right["mlm_count"](given, settings), int) else 0}),
    ("F6", "a half goes up", lambda right: {"mlm_count": lambda given, settings: min(
        settings["max_predictions"], max(1, int(
            given["length"] * settings["probability"] + .5)))}),
    ("F7", "nothing can be picked", masked(pick=lambda draw, p: False)),
    ("F8", "shares of the rest", masked(shares=(.8, .8 + .5 * .8))),
    ("F8", "79/11/10", masked(shares=(.79, .9))),
    ("F9", "no special tokens at random", masked(random_from=5)),
    ("F11", "labels are the masked ids", masked(label=lambda old, new: new)),
    ("F11", "no label where it stayed", masked(label=lambda old, new: old if old != new
                                               else -100))]
asked("F7", "the probability is fixed", MLM, lambda given, settings: (
    given, {**settings, "probability": .15}))
