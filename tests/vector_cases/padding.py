"""Group padding: rows of one width."""

from vector_cases.rows import case

FLAGS = {
    "Longest": "The width is that of the longest row of the batch.",
    "MaxLength": "The width is max_length.",
    "Left": "Padding stands before the text.",
    "Multiple": "The width is rounded up to a multiple.",
    "None": "No padding: rows keep their lengths.",
    "Values": "Id 0 ([PAD]), type 0, attention 0.",
    "Pairs": "Types of the second text beside padding."}


def p(samples, comment, catches="H12", flags="Longest", padding="longest", **more):
    pairs = [[x, None] if isinstance(x, str) else list(x) for x in samples]
    return case("encode_batch", {"samples": pairs}, comment, catches, flags,
                padding=padding, **more)


def m(samples, most, comment, catches="H12", flags="MaxLength", **more):
    return p(samples, comment, catches, flags, "max_length", truncation="longest_first",
             max_length=most, **more)


TWO, THREE = ["a b c", "d"], ["a", "b c d e", "f g"]
PAIRS = [("a b", "c d e"), ("f", "g")]
CASES = [
    p(TWO, "The shorter row is filled up: id 0, mask 0, type 0.",
      flags="Longest Values"),
    p(THREE, "The longest row is neither the first nor the last."),
    p(["a b", "c d"], "Rows of one length need no padding."),
    p(["a b c"], "A single row is the longest itself."),
    p(["", "a"], "An empty text: [CLS] [SEP] and one [PAD]."),
    p(["", ""], "Only empty texts: rows of two, nothing to fill up."),
    p(["a", "a"], "Two equal rows are equal, wherever they stand."),
    p(["a", "b c d e", "a"], "The first row and the last are the same text: the same "
      "ids, mask and types."),
    p(["unaffable", "a b c d"], "Widths count pieces, not words: four and six."),
    p(["\u4e2d\u6587", "abc"], "Widths count pieces, not characters.", "H12 H6"),
    p(["qqq", "a b"], "[UNK] is text: attended to.", "H12 H5", "Values"),
    p(["a [PAD] b", "c"], "A [PAD] that is written in the text is attended to; the "
      "mask comes from the padding, not from the ids.", "B1 H8", "Longest Values"),
    p(["a [PAD]", "c d e"], "A [PAD] in the text right before the padding.", "B1 H8",
      "Longest Values"),
    p(TWO, "No padding asked for: rows of different lengths.", "H12", "None",
      "do_not_pad"),
    p(TWO, "Without special tokens the rows have three and one pieces.",
      "H12", "Longest", add_special_tokens=False),
    p(["", "a"], "Without special tokens an empty text is all padding: a row that is "
      "masked as a whole.", "B7 H12", "Longest Values", add_special_tokens=False),
    p(PAIRS, "Padding after a pair has type 0, not 1.", "A1 H12",
      "Longest Pairs Values"),
    p([("a b", "c d e"), "f"], "A pair and a single text in one batch.", "A1 H12",
      "Longest Pairs"),
    p([("a", "b c"), ("d e f", "g h")], "The longer row is the second.", "A1 H12",
      "Longest Pairs"),
    # Left
    p(TWO, "On the left: [CLS] is not at place 0 in the shorter row.", "A4 D6 H12",
      "Longest Left Values", padding_side="left"),
    p(THREE, "On the left, with two short rows.", "A4 H12", "Longest Left",
      padding_side="left"),
    p(PAIRS, "On the left of a pair: types 0, 0, ..., then 1.", "A1 A4 H12",
      "Longest Left Pairs", padding_side="left"),
    p(["", "a b"], "On the left of an empty text.", "H12", "Longest Left",
      padding_side="left"),
    m(TWO, 8, "On the left, to a fixed width.", "A4 H12", "MaxLength Left",
      padding_side="left"),
    m(["a b c d e f g h", "a"], 6, "One row is cut on the right, one padded on the "
      "left.", "A4 H12", "MaxLength Left", padding_side="left"),
    m(["a b c d e f g h", "a"], 6, "One row is cut on the left, one padded on the "
      "right.", "H12", "MaxLength", truncation_side="left"),
    # Max length
    m(TWO, 8, "Both rows are filled up to eight."),
    m(["a"], 8, "A single row is filled up, too."),
    m([""], 4, "An empty text of two special tokens is filled up to four."),
    m(["a b c d"], 6, "Exactly as wide as max_length."),
    m(["a b c d e"], 6, "One piece too many is cut: no padding."),
    m(["a b c d e f g h", "a"], 6, "One row is cut, the other filled up: one width."),
    m(PAIRS, 10, "Pairs are filled up to a fixed width, with type 0.",
      "A1 H12", "MaxLength Pairs"),
    m([("a", "b")], 5, "A pair that just fits: no padding, nothing cut.",
      "A1 H12", "MaxLength Pairs"),
    m([("a", "b")], 6, "A pair with one [PAD], whose type is 0.",
      "A1 H12", "MaxLength Pairs"),
    p(["a b c d e", "a"], "Without truncation a long row keeps its length, and the "
      "other is filled up to max_length.", "H12", "MaxLength", "max_length",
      max_length=6),
    # Multiples
    p(TWO, "The width five is rounded up to eight.", "H12", "Longest Multiple",
      pad_to_multiple_of=8),
    p(["a b c d e f", "a"], "The width eight is a multiple already.", "H12",
      "Longest Multiple", pad_to_multiple_of=8),
    p(["a b c d e f g", "a"], "The width nine becomes sixteen.", "H12",
      "Longest Multiple", pad_to_multiple_of=8),
    p(TWO, "A multiple of one changes nothing.", "H12", "Longest Multiple",
      pad_to_multiple_of=1),
    p(TWO, "A multiple that is no power of two.", "H12", "Longest Multiple",
      pad_to_multiple_of=3),
    p(TWO, "Rounded up and on the left.", "A4 H12", "Longest Multiple Left",
      pad_to_multiple_of=4, padding_side="left"),
    p(TWO, "A multiple without padding changes nothing.", "H12", "None Multiple",
      "do_not_pad", pad_to_multiple_of=8),
    m(TWO, 8, "A multiple that max_length is.", "H12", "MaxLength Multiple",
      pad_to_multiple_of=4),
    m(TWO, 6, "A multiple that max_length is not: refused with truncation.", "H12",
      "MaxLength Multiple", pad_to_multiple_of=4, result="invalid",
      dialects=("hf-legacy", "hf-fast")),
]
