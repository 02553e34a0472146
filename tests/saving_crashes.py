"""Break `saving.save` at every file operation, by kill -9 and by an exception.

A script: `python saving_crashes.py`, run by test_saving.py in a process of its own
(an audit hook cannot be taken out again). Python announces each open, rename, remove,
mkdir and rmdir to the hook just before doing it; at the n-th, for n = 1, 2, ... until a
save gets through, the saving process dies. What is left on the disk is then read with
the safetensors package, in the order of preference that transformers has.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from numbert.system import saving

WATCHED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
ONE, TWO, THREE = 10**6, 300, 200         # bytes a shard; each tensor has 100
SAVES = [(None, ONE), (None, TWO), (ONE, ONE), (ONE, TWO), (TWO, ONE), (TWO, TWO),
         (TWO, THREE), (THREE, TWO)]
armed = {"count": 0, "at": 0, "act": None}


def hook(event, arguments):
    if armed["act"] and event in WATCHED:
        armed["count"] += 1
        if armed["count"] == armed["at"]:
            act, armed["act"] = armed["act"], None
            act()


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt():
    raise KeyboardInterrupt


def tensors(value):
    return {name: np.full(25, value, np.float32) for name in "abcde"}


def save(folder, value, size, config):
    saving.save(folder, tensors(value), config_text=config, max_shard_size=size)


def look(folder):
    """(value that all weights have, text of the config); None for what is not there."""
    single = folder / "model.safetensors"
    index = folder / "model.safetensors.index.json"
    found = {}
    if single.exists():
        found = load_file(single)
    elif index.exists():
        for name, file in json.loads(index.read_text())["weight_map"].items():
            found[name] = load_file(folder / file)[name]
    values = {float(v) for array in found.values() for v in array}
    assert len(values) <= 1 and len(found) in (0, 5), f"mixed weights: {values} {found}"
    config = folder / "config.json"
    return (values.pop() if values else None,
            config.read_text() if config.exists() else None)


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def attempt(folder, size, config, act, n):
    """Save with a fault at operation n; say whether the save got through."""
    armed.update(count=0, at=n, act=act)
    if act is interrupt:
        try:
            save(folder, 2.0, size, config)
        except KeyboardInterrupt:
            return False
        armed["act"] = None
        return True
    child = os.fork()
    if child == 0:
        save(folder, 2.0, size, config)
        os._exit(0)
    armed["act"] = None
    status = os.waitpid(child, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, status
    return status == 0


def run(folder, old_size, size, config, act):
    """Go through every n; return the outcomes (value, config) in order."""
    outcomes = []
    through = False
    while not through:
        shutil.rmtree(folder, ignore_errors=True)
        if old_size is not None:
            save(folder, 1.0, old_size, "old")
            (folder / "vocab.txt").write_text("not ours")
        before, old = names(folder), look(folder)
        through = attempt(folder, size, config, act, len(outcomes) + 1)
        outcomes.append(look(folder))
        if act is interrupt and outcomes[-1] == old:
            assert names(folder) == before, (names(folder), before)
        # The next save works on whatever was left, and leaves nothing of it.
        save(folder, 3.0, size, "next")
        assert look(folder) == (3.0, "next"), look(folder)
        known = [name for name in names(folder) if name != "vocab.txt"]
        expected = {ONE: 2, TWO: 4, THREE: 5}[size]   # with config.json, and an index
        assert len(known) == expected, known
    assert outcomes[0] == old and outcomes[-1] == (2.0, config), outcomes
    return outcomes


def main():
    sys.addaudithook(hook)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        for old_size, size in SAVES:
            old = (None, None) if old_size is None else (1.0, "old")
            for act in kill, interrupt:
                for config in "old", "new":
                    outcomes = run(folder, old_size, size, config, act)
                    whole = [old, (2.0, config)]
                    torn = [seen for seen in outcomes if seen not in whole]
                    # The documented window: two files cannot be replaced at once.
                    changed = config != old[1]
                    allowed = [(old[0], config)] if act is kill and changed else []
                    assert torn == allowed, (old_size, size, act, config, outcomes)
                    print(old_size, size, act.__name__, config, len(outcomes), torn)


if __name__ == "__main__":
    main()
