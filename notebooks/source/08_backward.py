# %% [markdown]
# # 08 · Backward by hand: how BERT learns from its mistakes
#
# *About 120 minutes. You need Python with NumPy, and the derivative of a function of
# one variable. Everything else is explained here: you may read this notebook alone.*
#
# After this notebook you can
#
# * read a gradient as a slope, and check it by a measurement;
# * derive the backward pass of any operation from three rules;
# * write those of a linear layer, softmax with cross-entropy, LayerNorm, attention and
#   the tied word table, all in NumPy;
# * find a bug from the list of the gradients that are wrong.
#
# One name for each thing: `dx` is always the gradient of the loss with respect to `x`.
# Letters stand for sizes. There are $B$ texts of $T$ tokens each. A token is one of the
# $V$ words that the model knows, and becomes a vector of $C$ numbers.

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.bert import losses, ops
from numbert.testing import gradcheck
from numbert.testing.lessons import check

# %% [markdown]
# ## A slope that you can see
#
# BERT learns by guessing hidden words. The *loss* is one number that says how bad the
# guess is: 0 is perfect. numbert comes with a small trained BERT. We hide the word
# *she* from it, and say what the right answer is. A second label, 0, says that the
# second sentence follows the first. BERT guesses that too.

# %%
path = numbert.example_checkpoint("fill-mask")
tokenizer = numbert.BertTokenizer.from_pretrained(path)
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")
batch = tokenizer("Anna lives in Oslo.", "[MASK] is a baker.", return_tensors="np")
she, baker, mask = tokenizer.convert_tokens_to_ids(["she", "baker", "[MASK]"])
labels = np.where(batch["input_ids"] == mask, she, -100)     # -100: nothing to guess
inputs = {**batch, "labels": labels, "next_sentence_label": np.array([0])}
out, saved = model.forward(**inputs)
grads = model.backward(saved)
size = sum(x.size for x in model.params.values())
print(f"loss {out.loss:.2f}, computed with {size:,} parameters")
assert all(grads[name].shape == model.params[name].shape for name in grads)

# %% [markdown]
# `backward` has returned one array for each parameter, of the same shape. What does an
# entry mean? Take one number of the model, in the vector of the word *baker*. Add $t$
# to it, run the model again, and watch the loss.
#
# **Predict:** the number passes through three layers of attention and a softmax over
# 1,600 words. Is the curve smooth or jagged? And where can you see the entry of `grads`
# in it?

# %%
table = model.params["bert.embeddings.word_embeddings.weight"]           # (V, C)
slopes = grads["bert.embeddings.word_embeddings.weight"][baker]          # (C,)
place = baker, np.abs(slopes).argmax()
slope, start = slopes[place[1]], table[place]

def loss(t):
    table[place] = start + t
    value = model(**inputs).loss
    table[place] = start
    return value

assert table.shape == (1600, 96) and slopes.shape == (96,)

# %%
t = np.linspace(-1.2, 1.2, 41)
plots.curves(t, {"loss": [loss(step) for step in t],
                 "tangent, with the slope from backward": out.loss + slope * t},
             xlabel="t, added to one number of the word vector", ylabel="loss")

# %% [markdown]
# The curve is smooth, and the entry of `grads` is its slope at $t = 0$. A gradient is
# the list of all such slopes. Training moves every number a little against its slope.
#
# Measuring slopes like this needs two runs for each of half a million numbers.
# `backward` finds them all at once, for the price of about two runs. This notebook
# shows how.
#
# ## Three rules
#
# Here is a loss made of three steps. Read the picture from left to right to compute it.
#
# ```
#              ┌──►  u = 3 x  ──┐
#    x = 2  ───┤                ├──►  loss = u v
#              └──►  v = x²   ──┘
# ```
#
# Now read it from right to left, and ask each value: *if you grow by a little, by how
# many times as much does the loss grow?* We call the answers `dv`, `du` and `dx`. The
# loss itself answers 1.
#
# 1. **In a chain, slopes multiply.** If `u` makes the loss grow 4 times as fast, and
#    `x` makes `u` grow 3 times as fast, this way counts $4 \cdot 3$. This is the chain
#    rule.
# 2. **Ways add up.** `x` is used twice, so its two gradients are added.
# 3. **A gradient has the shape of its array.** There is one slope for each number.
#
# **Predict** `dx`, with pencil and paper.

# %%
x = 2.0
u, v = 3 * x, x ** 2                                         # forward: 6 and 4
du, dv = v, u                                                # loss = u v
dx = du * 3 + dv * 2 * x                                     # two ways: 12 + 24
h = 1e-6
measured = (3 * (x + h) * (x + h) ** 2 - 3 * (x - h) * (x - h) ** 2) / (2 * h)
print(f"by the rules {dx:.3f}, measured {measured:.3f}")
assert abs(dx - measured) < 1e-6

# %% [markdown]
# ## From numbers to arrays
#
# School calculus agrees: the loss is $3 x^3$, and its derivative is $9 x^2 = 36$. The
# rules needed no such formula. They only went back step by step. BERT has far more
# steps, and arrays in place of numbers.
#
# Let `out = f(x)`, with many numbers in and many out. The slope of $\text{out}_i$ as
# $x_j$ grows is called $J_{ij}$. The table of all of them is the *Jacobian* of $f$.
# From $x_j$ there is a way to the loss through each $\text{out}_i$. Rule 1 gives
# the slope of each way, and rule 2 adds them:
#
# $$dx_j = \sum_i d\text{out}_i \, J_{ij}$$
#
# A Jacobian is a picture of who acts on whom. The next cell measures three of BERT's:
#
# * GELU bends each number by itself: it is near 0 below 0, and near $x$ above;
# * the softmax turns numbers into probabilities, positive and of sum 1;
# * LayerNorm moves and stretches a vector to mean 0 and variance 1.
#
# **Predict:** which of the three Jacobians has zeros everywhere but on its diagonal?
# Where is that of the softmax negative?

# %%
def jacobian(f, x, h=1e-6):
    columns = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))]
    return np.stack(columns, axis=1)                         # (outputs, inputs)

x, ones, gap = np.array([-1.0, 1.5, 0.5, 1.0]), np.ones(4), np.full((4, 1), np.nan)
functions = (lambda x: ops.gelu(x)[0], lambda x: ops.softmax(x)[0],
             lambda x: ops.layer_norm(x, ones, 0 * ones, 0)[0])
tables = [jacobian(f, x).round(2) + 0 for f in functions]
shown = np.hstack([tables[0], gap, tables[1], gap, tables[2]])
names = [f"x{j}" for j in range(4)]
plots.heat_map(shown, [f"out{i}" for i in range(4)], [*names, "", *names, "", *names],
               title="GELU | softmax | LayerNorm", said="slope", numbers=True)

# %% [markdown]
# On the left, GELU acts on each number alone, so its Jacobian is a diagonal. Its
# backward is `dout * slope`, one product for each number.
#
# In the middle, the numbers compete. Each raises its own probability, and lowers all
# others. On the right, in LayerNorm, everything acts on everything.
#
# Nobody stores these tables. For a text of 100 tokens and $C = 768$ the Jacobian of one
# LayerNorm has six billion entries. Each backward below is a shortcut to the product
# of `dout` and $J$. In numbert it stands right under its forward:
#
# ```
#     out, saved = f(x, ...)               saved: what the backward needs
#     dx, ...    = f_backward(dout, saved)
# ```
#
# ## The linear layer
#
# The first shortcut is the most important one: at least nine tenths of BERT's
# arithmetic are linear layers. At each position $r$, output $o$ is a weighted sum of
# the inputs:
#
# $$\text{out}_{ro} = \sum_i x_{ri} \, w_{oi} + b_o$$
#
# Take $x_{ri}$. It acts on every output $o$ of its own position, each time with the
# slope $w_{oi}$. So by rules 1 and 2
#
# $$dx_{ri} = \sum_o d\text{out}_{ro} \, w_{oi} .$$
#
# This is a matrix product: `dx = dout @ w`. Now ask the same of a weight: which outputs
# does $w_{oi}$ act on, and with which slope? And a bias?
#
# ### Exercise 08.1
#
# Write the backward of the linear layer. `dout` is `(B, T, O)`, `x` is `(B, T, I)` and
# `w` is `(O, I)`. Return `dx`, `dw` and `db`: rule 3 says which shapes they have. It
# helps to turn positions into rows first: `dout.reshape(-1, dout.shape[-1])`.
#
# `check` compares your gradients with numbert's on random inputs. If they differ, it
# looks for a known mistake that gives the same numbers, in each part. Otherwise it says
# how many times larger the error is than rounding explains.

# %% tags=["exercise"]
def linear_backward(dout, x, w):
    return ...

check("08.1", linear_backward)

# %% tags=["solution"]
def linear_backward(dout, x, w):
    rows = dout.reshape(-1, dout.shape[-1])                  # (B T, O)
    dx = dout @ w                                            # (B, T, I)
    dw = rows.T @ x.reshape(-1, x.shape[-1])                 # (O, I)
    return dx, dw, rows.sum(0)

check("08.1", linear_backward)

# %% [markdown]
# ## The judge
#
# Who says that a gradient is right? Somebody who knows nothing of our derivation:
# *finite differences*. Move the input by a step $h$ each way, and look at the output:
#
# $$\text{slope} \approx \frac{\text{loss}(h) - \text{loss}(-h)}{2 h}$$
#
# In the limit $h \to 0$ this is the derivative.
#
# **Predict:** we measure the slope of our first picture with ever smaller $h$, and draw
# the error. Does a smaller $h$ always give a smaller error?

# %%
powers = np.arange(0, -12.1, -0.5)
h = 10 ** powers
ahead = [(loss(step) - out.loss) / step for step in h]
both = [(loss(step) - loss(-step)) / (2 * step) for step in h]
plots.curves(powers, {"one step ahead": np.array(ahead) / slope - 1,
                      "a step each way": np.array(both) / slope - 1}, log=True,
             xlabel="log10 of the step h", ylabel="relative error")

# %% [markdown]
# Read it from right to left. At first the error falls, because the curve looks more
# and more like a line. With a step each way it falls with $h^2$: half the step, a
# quarter of the error. Near $10^{-5}$ it turns and rises. The two losses now agree in
# many digits, their difference keeps few, and we divide this rest by a tiny $h$.
#
# So no single $h$ is safe, and neither is a tolerance such as `1e-3` for all cases.
# `numbert.testing.gradcheck` combines three steps so that the error in $h^2$ cancels.
# It also computes a bound of its own error. Its verdict is the difference against this
# bound: *ok*, *wrong*, or *unsure* if the bound is too wide to tell.
#
# It takes a forward, its backward and the inputs. A random `dout` stands for the rest
# of the model. Then all numbers of an input move at once, along a random *direction*.
# The slope along it must be the sum of gradient times direction, entry by entry.
#
# Let it judge numbert's linear layer, and one whose `dw` is too large by 0.1 %.

# %%
rng = np.random.default_rng(0)
x, w, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(5, 4)), rng.normal(size=5)

def slightly_wrong(dout, saved):
    dx, dw, db = ops.linear_backward(dout, saved)
    return dx, dw * 1.001, db

print(gradcheck.check_pair(ops.linear, ops.linear_backward, x, w, b))
print(gradcheck.check_pair(ops.linear, slightly_wrong, x, w, b, directions=1))

# %% [markdown]
# `argument1` is `w`: the arguments of `linear` are counted from 0. An error of 0.1 % is
# two million times larger than the bound `+-`. From now on you can judge any backward
# that you write, also where nobody has an answer.
#
# ## Softmax and cross-entropy
#
# Every backward pass begins at the loss. For each word in its vocabulary the model
# gives a score, called a *logit*, $z_k$. The softmax turns scores into probabilities
# $p_k$. If $c$ is the right word, the loss is $-\log p_c$.
#
# **Predict:** which logits should rise, and which should fall? A gradient below 0
# means that raising this number lowers the loss.

# %%
at = int((labels[0] != -100).argmax())                       # where the word is hidden
logits = out.prediction_logits[0, at]                        # (V,)
probs, _ = ops.softmax(logits)
_, ce_saved = losses.cross_entropy(logits[None], np.array([she]))
dlogits = losses.cross_entropy_backward(1.0, ce_saved)[0]    # (V,)
assert np.allclose(dlogits, grads["cls.predictions.bias"]) and dlogits.shape == (1600,)
best = probs.argsort()[::-1][:8]
plots.scores(dict(zip(tokenizer.convert_ids_to_tokens(best.tolist()), dlogits[best])),
             xlabel="gradient of the logit", title="below 0: should rise")

# %% [markdown]
# The right word is pulled up. Every other word is pushed down, the more the surer the
# model was of it. All pushes together are as strong as the pull. Why?
#
# (The `assert` found the same numbers in `grads`. The last bias of the model is added
# to the logits with slope 1, so its gradient is `dlogits`.)
#
# Write the loss in logits. With $p_c = e^{z_c} / \sum_j e^{z_j}$,
#
# $$-\log p_c = \log \sum_j e^{z_j} - z_c .$$
#
# The derivative of the first term with respect to $z_k$ is $e^{z_k} / \sum_j e^{z_j} =
# p_k$. The second term has the slope $-1$ where $k = c$, and 0 elsewhere. So the
# gradient is the difference between what the model believes and what is true.
# Exponentials and logarithms have cancelled. Belief and truth both sum to 1, so the
# gradient sums to 0: the pushes are as strong as the pull.
#
# Two things remain. The loss of a batch is the *mean* over all hidden words. And most
# positions have nothing to guess: their label is $-100$. They have no part in the loss,
# neither in the sum nor in the count.
#
# ### Exercise 08.2
#
# Write the backward of this mean. `logits` is `(R, V)`, one row for each position, and
# `labels` is `(R,)`. Return `dlogits`, of the shape of `logits`.

# %% tags=["exercise"]
def cross_entropy_backward(logits, labels):
    return ...

check("08.2", cross_entropy_backward)

# %% tags=["solution"]
def cross_entropy_backward(logits, labels):
    probs, _ = ops.softmax(logits)                           # (R, V)
    one_hot = labels[:, None] == np.arange(logits.shape[-1])
    used = labels != -100                                    # (R,)
    return (probs - one_hot) * used[:, None] / used.sum()

check("08.2", cross_entropy_backward)

# %% [markdown]
# ## LayerNorm
#
# LayerNorm takes the vector of one token, gives it mean 0 and variance 1, then scales
# and shifts each channel. In numbert's names:
#
# ```
#    x ──►  centred ──┬────────────────────┬──►  norm  ──►  out
#                     └──► var ──► rstd ───┘
# ```
#
# * `centred = x - mean(x)`
# * `var = mean(centred ** 2)`, over the $C$ channels
# * `rstd = 1 / sqrt(var + eps)`
# * `norm = centred * rstd`
# * `out = norm * w + b`
#
# **Predict:** what happens to `out` if every number of `x` grows by 1? And if `x`
# doubles? What does this say about the Jacobian?

# %%
x, ones = np.array([-1.0, 1.5, 0.5, 1.0]), np.ones(4)        # (C,)
centred, slopes = x - x.mean(), jacobian(functions[2], x)    # (C,), (C, C)
assert slopes.shape == (4, 4)
for name, direction in (("(1, 1, 1, 1)", ones), ("centred", centred),
                        ("(1, 0, 0, 0)", np.array([1, 0, 0, 0]))):
    change = np.abs(slopes @ direction).max()
    print(f"moved along {name:12} the largest change of out has slope {change:.2f}")

# %% [markdown]
# Shifting and stretching change nothing: LayerNorm undoes both, the second up to the
# tiny `eps`. So the loss does not change along these two directions either. Its slope
# along a direction is the sum of `dx` times the direction, and this sum must be 0.
# That is a test of your result: `dx.sum(-1)` is 0, up to rounding.
#
# Now go back through the picture, from right to left.
#
# * `out = norm * w + b` has slope `w` in `norm`: `dnorm = dout * w`. All positions
#   share `w` and `b`, as in the linear layer.
# * `norm = centred * rstd` is a product. Every channel uses the one `rstd`, so
#   `drstd` is the sum of `dnorm * centred` over the channels. The first part of
#   `dcentred` is `dnorm * rstd`.
# * `rstd` is a power of `var + eps`, to the $-\frac12$. Its slope is
#   $-\frac12 (\text{var} + \text{eps})^{-3/2}$, a power of `rstd` again. This gives
#   `dvar`.
# * `var` is the mean of squares. Each entry of `centred` acts on it with slope
#   `2 * centred / C`. This is the second part of `dcentred`.
# * `centred = x - mean(x)`. Each $x_j$ acts on its own entry with slope 1. Through the
#   mean it acts on all entries, with slope $-1/C$.
#
# ### Exercise 08.3
#
# Put the steps together. `norm` is `(B, T, C)`, `rstd` is `(B, T, 1)` and `w` is
# `(C,)`; `centred` is `norm / rstd`. Return `dx`, `dw` and `db`. Sums over channels
# keep their axis: `.sum(-1, keepdims=True)`.

# %% tags=["exercise"]
def layer_norm_backward(dout, norm, rstd, w):
    return ...

check("08.3", layer_norm_backward)

# %% tags=["solution"]
def layer_norm_backward(dout, norm, rstd, w):
    C, centred = norm.shape[-1], norm / rstd
    dnorm = dout * w                                         # (B, T, C)
    drstd = (dnorm * centred).sum(-1, keepdims=True)         # (B, T, 1)
    dvar = -0.5 * rstd ** 3 * drstd                          # (B, T, 1)
    dcentred = dnorm * rstd + 2 / C * centred * dvar         # (B, T, C)
    dx = dcentred - dcentred.mean(-1, keepdims=True)         # (B, T, C)
    return dx, (dout * norm).sum((0, 1)), dout.sum((0, 1))

check("08.3", layer_norm_backward)

# %% [markdown]
# Solved? Then read `numbert.bert.ops.layer_norm_backward` in
# [numbert/bert/ops.py](../numbert/bert/ops.py). It needs one line for `dx`, and no
# `dvar`: it only removes the two directions that have slope 0.
#
# ## Attention
#
# In attention each token asks all tokens for what it needs. It has a *query* `q`, and
# they have *keys* `k` and *values* `v`, all vectors of size $D$.
#
# ```
#    q ──┐
#        ├──►  scores  ──►  probs  ──┐
#    k ──┘                           ├──►  out
#    v ──────────────────────────────┘
# ```
#
# * `scores = q @ k.T / sqrt(D)`: how well query $t$ matches key $s$
# * `probs = softmax(scores)`: each row sums to 1
# * `out = probs @ v`: a mixture of values
#
# Both products are linear layers in disguise. Ask each entry again: what do you act on,
# and with which slope? For any `y = a @ b` this gives `da = dy @ b.T` and
# `db = a.T @ dy`. So only the softmax is new. Its Jacobian was in the picture: positive
# on the diagonal, negative elsewhere. Let $s$ be a row of scores and $p$ its
# probabilities. From $p_i = e^{s_i} / \sum_k e^{s_k}$ the quotient rule gives
#
# $$J_{ij} = p_i \, (1 - p_j) \;\text{ if } i = j, \qquad
# J_{ij} = -p_i \, p_j \;\text{ otherwise.}$$
#
# The rule for arrays was $dx_j = \sum_i d\text{out}_i \, J_{ij}$. Here it says
#
# $$ds_j = \sum_i dp_i \, J_{ij} .$$
#
# Put in both cases of $J$, and simplify. What is left is short: two products and one
# sum for each row.
#
# ### Exercise 08.4
#
# Write the backward of attention, for any number of leading axes. `dout` and `q` are
# `(..., T, D)`, `k` and `v` are `(..., S, D)`, `probs` is `(..., T, S)`. Return `dq`,
# `dk` and `dv`. For `.T` take `.swapaxes(-1, -2)`. Mind where the root of $D$ stands.

# %% tags=["exercise"]
def attend_backward(dout, q, k, v, probs):
    return ...

check("08.4", attend_backward)

# %% tags=["solution"]
def attend_backward(dout, q, k, v, probs):
    dprobs = dout @ v.swapaxes(-1, -2)                       # (..., T, S)
    dv = probs.swapaxes(-1, -2) @ dout                       # (..., S, D)
    mean = (probs * dprobs).sum(-1, keepdims=True)           # (..., T, 1)
    dscores = probs * (dprobs - mean) / np.sqrt(q.shape[-1])
    return dscores @ k, dscores.swapaxes(-1, -2) @ q, dv

check("08.4", attend_backward)

# %% [markdown]
# The formula explains two facts about attention. A masked key has $p = 0$, so neither
# its score nor its value gets a gradient. No token learns from padding.
#
# The second fact is stranger. In the trained model `q`, `k` and `v` come from three
# linear layers, each with a bias.
#
# **Predict:** one of the three biases has a gradient of 0, in every layer, for every
# text. Which one?

# %%
for layer in range(model.config.num_hidden_layers):
    scope = f"bert.encoder.layer.{layer}.attention.self"
    for name in ("query", "key", "value"):
        size = np.abs(grads[f"{scope}.{name}.bias"]).max()
        print(f"{name} {size:.2f}", end="   ")
        assert (size < 1e-14) == (name == "key")
    print(f"in layer {layer}")

# %% [markdown]
# It is that of the keys. Adding the same vector to all keys adds the same number to a
# whole row of scores. A softmax sees only differences, so nothing changes. A port
# that forgets this bias gives the same outputs, so no test of them can notice.
#
# ## Two uses: the residual and the tied table
#
# BERT uses many values twice, and rule 2 says what to do: add. Two cases matter most.
#
# ```
#    x ──┬──►  attention  ──►  + ──►  out         table ──┬──►  look up  ──►  ...  ──► h
#        └────────────────────►┘                          └──►  logits = h @ table.T
# ```
#
# On the left is the *residual*, `out = attention(x) + x`. A sum has slope 1 in each of
# its terms. So `dout` passes on whole, to both. Without this straight way, a deep stack
# of layers is very hard to train.
#
# On the right is the *tied* word table. Its row for *baker* is looked up wherever
# *baker* stands in a text. At the end the same row is compared with `h`, to score
# *baker* as an answer. A look-up copies rows. The gradient of a row is the sum of those
# of its copies.
#
# ### Exercise 08.5
#
# Write the gradient of the table, `(V, C)`, from both uses. `ids` is `(B, T)`, and `dx`
# `(B, T, C)` is the gradient of `table[ids]`. At the end, `logits = h @ table.T`, with
# `h` of `(B, T, C)` and `dlogits` of `(B, T, V)`. A word may occur several times.

# %% tags=["exercise"]
def table_backward(ids, dx, h, dlogits):
    return ...

check("08.5", table_backward)

# %% tags=["solution"]
def table_backward(ids, dx, h, dlogits):
    V, C = dlogits.shape[-1], h.shape[-1]
    dtable = dlogits.reshape(-1, V).T @ h.reshape(-1, C)     # (V, C)
    np.add.at(dtable, ids, dx)                               # adds once for each place
    return dtable

check("08.5", table_backward)

# %% [markdown]
# In the real model the row of `[PAD]`, the filler of short texts, gets nothing from the
# look-up: `numbert.bert.embeddings.embeddings_backward` sets this part to 0. The
# last product, the *decoder*, still pushes `[PAD]` down as an answer. So the row has a
# gradient, and training moves it away from zero.
#
# ## All together
#
# Now we build a small BERT from these pieces. It has a look-up, a LayerNorm, one head
# of attention with a residual, and the tied decoder. `weight` and `bias` belong to the
# LayerNorm. `q`, `k` and `v` are the weights of three linear layers. Each step keeps
# what its backward needs.

# %%
def forward(p, ids, labels):
    x, look = ops.embedding(ids, p["table"])                               # (B, T, C)
    n, norm = ops.layer_norm(x, p["weight"], p["bias"], 1e-12)
    (q, qs), (k, ks), (v, vs) = (ops.linear(n, p[name]) for name in "qkv")
    scores, match = ops.attention_scores(q, k)                             # (B, T, T)
    probs, soft = ops.softmax(scores)
    context, mix = ops.weighted_sum(probs, v)                              # (B, T, C)
    logits, decode = ops.linear(context + n, p["table"])                   # (B, T, V)
    loss, ce = losses.cross_entropy(logits, labels)
    return loss, (look, norm, qs, ks, vs, match, soft, mix, decode, ce)

# %% [markdown]
# The backward pass is the same story, told from its end. Compare it with the forward,
# line by line. `residual` is there to break it in a moment.

# %%
def backward(saved, residual=1):
    look, norm, qs, ks, vs, match, soft, mix, decode, ce = saved
    dlogits = losses.cross_entropy_backward(1.0, ce)
    dsum, dtable, _ = ops.linear_backward(dlogits, decode)
    dprobs, dv = ops.weighted_sum_backward(dsum, mix)
    dq, dk = ops.attention_scores_backward(ops.softmax_backward(dprobs, soft), match)
    (by_q, dwq, _), (by_k, dwk, _), (by_v, dwv, _) = (
        ops.linear_backward(d, s) for d, s in ((dq, qs), (dk, ks), (dv, vs)))
    dn = by_q + by_k + by_v + residual * dsum                 # n is used four times
    dx, dweight, dbias = ops.layer_norm_backward(dn, norm)
    return {"q": dwq, "k": dwk, "v": dwv, "weight": dweight, "bias": dbias,
            "table": dtable + ops.embedding_backward(dx, look)}

# %% [markdown]
# We let the judge look at it twice. The second time we lose the gradient of the
# residual, a mistake that raises no error and still trains a little.
#
# **Predict:** which of the six gradients will then be wrong?

# %%
params = {"table": rng.normal(size=(7, 4)), "weight": rng.normal(size=4),
          "bias": rng.normal(size=4), **{m: rng.normal(size=(4, 4)) for m in "qkv"}}
ids = np.array([[1, 4, 4], [2, 1, 6]])
targets = np.array([[-100, 3, -100], [5, 0, -100]])
_, pieces = forward(params, ids, targets)
for residual in (1, 0):
    report = gradcheck.check(lambda p: forward(p, ids, targets)[0], params,
                             backward(pieces, residual))
    print(f"residual {residual}: wrong are {report.wrong or 'none'}")
    assert report.wrong == ([] if residual else ["weight", "bias", "table"])

# %% [markdown]
# `q`, `k` and `v` are still right. A backward pass runs from the loss to the input. So
# a bug spoils only what comes after it on this way: the LayerNorm, and the table below
# it. (The table is used at both ends. Its part from the decoder was right.) This is
# how you find a bug: **look for the wrong gradient that is nearest to the loss.**
#
# The real BERT has the same pieces, some of them more often. The judge takes the
# gradient of every parameter of the model from our first cell. Then we draw how large
# the gradients are, from the embeddings to the head.

# %%
pad = grads["bert.embeddings.word_embeddings.weight"][tokenizer.pad_token_id]
assert batch["attention_mask"].all() and np.abs(pad).max() > 0   # from the decoder
print(gradcheck.check_model(model, inputs, directions=1))
plots.gradient_norms(grads, title="the gradient of one hidden word")

# %% [markdown]
# Follow one kind of array from layer to layer: its gradient changes by a factor of 4 at
# most, and the embeddings still get theirs. The residuals lead it past each layer.
#
# ## What you have learnt
#
# * A gradient is a list of slopes, in the shape of its array.
# * In a chain slopes multiply; ways add up. A backward pass is no more than this.
# * For cross-entropy it is belief minus truth. In LayerNorm, two directions have slope
#   0. In a softmax, the scores of a row compete.
# * Finite differences judge any gradient, if you know their own error.
# * A bug spoils the gradients between itself and the input. Look nearest to the loss.
#
# Next: [09 · Training](09_training.ipynb) puts these gradients to work.
