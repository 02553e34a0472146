"""A small checkpoint, texts for it, and the command as a process."""

import json
import signal
import subprocess
import sys

import numbert
from common import config, stressed
from numbert.cli.common import load_backbone

WORDS = "a man is eating plate of pasta some one has meal the rain falls".split()
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s", "##ing"]
TEXTS = ["a man is eating", "some one has a meal", "rain", "",
         "the rain falls of pasta", "unheard words", "a man is"]


def saved(path):
    """A small checkpoint of a whole model, head included, with its tokenizer."""
    cfg = config(vocab_size=len(VOCAB), max_position_embeddings=9)
    stressed(numbert.BertForMaskedLM, cfg, "float32").save_pretrained(path)
    numbert.BertTokenizer({token: i for i, token in enumerate(VOCAB)},
                          model_max_length=9).save_pretrained(path)
    return path


def loaded(folder):
    """The model in float64, and the tokenizer."""
    model = load_backbone(str(folder), "float64")
    return model, numbert.BertTokenizer.from_pretrained(folder)


def sentence_files(path, pooling, longest=5):
    """The files of a sentence-transformers checkpoint that ends in Normalize."""
    (path / "1_Pooling").mkdir(parents=True, exist_ok=True)
    (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (path / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": longest}))
    (path / "modules.json").write_text(json.dumps([
        {"idx": i, "name": str(i), "path": folder, "type":
         f"sentence_transformers.models.{folder[2:] or 'Transformer'}"}
        for i, folder in enumerate(("", "1_Pooling", "2_Normalize"))]))


def without(package, *args):
    """The command, run to its end in a process in which a package is not installed."""
    code = (f"import sys; sys.modules[{package!r}] = None\n"
            "from numbert.cli import main; sys.exit(main())")
    return subprocess.run([sys.executable, "-c", code, *map(str, args)],
                          capture_output=True, text=True)


def start(*args, **options):
    """The command as a process, which listens to SIGINT even if this one ignores it.

    A shell starts its background jobs with SIGINT ignored, and children inherit that.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "numbert", *map(str, args)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)
