"""Group added_tokens: tokens that are looked for before the text is cut."""

from vector_cases.rows import case

FLAGS = {
    "Added": "A token that add_tokens appends to the vocabulary.",
    "Normalized": "Found in the normalized text: case and accents do not matter.",
    "Raw": "Found in the raw text, letter by letter.",
    "SingleWord": "Found only if no letter touches it.",
    "Strip": "Swallows the white space beside it.",
    "Special": "Added as a special token.",
    "Longest": "Of several tokens the one that starts first wins, then the longest.",
    "Split": "split_special_tokens: special tokens are ordinary text.",
    "Decode": "Added tokens in decoding."}
FIELDS = "tokens input_ids offsets word_ids"


def token(content, **flags):
    return {"content": content, **flags}


def a(tokens, text, comment, catches="H8", flags="Added", fields=FIELDS, **more):
    added = [token(x) if isinstance(x, str) else x for x in tokens]
    return case("encode", {"text": text}, comment, catches, flags, fields=fields,
                dialects=("hf-legacy", "hf-fast"), added_tokens=added, **more)


RAW = token("NewTok", normalized=False)
SINGLE = token("abc", single_word=True)
LEFT, RIGHT = token("lead", lstrip=True), token("trail", rstrip=True)
BOTH = token("mid", lstrip=True, rstrip=True)
ENT = token("<e>", special=True)
CASES = [
    a(["NewTok"], "a NewTok b", "A new token has the next id and is not cut."),
    a(["NewTok"], "aNewTokb", "It is found inside a word, which it splits."),
    a(["NewTok"], "NewTok", "The new token alone is the whole row."),
    a(["NewTok"], "NewTokNewTok", "Twice, side by side: hf-legacy finds neither."),
    a(["NewTok"], "a NewTo b", "All but its last letter: ordinary text."),
    a(["NewTok"], "", "An empty text holds no added token."),
    a(["hello"], "hello", "A token that the vocabulary has keeps its id."),
    a(["hello"], "hellos", "And is now found inside words."),
    a(["tok1", "tok2"], "tok2 tok1", "Two tokens: ids in the order in which they were "
      "added."),
    a(["new tok"], "a new tok b", "A token with a space in it."),
    a(["new tok"], "a new  tok b", "Two spaces are another text."),
    a(["!"], "a!b", "A punctuation mark can be an added token, with its old id."),
    a(["\u4e2d\u6587"], "a\u4e2d\u6587b", "Two ideographs as one token: normalizing "
      "puts spaces between them, in token and text.", "H8 H3"),
    a(["\U0001f600x"], "a\U0001f600xb", "An emoji in a token: offsets count code "
      "points.", "H8 H6"),
    # Normalized
    a(["NewTok"], "a NEWTOK b", "Capitals: hf-fast compares normalized texts.", "H8",
      "Added Normalized"),
    a(["NewTok"], "a newtok b", "Small letters: hf-fast finds the token, hf-legacy an "
      "ordinary word.", "H8", "Added Normalized"),
    a(["NewTok"], "a n\u00e9wtok b", "An accent goes before hf-fast looks for the "
      "token.", "H8 H1",
      "Added Normalized"),
    a(["NewTok"], "a new\u200btok b", "A dropped character inside: it is in the span.",
      "H8 H7", "Added Normalized"),
    a(["\u00c9"], "a e b", "The token is an accented capital: a plain e is found.",
      "H8 H1", "Added Normalized"),
    a(["NewTok"], "a NEWTOK b", "In a cased model case matters.", "H8 H13",
      "Added Normalized", lowercase=False),
    a(["NewTok"], "a NewTok b", "In a cased model the same letters are found.",
      "H8 H13", "Added Normalized", lowercase=False),
    a([RAW], "a NewTok b", "Looked for in the raw text: found.", "H8", "Added Raw"),
    a([RAW], "a newtok b", "In the raw text case matters; newtok is an ordinary word.",
      "H8", "Added Raw"),
    a([RAW], "a New\u200bTok b", "In the raw text a dropped character matters.",
      "H8 H7", "Added Raw"),
    a([RAW], "[MASK]NewTok[MASK]", "Between special tokens, without spaces.", "H8",
      "Added Raw"),
    # Single word
    a([SINGLE], "abc", "single_word: alone it is a word.", "H8", "SingleWord"),
    a([SINGLE], "abcd", "A letter after it: not found.", "H8", "SingleWord"),
    a([SINGLE], "dabc", "A letter before it: not found.", "H8", "SingleWord"),
    a([SINGLE], "abc abc", "single_word: twice, with a space between them.", "H8",
      "SingleWord"),
    a([SINGLE], "abcabc", "Twice without one: not found.", "H8", "SingleWord"),
    a([SINGLE], "abc!", "A mark after it: hf-fast finds it, hf-legacy knows only "
      "spaces.", "H8 H16", "SingleWord"),
    a([SINGLE], "abc_d", "An underscore counts as a letter.", "H8", "SingleWord"),
    a([SINGLE], "abc9", "A digit counts as a letter, too: not found.", "H8",
      "SingleWord"),
    a([SINGLE], "abc\u4e2d", "And an ideograph; but normalizing puts a space before "
      "it.", "H8 H3", "SingleWord"),
    # Strip
    a([LEFT], "a  lead b", "lstrip swallows the spaces before it: they are in its "
      "span.", "H8", "Strip"),
    a([LEFT], "leadb", "lstrip without a space before it: nothing to swallow.", "H8",
      "Strip"),
    a([RIGHT], "a trail  b", "rstrip swallows the spaces after it.", "H8", "Strip"),
    a([RIGHT], "a trail", "rstrip at the end of the text: nothing to swallow.", "H8",
      "Strip"),
    a([BOTH], "a mid b", "lstrip and rstrip together swallow the spaces on both sides.",
      "H8", "Strip"),
    a([BOTH], "  mid  ", "Nothing but spaces around it.", "H8", "Strip"),
    a([RIGHT, LEFT], "trail lead", "Two tokens want the same space: the first has it.",
      "H8", "Strip"),
    a([token("[MASK]", lstrip=True, special=True)], "a [MASK] b",
      "[MASK] with lstrip, as ALBERT has it.", "H8", "Strip Special"),
    # Special
    a([ENT], "a<e>b", "A special token of one's own.", "H8", "Special",
      fields=FIELDS + " special_tokens_mask"),
    a([ENT], "a <E> b", "Its case matters: it is found in the raw text.", "H8",
      "Special"),
    a([ENT], "a <e> b", "Not found if special tokens are split.", "H8", "Special Split",
      split_special_tokens=True),
    a(["NewTok"], "a NewTok [MASK]", "Tokens that are not special are found although "
      "special ones are split.", "H8", "Added Split", split_special_tokens=True),
    # Longest
    a(["ab", "abc"], "abcd", "Of two tokens that start together the longer one wins.",
      "H8", "Longest"),
    a(["abc", "ab"], "abcd", "In the other order of adding, too.", "H8", "Longest"),
    a(["ab", "bcd"], "abcd", "The token that starts first wins, though shorter.", "H8",
      "Longest"),
    a(["[MASK]x"], "a[MASK]x", "A token around a special one: both start at the same "
      "place.", "H8", "Longest"),
]


def d(tokens, ids, comment, flags="Added Decode", **more):
    return case("decode", {"ids": ids}, comment, "H8", flags,
                dialects=("hf-legacy", "hf-fast"),
                added_tokens=[token(x) if isinstance(x, str) else x for x in tokens],
                vocab="cased", **more)


CASES += [
    d(["NewTok"], [6, 21, 8], "A new token is shown; hf-fast shows it normalized."),
    d(["NewTok"], [6, 21, 8], "skip_special_tokens leaves it in: it isn't special.",
      skip_special_tokens=True),
    d([ENT], [6, 21, 8], "A special token of one's own.", "Special Decode"),
    d([ENT], [6, 21, 8], "A special token of one's own is left out of the text.",
      "Special Decode", skip_special_tokens=True),
    d(["##x"], [6, 21], "A new token that begins with ##.", "Added Decode"),
]
