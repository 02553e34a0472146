"""What learners answer in notebook 10."""

import numpy as np


def pieces_by_loop(word_ids, labels):
    seen, out = set(), []
    for word in word_ids:
        if word is None or word in seen:
            out.append(-100)
        else:
            seen.add(word)
            out.append(labels[word])
    return out


def pieces_in_array(word_ids, labels):
    out = np.full(len(word_ids), -100)
    for word, label in enumerate(labels):
        out[word_ids.index(word)] = label
    return out


def all_pieces(word_ids, labels):
    return [-100 if word is None else labels[word] for word in word_ids]


def last_pieces(word_ids, labels):
    return [-100 if word is None or word == after else labels[word]
            for word, after in zip(word_ids, [*word_ids[1:], None])]


def zeros(word_ids, labels):
    return [0 if x == -100 else x for x in pieces_by_loop(word_ids, labels)]


def minus_one(word_ids, labels):
    return [-1 if x == -100 else x for x in pieces_by_loop(word_ids, labels)]


def harmonic(found, there):
    right = sum(x in there for x in found)
    precision, recall = right / len(found), right / len(there)
    return 2 / (1 / precision + 1 / recall)


def by_counts(found, there):
    right = sum(x == y for x in found for y in there)
    missed, vain = len(there) - right, len(found) - right
    return np.float32(right / (right + (missed + vain) / 2))


def arithmetic(found, there):
    right = len(set(found) & set(there))
    return (right / len(found) + right / len(there)) / 2


def places_only(found, there):
    right = len({x[1:] for x in found} & {x[1:] for x in there})
    return 2 * right / (len(found) + len(there))


def span_by_loops(start, end, most):
    best, found = -np.inf, None
    for j in range(len(end)):
        for i in range(max(0, j - most + 1), j + 1):
            if start[i] + end[j] > best:
                best, found = start[i] + end[j], (i, j)
    return found


def span_by_bands(start, end, most):
    sums = np.add.outer(start.astype("f4"), end.astype("f4"))
    band = np.triu(np.ones_like(sums)) - np.triu(np.ones_like(sums), most)
    i, j = np.unravel_index(np.where(band > 0, sums, -np.inf).argmax(), sums.shape)
    return int(i), int(j)


def unlimited(start, end, most):
    sums = np.add.outer(start, end)
    sums[np.tril_indices(len(start), -1)] = -np.inf
    return np.unravel_index(sums.argmax(), sums.shape)


ANSWERS = {
    "10.1": {
        "right": [pieces_by_loop, pieces_in_array],
        "wrong": [(all_pieces, "Only one of them"), (last_pieces, "The last piece"),
                  (zeros, "which is a class"), (minus_one, "Older code has -1"),
                  (lambda word_ids, labels: labels, "for each piece"),
                  (lambda word_ids, labels: [labels[i] for i in word_ids],
                   "raised TypeError")]},
    "10.2": {
        "right": [harmonic, by_counts],
        "wrong": [(arithmetic, "harmonic mean"), (places_only, "whatever their type"),
                  (lambda found, there: np.mean([x in there for x in found]),
                   "what was missed"),
                  (lambda found, there: np.mean([x in found for x in there]),
                   "found in vain"),
                  (lambda found, there: len(set(found) & set(there)), "times")]},
    "10.3": {
        "right": [span_by_loops, span_by_bands],
        "wrong": [(lambda start, end, most: (np.argmax(start), np.argmax(end)),
                   "chosen apart"),
                  (unlimited, "longer than allowed"),
                  (lambda start, end, most: span_by_loops(start, end, most + 1),
                   "one token longer"),
                  (lambda start, end, most: (lambda i, j: (i, j + 1))(
                      *span_by_loops(start, end, most)), "one too large"),
                  (lambda start, end, most: list(span_by_loops(start, end, most)),
                   "expected part 1, part 2")]},
}
