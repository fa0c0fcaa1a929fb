"""Whether a register can still be in each state as often as its steps need it to be. An addition to what is searched.

A step that changes a state to another ends a stay in the first. So, of the steps that are not placed yet, let

    ends      be the definite compare-and-sets that leave u and must be placed before some response
    begins    be the steps that lead to u, and were invoked before that response; and 1 if the state is u now

Each end ends a stay of its own, and each stay has a begin of its own, so there must be as many begins as ends. A read
of u that began after the responses of some of those ends needs one stay more than these. It is a necessary condition,
and cheap: one pass over the steps that are due. Where few writes of a value are open, the depth-first search otherwise
uses them up early, and finds out thousands of configurations later.

    visits = Visits(steps, limits, doubtful)
    visits.lacking(number, state, mask, used, until)    nothing gets from this configuration past the limit `until`

Limits: only for objects whose actions each need one state, or any, and leave behind one (`Steps.moves`).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from checkers.linearizability.limits import Doubtful, Limits
from checkers.linearizability.steps import Steps

HORIZON: Final = 64
"""How many limits are looked ahead."""
REMEMBERED: Final = 10_000


class Visits:
    """Counts stays in states.

    Attributes:
        begins, ends, sees: of each action, the state in which it begins a stay, ends one, or that it sees; -1 for none.
    """

    def __init__(self, steps: Steps, at: Limits, doubtful: Doubtful) -> None:
        assert steps.moves is not None
        self.action, self.invoke, self.at, self.doubtful = steps.action, steps.invoke, at, doubtful
        changes = [
            not observes and needs != leaves
            for (needs, leaves), observes in zip(steps.moves, steps.observes, strict=True)
        ]
        self.begins = [leaves if change else -1 for (_, leaves), change in zip(steps.moves, changes, strict=True)]
        self.ends = [needs if change else -1 for (needs, _), change in zip(steps.moves, changes, strict=True)]
        self.sees = [
            needs if observes else -1 for (needs, _), observes in zip(steps.moves, steps.observes, strict=True)
        ]
        self.states = max([steps.initial, *self.begins, *self.ends, *self.sees]) + 2  # the last one is for -1

        self._told: dict[tuple[int, int], list[int]] = {}

    def lacking(self, number: int, state: int, mask: int, used: int, until: int) -> bool:
        """Whether some state is needed more often than it can come about, up to a limit."""
        at, action, invoke, begins, ends, sees = self.at, self.action, self.invoke, self.begins, self.ends, self.sees
        until = min(until + 1, number + HORIZON)
        come = self._doubtful(used, at.limits[until - 1])
        come[state] += 1
        for _, bit, kind, _ in at.movers[number]:
            if not mask & bit:
                come[begins[kind]] += 1
        left: list[list[int]] = [[] for _ in come]
        place, opened = at.arrived[number], at.limits[number]
        for limit in range(number, until):
            for step in at.definite[place : at.arrived[limit]]:
                come[begins[action[step]]] += 1
            place = at.arrived[limit]
            step = at.due[limit]
            kind = action[step]
            if invoke[step] < opened and mask & at.bits[limit]:
                continue  # placed
            if ends[kind] >= 0:
                gone = left[ends[kind]]
                gone.append(limit)
                if len(gone) > come[ends[kind]]:
                    return True
            elif sees[kind] >= 0:
                gone = left[sees[kind]]
                if len(gone) >= come[sees[kind]] and self._ended(gone, invoke[step]) >= come[sees[kind]]:
                    return True
        return False

    def _ended(self, gone: list[int], moment: int) -> int:
        """How many of some ends must have been placed before a moment."""
        limits = self.at.limits
        return bisect_left(gone, moment, key=limits.__getitem__)

    def _doubtful(self, used: int, limit: int) -> list[int]:
        """A new list: how many doubtful steps that are left, and were invoked before a limit, lead to each state."""
        known = self._told.get((used, limit))
        if known is not None:
            return known.copy()
        if len(self._told) > REMEMBERED:
            self._told.clear()
        come = [0] * self.states
        for (shift, kind, _), moments in zip(self.doubtful.actions, self.doubtful.moments, strict=True):
            count = used >> shift & Doubtful.ONES
            come[self.begins[kind]] += max(0, bisect_left(moments, limit) - count)
        self._told[used, limit] = come
        return come.copy()
