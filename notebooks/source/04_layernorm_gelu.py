# %% [markdown]
# # 04 · LayerNorm and GELU: the same formula, other numbers
#
# *About 60 minutes. You need NumPy, mean and variance. Notebook
# [03](03_attention.ipynb) says where BERT uses these two, but you can do without.*
#
# After this notebook you can
#
# * write LayerNorm as BERT has it, and recognise four others that are nearly right;
# * explain why two formulas that are equal on paper give different numbers;
# * tell the GELU with erf from the one with tanh, and say which model has which;
# * say what breaks in half precision, and keep it from breaking;
# * judge an error by a bound, not by a tolerance that somebody guessed.
#
# Both take one line on paper, and look harmless. Many ports of BERT that are slightly
# wrong are wrong here.

# %%
import math
import numpy as np
import numbert
from numbert import plots
from numbert.bert import activations, ops
from numbert.bert.erf import erf
from numbert.testing.lessons import check

# %% [markdown]
# ## LayerNorm, in a picture
#
# Each layer of BERT adds something to the vector of each token. Without care, the
# vectors would grow and drift. So BERT ends each half of a layer with a LayerNorm. We
# look at one in the small BERT that comes with numbert.
#
# **Predict:** each row below is a token. What will all rows of the right half have in
# common?

# %%
path = numbert.example_checkpoint("fill-mask")
tokenizer = numbert.BertTokenizer.from_pretrained(path)
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")
batch = tokenizer("Anna lives in Oslo.", "[MASK] is a baker.", return_tensors="np")
trace = numbert.Trace("encoder.layer.1.output.sum")
model(**batch, trace=trace)
x = trace["encoder.layer.1.output.sum"][0]                             # (T, C)
norm = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)      # (T, C)
assert x.shape == norm.shape == (13, 96)
halves = np.hstack([x[:, :40], np.full((13, 4), np.nan), norm[:, :40]])
plots.heat_map(halves, batch.tokens(), [*range(40), *[""] * 4, *range(40)], low=-4,
               high=4, title="40 channels: before LayerNorm | after")

# %% [markdown]
# On the left some tokens have much larger numbers than others. On the right each row
# has mean 0 and standard deviation 1. No token is louder than another. Last, each
# channel gets a weight `w` and a bias `b`, which the model learns:
#
# $$\text{norm} = \frac{x - \text{mean}(x)}{\sqrt{\text{var}(x) + \text{eps}}}
# \qquad \text{out} = \text{norm} \cdot w + b$$
#
# This is equation 4 of Ba et al. (2016). Mean and variance run over the $C$ channels of
# one token, never over tokens. Here it is in five lines, in float32:

# %%
scope = "bert.encoder.layer.1.output.LayerNorm"
w, b = (model.params[f"{scope}.{name}"].astype("f4") for name in ("weight", "bias"))
single, eps = x.astype("f4"), 1e-12
centred = single - single.mean(-1, keepdims=True)                      # (T, C)
var = (centred * centred).mean(-1, keepdims=True)                      # (T, 1)
rstd = 1 / np.sqrt(var + eps)                                          # (T, 1)
out = centred * rstd * w + b                                           # (T, C)
assert var.shape == rstd.shape == (13, 1) and out.dtype == np.float32

# %% [markdown]
# ## Right, up to rounding
#
# Is `out` right? It is computed with about 7 digits, so it can't be exact. We compare
# with the same formula in float64. But how large may the difference be?
#
# Let $u$ be half of the distance from 1 to the next number: $6 \cdot 10^{-8}$ in
# float32. Each operation errs by at most $u$, relative to its result. Following the
# five lines, with some room, gives a bound for each entry:
#
# $$8 u \, (1 + |\text{norm}|) \, (1 + |x|_{\max} / \sigma) \, |w| + u \, |b|$$
#
# Here $\sigma$ is the standard deviation of the row. The middle factor comes from the
# subtraction of the mean. The mean errs by about $u \, |x|_{\max}$, and the division by
# $\sigma$ enlarges this error, too.
#
# A ratio *error / bound* up to 1 is rounding. Above 1 it is a mistake. The ratio means
# the same in every precision.

# %% tags=["varies"]
def error_over_bound(out, x, w, b, eps=1e-12):
    x, w, b = (y.astype(float) for y in (x, w, b))
    right, (norm, rstd, _) = ops.layer_norm(x, w, b, eps)
    u = np.finfo(np.float32).eps / 2
    reach = 1 + np.abs(x).max(-1, keepdims=True) * rstd
    bound = 8 * u * (1 + np.abs(norm)) * reach * np.abs(w) + u * np.abs(b)
    return np.abs(out - right) / bound

print("five lines  ", error_over_bound(out, single, w, b).max().round(3))
numbert_out, _ = ops.layer_norm(single, w, b, eps)
print("numbert     ", error_over_bound(numbert_out, single, w, b).max().round(3))
assert error_over_bound(out, single, w, b).max() < 1

# %% [markdown]
# Both are right. numbert's version is `numbert.bert.ops.layer_norm` in
# [numbert/bert/ops.py](../numbert/bert/ops.py).
#
# ## Where eps belongs
#
# `eps` keeps us from dividing by 0 if all numbers of a row are equal. It can stand in
# two places, `sqrt(var + eps)` or `sqrt(var) + eps`. And frameworks have other
# defaults than BERT's $10^{-12}$: torch has $10^{-5}$.
#
# The picture shows the deviation of the result. LayerNorm should make it 1.
# **Predict:** we make the input smaller and smaller. When does each version give up?

# %%
powers = np.linspace(-8, 1, 91)
sigma = 10 ** powers
var = sigma ** 2
plots.curves(powers, {"BERT: eps = 1e-12 in the root": sigma / np.sqrt(var + 1e-12),
                      "eps = 1e-12 outside": sigma / (np.sqrt(var) + 1e-12),
                      "eps = 1e-5 in the root": sigma / np.sqrt(var + 1e-5)},
             xlabel="log10 of the input's deviation", ylabel="the result's deviation")

# %% [markdown]
# In the root, `eps` is compared with a *variance*. So it takes over where the deviation
# is near $\sqrt{\text{eps}}$: $10^{-6}$ for BERT, 0.003 for torch's default. Outside of
# the root that point is at `eps` itself, a million times lower.
#
# In our trained model the deviations lie between 0.2 and 4.4, so no version looks
# wrong. A model whose embeddings are small is not so lucky.
#
# ## Divide by C, not by C - 1
#
# A statistician divides the sum of squares by $C - 1$ and calls this unbiased.
# `torch.std` and pandas do so by default. LayerNorm is not statistics: it scales this
# vector, and divides by $C$.
#
# **Predict:** by how many per cent is the result off, for 96 channels? For 768?

# %%
for C in (4, 96, 768):
    row = np.random.default_rng(0).normal(size=C)
    off = 1 - row.std() / row.std(ddof=1)
    print(f"C = {C:3}: the result is too small by {100 * off:.3f} %")
    assert abs(off - (1 - math.sqrt((C - 1) / C))) < 1e-12

# %% [markdown]
# The factor is $\sqrt{(C - 1) / C}$: 0.5 % at 96 channels, less than 0.1 % at 768. A
# tolerance of 0.001 misses it in BERT. A bound of $10^{-6}$ does not.
#
# ### Exercise 04.1
#
# Write `layer_norm(x, w, b, eps)` for `x` of `(..., C)`. Three points were above: the
# axis, `eps`, and the division by $C$. There is a fourth. `check` uses rows whose mean
# is 300 times their deviation, and the next section is about these.

# %% tags=["exercise"]
def layer_norm(x, w, b, eps):
    return ...

check("04.1", layer_norm)

# %% tags=["solution"]
def layer_norm(x, w, b, eps):
    centred = x - x.mean(-1, keepdims=True)                  # (..., C)
    var = (centred * centred).mean(-1, keepdims=True)        # (..., 1)
    return centred / np.sqrt(var + eps) * w + b              # (..., C)

check("04.1", layer_norm)

# %% [markdown]
# ## Equal on paper
#
# Every book on statistics has a second formula for the variance:
#
# $$\text{var}(x) = \text{mean}(x^2) - \text{mean}(x)^2$$
#
# It needs one pass over the numbers, since both means can be summed at once. So fast
# GPU code loves it. Now compute with four digits, and the numbers 99, 100, 101. The
# mean of their squares is 10000.67, which four digits keep as 10000. The square of
# the mean is 10000. The variance comes out as 0. It is 0.67.
#
# **Predict:** float32 has seven digits. How does the error grow as the mean grows
# beside the deviation?

# %%
def one_pass(x):
    var = (x * x).mean(-1, keepdims=True) - x.mean(-1, keepdims=True) ** 2
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(np.maximum(var, 1e-12))

powers, errors = np.linspace(0, 3, 25), {"careful": [], "one pass": []}
noise = np.random.default_rng(1).normal(size=(200, 96))
for ratio in 10 ** powers:
    y = (noise + ratio).astype("f4")                                   # (rows, C)
    right, _ = ops.layer_norm(y.astype(float), 1, 0, 0)
    errors["careful"].append(np.abs(ops.layer_norm(y, 1, 0, 0)[0] - right).max())
    errors["one pass"].append(np.abs(one_pass(y) - right).max())
# %%
plots.curves(powers, errors, log=True, ylabel="largest error of LayerNorm, float32",
             xlabel="log10 of mean / deviation")

# %% [markdown]
# The squares have errors of their own, relative to their size, the squared mean.
# The subtraction is exact. But it removes the digits in which both agree, and
# leaves the errors. This is called *catastrophic cancellation*. It makes no new error:
# it uncovers an old one.
#
# The careful way subtracts first and squares then. Its small numbers have small errors.
# It still pays something, because the mean itself is rounded. That is the factor
# $1 + |x|_{\max} / \sigma$ of the bound.
#
# It can be worse than inexact: a variance below 0, and a root that is nan.

# %%
y = (noise * 0.01 + 100).astype("f4")                                  # ratio 10000
var = (y * y).mean(-1) - y.mean(-1) ** 2                               # (rows,)
print(f"true variance {y.astype(float).var(-1).mean():.6f}")
print("one pass: some variance is below 0:", bool((var < 0).any()))
ratio = error_over_bound(one_pass(y), y, np.ones(96), np.zeros(96)).max()
print(f"one pass: error / bound is about 10^{math.log10(ratio):.0f}")
assert error_over_bound(ops.layer_norm(y, 1, 0, 0)[0], y, np.ones(96), np.zeros(96)
                        ).max() < 1

# %% [markdown]
# ### Exercise 04.2
#
# Read it from the picture, or think: the mean grows tenfold, the deviation stays. By
# what factor does the error of the one-pass result grow?

# %% tags=["exercise"]
factor = ...

check("04.2", factor)

# %% tags=["solution"]
factor = 100

check("04.2", factor)

# %% [markdown]
# ## GELU, in a picture
#
# Between its two linear layers the feed-forward half of BERT bends each number by
# itself. ReLU would cut off at 0. GELU does so gently.

# %%
x = np.linspace(-4, 4, 201)
plots.curves(x, {"GELU": ops.gelu(x)[0], "ReLU": np.maximum(x, 0),
                 "Phi, a probability": 0.5 * (1 + erf(x / math.sqrt(2)))}, xlabel="x")

# %% [markdown]
# $\Phi(x)$ is the probability that a number drawn from the bell curve is below $x$.
# GELU is $x$ times this probability (Hendrycks & Gimpel 2016):
#
# $$\text{GELU}(x) = x \, \Phi(x), \qquad
# \Phi(x) = \tfrac12 \left(1 + \text{erf}(x / \sqrt 2)\right)$$
#
# The *error function* erf is an integral without a closed form. NumPy has none, and
# numbert has its own, `numbert.bert.erf.erf`. So the paper also gives two
# approximations of $\Phi$:
#
# * by tanh: $\frac12 (1 + \tanh(\sqrt{2/\pi} \, (x + 0.044715 \, x^3)))$
# * by the sigmoid: $\text{sigmoid}(1.702 \, x)$, later called QuickGELU
#
# **Predict:** can you see the difference between the first two in the picture above?
# At which $x$ is it largest?

# %%
exact = ops.gelu(x)[0]
by_tanh, by_sigmoid = ops.gelu_tanh(x)[0], activations.quick_gelu(x)[0]
plots.curves(x, {"by tanh": by_tanh - exact, "by sigmoid": by_sigmoid - exact},
             log=True, xlabel="x", ylabel="distance from the erf form")

# %% [markdown]
# The tanh form is off by at most 0.0005, near $|x| = 2.7$. No eye sees this, but it is
# 8,000 times the rounding of float32.
#
# ### Which GELU does BERT have?
#
# Both. Google's own code uses the tanh form and calls it `gelu`. Hugging Face's
# `"gelu"` is the erf form, and its `"gelu_new"` is the tanh form. The checkpoints say
# `hidden_act: "gelu"`, and today that means erf. Keras and JAX have a switch called
# `approximate`, and their defaults differ. So look at the numbers, not at the name.
#
# ### Exercise 04.3
#
# Write `which(f)`. `f` is one of the three forms, computed in float32. Return
# `"erf"`, `"tanh"` or `"sigmoid"`. You may call `f` with numbers of your choice.

# %% tags=["exercise"]
def which(f):
    return ...

check("04.3", which)

# %% tags=["solution"]
def which(f):
    x = np.array([-2.7])                                     # here they differ most
    forms = {"erf": ops.gelu, "tanh": ops.gelu_tanh, "sigmoid": activations.quick_gelu}
    errors = {name: abs(f(x) - form(x)[0]).max() for name, form in forms.items()}
    return min(errors, key=errors.get)

check("04.3", which)

# %% [markdown]
# ## The far tail
#
# At $x = -6$ the true value is $-6 \cdot 10^{-9}$: tiny, but float32 reaches down to
# $10^{-38}$.
#
# **Predict:** how many digits of it does `0.5 * x * (1 + erf(x / sqrt(2)))` get right
# in float32?

# %% tags=["varies"]
tail = np.linspace(-6.5, 0, 131)[:-1].astype("f4")
true = np.array([0.5 * t * math.erfc(-t / math.sqrt(2)) for t in tail.tolist()])
naive, _ = ops.gelu(tail)
small = np.finfo("f4").eps / 2 * (4 * np.abs(tail) + 2)      # a bound, absolute
print("value at -6:", f"{ops.gelu(np.float32(-6))[0]:.1f}")
print("largest error / bound:", (np.abs(naive - true) / small).max().round(3))
assert np.all(np.abs(naive - true) <= small)
plots.curves(tail, {"relative error": naive / true - 1}, log=True, xlabel="x",
             ylabel="relative error, float32")

# %% [markdown]
# At $-6$, none. The relative error rises to 1: all digits are lost, and the result is
# 0. It is cancellation again. Near $-1$ float32 has steps of $6 \cdot 10^{-8}$, and `1
# + erf` cannot be finer than these.
#
# Is it a bug? Torch and numbert compute it so. The *absolute* error is below
# $4u|x| + 2u$, and what is added to it later is far larger. So a fair bound for GELU is
# absolute. A test of relative errors fails here, and finds nothing.
#
# If you need the tail, there is a function for $1 - \text{erf}$ that does not
# cancel: `math.erfc`. It returns the small number itself.
#
# ### Exercise 04.4
#
# Write `gelu(x)` so that all digits are right for $x$ in $[-9, -4]$. `math.erfc` takes
# one number at a time; `np.vectorize(f)(x)` applies `f` to each.

# %% tags=["exercise"]
def gelu(x):
    return ...

check("04.4", gelu)

# %% tags=["solution"]
def gelu(x):
    # Phi(x) is the upper tail of -x, and erfc(z) is twice the tail above z sqrt(2).
    return 0.5 * x * np.vectorize(math.erfc)(-x / math.sqrt(2))

check("04.4", gelu)

# %% [markdown]
# ## Half precision
#
# float16 has 11 bits for the digits of a number, which makes three digits. Its largest
# number is 65504, and its smallest is $6 \cdot 10^{-8}$.
#
# **Predict** what each line prints.

# %%
half = np.float16
with np.errstate(over="ignore"):
    print("eps of BERT:   ", half(1e-12))
    print("300 squared:   ", half(300) * half(300))
    print("2048 + 1:      ", int(half(2048) + half(1)))
    print("a mask of -1e9:", half(-1e9))
    print("next after 1:  ", np.nextafter(half(1), half(2)))

# %% [markdown]
# * `eps` is 0. A row of equal numbers gives 0 / 0.
# * Squares overflow from 256 on, and a variance needs squares.
# * Sums stall: 2048 + 1 is 2048. A mean of many numbers must be summed in float32.
# * Old code masks scores by adding -1e9. This is minus infinity here, and a row that is
#   masked everywhere becomes nan.
# * Above 0, the forms of GELU by erf and by tanh are less than one step apart.
#
# bfloat16 has the range of float32 and only 8 bits: no overflow, but two digits. The
# remedy is the same for both. **Store in half precision, compute LayerNorm, softmax and
# sums in float32, round once at the end.** Libraries for GPUs do so.
#
# ### Exercise 04.5
#
# `x`, `w` and `b` are float16, and `eps` is 1e-12. Some squares overflow, and one row
# is constant. Write a LayerNorm that is as right as float16 can be.

# %% tags=["exercise"]
def half_layer_norm(x, w, b, eps):
    return ...

check("04.5", half_layer_norm)

# %% tags=["solution"]
def half_layer_norm(x, w, b, eps):
    x, w, b = (y.astype(np.float32) for y in (x, w, b))
    out, _ = ops.layer_norm(x, w, b, eps)
    return out.astype(np.float16)

check("04.5", half_layer_norm)

# %% [markdown]
# ## Would you notice?
#
# We put four of these mistakes into the whole model, and look at what a user sees: the
# probability of each word. The last line is no mistake, just float32.
#
# A variance with $C - 1$ is the same as a slightly smaller `w`, so we change that.
#
# **Predict:** sort them by size. Which of them change the best word?

# %%
right = model(**batch).prediction_logits[0]                            # (T, V)

def effect(smaller=1.0, dtype="float64", **settings):
    other = numbert.BertForPreTraining.from_pretrained(path, dtype=dtype, **settings)
    other.params = {name: w * smaller if name.endswith("LayerNorm.weight") else w
                    for name, w in other.params.items()}
    logits = other(**batch).prediction_logits[0]
    off = np.abs(ops.softmax(logits)[0] - ops.softmax(right)[0]).max()
    same = (logits.argmax(-1) == right.argmax(-1)).mean()
    return f"probabilities change by {off:.1e}, best words equal: {100 * same:.0f} %"

# %%
print("eps = 1e-5:     ", effect(layer_norm_eps=1e-5))
print("tanh form:      ", effect(hidden_act="gelu_new"))
print("C - 1:          ", effect(math.sqrt(95 / 96)))
print("sigmoid form:   ", effect(hidden_act="quick_gelu"))
print("only float32:   ", effect(dtype="float32"))

# %% [markdown]
# The best word is the same in all cases. A demo shows nothing, and a test with a
# tolerance of 0.01 passes two of the four. But every mistake is far above the rounding
# of float32, which is the size that a right port has. And each stands out at once when
# you test the operation *alone*, with inputs that you choose: a tiny deviation, a large
# mean, $x = -2.7$. numbert's own tests do this, and so does `numbert verify`.
#
# ## What you have learnt
#
# * LayerNorm: over channels, divided by $C$, `eps` in the root, the mean subtracted
#   first.
# * Cancellation uncovers errors. Equal formulas are not equal programs.
# * GELU has three forms. Probe at $-2.7$.
# * Some bounds are absolute, like GELU's; some grow with the input, like LayerNorm's.
# * Half precision is for storing. Squares and sums need float32.
#
# Next: [05 · The encoder layer, and a trace](05_encoder_trace.ipynb). The backward
# pass of LayerNorm is in [08](08_backward.ipynb).
