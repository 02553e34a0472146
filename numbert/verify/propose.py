"""A proposal of rules for foreign names, found by comparing values.

Names say little about what a tensor is.  Its numbers say all: two tensors that hold the
same ones, in any order, are the same step, whatever it is called and however its axes
are laid out.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np

from ..models.trace import BACKBONE, PARTS
from ..system.terminal import escaped
from .names import parted, worked

# Operations that may bring an array into the layout of the pack, simplest first.
ONE = ((), ("transpose",), ("heads",), ("squeeze",), ("heads", "transpose"),
       ("squeeze", "transpose"))
THREE = (("split3",), ("split3", "transpose"), ("split3", "heads"))


class Pair(NamedTuple):
    """A name of the candidate's, and what it stands for in the pack, without prefix."""

    name: str
    to: tuple[str, ...]
    ops: tuple[str, ...] = ()
    axis: int = -1


def propose(truth: Mapping[str, Mapping], given: Mapping[str, Mapping], *,
            tolerance: float = 1e-4, form: str = "toml") -> str:
    """Return the text of rules that call a candidate's tensors by the pack's names.

    Two tensors belong together if they hold the same numbers in any order: that does
    not depend on names, nor on how axes are laid out.  Tensors that are equal, such as
    the gradient that a sum passes to both of its terms, are told apart by spelling.  A
    tensor that is wrong matches nothing; a rule for it is guessed, as a comment.

    Args:
        truth: {case: {pack name: array}}, in the order of computation.
        given: {case: {the candidate's name: array}}.
        tolerance: how far numbers may lie apart, relative to the size of a tensor.
        form: "toml", or "json", which has no room for comments.
    """
    votes: Counter[Pair] = Counter()
    cases: dict[str, set[str]] = {}              # in which cases a name is given
    for case in given:
        votes.update(_matches(truth.get(case, {}), given[case], tolerance))
        for name in given[case]:
            cases.setdefault(parted(name)[1], set()).add(case)
    chosen, doubles = _assigned(votes, cases)
    order = list(dict.fromkeys(_long(parted(name)[1]) for case in given
                               for name in truth.get(case, {})))
    pairs = sorted(chosen, key=lambda pair: order.index(parted(pair.to[0])[1]))
    drops = _general_drops(doubles, [name for name in cases if name not in doubles])
    rows = [*({"match": pattern, "op": "drop"} for pattern in drops),
            *map(_row, _ordered(_general(pairs)))]
    if form == "json":
        return json.dumps({"rule": rows}, indent=1) + "\n"
    lost = [name for name in cases if name not in doubles
            and name not in {pair.name for pair in pairs}]
    counts = f"{len(pairs)} of {len(cases)} names, and {len(doubles)} that show the "
    free = [name for name in order if not any(name in pair.to for pair in pairs)]
    return _toml(rows, f"# Found by values: {counts}same numbers again.", lost, free)


def _matches(truth: Mapping, given: Mapping, tolerance: float) -> list[Pair]:
    """Return all pairs of a case that hold the same numbers.

    A pair is there once for its values, and again for its gradients.  Gradients alone
    say little: a sum gives one and the same to both of its terms.  So they do not count
    for two names whose values differ.
    """
    targets: dict[int, list] = {}
    for names in [*((name,) for name in truth), *_triples(truth)]:
        arrays = [np.asarray(truth[name], float) for name in names]
        flat = np.sort(np.concatenate([x.ravel() for x in arrays]))
        bound = tolerance * (np.sqrt(np.mean(flat * flat)) + 1e-3)
        targets.setdefault(flat.size, []).append((names, arrays, flat, bound))
    found: list[tuple[str, Pair]] = []
    for name, value in given.items():
        x = np.asarray(value, float)
        flat = np.sort(x.ravel())
        for names, arrays, other, bound in targets.get(x.size, ()):
            if np.abs(flat - other).max(initial=0) <= bound:       # nan is not
                layout = _layout(x, arrays, bound)
                pair = layout and _pair(name, names, *layout)
                if pair:
                    found.append((name, pair))
    same = {pair for name, pair in found if name == pair.name}
    steps = set(map(_long, truth))
    return [pair for _, pair in found if pair in same or
            not (pair.name in given and steps.issuperset(pair.to))]


def _triples(truth: Mapping) -> list[tuple[str, ...]]:
    """Return the names of queries, keys and values that could be one tensor."""
    return [names for name in truth if re.search(r"\.query(\.|$)", name)
            for names in [tuple(name.replace(".query", f".{x}")
                                for x in ("query", "key", "value"))]
            if all(x in truth and np.shape(truth[x]) == np.shape(truth[name])
                   for x in names)]


def _layout(x, arrays: list, bound: float) -> tuple[tuple[str, ...], int] | None:
    """Return the operations and the axis that turn x into the arrays, or None."""
    def near(y, want):
        return y.shape == want.shape and np.abs(y - want).max(initial=0) <= bound

    for ops in ONE if len(arrays) == 1 else THREE:
        for axis in range(-1, -1 - x.ndim, -1) if "split3" in ops else (-1,):
            for heads in sorted(set(x.shape)) if "heads" in ops else (0,):
                try:
                    made = worked(x, ops, axis, heads)
                except ValueError:                       # it does not fit the shape
                    continue
                if all(map(near, made, arrays)):
                    return ops, axis
    return None


def _pair(name: str, names: tuple[str, ...], ops, axis: int) -> Pair | None:
    """Return the pair of names, without a prefix that both have; None if it can't be.
    """
    (prefix, body), split = parted(name), [parted(x) for x in names]
    if all(other == prefix for other, _ in split):
        return Pair(body, tuple(_long(x) for _, x in split), ops, axis)
    if prefix:                                   # rules never change what stands there
        return None
    return Pair(body, tuple(other + _long(x) for other, x in split), ops, axis)


def _long(name: str) -> str:
    """Return the name as it is in a model with a head, with "bert." before it."""
    return BACKBONE + name if name.startswith(PARTS) else name


def _assigned(votes: Counter, cases: Mapping) -> tuple[list[Pair], list[str]]:
    """Return one pair for each name, and the names that are left over.

    The pair that most cases agree on comes first; then the one that is spelled alike.
    Two names have one target only if no case has both.
    """
    def alike(pair):
        return difflib.SequenceMatcher(None, pair.name, pair.to[0]).ratio()

    chosen: dict[str, Pair] = {}
    taken: dict[str, set[str]] = {}              # in which cases a target has a name
    for pair in sorted(votes, key=lambda pair: (-votes[pair], -alike(pair), pair)):
        own = cases[pair.name]
        if pair.name not in chosen and not any(own & taken.get(to, set())
                                               for to in pair.to):
            chosen[pair.name] = pair
            for to in pair.to:
                taken.setdefault(to, set()).update(own)
    return list(chosen.values()), sorted({pair.name for pair in votes} - set(chosen))


def _general(pairs: list[Pair]) -> list[Pair]:
    """Return pairs of patterns and templates, which hold for every layer at once."""
    def agrees(rule):
        return all(tuple(found.expand(to) for to in rule.to) == pair.to
                   and rule[2:] == pair[2:] for pair in pairs
                   for found in [re.fullmatch(rule.name, pair.name)] if found)

    result: dict[Pair, None] = {}                # without doubles, in order
    for pair in pairs:
        if pair[1:] == Pair("", (_long(pair.name),))[1:]:            # needs no rule
            continue
        literal = tuple(to.replace("\\", r"\\") for to in pair.to)
        options = [pair._replace(name=re.escape(pair.name), to=literal)]
        layers = re.findall(r"layer\.(\d+)", pair.to[0])
        for number in re.finditer(r"\d+", pair.name):
            if number[0] in layers:
                options.insert(-1, pair._replace(
                    name=re.escape(pair.name[:number.start()]) + r"(\d+)"
                    + re.escape(pair.name[number.end():]),
                    to=tuple(re.sub(r"layer\.\d+", r"layer.\\1", to, count=1)
                             for to in literal)))
        result[next(filter(agrees, options), options[-1])] = None
    return list(result)


def _general_drops(doubles: list[str], kept: list[str]) -> list[str]:
    """Return patterns of names to drop, in any layer, which match none that is kept."""
    result: dict[str, None] = {}
    for name in doubles:
        options = [re.escape(name[:number.start()]) + r"\d+"
                   + re.escape(name[number.end():])
                   for number in re.finditer(r"\d+", name)]
        result[next((pattern for pattern in options if not any(
            re.fullmatch(pattern, other) for other in kept)), re.escape(name))] = None
    return list(result)


def _ordered(rules: list[Pair]) -> list[Pair]:
    """Put a rule before those that make a name which it would match."""
    def makes(rule):
        return [to.replace(r"\1", "0") for to in rule.to]

    before = {rule: [other for other in rules if other is not rule and any(
        re.fullmatch(other.name, name) for name in makes(rule))] for rule in rules}
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError:                           # names that are swapped
        return rules


def _row(rule: Pair) -> dict:
    def short(values):
        return list(values) if len(values) > 1 else values[0]

    return {"match": rule.name, "to": short(rule.to),
            **({"op": short(rule.ops)} if rule.ops else {}),
            **({"axis": rule.axis} if rule.axis != -1 else {})}


def _toml(rows: list[dict], first: str, lost: list[str], free: list[str]) -> str:
    """Return rules as TOML, with comments on what was found and what was not.

    lost: names whose numbers are nowhere in the pack, in the candidate's order.
    free: steps of the pack that nothing matches.
    """
    lines = [first]
    if lost:
        lines.append(f"# {len(lost)} more hold numbers that are nowhere in the pack: "
                     f"they are wrong, or no step of it.  The first is {lost[0]}.")
    for row in rows:
        lines += ["", "[[rule]]", *(f"{key} = {_toml_value(value)}"
                                    for key, value in row.items())]
    for name in lost:
        guess = (difflib.get_close_matches(name, free, 1, 0) or ["?"])[0]
        lines += ["", "# Guessed from the spelling.", "# [[rule]]",
                  f"# match = {_toml_value(re.escape(name))}",
                  f"# to = {_toml_value(guess)}"]
    return escaped("\n".join(lines)) + "\n"


def _toml_value(value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, str) and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)
