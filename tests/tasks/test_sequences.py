"""From text to text: ROUGE against enumeration, files, inputs, and whole small runs."""

import json
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import tiny
from hypothesis import given, strategies as st

import numbert
from numbert.tasks import TASKS, Settings
from numbert.tasks.finetuning import evaluate, finetune
from numbert.tasks.metrics import rouge_l, rouge_n

TASK, NAME = TASKS["seq2seq"], "seq2seq"
TOKENIZER = tiny.tokenizer()
WORDS = st.lists(st.sampled_from("abc"), max_size=6)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


# ------------------------------------------------------------------------- ROUGE

def test_rouge_l_of_the_paper():
    """Lin 2004, section 3.1: S1 is the reference, beta is 1."""
    reference = "police killed the gunman"
    assert rouge_l("police kill the gunman", reference) == (0.75, 0.75, 0.75)
    assert rouge_l("the gunman kill police", reference) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("prediction, reference, one, two", [
    ("The cat, the CAT!", "the cat", 2 / 3, 0.5),       # 2 of 4 and 2; 1 of 3 and 1
    ("the cat", "the cat", 1, 1), ("", "the cat", 0, 0), ("a", "a", 1, 0),
    ("a_b c-d", "a b c d", 1, 1), ("Straße", "straße", 1, 0), ("", "", 0, 0)])
def test_rouge_n(prediction, reference, one, two):
    for n, want in (1, one), (2, two):
        assert rouge_n(prediction, reference, n).f1 == pytest.approx(want)


def parts(words, n):
    """All sequences of n words that stand in this order."""
    return set(combinations(words, n))


@given(WORDS, WORDS)
def test_rouge_is_what_enumeration_finds(a, b):
    longest = max(n for n in range(7) if n == 0 or parts(a, n) & parts(b, n))
    precision, recall, f1 = rouge_l(" ".join(a), " ".join(b))
    assert precision == (longest / len(a) if a else 0)
    assert recall == (longest / len(b) if b else 0)
    assert f1 == pytest.approx(2 * longest / (len(a) + len(b)) if a or b else 0)
    for n in (1, 2, 3):
        runs = [Counter("".join(x[i:i + n]) for i in range(len(x) - n + 1))
                for x in (a, b)]
        shared = sum(min(count, runs[1][run]) for run, count in runs[0].items())
        size = sum(runs[0].values()) + sum(runs[1].values())
        found = rouge_n(" ".join(a), " ".join(b), n)
        assert found.f1 == pytest.approx(2 * shared / size if size else 0)


# ----------------------------------------------------------------- files and inputs

@pytest.mark.parametrize("name, content, message", [
    ("d.tsv", "", "d.tsv holds no examples"),
    ("d.tsv", "a\tb\tc\n", "line 1: the number of columns is 3, expected 2 .text, "),
    ("d.tsv", "a\tb\n\tb\n", "line 2: the text is empty, expected both"),
    ("d.tsv", "a\t\n", "line 1: the target is empty"),
    ("d.jsonl", '{"text": "a", "label": "b"}', "target is missing .there is text, la"),
    ("d.jsonl", '{"text": "a", "target": 3}', "target is 3, expected a string"),
])
def test_a_bad_file_is_named_with_its_line(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        TASK.read(tiny.write(tmp_path, name, content))


def test_texts_to_inputs(tmp_path):
    """The decoder is given [CLS], so that the labels are what comes after it."""
    file = tiny.write(tmp_path, "t.jsonl", "".join(json.dumps(
        {"text": text, "target": target}) + "\n" for text, target in [
            ("the cat is in the house", "red cat"), ("a dog", "a big red dog is bad"),
            ("the sun is in", "the big sun is")]))
    config = numbert.EncoderDecoderConfig.from_encoder_decoder_configs(
        tiny.config(), tiny.config())
    data = TASK.encode(TASK.read(file), TOKENIZER, config,
                       Settings(max_length=6, max_target_length=6))
    assert data.cut == 2                        # the third fills both exactly
    tokens = [TOKENIZER.convert_ids_to_tokens(row["labels"].tolist())
              for row in data.inputs]
    assert tokens == ["red cat [SEP]".split(), "a big red dog [SEP]".split(),
                      "the big sun is [SEP]".split()]
    batch = TASK.collate(TOKENIZER, Settings())(data.inputs[:2], None)
    assert batch["input_ids"].shape == (2, 6) and batch["labels"].shape == (2, 5)
    assert batch["labels"][0, 3:].tolist() == [-100, -100]
    assert batch["attention_mask"].sum(1).tolist() == [6, 4]
    for length in (2, 33):
        with pytest.raises(ValueError, match=f"max_target_length is {length}, expect"):
            TASK.encode(data.examples, TOKENIZER, config,
                        Settings(max_target_length=length))


# -------------------------------------------------------------------- whole small runs

LINES = ("the cat is red\tred cat\na dog is big\tbig dog\nthe moon is blue\t"
         "blue moon\nthe sun is small\tsmall sun\n")


def test_it_learns_to_write_more_than_one_word(base, tmp_path):
    """Four sentences, word for word, from a BERT; then the result is trained on."""
    file, out = tiny.write(tmp_path, "t.tsv", LINES), tmp_path / "out"
    finetune(NAME, file, file, base, out, epochs=80, lr=0.02, batch_size=4,
             dropout=False, progress=False)
    scores, examples, predictions = evaluate(out, file)
    assert predictions == [example.target for example in examples]
    assert scores == {"rouge1": 1, "rouge2": 1, "rougeL": 1}
    model = numbert.EncoderDecoderModel.from_pretrained(out)
    tokens = TOKENIZER.convert_ids_to_tokens([
        model.config.decoder_start_token_id, model.config.eos_token_id,
        model.config.pad_token_id])
    assert tokens == ["[CLS]", "[SEP]", "[PAD]"]
    again = finetune(NAME, file, file, out, tmp_path / "next", epochs=1, lr=0.0,
                     warmup=0, eval_batch_size=1)
    assert again.best == scores


def test_batches_and_padding_change_no_prediction(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", LINES + "the cat is in the house\tcat\n")
    finetune(NAME, file, None, base, tmp_path / "out", epochs=1, lr=0.05, warmup=0)
    alone, together = (evaluate(tmp_path / "out", file, batch_size=size)[2]
                       for size in (1, 32))
    assert alone == together and len(alone) == 5


def test_an_interrupted_run_ends_with_the_same_bits(base, tmp_path, monkeypatch):
    file = tiny.write(tmp_path, "t.tsv", LINES)
    options = dict(epochs=3, batch_size=2, checkpoint_every=1, lr=0.01)
    finetune(NAME, file, file, base, tmp_path / "whole", **options)
    calls = []

    def stopping(tokenizer, settings):
        def collate(examples, rng):
            calls.append(1)
            if len(calls) == 7:
                raise RuntimeError("the machine stops")
            return TASK.collate(tokenizer, settings)(examples, rng)
        return collate

    with monkeypatch.context() as patch:
        patch.setitem(TASKS, NAME, TASK._replace(collate=stopping))
        with pytest.raises(RuntimeError, match="the machine stops"):
            finetune(NAME, file, file, base, tmp_path / "parts", **options)
    finetune(NAME, file, file, base, tmp_path / "parts", **options)
    for name in ("model.safetensors", "config.json", "training.json"):
        assert (tmp_path / "parts" / name).read_bytes() == \
            (tmp_path / "whole" / name).read_bytes()


def test_the_first_loss_is_that_of_hugging_face(base, tmp_path):
    """With our labels, on the weights that the run starts from."""
    torch, transformers = map(pytest.importorskip, ("torch", "transformers"))
    file = tiny.write(tmp_path, "t.tsv", LINES)
    start = TASK.load(base, TOKENIZER, "float64", 5)
    start.save_pretrained(tmp_path / "start")
    TOKENIZER.save_pretrained(str(tmp_path / "start"))
    result = finetune(NAME, file, None, base, tmp_path / "out", steps=1, epochs=None,
                      batch_size=4, accumulate=2, warmup=0, log_every=1, seed=5,
                      dropout=False, dtype="float64")
    theirs = transformers.EncoderDecoderModel.from_pretrained(
        tmp_path / "start", dtype=torch.float64).eval()
    examples = TASK.read(file)
    sources = TOKENIZER([x.text for x in examples], padding=True, return_tensors="np")
    targets = TOKENIZER([x.target for x in examples], padding=True)["input_ids"]
    labels = np.array(targets)[:, 1:]
    labels[labels == TOKENIZER.pad_token_id] = -100
    out = theirs(**{name: torch.tensor(x) for name, x in sources.items()},
                 labels=torch.tensor(labels))
    assert result.history[0]["loss"] == pytest.approx(out.loss.item(), rel=1e-6)


@pytest.mark.parametrize("options, message", [
    ({"labels": ["a", "b"]}, "labels are given for seq2seq, expected none"),
    ({"label_smoothing": 0.1}, "the task is seq2seq, expected text-classification"),
    ({"teacher": "{base}"}, "the teacher is .*, expected none for seq2seq"),
])
def test_what_does_not_go_with_it(base, tmp_path, options, message):
    file = tiny.write(tmp_path, "t.tsv", LINES)
    options = {name: base if value == "{base}" else value
               for name, value in options.items()}
    with pytest.raises(ValueError, match=message):
        finetune(NAME, file, None, base, tmp_path / "out", **options)


def test_a_bert_alone_is_not_evaluated(base, tmp_path):
    with pytest.raises(ValueError, match="has model_type 'bert', expected 'encoder-de"):
        evaluate(base, tiny.write(tmp_path, "t.tsv", LINES), task=NAME)
