# %% [markdown]
# # 03 · Attention: how a word looks at other words
#
# *About 60 minutes. You need NumPy and notebooks [00](00_setup.ipynb) and
# [02](02_embeddings.ipynb): a token is a vector, and a softmax makes shares of scores.*
#
# After this notebook you can
#
# * read an attention map, and say what a head does;
# * derive the formula of attention and write it in a few lines of NumPy;
# * explain why a mask acts on the scores, and what happens without it;
# * split a hidden state into heads, and find the bug that most ports have had once.
#
# Letters stand for sizes, as before. A hidden state has $C$ numbers; there are $N$
# heads, and each has $D = C / N$ of the numbers. $T$ tokens look at $S$ tokens. Here
# they are the same tokens, so $S = T$.

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.bert import attention, ops
from numbert.testing.lessons import check

# %% [markdown]
# ## A picture first
#
# Here is a small BERT that comes with numbert, and a text of two sentences. A *trace*
# records the numbers that we ask for while the model runs. We ask for the attention
# probabilities of the first layer.

# %%
path = numbert.example_checkpoint()
tokenizer = numbert.BertTokenizer.from_pretrained(path)
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")

batch = tokenizer("Anna lives in Oslo. She is a baker.", return_tensors="np")
tokens = batch.tokens()
trace = numbert.Trace("*embeddings.out", "*.self.*")
model(**batch, trace=trace)
probs = trace["encoder.layer.0.attention.self.probs"][0]     # (N, T, S)
assert probs.shape == (4, 12, 12)

# %% [markdown]
# Each map below belongs to one head. A row is the token that looks, the *query*. A
# column is the token that it looks at, the *key*. Each row is a set of weights that
# sum to 1.
#
# **Predict before you run:** a language model often needs the word before, and the word
# after. What would the map of a head look like that always looks one word back?

# %%
plots.attention_maps(probs, tokens)

# %% [markdown]
# Head 1 draws a line just below the diagonal: each token looks at the token before it.
# Head 2 looks at the token after it, and head 0 two tokens ahead. Head 3 looks at
# several tokens at once. Nobody programmed this. The heads learnt it, because
# neighbours help to guess a hidden word.
#
# Later layers look for meaning rather than for a place. In layer 1 the word *she*
# looks at *anna*:

# %%
later = trace["encoder.layer.1.attention.self.probs"][0]     # (N, T, S)
she = tokens.index("she")
for head, row in enumerate(later[:, she]):
    print(f"head {head}: she looks at {tokens[row.argmax()]:6} {row.max():.2f}")

# %% [markdown]
# ## The idea
#
# Think of a library. You come with a *query*: what you are looking for. Each book has a
# *key*: what it says on its spine. You compare your query with every key. Then you
# take home a mixture of the *values*, the contents, mostly of the books that match.
#
# Each token has all three. It makes them from its hidden state $x$ by three matrices,
# which are learnt:
#
# $$q = x W_q^\top + b_q \qquad k = x W_k^\top + b_k \qquad v = x W_v^\top + b_v$$
#
# ($W$ is transposed because checkpoints store one row for each *output*.) The query of
# token $t$ is $q_t$, the key of token $s$ is $k_s$. A dot product compares the two. It
# is large when both point the same way. Why it is divided by $\sqrt{D}$ comes below.
#
# $$\text{scores}_{ts} = \frac{q_t \cdot k_s}{\sqrt{D}}$$
#
# A softmax turns each row of scores into weights, called *probs*. They mix the values:
#
# $$\text{probs}_{ts} = \frac{e^{\text{scores}_{ts}}}{\sum_r e^{\text{scores}_{tr}}}
# \qquad \text{out}_t = \sum_s \text{probs}_{ts} \, v_s$$
#
# This is equation 1 of Vaswani et al. (2017).

# %% [markdown]
# ## The idea in code
#
# First the queries. In layer 0, $x$ is what the embeddings returned.

# %%
x = trace["embeddings.out"]                                  # (B, T, C) = (1, 12, 96)
name = "bert.encoder.layer.0.attention.self.query"
W, b = model.params[name + ".weight"], model.params[name + ".bias"]
query = x @ W.T + b                                          # (B, T, C)
assert W.shape == (96, 96) and query.shape == (1, 12, 96)
assert np.abs(query - trace[name]).max() < 1e-13             # numbert has the same

# %% [markdown]
# Keys and values are made alike. We take these three from the trace, and of each only
# the part of one head, so that every array is a plain matrix. (`split_heads` cuts a
# hidden state into heads; see "Heads" below.) Subtracting the largest score changes no
# weight, but `exp` can't overflow then.

# %%
T, D = 12, 24
q, k, v = (attention.split_heads(trace[f"encoder.layer.0.attention.self.{name}"], 4)
           for name in ("query", "key", "value"))            # (1, N, T, D) each
q, k, v = q[0, 1], k[0, 1], v[0, 1]                          # head 1: (T, D) each

scores = q @ k.T / np.sqrt(D)                                # (T, T)
weights = np.exp(scores - scores.max(-1, keepdims=True))
weights /= weights.sum(-1, keepdims=True)                    # each row sums to 1
out = weights @ v                                            # (T, D)
assert scores.shape == weights.shape == (T, T) and out.shape == (T, D)

# %% [markdown]
# Do the last four lines give what numbert computes? The trace has its probabilities and
# its output. We compare, and count the difference in `eps`, the rounding of float64 for
# numbers near 1.

# %% tags=["varies"]
eps = np.finfo(float).eps
context = trace["encoder.layer.0.attention.self.context"][0]  # (T, C), heads joined
for name, mine, theirs in (("probabilities", weights, probs[1]),
                           ("outputs", out, context[:, 24:48])):
    error = np.abs(mine - theirs).max() / eps
    print(f"{name} differ by {error:.0f} eps, and may by 100")
    assert error < 100

# %% [markdown]
# numbert's own version is in
# [numbert/bert/attention.py](../numbert/bert/attention.py): read
# `numbert.bert.attention.attend`. It calls `numbert.bert.ops.attention_scores`,
# `numbert.bert.ops.mask_scores`, `numbert.bert.ops.softmax` and
# `numbert.bert.ops.weighted_sum`, in this order.

# %% [markdown]
# ## Why divide by $\sqrt{D}$?
#
# Suppose that the entries of $q$ and $k$ are independent, with mean 0 and variance 1.
# Their dot product is a sum of $D$ terms of variance 1, so its variance is $D$.
# Without the division, larger heads would have larger scores.
#
# **Predict:** what does a softmax do with large scores?

# %%
rng = np.random.default_rng(0)
for size in (4, 64, 1024):
    a, b = rng.normal(size=(2, 200, size))
    raw, _ = ops.softmax(a @ b.T)
    scaled, _ = ops.softmax(a @ b.T / np.sqrt(size))
    print(f"D = {size:4}: the largest of 200 weights is {raw.max(-1).mean():.2f} "
          f"unscaled, {scaled.max(-1).mean():.2f} scaled")

# %% [markdown]
# Unscaled, one weight of a large head is nearly 1 and the others vanish. A small change
# of the scores then changes nothing. So the gradient of the softmax vanishes, and the
# head stops learning. Divided by $\sqrt{D}$, the scores have variance 1 for every $D$.

# %% [markdown]
# ### Exercise 03.1
#
# Write `attend(q, k, v)` for any number of leading axes: `q` is `(..., T, D)`, `k` and
# `v` are `(..., S, D)`, and the result is `(..., T, D)`. Swap the last two axes of `k`
# with `k.swapaxes(-1, -2)`.

# %% tags=["exercise"]
def attend(q, k, v):
    return ...

check("03.1", attend)

# %% tags=["solution"]
def attend(q, k, v):
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])   # (..., T, S)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v      # (..., T, D)

check("03.1", attend)

# %% [markdown]
# ## Masks: what nobody may look at
#
# Texts of a batch have different lengths. The shorter ones are filled up with `[PAD]`,
# which means nothing, so no token may look at it. `attention_mask` says which tokens
# are real: 1 is real, 0 is padding. The cell prints how `[CLS]` scores each key of the
# second text in head 3, before the mask and after.

# %%
texts = ["Anna lives in Oslo.", "Tom is happy."]
pair = tokenizer(texts, padding=True, return_tensors="np")
real = pair["attention_mask"].astype(bool)                   # (B, S)
names = pair.tokens(1)
trace = numbert.Trace("*layer.0.attention.self.*scores")
model(**pair, trace=trace)
before = trace["encoder.layer.0.attention.self.scores"][1, 3]         # (T, S)
after = trace["encoder.layer.0.attention.self.masked_scores"][1, 3]   # (T, S)
print(*(f"{name:>9}" for name in names))
for row in (before[0], after[0]):                            # the query is [CLS]
    print(*(f"{score:9.2g}" for score in row))

# %% [markdown]
# The mask replaces the score of a hidden key by the lowest number that the dtype has.
# The softmax makes it an exact zero. The weights of the real keys still sum to 1.
#
# **Predict:** what goes wrong if we set the *probabilities* to zero instead, after the
# softmax? Run the next cell to see both.

# %%
right, _ = ops.softmax(ops.mask_scores(before, real[1])[0])
late = ops.softmax(before)[0] * real[1]
print("masked before the softmax: rows sum to", right.sum(-1).round(3))
print("masked after the softmax:  rows sum to", late.sum(-1).round(3))

# %%
plots.masks({"scores": before, "masked scores": after,
             "probabilities": right}, names)

# %% [markdown]
# A mask after the softmax comes too late. `[PAD]` has already taken its share, so the
# other weights sum to less than 1. The output would depend on the padding.
#
# ### Why is the mask added?
#
# Many programs *add* a mask to the scores: 0 for a real key, and $-10^4$ or the lowest
# number for a hidden one. That has the same effect. A real score stays as it is. A
# hidden one falls so far below the others that its weight rounds to 0.
#
# A mask that is *multiplied* would give a hidden key the score 0, which is not low at
# all. In the row of `[CLS]` above it would even be the highest score!
#
# ### Exercise 03.2
#
# A *decoder* is a model that writes from left to right. There a query may look at
# itself and at earlier tokens only. Write its mask, $(T, S)$: `True` where a query may
# look. The $T$ queries are the last $T$ of the $S$ tokens. With $T = S$ the mask is a
# lower triangle. With $T = 1$ the only query is the last token, which sees all.

# %% tags=["exercise"]
def causal_mask(T, S):
    return ...

check("03.2", causal_mask)

# %% tags=["solution"]
def causal_mask(T, S):
    queries = np.arange(S - T, S)[:, None]                   # (T, 1)  their positions
    return np.arange(S) <= queries                           # (T, S)

check("03.2", causal_mask)

# %%
causal = attention.causal_mask(7, 7)
plots.masks({"padding": np.broadcast_to(real[1], (7, 7)), "causal": causal,
             "both": real[1] & causal}, names)

# %% [markdown]
# ## Heads: several questions at once
#
# One softmax gives one set of weights. It cannot look at the word before *and* at the
# subject. So BERT splits the $C$ channels into $N$ heads of $D$ channels. Each head
# attends on its own, and the results are joined again. (One more matrix then mixes the
# channels of all heads: notebook [05](05_encoder_trace.ipynb).)
#
# Splitting only moves numbers: `(B, T, C)` becomes `(B, T, N, D)`, and then the heads
# move in front of the tokens, `(B, N, T, D)`. We can watch it with numbers that say
# where they came from: token 2, channel 5 is 205.

# %%
x = 100 * np.arange(3)[:, None] + np.arange(6)               # (T, C) = (3, 6)
heads = attention.split_heads(x, 2)                          # (N, T, D) = (2, 3, 3)
assert heads.shape == (2, 3, 3)
print(x)
print("head 0:\n", heads[0])
print("head 1:\n", heads[1])

# %% [markdown]
# ## Find the bug
#
# A colleague joins the heads again with one reshape. The shape is right, the program
# runs, and the model trains, badly. What is wrong?
#
# **Predict** the first row of what this prints.

# %%
print(heads.reshape(3, 6))

# %% [markdown]
# The first row holds parts of tokens 0 and 1, and nothing of head 1. `reshape` reads
# numbers in the order in which they lie, and here the head comes first. The axis of heads
# must move next to the channels before the two can merge.
#
# The way into heads is the same, backwards. This is why there is a `transpose` after
# the `view` in every BERT written in PyTorch. There `view` is NumPy's `reshape`, and
# `transpose` is `swapaxes`.
#
# ### Exercise 03.3
#
# Write `merge_heads(x)`, the inverse of `split_heads`: `(..., N, T, D)` becomes
# `(..., T, C)`.

# %% tags=["exercise"]
def merge_heads(x):
    return ...

check("03.3", merge_heads)

# %% tags=["solution"]
def merge_heads(x):
    x = x.swapaxes(-2, -3)                                   # (..., T, N, D)
    return x.reshape(*x.shape[:-2], -1)                      # (..., T, C)

check("03.3", merge_heads)

# %% [markdown]
# ### Exercise 03.4
#
# Attention knows no order: it compares every query with every key, wherever they are.
# In a model without position embeddings, we shuffle the tokens. What happens to the
# outputs? Answer with one word: `"unchanged"`, `"shuffled"` (as the inputs were) or
# `"different"` (other vectors).

# %% tags=["exercise"]
answer = ...

check("03.4", answer)

# %% tags=["solution"]
answer = "shuffled"

check("03.4", answer)

# %% [markdown]
# We can see it with our head 1. Shuffle the rows of $q$, $k$ and $v$ in the same way,
# and each output is a sum of the same terms in another order.

# %%
order = rng.permutation(T)
shuffled, _ = ops.softmax(q[order] @ k[order].T / np.sqrt(D))
print("largest difference:", f"{np.abs(shuffled @ v[order] - out[order]).max():.1e}")
assert np.abs(shuffled @ v[order] - out[order]).max() < 1e-13

# %% [markdown]
# This is why BERT needs the position embeddings of notebook
# [02](02_embeddings.ipynb).
#
# ## What you have learnt
#
# * A query is compared with all keys; the softmax of the scores mixes the values.
# * The division by $\sqrt{D}$ keeps the softmax away from its flat ends.
# * A mask makes scores lowest *before* the softmax, so that the rest still sums to 1.
# * Heads only move numbers, but they must move the right axes.
#
# How a gradient finds its way back through all this is the subject of notebook
# [08](08_backward.ipynb). Next: [04 · LayerNorm and GELU](04_layernorm_gelu.ipynb).
