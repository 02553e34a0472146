"""The commands fill-mask, classify, ner, answer, choose, next-sentence, generate."""

import io
import json
import shutil

import numpy as np
import pytest

import pipeline_cases as cases
from numbert.cli import main
from numbert.pipelines import pipeline
from pipeline_cases import LONG, TEXT

MULTI = "multi_label_classification"
COMMANDS = {"fill-mask": "words", "classify": "three", "ner": "names",
            "answer": "answers", "choose": "choice", "next-sentence": "next",
            "generate": "writer"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """{command: folder} of a checkpoint made for it."""
    import numbert
    extra = {"choice": (numbert.BertForMultipleChoice, {}),
             "next": (numbert.BertForNextSentencePrediction, {})}
    cases.MODELS.update(extra)
    root = tmp_path_factory.mktemp("checkpoints")
    made = {command: cases.saved(root / name, name)
            for command, name in COMMANDS.items()}
    for name in extra:
        del cases.MODELS[name]
    return made


@pytest.fixture
def run(folders, capsys, monkeypatch):
    """A command's exit code, stdout and stderr; `stdin` is what it reads."""
    def call(command, *args, stdin="", model=None):
        stream = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        monkeypatch.setattr("sys.stdin", stream)
        code = main([command, *args, "--model", str(model or folders[command])])
        return code, *capsys.readouterr()
    return call


def answers(run, *args, **kwargs):
    """The JSON lines that a command prints."""
    code, out, err = run(*args, "--json", **kwargs)
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def test_fill_mask(run, folders):
    text = "Paris is the [MASK] of France."
    want = pipeline("fill-mask", folders["fill-mask"])(text, top_k=2)
    assert answers(run, "fill-mask", text, "--top-k", "2") == [
        {"text": text, "result": want}]
    code, out, _ = run("fill-mask", text, "--top-k", "2")
    assert code == 0
    assert out.splitlines()[0] == text
    for line, word in zip(out.splitlines()[1:], want, strict=True):
        assert line.split()[:2] == [f"{word['score']:.4f}", word["token_str"]]
        assert line.endswith(word["sequence"])
    found = answers(run, "fill-mask", text, "--targets", "good,bad")[0]["result"]
    assert {word["token_str"] for word in found} == {"good", "bad"}
    assert "mask 2" in run("fill-mask", "[MASK] [MASK]")[1]


def test_classify(run, folders):
    ask = pipeline("text-classification", folders["classify"], top_k=3)
    got = answers(run, "classify", TEXT, "Bob\tAnna", "--top-k", "3")
    pair = {"text": "Bob", "text_pair": "Anna"}
    want = ask([TEXT, pair])
    assert got == [{"text": TEXT, "result": want[0]}, {**pair, "result": want[1]}]
    code, out, _ = run("classify", TEXT, "--function", "none")
    label = ask([TEXT], function_to_apply="none")[0][0]
    assert out == f"{label['label']}  {label['score']:.4f}  {TEXT}\n"


def test_ner(run, folders):
    ask = pipeline("ner", folders["ner"], aggregation_strategy="first")
    assert answers(run, "ner", TEXT) == [{"text": TEXT, "result": ask(TEXT)}]
    everything = answers(run, "ner", TEXT, "--all", "--strategy", "none")[0]["result"]
    assert [e["word"] for e in everything] == ask.tokenizer.tokenize(TEXT)
    long = answers(run, "ner", LONG + LONG, "--all", "--stride", "4")[0]["result"]
    assert long == ask(LONG + LONG, stride=4, ignore_labels=[])
    code, out, _ = run("ner", TEXT, "--all")
    for line in out.splitlines()[1:]:
        _, _, place, source = line.split(maxsplit=3)
        start, end = map(int, place.split(":"))
        assert source == TEXT[start:end]


def test_answer(run, folders, tmp_path):
    ask = pipeline("question-answering", folders["answer"])
    want = ask(question="Who?", context=LONG, top_k=2)
    got = answers(run, "answer", "Who?", "Where?", "--context", LONG, "--top-k", "2")
    assert got[0] == {"question": "Who?", "result": want} and len(got) == 2
    (tmp_path / "context.txt").write_text(LONG, encoding="utf-8")
    (tmp_path / "questions.txt").write_text("Who?\n\nWhere?\n", encoding="utf-8")
    assert got == answers(run, "answer", "--file", str(tmp_path / "questions.txt"),
                          "--context-file", str(tmp_path / "context.txt"),
                          "--top-k", "2")
    out = run("answer", "Who?", "--context", TEXT, "--impossible", "--top-k", "50")[1]
    assert "(no answer)" in out
    for line in out.splitlines()[1:]:
        start, end = map(int, line.split()[1].split(":"))
        assert TEXT[start:end] in line


def test_choose(run, folders):
    item = {"prompt": "Who?", "choices": ["Anna", "the sea", "Bob Lee"]}
    want = pipeline("multiple-choice", folders["choose"])(item)
    want_line = {**item, "result": want}
    assert answers(run, "choose", "Who?", *item["choices"]) == [want_line]
    line = "Who?\tAnna\tthe sea\tBob Lee\n"
    assert answers(run, "choose", "-", stdin=line) == [want_line]
    out = run("choose", "Who?", *item["choices"], "--top-k", "1")[1]
    assert out == f"Who?\n  {want[0]['score']:.4f}  {want[0]['choice']}\n"


def test_next_sentence(run, folders):
    pair = {"text": "Bob works.", "text_pair": "He is good."}
    want = pipeline("next-sentence", folders["next-sentence"])(pair)
    assert answers(run, "next-sentence", *pair.values()) == [{**pair, "result": want}]
    out = run("next-sentence", "-", stdin="Bob works.\tHe is good.\na\tb\n")[1]
    assert out.splitlines()[0].startswith(f"{want['is_next']:.4f} follows")
    assert len(out.splitlines()) == 2


def test_generate(run, folders):
    ask = pipeline("text-generation", folders["generate"], do_sample=False)
    want = ask(TEXT, max_new_tokens=4, join=True)
    assert answers(run, "generate", TEXT, "--max-new-tokens", "4") == [
        {"text": TEXT, "result": want}]
    drawn = ("generate", TEXT, "--sample", "--sequences", "2", "--temperature", "1.5")
    assert run(*drawn, "--seed", "1") == run(*drawn, "--seed", "1")
    assert run(*drawn, "--seed", "1") != run(*drawn, "--seed", "2")
    _, out, _ = run("generate", TEXT, "--new-text", "--max-new-tokens", "4")
    assert [TEXT + out.rstrip("\n")] == [
        answer["generated_text"] for answer in ask(TEXT, max_new_tokens=4)]


def test_generate_puts_a_space_where_decoding_has_one(run, folders):
    """Before a new word, but neither before the rest of a word nor after a space."""
    ask = pipeline("text-generation", folders["generate"])
    rows = ask.rows("Anna", ask.checked({}))
    pieces = {piece: ask.tokenizer.convert_tokens_to_ids(piece)
              for piece in ("bob", "##s", ".")}
    assert ask.tokenizer.unk_token_id not in pieces.values()
    for text, piece, want in [("Anna", "bob", "Anna bob"), ("Anna", "##s", "Anna##s"),
                              ("Anna ", "bob", "Anna bob"), ("Anna", ".", "Anna.")]:
        outputs = [[np.array([*rows[0].ids, pieces[piece]])]]
        found = ask.result(text, rows, outputs, ask.checked({"join": True}))
        assert found == [{"generated_text": want}]
    _, out, _ = run("generate", TEXT, "--max-new-tokens", "4")
    assert out.rstrip("\n") == ask(TEXT, do_sample=False, max_new_tokens=4,
                                   join=True)[0]["generated_text"]


def test_classify_cuts_long_texts_and_says_so(run, folders, tmp_path):
    """As `evaluate` does: at the max_length of the fine-tuning, or at the model's."""
    ask = pipeline("text-classification", folders["classify"], truncation=True)
    code, out, err = run("classify", LONG * 9, "Anna", "--json")
    assert code == 0 and err == (
        "numbert: warning: 1 of 2 inputs lost their ends, as they have more tokens "
        "than the model takes: shorten them for answers that look at all of the text\n")
    assert json.loads(out.splitlines()[0])["result"] == ask(LONG * 9, top_k=1)
    record = tmp_path / "m"
    shutil.copytree(folders["classify"], record)
    (record / "training.json").write_text(json.dumps(
        {"task": "text-classification", "settings": {"max_length": 5}}))
    code, out, err = run("classify", LONG, "Bob", "--json", model=record)
    assert code == 0 and err.startswith("numbert: warning: 1 of 2 inputs")
    assert json.loads(out.splitlines()[0])["result"] == ask(LONG, top_k=1, max_length=5)


def test_classify_shows_all_labels_of_a_text(run, folders, tmp_path):
    """Those above 0.5, which are the ones that `evaluate` predicts."""
    import numbert
    cls = numbert.BertForSequenceClassification
    model = cls.from_pretrained(folders["classify"], problem_type=MULTI)
    shutil.copytree(folders["classify"], tmp_path / "m")
    for bias, count in (-99, 0), (99, 3):
        model.params["classifier.bias"] = np.full(3, bias, np.float32)
        model.save_pretrained(tmp_path / "m")
        code, out, err = run("classify", TEXT, "--json", model=tmp_path / "m")
        assert (code, err) == (0, "")
        assert len(json.loads(out)["result"]) == count
        out = run("classify", TEXT, "--function", "none", model=tmp_path / "m")[1]
        assert len(out.splitlines()) == max(count, 1)
        assert ("no label" in out) == (count == 0)
        out = run("classify", TEXT, "--top-k", "2", model=tmp_path / "m")[1]
        assert len(out.splitlines()) == 2


def test_files_and_stdin(run, tmp_path):
    lines = ["Bob works.", "", "Zoë lives in Paris."]
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    want = answers(run, "classify", lines[0], lines[2])
    assert [row["text"] for row in want] == lines[::2]
    assert answers(run, "classify", "--file", str(path)) == want
    assert answers(run, "classify", "-", stdin=path.read_text(encoding="utf-8")) == want
    batch = answers(run, "classify", "--file", str(path), "--batch-size", "2")
    assert [row["text"] for row in batch] == lines[::2]


@pytest.mark.parametrize("args, message", [
    (("fill-mask", "Paris is it."), "has no [MASK]"),
    (("fill-mask",), "the input is missing, expected arguments, or --file FILE, or -"),
    (("fill-mask", "a", "--file", "b"), "the input is given twice, expected arguments, "
     "or --file FILE, or - to read stdin: give one of them"),
    (("fill-mask", "--file", "./nowhere.txt"), "nowhere.txt"),
    (("fill-mask", "-"), "stdin holds no text"),
    (("fill-mask", "[MASK] " + LONG + LONG), "max_position_embeddings 40"),
    (("ner", TEXT, "--strategy", "none", "--stride", "3"), "aggregation_strategy"),
    (("answer", "Who?"), "the text to look in is missing, expected one: give --con"),
    (("answer", "Who?", "--context", "a", "--context-file", "b"), "is given twice"),
    (("answer", "Who?", "--context", " "), "no tokens"),
    (("answer", "Who?", "--context", ""), "context is empty"),
    (("answer", "", "--context", "a"), "question is empty"),
    (("choose", "Who?", "Anna"), "at least two choices"),
    (("next-sentence", "a"), "the number of texts is 1, expected 2"),
    (("next-sentence", "a", "b", "c"), "the number of texts is 3, expected 2"),
    (("generate", TEXT, "--temperature", "2"), "2.0 without --sample, expected both"),
    (("generate", TEXT, "--max-new-tokens", "99"), "no room"),
])
def test_errors_are_one_line(run, args, message):
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert err.startswith("numbert: error: ") and message in err
    assert err.count("\n") == 1


def test_a_fresh_head_is_warned_about(folders, capsys):
    code = main(["ner", TEXT, "--model", folders["fill-mask"]])
    assert code == 0
    assert "numbert: warning: BertForTokenClassification starts fresh" in \
        capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0 and f"numbert {command} " in out.split("examples:")[1]


@pytest.mark.parametrize("command, texts", [
    ("fill-mask", ["[MASK] " + LONG + LONG, "--truncate"]), ("ner", [LONG + LONG]),
    ("choose", ["Who?", "Anna", LONG + LONG, "--truncate"]),
    ("next-sentence", [LONG, LONG, "--truncate"])])
def test_texts_that_are_cut_are_counted(run, command, texts):
    code, out, err = run(command, *texts, "--json")
    assert code == 0 and len(out.splitlines()) == 1
    assert err.startswith("numbert: warning: 1 of 1 inputs lost their ends, as they")
    assert err.count("\n") == 1
    short = [text.replace(LONG, "") or "Bob" for text in texts]
    assert run(command, *short, "--json")[::2] == (0, "")
    if command == "ner":
        assert run(command, *texts, "--stride", "4")[2] == ""
