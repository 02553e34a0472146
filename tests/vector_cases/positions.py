"""Group positions: position ids and token types."""

from vector_cases.rows import case

FLAGS = {
    "Default": "What a BERT model fills in: places in the row, padding counted.",
    "Cache": "After so many tokens in the cache the count goes on.",
    "Packed": "The count starts again in every text of a packed row.",
    "Generation": "A prompt with padding: only real tokens are counted.",
    "TokenTypes": "0 up to the first [SEP], 1 after it, 0 in padding.",
    "Left": "Padding on the left.",
    "NoSpecials": "Without special tokens."}


def m(batch, length, past, comment, catches="A3", flags="Default"):
    return case("position_ids", {"kind": "model", "batch": batch, "length": length,
                                 "past": past}, comment, catches, flags)


def packed(segments, comment, catches="A4", flags="Packed"):
    return case("position_ids", {"kind": "packed", "segments": segments}, comment,
                catches, flags)


def g(padding, comment, catches="A4", flags="Generation"):
    return case("position_ids", {"kind": "generation", "padding": padding}, comment,
                catches, flags)


def t(lengths, width, comment, catches="A1", flags="TokenTypes", **more):
    return case("token_type_ids", {"lengths": lengths, "width": width}, comment,
                catches, flags, **more)


CASES = [
    m(1, 5, 0, "Positions count from 0, not from 1 or 2 as in RoBERTa."),
    m(1, 1, 0, "A single token is at 0: an off-by-one shows here."),
    m(3, 4, 0, "Every row of a batch has the same positions, whatever its padding.",
      "A3 A4"),
    m(1, 512, 0, "As many as the usual table has: the last is 511.", "A3 A8"),
    m(1, 1, 4, "One new token after four in the cache.", "B19", "Cache"),
    m(1, 3, 4, "Three new tokens after four.", "B19", "Cache"),
    m(2, 2, 1, "A batch after one cached token: both rows go on at 1.", "B19", "Cache"),
    m(1, 1, 511, "The last position of the usual table.", "B19 A8", "Cache"),
    packed([[1, 1, 2, 2, 2]], "Two texts: the second starts at 0 again."),
    packed([[1, 2, 2, 3, 3, 3]], "Three texts of different lengths."),
    packed([[1, 1, 1]], "One text: as if it were not packed."),
    packed([[1, 2, 3]], "Texts of one token: all at 0."),
    packed([[1, 1, 2, 2], [1, 2, 2, 2]], "Two rows that are packed differently."),
    packed([[5, 5, 3, 3]], "The numbers of texts mean nothing: only where they "
           "change."),
    g([[1, 1, 1]], "A prompt without padding counts 0, 1, 2."),
    g([[0, 0, 1, 1, 1]], "On the left: the first real token is at 0.", "A4 D6",
      "Generation Left"),
    g([[0, 1, 1], [1, 1, 1]], "Two prompts of different lengths end at different "
      "positions.", "A4", "Generation Left"),
    g([[1, 1, 0, 0]], "On the right: the real tokens keep their places."),
    g([[1, 0, 1, 1]], "A hole in the middle takes up no position."),
    g([[0, 0, 0, 1]], "One real token, far on the right: at 0.", "A4",
      "Generation Left"),
    g([[0, 0], [1, 1]], "A prompt that is all padding has no positions.", "A4 B7"),
    # Token types
    t([[3, None]], 5, "A single text has only zeros."),
    t([[0, None]], 2, "[CLS] [SEP] of an empty text: only zeros."),
    t([[2, 3]], 8, "[CLS] a a [SEP] are 0; b b b [SEP] are 1.", "A1 A2"),
    t([[1, 1]], 5, "The shortest pair: 0 0 0 1 1."),
    t([[3, 1]], 7, "The second text is shorter."),
    t([[0, 2]], 5, "The first text is empty: [CLS] [SEP] are 0."),
    t([[2, 0]], 5, "The second text is empty, but there: its [SEP] is 1."),
    t([[3, None]], 8, "Padding after a single text has type 0."),
    t([[1, 2]], 9, "Padding after a pair has type 0, not 1.", "A1 A2"),
    t([[1, 2]], 9, "On the left: zeros, more zeros, then ones.", "A1 A4",
      "TokenTypes Left", padding_side="left"),
    t([[3, None], [1, 1]], 6, "A single text and a pair in one batch."),
    t([[2, 1], [1, 2]], 6, "Two pairs of one width: the change is at different "
      "places."),
    t([[2, 1], [1, 1]], 7, "Two pairs padded on the left, each by itself.",
      "A1 A4", "TokenTypes Left",
      padding_side="left"),
    t([[2, 3]], 5, "Without special tokens: 0 0 1 1 1.", "A1", "TokenTypes NoSpecials",
      add_special_tokens=False),
    t([[0, 2]], 2, "Without special tokens and first text: only ones.", "A1",
      "TokenTypes NoSpecials", add_special_tokens=False),
    t([[1, 1]], 4, "Without special tokens, with padding.", "A1",
      "TokenTypes NoSpecials", add_special_tokens=False),
]
