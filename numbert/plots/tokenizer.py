"""The picture of a tokenizer: what each of its steps does to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..tokenization.definition import normalizer_steps, pieces_of, spanned, split_words
from ..tokenization.definition.normalization import check_unicode
from . import look
from .look import BLUE, INK, LINE, ORANGE, SOFT, canvas, label

NAMES = {"clean": "clean", "cjk": "isolate CJK", "accents": "strip accents",
         "lower": "lower case"}


def tokenizer_stages(text: str, vocab: Mapping, lowercase: bool = True) -> list:
    """Return what each step of BERT's tokenizer makes of a text.

    Args:
        text: a str.
        vocab: {piece: id}, such as `tokenizer.vocab`.
        lowercase: whether to lower-case and strip accents.

    Returns:
        [(name, items)], where items are (string, start, end) from text[start:end]; in
        the last stage, the pieces, (string, start, end, id).

    Raises:
        TypeError: the text is not valid Unicode.

    Example:
        plots.tokenizer_stages("Déjà vu!", tokenizer.vocab)[-1]
    """
    check_unicode(text)
    chars = spanned(text)
    stages: list = [("text", chars)]
    for name, step in normalizer_steps(lowercase):
        chars = step(chars)
        stages.append((NAMES[name], chars))
    words = split_words(chars)
    stages.append(("words", [span("".join(c for c, _, _ in word), word)
                             for word in words]))
    pieces = []
    for word in words:
        plain = "".join(c for c, _, _ in word)
        found = pieces_of(plain, vocab)
        if found is None:
            pieces.append((*span("[UNK]", word), vocab.get("[UNK]")))
        else:
            pieces += [(*span(piece, word[start:end]), vocab[piece])
                       for piece, start, end in found]
    return [*stages, ("pieces", pieces)]


def span(string: str, chars: Sequence) -> tuple[str, int, int]:
    """Return a string with the span of the characters that it comes from."""
    return string, chars[0][1], max(end for _, _, end in chars)


def tokenizer_steps(text: str, stages: Sequence, *, title: str = "", axes=None):
    """Draw what each step of a tokenizer keeps, changes, drops and splits.

    A row is a step, a column a character of the text.  A box covers the characters it
    comes from.  What a step changed stands on orange; what is gone leaves a dot.

    Args:
        text: what was tokenized.
        stages: as `tokenizer_stages` returns them: [(name, [(string, start, end) or
            (string, start, end, id), ...])].
        title: over the picture.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: a span does not lie in the text.

    Example:
        text = "Unaffable Café!"
        plots.tokenizer_steps(text, plots.tokenizer_stages(text, tokenizer.vocab))
    """
    for name, items in stages:
        for _, start, end, *_ in items:
            if not 0 <= start <= end <= len(text):
                raise ValueError(f"stage {name!r} has the span {start}:{end}, expected "
                                 f"one in 0:{len(text)}: pass the text that was "
                                 "tokenized")
    cell = min(0.3, 9 / max(len(text), 1))
    with look.style():
        out, (spot,) = canvas(axes, (max(3, cell * len(text) + 1.3),
                                     0.38 * len(stages) + (0.5 if title else 0.2)))
        before: dict = {i: c for i, c in enumerate(text)}
        for row, (_, items) in enumerate(stages):
            before = draw_stage(spot, row, text, items, before)
        spot.set_yticks(range(len(stages)), [label(name) for name, _ in stages],
                        parse_math=False)
        spot.set_xticks([])
        spot.tick_params(length=0)
        spot.set(xlim=(-0.1, len(text) + 0.1), ylim=(len(stages) - 0.4, -0.6))
        spot.spines[:].set_visible(False)
        spot.set_title(label(title), parse_math=False)
    return out


def draw_stage(axes, row: int, text: str, items, before: dict) -> dict:
    """Draw one row; return {place in the text: the string that is there now}."""
    from matplotlib.patches import FancyBboxPatch
    now: dict = {}
    for string, start, end, *_ in items:
        now[start] = now.get(start, "") + string
    ends = {start: max(end, start + 1) for _, start, end, *_ in items}
    numbers = {start: rest[0] for _, start, end, *rest in items if rest}
    for start, string in now.items():
        end = ends[start]
        source = "".join(before.get(i, "") for i in range(start, end))
        changed = string.replace("##", "") != source
        axes.add_patch(FancyBboxPatch(
            (start + 0.06, row - 0.36), end - start - 0.12, 0.72, linewidth=0.9,
            boxstyle="round,pad=0,rounding_size=0.12",
            edgecolor=ORANGE if changed else BLUE if end - start > 1 or numbers else
            LINE, facecolor="#fde0c8" if changed else "#deebf7" if numbers else "none"))
        said = label(string.replace(" ", "␣"))
        axes.text((start + end) / 2, row - (0.13 if numbers else 0), said, ha="center",
                  va="center", color=INK, parse_math=False)
        if start in numbers:
            axes.text((start + end) / 2, row + 0.2, f"{numbers[start]}", ha="center",
                      va="center", color=SOFT, fontsize=7)
    covered = {i for start in now for i in range(start, ends[start])}
    for i in set(range(len(text))) - covered:
        axes.plot(i + 0.5, row, ".", color=SOFT, markersize=3)
    return now
