"""Leaf operations together with their parameters: what every larger block is made of.

A block reads its parameters through a scope `p` and its backward adds their gradients
through a scope `g` of the same prefix.
"""

from . import ops


def dense(p, x):
    """A linear layer.

    x (..., I) -> out (..., O)
    """
    return p.run.ops.linear(x, p["weight"], p["bias"])


def dense_backward(dout, saved, g):
    """dout (..., O) -> dx (..., I)

    ops.linear_backward gives all three; dw and db are added to g, not returned: a layer
    used twice gets the sum.
    """
    dx, dw, db = ops.linear_backward(dout, saved)
    g.add("weight", dw)
    g.add("bias", db)
    return dx


def norm(p, x):
    """A LayerNorm.

    x (..., C) -> out (..., C)
    """
    eps = p.run.config.layer_norm_eps
    return p.run.ops.layer_norm(x, p["weight"], p["bias"], eps)


def norm_backward(dout, saved, g):
    """dout (..., C) -> dx (..., C)

    ops.layer_norm_backward gives all three; dw and db are added to g, as in dense.
    """
    dx, dw, db = ops.layer_norm_backward(dout, saved)
    g.add("weight", dw)
    g.add("bias", db)
    return dx


def activation(p, x):
    """The configured activation (hidden_act).

    x (..., F) -> out (..., F)
    """
    return p.run.ops.ACTIVATIONS[p.run.config.hidden_act][0](x)


def activation_backward(dout, saved, g):
    """dout (..., F) -> dx (..., F)

    f works on each entry by itself, out_i = f(x_i), so dx_i = dout_i f'(x_i).
    """
    return ops.ACTIVATIONS[g.run.config.hidden_act][1](dout, saved)


def dropout(p, x, rate):
    """Dropout when the run has a generator, else nothing.

    x (...) -> out (...)
    """
    return p.run.ops.dropout(x, rate, p.run.rng)


dropout_backward = ops.dropout_backward
