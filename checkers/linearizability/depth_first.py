"""Depth-first search for a legal order: quick to say yes.

After Wing and Gong (1993), with Lowe's memory of what was tried (2017). A step may come next if it was invoked before
the earliest response among the definite steps that are not placed yet (the limit). What keeps it short:

- an observer that is right now is placed at once: it can never change anything, so that can never be wrong (R1);
- of open steps of one action, only the one with the earliest response is tried (R2);
- steps that perhaps never happened come last, in one fixed order, and only if they change the state; those first that
  let the step due at the limit be taken (R3);
- of what can be taken, that comes first which leads the shortest way to a state in which the step due can be taken: so
  few steps are used up before they are due;
- in hard places, the visits to each state that are still needed are counted, and those that can come about: `visits`;
- when nothing open can lead to a state in which the step due can be taken, the search goes back at once to the choice
  that is to blame;
- what led nowhere is remembered as (limit, which open steps are placed, state), with the counts of doubtful steps used:
  with as many or more of each, it leads nowhere again (R4). This says as much as the set of all placed steps, stays
  small, and is looked at only where the search has been before.

A hasty search says yes or gives up. It uses doubtful steps only where they serve the step due, and only when nothing
else does, a few choices back: what was used without need is missing far later, and no way back is as long. And it
compares how many are used in all, not of which action. Where steps are in doubt, that is ten times quicker and more.

    search = depth_first(steps)      a generator that pauses after every PAUSE placements, and
                                     tells the event until which there is an order
    result = its return value        list[int], a legal order; Dead: none gets past this response; None: gave up

Limits: at most MEMORY remembered configurations, then it gives up.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from checkers.linearizability.limits import Doubtful, Lead, Limits, Mover, Option
from checkers.linearizability.near import FEW, Near, Ways
from checkers.linearizability.steps import NOWHERE, Row, Steps, order_of
from checkers.linearizability.visits import Visits

PAUSE: Final = 2_000
MEMORY: Final = 2_000_000
WINDOW: Final = 8
PATIENCE: Final = 20
"""How many choices back, and how often, a hasty search tries to do without more doubtful steps."""
EASY: Final = 20
"""So many configurations may lead nowhere before it counts visits to states as well."""
STATES: Final = 16
ACTIONS: Final = 64
"""Where a step may be out of the question: states that are looked at, and actions of an object, at most."""


@dataclass(frozen=True)
class Dead:
    """There is no legal order, already at the response of `step`."""

    step: int


Choice = tuple[int, int, int, int, int, list[Mover] | None, list[Option] | None]
"""A configuration that was left: (steps placed, limit, state, mask, used, steps left to try, doubtful ones left to
try); None where only the first was tried."""

Postponed = tuple[int, list[Choice], int, list[tuple[int, int]]]
"""(limit, last choices, steps placed before the first of them, steps placed since) where only doubt leads on."""


class _Search:
    """One search. A mask has the placed steps among those open at the limit.

    Attributes:
        placed: (step, limit at which it was placed), in order. choices: configurations that may be gone back to.
        furthest: the last limit at which it failed; failed: whether it did. dead: see `_bury`. led: see `_led`.
        waiting: whether doubtful steps are postponed, for as long as there is patience. base: the choice since when.
        floor: so many choices are left alone while something is postponed. seen: configurations that were postponed.
    """

    def __init__(self, steps: Steps, hasty: bool) -> None:
        self.steps, self.at, self.doubtful = steps, Limits(steps), Doubtful(steps)
        self.hasty = hasty
        self.placed: list[tuple[int, int]] = []
        self.furthest, self.failed = 0, False
        self.waiting, self.patience, self.base, self.floor = False, 0, 0, 0
        self.postponed: list[Postponed] = []
        self.seen: dict[int, int] = {}
        self.dead: dict[int, list[int]] = {}
        self.buried = 0
        self.choices: list[Choice] = []
        self.leading: dict[tuple[int, int], list[Lead]] = {}
        self.led: dict[tuple[int, int, int], Ways] = {}
        self.alike, self.many = steps.alike(), len(steps.observes) > ACTIONS
        self.visits = Visits(steps, self.at, self.doubtful) if steps.moves is not None else None
        few = self.visits is not None and self.visits.states <= FEW and not self.many
        self.near = Near(steps.rows, self.visits.states, len(steps.observes)) if self.visits and few else None
        self.hard = 0

    def run(self) -> Generator[int, None, bool | None]:
        """True: an order was found. False: there is none. None: gave up."""
        at, rows, placed, choices = self.at, self.steps.rows, self.placed, self.choices
        limits, bits, actions, movers, observers = at.limits, at.bits, at.actions, at.movers, at.observers
        number, end, pause, state, mask, used = 0, len(limits), PAUSE, self.steps.initial, 0, 0
        lazy, stretch = rows.lazy, self.steps.stretch
        if end:
            at.add()
        while number < end:
            row = rows[state]
            for action, open_bits in observers[number]:
                if row[action] != NOWHERE:
                    mask |= open_bits
            if mask & bits[number]:
                passed = number
                number, mask = self._pass(number, row, mask)
                if number == end:
                    break
                if lazy and stretch(limits[passed]) != stretch(limits[number]):
                    state = rows.closed(state)
                    row = rows[state]
            step = NOWHERE
            if number > self.furthest or not self._hopeless(number, state, mask, used):
                if row[actions[number]] != NOWHERE:
                    _, bit, action, step = movers[number][0]  # the step due
                    choices.append((len(placed), number, state, mask, used, None, None))
                else:
                    ways = self._ways(number, state, mask, used)
                    if ways is not None:
                        choices.append((len(placed), number, state, mask, used, None, None))
                        for _, bit, action, mover in movers[number]:
                            if not mask & bit and ways >> action & 1 and row[action] != NOWHERE:
                                step = mover
                                break
            if step == NOWHERE:
                if number > self.furthest or not self.failed:
                    self._fails_at(number)
                found = self._retreat()
                if found is None:
                    return None if self.hasty and self.doubtful.actions else False
                step, number, state, mask, used = found
            else:
                state, mask = row[action], mask | bit
            placed.append((step, limits[number]))
            pause -= 1
            if not pause:
                if self.buried > MEMORY:
                    return None
                pause = PAUSE
                yield limits[max(self.furthest, number)]
        return True

    def _pass(self, number: int, row: Row, mask: int) -> tuple[int, int]:
        """Move on past all limits whose step is placed, placing observers that arrive and are right."""
        at = self.at
        bits, arriving, end = at.bits, at.arriving, len(at.bits)
        while mask & bits[number]:
            mask ^= bits[number]
            number += 1
            if number == end:
                break
            if number == len(arriving):
                at.add()
            for action, bit in arriving[number]:
                if row[action] != NOWHERE:
                    mask |= bit
        return number, mask

    def _retreat(self) -> tuple[int, int, int, int, int] | None:
        """Go back to where something is left to try, and try it; (step, limit, state, mask, used) after it."""
        rows, choices = self.steps.rows, self.choices
        self.patience -= 1
        while True:
            if len(choices) <= self.floor or (self.waiting and self.patience < 0):
                self.waiting = False
                if self.postponed:
                    return self._take_up()
                if not self.floor:
                    return None
                self.floor = 0
                continue
            length, number, state, mask, used, movers, doubtful = choices.pop()
            row = rows[state]
            if doubtful is None:
                if movers is None:
                    movers = self._in_order(number, state, mask)
                    del movers[-1:]  # tried already
                if movers:
                    _, bit, action, step = movers.pop()
                    choices.append((length, number, state, mask, used, movers, None))
                    del self.placed[length:]
                    return step, number, row[action], mask | bit, used
                doubtful = self._in_doubt(number, state, row, used)
                if doubtful and self.waiting:
                    self._postpone((length, number, state, mask, used, movers, doubtful))
                    continue
            if doubtful:
                step, after, used_after = doubtful.pop()
                choices.append((length, number, state, mask, used, movers, doubtful))
                del self.placed[length:]
                return step, number, after, mask, used_after
            self._bury(number, state, mask, used)

    def _fails_at(self, number: int) -> None:
        """Note that the search fails further on than before; from here on, it may postpone doubtful steps."""
        self.furthest, self.failed, self.hard = number, True, self.buried + EASY
        self.postponed.clear()
        self.seen.clear()
        self.waiting, self.patience = self.hasty and bool(self.doubtful.actions), PATIENCE
        self.base = self.floor = max(0, len(self.choices) - WINDOW) if self.waiting else 0

    def _postpone(self, choice: Choice) -> None:
        """Come back later to a configuration that only doubtful steps lead on from."""
        length, number, state, mask, used = choice[:5]
        key, total = self._key(number, state, mask), used % Doubtful.ONES
        if self.seen.get(key, total + 1) > total:
            self.seen[key] = total
            kept = self.choices[self.base][0] if self.base < len(self.choices) else length
            self.postponed.append((number, [*self.choices[self.base :], choice], kept, self.placed[kept:length]))

    def _take_up(self) -> tuple[int, int, int, int, int]:
        """Use a doubtful step after all, as late as possible."""
        best = max(range(len(self.postponed)), key=lambda place: (self.postponed[place][0], -place))
        number, left, kept, placed = self.postponed[best]
        doubtful = left[-1][6]
        assert doubtful
        step, after, used = doubtful.pop()
        if not doubtful:
            del self.postponed[best]
        self.choices[self.base :] = [*left[:-1], (*left[-1][:6], [])]
        self.placed[kept:] = placed
        self.floor = len(self.choices)
        return step, number, after, left[-1][3], used

    def _in_doubt(self, number: int, state: int, row: Row, used: int) -> list[Option]:
        """The doubtful steps to try, best last: those that let the step due be taken."""
        due = self.at.actions[number]
        if (state, due) not in self.leading:
            self.leading[state, due] = self._leading(state, row, due)
        return self.doubtful.next_steps(self.leading[state, due], used, self.at.limits[number])

    def _leading(self, state: int, row: Row, due: int) -> list[Lead]:
        """The kinds of doubtful steps that change a state, best last."""
        rows = self.steps.rows
        found = [(*kind, row[kind[1]]) for kind in self.doubtful.actions if row[kind[1]] not in (NOWHERE, state)]
        serving = [lead for lead in found if rows[lead[3]][due] != NOWHERE]
        others = [] if self.hasty else [lead for lead in found if rows[lead[3]][due] == NOWHERE]
        return others[::-1] + serving[::-1]

    def _ways(self, number: int, state: int, mask: int, used: int) -> int | None:
        """Of the open actions that can be taken, those that lead the shortest way to a state in which the step due can.

        None where nothing leads there: then it went back to a choice after which something does.
        """
        if self.many:
            return -1
        open_actions = 0
        for _, bit, action, _ in self.at.movers[number]:
            if not mask & bit:
                open_actions |= 1 << action
        reached, ways = self._led(state, open_actions, self.at.actions[number])
        if not reached and self._starved(number, state, mask, used, open_actions):
            return None
        return ways[0] if ways else 0

    def _in_order(self, number: int, state: int, mask: int) -> list[Mover]:
        """Open steps that can be taken, one of each action; last, those that lead to the step due the shortest way."""
        row, due, open_actions, movers = self.steps.rows[state], self.at.actions[number], 0, []
        for mover in self.at.movers[number]:
            if not mask & mover[1] and not open_actions >> mover[2] & 1:
                open_actions |= 1 << mover[2]
                if row[mover[2]] != NOWHERE:
                    movers.append(mover)
        if self.many or row[due] != NOWHERE:
            return movers[::-1]
        _, ways = self._led(state, open_actions, due)
        return [mover for way in ways for mover in movers if way >> mover[2] & 1][::-1]

    def _led(self, state: int, actions: int, due: int) -> Ways:
        """How actions lead from a state to one where the action that is due can be taken; see `_find`."""
        key = (state, actions, self.alike[due])
        found = self.led.get(key)
        if found is None:
            if len(self.led) > MEMORY:
                self.led.clear()
            find = self._find if self.near is None else self.near.find
            found = self.led[key] = find(state, actions, due)
        return found

    def _find(self, state: int, actions: int, due: int) -> Ways:
        """Whether they lead there, however often they are taken; and those that can be taken now, shortest way first.

        Where too many states come up, it looks no further: yes, and no way is known to be shorter.
        """
        rows, after, todo = self.steps.rows, dict[int, set[int]](), [state]
        taken = [action for action in range(actions.bit_length()) if actions >> action & 1]
        now = {action: rows[state][action] for action in taken if rows[state][action] != NOWHERE}
        while todo:
            one = todo.pop()
            if one not in after:
                after[one] = {rows[one][action] for action in taken} - {NOWHERE}
                todo += after[one]
            if len(after) > STATES:
                return True, (sum(1 << action for action in now),) if now else ()
        near = {one for one in after if rows[one][due] != NOWHERE}
        ways, left = [], now
        while True:
            ways.append(sum(1 << action for action, to in left.items() if to in near))
            left = {action: to for action, to in left.items() if to not in near}
            further = {one for one in after if after[one] & near} - near
            if not further:
                break
            near |= further
        ways.append(sum(1 << action for action in left))
        return state in near, tuple(filter(None, ways))

    def _starved(self, number: int, state: int, mask: int, used: int, open_actions: int) -> bool:
        """Whether nothing leads to where the step due can be taken, nor does doubt; then, go back to where it can.

        Each open step may be taken any number of times for that; so what cannot lead there even so is out of the
        question, and so is every earlier choice after which, with all that was placed since, nothing leads there.
        """
        at, doubtful, bury = self.at, self.doubtful, self._bury
        due, limit = at.actions[number], at.limits[number]
        if doubtful.actions and self._led(state, open_actions | doubtful.available(used, limit), due)[0]:
            return False
        bury(number, state, mask, used)
        choices, placed, action_of = self.choices, self.placed, self.steps.action
        while choices:
            length, before, state, mask, used, _, _ = choices[-1]
            for step, _ in placed[length:]:
                open_actions |= 1 << action_of[step]
            del placed[length:]
            if self._led(state, open_actions | doubtful.available(used, limit), due)[0]:
                break
            bury(before, state, mask, used)
            choices.pop()
        return True

    def _hopeless(self, number: int, state: int, mask: int, used: int) -> bool:
        """Whether this configuration, or one that used less to get here, led nowhere."""
        key = self._key(number, state, mask)
        known = self.dead.get(key)
        if self.waiting and self.seen.get(key, 1 << 62) <= used % Doubtful.ONES:
            return True
        if known is None:
            if self.visits is None or self.buried < self.hard:
                return False
            return self.visits.lacking(number, state, mask, used, self.furthest)
        if self.hasty:
            return known[0] <= used % Doubtful.ONES
        guards = self.doubtful.guards
        used |= guards
        return any((used - other) & guards == guards for other in known)

    def _key(self, number: int, state: int, mask: int) -> int:
        """A configuration in one number, but for what it used."""
        return (state << 32 | number) << self.at.width | mask

    def _bury(self, number: int, state: int, mask: int, used: int) -> None:
        """Remember that a configuration led nowhere."""
        self.buried += 1
        known = self.dead.setdefault(self._key(number, state, mask), [])
        if self.hasty:
            known[:] = [used % Doubtful.ONES]  # the sum of the counts, as with the sum of digits and nine
            return
        guards = self.doubtful.guards
        known[:] = [other for other in known if ((other | guards) - used) & guards != guards]
        known.append(used)


def depth_first(steps: Steps, hasty: bool = False) -> Generator[int, None, list[int] | Dead | None]:
    """See the module docstring."""
    search = _Search(steps, hasty)
    found = yield from search.run()
    if found:
        return order_of(steps, search.placed)
    return None if found is None else Dead(search.at.due[search.furthest])
