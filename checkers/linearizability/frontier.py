"""All configurations at once, event by event: the first response that none survives is the earliest violation.

Just-in-time linearization (Lowe, 2017): nothing is placed before some response needs it. A configuration is the state
and which open steps are placed. Steps that perhaps never happened are counted by what they do; a configuration that
used fewer of them can do all that one with more can, so only the minimal counts are kept (R4; R1 to R3 as in `search`).

With `beam`, only so many counts per configuration are kept: then survival is still proof, and death says nothing.

A search can also be given a window: the states possible at its start, and which of its steps must happen. Steps that
need not happen, but whose response is known, may be placed until then. That is how small proofs are found and checked.
Where nothing is open, configurations are plain states; so states that were reached are where a window can start (R6).

    search = frontier(steps)           a generator that pauses after every PAUSE configurations, and
                                       tells the event until which there is an order
    result = its return value          list[int], a legal order (empty for a window); Dead; or None: gave up

Limits: at most MEMORY configurations at one response, then it gives up.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from typing import Final

from checkers.linearizability.depth_first import Dead
from checkers.linearizability.steps import NOWHERE, Path, Steps, order_of
from harness.history.operations import NEVER

PAUSE: Final = 2_000
MEMORY: Final = 300_000
EFFORT: Final = 200_000
"""Configurations that `states_reached` looks at."""
_WIDTH: Final = 24
"""Bits for one count; the highest of them stays clear, to compare all counts in one subtraction."""


@dataclass(frozen=True)
class Window:
    """Which part of an object's steps to look at.

    Attributes:
        states: what the state may be at the start.
        steps: which steps; must: those of them that certainly happened in the window.
        until: events after this one are not looked at.
    """

    states: Collection[int]
    steps: Collection[int]
    must: Collection[int]
    until: int = NEVER


def whole(steps: Steps) -> Window:
    """The steps from start to end."""
    definite = {step for step, end in enumerate(steps.response) if end != NEVER}
    return Window((steps.initial,), range(len(steps)), definite)


def frontier(
    steps: Steps, window: Window | None = None, beam: int = 0
) -> Generator[int, None, list[int] | Dead | None]:
    """See the module docstring. `beam` 0 keeps every minimal count."""
    search = _Frontier(steps, window or whole(steps), beam)
    survived = yield from search.run()
    if not isinstance(survived, _Survived):
        return survived
    return [] if window is not None else order_along(steps, survived.path)


def states_reached(steps: Steps, window: Window) -> tuple[int, ...]:
    """The states that are possible at the end of a window; () when they are too many to look at."""
    return reached(steps, window, EFFORT)[0] or ()


def reached(steps: Steps, window: Window, effort: int) -> tuple[tuple[int, ...] | None, int]:
    """The same, None when it takes more than so many configurations; and how many it took."""
    search = _Frontier(steps, window, 0)
    running = search.run()
    try:
        while search.work_done <= effort:
            next(running)
    except StopIteration as stop:
        found = search.states(effort) if isinstance(stop.value, _Survived) else () if stop.value else None
        return found, search.work_done
    return None, search.work_done


def exits(steps: Steps) -> Generator[int, None, list[tuple[int, Path]] | None]:
    """Every state in which an order of the steps can end, and the way there; None: gave up. For steps without doubt."""
    search = _Frontier(steps, whole(steps), 0)
    survived = yield from search.run()
    if isinstance(survived, _Survived):
        closed = steps.rows.closed
        return [(closed(state), entries[0][1]) for (state, _), entries in search.configurations.items()]
    return [] if survived else None


def order_along(steps: Steps, path: Path) -> list[int]:
    """The order that is such a way."""
    return order_of(steps, _placements(path))


def _placements(path: Path) -> list[tuple[int, int]]:
    placed: list[tuple[int, int]] = []
    while path is not None:
        path, step, moment = path
        placed.append((step, moment))
    placed.reverse()
    return placed


@dataclass(frozen=True)
class _Survived:
    """The movers that were placed, by the configuration that used the fewest doubtful ones."""

    path: Path


@dataclass
class _Class:
    """Open steps of one action; of doubtful ones only their number matters."""

    action: int
    open: list[tuple[int, int, int]] = field(default_factory=list)  # (response, bit, step), by response
    doubtful: list[int] = field(default_factory=list)
    shift: int = -1


class _Frontier:
    def __init__(self, steps: Steps, window: Window, beam: int) -> None:
        self.steps, self.window, self.beam = steps, window, beam
        self.must = window.must
        self.classes: dict[tuple[int, bool], _Class] = {}
        self.bit: dict[int, int] = {}
        self.free: list[int] = []
        self.observers: dict[int, int] = {}  # action → bits of its open steps
        self.configurations: dict[tuple[int, int], list[tuple[int, Path]]]
        self.configurations = {(state, 0): [(0, None)] for state in window.states}
        self.guards = 0
        self.counted = 0
        self.work_done = 0
        self.cuts: Cuts | None = None
        self.stretch_over = False

    def run(self) -> Generator[int, None, _Survived | Dead | None]:
        for moment, step in self._events():
            if moment == self.steps.invoke[step]:
                if self.stretch_over:
                    self._next_stretch()
                self._open(step)
            elif not (yield from self._respond(step, moment)):
                return None
            elif not self.configurations:
                return None if self.beam and self.counted else Dead(step)
            elif self.cuts is not None and not self.bit:
                self.cuts.add(moment, {self.steps.rows.closed(state) for state, _ in self.configurations})
        entry = min((entry for entries in self.configurations.values() for entry in entries), key=_used)
        return _Survived(entry[1])

    def _events(self) -> list[tuple[int, int]]:
        invoke, response, until = self.steps.invoke, self.steps.response, self.window.until
        events = [(invoke[step], step) for step in self.window.steps if invoke[step] <= until]
        events += [(response[step], step) for step in self.window.steps if response[step] <= until]
        return sorted(event for event in events if event[0] != NEVER)

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, step: int) -> None:
        action, response = self.steps.action[step], self.steps.response[step]
        ends = response <= self.window.until and response != NEVER
        if self.steps.observes[action]:
            if ends:
                self.observers[action] = self.observers.get(action, 0) | self._take_bit(step)
            return
        group = self.classes.setdefault((action, step in self.must), _Class(action))
        if ends:
            insort(group.open, (response, self._take_bit(step), step))
            return
        group.doubtful.append(step)
        if group.shift < 0:
            group.shift = self.counted * _WIDTH
            self.guards |= 1 << (group.shift + _WIDTH - 1)
            self.counted += 1

    def _next_stretch(self) -> None:
        """From here on, what is placed comes after what was placed before."""
        self.stretch_over, closed = False, self.steps.rows.closed
        configurations: dict[tuple[int, int], list[tuple[int, Path]]] = {}
        for (state, mask), entries in self.configurations.items():
            kept = configurations.setdefault((closed(state), mask), [])
            for entry in entries:
                self._insert(kept, entry)
        self.configurations = configurations

    def _take_bit(self, step: int) -> int:
        self.bit[step] = self.free.pop() if self.free else 1 << len(self.bit)
        return self.bit[step]

    def _close(self, step: int) -> None:
        action, bit = self.steps.action[step], self.bit.pop(step)
        if self.steps.observes[action]:
            self.observers[action] &= ~bit
            if not self.observers[action]:
                del self.observers[action]
        else:
            group = self.classes[action, step in self.must]
            group.open.remove((self.steps.response[step], bit, step))
            if not group.open and not group.doubtful:
                del self.classes[action, step in self.must]
        self.free.append(bit)

    def _right(self, state: int) -> int:
        """Bits of the open observers that are right in a state."""
        row, right = self.steps.rows[state], 0
        for action, bits in self.observers.items():
            if row[action] != NOWHERE:
                right |= bits
        return right

    def _respond(self, step: int, moment: int) -> Generator[int, None, bool]:
        """Keep what can have placed the step by now; False when that became too much to hold."""
        bit = self.bit[step]
        kept: dict[tuple[int, int], list[tuple[int, Path]]] = {}
        todo: list[tuple[int, int, int, Path]] = []
        seen: dict[tuple[int, int], list[tuple[int, Path]]] = {}
        right: dict[int, int] = {}
        size = 0
        for (state, mask), entries in self.configurations.items():
            if state not in right:
                right[state] = self._right(state)
            for used, path in entries:
                if step not in self.must:
                    self._insert(kept.setdefault((state, mask & ~bit), []), (used, path))
                size += self._add(seen, todo, (state, mask | right[state], used, path), bit)
        while todo:
            state, mask, used, path = todo.pop()
            if all(other != used for other, _ in seen[state, mask]):  # a better one came meanwhile
                continue
            for placed, state_after, mask_after, used_after in self._next(state, mask, used):
                if state_after not in right:
                    right[state_after] = self._right(state_after)
                mask_after |= right[state_after]
                size += self._add(seen, todo, (state_after, mask_after, used_after, (path, placed, moment)), bit)
            self.work_done += 1
            if self.work_done % PAUSE == 0:
                yield moment
            if size > MEMORY:
                return False
        for (state, mask), entries in seen.items():
            if mask & bit:
                target = kept.setdefault((state, mask & ~bit), [])
                for entry in entries:
                    self._insert(target, entry)
        self._close(step)
        self.configurations, self.stretch_over = kept, self.steps.rows.lazy
        return True

    def _next(self, state: int, mask: int, used: int) -> list[tuple[int, int, int, int]]:
        """(step, state, mask, used) of what may be placed next."""
        found = []
        row = self.steps.rows[state]
        for group in self.classes.values():
            after = row[group.action]
            if after == NOWHERE:
                continue
            for _, bit, step in group.open:
                if not mask & bit:
                    found.append((step, after, mask | bit, used))
                    break
            if group.doubtful and after != state:
                count = used >> group.shift & ((1 << _WIDTH) - 1)
                if count < len(group.doubtful):
                    found.append((group.doubtful[count], after, mask, used + (1 << group.shift)))
        return found

    def states(self, effort: int) -> tuple[int, ...] | None:
        """The states that the configurations are in, or can get into by what is open; None when they are too many."""
        todo = [(state, mask, used) for (state, mask), entries in self.configurations.items() for used, _ in entries]
        seen = set(todo)
        while todo and len(seen) <= effort:
            self.work_done += 1
            for _, state, mask, used in self._next(*todo.pop()):
                if (state, mask, used) not in seen:
                    seen.add((state, mask, used))
                    todo.append((state, mask, used))
        return None if todo else tuple(sorted({state for state, _, _ in seen}))

    # ── minimal counts ───────────────────────────────────────────────────────────────────────────────────────────────

    def _add(
        self,
        seen: dict[tuple[int, int], list[tuple[int, Path]]],
        todo: list[tuple[int, int, int, Path]],
        configuration: tuple[int, int, int, Path],
        bit: int,
    ) -> int:
        """Remember a configuration unless a better one is known; 1 if it is new."""
        state, mask, used, path = configuration
        if not self._insert(seen.setdefault((state, mask), []), (used, path)):
            return 0
        if not mask & bit:
            todo.append(configuration)
        return 1

    def _insert(self, entries: list[tuple[int, Path]], entry: tuple[int, Path]) -> bool:
        guards, used = self.guards, entry[0]
        for other, _ in entries:
            if ((used | guards) - other) & guards == guards:
                return False
        if entries:
            entries[:] = [other for other in entries if ((other[0] | guards) - used) & guards != guards]
        entries.append(entry)
        if self.beam and len(entries) > self.beam:
            entries.sort(key=_used)
            return entries.pop() is not entry
        return True


def _used(entry: tuple[int, Path]) -> int:
    """How many doubtful steps a configuration used."""
    counts, total = entry[0], 0
    while counts:
        total += counts & ((1 << _WIDTH) - 1)
        counts >>= _WIDTH
    return total


class Cuts:
    """The moments at which nothing definite was open, and the states that were possible then.

    Attributes:
        moments: events; a window may start at each. states: of each.

    Limits: ends with the last one that EFFORT configurations reach.
    """

    def __init__(self, steps: Steps, until: int, spent: Callable[[], bool]) -> None:
        self.moments: list[int] = [0]
        self.states: list[tuple[int, ...]] = [(steps.initial,)]
        certain = {step for step, end in enumerate(steps.response) if end <= until}
        search = _Frontier(steps, Window((steps.initial,), range(len(steps)), certain, until), 0)
        search.cuts = self
        for _ in search.run():
            if search.work_done > EFFORT or spent():
                break

    def add(self, moment: int, states: set[int]) -> None:
        """Note that after an event nothing is open."""
        self.moments.append(moment + 1)
        self.states.append(tuple(sorted(states)))
