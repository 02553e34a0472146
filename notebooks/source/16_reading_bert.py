# %% [markdown]
# # 16 · Reading a trained BERT: what is in there, and how sure can we be?
#
# *About 60 minutes. You need notebooks [03](03_attention.ipynb) (attention) and
# [08](08_backward.ipynb) (gradients).*
#
# After this notebook you can
#
# * sort attention heads by what they look at, and find out which ones matter;
# * train a linear probe in three lines of NumPy, and give it a fair opponent;
# * find the neighbours of an embedding;
# * ask for the gradient of a prediction, and compare it with an experiment;
# * say what such pictures do not prove.
#
# Every method here gives a nice picture. So after each we ask: what would the picture
# be if there were nothing to see?

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.testing.lessons import check
from numbert.training import masking
from numbert.world import HELD_OUT, TRAIN, documents

path = numbert.example_checkpoint("fill-mask")
tokenizer = numbert.BertTokenizer.from_pretrained(path)
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")

# %% [markdown]
# ## Part 1: what heads look at
#
# Our BERT has 3 layers of 4 heads. We number the heads from 0 to 11, through all
# layers. A trace records their probabilities for one text.

# %%
def look_inside(text):
    """text -> its tokens, ids (T,) and the attention of all heads (12, T, T)"""
    batch = tokenizer(text, return_tensors="np")
    trace = numbert.Trace("*.self.probs")
    model(**batch, trace=trace)
    probs = np.concatenate([*trace.values()], 1)[0]          # all layers
    return batch.tokens(), batch["input_ids"][0], probs

tokens, ids, probs = look_inside("Tom lives in Oslo. Tom is a baker.")
assert probs.shape == (12, len(tokens), len(tokens))
plots.attention_maps(probs, tokens)

# %% [markdown]
# Heads 0 to 2 draw straight lines. Others have bright columns: many tokens look at
# *tom*. One text is an anecdote. We measure each pattern on many texts.
#
# ### Exercise 16.1
#
# `probs` has shape `(N, T, T)`: heads, queries, keys. Return for each head the mean
# weight that a token gives to the token `offset` places further on, `(N,)`. An offset
# of -1 is the token before. Tokens that have no such neighbour do not count.

# %% tags=["exercise"]
def looks(probs, offset):
    return ...

check("16.1", looks)

# %% tags=["solution"]
def looks(probs, offset):
    return np.diagonal(probs, offset, 1, 2).mean(-1)         # (N,)

check("16.1", looks)

# %% [markdown]
# Here are six patterns, over 50 texts that the model has not seen. The last row is the
# control. It is a head that spreads its weight evenly, and knows nothing.
#
# **Predict:** which heads will stand out, and in which columns?

# %%
def patterns(probs, tokens):
    dots = [token == "." for token in tokens]
    return np.stack([*(np.diagonal(probs, k, 1, 2).mean(-1) for k in (-1, 1, 2, 0)),
                     probs[:, :, dots].sum(-1).mean(-1), probs[..., -1].mean(-1)], -1)

texts = [" ".join(document) for document in documents(50, HELD_OUT)]
found = []
for text in texts:
    tokens, _, probs = look_inside(text)
    even = np.full((1, len(tokens), len(tokens)), 1 / len(tokens))
    found.append(patterns(np.concatenate([probs, even]), tokens))

# %%
plots.heat_map(np.mean(found, 0).round(2), [*(f"head {i}" for i in range(12)), "even"],
               ["before", "after", "two after", "itself", "full stop", "[SEP]"],
               numbers=True, low=0, high=1, said="mean weight")

# %% [markdown]
# Three heads of layer 0 do one thing each: the word before, the word after, the word
# after that. The other nine fit none of these columns. In a large BERT many heads look
# mostly at `[SEP]`, as if they had nothing to do (Clark et al. 2019). Ours has no such
# head.
#
# ## The same name
#
# In the maps above, *tom* looks at the other *tom*. Is there a head that finds the same
# name again? We make an experiment with "*Tom* lives in Oslo. *Tom* is a baker." and
# seven more names. How much does the second name look at the first?
#
# **Predict:** which control would you add? The figure has two of them.

# %%
names = ["Anna", "Tom", "Maria", "Ben", "Laura", "George", "Alice", "Adam"]
weights = {"the same name": [], "another name": [], "no name": []}
for name, other in zip(names, names[1:] + names[:1]):
    starts = f"{name} lives", f"{other} lives", "Mice live"
    for kind, start in zip(weights, starts):
        tokens, _, probs = look_inside(f"{start} in Oslo. {name} is a baker.")
        assert tokens[6] == name.lower()
        weights[kind].append(probs[:, 6, 1])                 # (12,)
table = np.round([np.mean(x, 0) for x in weights.values()], 2)
plots.heat_map(table, list(weights), [f"head {i}" for i in range(12)], numbers=True,
               low=0, high=1, said="weight on the first word")

# %% [markdown]
# The top row alone tells a fine story: eight heads put a third of their weight or more
# on the same name. The two rows below it take the story apart:
#
# * heads 5, 7, 8 and 10 look at *any* name, the same or not;
# * head 9, and partly head 11, look at the first word, even if it is *mice*;
# * heads 3 and 4 prefer the same name, head 3 only a little. Only they earn the title.
#
# A head deserves a name only after the controls.
#
# ### Exercise 16.2
#
# Measure it for any text. `ids` are its token ids, `(T,)`. Take the tokens that have at
# least one other copy in the text. How much weight do they give to all their other
# copies together? Return the mean of this for each head, `(N,)`.

# %% tags=["exercise"]
def on_copies(probs, ids):
    return ...

check("16.2", on_copies)

# %% tags=["solution"]
def on_copies(probs, ids):
    copies = (ids[:, None] == ids) & ~np.eye(len(ids), dtype=bool)       # (T, T)
    weight = (probs * copies).sum(-1)                                    # (N, T)
    return weight[:, copies.any(-1)].mean(-1)

check("16.2", on_copies)

# %% [markdown]
# ## Does the head matter?
#
# A head may look at something, and the model may make no use of it. To find out, we
# take the head away. Its output goes through $D = 24$ columns of a matrix. If they are
# 0, the head is silent. Then we measure how well the model guesses hidden words.
#
# **Predict:** which will hurt more, to lose a head for the word before, or one for
# names?

# %%
rng, vocab = np.random.default_rng(0), masking.vocabulary(tokenizer)
batch = tokenizer(texts, padding=True, return_tensors="np")
batch["input_ids"], labels = masking.mask_bernoulli(batch["input_ids"], rng, vocab)

def loss():
    count, _, total = masking.tally(model(**batch).prediction_logits, labels)
    return total / count

before, rise = loss(), {}
print(f"the loss with all heads is {before:.2f}")

# %%
for head in range(12):
    layer, own = divmod(head, 4)
    name = f"bert.encoder.layer.{layer}.attention.output.dense.weight"   # (C, C)
    columns = model.params[name][:, 24 * own:24 * own + 24]
    kept = columns.copy()
    columns[:] = 0
    rise[f"head {head}"] = loss() - before
    columns[:] = kept
assert loss() == before
plots.scores(rise, xlabel="rise of the loss without the head")

# %% [markdown]
# The plain heads 1 and 2, which look at the neighbours, are worth most by far. The
# heads for names draw striking pictures, but the loss rises little without one of them.
# Perhaps others do the same work and stand in. So a small rise does not prove that a
# head is idle.
#
# ## Part 2: a linear probe
#
# Which facts are in a hidden state? A *probe* is a small classifier that reads the
# state of one token. If it finds the fact, then the fact is in there, in a simple form.
#
# Our fact: **which word came before?** We take tokens that follow one of five common
# words. The embedding of a token cannot know its neighbour. Head 1 fetches it.
#
# **Predict** how often the probe is right, at the embeddings and after each of 3
# layers.
#
# We predict five numbers for each token, 1 for the right word and 0 for the others.
# With least squares and a small penalty $s$ there is a formula for the weights:
#
# $$W = (X^\top X + s \, I)^{-1} X^\top Y$$
#
# Here $X$ holds the states, `(n, C)`, and $Y$ the targets, `(n, K)`. The penalty $s \,
# I$ keeps the weights small where the data say little.
#
# ### Exercise 16.3
#
# Write `fit(X, Y, strength)`. It returns $W$, `(C, K)`. Use `np.linalg.solve(A, B)`,
# which gives $A^{-1} B$.

# %% tags=["exercise"]
def fit(X, Y, strength):
    return ...

check("16.3", fit)

# %% tags=["solution"]
def fit(X, Y, strength):
    return np.linalg.solve(X.T @ X + strength * np.eye(X.shape[1]), X.T @ Y)

check("16.3", fit)

# %%
def states(model, split):
    """-> ids (B, T), which are real (B, T), four states (B, T, C) each"""
    batch = tokenizer([" ".join(document) for document in documents(200, split, 3)],
                      padding=True, return_tensors="np")
    trace = numbert.Trace("*embeddings.out", "*layer.?.output.out")
    model(**batch, trace=trace)
    return batch["input_ids"], batch["attention_mask"] == 1, list(trace.values())

def accuracy(X, y, X_new, y_new):
    X, X_new = (np.c_[x, np.ones(len(x))] for x in (X, X_new))           # a bias
    W = np.linalg.solve(X.T @ X + np.eye(X.shape[1]), X.T @ np.eye(5)[y])
    return ((X_new @ W).argmax(-1) == y_new).mean()

# %% [markdown]
# The probe is trained on some texts and tried on others, which share no sentence with
# them. We do the same with an untrained BERT. There is a third curve, too: labels
# without any meaning. Each word of the vocabulary gets one of five labels by lot.

# %%
words = np.array(tokenizer.convert_tokens_to_ids(["in", "a", "the", "is", "of"]))
by_lot = np.random.default_rng(1).integers(0, 5, len(tokenizer))         # (V,)

def before_it(ids, real):                                    # -> which tokens, labels
    hits = ids[:, :-1, None] == words                        # (B, T - 1, 5)
    follows = np.pad(hits.any(-1), ((0, 0), (1, 0))) & real
    return follows, np.pad(hits.argmax(-1), ((0, 0), (1, 0)))

def curve(train, test, task):
    (a, y), (b, z) = (task(ids, real) for ids, real, _ in (train, test))
    return [accuracy(x[a], y[a], w[b], z[b]) for x, w in zip(train[2], test[2])]

# %%
untrained = numbert.BertForPreTraining(model.config, rng=0, dtype="float64")
learnt, raw = ([states(each, split) for split in (TRAIN, HELD_OUT)]
               for each in (model, untrained))
found = {"the word before": curve(*learnt, before_it),
         "the same, untrained": curve(*raw, before_it),
         "labels by lot": curve(*learnt, lambda ids, real: (real, by_lot[ids]))}
for name, values in found.items():
    print(f"{name:20}", *(f"{100 * x:4.0f} %" for x in values))
plots.curves(np.arange(4), found, xlabel="layers that have run", ylabel="right")

# %% [markdown]
# After one layer the probe is nearly always right. That is head 1. Later layers keep
# the fact, a little less clearly.
#
# In the untrained BERT no layer helps. Its heads look everywhere alike.
#
# But look at the start of the first curve. Without any layer the probe is right in
# three of four cases, although the state knows nothing about the neighbour! *oslo*
# often follows *in*, and *baker* follows *a*. The token itself gives the answer away.
# So the fair opponent of a probe is not chance, 20 %. It is the word alone.
#
# The labels by lot are learnt far better than chance as well. They are not "in" the
# model: we made them up after it was trained. The probe has simply remembered words
# (Hewitt and Liang 2019).
#
# ## Part 3: neighbours of an embedding
#
# Which words does the model take to be alike? The *cosine* of two vectors is 1 if they
# point the same way, and 0 if they are at right angles.

# %%
E = model.params["bert.embeddings.word_embeddings.weight"]               # (V, C)
unit = E / np.linalg.norm(E, axis=1, keepdims=True)
shown = ("monday tuesday sunday april may june red green blue dog cat horse oslo paris "
         "tokyo he she mother father").split()
rows = unit[tokenizer.convert_tokens_to_ids(shown)]
plots.heat_map(rows @ rows.T, shown, shown, said="cosine", low=-1, high=1)

# %% [markdown]
# Nobody told the model about days, months, colours and animals. The blocks come from
# guessing hidden words: what fits into the same gaps gets similar vectors.
#
# ### Exercise 16.4
#
# `table` is `(V, C)`. Return the `n` rows that are nearest to row `i` by the cosine,
# the nearest first. Leave out `i` itself.

# %% tags=["exercise"]
def nearest(table, i, n):
    return ...

check("16.4", nearest)

# %% tags=["solution"]
def nearest(table, i, n):
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    order = np.argsort(-(unit @ unit[i]))
    return order[order != i][:n]

check("16.4", nearest)

# %% [markdown]
# **Predict:** what is nearest to *hot*? To *husband*?

# %%
noise = np.random.default_rng(0).normal(size=E.shape)        # a table without meaning
noise /= np.linalg.norm(noise, axis=1, keepdims=True)
for word in ("woof", "may", "hot", "husband", "she"):
    i = tokenizer.convert_tokens_to_ids(word)
    order = np.argsort(-(unit @ unit[i]))[1:5]
    print(f"{word:8}", *(f"{name} {unit[j] @ unit[i]:.2f}," for name, j in zip(
        tokenizer.convert_ids_to_tokens(order.tolist()), order)))
best = np.sort(noise @ noise.T, axis=1)[:, -2]
print(f"in a table of noise the nearest has a cosine of {best.mean():.2f}")

# %% [markdown]
# *cold* is among the neighbours of *hot*, and *he* is nearest to *she*. Neighbours fit
# into the same gaps. They need not mean the same. *may* sits among the months, although
# it also is a verb: one vector must serve all meanings.
#
# The last line is the control again. Every word has a nearest neighbour, even in noise.
# A cosine of 0.3 means nothing here.
#
# ## Part 4: the gradient of a prediction
#
# Why does the model guess *tokyo*? The gradient asks: if we changed the vector of a
# token a little, how much would the answer change? Let $p_k$ be the probability of the
# guess, and $z$ the logits at `[MASK]`. Then
#
# $$\log p_k = z_k - \log \sum_j e^{z_j} \qquad
# \text{dlogits}_j = \frac{\partial \log p_k}{\partial z_j}$$
#
# ### Exercise 16.5
#
# `logits` is `(V,)`, and `k` the guess. Return `dlogits`, `(V,)`.

# %% tags=["exercise"]
def dlog(logits, k):
    return ...

check("16.5", dlog)

# %% tags=["solution"]
def dlog(logits, k):
    exps = np.exp(logits - logits.max())
    dlogits = -exps / exps.sum()
    dlogits[k] += 1
    return dlogits

check("16.5", dlog)

# %% [markdown]
# From here `backward` does the rest. It takes the gradient of the logits, and a trace
# records the gradient of what we ask for.

# %%
batch = tokenizer("The capital of Japan is [MASK].", return_tensors="np")
tokens = batch.tokens()
t = tokens.index("[MASK]")
trace = numbert.Trace("*.word_embeddings", "*layer.2.attention.self.probs")
output, saved = model.forward(**batch, trace=trace)
logits = output.prediction_logits[0, t]                      # (V,)
p, k = np.exp(logits) / np.exp(logits).sum(), logits.argmax()
dlogits = np.zeros_like(output.prediction_logits)            # (1, T, V)
dlogits[0, t] = np.eye(len(p))[k] - p
model.backward(saved, prediction_logits=dlogits, trace=trace)
dx = trace["grad:embeddings.word_embeddings"][0]             # (T, C)
print(f"{tokenizer.convert_ids_to_tokens(int(k))} with probability {p[k]:.2f}")

# %% [markdown]
# Is it right? We move the vector of *japan* a little in a random direction, both ways,
# and compare the change with what the gradient says.

# %%
def log_p(x, k):                                             # x (1, T, C)
    z = model(inputs_embeds=x).prediction_logits[0, t]
    return z[k] - z.max() - np.log(np.exp(z - z.max()).sum())

x, h = trace["embeddings.word_embeddings"], 1e-4             # (1, T, C)
v = np.zeros_like(x)
v[0, tokens.index("japan")] = np.random.default_rng(0).normal(size=96)
change = (log_p(x + h * v, k) - log_p(x - h * v, k)) / (2 * h)
print(f"by the gradient {np.sum(dx * v):.5f}, by moving {change:.5f}")
assert abs(np.sum(dx * v) - change) < 1e-6

# %% [markdown]
# Now three answers to "which token mattered?":
#
# * **attention**: how much weight `[MASK]` gives it in the last layer, on average;
# * **gradient**: the length of its `dx`;
# * **hiding**: how far $\log p_k$ falls if we put `[MASK]` in its place. That is an
#   experiment, not a reading.
#
# **Predict:** will they agree?

# %%
attention = trace["encoder.layer.2.attention.self.probs"][0, :, t].mean(0)       # (T,)
mask = E[tokenizer.mask_token_id]
hiding = []
for i in range(len(tokens)):
    hidden = x.copy()
    hidden[0, i] = mask
    hiding.append(log_p(x, k) - log_p(hidden, k))
three = {"attention": attention, "gradient": np.linalg.norm(dx, axis=-1),
         "hiding": hiding}
plots.heat_map([np.round(row / np.max(row), 2) for row in three.values()], list(three),
               tokens, numbers=True, low=0, high=1, said="share of the largest")

# %% [markdown]
# Attention says *capital*. The experiment says *japan*, by far, and the gradient agrees
# with the experiment about the winner. It makes sense: hide *capital*, and the rest
# still points to Tokyo. Hide *japan*, and any capital will do.
#
# Why can attention mislead? After two layers the state at *capital* is no longer about
# that word only. Earlier heads have mixed its neighbours into it. Attention weights
# tell from which **place** the model reads, and not which **word** the information came
# from.
#
# The gradient has limits too. It speaks about tiny changes, and no text is a tiny
# change away from another. Where the answer is nearly certain, it is flat, and the
# gradient is small for every token.
#
# ## What such pictures do not prove
#
# | picture | it shows | it does not show | ask for |
# |---|---|---|---|
# | attention map | where a head reads | the model uses it | the loss without the head |
# | head with a name | a pattern occurs | it is *this* pattern | control texts |
# | probe | a fact can be read | the model reads it | the word alone, labels by lot |
# | neighbours | what fits the same gaps | what means the same | a table of noise |
# | gradient | the effect of tiny changes | the effect of another word | hiding the word |
#
# Two more habits help. Count on many texts, and not on the one that looks best. Say how
# many pictures you looked at before you chose one.
#
# ## What you have learnt
#
# * A trace gives every number of a run, and `backward` the gradient of each.
# * Simple statistics find heads with simple patterns, and removal tells which matter.
# * A probe needs a fair opponent, and every finding needs a control.
# * When methods disagree, believe the experiment.
#
# This is the last notebook of the path. Notebook [14](14_debug_a_port.ipynb) uses
# traces for another purpose: to find the bug in a model that is wrong.
