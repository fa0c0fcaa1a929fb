"""Random histories of a few operations on registers: runs of a register that is right, or lies now and then.

Values of different shapes of trouble are mixed: all different or drawn from few, reads of what was never written,
operations of unknown outcome that took effect at once, later or never, refusals that tell the state or do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from harness.op import Op
from harness.streams import Random


@dataclass(frozen=True)
class Shape:
    """What a history is like. Shares are of 1: of `lies` an answer is arbitrary, `doubt` of outcomes are unknown."""

    operations: int
    processes: int
    values: int  # 0: a new one each time
    cas: float
    lies: float
    doubt: float
    refusals: str  # "drop", "mismatch" or "returned"
    initial: int | None


def random_shape(random: Random, cas: bool, refusals: str) -> Shape:
    """A shape such that about a third of the histories are broken."""
    return Shape(
        operations=random.choice((2, 3, 4, 5, 5, 6, 6, 7)),
        processes=random.randint(1, 4),
        values=random.choice((0, 0, 2, 3)),
        cas=random.choice((0.2, 0.4)) if cas else 0.0,
        lies=random.choice((0.0, 0.1, 0.3)),
        doubt=random.choice((0.0, 0.2, 0.4)),
        refusals=refusals,
        initial=None,
    )


class _Run:
    """A register, and clients that call it; every step of a client is one event, or the moment it takes effect."""

    def __init__(self, random: Random, shape: Shape, initial: Any) -> None:
        self.random, self.shape, self.state = random, shape, initial
        self.events: list[Op] = []
        self.fresh = 10
        self.late: list[Op] = []  # of unknown outcome, and yet to take effect

    def value(self) -> Any:
        if self.shape.values:
            return self.random.randrange(self.shape.values)
        self.fresh += 1
        return self.fresh

    def ask(self, process: int) -> Op:
        share = self.random.random()
        if share < self.shape.cas:
            old = self.state if self.random.random() < 0.7 else self.any_value()
            return Op(process=process, f="cas", value=[old, self.value()])
        if share < 0.6:
            return Op(process=process, f="read")
        return Op(process=process, f="write", value=self.value())

    def any_value(self) -> Any:
        if self.shape.values:
            return self.random.randrange(self.shape.values)
        return self.random.choice((None, self.random.randint(11, max(11, self.fresh)), 99))

    def effect(self, op: Op) -> Op:
        """Take effect now; the answer."""
        seen = self.any_value() if self.random.random() < self.shape.lies else self.state
        if op.f == "read":
            return op.ok(seen)
        if op.f == "write":
            self.state = op.value
            return op.ok()
        if seen != op.value[0]:
            return op.fail("mismatch", [*op.value, seen] if self.shape.refusals == "returned" else op.value)
        self.state = op.value[1]
        return op.ok()

    def answer(self, op: Op) -> Op:
        """The answer to an operation that takes effect now, or is lost, or refused."""
        share = self.random.random()
        if op.f != "read" and share < self.shape.doubt:
            when = self.random.random()
            if when < 0.4:
                self.effect(op)
            elif when < 0.7:
                self.late.append(op)
            return op.info("timeout")
        return op.fail("not-leader") if share > 0.95 else self.effect(op)

    def run(self) -> list[Op]:
        """The events, without indices."""
        random, asked = self.random, 0
        idle, open_now, answers = list(range(self.shape.processes)), [], []
        next_process = self.shape.processes
        while asked < self.shape.operations or open_now or answers:
            if self.late and random.random() < 0.2:
                self.effect(self.late.pop())
            turn = random.randrange(3)
            if turn == 0 and idle and asked < self.shape.operations:
                op = self.ask(idle.pop(random.randrange(len(idle))))
                asked += 1
                self.events.append(op)
                open_now.append(op)
            elif turn == 1 and open_now:
                answers.append(self.answer(open_now.pop(random.randrange(len(open_now)))))
            elif turn == 2 and answers:
                done = answers.pop(random.randrange(len(answers)))
                self.events.append(done)
                idle.append(next_process if done.type == "info" else done.process)
                next_process += done.type == "info"
        if self.events and random.random() < 0.1:
            self.events.pop()  # cut off: something is still running
        return self.events


def random_events(random: Random, shape: Shape, initial: Any) -> list[Op]:
    """One history of one register."""
    return _Run(random, shape, initial).run()


def interleaved(random: Random, parts: list[list[Op]]) -> list[Op]:
    """Many histories as the keys of one, mixed in time; each keeps its own order."""
    waiting = [(key, list(reversed(part))) for key, part in enumerate(parts) if part]
    events: list[Op] = []
    while waiting:
        place = random.randrange(min(3, len(waiting)))
        key, left = waiting[place]
        op = left.pop()
        events.append(msgspec.structs.replace(op, index=len(events), key=key, process=key * 100 + int(op.process)))
        if not left:
            waiting.pop(place)
    return events
