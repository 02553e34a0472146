"""Tasks: from plain files to inputs, and from outputs to predictions and metrics."""

import json
import math

import numpy as np
import pytest
import tiny
from hypothesis import given, settings, strategies as st

from numbert.tasks import TASKS, Settings, questions, words
from numbert.tasks.common import class_names

TOKENIZER, PLAIN = tiny.tokenizer(), Settings()


def read(task, tmp_path, content, name="train.tsv"):
    return TASKS[task].read(tiny.write(tmp_path, name, content))


def labelled(*names):
    return tiny.config(id2label=dict(enumerate(names)),
                       label2id={name: i for i, name in enumerate(names)})


def tokens_of(row):
    return TOKENIZER.convert_ids_to_tokens(row["input_ids"].tolist())


# ------------------------------------------------------------------------- files

TEXT, TOKEN, QA = "text-classification", "token-classification", "question-answering"
MULTI, NUMBER, CHOICE = "multi-label-classification", "regression", "multiple-choice"
ANSWER = '{"question": "q", "context": "a cat", "answers": '

BAD_FILES = [
    (TEXT, "d.tsv", "", "d.tsv holds no examples"),
    (TEXT, "d.tsv", "\n \n", "d.tsv holds no examples"),
    (TEXT, "d.tsv", "sentence\tlabel\n", "d.tsv holds no examples"),
    (TEXT, "d.jsonl", "", "d.jsonl holds no examples"),
    (TEXT, "d.tsv", "a cat\t1\nno label\n",
     "d.tsv, line 2: the number of columns is 1, expected 2"),
    (TEXT, "d.tsv", "a cat\n", "line 1: the number of columns is 1, expected 2"),
    (TEXT, "d.tsv", "a\tb\tc\td\n", "line 1: the number of columns is 4, expected 2"),
    (TEXT, "d.tsv", "a cat\t1\na dog\t\n", "line 2: the label is empty"),
    (TEXT, "d.tsv", b"a cat\t1\n\xe9t\xe9\t0\n", "line 2: byte 0 is 0xe9, expected U"),
    (TEXT, "d.jsonl", '{"text": "a", "label": "x"}\n{"text": ',
     "line 2 is broken JSON"),
    (TEXT, "d.jsonl", '["a", "x"]\n', "line 1 holds a list, expected a JSON object"),
    (TEXT, "d.jsonl", '{"text": "a"}\n', "label is missing .there is text."),
    (TEXT, "d.jsonl", '{"text": "a", "label": ""}\n', "line 1: the label is empty"),
    (TEXT, "d.jsonl", '{"text": "a", "label": [1]}', "label is .1., expected a str"),
    (TEXT, "d.jsonl", '{"text": "a", "label": true}', "label is true, expected a"),
    (TEXT, "d.jsonl", '{"text": 5, "label": "x"}', "text is 5, expected a string"),
    (TEXT, "d.jsonl", '{"text": "\\ud800", "label": "x"}', "half a surrogate pair"),
    (TEXT, "d.jsonl", '{"text": "a", "label": "x"}\n{"text": "a", "text_pair": "b", '
                      '"label": "x"}', "some examples are pairs"),
    (TEXT, "d.jsonl", '{"text": "a", "label": -100}', "line 1: the label is -100"),
    (TEXT, "d.jsonl", '{"text": "a", "label": null}', "line 1: label is null"),
    (TEXT, "d.jsonl", "[" * 100_000, "line 1 is broken JSON"),
    (TEXT, "d.json", '[{"text": "a", "label": "x"}]', "line 1 holds a list, expected"),
    (MULTI, "d.tsv", "a\tx,,y\n", "line 1: the labels are 'x,,y'"),
    (MULTI, "d.jsonl", '{"text": "a", "labels": "x"}', "labels is .x., expected a l"),
    (MULTI, "d.jsonl", '{"text": "a", "labels": [3]}', r"labels\[0\] is 3, expected"),
    (NUMBER, "d.tsv", "a\tten\n", "line 1: label is 'ten', expected a num"),
    (NUMBER, "d.tsv", "a\tnan\n", "line 1: label is 'nan', expected a num"),
    (NUMBER, "d.tsv", "a\t1e39\n", "label is '1e39', .* number that is finite in fl"),
    (NUMBER, "d.jsonl", '{"text": "a", "label": ' + "9" * 400 + "}",
     "label is 9.*9, expected a number"),
    (NUMBER, "d.jsonl", '{"text": "a", "label": "1"}', "label is '1', expected a n"),
    (TOKEN, "d.conll", "", "d.conll holds no examples"),
    (TOKEN, "d.conll", "a O\n\nb\n", "d.conll, line 3: 'b' has no label"),
    (TOKEN, "d.conll", "a\tO\nb\t\n", "line 2: 'b' has no label"),
    (TOKEN, "d.conll", "a N O\nb O\n", "the number of columns is 2, expected 3"),
    (TOKEN, "d.jsonl", '{"tokens": ["a"], "labels": ["O", "O"]}', "labels are 1 and 2"),
    (TOKEN, "d.jsonl", '{"tokens": [], "labels": []}', "labels are 0 and 0, exp"),
    (QA, "d.json", "{}", "expected a JSON file of SQuAD"),
    (QA, "d.json", "not json", "expected a JSON file of SQuAD"),
    (QA, "d.json", '{"data": [{"paragraphs": [{"qas": [1]}]}]}', "file of SQuAD"),
    (QA, "d.jsonl", '{"question": "q", "context": "c"}', "line 1: answers is missing"),
    (QA, "d.jsonl", ANSWER + '{"text": ["cat"], "answer_start": [3]}}',
     "the context has 'at' at character 3, expected the answer 'cat'"),
    (QA, "d.jsonl", ANSWER + '{"text": ["a"], "answer_start": [-5]}}', "character -5"),
    (QA, "d.jsonl", ANSWER + '{"text": [" "], "answer_start": [1]}}', "expected the"),
    (QA, "d.jsonl", ANSWER + '{"text": ["a", "b"], "answer_start": [0]}}',
     "answer_start has 1 entries, expected 2"),
    (CHOICE, "d.tsv", "a\tb\tc\tx\n", "line 1: label is 'x', expected the num"),
    (CHOICE, "d.tsv", "a\tb\tc\t" + "1" * 5000 + "\n", "label is '1*, expected the"),
    (CHOICE, "d.tsv", "a\tb\tc\t2\n", "line 1: label is 2, expected .* 0 to 1"),
    (CHOICE, "d.tsv", "a\tb\t0\n", "the number of choices is 1, expected at least 2"),
    (CHOICE, "d.jsonl", '{"context": "a", "choices": ["b", "c"], "label": 1}\n'
     '{"context": "a", "choices": ["b", "c", "d"], "label": 1}',
     "line 2: the number of choices is 3"),
    (CHOICE, "d.jsonl", '{"context": "a", "choices": ["b", "c"]}', "label is null"),
    ("masked-lm", "d.txt", " \n", "d.txt holds no examples"),
]


@pytest.mark.parametrize("task, name, content, message", BAD_FILES)
def test_a_bad_file_is_named_with_its_line(tmp_path, task, name, content, message):
    with pytest.raises(ValueError, match=message):
        read(task, tmp_path, content, name)


def test_what_files_may_look_like(tmp_path):
    found = read(TEXT, tmp_path, b'\xef\xbb\xbfa "cat"\t1\r\n\nthe dog\t0\n')
    assert [x[1:] for x in found] == [('a "cat"', None, "1"), ("the dog", None, "0")]
    assert found[1].where.endswith("train.tsv, line 3")
    found = read(TEXT, tmp_path, "sentence1\tsentence2\tlabel\na\tb\tyes\n")
    assert [x[1:] for x in found] == [("a", "b", "yes")]
    found = read(TEXT, tmp_path, '{"text": "a", "text_pair": "b", "label": 3}\n\n',
                 "t.jsonl")
    assert [x[1:] for x in found] == [("a", "b", "3")]
    found = read(MULTI, tmp_path, "a\tx, y\nb\t\n")
    assert [x.label for x in found] == [["x", "y"], []]
    found = read(TOKEN, tmp_path, "-DOCSTART- -X- O\n\na DT O\ncat NN B-X\n\n\nb NN O",
                 "t.conll")
    assert [x[1:] for x in found] == [(["a", "cat"], ["O", "B-X"]), (["b"], ["O"])]
    assert found[1].where.endswith("line 7")
    found = read(TOKEN, tmp_path, "a b\tO\n \t \n c \t B-X \n", "t.conll")
    assert [x[1:] for x in found] == [(["a b"], ["O"]), (["c"], ["B-X"])]
    found = read("masked-lm", tmp_path, '{"text": "a cat"}\n', "t.json")
    assert [x.text for x in found] == ["a cat"]
    found = read(QA, tmp_path, ANSWER + '{"text": [" cat"], "answer_start": [1]}}',
                 "t.jsonl")
    assert found[0].answers == [(2, "cat")]                   # white space is no answer
    found = read(QA, tmp_path, tiny.FILES[QA], "t.json")
    assert [x.answers for x in found] == [[(18, "the house")], [(29, "the blue dog")]]
    assert found[0].where.endswith("question q1")
    found = read(CHOICE, tmp_path, "a\tb\tc\td\t2\n")
    assert found[0][1:] == ("a", ["b", "c", "d"], 2)


# ------------------------------------------------------------------------ labels

def test_labels_are_sorted():
    assert class_names(["b", "a", "B", "b"]) == ["B", "a", "b"]
    assert class_names(["10", "9", "2", "9"]) == ["2", "9", "10"]
    assert class_names(["10", "9", "x"]) == ["10", "9", "x"]
    for labels in (["a", "a"], []):
        with pytest.raises(ValueError, match="nothing to learn"):
            class_names(labels)
    assert class_names(["a", "a"], least=1) == ["a"]       # some texts may not have it
    with pytest.raises(ValueError, match="nothing to learn"):
        class_names([], least=1)


@pytest.mark.parametrize("task, short, long", [
    (TEXT, "the cat\tx\n", "the cat is in the house\tx\n"),
    (TEXT, "a\tcat is in\tx\n", "a\tcat is in the house\ty\n"),
    (TOKEN, "the O\ncat O\n\n", "a O\ncat O\nis O\nin O\nthe O\nhouse O\n\n"),
    (CHOICE, "the\tcat\tdog\t0\n", "the\tcat\tdog is in the house\t0\n"),
    (QA, ANSWER + '{"text": ["cat"], "answer_start": [2]}}\n',
     ANSWER.replace("a cat", "a cat is in the big house")
     + '{"text": ["cat"], "answer_start": [2]}}\n'),
    ("masked-lm", "the cat\n", "the cat is in the big house\n"),
])
def test_examples_that_lose_their_end_are_counted(tmp_path, task, short, long):
    """Not those that fill the input exactly, and none that become windows."""
    name = "t.jsonl" if task == QA else "t"
    examples = read(task, tmp_path, short * 2 + long + short + long, name)
    data = TASKS[task].encode(examples, TOKENIZER, labelled("x", "y", "O"),
                              Settings(max_length=7, doc_stride=0))
    full = sum(row["input_ids"].shape[-1] == 7 for row in data.inputs)
    assert full >= 2 and data.cut == (0 if task in (QA, "masked-lm") else 2)
    data = TASKS[task].encode(examples, TOKENIZER, labelled("x", "y", "O"), PLAIN)
    assert data.cut == 0


def test_a_label_that_training_never_saw(tmp_path):
    examples = read(TEXT, tmp_path, "a\tx\nb\tz\n", "dev.tsv")
    with pytest.raises(ValueError, match="dev.tsv, line 2: label is 'z', expected "
                                         "one of the model's, x, y: correct"):
        TASKS[TEXT].encode(examples, TOKENIZER, labelled("x", "y"), PLAIN)
    examples = read(TOKEN, tmp_path, "a O\n\nb O\ncat B-Z\n", "dev.conll")
    with pytest.raises(ValueError, match=r"line 3, word 2 \('cat'\): label is 'B-Z'"):
        TASKS[TOKEN].encode(examples, TOKENIZER, labelled("O", "B-X"), PLAIN)
    examples = read(MULTI, tmp_path, "a\tx\nb\tx,z\n", "dev.tsv")
    with pytest.raises(ValueError, match="line 2: label is 'z'"):
        TASKS[MULTI].encode(examples, TOKENIZER, labelled("x", "y"), PLAIN)


# ----------------------------------------------------------------- to inputs

def test_texts_to_inputs(tmp_path):
    data = TASKS[TEXT].encode(read(TEXT, tmp_path, "the cat\tdog\ty\na\tb\tx\n"),
                              TOKENIZER, labelled("x", "y"), PLAIN)
    assert tokens_of(data.inputs[0]) == "[CLS] the cat [SEP] dog [SEP]".split()
    assert data.inputs[0]["token_type_ids"].tolist() == [0, 0, 0, 0, 1, 1]
    assert [x["labels"] for x in data.inputs] == [1, 0]
    data = TASKS[MULTI].encode(read(MULTI, tmp_path, "a\tx,y\nb\t\n"), TOKENIZER,
                               labelled("x", "y"), PLAIN)
    assert [x["labels"].tolist() for x in data.inputs] == [[1, 1], [0, 0]]
    data = TASKS[TEXT].encode(read(TEXT, tmp_path, "a a a a a\tx\n"), TOKENIZER,
                              labelled("x", "y"), Settings(max_length=4))
    assert tokens_of(data.inputs[0]) == "[CLS] a a [SEP]".split()
    for length in (2, 33):
        with pytest.raises(ValueError, match=f"max_length is {length}, expected 3 to"):
            TASKS[TEXT].encode(data.examples, TOKENIZER, labelled("x", "y"),
                               Settings(max_length=length))


WORDS = "dogs O\n\u200d O\nredy B-X\nthe I-X\nsuns B-Y\nmoon O\n"


@pytest.mark.parametrize("label_all, expected", [
    (False, [-100, 0, -100, 1, -100, 2, 3, -100, -100]),
    (True,  [-100, 0, 0, 1, 2, 2, 3, 3, -100])])           # ##y is I-X; there is no I-Y
def test_words_to_inputs(tmp_path, label_all, expected):
    """moon is cut off, and one word consists of a character that is dropped."""
    config = labelled("O", "B-X", "I-X", "B-Y")
    data = TASKS[TOKEN].encode(read(TOKEN, tmp_path, WORDS, "t.conll"), TOKENIZER,
                               config, Settings(max_length=9, label_all=label_all))
    assert " ".join(tokens_of(data.inputs[0])) == \
        "[CLS] dog ##s red ##y the sun ##s [SEP]"
    assert data.inputs[0]["labels"].tolist() == expected
    assert data.places[0].tolist() == [1, -1, 3, 5, 6, -1]


class Said:
    """A model whose outputs are given."""

    def __init__(self, config, **outputs):
        self.config, self.outputs, self.calls = config, outputs, 0

    def __call__(self, input_ids, **others):
        rows, self.calls = slice(self.calls, self.calls + len(input_ids)), \
            self.calls + len(input_ids)
        return {name: np.array(x[rows]) for name, x in self.outputs.items()}


def test_words_without_pieces_are_wrong_unless_O(tmp_path):
    config = labelled("B-X", "B-Y", "I-X", "O")
    data = TASKS[TOKEN].encode(read(TOKEN, tmp_path, WORDS, "t.conll"), TOKENIZER,
                               config, Settings(max_length=7))
    logits = np.zeros((1, 7, 4))
    logits[0, [1, 3, 5], [3, 0, 2]] = 5                # dog: O, red: B-X, the: I-X
    found, = words.predict(Said(config, logits=logits), data, TOKENIZER, PLAIN)
    assert found.value == ["O", "O", "B-X", "I-X", "O", "O"]
    sure = pytest.approx(math.exp(5) / (math.exp(5) + 3))       # one 5 among three 0s
    assert found.score == [sure, None, sure, sure, None, None]
    score = words.score(data.examples, [found.value], ["B-X", "B-Y", "I-X", "O"])
    assert score["precision"] == 1 and score["recall"] == 0.5      # sun was cut off
    assert score["accuracy"] == pytest.approx(5 / 6)


def test_labels_that_are_not_bio_have_a_macro_f1():
    examples = [words.Sentence("", ["a", "b"], ["DET", "NOUN"])]
    assert words.score(examples, [["DET", "DET"]], ["DET", "NOUN"]) == {
        "f1": pytest.approx((2 / 3 + 0) / 2), "accuracy": 0.5}


def test_choices_to_inputs(tmp_path):
    data = TASKS[CHOICE].encode(read(CHOICE, tmp_path, "a\tthe cat\tdog\t1\n"),
                                TOKENIZER, tiny.config(), PLAIN)
    row = data.inputs[0]
    assert row["input_ids"].shape == (2, 6) and row["labels"] == 1
    assert row["attention_mask"].tolist() == [[1] * 6, [1] * 5 + [0]]
    assert row["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 0]]


def test_texts_for_masking_lose_nothing(tmp_path):
    data = TASKS["masked-lm"].encode(
        read("masked-lm", tmp_path, "the cat\na red dog is big\n", "t.txt"), TOKENIZER,
        tiny.config(), Settings(max_length=5))
    assert [tokens_of(row)[1:-1] for row in data.inputs] == [
        ["the", "cat"], ["a", "red", "dog"], ["is", "big"]]
    assert data.places == [0, 1, 1]
    batch = TASKS["masked-lm"].collate(TOKENIZER, Settings(mask_probability=1.0))(
        data.inputs, np.random.default_rng(0))
    assert (batch["labels"] != -100).sum() == 7


# ----------------------------------------------------------- question answering

def test_answers_to_tokens(tmp_path):
    context = "the red cat runs in the big house"
    row = {"question": "who runs", "context": context,
           "answers": {"text": ["cat runs"], "answer_start": [8]}}
    data = TASKS[QA].encode(read(QA, tmp_path, json.dumps(row), "t.jsonl"), TOKENIZER,
                            tiny.config(), Settings(max_length=10, doc_stride=2))
    shown = []
    for inputs, window in zip(data.inputs, data.places):
        tokens = tokens_of(inputs)
        shown.append((tokens[window.first:-1], tokens[
            inputs["start_positions"]:inputs["end_positions"] + 1]))
    assert shown == [
        (["the", "red", "cat", "run"], ["[CLS]"]),          # the answer ends outside
        (["cat", "run", "##s", "in"], ["cat", "run", "##s"]),
        (["##s", "in", "the", "big"], ["[CLS]"]),
        (["the", "big", "house"], ["[CLS]"])]
    with pytest.raises(ValueError, match=r"line 1: the question has 3 tokens, which "
                                         r"leaves 2 of max_length 8"):
        TASKS[QA].encode(data.examples, TOKENIZER, tiny.config(),
                         Settings(max_length=8, doc_stride=2))
    with pytest.raises(ValueError, match=r"lower doc_stride \(--doc-stride\)"):
        TASKS[QA].encode(data.examples, TOKENIZER,
                         tiny.config(max_position_embeddings=8), Settings(doc_stride=2))


def test_windows_by_default(tmp_path):
    """All positions of the model, a quarter of them shared; a short text needs none."""
    row = {"question": "who runs", "context": "the cat . " * 12 + "dog",
           "answers": {"text": [], "answer_start": []}}
    examples = read(QA, tmp_path, json.dumps(row), "t.jsonl")
    data = TASKS[QA].encode(examples, TOKENIZER, tiny.config(), Settings())
    lengths = [len(row["input_ids"]) for row in data.inputs]
    # 37 tokens; the question and the special ones take 6 of 32, the others 26; the
    # second window begins 26 - 32 // 4 = 18 after the first
    assert lengths == [32, 6 + 37 - 18]
    short = [examples[0]._replace(context="the cat")]
    for options in (Settings(doc_stride=128), Settings(max_length=8, doc_stride=5)):
        found = TASKS[QA].encode(short, TOKENIZER, tiny.config(), options)
        assert len(found.inputs) == 1


CONTEXTS = st.lists(st.sampled_from(
    "the a cat dogs redder , runny \u200d . zzz".split()),
    min_size=1, max_size=25).map(" ".join)


@given(CONTEXTS, st.data())
@settings(max_examples=120, deadline=None)
def test_an_answer_comes_back(context, data):
    """Perfect scores give the answer, or the whole tokens around it."""
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    text = context[start:end]
    if not text.strip():
        return
    pair = questions.answer("", context, text, start)
    example = questions.Question("", "who is", context, [pair])
    encoded = TASKS[QA].encode([example], TOKENIZER, tiny.config(),
                               Settings(max_length=14, doc_stride=3))
    covered, width = set(), max(len(x["input_ids"]) for x in encoded.inputs)
    scores = {"start_logits": np.zeros((len(encoded.inputs), width)),
              "end_logits": np.zeros((len(encoded.inputs), width))}
    found = []
    order = np.argsort([-len(x["input_ids"]) for x in encoded.inputs], kind="stable")
    for at, i in enumerate(order):
        inputs, window = encoded.inputs[i], encoded.places[i]
        a, z = inputs["start_positions"], inputs["end_positions"]
        covered |= {k for s, e in window.spans for k in range(s, e)}
        if a:
            assert window.first <= a <= z < window.first + len(window.spans)
            span = window.spans[a - window.first:z - window.first + 1]
            found.append((span[0][0], span[-1][1]))
            scores["start_logits"][at, a] = scores["end_logits"][at, z] = 9
        else:
            assert z == 0
            inside = [k for k in range(pair[0], pair[0] + len(pair[1]))
                      if any(s <= k < e for s, e in window.spans)]
            assert len(inside) < len(pair[1]) or not len(window.spans)
    assert covered >= {k for k, c in enumerate(context) if not c.isspace()
                       and c != "\u200d"}               # the windows show everything
    for s, e in found:                   # whole tokens around the answer, and no more
        assert s <= pair[0] and e >= pair[0] + len(pair[1])
        left, right = context[s:pair[0]], context[pair[0] + len(pair[1]):e]
        assert " " not in left.strip("\u200d ") and " " not in right.strip("\u200d ")
    if found:
        guess, = TASKS[QA].predict(Said(tiny.config(), **scores), encoded, TOKENIZER,
                                   Settings(max_answer_length=50))
        assert guess.value in {context[s:e] for s, e in found}


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 10 ** 6))
def test_best_span(n, most, seed):
    start, end = np.random.default_rng(seed).standard_normal((2, n))
    sums = {(start[i] + end[j], i, j) for i in range(n) for j in range(i, n)
            if j - i + 1 <= most}
    assert questions.best_span(start, end, most) == max(sums)


@pytest.mark.parametrize("cls, answers, expected", [
    (4.0, [], "cat"), (6.0, [], ""), (6.0, [(2, "cat")], "cat")])
def test_no_answer(cls, answers, expected):
    """It can win only over data that has unanswerable questions."""
    example = questions.Question("", "who", "a cat", answers)
    data = TASKS[QA].encode([example], TOKENIZER, tiny.config(), Settings(24, 2))
    at = tokens_of(data.inputs[0]).index("cat")
    logits = np.zeros((1, len(data.inputs[0]["input_ids"])))
    logits[0, at] = 2.5
    end = logits.copy()
    logits[0, 0] = cls
    guess = questions.predict(Said(tiny.config(), start_logits=logits, end_logits=end),
                              data, TOKENIZER, PLAIN)
    assert guess == [(expected, 5.0 if expected else cls)]     # 2.5 + 2.5, or [CLS]
    assert questions.score([example], [expected], [])["exact_match"] == (
        expected == (answers[0][1] if answers else ""))
