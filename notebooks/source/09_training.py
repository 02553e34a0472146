# %% [markdown]
# # 09 · Training: a BERT from scratch, and what each knob does
#
# *About 60 minutes. You need NumPy, and notebooks [07](07_mlm_nsp_data.ipynb) (masked
# words) and [08](08_backward.ipynb) (where gradients come from).*
#
# After this notebook you can
#
# * write AdamW, and say how the first step of BERT's own Adam differs;
# * say which parameters decay, why the learning rate warms up, and draw its course;
# * train a BERT from random numbers, and watch in what order it learns;
# * tell from the loss alone what a stuck model has learnt;
# * kill a run, and resume it without losing a bit.

# %%
import tempfile
from contextlib import suppress
import numpy as np
import numbert
from numbert import plots
from numbert.testing.lessons import check
from numbert.tokenization.learn import train_wordpiece
from numbert.training import masking, optim
from numbert.world.facts import topics
from numbert.world.templates import fill

# %% [markdown]
# ## A tiny corpus
#
# BERT read 3.3 billion words for four days. We have half a minute and one core. So our
# text is about six countries, six animals and six pairs of opposites. `numbert`
# has the patterns and the words in its room `numbert.world`.

# %%
chosen = {name: topics()[name] for name in ("country", "animal", "opposite")}
texts = sorted({fill(line.text, words).text for topic in chosen.values()
                for line in topic.lines for words in topic.subjects[:6]})
tokenizer = numbert.BertTokenizer(train_wordpiece(texts, 1000))
examples = [{"input_ids": np.array(ids)} for ids in tokenizer(texts)["input_ids"]]
V = len(tokenizer)
print(len(texts), "sentences,", V, "word pieces, such as")
print(*texts[::60], sep="\n")

# %% [markdown]
# ## The loss before the first step
#
# The model is small too: two layers, and hidden states of 64 numbers. All weights are
# random. `masking_collate` hides three pieces in ten, anew each time a sentence comes.
#
# **Predict** the loss of this model, which knows nothing. There are $V$ pieces. If each
# is equally likely, the right one has the probability $1/V$. The loss is its $-\log p$.

# %%
config = numbert.BertConfig(
    vocab_size=V, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
    intermediate_size=128, max_position_embeddings=32, initializer_range=0.06)
def new_model():
    return numbert.BertForMaskedLM(config, rng=0)

model = new_model()                                    # 95,571 parameters
hide = masking.masking_collate(masking.vocabulary(tokenizer), probability=0.3)
fixed = hide(examples, np.random.default_rng(1))       # one batch, masked once
def loss_of(model):
    return float(model(**fixed).loss)
print(f"log V = {np.log(V):.2f}, and the new model's loss is {loss_of(model):.2f}")

# %% [markdown]
# A new model starts near $\log V$. If yours starts far above, its first weights are too
# large, or its labels are wrong. Remember this number: we shall need it again.
#
# ## A picture of the step
#
# A gradient says which way is downhill, and how steep it is. Plain gradient descent
# takes long steps where it is steep. But gradients of a BERT differ wildly in size.
# Here they are for our first batch.

# %%
output, saved = model.forward(**fixed)
grads = model.backward(saved)
plots.gradient_norms(grads)

# %% [markdown]
# Queries and keys have gradients a hundred times smaller than those of the head. One
# learning rate cannot suit them all. Adam's idea (Kingma and Ba, 2015): divide each
# gradient by its own usual size. It keeps two running means, of the gradient and of its
# square:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g \qquad
# v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2 \qquad
# p \leftarrow p - \text{lr}\, \frac{m}{\sqrt v + \epsilon}$$
#
# Usually $\beta_1 = 0.9$ and $\beta_2 = 0.999$. Both means start from zero, so at first
# both are too small, and not equally so.
#
# **Predict** the first step. Put $m = 0.1\,g$ and $v = 0.001\,g^2$ into the formula.

# %%
g = np.array([1e-4, -0.02, 3.0])               # three gradients of different sizes
m, v = 0.1 * g, 0.001 * g**2                   # after one update from zero
m_hat, v_hat = m / (1 - 0.9**1), v / (1 - 0.999**1)    # AdamW undoes the start: g, g^2
print("BertAdam's step over lr:", (m / np.sqrt(v)).round(2))
print("AdamW's step over lr:   ", (m_hat / np.sqrt(v_hat)).round(2))

# %% [markdown]
# The size of the gradient has gone: only its sign is left. **AdamW** corrects both
# means. After $t$ updates it divides $m$ by $1 - \beta_1^t$ and $v$ by $1 - \beta_2^t$.
# So its first step has the length of the learning rate. BERT's own Adam, often called
# **BertAdam**, does not. Its first step is $0.1 / \sqrt{0.001} = 3.16$ times as long.
#
# numbert has both: `numbert.training.optim.adamw_step` and
# `numbert.training.optim.bertadam_step`, in
# [numbert/training/optim.py](../numbert/training/optim.py). Do they agree with us?

# %%
def first_step(update, p, g, lr=0.01):
    params = {"weight": p.copy()}
    update(params, {"weight": g}, optim.adamw_init(params), lr, weight_decay=0)
    return p - params["weight"]

p = np.array([0.5, -1.0, 2.0])
for update, mine in ((optim.adamw_step, m_hat / (np.sqrt(v_hat) + 1e-8)),
                     (optim.bertadam_step, m / (np.sqrt(v) + 1e-6))):
    error = np.abs(first_step(update, p, g) - 0.01 * mine).max() / np.spacing(2.0)
    print(f"{update.__name__}: the error is {error:.1f} units in the last place of p")
    assert error <= 2

# %% [markdown]
# How long does the difference last? We give both the same gradient, again and again,
# and draw the length of their steps.

# %%
t = np.arange(1, 3001)
growth = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)          # of m / sqrt(v), when g stays
plots.curves(t, {"AdamW": np.ones(len(t)), "BertAdam": growth}, xlabel="update",
             ylabel="step / lr", title="the same gradient at every update")

# %% [markdown]
# BertAdam soon takes steps of more than six times the learning rate, and needs
# thousands of updates to calm down. This is one reason for the warm-up, which comes
# below. It is also why a port with the "wrong" Adam learns, but not the same.
#
# ### Exercise 09.1
#
# Write one update of AdamW for an array. Return the new `(p, m, v)`. Use
# $\beta_1 = 0.9$, $\beta_2 = 0.999$, $\epsilon = 10^{-8}$, added to the root. `t`
# counts updates from 1. At the start of the update, `p` shrinks by the factor
# `1 - lr * 0.01`: this is the weight decay.

# %% tags=["exercise"]
def adamw(p, g, m, v, t, lr):
    return ...

check("09.1", adamw)

# %% tags=["solution"]
def adamw(p, g, m, v, t, lr):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    p = p * (1 - lr * 0.01) - lr * m_hat / (np.sqrt(v_hat) + 1e-8)
    return p, m, v

check("09.1", adamw)

# %% [markdown]
# ## Which weights decay
#
# Weight decay pulls a weight towards 0, unless gradients hold it up. A matrix with
# small entries is a calm function, so this helps against learning by heart. But two
# kinds of parameters are no such matrices.
#
# **Predict:** the weight of LayerNorm starts at 1. What happens to it in 100,000
# updates with lr $10^{-4}$ and decay 0.01, if its gradient is zero?

# %%
print(f"it becomes {(1 - 1e-4 * 0.01) ** 100_000:.3f}")
names = list(model.params)
for name in names[3:9]:
    print(f"{'decays' if optim.decayed(name) else 'stays':7} {name}")

# %% [markdown]
# It would lose a tenth for no reason. A bias only moves its output, and LayerNorm's
# weight sets its scale: neither should be pulled to 0. So there are **two groups**.
# Biases and all of LayerNorm have decay 0, and the rest has 0.01.
#
# ### Exercise 09.2
#
# Write `decaying(names)`: those of the names that decay, in their order.

# %% tags=["exercise"]
def decaying(names):
    return ...

check("09.2", decaying)

# %% tags=["solution"]
def decaying(names):
    return [x for x in names if not x.endswith("bias") and "LayerNorm" not in x]

check("09.2", decaying)

# %% [markdown]
# ## Warm-up, and the way down
#
# At the start the means of Adam know few gradients, and the model knows nothing. A
# long step in such a state does harm. So the learning rate climbs from 0, reaches its
# peak, and then falls in a line to 0. The small steps at the end let the noise of the
# batches average out.
#
# ### Exercise 09.3
#
# Write `rates(warmup, total)`: the factors of the learning rate at the steps
# 0, 1, ..., total - 1. Step 0 has factor 0. Step `warmup` has 1. A step `total`, which
# never comes, would have 0 again.

# %% tags=["exercise"]
def rates(warmup, total):
    return ...

check("09.3", rates)

# %% tags=["solution"]
def rates(warmup, total):
    return [step / warmup if step < warmup else (total - step) / (total - warmup)
            for step in range(total)]

check("09.3", rates)

# %%
steps, warmup = 800, 80
factors = [optim.linear_schedule(step, warmup, steps) for step in range(steps)]
plots.curves(np.arange(steps), {"factor of lr": factors}, xlabel="step")

# %% [markdown]
# ## Training
#
# We want to see more than a loss. Every 40 updates we ask 18 questions, such as *The
# capital of France is [MASK].* An answer can be right in two ways. It is of the **right
# kind** if it is any capital. It is the **right fact** if it is Paris.
#
# **Predict:** which will the model learn first?

# %%
patterns = {"country": ("The capital of {country} is [MASK].", "capital"),
            "animal": ("A {animal} says [MASK].", "sound"),
            "opposite": ("The opposite of {one} is [MASK].", "other")}
asked = [(fill(text, words).text, words[slot], {x[slot] for x in topic.subjects})
         for (text, slot), topic in zip(patterns.values(), chosen.values())
         for words in topic.subjects[:6]]

def answers(model):
    fill_mask = numbert.pipeline("fill-mask", model=model, tokenizer=tokenizer)
    found = fill_mask([text for text, _, _ in asked], top_k=1)
    return [best["token_str"] for best, in found]

# %%
path = []                                              # the weights, every 40 updates
def look(model):
    path.append({name: x.copy() for name, x in model.params.items()})
    said = answers(model)
    return {"eval_loss": loss_of(model), "right kind": np.mean(
        [a in {x.lower() for x in kind} for a, (_, _, kind) in zip(said, asked)]),
        "right fact": np.mean([a == x[1].lower() for a, x in zip(said, asked)])}

look(model)                                            # where the path begins
recipe = dict(lr=5e-3, batch_size=32, dropout=False, collate=hide, progress=False)
result = numbert.train(model, examples, steps=steps, warmup=warmup, evaluate=look,
                       eval_every=40, keep_best=False, **recipe)

# %% [markdown]
# `numbert.train` is the loop: it draws a batch, computes loss and gradient, clips the
# gradient, and updates. Read `numbert.training.loop.one_step`: it is 30 lines. Two
# flat lines help to read the picture. One is $\log V$. The other is the loss of a
# model that knows only how *frequent* each piece is:
#
# $$H = -\sum_i f_i \log f_i$$

# %%
pieces = np.concatenate([x["input_ids"][1:-1] for x in examples])   # no [CLS], [SEP]
f = np.unique(pieces, return_counts=True)[1] / len(pieces)
H = -(f * np.log(f)).sum()
def flat(y, steps=steps):
    return [{"step": 0, "loss": y}, {"step": steps, "loss": y}]

plots.loss_curves({"training": result.history, "log V": flat(np.log(V)),
                   "frequencies": flat(H)}, fields=("loss",))

# %% [markdown]
# The loss drops from $\log V$ to below 1. It soon falls below the frequencies. Only a
# model that looks at the *other* words can do that. What has it learnt meanwhile?

# %% tags=["varies"]
before, after = answers(new_model()), answers(model)
for i in range(0, 18, 2):
    print(f"{asked[i][0]:34} before: {before[i]:12} after: {after[i]}")
plots.loss_curves(result.history, fields=("right kind", "right fact"),
                  ylabel="share of the answers", title="what it learns first")

# %% [markdown]
# The kind comes first: after *the capital of ... is* stands some capital. All six
# sentences of the pattern teach this. Each fact has to be learnt alone, and comes
# last. The steep drop of the loss is grammar, and its slow tail is knowledge.
#
# The questions are about what it has read, so this is memory. Whether a model can do
# more must be measured on sentences that were held out. The models that ship with
# numbert are measured so.
#
# ## "My loss is stuck near 7"
#
# Many people who train a BERT on English see the loss fall from 10 to about 7, and
# stay. Now you can say what this means. BERT has $V = 30522$ pieces, so the start is
# $\log V = 10.3$. And $H$ of English pieces is about 7. The model has learnt the
# frequencies, in the biases of its head, **and nothing from the context**.
#
# **Predict** the curves of three runs: with our recipe, with a learning rate that is
# 1000 times lower, and with one 20 times higher and no warm-up.

# %%
runs = {}
for name, lr, climb in (("lr 5e-3", 5e-3, 15), ("lr 5e-6", 5e-6, 15),
                        ("lr 0.1, no warm-up", 0.1, 0)):
    runs[name] = numbert.train(new_model(), examples, steps=150, schedule="constant",
                               **{**recipe, "lr": lr, "warmup": climb}).history
plots.loss_curves({**runs, "log V": flat(np.log(V), 150), "frequencies": flat(H, 150)},
                  fields=("loss",))

# %% [markdown]
# The low rate stays at $\log V$: it has not begun. The high rate falls to the
# frequencies and stays there: its first long steps have destroyed what carries the
# context. So compare a stuck loss with these two numbers.
#
# | stuck near | the model knows | look at |
# | --- | --- | --- |
# | $\log V$ | nothing | a rate that is too low; frozen or missing gradients |
# | $H$ | only frequencies | a rate that is too high; no warm-up; too little training |
# | above $\log V$ | wrong things | labels that do not fit; a rate far too high |
#
# A large model may rest at $H$ for thousands of steps before it breaks through. More
# patience is then the remedy.
#
# ### Exercise 09.4
#
# Write `frequency_loss(counts)`: the loss of a model that predicts each piece by its
# frequency. `counts` is an array: how often each piece of the vocabulary occurs, and
# none is 0.

# %% tags=["exercise"]
def frequency_loss(counts):
    return ...

check("09.4", frequency_loss)

# %% tags=["solution"]
def frequency_loss(counts):
    f = counts / counts.sum()
    return -(f * np.log(f)).sum()

check("09.4", frequency_loss)

# %% [markdown]
# ## The landscape
#
# The loss is a function of 95,571 numbers. We can draw it along two directions. The
# first leads from the first weights to the last. The second stands at right angles to
# it: it is the direction in which the path of the training bends most.

# %%
w = np.array([np.concatenate([x.ravel() for x in p.values()]) for p in path], float)
walk, first = w - w[0], w[-1] - w[0]                   # (places, parameters)
bends = walk - np.outer(walk @ first, first) / (first @ first)
second = np.linalg.svd(bends, full_matrices=False)[2][0] * np.sqrt(first @ first)
second *= np.sign(bends.sum(0) @ second)               # let the path bend upwards
along = walk @ np.array([first, second]).T / (first @ first)     # (places, 2)
assert along.shape == (21, 2) and w.shape == (21, model.num_parameters())

# %%
probe, ends = new_model(), np.cumsum([x.size for x in path[0].values()])
few = {name: x[::4] for name, x in fixed.items()}      # a quarter of the batch
def height(a, b):
    moved = np.split((w[0] + a * first + b * second).astype("float32"), ends[:-1])
    probe.params.update({name: part.reshape(x.shape)
                         for (name, x), part in zip(path[0].items(), moved)})
    return float(probe(**few).loss)

plots.landscape(height, np.linspace(-0.2, 1.3, 13), np.linspace(-0.4, 0.8, 11),
                path=along)

# %% [markdown]
# The dots are 40 updates apart, and the star is the end. The path does not take the
# straight line, because each step sees only the slope where it stands. The dots come
# closer near the end, as the learning rate falls.
#
# ## Killed, and resumed
#
# A long run will be killed one day. It should go on as if nothing had happened.
#
# **Predict:** which of these must be saved, apart from the weights? The running means
# $m$ and $v$, the number of updates, the state of the random generator.

# %%
calls, whole, resumed = [], new_model(), new_model()
def power_cut(batch, rng):
    calls.append(batch)
    return hide(batch, rng) if len(calls) < 34 else 1 / 0        # the lights go out
settings = dict(recipe, steps=60, checkpoint_every=10)
numbert.train(whole, examples, **settings)
with tempfile.TemporaryDirectory() as folder:
    with suppress(ZeroDivisionError):
        numbert.train(new_model(), examples, checkpoint_dir=folder,
                      **{**settings, "collate": power_cut})
    numbert.train(resumed, examples, checkpoint_dir=folder, **settings)
assert all(np.array_equal(x, resumed.params[name]) for name, x in whole.params.items())

# %% [markdown]
# The assertion holds: both runs end with the same weights, bit for bit. All
# three must be saved for that. The last checkpoint was that of update 30. The resumed
# run did the updates 31 to 60 with the same masks, in the same order, from the same
# means. See [numbert/training/state.py](../numbert/training/state.py).
#
# ## What you have learnt
#
# * Adam divides each gradient by its usual size. AdamW's first step is lr, and
#   BertAdam's is 3.16 lr.
# * Matrices decay. Biases and LayerNorm do not.
# * The rate climbs, because the first steps are blind, and falls, to let noise settle.
# * A loss of $\log V$ means that nothing is learnt, one of $H$ only frequencies.
# * Grammar is learnt before facts.
# * A run can be resumed bit for bit if its whole state is saved.
#
# Next: [10 · Fine-tuning](10_finetuning.ipynb), where a trained model learns a task.
