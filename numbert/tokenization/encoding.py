"""One call of BertTokenizer: pieces, truncation, special tokens, padding, outputs."""

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
    texts = [samples.first[0]] if samples.second is None else [samples.first[0],
                                                               samples.second[0]]
    parts = [encode_one(tokenizer.core, text, split_special_tokens=request.split)
             for text in texts]
    if options.truncation is not None:
        parts = _cut(parts, options)
    row = rows.OneRow(parts[0], parts[1] if len(parts) == 2 else None,
                      tokenizer.template_ids, options)
    values = {name: row.column(name) for name in request.keys}
    if request.tensors is None:
        data = values
    else:
        data = {name: as_tensor(name, np.array([value], np.int64), request.tensors)
                for name, value in values.items()}
    size = row.size + row.pads
    if request.length:
        data["length"] = [size] if request.tensors is None else as_tensor(
            "length", [size], request.tensors)
    if request.warn:
        tokenizer.warn_if_too_long(size)
    return BatchEncoding(data, Encodings(1, lambda _: _one_encoding(tokenizer, row, texts)))


def _cut(parts, options):
    """Truncate the pieces of one sample."""
    slices = [(0, len(part[0])) for part in parts]
    room = truncation.room_for(options, len(parts) == 2)
    kept = truncation.sample_windows(
        slices[0], slices[1] if len(parts) == 2 else None, room, options)[0]
    return [[column[start:stop] for column in part]
            for part, (start, stop) in zip(parts, kept)]


def _one_encoding(tokenizer, row, texts):
    """The row as an Encoding."""
    ids = row.column("input_ids")
    offsets = row.column("offset_mapping")
    sequences = row.column("sequence_ids")
    sources = [None if s is None else texts[s] for s in sequences]
    return Encoding(
        ids, tokenizer.token_texts(ids, offsets, sources), row.column("token_type_ids"),
        row.column("attention_mask"), row.column("special_tokens_mask"), offsets,
        row.column("word_ids"), sequences, len(texts))


def encode_batch(tokenizer, samples, options, request):
    """Encode samples of any kind into rows, all at once.

    Args and Returns as `encode_single`.
    """
    pieces, a, b, pair = _pieces(tokenizer.core, samples, request)
    plan = truncation.plan(a, b, pair, options)
    place = rows.layout(plan, len(pieces.ids), options)
    table = rows.tables(pieces, tokenizer.template_ids)
    split = rows.as_lists if request.tensors is None else rows.as_arrays
    data = {name: split(values, place.splits)
            for name, values in rows.columns(table, place, request.keys).items()}
    sizes = np.diff(place.splits)
    if request.length:
        data["length"] = sizes
    if options.overflow:
        data["overflow_to_sample_mapping"] = plan.sample
    for name in ("length", "overflow_to_sample_mapping"):
        if name in data and request.tensors is None:
            data[name] = data[name].tolist()
    if request.tensors == "pt":
        data = {name: as_tensor(name, values, "pt") for name, values in data.items()}
    if not (samples.batched or options.overflow or request.tensors):
        data = {name: value if name == "length" else value[0] for name, value in data.items()}
    if request.warn:
        tokenizer.warn_if_too_long(int(sizes.max()))

    def build(r):
        return _encoding(tokenizer, samples, plan, place, table, r)

    return BatchEncoding(data, Encodings(len(sizes), build))


def _encoding(tokenizer, samples, plan, place, table, r):
    """Row r as an Encoding."""
    here = slice(place.splits[r], place.splits[r + 1])
    slots = place.slots[here]
    types = place.types[here].tolist()
    ids = table.ids[slots].tolist()
    offsets = list(zip(table.starts[slots].tolist(), table.ends[slots].tolist()))
    is_text = (slots < place.n).tolist()
    words = [w if text else None for w, text in zip(table.words[slots].tolist(), is_text)]
    sequences = [t if text else None for t, text in zip(types, is_text)]
    sample = int(plan.sample[r])
    texts = (samples.first[sample], samples.second and samples.second[sample])
    sources = [None if s is None else texts[s] if isinstance(texts[s], str) else texts[s][w]
               for s, w in zip(sequences, words)]
    overflow = []
    if plan.main[r]:
        end = int(np.searchsorted(plan.sample, sample, "right"))
        overflow = [_encoding(tokenizer, samples, plan, place, table, k)
                    for k in range(r + 1, end)]
    return Encoding(
        ids, tokenizer.token_texts(ids, offsets, sources), types,
        (slots != place.n + rows.PAD).astype(int).tolist(),
        (slots >= place.n).astype(int).tolist(), offsets, words, sequences,
        1 + bool(plan.pair[r]), overflow)


def _pieces(core, samples, request):
    """All pieces of a batch, and each sample's slices of them.

    Returns:
        Pieces, a (B, 2), b (B, 2), pair (B,)
    """
    count = len(samples.first)
    second = samples.second or [None] * count
    texts = samples.first + [text for text in second if text is not None]
    flat, groups = inputs.flatten(texts, request.words)
    pieces = encode(core, flat, split_special_tokens=request.split)
    if request.words:
        pieces = _group(pieces, groups)
    spans = np.stack([pieces.splits[:-1], pieces.splits[1:]], axis=1)
    pair = np.array([text is not None for text in second])
    b = np.zeros((count, 2), spans.dtype)
    b[pair] = spans[count:]
    return pieces, spans[:count], b, pair


def _group(pieces, groups):
    """Pieces of words as the pieces of texts; offsets still count from the word's start.

    Args:
        pieces: Pieces, one text per word.
        groups: (B + 1,) text i owns words groups[i]:groups[i + 1].
    """
    number = np.arange(groups[-1]) - np.repeat(groups[:-1], np.diff(groups))
    return Pieces(pieces.ids, pieces.starts, pieces.ends,
                  np.repeat(number, np.diff(pieces.splits)), pieces.splits[groups])
