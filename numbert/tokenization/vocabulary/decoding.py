"""From tokens back to text."""

CONTINUATION = "##"            # begins a piece that continues a word

# Spaces in English text to remove, in this order.
CLEAN_UP = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"),
            (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"),
            (" 're", "'re"))
# HF: the fast tokenizer's decoder has one more rule, in the middle.
CLEAN_UP_FAST = CLEAN_UP[:7] + ((" do not", " don't"),) + CLEAN_UP[7:]


def clean_up(text, rules=CLEAN_UP):
    """Remove the spaces before English punctuation and contractions."""
    for spaced, joined in rules:
        text = text.replace(spaced, joined)
    return text


def written(token, first=False):
    """Return what a token adds to the text that BertTokenizer writes.

    HF: each token is cleaned up alone, with the space before it, so "don ' t" keeps its
    spaces.  The first token keeps its "##".
    """
    if first:
        return clean_up(token, CLEAN_UP_FAST)
    if token.startswith(CONTINUATION):
        return clean_up(token[2:], CLEAN_UP_FAST)
    return clean_up(" " + token, CLEAN_UP_FAST)


def join_legacy(tokens):
    """Join tokens into text as BertTokenizerLegacy does, before cleaning up."""
    return " ".join(tokens).replace(" " + CONTINUATION, "").strip()
