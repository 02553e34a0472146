# %% [markdown]
# # 02 · Embeddings: how a token becomes a vector
#
# *About 45 minutes. You need NumPy and notebook [01](01_wordpiece.ipynb). The last two
# sections use derivatives.*
#
# After this notebook you can
#
# * compute BERT's input vectors by hand, from three tables;
# * explain how a model without loops knows the order of words;
# * say why the row of `[PAD]` is not zero, and what to do about it;
# * derive the gradient of a look-up, and find the bug that most people write first.
#
# $B$ is the number of texts, $T$ the number of tokens, $C$ the size of a vector and $V$
# the size of the vocabulary. The $C$ places in a vector are called *channels*.

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.bert import ops
from numbert.testing.lessons import check

path = numbert.example_checkpoint()
tokenizer = numbert.BertTokenizer.from_pretrained(path)
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")

# %% [markdown]
# ## A table of words
#
# A token's id is only its place in a list. *oslo* is 898, but that says nothing about
# Oslo. So the first thing that BERT does is to replace each id by a vector, its
# *embedding*. All vectors lie in a table, one row for each entry of the vocabulary. To
# embed is to look up a row.

# %%
tables = {name: model.params[f"bert.embeddings.{name}_embeddings.weight"]
          for name in ("word", "position", "token_type")}
words = tables["word"]                                       # (V, C)
for name, table in tables.items():
    print(f"{name:10} {table.shape}")
print("oslo:", words[tokenizer.vocab["oslo"], :6].round(2), "...")
assert words.shape == (1600, 96)

# %% [markdown]
# `model.params` is a dictionary of all parameters; most BERTs use the same names. The
# numbers are learnt. At first they were random. Whenever two words were used in the
# same way, training moved their rows the same way.
#
# The *cosine* says whether two vectors point in the same direction: 1 if they do, 0 if
# they stand at a right angle. It is their dot product, divided by both lengths.
#
# **Predict:** which of these words are alike? Nobody told the model what they mean.

# %%
def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)     # of length 1

some = "oslo paris tokyo monday friday sunday cow dog cat two three seven".split()
rows = unit(words[[tokenizer.vocab[word] for word in some]])         # (12, C)
plots.heat_map(rows @ rows.T, some, some, said="cosine")

# %% [markdown]
# Cities, days, animals and numbers each form a block. The table is a map of meaning,
# drawn only from which words stand near which.
#
# ## Three tables, one sum
#
# A row of words knows what a token is. It doesn't know *where* it stands, or in which
# *sentence*. BERT has two more tables for that. *Position* has a row for each place,
# from 0 to 127 here. *Token type* has two rows: 0 for the first sentence, and 1 for the
# second. The three rows are added (Devlin et al. 2019, figure 2):
#
# $$\text{sum}_t = \text{word}[\text{id}_t] + \text{position}[t]
# + \text{kind}[\text{type}_t]$$
#
# We take a text of two sentences. The cell prints each token, its type and its place.

# %%
batch = tokenizer("Anna lives in Oslo.", "She is a baker.", return_tensors="np")
tokens = batch.tokens()
ids, types = batch["input_ids"], batch["token_type_ids"]     # (B, T) each
for row in (tokens, types[0], range(len(tokens))):
    print("".join(f"{item!s:6}" for item in row))
assert ids.shape == types.shape == (1, 13)

# %%
T = ids.shape[1]
word, kind = words[ids], tables["token_type"][types]         # (B, T, C) each
place = tables["position"][np.arange(T)]                     # (T, C), for every text
total = word + place + kind                                  # (B, T, C)
assert word.shape == kind.shape == total.shape == (1, 13, 96)
plots.heat_map([word[0, 4], place[4], kind[0, 4], total[0, 4]],
               ["word: oslo", "position: 4", "type: 0", "sum"], low=-0.5, high=0.5,
               said="value", title="the vector of one token, channel by channel")

# %% [markdown]
# ## Why is the sum not a muddle?
#
# You can't tell from 7 whether it was 3 + 4 or 2 + 5. So people ask why BERT adds the
# three, rather than put them side by side.
#
# **Predict:** given only the sums, can we find out the words, the places and the types?
# For each sum we take the row of each table with the largest cosine.

# %%
truth = {"word": ids[0], "position": np.arange(T), "token_type": types[0]}
for name, table in tables.items():
    cosines = unit(total[0]) @ unit(table).T                 # (T, rows of the table)
    right = cosines.argmax(-1) == truth[name]
    print(f"{name:10}: {right.sum():2} of {T} are right, out of {len(table)} rows")

cosines = unit(words) @ unit(tables["position"]).T           # (1600, 128)
print(f"a word and a position: |cosine| is {np.abs(cosines).mean():.2f} on average")

# %% [markdown]
# All of them! There is room for many directions in 96 dimensions. Rows of different
# tables stand nearly at right angles: their cosines are close to 0. So each leaves its
# own mark on the sum.
#
# ## LayerNorm comes last
#
# The sums differ in size from token to token. So a *LayerNorm* follows. It moves and
# stretches each vector, so that its $C$ numbers have the mean 0 and the variance 1.
# Then it multiplies each channel by a learnt $w$ and adds a learnt $b$. The tiny
# $\varepsilon = 10^{-12}$ prevents a division by 0. Notebook
# [04](04_layernorm_gelu.ipynb) takes it apart.
#
# $$\text{out} =
# \frac{\text{sum} - \text{mean}}{\sqrt{\text{var} + \varepsilon}} \, w + b$$
#
# Do we get what the model computes? A trace has its numbers. Two programs that add in
# another order differ by rounding. So we allow 100 times the rounding of float64, which
# is $2 \cdot 10^{-16}$ for numbers near 1.

# %%
w = model.params["bert.embeddings.LayerNorm.weight"]         # (C,)
b = model.params["bert.embeddings.LayerNorm.bias"]           # (C,)
mean = total.mean(-1, keepdims=True)                         # (B, T, 1)
var = total.var(-1, keepdims=True)                           # (B, T, 1)
out = (total - mean) / np.sqrt(var + 1e-12) * w + b          # (B, T, C)

trace = numbert.Trace("*embeddings*")
model(**batch, trace=trace)
error = np.abs(out - trace["embeddings.out"]).max()
bound = 100 * np.finfo(float).eps
print(f"largest difference {error:.0e}, allowed {bound:.0e}")
assert out.shape == (1, 13, 96) and error < bound

# %% [markdown]
# numbert's own lines are in
# [numbert/bert/embeddings.py](../numbert/bert/embeddings.py): read
# `numbert.bert.embeddings.embeddings`. That is all: three look-ups, two sums and a
# LayerNorm. (In training, dropout comes last.)
#
# ### Exercise 02.1
#
# Write it as a function. `ids` and `types` are $(B, T)$; `word`, `position` and `kind`
# are the tables; `w` and `b` belong to the LayerNorm, whose $\varepsilon$ is `1e-12`.
# You may call `ops.layer_norm(x, w, b, eps)`. It returns two things: the result, and
# what its gradient will need later. Most functions in `ops` do so.

# %% tags=["exercise"]
def embed(ids, types, word, position, kind, w, b):
    return ...

check("02.1", embed)

# %% tags=["solution"]
def embed(ids, types, word, position, kind, w, b):
    total = word[ids] + position[:ids.shape[1]] + kind[types]        # (B, T, C)
    out, _ = ops.layer_norm(total, w, b, 1e-12)
    return out

check("02.1", embed)

# %% [markdown]
# ## Without positions there is no order
#
# BERT reads all tokens at once. Nothing in it walks from left to right. So the place of
# a token reaches the model only through the table of positions.
#
# **Predict:** we set that table to zero. Can the model still tell "Tom loves Anna" from
# "Anna loves Tom"? We compare the *hidden states* of `[CLS]` after the last layer. A
# hidden state is the vector of a token inside the model.

# %%
name = "bert.embeddings.position_embeddings.weight"
without = {**model.params, name: np.zeros_like(tables["position"])}
orderless = numbert.BertForPreTraining(model.config, params=without)
texts = tokenizer(["Tom loves Anna.", "Anna loves Tom."], return_tensors="np")
for label, each in (("with positions   ", model), ("without positions", orderless)):
    states = each(**texts, output_hidden_states=True).hidden_states[-1]      # (B, T, C)
    print(label, f"[CLS] differs by {np.abs(states[0, 0] - states[1, 0]).max():.1e}")

# %% [markdown]
# Without positions a text is a bag of words. The two vectors of `[CLS]`, which are often
# used for the whole text, agree up to rounding.
#
# ## What has the model learnt about places?
#
# BERT is built like the *Transformer* of 2017. That had a formula for positions: waves
# of many lengths. BERT has a table, which begins with random numbers. Here are the
# cosines of all pairs of rows.
#
# **Predict:** what will you see? Are neighbours alike? Are all places learnt equally
# well?

# %%
plots.positions(tables["position"])

# %% [markdown]
# There are three things to see. Stripes run along the diagonal: how alike two places
# are depends on their *distance*. The first rows resemble nothing else. And beyond 100
# the picture is noise. Let us look at the stripes and the noise.

# %%
cosines = unit(tables["position"]) @ unit(tables["position"]).T      # (128, 128)
inner = cosines[5:60, 5:60]
distance = np.arange(45)
plots.curves(distance, {"mean": [np.diagonal(inner, d).mean() for d in distance]},
             xlabel="distance of two positions", ylabel="mean cosine")

# %% [markdown]
# Neighbours are somewhat alike. Then the similarity falls and rises like a wave, with
# about 20 places from crest to crest. It is faint, but nobody asked for it: the model
# has found waves by itself.
#
# Now the noise. We compare the length of each row with that in a new model.

# %%
new = numbert.BertForPreTraining(model.config, rng=0, dtype="float64")
start = new.params["bert.embeddings.position_embeddings.weight"]     # (128, C)
plots.curves(np.arange(128), {
    "trained": np.linalg.norm(tables["position"], axis=1),
    "a new model": np.linalg.norm(start, axis=1)}, xlabel="position", ylabel="length")

# %% [markdown]
# The last rows are as short as at the start. Most texts of the training had fewer than
# 50 tokens, and hardly any reached 100. So nothing taught these rows. A model is not
# good at a length just because its table has the rows. Remember this when you use a
# BERT for 512 tokens that was trained on 128.
#
# ## Token types: leaving them out is not harmless
#
# Many programs forget `token_type_ids`. Then all are 0, and no error appears. BERT was
# trained to say whether sentence B follows sentence A. It needs to know where B begins.
#
# The model has an output for it with two scores: the first for "B follows A", the
# second for "B is from elsewhere".
#
# **Predict:** what happens to the verdict if all types are 0?

# %%
strangers = tokenizer("Anna was hungry.", "Berlin is the capital of Germany.",
                      return_tensors="np")
zeros = {**strangers, "token_type_ids": np.zeros_like(strangers["token_type_ids"])}
for label, each in (("with types ", strangers), ("all types 0", zeros)):
    probs, _ = ops.softmax(model(**each).seq_relationship_logits)    # (B, 2)
    print(label, f"B follows A with probability {probs[0, 0]:.2f}")

# %% [markdown]
# The sentences have nothing to do with each other, and the model knew. Without the
# types it changes its mind. numbert has a list of such bugs, with a name for each. This
# one is A1. `check` uses these names, too.
#
# ## The row of `[PAD]`
#
# Short texts are filled up with `[PAD]`. It means nothing, so its vector should be
# zero.
#
# **Predict:** is it? In a new model, and in the trained one?

# %%
for label, each in (("new    ", new), ("trained", model)):
    table = each.params["bert.embeddings.word_embeddings.weight"]
    lengths = np.linalg.norm(table, axis=1)                  # (V,)
    print(label, f"[PAD] {lengths[0]:.2f}   mean of all rows {lengths.mean():.2f}")

# %% [markdown]
# It starts at zero and grows to a length like any other. Why? The table is used
# *twice*: to look words up, and at the end to score the guesses for a masked word.
#
# The *loss* is one number that says how bad the model's guesses are. A *gradient* holds
# the derivatives of the loss, one for each number of the table. Training moves the
# numbers a little against it, so that the loss falls. One gradient comes from each use
# of the table. We look at both, in a new model.
#
# `labels` holds the right id at each gap, and -100 where there is none. `forward` also
# returns what `backward` needs for the gradients. A `d` in front of a name means the
# gradient with respect to it: `dsum` belongs to the sum of the three rows.

# %%
texts = tokenizer(["The capital of France is [MASK].", "The cow eats [MASK]."],
                  padding=True, return_tensors="np")
answers = [[tokenizer.vocab["paris"]], [tokenizer.vocab["grass"]]]
labels = np.where(texts["input_ids"] == tokenizer.mask_token_id, answers, -100)
trace = numbert.Trace("grad:*embeddings*")
_, saved = new.forward(**texts, labels=labels, next_sentence_label=[0, 0])
grads = new.backward(saved, trace=trace)
dsum = trace["grad:embeddings.sum"]                          # (B, T, C)
row = grads["bert.embeddings.word_embeddings.weight"][0]     # (C,), that of [PAD]
assert (dsum[1, -2:] == 0).all()
print("look-up, 2nd text:", np.linalg.norm(dsum[1], axis=-1).round(2))
print(f"the row of [PAD]:  {np.linalg.norm(row):.4f}")

# %% [markdown]
# The first line has one number for each token. The last two belong to `[PAD]`, and they
# are exactly 0: no real token looks at them. So the look-up teaches the row nothing.
#
# But the row gets a gradient all the same. At each gap, the model must learn that the
# answer is *not* `[PAD]`, and for that it moves the row away. (PyTorch's `padding_idx`
# stops only the gradient of the look-up, so the same happens there.)
#
# **Predict:** does it matter to the other tokens what the row holds? In the trained
# model we make it 100 times as long.

# %%
name = "bert.embeddings.word_embeddings.weight"
louder = words.copy()
louder[tokenizer.pad_token_id] *= 100
loud = numbert.BertForPreTraining(model.config, params={**model.params, name: louder})
before, after = (each(**texts, output_hidden_states=True).hidden_states[-1][1]
                 for each in (model, loud))                  # (T, C) each
for token, x, y in zip(texts.tokens(1), before, after):
    change = np.abs(x - y).max()
    print(f"{token:7} length {np.linalg.norm(x):5.2f}, changes by {change:.2f}")

# %% [markdown]
# The real tokens don't change at all: the mask hides `[PAD]` from them. So the row
# needs no zeros. It needs a mask.
#
# Look at the lengths, too. The *outputs* at the places of `[PAD]` are as long as
# others. People often wonder why. The mask stops others from looking at `[PAD]`, but
# `[PAD]` itself looks at the real tokens. Never use those outputs.
#
# ### Exercise 02.2
#
# A common vector for a sentence is the mean of its tokens' hidden states. Write
# `pool(hidden, mask)`: `hidden` is $(B, T, C)$, `mask` is $(B, T)$ with 1 for real
# tokens, and the result is $(B, C)$. `numbert.embed` does this with `pooling="mean"`.

# %% tags=["exercise"]
def pool(hidden, mask):
    return ...

check("02.2", pool)

# %% tags=["solution"]
def pool(hidden, mask):
    mask = mask[:, :, None]                                  # (B, T, 1)
    return (hidden * mask).sum(1) / mask.sum(1)              # (B, C)

check("02.2", pool)

# %% [markdown]
# ## The gradient of a look-up
#
# Training needs to know how the loss changes with each entry of the table. A look-up
# copies rows: $\text{out}_r = \text{table}[\text{id}_r]$ at place $r$. If row $v$ was
# copied to three places, a change of the row changes all three. So their gradients add
# up, as the chain rule says:
#
# $$\text{dtable}_v = \sum_{r \,:\, \text{id}_r = v} \text{dout}_r$$
#
# ### Exercise 02.3
#
# The text is "Tom loves Anna. Anna loves Tom.", as a pair of sentences, with `[CLS]`
# and `[SEP]`. Every token sends back a gradient that is not zero. How many rows of the
# word table get one?

# %% tags=["exercise"]
count = ...

check("02.3", count)

# %% tags=["solution"]
pair = tokenizer("Tom loves Anna.", "Anna loves Tom.")
count = len(set(pair["input_ids"]))                          # each row once

check("02.3", count)

# %% [markdown]
# Most rows get nothing, and that is why rare words learn slowly. Now in code. Three
# tokens, of which two have the same id.
#
# **Predict** row 3. The first version is what most people write.

# %%
three = np.array([3, 1, 3])                                  # (T,)
dout = np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])  # (T, C)

dtable = np.zeros((5, 2))                                    # (V, C)
dtable[three] += dout
print("with +=:        row 3 is", dtable[3])

dtable = np.zeros((5, 2))
for r, v in enumerate(three):
    dtable[v] += dout[r]
print("one at a time:  row 3 is", dtable[3])
assert np.array_equal(dtable, ops.embedding_backward(dout, (three, (5, 2))))

# %% [markdown]
# `dtable[three] += dout` reads all rows, adds, and writes all rows back. Row 3 is
# written twice, and the second write wipes out the first. No error, no warning: words
# that occur twice just learn less. It is bug G10 of the list.
#
# The loop is right, and numbert gives the same, as the last line asserts. It is
# quicker, since it sorts the places by id and sums each run: read
# `numbert.bert.ops.embedding_backward`. The same rule holds for positions. Every text
# of a batch looks up the same rows, so their gradients are summed over the batch.
#
# ### Exercise 02.4
#
# Write `look_up_backward(dout, ids, V)`: `dout` is $(B, T, C)$, `ids` is $(B, T)$, and
# the result is $(V, C)$.

# %% tags=["exercise"]
def look_up_backward(dout, ids, V):
    return ...

check("02.4", look_up_backward)

# %% tags=["solution"]
def look_up_backward(dout, ids, V):
    dtable = np.zeros((V, dout.shape[-1]), dout.dtype)       # (V, C)
    np.add.at(dtable, ids, dout)                             # adds one by one
    return dtable

check("02.4", look_up_backward)

# %% [markdown]
# ## What you have learnt
#
# * A token's vector is the sum of three rows, and then a LayerNorm.
# * Positions are the only source of order. Rows that training never used are noise.
# * Types tell where the second sentence begins.
# * `[PAD]` is hidden by the mask, not by zeros: neither its row nor its output is zero.
# * The gradient of a look-up sums over all places that looked.
#
# Next: [03 · Attention](03_attention.ipynb), in which the vectors start to talk.
