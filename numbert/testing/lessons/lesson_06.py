"""The exercises of notebook 06, nine heads and their losses."""

import numpy as np

from ...bert import losses
from ...models.targets import next_word_targets, position_targets
from .exercise import Exercise

IGNORED = losses.IGNORE_INDEX


def masked_loss(logits, labels):
    return losses.cross_entropy(logits, labels)[0]


def draw_words(rng):
    """logits (3, 6, 120), and labels (3, 6): a few pieces, one of them piece 0."""
    labels = np.full((3, 6), IGNORED)
    picked = rng.permutation(18)[:5]
    labels.flat[picked] = rng.integers(1, 120, size=5)
    labels.flat[picked[0]] = 0
    return rng.normal(size=(3, 6, 120)) * 2, labels


def picked(logits, labels):
    """-log p of each label (R,); -100 counts from the end, as indices do."""
    logp = losses.log_softmax(logits).reshape(-1, logits.shape[-1])
    return -logp[np.arange(len(logp)), labels.reshape(-1)]


def mean_of_rows(logits, labels):
    return np.mean([masked_loss(*row) for row in zip(logits, labels)
                    if (row[1] != IGNORED).any()])


def position_loss(start, end, start_at, end_at, *, clamp=None, weights=(0.5, 0.5)):
    """The loss of answers; `clamp` says what becomes of positions (B,), given T."""
    clamp = clamp or (lambda at, length: position_targets(
        "positions", at, None, (len(at), length)).labels)
    return sum(weight * masked_loss(logits, clamp(at, logits.shape[1]))
               for weight, logits, at in zip(weights, (start, end), (start_at, end_at)))


def draw_answers(rng):
    """Logits (6, 9) twice, and positions (6,) of which some lie outside."""
    start_at, end_at = rng.integers(1, 9, size=(2, 6))
    start_at[:2], end_at[:2] = (-1, 9), (-3, 12)
    return rng.normal(size=(6, 9)) * 2, rng.normal(size=(6, 9)) * 2, start_at, end_at


def bce(logits, targets):
    return losses.bce_with_logits(logits, targets)[0]


def entries(logits, targets):
    """The binary cross-entropy of each entry (B, K)."""
    return np.logaddexp(0, logits) - logits * targets


def draw_ids(rng):
    """Ids (3, 6) above 4, of which the last ones of two rows are padding, 0."""
    ids, real = rng.integers(5, 99, size=(3, 6)), np.ones((3, 6), int)
    real[1, 4:], real[2, 3:] = 0, 0
    return ids * real, real


def next_labels(ids, real):
    return next_word_targets("labels", np.where(real == 1, ids, IGNORED),
                             Vocabulary, ids.shape).labels


class Vocabulary:
    vocab_size = 99


def shifted(ids, real, last=IGNORED, padding=IGNORED):
    """The next ids, with what stands at the last place and where there is padding."""
    known = np.where(np.asarray(real) == 1, ids, padding)
    return np.concatenate([known[:, 1:], np.broadcast_to(last, (len(ids), 1))], 1)


EXERCISES = {
    "06.1": Exercise(
        inputs=draw_words, reference=masked_loss,
        mistakes={
            "Labels of -100 pick an entry, counted from the end, and count like the "
            "others.  Leave them out of both the sum and the count.":
                lambda logits, labels: picked(logits, labels).mean(),
            "E3": lambda logits, labels: picked(logits, labels)[
                labels.reshape(-1) != IGNORED].sum() / labels.size,
            "E2": lambda logits, labels: masked_loss(
                logits, np.where(labels == 0, IGNORED, labels)),
            "Places that are ignored count as class 0.  Leave them out.":
                lambda logits, labels: masked_loss(
                    logits, np.where(labels == IGNORED, 0, labels)),
            "The losses are added up.  Divide by the number of labels that count.":
                lambda logits, labels: masked_loss(logits, labels) * (
                    labels != IGNORED).sum(),
            "The sum is divided by the number of texts.  Divide by the number of "
            "labels that it adds up.":
                lambda logits, labels: masked_loss(logits, labels) * (
                    labels != IGNORED).sum() / len(labels),
            "It is a mean over texts of means over labels.  Then a text with one label "
            "weighs as much as a text with five: take all labels together.":
                mean_of_rows,
            "The sign is missing: a logarithm of a probability is below 0, and a loss "
            "above.":
                lambda logits, labels: -masked_loss(logits, labels),
            "E17": lambda logits, labels: masked_loss(logits, labels) / np.log(2),
            "E18": lambda logits, labels: masked_loss(
                np.exp(losses.log_softmax(logits)), labels),
            "There is no softmax: the logits themselves are averaged.":
                lambda logits, labels: -logits.reshape(-1, logits.shape[-1])[
                    np.arange(labels.size), labels.reshape(-1)][
                        labels.reshape(-1) != IGNORED].mean(),
        }),
    "06.2": Exercise(
        inputs=lambda rng: (np.where(np.arange(12)[:, None] < 4, 1, -1) * 2
                            + rng.normal(size=(12, 2)),),
        reference=lambda logits: logits[:, 0] > logits[:, 1],
        mistakes={
            "F13": lambda logits: logits[:, 1] > logits[:, 0],
            "It is the number of the class.  The question is whether B follows: True "
            "or False.":
                lambda logits: logits.argmax(-1),
            "Only the first score is looked at.  A softmax sees differences, so "
            "compare the two.":
                lambda logits: logits[:, 0] > 0,
            "Only the second score is looked at.  A softmax sees differences, so "
            "compare the two.":
                lambda logits: logits[:, 1] < 0,
            "Each score is taken by itself, as with a sigmoid.  The two share one "
            "softmax.":
                lambda logits: logits > 0,
        }),
    "06.3": Exercise(
        inputs=draw_answers, reference=position_loss,
        mistakes={
            "The two losses are added.  The loss of an answer is their mean.":
                lambda *a: position_loss(*a, weights=(1, 1)),
            "The loss of the ends is missing.":
                lambda *a: position_loss(*a, weights=(1, 0)),
            "The loss of the starts is missing.":
                lambda *a: position_loss(*a, weights=(0, 1)),
            "Positions beyond the text count as the last token.  They should be "
            "ignored.":
                lambda *a: position_loss(
                    *a, clamp=lambda at, length: np.clip(at, 0, length - 1)),
            "Negative positions are ignored.  They should count as 0, which is [CLS].":
                lambda *a: position_loss(*a, clamp=lambda at, length: np.where(
                    (at < 0) | (at >= length), IGNORED, at)),
            "Negative positions count from the end, as indices do in Python.":
                lambda *a: position_loss(*a, clamp=lambda at, length: np.where(
                    at >= length, IGNORED, at % length)),
            "Positions beyond the text are left out of the sum, but not of the count.":
                lambda start, end, start_at, end_at: np.mean([
                    masked_loss(logits, np.where(at < 9, np.maximum(at, 0), IGNORED))
                    * (at < 9).mean() for logits, at in ((start, start_at),
                                                         (end, end_at))]),
            "D9": lambda start, end, start_at, end_at: position_loss(
                end, start, start_at, end_at),
        }),
    "06.4": Exercise(
        inputs=lambda rng: (rng.normal(size=(5, 4)) * 3,
                            (rng.random((5, 4)) < 0.4).astype(float)),
        reference=bce,
        mistakes={
            "The losses are added up.  Take the mean over all B K entries.":
                lambda x, t: entries(x, t).sum(),
            "The losses of a text are added up.  Take the mean over classes, too.":
                lambda x, t: entries(x, t).sum(-1).mean(),
            "The classes share one softmax.  Here several may be right, so each class "
            "has a sigmoid of its own.":
                lambda x, t: -(t * losses.log_softmax(x)).sum(-1).mean(),
            "Only classes that are right have a loss.  A wrong class that gets a high "
            "score must cost something.":
                lambda x, t: (t * entries(x, t)).mean(),
            "E8": lambda x, t: ((x - t) ** 2).mean(),
            "It is the squared error of the probabilities.  Take logarithms.":
                lambda x, t: ((1 / (1 + np.exp(-x)) - t) ** 2).mean(),
            "Right and wrong are swapped: t belongs to log s, and 1 - t to log(1 - s).":
                lambda x, t: entries(x, 1 - t).mean(),
            "The sign is missing: a logarithm of a probability is below 0.":
                lambda x, t: -entries(x, t).mean(),
        }),
    "06.5": Exercise(
        inputs=draw_ids, reference=next_labels,
        mistakes={
            "E13": lambda ids, real: np.where(real == 1, ids, IGNORED),
            "The labels move the wrong way: the logits at t are to tell the token at "
            "t + 1.":
                lambda ids, real: np.concatenate([
                    np.full((len(ids), 1), IGNORED),
                    np.where(real == 1, ids, IGNORED)[:, :-1]], 1),
            "The last place gets the first token, as np.roll does it.  Nothing follows "
            "there.":
                lambda ids, real: np.roll(np.where(real == 1, ids, IGNORED), -1, 1),
            "The labels are moved twice.":
                lambda ids, real: shifted(shifted(ids, real), np.ones_like(ids)),
            "The last place gets the first token, and padding has a label.":
                lambda ids, real: np.roll(ids, -1, 1),
            "There is one column too few.  The last place has a label, too: -100.":
                lambda ids, real: shifted(ids, real)[:, :-1],
            "Padding has a label.  It must be ignored: -100 where the label would be a "
            "pad token.":
                lambda ids, real: shifted(ids, real, padding=0),
            "Padding and the last place have the label 0.  Ignored is -100.":
                lambda ids, real: shifted(ids, real, 0, 0),
            "The last place has the label 0.  Nothing follows there, so ignore it.":
                lambda ids, real: shifted(ids, real, 0),
            "The last token of a text is ignored, but its neighbour before must tell "
            "it.  Look at the mask of the label, not of the query.":
                lambda ids, real: np.where(
                    np.pad(real[:, 2:], ((0, 0), (0, 2))) == 1,
                    shifted(ids, real), IGNORED),
            "The first padding gets a label, as the mask was not moved along with the "
            "ids.":
                lambda ids, real: np.where(real == 1, shifted(ids, real, padding=0),
                                           IGNORED),
        }),
}
