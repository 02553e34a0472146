"""Small checkpoints and calls on which pipelines are compared with Hugging Face's.

The same for the live comparison and for the values in tests/golden/pipelines.json.
"""

import string

import numbert
from common import stressed
from numbert.pipelines import pipeline, task_class
from numbert.tokenization import BertTokenizer

WORDS = """paris berlin france the is a of and in to was lives works capital city river
anna smith bob lee my name she he where who what does live work good bad film very
un ##aff ##able ##ing ##s ##ed visit walk sea mill ##er john ##son""".split()
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC")


def vocabulary():
    """{piece: id}: words, letters, digits and punctuation, first and inside words."""
    letters = string.ascii_lowercase + string.digits
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *letters,
              *("##" + c for c in letters), *string.punctuation,
              "\u1112\u1161\u11ab"]     # a Korean syllable as it is taken apart
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def tokenizer(**options):
    """The tokenizer of all these checkpoints."""
    return BertTokenizer(vocabulary(), model_max_length=40, **options)


def model(cls, **changes):
    """A small model with stress weights, float32."""
    settings = dict(vocab_size=len(vocabulary()), hidden_size=12, num_hidden_layers=2,
                    num_attention_heads=3, intermediate_size=19,
                    max_position_embeddings=40, type_vocab_size=2)
    return stressed(cls, numbert.BertConfig(**{**settings, **changes}), "float32", 7)


def saved(folder, name):
    """Write the checkpoint `name` of MODELS into a folder, with its tokenizer."""
    cls, changes = MODELS[name]
    model(cls, **changes).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)


def pipe(task, name=None, **options):
    """A pipeline on a model object, with the configuration of `name` in MODELS."""
    kind = task_class(task).model_class
    changes = MODELS[name][1] if name else {}
    return pipeline(task, model(kind, **changes), tokenizer(), **options)


MODELS = {
    "words": (numbert.BertForMaskedLM, {}),
    "three": (numbert.BertForSequenceClassification,
              {"id2label": {0: "bad", 1: "good", 2: "so so"}}),
    "tags": (numbert.BertForSequenceClassification,
             {"num_labels": 3, "problem_type": "multi_label_classification"}),
    "stars": (numbert.BertForSequenceClassification,
              {"num_labels": 1, "problem_type": "regression"}),
    "single": (numbert.BertForSequenceClassification, {"num_labels": 1}),
    "names": (numbert.BertForTokenClassification,
              {"id2label": dict(enumerate(LABELS))}),
    "plain names": (numbert.BertForTokenClassification, {"num_labels": 3}),
    "states": (numbert.BertModel, {}),
    "writer": (numbert.BertLMHeadModel, {"is_decoder": True}),
    "nli": (numbert.BertForSequenceClassification, {
        "id2label": {0: "contradiction", 1: "neutral", 2: "entailment"}}),
    "two": (numbert.BertForSequenceClassification,
            {"id2label": {0: "ENTAILMENT", 1: "not"}}),
    "answers": (numbert.BertForQuestionAnswering, {}),
}

TEXT = "Anna Smith lives in Paris."
LONG = ("Anna Johnson lives in Paris, the capital of France. Bob Lee is unaffable; "
        "he walked to the sea and visits the miller. My name is Zoë and the river was "
        "good.")
TWO = ["Bob works.", TEXT + " Café naïve unaffable 北京 xyzzy!"]
PAIR = {"text": "A good film", "text_pair": "Very bad."}
ASK = {"question": "Where does Anna live?", "context": TEXT}
ASK_LONG = {"question": "Who is unaffable?", "context": LONG}

# task -> (model, inputs, options of the pipeline, options of the call)
CASES = {
    "fill-mask": [
        ("words", "Paris is the [MASK] of France.", {}, {}),
        ("words", ["Paris is [MASK]."], {}, {"top_k": 2}),
        ("words", ["Paris is [MASK].", "[MASK] [MASK] lives"], {"top_k": 3}, {}),
        ("words", "[PAD] a [MASK] [MASK]", {}, {"top_k": 1}),
        ("words", "a [MASK] film", {}, {"targets": ["good", "bad", "unaffable"]}),
        ("words", "a [MASK] film", {"targets": "good"}, {}),
        ("words", "[MASK] " + LONG + LONG, {},
         {"tokenizer_kwargs": {"truncation": True}, "top_k": 1}),
    ],
    "text-classification": [
        (name, inputs, {}, call)
        for name in ("three", "tags", "stars", "single")
        for inputs, call in ((TEXT, {}), (TWO, {}), (TEXT, {"top_k": None}),
                             (TWO, {"top_k": 2}), ([TEXT], {"top_k": 1}), (PAIR, {}),
                             ([PAIR, PAIR], {"top_k": None}), ("", {}))
    ] + [
        ("three", TEXT, {"top_k": None}, {}),
        ("three", TEXT, {"function_to_apply": "sigmoid"}, {"top_k": 3}),
        ("three", TEXT, {}, {"function_to_apply": "none", "top_k": 3}),
        ("tags", TWO, {}, {"function_to_apply": "softmax", "top_k": 3}),
        ("three", LONG + LONG, {}, {"truncation": True}),
        ("three", LONG, {}, {"truncation": True, "max_length": 12}),
    ],
    "token-classification": [
        (name, inputs, {}, {"aggregation_strategy": strategy, **call})
        for name in ("names", "plain names")
        for strategy in ("none", "simple", "first", "average", "max")
        for inputs, call in ((TEXT, {}), (TWO, {"ignore_labels": []}), ([TEXT], {}),
                             (LONG, {"ignore_labels": ["B-PER", "LOC"]}))
    ] + [
        ("names", "", {}, {}),
        ("names", "Bob e\u0301te\u0301 \ud55c Zu\u0308rich", {"ignore_labels": []},
         {"aggregation_strategy": "max"}),
        ("names", LONG + LONG, {"ignore_labels": []}, {}),
        ("names", TEXT.split(), {"ignore_labels": []},
         {"is_split_into_words": True}),
        ("names", [TEXT.split(), ["unaffable", "Bob"]], {"ignore_labels": []},
         {"is_split_into_words": True, "delimiter": "--",
          "aggregation_strategy": "max"}),
    ] + [
        ("names", [LONG + LONG, TEXT], {"aggregation_strategy": strategy, "stride": 8,
                                        "ignore_labels": []}, {})
        for strategy in ("simple", "first", "average", "max")
    ],
    "feature-extraction": [
        ("states", "Bob works.", {}, {}),
        ("states", ["Bob works.", "Bob"], {}, {}),
        ("states", LONG + LONG, {"truncation": True}, {}),
        ("states", LONG, {},
         {"tokenize_kwargs": {"truncation": True, "max_length": 5}}),
    ],
    "text-generation": [
        ("writer", inputs, {"do_sample": False}, call)
        for inputs, call in (
            (TEXT, {"max_new_tokens": 5}),
            (["Bob works.", "Paris"], {"max_new_tokens": 6, "return_full_text": False}),
            (TEXT, {"max_new_tokens": 4, "return_tensors": True}),
            (TEXT, {"max_new_tokens": 4, "num_beams": 3, "num_return_sequences": 2}),
            (TEXT, {"max_new_tokens": 4, "add_special_tokens": False,
                    "prefix": "In the city "}))
    ],
    "zero-shot-classification": [
        (name, inputs, {"candidate_labels": ["Paris", "film", "sea"]}, call)
        for name in ("nli", "two")
        for inputs in (TEXT, TWO, [TEXT], LONG + LONG)
        for call in ({}, {"multi_label": True},
                     {"candidate_labels": " bad film, river"},
                     {"candidate_labels": ["city"], "hypothesis_template": "a {} ."})
    ] + [("nli", LONG, {}, {"candidate_labels": ["sea", "bad", "sea"]})],
    "question-answering": [
        ("answers", inputs, {}, call)
        for inputs in (ASK, [ASK], [ASK, {"question": "Who?", "context": "Bob Lee"}])
        for call in ({}, {"top_k": 3}, {"align_to_words": False, "top_k": 4},
                     {"max_answer_len": 1, "top_k": 2},
                     {"handle_impossible_answer": True, "top_k": 3})
    ] + [
        ("answers", ASK_LONG, {}, {"max_seq_len": length, "doc_stride": stride, **call})
        for length, stride in ((20, 4), (30, 15), (40, None))
        for call in ({}, {"top_k": 5}, {"handle_impossible_answer": True, "top_k": 2},
                     {"handle_impossible_answer": True, "top_k": 40},
                     {"align_to_words": False, "top_k": 3, "max_answer_len": 4})
    ],
}
