"""Group truncation: what is kept of texts that are too long, and in which windows."""

from vector_cases.rows import case

FLAGS = {
    "Single": "One text.",
    "LongestFirst": "The longer text of a pair is cut first, then both alike.",
    "Tie": "Both texts of a pair are equally long, and the room is odd.",
    "OneSide": "only_first or only_second: the other text stays whole.",
    "Left": "truncation_side is left: the beginning of a text is cut off.",
    "Overflow": "What is cut off comes in rows of its own, the windows.",
    "Stride": "How many pieces a window shares with the one before.",
    "NoSpecials": "Without special tokens there is more room.",
    "EdgeOfRoom": "max_length near the number of special tokens.",
    "Exact": "Texts that just fit, or miss by one.",
    "Batch": "Several samples at once."}
LETTERS = "a b c d e f g h".split()


def letters(count, start=0):
    """So many letters, from a place in the alphabet of eight."""
    return " ".join(LETTERS[(start + i) % 8] for i in range(count))


def t(a, b, most, comment, catches="H10", flags="Single", truncation="longest_first",
      **more):
    """a and b: how many pieces; b is None for a single text."""
    sample = [letters(a), None if b is None else letters(b, 4)]
    return case("encode_batch", {"samples": [sample]}, comment, catches, flags,
                truncation=truncation, max_length=most, **more)


def wide(a, b, most, comment, flags, **more):
    """Padded to max_length, as google-research/bert always is."""
    return t(a, b, most, comment, "H10", flags, padding="max_length", **more)


def windows(a, b, most, comment, flags="Overflow", catches="H10", **more):
    return t(a, b, most, comment, catches, flags, overflow=True, **more)


CASES = [
    wide(8, None, 6, "Four of eight pieces are kept, and both special tokens.",
         "Single"),
    wide(4, None, 6, "A text that just fits is kept whole.", "Single Exact"),
    wide(5, None, 6, "One piece too many for the room: the last one goes.",
         "Single Exact"),
    wide(3, None, 6, "One piece of padding, nothing is cut.", "Single Exact"),
    wide(3, None, 3, "Room for one piece beside the special tokens.",
         "Single EdgeOfRoom"),
    t(3, None, 2, "No room but for special tokens: the text is empty.",
      flags="Single EdgeOfRoom"),
    t(3, None, 1, "Less room than special tokens need: hf-fast then cuts nothing, and "
      "refusing is better.", flags="Single EdgeOfRoom", result="acceptable",
      dialects=("hf-fast",)),
    t(8, None, 5, "Without special tokens five pieces fit.", flags="Single NoSpecials",
      add_special_tokens=False),
    t(8, None, 8, "Exactly as many as fit, without special tokens.",
      flags="Single NoSpecials Exact", add_special_tokens=False),
    t(8, None, 5, "The left side is cut: the last three pieces are kept.",
      flags="Single Left", truncation_side="left"),
    t(4, None, 5, "One piece is cut on the left.", flags="Single Left",
      truncation_side="left"),
    t(8, None, 5, "only_first on a single text is like longest_first.",
      flags="Single OneSide", truncation="only_first"),
    t(8, None, 5, "only_second on a single text can't cut anything: refused.",
      flags="Single OneSide", truncation="only_second", result="invalid",
      dialects=("hf-fast",)),
    t(8, None, 5, "truncation false: max_length alone cuts nothing.", flags="Single",
      truncation=False, padding="longest"),
    t(8, None, 12, "More room than text: nothing is cut or added.",
      flags="Single Exact"),
    # Pairs, longest first
    wide(5, 5, 12, "A tie in an odd room of nine: hf-fast keeps 4 + 5, the others 5 + "
         "4.", "LongestFirst Tie"),
    wide(5, 5, 11, "A tie in an even room: 4 + 4 in all dialects.", "LongestFirst Tie"),
    wide(5, 5, 10, "A tie in a room of seven: one text gets the odd piece.",
         "LongestFirst Tie"),
    wide(8, 8, 10, "A long tie in a room of seven.", "LongestFirst Tie"),
    wide(1, 1, 4, "A tie in a room of one: one of two pieces goes.",
         "LongestFirst Tie EdgeOfRoom"),
    wide(5, 4, 12, "The room is full: nothing is cut.", "LongestFirst Exact"),
    wide(6, 4, 12, "One piece too many: it goes from the longer text.",
         "LongestFirst Exact"),
    wide(4, 6, 12, "The longer text is the second.", "LongestFirst Exact"),
    wide(8, 2, 9, "Only the longer text is cut.", "LongestFirst"),
    wide(2, 8, 9, "Only the longer one, the second.", "LongestFirst"),
    wide(8, 3, 8, "The longer text is cut down to the other, then one more.",
         "LongestFirst"),
    wide(3, 8, 8, "The same with the texts swapped: the odd piece is where the longer "
         "text was.", "LongestFirst"),
    wide(8, 3, 9, "Down to equal lengths, exactly.", "LongestFirst"),
    wide(6, 5, 8, "Lengths that differ by one, a room of five.", "LongestFirst"),
    wide(5, 6, 8, "Lengths that differ by one, the longer text second.",
         "LongestFirst"),
    wide(3, 5, 6, "Three and five in a room of three: hf-fast 1 + 2; the others pop "
         "one by one.", "LongestFirst"),
    wide(5, 3, 6, "Five and three in a room of three.", "LongestFirst"),
    wide(8, 1, 6, "A text of one piece stays as long as possible.", "LongestFirst"),
    wide(1, 8, 6, "The same with the texts swapped: one piece stays.", "LongestFirst"),
    wide(0, 6, 6, "The first text is empty: the second is cut.", "LongestFirst"),
    wide(6, 0, 6, "The second text is empty, but it is there: in a batch it has a "
         "[SEP] in all dialects.", "LongestFirst"),
    t(5, 5, 9, "Room of nine without special tokens: a tie again.",
      flags="LongestFirst Tie NoSpecials", add_special_tokens=False),
    t(4, 4, 3, "No room but for three special tokens: both texts are empty.",
      flags="LongestFirst EdgeOfRoom"),
    t(4, 4, 2, "Less room than three special tokens need.",
      flags="LongestFirst EdgeOfRoom", result="acceptable", dialects=("hf-fast",)),
    t(6, 4, 8, "Both texts are cut on the left.", flags="LongestFirst Left",
      truncation_side="left"),
    t(5, 5, 12, "A tie in an odd room, cut on the left.", flags="LongestFirst Tie Left",
      truncation_side="left"),
    t(8, 2, 8, "Only the longer is cut, on the left.", flags="LongestFirst Left",
      truncation_side="left"),
    # One side only
    t(6, 3, 8, "Only the first is cut, although it is not much longer.",
      flags="OneSide", truncation="only_first"),
    t(3, 6, 10, "Only the first is cut, although the second is longer.",
      flags="OneSide", truncation="only_first"),
    t(3, 6, 10, "Only the second text is cut, which is longer.",
      flags="OneSide", truncation="only_second"),
    t(6, 3, 11, "Only the second is cut, although the first is longer.",
      flags="OneSide", truncation="only_second"),
    t(6, 3, 7, "The first keeps a single piece.", flags="OneSide EdgeOfRoom",
      truncation="only_first"),
    t(6, 3, 6, "The first would keep none: refused.", flags="OneSide EdgeOfRoom",
      truncation="only_first", result="invalid", dialects=("hf-fast",)),
    t(3, 6, 6, "The second would keep none: refused.", flags="OneSide EdgeOfRoom",
      truncation="only_second", result="invalid", dialects=("hf-fast",)),
    t(2, 6, 4, "The excess is more than the first text has: refused.",
      flags="OneSide EdgeOfRoom", truncation="only_first", result="invalid",
      dialects=("hf-fast",)),
    t(3, 4, 10, "Nothing to cut: only_second changes nothing.", flags="OneSide Exact",
      truncation="only_second"),
    t(6, 3, 8, "Only the first, on the left.", flags="OneSide Left",
      truncation="only_first", truncation_side="left"),
    # Windows
    windows(8, None, 5, "Three windows of three, three and two pieces.",
            "Overflow Single"),
    windows(8, None, 6, "Two windows of four: the text ends exactly at the second.",
            "Overflow Single Exact"),
    windows(5, None, 6, "One piece overflows: a window of its own.",
            "Overflow Single Exact"),
    windows(4, None, 6, "Nothing overflows: one row.", "Overflow Single Exact"),
    windows(8, None, 5, "Stride 1: each window begins with the last piece of the one "
            "before.", "Overflow Stride Single", stride=1),
    windows(8, None, 5, "Stride 2: each window is one piece further.",
            "Overflow Stride Single", stride=2),
    windows(6, None, 6, "Stride 2: the second window ends exactly at the text's end, "
            "and no third follows.", "Overflow Stride Single Exact", stride=2),
    windows(7, None, 6, "Stride 2: the end lies one piece into the third window.",
            "Overflow Stride Single Exact", stride=2),
    windows(5, None, 6, "Stride 3: the overflow shares all but one piece.",
            "Overflow Stride Single", stride=3),
    windows(8, None, 5, "Stride 3 equals the pieces in a window: it would never move "
            "on.", "Overflow Stride EdgeOfRoom", stride=3, result="invalid",
            dialects=("hf-fast",)),
    windows(8, None, 5, "Stride 4 is more than a window holds.",
            "Overflow Stride EdgeOfRoom", stride=4, result="invalid",
            dialects=("hf-fast",)),
    windows(8, None, 5, "From the left: the first row is the text's end.",
            "Overflow Left Single", truncation_side="left"),
    windows(8, None, 5, "From the left with stride 1.", "Overflow Left Stride Single",
            truncation_side="left", stride=1),
    windows(7, None, 6, "From the left with stride 2: the last window is short.",
            "Overflow Left Stride Single", truncation_side="left", stride=2),
    windows(8, None, 4, "Windows without special tokens.",
            "Overflow NoSpecials Single", add_special_tokens=False),
    windows(8, None, 4, "With stride and without special tokens.",
            "Overflow Stride NoSpecials Single", add_special_tokens=False, stride=2),
    windows(2, 7, 8, "A question and a long text: each window repeats the question.",
            "Overflow OneSide", truncation="only_second"),
    windows(2, 7, 8, "With stride 1, as for question answering.",
            "Overflow OneSide Stride", truncation="only_second", stride=1),
    windows(7, 2, 8, "The long text is the first.", "Overflow OneSide Stride",
            truncation="only_first", stride=1),
    windows(2, 7, 8, "A question, and windows that are counted from the text's end.",
            "Overflow OneSide Left Stride", truncation="only_second", stride=1,
            truncation_side="left"),
    windows(5, 5, 9, "Both texts overflow: each window of one with each of the other.",
            "Overflow LongestFirst Tie", dialects=("hf-fast",)),
    windows(6, 4, 9, "Texts of different lengths that both overflow.",
            "Overflow LongestFirst", dialects=("hf-fast",)),
    windows(8, 2, 8, "Only the longer overflows.", "Overflow LongestFirst",
            dialects=("hf-fast",)),
    windows(2, 8, 8, "Only the second overflows.", "Overflow LongestFirst",
            dialects=("hf-fast",)),
    windows(6, 4, 9, "Both overflow, with stride 1.", "Overflow LongestFirst Stride",
            stride=1, dialects=("hf-fast",)),
    windows(6, 4, 9, "Both overflow on the left.", "Overflow LongestFirst Left",
            truncation_side="left", dialects=("hf-fast",)),
]


def batch(samples, most, comment, flags="Batch", catches="H10 H12", **more):
    texts = [[letters(a, i), None if b is None else letters(b, i + 3)]
             for i, (a, b) in enumerate(samples)]
    return case("encode_batch", {"samples": texts}, comment, catches, flags,
                truncation="longest_first", max_length=most, **more)


CASES += [
    batch([(8, None), (2, None)], 5, "Each row is cut by itself: short ones stay."),
    batch([(8, None), (3, 5)], 6, "A single text and a pair have different room."),
    batch([(8, None), (2, None), (7, None)], 5, "Windows of several samples: sample "
          "says whose they are.", "Batch Overflow", overflow=True,
          dialects=("hf-fast",)),
    batch([(2, None), (8, None)], 5, "Only the second sample overflows.",
          "Batch Overflow", overflow=True, stride=1, dialects=("hf-fast",)),
    batch([(8, None), (2, None)], 5, "Windows are padded to the width of the batch.",
          "Batch Overflow", overflow=True, padding="longest", dialects=("hf-fast",)),
    case("encode_batch", {"samples": [["unaffable hello", None]]},
         "A word is cut in its middle: truncation knows pieces, not words.", "H10",
         "Single", truncation="longest_first", max_length=4),
    case("encode_batch", {"samples": [["hello [MASK] world qqq", None]]},
         "Special tokens in the text count as pieces of the text.", "H8 H10", "Single",
         truncation="longest_first", max_length=4),
    case("encode_batch", {"samples": [["\u4e2d\u6587\u4e2d", None]]},
         "The length counts pieces, not characters or bytes.", "H3 H10 H6", "Single",
         truncation="longest_first", max_length=4),
]
