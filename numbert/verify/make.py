"""Make a golden pack: prove the cases, measure their noise, and write the files.

The same bytes come out on every machine: the truth is rounded once, noise has only two
digits, and JSON and safetensors are written in a fixed order.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np

from ..system import versions
from ..system.jsonfiles import json_text
from ..system.progress import bar
from ..system.saving import atomic_file
from .cases import Case, make_cases, program_file
from .counts import law, places
from .judge import kind_of, over
from .mutants import mutated_run
from .noise import AGAIN, PROFILES, RUNS, measured, scaled
from .packs import (FORMAT, MANIFEST, NOISES, README, VARIANTS, PackError,
                    read_file)
from .parents import LARGEST, parents
from .run import SETTINGS, TRAINED, UPDATES, run
from .truth import WIDEST, proven
from .zoo import visible

CLEAR = 3           # how many gates a bug's effect must have, to be seen for certain


def make_files(cases=None, prove: bool = True, enabled: bool | None = None) -> dict:
    """Return {file name: bytes} of a pack; the same bytes on every machine.

    Args:
        cases: list of Case; by default the thirteen of `make_cases`.
        prove: whether the truth is proven; otherwise it is numbert's own in float64.
        enabled: whether to show a progress bar; None shows it on a terminal.
    """
    own = cases is not None
    cases = make_cases() if cases is None else cases
    files: dict[str, bytes] = {}
    described: dict[str, dict] = {}
    effects: dict[str, dict] = {}
    with bar(len(cases) * 4, "golden", enabled, "part") as shown:
        for case in cases:
            truth = proven(case) if prove else run(case)
            shown.update()
            family = parents(case, truth)
            shown.update()
            data = case_bytes(case, truth)
            files[f"{case.name}.safetensors"] = data
            described[case.name] = {
                "class": case.kind, "config": case.config, "why": case.why,
                "file": f"{case.name}.safetensors",
                "sha256": hashlib.sha256(data).hexdigest(),
                "tensors": tensors(case, truth, family)}
            shown.update()
            if not own:
                add_effects(effects, case, truth, described[case.name]["tensors"])
            shown.update()
    manifest = {
        "format": FORMAT, "numbert": versions()["numbert"],
        "proven": prove,
        "proven_radius_in_rms_of_the_tensor": WIDEST if prove else None,
        "optimizers": {**SETTINGS, "case": TRAINED, "updates": UPDATES,
                       "no_decay": ["*bias", "*LayerNorm*"]},
        "profiles": {name: profile._asdict() for name, profile in PROFILES.items()},
        "undecidable": {profile: sorted(id for id, effect in found.items()
                                        if effect < CLEAR)
                        for profile, found in effects.items()},
        "variants": VARIANTS, "cases": described}
    files[MANIFEST] = (json_text(manifest, 1) + "\n").encode("utf-8")
    files["README.md"] = README.read_bytes()
    return files


def tensors(case: Case, truth: dict, family: dict) -> list[dict]:
    """Return what the manifest says about each tensor, in their order."""
    large = sum(x.size for x in case.params.values()) > LARGEST
    whole, steps = ({noise: measured(case, PROFILES[noise], given,
                                     AGAIN if large else RUNS) for noise in NOISES}
                    for given in (None, truth))
    return [{"name": name, "shape": list(x.shape), "counts": law(case, name),
             "parents": family[name],
             "noise": {noise: rounded(whole[noise][name]) for noise in NOISES},
             "step_noise": {noise: rounded(steps[noise][name]) for noise in NOISES}}
            for name, x in truth.items()]


def add_effects(effects: dict, case: Case, truth: dict, entries: list[dict]) -> None:
    """Note {profile: {id of a bug: its largest error in any case, over its gate}}."""
    noises = {profile: {entry["name"]: entry["noise"][gates.noise] for entry in entries}
              for profile, gates in PROFILES.items() if case.name not in gates.beyond}
    if "fp64" in noises:
        noises["fp64"] = scaled(noises["fp64"])
    for mutant in visible():
        wrong = mutated_run(mutant, case)
        for profile, noise in noises.items():
            found = effects.setdefault(profile, {})
            largest = [found.get(mutant.id, 0.0)]
            for name, x in truth.items():
                new = wrong.get(name)
                if new is None or new.shape != x.shape:
                    largest.append(np.inf if new is not None else 0.0)
                    continue
                largest += over(new - x, places(case, name, x.shape), noise[name],
                                PROFILES[profile], kind_of(name))
            found[mutant.id] = max(largest)


def rounded(pair) -> list[float]:
    """Return numbers with two digits, in which no machine's own rounding shows."""
    return [float(f"{x:.1e}") for x in pair]


def case_bytes(case: Case, truth: dict) -> bytes:
    """Return the safetensors file of a case: what a program reads, and the truth."""
    inputs, metadata = program_file(case)
    return safetensors({**inputs, **truth}, metadata)


def safetensors(tensors: dict, metadata: dict[str, str]) -> bytes:
    """Return a safetensors file; the library's own order of metadata is left to chance.

    Numbers of eight bytes come first, so that each lies at a multiple of its size.
    """
    kinds = {"float64": "F64", "int64": "I64", "float32": "F32"}
    header: dict = {"__metadata__": metadata}
    parts: list[bytes] = []
    start = 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].itemsize, name)):
        x = np.asarray(tensors[name], tensors[name].dtype.newbyteorder("<"), order="C")
        header[name] = {"dtype": kinds[x.dtype.name], "shape": list(x.shape),
                        "data_offsets": [start, start + x.nbytes]}
        parts.append(x.tobytes())
        start += x.nbytes
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def write_files(files: dict[str, bytes], out: Path) -> bool:
    """Write a pack to a folder, or to a file that ends in .zip.

    Returns:
        whether anything had to be written: a pack that is there already stays as it is.

    Raises:
        OSError: it could not be written.  Without its manifest, which is written last,
            a folder is no pack, so a pack is never half there.
    """
    if out.suffix == ".zip":
        with contextlib.suppress(PackError):
            if {name: read_file(out, name) for name in files} == files:
                return False
        with atomic_file(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name, data in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED, 9)
        return True
    out.mkdir(parents=True, exist_ok=True)
    if all((out / name).is_file() and (out / name).read_bytes() == data
           for name, data in files.items()):
        return False
    (out / MANIFEST).unlink(missing_ok=True)
    for name in sorted(files, key=lambda name: name == MANIFEST):
        with atomic_file(out / name) as temporary:
            temporary.write_bytes(files[name])
    return True
