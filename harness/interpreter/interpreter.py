"""Carries out what a generator says, with many workers at a time, on any event loop, in one thread.

    generator ──op──▶ recorder ──▶ worker ──▶ client
        ▲                ▲                      │
        └─────update─────┴──────completion──────┘

- Completions that have arrived are recorded before anything new is begun, so that operations that did not overlap are
  not recorded as if they had.
- Every operation of a client has a deadline. Past it, the operation is in doubt, its process is retired, and the worker
  goes on with a new one; a client that never returns costs one task, not the run.
- Between events nothing spins: the interpreter sleeps until a completion, the next operation's moment, or the moment
  that a pending generator names. Only one that does not know gets asked again every millisecond.

Example: `benchmarks/runs/interpreter.py`. Limits: a client that blocks the thread blocks the run; operations per second
are in docs/performance.md.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from typing import Final

from harness.errors import SplitbrainError
from harness.generator.context import ThreadContext
from harness.generator.lift import ask, tell
from harness.generator.protocol import BUSY, Generator, Pending
from harness.history.recorder import Recorder
from harness.interpreter.worker import ClientHands, Hands, NemesisHands, OpenClient, Worker
from harness.op import NEMESIS, Op
from harness.protocols import Nemesis
from harness.streams import Random

POLL_NS: Final = 1_000_000
FLUSH_S: Final = 0.1
GOODBYE_S: Final = 2.0
FOREVER_S: Final = 1e9
MAX_PROBLEMS: Final = 50


class Interpreter:
    """Runs generators one after another over the same workers; see the module docstring.

    Attributes:
        problems: what went wrong besides operations, each once, at most `MAX_PROBLEMS`.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        concurrency: int,
        open_client: OpenClient,
        nemesis: Nemesis | None,
        random: Random,
        op_timeout_s: float,
        nemesis_timeout_s: float = 60.0,
    ) -> None:
        self.problems: list[str] = []
        self._recorder = recorder
        self._open_client = open_client
        self._nemesis = nemesis
        self._timeout_ns = round(op_timeout_s * 1e9)
        self._nemesis_timeout_ns = round(nemesis_timeout_s * 1e9)
        self._ctx = ThreadContext.start(concurrency, random, nemesis=nemesis is not None)
        self._generator: Generator = None
        self._workers: dict[int | str, Worker] = {}
        self._abandoned: list[Worker] = []
        self._completions: deque[tuple[Worker, Op]] = deque()
        self._announcements: deque[Op] = deque()
        self._deadlines: deque[tuple[int, Op]] = deque()
        self._nemesis_deadline: tuple[int, Op] | None = None
        self._wake: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._stopped = False

    # ── what the controller does ─────────────────────────────────────────────────────────────────────────────────────

    async def run(self, generator: Generator, *, stop: asyncio.Event | None = None) -> None:
        """Carry out a generator until it is exhausted and everything it began has ended.

        Args:
            stop: once set, nothing more is begun.

        Raises:
            SplitbrainError: the generator emitted what cannot be carried out.
            StoreError: the history could not be written.
        """
        loop = asyncio.get_running_loop()
        self._generator, self._stopped = generator, False
        flusher = loop.create_task(self._flush_now_and_then(), name="flush history")
        helpers = [flusher]
        if stop is not None:
            helpers.append(loop.create_task(self._watch(stop), name="watch stop"))
        try:
            await self._pump(loop)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.wait(helpers)  # one that never heard that it was cancelled would be told as destroyed
            self._wake = None
            self._recorder.flush()
        if flusher.done() and not flusher.cancelled() and (error := flusher.exception()) is not None:
            raise error

    async def close(self) -> None:
        """End all workers, each of which closes its client; whoever takes longer than `GOODBYE_S` is left behind."""
        for worker in self._workers.values():
            worker.abandon()
        workers = [*self._workers.values(), *self._abandoned]
        self._workers = {}
        if workers:
            await asyncio.wait([worker.task for worker in workers], timeout=GOODBYE_S)
        stuck = sum(not worker.task.done() for worker in workers)
        if stuck:
            self.problem(f"{stuck} clients ignored that they were cancelled")
        if self._timer is not None:
            self._timer.cancel()

    # ── what workers do ──────────────────────────────────────────────────────────────────────────────────────────────

    def completed(self, worker: Worker, op: Op) -> None:
        """An operation ended: it is recorded when the pump comes to it."""
        self._completions.append((worker, op))
        self._wake_up()

    def announce(self, event: Op) -> None:
        """Tell the generator of something that is not recorded."""
        self._announcements.append(event)
        self._wake_up()

    def problem(self, text: str) -> None:
        """Remember what went wrong besides operations."""
        if text not in self.problems and len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)

    # ── the pump ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        offered: tuple[Op | Pending, Generator] | None = None
        while True:
            now_ns = self._recorder.elapsed_ns()
            if self._drain(now_ns):
                offered = None  # the generator heard something, so it is asked again
            offered, wake_ns = self._begin_all(offered)
            if wake_ns is None and self._idle():
                return
            await self._wait(loop, wake_ns)

    def _begin_all(
        self, offered: tuple[Op | Pending, Generator] | None
    ) -> tuple[tuple[Op | Pending, Generator] | None, int | None]:
        """Begin everything that can begin now.

        Returns the operation that is to begin later, if there is one, and when to come back: None when the generator
        is exhausted.
        """
        now_ns = self._recorder.elapsed_ns()
        while True:
            step = offered or self._ask(now_ns)
            if step is None:
                return None, None
            answer, rest = step
            if isinstance(answer, Pending):
                self._generator = rest
                if answer.until_ns is None:
                    return None, now_ns + POLL_NS
                if answer.until_ns == BUSY.until_ns and self._idle():
                    raise SplitbrainError("The generator waits for a thread, and all of them are free: it is stuck.")
                return None, answer.until_ns
            if (answer.time or 0) > now_ns:
                return step, answer.time
            offered = None
            now_ns = self._begin(answer, rest)

    def _ask(self, now_ns: int) -> tuple[Op | Pending, Generator] | None:
        if self._stopped:
            return None
        if self._ctx.time_ns != now_ns:
            self._ctx = self._ctx.at(now_ns)
        return ask(self._generator, self._ctx)

    def _idle(self) -> bool:
        return not self._completions and self._ctx.all_free()

    def _begin(self, op: Op, rest: Generator) -> int:
        """Record an invocation and hand it to its worker; an `info` is only recorded. Returns when it was."""
        if op.type != "invoke":
            self._generator = rest
            return self._recorder.record(op).time or 0
        ctx = self._ctx
        thread = ctx.thread(op.process)
        if not ctx.is_free(thread) or ctx.process(thread) != op.process:
            raise SplitbrainError(f"A generator emitted {op.f} for the process {op.process}, which is not free.")
        recorded = self._recorder.record(op)
        now_ns = recorded.time or 0
        self._ctx = ctx = ctx.busy(thread, now_ns)
        self._generator = tell(rest, ctx, recorded)
        if thread == NEMESIS:
            self._nemesis_deadline = now_ns + self._nemesis_timeout_ns, recorded
        else:
            self._deadlines.append((now_ns + self._timeout_ns, recorded))
        worker = self._workers.get(thread) or self._hired(thread)
        worker.begin(recorded)
        return now_ns

    def _drain(self, now_ns: int) -> bool:
        """Record every completion that has arrived, and every deadline that has passed; whether there were any."""
        any_ended = bool(self._announcements)
        while self._announcements:
            self._generator = tell(self._generator, self._ctx, self._announcements.popleft())
        while self._completions:
            worker, op = self._completions.popleft()
            if not worker.abandoned:
                self._end(worker.thread, op)
                any_ended = True
        for op in self._overdue(now_ns):
            worker = self._workers.pop(self._ctx.thread(op.process))
            worker.abandon()
            self._abandoned = [*(other for other in self._abandoned if not other.task.done()), worker]
            self._end(worker.thread, op.info("timeout"))
            any_ended = True
        return any_ended

    def _end(self, thread: int | str, op: Op) -> None:
        recorded = self._recorder.record(op)
        self._ctx = self._ctx.freed(thread, recorded.time or 0)
        self._generator = tell(self._generator, self._ctx, recorded)
        if recorded.type == "info" and isinstance(thread, int):
            self._ctx = self._ctx.retired(thread)

    def _overdue(self, now_ns: int) -> Sequence[Op]:
        """Operations under way past their deadline. Deadlines of clients are in order, because all are equally long."""
        overdue = []
        deadlines = self._deadlines
        while deadlines:
            deadline_ns, op = deadlines[0]
            if self._under_way(op):
                if deadline_ns > now_ns:
                    break
                overdue.append(op)
            deadlines.popleft()
        if self._nemesis_deadline is not None:
            deadline_ns, op = self._nemesis_deadline
            if not self._under_way(op):
                self._nemesis_deadline = None
            elif deadline_ns <= now_ns:
                self._nemesis_deadline = None
                overdue.append(op)
        return overdue

    def _under_way(self, op: Op) -> bool:
        worker = self._workers.get(self._ctx.thread(op.process))
        return worker is not None and worker.op is op

    def _hired(self, thread: int | str) -> Worker:
        hands: Hands
        if isinstance(thread, int):
            hands = ClientHands(thread, self._open_client)
        else:
            assert self._nemesis is not None, "there is a nemesis thread only where there is a nemesis"
            hands = NemesisHands(self._nemesis)
        worker = self._workers[thread] = Worker(thread, hands, self, asyncio.get_running_loop())
        return worker

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _wait(self, loop: asyncio.AbstractEventLoop, until_ns: int | None) -> None:
        """Until something happens, or the time has come, or a deadline passes."""
        if self._completions or self._announcements:
            return
        moments = [] if until_ns is None else [until_ns]
        if self._deadlines:
            moments.append(self._deadlines[0][0])
        if self._nemesis_deadline is not None:
            moments.append(self._nemesis_deadline[0])
        if moments:
            self._set_timer(loop, min(moments))
        self._wake = loop.create_future()
        try:
            await self._wake
        finally:
            self._wake = None

    def _set_timer(self, loop: asyncio.AbstractEventLoop, moment_ns: int) -> None:
        """Be woken at that moment at the latest; a timer that is due sooner will do, since waking up costs little."""
        if self._timer is not None and self._timer_ns <= moment_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # A breath less, so that whole nanoseconds told in seconds are not one too many when told back.
        delay_s = math.nextafter(max(0, moment_ns - self._recorder.elapsed_ns()) / 1e9, 0.0)
        if delay_s < FOREVER_S:
            self._timer, self._timer_ns = loop.call_later(delay_s, self._ring), moment_ns

    def _ring(self) -> None:
        self._timer = None
        self._wake_up()

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stopped = True
        self._wake_up()

    async def _flush_now_and_then(self) -> None:
        """Lines that no later line pushes out must not stay behind. A disk that fails ends the run."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                self._recorder.flush()
        except Exception:
            self._stopped = True
            self._wake_up()
            raise
