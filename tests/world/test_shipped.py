"""The shipped models: what they can do, how they are made, and what the card says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numbert
from numbert import pipeline
from numbert.checkpoints import FINE_TUNED, FOLDER, PRETRAINED, example_checkpoint
from numbert.pipelines import TASKS
from numbert.system import checkpoint
from numbert.world import card, scores, steps
from numbert.tokenization import BertTokenizer
from numbert.world import HELD_OUT, TRAIN, files

EVERY = (PRETRAINED, *FINE_TUNED)


@pytest.fixture(scope="module", name="metrics")
def fixture_metrics():
    return json.loads((FOLDER / "metrics.json").read_text(encoding="utf-8"))


# -------------------------------------------------------------------- what ships

# No model ships that knows what follows from a text.
@pytest.mark.parametrize("task", sorted({*TASKS} - {"zero-shot-classification"}))
def test_every_pipeline_has_a_default(task):
    folder = example_checkpoint(task)
    assert (folder / "model.safetensors").is_file()
    made = pipeline(task)
    assert made.model.dtype == np.float32
    assert made.tokenizer.model_max_length == 128


def test_no_default_for_an_unknown_task():
    with pytest.raises(ValueError, match="'translation'.*pass model="):
        example_checkpoint("translation")
    with pytest.raises(ValueError, match="'zero-shot-classification'.*pass model="):
        pipeline("zero-shot-classification")
    with pytest.raises(ValueError, match="expected one with a checkpoint"):
        example_checkpoint("..")


def test_all_files_together_are_small():
    size = sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file())
    assert size < 10e6


@pytest.mark.parametrize("name", EVERY)
def test_models_are_stored_in_half_precision_and_finite(name):
    kinds = set()
    for stored in checkpoint.inventory(FOLDER / name).values():
        kinds.add(stored.dtype)
    assert kinds == {"F16"}
    cls = getattr(numbert, numbert.BertConfig.from_pretrained(
        FOLDER / name).architectures[0])
    model = cls.from_pretrained(FOLDER / name)
    assert all(np.isfinite(x).all() for x in model.params.values())


def test_fill_mask():
    fill = pipeline("fill-mask")
    assert fill("Paris is the [MASK] of France.")[0]["token_str"] == "capital"
    assert fill("The capital of Japan is [MASK].")[0]["token_str"] == "tokyo"


def test_text_classification():
    classify = pipeline("text-classification")
    labels = [classify(text)[0]["label"] for text in (
        "I love this film.", "The food was terrible.", "The soup was not good.")]
    assert labels == ["POSITIVE", "NEGATIVE", "NEGATIVE"]


def test_token_classification():
    find = pipeline("token-classification", aggregation_strategy="first")
    text = "My name is Clara and I work at Norvik in Hamburg."
    assert [(row["entity_group"], text[row["start"]:row["end"]])
            for row in find(text)] == [("PER", "Clara"), ("ORG", "Norvik"),
                                       ("LOC", "Hamburg")]


def test_question_answering():
    answer = pipeline("question-answering")
    both = "Anna lives in Oslo. Tom lives in Rome."
    for context, name, city in (("Anna lives in Oslo. She has a cat.", "Anna", "Oslo"),
                                ("Tom has a dog. Tom lives in Rome.", "Tom", "Rome"),
                                (both, "Anna", "Oslo"), (both, "Tom", "Rome")):
        assert answer(question=f"Where does {name} live?",
                      context=context)["answer"] == city


def test_multiple_choice():
    choose = pipeline("multiple-choice")
    found = choose({"prompt": "Which animal says meow?",
                    "choices": ["dog", "cat", "cow", "owl"]})
    assert found[0]["choice"] == "cat"


def test_next_sentence():
    judge = pipeline("next-sentence")
    first = "The capital of Spain is Madrid."
    follows, random = (judge({"text": first, "text_pair": second})["is_next"]
                       for second in ("People in Spain speak Spanish.",
                                      "If you add two and three, you get five."))
    assert follows > 0.5 > random


def test_text_generation_ends_by_itself():
    write = pipeline("text-generation")
    text = write("After Monday comes", do_sample=False)[0]["generated_text"]
    assert text.lower().startswith("after monday comes") and "tuesday" in text.lower()
    assert len(text.split()) < 100


@pytest.mark.parametrize("name", EVERY)
def test_the_models_are_the_same_in_transformers(name):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    kind = numbert.BertConfig.from_pretrained(FOLDER / name).architectures[0]
    theirs = getattr(transformers, kind).from_pretrained(FOLDER / name,
                                                         dtype=torch.float64).eval()
    ours = getattr(numbert, kind).from_pretrained(FOLDER / name, dtype="float64")
    ids = np.array([[2, 40, 50, 60, 3]])
    ids = ids[:, None] if kind == "BertForMultipleChoice" else ids
    with torch.no_grad():
        want = theirs(torch.from_numpy(ids))[0].numpy()
    assert np.abs(ours(ids)[0] - want).max() < 1e-9


# --------------------------------------------------------------------- the scores

def test_scores_are_far_above_the_baselines(metrics):
    found = metrics["pretraining"]
    assert found["masked_accuracy"] >= 3 * found["masked_unigram"]
    assert found["next_sentence_accuracy"] >= 0.9
    assert found["masked_pieces"] > 3000 and found["pairs"] > 1000
    for task, name in (("facts", "accuracy"), ("text-classification", "accuracy"),
                       ("token-classification", "f1"), ("multiple-choice", "accuracy"),
                       ("question-answering", "exact_match")):
        best = max(metrics[task]["majority"], metrics[task].get("unigram", 0))
        assert metrics[task][name] > best + 0.05, task
    assert metrics["question-answering"]["two_persons"] > 0.8


def test_the_card_shows_the_measured_scores(metrics):
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert card.table(metrics) in text
    assert card.probes(metrics["probes"]) in text


def test_the_card_is_what_the_command_would_write(metrics):
    """Its template and metrics.json make the card: nobody edits it by hand."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert card.text(metrics, FOLDER, seed=0, scale=1.0) == text


def test_scores_can_be_measured_again(metrics, tmp_path):
    """On fewer and other held-out examples: within 5 standard deviations."""
    files.write_all(tmp_path, seed=1, scale=0.1)
    found = scores.pretraining(FOLDER / PRETRAINED, tmp_path)
    for name, count in (("masked_accuracy", "masked_pieces"),
                        ("next_sentence_accuracy", "pairs")):
        p = metrics["pretraining"][name]
        assert abs(found[name] - p) < 5 * np.sqrt(p * (1 - p) / found[count]) + 0.01
    tuned = scores.tuned("token-classification", FOLDER / "token-classification",
                         tmp_path)
    assert tuned["f1"] > metrics["token-classification"]["f1"] - 0.05


# ------------------------------------------------------------------- how it is made

def test_the_vocabulary_has_every_word_and_spells_the_others():
    tokenizer = BertTokenizer.from_pretrained(str(FOLDER / PRETRAINED))
    assert [tokenizer.convert_ids_to_tokens(i) for i in range(5)] == [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for word in ("paris", "capital", "meow", "thirteen", "wonderful", "restaurant"):
        assert tokenizer.tokenize(word) == [word]
    pieces = tokenizer.tokenize("Wolfgang jumps quixotically")
    assert "[UNK]" not in pieces and len(pieces) > 6


def test_beginnings_end_and_hide_the_cut(tmp_path):
    tokenizer = BertTokenizer.from_pretrained(str(FOLDER / PRETRAINED))
    file = tmp_path / "text.txt"
    file.write_text("A cow eats grass.\nCows say moo.\n\nA cat says meow.\n")
    for example in steps.beginnings(file, tokenizer, seed=0):
        ids, labels = example["input_ids"], example["labels"]
        seps = np.flatnonzero(ids == tokenizer.sep_token_id)
        assert ids[0] == tokenizer.cls_token_id and len(seps) == 2
        assert seps[1] == len(ids) - 1
        assert np.flatnonzero(labels == -100).tolist() == [seps[0]]
        assert (labels == ids).sum() == len(ids) - 1


def command(folder, *more):
    """Run the whole training, far too short to learn anything."""
    return subprocess.run(
        [sys.executable, "-m", "numbert.shipped", "--out", str(folder), "--scale",
         "0.002", *more], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(numbert.__file__).parents[1])})


@pytest.fixture(scope="module", name="trained")
def fixture_trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, command(folder)


def test_the_command_makes_everything_that_ships(trained):
    folder, found = trained
    made, ships = ({str(file.relative_to(root)) for file in root.rglob("*")
                    if file.suffix in (".json", ".safetensors", ".md")}
                   for root in (folder / "models", FOLDER))
    assert made == ships
    assert "differs from shipped" in found.stdout      # this is another training
    assert files.path(folder / "data", "corpus", TRAIN).is_file()
    assert files.path(folder / "data", "corpus", HELD_OUT).is_file()


def test_a_step_gives_the_same_bits_again_and_steps_done_are_kept(trained):
    folder, _ = trained
    weights = folder / "models" / PRETRAINED / "model.safetensors"
    task = folder / "text-classification" / "model.safetensors"
    before, kept = weights.read_bytes(), task.stat().st_mtime_ns
    for name in (PRETRAINED, "scores"):
        (folder / f"{name}.done").unlink()
    for file in (folder / PRETRAINED).iterdir():
        file.unlink()
    found = command(folder)
    assert weights.read_bytes() == before
    assert "text-classification ..." not in found.stdout
    assert task.stat().st_mtime_ns == kept
