"""The picture of a tokenizer: what each of its steps does to a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..tokenization.definition import normalizer_steps, pieces_of, spanned, split_words
from ..tokenization.definition.normalization import check_unicode
from . import look
from .look import GREEN, INK, LINE, ORANGE, SOFT, canvas, label

NAMES = {"clean": "clean", "cjk": "isolate CJK", "accents": "strip accents",
         "lower": "lower case"}
# {what became of some characters: colours of the edge and the face of their box}
KINDS = {"kept": (LINE, "none"), "changed": (ORANGE, "#fde0c8"),
         "cut": (GREEN, "#dcf0e6")}


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
    cell = min(0.34, 9.5 / max(len(text), 1))
    with look.style():
        out, (spot,) = canvas(axes, (max(3, cell * len(text) + 1.3),
                                     0.38 * len(stages) + (0.75 if title else 0.45)))
        before: dict = dict(enumerate(text))
        for row, (_, items) in enumerate(stages):
            before = draw_stage(spot, row, items, before, cell)
            gone = set(range(len(text))) - {
                i for _, start, end, *_ in items for i in range(start, max(end, 1))}
            spot.plot([i + 0.5 for i in sorted(gone)], [row] * len(gone), ".",
                      color=SOFT, markersize=3)
        spot.set_yticks(range(len(stages)), [label(name) for name, _ in stages],
                        parse_math=False)
        spot.set_xticks([])
        spot.tick_params(length=0)
        spot.set(xlim=(-0.1, len(text) + 0.1), ylim=(len(stages) - 0.4, -0.6))
        spot.spines[:].set_visible(False)
        spot.set_title(label(title), parse_math=False)
        for kind in KINDS:
            spot.plot([], [], "s", markersize=8, markeredgecolor=KINDS[kind][0],
                      color=KINDS[kind][1], label=kind)
        look.legend(spot, "above", len(KINDS))
    return out


def draw_stage(axes, row: int, items, before: dict, cell: float) -> dict:
    """Draw one row; return {place in the text: the characters that are there now}."""
    from matplotlib.patches import FancyBboxPatch
    now: dict = {}
    for string, start, end, *rest in items:
        joined = now[start][0] if start in now else ""
        now[start] = joined + string, max(end, start + 1), rest
    following = [*(string for string, _, _ in now.values()), ""][1:]
    for (start, (string, end, rest)), after in zip(now.items(), following):
        source = "".join(before.get(i, "") for i in range(start, end))
        kept = string.removeprefix("##") in (source, source.strip())
        cut = string.startswith("##") or after.startswith("##")
        edge, fill = KINDS["changed" if not kept else "cut" if cut else "kept"]
        axes.add_patch(FancyBboxPatch(
            (start + 0.06, row - 0.36), end - start - 0.12, 0.72, linewidth=0.9,
            boxstyle="round,pad=0,rounding_size=0.12", edgecolor=edge, facecolor=fill))
        middle, room = (start + end) / 2, cell * (end - start) - 0.06
        write(axes, middle, row - (0.13 if rest else 0), visible(string), room, 9, INK)
        if rest:
            write(axes, middle, row + 0.2, str(rest[0]), room, 7, SOFT)
    single = all(end - start == 1 for start, (_, end, _) in now.items())
    return {start: string for start, (string, _, _) in now.items()} if single \
        else before


def visible(string: str) -> str:
    """Return a string with signs in place of white space."""
    for space, sign in ((" ", "␣"), ("\t", "⇥"), ("\n", "↵"), ("\r", "←")):
        string = string.replace(space, sign)
    return label(string).replace("U+", "U+\n")


def write(axes, x: float, y: float, said: str, room: float, size: float, colour: str):
    """Write a text, smaller if it would be wider than `room` inches."""
    lines = said.split("\n")
    wide = 0.0088 * size * max(len(line) + 0.4 * sum(map(line.count, "#mwMW@"))
                               for line in lines)
    size = max(5, min(size, size * room / wide))
    if len(lines) == 1:                     # all letters of a row on one line
        y += 0.011 * size
    axes.text(x, y, said, ha="center", va="baseline" if len(lines) == 1 else "center",
              color=colour, parse_math=False, fontsize=size, linespacing=0.9)
