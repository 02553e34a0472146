"""The zoo, fifth part: bugs that no case of a pack shows; see zoo.

Each has a probe: a small computation whose result is another with the bug.  A cache,
optimisers and schedules, the data of pre-training, the tokenizer, and dropout.
"""

from __future__ import annotations

import functools

import numpy as np

from ..bert import losses, ops
from ..models.classes import BertLMHeadModel
from ..models.config import BertConfig
from ..tokenization.definition import encode
from ..tokenization.definition.added_tokens import AddedToken
from ..tokenization.rows import truncation
from ..training import masking, optim
from .cases import Draws, make_case
from .mutants import Mutant


# ------------------------------------------------------------------------- probes

def decoded():
    """Feed a text to a decoder in three parts; return all logits."""
    case = make_case("decoder")
    params = {name: x.astype(float) for name, x in case.params.items()
              if "crossattention" not in name}
    config = BertConfig(**{**case.config, "add_cross_attention": False})
    model = BertLMHeadModel(config, params=params, dtype="float64")
    cache, parts = None, []
    for part in np.split(case.inputs["input_ids"][:2], (2, 5), axis=1):
        output = model(part, cache=cache, use_cache=True)
        cache = output.cache
        parts.append(output.logits)
    return parts


def updated(step: str):
    """Make three updates of three parameters; return them after each."""
    draws, names = Draws(5), ("dense.weight", "dense.bias", "LayerNorm.weight")
    params = {name: draws.numbers((6,), 0.9) for name in names}
    state, out = optim.adamw_init(params), []
    for scale in (1.0, 2.0 ** -10, 2.0 ** -20):     # small beside eps at the end
        grads = {name: draws.numbers((6,), 0.9) * scale for name in names}
        getattr(optim, step)(params, grads, state, 2.0 ** -6, weight_decay=0.25)
        out.append({name: x.copy() for name, x in params.items()})
    return out


def clipped():
    """Clip gradients that are too long, and some that are not."""
    long, short = ({"a": np.array([3.0, 1]) * scale, "b": np.array([-2.0]) * scale}
                   for scale in (1, 0.01))
    return optim.clip_by_global_norm(long, 1.0), long, \
        optim.clip_by_global_norm(short, 1.0), short


def scheduled():
    """Return the learning rate of each of the 12 updates of a short training."""
    return [optim.linear_schedule(step, 3, 10) for step in range(12)]


VOCABULARY = masking.Vocabulary(40, 0, 1, 2, 3, 4, (0, 1, 2, 3, 4),
                                np.arange(40) >= 25)


def masked():
    """Mask twenty texts with padding by both rules."""
    draws, rng, out = Draws(6), np.random.default_rng(6), []
    for _ in range(20):
        words = draws.integers((30,), 5, 40)
        ids = np.concatenate([[2], words, [3], np.zeros(30, int)])
        out += [masking.mask_exact(ids, rng, VOCABULARY),
                masking.mask_exact(ids, rng, VOCABULARY, whole_word=True),
                masking.mask_bernoulli(ids, rng, VOCABULARY)]
    return out


def paired():
    """Cut three documents into pairs."""
    documents = [[[100 * i + 10 * j + k for k in range(2 + j % 3)] for j in range(9)]
                 for i in range(3)]
    return masking.next_sentence_pairs(documents, np.random.default_rng(7), 16)


PIECES = ("[UNK] [CLS] [SEP] [MASK] un ##aff ##able a ##a b ##b cafe ##\u0301 café "
          "Cafe Café ! $ + < ~ x ##x 中 文 国 ##中 か ##\u3099 が c ##c σ ς Σ ##σ ##ς ο ##ο "
          "😀 mask [ ] i İ e é ั น ##ั ab ##ab word ##word я ##я").split()
TEXTS = ["Unaffable Café, un+aff $able <a~b>", "中文国 a中b", "がか が", "ΟΣΟΣ Σ", "ΟΣ",
         "a\x00b a\ufffdb", "a\u200bb a\u3000b a\xa0b a\tb a\x0bb", "cafe\u0301 นั",
         "x [MASK] a[MASK]b [mask]", "😀 a😀", "zunaff unaffz", "a" * 100, "a" * 101,
         "я" * 60, "İi", "", "wordword"]


def tokenized(lowercase=True):
    """Cut some texts, that are hard, into pieces."""
    core = encode.compile_core(
        {piece: i for i, piece in enumerate(PIECES)}, lowercase=lowercase,
        added_tokens={i: AddedToken(PIECES[i], special=True) for i in range(4)})
    return [encode.encode_plain(core, text) for text in TEXTS]


def truncated():
    """Return how many pieces of two texts are kept, for some lengths."""
    return [truncation.lengths_to_keep(a, b, room, "longest_first")
            for a, b, room in ((5, 4, 7), (5, 5, 7), (9, 2, 6), (3, 8, 5), (4, 4, 8))]


def dropped_out():
    """Return ones after dropout, and their gradient."""
    x = np.ones((50, 4))
    out, saved = ops.dropout(x, 0.25, np.random.default_rng(8))
    return out, ops.dropout_backward(x, saved)


def unlabelled():
    """Return a loss all of whose labels are ignored."""
    return losses.cross_entropy(np.ones((2, 3)), np.full(2, -100))[0]


# -------------------------------------------------------------------------- lines

def line(kind: str, probe, module=""):
    """Return a function that makes mutants of one kind and probe."""
    def make(name: str, title: str, *edits) -> Mutant:
        return Mutant(name, title, edits, kind=kind, probe=probe, module=module)
    return make


cached = line("forward", decoded)
adamw = line("optimiser", functools.partial(updated, "adamw_step"), "^adamw")
bertadam = line("optimiser", functools.partial(updated, "bertadam_step"), "^bertadam")
clipping = line("optimiser", clipped)
schedule = line("optimiser", scheduled)
masks, pairs = line("masking", masked), line("masking", paired)
token = line("tokenizer", tokenized)
cased = line("tokenizer", functools.partial(tokenized, False))
cut = line("tokenizer", truncated)
noise, no_label = line("random", dropped_out), line("variant", unlabelled)

ADAMW, BERTADAM = "training.optim.adamw_step", "training.optim.bertadam_step"
MEANS, LINEAR = "training.optim.running_means", "training.optim.linear_schedule"
EXACT, BERNOULLI = "training.masking.mask_exact", "training.masking.mask_bernoulli"
REPLACE, PAIRS = "training.masking.replace", "training.masking.document_pairs"
NORMAL = "tokenization.definition.normalization."
WORDS, PIECE = NORMAL + "split_words", "tokenization.definition.wordpiece.wordpiece"

PROBED = [
    cached("B19-position", "with a cache, positions start at 0 again",
           ("models.inputs.token_inputs", "xp.arange(past, past + length,",
            "xp.arange(length,")),
    cached("B19-mask", "with a cache, the causal mask starts at the first key",
           ("bert.attention.causal_mask", "np.tri(queries, keys, keys - queries",
            "np.tri(queries, keys, 0")),
    cached("B19-order", "new keys and values are put before those of the cache",
           ("models.cache.CacheLayer.update", "[self.keys, k]", "[k, self.keys]"),
           ("models.cache.CacheLayer.update", "[self.values, v]", "[v, self.values]")),
    noise("C13-scale", "dropout does not scale what it keeps",
          ("bert.ops.drawn", "(1 / (1 - rate) if", "(1 if")),
    noise("C13-rate", "dropout keeps the share that it should drop",
          ("bert.ops.keep_mask", ">= round", "< round")),
    noise("C13-gradient", "dropout has no part in the backward pass",
          ("bert.ops.dropout_backward", "dout * kept", "dout / scale")),
    no_label("E4", "a loss without labels is 0, not nan",
             ("bert.losses.cross_entropy", 'total * float("nan")', "total")),
    # F. data of pre-training
    masks("F1-exact", "special tokens are masked",
          (EXACT, "if i != vocab.unk_id", "if i == vocab.pad_id")),
    masks("F1-bernoulli", "special tokens are masked, each with a probability",
          (BERNOULLI, "np.isin(ids, vocab.special_ids)", "ids == vocab.pad_id")),
    masks("F2", "padding counts when the number to mask is found",
          (EXACT, "int(np.sum(ids != vocab.pad_id))", "len(ids)")),
    masks("F3", "one draw decides what to mask and how: hardly any [MASK]",
          (REPLACE, "draw < to_mask)]", "draw < 0.15 * to_mask)]")),
    masks("F4", "random pieces are overwritten by [MASK]",
          (REPLACE, "return out, labels", "out[random] = vocab.mask_id\n"
           "    return out, labels")),
    masks("F5", "no piece becomes a random one",
          (REPLACE, "draw < to_mask + to_random", "draw < to_mask")),
    masks("F6", "pieces are picked with replacement: fewer are masked",
          ("training.masking.pick_words", "rng.permutation(len(sizes) - 1)",
           "rng.integers(max(1, len(sizes) - 1), size=len(sizes) - 1)")),
    masks("F7", "only special tokens may be masked", (BERNOULLI, "drawn & ~fixed",
                                                      "drawn & fixed")),
    masks("F10", "pieces are masked one by one, where whole words are asked for",
          ("training.masking.word_starts", "(~vocab.continues[ids] | after)",
           "(ids >= 0)")),
    masks("F11", "labels are the masked ids, not the original ones",
          (REPLACE, "return out, labels",
           "return out, np.where(picked, out, IGNORE_INDEX)")),
    masks("F14", "the same places are masked in every epoch",
          (REPLACE, "draw = rng.random", "rng = np.random.default_rng(0)\n"
           "    draw = rng.random")),
    masks("F15", "all pieces have a label, not only the masked ones",
          (REPLACE, "np.where(picked, ids, IGNORE_INDEX)", "ids.copy()")),
    pairs("F12", "a random segment may come from the same document",
          ("training.masking.random_segment", "if other != index", "if True")),
    pairs("F13", "labels of pairs are flipped: 1 means that B follows A",
          (PAIRS, "most, rng), label)", "most, rng), 1 - label)")),
    pairs("F16", "pairs are always cut at the end",
          ("training.masking.truncate_pair", "rng.random() < 0.5", "False")),
    pairs("F17", "the sentences that a random B took the place of are lost",
          (PAIRS, "start = cut ", "start = end ")),
    # G. training
    adamw("G1-all", "weight decay applies to biases and LayerNorms too",
          ("training.optim.decayed", "return ", "return True or ")),
    adamw("G1-bias", "weight decay applies to LayerNorm's weights",
          ("training.optim.decayed", ' and "LayerNorm" not in name', "")),
    adamw("G1-inverted", "weight decay applies to biases and LayerNorms only",
          ("training.optim.decayed", 'not name.endswith("bias") and "LayerNorm" not in '
           'name', 'name.endswith("bias") or "LayerNorm" in name')),
    adamw("G2-adamw", "AdamW without the correction for the start from zero",
          (ADAMW, "rate = lr * root / (1 - beta1 ** t)", "rate, root = lr, 1")),
    adamw("G2-first", "AdamW counts its updates from 0: no correction at first",
          (ADAMW, 't = state["step"][name]', 't = max(1, state["step"][name] - 1)')),
    bertadam("G2-bertadam", "BertAdam with a correction for the start from zero",
             (BERTADAM, "change *= lr", 't = state["step"][name]\n        '
              "change *= lr * math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t)")),
    adamw("G2-inside", "eps stands inside AdamW's square root",
          (ADAMW, "change = np.sqrt(v)\n        change += root * eps",
           "change = np.sqrt(v + (root * eps) ** 2)")),
    adamw("G2-eps", "AdamW's eps is not scaled by the correction",
          (ADAMW, "change += root * eps", "change += eps")),
    bertadam("G2-bert-eps", "BertAdam's eps is 1e-8, not 1e-6",
             (BERTADAM, "change += eps", "change += 1e-8")),
    schedule("G3-late", "the learning rate of the first update is not 0",
             ("training.optim.warm_up", "step / max", "(step + 1) / max")),
    schedule("G3-negative", "beyond the last update the learning rate is negative",
             (LINEAR, "max(0.0, (total - step) / max(1, total - warmup))",
              "(total - step) / max(1, total - warmup)")),
    schedule("G3-twice", "the warm-up is applied twice",
             (LINEAR, "return warm_up(step, warmup)", "return warm_up(step, warmup) "
              "** 2")),
    schedule("G3-jump", "the line starts at step 0, not after the warm-up",
             (LINEAR, "max(1, total - warmup)", "max(1, total)")),
    adamw("G6", "weight decay is added to the gradient, not decoupled",
          (ADAMW, "running_means(g, m, v, beta1, beta2)",
           "running_means(g + (weight_decay * p if decays(name) else 0), m, v, beta1, "
           "beta2)"),
          (ADAMW, "p *= 1 - lr * weight_decay", "pass")),
    adamw("G6-after", "weight decay comes after the update, not before it",
          (ADAMW, "            p *= 1 - lr * weight_decay", "            pass"),
          (ADAMW, "p -= change", "p -= change\n        p *= 1 - lr * weight_decay * "
           "decays(name)")),
    adamw("G6-rate", "weight decay is not multiplied by the learning rate",
          (ADAMW, "1 - lr * weight_decay", "1 - weight_decay")),
    clipping("G7-each", "each gradient is clipped by itself, not all by one factor",
             ("training.optim.clip_by_global_norm", "g *= factor",
              "g *= min(1, max_norm / (global_norm({'': g}) + 1e-6))")),
    clipping("G7-always", "short gradients are stretched to the largest norm",
             ("training.optim.clip_by_global_norm", "and factor < 1", "")),
    clipping("G7-entries", "single entries are clipped, not the norm",
             ("training.optim.clip_by_global_norm", "g *= factor",
              "np.clip(g, -max_norm, max_norm, out=g)")),
    adamw("G20-squares", "the second mean is one of gradients, not of squares",
          (MEANS, "np.multiply(g, g, out=part)", "np.abs(g, out=part)")),
    adamw("G20-swapped", "the two betas are swapped",
          (MEANS, "part = g - m", "beta1, beta2 = beta2, beta1\n    part = g - m")),
    adamw("G20-sign", "the update climbs: a plus for a minus",
          (ADAMW, "p -= change", "p += change")),
    # H. tokenizer
    token("H1-none", "accents are not decomposed, so they stay",
          (NORMAL + "decompose", "if flags(c) & NFD else c", "if False else c")),
    token("H1-letters", "only accents of Latin letters are dropped",
          (NORMAL + "strip_accents", "if not flags(char[0]) & MN",
           "if not 0x300 <= ord(char[0]) < 0x370")),
    token("H2", "accents are stripped only if asked for, not by default",
          (NORMAL + "normalizer_steps", "lowercase if accents is None",
           "False if accents is None")),
    cased("H2-cased", "accents are stripped in a cased vocabulary too",
          (NORMAL + "normalizer_steps", "lowercase if accents is None",
           "True if accents is None")),
    token("H3-none", "Chinese characters are not words of their own",
          (NORMAL + "isolate_cjk", "if flags(c) & CJK else c", "if False else c")),
    token("H3-kana", "Japanese kana are isolated as Chinese characters are",
          (NORMAL + "isolate_cjk", "flags(c) & CJK",
           "flags(c) & CJK or 0x3040 <= ord(c) < 0x3100")),
    token("H4-bytes", "the longest word is counted in bytes",
          (PIECE, "len(word) > max_chars", "len(word.encode()) > max_chars")),
    token("H4-more", "the longest word has 200 characters",
          (PIECE, "len(word) > max_chars", "len(word) > 200")),
    token("H5", "[UNK] stands for a piece, not for the whole word",
          (PIECE, "            return None\n        pieces",
           '            pieces.append(("[UNK]", start, start + 1))\n'
           "            start += 1\n            continue\n        pieces")),
    token("H6", "characters beyond 16 bits are cut in two",
          (NORMAL + "spanned", "for i, c in enumerate(text)",
           "for i, c in enumerate(text) for _ in range(1 + (ord(c) > 0xffff))")),
    token("H7-kept", "control characters are kept",
          (NORMAL + "clean", "if not flags(c) & REMOVED", "")),
    token("H7-split", "control characters become spaces",
          (NORMAL + "clean", 'flags(c) & SPACE', "flags(c) & (SPACE | REMOVED)"),
          (NORMAL + "clean", "if not flags(c) & REMOVED", "")),
    token("H7-ascii", "only the space of ASCII counts as white space",
          (NORMAL + "clean", 'flags(c) & SPACE', 'c in "\\t\\n\\r "'),
          (WORDS, "kind & (SPACE | PUNCT)", 'char[0] == " " or kind & PUNCT')),
    token("H8", "[MASK] in a text is split as text is",
          ("tokenization.definition.added_tokens.find", "if matcher is None",
           "if True")),
    token("H9", "the text is not lower-cased",
          (NORMAL + "normalizer_steps", '("lower", lower, lowercase)',
           '("lower", lower, False)')),
    cut("H10-tie", "of two texts of one length, the second is cut more",
        ("tokenization.rows.truncation.lengths_to_keep",
         "short, long = room // 2, room - room // 2",
         "long, short = room // 2, room - room // 2")),
    cut("H10-share", "both texts are cut by the same number of pieces",
        ("tokenization.rows.truncation.lengths_to_keep", "short, long = min(a, b), "
         "max(a, b)", "return a - excess // 2, b - (excess - excess // 2)\n    "
         "short, long = min(a, b), max(a, b)")),
    token("H14", "a sigma at the end of a word becomes ς",
          (NORMAL + "lower", "for s in (lower_map()",
           'for s in ("ς" if (c, start, end) == ("Σ", *chars[-1][1:]) else lower_map()'
           )),
    token("H15", "pieces inside a word are looked up without ##",
          (PIECE, "PREFIX if start else", '"" if start else')),
    token("H16", "symbols of ASCII such as $ and + are not punctuation",
          (WORDS, "kind = flags(char[0])",
           'kind = flags(char[0]) & (0xff if char[0] not in "$+<=>^`|~" else ~PUNCT)')),
    token("H17", "the shortest piece that fits is taken, not the longest",
          (PIECE, "range(len(word), start, -1)", "range(start + 1, len(word) + 1)")),
]
