# %% [markdown]
# # 01 · WordPiece by hand: how a text becomes tokens
#
# *About 60 minutes. You need Python strings and loops; notebook
# [00](00_setup.ipynb) helps.*
#
# After this notebook you can
#
# * cut any text into word pieces with pencil and paper;
# * write BERT's tokenizer in six lines, and say what each line is for;
# * explain why accents vanish, and where `[UNK]` comes from;
# * tell the dialects of this tokenizer apart, and trace each piece back to the text.

# %%
import inspect
import unicodedata
import numbert
from numbert import plots
from numbert.testing.lessons import check
from numbert.tokenization import definition
from numbert.tokenization.definition import normalization, plain, spanned

tokenizer = numbert.BertTokenizer.from_pretrained(numbert.example_checkpoint())
vocab = tokenizer.vocab                                      # {piece: id}

# %% [markdown]
# ## A picture first
#
# A model computes with numbers. So a text must become a list of numbers, each of which
# stands for a piece of text that the model knows. The known pieces are the
# *vocabulary*. The one that we use has 1,600 pieces; that of the BERT paper has 30,522.
#
# **Predict before you run:** which of these words are cut into two? What happens to the
# accent, and to the capitals?

# %%
text = "A footballer quickly left Brasília!"
plots.tokenizer_steps(text, plots.tokenizer_stages(text, vocab))

# %% [markdown]
# Read it from top to bottom. Each row is one step, each column one character of the
# text. What a step has changed is orange, and a dot marks what is gone.
#
# The accent and the capitals vanish first. Then the text is split into words. A word
# that the vocabulary lacks is cut into pieces that it has. `##` marks a piece that goes
# on inside a word. The small numbers are the ids, which the model receives.
#
# ## Why pieces of words?
#
# There are two simpler ways. We could number all *words*. Then the list never ends, and
# a new word has no number. Or we could number the *characters*. Then nothing is
# unknown, but texts grow long, and a letter alone means little.
#
# Word pieces stand between the two. Frequent words stay whole, rare ones are spelt with
# pieces. Let us count all three for our sentence, as it is in the row *words* of the
# picture:

# %%
words = "a footballer quickly left brasilia !".split()
characters = list("".join(words))
pieces = tokenizer.tokenize("A footballer quickly left Brasília!")
for name, parts in (("characters", characters), ("words", words), ("pieces", pieces)):
    unknown = [part for part in parts if part not in vocab]
    print(f"{name:10} {len(parts):3}   not in the vocabulary:", *unknown or ["none"])

# %% [markdown]
# The pieces are hardly more than the words, and none is unknown. Now we go through the
# picture from top to bottom, in four stages.
#
# ## Stage 1: clean
#
# Text from the web holds characters that nobody sees. Here are two strings that look
# the same on the screen. The second has a soft hyphen in *Oslo*, which browsers use to
# break lines. It also has a tab and a space that forbids a line break.

# %%
seen, dirty = "Anna lives in Oslo.", "Anna\u00a0lives\tin Os\u00adlo."
print(dirty == seen, ascii(dirty))

dropped = ("Cc", "Cf")
kept = [c for c in dirty if unicodedata.category(c) not in dropped or c in "\t\n\r"]
by_hand = "".join(" " if c.isspace() else c for c in kept)
print(by_hand == seen, ascii(by_hand))

cleaned = normalization.clean(spanned(dirty))                # (character, start, end)
assert plain(cleaned) == by_hand == seen

# %% [markdown]
# Unicode gives each character a category. `Cc` are control characters, `Cf` are
# invisible format marks. The cleaner drops both, and characters for private use (`Co`)
# too. It makes a plain space of every white space. Tabs and ends of lines belong to
# `Cc`, but they are white space, so they stay.
#
# numbert's version is `numbert.tokenization.definition.normalization.clean`. It works
# on characters that remember their places in the text. `spanned` attaches the places,
# and `plain` forgets them again. We need them in the last section.
#
# ## Stage 2: normalise, or why accents vanish
#
# Unicode can spell é in two ways: as one character, or as *e* and a mark that is drawn
# over it. Both look the same. To a computer they differ.
#
# There are standard ways to spell a text, called *normal forms*. The form *NFD* takes
# each character apart. Then the marks can be dropped. They have the category `Mn`, a
# mark that takes no space.

# %%
print("é" == "e\u0301", len("é"), len("e\u0301"))
for c in unicodedata.normalize("NFD", "Zoë"):
    print(f"U+{ord(c):04X}  {unicodedata.category(c)}  {unicodedata.name(c)}")

# %% [markdown]
# ### Exercise 01.1
#
# Write `strip_accents(text)`: take the text apart, drop the marks of category `Mn`, and
# return the rest as a string. Change nothing else.

# %% tags=["exercise"]
def strip_accents(text):
    return ...

check("01.1", strip_accents)

# %% tags=["solution"]
def strip_accents(text):
    apart = unicodedata.normalize("NFD", text)
    return "".join(c for c in apart if unicodedata.category(c) != "Mn")

check("01.1", strip_accents)

# %% [markdown]
# Why does BERT throw accents away? Many people type *Brasilia* for *Brasília*, and one
# entry for both saves room. But something is lost: German *schön* (beautiful) becomes
# *schon* (already).
#
# So there are two kinds of BERT. An *uncased* one makes all letters small and strips
# accents. A *cased* one does neither: its vocabulary has entries with capitals and
# accents.
#
# **Predict:** our vocabulary is uncased. What if we keep the accents all the same?

# %%
accents = numbert.BertTokenizer(vocab=dict(vocab), strip_accents=False)
capitals = numbert.BertTokenizer(vocab=dict(vocab), do_lower_case=False)
for name, each in (("as trained", tokenizer), ("accents kept", accents),
                   ("capitals kept", capitals)):
    print(f"{name:14}", each.tokenize("Anna likes Brasília"))

# %% [markdown]
# Words that the model knows well become `[UNK]`, the token for an unknown word. The
# model gives no error; it just understands less. So always take the settings from the checkpoint's own files. If the
# accents of your language vanish, you need a cased model, not another setting.
#
# ## Stage 3: split into words
#
# Split at white space. Then make each punctuation mark a word of its own, so that
# *Oslo* has the same tokens with a full stop and without. BERT counts every ASCII
# symbol as punctuation, also `$`, `+` and `<`, which Unicode does not call punctuation.

# %%
for text in ("Don't pay $5+tax...", "snake_case e-mail"):
    print([plain(word) for word in definition.split_words(spanned(text))])

# %% [markdown]
# ### Exercise 01.2
#
# Write `split_words(text)` for ASCII text: a list of words, in which each of the 32
# symbols of `string.punctuation` stands alone. White space may be spaces or tabs, one
# or many. Import `string` first.

# %% tags=["exercise"]
def split_words(text):
    return ...

check("01.2", split_words)

# %% tags=["solution"]
import string

def split_words(text):
    apart = "".join(f" {c} " if c in string.punctuation else c for c in text)
    return apart.split()

check("01.2", split_words)

# %% [markdown]
# ## Stage 4: the longest piece that fits
#
# Now each word is cut. Take the longest piece that fits at the start of the word. Go on
# after it, with pieces that begin with `##`. This is called *greedy*, since it takes
# the most it can at every step and never looks back.
#
# **Predict** the pieces of *unaffable* with this vocabulary. The cell prints each try,
# and behind the arrow the piece that fits.

# %%
small = {"un", "una", "##aff", "##able", "##a", "##f", "##ffable"}
word, start = "unaffable", 0
while start < len(word):
    prefix, misses = "##" if start else "", []
    for end in range(len(word), start, -1):
        piece = prefix + word[start:end]
        if piece in small:
            break
        misses.append(piece)
    print(f"{'  '.join(misses)} -> {piece}")
    start = end

# %% [markdown]
# Did you expect *un*, *##aff*, *##able*? The greedy cut takes *una*, because it is
# longer. It doesn't know what the parts mean.
#
# numbert's function is `numbert.tokenization.definition.wordpiece.wordpiece`, with
# nearly the same lines: see
# [wordpiece.py](../numbert/tokenization/definition/wordpiece.py). It also says where in
# the word each piece lies:

# %%
from numbert.tokenization.definition.wordpiece import wordpiece

print(wordpiece("unaffable", small))

# %% [markdown]
# ### When greed fails
#
# **Predict:** `un` and `##happy` spell *unhappy*. What comes out if the vocabulary also
# has `unh`?

# %%
print(wordpiece("unhappy", {"un", "##happy"}))
print(wordpiece("unhappy", {"un", "##happy", "unh"}))

# %% [markdown]
# Nothing! It takes `unh`, then finds no piece for *appy*, and gives up. The whole word
# becomes `[UNK]`, although a way existed. A larger vocabulary made
# the result worse. Trained vocabularies avoid this for the letters of their language:
# they hold each of them, alone and with `##`.
#
# ### Exercise 01.3
#
# Write `cut(words, vocab)`: the pieces of all words, in one list. A word that can't be
# cut to its end gives one `[UNK]`, whatever was found before. (BERT also gives `[UNK]`
# for a word of over 100 characters. You need not.)

# %% tags=["exercise"]
def cut(words, vocab):
    return ...

check("01.3", cut)

# %% tags=["solution"]
def cut(words, vocab):
    out = []
    for word in words:
        pieces, start, end = [], 0, len(word)
        while start < end:                                   # else nothing fits
            piece = "##" * (start > 0) + word[start:end]
            if piece in vocab:
                pieces.append(piece)
                start, end = end, len(word)
            else:
                end -= 1
        out += pieces if start == len(word) else ["[UNK]"]
    return out

check("01.3", cut)

# %% [markdown]
# ## The whole tokenizer in six lines
#
# Here are the four stages together. The cell below prints the source of
# `numbert.tokenization.definition.tokenize`, without its explanation.

# %%
print(inspect.getsource(definition.tokenize).split('"""')[2])

# %% [markdown]
# `normalizer_steps` lists the steps of stages 1 and 2; `lowercase` is true for an
# uncased model. One step is new: it puts spaces around each Chinese character, since
# Chinese has no spaces between words. (*CJK* in the picture means Chinese, Japanese and
# Korean.) `pieces_of` is another name for `wordpiece` of stage 4.
#
# `numbert.BertTokenizer` gives the same result, many times faster. It remembers every
# word that it has cut. Others build a tree of all pieces, a *trie*, which finds the
# same greedy cut in one pass (Song et al. 2021).

# %%
for text in ("Zoë doesn't like café crème.", "Tom lives in 東京.", "x" * 101):
    assert definition.tokenize(text, vocab) == tokenizer.tokenize(text)
    print(" ".join(tokenizer.tokenize(text)))
print(" ".join(tokenizer.tokenize("Tom is a [MASK].")))

# %% [markdown]
# The second and the third show `[UNK]`, which stands for a whole word. There are three
# ways to it:
#
# * the word has a character that the vocabulary lacks;
# * the greedy cut ends in a blind alley;
# * the word has over 100 characters.
#
# The last line shows that special tokens such as `[MASK]` stay whole. They are found
# before stage 1: see
# [added_tokens.py](../numbert/tokenization/definition/added_tokens.py).
#
# ## Dialects: three tokenizers with one name
#
# BERT's tokenizer was written three times. The first is Google's. The other two are
# from Hugging Face, the company whose library *transformers* most people use for BERT:
# one in Python (*legacy*), and one in Rust (*fast*). They agree on plain English. They
# differ at the edges:
#
# | | Google | legacy | fast |
# |---|---|---|---|
# | composes the text first (NFC) | no | yes | no |
# | drops the categories | `Cc` `Cf` | all of `C` | `Cc` `Cf` `Co` |
# | lower-cases | each word | each word | each character |
# | tables of Unicode | Python's | Python's | frozen |
# | longest word | 200 | 100 | 100 |
#
# In numbert, `numbert.BertTokenizer` is the fast one, and the one to use.
# `numbert.BertTokenizerLegacy` is the legacy one.
#
# Does it matter whether you lower-case a word or its characters? In Greek it does. The
# letter sigma, Σ, has two small forms: ς at the end of a word, σ elsewhere.
#
# **Predict** what each makes of ΟΔΟΣ, *street*.

# %%
greek = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "οδο", "##ς", "##σ"]
greek = {piece: number for number, piece in enumerate(greek)}
fast, legacy = numbert.BertTokenizer(vocab=greek), numbert.BertTokenizerLegacy(greek)
for word in ("οδος", "ΟΔΟΣ"):
    print(f"{word}  fast {fast.tokenize(word)}  legacy {legacy.tokenize(word)}")

# %% [markdown]
# A character alone doesn't know that it is the last one. So for the fast tokenizer, a
# street in capitals is another word. Whoever writes a BERT anew must know which dialect
# its model was trained with. In a terminal, `numbert tokenize --explain "ΟΔΟΣ"` prints
# every stage of a text.
#
# ### Exercise 01.4
#
# Write `lower(text)` as the fast tokenizer does it: each character by itself.

# %% tags=["exercise"]
def lower(text):
    return ...

check("01.4", lower)

# %% tags=["solution"]
def lower(text):
    return "".join(c.lower() for c in text)

check("01.4", lower)

# %% [markdown]
# ## Offsets: where a piece comes from
#
# A model that finds an answer, or a name, points at tokens. We want the *text*, with
# its capitals and accents. So the tokenizer can tell from which characters of the text
# each piece came. Such a pair of places, where the piece starts and where it ends, is
# its *offsets*. Special tokens come from nowhere: `(0, 0)`.

# %%
text = "Brasília's best footballer"
batch = tokenizer(text, return_offsets_mapping=True)
for token, (start, end) in zip(batch.tokens(), batch["offset_mapping"]):
    print(f"{token:9} {start:3} to {end:2}   {text[start:end]!r}")

# %% [markdown]
# This works because every stage carries the places along: `spanned` attaches them at
# the start, and no step loses them. If we glued the pieces together instead, we would
# get *brasilia ' s*.
#
# ### Exercise 01.5
#
# Write `answer(text, offsets, first, last)`: the part of the text that the tokens from
# `first` to `last` came from. Both ends belong to it.

# %% tags=["exercise"]
def answer(text, offsets, first, last):
    return ...

check("01.5", answer)

# %% tags=["solution"]
def answer(text, offsets, first, last):
    return text[offsets[first][0]:offsets[last][1]]

check("01.5", answer)

# %% [markdown]
# ## What you have learnt
#
# * Four stages: clean, normalise, split into words, cut into pieces.
# * Accents vanish in uncased models, because NFD takes them off and `Mn` is dropped.
# * The cut is greedy: the longest piece first, and no way back. If one place has no
#   piece, the whole word becomes `[UNK]`.
# * Dialects differ at the edges, such as the final sigma.
# * Offsets lead from each piece back to the text.
#
# Where does a vocabulary come from? It is learnt from a large text: read
# [numbert/tokenization/learn.py](../numbert/tokenization/learn.py). Next:
# [02 · Embeddings](02_embeddings.ipynb), in which each id becomes a vector.
