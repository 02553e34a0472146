"""A tiny checkpoint with its tokenizer, and files for every task, for tests."""

import json

import numbert
from numbert.tokenization import BertTokenizer

PIECES = ("[PAD] [UNK] [CLS] [SEP] [MASK] the a cat dog sun moon red blue big small "
          "##s ##y ##er run ##n bad good who where is in house , . ? u n h p").split()

TEXTS = [("the good cat", "fine"), ("a bad dog", "poor"), ("good sun", "fine"),
         ("the bad moon", "poor"), ("a good red house", "fine"), ("bad, bad", "poor"),
         ("is good", "fine"), ("a small bad dog", "poor")]

FILES = {
    "text-classification": "".join(f"{text}\t{label}\n" for text, label in TEXTS),
    "multi-label-classification":
        "red cat\tred,cat\nblue moon\t\na red sun\tred\nthe cat\tcat\n",
    "regression": "the cat\t1.5\na dog\t-2\nthe sun\t0.25\n",
    "token-classification": "the O\nbig B-X\ncat I-X\n\nsmall B-X\ndogs I-X\nrun O\n",
    "question-answering": json.dumps({"data": [{"paragraphs": [{
        "context": "the red cat is in the house, the blue dog is in the sun.", "qas": [
            {"id": "q1", "question": "where is the cat?",
             "answers": [{"text": "the house", "answer_start": 18}]},
            {"id": "q2", "question": "who is in the sun?",
             "answers": [{"text": "the blue dog", "answer_start": 29}]}]}]}]}),
    "multiple-choice": "the cat\truns\tis red\t0\na dog\tmoon\tis big\t1\n",
    "seq2seq": "the cat\tcat\na dog\tdog\n",
    "masked-lm": "the red cat runs.\na big dog\n\nthe moon is small\n",
}
SMALL = {"question-answering": ["--max-length", "24", "--doc-stride", "4"]}


def tokenizer(pieces=PIECES):
    return BertTokenizer({piece: i for i, piece in enumerate(pieces)},
                         model_max_length=32)


def config(**changes):
    return numbert.BertConfig(**{**dict(
        vocab_size=len(PIECES), hidden_size=12, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16, max_position_embeddings=32,
        initializer_range=0.2),       # far from the saddle at 0, to learn fast
        **changes})


def checkpoint(folder, rng=0, cls=numbert.BertModel, pieces=PIECES, **changes):
    """Save a model and its tokenizer; returns the folder as a str."""
    changes = {"vocab_size": len(pieces), **changes}
    cls(config(**changes), rng=rng).save_pretrained(folder)
    tokenizer(pieces).save_pretrained(str(folder))
    return str(folder)


def write(folder, name, content):
    """A file with this content, str or bytes; returns its path as a str."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return str(path)
