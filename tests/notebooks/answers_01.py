"""What learners answer in notebook 01."""

import re
import string
import unicodedata


def stripped_by_loop(text):
    out = ""
    for c in text:
        for part in unicodedata.normalize("NFD", c):
            if unicodedata.category(part) != "Mn":
                out += part
    return out


def stripped_of_combining(text):
    return "".join(c for c in unicodedata.normalize("NFD", text)
                   if not unicodedata.combining(c))


def split_by_loop(text):
    words, word = [], ""
    for c in text + " ":
        if c.isspace() or c in string.punctuation:
            if word:
                words.append(word)
            words += [c] if not c.isspace() else []
            word = ""
        else:
            word += c
    return words


def cut_by_recursion(words, vocab):
    def rest(word, mark):
        if not word:
            return []
        for size in reversed(range(1, len(word) + 1)):
            if mark + word[:size] in vocab:
                more = rest(word[size:], "##")
                return None if more is None else [mark + word[:size]] + more
        return None

    out = []
    for word in words:
        pieces = rest(word, "")
        out.extend(["[UNK]"] if pieces is None else pieces)
    return out


def cut_badly(words, vocab, shortest=False, mark="##", partial=False):
    out = []
    for word in words:
        pieces = []
        while word:
            sizes = range(1, len(word) + 1)
            fits = [n for n in sizes if (mark if pieces else "") + word[:n] in vocab]
            if not fits:
                pieces = pieces + ["[UNK]"] if partial else ["[UNK]"]
                break
            n = min(fits) if shortest else max(fits)
            pieces.append((mark if pieces else "") + word[:n])
            word = word[n:]
        out += pieces
    return out


def glued(text, offsets, first, last):
    return " ".join(text[offsets[i][0]:offsets[i][1]] for i in range(first, last + 1))


ANSWERS = {
    "01.1": {
        "right": [stripped_by_loop, lambda text: re.sub(
            "[" + "".join({c for c in unicodedata.normalize("NFD", text)
                           if unicodedata.category(c) == "Mn"}) + "]", "",
            unicodedata.normalize("NFD", text))],
        "wrong": [(lambda text: "".join(c for c in text
                                        if unicodedata.category(c) != "Mn"),
                   "é was not taken apart"),
                  (lambda text: unicodedata.normalize("NFD", text), "still there"),
                  (lambda text: "".join(c for c in text if c.isascii()),
                   "together with their accents"),
                  (lambda text: "".join(c for c in unicodedata.normalize("NFKD", text)
                                        if unicodedata.category(c) != "Mn"), "½"),
                  (stripped_of_combining, "combining class 0")]},
    "01.2": {
        "right": [split_by_loop,
                  lambda text: re.findall(r"[A-Za-z0-9]+|[^\sA-Za-z0-9]", text)],
        "wrong": [(str.split, "still hangs"),
                  (lambda text: re.findall(r"\w+|[^\w\s]", text), "The underscore"),
                  (lambda text: re.findall(r"[a-zA-Z0-9]+", text),
                   "punctuation is gone"),
                  (lambda text: re.findall(r"[a-zA-Z0-9]+|[^a-zA-Z0-9\s]+", text),
                   "A run of marks"),
                  (lambda text: re.sub(r"([!-#%-*,-/:;?@\[-\]_{}])", r" \1 ", text)
                   .split(), "H16")]},
    "01.3": {
        "right": [cut_by_recursion, lambda words, vocab: cut_badly(words, list(vocab))],
        "wrong": [(lambda words, vocab: cut_badly(words, vocab, shortest=True), "H17"),
                  (lambda words, vocab: cut_badly(words, vocab, mark=""), "H15"),
                  (lambda words, vocab: cut_badly(words, vocab, partial=True), "H5"),
                  (lambda words, vocab: [cut_by_recursion([w], vocab) for w in words],
                   "expected an array"),
                  (lambda words, vocab: [p.lstrip("#") for p in
                                         cut_by_recursion(words, vocab)],
                   "must keep their ##")]},
    "01.4": {
        "right": [lambda text: "".join(map(str.lower, text)),
                  lambda text: "".join(
                      [c.lower() if c.isupper() else c for c in text])],
        "wrong": [(str.lower, "final sigma"), (str.casefold, "casefold"),
                  (str.upper, "upper case"),
                  (lambda text: [c.lower() for c in text], "its shape is")]},
    "01.5": {
        "right": [lambda text, offsets, first, last: text[:offsets[last][-1]]
                  [offsets[first][0]:],
                  lambda text, offsets, first, last: "".join(
                      c for i, c in enumerate(text)
                      if offsets[first][0] <= i < offsets[last][1])],
        "wrong": [(glued, "glued with spaces"),
                  (lambda text, offsets, first, last: text[first:last + 1],
                   "count tokens, not characters"),
                  (lambda text, offsets, first, last: text[
                      offsets[first][0]:offsets[last][1] + 1],
                   "one character too many"),
                  (lambda text, offsets, first, last: text[
                      offsets[first][0]:offsets[last][0]], "The last token is missing"),
                  (lambda text, offsets, first, last: text[
                      offsets[first]:offsets[last]],
                   "your function raised TypeError")]},
}
