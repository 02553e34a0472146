"""The smallest blocks: a leaf operation together with its parameters.

A block reads its parameters through a scope `p`, and its backward adds their gradients
to a scope `g` with the same prefix.
"""

from .activations import ACTIVATIONS


def dense(p, x):
    """A linear layer.

    x (..., I) -> out (..., O)
    """
    return p.run.ops.linear(x, p["weight"], p["bias"])


def dense_backward(dout, saved, g):
    """dout (..., O) -> dx (..., I)

    linear_backward gives dx, dw and db.  dw and db are not returned but added to g, so
    that a layer used twice gets the sum.
    """
    dx, dw, db = g.run.ops.linear_backward(dout, saved)
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

    layer_norm_backward gives dx, dw and db; dw and db are added to g, as in dense.
    """
    dx, dw, db = g.run.ops.layer_norm_backward(dout, saved)
    g.add("weight", dw)
    g.add("bias", db)
    return dx


def activation(p, x):
    """The activation that the configuration names (hidden_act).

    x (..., F) -> out (..., F)
    """
    return getattr(p.run.ops, ACTIVATIONS[p.run.config.hidden_act])(x)


def activation_backward(dout, saved, g):
    """dout (..., F) -> dx (..., F)

    An activation f works on each entry alone, out_i = f(x_i), so dx_i = dout_i f'(x_i).
    """
    name = f"{ACTIVATIONS[g.run.config.hidden_act]}_backward"
    return getattr(g.run.ops, name)(dout, saved)


def dropout(p, x, rate):
    """Dropout if the run has a random generator; otherwise x itself.

    x (...) -> out (...)
    """
    return p.run.ops.dropout(x, rate, p.run.rng)


def dropout_backward(dout, saved, g):
    """dout (...) -> dx (...)

    Dropout multiplies each entry by a number that does not depend on x.  Its backward
    multiplies by the same numbers.
    """
    return g.run.ops.dropout_backward(dout, saved)
