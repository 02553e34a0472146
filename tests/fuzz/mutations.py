"""Change a file a little, as a broken disk or a malicious author would.

Every mutation takes a random.Random and the bytes of a file, and returns other bytes.
"""

import copy
import json

# Values that a reader may not expect where another stands.
ODD = (None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, float("inf"), float("nan"),
       2**31, 2**63, -2**63, 10**30, "", "a", "0", "1", "False", "\x1b[31m", "\ud800",
       "é" * 300, "../../x", "float32", [], {}, [[]], [None], {"a": 1}, [1, "a"],
       {"content": "[UNK]"}, ["[UNK]"] * 3)


def flip(rng, data):
    """Change a few bytes."""
    data = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        byte = rng.choice((0, 255, 10, 34, rng.randrange(256)))
        data[rng.randrange(len(data))] = byte
    return bytes(data)


def cut(rng, data):
    """Keep only the beginning, or only the end."""
    place = rng.randrange(len(data) + 1)
    return data[:place] if rng.random() < 0.7 else data[place:]


def insert(rng, data):
    """Put something in between."""
    place = rng.randrange(len(data) + 1)
    more = rng.choice((b"\0", b"\xff\xfe", b"[" * 5000, b'{"a":' * 5000, b"\n", b"\r",
                       b"\xed\xa0\x80", b"9" * 5000, b" " * 100, b'"', b"\t", b"1e999"))
    return data[:place] + more + data[place:]


def repeat(rng, data):
    """Write a part twice, or leave it out."""
    start, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:stop] + data[start:] if rng.random() < 0.5 else \
        data[:start] + data[stop:]


def places(value, found=None):
    """Every place in a JSON value: pairs of a list or dict, and a key."""
    found = [] if found is None else found
    keys = value if isinstance(value, dict) else \
        range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        places(value[key], found)
    return found


def restructure(rng, value):
    """Replace, remove, rename, add or swap parts of a JSON value."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        found = places(value)
        if not found or rng.random() < 0.03:
            return copy.deepcopy(rng.choice(ODD))
        (inside, key), (other, name) = rng.choice(found), rng.choice(found)
        step = rng.randrange(6)
        if step == 0:
            del inside[key]
        elif step == 1 and isinstance(inside, dict):
            inside[rng.choice(("", "a", key + "s", str(name)))] = inside.pop(key)
        elif step == 2:
            inside[key] = copy.deepcopy(other[name])
        elif step == 3 and isinstance(inside[key], (int, float)):
            inside[key] = rng.choice((-inside[key], inside[key] + 1, inside[key] * 1000,
                                      float(inside[key]), str(inside[key])))
        else:
            inside[key] = copy.deepcopy(rng.choice(ODD))
    return value


def structure(rng, data):
    """Change the structure of JSON, or of one line if each line holds JSON."""
    lines = [data] if data.count(b"\n{") == 0 else data.splitlines()
    chosen = rng.randrange(len(lines))
    lines[chosen] = json.dumps(restructure(rng, json.loads(lines[chosen]))).encode()
    return b"\n".join(lines)


def header(rng, data):
    """Change the header of a safetensors file: its length, or its JSON."""
    length = int.from_bytes(data[:8], "little")
    if rng.random() < 0.1:
        length = rng.choice((0, 1, length - 1, length + 8, 2**31, 2**62, 2**64 - 1))
        return length.to_bytes(8, "little") + data[8:]
    table = json.loads(data[8:8 + length])
    if rng.random() < 0.3:                       # JSON in the metadata, if there is any
        metadata = table.get("__metadata__", {})
        for name, text in metadata.items():
            if text.startswith("{"):
                metadata[name] = json.dumps(restructure(rng, json.loads(text)))
    else:
        table = restructure(rng, table)
    text = json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length:]


BYTES = (flip, cut, insert, repeat)


def mutate(rng, name, data):
    """Change a file in a way that fits its name."""
    if name.endswith(".safetensors") and rng.random() < 0.6:
        return header(rng, data)
    if name.endswith((".json", ".jsonl")) and rng.random() < 0.7:
        return structure(rng, data)
    return rng.choice(BYTES)(rng, data)
