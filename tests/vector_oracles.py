"""What each dialect answers to the operations of the vectors, without numbert.

hf-fast: the Rust library tokenizers, and BertTokenizer of transformers around it.
hf-legacy: the Python code in transformers, BertTokenizerLegacy and its stages.
google: google_tokenizer.py.  What all dialects share: slow_masks.py.

An oracle is a function of (input, settings, vocab); vocab maps pieces to ids.  It
returns the output, or None where the dialect has no such operation or setting.
"""

import functools
import os
import tempfile
from pathlib import Path

import google_tokenizer as google

NEEDED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Refused(Exception):
    """The implementation raised an error."""


# -------------------------------------------------------------- hf-fast: the stages

def normalizer(settings):
    from tokenizers.normalizers import BertNormalizer
    return BertNormalizer(clean_text=True, lowercase=settings["lowercase"],
                          handle_chinese_chars=settings["chinese_chars"],
                          strip_accents=settings["strip_accents"])


def fast_clean(given, settings, vocab):
    only = {"lowercase": False, "chinese_chars": False, "strip_accents": False}
    return normalizer(only).normalize_str(given["text"])


def fast_normalize(given, settings, vocab):
    return normalizer(settings).normalize_str(given["text"]).split(" ")


def fast_pre_tokenize(given, settings, vocab):
    from tokenizers.pre_tokenizers import BertPreTokenizer
    text = normalizer(settings).normalize_str(given["text"])
    return [word for word, _ in BertPreTokenizer().pre_tokenize_str(text)]


def fast_wordpiece(given, settings, vocab):
    from tokenizers.models import WordPiece
    model = WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100)
    return [token.value for token in model.tokenize(given["word"])]


# ------------------------------------------------------- the tokenizers of transformers

def as_vocabulary_file(vocab, folder):
    path = Path(folder, "vocab.txt")
    path.write_bytes("".join(f"{token}\n" for token in vocab).encode())
    return str(path)


def options(settings):
    return {"do_lower_case": settings.get("lowercase", True),
            "strip_accents": settings.get("strip_accents"),
            "tokenize_chinese_chars": settings.get("chinese_chars", True)}


@functools.cache
def quiet():
    """transformers, without its log."""
    os.environ["RUST_BACKTRACE"] = "0"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers
    transformers.logging.set_verbosity(100)
    return transformers


def fast(settings, vocab):
    transformers = quiet()
    tokenizer = transformers.BertTokenizer(dict(vocab), **options(settings))
    return with_added(tokenizer, settings)


def legacy(settings, vocab):
    transformers = quiet()
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy
    assert transformers and list(vocab.values()) == list(range(len(vocab)))
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = BertTokenizerLegacy(as_vocabulary_file(vocab, folder),
                                        **options(settings))
    return with_added(tokenizer, settings)


def with_added(tokenizer, settings):
    make = quiet().AddedToken
    for token in settings.get("added_tokens", ()):
        flags = {name: value for name, value in token.items() if name != "content"}
        tokenizer.add_tokens([make(token["content"], **flags)],
                             special_tokens=flags.get("special", False))
    return tokenizer


def encode(make, given, settings, vocab):
    """One text or pair, as one row."""
    tokenizer = make(settings, vocab)
    more = {"return_offsets_mapping": True} if tokenizer.is_fast else {}
    row = tokenizer(given["text"], given["pair"], return_token_type_ids=True,
                    return_special_tokens_mask=True, verbose=False,
                    add_special_tokens=settings["add_special_tokens"],
                    split_special_tokens=settings["split_special_tokens"], **more)
    out = {"tokens": tokenizer.convert_ids_to_tokens(row["input_ids"])}
    for name in ("input_ids", "token_type_ids", "attention_mask",
                 "special_tokens_mask"):
        out[name] = row[name]
    if tokenizer.is_fast:
        out["tokens"] = row.tokens()
        out["offsets"] = [list(span) for span in row["offset_mapping"]]
        out["word_ids"], out["sequence_ids"] = row.word_ids(), row.sequence_ids()
    return out


def encode_batch(make, given, settings, vocab):
    """Samples (a or a pair), cut and padded, as rows."""
    tokenizer = make(settings, vocab)
    tokenizer.truncation_side = settings["truncation_side"]
    tokenizer.padding_side = settings["padding_side"]
    samples = [a if b is None else (a, b) for a, b in given["samples"]]
    named = {name: settings[name] for name in (
        "add_special_tokens", "truncation", "max_length", "stride", "padding",
        "pad_to_multiple_of")}
    named["return_overflowing_tokens"] = settings["overflow"]
    if not tokenizer.is_fast and settings["overflow"]:
        if len(samples) != 1 or settings["padding"] != "do_not_pad":
            return None
        row = tokenizer(given["samples"][0][0], given["samples"][0][1],
                        return_token_type_ids=True, verbose=False, **named)
        out = {name: [row[name]] for name in ("input_ids", "token_type_ids",
                                              "attention_mask")}
        return {**out, "overflowing": row.get("overflowing_tokens", [])}
    batch = tokenizer(samples, return_token_type_ids=True, verbose=False, **named)
    out = {name: batch[name] for name in ("input_ids", "token_type_ids",
                                          "attention_mask")}
    if settings["overflow"]:
        out["sample"] = batch["overflow_to_sample_mapping"]
    return out


def decode(make, given, settings, vocab):
    return make(settings, vocab).decode(
        given["ids"], skip_special_tokens=settings["skip_special_tokens"],
        clean_up_tokenization_spaces=settings["clean_up"])


def read_vocabulary(make, given, settings, vocab):
    """[[piece, id], ...] of a file's text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vocab.txt")
        path.write_bytes(given["file"].encode())
        return sorted(map(list, make(str(path)).get_vocab().items()),
                      key=lambda entry: entry[1])


def legacy_class(path):
    quiet()
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy
    return BertTokenizerLegacy(path)


FAST = {"clean": fast_clean, "normalize": fast_normalize,
        "pre_tokenize": fast_pre_tokenize, "wordpiece": fast_wordpiece,
        "encode": functools.partial(encode, fast),
        "encode_batch": functools.partial(encode_batch, fast),
        "decode": functools.partial(decode, fast),
        "read_vocabulary": functools.partial(
            read_vocabulary, lambda path: quiet().BertTokenizer(path))}


# ---------------------------------------------------------------- hf-legacy: the stages

def basic(settings, **more):
    quiet()
    from transformers.models.bert.tokenization_bert_legacy import BasicTokenizer
    return BasicTokenizer(**options(settings), **more)


def legacy_wordpiece(given, settings, vocab):
    quiet()
    from transformers.models.bert.tokenization_bert_legacy import WordpieceTokenizer
    return WordpieceTokenizer(vocab, "[UNK]").tokenize(given["word"])


LEGACY = {"clean": lambda given, settings, vocab:
          basic({})._clean_text(given["text"]),
          "normalize": lambda given, settings, vocab:
          basic(settings, do_split_on_punc=False).tokenize(given["text"]),
          "pre_tokenize": lambda given, settings, vocab:
          basic(settings).tokenize(given["text"]),
          "wordpiece": legacy_wordpiece,
          "encode": functools.partial(encode, legacy),
          "encode_batch": functools.partial(encode_batch, legacy),
          "decode": functools.partial(decode, legacy),
          "read_vocabulary": functools.partial(read_vocabulary, legacy_class)}


# ------------------------------------------------------------------------------ google

def original(settings):
    """Whether google-research/bert has these settings."""
    return settings.get("chinese_chars", True) and not settings.get("added_tokens") \
        and settings.get("strip_accents") in (None, settings.get("lowercase", True)) \
        and settings.get("add_special_tokens", True) \
        and not settings.get("split_special_tokens")


def google_encode(given, settings, vocab):
    if not original(settings):
        return None
    texts = [None if text is None else google.tokenize(text, vocab,
                                                       settings["lowercase"])
             for text in (given["text"], given["pair"])]
    tokens, types = google.row(*texts, vocab)
    return {"tokens": tokens, "input_ids": [vocab[token] for token in tokens],
            "token_type_ids": types, "attention_mask": [1] * len(tokens)}


def google_batch(given, settings, vocab):
    """run_classifier.py: cut to max_length, and filled up to it on the right."""
    wanted = {"truncation": "longest_first", "truncation_side": "right", "stride": 0,
              "padding": "max_length", "padding_side": "right", "overflow": False,
              "pad_to_multiple_of": None}
    most = settings["max_length"]
    if not original(settings) or any(settings[k] != v for k, v in wanted.items()) \
            or most < 3:
        return None
    out = {"input_ids": [], "token_type_ids": [], "attention_mask": []}
    for sample in given["samples"]:
        tokens, types = google.row(*[None if text is None else google.tokenize(
            text, vocab, settings["lowercase"]) for text in sample], vocab, most)
        rest = [0] * (most - len(tokens))
        out["input_ids"].append([vocab[token] for token in tokens] + rest)
        out["token_type_ids"].append(types + rest)
        out["attention_mask"].append([1] * len(tokens) + rest)
    return out


GOOGLE = {"clean": lambda given, settings, vocab: google.clean(given["text"]),
          "normalize": lambda given, settings, vocab: google.normalize(
              given["text"], settings["lowercase"]) if original(settings) else None,
          "pre_tokenize": lambda given, settings, vocab: google.pre_tokenize(
              given["text"], settings["lowercase"]) if original(settings) else None,
          "wordpiece": lambda given, settings, vocab: google.wordpiece(
              given["word"], vocab),
          "encode": google_encode, "encode_batch": google_batch}
DIALECTS = {"google": GOOGLE, "hf-legacy": LEGACY, "hf-fast": FAST}


def answer(dialect, operation, given, settings, vocab):
    """The output of a dialect, None where it has no such operation, or Refused."""
    oracle = DIALECTS[dialect].get(operation)
    if oracle is None:
        return None
    try:
        out = oracle(given, settings, vocab)
    except BaseException as error:           # a Rust panic is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit, ImportError)):
            raise
        raise Refused(f"{type(error).__name__}: {error}") from error
    return [word for word in out if word] if operation == "normalize" and out else out
