"""Whether a register can still be in each state as often as its steps need it to be. An addition to what is searched.

A step that changes a state to another ends a stay in the first. So, of the steps that are not placed yet, let

    ends      be the definite compare-and-sets that leave u and must be placed before some response
    begins    be the steps that lead to u, and were invoked before that response; and 1 if the state is u now

Each end ends a stay of its own, and each stay has a begin of its own, so there must be as many begins as ends. A read
of u that began after the responses of some of those ends needs one stay more than these. It is a necessary condition,
and cheap. Where few writes of a value are open, the depth-first search otherwise uses them up early, and finds out
thousands of configurations later.

    visits = Visits(steps, limits, doubtful)
    visits.lacking(number, state, mask, used, until)    nothing gets from this configuration past the limit `until`

A search comes to one limit with many sets of placed steps. So what each limit needs is worked out once, in the bits of
the steps that are open there; to ask is to count a few bits.

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

Need = tuple[int, int]
"""(begins that come later less ends that come later, open steps that end a stay): so many begins must be there now as
are missing."""
Needs = list[tuple[int, int, int, list[Need]]]
"""Of each state that may be needed too often: (state, steps that begin a stay there: those that are open, and how many
doubtful ones were invoked, what is needed)."""


class Visits:
    """Counts stays in states.

    Attributes:
        begins, ends, sees: of each action, the state in which it begins a stay, ends one, or that it sees; -1 for none.
        states: that come up, and one more, for -1.
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
        self.states = max([steps.initial, *self.begins, *self.ends, *self.sees]) + 2
        doubts = sorted(
            (moment, self.begins[kind])
            for (_, kind, _), moments in zip(doubtful.actions, doubtful.moments, strict=True)
            for moment in moments
        )
        self._moments, self._begun = [moment for moment, _ in doubts], [state for _, state in doubts]
        self._told: dict[int, list[int]] = {}
        self._needs: dict[int, tuple[int, Needs]] = {}

    def lacking(self, number: int, state: int, mask: int, used: int, until: int) -> bool:
        """Whether some state is needed more often than it can come about, up to a limit."""
        worked_out = self._needs.get(number)
        if worked_out is None or worked_out[0] != until:
            if len(self._needs) > REMEMBERED:
                self._needs.clear()
            worked_out = self._needs[number] = (
                until,
                self._needed(number, min(until + 1, number + HORIZON)),
            )
        doubts, left = self._doubts(used), ~mask
        for one, begins, invoked, needs in worked_out[1]:
            there = invoked - doubts[one] + (begins & left).bit_count() + (one == state)
            for later, ends in needs:
                if there + later < (ends & left).bit_count():
                    return True
        return False

    def _needed(self, number: int, until: int) -> Needs:
        """What is needed from one limit up to another, whatever of the steps that are open at the first is placed."""
        at, action, invoke, begins, ends, sees = self.at, self.action, self.invoke, self.begins, self.ends, self.sees
        opened = at.limits[number]
        begun, ended = [0] * self.states, [0] * self.states  # by steps that come later
        bits = [0] * self.states  # of open steps that end a stay
        past: list[list[tuple[int, int, int]]] = [[] for _ in begun]  # (limit, ended, bits) at each end
        least: list[dict[int, int]] = [{} for _ in begun]  # bits → how many are there at least
        place, doubt = at.arrived[number], bisect_left(self._moments, opened)
        for limit in range(number, until):
            moment = at.limits[limit]
            for step in at.definite[place : at.arrived[limit]]:
                begun[begins[action[step]]] += 1
            place = at.arrived[limit]
            while doubt < len(self._moments) and self._moments[doubt] < moment:
                begun[self._begun[doubt]] += 1
                doubt += 1
            step = at.due[limit]
            kind = action[step]
            is_open = invoke[step] < opened
            state = ends[kind]
            if state >= 0:
                if is_open:
                    bits[state] |= at.bits[limit]
                else:
                    ended[state] += 1
                past[state].append((moment, ended[state], bits[state]))
                _at_most(least[state], bits[state], begun[state] - ended[state])
            elif (state := sees[kind]) >= 0:
                if is_open:
                    _at_most(least[state], at.bits[limit], begun[state])
                else:
                    before = bisect_left(past[state], (invoke[step],))
                    _, gone, open_then = past[state][before - 1] if before else (0, 0, 0)
                    _at_most(least[state], open_then, begun[state] - gone - 1)
        beginning = self._beginning(number)
        needs = [(state, *beginning[state], _strictest(found)) for state, found in enumerate(least)]
        return [need for need in needs if need[3]]

    def _beginning(self, number: int) -> list[tuple[int, int]]:
        """Of each state, what begins a stay there at a limit: the open steps, as bits, and how many in doubt."""
        opened, invoked = [0] * self.states, [0] * self.states
        for _, bit, kind, _ in self.at.movers[number]:
            opened[self.begins[kind]] |= bit
        for (_, kind, _), moments in zip(self.doubtful.actions, self.doubtful.moments, strict=True):
            invoked[self.begins[kind]] += bisect_left(moments, self.at.limits[number])
        return list(zip(opened, invoked, strict=True))

    def _doubts(self, used: int) -> list[int]:
        """How many of the doubtful steps that are used led to each state."""
        known = self._told.get(used)
        if known is None:
            if len(self._told) > REMEMBERED:
                self._told.clear()
            known = self._told[used] = [0] * self.states
            for shift, kind, _ in self.doubtful.actions:
                known[self.begins[kind]] += used >> shift & Doubtful.ONES
        return known


def _at_most(least: dict[int, int], bits: int, later: int) -> None:
    """Note that not more than so many are there."""
    if later < bits.bit_count() and later < least.get(bits, later + 1):
        least[bits] = later


def _strictest(least: dict[int, int]) -> list[Need]:
    """Without those that others imply; the most demanding first."""
    needs = sorted((later - bits.bit_count(), later, bits) for bits, later in least.items())
    kept: list[Need] = []
    for _, later, bits in needs:
        if not any(other <= later and bits & others == bits for other, others in kept):
            kept.append((later, bits))
    return kept
