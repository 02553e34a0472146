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
# must come out. Each number is the float64 that is nearest to the exact result, and that
# is proven. A program in any language can read the files. Their format is in
# [numbert/verify/golden.md](../numbert/verify/golden.md), on one page.
#
# A tensor in a pack has the name of its **tap**, the place in the model where it comes
# out. You know these names from the trace of notebook [05](05_encoder_trace.ipynb).

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
# The models are small but not simple. $T = 7$ tokens, $C = 12$ channels, $N = 3$ heads and
# $D = 4$ numbers per head all differ, so most swapped axes break a shape. Rows are padded
# on the right and on the left. LayerNorm's weights are not 1, and biases are not 0. In a
# *new* model they are 1 and 0, and then many bugs change nothing.
#
# ## The order of a port
#
# | | step | done when |
# |---|---|---|
# | 1 | read the weights | each name and shape fits, and none is left over |
# | 2 | token ids | they agree on hard texts: accents, Chinese, emoji, a word of 200 letters |
# | 3 | embeddings | `embeddings.out` is right |
# | 4 | one layer, tap by tap | `encoder.layer.0.output.out` is right |
# | 5 | all layers, pooler, head | the outputs are right |
# | 6 | losses | they are right with labels of -100 among them |
# | 7 | backward | every gradient is right |
# | 8 | laws | those of notebook [13](13_properties.ipynb) hold |
#
# Do it in float32 or better, without dropout, with a padded batch. Half precision comes
# last.
#
# A port can be compared from its first line on. Here a *candidate* is a Python function
# from a case to a dictionary of tensors. It may hold any of the names of the pack. (Your
# port is not in Python? The end of this notebook shows how a program is compared.)

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
# Write the next step. `words`, `positions` and `types` are the three tables. `weight`,
# `bias` and `eps` belong to LayerNorm. `ids` and `type_ids` are `(B, T)`. Positions are
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
# largest difference, and by the cosine of the angle between all its numbers.
#
# **Predict:** a port that is right would show which two numbers, about?

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
# float32 keeps about 7 digits, and the states here are about 0.01. So a port that is right
# would be off by some $10^{-9}$ to $10^{-8}$. **Predict:** which of the five are broken?
#
# All of them. Ports 2 and 4 would pass the usual test, "the cosine is over 0.999". To do
# better we must know how much rounding explains. numbert has measured it: it ran each
# case many times in float64, and added random errors of the size of a float32 rounding
# to each operation. How far the results spread gives a bound for each tensor. We divide
# each error by its bound. An **error over bound** of 1 is the most that rounding
# explains.

# %% tags=["varies"]
for number in given:
    found = verify(few, port(number), diagnose=False)
    kinds = Counter(tensor.kind for tensor in found.tensors if tensor.wrong)
    ratio = next(tensor.error for tensor in found.tensors if tensor.name == last)
    print(f"port {number}: last layer {ratio:9,.1f} times its bound;", dict(kinds))

# %% [markdown]
# So is 0.0001 a bug? Alone, the number says nothing. Port 2 is off by a tenth of that,
# and this is over a hundred times more than rounding explains. With larger states, or in half
# precision, 0.0001 may be rounding. Only the error over its bound can tell.
#
# Port 4 has a perfect last layer. Its gradients are wrong.
#
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
# `compare` goes through two runs in the order of computation. Tensors of this model are
# as small as 0.01 or as large as 4. So we also print each difference as a part of the
# largest entry.

# %%
trace = numbert.Trace()
run.build(case)(**case.inputs, trace=trace)      # numbert's own model of this case

def show_differences(tensors, first, end):
    for name, size in trace.compare(tensors)[first:end]:
        print(f"{size:8.0e} {size / np.abs(trace[name]).max():8.0e}  {name}")

show_differences(given[1], 0, 12)

# %% [markdown]
# Up to `scores` the second column stays near $10^{-7}$, which is rounding. From `probs` on
# it is about 1. So the mask or the softmax is wrong, as you may have guessed.
#
# Which of the known bugs of masks is it? The numbers can tell. We divide the port's
# probabilities by those of a softmax without any mask. The two softmaxes divide by
# different sums, so all quotients share one factor. We divide it out.

# %%
scores, probs = (given[1][f"encoder.layer.0.attention.self.{name}"][1, 0, 0]    # (S,)
                 for name in ("scores", "probs"))            # row 1, head 0, query 0
factor = probs / ops.softmax(scores)[0]
print("mask  ", *(f"{x:6}" for x in case.inputs["attention_mask"][1]))
print("factor", *(f"{x:6.3f}" for x in factor / factor[0]))

# %% [markdown]
# Hidden keys should get 0. They keep 0.368 of their weight, and that is $1 / e$. In the
# exponent it is a difference of 1. So the port *added* the mask of zeros and ones to the
# scores. A mask that is added must hold 0 for real keys, and a very low number such as
# $-10^{38}$ for hidden ones.
#
# Now we let numbert find it. `verify` judges each step from the port's own inputs, and
# then tries a few hundred known bugs. It is `numbert.verify.compare.verify`, in
# [numbert/verify/compare.py](../numbert/verify/compare.py). In a terminal it is
# `numbert verify`.

# %%
report = verify(few, port(1))
print("first wrong step:", report.first)
for bug in report.diagnosis:
    print(f"{bug.id}: {bug.title}\n  why: {bug.why}\n  fix: {bug.fix}")
plots.errors_by_depth(report)

# %% [markdown]
# The line at 1 is the most that rounding explains. Blue is the whole run: it stays wrong
# after the first bad step. The diamonds are *steps by themselves*, each computed from the
# port's own inputs. Only two of them are wrong, the softmaxes of the two layers. The rest
# computes the right thing from wrong inputs.
#
# ## Port 2
#
# *The symptom: "The cosine is 1.0000. It is only rounding, isn't it?"*

# %%
show_differences(given[2], 8, 20)

# %% [markdown]
# At `intermediate.out`, the activation, the relative difference jumps by a factor of
# hundreds. Rounding does not jump like that. An activation makes each number from one
# number, so it is a curve. Then the difference of two activations is a curve, too.

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
# Which bug is it? Here is a part of numbert's catalogue. Answer with a number, such as
# `"B3"`. Guess first. Then let `verify(few, port(2)).diagnosis` say what it thinks.

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
show_differences(given[3], 10, 20)

# %% [markdown]
# ### Exercise 14.3
#
# Which one of the bugs listed above is it? One more fact: `embeddings.out`, which also
# comes from a LayerNorm, is right.
#
# Two bugs of the list fit so far. To decide, test your guess with numbers. Take the
# port's own `given[3]["encoder.layer.0.attention.output.sum"]`, and call
# `ops.layer_norm(x, weight, bias, 1e-5)[0]` with the weights that you suspect. They are
# in `case.params`.

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
# look at the gradients. They are computed from the end to the beginning, and the pack has
# them in this order. `grad:X` is the gradient of the loss with respect to the tensor `X`.

# %%
report = verify(few, port(4), diagnose=False)
gradients = [tensor for tensor in report.tensors if tensor.kind == "gradient"]
for tensor in gradients[:8]:
    print(f"{tensor.status:5} {tensor.name}")
for number in ("G10", "G11", "G12", "G13", "G14", "G15", "G16"):
    print(f"{number:4} {explained(number).title}")
plots.errors_by_depth(report)

# %% [markdown]
# The left part of the picture is the forward pass. It lies below the line. In the right
# part, the gradient at `output.out` is right, and the one at `output.sum` is not. So the
# wrong step is the one that leads from `output.out` *back* to `output.sum`.
#
# Two more hints. Count the steps that are wrong by themselves, the diamonds above the
# line: what does a BERT of two layers have five of? And with LayerNorm's weights at 1, as
# in the new model of port 3, this port is right.
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
# **own** inputs. We do that by hand: by which factor do the port's scores differ from
# the dot products of its own queries and keys?
#
# **Predict** the factor of a port that is right. There are $C = 12$ channels and $N = 3$
# heads.

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
# Which two bugs? Answer with a sorted list, such as `["A1", "B3"]`. Two hints: the square
# of a small number may tell you where it comes from. And the weight that makes the port's
# queries has the right numbers, and the right shape `(C, C)`.

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
# ## Your own port
#
# A port in another language needs no Python at all. It can read the files of the pack, and
# compare as [golden.md](../numbert/verify/golden.md) says. Or let numbert run your
# program, once for each case. The first file holds weights and inputs. The program writes
# the second, with as many tensors as it can compute.
#
#     numbert verify --exec ./bert       # calls ./bert IN.safetensors OUT.safetensors
#
# Add `--html report.html` before `--exec` for a page with pictures and all tensors.
# `numbert verify --explain B13` says what a bug is, and how to correct it. A BERT in C that passes is in [tests/verify/bert.c](../tests/verify/bert.c). A torch
# module or an ONNX file becomes a candidate by `numbert.verify.adapters`.
#
# Next: [15 · The torch path](15_torch.ipynb), if you have torch, or
# [16 · Reading a trained BERT](16_reading_bert.ipynb).
