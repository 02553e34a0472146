"""Laws M1 to M14, of the data of pre-training: masked words and pairs of sentences.

See `targets.MaskingTarget` for what `masking` is.  How many words are masked, and what
they become, are laws of large numbers; they need a count, not one example.
"""

from __future__ import annotations

import numpy as np

from .laws import DIALECT, EXACT, Words, law, require, same, same_bits


def masked(masking, ids, seed, **options):
    """Return (masked ids, labels, where words are to be predicted)."""
    out, labels = (np.asarray(x) for x in masking.mask(ids.copy(), seed, **options))
    return out, labels, labels != masking.ignore_index


@law("M1", "masking", EXACT,
     catches="labels that are the masked ids instead of the true ones, labels "
             "everywhere, or at other places than the changes (F10, F11)")
def labels_are_the_true_ids(masking, ids, seed):
    """A label is the true id, or it is ignored; what changed has a label."""
    out, labels, picked = masked(masking, ids, seed)
    same((out.shape, labels.shape), (ids.shape, ids.shape), "the shapes")
    same_bits(labels[picked], ids[picked], "the labels")
    changed = out != ids
    require(not (changed & ~picked).any(), "the changed places without a label",
            got=np.flatnonzero(changed & ~picked).tolist(), expected=[],
            text=ids.tolist())


@law("M2", "masking", EXACT,
     catches="ids that change where nothing is to be predicted")
def the_rest_stays(masking, ids, seed):
    """Ids without a label are left as they are."""
    out, _, picked = masked(masking, ids, seed)
    same_bits(out[~picked], ids[~picked], "the ids that are not to be predicted")


@law("M3", "masking", EXACT,
     catches="special tokens or padding that are masked (F1, F2)")
def special_tokens_are_never_masked(masking, ids, seed):
    """[CLS], [SEP], [MASK] and [PAD] have no label, even if all else is masked."""
    for options in ({}, {"probability": 1.0}):
        _, _, picked = masked(masking, ids, seed, **options)
        wrong = picked & np.isin(ids, masking.special_ids)
        require(not wrong.any(), "the special tokens with a label",
                got=ids[wrong].tolist(), expected=[], text=ids.tolist())


@law("M6", "masking", EXACT,
     catches="random ids beyond the vocabulary, or a [MASK] id of another "
             "vocabulary")
def new_ids_are_in_the_vocabulary(masking, ids, seed):
    """What stands in a text after masking is an id of the vocabulary."""
    out, _, _ = masked(masking, ids, seed, probability=1.0)
    require(((0 <= out) & (out < masking.vocab_size)).all(), "the masked ids",
            got=out.tolist(), expected=Words(f"0 to {masking.vocab_size - 1}"))
    eligible = ~np.isin(ids, masking.special_ids)
    # Sixty words without a [MASK] by chance: 0.2 ** 60.
    if eligible.sum() >= 60 and masking.max_predictions is None:
        require((out == masking.mask_id).any(), "the masked ids", got=out.tolist(),
                expected=Words(f"[MASK], {masking.mask_id}, for four in five"))


@law("M7", "masking", EXACT, needs=["continues"],
     catches="whole-word masking that splits words, or that joins words across "
             "a special token")
def words_are_masked_as_a_whole(masking, ids, seed):
    """All pieces of a word have a label, or none has."""
    _, _, picked = masked(masking, ids, seed, probability=0.5)
    fixed = np.isin(ids, masking.special_ids)
    after = np.concatenate([[True], fixed[:-1]])
    word = np.cumsum(fixed | ~masking.continues[ids] | after)
    for number in np.unique(word[~fixed]):
        one = picked[(word == number) & ~fixed]
        require(one.all() or not one.any(), "the labels of a word's pieces",
                got=one.tolist(), expected=Words("all or none"), text=ids.tolist())


@law("M8", "masking", EXACT,
     catches="shares that are not what was asked for: nothing that can be "
             "masked, words left over, or a comparison the wrong way round "
             "(F3, F7)")
def all_or_nothing(masking, ids, seed):
    """Under probability 1 every word has a label; under 0 none has.

    Under the exact rule it is max_predictions words at most, and 1 at least.
    """
    everything, nothing = int((~np.isin(ids, masking.special_ids)).sum()), 0
    if masking.max_predictions is not None:
        everything = min(everything, masking.max_predictions)
        nothing = min(1, everything)
    for p, expected in ((1.0, everything), (0.0, nothing)):
        count = int(masked(masking, ids, seed, probability=p)[2].sum())
        # Whole words that no longer fit are left out.
        if masking.exact or masking.max_predictions is None:
            same(count, expected, f"the labels under probability {p}", ids.tolist())
        require(count <= expected, f"the labels under probability {p}", got=count,
                expected=Words(f"{expected} at most"), text=ids.tolist())


@law("M9", "masking", EXACT,
     catches="a hidden global generator: results that depend on what was "
             "masked before, static masks for every seed (F14)")
def the_seed_decides(masking, ids, seed):
    """The same seed gives the same result, and other seeds another."""
    first = masked(masking, ids, seed)
    masked(masking, ids[::-1], seed + 1)
    for got, want, what in zip(masked(masking, ids, seed), first, ("ids", "labels")):
        same_bits(got, want, f"the {what} for the same seed")
    if (~np.isin(ids, masking.special_ids)).sum() >= 30:    # all alike: 1 in 2 ** 60
        others = [masked(masking, ids, seed + i, probability=0.5)[0] for i in range(9)]
        require(any((other != others[0]).any() for other in others), "nine seeds",
                got=Words("the same ids every time"), expected=Words("several results"))


@law("M10", "masking", EXACT,
     catches="an input that is overwritten, so that the next epoch sees masks "
             "of the last one")
def the_input_is_not_written_to(masking, ids, seed):
    """The ids that were passed in are the same afterwards."""
    given = ids.copy()
    masking.mask(given, seed, probability=1.0)
    same_bits(given, ids, "the ids that were passed in")


@law("M11", "masking", DIALECT, needs=["exact"],
     catches="an exact number that counts padding, rounds otherwise, or draws "
             "the same place twice (F6)")
def the_number_is_exact(masking, ids, seed):
    """min(max_predictions, max(1, round(0.15 T))) words; T counts [CLS] and [SEP].

    Dialects: Hugging Face draws each word by itself.
    """
    words = int((~np.isin(ids, masking.special_ids)).sum())
    length = int((ids != masking.pad_id).sum())
    expected = min(words, masking.max_predictions, max(1, round(0.15 * length)))
    _, _, picked = masked(masking, ids, seed)
    same(int(picked.sum()), expected, "the number of labels", ids.tolist())


# ---------------------------------------------------------------- pairs of sentences

def places(documents) -> dict[int, tuple[int, int]]:
    """Return {id: (document, place in it)}, for documents whose ids are all distinct.
    """
    return {token: (number, place) for number, document in enumerate(documents)
            for place, token in enumerate(t for sentence in document for t in sentence)}


@law("M12", "masking", EXACT, needs=["pairs"],
     catches="labels of pairs that are flipped, or a second text that does not "
             "follow where it should (F13, D9)")
def next_means_next(masking, documents, seed, max_length):
    """If the label says so, b goes on in a's document after a; else it does not.

    The ids of the documents must all be distinct.  What stands between a and b can
    only have been cut off.
    """
    where = places(documents)
    for a, b, label in masking.pairs(documents, seed, max_length):
        (first, end), (second, start) = where[a[-1]], where[b[0]]
        if label == masking.is_next:
            require(first == second and end < start, "a next sentence",
                    got=(a, b), expected=Words("two texts in order of one document"),
                    text=documents)
            full = len(a) + len(b) == max_length - 3
            require(start == end + 1 or full, "a next sentence", got=(a, b),
                    expected=Words("b directly after a"), text=documents)


@law("M13", "masking", DIALECT, needs=["pairs"],
     catches="random sentences from the same document (F12)")
def a_random_sentence_is_of_another_document(masking, documents, seed, max_length):
    """If the label says random, b is of another document.

    Dialects: Google's code gives up after ten draws; with two documents one pair in a
    thousand is of the same document.  So this law allows two pairs per call.
    """
    where = places(documents)
    found = [(a, b) for a, b, label in masking.pairs(documents, seed, max_length)
             if label != masking.is_next and where[a[0]][0] == where[b[0]][0]]
    require(len(found) <= 2, "random pairs of one document", got=found,
            expected=Words("none, or two by bad luck"), text=documents)


@law("M14", "masking", EXACT, needs=["pairs"],
     catches="empty segments, pairs that are too long, segments in pieces, "
             "lost documents (F17)")
def segments_are_whole_and_fit(masking, documents, seed, max_length):
    """a and b are runs of their documents, not empty, and fit with [CLS] and 2 [SEP].

    Every document has a pair whose a comes from it.
    """
    where, seen = places(documents), set()
    for a, b, _ in masking.pairs(documents, seed, max_length):
        require(a and b and len(a) + len(b) <= max_length - 3, "a pair", got=(a, b),
                expected=Words(f"no empty text, {max_length - 3} tokens together"))
        for part in (a, b):
            same(list(part), list(range(part[0], part[0] + len(part))), "a segment",
                 documents)
        seen.add(where[a[0]][0])
    same(sorted(seen), list(range(len(documents))), "the documents with pairs",
         documents)
