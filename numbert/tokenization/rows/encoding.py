"""One call of BertTokenizer: pieces, truncation, special tokens, padding, outputs.

Offsets and words cost as much time as ids.  A call that doesn't ask for them goes
without.  If they are wanted later, through an Encoding, the texts are encoded again.
"""

import functools
from typing import NamedTuple

import numpy as np

from ..fast.pipeline import Pieces, encode, encode_one
from . import inputs, layout as rows, truncation
from .batch import BatchEncoding, Encoding, Encodings, as_tensor
from .options import Options


def encode_few(tokenizer, samples, options):
    """Encode a few samples, one row each, with lists, which are quicker here.

    Args:
        tokenizer: a BertTokenizer.
        samples: inputs.Samples that are not split into words.
        options: options.Options without overflow.

    Returns:
        BatchEncoding
    """
    core, special_ids = tokenizer.core, tokenizer.template_ids
    seconds = samples.second or [None] * len(samples.first)
    texts = list(zip(samples.first, seconds))

    def make_row(pair, offsets):
        parts = [encode_one(core, text, split_special_tokens=options.split,
                            offsets=offsets) for text in pair if text is not None]
        if options.truncation is not None:
            parts = _cut(parts, options)
        return rows.OneRow(parts, special_ids, options)

    few = [make_row(pair, "offset_mapping" in options.keys) for pair in texts]
    wide = 0
    if options.padding is not None:
        wide = rows.width(max([row.size for row in few]), options)
        for row in few:
            row.pad(wide)
    if options.warn:
        tokenizer.warn_if_too_long(max([row.size for row in few]))
    return BatchEncoding(_few_outputs(few, samples, options), Encodings(
        len(few), lambda r: _few_encoding(
            tokenizer, make_row(texts[r], True).pad(wide), texts[r], options)))


def _few_outputs(few, samples, options):
    """Return the outputs of a few rows by name."""
    sizes = [row.size for row in few]
    lengths = {"length": sizes} if options.length else {}
    if options.tensors == "np" and len(set(sizes)) == 1:
        data = {name: _array(few, name) for name in options.keys}
        return {**data, **{name: np.array(value) for name, value in lengths.items()}}
    if options.tensors is None and not samples.batched:
        return {**{name: few[0].column(name) for name in options.keys}, **lengths}
    data = {name: [row.column(name) for row in few] for name in options.keys}
    if options.tensors is None:
        return {**data, **lengths}
    return {name: as_tensor(name, value, options.tensors)
            for name, value in {**data, **lengths}.items()}


def _array(few, name):
    """Return one output of rows of equal length as an array."""
    if name == "offset_mapping":
        out = np.empty((len(few), few[0].size, 2), np.int64)
        out[..., 0] = [row.column("starts") for row in few]
        out[..., 1] = [row.column("ends") for row in few]
        return out
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


def _few_encoding(tokenizer, row, texts, options):
    """Return the row as an Encoding."""
    ids, offsets = row.column("input_ids"), row.column("offset_mapping")
    sequences = row.column("sequence_ids")
    sources = [None if s is None else texts[s] for s in sequences]
    return Encoding(
        ids, tokenizer.token_texts(ids, offsets, sources, options.split),
        row.column("token_type_ids"), row.column("attention_mask"),
        row.column("special_tokens_mask"), offsets, row.column("word_ids"), sequences,
        1 if row.b is None else 2)


class Batch(NamedTuple):
    """What the outputs of a batch are made from."""
    samples: inputs.Samples
    plan: truncation.Rows
    place: rows.Layout
    table: rows.Tables
    options: Options


def encode_batch(tokenizer, samples, options):
    """Encode samples of any kind, with any options, all at once.

    Args and Returns as for `encode_few`.
    """
    core, special_ids = tokenizer.core, tokenizer.template_ids

    def make_batch(offsets):
        pieces, a, b, pair = _pieces(core, samples, options, offsets)
        plan = truncation.plan(a, b, pair, options)
        return Batch(samples, plan, rows.layout(plan, len(pieces.ids), options),
                     rows.tables(pieces, special_ids), options)

    batch = make_batch("offset_mapping" in options.keys)
    data = _outputs(batch)
    sizes = np.diff(batch.place.splits)
    if options.warn:
        tokenizer.warn_if_too_long(int(sizes.max()))
    whole = functools.cache(lambda: make_batch(True))
    return BatchEncoding(data, Encodings(
        len(sizes), lambda r: _encoding(tokenizer, whole(), r)))


def _outputs(batch):
    """Return the outputs of a batch by name."""
    splits, options = batch.place.splits, batch.options
    flat = rows.columns(batch.table, batch.place, options.keys)
    per_row = {}
    if options.length:
        per_row["length"] = np.diff(splits)
    if options.overflow:
        per_row["overflow_to_sample_mapping"] = batch.plan.sample
    if options.tensors is not None:
        data = {name: rows.as_arrays(value, splits) for name, value in flat.items()}
        return {name: as_tensor(name, value, options.tensors)
                for name, value in {**data, **per_row}.items()}
    data = {name: rows.as_lists(value, splits) for name, value in flat.items()}
    if not (batch.samples.batched or options.overflow):
        data = {name: value[0] for name, value in data.items()}
    return {**data, **{name: value.tolist() for name, value in per_row.items()}}


def _encoding(tokenizer, batch, r):
    """Return row r as an Encoding."""
    samples, plan, place, table, options = batch
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
        ids, tokenizer.token_texts(ids, offsets, sources, options.split), types,
        (slots != place.n + rows.PAD).astype(int).tolist(),
        (slots >= place.n).astype(int).tolist(), offsets, words, sequences,
        1 + bool(plan.pair[r]), overflow)


def _sources(samples, sample, sequences, words):
    """Return, for each token of a row, the str that its offsets count in, or None."""
    texts = [samples.first[sample], samples.second and samples.second[sample]]
    return [s if s is None else texts[s] if isinstance(texts[s], str) else texts[s][w]
            for s, w in zip(sequences, words)]


def _pieces(core, samples, options, offsets):
    """Return all pieces of a batch, and each sample's slices of them.

    Returns:
        Pieces, a (B, 2), b (B, 2), pair (B,)
    """
    count = len(samples.first)
    second = samples.second or [None] * count
    texts = samples.first + [text for text in second if text is not None]
    flat, groups = inputs.flatten(texts, options.words)
    pieces = encode(core, flat, split_special_tokens=options.split, offsets=offsets)
    if options.words:
        pieces = _group(pieces, groups)
    spans = np.stack([pieces.splits[:-1], pieces.splits[1:]], axis=1)
    pair = np.array([text is not None for text in second])
    b = np.zeros((count, 2), spans.dtype)
    b[pair] = spans[count:]
    return pieces, spans[:count], b, pair


def _group(pieces, groups):
    """Turn pieces of words into pieces of texts; offsets still count in the word.

    Args:
        pieces: Pieces, one text per word.
        groups: (B + 1,), text i owns words groups[i]:groups[i + 1].
    """
    number = np.arange(groups[-1]) - np.repeat(groups[:-1], np.diff(groups))
    return Pieces(pieces.ids, pieces.starts, pieces.ends,
                  np.repeat(number, np.diff(pieces.splits)), pieces.splits[groups])
