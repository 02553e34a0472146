"""What a pipeline of masked language modeling wrote, row by row.

A row is an object of a JSONL file, or a mapping with the same names:

    original   ids before masking, [CLS], [SEP] and padding included      required
    masked     ids after masking                                          required
    labels     the original id where one was selected, -100 elsewhere     required
    special_tokens_mask   1 where a token may not be masked
    attention_mask        0 at padding
    word_ids              the number of each token's word; null: none
    next_sentence_label   0: B follows A; 1: B is random
    is_next               true if B really follows A
    documents             [of A, of B]: numbers or names of their documents

Without the masks, the ids tell: special ids, and those of [PAD].  Without word_ids, a
word is a piece and the "##" pieces after it, and ends at a special token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...bert.losses import IGNORE_INDEX
from ...system.datafiles import json_rows
from ...system.jsonfiles import json_text
from ...system.numbers import is_number, is_whole_number

IDS = ("original", "masked", "labels")
CHUNK = 2 ** 16                 # tokens that are counted together
MOST = 2 ** 62


class Rules(NamedTuple):
    """What a pipeline is asked to do; see `rules`."""

    size: int                           # of the vocabulary
    mask_id: int
    special: np.ndarray                 # (V,) booleans: never masked
    pad_id: int | None
    unk_id: int | None                  # [UNK] may be masked, or not
    continues: np.ndarray | None        # (V,) booleans: the piece starts with "##"
    tokens: Sequence[str] | None        # for the examples of a report
    rate: float
    split: tuple[float, float, float]
    rule: str
    max_predictions: int
    whole_words: bool
    ignored: int
    next_share: tuple[float, float]
    false_alarms: float


def rules(size: int, mask_id: int, special_ids: Iterable[int], *,
          pad_id: int | None = None, unk_id: int | None = None, continues=None,
          tokens: Sequence[str] | None = None, rate: float = 0.15,
          split: Sequence[float] = (0.8, 0.1, 0.1), rule: str = "bernoulli",
          max_predictions: int = 20, whole_words: bool = False,
          ignored: int = IGNORE_INDEX, next_share: float | Sequence[float] = 0.5,
          false_alarms: float = 1e-6) -> Rules:
    """Return what a pipeline is asked to do.

    Args:
        size: how many pieces the vocabulary has.
        mask_id, pad_id, unk_id: ids of [MASK], [PAD] and [UNK].  Pipelines differ in
            whether [UNK] is masked, so it is left out of account.
        special_ids: what may never be masked, [CLS] and [SEP] above all.
        continues: (V,) true for "##" pieces, for whole words without word_ids.
        tokens: (V,) the pieces as texts, for the examples in a report.
        rate: the share to select, in [0, 1].
        split: the shares of what is selected that become [MASK], a random piece, and
            stay as they are; their sum is 1.
        rule: "bernoulli" selects each piece (or word) by itself, with this rate;
            "count" selects min(max_predictions, max(1, round(rate * T))) of a row of
            T tokens, which includes [CLS] and [SEP] but not padding.
        whole_words: the pieces of a word are selected together.
        ignored: the label where nothing was selected.
        next_share: the share of pairs in which B follows A, or the least and the most.
        false_alarms: how often a right pipeline may be called wrong, at most.

    Raises:
        ValueError: a value is out of its range.
    """
    special = special_pieces(size, mask_id, special_ids, pad_id, unk_id)
    for name, share in (("rate", rate), ("false_alarms", false_alarms)):
        checked_share(name, share)
    if not 0 < false_alarms < 1:
        raise ValueError(f"false_alarms is {false_alarms}, expected between 0 and 1: "
                         "leave it out for one in a million")
    if rule not in ("bernoulli", "count"):
        raise ValueError(f"rule is {rule!r}, expected bernoulli or count: google's "
                         "code has count, Hugging Face's bernoulli")
    if not is_whole_number(max_predictions) or max_predictions < 1:
        raise ValueError(f"max_predictions is {max_predictions!r}, expected at least "
                         "1: the paper's code has 20 for 128 tokens")
    return Rules(int(size), mask_id, special, pad_id, unk_id,
                 None if continues is None else np.asarray(continues, bool), tokens,
                 float(rate), checked_split(split), rule, max_predictions, whole_words,
                 ignored, checked_next(next_share), false_alarms)


def special_pieces(size: int, mask_id: int, special_ids, pad_id, unk_id) -> np.ndarray:
    """Return which pieces may never be masked: (V,) booleans.

    Raises:
        ValueError: an id is not in the vocabulary, or nothing is left to mask.
    """
    special_ids = [*special_ids, mask_id, *([] if pad_id is None else [pad_id])]
    for name, id in [("mask_id", mask_id), ("pad_id", pad_id), ("unk_id", unk_id),
                     *(("a special id", id) for id in special_ids)]:
        if id is not None and not (is_whole_number(id) and 0 <= id < size):
            raise ValueError(f"{name} is {id!r}, expected an id from 0 to {size - 1}: "
                             "take the ids and the vocabulary from one tokenizer")
    special = np.zeros(size, bool)
    special[[id for id in special_ids if id != unk_id]] = True
    if size < special.sum() + 3:
        raise ValueError(f"the vocabulary has {size} pieces, {special.sum()} of them "
                         "special, expected at least 3 others: pass its real size")
    return special


def rules_of(tokenizer, **settings) -> Rules:
    """Return `rules` with the vocabulary of a BertTokenizer.

    Raises:
        ValueError: it has no [MASK], or a setting is out of its range.
    """
    if tokenizer.mask_token is None:
        raise ValueError("mask_token is None, expected a token such as [MASK]: choose "
                         "a tokenizer for masked language modeling")
    size = len(tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(list(range(size)))
    return rules(size, tokenizer.mask_token_id, tokenizer.all_special_ids,
                 pad_id=tokenizer.pad_token_id, unk_id=tokenizer.unk_token_id,
                 continues=[str(token).startswith("##") for token in tokens],
                 tokens=tokens, **settings)


def checked_share(name: str, value) -> float:
    """Return a number if it lies in [0, 1]."""
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} is {value!r}, expected 0 to 1: pass a share, such as "
                         "0.15")
    return float(value)


def checked_split(split) -> tuple[float, float, float]:
    """Return the three shares of a split if they make a whole."""
    shares = [checked_share("a share of the split", x) for x in split]
    if len(shares) != 3 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"split is {', '.join(map(str, shares))}, expected three "
                         "shares that add up to 1, for [MASK], a random piece, and the "
                         "original: pass 0.8, 0.1, 0.1")
    return shares[0], shares[1], shares[2]


def checked_next(share) -> tuple[float, float]:
    """Return the least and the greatest share of pairs in which B follows A."""
    shares = [share] * 2 if is_number(share) else list(share)
    shares = [checked_share("next_share", x) for x in shares]
    if len(shares) != 2 or shares[0] > shares[1]:
        raise ValueError(f"next_share is {share!r}, expected a share or two, the least "
                         "and the most: pass 0.5, or (0.45, 0.5)")
    return shares[0], shares[1]


# ------------------------------------------------------------------- reading of rows

def file_rows(lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, dict]]:
    """Yield (place, object) for each line of JSON.

    lines: from `datafiles.text_lines`, say.
    """
    return json_rows(lines, '{"original": [...], "masked": [...], "labels": [...]}')


def given_rows(examples: Iterable) -> Iterator[tuple[str, Any]]:
    """Yield (place, row) for mappings or triples, of one row or of a batch.

    Raises:
        ValueError: an example is neither.
    """
    number = 0
    for example in examples:
        if not isinstance(example, Mapping):
            if not isinstance(example, (tuple, list)) or len(example) != len(IDS):
                raise ValueError(f"row {number + 1} is of type "
                                 f"{type(example).__name__}, expected a mapping or "
                                 "three arrays: pass original, masked and labels")
            example = dict(zip(IDS, example))
        arrays = getattr(example.get("original"), "ndim", 1) == 2
        for i in range(len(example["original"]) if arrays else 1):
            number += 1
            yield f"row {number}", {name: value[i] for name, value in example.items()
                                    if value is not None} if arrays else example


def chunks(rows: Iterable[tuple[str, Any]], asked: Rules) -> Iterator[dict]:
    """Yield rows in chunks: flat arrays over their tokens, lists over rows.

    A chunk has, for each of its tokens (n,): original, masked, labels, special,
    padding, word (-1: none), row (its number in the chunk) and place (in the row); for
    each row (R,): start, length, where, and what the row says about its sentences.
    """
    held: list[dict] = []
    size = 0
    for where, row in rows:
        held.append(checked_row(where, row, asked))
        size += len(held[-1]["original"])
        if size >= CHUNK:
            yield joined(held)
            held, size = [], 0
    if held:
        yield joined(held)


def joined(rows: list[dict]) -> dict:
    """Return rows as one chunk; see `chunks`."""
    lengths = np.array([len(row["original"]) for row in rows])
    start = np.cumsum(lengths) - lengths
    chunk: dict[str, Any] = {
        name: np.concatenate([row[name] for row in rows])
        for name in (*IDS, "special", "padding", "word")}
    chunk |= {name: [row[name] for row in rows]
              for name in ("where", "next", "follows", "documents", "told")}
    chunk["row"] = np.repeat(np.arange(len(rows)), lengths)
    chunk["place"] = np.arange(len(chunk["row"])) - np.repeat(start, lengths)
    return chunk | {"start": start, "length": lengths}


def checked_row(where: str, row, asked: Rules) -> dict:
    """Return one row as arrays (T,) and what it says about its sentences.

    Raises:
        ValueError: an array is missing, has another length or other values; `where`
            is named.
    """
    found: dict[str, Any] = {name: ids(where, row, name) for name in IDS}
    original, length = found["original"], len(found["original"])
    if length == 0:
        raise ValueError(f"{where}: original is empty, expected ids: leave the row out")
    if original.min() < 0 or original.max() >= asked.size:
        raise ValueError(f"{where}: original holds {original.min()} to "
                         f"{original.max()}, expected 0 to {asked.size - 1}: pass the "
                         "tokenizer or the size of the vocabulary that made the file")
    special = asked.special[original]
    padding = original == (-1 if asked.pad_id is None else asked.pad_id)
    told = row.get("special_tokens_mask") is not None
    if told:
        special = special | flags(where, row, "special_tokens_mask")
    if row.get("attention_mask") is not None:
        padding = ~flags(where, row, "attention_mask")
    found |= {"special": special, "padding": padding,
              "word": words(where, row, original, special | padding, asked)}
    for name, value in found.items():
        if len(value) != length:
            raise ValueError(f"{where}: {name} has {len(value)} values, expected "
                             f"{length}, as original has: write one per token")
    return found | {"where": where, "told": told} | sentences(where, row)


def ids(where: str, row, name: str) -> np.ndarray:
    """Return one field of a row as whole numbers (T,)."""
    value = row.get(name)
    if value is None:
        found = ", ".join(map(str, row)) or "nothing"
        raise ValueError(f"{where}: {name} is missing (there is {found[:80]}), "
                         "expected a list of ids: add it")
    if hasattr(value, "__array__"):
        array = np.asarray(value)
    elif isinstance(value, (list, tuple)) and set(map(type, value)) <= {int} and \
            all(-MOST < x < MOST for x in (min(value, default=0),
                                           max(value, default=0))):
        array = np.array(value, np.int64)
    else:
        raise ValueError(f"{where}: {name} is {clipped(value)}, expected a list of "
                         "whole numbers: write ids")
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise ValueError(f"{where}: {name} has shape {array.shape} and dtype "
                         f"{array.dtype}, expected whole numbers of shape (tokens,): "
                         "pass ids")
    return array.astype(np.int64, copy=False)


def flags(where: str, row, name: str) -> np.ndarray:
    """Return one field of a row, 0 or 1 for each token, as booleans (T,)."""
    value = row[name]
    if isinstance(value, (list, tuple)) and set(map(type, value)) <= {bool}:
        return np.array(value, bool)
    array = ids(where, row, name)
    if len(array) != len(row["original"]) or ((array != 0) & (array != 1)).any():
        raise ValueError(f"{where}: {name} has {len(array)} values up to "
                         f"{array.max(initial=0)}, expected {len(row['original'])} "
                         "values that are 0 or 1: write one per token")
    return array == 1


def words(where: str, row, original, fixed, asked: Rules) -> np.ndarray:
    """Return the number of each token's word (T,), -1 for none."""
    given = row.get("word_ids")
    if given is not None and isinstance(given, (list, tuple)):
        return ids(where, {"word_ids": [-1 if x is None else x for x in given]},
                   "word_ids")
    if given is not None:
        return ids(where, row, "word_ids")
    if not asked.whole_words:
        return np.arange(len(original))
    if asked.continues is None:
        raise ValueError(f"{where}: word_ids is missing, expected the number of each "
                         "token's word to check whole words: add it, or pass a "
                         "tokenizer, whose ## pieces continue a word")
    after = np.ones_like(fixed)
    after[1:] = fixed[:-1]
    return np.cumsum(~asked.continues[original] | after)


def sentences(where: str, row) -> dict:
    """Return what a row says about its sentences, None for what it leaves out."""
    label, follows = row.get("next_sentence_label"), row.get("is_next")
    documents = row.get("documents")
    if label is not None and (not is_whole_number(label) or label not in (0, 1)):
        raise ValueError(f"{where}: next_sentence_label is {clipped(label)}, expected "
                         "0 (B follows A) or 1 (B is random): correct it")
    if follows is not None and not isinstance(follows, (bool, np.bool_)):
        raise ValueError(f"{where}: is_next is {clipped(follows)}, expected true or "
                         "false, whether B really follows A: correct it")
    if documents is not None and not (
            isinstance(documents, (list, tuple, np.ndarray)) and len(documents) == 2
            and all(isinstance(x, str) or is_whole_number(x) for x in documents)):
        raise ValueError(f"{where}: documents is {clipped(documents)}, expected two "
                         "numbers or names, of the documents of A and B: correct it")
    return {"next": None if label is None else int(label),
            "follows": None if follows is None else bool(follows),
            "documents": None if documents is None else tuple(map(str, documents))}


def clipped(value) -> str:
    """Return a value as a short text for an error."""
    try:
        text = json_text(value)
    except TypeError:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
