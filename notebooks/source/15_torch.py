# %% [markdown]
# # 15 · The torch path: the same model on a GPU, and in half precision
#
# *About 50 minutes. You need notebooks [03](03_attention.ipynb) and
# [12](12_precision.ipynb), and [08](08_backward.ipynb) helps. This notebook also needs the
# package torch: `pip install "numbert[torch]"`. A GPU is not needed.*
#
# After this notebook you can
#
# * run a model of numbert with torch, and show that it is the same model;
# * say what fused attention computes, and what it can't tell you;
# * say what half precision costs, and where it breaks;
# * train with half precision and with several processes, without their two classic bugs.
#
# The letters: B texts have T tokens each, a state has C numbers, and there are V word
# pieces.

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.testing.lessons import check

path = numbert.example_checkpoint()
tokenizer = numbert.BertTokenizer.from_pretrained(path)
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")
texts = ["Anna lives in Oslo. She is a baker.", "Anna likes soup."]
batch = dict(tokenizer(texts, padding=True, return_tensors="np"))    # each (B, T)

# %% [markdown]
# ## One model, two libraries
#
# NumPy computes on the CPU, in float64 and float32. To use a GPU, or 16-bit numbers, we
# need another library. Must we then write BERT a second time?
#
# No. Look into [numbert/bert/attention.py](../numbert/bert/attention.py). A block never says
# *how* to compute a softmax or a LayerNorm. It asks its run: `p.run.ops.softmax`. So it
# is enough to hand in another table of leaf operations. That table is
# [numbert/backends/torch_ops.py](../numbert/backends/torch_ops.py). It is shorter than
# NumPy's, because torch needs no backward from us. The blocks stay the same.
#
# The next cell makes such a model. Where torch is missing, it says what to install.
#
# **Predict:** by how much do the scores of the two models differ in float64?

# %%
fast = model.to_torch()
import torch                                           # noqa: E402
mine = model(**batch).prediction_logits                # (B, T, V)
theirs = fast(**batch).prediction_logits
assert mine.shape == theirs.shape and isinstance(theirs, np.ndarray)
error, bound = np.abs(mine - theirs).max(), 1e-12 * np.abs(mine).max()
print(f"scores up to {mine.max():.0f} agree to rounding: {error < bound}")

# %% [markdown]
# The difference is rounding alone. Both libraries compute the same sums, each in an order
# of its own. Note the type: **arrays in, arrays out**. Give the model a tensor, and
# tensors come out.

# %%
tensors = {name: torch.tensor(x) for name, x in batch.items()}
print(type(fast(**batch).prediction_logits).__name__,
      type(fast(**tensors).prediction_logits).__name__)

# %% [markdown]
# ### The same taps
#
# If two models differ, we want to know *where*. Notebook [05](05_encoder_trace.ipynb) has
# traced every step of a NumPy model. The torch model has the same taps, since it runs the
# same blocks. "Eager" asks for attention step by step, as in the paper.
#
# **Predict:** which of the 61 steps differ by more than rounding?

# %%
eager = model.to_torch(attn_implementation="eager")
one, other = numbert.Trace(), numbert.Trace()
model(**batch, trace=one)
eager(**batch, trace=other)
assert list(one) == list(other)
for name in one:
    if np.abs(one[name] - other[name]).max() > 1e-12 * np.abs(one[name]).max():
        print(name, one[name].min(), other[name].min())

# %% [markdown]
# Only the masked scores, in each layer. Padding gets the lowest number there is from
# NumPy, and half of that from torch. Why half? Torch *adds* the mask to the scores, and
# the lowest number plus a negative score would be $-\infty$. After the softmax nobody
# can tell: both are exact zeros.
#
# ## Autograd against the backward by hand
#
# In notebook [08](08_backward.ipynb) we derived each gradient with pencil and paper.
# Torch derives gradients by itself. It records each operation of the forward, and
# walks back along the record. Two ways that share no code: each is a test of the other.
#
# **Predict:** by how much do the gradients differ, relative to the largest entry?

# %%
labels = {"labels": batch["input_ids"], "next_sentence_label": np.array([0, 1])}
grads = [m.backward(m.forward(**batch, **labels)[1]) for m in (model, fast)]
worst = {name: np.abs(g - grads[1][name]).max() / np.abs(g).max()
         for name, g in grads[0].items() if "key.bias" not in name}
print(f"{len(worst)} parameters, all within rounding: {max(worst.values()) < 1e-12}")

# %% [markdown]
# We left out the bias of the keys. It adds the same number to all scores of a query, and
# a softmax does not see that. So its true gradient is 0, and what is computed is noise.
# Noise has no relative error.
#
# A user of torch wants an ordinary module. `as_module` gives one, with the names that
# Hugging Face uses. So torch's optimisers, compilers and exporters work on it.

# %%
module = fast.as_module().eval()                      # no dropout
wanted = {name: torch.tensor(x) for name, x in labels.items()}
module(**tensors, **wanted).loss.backward()
name = "bert.pooler.dense.weight"
weight = module.get_parameter(name)
print(type(weight).__name__, "gradient", tuple(weight.grad.shape))
np.testing.assert_allclose(weight.grad, grads[0][name], atol=1e-12)

# %% [markdown]
# ## Attention in one step
#
# Attention as the paper writes it makes an array of $B \cdot N \cdot T \cdot S$ scores.
# For long texts that is most of the memory. But nobody needs all scores at once. A fused
# kernel takes some queries, goes over the keys in blocks, and keeps only running sums.
# Torch calls it *scaled dot product attention*, SDPA. It is the default of `to_torch`.
#
# **Predict:** what happens if we ask SDPA for the attention probabilities?

# %%
try:
    fast(**batch, output_attentions=True)
except ValueError as problem:
    print(problem)
print(eager(**batch, output_attentions=True).attentions[0].shape, "= (B, N, T, S)")

# %% [markdown]
# It never had them. So draw your attention maps with "eager", and train with SDPA.
#
# There is one more difference. A text whose mask is 0 everywhere lets its queries see
# nothing. Eager attention gives all keys the same lowest score, so each gets $1 / S$.
# SDPA starts from $-\infty$, adds nothing up, and returns 0. Neither is wrong:
# the question has no answer. But a port that is compared with the other one will differ.
#
# ### Exercise 15.1
#
# Write the softmax as SDPA has it: `masked_softmax(scores, mask)`, with scores `(T, S)`
# and a boolean mask `(T, S)`, where true means "may attend". Rows without any key are 0.

# %% tags=["exercise"]
def masked_softmax(scores, mask):
    return ...

check("15.1", masked_softmax)

# %% tags=["solution"]
def masked_softmax(scores, mask):
    top = np.max(scores, axis=-1, keepdims=True)             # (T, 1)
    exps = np.where(mask, np.exp(scores - top), 0)           # (T, S)
    total = exps.sum(-1, keepdims=True)                      # (T, 1), 0 without a key
    return exps / np.where(total == 0, 1, total)

check("15.1", masked_softmax)

# %% [markdown]
# ## Half precision
#
# A 16-bit number takes half the memory of float32, and GPUs multiply it many times as
# fast. There are two such formats. float16 has 11 bits for the digits and 5 for the
# exponent. bfloat16 has 8 and 8: fewer digits, but the range of float32.
#
# We run the same weights in three formats, and compare each step with float64.
#
# **Predict** the order of the three curves. How far apart are the two half formats?

# %%
names = [name for name in one if name.endswith(".out")]
curves = {}
for dtype in ("float32", "float16", "bfloat16"):
    trace = numbert.Trace("*.out")
    model.to_torch(dtype=dtype)(**batch, trace=trace)
    curves[dtype] = [np.sqrt(np.mean((trace[x] - one[x]) ** 2) / np.mean(one[x] ** 2))
                     for x in names]
plots.curves(np.arange(len(names)), curves, log=True, ylabel="relative error (RMS)",
             xlabel="outputs of blocks, in the order of computation")

# %% [markdown]
# float16 has three more bits than bfloat16, and so about $2^3 = 8$ times smaller errors.
# The lines run in parallel, as in notebook [12](12_precision.ipynb): the model treats all
# rounding errors alike.
#
# Inside, some steps are computed in float32 even now: LayerNorm, GELU and the softmax.
# Their eps of $10^{-12}$ would be 0 in float16.
#
# ### Exercise 15.2
#
# A bfloat16 number is the upper half of a float32 number. So rounding to it is a matter
# of bits. Write `to_bfloat16(x)` for a float32 array. Round to the nearest, and in a tie
# to the number whose last bit is 0. `x.view(np.uint32)` shows the bits. The result is
# float32 again, with 16 zeros at the end. There is no nan in x.

# %% tags=["exercise"]
def to_bfloat16(x):
    return ...

check("15.2", to_bfloat16)

# %% tags=["solution"]
def to_bfloat16(x):
    bits = x.view(np.uint32)
    last = (bits >> np.uint32(16)) & np.uint32(1)            # of what is kept
    bits = bits + np.uint32(0x7FFF) + last                   # carries if above the half
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)

check("15.2", to_bfloat16)

# %% [markdown]
# ## Training in half precision: the first classic bug
#
# It is tempting to turn the weights into bfloat16 and to train those. We do one step of
# AdamW at a usual learning rate, on the same weights in both formats.
#
# **Predict:** which share of the weights has changed after the step?

# %% tags=["varies"]
for dtype in ("float32", "bfloat16"):
    half = model.to_torch(dtype=dtype).as_module().eval()
    before = [p.detach().clone() for p in half.parameters()]
    half(**tensors, **wanted).loss.backward()
    torch.optim.AdamW(half.parameters(), lr=2e-5, weight_decay=0.0).step()
    moved = sum(int((a != b)[a.grad != 0].sum())
                for a, b in zip(half.parameters(), before))
    count = sum(int((a.grad != 0).sum()) for a in half.parameters())
    print(f"{dtype}: {100 * moved / count:.0f} % of the weights that have a gradient")

# %% [markdown]
# The step wants to change each weight by about $2 \cdot 10^{-5}$. Most weights are so
# large that the next bfloat16 number is farther away than twice that. The step is
# rounded away, at every update, for ever. Such a run trains a few small weights only.
#
# ### Exercise 15.3
#
# A weight is 1.0. What is the smallest power of two that can be added in bfloat16 so that
# the weight changes? (The product of half an eps and 1 is a tie.)

# %% tags=["exercise"]
answer = ...

check("15.3", answer)

# %% tags=["solution"]
answer = 2.0 ** -7                     # 2 ** -8 is a tie, and 1.0 ends in a zero bit

check("15.3", answer)

# %% [markdown]
# So keep the **weights in float32**, and let only the computation be half. Torch calls
# this *autocast*: inside it, products round their inputs to 16 bits.

# %%
module = model.to_torch(dtype="float32").as_module().eval()
with torch.autocast("cpu", dtype=torch.bfloat16):
    loss = module(**tensors, **wanted).loss
loss.backward()
found = {str(p.grad.dtype) for p in module.parameters()}
true = model(**batch, **labels).loss
print(f"gradients in {found}; the loss is off by less than 2 %: "
      f"{abs(loss.item() / true - 1) < 0.02}")

# %% [markdown]
# ### Loss scaling
#
# float16 has another problem: its range. Its smallest number is $6 \cdot 10^{-8}$, and
# gradients are often smaller. They become 0. The remedy: multiply the loss by a scale S.
# Then all gradients are S times as large, and they are divided by S in float32. A power
# of two only moves the exponent, so that it makes no rounding error.
#
# ### Exercise 15.4
#
# Write `scale_for(grads)`: the largest power of two by which the gradients `(n,)` can be
# multiplied so that none is beyond 65504, the largest float16 number.

# %% tags=["exercise"]
def scale_for(grads):
    return ...

check("15.4", scale_for)

# %% tags=["solution"]
def scale_for(grads):
    return 2.0 ** np.floor(np.log2(65504 / np.abs(grads).max()))

check("15.4", scale_for)

# %% [markdown]
# Nobody knows the gradients before they are computed. So torch's `GradScaler` guesses S.
# If something overflows, it skips the update and halves S. With bfloat16 none of
# this is needed: that is why it is liked for training.
#
# ## Several processes: the second classic bug
#
# Two GPUs share a batch, and each computes the loss of its half. Then the gradients are
# averaged. Is the result the gradient of the whole batch?
#
# For masked words it is not. Ignored labels are -100, and the loss is a mean over the
# labels that count. One half may have 30 of them, and the other 10.
#
# **Predict:** is the mean of two means the mean?

# %%
losses, counts = np.array([2.0, 4.0]), np.array([30, 10])
print("mean of means", losses.mean(), "  mean of all", losses @ counts / counts.sum())

# %% [markdown]
# The 10 words of the second half weighed as much as the 30 of the first. In numbert a
# call can be told what to divide by. `label_totals` is the number of labels in the *whole*
# batch, for each term of the loss. Then the parts add up.

# %%
ids = batch["input_ids"].copy()
ids[1, 3:] = -100                                      # few labels in the second text
masked = {"labels": ids, "next_sentence_label": labels["next_sentence_label"]}
whole = fast(**batch, **masked).loss
totals = [int(np.sum(ids != -100)), 2]
shares = [fast(**{name: x[i:i + 1] for name, x in {**batch, **masked}.items()},
               label_totals=totals).loss for i in (0, 1)]
print(f"whole {whole:.4f}, sum of the shares {sum(shares):.4f}")
np.testing.assert_allclose(sum(shares), whole, rtol=1e-12)

# %% [markdown]
# ### Exercise 15.5
#
# R processes report the mean loss of their part, `losses` `(R,)`, and how many labels
# counted in it, `counts` `(R,)`. Write `mean_loss(losses, counts)`, the mean loss of the
# whole batch. A part without labels reports nan and 0, and must not spoil the result.

# %% tags=["exercise"]
def mean_loss(losses, counts):
    return ...

check("15.5", mean_loss)

# %% tags=["solution"]
def mean_loss(losses, counts):
    some = counts > 0
    return losses[some] @ counts[some] / counts.sum()

check("15.5", mean_loss)

# %% [markdown]
# ## What you have learned
#
# * A backend is a table of leaf operations. The blocks of BERT are written once.
# * Autograd and the backward by hand agree to rounding. Each proves the other.
# * Fused attention never holds the probabilities. Queries without keys give 0 there.
# * Half precision costs digits evenly. Weights stay in float32, or they stop learning.
# * A mean of means is not a mean. Divide each part by the total of the whole batch.
#
# Next: [16 · Reading a trained BERT](16_reading_bert.ipynb) looks into a model that has
# learned.
