# %% [markdown]
# # 14 · Debugging a port: five broken BERTs
#
# *About 60 minutes. You need notebooks [03](03_attention.ipynb) to
# [05](05_encoder_trace.ipynb). For port 4 you also need [08](08_backward.ipynb).*
#
# After this notebook you can
#
# * start a port of BERT so that each step is right before the next one;
# * say whether a difference of 0.0001 is a bug or rounding;
# * find the first step that is wrong, and guess the bug from its symptoms;
# * let `numbert verify` name the bug, and check that you agree.
#
# A *port* is BERT written once more: in another language, for another library, or by
# you.

# %%
from collections import Counter

import numpy as np

import numbert
from numbert import plots
from numbert.bert import attention, ops
from numbert.testing.lessons import check
from numbert.testing.lessons.lesson_14 import port
from numbert.verify import packs, run
from numbert.verify.bugs import explained
from numbert.verify.compare import verify

# %% [markdown]
# ## Golden numbers
#
# Your port prints a number. Is it right? You need numbers that are certain. numbert
# ships a *pack* of them: thirteen small models with their inputs, and every tensor that
# must come out. All digits are proven. A program in any language can read the files, see
# [numbert/verify/golden.md](../numbert/verify/golden.md).

# %%
pack = packs.shipped()
packed = pack.cases["model"]                     # one of thirteen
case, truth = packed.case, packed.truth
print(len(pack.cases), "cases,", sum(len(each.truth) for each in pack.cases.values()),
      "tensors;", len(truth), "of them in the case", case.name)
for name in list(truth)[:14]:
    print(f"{name:44} {truth[name].shape}")
assert truth["encoder.layer.0.attention.self.probs"].shape == (4, 3, 7, 7)  # B, N, T, S

# %% [markdown]
# The models are small but not simple. The sizes $B = 4$, $T = 7$, $C = 12$, $N = 3$ and
# $D = 4$ are all different, so a swapped axis breaks a shape. Rows are padded on the right
# and on the left. LayerNorm's weights are not 1, and biases are not 0. In a *new* model
# they are, and then many bugs change nothing.
#
# ## The order of a port
#
# | | step | done when |
# |---|---|---|
# | 1 | read the weights | each name and shape fits, and none is left over |
# | 2 | token ids | they agree on hard texts, not on one clean sentence |
# | 3 | embeddings | `embeddings.out` is right |
# | 4 | one layer, tap by tap | `encoder.layer.0.output.out` is right |
# | 5 | all layers, pooler, head | the outputs are right |
# | 6 | losses | with labels of -100 among them |
# | 7 | backward | every gradient is right |
# | 8 | laws | those of notebook [13](13_properties.ipynb) hold |
#
# Do it in float32 or better, without dropout, with a padded batch. Half precision comes
# last.
#
# A port can be compared from its first line on. A *candidate* is a function from a case
# to a dictionary. It may hold any of the names of the pack.

# %%
def look_up_only(case):
    table = case.params["embeddings.word_embeddings.weight"]           # (V, C)
    return {"embeddings.word_embeddings": table[case.inputs["input_ids"]]}

few = pack._replace(cases={"model": packed})     # one case is enough here
report = verify(few, look_up_only)
print(report.verdict, dict(Counter(tensor.status for tensor in report.tensors)))

# %% [markdown]
# One tensor passes, and the others are missing. That is allowed: nothing wrong so far.
#
# ### Exercise 14.1
#
# Write the next step. `words`, `positions` and `types` are the three tables, `weight`
# and `bias` belong to LayerNorm. `ids` and `type_ids` are `(B, T)`. Positions are
# 0, 1, 2 and so on. Return `embeddings.out`, which is `(B, T, C)`.

# %% tags=["exercise"]
def embed(words, positions, types, weight, bias, ids, type_ids, eps):
    return ...

check("14.1", embed)

# %% tags=["solution"]
def embed(words, positions, types, weight, bias, ids, type_ids, eps):
    x = words[ids] + positions[:ids.shape[1]] + types[type_ids]        # (B, T, C)
    centred = x - x.mean(-1, keepdims=True)
    var = (centred ** 2).mean(-1, keepdims=True)
    return centred / np.sqrt(var + eps) * weight + bias

check("14.1", embed)

# %% [markdown]
# ## Is 0.0001 a bug?
#
# Every port differs from the truth, since it rounds. How much is too much? Here are five
# ports that somebody has sent us. You do not know what is inside, and please do not look
# into the file of the exercises. `port(1)` to `port(5)` are candidates. They compute in
# float32.
#
# First we do what most people do. We compare the last layer for real tokens only, by the
# largest difference, and by the cosine of the angle.

# %%
last, real = "encoder.layer.1.output.out", case.inputs["attention_mask"] == 1   # (B, T)
given = {number: port(number)(case) for number in range(1, 6)}
right = truth[last][real]                                    # (real tokens, C)
for number, tensors in given.items():
    mine = tensors[last][real].astype(float)
    cosine = (mine * right).sum() / np.linalg.norm(mine) / np.linalg.norm(right)
    print(f"port {number}: largest difference {np.abs(mine - right).max():.0e}, "
          f"cosine {cosine:.4f}")

# %% [markdown]
# **Predict:** which of the five are broken?
#
# All of them. Ports 2 and 4 would pass the usual test, "the cosine is over 0.999". To do
# better we must know how much rounding explains. numbert has measured it: it ran each
# case many times in float64, and added random errors of the size of a float32 rounding
# to each operation. An **error over its bound** of 1 is the most that rounding explains.

# %%
for number in given:
    found = verify(few, port(number), diagnose=False)
    kinds = Counter(tensor.kind for tensor in found.tensors if tensor.wrong)
    print(f"port {number}: {found.verdict},", dict(kinds))

# %% [markdown]
# Each port has dozens of wrong tensors, and most of them only follow from an earlier
# one. So we always look for the **first** step that is wrong.
#
# ## Port 1
#
# *The symptom: "It works for one sentence. In a batch it is wrong."* We look at the rows
# of the batch, one by one.

# %%
for row in range(len(real)):
    error = np.abs(given[1][last][row] - truth[last][row])[real[row]].max()
    print("mask", *case.inputs["attention_mask"][row], f" difference {error:.0e}")

# %% [markdown]
# The row without padding is right, and all the others are wrong. **Predict** the bug, or
# at least the operation.
#
# Then look for the first step. `numbert.Trace` records every tensor of a run, and
# `compare` goes through two runs in the order of computation.

# %%
trace = numbert.Trace()
run.build(case)(**case.inputs, trace=trace)      # numbert's own model of this case
for name, size in trace.compare(given[1])[:12]:
    print(f"{size:8.0e}  {name}")

# %% [markdown]
# Up to `scores` the differences are rounding. From `probs` on they are large. So the mask
# or the softmax is wrong, as you may have guessed. Which of the known bugs of masks is
# it? The numbers can tell. We divide the port's weights by those of a softmax without any
# mask. A factor that belongs to a whole row does not matter.

# %%
scores, probs = (given[1][f"encoder.layer.0.attention.self.{name}"][1, 0, 0]    # (S,)
                 for name in ("scores", "probs"))            # row 1, head 0, query 0
factor = probs / ops.softmax(scores)[0]
print("mask  ", *(f"{x:6}" for x in case.inputs["attention_mask"][1]))
print("factor", *(f"{x:6.3f}" for x in factor / factor[0]))

# %% [markdown]
# Hidden keys lose a factor of 0.368, and that is $1 / e$. In the exponent it is a
# difference of 1. So the port *added* the mask of zeros and ones to the scores. A
# library that adds masks wants 0 and a very low number.
#
# Now the kit. `verify` judges each step from the port's own inputs, and then tries a few
# hundred known bugs. It is `numbert.verify.compare.verify`, in
# [numbert/verify/compare.py](../numbert/verify/compare.py). In a terminal it is
# `numbert verify`.

# %%
report = verify(few, port(1))
print("first wrong step:", report.first)
for bug in report.diagnosis:
    print(f"{bug.id}: {bug.title}\n  why: {bug.why}\n  fix: {bug.fix}")
plots.errors_by_depth(report)

# %% [markdown]
# The line at 1 is the most that rounding explains. The whole run stays wrong after the
# first bad step. As *steps by themselves*, only the two softmaxes are wrong: the rest
# computes the right thing from wrong inputs.
#
# ## Port 2
#
# *The symptom: "The cosine is 1.0000. It is only rounding, isn't it?"*

# %%
for name, size in trace.compare(given[2])[8:20]:
    print(f"{size:8.0e}  {name}")

# %% [markdown]
# (Do not compare the differences of two taps too closely. The hidden states of this
# model are small, about 0.01, and the numbers that are made of them are about 1.)
#
# At `intermediate.out`, the activation, the difference jumps by a factor of hundreds.
# Rounding does not jump. An activation is a curve, so we can draw the difference as one.

# %%
layer = "encoder.layer.0.intermediate."
x = given[2][layer + "dense"].astype(float).ravel()          # what the activation reads
y = given[2][layer + "out"].astype(float).ravel()
order = np.argsort(x)
plots.curves(x[order], {"port 2 minus GELU": (y - ops.gelu(x)[0])[order]},
             xlabel="intermediate.dense", title="This is no noise")

# %% [markdown]
# ### Exercise 14.2
#
# Which bug of the catalogue is it? Answer with its number, such as `"B3"`. Guess first.
# Then let `verify(few, port(2)).diagnosis` say what it thinks.

# %%
for number in ("C1", "C2", "C3", "C4", "C5", "C7", "C9", "C10", "D1"):
    print(f"{number:4} {explained(number).title}")

# %% tags=["exercise"]
answer = ...

check("14.2", answer)

# %% tags=["solution"]
answer = "C1"

check("14.2", answer)

# %% [markdown]
# ## Port 3
#
# *The symptom: "My tests all pass. But with the weights of a checkpoint it is wrong."*
# The tests use a new model, in which LayerNorm's weights are 1 and its biases 0. We make
# such a case.

# %%
new = {name: np.full_like(x, name.endswith("weight")) if "LayerNorm" in name else x
       for name, x in case.params.items()}
fresh = case._replace(params=new)
error = np.abs(port(3)(fresh)[last] - run.run(fresh)[last])[real].max()
print(f"with new weights the largest difference is {error:.0e}; with the others:")
for name, size in trace.compare(given[3])[10:20]:
    print(f"{size:8.0e}  {name}")

# %% [markdown]
# ### Exercise 14.3
#
# Which one of the bugs listed above is it? One more fact: `embeddings.out`, which also
# comes from a LayerNorm, is right.

# %% tags=["exercise"]
answer = ...

check("14.3", answer)

# %% tags=["solution"]
answer = "C9"

check("14.3", answer)

# %% [markdown]
# ## Port 4
#
# *The symptom: "All outputs are right, and so is the loss. But it trains badly."* Then
# look at the gradients. They are computed from the end to the beginning, and so they come
# in this order in the pack.

# %%
report = verify(few, port(4), diagnose=False)
gradients = [tensor for tensor in report.tensors if tensor.kind == "gradient"]
for tensor in gradients[:8]:
    print(f"{tensor.status:5} {tensor.name}")
for number in ("G10", "G11", "G12", "G13", "G14", "G15", "G16"):
    print(f"{number:4} {explained(number).title}")
plots.errors_by_depth(report)

# %% [markdown]
# The left part of the picture is the forward pass. It lies below the line. A gradient at
# a tap is what the backward pass hands *to* this tap. So a wrong gradient at `output.sum`
# accuses the step that goes from `output.out` back to `output.sum`.
#
# Two more hints. Count the steps that are wrong by themselves, the diamonds above the
# line: what does a BERT of two layers have five of? And with the new weights of port 3,
# this port is right.
#
# ### Exercise 14.4
#
# Which bug of the list is it?

# %% tags=["exercise"]
answer = ...

check("14.4", answer)

# %% tags=["solution"]
answer = "G11"

check("14.4", answer)

# %% [markdown]
# ## Port 5
#
# *The symptom: "I have found a bug and corrected it, and it is still wrong."* There are
# two bugs. The second hides behind the first, unless each step is judged from the port's
# **own** inputs. We do that by hand: which factor leads from the port's own queries and
# keys to its scores?

# %%
start = "encoder.layer.0.attention.self."
q, k = (attention.split_heads(given[5][start + name].astype(float), 3)
        for name in ("query", "key"))                        # (B, N, T, D)
assert q.shape == (4, 3, 7, 4)
products = q @ k.swapaxes(-1, -2)                            # (B, N, T, S)
factor = np.median(given[5][start + "scores"] / products)
report = verify(few, port(5), diagnose=False)
print(f"scores are {factor:.4f} times the dot products")
print("wrong by themselves:", report.first.name, "and", report.also[0].name)
for number in ("B12", "B13", "B14", "B15", "B16", "D1", "D11"):
    print(f"{number:4} {explained(number).title}")

# %% [markdown]
# ### Exercise 14.5
#
# Which two bugs? Answer with a sorted list, such as `["A1", "B3"]`. For the query, the
# port's weight has the right numbers and the right shape `(C, C)`.

# %% tags=["exercise"]
answer = ...

check("14.5", answer)

# %% tags=["solution"]
answer = ["B13", "D1"]

check("14.5", answer)

# %% [markdown]
# ## What you have learnt
#
# * Compare a port from its first step on, with numbers that are certain.
# * A cosine hides bugs. An error over the bound of rounding does not.
# * The first step that is wrong matters. What follows is only a consequence.
# * Symptoms tell a lot: padding, new weights, one row, only training.
# * Judge each step from the port's own inputs, and several bugs can be told apart.
#
# For a port of your own, `numbert.verify.adapters` makes a candidate of a module of
# torch, an ONNX file or a program. `numbert verify --help` shows the command, and
# `numbert verify --explain B13` tells about a bug.
#
# Next: [16 · Reading a trained BERT](16_reading_bert.ipynb).
