# %% [markdown]
# # 12 · Precision: how many digits are right, and why
#
# *About 50 minutes. You need notebook [03](03_attention.ipynb), and
# [04](04_layernorm_gelu.ipynb) helps. This notebook also needs the package python-flint:
# `pip install "numbert[exact]"`.*
#
# After this notebook you can
#
# * say what one rounding does, and what thousands of them do together;
# * read how many digits of each step of a model are right, and prove it;
# * spot cancellation, and say when it is harmless;
# * choose a bound that tells rounding from a bug.
#
# The letters: $u$ is the largest relative error of one rounding, and $n$ is the number of
# terms of a sum. $x$ and $w$ are two vectors of $n$ numbers.

# %%
import math
import numpy as np
import numbert
from numbert import plots
from numbert.backends import balls, exact
from numbert.bert import ops
from numbert.testing.lessons import check
from numbert.verify import cases, noise, proofs, run

# %% [markdown]
# ## A picture first
#
# A float64 number has about 16 decimal digits, a float32 number about 7. A forward
# pass of BERT rounds millions of times. How many digits are left at the end?
#
# To say that a digit is right, we need the right number. numbert can compute with
# *balls* instead of numbers. A ball is an interval that is certain to hold the exact
# result. It is computed with 200 bits and more. Then it is so narrow that dozens of
# digits are the same at both ends: they are **proven**. `numbert.verify.proofs.prove`
# runs a model on balls, and in both float formats.
#
# The next cell takes the BERT without heads out of the checkpoint, and draws for each
# step how many digits are right. A line shows the median entry of a tensor, and a dash
# the worst one.
#
# **Predict** how many right digits float64 and float32 have after three layers.

# %%
path = numbert.example_checkpoint()
tokenizer = numbert.BertTokenizer.from_pretrained(path)
full = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")
params = {name[5:]: x for name, x in full.params.items() if name.startswith("bert.")}
model = numbert.BertModel(full.config, params=params)
batch = dict(tokenizer("Anna lives in Oslo. She is a baker.", return_tensors="np"))
proof = proofs.prove(model, batch)
assert proof.output.last_hidden_state.shape == (1, 12, 96)   # (B, T, C)
fewest = proof.steps[-1].proven
print(f"{len(proof.steps)} steps; at the end at least {fewest:.0f} digits are proven")
plots.digits_by_depth(proof.steps)

# %% [markdown]
# Four dozen steps cost a typical entry only about one digit. But look at the dashes. At
# three steps the worst entry of float32 has no right digit at all, so that its dash hides
# in the bottom line. The worst of float64, in blue, falls there as well: to 4, 8 and 3
# digits. At the next step the digits are back. By the end of this notebook you can
# explain all three: the start, the slow loss, and the dips.
#
# ### Exercise 12.1
#
# First, what is a right digit? If $x$ should be $y$, its *relative* error is
# $|x - y| / |y|$. An error of $10^{-7}$ means 7 right digits, and one of
# $5 \cdot 10^{-7}$ means 6.3. Write `right_digits(x, truth)` for arrays. Where both are
# equal, the answer is infinity.

# %% tags=["exercise"]
def right_digits(x, truth):
    return ...

check("12.1", right_digits)

# %% tags=["solution"]
def right_digits(x, truth):
    with np.errstate(divide="ignore"):                       # -log10(0) is infinity
        return -np.log10(np.abs(x - truth) / np.abs(truth))

check("12.1", right_digits)

# %% [markdown]
# ## One rounding
#
# A float is a whole number times a power of two, $m \cdot 2^e$. The format fixes how
# many bits $m$ has. So floats lie on a grid that gets coarser as numbers get larger.
# The gap above 1 is called *eps*. A result between two floats goes to the nearer one.
# So it moves by at most half a gap, and relative to its size by at most
# $u = \text{eps} / 2$:
#
# $$\text{fl}(a + b) = (a + b)(1 + \delta), \qquad |\delta| \le u$$
#
# Here fl means "the result in floats". The same holds for a product, a quotient and a
# root, unless the result is too large or too small for the format.

# %%
for name in ("float64", "float32", "float16"):
    info = np.finfo(name)
    print(f"{name}: {1 - int(info.machep)} bits, u = {info.eps / 2:.1e}, "
          f"{-np.log10(info.eps / 2):4.1f} digits, largest {info.max:.3g}")
rng = np.random.default_rng(0)
a, b = rng.normal(size=(2, 100_000)).astype("float32")
true = a.astype(float) * b                                   # exact: 24 + 24 < 53 bits
delta = np.abs(a * b - true) / np.abs(true)
print(f"100,000 products in float32: the largest error is {delta.max() * 2**24:.2f} u")
assert delta.max() <= 2.0 ** -24

# %% [markdown]
# The fourth format of deep learning, bfloat16, has 8 bits and the range of float32:
# $u = 0.4\,\%$, about 2.4 digits. NumPy does not have it.
#
# ### Exercise 12.2
#
# The grid of float16 is so coarse that it lacks some whole numbers. Which is the first
# positive whole number that float16 can't hold?

# %% tags=["exercise"]
answer = ...

check("12.2", answer)

# %% tags=["solution"]
answer = next(n for n in range(1, 70_000) if int(np.float16(n)) != n)

check("12.2", answer)

# %% [markdown]
# This has a consequence for sums. We add up 1000, 2048 and 5000 ones. **Predict** what
# comes out.

# %%
total = np.add.accumulate(np.ones(5000, "float16"))          # 1, 1 + 1, 1 + 1 + 1, ...
print("sums of ones in float16:", *(int(total[n - 1]) for n in (1000, 2048, 5000)))

# %% [markdown]
# The sum gets stuck at 2048: adding 1 no longer reaches the next float. So graphics
# processors that multiply float16 matrices add up in float32, and round once at the end.
# If you write a port for half precision, do the same in LayerNorm and softmax.
#
# ## Many roundings
#
# A product of two vectors needs $n$ products and $n - 1$ sums. Each may be off by a
# factor $1 + \delta$, and a product may pass through all the sums after it. Add up the
# worst case, and you get Higham's bound (*Accuracy and Stability of Numerical
# Algorithms*, chapter 3):
#
# $$|\text{fl}(x \cdot w) - x \cdot w| \le \gamma_n \sum_i |x_i| |w_i|, \qquad
# \gamma_n = \frac{n u}{1 - n u}$$
#
# It holds for every order of summation. But it assumes that all roundings go the same
# way. In truth some go up and some down. Errors with random signs grow like a random
# walk: with $\sqrt n$, not with $n$.
#
# We measure the error in units of $u$ times the result. **Predict:** positive terms are
# added up one by one. Is the error nearer to 1, to $\sqrt n$ or to $n$ units? And if
# NumPy's matrix product adds them?

# %%
u, lengths = 2.0 ** -24, 4 ** np.arange(2, 9)
one_by_one, product = [], []
for n in lengths:
    x, w = rng.random(size=(2, 40, n), dtype="float32")      # 40 pairs of vectors
    true = np.array([math.fsum(row) for row in x.astype(float) * w])
    for found, sums in ((one_by_one, np.add.accumulate(x * w, axis=1)[:, -1]),
                        (product, [a @ b for a, b in zip(x, w)])):
        found.append(np.sqrt(np.mean(((sums - true) / (u * true)) ** 2)))
plots.curves(np.log2(lengths), {"worst case, n": lengths, "sqrt n": np.sqrt(lengths),
             "one by one": one_by_one, "matrix product": product}, log=True,
             xlabel="log2 of the length n", ylabel="error / u (RMS)")

# %% [markdown]
# One by one runs about parallel to $\sqrt n$, and below it. The matrix product does
# better: it adds several partial sums at once, so that each term passes through fewer
# roundings. The worst case is far above both. For sums of $n = 768$ terms in float16 it
# would be $\gamma_n = 0.6$, an error of 60 %. For $n = 3072$ it is no bound at all, since
# $n u$ is over 1. A bound that is certain can be useless.
#
# ### Exercise 12.3
#
# Write `bound(x, w, u)`, the certain bound for the error of `x @ w`, where both are
# `(n,)`. Use $\gamma_n$. Which sum does it need: that of $x_i w_i$, or that of the
# absolute values?

# %% tags=["exercise"]
def bound(x, w, u):
    return ...

check("12.3", bound)

# %% tags=["solution"]
def bound(x, w, u):
    n = len(x)
    return n * u / (1 - n * u) * (np.abs(x) @ np.abs(w))

check("12.3", bound)

# %% [markdown]
# ## The dips: cancellation
#
# Now for the steps where the worst entry has no right digit. **Guess** which they are.

# %% tags=["varies"]
for step in sorted(proof.steps, key=lambda step: step.float32.worst)[:4]:
    print(f"{step.float32.worst:.1f} digits at worst, {step.float32.median:.1f} in the "
          f"middle: {step.name}")

# %% [markdown]
# The three steps named `intermediate.out` lead: the output of GELU.
#
# $$\text{gelu}(x) = \frac{x}{2} \left(1 + \text{erf}(x / \sqrt 2)\right)$$
#
# For $x = -5$, erf is $-0.99999943$. In float32 this number is itself rounded, by up to
# $3 \cdot 10^{-8}$. Then 1 is added. What remains is $5.7 \cdot 10^{-7}$, and the old
# error is suddenly a large part of it.
#
# **Predict:** how many right digits has gelu(-5) in float32? What is its error in $u$,
# not relative to gelu?

# %% tags=["varies"]
x = np.array([-1.0, -3.0, -5.0, -6.0])
truth = exact.gelu(balls.balls(x))[0].to_float64()           # proven, rounded once
found, _ = ops.gelu(x.astype("float32"))
for each, right, got in zip(x, truth, found):
    error = abs(float(got) - right)
    print(f"gelu({each:.0f}) = {right:.6e}, float32 {got:.6e}: relative error "
          f"{error / abs(right):.0e}, absolute {error * 2**24:.1f} u")

# %% [markdown]
# The *relative* error explodes, up to 1, which is no digit at all. The *absolute* error
# is never more than about one $u$. This is **catastrophic cancellation**. The addition
# that cancels is not to blame: it makes no error here. It removes the leading digits that
# agree, and what is left are the digits that were wrong before.
#
# Is it a catastrophe? The next step adds up 384 of these numbers, each times a weight.
# Some are as large as 1. There an error of $u$ is what any rounding makes. So the
# digits come back, as the picture shows. **Cancellation is harmful where the small
# result is used by itself**, as a factor, a divisor or a logarithm.
#
# So a port may write GELU with erf, as above, or with erfc, as in notebook
# [04](04_layernorm_gelu.ipynb). The two differ in digits of tiny numbers, and in nothing
# that comes after them.
#
# ### Exercise 12.4
#
# Here is a small result that is a factor. The pooler ends in tanh, and its gradient is
# multiplied by the derivative $1 - \tanh^2 x$. For large $x$ this difference cancels: for
# $x = 10$ float32 gives 0. Write `slope(x)` so that it keeps its digits, with
# $\tanh x = \sinh x / \cosh x$ and $\cosh^2 x - \sinh^2 x = 1$.

# %% tags=["exercise"]
def slope(x):
    return ...

check("12.4", slope)

# %% tags=["solution"]
def slope(x):
    return 1 / np.cosh(x) ** 2

check("12.4", slope)

# %% [markdown]
# ## The slow loss: why depth costs so little
#
# An error that is made early passes through everything after it. Does it grow? We nudge
# the output of the embeddings by one part in a million, and watch the nudge.
#
# **Predict:** by which factor does it grow in each of the three layers?

# %%
case = cases.case_of(model, batch)
clean = run.run(case, backward=False)
begin = "embeddings.out"
nudge = 1 + 1e-6 * rng.normal(size=clean[begin].shape)       # (B, T, C)
nudged = run.run(case, given={begin: clean[begin] * nudge}, backward=False)
print(f"{begin:27} 1.00 millionths")
for i in range(3):
    name = f"encoder.layer.{i}.output.out"
    change = np.linalg.norm(nudged[name] - clean[name]) / np.linalg.norm(clean[name])
    print(f"{name:27} {change * 1e6:.2f} millionths")

# %% [markdown]
# It does not grow at all. Each layer *adds* something to what it was given, so the error goes
# past as it is. And each LayerNorm brings the numbers back to the same size. So errors
# do not multiply from layer to layer: they add up, and with random signs.
#
# ## Four precisions
#
# With proven numbers as the truth we can compare formats. NumPy computes in float64 and
# float32. The 16-bit formats are simulated: each operation is computed in float64, and
# then gets a random error of the size that its rounding would have. Sums have the
# rounding of float32, as on graphics processors. The sizes are in
# `numbert.verify.noise.PROFILES`.
#
# **Predict** how many digits float16 and bfloat16 have at the end.

# %%
trace = numbert.Trace("*.out")
numbert.exact(model)(**batch, trace=trace)
truth = {name: x.to_float64() for name, x in trace.items()}
found = {dtype: run.run(case, dtype=dtype, backward=False)
         for dtype in ("float64", "float32")}
for name in ("fp16", "bf16"):
    found[name] = noise.noisy_run(case, noise.PROFILES[name], cases.Draws(0))
digits = {name: [np.median(-np.log10(np.maximum(np.abs(got[tap] / x - 1), 2.0 ** -54)))
                 for tap, x in truth.items()] for name, got in found.items()}
plots.curves(np.arange(len(truth)), digits, ylabel="right digits (median)",
             xlabel="outputs of blocks, in the order of computation")

# %% [markdown]
# Each format starts with the digits of its $u$ and loses about one at most. So float16
# keeps close to 3 digits, and bfloat16 close to 2. The four curves have the same shape:
# what the model does to errors does not depend on the format.
#
# ## What a proof costs
#
# The balls are certain. They must assume the worst at every step, as $\gamma_n$ does.
#
# **Predict:** float64 loses one digit on the way. How many do the balls lose?

# %%
steps = [step for step in proof.steps if math.isfinite(step.float64.median)]
lost = {"proven by balls": [steps[0].proven - step.proven for step in steps]}
for dtype in ("float64", "float32"):
    medians = [getattr(step, dtype).median for step in steps]
    lost[f"{dtype}, in truth"] = [medians[0] - x for x in medians]
print(f"the balls lose {lost['proven by balls'][-1]:.0f} digits")
plots.curves(np.arange(len(steps)), lost, xlabel="step", ylabel="digits lost")

# %% [markdown]
# That is more digits than a float64 has. A ball cannot know that two errors have opposite
# signs, so it always adds their sizes. That does no harm to the proof: we start with some 65 digits
# and still have dozens. But as a *bound for a float program* it is hopeless. A program
# that is right would be allowed any answer.
#
# ## A bound that can judge
#
# So numbert takes **truth from balls, and bounds from noise**:
#
# 1. Run the model in float64. Let each operation add a random error of the size that
#    its rounding has in the format to be judged.
# 2. Do that 24 times, and measure how far the results spread at each step.
# 3. Allow a few times this spread: in float32, three times.
#
# See [numbert/verify/noise.py](../numbert/verify/noise.py), above all
# `numbert.verify.noise.measured`.
#
# We judge two float32 models. One is numbert's. In the other somebody has replaced the
# exact GELU by its approximation with tanh, which is a common bug in ports.
#
# **Predict:** how large is error over bound for the two?

# %%
spread = noise.measured(case, noise.PROFILES["fp32"])        # {tap: (RMS, largest)}
tanh_case = case._replace(config={**case.config, "hidden_act": "gelu_new"})
judged = {}
for name, each in (("float32", case), ("float32, tanh GELU", tanh_case)):
    got = run.run(each, dtype="float32", backward=False)
    off = {tap: np.sqrt(np.mean((got[tap] - x) ** 2)) for tap, x in truth.items()}
    judged[name] = {tap: error / (3 * spread[tap][0]) for tap, error in off.items()}
    print(f"{name}: RMS error of the last hidden state "
          f"{off['encoder.layer.2.output.out']:.1e}")
assert max(judged["float32"].values()) < 1
plots.errors_by_depth(judged)

# %% [markdown]
# The right model lies well below the line at every step. The wrong one is hundreds of
# times above it, from the first GELU on. So error over bound also says *where* the bug
# is. Its error at the end is still small: a test with a tolerance of $10^{-2}$, of
# which there are many, would have passed it. A bound has to come from the rounding, not
# from what happened to pass.
#
# `numbert verify` does this for any BERT, with all steps of forward and backward pass.
#
# ## What you have learnt
#
# * One rounding moves a number by at most $u$, relative to its size.
# * A sum of $n$ terms is off by at most $\gamma_n$, and typically by $\sqrt n \, u$.
# * Cancellation makes no error, it shows old ones. It harms what is used by itself.
# * Depth adds errors up. Residual sums and LayerNorm keep them from multiplying.
# * Balls prove the truth. Measured noise tells rounding from bugs.
#
# Laws that hold for every input are the subject of the next notebook,
# [13 · Property tests](13_properties.ipynb).
