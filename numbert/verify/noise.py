"""How far from the truth a right program may be: the noise of rounding, measured.

A program in float32 makes a small error in every operation.  What these errors come to
at the end can't be read off a formula: proven bounds are a million times too wide.  So
it is measured.  numbert runs in float64, each leaf operation adds a random error of the
size that its rounding has, and the deviations from the undisturbed run are the noise.

    noise = measured(case, PROFILES["fp32"])
    noise["bert.pooler.out"]        # (RMS, largest): the deviation to expect

Sources for the sizes: Higham & Mary 2019 (sums: the square root of the length),
Blanchard, Higham & Higham 2020 (softmax).
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ..bert.ops import rows
from ..bert.scope import NUMPY
from .cases import Case, Draws
from .counts import counted
from .run import PARAMETER, run

RUNS, AGAIN = 24, 8             # runs that a noise is measured in: for a pack; for one
#                                 candidate, from its own tensors


class Profile(NamedTuple):
    """A precision: the unit roundoff of each part of an operation, and the gates."""

    noise: str          # the name of the noise that it is judged by
    reads: float        # of what a matrix product reads; 0 if it reads what is stored
    sums: float         # of what it adds up in
    stores: float       # of what an operation stores
    floor: float        # the error of a number that is too small for the format
    gate: float         # how many times the RMS of the noise an RMS error may be
    peak: float         # how many times its largest entry the largest error may be
    loss: float         # the gate of a loss: one number, whose noise can't average out
    backward: bool      # whether single steps of a backward pass can be judged
    beyond: tuple = ()  # the cases whose numbers are too large for the format


F64, F32, TF32, BF16, F16 = 2.0 ** -53, 2.0 ** -24, 2.0 ** -11, 2.0 ** -8, 2.0 ** -11
HUGE = ("huge-scores",)
TINY = 2.0 ** -126              # below it float32 has fewer bits, or flushes to zero
PROFILES = {
    "fp64": Profile("fp32", 0, F64, F64, 0, 3, 6, 3, True),
    "fp32": Profile("fp32", 0, F32, F32, TINY, 3, 6, 3, True),
    "tf32": Profile("tf32", TF32, F32, F32, TINY, 4, 8, 4, False, HUGE),
    "bf16": Profile("bf16", BF16, F32, BF16, TINY, 4, 8, 4, False, HUGE),  # by autocast
    "fp16": Profile("fp16", F16, F32, F16, 2.0 ** -26, 4, 8, 4, False, HUGE),
    "pure-bf16": Profile("bf16", BF16, F32, BF16, TINY, 6, 8, 10, False, HUGE),
    "pure-fp16": Profile("fp16", F16, F32, F16, 2.0 ** -26, 6, 8, 10, False, HUGE),
}


class Noisy:
    """A table of leaf operations that add noise, and a trace that adds it at taps."""

    def __init__(self, profile: Profile, draws: Draws):
        self.profile, self.draws = profile, draws
        self.largest = np.zeros(())             # the size of each row's scores
        self.ops = SimpleNamespace(**vars(NUMPY))
        for name in vars(NUMPY):
            if hasattr(self, name):
                setattr(self.ops, name, getattr(self, name))

    def add(self, x, size):
        """x (...) -> out (...): x plus normal errors whose deviation is `size`."""
        return x + self.draws.normal(np.shape(x)) * size

    def store(self, x):
        """x (...) -> out (...): x as it is stored."""
        return self.add(x, self.profile.stores * np.abs(x) + self.profile.floor)

    def product(self, x, squares, length: int):
        """x (...) -> out (...): sums of `length` products, given those of squares."""
        size = self.profile.sums * (1 + math.sqrt(length) / 3) + self.profile.reads
        return self.add(x, size * np.sqrt(squares))

    # ------------------------------------------------------------------- products

    def linear(self, x, w, b=None):
        out, saved = NUMPY.linear(x, w, b)
        squares, _ = NUMPY.linear(x * x, w * w, None if b is None else b * b)
        return self.product(out, squares, x.shape[-1]), saved

    def linear_backward(self, dout, saved):
        x, w, has_bias = saved
        exact = NUMPY.linear_backward(dout, saved)
        squares = NUMPY.linear_backward(dout * dout, (x * x, w * w, has_bias))
        lengths = len(w), len(rows(x)), len(rows(x))
        return tuple(y if y is None else self.product(y, *rest)
                     for y, *rest in zip(exact, squares, lengths))

    def embedding_backward(self, dout, saved, exact=NUMPY.embedding_backward):
        return self.product(exact(dout, saved), exact(dout * dout, saved),
                            dout.size // dout.shape[-1])

    def word_embedding_backward(self, dout, saved):
        return self.embedding_backward(dout, saved, NUMPY.word_embedding_backward)

    def attention_scores(self, q, k):
        out, (scaled, k) = NUMPY.attention_scores(q, k)
        squares = (scaled * scaled) @ (k * k).swapaxes(-1, -2)
        return self.product(out, squares, q.shape[-1]), (scaled, k)

    def attention_scores_backward(self, dout, saved):
        q, k = saved
        dq, dk = NUMPY.attention_scores_backward(dout, saved)
        squares = dout * dout
        return (self.product(dq, squares @ (k * k) / q.shape[-1], k.shape[-2]),
                self.product(dk, squares.swapaxes(-1, -2) @ (q * q), q.shape[-2]))

    def weighted_sum(self, probs, v):
        out, _ = NUMPY.weighted_sum(probs, v)
        return self.product(out, (probs * probs) @ (v * v), v.shape[-2]), (
            self.again(probs), v)

    def again(self, probs):
        """The probabilities as a fused kernel computes them again in its backward.

        It keeps only the logarithm of each row's sum, which is as large as the scores.
        """
        return self.add(probs, self.profile.sums * probs * self.largest)

    def weighted_sum_backward(self, dout, saved):
        probs, v = saved
        dprobs, dv = NUMPY.weighted_sum_backward(dout, saved)
        squares = dout * dout
        return (self.product(dprobs, squares @ (v * v).swapaxes(-1, -2), v.shape[-1]),
                self.product(dv, (probs * probs).swapaxes(-1, -2) @ squares,
                             probs.shape[-2]))

    # ------------------------------------------------- normalisation and attention

    def layer_norm(self, x, w, b, eps):
        _, (norm, rstd, w) = NUMPY.layer_norm(x, w, b, eps)
        largest = np.abs(x).max(-1, keepdims=True)              # cancels in x - mean
        norm = self.add(norm, self.profile.sums * (1 + largest * rstd))
        return norm * w + b, (norm, rstd, w)

    def layer_norm_backward(self, dout, saved):
        norm, rstd, w = saved
        dx, dw, db = NUMPY.layer_norm_backward(dout, saved)
        dnorm = dout * w
        size = np.abs(dnorm) + np.sqrt((dnorm * dnorm).mean(-1, keepdims=True))
        squares, count = rows(dout * dout), len(rows(dout))
        return (self.add(dx, self.profile.sums * rstd * size * (1 + np.abs(norm))),
                self.product(dw, (squares * rows(norm * norm)).sum(0), count),
                self.product(db, squares.sum(0), count))

    def softmax(self, scores):
        probs, _ = NUMPY.softmax(scores)
        top = scores.max(-1, keepdims=True)
        away = np.minimum(top - scores, 800)                             # then p is 0
        steps = 3 + math.sqrt(scores.shape[-1]) / 3
        probs = self.add(probs, self.profile.sums * probs * (away + steps))
        self.largest = np.where(top > -1e300, np.abs(top), 0)   # 0: a row without keys
        return probs, self.again(probs)

    def softmax_backward(self, dout, saved):
        probs = np.abs(saved)
        size = np.abs(dout) + np.sqrt(np.vecdot(dout * dout, probs)[..., None])
        # A fused kernel takes the mean from its output, which is stored rounded.
        mean = np.sqrt(np.vecdot(dout * dout, probs * probs)[..., None])
        shift = self.draws.normal(mean.shape) * self.profile.stores * mean
        return self.add(NUMPY.softmax_backward(dout, saved) + saved * shift,
                        2 * self.profile.sums * probs * size)

    # ------------------------------------------------------ activations and losses

    def gelu(self, x):
        out, saved = NUMPY.gelu(x)
        return self.add(out, self.profile.sums * np.abs(x)), saved

    def gelu_backward(self, dout, saved):
        return self.add(NUMPY.gelu_backward(dout, saved),
                        2 * self.profile.sums * np.abs(dout))

    def gelu_tanh(self, x):
        out, saved = NUMPY.gelu_tanh(x)
        return self.add(out, self.profile.sums * np.abs(x)), saved

    def gelu_tanh_backward(self, dout, saved):
        return self.add(NUMPY.gelu_tanh_backward(dout, saved),
                        2 * self.profile.sums * np.abs(dout))

    def tanh_backward(self, dout, saved):                       # 1 - tanh^2 cancels
        return self.add(NUMPY.tanh_backward(dout, saved),
                        self.profile.stores * np.abs(dout) * saved * saved)

    def total(self, losses):
        """losses (...) -> out (): their sum, as if added up one after the other."""
        size = self.profile.sums * np.abs(losses).sum() * math.sqrt(losses.size) / 2
        return self.add(losses.sum(), size)

    def cross_entropy(self, logits, labels, *args, **kwargs):
        _, (shape, logp, safe, used, count) = NUMPY.cross_entropy(
            logits, labels, *args, **kwargs)
        size = np.abs(rows(logits)).max(-1, keepdims=True) + 1
        logp = self.add(logp, self.profile.sums * size)
        total = self.total(-logp[np.flatnonzero(used), safe[used]])
        return total / count if count else total * math.nan, (
            shape, logp, safe, used, count)

    def mse(self, outputs, targets, count=None):
        loss, (difference, count) = NUMPY.mse(outputs, targets, count)
        difference = self.add(difference, self.profile.sums * np.abs(outputs))
        return self.total(difference * difference) / count, (difference, count)

    def bce_with_logits(self, logits, targets, count=None):
        loss, saved = NUMPY.bce_with_logits(logits, targets, count)
        size = 2 * self.profile.sums * (1 + np.abs(logits)) / saved[-1]
        spread = loss * self.profile.sums * math.sqrt(np.size(logits)) / 2
        return loss + (self.draws.normal(np.shape(logits)) * size).sum() + \
            self.draws.normal(()) * spread, saved


def noisy_run(case: Case, profile: Profile, draws: Draws, given=None) -> dict:
    """Return {name: array}, as `run` does, with the rounding errors of a profile."""
    noisy = Noisy(profile, draws)
    return {name: noisy.store(x) if name.startswith(PARAMETER) or not np.ndim(x)
            else x
            for name, x in run(case, ops=noisy.ops, given=given,
                               store=noisy.store).items()}


def measured(case: Case, profile: Profile, given=None, runs: int = RUNS, seed: int = 0
             ) -> dict:
    """Return {name: (RMS, largest)}, the noise of every tensor of a case.

    Args:
        given: {name: array}; every step starts from these, and only its own noise
            counts.  Without it, the noise of all steps before adds up.
        runs: how many runs to measure.
    """
    if profile == PROFILES["fp64"]:
        # float64 noise can't be measured in float64: the machine's own would be in it.
        return scaled(measured(case, PROFILES["fp32"], given, runs, seed))
    clean, draws = run(case, given=given), Draws(seed)
    places = counted(case, clean)
    squares: dict[str, list] = {name: [] for name in clean}
    for _ in range(runs):
        for name, x in noisy_run(case, profile, draws, given).items():
            deviation = np.asarray(x - clean[name])[places[name]]
            squares[name].append((np.mean(deviation ** 2), np.max(deviation ** 2))
                                 if deviation.size else (0.0, 0.0))
    return {name: at_least(profile, clean[name][places[name]],
                           np.sqrt(np.mean(pairs, 0)))
            for name, pairs in squares.items()}


def at_least(profile: Profile, x, noise) -> tuple[float, float]:
    """Return (RMS, largest), each at least what rounding the result itself makes.

    The noise of few numbers in few runs may come out small by chance.
    """
    if not x.size:
        return 0.0, 0.0
    rms, largest = (max(float(least), profile.stores * float(size) + profile.floor)
                    for least, size in zip(noise, (np.sqrt(np.mean(x * x)),
                                                   np.abs(x).max())))
    return rms, largest


def scaled(noise: dict) -> dict:
    """Return the noise of float64, given that of float32."""
    return {name: (rms * F64 / F32, largest * F64 / F32)
            for name, (rms, largest) in noise.items()}
