"""Why a register is not linearizable: a rule, and the steps that break it.

unwritten-value  (step)                a value was seen that nobody ever wrote
double-cas       (step, step)          two compare-and-sets replaced the same value, which was written once
cas-cycle        (steps)               compare-and-sets that each need another of them first
chain-order      (first, then)         `first` must precede `then`, but began after that had ended
blocks           (a, b, c, d)          a ended before b began, c before d; a and d are on one chain, b and c on another
search           (steps)               these steps have no legal order, whatever else happened
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from checkers.linearizability.register import Register


@dataclass(frozen=True)
class Refutation:
    """See the module docstring.

    Attributes:
        rule: its name; steps: numbers of steps, -1 for the write of the initial value; culprit: what gives it away.
        register: whose steps.
        since: for "search": event before which nothing is looked at but the states it may have left.
        until: the event at which there is no way out any more.
        states: for "search": the states possible at the start of what is shown.
        shown: which of the steps to show, where the proof is long; () for all.
        states_at: event → the states possible just before it; given where `register` is only a part of one.
    """

    rule: str
    steps: tuple[int, ...]
    culprit: int
    register: Register = field(repr=False)
    since: int = 0
    until: int = -1
    states: tuple[int, ...] = ()
    shown: tuple[int, ...] = ()
    states_at: Callable[[int], tuple[int, ...]] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.until < 0:
            ends = [self.register.response[step] for step in self.steps if step >= 0]
            object.__setattr__(self, "until", max(ends))
