"""Bugs around the pieces: vocabulary, offsets, truncation, padding, layout, decoding.

property_bugs has them all, and says what they are for.
"""

from numbert.tokenization.definition import normalization as n
from readable_tokenizer import (SEP, SPECIAL, VOCAB, as_dict, chop, cut, fill,
                                find_special, frame, join, keep, read, target, windows)
from text_bugs import Bug, bug


VOCABULARY = [
    bug("vocabulary", "ids count from 1", read=lambda text: {
        line: i for i, line in enumerate(text.split("\n"), 1)}),
    bug("vocabulary", "entries are sorted", read=lambda text: {
        line: i for i, line in enumerate(sorted(text.split("\n")))}),
    bug("vocabulary", "entries keep their line end", read=lambda text: {
        line if line in SPECIAL else line + "\r": i
        for line, i in read(text).items()}),
    bug("vocabulary", "the last entry is lost",
        read=lambda text: read(text.rpartition("\n")[0])),
    bug("vocabulary", "entries of one letter are skipped", read=lambda text: {
        line: i for line, i in read(text).items() if len(line) > 1}),
    bug("vocabulary", "entries that are not ASCII are lost", read=lambda text: {
        line: i for line, i in read(text).items() if line.isascii()}),
    bug("vocabulary", "entries are stripped of #", read=lambda text: {
        line.strip("#"): i for line, i in read(text).items()}),
    Bug("vocabulary", "lower-casing is not saved", lambda: target()._replace(
        reload=lambda: target(lowercase=False))),
    Bug("vocabulary", "the vocabulary is saved in alphabetical order",
        lambda: target()._replace(reload=lambda: target(
            {token: i for i, token in enumerate(sorted(VOCAB))}))),
]


def finding(change):
    """A `find_special` that looks at every part once more; None: it is text."""
    def find(text):
        return [part if not part[2] else (*part[:2], change(text, *part[:2]))
                for part in find_special(text)]
    return find


SPECIALS = [
    bug("special", "special tokens are split like text",
        find_special=finding(lambda *part: False)),
    bug("special", "special tokens are found only between spaces",
        find_special=finding(lambda text, token, at: not (
            text[:at][-1:].strip() or text[at + len(token):][:1].strip()))),
    bug("special", "[mask] is a special token", enter=lambda text:
        text.replace("[mask]", "[MASK]").replace("[sep]", "[SEP]")),
    bug("special", "only [MASK] is found", find_special=finding(
        lambda text, token, at: token == "[MASK]")),
    bug("special", "special tokens are dropped from the text",
        find_special=lambda text: [part for part in find_special(text)
                                   if not part[2]]),
    bug("special", "only the first special token is found",
        find_special=finding(lambda text, token, at: at < 6)),
]


def byte(text, i):
    """The place in UTF-8 of a character."""
    return len(text[:i].encode())


def placed(change):
    """A `span` that is changed at the end: change(start, end, text)."""
    return lambda chars, a, b, text: change(chars[a][1], chars[b - 1][2], text)


def utf16(text, i):
    """The place in UTF-16 of a character."""
    return len(text[:i].encode("utf-16-le")) // 2


OFFSETS = [
    bug("offsets", "offsets in bytes", span=placed(
        lambda a, b, text: (byte(text, a), byte(text, b)))),
    bug("offsets", "offsets in UTF-16", span=placed(
        lambda a, b, text: (utf16(text, a), utf16(text, b)))),
    bug("offsets", "the end is the last character", span=placed(
        lambda a, b, text: (a, b - 1))),
    bug("offsets", "offsets count from 1", span=placed(
        lambda a, b, text: (a + 1, b + 1))),
    bug("offsets", "offsets of the whole word for each piece",
        span=lambda chars, a, b, text: (chars[0][1], chars[-1][2])),
    bug("offsets", "offsets within the word",
        span=lambda chars, a, b, text: (a, b)),
    bug("offsets", "an end is the start and the piece's length",
        span=lambda chars, a, b, text: (chars[a][1], chars[a][1] + b - a)),
    bug("offsets", "offsets in the text without control characters",
        enter=lambda text: "".join(c for c, _, _ in n.clean(n.spanned(text)))),
    bug("offsets", "offsets in the stripped text", enter=str.lstrip),
    bug("offsets", "[UNK] stands at the first letter of its word",
        cut=lambda word, vocab: [(piece, a, a + 1 if piece == "[UNK]" else b)
                                 for piece, a, b in cut(word, vocab)]),
    bug("offsets", "offsets count on through the second text",
        finish=lambda row: [(p[0], p[1] + 7, p[2] + 7, *p[3:]) if p[4] == 1 else p
                            for p in row]),
    bug("offsets", "the offset of ## includes two characters before",
        span=lambda chars, a, b, text: (max(chars[a][1] - (2 if a else 0), 0),
                                        chars[b - 1][2])),
    bug("offsets", "word ids count pieces", finish=lambda row: [
        (*p[:3], None if p[3] is None else i, *p[4:]) for i, p in enumerate(row)]),
    bug("offsets", "word ids go on in the second text", finish=lambda row: [
        (*p[:3], p[3] + 1 if p[4] == 1 else p[3], *p[4:]) for p in row]),
    bug("offsets", "special tokens have the word id -1", finish=lambda row: [
        (*p[:3], -1 if p[3] is None else p[3], *p[4:]) for p in row]),
]


def kept(change):
    """A `keep` for pairs: change(a, b, room) -> (a, b), where they do not fit."""
    def keeps(a, b, room, strategy):
        if b is None or a + b <= room or strategy != "longest_first":
            return keep(a, b, room, strategy)
        x, y = change(a, b, room)
        return max(min(x, a), 0), max(min(y, b), 0)
    return keeps


TRUNCATION = [
    bug("truncation", "special tokens are not counted", keep=lambda a, b, room, how:
        keep(a, b, room + (2 if b is None else 3), how)),
    bug("truncation", "one token less than fits is kept", keep=lambda a, b, room, how:
        keep(a, b, max(room - 1, 0), how)),
    bug("truncation", "the frame of a pair is counted as that of one text",
        keep=lambda a, b, room, how: keep(a, b, room + (b is not None), how)),
    bug("truncation", "both texts are cut by the same number", keep=kept(
        lambda a, b, room: (a - (a + b - room + 1) // 2, b - (a + b - room) // 2))),
    bug("truncation", "the second text is cut first", keep=kept(
        lambda a, b, room: (min(a, room), max(room - a, 0)))),
    bug("truncation", "the first text is cut first", keep=kept(
        lambda a, b, room: (max(room - b, 0), min(b, room)))),
    bug("truncation", "both texts get half the room", keep=kept(
        lambda a, b, room: (room // 2, room - room // 2))),
    bug("truncation", "the first text keeps more on a tie", keep=kept(
        lambda a, b, room: keep(a, b, room, "longest_first")
        if a != b else (room - room // 2, room // 2))),
    bug("truncation", "only_first and only_second are swapped",
        keep=lambda a, b, room, how: keep(a, b, room, {
            "only_first": "only_second", "only_second": "only_first"}.get(how, how))
        if b is not None and a > 9 < b else keep(a, b, room, "longest_first")),
    bug("truncation", "only_first is longest_first", keep=lambda a, b, room, how:
        keep(a, b, room, "longest_first")),
    bug("truncation", "the start is cut, not the end",
        chop=lambda items, size, side: items[len(items) - size:],
        windows=lambda items, *rest: [chop(items, rest[0], "left"),
                                      *windows(items, *rest)[1:]]),
    bug("truncation", "truncation_side is ignored",
        chop=lambda items, size, side: items[:size],
        windows=lambda items, size, stride, side:
        windows(items, size, stride, "right")),
    bug("truncation", "the last [SEP] is cut off",
        keep=lambda a, b, room, how: keep(a, b, room + 1, how),
        finish=lambda row: row if len(row) < 6 else row[:-1]),
    bug("truncation", "the text in the middle is cut out",
        windows=lambda items, size, stride, side: windows(items, size, stride, side)
        if len(items) <= size else [items[:size // 2] + items[-(size - size // 2):],
                                    *windows(items, size, stride, side)[1:]]),
]

WINDOWS = [
    bug("windows", "the stride is the step", windows=lambda items, size, stride, side:
        windows(items, size, size - max(stride, 1), side)),
    bug("windows", "windows do not overlap", windows=lambda items, size, stride, side:
        windows(items, size, 0, side)),
    bug("windows", "the last window is lost", windows=lambda *given:
        windows(*given)[:-1] or windows(*given)),
    bug("windows", "a last window too many", windows=lambda items, size, stride, side:
        [*windows(items, size, stride, side), items[-stride:]] if stride and
        size < len(items) else windows(items, size, stride, side)),
    bug("windows", "windows overlap by one token more",
        windows=lambda items, size, stride, side:
        windows(items, size, min(stride + 1, size - 1), side)),
    bug("windows", "there are no other windows",
        windows=lambda *given: windows(*given)[:1]),
    bug("windows", "the last window is moved back to be full",
        windows=lambda items, size, stride, side: [
            part if len(part) == size or side == "left" else items[-size:]
            for part in windows(items, size, stride, side)]
        if len(items) > size else [items]),
]


def filled(change):
    """A `fill` whose row is changed: change(row, size of the row before)."""
    def fills(row, size, side, vocab):
        return {**fill(row, size, side, vocab),
                **change(fill(row, size, side, vocab), row)}
    return fills


PADDING = [
    bug("padding", "padding on the other side", fill=lambda row, size, side, vocab:
        fill(row, size, "left" if side == "right" else "right", vocab)),
    bug("padding", "padding_side is ignored", fill=lambda row, size, side, vocab:
        fill(row, size, "right", vocab)),
    bug("padding", "the mask is inverted", fill=filled(lambda row, _: {
        "attention_mask": [1 - x for x in row["attention_mask"]]})),
    bug("padding", "the mask is 1 everywhere", fill=filled(lambda row, _: {
        "attention_mask": [1] * len(row["ids"])})),
    bug("padding", "the mask hides a [PAD] of the text", fill=filled(lambda row, _: {
        "attention_mask": [int(token != "[PAD]") for token in row["tokens"]]})),
    bug("padding", "padding has the type of the last token", fill=filled(
        lambda row, old: {"type_ids": [1 if m == 0 else t for m, t in zip(
            row["attention_mask"], row["type_ids"])]})),
    bug("padding", "padding has the id of [UNK]", fill=filled(lambda row, _: {
        "ids": [VOCAB["[UNK]"] if m == 0 else i for m, i in zip(
            row["attention_mask"], row["ids"])]})),
    bug("padding", "padding is not special", fill=filled(lambda row, _: {
        "special_tokens_mask": [s and m for s, m in zip(
            row["special_tokens_mask"], row["attention_mask"])]})),
    bug("padding", "pad_to_multiple_of is ignored",
        width=lambda rows, multiple: max(len(row["ids"]) for row in rows)),
    bug("padding", "a full multiple gets one more", width=lambda rows, multiple:
        (max(len(row["ids"]) for row in rows) // multiple + 1) * multiple
        if multiple > 1 else max(len(row["ids"]) for row in rows)),
    bug("padding", "rows are padded one token too long",
        width=lambda rows, multiple: -(-max(len(row["ids"]) for row in rows)
                                       // multiple) * multiple + 1),
]


def framed(change):
    """A `frame` that is changed: change(row) -> row."""
    return lambda a, b: change(frame(a, b))


LAYOUT = [
    bug("layout", "[CLS] is missing", frame=framed(lambda row: row[1:])),
    bug("layout", "the last [SEP] is missing", frame=framed(lambda row: row[:-1])),
    bug("layout", "there is no [SEP] between the texts", frame=framed(lambda row: [
        p for i, p in enumerate(row) if p[0] != SEP or p[4] is not None
        or i + 1 == len(row)])),
    bug("layout", "two [SEP] between the texts, as in RoBERTa", frame=lambda a, b:
        frame(a, b) if b is None else [*frame(a, None), frame(a, None)[-1],
                                       *frame(a, b)[len(a) + 2:]]),
    bug("layout", "a second [CLS] before the second text", frame=lambda a, b:
        frame(a, b) if b is None else [*frame(a, None), frame(a, None)[0],
                                       *frame(a, b)[len(a) + 2:]]),
    bug("layout", "all types are 0", frame=framed(lambda row: [
        (*p[:5], 0) for p in row])),
    bug("layout", "types are 1 and 2", frame=framed(lambda row: [
        (*p[:5], p[5] + 1) for p in row])),
    bug("layout", "the first [SEP] is of type 1", frame=lambda a, b: [
        (*p[:5], 1) if b is not None and i == len(a) + 1 else p
        for i, p in enumerate(frame(a, b))]),
    bug("layout", "the last [SEP] is of type 0", frame=framed(lambda row: [
        *row[:-1], (*row[-1][:5], 0)])),
    bug("layout", "special_tokens_mask marks [MASK] in the text",
        as_dict=lambda row, vocab: {**as_dict(row, vocab), "special_tokens_mask": [
            int(p[0] in SPECIAL) for p in row]}),
    bug("layout", "special_tokens_mask is inverted", as_dict=lambda row, vocab: {
        **as_dict(row, vocab), "special_tokens_mask": [
            int(p[4] is not None) for p in row]}),
    bug("layout", "the two texts are swapped", frame=lambda a, b:
        frame(a, b) if b is None else frame(b, a)),
]

DECODING = [
    bug("decoding", "## is kept", join=" ".join),
    bug("decoding", "pieces are joined without ## but with spaces",
        join=lambda tokens: " ".join(tokens).replace("##", "")),
    bug("decoding", "words are joined", join=lambda tokens: "".join(tokens).replace(
        "##", "")),
    bug("decoding", "two spaces between words",
        join=lambda tokens: "  ".join(tokens).replace("  ##", "")),
    bug("decoding", "a space before the text", join=lambda tokens: "".join(
        token[2:] if token.startswith("##") else " " + token for token in tokens)),
    bug("decoding", "the last token is lost", join=lambda tokens: join(tokens[:-1])),
    bug("decoding", "repeated tokens are written once", join=lambda tokens: join(
        [t for t, before in zip(tokens, ["", *tokens]) if t != before])),
    bug("decoding", "skip_special_tokens is ignored", drop_special=list),
    bug("decoding", "skip_special_tokens leaves [SEP]", drop_special=lambda tokens: [
        t for t in tokens if t not in ("[CLS]", "[PAD]")]),
    bug("decoding", "skip_special_tokens drops the first and the last token",
        drop_special=lambda tokens: tokens[2:-1]),
]

BATCH = [
    bug("batch", "rows come back sorted by length", batch=lambda encode, texts, pairs,
        options: sorted((encode(t, p, **options) for t, p in zip(
            texts, pairs or [None] * len(texts))), key=lambda row: len(row["ids"]))),
    bug("batch", "equal texts are returned once", batch=lambda encode, texts, pairs,
        options: [encode(t, p, **options) for t, p in dict.fromkeys(zip(
            texts, pairs or [None] * len(texts)))]),
    bug("batch", "all rows are cut to the first one's length", batch=lambda encode,
        texts, pairs, options: [{name: x[:len(encode(texts[0])["ids"])]
                                 for name, x in encode(t, **options).items()}
                                for t in texts]),
    bug("batch", "truncation is ignored", batch=lambda encode, texts, pairs, options: [
        encode(t, p) for t, p in zip(texts, pairs or [None] * len(texts))]),
    Bug("batch", "a cache knows words by their first three letters",
        lambda: forgetful(lambda word: word[:3])),
    Bug("batch", "a cache knows words without regard to their length",
        lambda: forgetful(lambda word: word[:1] + word[-1:])),
]


def forgetful(key):
    """A tokenizer with a cache of words under a key that is too short."""
    seen = {}

    def cached(word, vocab):
        pieces = seen.setdefault(key(word), cut(word, vocab))
        return pieces if pieces[-1][2] <= len(word) else [
            (p, min(a, len(word) - 1), min(b, len(word))) for p, a, b in pieces]

    return target(cut=cached)


ROW_BUGS = (VOCABULARY + SPECIALS + OFFSETS + TRUNCATION + WINDOWS + PADDING + LAYOUT
            + DECODING + BATCH)
