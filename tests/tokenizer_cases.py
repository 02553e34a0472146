"""Calls of a tokenizer at random, for the live comparison and the recorded one.

Plain `random`, so that the recorded cases need nothing but Python.
"""

import random

VOCAB = {piece: i for i, piece in enumerate((
    "[PAD] [UNK] [CLS] [SEP] [MASK] a b c ##a ##b ##c hello world ##s un ##aff ##able "
    "nai ##ve naive naïve don t s do not n ' . , ! ? [ ] mask ## - 3 14 中 文 e é ##e "
    "##é x ##x i ##\u0307 α ##σ ##ς ᄒ ##ᅡ ##ᆫ new ##tok newtok Hello W ##orld"
).split())}

PARTS = ("a", "b", "c", "abc", "hello", "Hello", "worlds", "World", "unaffable",
         "naïve", "nai\u0308ve", "don't", "do not", "3.14", "!", "中文", "中a", "[MASK]",
         "[mask]", "[SEP]x", "[CLS]", "é", "e\u0301x", "İx", "ΑΣ", "한", "xxx", "zzz",
         "new", "newtok", "NewTok", "NEWTOK", "<e>", "lead", "\u200b", "\x00", "\t",
         "\xa0", "", " ", "  ")

TOKENS = (("NewTok", {}), ("<e>", {"special": True}), ("lead", {"lstrip": True}),
          ("trail", {"rstrip": True}), ("abc", {"single_word": True}),
          ("É", {"normalized": False}), ("new tok", {"lstrip": True, "rstrip": True}))

SETTINGS = ({}, {"do_lower_case": False}, {"strip_accents": False},
            {"do_lower_case": False, "strip_accents": True},
            {"tokenize_chinese_chars": False}, {"split_special_tokens": True})

PADDING = (True, False, "longest", "max_length", "do_not_pad")
TRUNCATION = (True, False, "longest_first", "only_first", "only_second",
              "do_not_truncate")
OPTIONS = {                      # name: (values, how often it is given)
    "add_special_tokens": ((False,), .3),
    "padding": (PADDING, .5),
    "truncation": (TRUNCATION, .5),
    "max_length": ((3, 4, 5, 6, 7, 8, 10, 12, 16), .6),
    "stride": ((0, 1, 2, 3), .3),
    "pad_to_multiple_of": ((1, 2, 4, 8), .2),
    "padding_side": (("left", "right"), .3),
    "return_token_type_ids": ((True, False), .2),
    "return_attention_mask": ((True, False), .2),
    "return_overflowing_tokens": ((True,), .3),
    "return_special_tokens_mask": ((True,), .3),
    "return_offsets_mapping": ((True,), .5),
    "return_length": ((True,), .2),
    "split_special_tokens": ((True, False), .1),
}


def text(rng, parts=8):
    """A text of at most so many parts."""
    return "".join(rng.choice(PARTS) + rng.choice((" ", " ", "", "\u3000"))
                   for _ in range(rng.randint(0, parts)))


def arguments(rng, words):
    """The texts of a call: one, a pair, a batch, a batch of pairs, or mixed."""
    def one():
        return [text(rng, 2) for _ in range(rng.randint(1, 4))] if words else text(rng)

    size = rng.randint(1, 4)
    kind = rng.choice(("one", "pair", "batch", "pairs", "tuples", "mixed"))
    if kind == "one":
        return [one()]
    if kind == "pair":
        return [one(), one()]
    if kind == "batch":
        return [[one() for _ in range(size)]]
    if kind == "pairs":
        return [[one() for _ in range(size)], [one() for _ in range(size)]]
    if kind == "tuples":
        return [[(one(), one()) for _ in range(size)]]
    return [[(one(), one()) if rng.random() < .5 else one() for _ in range(size)]]


def call(seed, without=()):
    """(texts, arguments by name, attributes of the tokenizer) of one call.

    Args:
        seed: which call.
        without: names of arguments that are left out.
    """
    rng = random.Random(seed)
    words = rng.random() < .2
    texts = arguments(rng, words)
    named = {"is_split_into_words": True} if words else {}
    for name, (values, often) in OPTIONS.items():
        if rng.random() < often:
            named[name] = rng.choice(values)
    for name in without:
        named.pop(name, None)
    attributes = {"truncation_side": rng.choice(("right", "right", "left")),
                  "model_max_length": rng.choice((512, int(1e30), 10))}
    return texts, named, attributes


def tokens(seed):
    """The tokens to add to the tokenizer of a seed: a list of (content, flags)."""
    rng = random.Random(seed)
    return rng.sample(TOKENS, rng.randint(0, 4)) if rng.random() < .5 else []


def setting(seed):
    """The constructor arguments for a seed."""
    return SETTINGS[seed % len(SETTINGS)]
