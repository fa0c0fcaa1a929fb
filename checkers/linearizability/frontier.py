"""All configurations at once, event by event: the first response that none survives is the earliest violation.

Just-in-time linearization (Lowe, 2017): nothing is placed before some response needs it. A configuration is the state
and which open steps are placed. Steps that perhaps never happened are counted by what they do; a configuration that
used fewer of them can do all that one with more can, so only the minimal counts are kept.

With `beam`, only so many counts per configuration are kept: then survival is still proof, and death says nothing.

A search can also be given a window: the states possible at its start, and which of its steps must happen. Steps that
need not happen, but whose response is known, may be placed until then. That is how small proofs are found and checked.

    search = frontier(register)        a generator that pauses after every PAUSE configurations
    result = its return value          list[int], a legal order (empty for a window); Dead; or None: gave up

Limits: at most MEMORY configurations at one response, then it gives up.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from typing import Any, Final

from checkers.linearizability.depth_first import Dead
from checkers.linearizability.register import NEVER, NO_VALUE, NOT, READ, WRITE, Register, after

PAUSE: Final = 2_000
MEMORY: Final = 300_000
EFFORT: Final = 200_000
"""Configurations that `states_reached` looks at."""
_WIDTH: Final = 24
"""Bits for one count; the highest of them stays clear, to compare all counts in one subtraction."""

Path = Any
"""(path before, step, event at which it was placed), or None."""


@dataclass(frozen=True)
class Window:
    """Which part of a register to look at.

    Attributes:
        states: what the state may be at the start.
        steps: which steps; must: those of them that certainly happened in the window.
        until: events after this one are not looked at.
    """

    states: Collection[int]
    steps: Collection[int]
    must: Collection[int]
    until: int = NEVER


def whole(register: Register) -> Window:
    """The register from start to end."""
    definite = {step for step, end in enumerate(register.response) if end != NEVER}
    return Window((register.initial,), range(len(register)), definite)


def frontier(
    register: Register, window: Window | None = None, beam: int = 0
) -> Generator[None, None, list[int] | Dead | None]:
    """See the module docstring. `beam` 0 keeps every minimal count."""
    search = _Frontier(register, window or whole(register), beam)
    survived = yield from search.run()
    if window is not None or not isinstance(survived, _Survived):
        return [] if isinstance(survived, _Survived) else survived
    return _order(register, survived.path)


def states_reached(register: Register, window: Window) -> tuple[int, ...]:
    """The states that are possible at the end of a window; () when they are too many to look at."""
    search = _Frontier(register, window, 0)
    for _ in search.run():
        if search.work_done > EFFORT:
            return ()
    return search.states()


@dataclass(frozen=True)
class _Survived:
    """The mutators that were placed, by the configuration that used the fewest doubtful ones."""

    path: Path


@dataclass
class _Class:
    """Open steps of equal effect; of doubtful ones only their number matters."""

    kind: int
    expected: int
    produced: int
    open: list[tuple[int, int, int]] = field(default_factory=list)  # (response, bit, step), by response
    doubtful: list[int] = field(default_factory=list)
    shift: int = -1


class _Frontier:
    def __init__(self, register: Register, window: Window, beam: int) -> None:
        self.register, self.window, self.beam = register, window, beam
        self.must = window.must
        self.classes: dict[tuple[int, int, int, bool], _Class] = {}
        self.bit: dict[int, int] = {}
        self.free: list[int] = []
        self.reads: dict[int, int] = {}  # value → bits of the open reads of it
        self.refusals: dict[int, int] = {}  # value → bits of the open steps that want anything else
        self.configurations: dict[tuple[int, int], list[tuple[int, Path]]]
        self.configurations = {(state, 0): [(0, None)] for state in window.states}
        self.guards = 0
        self.counted = 0
        self.work_done = 0

    def run(self) -> Generator[None, None, _Survived | Dead | None]:
        for moment, step in self._events():
            if moment == self.register.invoke[step]:
                self._open(step)
            elif not (yield from self._respond(step, moment)):
                return None
            elif not self.configurations:
                return None if self.beam and self.counted else Dead(step)
        entry = min((entry for entries in self.configurations.values() for entry in entries), key=_used)
        return _Survived(entry[1])

    def _events(self) -> list[tuple[int, int]]:
        invoke, response, until = self.register.invoke, self.register.response, self.window.until
        events = [(invoke[step], step) for step in self.window.steps if invoke[step] <= until]
        events += [(response[step], step) for step in self.window.steps if response[step] <= until]
        return sorted(event for event in events if event[0] != NEVER)

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, step: int) -> None:
        register = self.register
        kind, expected, produced = register.kind[step], register.expected[step], register.produced[step]
        ends = register.response[step] <= self.window.until and register.response[step] != NEVER
        if kind in (READ, NOT):
            side = self.reads if kind == READ else self.refusals
            side[expected] = side.get(expected, 0) | self._take_bit(step)
            return
        effect = (kind, expected, produced, step in self.must)
        group = self.classes.setdefault(effect, _Class(kind, expected, produced))
        if ends:
            insort(group.open, (register.response[step], self._take_bit(step), step))
            return
        group.doubtful.append(step)
        if group.shift < 0:
            group.shift = self.counted * _WIDTH
            self.guards |= 1 << (group.shift + _WIDTH - 1)
            self.counted += 1

    def _take_bit(self, step: int) -> int:
        self.bit[step] = self.free.pop() if self.free else 1 << len(self.bit)
        return self.bit[step]

    def _close(self, step: int) -> None:
        register, bit = self.register, self.bit.pop(step)
        kind, expected = register.kind[step], register.expected[step]
        if kind in (READ, NOT):
            side = self.reads if kind == READ else self.refusals
            side[expected] &= ~bit
            if not side[expected]:
                del side[expected]
        else:
            effect = (kind, expected, register.produced[step], step in self.must)
            self.classes[effect].open.remove((register.response[step], bit, step))
            if not self.classes[effect].open and not self.classes[effect].doubtful:
                del self.classes[effect]
        self.free.append(bit)

    def _right(self, state: int) -> int:
        """Bits of the open observers that are right in a state."""
        right = self.reads.get(state, 0)
        for value, bits in self.refusals.items():
            if value != state:
                right |= bits
        return right

    def _respond(self, step: int, moment: int) -> Generator[None, None, bool]:
        """Keep what can have placed the step by now; False when that became too much to hold."""
        bit = self.bit[step]
        kept: dict[tuple[int, int], list[tuple[int, Path]]] = {}
        todo: list[tuple[int, int, int, Path]] = []
        seen: dict[tuple[int, int], list[tuple[int, Path]]] = {}
        size = 0
        for (state, mask), entries in self.configurations.items():
            for used, path in entries:
                if step not in self.must:
                    self._insert(kept.setdefault((state, mask & ~bit), []), (used, path))
                size += self._add(seen, todo, (state, mask | self._right(state), used, path), bit)
        while todo:
            state, mask, used, path = todo.pop()
            if all(other != used for other, _ in seen[state, mask]):  # a better one came meanwhile
                continue
            for placed, state_after, mask_after, used_after in self._next(state, mask, used):
                mask_after |= self._right(state_after)
                size += self._add(seen, todo, (state_after, mask_after, used_after, (path, placed, moment)), bit)
            self.work_done += 1
            if self.work_done % PAUSE == 0:
                yield
            if size > MEMORY:
                return False
        for (state, mask), entries in seen.items():
            if mask & bit:
                target = kept.setdefault((state, mask & ~bit), [])
                for entry in entries:
                    self._insert(target, entry)
        self._close(step)
        self.configurations = kept
        return True

    def _next(self, state: int, mask: int, used: int) -> list[tuple[int, int, int, int]]:
        """(step, state, mask, used) of what may be placed next."""
        found = []
        for group in self.classes.values():
            if group.kind != WRITE and group.expected != state:
                continue
            for _, bit, step in group.open:
                if not mask & bit:
                    found.append((step, group.produced, mask | bit, used))
                    break
            if group.doubtful and group.produced != state:
                count = used >> group.shift & ((1 << _WIDTH) - 1)
                if count < len(group.doubtful):
                    found.append((group.doubtful[count], group.produced, mask, used + (1 << group.shift)))
        return found

    def states(self) -> tuple[int, ...]:
        """The states that the configurations are in, or can get into by what is open."""
        todo = [(state, mask, used) for (state, mask), entries in self.configurations.items() for used, _ in entries]
        seen = set(todo)
        while todo and len(seen) <= EFFORT:
            for _, state, mask, used in self._next(*todo.pop()):
                if (state, mask, used) not in seen:
                    seen.add((state, mask, used))
                    todo.append((state, mask, used))
        return () if todo else tuple(sorted({state for state, _, _ in seen}))

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


def _order(register: Register, path: Path) -> list[int]:
    """The whole order: mutators as placed, and each observer in a state that was right while it was open."""
    placed: list[tuple[int, int]] = []
    while path is not None:
        path, step, moment = path
        placed.append((step, moment))
    placed.reverse()
    states = [register.initial, *(register.produced[step] for step, _ in placed)]
    begins = [-1, *(moment for _, moment in placed)]
    ends = [*begins[1:], NEVER]
    beside: list[list[tuple[int, int]]] = [[] for _ in states]
    for step, kind in enumerate(register.kind):
        if kind in (READ, NOT):
            number = bisect_right(ends, register.invoke[step])
            while after(states[number], kind, register.expected[step], NO_VALUE) == NO_VALUE:
                number += 1
            beside[number].append((max(register.invoke[step] + 1, begins[number]), step))
    order: list[int] = []
    for number, observers in enumerate(beside):
        order += [placed[number - 1][0]] if number else []
        order += [step for _, step in sorted(observers)]
    return order
