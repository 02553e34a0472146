"""A tokenizer whose stages can be replaced one by one, to put bugs into it.

`target()` is right, a TokenizerTarget that does what numbert does.  `target(lower=f)`
is the same with another stage.  Stages work on characters with their spans,
[(character, start, end), ...], as numbert/tokenization/definition does.
"""

import re
from types import SimpleNamespace

from numbert.testing.properties.targets import SPECIAL, TokenizerTarget
from numbert.tokenization.definition import normalization as n
from numbert.tokenization.definition.wordpiece import wordpiece
from tokenizer_cases import VOCAB as SMALL_VOCAB

# With pieces among which a wrong search goes astray, and letters that look alike.
VOCAB = {piece: i for i, piece in enumerate(
    dict.fromkeys([*SMALL_VOCAB, *"ab ##bc ##ab abcd ##cd ss ae fi worldx".split(),
                   *(lead + c for c in "abcdefghijklmnopqrstuvwxy"
                     for lead in ("", "##"))]))}
CLS, SEP, PAD = "[CLS]", "[SEP]", "[PAD]"


# ------------------------------------------------------------------------- stages

def find_special(text):
    """[(part of the text, where it starts, whether it is a special token), ...]"""
    found = re.finditer("|".join(map(re.escape, SPECIAL)), text)
    parts, done = [], 0
    for match in found:
        parts += [(text[done:match.start()], done, False),
                  (match.group(), match.start(), True)]
        done = match.end()
    return [*parts, (text[done:], done, False)]


def cut(word, vocab):
    """[(piece, start, end), ...] of one word; [UNK] for an unknown one."""
    return wordpiece(word, vocab) or [("[UNK]", 0, len(word))]


def span(chars, start, end, text):
    """Where the piece of chars[start:end] stands in the text."""
    return chars[start][1], chars[end - 1][2]


def keep(a, b, room, strategy):
    """How many pieces of each text to keep; b is None for a single text."""
    if b is None:
        return min(a, room), 0
    if a + b <= room:
        return a, b
    if strategy == "only_first":
        return room - b, b
    if strategy == "only_second":
        return a, room - a
    short, long = min(a, b), max(a, b)
    long = max(short, room - short)
    if short + long > room:
        short, long = room // 2, room - room // 2
    return (long, short) if a > b else (short, long)


def chop(items, size, side):
    """What is kept of a text."""
    return items[:size] if side == "right" else items[len(items) - size:]


def windows(items, size, stride, side):
    """The windows of a text that is too long, the main one first."""
    if size >= len(items):
        return [items]
    out, step = [], size - stride
    if side == "right":
        for start in range(0, len(items), step):
            out.append(items[start:start + size])
            if start + size >= len(items):
                return out
    for end in range(len(items), 0, -step):
        out.append(items[max(end - size, 0):end])
        if end - size <= 0:
            return out
    return out


def frame(a, b):
    """[(token, start, end, word, text, type), ...] with [CLS] and [SEP]."""
    def special(token, kind):
        return (token, 0, 0, None, None, kind)

    row = [special(CLS, 0), *[(*p, 0, 0) for p in a], special(SEP, 0)]
    if b is not None:
        row += [*[(*p, 1, 1) for p in b], special(SEP, 1)]
    return row


def unframed(a, b):
    """The same without [CLS] and [SEP]."""
    return [(*p, 0, 0) for p in a] + [(*p, 1, 1) for p in b or []]


def as_dict(row, vocab):
    """The row as the laws expect it."""
    return {"tokens": [p[0] for p in row], "ids": [vocab.get(p[0], -1) for p in row],
            "type_ids": [p[5] for p in row], "attention_mask": [1] * len(row),
            "special_tokens_mask": [int(p[4] is None) for p in row],
            "offsets": [(p[1], p[2]) for p in row], "word_ids": [p[3] for p in row],
            "sequence_ids": [p[4] for p in row]}


def finish(row):
    """The last look at a row: as it is."""
    return row


def width(rows, multiple):
    """How long all rows of a batch become."""
    return -(-max(len(row["ids"]) for row in rows) // multiple) * multiple


def fill(row, size, side, vocab):
    """The row, padded to `size` tokens."""
    gap, out = size - len(row["ids"]), {}
    for name, value in (("tokens", PAD), ("ids", vocab[PAD]), ("type_ids", 0),
                        ("attention_mask", 0), ("special_tokens_mask", 1),
                        ("offsets", (0, 0)), ("word_ids", None),
                        ("sequence_ids", None)):
        pads = [value] * gap
        out[name] = row[name] + pads if side == "right" else pads + row[name]
    return {**row, **out}


def batch(encode, texts, pairs, options):
    """All rows, before padding."""
    return [encode(text, pair, **options) for text, pair
            in zip(texts, pairs or [None] * len(texts))]


def join(tokens):
    """Tokens as text."""
    return " ".join(tokens).replace(" ##", "")


def drop_special(tokens):
    """What skip_special_tokens leaves."""
    return [token for token in tokens if token not in SPECIAL]


def read(text):
    """The vocabulary of the text of vocab.txt."""
    return {line: i for i, line in enumerate(text.split("\n")) if line}


STAGES = {f.__name__: f for f in (
    find_special, cut, span, keep, chop, windows, frame, as_dict, finish, width, fill,
    batch, join, drop_special, read)} | {
    "clean": n.clean, "cjk": n.isolate_cjk, "accents": n.strip_accents,
    "lower": n.lower, "words": n.split_words, "enter": lambda text: text}


# ----------------------------------------------------------------------- the whole

def pieces_of(s, text, vocab, lowercase):
    """[(token, start, end, word), ...] of one text."""
    out, number, text = [], 0, s.enter(text)
    steps = [s.clean, s.cjk, s.accents, s.lower] if lowercase else [s.clean, s.cjk]
    for part, start, special in s.find_special(text):
        if special:
            out.append((part, start, start + len(part), number))
            number += 1
            continue
        chars = [(c, start + i, start + i + 1) for i, c in enumerate(part)]
        for step in steps:
            chars = step(chars)
        for word in s.words(chars):
            for token, a, b in s.cut("".join(c for c, _, _ in word), vocab):
                out.append((token, *s.span(word, a, b, text), number))
            number += 1
    return out


def encoder(s, vocab, lowercase):
    """The function `encode` of a target."""
    def encode(text, pair=None, *, add_special_tokens=True, truncation=None,
               max_length=None, stride=0, truncation_side="right"):
        a = pieces_of(s, text, vocab, lowercase)
        b = None if pair is None else pieces_of(s, pair, vocab, lowercase)
        added = (2 if b is None else 3) if add_special_tokens else 0
        put = s.frame if add_special_tokens else unframed
        rows = [(a, b)]
        if truncation and max_length is not None and \
                len(a) + len(b or []) + added > max_length:
            first, second = s.keep(len(a), None if b is None else len(b),
                                   max_length - added, truncation)
            if b is None and stride + 1 < max_length - added:
                rows = [(part, None) for part in
                        s.windows(a, first, stride, truncation_side)]
            else:
                rows = [(s.chop(a, first, truncation_side),
                         None if b is None else s.chop(b, second, truncation_side))]
        rows = [s.as_dict(s.finish(put(*row)), vocab) for row in rows]
        return {**rows[0], "overflowing": rows[1:]}

    return encode


def target(vocab=VOCAB, lowercase=True, **changed) -> TokenizerTarget:
    """A target with some stages replaced; `vocab` is what the tester believes it has.
    """
    s = SimpleNamespace(**{**STAGES, **changed})
    text = "\n".join(sorted(vocab, key=vocab.get))
    own = s.read(text)
    encode = encoder(s, own, lowercase)

    def encode_batch(texts, pairs=None, *, padding=None, padding_side="right",
                     pad_to_multiple_of=1, **options):
        rows = s.batch(encode, texts, pairs, options)
        if padding is None:
            return rows
        size = s.width(rows, pad_to_multiple_of)
        return [s.fill(row, size, padding_side, own) for row in rows]

    def decode(ids, skip_special_tokens=False):
        by_id = {i: token for token, i in own.items()}
        tokens = [by_id.get(i, "[UNK]") for i in ids]
        return s.join(s.drop_special(tokens) if skip_special_tokens else tokens)

    def normalize(text):
        return n.normal_form(text, n.normalizer_steps(lowercase))

    return TokenizerTarget(encode, vocab, encode_batch, decode, normalize,
                           lambda: target(own, lowercase), lowercase)
