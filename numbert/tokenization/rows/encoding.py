"""One call of BertTokenizer: pieces, truncation, special tokens, padding, outputs.

The offsets and words of pieces cost as much as their ids.  If they aren't asked for,
the texts are encoded without them, and once more if an Encoding is wanted after all.
"""

import functools
from typing import NamedTuple

import numpy as np

from . import inputs, layout as rows, truncation
from .batch import BatchEncoding, Encoding, Encodings, as_tensor
from ..fast.pipeline import Pieces, encode, encode_one


def encode_few(tokenizer, samples, options, request):
    """Encode a few samples, one row each, as lists: without the cost of arrays.

    Args:
        tokenizer: a BertTokenizer.
        samples: inputs.Samples that are not split into words.
        options: options.Options without overflow.
        request: base.Request.

    Returns:
        BatchEncoding
    """
    core, special_ids = tokenizer.core, tokenizer.template_ids
    seconds = samples.second or [None] * len(samples.first)
    texts = list(zip(samples.first, seconds))

    def make_row(pair, offsets):
        parts = [encode_one(core, text, split_special_tokens=request.split,
                            offsets=offsets) for text in pair if text is not None]
        if options.truncation is not None:
            parts = _cut(parts, options)
        return rows.OneRow(parts, special_ids, options)

    few = [make_row(pair, "offset_mapping" in request.keys) for pair in texts]
    wide = 0
    if options.padding is not None:
        wide = rows.width(max([row.size for row in few]), options)
        for row in few:
            row.pad(wide)
    if request.warn:
        tokenizer.warn_if_too_long(max([row.size for row in few]))
    return BatchEncoding(_few_outputs(few, samples, request), Encodings(
        len(few), lambda r: _few_encoding(
            tokenizer, make_row(texts[r], True).pad(wide), texts[r])))


def _few_outputs(few, samples, request):
    """The outputs of a few rows by name."""
    sizes = [row.size for row in few]
    lengths = {"length": sizes} if request.length else {}
    if request.tensors == "np" and len(set(sizes)) == 1:
        data = {name: _array(few, name) for name in request.keys}
        return {**data, **{name: np.array(value) for name, value in lengths.items()}}
    data = {name: [row.column(name) for row in few] for name in request.keys}
    if request.tensors is not None:
        return {name: as_tensor(name, value, request.tensors)
                for name, value in {**data, **lengths}.items()}
    if not samples.batched:
        data = {name: value[0] for name, value in data.items()}
    return {**data, **lengths}


def _array(few, name):
    """One output of rows of equal length as an array."""
    if name == "offset_mapping":
        return np.stack([_array(few, "starts"), _array(few, "ends")], axis=-1)
    return np.array([row.column(name) for row in few], np.int64)


def _cut(parts, options):
    """Truncate the pieces of one sample."""
    slices = [(0, len(part[0])) for part in parts]
    pair = len(parts) == 2
    room = truncation.room_for(options, pair)
    kept = truncation.sample_windows(slices[0], slices[1] if pair else None, room,
                                     options)[0]
    return [[column and column[start:stop] for column in part]
            for part, (start, stop) in zip(parts, kept)]


def _few_encoding(tokenizer, row, texts):
    """The row as an Encoding."""
    ids, offsets = row.column("input_ids"), row.column("offset_mapping")
    sequences = row.column("sequence_ids")
    sources = [None if s is None else texts[s] for s in sequences]
    return Encoding(
        ids, tokenizer.token_texts(ids, offsets, sources), row.column("token_type_ids"),
        row.column("attention_mask"), row.column("special_tokens_mask"), offsets,
        row.column("word_ids"), sequences, 1 if row.b is None else 2)


class Batch(NamedTuple):
    """Everything that the outputs of a batch are read from."""
    samples: inputs.Samples
    plan: truncation.Rows
    place: rows.Layout
    table: rows.Tables


def encode_batch(tokenizer, samples, options, request):
    """Encode samples of any kind into rows, all at once.

    Args and Returns as `encode_few`, for any samples and options.
    """
    core, special_ids = tokenizer.core, tokenizer.template_ids

    def make_batch(offsets):
        pieces, a, b, pair = _pieces(core, samples, request, offsets)
        plan = truncation.plan(a, b, pair, options)
        return Batch(samples, plan, rows.layout(plan, len(pieces.ids), options),
                     rows.tables(pieces, special_ids))

    batch = make_batch("offset_mapping" in request.keys)
    data = _outputs(batch, options, request)
    sizes = np.diff(batch.place.splits)
    if request.warn:
        tokenizer.warn_if_too_long(int(sizes.max()))
    whole = functools.cache(lambda: make_batch(True))
    return BatchEncoding(data, Encodings(
        len(sizes), lambda r: _encoding(tokenizer, whole(), r)))


def _outputs(batch, options, request):
    """The outputs of a batch by name."""
    splits = batch.place.splits
    flat = rows.columns(batch.table, batch.place, request.keys)
    per_row = {}
    if request.length:
        per_row["length"] = np.diff(splits)
    if options.overflow:
        per_row["overflow_to_sample_mapping"] = batch.plan.sample
    if request.tensors is not None:
        data = {name: rows.as_arrays(value, splits) for name, value in flat.items()}
        return {name: as_tensor(name, value, request.tensors)
                for name, value in {**data, **per_row}.items()}
    data = {name: rows.as_lists(value, splits) for name, value in flat.items()}
    if not (batch.samples.batched or options.overflow):
        data = {name: value[0] for name, value in data.items()}
    return {**data, **{name: value.tolist() for name, value in per_row.items()}}


def _encoding(tokenizer, batch, r):
    """Row r as an Encoding."""
    samples, plan, place, table = batch
    here = slice(place.splits[r], place.splits[r + 1])
    slots, types = place.slots[here], place.types[here].tolist()
    ids = table.ids[slots].tolist()
    offsets = list(zip(table.starts[slots].tolist(), table.ends[slots].tolist()))
    words = [None if w == rows.NO_WORD else w for w in table.words[slots].tolist()]
    sequences = [None if w is None else t for t, w in zip(types, words)]
    sample = int(plan.sample[r])
    overflow = []
    if plan.main[r]:
        end = int(np.searchsorted(plan.sample, sample, "right"))
        overflow = [_encoding(tokenizer, batch, k) for k in range(r + 1, end)]
    sources = _sources(samples, sample, sequences, words)
    return Encoding(
        ids, tokenizer.token_texts(ids, offsets, sources), types,
        (slots != place.n + rows.PAD).astype(int).tolist(),
        (slots >= place.n).astype(int).tolist(), offsets, words, sequences,
        1 + bool(plan.pair[r]), overflow)


def _sources(samples, sample, sequences, words):
    """For each token of a row the string that its offsets count in, or None."""
    texts = [samples.first[sample], samples.second and samples.second[sample]]
    return [s if s is None else texts[s] if isinstance(texts[s], str) else texts[s][w]
            for s, w in zip(sequences, words)]


def _pieces(core, samples, request, offsets):
    """All pieces of a batch, and each sample's slices of them.

    Returns:
        Pieces, a (B, 2), b (B, 2), pair (B,)
    """
    count = len(samples.first)
    second = samples.second or [None] * count
    texts = samples.first + [text for text in second if text is not None]
    flat, groups = inputs.flatten(texts, request.words)
    pieces = encode(core, flat, split_special_tokens=request.split, offsets=offsets)
    if request.words:
        pieces = _group(pieces, groups)
    spans = np.stack([pieces.splits[:-1], pieces.splits[1:]], axis=1)
    pair = np.array([text is not None for text in second])
    b = np.zeros((count, 2), spans.dtype)
    b[pair] = spans[count:]
    return pieces, spans[:count], b, pair


def _group(pieces, groups):
    """Pieces of words as pieces of texts; offsets still count from the word's start.

    Args:
        pieces: Pieces, one text per word.
        groups: (B + 1,) text i owns words groups[i]:groups[i + 1].
    """
    number = np.arange(groups[-1]) - np.repeat(groups[:-1], np.diff(groups))
    return Pieces(pieces.ids, pieces.starts, pieces.ends,
                  np.repeat(number, np.diff(pieces.splits)), pieces.splits[groups])
