r"""Foreign names: rules that translate them into the names of a pack.

Rules are an ordered list.  All names go through the first rule, then all through the
second, and so on.  A rule applies to the names that its regular expression matches as a
whole.  In a file of TOML:

    [[rule]]                                 # one fused projection, cut in three
    match = 'blocks\.(\d+)\.qkv'
    to = ['bert.encoder.layer.\1.attention.self.query',
          'bert.encoder.layer.\1.attention.self.key',
          'bert.encoder.layer.\1.attention.self.value']
    op = 'split3'

    [[rule]]                                 # weights that are stored (in, out)
    match = '(.*)\.kernel'
    to = '\1.weight'
    op = 'transpose'

Operations are transpose, heads, squeeze, split3, with an axis that is the last unless
given, and drop, which leaves a tensor out; a list of them is applied in order.  A rule
sees a name without `grad:`, `dparam:` and the like, which stay in front of it.  `bert.`
may be written or left out.  A rule without `to` keeps the name.  The same in JSON is
{"rule": [{"match": ..., "to": ..., "op": ...}, ...]}.  `propose` finds rules by itself.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..models.config import BertConfig
from ..models.trace import BACKBONE
from ..system.jsonfiles import read_json, read_text
from ..system.terminal import escaped
from .cases import Case
from .results import CandidateError
from .run import run

KEYS = ("match", "to", "op", "axis")
PREFIX = re.compile(r"(?:grad|dparam|param|(?:adamw|bertadam)\d+):")
STEP = re.compile(r"(?:adamw|bertadam)\d+:")


class Rule(NamedTuple):
    """One rule: names that match are called `to`, and their arrays go through `ops`."""

    match: re.Pattern
    to: tuple[str, ...]         # one template, or three for split3
    ops: tuple[str, ...]        # names in OPS, split3 or drop
    axis: int = -1              # which split3 cuts in three


class Rules(NamedTuple):
    """Rules in their order, and where they come from."""

    rules: tuple[Rule, ...]
    source: str


# --------------------------------------------------------------------- operations

def transpose(x, heads: int):
    """Swap the last two axes.

    x (..., I, O) -> out (..., O, I)
    """
    if x.ndim < 2:
        raise ValueError(f"the shape is {x.shape}, expected at least 2 axes to "
                         "transpose: change the rule")
    return x.swapaxes(-1, -2)


def merge(x, heads: int):
    """Join the axis of heads with that of their channels; C = N D.

    (B, N, T, D) or (B, T, N, D) -> (B, T, C), and weights (C, N, D), (N, D, C), (N, D)
    """
    if x.ndim == 4 and x.shape[1] == heads != x.shape[2]:
        x = x.swapaxes(1, 2)
    places = [i for i in range(x.ndim - 2, -1, -1) if x.shape[i] == heads]
    if not places:
        raise ValueError(f"the shape is {x.shape}, expected an axis of {heads} heads "
                         "and one after it, to be joined: change the rule")
    i = places[0]
    return x.reshape(*x.shape[:i], -1, *x.shape[i + 2:])


def squeeze(x, heads: int):
    """Leave out the axes of length 1."""
    return x.squeeze()


OPS = {"transpose": transpose, "heads": merge, "squeeze": squeeze}


def worked(x, ops: tuple[str, ...], axis: int, heads: int) -> list[np.ndarray]:
    """Return the array, or the three arrays, that the operations make of x.

    Raises:
        ValueError: one does not fit the shape.
    """
    arrays = [x]
    for op in ops:
        if op != "split3":
            arrays = [OPS[op](part, heads) for part in arrays]
        elif not -x.ndim <= axis < x.ndim or x.shape[axis] % 3:
            raise ValueError(f"the shape is {x.shape}, expected an axis {axis} to cut "
                             "in three equal parts: change the rule")
        else:
            arrays = np.split(x, 3, axis)
    return arrays


# ------------------------------------------------------------------------ reading

def read_rules(path) -> Rules:
    """Return the rules in a file of TOML or, if its name ends in .json, of JSON.

    Raises:
        OSError: the file can't be read.
        ValueError: a rule is not well formed, or this Python can't read TOML.
    """
    path = Path(path)
    if path.suffix == ".json":
        return parse_rules(read_json(path), str(path))
    try:
        import tomllib
    except ImportError:
        raise ValueError(f"{path} is TOML, expected JSON: Python 3.10 can't read TOML; "
                         "write the same rules as JSON, in a file that ends in .json"
                         ) from None
    try:
        return parse_rules(tomllib.loads(read_text(path)), str(path))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML ({error}), expected [[rule]] tables: "
                         "write regular expressions in single quotes") from None


def parse_rules(value: Mapping, source: str) -> Rules:
    """Return the rules in {"rule": [{"match": ...}, ...]}; errors name the source.

    Raises:
        ValueError: a rule is not well formed.
    """
    rows = value.get("rule")
    if set(value) != {"rule"} or not isinstance(rows, list):
        raise ValueError(f"{source} holds {', '.join(map(repr, value)) or 'nothing'}, "
                         "expected a list of rules: begin each with [[rule]]")
    return Rules(tuple(_rule(row, f"{source}: rule {i}")
                       for i, row in enumerate(rows, 1)), source)


def _rule(row, where: str) -> Rule:
    if not isinstance(row, dict):
        raise ValueError(f"{where} is {row!r:.40}, expected a table with match "
                         "and to: begin it with [[rule]]")
    for key in set(row) - set(KEYS):
        raise ValueError(f"{where} has {escaped(key)!r}, expected {', '.join(KEYS)}: "
                         "check the spelling")
    match, to, axis = row.get("match"), row.get("to", r"\g<0>"), row.get("axis", -1)
    op = row.get("op", [])
    ops = tuple(op) if isinstance(op, list) else (op,)
    templates = tuple(to) if isinstance(to, list) else (to,)
    if not isinstance(match, str) or not all(isinstance(x, str) for x in templates):
        raise ValueError(f"{where} has match {match!r:.40} and to {to!r:.40}, expected "
                         "texts: write both in single quotes")
    if not set(map(repr, ops)) <= set(map(repr, ("split3", "drop", *OPS))) \
            or "split3" in ops[1:] or "drop" in ops and len(ops) > 1:
        raise ValueError(f"{where} has op {op!r}, expected drop alone, or a list of "
                         f"split3, if at all as the first, {', '.join(OPS)}: change it")
    if len(templates) != (3 if "split3" in ops else 1) or type(axis) is not int:
        raise ValueError(f"{where} has {len(templates)} names in to and axis {axis!r}, "
                         "expected three for split3, else one, and a whole number: "
                         "change it")
    try:
        pattern = re.compile(match)
        for template in templates:
            pattern.sub(template, "")              # checks the groups that it names
    except (re.error, IndexError) as error:
        raise ValueError(f"{where} has match {match!r} and to {to!r} ({error}), "
                         "expected a regular expression and its groups: change it"
                         ) from None
    return Rule(pattern, templates, ops, axis)


# ----------------------------------------------------------------------- renaming

def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """Return the known names that are spelled most like this one, best first."""
    found = difflib.get_close_matches(name, list(known), count, 0)
    return ", ".join(map(escaped, found)) or "none"


def rename(rules: Rules, tensors: Mapping[str, np.ndarray], case: Case) -> dict:
    """Return {pack name: array} of what a candidate gave for a case.

    Raises:
        CandidateError: an operation does not fit an array; two tensors have one name in
            the end; or a name is none of the pack's.
    """
    heads = BertConfig(**case.config).num_attention_heads
    named = [(name, name, np.asarray(x)) for name, x in tensors.items()]
    for i, rule in enumerate(rules.rules, 1):
        named = [new for old in named for new in _applied(rule, i, rules, old, heads)]
    known = set(run(case))
    result: dict[str, np.ndarray] = {}
    origin: dict[str, str] = {}
    for first, name, x in named:
        name = fit(name, known)
        if name not in known and not (STEP.match(name) and
                                      parted(name)[1] in case.params):
            raise CandidateError(
                f"case {case.name}: {escaped(first)} is called {escaped(name)} in the "
                f"end, expected a name of the pack; nearest: {nearest(name, known)}: "
                f"add a rule to {rules.source}, or drop it there")
        if name in result:
            raise CandidateError(
                f"case {case.name}: {escaped(origin[name])} and {escaped(first)} are "
                f"both called {escaped(name)} in the end, expected one: change a rule "
                f"of {rules.source}, or drop one of them")
        result[name], origin[name] = x, first
    return result


def check_used(rules: Rules, names: Iterable[str]) -> None:
    """Refuse rules of which one applies to none of the names of all cases.

    Raises:
        CandidateError: such a rule is there.
    """
    named = sorted(set(names))
    for i, rule in enumerate(rules.rules, 1):
        if all(_new_names(rule, name) is None for name in named):
            raise CandidateError(
                f"rule {i} of {rules.source} matches no name: {rule.match.pattern}, "
                f"expected one; nearest: {nearest(rule.match.pattern, named)}: change "
                "or remove it")
        made = [(name, _new_names(rule, name)) for name in named]
        named = [new for name, news in made
                 for new in ([name] if news is None else news)]


def _applied(rule: Rule, number: int, rules: Rules, old, heads: int) -> list:
    """Return [(first name, name, array)] of what a rule makes of one tensor."""
    first, name, x = old
    names = _new_names(rule, name)
    if names is None:
        return [old]
    try:
        arrays = worked(x, rule.ops, rule.axis, heads) if names else []
    except ValueError as error:
        raise CandidateError(
            f"rule {number} of {rules.source}, for {escaped(name)}: {error}") from None
    return [(first, new, part) for new, part in zip(names, arrays)]


def _new_names(rule: Rule, name: str) -> list[str] | None:
    """Return what a rule calls a name: none if it drops it; None if it has no match."""
    prefix, body = parted(name)
    found = rule.match.fullmatch(body)
    if not found:
        return None
    return [prefix + found.expand(to) for to in rule.to if "drop" not in rule.ops]


def parted(name: str) -> tuple[str, str]:
    """Return what stands before a name, such as "grad:", and the name itself."""
    found = PREFIX.match(name)
    end = found.end() if found else 0
    return name[:end], name[end:]


def fit(name: str, known) -> str:
    """Return the name, with or without "bert.", that is known; else as it is."""
    prefix, body = parted(name)
    other = prefix + (body.removeprefix(BACKBONE) if body.startswith(BACKBONE)
                      else BACKBONE + body)
    return other if name not in known and other in known else name
