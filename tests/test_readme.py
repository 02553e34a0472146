"""What README.md, the model card and the help of the command say is true."""

import ast
import importlib.util
import json
import re
import runpy
import shlex
import sys
import textwrap
from pathlib import Path

import pytest
from safetensors.numpy import save_file

import numbert
from numbert import cli
from numbert.cli.demo import show_verdict
from numbert.verify.cases import make_cases
from numbert.verify.run import run

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
CARD = (ROOT / "numbert" / "checkpoints" / "README.md").read_text("utf-8")


def test_readme_names_targets_that_exist():
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    assert {"help", "setup", "demo", "test", "lint", "golden", "notebooks",
            "lessons", "clean"} == targets
    named = set(re.findall(r"(?:^ +|`)make ([a-z]+)", README, re.M))
    assert {"demo", "test"} <= named <= targets


def test_readme_names_files_that_exist():
    names = re.findall(r"[`(]((?:numbert|tests|notebooks|\.ci)/[\w/.-]+)", README)
    assert len(names) > 10
    for name in names:
        assert (ROOT / name).exists(), name


def test_readme_names_modules_that_exist():
    names = re.findall(r"python -m ([\w.]+)", README)
    assert "numbert.deviations" in names
    for name in names:
        assert importlib.util.find_spec(name), name


# ------------------------------------------------------------------ from Python

def values(source):
    """{expression: its value} where a line of Python ends in a comment with a value."""
    return {ast.unparse(node.value): ast.literal_eval(said[1])
            for node in ast.parse(source).body if isinstance(node, ast.Expr)
            for said in [re.search(r"  # ([('\d\[].*)$", source.splitlines()[
                node.end_lineno - 1])] if said}


def run_block(source, space):
    """Run Python as it is printed; expressions have the values that comments say."""
    said = values(source)
    for node in ast.parse(source).body:
        text = ast.unparse(node)
        if text in said and not text.startswith("print("):
            assert eval(text, space) == said.pop(text), text
        else:
            exec(text, space)
    return [value for text, value in said.items() if text.startswith("print(")]


@pytest.mark.filterwarnings("ignore:BertModel does not use")
def test_readme_examples_run(monkeypatch, tmp_path, capsys):
    """Each block runs as it is printed, in order, and prints what it says."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) > 1
    space: dict = {}
    for block in blocks:
        printed = run_block(block, space)
        out = capsys.readouterr().out.splitlines()
        assert {str(value) for value in printed} <= set(out)
    assert space["hidden"].shape[-1] == space["model"].config.hidden_size
    assert space["grads"].keys() >= space["model"].params.keys()


def test_the_verdict_on_the_first_screen_is_that_of_the_demo(capsys):
    """Line by line, but for its numbers."""
    shown, = re.findall(r"```text\n(.*?)```", README, re.S)
    show_verdict()
    printed = re.sub(r"\d[\d,.e+]*", "#", capsys.readouterr().out).splitlines()
    for line in filter(None, re.sub(r"\d[\d,.e+]*", "#", shown).splitlines()):
        assert line in printed


def test_the_examples_of_the_model_card_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    blocks = [textwrap.dedent(block) for block in
              re.findall(r"(?:^(?: {4}.*)?\n)+", CARD, re.M) if block.strip()]
    blocks = [block for block in blocks if "python -m" not in block]
    assert len(blocks) == 2 and sum(len(values(block)) for block in blocks) == 2
    space: dict = {}
    for block in blocks:
        run_block(block, space)
    assert type(space["model"]).__name__ == "BertForPreTraining"


@pytest.mark.filterwarnings("ignore:BertModel does not use")
def test_the_example_of_the_package_runs():
    source = textwrap.dedent(numbert.__doc__.split("\n", 1)[1])
    assert len(values(source)) == 1
    run_block(source, {})


@pytest.mark.filterwarnings("ignore:.numbert.deviations. found in sys.modules")
def test_the_list_of_deviations_prints(capsys):
    runpy.run_module("numbert.deviations", run_name="__main__")
    out = capsys.readouterr().out
    assert out.startswith("# Models\n") and "\n# Pipelines\n" in out


# ------------------------------------------------------------------ from a shell

OPINIONS = "I liked this film.\tPOSITIVE\nThe food was bad.\tNEGATIVE\n"
NAMES = "Anna\tB-PER\nlives\tO\nin\tO\nOslo\tB-LOC\n\nTom\tB-PER\nis\tO\n"
STORY = "".join(f"Anna lives in {city}.\nShe likes {food}.\nHer dog is old.\n\n"
                for city, food in [("Oslo", "soup"), ("Rome", "rice")])
CANDIDATE = """from numbert.verify.run import run
def candidate(case):
    return run(case, dtype="float32")
"""
PROGRAM = """import sys
from safetensors import safe_open
from safetensors.numpy import save_file
from numbert.verify.cases import make_case
*_, given, made = sys.argv
with safe_open(given, "np") as file:
    save_file(candidate(make_case(file.metadata()["case"])), made)
"""
# The files that the examples name.
TOKENIZER = (ROOT / "tests" / "testing" / "vector_program.py").read_text("utf-8")


def masked(*ids, mask):
    """A row of a masked language model's data, of which the third piece is hidden."""
    return json.dumps({"original": ids, "masked": (*ids[:2], mask, *ids[3:]),
                       "labels": [-100, -100, ids[2], *[-100] * (len(ids) - 3)]})


FILES = {
    "sentences.txt": "Anna lives in Oslo.\nTom is a baker.\n",
    "texts.txt": "Anna lives in [MASK].\nThe [MASK] eats grass.\n",
    "reviews.txt": "I liked this film.\nThe food was bad.\n",
    "article.txt": "Anna lives in Oslo.\nTom lives in Rome.\n",
    "questions.txt": "Where does Anna live?\nWho lives in Rome?\n",
    "questions.tsv": "The cow eats\tgrass.\ta book.\n",
    "pairs.tsv": "Anna was hungry.\tShe ate some soup.\n",
    "prompts.txt": "Anna lives in\nThe cow\n",
    "questions.jsonl": '{"question": "Who lives in Rome?", "context": "Tom lives in '
                       'Rome.", "answers": {"text": ["Tom"], "answer_start": [0]}}\n',
    **dict.fromkeys(("train.tsv", "dev.tsv", "test.tsv"), OPINIONS),
    "summaries.tsv": "Anna was hungry. She ate some soup.\tAnna ate.\n",
    "labels.txt": "POSITIVE\nNEGATIVE\nNEUTRAL\n",
    **dict.fromkeys(("train.conll", "dev.conll"), NAMES),
    **dict.fromkeys(("corpus.txt", "held-out.txt"), STORY),
    "masked.jsonl": masked(2, 85, 214, 84, 949, 83, 1000, 8, 3, mask=4),
    "bert.jsonl": masked(101, 1996, 3007, 1997, 2605, 2003, 3000, 1012, 102, mask=103),
    "mybert.py": CANDIDATE,
    "bert": f"#!{sys.executable}\n{CANDIDATE}{PROGRAM}",
    "my_tokenizer": f"#!{sys.executable}\n{TOKENIZER}",
    "names.toml": "[[rule]]\nmatch = 'pooled'\nto = 'bert.pooler.out'\n",
    "config.json": numbert.BertConfig(vocab_size=60, hidden_size=8, intermediate_size=9,
                                      num_hidden_layers=1, num_attention_heads=2,
                                      max_position_embeddings=32).to_json_string(),
}
FOLDERS = {"classify": "text-classification", "ner": "token-classification",
           "answer": "question-answering", "choose": "multiple-choice",
           "generate": "text-generation", "evaluate": "text-classification"}


def commands():
    """{name: parser} of the subcommands."""
    found, = (action.choices for action in cli.parser()._actions
              if isinstance(action.choices, dict))
    return found


def lines():
    """The command lines that README.md and the help show."""
    texts = [README, *(command.epilog or "" for command in commands().values())]
    return [re.sub(r" *\\\n *", " ", line) for text in texts for line in
            re.findall(r"^ +((?:cat .* )?numbert [a-z](?:.*\\\n)*.*)", text, re.M)
            if not line.endswith("--help")]


def parts(line):
    """A command line as a shell reads it: (words after numbert, file that it reads)."""
    line = re.sub(r"\$'(.*?)'", lambda found: shlex.quote(
        found[1].replace(r"\t", "\t")), line)
    before, after = re.fullmatch(r"(?:cat (\S+) \| )?numbert (.*)", line).groups()
    words = shlex.split(re.sub(r" [<>] \S+| \| .*", "", after), comments=True)
    read = re.search(r" < (\S+)", after)
    return words, read[1] if read else before


def folder_of(word, command, made):
    """The folder that stands for a word in capitals."""
    task = FOLDERS.get(command, "fill-mask")
    if word == "OUT":
        return made if command == "evaluate" else "OUT"
    return str(numbert.example_checkpoint(
        {"DIR": task, "LARGE": "text-classification"}.get(word, "fill-mask")))


@pytest.fixture(scope="module", name="made")
def fixture_made(tmp_path_factory):
    """A folder that `numbert finetune` made."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "train.tsv").write_text(OPINIONS)
    words = ["text-classification", "--train", str(folder / "train.tsv"), "--model",
             str(numbert.example_checkpoint()), "--epochs", "1"]
    assert cli.main(["finetune", *words, "--out", str(folder / "OUT")]) == 0
    return str(folder / "OUT")


def write_results(folder):
    """What another program computed, with a name of its own for one tensor."""
    folder.mkdir()
    for case in make_cases():
        tensors = {name.replace("bert.pooler.out", "pooled").replace(
            "pooler.out", "pooled"): x for name, x in run(case, dtype="float32").items()
            if ":" not in name}
        save_file(tensors, folder / f"{case.name}.safetensors")


def is_long(words):
    """Whether a command takes minutes, or shows what the tests of benches show."""
    return words[0] == "bench" or bool({"100000", "--self-test"} & {*words}) or \
        words[:2] == ["golden", "make"] and "--model" not in words


@pytest.mark.parametrize("line", sorted(set(lines())))
def test_commands_run(line, made, monkeypatch, tmp_path, capsysbinary):
    """Each command line runs as it is printed; words in capitals stand for folders."""
    words, read = parts(line)
    words = [folder_of(word, words[0], made) if word in ("DIR", "OUT", "SMALL", "LARGE")
             else word for word in words]
    if is_long(words):
        assert cli.parser().parse_args(words).run
        return
    for package in ("torch", "onnxruntime", "onnxscript") * (words[0] == "export"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    if "results" in words:
        write_results(tmp_path / "results")
    for name, text in FILES.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, "utf-8")
    for name in ("bert", "my_tokenizer"):
        Path(name).chmod(0o755)
    if read:
        monkeypatch.setattr("sys.stdin", open(read, encoding="utf-8"))
    code = cli.main(words)
    out, err = capsysbinary.readouterr()
    if "names.toml" in words and sys.version_info < (3, 11):
        assert code == 2 and b"Python 3.10 can't read TOML" in err
        return
    assert code == 0 and out, err.decode()
    assert not err or words[0] in ("finetune", "pretrain"), err.decode()


def test_every_command_is_shown():
    assert {parts(line)[0][0] for line in lines()} == set(commands())
    in_readme = [line for line in lines() if f"    {line}\n" in README]
    assert {parts(line)[0][0] for line in in_readme} == set(commands())
