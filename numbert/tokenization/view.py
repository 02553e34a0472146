"""Tokenization for reading: plain text for `numbert tokenize`."""

from .fast.pipeline import stages

SPACE = "\u2423"                # shown instead of a blank
HEADER = ("token", "id", "chars", "text")


def table(tokenizer, text):
    """The tokens of a text, one per line: token, id, offsets, and the text behind it.

    A blank line separates words; a piece that continues a word begins with "##".

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
    """The text after each stage of tokenization, one stage per line.

    Args:
        tokenizer: a BertTokenizer or a BertTokenizerLegacy.
        text: a str.  Special and added tokens in it count as ordinary text here.

    Returns:
        str, several lines

    Raises:
        TypeError: text is not a str, or not valid Unicode.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {text!r}.")
    lines = [("stage", "text after it"), ("input", visible(text))]
    for name, after in stages(tokenizer.core, text):
        shown = after if name == "pieces" else visible(after)
        lines.append((name, shown))
    return _lines(lines)


def visible(text):
    """text with blanks as \u2423 and what can't be seen as code points, <U+200B>."""
    return "".join(SPACE if char == " " else char if char.isprintable()
                   else f"<U+{ord(char):04X}>" for char in text)


def _lines(rows):
    """Rows of cells as aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    return "\n".join(lines)
