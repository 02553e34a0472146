"""The command as its users meet it, and the sentence embeddings behind it."""

import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

import numbert
from common import config, stressed
from minilm import minilm_dir
from numbert.pipelines import sentences
from numbert.cli import GROUPS, main, parser
from numbert.cli.common import count_lines, load_backbone, read_lines, shorten, size
from numbert.cli.embed import npy_rows
from numbert.system.progress import NoBar, bar, progress

WORDS = "a man is eating plate of pasta some one has meal the rain falls".split()
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s", "##ing"]
TEXTS = ["a man is eating", "some one has a meal", "rain", "",
         "the rain falls of pasta", "unheard words", "a man is"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small checkpoint of a whole model, head included, with its tokenizer."""
    path = tmp_path_factory.mktemp("checkpoint")
    cfg = config(vocab_size=len(VOCAB), max_position_embeddings=9)
    stressed(numbert.BertForMaskedLM, cfg, "float32").save_pretrained(path)
    numbert.BertTokenizer({token: i for i, token in enumerate(VOCAB)},
                          model_max_length=9).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def parts(folder):
    """The model in float64, and the tokenizer."""
    model = load_backbone(str(folder), "float64")
    return model, numbert.BertTokenizer.from_pretrained(folder)


@pytest.fixture
def numbert_main(capsys):
    """Runs the command in this process: (exit code, stdout, stderr)."""
    def run(*args):
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as end:                        # argparse's own way out
            code = end.code
        return (code, *capsys.readouterr())
    return run


def start(*args, **options):
    """The command as a process, which listens to SIGINT even if this one ignores it.

    A shell starts its background jobs with SIGINT ignored, and children inherit that.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "numbert", *map(str, args)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)


def alone(model, tokenizer, text, pooling):
    """A text's vector computed by itself: no batch, no padding, sums by math.fsum."""
    batch = tokenizer([text], return_tensors="np")
    hidden = model(**batch).last_hidden_state[0]
    if pooling == "cls":
        return hidden[0]
    return np.array([math.fsum(column) / len(hidden) for column in hidden.T])


# ------------------------------------------------------------------ from Python

@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_embed_is_each_text_alone(parts, pooling, batch_size):
    got = numbert.embed(*parts, TEXTS, pooling, batch_size=batch_size)
    want = np.array([alone(*parts, text, pooling) for text in TEXTS])
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-13)


def test_embed_keeps_the_order_over_many_windows(parts):
    texts = [TEXTS[i % len(TEXTS)] for i in range(sentences.WINDOW * 2 + 5)]
    got = numbert.embed(*parts, iter(texts), batch_size=1)
    want = {text: alone(*parts, text, "mean") for text in TEXTS}
    np.testing.assert_allclose(got, [want[text] for text in texts], rtol=0, atol=1e-13)


def test_embed_normalizes(parts):
    got = numbert.embed(*parts, TEXTS, normalize=True)
    raw = numbert.embed(*parts, TEXTS)
    for row, whole in zip(got, raw):
        length = math.sqrt(math.fsum(x * x for x in whole))
        np.testing.assert_allclose(row, whole / length, rtol=0, atol=1e-15)


def test_embed_of_one_text_and_of_none(parts):
    one = numbert.embed(*parts, TEXTS[0])
    assert one.shape == (12,)
    np.testing.assert_array_equal(one, numbert.embed(*parts, TEXTS[:1])[0])
    assert numbert.embed(*parts, []).shape == (0, 12)


def test_embed_float32_stays_float32(folder, parts):
    model = load_backbone(str(folder))
    got = numbert.embed(model, parts[1], TEXTS, normalize=True)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, numbert.embed(*parts, TEXTS, normalize=True),
                               rtol=0, atol=3e-6)


def test_embed_cuts_long_texts(parts):
    long = "a man is eating a plate of pasta"            # 10 tokens; the model has 9
    cut = numbert.embed(*parts, "a man is eating a plate of")
    np.testing.assert_allclose(numbert.embed(*parts, long), cut, rtol=0, atol=1e-13)
    np.testing.assert_allclose(numbert.embed(*parts, long, max_length=4),
                               numbert.embed(*parts, "a man"), rtol=0, atol=1e-13)


@pytest.mark.parametrize("options, error, says", [
    (dict(pooling="max"), ValueError, "pooling is 'max', expected one of mean, cls"),
    (dict(batch_size=0), ValueError, "batch_size is 0"),
    (dict(max_length=10), ValueError, "max_length is 10, expected 3 to 9"),
    (dict(max_length=2), ValueError, "max_length is 2"),
])
def test_embed_refuses(parts, options, error, says):
    with pytest.raises(error, match=re.escape(says)):
        numbert.embed(*parts, TEXTS, **options)


def test_embed_refuses_other_things_than_text_and_models(parts):
    with pytest.raises(TypeError):
        numbert.embed(*parts, ["fine", 3])
    head = stressed(numbert.BertForMaskedLM)
    with pytest.raises(TypeError, match="BertForMaskedLM, expected a BertModel"):
        numbert.embed(head, parts[1], TEXTS)


def sentence_files(path, pooling, longest=5):
    (path / "1_Pooling").mkdir(parents=True, exist_ok=True)
    (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (path / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": longest}))
    (path / "modules.json").write_text(json.dumps(
        [{"type": "sentence_transformers.models.Normalize"}]))


def test_sentence_settings(tmp_path):
    assert numbert.sentence_settings(tmp_path) == {}
    sentence_files(tmp_path, {"pooling_mode_cls_token": True,
                              "word_embedding_dimension": 12,
                              "pooling_mode_mean_tokens": False})
    assert numbert.sentence_settings(tmp_path) == {
        "pooling": "cls", "max_length": 5, "normalize": True}
    sentence_files(tmp_path, {"pooling_mode_max_tokens": True})
    assert numbert.sentence_settings(tmp_path)["pooling"] == "max"
    sentence_files(tmp_path, {"pooling_mode_mean_tokens": True,
                              "pooling_mode_mean_sqrt_len_tokens": True})
    assert numbert.sentence_settings(tmp_path)["pooling"] == "mean and mean_sqrt_len"
    (tmp_path / "modules.json").write_text("[")
    (tmp_path / "1_Pooling" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="modules.json is broken JSON"):
        numbert.sentence_settings(tmp_path)


def test_minilm_agrees_with_hugging_face():
    """float32, each text alone in Hugging Face, all in one batch here."""
    path = minilm_dir()
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    texts = ["A man eats a plate of pasta.", "Rain.", "Zürich liegt am See: schön!",
             "The orchestra opens with a symphony, and nobody in the hall is coughing."]
    settings = numbert.sentence_settings(path)
    assert settings == {"pooling": "mean", "max_length": 256, "normalize": True}
    model = numbert.BertModel.from_pretrained(path)
    got = numbert.embed(model, numbert.BertTokenizer.from_pretrained(path), texts,
                        **settings)
    tokenizer = transformers.BertTokenizer.from_pretrained(path)
    twin = transformers.BertModel.from_pretrained(path, attn_implementation="eager")
    for text, row in zip(texts, got):
        with torch.inference_mode():
            hidden = twin.eval()(**tokenizer(text, return_tensors="pt"))[0][0]
        want = torch.nn.functional.normalize(hidden.mean(0), dim=0).numpy()
        np.testing.assert_allclose(row, want, rtol=0, atol=2e-5)


# ------------------------------------------------------------------ numbert embed

def test_embed_prints_a_summary(numbert_main, folder):
    code, out, err = numbert_main("embed", *TEXTS[:3], "--model", folder)
    assert (code, err) == (0, "")
    assert "3 texts, 12 values each" in out and TEXTS[1] in out
    matrix = out[out.index("cosine"):].splitlines()[2:]
    assert [float(row.split()[i]) for i, row in enumerate(matrix, 1)] == [1.0] * 3


def test_embed_json(numbert_main, folder, parts):
    code, out, _ = numbert_main("embed", *TEXTS, "--model", folder, "--json",
                                "--dtype", "float64", "--batch-size", 2)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [row["text"] for row in rows] == TEXTS
    np.testing.assert_array_equal([row["embedding"] for row in rows],
                                  numbert.embed(*parts, TEXTS, batch_size=2))


@pytest.mark.parametrize("count", [0, 1, 70])
def test_embed_file_to_npy(numbert_main, folder, parts, tmp_path, count):
    texts = [TEXTS[i % len(TEXTS)] for i in range(count)]
    lines, out = tmp_path / "lines.txt", tmp_path / "vectors.npy"
    lines.write_bytes("\ufeff".encode() * bool(count) +
                      "".join(f"{text}\r\n" for text in texts).encode())
    code, said, err = numbert_main("embed", "--file", lines, "--model", folder, "--out",
                                   out, "--dtype", "float64", "--batch-size", 1)
    assert (code, err) == (0, "") and f"{count} x 12 float64" in said
    got = np.load(out)
    assert got.shape == (count, 12)
    np.testing.assert_array_equal(np.load(out, mmap_mode="r") if count else got, got)
    np.testing.assert_array_equal(got, numbert.embed(*parts, texts, batch_size=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.txt",
                                                                "vectors.npy"]


def test_embed_reads_stdin(folder):
    process = start("embed", "-", "--model", folder, "--json", "--pooling", "cls",
                    "--normalize")
    out, err = process.communicate("a man\nZürich\n".encode())
    rows = [json.loads(line) for line in out.decode().splitlines()]
    assert process.returncode == 0 and not err
    assert [row["text"] for row in rows] == ["a man", "Zürich"]
    assert np.linalg.norm(rows[0]["embedding"]) == pytest.approx(1, abs=1e-6)


def test_embed_takes_defaults_from_the_folder(numbert_main, folder, parts, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    sentence_files(tmp_path, {"pooling_mode_cls_token": True})

    def vectors(*options):
        out = numbert_main("embed", *TEXTS[:2], "--model", tmp_path, "--json",
                           "--dtype", "float64", *options)[1]
        return [json.loads(line)["embedding"] for line in out.splitlines()]
    np.testing.assert_array_equal(vectors(), numbert.embed(
        *parts, TEXTS[:2], pooling="cls", normalize=True, max_length=5))
    sentence_files(tmp_path, {"pooling_mode_max_tokens": True})
    code, _, err = numbert_main("embed", "a", "--model", tmp_path)
    assert code == 2 and "pooling is 'max', expected one of mean, cls" in err
    np.testing.assert_array_equal(
        vectors("--pooling", "mean", "--no-normalize", "--max-length", "4"),
        numbert.embed(*parts, TEXTS[:2], max_length=4))


def test_embed_takes_a_name_on_the_hub(folder, tmp_path):
    """From the hub's local cache, whose layout is written here by hand, offline."""
    pytest.importorskip("huggingface_hub")
    repository = tmp_path / "hub" / "models--some--bert"
    place = repository / "snapshots" / ("0" * 40)
    place.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    sentence_files(place, {"pooling_mode_cls_token": True})
    out, err = start("embed", "a man", "--model", "some/bert", env={
        **os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")}
    ).communicate()
    assert not err and b"hidden state of [CLS], scaled to length 1" in out


def test_interrupted_embed_leaves_the_old_file(folder, tmp_path):
    out = tmp_path / "vectors.npy"
    out.write_bytes(b"old")
    process = start("embed", "-", "--model", folder, "--out", out, "--batch-size", 1)
    for _ in range(200):
        process.stdin.write(b"a man is eating\n")
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)                     # until the temporary file is there
    assert len(list(tmp_path.iterdir())) == 2
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().strip() == "numbert: interrupted"
    assert list(tmp_path.iterdir()) == [out] and out.read_bytes() == b"old"


def test_broken_pipe_is_quiet(folder, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("a man is eating\n" * 3000)
    process = start("embed", "--file", lines, "--model", folder, "--json")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stdin.close()
    process.stderr.close()


def test_npy_rows_part_by_part(tmp_path):
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((123, 5)).astype("float32")
    with npy_rows(tmp_path / "x.npy", 5, "float32") as add:
        for part in np.split(whole, [0, 1, 9, 100]):
            assert add(part) == len(part)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), whole)


def test_npy_rows_failing_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="full"):
        with npy_rows(tmp_path / "x.npy", 5, "float32") as add:
            add(np.zeros((3, 5)))
            raise OSError("disk full")
    assert list(tmp_path.iterdir()) == []


def test_npy_rows_follows_a_link(tmp_path):
    real, link = tmp_path / "real.npy", tmp_path / "link.npy"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with npy_rows(link, 2, "float64") as add:
        add(np.ones((1, 2)))
    assert link.is_symlink() and np.load(real).shape == (1, 2)


# ------------------------------------------------------- numbert info, tokenize, help

def test_info(numbert_main, folder):
    code, out, err = numbert_main("info", "--model", folder)
    model = numbert.BertForMaskedLM.from_pretrained(folder)
    assert (code, err) == (0, "")
    assert f"total: {model.num_parameters():,} parameters, float32" in out
    assert re.search(r"encoder\.layer\.\*\.output\.dense\.weight +\(12, 19\) +x 2 +456 "
                     "+float32", out)
    for part in ("embeddings:", "layers:", "heads:", "BertForMaskedLM", "[MASK] 4"):
        assert part in out
    shares = [float(x) for x in re.findall(r", ([\d.]+) %", out)]
    assert sum(shares) == pytest.approx(100, abs=0.2)


def test_info_json(numbert_main, folder):
    facts = json.loads(numbert_main("info", "--model", folder, "--json")[1])
    model = numbert.BertForMaskedLM.from_pretrained(folder)
    assert facts["parameters"] == model.num_parameters()
    assert facts["bytes"] == sum(x.nbytes for x in model.params.values())
    assert {name: tuple(tensor["shape"]) for name, tensor in facts["tensors"].items()} \
        == {name: x.shape for name, x in model.params.items()}
    assert facts["config"]["hidden_size"] == 12
    assert facts["tokenizer"]["vocab_size"] == len(VOCAB)


def test_info_does_not_count_positions(numbert_main):
    facts = json.loads(numbert_main("info", "--model", minilm_dir(), "--json")[1])
    assert facts["tensors"]["embeddings.position_ids"]["dtype"] == "int64"
    model = numbert.BertModel.from_pretrained(minilm_dir())
    assert facts["parameters"] == model.num_parameters() == 22_713_216


def test_info_without_a_tokenizer(numbert_main, folder, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    code, out, _ = numbert_main("info", "--model", tmp_path)
    assert code == 0 and "no tokenizer: " in out and "total: " in out


def test_tokenize_json(numbert_main, folder):
    _, out, _ = numbert_main("tokenize", "Meals", "eat!", "--json", "--model", folder)
    first, second = map(json.loads, out.splitlines())
    assert first == {"text": "Meals", "tokens": ["[CLS]", "meal", "##s", "[SEP]"],
                     "input_ids": [VOCAB.index(t) for t in first["tokens"]],
                     "offset_mapping": [[0, 0], [0, 4], [4, 5], [0, 0]]}
    assert second["tokens"] == ["[CLS]", "[UNK]", "[UNK]", "[SEP]"]


@pytest.mark.parametrize("option", [(), ("--explain",)])
def test_tokenize_shows_the_pieces(numbert_main, folder, option):
    code, out, err = numbert_main("tokenize", "Meals", "--model", folder, *option)
    assert (code, err) == (0, "")
    assert "meal" in out and "##s" in out


def test_bench_forward(numbert_main, folder):
    """The contenders answer in turn and agree; the times may be anything."""
    code, out, err = numbert_main(
        "bench", "forward", "--model", folder, "--batch", 3, "--length", 7,
        "--rounds", 2, "--threads", 1, "--json")
    figures = json.loads(out)
    assert (code, err) == (0, "") and figures["cold_start_s"] > 0
    for found in figures["contenders"].values():
        assert found["median_s"] >= found["best_s"] > 0 and found["peak_bytes"] >= 0
    if len(figures["contenders"]) > 1:
        assert figures["difference"] < 1e-4
    code, _, err = numbert_main("bench", "forward", "--model", folder, "--length", 10)
    assert code == 2 and "--length is 10, expected at most the model's max_pos" in err
    assert "max_position_embeddings 9: make it smaller" in err


def commands():
    """Each command, and each command's commands, as lists of words."""
    found = []

    def walk(given, words):
        for action in given._actions:
            if hasattr(action, "_name_parser_map"):
                for name, inner in action._name_parser_map.items():
                    found.append([*words, name])
                    walk(inner, [*words, name])
    walk(parser(), [])
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_explains_itself(numbert_main, words):
    code, out, err = numbert_main(*words, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: numbert {' '.join(words)}")
    assert len(words) > 1 or "examples:" in out


def test_version(numbert_main):
    assert numbert_main("--version")[:2] == (0, f"numbert {numbert.__version__}\n")


def test_all_groups_are_listed():
    folder = os.path.dirname(sys.modules["numbert.cli"].__file__)
    files = {name[:-3] for name in os.listdir(folder) if name.endswith(".py")}
    helpers = {"__init__", "common"}
    with_commands = {name for name in files - helpers if "\ndef register(" in
                     open(os.path.join(folder, name + ".py"), encoding="utf-8").read()}
    assert with_commands == set(GROUPS)


def test_embed_from_a_cold_start():
    """At most a second, in processor time, as others may use the machine, too."""
    path, times = minilm_dir(), []
    while len(times) < 5:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = start("embed", "A short text.", "--model", path,
                        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        out, err = process.communicate()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process.returncode == 0 and not err and b"384 values" in out
        times.append((after.ru_utime - before.ru_utime)
                     + (after.ru_stime - before.ru_stime))
        if times[-1] < 1:
            return
    assert min(times) < 1


# ------------------------------------------------------------------------- mistakes

@pytest.mark.parametrize("words, says", [
    (["evaluate", "--data", "x.tsv"], "--model"),
    (["embed"], "got no text, expected TEXT, or --file FILE, or - to"),
    (["embed", "--model", "{folder}"], "got no text, expected TEXT, or --file FILE"),
    (["embed", "a", "--file", "b", "--model", "{folder}"],
     "got both TEXT and --file, expected TEXT, or --file FILE, or - to read stdin: "
     "give one of them"),
    (["embed", "a", "--model", "/nowhere"], "/nowhere"),
    (["embed", "a", "--model", "{empty}"], "neither vocab.txt nor tokenizer.json"),
    (["embed", "--file", "{empty}/none.txt", "--model", "{folder}"], "none.txt"),
    (["embed", "--file", "{empty}", "--model", "{folder}"], "directory"),
    (["embed", "--file", "{latin}", "--model", "{folder}"],
     "latin.txt, line 2: not UTF-8"),
    (["embed", "a", "--model", "{folder}", "--out", "{empty}"], "not an ordinary file"),
    (["embed", "a", "--model", "{folder}", "--out", "/dev/null"], "not an ordinary"),
    (["embed", "a", "--model", "{folder}", "--out", "{empty}/x/y.npy"],
     "empty/x is not a folder, expected one for the file of --out: make it first"),
    (["embed", "a", "--model", "{folder}", "--max-length", "10"],
     "max_length is 10, expected 3 to 9"),
    (["embed", "a", "--model", "{folder}", "--batch-size", "0"],
     "'0', expected a whole number above 0"),
    (["embed", "a", "--model", "{folder}", "--pooling", "max"], "invalid choice"),
    (["embed", "a", "--model", "{folder}", "--json", "--out", "x.npy"], "not allowed"),
    (["info", "--model", "{empty}"], "config.json"),
    (["info", "--model", "{torn}"], "torn"),
    (["tokenize", "a", "--model", "{empty}"], "vocab.txt"),
    (["bench"], "WHAT"),
    (["fly"], "fly"),
])
def test_mistakes_are_one_line(numbert_main, folder, tmp_path, words, says):
    empty, torn = tmp_path / "empty", tmp_path / "torn"
    empty.mkdir()
    torn.mkdir()
    for path in folder.iterdir():
        (torn / path.name).write_bytes(path.read_bytes())
    whole = (torn / "model.safetensors").read_bytes()
    (torn / "model.safetensors").write_bytes(whole[:-7])
    (tmp_path / "latin.txt").write_bytes("good\nZ\xfcrich\n".encode("latin-1"))
    code, out, err = numbert_main(*[word.format(
        folder=folder, empty=empty, torn=torn, latin=tmp_path / "latin.txt")
        for word in words])
    last = err.strip().splitlines()[-1]
    assert code == 2 and out == ""
    assert re.match(r"numbert( \w+)*: error: ", last) and says in last
    assert "Traceback" not in err
    if not err.startswith("usage:"):
        assert len(err.strip().splitlines()) == 1
    assert not list(empty.iterdir())


def test_traceback_on_request(monkeypatch, folder):
    monkeypatch.setenv("NUMBERT_TRACEBACK", "1")
    with pytest.raises(ValueError, match="got no text"):
        main(["embed", "--model", str(folder)])


def test_warnings_are_one_line(numbert_main, monkeypatch, folder):
    from numbert.cli import common

    def load(name):
        warnings.warn("something odd")
        raise KeyError("no such thing")
    monkeypatch.setattr(common, "load_tokenizer", load)
    code, _, err = numbert_main("tokenize", "a", "--model", folder)
    assert (code, err) == (2, "numbert: warning: something odd\n"
                              "numbert: error: no such thing\n")


def test_a_bug_keeps_its_traceback(monkeypatch, folder):
    from numbert.cli import common
    monkeypatch.setattr(common, "load_tokenizer", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["tokenize", "a", "--model", str(folder)])


# ------------------------------------------------------------- small shared things

def test_read_lines(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("\ufeffone\r\n\ntwo\u2028still two\x0b\nlast".encode())
    assert list(read_lines(str(path))) == ["one", "", "two\u2028still two\x0b", "last"]
    assert count_lines(str(path)) == 4 and count_lines("-") is None


def test_sizes_and_short_texts():
    assert [size(n) for n in (0, 999, 1000, 90_868_376, 5e12)] == [
        "0 bytes", "999 bytes", "1.0 kB", "90.9 MB", "5000.0 GB"]
    assert shorten("a  b\nc", 10) == "a b c" and shorten("x" * 50, 10) == "xxxxxxx..."


def test_progress_without_a_terminal(capsys):
    assert list(progress(range(3))) == [0, 1, 2]
    assert isinstance(bar(3), NoBar)
    assert capsys.readouterr().err == ""


def test_progress_without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert isinstance(bar(3, enabled=True), NoBar)
    with bar(3, enabled=True) as shown:
        shown.update(2)
        shown.set_postfix(loss=1)
    assert list(progress("ab", enabled=True)) == ["a", "b"]


def test_progress_with_tqdm():
    pytest.importorskip("tqdm")
    with bar(3, "work", enabled=True) as shown:
        shown.update(2)
        assert (shown.n, shown.total) == (2, 3)
