"""Scopes: how a block finds its parameters, and where its backward leaves gradients.

Every block of this room is written with five short names:

    p        a scope over the parameters: p["weight"] is one of them, p.at("dense") is
             the scope one level down
    g        the same scope over the gradients: g.add("weight", dw) adds to one
    run.ops  the leaf operations: p.run.ops.softmax in a forward, and
             g.run.ops.softmax_backward in its backward; they come from ops,
             activations and losses, unless another table stands in for these
    tap      p.tap("probs", probs) shows a value to whoever traces the run, and
             g.tap("probs", dprobs) its gradient; untraced, it costs nothing
    saved    what a forward hands to its own backward, and to nobody else
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

from . import activations, losses, ops

# The table of leaf operations: each one and its backward, nothing else.  Every block
# asks its run for them, so any table with these names can take the place of this one.
NUMPY = SimpleNamespace(**{
    op: found[op] for found in map(vars, (activations, ops, losses)) for name in found
    if f"{name}_backward" in found for op in (name, f"{name}_backward")})


class Run(NamedTuple):
    """What all scopes of one forward or backward pass share."""

    config: Any
    ops: Any = NUMPY
    rng: Any = None             # a generator turns dropout on
    traces: tuple = ()          # who listens to the taps
    keep: bool = False          # whether a backward will follow
    attend: Any = None          # computes attention; None: `attend`, step by step
    attend_backward: Any = None     # and this its backward
    call: Any = None            # calls a block of the stack; None: as any function
    once: bool = False          # whether backward may use up what forward kept
    hand_on: Any = None         # takes {name: gradient} of each layer, then of the rest


class Scope:
    """A view of a flat {name: array} dict under one prefix, within a run."""

    __slots__ = ("arrays", "run", "prefix")

    def __init__(self, arrays: dict, run: Run, prefix: str = ""):
        self.arrays, self.run, self.prefix = arrays, run, prefix

    def at(self, name: str) -> "Scope":
        """Return the scope one or more levels down: p.at("attention.self")."""
        return Scope(self.arrays, self.run, f"{self.prefix}{name}.")

    def call(self, name: str, block, *arguments):
        """Run a block one or more levels down: block(p.at(name), *arguments)."""
        call = self.run.call
        return block(self.at(name), *arguments) if call is None else \
            call(block, self.at(name), *arguments)

    def __getitem__(self, name: str):
        return self.arrays[self.prefix + name]

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self.arrays

    def add(self, name: str, gradient) -> None:
        """Add to a gradient, so that a parameter used twice gets the sum."""
        name = self.prefix + name
        if name in self.arrays:
            self.arrays[name] += gradient
        else:
            self.arrays[name] = gradient

    def tap(self, name: str, value) -> None:
        """Show a value to every trace of this run."""
        for trace in self.run.traces:
            trace.record(self.prefix + name, value)

    def done(self, name: str, saved: list) -> None:
        """End the backward of a block, the last one of those that `saved` is for.

        In a run that goes backward once, its part of `saved` is dropped.
        """
        if self.run.once:
            saved.pop()
        self.at(name).hand_on()

    def hand_on(self) -> None:
        """Hand the gradients of this scope on, if somebody takes them as they come."""
        if self.run.hand_on is not None:
            whole = {name: gradient for name, gradient in self.arrays.items()
                     if name.startswith(self.prefix) and gradient is not None}
            self.arrays.update(dict.fromkeys(whole))         # None: it is elsewhere
            self.run.hand_on(whole)

    def saved(self, *parts):
        """Return what a block keeps for its backward; None if there will be none."""
        return parts if self.run.keep else None
