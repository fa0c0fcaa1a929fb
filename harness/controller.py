"""One whole run, phase by phase, on whatever ground it is given.

    provision → set up → main → heal → recover → quiet → final reads → collect logs → tear down

Every phase has a deadline. The first Ctrl-C ends the main phase early: the cluster is healed, read a last time, and
what there is gets judged. A system that is not well again in time after the last fault is read all the same, and the
history says so. The second one skips to the exit. Everything that was made is undone in reverse on every
way out, because it is entered as a context. Judging and reporting come after, from the disk.

Limits: a phase that hangs in code that never awaits cannot be interrupted by a deadline.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from harness.errors import InfrastructureError, SetupError
from harness.generator import Generator, clients, nemesis, phases, stagger, time_limit
from harness.generator import any_ as either
from harness.history.header import Header
from harness.history.holders import Holders
from harness.history.recorder import Recorder
from harness.interpreter import Interpreter
from harness.nemesis.compose import look
from harness.nemesis.effect import end_all
from harness.op import INTERRUPTED, NEMESIS, NOT_WELL, STOPPED, Op
from harness.plan import Plan, Setting
from harness.protocols import Announcing, Client, Cluster, Ground, System, Taped, Traced
from harness.schedule.drawing import draw_faults
from harness.schedule.members import ScheduledNemesis
from harness.schedule.planned import PlannedFault
from harness.schedule.recording import exact_plan
from harness.schedule.script import FaultScript, final_script, main_script
from harness.schedule.watch import POLL_S, Watch
from harness.store import Run
from harness.streams import Streams

DEADLINES_S: Final = {
    "provision": 900.0,
    "set up": 90.0,
    "heal": 90.0,
    "recover": 10.0,
    "final reads": 60.0,
    "collect logs": 60.0,
    "tear down": 60.0,
}
ASK_S: Final = 30.0
"""For asking every node whether its server runs."""


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
        watch: is asked after every event of the main phase, which ends when it answers with what is wrong.
        settings: all switches of system and workload, defaults filled in.
        interrupted: how often the user pressed Ctrl-C.
        problems: first occurrence of each unexpected error, for the log.
        on_cluster: is called with the cluster once it is ready.
        started_ns: what the ground's clock showed when the history began; recorder: what writes it.
        exact: once it is over, the plan with everything that was drawn in it: run again, it does the same.
    """

    run: Run
    plan: Plan
    ground: Ground
    system: System
    load: Load
    watcher: Watcher
    settings: dict[str, Setting] = field(default_factory=dict)
    watch: Callable[[Op], str | None] | None = None
    violation: str = ""
    interrupted: int = 0
    problems: list[str] = field(default_factory=list)
    exact: Plan | None = None
    on_cluster: Callable[[Cluster], None] | None = None
    started_ns: int = 0
    recorder: Recorder | None = None

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
            if not isinstance(self.ground, Traced):  # a simulated loop takes with it whatever lives on it
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
        streams = self.ground.streams() if isinstance(self.ground, Taped) else Streams(self.plan.seed)
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
        if self.on_cluster is not None:
            self.on_cluster(cluster)
        faults = draw_faults(self.plan, streams)
        holders = Holders(lambda process: _home(cluster, process % self.plan.concurrency))
        members = ScheduledNemesis(self.plan, faults, cluster, look(self.system, cluster), holders.node)
        triggered = any(fault.after is not None for fault in faults)
        leader = await self.system.leader(cluster) if triggered else None
        recorder = Recorder(self.run.history_path, self.load.header(self.plan), self.ground.now_ns)
        self.recorder = recorder
        recorder.listeners += [self.watcher.event, holders.event]
        if isinstance(self.ground, Taped):
            recorder.listeners.append(self.ground.note)
        if self.watch is not None:
            recorder.listeners.append(lambda op: self._look(op, stop))
        self.started_ns = self.ground.now_ns()
        interpreter = self._interpreter(recorder, cluster, members, streams)
        watching = self._watching(faults, leader, cluster, recorder, interpreter)
        try:
            await self._drive(cluster, interpreter, recorder, faults, members, watching, stop)
        finally:
            await interpreter.close()
            recorder.close()
            self.problems.extend(interpreter.problems)
            for problem in interpreter.problems:
                self.run.log("problem", text=problem)

    @asynccontextmanager
    async def _watching(
        self,
        faults: Sequence[PlannedFault],
        leader: str | None,
        cluster: Cluster,
        recorder: Recorder,
        interpreter: Interpreter,
    ) -> AsyncIterator[Watch | None]:
        """Triggers are counted while inside: in the main phase."""
        if all(fault.after is None for fault in faults):
            yield None
            return
        events = self.system.events if isinstance(self.system, Announcing) else {}
        watch = Watch(faults, events, interpreter.announce, recorder.elapsed_ns, leader)
        recorder.listeners.append(watch.client_event)
        watch.begin(cluster)
        polling = asyncio.create_task(self._poll(cluster, watch)) if watch.wants_polling() else None
        try:
            yield watch
        finally:
            watch.end()
            if polling is not None:
                polling.cancel()

    async def _poll(self, cluster: Cluster, watch: Watch) -> None:
        while True:
            watch.polled(await self.system.leader(cluster))
            await asyncio.sleep(POLL_S)

    async def _drive(
        self,
        cluster: Cluster,
        interpreter: Interpreter,
        recorder: Recorder,
        faults: Sequence[PlannedFault],
        members: ScheduledNemesis,
        watching: AbstractAsyncContextManager[Watch | None],
        stop: asyncio.Event,
    ) -> None:
        plan = self.plan
        self._enter("main")
        slack_s = plan.op_timeout_s + 120.0
        async with _deadline("main", plan.time_limit_s + slack_s), watching as watch:
            await interpreter.run(_main(plan, self.load, faults), stop=stop)
        self.watch = None
        if stop.is_set():
            why = f"{STOPPED}{self.violation}" if self.violation else "the main phase ended early"
            recorder.record(Op(process=NEMESIS, type="info", f=INTERRUPTED, value=why))
        self._enter("heal")
        async with _deadline("heal", DEADLINES_S["heal"]):
            if watch is not None and (owed := members.owed_ops(watch.struck)):
                await interpreter.run(phases(*owed))
            await interpreter.run(phases(*members.lifting_ops()))
            await members.heal()
        await self._recover(cluster, recorder)
        self._enter("quiet")
        await asyncio.sleep(plan.quiet_s)
        self._enter("final reads")
        async with _deadline("final reads", DEADLINES_S["final reads"]):
            final_index = len(recorder.events)
            await interpreter.run(clients(self._final(recorder.events)))
        self.exact = exact_plan(plan, faults, recorder.events, final_index)

    async def _recover(self, cluster: Cluster, recorder: Recorder) -> None:
        """Wait until the system is well again; one that is not in time is judged by what there is.

        Raises:
            InfrastructureError: it cannot be well, because a node is gone or cannot be reached.
        """
        self._enter("recover")
        patience_s = DEADLINES_S["recover"]
        try:
            async with asyncio.timeout(patience_s + 5.0):
                await self.system.wait_ready(cluster, self.settings, patience_s)
        except (InfrastructureError, OSError, TimeoutError) as error:
            why = str(error) or f"it did not say why within {patience_s:g} s"
            why += await _stopped_by_themselves(cluster)
            recorder.record(Op(process=NEMESIS, type="info", f=NOT_WELL, value=why))

    def _final(self, events: Sequence[Op]) -> Generator:
        if self.plan.operations is not None:
            return final_script(self.plan.operations, self.plan.concurrency)
        return self.load.final_reads(self.plan, events)

    def _look(self, op: Op, stop: asyncio.Event) -> None:
        """End the main phase at a violation. A watch that fails is dismissed: it must not cost the run."""
        if self.watch is None or stop.is_set():
            return
        try:
            self.violation = self.watch(op) or ""
        except Exception as error:
            self.watch = None
            self.problems.append(f"The watch for violations failed: {type(error).__name__}: {error}")
            self.run.log("problem", text=self.problems[-1])
        if self.violation:
            stop.set()

    def _interpreter(
        self, recorder: Recorder, cluster: Cluster, members: ScheduledNemesis, streams: Streams
    ) -> Interpreter:
        def open_client(worker: int, process: int) -> Client:
            home = _home(cluster, worker)
            return self.system.client(cluster, home, self.settings, streams.stream(f"client/{process}").getrandbits(32))

        return Interpreter(
            recorder,
            concurrency=self.plan.concurrency,
            open_client=open_client,
            nemesis=members,
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


def _home(cluster: Cluster, worker: int) -> str:
    """The node at which a worker's clients are at home."""
    return cluster.nodes[worker % len(cluster.nodes)]


def _main(plan: Plan, load: Load, faults: Sequence[PlannedFault]) -> Generator:
    """Clients at the plan's rate, or as listed, and faults on their own time, until the time is up."""
    if plan.operations is not None:
        work = main_script(plan.operations, plan.concurrency)
    else:
        work = stagger(1.0 / plan.rate, load.generator(plan))
    script = FaultScript.of(faults, plan.combine) if faults else None
    return time_limit(plan.time_limit_s, either(clients(work), nemesis(script)))


async def _stopped_by_themselves(cluster: Cluster) -> str:
    """Which servers do not run although every fault is lifted, as the end of a sentence.

    Raises:
        InfrastructureError: which nodes cannot even be asked, and why: then it is not the system that is to blame.
    """
    if cluster.processes is None:
        return ""
    async with _deadline("recover", ASK_S):
        states = await asyncio.gather(
            *(cluster.processes.state(node) for node in cluster.nodes), return_exceptions=True
        )
    lost = [str(state) for state in states if isinstance(state, BaseException)]
    if lost:
        raise InfrastructureError(" ".join(lost))
    still = [f"{node} {state}" for node, state in zip(cluster.nodes, states, strict=True) if state != "running"]
    return f" Servers: {', '.join(still)}." if still else ""


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
