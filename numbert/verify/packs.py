"""Golden packs: the truth of all cases in files that any program can read.

    manifest.json           what the cases are; of each tensor, what it is computed
                            from, which entries count, and the noise to expect
    NAME.safetensors        weights, inputs and truth of one case
    README.md               how to use the pack with nothing but these files

    pack = read_pack("golden")          # or shipped(), the one that comes with numbert
    pack.cases["model"].truth["pooler.out"]
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..system.jsonfiles import parse_json
from .cases import Case

FORMAT = 1                              # of the manifest
SHIPPED = Path(__file__).parent / "golden.zip"
README = Path(__file__).parent / "golden.md"
MANIFEST = "manifest.json"
NOISES = ("fp32", "tf32", "bf16", "fp16")       # that a pack holds; see Profile.noise
VARIANTS = {
    "fully masked rows": "a text without any token: uniform | zero | nan | other; in "
                         "the truth attention is uniform over all keys, and no entry "
                         "of such a text counts",
    "gelu": "erf, or the tanh form where hidden_act is gelu_new",
    "loss precision": "same | float32: a loss that is computed in float32 while the "
                      "model runs in float64",
}


class PackError(ValueError):
    """A pack can't be read, or isn't what it was when it was made."""


class Packed(NamedTuple):
    """One case of a pack."""

    case: Case
    truth: dict[str, np.ndarray]                # every tensor, in order of computation
    parents: dict[str, list[str]]               # what each is computed from
    noise: dict[str, dict[str, tuple]]          # {noise: {name: (RMS, largest)}}
    step_noise: dict[str, dict[str, tuple]]     # the same, of each step alone


class Pack(NamedTuple):
    """A pack, read and checked."""

    name: str                                   # where it lies
    sha256: str                                 # of its manifest, which holds the rest
    manifest: dict[str, Any]
    cases: dict[str, Packed]


# ------------------------------------------------------------------------ reading

def shipped() -> Pack:
    """Return the pack that comes with numbert."""
    return read_pack(SHIPPED)._replace(name="that comes with numbert")


def read_pack(path) -> Pack:
    """Return a pack, from its folder or from a zip file of it.

    Raises:
        PackError: a file is missing, was changed, cut short or is of another format.
    """
    path = Path(path)
    raw = read_file(path, MANIFEST)
    manifest = parse_json(raw.decode("utf-8", "replace"), f"{path}: {MANIFEST}")
    if manifest.get("format") != FORMAT:
        raise PackError(f"{path}: format is {manifest.get('format')!r}, expected "
                        f"{FORMAT}: this numbert can't read it; make the pack again "
                        "with `numbert golden make`")
    try:
        cases = {name: read_case(path, name, entry)
                 for name, entry in manifest["cases"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise PackError(f"{path}: {MANIFEST} is no manifest of a pack ({error!r}), "
                        "expected it as numbert wrote it: get the pack again") from None
    return Pack(str(path), hashlib.sha256(raw).hexdigest(), manifest, cases)


def read_case(path: Path, name: str, entry: dict) -> Packed:
    """Return one case of a pack."""
    data = read_file(path, entry["file"])
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise PackError(f"{path}: {entry['file']} has another sha256 than the manifest "
                        "says, expected the file as it was made: it was changed or cut "
                        "short, so get the pack again")
    return unpacked(name, entry, data)


def read_file(path: Path, name: str) -> bytes:
    """Return a file of a pack, which may be zipped."""
    try:
        if path.is_dir():
            if Path(name).name != name:
                raise PackError(f"{path}: the manifest names {name!r}, expected a file "
                                "in the same folder: this is no pack of numbert")
            return (path / name).read_bytes()
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except FileNotFoundError:
        raise PackError(f"{path}: there is no {name}, expected the folder of a pack or "
                        "its zip file: make one with `numbert golden make --out DIR`"
                        ) from None
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise PackError(f"{path} can't be read ({error}), expected the zip file of a "
                        "pack: it may have been cut short, so get it again") from None


def unpacked(name: str, entry: dict, data: bytes) -> Packed:
    """Return a case from its entry in the manifest and the bytes of its file."""
    from safetensors.numpy import load
    arrays = load(data)

    def part(kind):
        return {key.removeprefix(kind): x for key, x in arrays.items()
                if key.startswith(kind)}

    order = [tensor["name"] for tensor in entry["tensors"]]
    case = Case(name, entry["class"], entry["config"], part("param:"), part("in:"),
                part("cot:"), entry["why"])
    noise, step_noise = ({which: {tensor["name"]: tuple(tensor[kind][which])
                                  for tensor in entry["tensors"]} for which in NOISES}
                         for kind in ("noise", "step_noise"))
    return Packed(case, {key: arrays[key] for key in order},
                  {tensor["name"]: tensor["parents"] for tensor in entry["tensors"]},
                  noise, step_noise)
