# %% [markdown]
# # 10 · Fine-tuning: one body, many tasks
#
# *About 60 minutes. You need NumPy, and notebooks [06](06_heads_losses.ipynb) (heads)
# and [09](09_training.ipynb) (training).*
#
# After this notebook you can
#
# * fine-tune a BERT to classify texts, to find names, and to answer questions;
# * show by an experiment what pre-training is worth;
# * label word pieces when labels belong to words;
# * choose a metric, and see through one that flatters;
# * measure what fine-tuning changes, and read the errors that are left.

# %%
import tempfile
from pathlib import Path
import numpy as np
import numbert
from numbert import plots
from numbert.system.jsonfiles import json_text
from numbert.tasks import metrics, questions
from numbert.testing.lessons import check
from numbert.world import HELD_OUT, TRAIN, exercises, files, tagged_texts
from numbert.world.facts import topics

# %% [markdown]
# ## A body and a head
#
# Fine-tuning takes a BERT that has read much, and removes the head that guesses masked
# words. It puts a small new head on the body, with random weights. Then it trains
# **all** of it on the examples of one task (Devlin et al., 2019).
#
# **Predict:** how much of a model for 12 classes is new?

# %%
base = numbert.example_checkpoint()                    # pre-trained, with numbert
tokenizer = numbert.BertTokenizer.from_pretrained(base)
pretrained = numbert.BertForPreTraining.from_pretrained(base, dtype="float32")
fresh = numbert.BertForSequenceClassification(
    numbert.BertConfig.from_pretrained(base, dtype="float32", num_labels=12), rng=0)
body = [name for name in fresh.params if name in pretrained.params]
new = {name: x.shape for name, x in fresh.params.items() if name not in body}
share = sum(map(np.prod, new.values())) / fresh.num_parameters()
print(new, f"{share:.2%} of the parameters")
assert new["classifier.weight"] == (12, 96)            # (classes, hidden size)

# %% [markdown]
# Everything else has been trained already. Does this help? That depends on the task.
# We have chosen one where it helps much. You will see below when it does not.
#
# ## The first task: what kind of thing?
#
# Each text names a thing: *I see a pear.* The class is its kind: fruit, bird, tool, and
# nine more. Now the trap. We train on half of the things, and test on **the others**.
# The test asks about pears, and no training text has a pear.
#
# `finetune` reads plain files, so we write two.

# %%
holder = tempfile.TemporaryDirectory()
folder, things = Path(holder.name), topics()["kind"].subjects
patterns = ["I see {}.", "We talked about {}.", "Tom thinks of {}.", "Here is {}.",
            "My sister has {}."]
for name, first in (("train", 0), ("test", 1)):
    rows = [{"text": text.format(thing["item"]), "label": thing["kind"]}
            for text in patterns for thing in things[first::2]]
    (folder / f"{name}.jsonl").write_text("".join(json_text(x) + "\n" for x in rows))
    print(name, len(rows), *(x["text"] for x in rows[::60]))

# %% [markdown]
# We compare three ways to begin. **Pre-trained** starts from the checkpoint, and
# **random** from random weights. **Frozen** starts from the checkpoint, but trains the
# pooler and the head only. The pattern `bert.e*` holds the embeddings and the encoder.
#
# **Predict** the three curves. Chance is 1 in 12.

# %%
numbert.BertForPreTraining(pretrained.config, rng=0).save_pretrained(folder / "none")
tokenizer.save_pretrained(folder / "none")
recipe = dict(lr=1e-3, dropout=False, progress=False)
runs = {}
for name, start, frozen in (("pre-trained", base, []), ("random", folder / "none", []),
                            ("frozen", base, ["bert.e*"])):
    runs[name] = numbert.finetune(
        "text-classification", folder / "train.jsonl", folder / "test.jsonl", start,
        folder / name, epochs=14, eval_every=6, frozen=frozen, **recipe).history
plots.loss_curves(runs, fields=("accuracy",), ylabel="accuracy on unseen things")

# %% [markdown]
# The pre-trained model gets nearly all of the unseen things right. It has read *a pear
# is a fruit*, so its vector for *pear* lies near that of *plum*. The new head only had
# to give the region its name. The random model has never met a pear, so it must guess.
#
# Did the random model fail to train? No, look at its loss:

# %%
plots.loss_curves({name: runs[name] for name in ("pre-trained", "random")},
                  fields=("loss",), ylabel="loss on the training texts")

# %% [markdown]
# Its loss falls too. It learns the training things by heart, which is of no use for
# others. It still beats chance: *milk* and *tin* have no article, and this is a hint.
#
# So was the test fair? Only for this question. We tried another: train on **all**
# things in four of the sentences, and test on the fifth. Then both models end near
# 100 %, and the random one only takes three times as many steps. **Pre-training is
# worth what it lets a few labels say about words that they do not mention.**
#
# The frozen body is slow. At this learning rate it does little better than the random
# one. At a rate five times higher it gets more than half of the things right. Its
# features hold part of the answer, but the pooler must learn alone to find it.
#
# ## What fine-tuning changes
#
# **Predict:** which layers change most? We measure the length of the change over the
# length of the weights.

# %%
tuned = numbert.BertForSequenceClassification.from_pretrained(folder / "pre-trained")
def change(part):
    names = [name for name in body if f"bert.{part}." in name]
    moved = sum(((tuned.params[x] - pretrained.params[x]) ** 2).sum() for x in names)
    return float(np.sqrt(moved / sum((pretrained.params[x] ** 2).sum() for x in names)))

parts = ["embeddings", *(f"encoder.layer.{i}" for i in range(3)), "pooler"]
plots.scores({part: change(part) for part in parts}, xlabel="relative change")

# %% [markdown]
# Every part moves by a small fraction of its length: fine-tuning is a nudge. The parts
# near the head move further than the embeddings. But is a nudge harmless? We put the
# tuned body under the old head, and let it guess words again.

# %% tags=["varies"]
def guess(text, trained):
    """The best word for [MASK], from the body of one model and the old head."""
    masked = numbert.BertForMaskedLM(pretrained.config, rng=0)
    masked.params.update({name: trained.params.get(name, pretrained.params[name])
                          for name in masked.params})
    fill = numbert.pipeline("fill-mask", model=masked, tokenizer=tokenizer)
    return "{token_str} {score:.2f}".format(**fill(text, top_k=1)[0])

for text in ("The capital of Japan is [MASK].", "The opposite of hot is [MASK].",
             "A pear is a [MASK].", "I like to drink [MASK]."):
    print(f"{text:33} before: {guess(text, pretrained):14} after: {guess(text, tuned)}")

# %% [markdown]
# It has begun to forget: it is less sure of capitals and opposites, though nobody asked
# for that. This is *catastrophic forgetting*. Only the last guess is better, as the
# task was about kinds of things. So one fine-tunes with a low learning rate, for few
# epochs. BERT-base takes $2$ to $5 \times 10^{-5}$ for 3 epochs. Our tiny model needs,
# and bears, much more.

# %% [markdown]
# ## The second task: names
#
# A label for each *word*: `B-PER` begins a person, `I-PER` goes on, `O` is no name.
# But BERT reads *pieces*. A made-up name falls into many.
#
# **Predict:** a word has six pieces and one label. Which pieces get it?

# %%
sentence = tagged_texts(3)[2]
encoded = tokenizer(sentence.words[:3], is_split_into_words=True)
word_ids = encoded.word_ids(0)
print(*(f"{name:>7}" for name in encoded.tokens(0)))
print(*(f"{'-' if i is None else i:>7}" for i in word_ids))
print("words:", *zip(sentence.words[:3], sentence.tags))

# %% [markdown]
# Devlin et al. label the **first piece** of each word. The other pieces, `[CLS]` and
# `[SEP]` get the label $-100$: the loss ignores them. With labels on all pieces, long
# words would count more. The first piece is no poor choice, as attention
# lets it see the rest of the word.
#
# ### Exercise 10.1
#
# Write `label_pieces(word_ids, labels)`. `word_ids` says for each piece which word it
# belongs to, and `None` for a special token. `labels` holds an id for each word. Return
# the list of the pieces' labels.

# %% tags=["exercise"]
def label_pieces(word_ids, labels):
    return ...

check("10.1", label_pieces)

# %% tags=["solution"]
def label_pieces(word_ids, labels):
    before = [None, *word_ids]                         # the word of the piece before
    return [-100 if word is None or word == last else labels[word]
            for last, word in zip(before, word_ids)]

check("10.1", label_pieces)

# %% [markdown]
# `numbert.tasks.words.encode` does this for `finetune`. We train on 300 texts, and test
# on 150 others. Their made-up names are not those of the training texts.

# %% tags=["varies"]
for split, count in ((TRAIN, 300), (HELD_OUT, 150)):
    lines = files.name_lines(count, split, seed=0)
    (folder / f"names.{split}.conll").write_text("".join(lines))
test = folder / f"names.{HELD_OUT}.conll"
result = numbert.finetune("token-classification", folder / f"names.{TRAIN}.conll", test,
                          base, folder / "names", epochs=4, **recipe)
scores, examples, found = numbert.evaluate(folder / "names", test, progress=False)
print({name: round(value, 2) for name, value in scores.items()})
tags = [tag for example in examples for tag in example.labels]
print("accuracy of always O:", round(metrics.accuracy(["O"] * len(tags), tags), 2))

# %% [markdown]
# Two numbers, and one flatters. A tagger that always says `O` is right for most words,
# and finds no name at all. So names are scored as **entities**. One is right only if
# its type, its beginning and its end are right.
#
# $$P = \frac{\text{right}}{\text{found}} \qquad R = \frac{\text{right}}{\text{there}}
# \qquad F_1 = \frac{2 P R}{P + R}$$

# %%
plots.loss_curves(result.history, fields=("accuracy", "f1"), ylabel="score")

# %% [markdown]
# After the first epoch the accuracy is about 0.7 already, and $F_1$ is nearly 0. The
# accuracy alone would make us think that the model has learnt something.
#
# A warning: `finetune` keeps the weights that score best on its second file. We use the
# same file as a test, which flatters a little. A paper needs a third file.
#
# ### Exercise 10.2
#
# Write `f1(found, there)`. Both are lists of entities `(type, start, stop)` of one
# text. Each has at least one entity, and some entities are in both.

# %% tags=["exercise"]
def f1(found, there):
    return ...

check("10.2", f1)

# %% tags=["solution"]
def f1(found, there):
    right = len(set(found) & set(there))
    return 2 * right / (len(found) + len(there))       # the formula, simplified

check("10.2", f1)

# %% [markdown]
# ### Look at the errors
#
# A score says how many errors there are, not which. Here are the first texts with one.

# %% tags=["varies"]
wrong = [(x, tags) for x, tags in zip(examples, found) if x.labels != tags]
print(len(wrong), "of", len(examples), "texts have an error")
for example, tags in wrong[:4]:
    print("\n" + " ".join(example.words))
    for word, gold, tag in zip(example.words, example.labels, tags):
        if gold != tag:
            print(f"    {word:14} is {gold:6} and was called {tag}")

# %% [markdown]
# Read them, and guess a cause for each. The most frequent error is the type: the model
# sees that there is *some* name, and calls a company a place. Only the context could
# tell what *Norvik* is. Long names such as *University of Geprodruford* break, because
# each word is labelled by itself.

# %% [markdown]
# ## The third task: questions
#
# The answer is a span of the text. The head gives each token two numbers: a score to be
# the **start**, and one to be the **end**. The span $(i, j)$ has the score
# $\text{start}_i + \text{end}_j$. To see this, we take the question model that ships.
#
# **Predict:** in a picture of all spans, a row is where the answer begins, and a column
# where it ends. Which row, which column and which cell will be dark?

# %%
expert = numbert.example_checkpoint("question-answering")
model = numbert.BertForQuestionAnswering.from_pretrained(expert)
asked = "Who has a black horse?", "Olga has a red duck. Peter has a black horse."
pair = tokenizer(*asked, return_tensors="np")
out = model(**pair)
text = slice(int((pair["token_type_ids"][0] == 0).sum()), -1)       # without [SEP]
start, end = out.start_logits[0, text], out.end_logits[0, text]     # (n,) each
names = pair.tokens()[text]
sums = np.where(np.tri(len(names), k=-1), np.nan, start[:, None] + end)  # i <= j
assert sums.shape == (len(names), len(names))
plots.heat_map(sums - np.nanmin(sums), names, names, said="above the lowest",
               title=asked[0])

# %% [markdown]
# Below the diagonal an answer would end before it begins. *Peter* has a good start, so
# its row is dark. It has a good end, so its column is dark too. Where both meet is the
# best span, the answer *Peter*.
#
# ### Exercise 10.3
#
# Write `best_span(start, end, most)`: the pair `(i, j)` with the largest
# `start[i] + end[j]`. The span must not end before it begins, nor hold more than `most`
# tokens.

# %% tags=["exercise"]
def best_span(start, end, most):
    return ...

check("10.3", best_span)

# %% tags=["solution"]
def best_span(start, end, most):
    spans = [(i, j) for i in range(len(start))
             for j in range(i, min(i + most, len(end)))]
    return max(spans, key=lambda span: start[span[0]] + end[span[1]])

check("10.3", best_span)

# %%
_, i, j = questions.best_span(start, end, 30)
print(asked[0], "->", " ".join(names[i:j + 1]))

# %% [markdown]
# Now we train one, on 800 questions about two people. What is said about them is alike,
# so only the name in the question tells whom it means. Two metrics are usual. **Exact
# match** asks for the very answer, and **F1** counts words in common.

# %% tags=["varies"]
for split, count in ((TRAIN, 800), (HELD_OUT, 150)):
    lines = files.question_lines(count, split, 0, exercises.short)
    (folder / f"asked.{split}.jsonl").write_text("".join(lines))
test = folder / f"asked.{HELD_OUT}.jsonl"
numbert.finetune("question-answering", folder / f"asked.{TRAIN}.jsonl", test, base,
                 folder / "asked", epochs=3, **recipe)
for name, where in (("the expert", expert), ("ours", folder / "asked")):
    scores, examples, found = numbert.evaluate(where, test, task="question-answering",
                                               progress=False)
    print(name, {name: round(value, 2) for name, value in scores.items()})

# %% tags=["varies"]
wrong = [(x, said) for x, said in zip(examples, found)
         if not metrics.exact_match(said, [text for _, text in x.answers])]
for example, said in wrong[:5]:
    gold = example.answers[0][1] if example.answers else "no answer"
    print(f"{example.question}  {example.context}\n    {said!r}, expected {gold!r}\n")

# %% [markdown]
# There are patterns in what it says. Some answers are of the right kind, a person for a
# person, but it is the **other** one. You have seen this in notebook
# [09](09_training.ipynb): the kind is learnt first, and the fact last. Other answers
# reach from one person to the other. Two starts and two ends have high scores, and the
# head scores starts and ends apart.
#
# The expert is the same model, trained on a hundred times as many questions. Nothing
# but training separates the two.

# %%
holder.cleanup()

# %% [markdown]
# ## What you have learnt
#
# * A head is tiny. Nearly all of a fine-tuned model was learnt before.
# * Pre-training pays most where test words are not in the training texts.
# * The first piece of a word has its label, and the other pieces have $-100$.
# * Accuracy flatters where most labels are `O`. Score entities.
# * Fine-tuning nudges each weight, most of all near the head, and forgets.
# * Errors tell what is missing: here the type of a name, and whose fact it is.
#
# Next: [11 · The decoder](11_decoder.ipynb), a BERT that writes.
