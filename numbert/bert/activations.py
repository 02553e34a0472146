"""The rarer activations that a configuration may name in hidden_act.

BERT itself uses GELU, which is in ops, beside ReLU, SiLU, tanh and sigmoid.  Some
checkpoints name one of those here.  Each is a pure pair of one argument, as in ops.
"""

import math

import numpy as np

from .erf import erf
from .ops import gelu, gelu_backward, gelu_tanh, gelu_tanh_backward, sigmoid


def identity(x):
    """x itself, unchanged.   x (...) -> out (...)"""
    return x, None


def identity_backward(dout, saved):
    """dout (...) -> dx (...): dout itself.

    The slope of x is 1.
    """
    return dout


def quick_gelu(x):
    """GELU with Phi(x) approximated by sigmoid(1.702 x).

    x (...) -> out (...)                   Hendrycks & Gimpel 2016, section 2
    """
    s, _ = sigmoid(1.702 * x)                              # (...)
    return x * s, (x, s)


def quick_gelu_backward(dout, saved):
    """dout (...) -> dx (...): s + 1.702 x s (1 - s)

    The product rule applied to x s, with s' = 1.702 s (1 - s).
    """
    x, s = saved
    return dout * (s + 1.702 * x * s * (1 - s))


def gelu_fast(x):
    """The tanh form of GELU, with its constant sqrt(2 / pi) cut to ten digits.

    x (...) -> out (...)                   HF: FastGELUActivation
    """
    return gelu_tanh(x, scale=0.7978845608)


def gelu_fast_backward(dout, saved):
    """dout (...) -> dx (...): the backward of gelu_tanh.

    gelu_tanh saves the constant that it used; nothing else differs.
    """
    return gelu_tanh_backward(dout, saved)


def gelu_10(x):
    """GELU, clipped to [-10, 10], a range that suits quantised models.

    x (...) -> out (...)                   HF: ClippedGELUActivation
    """
    out, saved = gelu(x)                                   # (...)  above -0.17
    return np.minimum(out, 10), (saved, out <= 10)


def gelu_10_backward(dout, saved):
    """dout (...) -> dx (...): the backward of GELU, but 0 where out was clipped.

    There out is the constant 10, whose slope is 0.
    """
    gelu_saved, kept = saved
    return gelu_backward(dout * kept, gelu_saved)


def relu6(x):
    """x, clipped to [0, 6].   x (...) -> out (...)"""
    return np.clip(x, 0, 6), (x > 0) & (x < 6)


def relu6_backward(dout, saved):
    """dout (...) -> dx (...): dout where x was between 0 and 6, else 0.

    A constant has the slope 0; at the two corners, 0 is taken.
    """
    return dout * saved


def relu2(x):
    """The square of ReLU.

    x (...) -> out (...)                   So et al. 2021, "Primer"
    """
    positive = np.maximum(x, 0)                            # (...)
    return positive * positive, positive


def relu2_backward(dout, saved):
    """dout (...) -> dx (...): 2 x where x was positive, else 0.

    The slope of x^2 is 2 x.
    """
    return dout * (2 * saved)


LEAK = 0.01                                 # the slope below 0, torch's default


def leaky_relu(x):
    """x where it is positive, else x / 100.   x (...) -> out (...)"""
    return np.where(x > 0, x, LEAK * x), x > 0


def leaky_relu_backward(dout, saved):
    """dout (...) -> dx (...): dout where x was positive, else dout / 100.

    The slope is 1 on the right and 1 / 100 on the left; at 0, the left one is taken.
    """
    return np.where(saved, dout, LEAK * dout)


def hardswish(x):
    """x relu6(x + 3) / 6: SiLU approximated by two lines and a parabola.

    x (...) -> out (...)                   Howard et al. 2019, "MobileNetV3"
    """
    return x * np.clip(x + 3, 0, 6) / 6, x


def hardswish_backward(dout, saved):
    """dout (...) -> dx (...): 0 below -3, 1 above 3, x / 3 + 1 / 2 between.

    Between -3 and 3, out = (x^2 + 3 x) / 6, whose slope is (2 x + 3) / 6.
    """
    x = saved
    slope = np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5))
    return dout * slope.astype(x.dtype, copy=False)


def softplus(x):
    """log(1 + exp(x)), computed so that nothing overflows.   x (...) -> out (...)"""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), x


def softplus_backward(dout, saved):
    """dout (...) -> dx (...): dout sigmoid(x)

    The derivative of log(1 + e^x) is e^x / (1 + e^x).
    """
    return dout * sigmoid(saved)[0]


def mish(x):
    """x tanh(softplus(x)).

    x (...) -> out (...)                   Misra 2019
    """
    soft, soft_saved = softplus(x)                         # (...)
    t = np.tanh(soft)                                      # (...)
    return x * t, (x, t, soft_saved)


def mish_backward(dout, saved):
    """dout (...) -> dx (...): t + x (1 - t^2) sigmoid(x)

    The product rule applied to x t, with t = tanh(softplus(x)) and tanh' = 1 - tanh^2.
    """
    x, t, soft_saved = saved
    return dout * t + softplus_backward(dout * x * (1 - t * t), soft_saved)


def sqrt_softplus(x):
    """The square root of softplus(x).   x (...) -> out (...)

    HF: above 20, torch uses x in place of softplus(x), which is 2e-9 larger.
    """
    soft, soft_saved = softplus(x)                         # (...)
    linear = x > 20                                        # (...)
    out = np.sqrt(np.where(linear, x, soft))               # (...)
    return out, (out, linear, soft_saved)


def sqrt_softplus_backward(dout, saved):
    """dout (...) -> dx (...): the slope of softplus over twice its root.

    The derivative of sqrt(s) is s' / (2 sqrt(s)); s' is 1 where s is x itself.
    """
    out, linear, soft_saved = saved
    dsoft = np.divide(dout, 2 * out, out=np.zeros_like(dout), where=out > 0)
    return np.where(linear, dsoft, softplus_backward(dsoft, soft_saved))


LAPLACE_MEAN, LAPLACE_SPREAD = 0.707107, 0.282095


def laplace(x):
    """The probability that a normal variable of mean 0.707107 is below x.

    x (...) -> out (...)                   Ma et al. 2022, "Mega", appendix B
    """
    z = (x - LAPLACE_MEAN) * (1 / (LAPLACE_SPREAD * math.sqrt(2)))     # (...)
    return 0.5 * (1 + erf(z)), z


def laplace_backward(dout, saved):
    """dout (...) -> dx (...): the density exp(-z^2) / (spread sqrt(2 pi))

    out is the distribution function of that variable; its derivative is the density.
    """
    z = saved
    return dout * (np.exp(-z * z) * (1 / (LAPLACE_SPREAD * math.sqrt(2 * math.pi))))


# The names that a configuration may use for hidden_act, and the operation each means.
# HF: "gelu" is the exact form and "gelu_new" the tanh form.  In google-research/bert,
# "gelu" is the tanh form.
ACTIVATIONS = {
    "gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh", "gelu_python_tanh": "gelu_tanh",
    "gelu_accurate": "gelu_tanh", "gelu_fast": "gelu_fast", "gelu_10": "gelu_10",
    "quick_gelu": "quick_gelu", "relu": "relu", "relu2": "relu2", "relu6": "relu6",
    "leaky_relu": "leaky_relu", "silu": "silu", "swish": "silu", "mish": "mish",
    "hardswish": "hardswish", "sqrtsoftplus": "sqrt_softplus", "laplace": "laplace",
    "tanh": "tanh", "sigmoid": "sigmoid", "linear": "identity",
}
# HF: these have parameters of their own, which no BERT checkpoint holds.
TRAINED = ("prelu", "xielu")
