# %% [markdown]
# # 00 · Set-up and shapes: one sentence through BERT
#
# *About 20 minutes; the first result takes two. You need Python, and you should know
# what a NumPy array and its shape are.*
#
# After this notebook you can
#
# * run BERT on a sentence, and say what goes in and what comes out;
# * read the letters in every shape of this course, such as $(B, T, C)$;
# * look at any number inside the model with a trace;
# * find the notebook that answers your question.
#
# `make notebooks`, typed in numbert's folder, opens this page so that you can run it.
# Run each cell with *Shift + Enter*, from top to bottom. Nothing is downloaded: small
# trained models come with numbert, so every cell runs without a network.

# %% [markdown]
# ## What is BERT?
#
# BERT is a function. It takes a text and returns a list of numbers for each word, which
# says what the word means in this text. Search engines compare such lists. Other
# programs use them to classify texts, to find names or to answer questions.
#
# The function is a *neural network*: formulas with many numbers in them, the
# *parameters*. Nobody chose these numbers. They start at random, and *training* changes
# them a little, again and again, until the guesses on many texts become good. Google
# published BERT in 2018 ([Devlin et al. 2019](https://arxiv.org/abs/1810.04805)). We
# call this "the paper".
#
# ## A first result
#
# BERT learnt English by filling gaps. Someone hides a word behind `[MASK]`, and BERT
# guesses it.
#
# **Predict before you run:** which word is hidden here, and how sure would you be?

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.testing.lessons import check

fill = numbert.pipeline("fill-mask")
guesses = fill("The capital of France is [MASK].")
plots.scores({guess["token_str"]: guess["score"] for guess in guesses},
             xlabel="probability", title="The capital of France is [MASK].")

# %% [markdown]
# Each bar is a probability that the model gives to one word. The other guesses are
# cities too, so it knows which *kind* of word is missing.
#
# This model is tiny. It has half a million parameters; the smaller BERT of the paper,
# BERT base, has 110 million. It has read about a small made-up world and knows nothing
# else. But it is built from the same formulas, and was trained on the same two tasks:
# to fill gaps, and to say whether one sentence follows another.
#
# Try sentences of your own. Short ones about cities, days, animals and jobs work best.

# %%
for text in ("The cow eats [MASK].", "Monday comes before [MASK].",
             "The [MASK] of France is Paris."):
    best = [f"{guess['token_str']} {guess['score']:.2f}" for guess in fill(text)[:3]]
    print(f"{text:32}", "   ".join(best))

# %% [markdown]
# ## Where the code is
#
# numbert is a folder of plain Python files. They need NumPy to compute, and no other
# library does the work behind your back. Here is the folder, seen from this notebook:

# %%
from pathlib import Path
import os

folder = Path(numbert.__file__).parent
print(os.path.relpath(folder))
for room in ("bert", "tokenization", "models", "training", "verify"):
    assert (folder / room).is_dir()

# %% [markdown]
# | folder | what it holds |
# |---|---|
# | [numbert/bert](../numbert/bert) | the mathematics: formulas and their gradients |
# | [numbert/tokenization](../numbert/tokenization) | from text to numbers |
# | [numbert/models](../numbert/models) | the nine model classes |
# | [numbert/training](../numbert/training) | optimisers, masking, the training loop |
# | [numbert/verify](../numbert/verify) | checks for other people's BERTs |
#
# These notebooks import that code and never copy it. We derive a formula in a few
# lines, then compare our numbers with those of numbert.

# %% [markdown]
# ## From a text to numbers
#
# The pipeline hid three steps: a *tokenizer*, a *model* and a *choice*. Let us take
# them one by one. A tokenizer cuts a text into *tokens*: words, parts of words, and
# punctuation marks. It knows a fixed list of them, the *vocabulary*. Each token gets
# its number in that list, its *id*.
#
# A *checkpoint* is a folder with the files of one trained model. We take the one that
# the pipeline has used.

# %%
path = numbert.example_checkpoint()
tokenizer = numbert.BertTokenizer.from_pretrained(path)
text = "The capital of France is [MASK]."
batch = tokenizer(text, return_tensors="np")
tokens, ids = batch.tokens(), batch["input_ids"]             # ids (B, T)
for token, number in zip(tokens, ids[0]):
    print(f"{number:5}  {token}")
assert ids.shape == (1, 9)

# %% [markdown]
# Two tokens were not in the text. `[CLS]` opens every text and `[SEP]` ends it. The
# words have lost their capitals, because this BERT is *uncased*.
#
# The array `ids` has the shape $(B, T)$: a *batch* of $B$ texts with $T$ tokens each.
# Here $B = 1$ and $T = 9$. `batch` is a dictionary with two more arrays of this shape.
# You will meet `attention_mask` below, and `token_type_ids` in notebook
# [02](02_embeddings.ipynb).
#
# ### Exercise 00.1
#
# This is how exercises work: put your answer in place of `...` and run the cell.
# `check` says whether it is right. If it is not, `check` names the mistake if it
# knows it. Try as often as you like.
#
# How many tokens does the sentence "Tom is a footballer." have? Count all that the
# model sees. The vocabulary has *football* but not *footballer*, which is cut in two.

# %% tags=["exercise"]
T = ...

check("00.1", T)

# %% tags=["solution"]
T = len(tokenizer.tokenize("Tom is a footballer.")) + 2      # [CLS] and [SEP]

check("00.1", T)

# %% [markdown]
# ## Through the model
#
# The model turns each id into a list of $C$ numbers, a *vector*. It then changes these
# vectors in several *layers*, each of which computes new vectors from those before. At
# the end, every place gets a score for each word of the vocabulary.
#
# `model(**batch)` passes the three arrays to the model by their names. With `float64`
# it computes with about 16 digits, rather than the usual 7.

# %%
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")
logits = model(**batch).prediction_logits                    # (B, T, V)
print("ids   ", ids.shape)
print("logits", logits.shape)
assert logits.shape == (1, 9, 1600)

# %% [markdown]
# A *logit* is a score that may be any number. We have one text, nine tokens, and for
# each token 1,600 scores, one for each entry of the vocabulary. Which place holds the
# guess for `[MASK]`? The place of `[MASK]` itself.
#
# The highest score wins. To make probabilities of the scores, take $e$ to the power of
# each, so that all are positive. Then divide by their sum.

# %%
place = tokens.index("[MASK]")
best = logits[0, place].argmax()
print("place", place, "-> id", best, "->", tokenizer.convert_ids_to_tokens([best])[0])

weights = np.exp(logits[0, place] - logits[0, place].max())  # (V,)
probability = weights / weights.sum()                        # they sum to 1
print("probability", probability[best].round(2))

# %% [markdown]
# That is the pipeline's answer, and its probability. The two lines for `weights` and
# `probability` are a *softmax*: it turns scores into shares that sum to 1. Why is the
# largest score subtracted first? It divides all weights by the same number, so the
# shares stay the same. But $e^{1000}$ would be too large for a computer.
#
# You will meet the softmax in half of the notebooks. numbert's own is
# `numbert.bert.ops.softmax`.

# %% [markdown]
# ### Exercise 00.2
#
# Write `fill_gaps(logits, ids, mask_id)` for one text: `logits` is $(T, V)$ and `ids`
# is $(T,)$. Return the ids that the model puts in place of `mask_id`, in order. There
# may be several gaps.

# %% tags=["exercise"]
def fill_gaps(logits, ids, mask_id):
    return ...

check("00.2", fill_gaps)

# %% tags=["solution"]
def fill_gaps(logits, ids, mask_id):
    return logits[ids == mask_id].argmax(-1)                 # one id for each gap

check("00.2", fill_gaps)

# %% [markdown]
# ## The whole model on one page
#
# This picture was drawn from a run of our sentence. Data flows from top to bottom, and
# from left to right. Each box is a step, with its shape in letters and in numbers.
#
# You need not understand the boxes yet: notebooks 02 to 06 explain them one by one.
#
# **Look for** the one place where a token learns something about other tokens. Its
# shapes are the only ones with two axes of tokens.

# %%
plots.data_flow(model, batch)

# %% [markdown]
# It is the *attention*, in blue: its scores compare $T$ tokens with $S$ tokens. Each
# token looks at all tokens, and collects something from those that matter to it. This
# happens several times side by side, in $N$ *heads*.
#
# The other boxes treat each token by itself. (The pooler reads only the first one,
# `[CLS]`.) The middle two columns are one layer. They are gone through three times,
# each time with other parameters.
#
# | letter | what it counts | here | BERT base |
# |---|---|---|---|
# | $B$ | texts in a batch | 1 | up to you |
# | $T$ | tokens that look (queries) | 9 | at most 512 |
# | $S$ | tokens that are looked at (keys) | 9 | at most 512 |
# | $C$ | numbers for each token, the hidden size | 96 | 768 |
# | $N$ | attention heads | 4 | 12 |
# | $D$ | numbers for each head, $C / N$ | 24 | 64 |
# | $F$ | numbers in the middle of the feed-forward step | 384 | 3072 |
# | $V$ | entries of the vocabulary | 1,600 | 30,522 |
# | $L$ | layers | 3 | 12 |
#
# The letters are the same in the code: see the top of
# [numbert/bert/ops.py](../numbert/bert/ops.py). The model's settings hold the numbers:

# %%
config = model.config
B, T = ids.shape
C, N, F = config.hidden_size, config.num_attention_heads, config.intermediate_size
V, L = config.vocab_size, config.num_hidden_layers
D = C // N
print("B, T =", (B, T), "  C, N, D =", (C, N, D), "  F, V, L =", (F, V, L))
assert (C, N, D, F, V, L) == (96, 4, 24, 384, 1600, 3) and C == N * D

# %% [markdown]
# ### Exercise 00.3
#
# Read four shapes from the picture. Return a dictionary with tuples in terms of the
# letters. The keys are `"hidden"` (what a layer returns), `"probs"` (of attention),
# `"intermediate"` and `"logits"` (of `predictions.out`). A text looks at itself, so
# $S = T$.

# %% tags=["exercise"]
def shapes(B, T, C, N, F, V):
    return ...

check("00.3", shapes)

# %% tags=["solution"]
def shapes(B, T, C, N, F, V):
    return {"hidden": (B, T, C), "probs": (B, N, T, T),
            "intermediate": (B, T, F), "logits": (B, T, V)}

check("00.3", shapes)

# %% [markdown]
# ## Looking inside: a first trace
#
# Every box of the picture has a name, and its numbers can be recorded. Make a
# `numbert.Trace` with one or more patterns, in which `*` stands for any text. Pass it
# to a call. It changes nothing in the model. You may leave out `bert.` at the start of
# a name.

# %%
trace = numbert.Trace("*embeddings*", "*layer.0.attention.self*")
model(**batch, trace=trace)
for name, array in trace.items():
    print(f"{name:46} {array.shape}")
probs = trace["encoder.layer.0.attention.self.probs"]
assert probs.shape == (B, N, T, T)
assert trace["encoder.layer.0.attention.self.query"].shape == (B, T, C)

# %% [markdown]
# How did the model find *paris*? The gap must have looked at other tokens. In each
# head, `probs` has a row for each token that looks. The row says how much it looks at
# each token, in shares that sum to 1.
#
# **Predict:** which two tokens does the gap need to look at?

# %%
trace = numbert.Trace("*self.probs")
model(**batch, trace=trace)
looks = [probs[0, head, place] for probs in trace.values() for head in range(N)]
names = [f"layer {layer}, head {head}" for layer in range(L) for head in range(N)]
plots.heat_map(looks, names, tokens, low=0, high=1, said="probability",
               title="where [MASK] looks")

# %% [markdown]
# Nobody told the model, but it looks at *capital* and *france*. In layer 0 three heads
# look at fixed places: two tokens ahead, one back, and one ahead. Later layers look for
# what matters. Notebook [03](03_attention.ipynb) explains how a head does this.

# %% [markdown]
# ## Two texts at once
#
# Texts of a batch must have the same length, so the shorter one is filled up with
# `[PAD]`. `attention_mask` says which tokens are real: 1 is real, 0 is padding.

# %%
texts = ["Anna lives in Oslo.", "Tom eats."]
pair = tokenizer(texts, padding=True, return_tensors="np")
print(pair["input_ids"])
print(pair["attention_mask"])
print(pair.tokens(1))
out = model(**pair)
assert out.prediction_logits.shape == (2, 7, V)              # B = 2

# %% [markdown]
# ## Why do outputs change between calls?
#
# Many people ask this when they first use BERT in another library. The reason is
# *dropout*. During training, some of the model's numbers are set to zero, chosen at
# random each time, so that it doesn't rely on any one. A model that was left in
# training mode keeps doing so.
#
# numbert has no such mode. Dropout happens if, and only if, you pass a random
# generator as `rng`, or a number, the *seed*, from which one starts.

# %%
def guess(**options):
    return model(**batch, **options).prediction_logits

print("called twice, alike:       ", np.array_equal(guess(), guess()))
print("with dropout, alike:       ", np.array_equal(guess(rng=0), guess(rng=1)))
print("with the same seed, alike: ", np.array_equal(guess(rng=0), guess(rng=0)))

# %% [markdown]
# ## The map of the course
#
# | | notebook | the question it answers |
# |---|---|---|
# | 01 | [WordPiece](01_wordpiece.ipynb) | How does a text become tokens? |
# | 02 | [Embeddings](02_embeddings.ipynb) | How does a token become a vector? |
# | 03 | [Attention](03_attention.ipynb) | How does a word look at other words? |
# | 04 | [LayerNorm and GELU](04_layernorm_gelu.ipynb) | What keeps the numbers tame? |
# | 05 | [The encoder](05_encoder_trace.ipynb) | How do the parts make a layer? |
# | 06 | [Heads and losses](06_heads_losses.ipynb) | What is the output for? And -100? |
# | 07 | [MLM and NSP data](07_mlm_nsp_data.ipynb) | What does BERT learn from? |
# | 08 | [Backward by hand](08_backward.ipynb) | How do gradients flow back? |
# | 09 | [Training](09_training.ipynb) | How does the loss go down? |
# | 10 | [Fine-tuning](10_finetuning.ipynb) | How do I teach it my task? |
# | 11 | [A decoder](11_decoder.ipynb) | Can BERT write? |
# | 12 | [Precision](12_precision.ipynb) | How many digits are right? |
# | 13 | [Properties](13_properties.ipynb) | How do I test such a program? |
# | 14 | [Debugging a port](14_debug_a_port.ipynb) | My BERT is wrong: where? |
# | 16 | [Reading a trained BERT](16_reading_bert.ipynb) | What has it learnt? |
#
# Go from 01 to 06 in order. Then choose: 07 to 10 train models, 11 writes text, 12 to
# 14 test programs, and 16 looks inside a trained model.
#
# Each notebook has exercises. Later cells never need your answers, so you may leave one
# open and go on. Solutions are in the folder [solutions](solutions).

# %% [markdown]
# ## What you have learnt
#
# * A tokenizer turns a text into ids, $(B, T)$.
# * The model turns ids into vectors, $(B, T, C)$, and at the end into logits,
#   $(B, T, V)$.
# * Only attention mixes tokens: its `probs` are $(B, N, T, S)$.
# * A trace shows any step by its name, and outputs vary only if you ask for dropout.
#
# Next: [01 · WordPiece by hand](01_wordpiece.ipynb).
