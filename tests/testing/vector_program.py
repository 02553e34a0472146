"""A BERT tokenizer that knows nothing of numbert, and answers the vectors.

Unicode's properties come from the running Python, so it goes wrong where the Rust
library has older ones: in vectors with the flag UnicodeVersion.
"""
import json
import sys
import unicodedata

SPACES = "\t\n\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B)))
CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
       (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


def clean(text):
    return "".join(" " if c in SPACES else c for c in text if c in SPACES or not (
        c == "\ufffd" or unicodedata.category(c) in ("Cc", "Cf", "Co")))


def normalized(text, lowercase, strip_accents, chinese_chars):
    text = clean(text)
    if chinese_chars:
        text = "".join(f" {c} " if any(a <= ord(c) <= b for a, b in CJK) else c
                       for c in text)
    if strip_accents or (strip_accents is None and lowercase):
        text = "".join(c for c in unicodedata.normalize("NFD", text)
                       if unicodedata.category(c) != "Mn")
    return "".join(c.lower() for c in text) if lowercase else text


def words(text):
    def apart(c):
        return c.isascii() and c.isprintable() and not c.isalnum() or \
            unicodedata.category(c)[0] == "P"
    return "".join(c if c == " " or not apart(c) else f" {c} " for c in text).split(" ")


def wordpiece(word, vocab):
    pieces, start = [], 0
    while start < len(word) <= 100:
        prefix = "##" if start else ""
        end = next((end for end in range(len(word), start, -1)
                    if prefix + word[start:end] in vocab), None)
        if end is None:
            return ["[UNK]"]
        pieces.append(prefix + word[start:end])
        start = end
    return pieces if len(word) <= 100 else ["[UNK]"]


def answer(operation, given, settings):
    if operation == "clean":
        return clean(given["text"])
    if operation == "wordpiece":
        return wordpiece(given["word"], set(settings["vocab"]))
    text = normalized(given["text"], **settings)
    found = text.split(" ") if operation == "normalize" else words(text)
    return [word for word in found if word]


def main():
    known = ("clean", "normalize", "pre_tokenize", "wordpiece")
    for line in sys.stdin:
        asked = json.loads(line)
        said = {"skip": True} if asked["operation"] not in known else {
            "output": answer(asked["operation"], asked["input"], asked["settings"])}
        print(json.dumps({"id": asked["id"], **said}))


if __name__ == "__main__":
    main()
