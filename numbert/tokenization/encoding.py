"""One call of BertTokenizer: pieces, truncation, special tokens, padding, outputs.

The offsets and words of pieces cost as much as their ids.  If they aren't asked for,
the texts are encoded without them, and once more if an Encoding is wanted after all.
"""

import functools
from typing import NamedTuple

import numpy as np

from . import inputs, rows, truncation
from .batch import BatchEncoding, Encoding, Encodings, as_tensor
from .pipeline import Pieces, encode, encode_one


def encode_single(tokenizer, samples, options, request):
    """Encode one text or one pair into one row, without the cost of arrays.

    Args:
        tokenizer: a BertTokenizer.
        samples: inputs.Samples with a single sample that is not split into words.
        options: options.Options without overflow.
        request: base.Request.

    Returns:
        BatchEncoding
    """
    texts = [samples.first[0]]
    if samples.second is not None:
        texts.append(samples.second[0])
    core, special_ids = tokenizer.core, tokenizer.template_ids

    def make_row(offsets):
        parts = [encode_one(core, text, split_special_tokens=request.split,
                            offsets=offsets) for text in texts]
        if options.truncation is not None:
            parts = _cut(parts, options)
        return rows.OneRow(parts[0], parts[1] if len(parts) == 2 else None, special_ids,
                           options)

    row = make_row("offset_mapping" in request.keys)
    data = {name: row.column(name) for name in request.keys}
    size = row.size + row.pads
    if request.tensors is not None:
        data = {name: as_tensor(name, np.array([value], np.int64), request.tensors)
                for name, value in data.items()}
    if request.length:
        data["length"] = [size]
        if request.tensors is not None:
            data["length"] = as_tensor("length", [size], request.tensors)
    if request.warn:
        tokenizer.warn_if_too_long(size)
    return BatchEncoding(data, Encodings(
        1, lambda _: _single_encoding(tokenizer, make_row(True), texts)))


def _cut(parts, options):
    """Truncate the pieces of one sample."""
    slices = [(0, len(part[0])) for part in parts]
    pair = len(parts) == 2
    room = truncation.room_for(options, pair)
    kept = truncation.sample_windows(slices[0], slices[1] if pair else None, room,
                                     options)[0]
    return [[column and column[start:stop] for column in part]
            for part, (start, stop) in zip(parts, kept)]


def _single_encoding(tokenizer, row, texts):
    """The row as an Encoding."""
    ids, offsets = row.column("input_ids"), row.column("offset_mapping")
    sequences = row.column("sequence_ids")
    sources = [None if s is None else texts[s] for s in sequences]
    return Encoding(
        ids, tokenizer.token_texts(ids, offsets, sources), row.column("token_type_ids"),
        row.column("attention_mask"), row.column("special_tokens_mask"), offsets,
        row.column("word_ids"), sequences, len(texts))


class Batch(NamedTuple):
    """Everything that the outputs of a batch are read from."""
    samples: inputs.Samples
    plan: truncation.Rows
    place: rows.Layout
    table: rows.Tables


def encode_batch(tokenizer, samples, options, request):
    """Encode samples of any kind into rows, all at once.

    Args and Returns as `encode_single`.
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
