"""The files that are mutated, and how each of them is loaded."""

import hashlib
import json
import pickle
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import numbert
import tiny
from numbert.pipelines.sentence_files import sentence_settings
from numbert.pipelines.sentences import embed
from numbert.tasks import TASKS
from numbert.tasks.finetuning import evaluate
from numbert.training import state
from training_cases import examples, fresh

TEXTS = ["the red cat, [MASK] h\u00e9 ran", "", "dogs"]
JSONL = {
    "text-classification": [{"text": text, "label": label}
                            for text, label in tiny.TEXTS],
    "multi-label-classification": [{"text": "red cat", "labels": ["red", "cat"]}],
    "regression": [{"text": "the cat", "text_pair": "a dog", "label": 1.5}],
    "token-classification": [{"tokens": ["the", "cat"], "labels": ["O", "B-X"]}],
    "question-answering": [{"question": "who?", "context": "the cat", "answers": {
        "text": ["cat"], "answer_start": [4]}}],
    "multiple-choice": [{"context": "a", "choices": ["b", "c"], "label": 1}],
    "masked-lm": [{"text": "the red cat runs."}],
    "seq2seq": [{"text": "the cat runs.", "target": "cat"}],
}
SUFFIXES = {"token-classification": ".conll", "question-answering": ".json",
            "masked-lm": ".txt"}


def digest(value):
    """Two values with equal digests are equal."""
    if isinstance(value, dict):
        value = {str(name): digest(x) for name, x in value.items()}
    elif isinstance(value, np.ndarray):
        value = (str(value.dtype), value.shape, value.tobytes())
    elif isinstance(value, (list, tuple)):
        value = [digest(x) for x in value]
    return hashlib.sha256(pickle.dumps(value)).hexdigest()


def load_model(folder):
    return numbert.BertForSequenceClassification.from_pretrained(folder).params


def load_config(folder):
    return numbert.BertConfig.from_pretrained(folder).to_dict()


def load_generation(folder):
    model = numbert.BertLMHeadModel.from_pretrained(folder, is_decoder=True)
    return vars(model.generation_config)


def load_tokenizer(folder):
    tokenizer = numbert.BertTokenizer.from_pretrained(folder)
    ids = tokenizer(TEXTS, padding=True, truncation=True, max_length=8)
    return [dict(ids), [tokenizer.decode(row) for row in ids["input_ids"]]]


def load_sentences(folder):
    settings = sentence_settings(folder)
    model = numbert.BertModel.from_pretrained(folder)
    return embed(model, numbert.BertTokenizer.from_pretrained(folder), ["the cat"],
                 **settings)


def load_record(folder):
    found, _, predictions = evaluate(folder, folder / "dev.tsv", progress=False)
    return [found, predictions]


def load_state(folder):
    saved = state.read_header(folder / state.FILE)[0]
    found = state.load_state(folder, fresh().params, json.loads(SETTINGS or saved)[
        "settings"])
    return [found[0], vars(found[1])["optimizer"]] if found else None


SETTINGS = ""                      # the header of the state as it was before mutations


def reader(task):
    def load(folder):
        path, = folder.glob(f"{task}.*")
        return list(TASKS[task].read(path))
    return load


def jsonl_reader(task):
    def load(folder):
        return list(TASKS[task].read(folder / f"{task}-lines.jsonl"))
    return load


def shards(folder):
    """Save the model again, in shards with an index."""
    model = numbert.BertForSequenceClassification.from_pretrained(folder)
    model.save_pretrained(folder / "shards", max_shard_size=2000)


def make(folder):
    """Write the files; return {name of a file: how to load its folder}."""
    global SETTINGS
    from numbert.tasks.finetuning import finetune
    warnings.simplefilter("ignore")
    base = tiny.checkpoint(folder / "base")
    train = tiny.write(folder, "train.tsv", tiny.FILES["text-classification"])
    model = folder / "model"
    finetune("text-classification", train, None, base, model, epochs=1, progress=False)
    tiny.write(model, "dev.tsv", tiny.FILES["text-classification"])
    shards(model)
    (model / "1_Pooling").mkdir()
    (model / "2_LayerNorm").mkdir()
    save_file({"norm.weight": np.ones(12, "float32"),
               "norm.bias": np.zeros(12, "float32")},
              model / "2_LayerNorm" / "model.safetensors")
    for name, value in {
            "generation_config.json": {"max_new_tokens": 3, "num_beams": 2,
                                       "eos_token_id": [3, 4], "do_sample": False},
            "modules.json": [{"idx": 0, "name": "0", "path": "", "type":
                              "sentence_transformers.models.Transformer"},
                             {"idx": 1, "name": "1", "path": "1_Pooling", "type":
                              "sentence_transformers.models.Pooling"},
                             {"idx": 2, "name": "2", "path": "2_LayerNorm", "type":
                              "sentence_transformers.models.LayerNorm"}],
            "2_LayerNorm/config.json": {"dimension": 12},
            "config_sentence_transformers.json": {
                "prompts": {"query": "the cat"}, "default_prompt_name": "query",
                "truncate_dim": 7},
            "1_Pooling/config.json": {"word_embedding_dimension": 12,
                                      "pooling_mode_cls_token": False,
                                      "pooling_mode_mean_tokens": True},
            "sentence_bert_config.json": {"max_seq_length": 16,
                                          "do_lower_case": False}}.items():
        tiny.write(model, name, json.dumps(value))
    old = folder / "old"                        # the files of an older tokenizer
    old.mkdir()
    tiny.write(old, "vocab.txt", "\n".join(tiny.PIECES) + "\n")
    tiny.write(old, "special_tokens_map.json", json.dumps({
        "unk_token": "[UNK]", "mask_token": {"content": "[MASK]", "lstrip": True,
                                             "rstrip": False, "normalized": False,
                                             "single_word": False}}))
    tiny.write(old, "added_tokens.json", json.dumps({"<new>": len(tiny.PIECES)}))
    tiny.write(old, "tokenizer_config.json", json.dumps({
        "do_lower_case": True, "tokenizer_class": "BertTokenizer"}))
    interrupted = folder / "interrupted"
    stop_after_a_checkpoint(interrupted)
    SETTINGS = state.read_header(interrupted / state.FILE)[0]
    data = folder / "data"
    data.mkdir()
    targets = {
        "model/config.json": load_model, "shards/config.json": load_config,
        "model/model.safetensors": load_model,
        "shards/model.safetensors.index.json": load_model,
        "model/generation_config.json": load_generation,
        "model/tokenizer.json": load_tokenizer,
        "model/tokenizer_config.json": load_tokenizer,
        "old/vocab.txt": load_tokenizer, "old/special_tokens_map.json": load_tokenizer,
        "old/added_tokens.json": load_tokenizer,
        "old/tokenizer_config.json": load_tokenizer,
        "model/modules.json": load_sentences,
        "model/1_Pooling/config.json": load_sentences,
        "model/2_LayerNorm/config.json": load_sentences,
        "model/2_LayerNorm/model.safetensors": load_sentences,
        "model/config_sentence_transformers.json": load_sentences,
        "model/sentence_bert_config.json": load_sentences,
        "model/training.json": load_record,
        f"interrupted/{state.FILE}": load_state}
    (model / "shards").rename(folder / "shards")
    for task, text in tiny.FILES.items():
        name = task + SUFFIXES.get(task, ".tsv")
        tiny.write(data, name, text)
        targets[f"data/{name}"] = reader(task)
        tiny.write(data, f"{task}-lines.jsonl",
                   "\n".join(json.dumps(row) for row in JSONL[task]))
        targets[f"data/{task}-lines.jsonl"] = jsonl_reader(task)
    return targets


def stop_after_a_checkpoint(folder):
    """Leave the state of an unfinished run."""
    from numbert.training.loop import train

    class Stop(Exception):
        pass

    def evaluate_then_stop(model):
        if (folder / state.FILE).exists():
            raise Stop
        return {"loss": 1.0}
    try:
        train(fresh(), examples(), epochs=3, batch_size=8, lr=0.01, seed=3,
              checkpoint_dir=folder, checkpoint_every=2, evaluate=evaluate_then_stop,
              eval_every=2, progress=False)
    except Stop:
        pass


def folder_of(root, name):
    """The folder that a target loads: the first part of its name."""
    return Path(root) / name.split("/")[0]
