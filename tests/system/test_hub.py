"""Names to directories, without network: a hand-made cache, a server on localhost."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from numbert.system.hub import resolve

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
OLD, NEW = "a" * 40, "b" * 40
SHARDS = json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors",
                                    "b": "model-00002-of-00002.safetensors"}})


@pytest.fixture
def hub():
    return pytest.importorskip("huggingface_hub")


def cached(cache, name, files, commit=OLD, absent=()):
    """Make what huggingface_hub keeps of a repository; return the snapshot."""
    repository = cache / ("models--" + name.replace("/", "--"))
    snapshot = repository / "snapshots" / commit
    for folder in snapshot, repository / "refs", repository / "blobs":
        folder.mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    for i, (file, text) in enumerate(files.items()):
        blob = repository / "blobs" / f"{commit[:4]}{i}"
        blob.write_text(text)
        (snapshot / file).symlink_to(Path("..") / ".." / "blobs" / blob.name)
    for file in absent:
        mark = repository / ".no_exist" / commit / file
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return snapshot


# ------------------------------------------------------------------ directories

@pytest.mark.parametrize("kind", [str, Path])
def test_a_directory_is_returned_as_it_is(tmp_path, monkeypatch, kind):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)    # not needed for that
    assert resolve(kind(tmp_path), (WEIGHTS,)) == tmp_path
    (tmp_path / "bert" / "last").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert resolve(kind("bert")) == Path("bert")    # before the hub's "bert"
    assert resolve(kind("bert"), subfolder="last") == Path("bert/last")
    with pytest.raises(FileNotFoundError, match="bert has no directory 'first', exp"):
        resolve(kind("bert"), subfolder="first")


@pytest.mark.parametrize("subfolder", ["..", "a/../..", "/etc", "a\\..", "C:x"])
def test_a_subfolder_stays_inside(tmp_path, subfolder):
    for name in tmp_path, "org/model":
        with pytest.raises(ValueError, match="subfolder is .*, expected a path inside"):
            resolve(name, subfolder=subfolder)


def test_a_file_is_not_a_directory(tmp_path):
    (tmp_path / "x.bin").touch()
    with pytest.raises(NotADirectoryError, match="x.bin is a file, expected a dir"):
        resolve(tmp_path / "x.bin")


@pytest.mark.parametrize("name", [
    "/no/such", "./bert", "../bert", "a/b/c", "bert/", "a//b", "~/bert", "C:\\bert",
    "bert base", "a/..", Path("bert-base-uncased"), "name\n", "bérts"])
def test_what_cannot_be_a_hub_name(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        resolve(name)
    assert "no such directory" in str(error.value)
    assert "is not the name of a hub repository" in str(error.value)


def test_an_empty_name_is_not_the_current_directory():
    with pytest.raises(FileNotFoundError, match="'' is not a model, expected a dir"):
        resolve("")


def test_without_huggingface_hub(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        resolve("google-bert/bert-base-uncased")
    text = str(error.value)
    assert str(tmp_path / "google-bert" / "bert-base-uncased") in text
    assert 'pip install "numbert[hub]"' in text and "pass a directory" in text
    assert "\n" not in text


# ------------------------------------------------------------------ the local cache

def offline(cache, name, *filenames, **options):
    return resolve(name, filenames, cache_dir=cache, local_files_only=True, **options)


@pytest.mark.parametrize("name", ["org/model", "model"])
def test_files_in_the_cache(hub, tmp_path, name):
    snapshot = cached(tmp_path, name, {CONFIG: "{}", WEIGHTS: "w"})
    assert offline(tmp_path, name, CONFIG) == snapshot
    assert offline(tmp_path, name, CONFIG, WEIGHTS) == snapshot
    assert offline(tmp_path, name, WEIGHTS, revision=OLD) == snapshot
    assert offline(tmp_path, name, "vocab.txt", CONFIG) == snapshot      # optional


def test_a_subfolder_in_the_cache(hub, tmp_path):
    snapshot = cached(tmp_path, "org/model", {CONFIG: "{}"})
    (snapshot / "a" / "b").mkdir(parents=True)
    (snapshot / "a" / "b" / CONFIG).write_text("{}")
    assert offline(tmp_path, "org/model", CONFIG, subfolder="a/b") == snapshot / "a/b"
    with pytest.raises(OSError, match="config.json of 'a/' in the hub repository"):
        offline(tmp_path, "org/model", CONFIG, subfolder="a")


@pytest.mark.parametrize("absent", [(), (WEIGHTS,)])
def test_shards_in_the_cache(hub, tmp_path, absent):
    files = dict.fromkeys(json.loads(SHARDS)["weight_map"].values(), "w")
    snapshot = cached(tmp_path, "org/model", {CONFIG: "{}", INDEX: SHARDS, **files},
                      absent=absent)
    assert offline(tmp_path, "org/model", CONFIG, WEIGHTS) == snapshot
    (snapshot / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(OSError, match="cannot get model-00002-of-00002.safetensors of"):
        offline(tmp_path, "org/model", CONFIG, WEIGHTS)
    (snapshot / INDEX).unlink()
    (snapshot / INDEX).write_text('{"weight_map": {"a": "../../x.safetensors"}}')
    with pytest.raises(ValueError, match="refused"):
        offline(tmp_path, "org/model", CONFIG, WEIGHTS)


def test_not_in_the_cache(hub, tmp_path):
    cached(tmp_path, "org/model", {"vocab.txt": "[PAD]"})
    for name, files in [("org/model", (CONFIG,)), ("org/model", (WEIGHTS,)),
                        ("org/nothing", (CONFIG, WEIGHTS))]:
        with pytest.raises(OSError) as error:
            offline(tmp_path, name, *files)
        text = str(error.value)
        assert repr(name) in text and files[0] in text and "\n" not in text
        assert "not in the local cache" in text and "pass a directory" in text
    with pytest.raises(FileNotFoundError, match="has none of v.txt, x, expected one"):
        offline(tmp_path, "org/nothing", "v.txt", "x")


def test_a_hub_out_of_reach_is_asked_once(hub, tmp_path, monkeypatch):
    """Waiting for the network again for each optional file would take minutes."""
    from huggingface_hub.utils import LocalEntryNotFoundError
    asked = []

    def unreachable(name, file, *, local_files_only, **options):
        asked.append((file, local_files_only))
        raise LocalEntryNotFoundError("no network\nat all")

    monkeypatch.setattr(hub, "hf_hub_download", unreachable)
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda url, token: None)
    snapshot = cached(tmp_path, "org/model", {"vocab.txt": "[PAD]"})
    files = ("a", "b", "vocab.txt", "c")
    assert resolve("org/model", files, cache_dir=tmp_path) == snapshot
    assert asked == [("a", False), ("b", True), ("c", True)]
    with pytest.raises(ConnectionError, match="cannot be reached"):
        resolve("org/model", (WEIGHTS,), cache_dir=tmp_path)


def test_known_to_be_absent(hub, tmp_path):
    cached(tmp_path, "org/model", {CONFIG: "{}"}, absent=[WEIGHTS, INDEX])
    with pytest.raises(FileNotFoundError) as error:
        offline(tmp_path, "org/model", CONFIG, WEIGHTS)
    assert f"'org/model' at {OLD} has no {WEIGHTS} or {INDEX}" in str(error.value)
    assert "save_pretrained" in str(error.value)


def test_a_name_that_the_hub_forbids(hub, tmp_path):
    with pytest.raises(OSError, match="HFValidationError"):
        offline(tmp_path, "a--b", CONFIG)


# ------------------------------------------------------------------ a small hub

class Hub(http.server.BaseHTTPRequestHandler):
    """Answers /{owner}/{name}/resolve/{revision}/{file} as the hub does."""

    def do_HEAD(self):
        match = re.fullmatch(r"/(org/\w+)/resolve/(\w+)/([\w./-]+)", self.path)
        name, revision, file = match.groups() if match else ("", "", "")
        self.server.asked.append((self.command, revision, file))
        commit = NEW if revision == "main" else revision
        text = self.server.files.get((name, commit), {}).get(file)
        known = {known for known, _ in self.server.files}
        if text is not None:
            self.answer(200, text.encode(), ETag=f'"{commit[:4]}-{file}"',
                        **{"X-Repo-Commit": commit})
        elif name not in known:
            self.answer(401, b"", **{"X-Error-Code": "RepoNotFound"})
        elif (name, commit) not in self.server.files:
            self.answer(404, b"", **{"X-Error-Code": "RevisionNotFound"})
        else:
            self.answer(404, b"", **{"X-Error-Code": "EntryNotFound",
                                     "X-Repo-Commit": commit})

    do_GET = do_HEAD

    def answer(self, status, body, **headers):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked = []
    server.files = {
        ("org/single", OLD): {CONFIG: "old", WEIGHTS: "old", "vocab.txt": "old"},
        ("org/single", NEW): {CONFIG: "new", WEIGHTS: "new", "vocab.txt": "new",
                              "pytorch_model.bin": "x", "README.md": "x",
                              f"last/{CONFIG}": "last", f"last/{WEIGHTS}": "last"},
        ("org/sharded", NEW): {
            CONFIG: "{}", INDEX: SHARDS, "model-00001-of-00002.safetensors": "1",
            "model-00002-of-00002.safetensors": "2", "extra.safetensors": "x"},
        ("org/pickle", NEW): {CONFIG: "{}", "pytorch_model.bin": "x"}}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


CALL = """
import json, sys
from numbert.system.hub import resolve
name, files, options = json.loads(sys.argv[1])
try:
    print(json.dumps(["found", str(resolve(name, files, **options))]))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def online(server, home, name, *files, **options):
    """Resolve in a fresh process, where huggingface_hub reads its settings."""
    server.asked.clear()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    env = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0",
           "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1",
           "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    env.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", CALL, json.dumps([name, files, options])], env=env,
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    status, text = json.loads(done.stdout)
    assert "\n" not in text
    return status, text, sorted({file for _, _, file in server.asked})


def test_only_what_is_wanted_is_fetched(hub, server, tmp_path):
    status, folder, asked = online(server, tmp_path, "org/single", CONFIG, WEIGHTS)
    assert (status, asked) == ("found", [CONFIG, WEIGHTS])
    assert Path(folder).name == NEW
    assert sorted(os.listdir(folder)) == [CONFIG, WEIGHTS]
    assert (Path(folder) / WEIGHTS).read_text() == "new"
    # Again, from the cache alone; then one file more.
    assert online(server, tmp_path, "org/single", CONFIG, WEIGHTS) == (
        "found", folder, [])
    assert online(server, tmp_path, "org/single", CONFIG, "vocab.txt", "none.txt") == (
        "found", folder, ["none.txt", "vocab.txt"])
    assert online(server, tmp_path, "org/single", "none.txt", "vocab.txt") == (
        "found", folder, [])                         # remembered: there is no none.txt


def test_a_subfolder_of_a_repository(hub, server, tmp_path):
    status, folder, asked = online(server, tmp_path, "org/single", CONFIG, WEIGHTS,
                                   "vocab.txt", subfolder="last")
    assert (status, asked) == ("found", [f"last/{CONFIG}", f"last/{WEIGHTS}",
                                         "last/vocab.txt"])
    assert Path(folder).name == "last" and Path(folder).parent.name == NEW
    assert (Path(folder) / WEIGHTS).read_text() == "last"


def test_force_download_fetches_again(hub, server, tmp_path):
    cached(tmp_path / "hub", "org/single", {CONFIG: "old"})
    status, folder, asked = online(server, tmp_path, "org/single", CONFIG,
                                   force_download=True)
    assert (status, asked, Path(folder).name) == ("found", [CONFIG], NEW)
    assert (Path(folder) / CONFIG).read_text() == "new"


def test_without_a_network_the_error_comes_at_once(hub, tmp_path):
    """Left to itself, hf_hub_download tries again for 23 seconds."""
    class Nobody:
        asked: list = []
        server_address = ("127.0.0.1", 9)                # nothing listens there
    begin = time.monotonic()
    status, text, _ = online(Nobody, tmp_path, "toy/model", CONFIG)
    assert time.monotonic() - begin < 10
    assert status == "ConnectionError"
    assert re.search("toy/model: no such directory, and cannot get config.json of the "
                     "hub repository 'toy/model': .* pass a directory", text)


def test_all_files_come_from_one_commit(hub, server, tmp_path):
    """The cache has an older main: its missing files are fetched at that commit."""
    snapshot = cached(tmp_path / "hub", "org/single", {CONFIG: "old"})
    assert online(server, tmp_path, "org/single", CONFIG, WEIGHTS) == (
        "found", str(snapshot), [WEIGHTS])
    assert (snapshot / WEIGHTS).read_text() == "old"
    assert {revision for _, revision, _ in server.asked} == {OLD}


def test_shards_are_fetched_through_their_index(hub, server, tmp_path):
    status, folder, asked = online(server, tmp_path, "org/sharded", CONFIG, WEIGHTS)
    wanted = sorted([CONFIG, INDEX, *json.loads(SHARDS)["weight_map"].values()])
    assert status == "found" and sorted(os.listdir(folder)) == wanted
    assert asked == sorted([*wanted, WEIGHTS])
    assert online(server, tmp_path, "org/sharded", CONFIG, WEIGHTS) == (
        "found", folder, [])


def test_what_the_hub_has_not(hub, server, tmp_path):
    def fails(name, *files, **options):
        status, text, _ = online(server, tmp_path, name, *files, **options)
        assert status in ("OSError", "FileNotFoundError") and name in text
        return text

    assert "no such repository" in fails("org/none", CONFIG)
    assert "no such revision" in fails("org/single", CONFIG, revision="v2")
    assert f"has no {WEIGHTS} or {INDEX}" in fails("org/pickle", CONFIG, WEIGHTS)
