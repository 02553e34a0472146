# %% [markdown]
# # 06 · Nine heads and their losses: what BERT is asked, and which answers count
#
# *About 60 minutes. You need notebook [05](05_encoder_trace.ipynb), or the idea that BERT
# gives a state for each token; and the softmax of notebook [03](03_attention.ipynb).*
#
# After this notebook you can
#
# * say for each model class what it reads, what it puts out, and which labels it wants;
# * compute a loss with ignored labels, and divide it by the right number;
# * find the bias of the decoder, and say which class of a sentence pair is "next";
# * tell a loss that is stuck from one that has just begun to fall.
#
# The letters are $B$ texts, $T$ tokens, $C$ numbers in a state, $V$ word pieces, $K$
# classes and $M$ choices. $R$ is the number of rows that have a label.

# %%
import numpy as np
import numbert
from numbert import plots
from numbert.bert import losses, ops
from numbert.testing.lessons import check

path = numbert.example_checkpoint()
tokenizer = numbert.BertTokenizer.from_pretrained(path)
model = numbert.BertForPreTraining.from_pretrained(path, dtype="float64")

# %% [markdown]
# ## One backbone, nine classes
#
# The backbone gives a state $(B, T, C)$. The *pooler* makes one vector $(B, C)$ of the
# first state, that of `[CLS]`. A head is little more than one linear layer on top of
# these. It looks at each token, or at the text as a whole:
#
# | it looks at | class | the question | scores |
# |---|---|---|---|
# | each token | `BertForMaskedLM` | which word is hidden here? | $(B, T, V)$ |
# | | `BertLMHeadModel` | which word comes next? | $(B, T, V)$ |
# | | `BertForTokenClassification` | what kind of token is it? | $(B, T, K)$ |
# | | `BertForQuestionAnswering` | does the answer start, or end, here? | $(B, T)$, twice |
# | the text | `BertForSequenceClassification` | what kind of text is it? | $(B, K)$ |
# | | `BertForNextSentencePrediction` | does B follow A? | $(B, 2)$ |
# | | `BertForMultipleChoice` | how good is this choice? | $(B, M)$ |
# | both | `BertForPreTraining` | hidden words, and the order | two of these |
# | neither | `BertModel` | none: it has no head | the states |
#
# Each class of numbert has a list: which output does the loss compare with which labels,
# and how much does it count? (`BertLMHeadModel` has the last section for itself.)

# %%
for name in ("MaskedLM", "TokenClassification", "QuestionAnswering", "MultipleChoice",
             "SequenceClassification", "NextSentencePrediction", "PreTraining"):
    for term in getattr(numbert, f"BertFor{name}").terms:
        print(f"{name:22} {term.weight} * loss({term.output}, {term.labels})")

# %% [markdown]
# ## Almost every loss is the same one
#
# The model gives a probability to each class. The label says which one is right. The loss
# is the surprise: minus the logarithm of the probability that the right class got.
#
# $$\text{loss} = -\log p_{\text{label}} \qquad
# p_k = \frac{e^{\text{logits}_k}}{\sum_j e^{\text{logits}_j}}$$
#
# **Predict:** how much does it cost to be sure, and wrong? What does the curve look like
# near 0?

# %%
p = np.linspace(0.005, 1, 200)
plots.curves(p, {"-log p": -np.log(p)}, xlabel="probability of the right class",
             ylabel="loss")

# %% [markdown]
# Sure and right costs nothing. Sure and wrong has no upper limit. This is called
# *cross-entropy*. In code we need no softmax, since the logarithm takes it apart:
# $-\log p_k = \log \sum_j e^{\text{logits}_j} - \text{logits}_k$.
#
# ## What is -100?
#
# Here is a text with one hidden word. There is a label for each token, but only one of
# them is a question. All the others are -100, which means: *nothing is asked here*.
# No class has this number, so it can't be confused with one. It is the default of
# PyTorch's cross-entropy. The oldest BERT for PyTorch has -1.

# %%
batch = tokenizer("The capital of Japan is [MASK].", return_tensors="np")
tokens, ids = batch.tokens(), batch["input_ids"]             # ids (B, T)
labels = np.full(ids.shape, -100)                            # (B, T)
place, tokyo = tokens.index("[MASK]"), tokenizer.convert_tokens_to_ids("tokyo")
labels[0, place] = tokyo
logits = model(**batch).prediction_logits                    # (B, T, V)
assert logits.shape == (1, 9, 1600) and labels.shape == ids.shape == (1, 9)
row = logits[0, place]                                       # (V,)
mine = np.log(np.exp(row).sum()) - row[tokyo]
theirs, saved = losses.cross_entropy(logits, labels)
print(f"loss {mine:.4f}, difference from numbert {abs(mine - theirs):.0e}")
assert abs(mine - theirs) < 100 * np.finfo(float).eps * np.abs(row).max()

# %% [markdown]
# `numbert.bert.losses.cross_entropy`, in
# [numbert/bert/losses.py](../numbert/bert/losses.py), leaves ignored labels out of the sum,
# and also out of the number that it divides by. They get no gradient either.
#
# **Predict** what two mistakes do to the loss. In the first, every token has a label, as
# nobody wrote -100. In the second, the sum is divided by all $T$ tokens.

# %%
everything = np.where(labels == -100, ids, labels)           # (B, T)
print("only the hidden word: ", round(float(theirs), 4))
print("every token a label:  ", losses.cross_entropy(logits, everything)[0].round(4))
print("divided by all tokens:", round(float(theirs) / labels.size, 4))
each = -losses.log_softmax(logits)[0, np.arange(9), everything[0]]    # (T,)
print("loss of each token:", *(f"{t} {x:.1f} " for t, x in zip(tokens, each)))
gradient = losses.cross_entropy_backward(1.0, saved)         # (B, T, V)
asked = np.abs(gradient).sum(-1) > 0                         # (B, T)
print("tokens with a gradient:", [t for t, used in zip(tokens, asked[0]) if used])

# %% [markdown]
# The second mistake makes the loss smaller, by a factor that changes with the length of
# the text. The first one mixes in questions that are none. The words that the model can
# see cost it nothing: it copies them. `[CLS]` and `[SEP]` cost much, as it was never asked
# to name them. Train like this, and the loss will soon be tiny: the model learns to copy.
#
# **One trap remains.** Two batches have 1 and 5 labels. Is the mean of their two losses
# the loss of all 6 labels?

# %%
rng = np.random.default_rng(0)
small, large = rng.normal(size=(1, 9)), rng.normal(size=(5, 9)) * 4   # logits (R, K)
one, five = rng.integers(9, size=1), rng.integers(9, size=5)          # labels (R,)
both = losses.cross_entropy(np.concatenate([small, large]), np.concatenate([one, five]))
parts = [losses.cross_entropy(small, one)[0], losses.cross_entropy(large, five)[0]]
print(f"mean of two means {np.mean(parts):.2f}, mean of six {both[0]:.2f}")
right = [losses.cross_entropy(small, one, count=6)[0],
         losses.cross_entropy(large, five, count=6)[0]]
print(f"each divided by six, then added: {sum(right):.2f}")
print("no label at all:", losses.cross_entropy(small, np.array([-100]))[0])

# %% [markdown]
# It is not. Whoever computes a large batch in parts must divide each part by the number
# of *all* labels. In numbert this is the argument `label_totals` of every model. A batch
# without any label has the loss 0 / 0, which is `nan`, as in PyTorch.
#
# ### Exercise 06.1
#
# Write `masked_loss(logits, labels)` for `logits` $(B, T, V)$ and `labels` $(B, T)$. Label 0
# is a class like any other.

# %% tags=["exercise"]
def masked_loss(logits, labels):
    return ...

check("06.1", masked_loss)

# %% tags=["solution"]
def masked_loss(logits, labels):
    used = labels != -100                                    # (B, T)
    rows, right = logits[used], labels[used]                 # (R, V), (R,)
    highest = rows.max(-1, keepdims=True)                    # exp can't overflow
    total = highest[:, 0] + np.log(np.exp(rows - highest).sum(-1))    # (R,)
    return (total - rows[np.arange(len(right)), right]).mean()

check("06.1", masked_loss)

# %% [markdown]
# ## Masked words: where is the decoder bias?
#
# The head that guesses words has two steps. First a *transform*: a dense layer, GELU and
# LayerNorm. Then the *decoder* compares the result $h$ with the embedding of every word
# piece, and adds a bias:
#
# $$\text{logits} = h E^\top + b$$
#
# $E$ is the table of word embeddings itself, $(V, C)$. It is used twice: to look words up,
# and to score them. This is called *tying*. The bias $b$, $(V,)$, has no table to hide in.
# People look for it at `cls.predictions.decoder.bias`, and don't find it there.

# %%
weights, trace = model.params, numbert.Trace("cls.predictions.*")
logits = model(**batch, trace=trace).prediction_logits       # (B, T, V)
h = trace["cls.predictions.transform.out"]                   # (B, T, C)
table = weights["bert.embeddings.word_embeddings.weight"]    # (V, C)
bias = weights["cls.predictions.bias"]                       # (V,)
error, bound = np.abs(h @ table.T + bias - logits).max(), 100 * np.finfo(float).eps
print(f"error {error:.0e}, bound {bound * np.abs(logits).max():.0e}")
print("other names:", *(f"\n  {x}\n    is {y}" for x, y in model.aliases.items()))
names = tokenizer.convert_ids_to_tokens(np.argsort(bias).tolist())
print("largest bias:", *names[:-9:-1])
print("smallest bias:", *names[:8])

# %% [markdown]
# In a checkpoint the bias is called `cls.predictions.bias`; `decoder.bias` is only another
# name for it. A new model has zeros there, so a port can drop it and no test on a new model
# will notice. But look at what it has learnt. Mostly, large numbers belong to frequent
# pieces. Small ones belong to pieces that are rarely asked for, or never, such as `[SEP]`.
#
# ## "My loss is stuck near 7"
#
# A new model guesses evenly, so each piece gets $1 / V$, and the loss is about $\log V$.
# That is 7.4 here, and 10.3 for BERT's 30,522 pieces. The first thing that a model learns
# is how frequent each piece is. For this it needs no more than that bias.
#
# **Predict** how much of the way from a new model to a trained one that is. We measure it
# on sentences that the trained model has never seen.

# %%
from numbert.training.masking import mask_bernoulli, vocabulary
from numbert.world.corpus import documents
seen = tokenizer([" ".join(lines) for lines in documents(1500)])["input_ids"]
counts = np.bincount(np.concatenate(seen), minlength=1600) + 1        # (V,)
texts = [" ".join(lines) for lines in documents(60, "held-out")]
unseen = dict(tokenizer(texts, padding=True, return_tensors="np"))
unseen["input_ids"], words = mask_bernoulli(
    unseen["input_ids"], np.random.default_rng(0), vocabulary(tokenizer))  # (B, T) each
new = numbert.BertForPreTraining(model.config, rng=0, dtype="float64")
guesses = {"a new model": new(**unseen).prediction_logits,            # (B, T, V)
           "frequencies only": np.broadcast_to(np.log(counts), (*words.shape, 1600)),
           "the trained model": model(**unseen).prediction_logits}

# %%
plots.scores({name: losses.cross_entropy(x, words)[0] for name, x in guesses.items()},
             reference={"log V": np.log(1600)}, xlabel="loss of hidden words")

# %% [markdown]
# The new model is a little worse than even guesses, as its scores are random. Knowing
# frequencies brings the loss from above 7 to below 6, without a look at the text.
# In real English, with BERT's vocabulary, the same stage lies near 7. So a loss that stays
# near 7 says: *the model knows which words are frequent, and does not use the context*.
#
# Often it is just too early: the step from words to context takes thousands of updates. If it
# never comes, look for a learning rate that is too high, a missing warm-up, or labels that
# don't belong to their inputs.
#
# ## Sentence pairs: which class is "next"?
#
# The second task of pre-training shows two sentences, A and B. Did B follow A in the text,
# or was it drawn at random? There are two classes, 0 and 1.
#
# **Predict:** which of the two means "B follows A"?

# %%
pairs = {"The street is wet.": "It rains.", "She is a baker.": "Anna lives in Oslo.",
         "It is a sharp knife.": "It rains.", "The sky is blue.": "Anna lives in Oslo."}
for b, a in pairs.items():
    found = model(**tokenizer(a, b, return_tensors="np"))
    scores = found.seq_relationship_logits                   # (B, 2)
    assert scores.shape == (1, 2)
    print(f"{a:20} {b:21} class 0: {ops.softmax(scores)[0][0, 0]:.2f}   "
          f"class 1: {ops.softmax(scores)[0][0, 1]:.2f}")

# %% [markdown]
# Class 0 is "next", and class 1 is "random". "Is next" sounds like 1, but BERT has 0 for
# it. Nothing in the architecture says so: it is in the labels of the training. If your
# labels are the other way round, a trained model looks wrong nearly always.
#
# The loss of pre-training is the plain sum of both losses.
#
# ### Exercise 06.2
#
# Write `is_next(logits)`: for `logits` $(B, 2)$ a boolean for each pair, True where the
# model thinks that B follows A.

# %% tags=["exercise"]
def is_next(logits):
    return ...

check("06.2", is_next)

# %% tags=["solution"]
def is_next(logits):
    return logits[:, 0] > logits[:, 1]                       # (B,)

check("06.2", is_next)

# %% [markdown]
# ## Questions: two softmaxes over the tokens
#
# The answer to a question is a piece of the text, a *span*. The head gives each token two
# scores: how well an answer could start here, and end here. The softmax runs over the *tokens*,
# since exactly one of them is the start. (All checkpoints that ship with numbert share one
# vocabulary, so our tokenizer fits.)

# %%
folder = numbert.example_checkpoint("question-answering")
reader = numbert.BertForQuestionAnswering.from_pretrained(folder, dtype="float64")
question = tokenizer("Who lives in Rome?", "Anna lives in Oslo. Tom Miller lives in "
                     "Rome.", return_tensors="np")
found, words = reader(**question), question.tokens()
spans = np.concatenate([found.start_logits, found.end_logits])        # (2, T)
assert spans.shape == (2, 19)
print("answer:", *words[spans[0].argmax():spans[1].argmax() + 1])
plots.heat_map(spans - spans.min(), ["start", "end"], words, said="score - lowest")

# %% [markdown]
# The loss is the *mean* of two cross-entropies, one of the start and one of the end. The
# labels are positions, and two kinds of positions are special:
#
# * A text may be too long, so that the answer was cut off. A position of $T$ or more is
#   ignored.
# * A negative position counts as 0, even -100. That is `[CLS]`. A model that finds no
#   answer points there.
#
# **Predict** the four losses: for the right span, for one beyond the text, for -1, and for
# a text whose start is known and whose end was cut off.

# %%
start, end = words.index("tom"), words.index("miller")
for first, last in ((start, end), (50, 60), (-1, -1), (start, 60)):
    loss = reader(**question, start_positions=[first], end_positions=[last]).loss
    print(f"start {first:2}, end {last:2}: loss {float(loss):.2f}")
nothing = tokenizer("Where does Eva live?", "Anna lives in Oslo.", return_tensors="np")
pointed = reader(**nothing)
print("no answer:", nothing.tokens()[pointed.start_logits[0].argmax()])

# %% [markdown]
# With one text, an ignored position leaves 0 / 0, and the mean of anything and `nan` is
# `nan`. In a batch the other texts carry on.
#
# ### Exercise 06.3
#
# Write this loss. `start_logits` and `end_logits` are $(B, T)$; `start` and `end` are
# $(B,)$. You may use `losses.cross_entropy(logits, labels)[0]`.

# %% tags=["exercise"]
def qa_loss(start_logits, end_logits, start, end):
    return ...

check("06.3", qa_loss)

# %% tags=["solution"]
def qa_loss(start_logits, end_logits, start, end):
    length, total = start_logits.shape[1], 0
    for logits, positions in (start_logits, start), (end_logits, end):
        labels = np.where(positions < length, np.maximum(positions, 0), -100)
        total = total + losses.cross_entropy(logits, labels)[0] / 2
    return total

check("06.3", qa_loss)

# %% [markdown]
# ## Whole texts: one class, several, or a number
#
# `BertForSequenceClassification` has three losses. `config.problem_type` says which. If it
# is None, the labels decide:
#
# | problem_type | labels | loss | decided by |
# |---|---|---|---|
# | `single_label_classification` | $(B,)$ integers | cross-entropy | integer labels |
# | `multi_label_classification` | $(B, K)$ of 0.0 and 1.0 | one yes or no per class | float labels |
# | `regression` | $(B,)$ or $(B, K)$ numbers | squared error | $K = 1$ |
#
# With several labels, each class has a sigmoid of its own. It turns the score $x$ into a
# probability, $s = 1 / (1 + e^{-x})$. The label $t$ is 1 if the class is right, else 0:
#
# $$\text{loss} = -\frac{1}{BK} \sum_{b,k} \big[t \log s + (1 - t) \log(1 - s)\big]$$
#
# **Predict:** what happens if you pass these zeros and ones as integers?

# %%
texts = tokenizer(["Good.", "Bad."], return_tensors="np")
judge, meter = (numbert.BertForSequenceClassification(
    numbert.BertConfig.from_pretrained(path, num_labels=K), rng=0) for K in (3, 1))
yes = np.array([[1, 0, 1], [0, 0, 1]])                       # (B, K)
print(f"one class:      {judge(**texts, labels=[2, 0]).loss:.3f}")
print(f"several:        {judge(**texts, labels=yes.astype(float)).loss:.3f}")
print(f"a number:       {meter(**texts, labels=[0.5, 2.0]).loss:.3f}")
try:
    judge(**texts, labels=yes)
except ValueError as error:
    print("refused:", str(error))

# %% [markdown]
# Integers mean one class per text, so the shape is refused. That is good luck. With
# labels of another shape the wrong loss may run, and go down in training. Write `problem_type` into the
# configuration, and nothing is left to guess.
#
# ### Exercise 06.4
#
# Write the loss of several labels. `logits` and `targets` are both $(B, K)$.

# %% tags=["exercise"]
def multi_label_loss(logits, targets):
    return ...

check("06.4", multi_label_loss)

# %% tags=["solution"]
def multi_label_loss(logits, targets):
    s = 1 / (1 + np.exp(-logits))                            # (B, K)
    return -(targets * np.log(s) + (1 - targets) * np.log(1 - s)).mean()

check("06.4", multi_label_loss)

# %% [markdown]
# `numbert.bert.losses.bce_with_logits` computes the same in a form that can't overflow.
#
# ## Choices and tokens
#
# In multiple choice each choice is a text of its own. Ids of $(B, M, T)$ become $B M$ rows.
# Each row gets *one* score, and the softmax runs over the $M$ choices of a question.
# **Predict:** what does the bias of that one score do?
#
# In token classification each token has a label, and -100 leaves tokens out. `[CLS]` and
# `[SEP]` are no words, so they had -100 in training. **Predict** what the model says of them.

# %%
folder = numbert.example_checkpoint("multiple-choice")
chooser = numbert.BertForMultipleChoice.from_pretrained(folder, dtype="float64")
rows = tokenizer(["What is the capital of Japan?"] * 3, ["oslo", "tokyo", "bread"],
                 return_tensors="np")
output, saved = chooser.forward(**{k: x[None] for k, x in rows.items()}, labels=[1])
assert rows["input_ids"].ndim == 2 and output.logits.shape == (1, 3)  # (B, M)
print("probabilities:", ops.softmax(output.logits)[0].round(3)[0])
print("gradient of the bias below 1e-15:",
      np.abs(chooser.backward(saved)["classifier.bias"]).max() < 1e-15)

# %%
folder = numbert.example_checkpoint("token-classification")
tagger = numbert.BertForTokenClassification.from_pretrained(folder, dtype="float64")
sentence = tokenizer("Anna lives in Oslo.", return_tensors="np")
kinds = tagger(**sentence).logits[0].argmax(-1).tolist()     # T numbers of classes
print(*(f"{token}/{tagger.config.id2label[kind]}"
        for token, kind in zip(sentence.tokens(), kinds)))

# %% [markdown]
# The bias adds the same number to every choice, and a softmax sees differences only. So it
# never learns. And the tagger calls `[CLS]` a person! Nobody ever asked it there, so the
# answer means nothing. When you read the answers of a model, leave out the tokens that
# its labels left out.
#
# ## The next word: shift by one
#
# A decoder guesses the next word at each place. So the logits at $t$ are compared with the
# token at $t + 1$. The labels that you pass are simply the ids. The model moves them
# itself, once. If you move them too, it learns to guess the word after the next.
#
# ### Exercise 06.5
#
# Write what the model does: which label do the logits at each place get? `ids` and `mask`
# are $(B, T)$, and `mask` is 0 for padding. Nothing follows the last token, and padding is
# not to be guessed: -100 there. The result is $(B, T)$.

# %% tags=["exercise"]
def next_labels(ids, mask):
    return ...

check("06.5", next_labels)

# %% tags=["solution"]
def next_labels(ids, mask):
    labels = np.full(ids.shape, -100)                        # (B, T)
    labels[:, :-1] = np.where(mask[:, 1:] == 1, ids[:, 1:], -100)
    return labels

check("06.5", next_labels)

# %%
folder = numbert.example_checkpoint("text-generation")
writer = numbert.BertLMHeadModel.from_pretrained(folder, dtype="float64")
text = tokenizer("Anna lives in Oslo. She is a baker.", return_tensors="np")
ids = text["input_ids"]
told = writer(**text, labels=ids)
logp = losses.log_softmax(told.logits[0, :-1])               # (T - 1, V)
surprise = -logp[np.arange(11), ids[0, 1:]]                  # (T - 1,)
assert abs(surprise.mean() - told.loss) < 1e-13
print(f"loss {told.loss:.2f}, perplexity {np.exp(told.loss):.1f}")
plots.scores({f"{t}: {name}": x for t, (name, x) in enumerate(
    zip(text.tokens()[1:], surprise), 1)}, xlabel="surprise at the token")

# %% [markdown]
# The word *in* after *lives* costs nothing, and neither does the full stop after a city.
# Nobody can know which name or which city comes next: these cost much. The exponential of the loss is the *perplexity*.
# On average the model hesitates as if between so many equally likely words.
#
# ## What you have learnt
#
# * A head is a linear layer. Its class says which output meets which labels.
# * -100 leaves a label out of the sum, the count and the gradient.
# * The decoder is the word table; its bias is `cls.predictions.bias`.
# * Class 0 is "next". Answers have two softmaxes over tokens, and their mean as loss.
# * $\log V$ is where a loss starts. The frequencies of words are where it often rests.
#
# Next: [07 · Data for pre-training](07_mlm_nsp_data.ipynb), which makes these labels.
