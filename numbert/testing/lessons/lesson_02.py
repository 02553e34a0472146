"""The exercises of notebook 02, embeddings."""

import numpy as np

from ...bert import ops
from ...checkpoints import example_checkpoint
from ...tokenization import BertTokenizer
from .exercise import Exercise

EPS = 1e-12


def tables(rng):
    """Draw ids and types (B, T), the three tables, and LayerNorm's w and b."""
    return (rng.integers(0, 9, (2, 5)), np.array([[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]),
            rng.normal(size=(9, 6)), rng.normal(size=(8, 6)), rng.normal(size=(2, 6)),
            1 + rng.normal(size=6) / 4, rng.normal(size=6))


def embed(ids, types, word, position, kind, w, b, *, places=None, scale=1, eps=EPS):
    """The embeddings of BERT, with one thing or another done differently."""
    places = np.arange(ids.shape[1]) if places is None else places
    total = word[ids] * scale + position[places] + kind[types]
    return ops.layer_norm(total, w, b, eps)[0]


def normed(total):
    """Return what LayerNorm makes of a sum; `total` takes ids, types and the tables."""
    return lambda *inputs: ops.layer_norm(
        total(*inputs[:5]), inputs[5], inputs[6], EPS)[0]


def normed_alone(ids, types, word, position, kind, w, b):
    """The embeddings with a LayerNorm that has no w and b of its own."""
    return embed(ids, types, word, position, kind, np.ones(6), np.zeros(6))


def texts(rng):
    """Draw hidden states (B, T, C) and a mask (B, T) of texts of unequal lengths."""
    lengths = rng.permutation([3, 4, 6])
    return rng.normal(size=(3, 7, 4)), (np.arange(7) < lengths[:, None]).astype(float)


def pair():
    """The ids of the text of 02.3."""
    tokenizer = BertTokenizer.from_pretrained(example_checkpoint())
    return tokenizer("Tom loves Anna.", "Anna loves Tom.")["input_ids"]


def gradients(rng):
    """Draw dout (B, T, C), ids (B, T) with repeats, and V."""
    ids = rng.integers(0, 4, (2, 5))
    ids[:, 0], ids[0, 1:3] = 2, 1
    return rng.normal(size=(2, 5, 3)), ids, 7


def look_up_backward(dout, ids, V):
    return ops.embedding_backward(dout, (ids, (V, dout.shape[-1])))


def counted(dout, ids, V):
    """How often each row was looked up, (V, 1), and 1 for those that never were."""
    return np.maximum(np.bincount(ids.ravel(), minlength=V), 1)[:, None]


def written(dout, ids, V):
    """What fancy indexing makes of it: the last place of each id wins."""
    dtable = np.zeros((V, dout.shape[-1]), dout.dtype)
    dtable[ids] += dout
    return dtable


EXERCISES = {
    "02.1": Exercise(
        inputs=tables, reference=embed,
        mistakes={
            "A1": normed(lambda ids, types, word, position, kind:
                         word[ids] + position[:ids.shape[1]]),
            "Every token has the type 0: look up the row of its own type.":
                normed(lambda ids, types, word, position, kind:
                       word[ids] + position[:ids.shape[1]] + kind[0]),
            "The positions are missing.  A model without them reads a bag of words.":
                normed(lambda ids, types, word, position, kind:
                       word[ids] + kind[types]),
            "A3": lambda *inputs: embed(
                *inputs, places=1 + np.arange(inputs[0].shape[1])),
            "Every token stands at position 0: look up the row of its own place.":
                lambda *inputs: embed(*inputs, places=np.zeros(1, int)),
            "The rows of positions are looked up by the ids.  They are looked up by "
            "the places 0 to T - 1.":
                lambda *inputs: embed(*inputs, places=inputs[0] % 8),
            "A9": lambda *inputs: embed(*inputs, scale=np.sqrt(inputs[2].shape[-1])),
            "A7": lambda ids, types, word, position, kind, w, b: (
                word[ids] + position[:ids.shape[1]] + kind[types]),
            "C3": lambda *inputs: embed(*inputs, eps=1e-5),
            "The LayerNorm lacks its w and b.":
                normed_alone,
            "Only the words go through the LayerNorm.  It comes after the sum.":
                lambda ids, types, word, position, kind, w, b: ops.layer_norm(
                    word[ids], w, b, EPS)[0] + position[:ids.shape[1]] + kind[types],
        }),
    "02.2": Exercise(
        inputs=texts,
        reference=lambda hidden, mask: (
            hidden * mask[..., None]).sum(1) / mask.sum(1)[:, None],
        mistakes={
            "Padding is in the mean.  Leave out the places where the mask is 0.":
                lambda hidden, mask: hidden.mean(1),
            "The sum leaves padding out, but it is divided by all T places.":
                lambda hidden, mask: (hidden * mask[..., None]).mean(1),
            "This is the sum of the real tokens, not their mean.":
                lambda hidden, mask: (hidden * mask[..., None]).sum(1),
            "Padding is in the sum, though not in the number that divides it.":
                lambda hidden, mask: hidden.sum(1) / mask.sum(1)[:, None],
            "The sum is divided by the tokens of the whole batch.  Each text has its "
            "own number.":
                lambda hidden, mask: (hidden * mask[..., None]).sum(1) / mask.sum(),
            "This is the mean over padding: the mask has 1 for real tokens.":
                lambda hidden, mask: (hidden * (1 - mask)[..., None]).sum(1)
                / (1 - mask).sum(1)[:, None],
            "This is the state of `[CLS]`.  It is another common choice, but not the "
            "mean.":
                lambda hidden, mask: hidden[:, 0],
            "This is one vector for the whole batch.  Each text needs its own.":
                lambda hidden, mask: hidden[mask.astype(bool)].mean(0),
        }),
    "02.3": Exercise(
        reference=lambda: len(set(pair())),
        mistakes={
            "These are the places.  Several of them look up the same row.":
                lambda: len(pair()),
            "`[CLS]` and `[SEP]` have rows too.":
                lambda: len(set(pair())) - 2,
            "The full stop, `[CLS]` and `[SEP]` have rows too.":
                lambda: len(set(pair())) - 3,
            "One is missing: `[CLS]` and `[SEP]` are two different rows, and the full "
            "stop has one as well.":
                lambda: len(set(pair())) - 1,
            "One row is counted twice: `[SEP]` occurs twice, and so do others, but "
            "they look up the same row.":
                lambda: len(set(pair())) + 1,
            "A row that nobody looked up gets the gradient 0.":
                lambda: 1600,
        }),
    "02.4": Exercise(
        inputs=gradients, reference=look_up_backward,
        mistakes={
            "An id that occurs more than once keeps only its last gradient.  With "
            "`dtable[ids] += dout` each row is written back once for each place, and "
            "the last one wins.":
                written,
            "Each row holds the mean of its gradients.  They should be summed.":
                lambda dout, ids, V: look_up_backward(dout, ids, V)
                / counted(dout, ids, V),
            "Each row keeps only its first gradient.  They should be summed.":
                lambda dout, ids, V: written(dout[::-1, ::-1], ids[::-1, ::-1], V),
            "Only the first text counts.  Sum over the batch, too.":
                lambda dout, ids, V: look_up_backward(dout[0], ids[0], V),
            "Only the last text counts.  Sum over the batch, too.":
                lambda dout, ids, V: look_up_backward(dout[-1], ids[-1], V),
            "There is one table for each text.  All texts share one, so their "
            "gradients are summed.":
                lambda dout, ids, V: np.stack([look_up_backward(*each, V)
                                               for each in zip(dout, ids)]),
            "The gradient is averaged over the batch.  Only a loss takes means.":
                lambda dout, ids, V: look_up_backward(dout, ids, V) / len(ids),
        }),
}
