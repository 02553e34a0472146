# %% [markdown]
# # 07 · Data for pre-training: hidden words and pairs of sentences
#
# *About 50 minutes. You need NumPy, and the idea of a word piece from notebook
# [01](01_wordpiece.ipynb).*
#
# After this notebook you can
#
# * hide words as BERT's authors did: 15 %, and of these 80/10/10;
# * say why a collator holds the number 0.5, and which class means "is next";
# * mask whole words, and cut documents into pairs of sentences;
# * prove with exact bounds that a pipeline does this right, or find what it does wrong.
#
# Such mistakes raise no error. The model trains on wrong data, and is a little worse.

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.testing import masking_report
from numbert.testing.lessons import check
from numbert.testing.masking_report import binomial
from numbert.training import masking
from numbert.world import documents

# %% [markdown]
# ## A picture first
#
# BERT learns from text alone. Some pieces are hidden, and the model must guess them.
# Nobody has to write labels, because the text holds the answers.
#
# We take one sentence and hide pieces of it twelve times.
#
# **Predict before you run:** in how many of the twelve rows will `[CLS]` be hidden? How
# many pieces of each row?

# %%
path = numbert.example_checkpoint("fill-mask")
tokenizer = numbert.BertTokenizer.from_pretrained(path)
vocab = masking.vocabulary(tokenizer)
sentence = tokenizer("Anna lives in Oslo. She is a baker and has a cat.")
ids, tokens = np.array(sentence["input_ids"]), sentence.tokens()
rows = np.tile(ids, (12, 1))                                 # (B, T)
masked, labels = masking.mask_bernoulli(rows, np.random.default_rng(11), vocab)
assert masked.shape == labels.shape == rows.shape
outcome = np.select([labels == -100, masked == vocab.mask_id, masked != rows],
                    [0, 3, 2], default=1)
plots.heat_map(outcome, [f"draw {i}" for i in range(12)], tokens, low=0, high=3,
               said="0 untouched, 1 kept, 2 random, 3 [MASK]")

# %% [markdown]
# `[CLS]` and `[SEP]` are never hidden: there is nothing to learn from them. Every other
# piece is picked with a chance of 15 %. So the rows have different numbers of picked
# pieces, and a row may have none.
#
# Most picked pieces become `[MASK]`, the darkest colour. A few become a random piece. A
# few stay as they are, but are still labels.
#
# ## Three arrays
#
# A training example has two arrays: the ids after masking and the labels. The original
# ids are the third, which the model does not see. A label is the original id where a
# piece was picked. It is -100 elsewhere, and the loss leaves out -100 (see notebook
# [06](06_heads_losses.ipynb)).

# %%
row = int((outcome > 0).sum(1).argmax())                     # the row with most picks
changed = tokenizer.convert_ids_to_tokens(masked[row].tolist())
for token, now, label in zip(tokens, changed, labels[row]):
    said = "" if label == -100 else "   <- picked"
    print(f"{token:8} {now:8} {label:5}{said}")

# %% [markdown]
# ## Why not always `[MASK]`?
#
# A fine-tuned model never sees `[MASK]`. If only `[MASK]` had labels, the model could
# be lazy everywhere else. So BERT's authors split the picked pieces:
#
# * 80 % become `[MASK]`;
# * 10 % become a random piece, so the model may not trust what it reads;
# * 10 % stay, so what it reads is usually right.
#
# The model cannot know which pieces count. It must be ready to name the word at every
# place. Let us see how well our small BERT does, for each kind.
#
# **Predict:** which of the three is the hardest?

# %%
rng = np.random.default_rng(0)
model = numbert.BertForPreTraining.from_pretrained(path)
texts = [" ".join(document) for document in documents(400, seed=1)]
batch = tokenizer(texts, padding=True, return_tensors="np")
truth = batch["input_ids"]                                   # (B, T)
batch["input_ids"], labels = masking.mask_bernoulli(truth, rng, vocab)
guess = model(**batch).prediction_logits.argmax(-1)          # (B, T)
now, picked = batch["input_ids"], labels != -100
kinds = {"[MASK]": now == vocab.mask_id, "kept": now == truth}
for name, where in {**kinds, "random": ~kinds["[MASK]"] & ~kinds["kept"]}.items():
    right = (guess == truth)[picked & where].mean()
    print(f"{name:7} {100 * right:4.0f} % of {np.sum(picked & where)} guessed right")

# %% [markdown]
# A piece that was kept is easiest: the model may copy it, if it fits. Random pieces are
# about as hard as `[MASK]`. The model has noticed that the word does not fit, and names
# the one that does.
#
# ## Are 15 % per token or per sentence?
#
# Ask two programs, and you get two rules:
#
# * Google's code picks a fixed *number* for each row of $T$ tokens, 15 % of $T$,
#   rounded. At least one piece is picked, and at most 20. This is
#   `numbert.training.masking.mask_exact`.
# * The collator of Hugging Face decides for each *token* by itself, as if it threw a
#   coin. This is `numbert.training.masking.mask_bernoulli`.
#
# Both pick 15 % on average. We mask one row of 34 tokens 4,000 times by each rule, and
# count the pieces that are picked.

# %%
long = np.tile(ids[1:-1], 3)[:32]                            # 32 pieces, no [CLS]
long = np.concatenate([[vocab.cls_id], long, [vocab.sep_id]])        # (T,) = (34,)
coins = masking.mask_bernoulli(np.tile(long, (4000, 1)), rng, vocab)[1]
exact = np.stack([masking.mask_exact(long, rng, vocab)[1] for _ in range(4000)])
assert coins.shape == exact.shape == (4000, 34)
number = np.arange(15)
law = [np.exp(binomial.log_mass(k, 32, 0.15, 0.85)) for k in number]
by_rule = {name: np.bincount((x != -100).sum(1), minlength=15)[:15] / 4000
           for name, x in (("a coin for each piece", coins), ("a fixed number", exact))}
plots.curves(number, {**by_rule, "the binomial law": law},
             xlabel="picked pieces in the row", ylabel="share of the rows")

# %% [markdown]
# The fixed number is one spike at 5. The coins give the *binomial law*. It is the law
# of heads among $n$ throws of a coin, which shows heads with probability $p$:
#
# $$P(k) = \binom{n}{k} \, p^k (1 - p)^{n - k}$$
#
# Here $n = 32$ and $p = 0.15$. A short text may get no label at all, which the law
# tells us: $P(0) = 0.85^n$.

# %%
for n in (4, 8, 16, 32):
    short = np.tile(long[1:n + 1], (4000, 1))                # (B, n)
    none = (masking.mask_bernoulli(short, rng, vocab)[1] == -100).all(1).mean()
    print(f"{n:2} pieces: no label in {none:.3f} of the draws, "
          f"and {0.85 ** n:.3f} by the law")
    assert binomial.two_sided(round(4000 * none), 4000, 0.85 ** n, 0.85 ** n) > 1e-6

# %% [markdown]
# A sentence of 8 pieces has no label in a quarter of all draws. If all labels of a
# batch are -100, some programs divide by zero, and the loss is `nan`. In a batch of
# many texts this hardly ever happens.
#
# So the answer is "per token" with one program, and "per sentence" with the other.
#
# ### Exercise 07.1
#
# Write Google's rule. `lengths` is an array of row lengths, `[CLS]` and `[SEP]`
# included. `most` is the limit. Return how many pieces each row gets, as integers.
# Round to the nearest number, a half to the even one, as `round` does.

# %% tags=["exercise"]
def numbers(lengths, most):
    return ...

check("07.1", numbers)

# %% tags=["solution"]
def numbers(lengths, most):
    return np.array([min(most, max(1, round(0.15 * int(x)))) for x in lengths])

check("07.1", numbers)

# %% [markdown]
# ### Exercise 07.2
#
# Now the split. All arrays are `(T,)`. `picked` says which pieces are picked. `draw`
# holds random numbers between 0 and 1, and `other` random pieces. A picked piece
# becomes `[MASK]`, which is 4, if its draw is below 0.8. It becomes `other` below 0.9,
# and else it stays. Return the masked ids and the labels. Do not change `ids` itself.

# %% tags=["exercise"]
def mask(ids, picked, draw, other):
    return ...

check("07.2", mask)

# %% tags=["solution"]
def mask(ids, picked, draw, other):
    masked = np.where(picked & (draw < 0.9), other, ids)
    masked = np.where(picked & (draw < 0.8), 4, masked)
    return masked, np.where(picked, ids, -100)

check("07.2", mask)

# %% [markdown]
# numbert's version is `numbert.training.masking.replace` in
# [numbert/training/masking.py](../numbert/training/masking.py).
#
# ## Why 0.5 in the collator?
#
# Many programs draw twice. The first draw picks the 80 % for `[MASK]`. The second
# decides about the rest. People expect 0.1 there, and find 0.5. Is it a bug?
#
# **Predict** the three shares with 0.1, and with 0.5, before you run.

# %%
def two_draws(n, second):
    to_mask = rng.random(n) < 0.8
    to_random = ~to_mask & (rng.random(n) < second)
    return to_mask.mean(), to_random.mean(), 1 - to_mask.mean() - to_random.mean()

n, asked = 20000, (0.8, 0.1, 0.1)
low, high = np.array([binomial.bounds(n, p, p, 1e-6) for p in asked]).T / n
names = ["[MASK]", "random", "kept"]
plots.shares([*two_draws(n, 0.5), *two_draws(n, 0.1)], asked * 2, [*low, *low],
             [*high, *high], [f"{second}: {name}" for second in (0.5, 0.1)
                              for name in names])

# %% [markdown]
# The second draw sees only the 20 % that are left. Half of 20 % is 10 %, so 0.5 is
# right. With 0.1 only 2 % become random, and 18 % stay. The bar shows where the share
# lies when the program is right. By chance alone it lies outside once in a million
# times.
#
# ### Exercise 07.3
#
# A colleague wants other shares. Of the picked pieces, `to_mask` should become `[MASK]`
# and `to_random` a random piece. Which probability does the second draw need?

# %% tags=["exercise"]
def second_draw(to_mask, to_random):
    return ...

check("07.3", second_draw)

# %% tags=["solution"]
def second_draw(to_mask, to_random):
    return to_random / (1 - to_mask)

check("07.3", second_draw)

# %% [markdown]
# ## Whole words
#
# A rare word has many pieces. If one piece is hidden, its neighbours give it away. The
# guess is then about spelling, and not about meaning. Later BERTs hide whole words.

# %%
name = tokenizer("Nadja Kovalenko lives in Oslo.")
pieces = name.tokens()
rows = np.tile(name["input_ids"], (10, 1))                   # (B, T)
drawings = [(masking.mask_bernoulli(rows, np.random.default_rng(2), vocab, 0.3,
                                    whole_word=whole)[1] != -100).astype(float)
            for whole in (False, True)]
plots.heat_map(np.concatenate(drawings), [f"{kind} {i}" for kind in
           ("pieces", "words") for i in range(10)], pieces, said="1 is picked")

# %% [markdown]
# In the upper half each piece has a coin of its own. In the lower half each *word* has
# one. Its first piece throws it, and the pieces that begin with `##` follow.
#
# Which pieces are one word is for the tokenizer to say. Here "don't" is three words.
# The recent collator of Hugging Face goes by what touches in the text, so it takes it
# for one.
#
# ### Exercise 07.4
#
# `drawn` says for each piece what its coin shows, and `continues` whether it begins
# with `##`. Both are `(T,)`. Return which pieces are picked, if the first piece of each
# word decides.

# %% tags=["exercise"]
def whole_words(drawn, continues):
    return ...

check("07.4", whole_words)

# %% tags=["solution"]
def whole_words(drawn, continues):
    word = np.cumsum(~continues) - 1                         # (T,)
    return drawn[~continues][word]

check("07.4", whole_words)

# %% [markdown]
# ## Pairs of sentences
#
# BERT's second task is about two texts. Does text B follow text A? In about half of the
# pairs it does. In the others B is taken from another document, at random.
#
# **Predict:** which label means "B follows A", 0 or 1?

# %%
corpus = [[tokenizer.encode(line, add_special_tokens=False) for line in document]
          for document in documents(300)]
pairs = masking.next_sentence_pairs(corpus, rng, max_length=32)
for pair in pairs[:6]:
    a, b = tokenizer.batch_decode([pair.a, pair.b])
    print(pair.next_sentence_label, a, "|", b)

# %% [markdown]
# **0 means that B follows A**, and 1 that B is random. It is the other way round than
# most people guess. Read it as the number of a class, and not as yes or no. A
# checkpoint of BERT has this order in its weights. With labels turned round, a
# fine-tuned model first has to unlearn what it knows.
#
# ### Exercise 07.5
#
# A model returns two logits for each pair, `(B, 2)`. Return the probability that B
# follows A, `(B,)`.

# %% tags=["exercise"]
def follows(logits):
    return ...

check("07.5", follows)

# %% tags=["solution"]
def follows(logits):
    exps = np.exp(logits - logits.max(1, keepdims=True))     # (B, 2)
    return exps[:, 0] / exps.sum(1)

check("07.5", follows)

# %%
for b in ("She is a baker.", "Mice like to eat cheese."):
    pair = tokenizer("Anna lives in Oslo.", b, return_tensors="np")
    logits = model(**pair).seq_relationship_logits           # (1, 2)
    share = 1 / (1 + np.exp(logits[0] @ [-1, 1]))
    print(f"{b:25} follows with probability {share:.2f}")

# %% [markdown]
# ## Half of the pairs?
#
# Google's code throws a fair coin for each pair. So half of the labels should be 0. Let
# us count, for several lengths.

# %%
joined = [sum(corpus[i:i + 30], []) for i in range(0, 300, 30)]      # 10 documents
for name, texts in (("short", corpus), ("long", joined)):
    for length in (8, 16, 32, 64):
        found = masking.next_sentence_pairs(texts, rng, length, short_probability=0)
        share = np.mean([pair.next_sentence_label == 0 for pair in found])
        print(f"{name:5} documents, at most {length:2} tokens: B follows A in "
              f"{100 * share:2.0f} % of {len(found)} pairs")

# %% [markdown]
# It is *less* than half. The program collects sentences until a row is full, and cuts
# them into A and B. If there is only one sentence, nothing is left for B, and B must be
# random. This is the rule if a row has room for one sentence only. It also happens at
# the end of each document, and our documents are short. Long documents in long rows
# come near 50 %. The 54 % are chance, for 180 pairs are few. A test that insists on
# 50 % would call Google's own code wrong.
#
# ## Prove that it is right
#
# Somebody hands you masked data. Is 14.1 % instead of 15 % a bug, or chance? The
# binomial law answers. A right program lies outside of these bounds once in a million
# times.

# %%
for n in (100, 1000, 10000, 100000, 1000000):
    least, most = binomial.bounds(n, 0.15, 0.15, 1e-6)
    print(f"{n:9,} pieces: {100 * least / n:5.2f} % to {100 * most / n:5.2f} % picked")

# %% [markdown]
# With 1,000 pieces 14.1 % is nothing special. With 100,000 it is a bug. The width falls
# with the root of $n$: a hundred times as much data shows a difference a tenth as
# large.
#
# The bounds are exact: each is a sum of terms of the law. The usual approximation by a
# bell curve fails far out in the tails, by orders of magnitude.
#
# `numbert.testing.masking_report` makes 22 such checks. What must never happen is
# counted, and once is enough. What is left to chance is compared with exact bounds.

# %%
rows = [masking.pair_inputs(pair, vocab)["input_ids"] for pair in pairs]
rules = masking_report.rules_of(tokenizer)
right = [(row, *masking.mask_bernoulli(row, rng, vocab)) for row in rows]
report = masking_report.check_masking(right, rules)
print(report.verdict)
for found in report.checks:
    if found.verdict != "not checked":
        print(f"{found.title:35} {found.observed}")
plots.masking_histogram(report)

# %% [markdown]
# These are the checks that apply here. In the picture each dot is a share, and the grey
# band is what chance explains.
#
# Here are three pipelines as colleagues write them. Each has one mistake.
#
# **Predict:** what will the report find in each of them?

# %%
def one_coin(ids):                                           # may pick any token
    return masking.replace(ids, rng.random(len(ids)) < 0.15, rng, vocab)

def two_coins(ids):                                          # 0.1 in the second draw
    return masking.mask_bernoulli(ids, rng, vocab, to_random=0.02)

def in_place(ids):                                           # labels copied too late
    masked, labels = masking.mask_bernoulli(ids, rng, vocab)
    return masked, np.where(labels == -100, -100, masked)

# %%
for pipeline in (one_coin, two_coins, in_place):
    made = [(row, *pipeline(row)) for row in rows]
    report = masking_report.check_masking(made, rules)
    for found in report.checks:
        if found.verdict == "wrong":
            print(f"{pipeline.__name__}: {found.title}: {found.observed}.\n"
                  f"    Likely: {found.likely}.")

# %% [markdown]
# The report names the mistake, although it sees only the ids before and after. You can
# give it the data of any pipeline: `numbert verify-masking data.jsonl --tokenizer
# FOLDER` reads it from a file.
#
# ## Once, or anew in each epoch?
#
# Google's code masked the corpus ten times and saved it. Today most programs mask each
# batch when it is read, so the model rarely sees the same mask twice. In numbert
# `numbert.training.masking.masking_collate` does so, or
# `numbert.DataCollatorForLanguageModeling` under the name that you may know. A common
# bug is a generator that starts anew in each epoch: then all epochs have the same
# masks.
#
# ## What you have learnt
#
# * 15 % of the pieces are picked, by a coin for each or by a number for each row.
# * Of these 80 % become `[MASK]`, 10 % a random piece, and 10 % stay. All are labels.
# * The 0.5 of the collator is half of the 20 % that are left.
# * The label 0 means that B follows A. In short documents less than half have it.
# * Exact bounds tell a bug from chance, and say how much data you need.
#
# Next: [08 · Backward by hand](08_backward.ipynb). Notebook [09](09_training.ipynb)
# trains a model on such data.
