"""One whole run, phase by phase, on whatever ground it is given.

    provision → set up → main → heal → quiet → final reads → collect logs → tear down

Every phase has a deadline. The first Ctrl-C ends the main phase early: the cluster is healed, read a last time, and
what there is gets judged. The second one skips to the exit. Everything that was made is undone in reverse on every
way out, because it is entered as a context. Judging and reporting come after, from the disk.

Limits: a phase that hangs in code that never awaits cannot be interrupted by a deadline.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from harness.errors import InfrastructureError, SetupError
from harness.generator import Generator, clients, phases, stagger, time_limit
from harness.generator import any_ as either
from harness.history.header import Header
from harness.history.recorder import Recorder
from harness.interpreter import Interpreter
from harness.nemesis import ComposedNemesis, build_nemesis, fault_schedule
from harness.nemesis.effect import end_all
from harness.op import INTERRUPTED, NEMESIS, Op
from harness.plan import Plan, Setting
from harness.protocols import Client, Cluster, Ground, System, Traced
from harness.store import Run
from harness.streams import Streams

DEADLINES_S: Final = {
    "provision": 900.0,
    "set up": 90.0,
    "heal": 90.0,
    "final reads": 60.0,
    "collect logs": 60.0,
    "tear down": 60.0,
}


class Watcher(Protocol):
    """Is told what goes on; must be quick."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def event(self, op: Op) -> None:
        """An event was recorded."""


class Load(Protocol):
    """What the controller needs of a workload."""

    def header(self, plan: Plan) -> Header:
        """What the operations mean."""

    def generator(self, plan: Plan) -> Generator:
        """Client operations of the main phase, without rate and time limit."""

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Client operations after heal and quiet period."""


@dataclass
class Controller:
    """Drives one run.

    Attributes:
        run: where to write; plan, ground, system, load: what to run; watcher: who is told.
        settings: all switches of system and workload, defaults filled in.
        interrupted: how often the user pressed Ctrl-C.
        problems: first occurrence of each unexpected error, for the log.
    """

    run: Run
    plan: Plan
    ground: Ground
    system: System
    load: Load
    watcher: Watcher
    settings: dict[str, Setting] = field(default_factory=dict)
    interrupted: int = 0
    problems: list[str] = field(default_factory=list)

    def execute(self) -> None:
        """Run it all on the ground's own event loop; returns when everything is undone.

        Raises:
            InfrastructureError: Docker, SSH, an image or a node would not do its part. What was recorded stays.
        """
        loop = self.ground.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._execute(loop))
            loop.run_until_complete(loop.shutdown_asyncgens())
            if isinstance(self.ground, Traced):
                self.run.log("digest", digest=self.ground.digest())
        finally:
            loop.run_until_complete(end_all())
            asyncio.set_event_loop(None)
            loop.close()

    async def _execute(self, loop: asyncio.AbstractEventLoop) -> None:
        task = asyncio.current_task()
        assert task is not None
        stop = asyncio.Event()
        with self._interrupts(loop, stop, task):
            try:
                await self._run(stop)
            except asyncio.CancelledError:
                if self.interrupted < 2:
                    raise
                self.run.log("abandoned", reason="interrupted twice")

    async def _run(self, stop: asyncio.Event) -> None:
        streams = Streams(self.plan.seed)
        self._enter("provision")
        cluster_context = self.ground.cluster(self.system, self.plan.node_names(), self.settings, self.run.run_id)
        async with _bounded(cluster_context, DEADLINES_S["provision"], DEADLINES_S["tear down"]) as cluster:
            try:
                await self._test(cluster, streams, stop)
            finally:
                await self._collect(cluster)
                self._enter("tear down")

    async def _test(self, cluster: Cluster, streams: Streams, stop: asyncio.Event) -> None:
        self._enter("set up")
        async with _deadline("set up", DEADLINES_S["set up"]):
            await self.system.wait_ready(cluster, self.settings, DEADLINES_S["set up"] - 5)
        nemesis = build_nemesis(self.plan, cluster, lambda: self.system.leader(cluster), streams)
        recorder = Recorder(self.run.history_path, self.load.header(self.plan), self.ground.now_ns)
        recorder.listeners.append(self.watcher.event)
        interpreter = self._interpreter(recorder, cluster, nemesis, streams)
        try:
            await self._drive(interpreter, recorder, nemesis, stop)
        finally:
            await interpreter.close()
            recorder.close()
            self.problems.extend(interpreter.problems)
            for problem in interpreter.problems:
                self.run.log("problem", text=problem)

    async def _drive(
        self, interpreter: Interpreter, recorder: Recorder, nemesis: ComposedNemesis, stop: asyncio.Event
    ) -> None:
        plan = self.plan
        self._enter("main")
        slack_s = plan.op_timeout_s + 120.0
        async with _deadline("main", plan.time_limit_s + slack_s):
            await interpreter.run(_main(plan, self.load), stop=stop)
        if stop.is_set():
            recorder.record(Op(process=NEMESIS, type="info", f=INTERRUPTED, value="the main phase ended early"))
        self._enter("heal")
        async with _deadline("heal", DEADLINES_S["heal"]):
            await interpreter.run(phases(*nemesis.lifting_ops()))
            await nemesis.heal()
        self._enter("quiet")
        await asyncio.sleep(plan.quiet_s)
        self._enter("final reads")
        async with _deadline("final reads", DEADLINES_S["final reads"]):
            await interpreter.run(clients(self.load.final_reads(plan, recorder.events)))

    def _interpreter(
        self, recorder: Recorder, cluster: Cluster, nemesis: ComposedNemesis, streams: Streams
    ) -> Interpreter:
        def open_client(worker: int, process: int) -> Client:
            home = cluster.nodes[worker % len(cluster.nodes)]
            return self.system.client(cluster, home, self.settings, streams.stream(f"client/{process}").getrandbits(32))

        return Interpreter(
            recorder,
            concurrency=self.plan.concurrency,
            open_client=open_client,
            nemesis=nemesis,
            random=streams.stream("generator"),
            op_timeout_s=self.plan.op_timeout_s,
        )

    async def _collect(self, cluster: Cluster) -> None:
        """Logs are wanted most when something went wrong, so failing to get them must not hide what did."""
        self._enter("collect logs")
        try:
            async with asyncio.timeout(DEADLINES_S["collect logs"]):
                await cluster.collect_logs(self.run.path / "nodes")
        except (InfrastructureError, OSError, TimeoutError) as error:
            self.run.log("logs-missing", reason=str(error) or type(error).__name__)

    def _enter(self, phase: str) -> None:
        self.run.log("phase", name=phase)
        self.watcher.phase(phase)

    @contextmanager
    def _interrupts(
        self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event, task: asyncio.Task[Any]
    ) -> Iterator[None]:
        """Ctrl-C and a polite kill end the main phase; a second one ends the run."""

        def interrupt(_number: int, _frame: object) -> None:
            self.interrupted += 1
            loop.call_soon_threadsafe(stop.set if self.interrupted == 1 else task.cancel)

        previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _main(plan: Plan, load: Load) -> Generator:
    """Clients at the plan's rate and faults on their own time, until the time is up."""
    work = clients(stagger(1.0 / plan.rate, load.generator(plan)))
    return time_limit(plan.time_limit_s, either(work, fault_schedule(plan)))


@asynccontextmanager
async def _deadline(phase: str, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise SetupError(f"The phase {phase!r} was not over after {seconds:g} s.") from error


@asynccontextmanager
async def _bounded(context: Any, enter_s: float, leave_s: float) -> AsyncIterator[Cluster]:
    """Enter and leave a cluster, each under its own deadline."""
    async with _deadline("provision", enter_s):
        cluster = await context.__aenter__()
    try:
        yield cluster
    except BaseException as error:
        async with _deadline("tear down", leave_s):
            await context.__aexit__(type(error), error, error.__traceback__)
        raise
    async with _deadline("tear down", leave_s):
        await context.__aexit__(None, None, None)
