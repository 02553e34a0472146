# %% [markdown]
# # 05 · The encoder layer: what one sentence goes through
#
# *About 50 minutes. You need notebooks [03](03_attention.ipynb) and
# [04](04_layernorm_gelu.ipynb): attention, LayerNorm and GELU are used here, and not
# explained again.*
#
# After this notebook you can
#
# * draw an encoder layer, and write it in ten lines of NumPy;
# * say what the residual stream is, and what "post-LN" means;
# * record every step of a run, compare two runs, and name the first step that differs;
# * explain why a model may give different outputs for the same input.
#
# Sizes have the letters of notebook 03. There are $B$ texts, $T$ tokens, hidden states
# of $C$ numbers and $N$ heads. $F$ is the inner size of the feed-forward part.

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.bert import attention, ops
from numbert.testing.lessons import check

path = numbert.example_checkpoint()
tokenizer = numbert.BertTokenizer.from_pretrained(path)
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")
batch = tokenizer("Anna lives in Oslo. She is a baker.", return_tensors="np")
tokens = batch.tokens()

# %% [markdown]
# ## A picture first
#
# This is what the sentence goes through, drawn from a real run. Read it from the left to
# the right, and each column from the top to the bottom.
#
# **Look for** the two orange lines. Where do they start, and where do they end?

# %%
plots.data_flow(model, batch)

# %% [markdown]
# An orange line takes what a part is given, leads it past everything, and adds it again
# at the end. It is called a *residual connection*. Each layer has two of them: one around
# attention, one around the feed-forward part.
#
# ## A tap is a place where you can look
#
# Each box of the picture is a *tap*: a step that has a name. `numbert.taps` lists them
# without running anything. The names are those of the modules in Hugging Face's BERT.
#
# **Predict:** count the boxes in the picture. This model has 3 layers. How many taps does
# it have altogether?

# %%
taps = numbert.taps(model)
first = [name for name in taps if ".layer.0." in name]
print(len(taps), "taps, of which a layer has", len(first))
for name in first:
    print(f"{name.removeprefix('bert.encoder.'):38}", *taps[name])

# %% [markdown]
# 48 taps are in the layers. The other 16 are in the embeddings, the pooler and the heads;
# three of these are losses, which need labels.
#
# A *trace* records the taps of one run. With no pattern it records all of them. It is a
# dictionary in the order of computation.

# %%
trace = numbert.Trace()
model(**batch, trace=trace)
print(len(trace), "arrays,", f"{sum(x.size for x in trace.values()):,} numbers")
for name, shape in taps.items():
    if name in trace:
        sizes = {"B": 1, "T": 12, "S": 12}
        assert trace[name].shape == tuple(sizes.get(x, x) for x in shape)

# %% [markdown]
# ## A layer in ten lines
#
# A layer has two halves. Each half computes something from the state $x$, adds $x$ again,
# and normalises the sum:
#
# $$h = \text{LayerNorm}(x + \text{attention}(x))$$
# $$\text{out} = \text{LayerNorm}(h + \text{feedforward}(h))$$
#
# In attention, tokens look at each other. In the feed-forward part each token is alone
# with its own state. It is widened from $C$ to $F$ numbers, goes through GELU, and is
# narrowed to $C$ again:
#
# $$\text{feedforward}(h) = \text{GELU}(h W_1^\top + b_1) \, W_2^\top + b_2$$
#
# We write this for layer 1, with the weights of the model.

# %%
def dense(name, x):
    weight = model.params[f"bert.encoder.layer.1.{name}.weight"]   # (O, I)
    return x @ weight.T + model.params[f"bert.encoder.layer.1.{name}.bias"]

def norm(name, x):
    weight = model.params[f"bert.encoder.layer.1.{name}.weight"]   # (C,)
    bias = model.params[f"bert.encoder.layer.1.{name}.bias"]       # (C,)
    return ops.layer_norm(x, weight, bias, model.config.layer_norm_eps)[0]

# %%
x = trace["encoder.layer.0.output.out"]                      # (B, T, C) = (1, 12, 96)
q, k, v = (attention.split_heads(dense(f"attention.self.{name}", x), 4)
           for name in ("query", "key", "value"))            # (B, N, T, D)
probs = ops.softmax(q @ k.swapaxes(-1, -2) / np.sqrt(96 / 4))[0]      # (B, N, T, S)
context = attention.merge_heads(probs @ v)                   # (B, T, C)
h = dense("attention.output.dense", context) + x             # (B, T, C)
h = norm("attention.output.LayerNorm", h)                    # the first half ends
inner = ops.gelu(dense("intermediate.dense", h))[0]          # (B, T, F)
out = norm("output.LayerNorm", dense("output.dense", inner) + h)      # (B, T, C)
assert probs.shape == (1, 4, 12, 12) and inner.shape == (1, 12, 384)
assert out.shape == x.shape == (1, 12, 96)

# %% [markdown]
# The state leaves the layer with the shape that it had when it came. That is why layers
# can be stacked. Are these ten lines what numbert computes? The trace has every step.

# %%
eps = np.finfo(float).eps
for name, mine in {"attention.output.out": h, "intermediate.out": inner,
                   "output.out": out}.items():
    theirs = trace[f"encoder.layer.1.{name}"]
    error, bound = np.abs(mine - theirs).max(), 100 * eps * np.abs(theirs).max()
    print(f"{name:21} error {error:.0e}, bound {bound:.0e}")
    assert error < bound                                     # 100 roundings

# %% [markdown]
# numbert's own layer is `numbert.bert.encoder.layer`, in
# [numbert/bert/encoder.py](../numbert/bert/encoder.py). It calls
# `numbert.bert.attention.attention` and `numbert.bert.encoder.feed_forward`. Both end
# with `numbert.bert.attention.add_norm`.
#
# ### Exercise 05.1
#
# Write that end: `add_norm(h, residual, w, b)`. `h` and `residual` are `(..., C)`. `w` and
# `b` belong to the LayerNorm, and eps is $10^{-12}$. You may use `ops.layer_norm(x, w, b,
# eps)[0]`.

# %% tags=["exercise"]
def add_norm(h, residual, w, b):
    return ...

check("05.1", add_norm)

# %% tags=["solution"]
def add_norm(h, residual, w, b):
    return ops.layer_norm(h + residual, w, b, 1e-12)[0]      # (..., C)

check("05.1", add_norm)

# %% [markdown]
# ### Exercise 05.2
#
# Write the second half of a layer. `x` is `(..., C)`, `w1` is `(F, C)`, `w2` is `(C, F)`,
# and `w`, `b` belong to the LayerNorm. Use `ops.gelu(h)[0]`.

# %% tags=["exercise"]
def feed_forward(x, w1, b1, w2, b2, w, b):
    return ...

check("05.2", feed_forward)

# %% tags=["solution"]
def feed_forward(x, w1, b1, w2, b2, w, b):
    h = ops.gelu(x @ w1.T + b1)[0]                           # (..., F)
    h = h @ w2.T + b2                                        # (..., C)
    return ops.layer_norm(h + x, w, b, 1e-12)[0]

check("05.2", feed_forward)

# %% [markdown]
# ## The residual stream
#
# Follow the orange lines from layer to layer, and you see one long road. People call it
# the *residual stream*. Each half reads the stream, and adds what it has found.
#
# **Predict:** how large is what a half adds, beside what is there already? A small
# correction, or about as much? We measure the size of a state by the root of the mean
# square of its numbers.

# %%
def rms(x):
    return np.sqrt((x * x).mean())

added = {}
for i in range(3):
    for half, place in ("attention", "attention.output"), ("feed-forward", "output"):
        total = trace[f"encoder.layer.{i}.{place}.sum"]      # (B, T, C)
        new = trace[f"encoder.layer.{i}.{place}.dense"]      # (B, T, C)
        added[f"layer {i}, {half}"] = rms(new) / rms(total - new)
plots.scores(added, reference={"as much as there is": 1},
             xlabel="size of what is added, beside the stream")

# %% [markdown]
# In layers 0 and 1 it is about as much as there is, in layer 2 half of it. The stream
# changes a lot on its way. We can watch it: how much does the state of a token still
# look like the embedding that it started from? A cosine of 1 is the same direction, 0
# is nothing in common.

# %%
stages = {"start": "embeddings.out"}
for i in range(3):
    stages |= {f"{i} attention": f"encoder.layer.{i}.attention.output.out",
               f"{i} feed-fwd": f"encoder.layer.{i}.output.out"}
states = [trace[name][0] for name in stages.values()]        # (T, C) each
unit = [x / np.linalg.norm(x, axis=-1, keepdims=True) for x in states]
likeness = np.stack([(x * unit[0]).sum(-1) for x in unit], -1)        # (T, 7)
assert likeness.shape == (12, 7)
plots.heat_map(likeness, tokens, list(stages), said="cosine with the start", low=0,
               high=1, numbers=True)

# %% [markdown]
# At the end little is left. *A* and the full stops have almost nothing in common with
# their embeddings. The model was trained to guess hidden words, so a state must say what
# fits at this place, and not which word was there.
#
# ## Why the LayerNorm comes last: post-LN
#
# BERT normalises *after* the sum. This is called post-LN. Most later models are pre-LN:
# they normalise what a half reads, and leave the stream alone.
#
# $$\text{post-LN:}\ \ x \leftarrow \text{LayerNorm}(x + f(x)) \qquad
# \text{pre-LN:}\ \ x \leftarrow x + f(\text{LayerNorm}(x))$$
#
# We try both on 48 random halves. Each $f$ returns vectors of size 1.
#
# **Predict** for each: how large is the state at the end? How much of the input is still
# in it, half by half?

# %%
def unit_size(x):                                      # LayerNorm, w = 1 and b = 0
    return ops.layer_norm(x, np.ones(64), np.zeros(64), 1e-12)[0]

rng = np.random.default_rng(0)
start = post = pre = unit_size(rng.normal(size=(200, 64)))   # (T, C)
shares = {"post-LN": [], "pre-LN": []}
for matrix in rng.normal(size=(48, 64, 64)):                 # f: one random matrix
    post = unit_size(post + unit_size(post @ matrix))
    pre = pre + unit_size(unit_size(pre) @ matrix)
    for name, x in {"post-LN": post, "pre-LN": pre}.items():
        shares[name].append((unit_size(x) * start).mean())   # a cosine

# %%
print(f"size at the end: {rms(post):.1f} with post-LN, {rms(pre):.1f} with pre-LN")
plots.curves(np.arange(1, 49), shares, xlabel="halves", ylabel="cosine with the input")

# %% [markdown]
# Independent vectors add up like the sides of a right angle: two of size 1 have a sum of
# size $\sqrt 2$. With post-LN each half scales the sum back to 1, so what was there is
# divided by $\sqrt 2$, and the input fades like $2^{-n/2}$. With pre-LN the state grows to
# $\sqrt{n + 1}$, which is 7 here. The input fades like $1 / \sqrt{n + 1}$: much more slowly.
#
# The gradient travels the same road backwards. This is one reason why BERT is trained with
# a warm-up, and why deep models are pre-LN (Xiong et al. 2020). It is also a trap for
# ports: with the LayerNorm in the other place all shapes are right, and all numbers wrong.
#
# ### Exercise 05.3
#
# How many numbers does a layer learn? Write it as a function of $C$ and $F$. Count the
# weights and biases of attention's four dense layers, of the two in the feed-forward part,
# and of both LayerNorms.

# %% tags=["exercise"]
def layer_parameters(C, F):
    return ...

check("05.3", layer_parameters)

# %% tags=["solution"]
def layer_parameters(C, F):
    attention_part = 4 * (C * C + C)                         # query, key, value, output
    forward_part = C * F + F + F * C + C                     # there and back
    return attention_part + forward_part + 2 * (C + C)       # and two LayerNorms

check("05.3", layer_parameters)

# %%
arrays = {name: x.size for name, x in model.params.items() if ".layer.0." in name}
wide = sum(size for name, size in arrays.items()
           if ".0.intermediate." in name or ".0.output.dense." in name)
print(f"a layer has {len(arrays)} arrays with {sum(arrays.values()):,} numbers")
print(f"{wide / sum(arrays.values()):.0%} of them are in the feed-forward part")
active = trace["encoder.layer.0.intermediate.out"] > 0       # (B, T, F)
print(f"of the F inner numbers, {active.mean():.0%} are above 0")

# %% [markdown]
# Two thirds of a layer sit in the feed-forward part, in BERT-base too. There $F = 4 C$,
# as it is here. For one token most of it is silent: its inner numbers are pushed below 0,
# where GELU gives almost nothing.
#
# ## How a changed word spreads
#
# We change one word: *Oslo* becomes *Rome*. Two traces show which states change, and when.
#
# **Predict:** at which step does another token first notice?

# %%
other = tokenizer("Anna lives in Rome. She is a baker.", return_tensors="np")
changed = numbert.Trace()
model(**other, trace=changed)
steps = [name for name, x in trace.items() if x.shape == (1, 12, 96) and (
    "embeddings" in name or ".layer.0." in name or name.endswith("1.output.out"))]
moved = np.stack([np.abs(trace[name] - changed[name])[0].max(-1) for name in steps], -1)
short = ["sum", "LayerNorm", "out", "query", "key", "value", "context", "att. dense",
         "att. sum", "att. out", "ff dense", "ff sum", "ff out", "layer 1 out"]
assert steps[9].endswith(".context") and len(steps) == 3 + len(short)
plots.heat_map(moved[:, 3:], tokens, short, said="largest change")

# %% [markdown]
# Up to query, key and value only *oslo* itself has changed. In the context of attention
# all tokens change at once, *anna* least. Nowhere else can news pass from one token to
# another: LayerNorm, dense layers and GELU treat each token alone.
#
# Of the other tokens, *lives*, *in* and the full stop change most. They stand two
# places before *oslo*, one before it and one after it. These are the heads of notebook
# 03, which look two tokens ahead, one ahead and one back.
#
# ## Find the first step that differs
#
# This is also how you debug a port. Run both models on the same input, record both, and
# compare step by step. The first step that differs is where the bug is. All later ones
# only inherit it.
#
# Here is a port with a mistake. When it loaded the weights of layer 1, it swapped the two
# LayerNorms, which have the same shapes. Beside it there is an honest run in float32. The
# bound is 100 roundings of float32. Notebook [12](12_precision.ipynb) does this properly.

# %%
weights = dict(model.params)
for end in ("weight", "bias"):
    one = f"bert.encoder.layer.1.attention.output.LayerNorm.{end}"
    two = f"bert.encoder.layer.1.output.LayerNorm.{end}"
    weights[one], weights[two] = weights[two], weights[one]
port = numbert.BertForPreTraining(model.config, params=weights)
honest = numbert.BertForPreTraining.from_pretrained(path, dtype="float32")

# %%
errors, bound = {}, 100 * np.finfo("float32").eps
for name, ported in {"float32": honest, "the port": port}.items():
    run = numbert.Trace()
    ported(**batch, trace=run)
    errors[name] = {tap: size / (bound * np.abs(trace[tap]).max())
                    for tap, size in trace.compare(run)}
wrong = [tap for tap, error in errors["the port"].items() if error > 1]
print("first step over its bound:", wrong[0])
plots.errors_by_depth(errors)

# %% [markdown]
# Float32 stays below its bound at every step. The port agrees to the last bit (triangles)
# up to the first LayerNorm of layer 1, and is wrong everywhere after it. One look at the
# final output would have told you only that something is wrong.
#
# ### Exercise 05.4
#
# Write the search. `mine` and `theirs` are dictionaries with the same names, in the order
# of computation. Return the first name at which an entry differs by more than `limit`,
# or `""` if there is none. A `nan` is never right, so it counts as a difference.

# %% tags=["exercise"]
def first_difference(mine, theirs, limit):
    return ...

check("05.4", first_difference)

# %% tags=["solution"]
def first_difference(mine, theirs, limit):
    for name in mine:                                        # not sorted
        error = np.abs(mine[name] - theirs[name]).max()      # nan if any entry is nan
        if not error <= limit:                               # True for nan
            return name
    return ""

check("05.4", first_difference)

# %% [markdown]
# The other model may run on another machine. So a trace can be written to a file with
# `trace.save(path)`, and read again with `numbert.Trace.load(path)`. Any program that
# writes safetensors under these names will do.
#
# ## Why do outputs change between calls?
#
# Many people meet this in their first week. The same sentence gives other numbers at each
# call. The usual cause is *dropout*. In training it sets a random tenth of the numbers to
# zero, so that no unit can rely on a single other one.
#
# In PyTorch a model has a mode. `model.train()` turns dropout on, and `model.eval()` turns
# it off. A model that you build from a configuration starts in training mode. In numbert
# there is no mode: dropout is on if, and only if, you pass a random generator or a seed.
#
# **Predict** the first step at which a run with dropout differs from one without.

# %%
again, noisy = numbert.Trace(), numbert.Trace()
model(**batch, trace=again)
model(**batch, trace=noisy, rng=0)
same, moved = trace.compare(again), trace.compare(noisy)     # pairs (tap, difference)
print("called again, largest difference:", max(size for _, size in same))
print("with dropout, largest difference:", round(max(size for _, size in moved), 1))
print("first step that differs:", next(name for name, size in moved if size > 0))
padded = tokenizer("Anna lives in Oslo. She is a baker.", padding="max_length",
                   max_length=64, return_tensors="np")
small = np.abs(model(**padded).prediction_logits[:, :12] - trace["cls.predictions.out"])
print("padded to 64 tokens, below 1e-12:", small.max() < 1e-12)

# %% [markdown]
# Dropout comes first right after the LayerNorm of the embeddings. There are two more causes.
# The size of the difference tells you which one you have:
#
# | what you see | cause | remedy |
# |---|---|---|
# | large, at each call | dropout | `model.eval()`, or no `rng` |
# | large, at each start of the program | a head that is not in the checkpoint, so it is new | train it, or load one that has it |
# | only the last digits | rounding: another padding, batch or machine | none needed; compare with a bound |
#
# ### Exercise 05.5
#
# Write dropout. `kept` is a boolean array of x's shape, False with probability `rate`. The
# *mean* of the result must be that of x. If a tenth of the numbers is dropped, the others
# must make up for it.

# %% tags=["exercise"]
def dropout(x, kept, rate):
    return ...

check("05.5", dropout)

# %% tags=["solution"]
def dropout(x, kept, rate):
    return np.where(kept, x / (1 - rate), 0)

check("05.5", dropout)

# %% [markdown]
# ## What you have learnt
#
# * A layer has two halves. Each computes, adds its input again, and normalises the sum.
# * Only attention moves news between tokens. The feed-forward part holds most weights.
# * BERT is post-LN: the stream keeps its size, but the input fades.
# * A trace has every step. The first step that differs is where a bug is.
# * Outputs that change between calls mean dropout, a new head, or rounding.
#
# Notebook [14](14_debug_a_port.ipynb) has five broken models for you to find.
# Next: [06 · Nine heads and their losses](06_heads_losses.ipynb).
