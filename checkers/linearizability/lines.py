"""Queues and stacks for the searches: what is put in while everything is open together has no order until it comes out.

Steps of one *stretch*, between whose limits nothing was invoked, are all open at one moment: any two may change places.
So a search need not say in which order things were put in within a stretch. A state is a line of *batches*, one for
each stretch that put something in that is still there; a take gets any value of the batch that is next:

    enqueue 1, 2, 3 at a time           one state, {1 2 3}, instead of six
    dequeue → 2                         {1 3}
    a dequeue in doubt                  {1 3} less one of them: which one shows later, or does not matter

Twenty calls at a time are in thousands of states so, not in millions. When an order is found, what was put in within a
stretch changes places, so that every take gets what it got: `Lines.arranged`.

States that no take can tell apart are one: where more lies in front than all takes can get out, what is behind it is
forgotten, and values that no definite take returned are all the same. Where it is in
doubt whether such a value was put in, it was not.

    rows = Lines(calls, "enqueue", newest=False)    calls: one of each action
    initial = rows.begin(values, actions)           the actions of all steps that there are
    rows[state][action], rows.closed(state)         within a stretch; into the next one

Limits: as with other models, TooManyStatesError when what is kept grows beyond ELEMENTS.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final

from checkers.linearizability.steps import ALTERED, NOWHERE, Rows, Steps, TooManyStatesError
from checkers.models import UNKNOWN
from checkers.objects.calls import Call
from harness.history.operations import NEVER

ELEMENTS: Final = 20_000_000
"""Values in all states that a search may come upon, 2 for each batch and 8 for each state: 33 bytes each, 0.7 GB."""
_STATE: Final = 8

PUT: Final = 0
TAKE: Final = 1
ANY: Final = 2
EMPTY: Final = 3

_NOBODYS: Final = -1
"""Stands for all values that no definite take returned."""

Batch = tuple[int, tuple[int, ...]]
"""(how many of the values are gone, nobody knows which; the values by number, ascending)."""
Line = tuple[bool, tuple[Batch, ...]]
"""(whether the newest batch belongs to this stretch, the batches by age)."""


class Lines(Rows):
    """Where the actions of a queue or a stack lead.

    Attributes:
        kinds: of each action, (PUT, value), (TAKE, value), (ANY, 0) or (EMPTY, 0); values are numbers.
        newest: whether a take gets the newest value, as of a stack.
    """

    lazy = True

    def __init__(self, calls: Sequence[Call], put: str, newest: bool) -> None:
        super().__init__()
        self.newest = newest
        self.known: dict[Hashable, int] = {}
        self.names: list[Any] = []
        self.kinds = [self._kind(call, put) for call in calls]
        self.doubtful = [call.result is UNKNOWN for call in calls]
        self.states: list[Line] = []
        self.numbers: dict[Line, int] = {}
        self.size = 0
        self.initial: list[int] = []
        self.wildcards, self.takes = 0, 0
        self.taken: Counter[int] = Counter()

    def _kind(self, call: Call, put: str) -> tuple[int, int]:
        if call.f == put:
            return PUT, self._value(call.argument)
        if call.result is UNKNOWN:
            return ANY, 0
        return (EMPTY, 0) if call.result is None else (TAKE, self._value(call.result))

    def _value(self, value: Hashable) -> int:
        number = self.known.setdefault(value, len(self.known))
        if number == len(self.names):
            self.names.append(value)
        return number

    def begin(self, initial: Iterable[Any], actions: Iterable[int]) -> int:
        """The state of a line with these values; `actions` are those of all steps that there are."""
        for action in actions:
            kind, value = self.kinds[action]
            self.taken[value] += kind == TAKE
            self.wildcards += kind == ANY
        self.takes = self.wildcards + self.taken.total()
        self.initial = [self._value(value) for value in initial]
        return self._number(False, tuple((0, (self._shown(value),)) for value in self.initial))

    def _shown(self, value: int) -> int:
        """A value as states have it."""
        return value if self.taken[value] else _NOBODYS

    def leads(self, state: int, action: int) -> int:
        """See `Rows`."""
        kind, value = self.kinds[action]
        opened, batches = self.states[state]
        if kind == EMPTY:
            return NOWHERE if batches else state
        if kind == PUT:
            if self.doubtful[action] and not self.taken[value]:
                return NOWHERE  # it is not needed: whoever took it out need not have done so either
            if opened and batches:
                gone, values = batches[-1]
                return self._number(True, (*batches[:-1], _batch(gone, sorted((*values, self._shown(value))))))
            return self._number(True, (*batches, (0, (self._shown(value),))))
        if not batches:
            return NOWHERE
        gone, values = batches[-1 if self.newest else 0]
        if kind == ANY:
            gone += 1
        elif value in values:
            place = values.index(value)
            values = values[:place] + values[place + 1 :]
        else:
            return NOWHERE
        left = (_batch(gone, values),) if len(values) > gone else ()
        if self.newest:
            return self._number(opened and bool(left), (*batches[:-1], *left))
        return self._number(opened, (*left, *batches[1:]))

    def state(self, number: int) -> Any:
        """See `Rows`: known where nothing was forgotten, and the order of everything is known."""
        _, batches = self.states[number]
        seen = Counter(value for _, values in batches for value in values)
        stuck = sum(count - self.taken[value] for value, count in seen.items() if count > self.taken[value])
        if stuck > self.wildcards or seen.total() > self.takes or any(len(values) > 1 for _, values in batches):
            return ALTERED
        return ALTERED if seen[_NOBODYS] else tuple(self.names[values[0]] for _, values in batches)

    def closed(self, state: int) -> int:
        """The same state in the next stretch."""
        opened, batches = self.states[state]
        return self._number(False, batches) if opened else state

    def _number(self, opened: bool, batches: tuple[Batch, ...]) -> int:
        kept = self._within_reach(batches)
        if len(kept) < len(batches) and not self.newest:
            opened = False
        line = opened and bool(kept), kept
        number = self.numbers.setdefault(line, len(self.states))
        if number == len(self.states):
            self.states.append(line)
            self.size += _STATE + sum(2 + len(values) for _, values in kept)
            if self.size > ELEMENTS:
                raise TooManyStatesError
        return number

    def _within_reach(self, batches: tuple[Batch, ...]) -> tuple[Batch, ...]:
        """Without the batches behind others that all takes together cannot get out of the way."""
        seen: Counter[int] = Counter()
        size = stuck = 0
        for place, (gone, values) in enumerate(reversed(batches) if self.newest else batches):
            size += len(values) - gone
            stuck -= gone
            for value in values:
                seen[value] += 1
                stuck += value == _NOBODYS or seen[value] > self.taken[value]
            if stuck > self.wildcards or size > self.takes:
                return batches[-1 - place :] if self.newest else batches[: place + 1]
        return batches

    def excess(self, steps: Steps) -> int | None:
        """The first step by which a value was taken more often than anybody had begun to put it in."""
        puts: dict[int, list[int]] = {value: [-1] * count for value, count in Counter(self.initial).items()}
        taken: Counter[int] = Counter()
        for step, action in enumerate(steps.action):
            kind, value = self.kinds[action]
            if kind == PUT:
                puts.setdefault(value, []).append(steps.invoke[step])
        for step in sorted(range(len(steps)), key=steps.response.__getitem__):
            kind, value = self.kinds[steps.action[step]]
            if kind == TAKE and steps.response[step] != NEVER:
                moments = puts.get(value, ())
                if taken[value] == len(moments) or moments[taken[value]] > steps.response[step]:
                    return step
                taken[value] += 1
        return None

    def needed(self, actions: Sequence[int], given: Sequence[int], must: Iterable[int]) -> list[int]:
        """Of steps that need not have happened, those that can matter to what those do that must have."""
        kinds = self.kinds
        taken = {kinds[actions[step]][1] for step in must if kinds[actions[step]][0] == TAKE}
        return [step for step in given if kinds[actions[step]][0] != PUT or kinds[actions[step]][1] in taken]

    def arranged(self, order: Sequence[int], action: Sequence[int], stretches: Sequence[int]) -> list[int]:
        """An order in which every take gets what it got, from one that is right but for the order in stretches.

        Args:
            order: steps; action: of every step.
            stretches: the stretch of each place in the order.
        """
        line: deque[int] = deque(range(-len(self.initial), 0))
        wanted: dict[int, int] = {}
        puts: dict[int, list[int]] = {}
        for place, step in enumerate(order):
            kind, value = self.kinds[action[step]]
            if kind == PUT:
                line.append(place)
                puts.setdefault(stretches[place], []).append(place)
            elif kind != EMPTY:
                source = line.pop() if self.newest else line.popleft()
                if kind == TAKE:
                    wanted[source] = value
        found = list(order)
        for places in puts.values():
            by_value: dict[int, list[int]] = {}
            for place in reversed(places):
                by_value.setdefault(self.kinds[action[order[place]]][1], []).append(order[place])
            for place in places:
                if place in wanted:
                    found[place] = by_value[wanted[place]].pop()
            left = iter(sorted(step for steps in by_value.values() for step in steps))
            for place in places:
                if place not in wanted:
                    found[place] = next(left)
        return found


def _batch(gone: int, values: Sequence[int]) -> Batch:
    """In doubt, what nobody is known to have taken is what is gone."""
    while gone and values and values[0] == _NOBODYS:
        gone, values = gone - 1, values[1:]
    return gone, tuple(values)
