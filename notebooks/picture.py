"""Draw numbert.png, the picture in the README: one sentence through a model, and back.

    python notebooks/picture.py [FILE]

All that it shows is computed here, by the masked LM that ships with numbert: what each
part of the model returns, the gradient of the loss for it, and how many digits of each
step are right.  It needs matplotlib and python-flint, and takes half a minute.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

import numbert
from numbert.plots import look, style
from numbert.plots.look import BLUE, GREEN, INK, LINE, ORANGE, PAPER, SOFT
from numbert.verify.proofs import prove

TEXT, ANSWER = "The capital of France is [MASK].", "paris"
HEADS = (0, 2, 3)               # which head to show of each layer
WIDTH, HEIGHT = 11.55, 6.0       # inches
# Rows: where they lie and how high they are.
FORWARD, BACK, DIGITS = (3.8, 1.5), (1.98, 1.5), (0.42, 1.3)
TOKENS, STATE, MAP, WORDS, GAP = 1.35, 0.92, 1.12, 1.55, 0.2      # widths


def main() -> None:
    """Compute everything, draw it, and write the file."""
    warnings.filterwarnings("ignore", message="BertForMaskedLM does not use")
    path = numbert.example_checkpoint()
    tokenizer = numbert.BertTokenizer.from_pretrained(path)
    model = numbert.BertForMaskedLM.from_pretrained(path, dtype="float64")
    batch = tokenizer(TEXT, return_tensors="np")
    labels = np.full_like(batch["input_ids"], -100)
    mask = batch["input_ids"] == tokenizer.mask_token_id
    labels[mask] = tokenizer.convert_tokens_to_ids(ANSWER)
    trace = numbert.Trace()
    output, saved = model.forward(**batch, labels=labels, trace=trace)
    model.backward(saved, trace=trace)
    steps = prove(model, batch).steps
    out = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("numbert.png")
    with style():
        figure = look.matplotlib().figure.Figure(figsize=(WIDTH, HEIGHT))
        draw(figure, batch.tokens(), batch["input_ids"][0], trace, float(output.loss),
             steps, tokenizer, int(np.argmax(mask)))
        figure.savefig(out, dpi=150, metadata={"Software": None})


def columns(layers: int):
    """Return (tap, title, width, how the names of its steps begin), left to right."""
    found = [("bert.embeddings.out", "embeddings", STATE, "bert.embeddings.")]
    for i in range(layers):
        layer = f"bert.encoder.layer.{i}."
        found += [(f"{layer}attention.self.probs", f"layer {i}: attention", MAP,
                   f"{layer}attention."),
                  (f"{layer}output.out", "hidden states", STATE, layer)]
    return found


def draw(figure, tokens, ids, trace, loss, steps, tokenizer, at) -> None:
    """Draw all panels, column by column."""
    left = TOKENS
    sentence(figure, tokens, ids)
    done: set = set()
    places = columns(len(HEADS))
    for number, (tap, title, width, begins) in enumerate(places):
        layer = (number - 1) // 2
        for name, (low, high) in ((tap, FORWARD), (f"grad:{tap}", BACK)):
            values = trace[name][0]
            shape = " x ".join(map(str, trace[name].shape))
            if values.ndim == 3:
                values, shape = values[HEADS[layer]], f"{shape}, head {HEADS[layer]}"
            panel(figure, (left, low, width, high), values, (
                title if name == tap else None), shape if name == tap else None,
                limit=(0, 1) if name.endswith("probs") and name == tap else None)
        arrow(figure, left - GAP, FORWARD, BLUE)
        if number:
            arrow(figure, left, BACK, ORANGE, back=True)
        own = [step for step in steps if step.name.startswith(begins)
               and step.name not in done]
        done |= {step.name for step in own}
        digits(figure, left, width, own, first=not number)
        left += width + GAP
    arrow(figure, left - GAP, FORWARD, BLUE)
    arrow(figure, left, BACK, ORANGE, back=True)
    predictions(figure, left, trace, loss, tokenizer, at)
    digits(figure, left, WORDS, [x for x in steps if x.name.startswith("cls.")])
    captions(figure)


def axes_at(figure, place):
    """Return axes at (left, low, width, height), in inches."""
    left, low, width, height = place
    return figure.add_axes((left / WIDTH, low / HEIGHT, width / WIDTH, height / HEIGHT))


def panel(figure, place, values, title, shape, limit=None) -> None:
    """Draw one matrix; numbers below zero are orange."""
    axes = axes_at(figure, place)
    bound = float(np.quantile(np.abs(values), 0.99))
    scale = look.scale(values, *(limit or (-bound, bound)))
    axes.imshow(values, aspect="auto", **scale)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=True, color=LINE)
    if title:
        axes.set_title(title, fontsize=9.5, pad=4)
    if shape:
        axes.set_xlabel(shape, fontsize=8, labelpad=2, color=SOFT)


def sentence(figure, tokens, ids) -> None:
    """Write the pieces and their ids beside the rows that they become."""
    axes = axes_at(figure, (0, FORWARD[0], TOKENS - GAP, FORWARD[1]))
    axes.set(xlim=(0, 1), ylim=(len(tokens) - 0.5, -0.5))
    axes.set_axis_off()
    for i, (token, number) in enumerate(zip(tokens, ids)):
        axes.text(0.6, i, token, ha="right", va="center", parse_math=False)
        axes.text(0.97, i, str(number), ha="right", va="center", color=SOFT,
                  fontsize=8.5)


def arrow(figure, left, row, colour, back=False) -> None:
    """Draw an arrow in the gap that begins at `left`, or that ends there."""
    y = (row[0] + row[1] / 2) / HEIGHT
    right = left if back else left + GAP
    ends = (right - GAP + 0.03, right - 0.03)
    ends = ends[::-1] if back else ends
    figure.add_artist(look.matplotlib().patches.FancyArrowPatch(
        (ends[0] / WIDTH, y), (ends[1] / WIDTH, y), arrowstyle="-|>", color=colour,
        mutation_scale=9, linewidth=1.4, shrinkA=0, shrinkB=0))


def predictions(figure, left, trace, loss, tokenizer, at) -> None:
    """Draw the best words, and the gradients of their logits."""
    logits, grads = (trace[name][0, at] for name in (
        "cls.predictions.out", "grad:cls.predictions.out"))
    probs = np.exp(logits - logits.max())
    probs /= probs.sum()
    best = np.argsort(-probs)[:5]
    words = tokenizer.convert_ids_to_tokens(best.tolist())
    for (low, high), values, title in ((FORWARD, probs[best], "what is [MASK]?"),
                                       (BACK, grads[best], None)):
        axes = axes_at(figure, (left + 0.62, low, WORDS - 0.62, high))
        axes.barh(range(5), values, height=0.66,
                  color=[ORANGE if x < 0 else BLUE for x in values])
        axes.set_yticks(range(5), [look.label(word) for word in words])
        axes.invert_yaxis()
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
        axes.axvline(0, color=SOFT, linewidth=0.8)
        axes.tick_params(length=0)
        if title:
            axes.set_title(title, fontsize=9.5, pad=4, x=0.2)
        axes.set_xlabel(f"probability; loss {loss:.3f}" if title else
                        "gradient of the logits", fontsize=8, labelpad=2, color=SOFT,
                        x=0.2)


def digits(figure, left, width, steps, first=False) -> None:
    """Draw the digits of the steps that lead to the panel above."""
    axes = axes_at(figure, (left, DIGITS[0], width, DIGITS[1]))
    x = np.arange(len(steps))
    for values, colour, mark in (
            ([step.proven for step in steps], GREEN, "o"),
            ([step.float64.median for step in steps], BLUE, "s"),
            ([step.float32.median for step in steps], ORANGE, "D")):
        y = np.array(values, float)
        y[np.isinf(y)] = np.nan
        axes.plot(x, y, marker=mark, color=colour, markersize=2.6, linewidth=1.1)
    axes.set(xlim=(-0.7, len(steps) - 0.3), ylim=(0, 72))
    axes.set_xticks([])
    axes.set_yticks([0, 20, 40, 60], ["0", "20", "40", "60"] if first else [""] * 4)
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.grid(True, axis="y")
    axes.spines[:].set_visible(False)


def captions(figure) -> None:
    """Write what the rows are."""
    def write(x, y, said, **look_of):
        figure.text(x / WIDTH, y / HEIGHT, said, **{"va": "center", **look_of})

    write(0.2, HEIGHT - 0.28, f"“{TEXT}”", fontsize=12, color=INK)
    write(3.6, HEIGHT - 0.28, "forward: every value has a name and a shape",
          fontsize=9.5, color=BLUE)
    write(WIDTH - 0.3, HEIGHT - 0.28, "above 0 blue, below 0 orange", fontsize=8.5,
          color=SOFT, ha="right")
    middle = BACK[0] + BACK[1] / 2
    write(0.2, middle, "backward:\nthe gradient\nof the loss,\nfrom code that\n"
          "you can read", color=ORANGE, fontsize=9.5, linespacing=1.3)
    for y, said, colour in ((56, "proven", GREEN), (16.5, "float64", BLUE),
                            (6, "float32", ORANGE)):
        write(1.05, DIGITS[0] + DIGITS[1] * y / 72, said, color=colour, ha="right",
              fontsize=9)
    write(TOKENS, 0.2, "right decimal digits at each step: what is proven, and what "
          "plain NumPy gets right of a typical entry", color=SOFT, fontsize=9)
    figure.patch.set_facecolor(PAPER)


if __name__ == "__main__":
    main()
