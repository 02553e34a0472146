"""The Rust library tokenizers as a program that answers the vectors.

It imports neither numbert nor transformers.
"""

import json
import sys
import tempfile

from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLEAN = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"),
         (" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"),
         (" 're", "'re"))                # of the Python around it


def normalizer(lowercase=True, strip_accents=None, chinese_chars=True):
    return normalizers.BertNormalizer(
        clean_text=True, lowercase=lowercase, strip_accents=strip_accents,
        handle_chinese_chars=chinese_chars)


def make(settings):
    vocab = {piece: i for i, piece in enumerate(settings["vocab"])}
    tokenizer = Tokenizer(WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer(*(settings[name] for name in (
        "lowercase", "strip_accents", "chinese_chars") if name in settings))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(name, vocab[name]) for name in ("[CLS]", "[SEP]")])
    tokenizer.add_special_tokens(list(SPECIAL))
    for token in settings["added_tokens"]:
        flags = {"normalized": not token.get("special"), **token}
        added = AddedToken(flags.pop("content"), **flags)
        (tokenizer.add_special_tokens if flags.get("special") else
         tokenizer.add_tokens)([added])
    tokenizer.encode_special_tokens = settings.get("split_special_tokens", False)
    return tokenizer


def encode(given, settings):
    row = make(settings).encode(given["text"], given["pair"] or None,
                                add_special_tokens=settings["add_special_tokens"])
    return {"tokens": row.tokens, "input_ids": row.ids, "token_type_ids": row.type_ids,
            "attention_mask": row.attention_mask, "offsets": row.offsets,
            "special_tokens_mask": row.special_tokens_mask, "word_ids": row.word_ids,
            "sequence_ids": row.sequence_ids}


def encode_batch(given, settings):
    tokenizer, most = make(settings), settings["max_length"]
    step, strategy = settings["pad_to_multiple_of"], settings["truncation"]
    if strategy and settings["padding"] != "do_not_pad" and step and most % step:
        raise ValueError("max_length is no multiple")
    if strategy and most is not None:
        tokenizer.enable_truncation(most, stride=settings["stride"], strategy=strategy,
                                    direction=settings["truncation_side"])
    if settings["padding"] != "do_not_pad":
        tokenizer.enable_padding(
            direction=settings["padding_side"], pad_to_multiple_of=step,
            length=most if settings["padding"] == "max_length" else None)
    samples = [a if b is None else (a, b) for a, b in given["samples"]]
    rows = tokenizer.encode_batch(samples,
                                  add_special_tokens=settings["add_special_tokens"])
    windows = [(i, window) for i, row in enumerate(rows) for window in [
        row, *(row.overflowing if settings["overflow"] else [])]]
    return {"sample": [i for i, _ in windows],
            "input_ids": [row.ids for _, row in windows],
            "token_type_ids": [row.type_ids for _, row in windows],
            "attention_mask": [row.attention_mask for _, row in windows]}


def decode(given, settings):
    text = make(settings).decode(given["ids"], settings["skip_special_tokens"])
    for old, new in CLEAN if settings["clean_up"] else ():
        text = text.replace(old, new)
    return text


def read_vocabulary(given, settings):
    with tempfile.NamedTemporaryFile() as file:
        file.write(given["file"].encode())
        file.flush()
        vocab = WordPiece.read_file(file.name)
    return sorted(vocab.items(), key=lambda entry: entry[1])


def pre_tokenize(given, settings):
    text = normalizer(**settings).normalize_str(given["text"])
    splitter = pre_tokenizers.BertPreTokenizer()
    return [word for word, _ in splitter.pre_tokenize_str(text)]


OPERATIONS = {
    "clean": lambda given, settings: normalizer(False, False, False).normalize_str(
        given["text"]),
    "normalize": lambda given, settings: [
        word for word in normalizer(**settings).normalize_str(given["text"]).split(" ")
        if word],
    "pre_tokenize": pre_tokenize,
    "wordpiece": lambda given, settings: [token.value for token in WordPiece(
        {piece: i for i, piece in enumerate(settings["vocab"])},
        unk_token="[UNK]").tokenize(given["word"])],
    "read_vocabulary": read_vocabulary, "encode": encode, "decode": decode,
    "encode_batch": encode_batch}
for line in sys.stdin:
    asked = json.loads(line)
    operation = OPERATIONS.get(asked["operation"])
    try:
        said = {"skip": True} if operation is None else {
            "output": operation(asked["input"], asked["settings"])}
    except BaseException as error:                     # a panic is no Exception
        said = {"error": str(error)}
    print(json.dumps({"id": asked["id"], **said}), flush=True)
