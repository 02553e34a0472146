# %% [markdown]
# # 13 · Property tests: laws that every input must keep
#
# *About 50 minutes. You need notebook [03](03_attention.ipynb), and a little of
# [08](08_backward.ipynb) for the last law.*
#
# After this notebook you can
#
# * state a law that a tokenizer, a model or a gradient must keep;
# * let Hypothesis search for an input that breaks it;
# * explain how a long counterexample shrinks to a short one, and write a shrinker;
# * say which laws hold to the bit, and which only up to rounding;
# * name the bugs that no law can find.

# %%
import re
from contextlib import nullcontext

import numpy as np
from hypothesis import HealthCheck, Phase, find, given, settings

import numbert
from numbert import plots
from numbert.bert import ops
from numbert.testing.lessons import check
from numbert.testing.strategies import bert_text

# %% [markdown]
# ## Examples show what you thought of
#
# A colleague has written a tokenizer for BERT in two lines. A regular expression finds
# words and punctuation. The cutting into pieces is right, as it is numbert's. Four
# examples pass.

# %%
tokenizer = numbert.BertTokenizer.from_pretrained(numbert.example_checkpoint())

def colleague(text):
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    return [piece for word in words for piece in tokenizer.tokenize(word)]

for text in ("Anna lives in Oslo.", "Is Tom happy? No!", "snake_case", "a café, 3.14"):
    assert colleague(text) == tokenizer.tokenize(text)
    print(colleague(text))

# %% [markdown]
# Would you ship it? Each example came from your own head, and so did the code. What you
# forgot in one, you forgot in the other.
#
# A *property test* turns this round. You state what must hold for **every** text, and a
# program looks for one that breaks it. The library
# [Hypothesis](https://hypothesis.readthedocs.io) does the search. It needs two things.
#
# * A **strategy** draws inputs. `numbert.testing.strategies.bert_text` draws texts that
#   hold all that is hard for tokenizers: accents, emoji, ideographs, control characters.
# * A **law** says what must hold. The simplest one compares with a program that is
#   known to be right, an *oracle*. For our colleague that is numbert.
#
# Our searches should be the same at each run, so we fix the random numbers.

# %%
SEARCH = settings(derandomize=True, database=None, report_multiple_bugs=False,
                  deadline=None, suppress_health_check=list(HealthCheck))

for hard in ("e\u0301", "\u4e2d", "##a", "[MASK]"):
    same = tokenizer.tokenize(hard) == colleague(hard)
    print(f"{hard:7}", "right" if same else "wrong")

# %% [markdown]
# Special tokens such as `[MASK]` are not words, but here they are lower-cased and cut.
# "I handle them elsewhere", says the colleague. So we leave brackets out of our texts.
#
# **Predict:** which text will break this tokenizer now? Write one down.

# %% tags=["varies"]
seen = []                                # every text that fails, in the order of search

def fails(text):
    wrong = colleague(text) != tokenizer.tokenize(text)
    seen.extend([text] * wrong)
    return wrong

plain = bert_text(vocab=tokenizer.get_vocab()).map(lambda s: re.sub(r"[\[\]]", "", s))
smallest = find(plain, fails, settings=SEARCH)
print("the smallest text found:", ascii(smallest))
print("should be", tokenizer.tokenize(smallest), "and is", colleague(smallest))

# %% [markdown]
# A cent sign! For Unicode `¢` is no punctuation but a symbol of a currency. BERT keeps
# it inside its word, except for the symbols of ASCII, such as `$`. The colleague's
# expression cuts at both. Nobody tests prices in cents, until a user has some. (Another
# version of Hypothesis may end at another symbol. The reason is the same.)
#
# ## Watch it shrink
#
# The search did not find two characters at once. It found a long text first, and then
# made it shorter, over and over, as long as it still failed.

# %% tags=["varies"]
for text in dict.fromkeys(seen):
    print(f"{len(text):4} characters: {ascii(text)[:66]}")

# %%
lengths = np.array([len(text) for text in seen])
plots.curves(np.arange(len(seen)), {"characters": lengths}, log=True,
             xlabel="failing texts, in the order of search",
             ylabel="characters", title="A counterexample shrinks")

# %% [markdown]
# At the end the length stays, and the characters become simpler.
#
# This is what makes property tests useful. The first counterexample is noise, and the
# last one is an explanation. Each of its characters is needed: take any one away, and
# the failure is gone.
#
# How does it work? Delete something. If the rest still fails, keep the rest. Go on
# until nothing can be deleted.
#
# ### Exercise 13.1
#
# Write `shrink(items, fails)`. It deletes single items from a list as long as the rest
# fails, and returns a list from which no single item can be deleted. `fails(items)` is
# true for the list that you get. An item may become free only when a later one is
# gone, so one round is not enough.

# %% tags=["exercise"]
def shrink(items, fails):
    return ...

check("13.1", shrink)

# %% tags=["solution"]
def shrink(items, fails):
    for i in range(len(items)):
        rest = items[:i] + items[i + 1:]
        if fails(rest):
            return shrink(rest, fails)   # begin again with the shorter list
    return items

check("13.1", shrink)

# %% [markdown]
# ## A law without an oracle
#
# Often there is no oracle. You can still say how the results of
# *one* program must fit together. A space ends a word, so no piece reaches across it:
#
# $$\text{tokens}(a + \text{space} + b) = \text{tokens}(a) + \text{tokens}(b)$$
#
# for any two texts. In a test file it looks like this. `given` draws the arguments, and
# `settings` says how to search. Then pytest, or we, call the function without arguments.

# %%
@settings(SEARCH, max_examples=200)
@given(a=bert_text(), b=bert_text())
def test_texts_side_by_side(a, b):
    both = tokenizer.tokenize(f"{a} {b}")
    assert both == tokenizer.tokenize(a) + tokenizer.tokenize(b)

test_texts_side_by_side()
print("200 pairs of texts keep the law")

# %% [markdown]
# ### Exercise 13.2
#
# Here is a list of `tokenizers`, functions from a text to a list of tokens. Some are
# wrong. Write `keeps(tokenizers, a, b)`: a list that says for each of them whether it
# keeps this law for the texts `a` and `b`.

# %% tags=["exercise"]
def keeps(tokenizers, a, b):
    return ...

check("13.2", keeps)

# %% tags=["solution"]
def keeps(tokenizers, a, b):
    return [tokens(f"{a} {b}") == tokens(a) + tokens(b) for tokens in tokenizers]

check("13.2", keeps)

# %% [markdown]
# ## Laws of a model
#
# A model returns numbers, and nobody knows the right ones by heart. But everybody knows
# this: **padding changes nothing.** More `[PAD]` on the right, hidden by the mask, must
# leave the states of the real tokens as they were.
#
# We use a small model with hard weights. With the weights of a new model attention is
# nearly uniform, and many bugs do not show.

# %%
from numbert.testing.properties import targets
from numbert.testing.properties.table import applying
from numbert.testing.properties.table import check as test_law
from numbert.testing.strategies.models import stressed

config = numbert.BertConfig(
    vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
    intermediate_size=20, max_position_embeddings=16, layer_norm_eps=1e-5)
shapes = {name: x.shape for name, x in numbert.BertModel(config).params.items()}
model = numbert.BertModel(config, dtype="float64", params=stressed(shapes))

# %% [markdown]
# ### Exercise 13.3
#
# Write `padded(input_ids, token_type_ids, attention_mask, pad)`. It returns the three
# arrays `(B, T)` as a tuple, each with `pad` columns more on the right. The new tokens
# have id 0 and type 0, and nobody may look at them.

# %% tags=["exercise"]
def padded(input_ids, token_type_ids, attention_mask, pad):
    return ...

check("13.3", padded)

# %% tags=["solution"]
def padded(input_ids, token_type_ids, attention_mask, pad):
    return tuple(np.pad(x, ((0, 0), (0, pad)))
                 for x in (input_ids, token_type_ids, attention_mask))

check("13.3", padded)

# %% [markdown]
# With it the law takes three lines. `numbert.testing.properties` holds it, and more
# than eighty others, for tokenizers, masking, models and gradients. Each is a plain function
# of a *target*: an object that says how your code is called. Read
# `numbert.testing.properties.forward.padding_changes_nothing` in
# [numbert/testing/properties/forward.py](../numbert/testing/properties/forward.py).

# %%
target = targets.numbert_model(model)
LAWS = {entry.name: entry for level in ("forward", "backward")
        for entry in applying(level, target, "BertModel")}

test_law(LAWS["padding_changes_nothing"], target, options=SEARCH)
print("padding changes nothing, in 100 batches;", len(LAWS), "laws apply to this model")

# %% [markdown]
# ## Break the model
#
# A test that cannot fail is worth nothing. So we put a bug into numbert and see. The
# kit of notebook [14](14_debug_a_port.ipynb) has a few hundred of them.
# `numbert.verify.mutants.patched` puts one in, and takes it out at the end of the
# block. Bug B4 multiplies the scores by the mask.
#
# **Predict:** what is the smallest batch for which padding now changes something?

# %%
from numbert.verify.mutants import patched
from numbert.verify.zoo import MUTANTS

BUGS = {mutant.id: mutant for mutant in MUTANTS}
with patched(BUGS["B4"]):
    try:
        test_law(LAWS["padding_changes_nothing"], target, options=SEARCH)
    except AssertionError as error:
        found = next(x for x in error.__notes__ if x.startswith("padding_changes"))
print(found)

# %% [markdown]
# One row, `[CLS] [SEP]` (ids 2 and 3), and one token of padding. No test with real
# sentences is as clear. There are no words at all, so it cannot be the words. There is
# one row, so it cannot be the batch. A `[PAD]` was added, and somebody saw it. A score
# of 0 is not low: its weight is $e^0 = 1$ before the division.
#
# ## To the bit, or nearly?
#
# Some laws hold to the last bit. Others hold on paper, but the computer adds in
# another order and rounds otherwise. A test must know which is which. Too strict, and a
# right program fails. Too loose, and a bug passes.
#
# ### Exercise 13.4
#
# Four laws. Which of them must hold **to the bit** in every sensible program? Answer with
# a list of four, `True` or `False`:
#
# 1. Other ids under the padding change nothing for the real tokens.
# 2. A row alone gives what it gives inside a batch.
# 3. Queries times 2 and keys over 2, weights and biases, change nothing.
# 4. The heads may change places, in all four projections.

# %% tags=["exercise"]
answer = ...

check("13.4", answer)

# %% tags=["solution"]
answer = [True, False, True, False]

check("13.4", answer)

# %% [markdown]
# The laws know it themselves. A law of kind *exact* compares bits. A law of kind
# *approximate* returns its error over a bound: `numbert.testing.properties.laws.rounding`
# makes the bound from eps, the length of the sums and the number of steps. Never
# compare with a bare `1e-3`. Hypothesis can even climb: it is told the ratio, and looks
# for inputs with a larger one.

# %% tags=["varies"]
for name in ("a_row_alone_is_the_same", "heads_may_change_places"):
    entry, ratios = LAWS[name], []

    @settings(SEARCH)
    @given(entry.arguments(target))
    def look(drawn):
        ratios.append(entry.function(target, **drawn))

    look()
    print(f"{name}, {entry.law.kind}: bits differ in {np.count_nonzero(ratios)} of "
          f"{len(ratios)} batches, by at most {max(ratios):.1%} of the bound")

# %% [markdown]
# For a row alone you may see no difference at all. That is luck, not law: with larger
# matrices, or another library, the sums come in another order.

# %% [markdown]
# ## A law of gradients
#
# Let $f$ be any step of the model, with the backward pass $f^\top$. Push the input a
# little in a direction $v$. The output moves by the slope $J v$. The backward pass takes
# a vector $w$ to $J^\top w$. On paper
#
# $$w \cdot (J v) = (J^\top w) \cdot v$$
#
# for **all** $v$ and $w$. Two numbers test a whole gradient at once. The left one needs
# only the forward pass, as $J v \approx \frac{f(x + h v) - f(x - h v)}{2 h}$.
#
# ### Exercise 13.5
#
# Write `both_sides(f, f_backward, x, v, w, h)`: the two numbers, as a tuple.
# `f(x)` is the output, and `f_backward(w, x)` is $J^\top w$. All arrays have the shape
# of `x`.

# %% tags=["exercise"]
def both_sides(f, f_backward, x, v, w, h):
    return ...

check("13.5", both_sides)

# %% tags=["solution"]
def both_sides(f, f_backward, x, v, w, h):
    slope = (f(x + h * v) - f(x - h * v)) / (2 * h)
    return (w * slope).sum(), (f_backward(w, x) * v).sum()

check("13.5", both_sides)

# %% [markdown]
# Does the softmax of numbert keep this law? We let the step $h$ shrink. The error of a
# central difference falls with $h^2$, until rounding takes over.

# %%
rng = np.random.default_rng(0)
x, v, w = rng.normal(size=(3, 5, 7))                         # (5, 7) each
dx = ops.softmax_backward(w, ops.softmax(x)[1])              # J^T w
steps = 10.0 ** -np.arange(0.0, 8.5, 0.5)
slopes = [(ops.softmax(x + h * v)[0] - ops.softmax(x - h * v)[0]) / (2 * h)
          for h in steps]
errors = np.array([abs((w * slope).sum() - (dx * v).sum()) for slope in slopes])
assert dx.shape == x.shape and errors.min() < 1e-9
plots.curves(-np.log10(steps), {"difference of both sides": errors}, log=True,
             xlabel="-log10 of the step h", title="Slope and gradient")

# %% [markdown]
# Down to a step of about $10^{-5}$, each step that is 10 times smaller makes the error
# 100 times smaller. A wrong gradient would stay on a flat line instead: its error does
# not depend on $h$.
#
# ## Which law finds which bug?
#
# Now all at once: nine bugs, nine laws, eight examples each. We leave the shrinking out,
# as we only want to know whether a law breaks.
#
# **Predict:** some of these bugs break none of the laws. Which, and why?

# %%
CHOSEN = ["padding_changes_nothing", "masked_ids_do_not_matter",
          "tokens_know_their_place_by_position_ids", "heads_may_change_places",
          "the_key_bias_does_nothing", "layer_norms_take_the_mean_out",
          "attention_probabilities_sum_to_1", "gradients_are_slopes",
          "gradients_before_a_layer_norm_sum_to_0"]
TRIED = ["none", "B4", "B23", "B9-heads", "B12", "B10-merge", "C4-no-mean",
         "C4-unbiased", "B13-hidden", "C1-layer"]
for name in TRIED[1:]:
    print(f"{name:12} {BUGS[name].title}")

# %%
for name in CHOSEN:
    print(f"{LAWS[name].law.id:4} {name.replace('_', ' ')}")

# %%
FAST = settings(SEARCH, phases=[Phase.generate])
broken = np.zeros((len(TRIED), len(CHOSEN)))
for i, bug in enumerate(TRIED):
    with patched(BUGS[bug]) if bug in BUGS else nullcontext():
        for j, law in enumerate(CHOSEN):
            try:
                test_law(LAWS[law], target, max_examples=8, options=FAST)
            except AssertionError:
                broken[i, j] = 1
plots.heat_map(broken.T, [LAWS[law].law.id for law in CHOSEN], TRIED,
               said="1: the bug breaks the law")

# %% [markdown]
# The first column is a model without a bug, and it keeps every law. Bugs of the mask
# break the laws of padding. Heads that are merged wrongly break the law of heads. Most
# bugs here are in the forward pass only. Then its slopes are no longer the gradients of
# the backward pass, and that law breaks too.
#
# The last two columns are empty. Bug B13 divides the scores by $\sqrt{C}$ and not by
# $\sqrt{D}$. Bug C1 takes the other GELU. Such a model is another model, but it is at
# peace with itself: padding is hidden, heads may change places, gradients are slopes.
# A law compares a program with itself. It finds what is *inconsistent*, not what is
# *different from BERT*. For that you need the true numbers: notebook
# [14](14_debug_a_port.ipynb).
#
# So use both. Laws need no data, run on any model, and try inputs that nobody thought
# of. True numbers catch the rest.

# %% [markdown]
# ## Two more kinds of law
#
# * **Sequences of calls.** A cache can be filled in any number of chunks, reordered, or
#   cut. `numbert.testing.stateful.make_cache_machine` lets Hypothesis invent the
#   sequence, and shrinks it to the shortest one that goes wrong.
# * **Chances.** "15 % of the tokens are masked" is true on average only. Such a law does
#   not belong in a loop over examples, as one unlucky draw breaks it. Test it once,
#   with many tokens, a fixed seed and an exact bound, as in notebook
#   [07](07_mlm_nsp_data.ipynb).
#
# To test a tokenizer or a model of your own, make a target of it. `numbert.testing.USAGE`
# shows a whole test file.
#
# ## What you have learnt
#
# * An example shows what you thought of. A law speaks about every input.
# * The counterexample shrinks until each part of it is needed, and then it explains.
# * Without a right program, a law says how results of one program fit together.
# * Exact laws compare bits. The others compare an error with the bound of rounding.
# * $w \cdot Jv = J^\top w \cdot v$ tests a whole gradient with two numbers.
# * No law sees a program that is consistent and yet not BERT.
#
# Next: [14 · Debugging a port](14_debug_a_port.ipynb).
