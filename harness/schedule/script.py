"""Generators that carry out lists of operations and faults: pure values like all others.

An operation begins at its time, or as soon as its worker is free. A fault begins at its time, or when it is told that
its trigger came; it waits until no other is in force or, where faults may overlap, none of its kind. It is lifted its
duration after it took hold. The one nemesis thread does one thing at a time, in order of time.

>>> from harness.generator.simulate import quick
>>> script = ClientScript.of([PlannedOp(at_s=0.5, f="read"), PlannedOp(at_s=0.2, f="write", value=1)], workers=1)
>>> [(op.f, op.time) for op in quick(script, concurrency=1) if op.type == "invoke"]
[('write', 200000000), ('read', 500000000)]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from harness.generator import BUSY, Context, Generator, Pending
from harness.op import NEMESIS, Op
from harness.schedule.planned import PlannedFault, PlannedOp

SECOND_NS: Final = 1_000_000_000
FAR: Final = Pending(2**62)
"""Pending on a trigger that may never come: the phase's time limit ends it."""
TRIGGERED: Final = "trigger"
"""The `f` of the announcement that a fault's trigger came; its value is the fault's place in the list."""

Queue = tuple[tuple[int, int, PlannedOp], ...]
"""One worker's operations: when (nanoseconds from the phase's beginning), place in the whole list, what."""
State = Literal["waiting", "starting", "in force", "stopping", "over"]


class ClientScript(msgspec.Struct, frozen=True):
    """Listed operations, each by its own worker. Build it with `of`."""

    queues: tuple[Queue, ...]
    places: tuple[int, ...]
    start_ns: int | None = None

    @classmethod
    def of(cls, ops: Sequence[PlannedOp], workers: int) -> ClientScript:
        """The script of these operations; those of workers that there are not are left out."""
        queues: list[list[tuple[int, int, PlannedOp]]] = [[] for _ in range(workers)]
        for place, op in enumerate(ops):
            if op.worker < workers:
                queues[op.worker].append((round(op.at_s * SECOND_NS), place, op))
        return cls(tuple(tuple(sorted(queue, key=lambda one: one[:2])) for queue in queues), (0,) * workers)

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator] | None:
        """The soonest operation of a worker that is free."""
        start_ns = ctx.time_ns if self.start_ns is None else self.start_ns
        heads = [
            (queue[place][0], queue[place][1], worker)
            for worker, (queue, place) in enumerate(zip(self.queues, self.places, strict=True))
            if place < len(queue)
        ]
        if not heads:
            return None
        free = [head for head in heads if ctx.is_free(head[2])]
        if not free:
            return BUSY, ClientScript(self.queues, self.places, start_ns)
        at_ns, _, worker = min(free)
        place = self.places[worker]
        planned = self.queues[worker][place][2]
        places = (*self.places[:worker], place + 1, *self.places[worker + 1 :])
        op = Op(
            process=ctx.process(worker),
            time=max(start_ns + at_ns, ctx.time_ns),
            f=planned.f,
            key=planned.key,
            value=planned.value,
            node=planned.node,
        )
        return op, ClientScript(self.queues, places, start_ns)

    def update(self, ctx: Context, event: Op) -> Generator:
        """What comes of them changes nothing."""
        return self


class FaultState(msgspec.Struct, frozen=True):
    """How far one fault is: `next_ns` is when it is to start or to stop; None while that is not known."""

    state: State = "waiting"
    next_ns: int | None = None
    node: str | None = None


class FaultScript(msgspec.Struct, frozen=True):
    """Listed faults; see the module docstring. Build it with `of`."""

    faults: tuple[PlannedFault, ...]
    overlap: bool
    states: tuple[FaultState, ...]

    @classmethod
    def of(cls, faults: Sequence[PlannedFault], overlap: bool) -> FaultScript:
        """The script of these faults."""
        states = tuple(
            FaultState(next_ns=round(fault.at_s * SECOND_NS) if fault.after is None else None) for fault in faults
        )
        return cls(tuple(faults), overlap, states)

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator] | None:
        """The next start or stop."""
        if not ctx.is_free(NEMESIS):
            return BUSY, self
        held = {
            fault.kind
            for fault, state in zip(self.faults, self.states, strict=True)
            if state.state in ("starting", "in force", "stopping")
        }
        due = [
            (state.next_ns, state.state == "waiting", place)
            for place, state in enumerate(self.states)
            if state.next_ns is not None
            and (state.state == "in force" or not (self.faults[place].kind in held if self.overlap else held))
        ]
        if not due:
            return (FAR, self) if any(state.state == "waiting" for state in self.states) else None
        at_ns, starts, place = min(due)
        fault, state = self.faults[place], self.states[place]
        op = Op(
            process=NEMESIS,
            time=max(at_ns, ctx.time_ns),
            f=f"{'start' if starts else 'stop'}-{fault.kind}",
            value={"planned": place} if state.node is None else {"planned": place, "node": state.node},
        )
        return op, self._with(place, FaultState("starting" if starts else "stopping", None, state.node))

    def update(self, ctx: Context, event: Op) -> Generator:
        """A trigger came, or a start or stop ended."""
        if event.process != NEMESIS or event.type == "invoke" or not isinstance(event.value, dict):
            return self
        place = event.value.get("planned")
        if not isinstance(place, int):
            return self
        fault, state, now_ns = self.faults[place], self.states[place], event.time or 0
        if event.f == TRIGGERED:
            if state.state != "waiting" or fault.after is None:
                return self
            at_ns = now_ns + round(fault.after.delay_s * SECOND_NS)
            return self._with(place, FaultState("waiting", at_ns, event.value.get("node")))
        if state.state == "starting":
            if event.type == "fail":
                return self._with(place, FaultState("over"))
            stop_ns = None if fault.duration_s is None else now_ns + round(fault.duration_s * SECOND_NS)
            return self._with(place, FaultState("in force", stop_ns))
        return self._with(place, FaultState("over"))

    def _with(self, place: int, state: FaultState) -> FaultScript:
        return FaultScript(self.faults, self.overlap, (*self.states[:place], state, *self.states[place + 1 :]))


def main_script(ops: Sequence[PlannedOp], workers: int) -> Generator:
    """The listed operations of the main phase."""
    return ClientScript.of([op for op in ops if op.phase == "main"], workers)


def final_script(ops: Sequence[PlannedOp], workers: int) -> Generator:
    """The listed operations of the final phase."""
    return ClientScript.of([op for op in ops if op.phase == "final"], workers)
