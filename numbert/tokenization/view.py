"""Tokenization made visible: the plain text that `numbert tokenize` prints."""

from .definition.encode import cut
from .definition.normalization import check_unicode, plain, spanned, split_words
from .legacy.pieces import LegacyCore, find_words

SPACE = "\u2423"                # shown instead of a space
HEADER = ("token", "id", "chars", "text")


def table(tokenizer, text):
    """Return the tokens of a text, one per line: token, id, offsets and original text.

    A blank line separates words.  A piece that continues a word begins with "##".

    Args:
        tokenizer: a BertTokenizer, or a BertTokenizerLegacy (then without offsets).
        text: a str.

    Returns:
        str, several lines

    Raises:
        TypeError: text is not a str, or not valid Unicode.
    """
    if not tokenizer.is_fast:
        return _lines([("token", "id")] + [
            (visible(token), str(tokenizer.convert_tokens_to_ids(token)))
            for token in tokenizer.tokenize(text)])
    row = tokenizer(text, verbose=False)[0]
    lines = [HEADER]
    for i, word in enumerate(row.word_ids):
        if i and (word is None or word != row.word_ids[i - 1]):
            lines.append(("", "", "", ""))
        start, end = row.offsets[i]
        chars = "" if word is None else f"{start}-{end}"
        shown = "" if word is None else visible(text[start:end])
        lines.append((visible(row.tokens[i]), str(row.ids[i]), chars, shown))
    return _lines(lines)


def explain(tokenizer, text):
    """Return the text after each stage of tokenization, one stage per line.

    Args:
        tokenizer: a BertTokenizer or a BertTokenizerLegacy.
        text: a str.  Special and added tokens in it are treated as ordinary text.

    Returns:
        str, several lines

    Raises:
        TypeError: text is not a str, or not valid Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"text is {text!r}, expected a str: pass one text")
    lines = [("stage", "text after it"), ("input", visible(text))]
    for name, after in stages(tokenizer.core, text):
        shown = after if name == "pieces" else visible(after)
        lines.append((name, shown))
    return _lines(lines)


def stages(core, text):
    """Return the text after each stage, [(name of the stage, text), ...].

    After "split" there is a bar between words, after "pieces" a space between word
    pieces.

    Args:
        core: the `core` of a tokenizer.
        text: a str.  Special and added tokens in it are treated as ordinary text.
    """
    check_unicode(text)
    chars, out = spanned(text), []
    if isinstance(core, LegacyCore):
        words = find_words(core, text)
        pieces = [piece for word in words for piece in core.wordpiece.tokenize(word)]
    else:
        core = core.plain
        for name, step in core.steps:
            chars = step(chars)
            out.append((name, plain(chars)))
        words = [plain(word) for word in split_words(chars)]
        names = {index: piece for piece, index in core.vocab.items()}
        names[core.unk_id] = core.unk_token
        pieces = [names[index] for word in words for index, _, _ in cut(core, word)]
    return out + [("split", "|".join(words)), ("pieces", " ".join(pieces))]


def visible(text):
    """Show each space as \u2423 and each unprintable character as <U+200B>."""
    return "".join(SPACE if char == " " else char if char.isprintable()
                   else f"<U+{ord(char):04X}>" for char in text)


def _lines(rows):
    """Align rows of cells in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    return "\n".join(lines)
