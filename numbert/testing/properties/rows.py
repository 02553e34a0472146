"""Laws T4, T5 and T16 to T19, of how pieces become the rows that a model reads.

See `targets.TokenizerTarget` for what `tokenizer` is and for the options of `encode`.
"""

from __future__ import annotations

from .laws import DIALECT, EXACT, Words, law, require, same
from .tokenizer import pieces

CLS, SEP, PAD = "[CLS]", "[SEP]", "[PAD]"


def texts_of(row) -> list[list[str]]:
    """Return the tokens of the first and of the second text of a row."""
    return [[token for token, which in zip(row["tokens"], row["sequence_ids"])
             if which == number] for number in (0, 1)]


def added(pair) -> int:
    """Count the special tokens of a row."""
    return 2 if pair is None else 3


def cut(whole, size: int, side: str):
    """Return what truncation keeps of a list."""
    return whole[:size] if side == "right" else whole[len(whole) - size:]


@law("T4", "tokenizer", EXACT,
     catches="[CLS] or [SEP] that is missing, doubled or in the wrong place, "
             "special_tokens_mask that is inverted or marks [MASK]")
def special_tokens_frame_the_texts(tokenizer, text, pair):
    """A row is [CLS] a [SEP], or [CLS] a [SEP] b [SEP]; the mask marks these three."""
    a = pieces(tokenizer, text)
    b = None if pair is None else pieces(tokenizer, pair)
    tail = [] if b is None else [*b, SEP]
    row = tokenizer.encode(text, pair)
    same(list(row["tokens"]), [CLS, *a, SEP, *tail], "the tokens", (text, pair))
    mask = [1, *[0] * len(a), 1] + ([] if b is None else [*[0] * len(b), 1])
    same(list(row["special_tokens_mask"]), mask, "special_tokens_mask", (text, pair))
    same(list(row["attention_mask"]), [1] * len(mask), "attention_mask", (text, pair))


@law("T5", "tokenizer", EXACT,
     catches="token types that are all 0, that change one token too early or "
             "too late, or that are 1 and 2 (A1)")
def type_ids_tell_the_texts_apart(tokenizer, text, pair):
    """Types are 0 up to the first [SEP], itself included, and 1 after it."""
    a, b = pieces(tokenizer, text), pieces(tokenizer, pair)
    same(list(tokenizer.encode(text, pair)["type_ids"]),
         [0] * (len(a) + 2) + [1] * (len(b) + 1), "type_ids", (text, pair))
    same(list(tokenizer.encode(text)["type_ids"]), [0] * (len(a) + 2), "type_ids", text)


# ----------------------------------------------------------------------- truncation

@law("T16", "tokenizer", EXACT,
     catches="truncation that counts special tokens wrongly, cuts the wrong "
             "text or the wrong end, loses [SEP], or cuts more than it must "
             "(H10)")
def truncation_keeps_the_frame(tokenizer, text, pair, max_length, side):
    """A row is as long as it may be; of each text it keeps the start, or the end.

    Under longest_first, two texts that are both cut are equally long but for one token.
    max_length: at least 3, or for a pair 4.
    """
    whole = pieces(tokenizer, text), [] if pair is None else pieces(tokenizer, pair)
    total, about = len(whole[0]) + len(whole[1]), (text, pair, max_length, side)
    row = tokenizer.encode(text, pair, truncation="longest_first",
                           max_length=max_length, truncation_side=side)
    tokens, kept = list(row["tokens"]), texts_of(row)
    same(len(tokens), min(total + added(pair), max_length), "the number of tokens",
         about)
    for part, everything in zip(kept, whole):
        same(part, cut(everything, len(part), side), "what is kept of a text", about)
    tail = [] if pair is None else [*kept[1], SEP]
    same(tokens, [CLS, *kept[0], SEP, *tail], "the tokens", about)
    sizes = [len(part) for part in kept]
    room = max_length - added(pair)
    if pair is not None and total > room:
        fair = [min(len(w), max(room - len(other), room // 2))
                for w, other in zip(whole, whole[::-1])]
        require(all(size - least in (0, 1) for size, least in zip(sizes, fair)),
                "the lengths of the two texts", got=sizes, text=about,
                expected=Words(f"{fair}, or one more for one of them"))


@law("T30", "tokenizer", DIALECT,
     catches="the odd token given to the wrong text when both are equally long "
             "(H10)")
def on_a_tie_one_text_keeps_more(tokenizer, words):
    """Two equal texts cut to an odd number: one keeps a token more.

    Dialects: the second for Hugging Face's Rust library ("hf-fast"), the first for its
    older Python code and for Google's.
    """
    text = " ".join(words)
    size = len(pieces(tokenizer, text))
    if size < 2:
        return
    kept = texts_of(tokenizer.encode(text, text, truncation="longest_first",
                                     max_length=2 * size - 1 + 3))
    expected = [size - 1, size] if tokenizer.dialect == "hf-fast" else [size, size - 1]
    same([len(part) for part in kept], expected, "the lengths of the two texts", text)


@law("T31", "tokenizer", EXACT,
     catches="only_first and only_second swapped or ignored")
def only_the_named_text_is_cut(tokenizer, text, pair, which, excess):
    """only_first and only_second cut that text, and by no more than they must.

    which: 0 or 1.  excess: how many tokens too many there are.
    """
    whole = [pieces(tokenizer, text), pieces(tokenizer, pair)]
    if len(whole[which]) > excess:
        length = len(whole[0]) + len(whole[1]) + 3 - excess
        row = tokenizer.encode(text, pair, max_length=length,
                               truncation=("only_first", "only_second")[which])
        whole[which] = whole[which][:len(whole[which]) - excess]
        same(texts_of(row), whole, "what is kept", (text, pair, length))


@law("T19", "tokenizer", EXACT, needs=["overflowing"],
     catches="windows that overlap by the wrong number, that lose tokens at "
             "the end or count from the wrong side")
def windows_cover_the_text(tokenizer, text, max_length, stride, side):
    """The windows of a long text overlap by `stride` and together are the text.

    max_length: at least stride + 3.
    """
    row = tokenizer.encode(text, truncation="longest_first", max_length=max_length,
                           stride=stride, truncation_side=side)
    rows = [list(part["tokens"]) for part in (row, *row["overflowing"])]
    about, room = (text, max_length, stride, side), max_length - 2
    for tokens in rows:
        require(len(tokens) <= max_length and tokens[:1] == [CLS]
                and tokens[-1:] == [SEP], "a window", got=tokens, text=about,
                expected=Words(f"[CLS] ... [SEP], at most {max_length} tokens"))
    parts = [tokens[1:-1] for tokens in (rows if side == "right" else rows[::-1])]
    whole = list(parts[0])
    for before, part in zip(parts, parts[1:]):
        same(part[:stride], before[len(before) - stride:], "the start of a window",
             about)
        whole += part[stride:]
    same(whole, pieces(tokenizer, text), "the windows put together", about)
    full = parts[:-1] if side == "right" else parts[1:]
    require(all(len(part) == room for part in full), "the sizes of the windows",
            got=[len(part) for part in parts], text=about,
            expected=Words(f"{room} each, but for the last"))


# -------------------------------------------------------------------------- batches

@law("T17", "tokenizer", EXACT, needs=["encode_batch"],
     catches="padding on the wrong side, to the wrong length, with a wrong id "
             "or type, and masks that are inverted or that hide a [PAD] of the "
             "text (H12)")
def padding_fills_up(tokenizer, texts, multiple, side):
    """All rows are as long as the longest, rounded up; what is new is padding."""
    rows = tokenizer.encode_batch(texts, padding="longest", padding_side=side,
                                  pad_to_multiple_of=multiple)
    alone = [tokenizer.encode(text) for text in texts]
    wide = -(-max(len(row["ids"]) for row in alone) // multiple) * multiple
    fill = {"tokens": PAD, "ids": tokenizer.vocab[PAD], "type_ids": 0,
            "attention_mask": 0, "special_tokens_mask": 1}
    for text, row, bare in zip(texts, rows, alone):
        gap = wide - len(bare["ids"])
        for name, value in fill.items():
            expected = list(bare[name])
            expected = [value] * gap + expected if side == "left" else \
                expected + [value] * gap
            same(list(row[name]), expected, name, (text, f"padded on the {side}"))


@law("T18", "tokenizer", EXACT, needs=["encode_batch"],
     catches="rows that depend on the others of their batch, or come back in "
             "another order (H12)")
def a_batch_is_its_rows(tokenizer, texts, pairs, max_length):
    """A batch gives what its texts give one by one.

    pairs: None, or as many texts.  max_length: None, or where to cut.
    """
    options = {} if max_length is None else {"truncation": "longest_first",
                                             "max_length": max_length}
    rows = tokenizer.encode_batch(texts, pairs, **options)
    same(len(rows), len(texts), "the number of rows", texts)
    for text, pair, row in zip(texts, pairs or [None] * len(texts), rows):
        alone = tokenizer.encode(text, pair, **options)
        for name in ("tokens", "ids", "type_ids", "attention_mask"):
            same(list(row[name]), list(alone[name]), name, (text, pair))
