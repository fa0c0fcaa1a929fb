"""Runs a generator with no cluster and no clock: what it would do if every operation ended so, after so long.

    >>> from harness.generator import clients, limit, repeat
    >>> history = perfect(clients(limit(3, repeat(Op(f="read")))), concurrency=2)
    >>> [(op.process, op.type, op.time) for op in history[:3]]
    [(0, 'invoke', 0), (1, 'invoke', 0), (0, 'ok', 10)]

Limits: a generator that only waits, with nothing under way that could wake it, is given `PATIENCE` questions.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from harness.errors import SplitbrainError
from harness.generator.context import ThreadContext
from harness.generator.lift import ask, at, tell
from harness.generator.protocol import BUSY, Generator, Pending
from harness.op import NEMESIS, Op
from harness.streams import Streams

Complete = Callable[[Op], tuple[Op, int]]
"""From an invocation to its completion and how long that took, in nanoseconds."""

LATENCY_NS: Final = 10
POLL_NS: Final = 1_000_000
PATIENCE: Final = 100_000


def simulate(
    generator: Generator, complete: Complete, concurrency: int = 2, seed: int = 0, max_events: int = 1_000_000
) -> list[Op]:
    """Every event, in order, with index and time filled in; ends when the generator does, or at `max_events`.

    Raises:
        SplitbrainError: the generator waits for what cannot come.
    """
    return _Simulation(generator, complete, concurrency, seed).run(max_events)


def quick(generator: Generator, concurrency: int = 2, seed: int = 0) -> list[Op]:
    """Everything succeeds at once."""
    return simulate(generator, lambda op: (op.ok(), 0), concurrency, seed)


def perfect(generator: Generator, concurrency: int = 2, seed: int = 0) -> list[Op]:
    """Everything succeeds after `LATENCY_NS`."""
    return simulate(generator, lambda op: (op.ok(), LATENCY_NS), concurrency, seed)


def perfect_info(generator: Generator, concurrency: int = 2, seed: int = 0) -> list[Op]:
    """Everything ends in doubt after `LATENCY_NS`."""
    return simulate(generator, lambda op: (op.info("doubt"), LATENCY_NS), concurrency, seed)


def imperfect(generator: Generator, concurrency: int = 2, seed: int = 0) -> list[Op]:
    """Operations of each thread fail, end in doubt and succeed in turn, after `LATENCY_NS`."""
    turns: dict[int | str, int] = {}

    def complete(op: Op) -> tuple[Op, int]:
        thread = op.process % concurrency if isinstance(op.process, int) else op.process
        turn = turns[thread] = turns.get(thread, -1) + 1
        return (op.fail("refused"), op.info("doubt"), op.ok())[turn % 3], LATENCY_NS

    return simulate(generator, complete, concurrency, seed)


class _Simulation:
    """The loop of the interpreter, with a heap of completions in place of workers."""

    def __init__(self, generator: Generator, complete: Complete, concurrency: int, seed: int) -> None:
        self.generator = generator
        self.complete = complete
        self.ctx = ThreadContext.start(concurrency, Streams(seed).stream("generator"))
        self.under_way: list[tuple[int, int, Op]] = []
        self.history: list[Op] = []
        self.idle_questions = 0

    def run(self, max_events: int) -> list[Op]:
        """Until the generator is exhausted and everything under way has ended."""
        while len(self.history) < max_events:
            step = ask(self.generator, self.ctx)
            if step is None:
                if not self.under_way:
                    break
                self._end()
                continue
            answer, rest = step
            wanted_ns = self._until(answer)
            if isinstance(answer, Pending):
                self.generator = rest
            if self.under_way and self.under_way[0][0] <= wanted_ns:
                self._end()
            elif isinstance(answer, Pending):
                self._wait(wanted_ns)
            else:
                self._begin(answer, rest)
        return self.history[:max_events]

    def _until(self, answer: Op | Pending) -> int:
        if isinstance(answer, Op):
            # An operation that could begin now goes before a completion at the same moment.
            return (answer.time or 0) - 1
        return self.ctx.time_ns + POLL_NS if answer.until_ns is None else answer.until_ns

    def _wait(self, until_ns: int) -> None:
        self.idle_questions += 1
        if until_ns == BUSY.until_ns or self.idle_questions > PATIENCE:
            raise SplitbrainError("The generator waits, and nothing is under way that could wake it.")
        self.ctx = self.ctx.at(max(until_ns, self.ctx.time_ns))

    def _begin(self, op: Op, rest: Generator) -> None:
        self.idle_questions = 0
        now_ns = max(op.time or 0, self.ctx.time_ns)
        op = self._record(at(op, op.process, now_ns))
        if op.type != "invoke":
            self.ctx, self.generator = self.ctx.at(now_ns), rest
            return
        self.ctx = self.ctx.busy(self.ctx.thread(op.process), now_ns)
        self.generator = tell(rest, self.ctx, op)
        completion, latency_ns = self.complete(op)
        heapq.heappush(self.under_way, (now_ns + latency_ns, op.index, completion))

    def _end(self) -> None:
        time_ns, _, completion = heapq.heappop(self.under_way)
        op = self._record(at(completion, completion.process, max(time_ns, self.ctx.time_ns)))
        thread = self.ctx.thread(op.process)
        self.ctx = self.ctx.freed(thread, op.time or 0)
        self.generator = tell(self.generator, self.ctx, op)
        if op.type == "info" and op.process != NEMESIS and isinstance(thread, int):
            self.ctx = self.ctx.retired(thread)

    def _record(self, op: Op) -> Op:
        recorded = Op(
            len(self.history),
            op.time,
            op.process,
            op.type,
            op.f,
            op.key,
            op.value,
            op.node,
            op.session,
            op.version,
            op.error,
        )
        self.history.append(recorded)
        return recorded
