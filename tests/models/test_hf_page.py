"""The examples of Hugging Face's BERT page, with `transformers` replaced by `numbert`.

Small seeded models stand in for the hub's, NumPy for torch's functions.  Each example
is also run through transformers, where it is installed, and must give the same numbers.
"""

import numpy as np
import pytest

import numbert
from common import assert_near, config, stress

TEXTS = """plants create [MASK] through a process known as photosynthesis . the
capital of france is paris hello , my dog is cute hugging ##face company based in and
new york who was jim henson ? a nice puppet in italy pizza served formal settings such
at restaurant presented un ##sliced it eaten with fork knife while held the hand sky
blue due to shorter wave ##length of light""".split()
VOCABULARY = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *TEXTS]))
PLANTS = "Plants create [MASK] through a process known as photosynthesis."
PROMPT = ("In Italy, pizza served in formal settings, such as at a restaurant, is "
          "presented unsliced.")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A directory that stands in for google-bert/bert-base-uncased."""
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    numbert.BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    model = numbert.BertForPreTraining(config(
        vocab_size=len(VOCABULARY), max_position_embeddings=64), dtype="float64")
    model.params = stress(model.params)
    model.save_pretrained(folder)
    return folder


def load(name, checkpoint, **options):
    """numbert's class of this name, in float64; heads that start fresh may."""
    with pytest.warns(UserWarning):
        return getattr(numbert, name).from_pretrained(checkpoint, dtype="float64",
                                                      **options)


def same_in_hugging_face(model, inputs, outputs):
    """Hugging Face gives these outputs for these inputs on the same weights."""
    pytest.importorskip("transformers")
    from common import to_torch, twin
    # HF: an LM head's loss is computed in float32, and ours is not.
    want = twin(model)(**to_torch({k: np.asarray(v) for k, v in inputs.items()}))
    for name, value in outputs.items():
        if name not in ("cache", "loss"):
            assert_near(value, want[name].detach().numpy(), 1e-12, name)
        elif name == "loss":
            assert_near(value, want[name].detach().numpy(), 1e-6, name)


def test_fill_mask_pipeline(checkpoint):
    fill = numbert.pipeline(task="fill-mask", model=str(checkpoint))
    answers = fill(PLANTS)
    assert len(answers) == 5
    assert set(answers[0]) == {"score", "token", "token_str", "sequence"}
    assert answers[0]["score"] >= answers[-1]["score"] > 0


def test_auto_classes_predict_a_masked_token(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("AutoModelForMaskedLM", checkpoint)
    inputs = tokenizer(PLANTS, return_tensors="np")
    predictions = model(**inputs).logits
    masked_index = np.where(inputs["input_ids"] == tokenizer.mask_token_id)[1]
    predicted_token_id = predictions[0, masked_index].argmax(axis=-1)
    assert masked_index.tolist() == [3]
    assert tokenizer.decode(predicted_token_id) in " ".join(VOCABULARY)
    same_in_hugging_face(model, inputs, {"logits": predictions})


def test_configuration():
    configuration = numbert.BertConfig(num_hidden_layers=1, vocab_size=50)
    model = numbert.BertModel(configuration)
    assert model.config is configuration and model.config.hidden_size == 768


def test_model(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("BertModel", checkpoint)
    inputs = tokenizer("Hello, my dog is cute", return_tensors="np")
    outputs = model(**inputs)
    last_hidden_states = outputs.last_hidden_state
    assert last_hidden_states.shape == (1, 8, 12)
    same_in_hugging_face(model, inputs, outputs)


def test_pretraining(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = numbert.BertForPreTraining.from_pretrained(checkpoint, dtype="float64")
    inputs = tokenizer("Hello, my dog is cute", return_tensors="np")
    outputs = model(**inputs)
    assert outputs.prediction_logits.shape == (1, 8, len(VOCABULARY))
    assert outputs.seq_relationship_logits.shape == (1, 2)
    same_in_hugging_face(model, inputs, outputs)


def test_causal_language_model(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("BertLMHeadModel", checkpoint, is_decoder=True)
    inputs = tokenizer("Hello, my dog is cute", return_tensors="np")
    outputs = model(**inputs, labels=inputs["input_ids"])
    assert outputs.loss.shape == () and outputs.logits.shape == (1, 8, len(VOCABULARY))
    same_in_hugging_face(model, {**inputs, "labels": inputs["input_ids"]}, outputs)
    assert model.generate(inputs["input_ids"], max_new_tokens=3).shape == (1, 11)


def test_masked_language_model(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("BertForMaskedLM", checkpoint)
    inputs = tokenizer("The capital of France is [MASK].", return_tensors="np")
    logits = model(**inputs).logits
    where = (inputs.input_ids == tokenizer.mask_token_id)[0].nonzero()[0]
    assert isinstance(tokenizer.decode(logits[0, where].argmax(axis=-1)), str)
    labels = tokenizer("The capital of France is Paris.",
                       return_tensors="np")["input_ids"]
    labels = np.where(inputs.input_ids == tokenizer.mask_token_id, labels, -100)
    outputs = model(**inputs, labels=labels)
    assert outputs.loss > 0
    same_in_hugging_face(model, {**inputs, "labels": labels}, outputs)


def test_next_sentence_prediction(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("BertForNextSentencePrediction", checkpoint)
    following = "The sky is blue due to the shorter wavelength of blue light."
    encoding = tokenizer(PROMPT, following, return_tensors="np")
    outputs = model(**encoding, labels=np.array([1]))
    assert outputs.logits.shape == (1, 2)
    same_in_hugging_face(model, {**encoding, "labels": np.array([1])}, outputs)


@pytest.mark.parametrize("several", [False, True])
def test_sequence_classification(checkpoint, several):
    problem = {"problem_type": "multi_label_classification"} if several else {}
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("BertForSequenceClassification", checkpoint, **problem)
    inputs = tokenizer("Hello, my dog is cute", return_tensors="np")
    logits = model(**inputs).logits
    predicted = int(logits.argmax())
    assert model.config.id2label[predicted] == f"LABEL_{predicted}"
    num_labels = len(model.config.id2label)
    model = load("BertForSequenceClassification", checkpoint, num_labels=num_labels,
                 **problem)
    labels = np.eye(num_labels)[[predicted]] if several else np.array([1])
    outputs = model(**inputs, labels=labels)
    assert outputs.loss > 0
    same_in_hugging_face(model, {**inputs, "labels": labels}, outputs)


def test_multiple_choice(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("BertForMultipleChoice", checkpoint)
    choices = ["It is eaten with a fork and a knife.",
               "It is eaten while held in the hand."]
    encoding = tokenizer([PROMPT, PROMPT], choices, return_tensors="np", padding=True)
    inputs = {**{k: v[None] for k, v in encoding.items()}, "labels": np.array([0])}
    outputs = model(**inputs)
    assert outputs.logits.shape == (1, 2) and outputs.loss > 0
    same_in_hugging_face(model, inputs, outputs)


def test_token_classification(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("BertForTokenClassification", checkpoint)
    inputs = tokenizer("HuggingFace is a company based in Paris and New York",
                       add_special_tokens=False, return_tensors="np")
    logits = model(**inputs).logits
    classes = logits.argmax(-1)
    assert {model.config.id2label[int(t)] for t in classes[0]} <= {"LABEL_0", "LABEL_1"}
    outputs = model(**inputs, labels=classes)
    assert outputs.loss > 0
    same_in_hugging_face(model, {**inputs, "labels": classes}, outputs)


def test_question_answering(checkpoint):
    tokenizer = numbert.AutoTokenizer.from_pretrained(checkpoint)
    model = load("BertForQuestionAnswering", checkpoint)
    question, text = "Who was Jim Henson?", "Jim Henson was a nice puppet"
    inputs = tokenizer(question, text, return_tensors="np")
    outputs = model(**inputs)
    start, end = int(outputs.start_logits.argmax()), int(outputs.end_logits.argmax())
    answer = inputs.input_ids[0, start:end + 1]
    assert isinstance(tokenizer.decode(answer, skip_special_tokens=True), str)
    target = {"start_positions": np.array([11]), "end_positions": np.array([12])}
    outputs = model(**inputs, **target)
    assert outputs.loss > 0
    same_in_hugging_face(model, {**inputs, **target}, outputs)
