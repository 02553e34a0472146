"""Masks, positions, labels and losses of the vectors, by slow loops.

Authority: the BERT paper and its code, and the conventions of transformers that the
README of the vectors lists.  Nothing of numbert, and no NumPy.
"""

import math
from fractions import Fraction

IGNORED = -100


def attention_mask(given, settings):
    """(B, T, S) of 0 and 1: whether query t may attend to key s.

    The queries are the last T of the S keys, unless `cross`: then they are others.
    """
    queries, keys = given["queries"], given["keys"]
    rows = given["padding"] or given["segments"]
    out = []
    for b in range(len(rows) if rows else given["batch"]):
        matrix = []
        for t in range(queries):
            own = keys - queries + t                  # the key that is the query itself
            row = []
            for s in range(keys):
                allowed = True
                if given["padding"] and not given["padding"][b][s]:
                    allowed = False
                if given["causal"] and s > own:
                    allowed = False
                if given["segments"] and \
                        given["segments"][b][s] != given["segments"][b][own]:
                    allowed = False
                row.append(int(allowed))
            matrix.append(row)
        out.append(matrix)
    return out


def attention_weights(given, settings):
    """softmax of each row of scores over the keys that are allowed; none: all alike."""
    out = []
    for scores, allowed in zip(given["scores"], given["allowed"]):
        kept = [s for s, yes in zip(scores, allowed) if yes]
        if not kept:
            out.append([1 / len(scores)] * len(scores))
            continue
        top = max(kept)
        total = math.fsum(math.exp(s - top) for s in kept)
        out.append([math.exp(s - top) / total if yes else 0
                    for s, yes in zip(scores, allowed)])
    return out


def position_ids(given, settings):
    """The row of the table of positions that each token gets; see the README."""
    kind, out = given["kind"], []
    if kind == "model":
        row = []
        for t in range(given["length"]):
            row.append(given["past"] + t)
        return [row] * given["batch"]
    if kind == "packed":
        for segments in given["segments"]:
            row, last, count = [], None, 0
            for segment in segments:
                count = count + 1 if segment == last else 0
                last = segment
                row.append(count)
            out.append(row)
        return out
    for mask in given["padding"]:                      # generation
        row, seen = [], 0
        for real in mask:
            if real:
                row.append(seen)
                seen += 1
        out.append(row)
    return out


def token_type_ids(given, settings):
    """0 for [CLS] a [SEP], 1 for b [SEP], 0 for padding."""
    out = []
    for a, b in given["lengths"]:
        specials = settings["add_special_tokens"]
        row = [0] * (a + 2 * specials)
        if b is not None:
            row += [1] * (b + specials)
        rest = [0] * (given["width"] - len(row))
        out.append(rest + row if settings["padding_side"] == "left" else row + rest)
    return out


# ------------------------------------------------------------------- labels and losses

def targets(given, settings):
    """What the logits at each place are compared with; None where nothing is."""
    kind = given["kind"]
    if kind == "masked":
        return [[None if x == IGNORED else x for x in row] for row in given["labels"]]
    if kind == "causal":
        return [[row[t + 1] if t + 1 < len(row) and row[t + 1] != IGNORED else None
                 for t in range(len(row))] for row in given["labels"]]
    if kind == "span":
        out = []
        for position in given["positions"]:
            position = max(position, 0)
            out.append(position if position < given["length"] else None)
        return out
    if kind == "words":
        out, last = [], None
        for word in given["word_ids"]:
            first = word is not None and word != last
            out.append(given["word_labels"][word] if first else None)
            last = word
        return out
    return [0 if follows else 1 for follows in given["follows"]]         # sentences


def cross_entropy(given, settings):
    """The mean loss, how many labels count, and the gradient of the logits."""
    logits, labels = given["logits"], given["labels"]
    used = [r for r, label in enumerate(labels) if label != IGNORED]
    losses, gradient = [], []
    for r, (row, label) in enumerate(zip(logits, labels)):
        top = max(row)
        total = math.fsum(math.exp(z - top) for z in row)
        if label == IGNORED:
            gradient.append([0] * len(row))
            continue
        losses.append(top + math.log(total) - row[label])
        gradient.append([(math.exp(z - top) / total - (k == label)) / len(used)
                         for k, z in enumerate(row)])
    return {"loss": math.fsum(losses) / len(used) if used else None,
            "count": len(used), "gradient": gradient}


def mlm_mask(given, settings):
    """Bernoulli masking with the draws given: each piece for itself."""
    out, labels = [], []
    for i, piece in enumerate(given["ids"]):
        picked = given["pick"][i] < settings["probability"] \
            and piece not in given["special_ids"]
        labels.append(piece if picked else IGNORED)
        fate = Fraction(str(given["fate"][i]))
        if picked and fate < Fraction(8, 10):
            piece = given["mask_id"]
        elif picked and fate < Fraction(9, 10):
            piece = given["random_ids"][i]
        out.append(piece)
    return {"ids": out, "labels": labels}


def mlm_count(given, settings):
    """min(most, max(1, round(probability * length))), a half to the even number."""
    product = Fraction(str(settings["probability"])) * given["length"]
    whole, half = divmod(product, 1)
    if half > Fraction(1, 2) or (half == Fraction(1, 2) and whole % 2):
        whole += 1
    return min(settings["max_predictions"], max(1, int(whole)))


ORACLES = {name: globals()[name] for name in (
    "attention_mask", "attention_weights", "position_ids", "token_type_ids", "targets",
    "cross_entropy", "mlm_mask", "mlm_count")}
