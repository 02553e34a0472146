"""Group decoding: ids back into text."""

from vector_cases.operations import VOCABULARIES
from vector_cases.rows import case

FLAGS = {
    "Continuation": "Pieces that begin with ## are joined to what is before them.",
    "CleanUp": "Spaces before marks and in contractions; hf-fast always does a part of "
               "it, clean_up does all.",
    "SkipSpecial": "Special tokens are left out.",
    "UnknownId": "Ids that no piece has.",
    "Plain": "Pieces with spaces between them.",
    "RoundTrip": "What encoding has lost does not come back."}
PIECES = VOCABULARIES["words"]
WORDS = {piece: i for i, piece in enumerate(PIECES)}


def d(pieces, comment, catches="", flags="Plain", **more):
    ids = [WORDS[piece] if isinstance(piece, str) else piece
           for piece in (pieces.split() if isinstance(pieces, str) else pieces)]
    return case("decode", {"ids": ids}, comment, catches, flags,
                **{"dialects": ("hf-legacy", "hf-fast"), **more})


def both(pieces, comment, flags="CleanUp", **more):
    """Without clean_up and with it."""
    return [d(pieces, f"{comment}: what is joined without clean_up.", "", flags,
              **more),
            d(pieces, f"{comment}: what clean_up makes of it.", "", flags,
              clean_up=True, **more)]


CASES = [
    d("", "Without ids there is an empty text, not an error."),
    d("hello", "One word is itself, without spaces."),
    d("hello world", "Two words get a space between them."),
    d("un ##aff ##able", "Three pieces make one word.", "H15", "Continuation"),
    d("un ##aff ##able hello", "Another word after three joined pieces.", "H15",
      "Continuation"),
    d("hello un ##aff", "A joined word at the end, after a plain one.",
      "H15", "Continuation"),
    d("##aff ##able", "A continuation at the start: hf-fast leaves its ##, as "
      "hf-legacy does.", "H15", "Continuation"),
    d("##a", "A continuation alone keeps its ##.", "H15", "Continuation"),
    d("[CLS] ##a", "A continuation after a special token is joined to it.", "H15",
      "Continuation"),
    d("[CLS] ##a b", "The special token goes first: the ## comes to the front.", "H15",
      "Continuation SkipSpecial", skip_special_tokens=True),
    d("# a", "A number sign is a word, no continuation.", "H15", "Continuation"),
    d("## a", "The prefix alone is a piece at the start.", "H15", "Continuation"),
    d("a ## b", "The prefix alone is nothing but a continuation of nothing.", "H15",
      "Continuation"),
    d("a # # b", "Two number signs are two words.", "H15", "Continuation"),
    d("[CLS] hello world [SEP]", "Special tokens are shown unless they are to be left "
      "out.", "H8", "Plain"),
    d("[CLS] hello world [SEP]", "Special tokens are left out.", "H8", "SkipSpecial",
      skip_special_tokens=True),
    d("[CLS] a [SEP] b [SEP] [PAD] [PAD]", "A padded pair, with all its special "
      "tokens.", "H8", "Plain"),
    d("[CLS] a [SEP] b [SEP] [PAD] [PAD]", "A padded pair: two words stay.", "H8",
      "SkipSpecial", skip_special_tokens=True),
    d("[CLS] [SEP]", "Only special tokens: nothing stays.", "H8", "SkipSpecial",
      skip_special_tokens=True),
    d("a [MASK] b", "[MASK] is special, so it is left out, too.", "H8", "SkipSpecial",
      skip_special_tokens=True),
    d("a [UNK] b", "[UNK] is special, so it is left out, although it stands for a "
      "word.", "H8 H5", "SkipSpecial", skip_special_tokens=True),
    d("a [UNK] b", "[UNK] is shown: the word that it stood for is lost.", "H5",
      "Plain"),
    d("[MASK] ##a", "A continuation is joined to [MASK], too.", "H8 H15",
      "Continuation"),
    d([5, 9999, 6], "An id beyond the vocabulary: hf-fast drops it, hf-legacy shows "
      "[UNK].", "", "UnknownId"),
    d([9999], "Only an id beyond the vocabulary.", "", "UnknownId"),
    d([5, len(PIECES) - 1, 6], "The last id of the vocabulary.", "", "UnknownId"),
    d([5, len(PIECES), 6], "The first id beyond the vocabulary: an off-by-one shows "
      "here.", "", "UnknownId"),
    d([0], "Id 0 is [PAD], a piece like others; not the end.", "", "UnknownId"),
    d([5, -1, 6], "A negative id is [UNK] in hf-legacy; refusing it is better.", "",
      "UnknownId", result="acceptable", dialects=("hf-legacy",)),
    d([5, -1, 6], "A negative id is refused by hf-fast.", "", "UnknownId",
      result="invalid", dialects=("hf-fast",)),
    d("\u4e2d \u6587", "Ideographs get spaces between them.", "H3", "RoundTrip"),
    d("\u4e2d ##\u6587", "A continuation that is an ideograph.", "H3", "RoundTrip"),
    d("\u1112 ##\u1161 ##\u11ab", "Jamo are not composed to a syllable.", "H6",
      "RoundTrip"),
    d("e ##\u0301", "A letter and an accent are not composed.", "H6 H1", "RoundTrip"),
    d("\U0001f600 ##\U0001f600", "Emoji beyond 16 bits, joined by ##.", "H6",
      "RoundTrip"),
    d("Hello World", "Capital letters are shown as the vocabulary has them.", "H13",
      "RoundTrip"),
    d("caf\u00e9 na\u00efve \u00df", "Letters with accents are shown as they are, too.",
      "H13", "RoundTrip"),
    d("[ mask ]", "Brackets and a word make no special token.", "H8", "RoundTrip"),
]
CASES += [
    *both("hello , world", "A space before a comma"),
    *both("hello world .", "A space before a full stop"),
    *both("hello ! hello ?", "Spaces before other marks"),
    *both(". a", "A mark at the start"),
    *both("don ' t", "A contraction of three pieces"),
    *both("i ' m", "A contraction with m"),
    *both("a ' s b", "A contraction with s"),
    *both("a ' ve", "A contraction with ve"),
    *both("a ' re", "A contraction with re"),
    *both("do not", "Two words that hf-fast contracts only inside one piece"),
    *both("3 . 14", "A number"),
    *both("a - b", "A hyphen keeps its spaces"),
    *both("[ a ]", "Brackets keep their spaces"),
    *both("a ' b", "Quotation marks"),
    *both("a . . . b", "Three stops"),
    *both("[CLS] hello , world . [SEP]", "Special tokens are left out first",
          "CleanUp SkipSpecial", skip_special_tokens=True),
    *both("un ##aff ##able , a", "A joined word before a comma",
          "CleanUp Continuation"),
    *both("a ! [SEP]", "A mark before a special token", "CleanUp SkipSpecial",
          skip_special_tokens=True),
]
