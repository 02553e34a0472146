"""Bugs as data: numbert with a mistake put into it.

    bug = Mutant("C4-unbiased", "variance over C - 1", module="LayerNorm", edits=(
        ("bert.ops.layer_norm", "/ x.shape[-1]", "/ (x.shape[-1] - 1)"),))
    mutated_run(bug, make_case("model"))    # what a BERT with this bug would compute

A mistake is a change of numbert's own text, of the weights, or of the inputs.  So the
table of bugs in zoo has a line or two for each, and a bug serves twice: to test that
the comparison sees it, and to recognise it in somebody's program.
"""

from __future__ import annotations

import functools
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..bert.scope import NUMPY
from .cases import Case
from .run import PARAMETER, run

KINDS = ("forward", "weights", "inputs", "loss", "backward", "optimiser", "masking",
         "tokenizer", "random", "variant", "equivalent")
PROBED_ALONE = ("masking", "tokenizer")     # of which no case has anything to show
PACKAGE = __name__.split(".")[0]
# Differences below these shares, of a tensor and of the largest one of its kind, are
# rounding: float64 has 2e-16, and the largest scores make 4e-13 of that.
SHARE, FLOOR = 1e-10, 1e-13


class Mutant(NamedTuple):
    """One bug.

    A bug that no case can show, such as one of the tokenizer, has a probe: a function
    without arguments whose result is another with the bug than without it.
    """

    id: str                     # that of the catalogue, and what tells it from others
    title: str                  # what is wrong, in one line
    edits: tuple = ()           # of (function, old text, new text)
    params: Callable[[dict], dict] | None = None    # {name: array} -> as it loads them
    inputs: Callable[[dict], dict] | None = None    # forward's arguments -> as read
    kind: str = "forward"       # one of KINDS
    module: str = ""            # matches names of the step that goes wrong; "": none
    match: Callable | None = None   # (tensor, the right one) -> whether this bug did it
    probe: Callable | None = None

    @property
    def bug(self) -> str:
        """The id of its entry in the catalogue."""
        return self.id.split("-")[0]

    def __repr__(self) -> str:
        return f"<mutant {self.id}: {self.title}>"


# ------------------------------------------------------------------- changing text

def found(name: str) -> Any:
    """Return a function by its name within the package: "bert.ops.softmax".

    Raises:
        ValueError: there is none in a module that is loaded.
    """
    parts = name.split(".")
    for i in reversed(range(1, len(parts))):
        value = sys.modules.get(".".join([PACKAGE, *parts[:i]]))
        for part in parts[i:]:
            value = value and inspect.getattr_static(value, part, None)
        if value:
            return value
    raise ValueError(f"an edit names {name!r}, expected a function of {PACKAGE}, as in "
                     "'bert.ops.softmax': check the spelling")


@functools.cache
def edited(name: str, edits: tuple):
    """Return a function, and the same function after edits ((old, new), ...).

    Raises:
        ValueError: there is no such function, or an old text does not occur exactly
            once.
    """
    function = found(name)
    if not isinstance(function, types.FunctionType) or function.__closure__:
        raise ValueError(f"an edit names {name!r}, expected a plain function or method "
                         "that has no closure: edit the one around it")
    source = textwrap.dedent(inspect.getsource(function))
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(f"{old!r} occurs {source.count(old)} times in {name}, "
                             "expected once: bring the edit up to date with the text")
        source = source.replace(old, new)
    flags = function.__code__.co_flags & annotations.compiler_flag
    code = compile(source, f"<{name}, with a bug>", "exec", flags, dont_inherit=True)
    body, = (x for x in code.co_consts if isinstance(x, types.CodeType))
    changed = types.FunctionType(body, function.__globals__, function.__name__,
                                 function.__defaults__)
    changed.__kwdefaults__ = function.__kwdefaults__
    changed.__dict__.update(vars(function))
    return function, changed


def as_list(mutants) -> list[Mutant]:
    """Return one mutant, or several, as a list."""
    return [mutants] if isinstance(mutants, Mutant) else list(mutants)


def changes(mutants) -> dict:
    """Return {id of a function: (the function, the same with the bugs)}."""
    edits: dict[str, list] = {}
    for mutant in as_list(mutants):
        for name, old, new in mutant.edits:
            edits.setdefault(name, []).append((old, new))
    pairs = [edited(name, tuple(edits[name])) for name in edits]
    return {id(function): (function, changed) for function, changed in pairs}


def fit(mutants) -> bool:
    """Whether several bugs can be put in together: no edit takes another's text."""
    try:
        changes(mutants)
        return True
    except (ValueError, SyntaxError):
        return False


# ------------------------------------------------------------------------ swapping

@contextmanager
def patched(mutants):
    """Put bugs into numbert, for the time of a `with` block.

    Each edited function is swapped wherever numbert's loaded modules hold it: by name,
    in a class, in a table such as NUMPY or OPTIMIZERS, or as another's default.  All of
    it is undone at the end, whatever happens.  Other threads see the bugs too.

    Args:
        mutants: a Mutant or several; their `edits` are what is put in.
    """
    swaps = changes(mutants)
    undo: list[tuple] = []
    try:
        for target, name, value in found_all(places(swaps), swaps):
            undo.append((target, name, value))
            put(target, name, swapped(value, swaps))
        yield
    finally:
        for target, name, value in reversed(undo):
            put(target, name, value)


def found_all(held: list[tuple], swaps: dict) -> list[tuple]:
    """Return the places, once it is known that each function has one.

    Raises:
        ValueError: a function has none, since another `patched` has swapped it.
    """
    there = {id(value) for _, _, value in held}
    for number, (function, _) in swaps.items():
        if number not in there:
            raise ValueError(f"{function.__qualname__} has a bug already, expected the "
                             "function as it is: give both bugs to one `patched`")
    return held


def places(swaps: dict) -> list[tuple]:
    """List (holder, name, value) of all that holds one of the functions."""
    if not swaps:
        return []
    loaded = tuple((name, len(vars(module))) for name, module in own_modules())
    return [(holder, name, value) for holder, name in slots(loaded)
            if id(value := current(holder, name)) in swaps or
            isinstance(value, tuple) and swapped(value, swaps) is not value]


def own_modules() -> list[tuple]:
    """Return (name, module) of all that is loaded of this package."""
    return [(name, module) for name, module in list(sys.modules.items())
            if f"{name}.".startswith(f"{PACKAGE}.")]


@functools.lru_cache(1)
def slots(loaded: tuple) -> list[tuple]:
    """List (holder, name) of all that holds a function, once for what is loaded."""
    out, seen = [], set[int]()
    waiting: list[Any] = [module for _, module in own_modules()]
    while waiting:
        holder = waiting.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for name, value in list(content(holder)):
            if holds_function(value):
                out.append((holder, name))
            if is_own(value):
                waiting.append(value)
    return out


def holds_function(value) -> bool:
    """Whether a value is a function of this package, or a tuple that has one in it."""
    if isinstance(value, tuple):
        return any(map(holds_function, value))
    return isinstance(value, types.FunctionType) and is_own(value)


def current(holder, name):
    """Return what a holder holds now under a name; None if nothing."""
    if isinstance(holder, types.FunctionType):
        return getattr(holder, name)
    return (holder if isinstance(holder, dict) else vars(holder)).get(name)


def content(holder) -> Iterable[tuple]:
    """Return the (name, value) pairs that a holder of functions has."""
    if isinstance(holder, types.FunctionType):
        return ("__defaults__", holder.__defaults__), \
            ("__kwdefaults__", holder.__kwdefaults__)
    return holder.items() if isinstance(holder, dict) else vars(holder).items()


def is_own(value) -> bool:
    """Whether a value may hold functions of numbert, and is to be searched."""
    if isinstance(value, (dict, types.SimpleNamespace)):
        return True
    return isinstance(value, (type, types.FunctionType)) and \
        f"{value.__module__}.".startswith(f"{PACKAGE}.")


def swapped(value, swaps: dict):
    """Return a value with the functions swapped, or itself if it holds none.

    Tuples are searched too: the terms of a model's loss are such.
    """
    if id(value) in swaps:
        return swaps[id(value)][1]
    if isinstance(value, tuple):
        new = [swapped(x, swaps) for x in value]
        if any(x is not y for x, y in zip(new, value)):
            return type(value)._make(new) if hasattr(value, "_make") else tuple(new)
    return value


def put(holder, name, value) -> None:
    """Write into a module, a class, a namespace, a function or a dict."""
    if isinstance(holder, dict):
        holder[name] = value
    else:
        setattr(holder, name, value)


# ----------------------------------------------------------------------- computing

def mutated_run(mutants, case: Case, given=None, dtype="float64", ops=NUMPY,
                **options) -> dict:
    """Return {name: array} of a case, as numbert with these bugs computes it.

    Args:
        mutants: a Mutant or several.
        case: one of the cases.
        given: tensors to go on with, as in `run.run`.
        dtype: the precision.
        ops: the table of leaf operations.  An entry that is numbert's own function
            gets the bug; so does one that calls NUMPY's.
        **options: other arguments of `run.run`.
    """
    mutants = as_list(mutants)
    for mutant in mutants:
        if mutant.params is not None:
            case = case._replace(params=loaded(mutant, case))
        if mutant.inputs is not None:
            case = case._replace(inputs=mutant.inputs(dict(case.inputs)))
    with patched(mutants), np.errstate(all="ignore"):
        swaps = changes(mutants)
        table = ops if ops is NUMPY else types.SimpleNamespace(
            **{name: swapped(op, swaps) for name, op in vars(ops).items()})
        return run(case, None, dtype, table, given, **options)


def loaded(mutant: Mutant, case: Case) -> dict:
    """Return the weights as a mutant loads them, of the same names, shapes and dtype.

    Raises:
        ValueError: it gives other names or shapes.
    """
    assert mutant.params is not None
    new = {name: np.ascontiguousarray(x) for name, x in
           mutant.params(dict(case.params)).items()}
    shapes, asked = ({name: x.shape for name, x in arrays.items()}
                     for arrays in (new, case.params))
    wrong = [name for name in {**asked, **shapes}
             if shapes.get(name) != asked.get(name)]
    if wrong:
        raise ValueError(f"{mutant.id} changes the names or shapes of {wrong[0]}, "
                         "expected those of the case: change values only")
    return new


def size(x) -> float:
    """Return the root mean square of an array."""
    return float(np.sqrt(np.mean(np.square(x)))) if np.size(x) else 0.0


def sort_of(name: str) -> str:
    """Return which tensors a tensor's rounding errors are like."""
    return next((start for start in ("grad:", PARAMETER) if name.startswith(start)), "")


def differing(right: dict, wrong: dict) -> list[str]:
    """Return the names of the tensors that differ by more than float64's rounding.

    A gradient that is zero but for rounding differs if it is not small beside the
    largest of its kind.
    """
    floors: dict[str, float] = {}
    for name, x in right.items():
        sort = sort_of(name)
        floors[sort] = max(floors.get(sort, 0.0), FLOOR * size(x))

    def differs(name, x):
        if name not in wrong or wrong[name].shape != x.shape:
            return True
        with np.errstate(all="ignore"):         # what is not finite differs
            error = size(wrong[name] - x)
        return not error <= SHARE * size(x) + floors[sort_of(name)]

    return [name for name, x in right.items() if differs(name, x)]


def effects(case: Case, mutants: Iterable[Mutant]) -> dict[str, list[str]]:
    """Return {id: names of the tensors of a case that each mutant changes}, in order.

    Mutants that only a probe can show change nothing here.
    """
    right = run(case)
    return {mutant.id: [] if mutant.kind in PROBED_ALONE else
            differing(right, mutated_run(mutant, case)) for mutant in mutants}


def probe_differs(mutant: Mutant) -> bool:
    """Whether the probe of a mutant has another result with the bug than without."""
    assert mutant.probe is not None
    right = mutant.probe()
    with patched(mutant), np.errstate(all="ignore"):
        wrong = mutant.probe()
    return not same(right, wrong)


def same(a, b) -> bool:
    """Whether two results of a probe are equal to the bit: arrays, numbers, lists."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (np.ndarray, np.number)):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return a == b
