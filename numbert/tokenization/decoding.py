"""From tokens back to text."""

CONTINUATION = "##"            # how a piece that continues a word begins

# English spacing, undone in this order.
CLEAN_UP = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"),
            (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"),
            (" 're", "'re"))
# HF: the decoder of the fast tokenizer has one rule more, in the middle.
CLEAN_UP_FAST = CLEAN_UP[:7] + ((" do not", " don't"),) + CLEAN_UP[7:]


def clean_up(text, rules=CLEAN_UP):
    """Remove the spaces before English punctuation and contractions."""
    for spaced, joined in rules:
        text = text.replace(spaced, joined)
    return text


def join_fast(tokens):
    """The text of tokens as BertTokenizer writes it.

    HF: each token is cleaned up on its own with the space before it, so "don ' t" keeps
    its spaces; the first token keeps its "##".
    """
    words = (token[2:] if token.startswith(CONTINUATION) else " " + token
             for token in tokens[1:])
    return "".join(clean_up(word, CLEAN_UP_FAST) for word in (*tokens[:1], *words))


def join_legacy(tokens):
    """The text of tokens as BertTokenizerLegacy writes it, not yet cleaned up."""
    return " ".join(tokens).replace(" " + CONTINUATION, "").strip()
