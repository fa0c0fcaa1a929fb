"""An asyncio event loop on virtual time: nothing waits, the clock jumps to the next deadline.

Time is a whole number of nanoseconds from 0. Ready callbacks run first in, first out, or as the world's scheduler has
it (`scheduling.py`); timers ring in the order of their deadlines, equal ones in the order in which they were set. With
tasks that hash by number (`handles.py`) and a network that draws its delays from the seed, nothing is left that could
come out differently in a second run.

    loop = SimLoop(Streams(7))
    loop.run_until_complete(asyncio.sleep(3600))    # takes no time
    loop.time()                                     # 3600.0

Garbage is collected at fixed counts of callbacks while the loop runs, since finalizers may schedule.

Limits: one thread. What would reach the real world is refused by name (`refusals.py`). An instant in which nothing but
callbacks of that instant happen is an error after SPIN_CALLBACKS, since the clock would never move again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import gc
import logging
import math
import signal
import sys
import threading
import weakref
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextvars import Context
from typing import Any, Final, TypeVar, TypeVarTuple

from harness.moments import read_memory, read_skips, skipping
from harness.simulation.guard import guarded
from harness.simulation.handles import Due, SimFuture, SimHandle, SimTask, SimTimer, name_of, numbered_gathers
from harness.simulation.network import Network
from harness.simulation.process import CONTROL, CURRENT, Killed, Process
from harness.simulation.recording import Recording
from harness.simulation.refusals import DeadlockError, RefusedError, RefusingLoop, SimulationError, call_site
from harness.simulation.scheduling import ready_queue
from harness.simulation.timers import Timers
from harness.simulation.trace import FOLD_NUMBERS, Trace
from harness.simulation.world import World
from harness.streams import Streams

SPIN_CALLBACKS: Final = 2_000_000
NEVER_NS: Final = 1 << 62
COLLECT_CALLBACKS: Final = 400_000
HOUSEKEEPING_STEPS: Final = 200
DEADLOCK_TASKS_SHOWN: Final = 5
ROUNDING_NS: Final = 1e-3
"""What whole nanoseconds told in seconds may come out too large: 7 ns must not become 8."""

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

logger = logging.getLogger("asyncio")


class SimLoop(RefusingLoop):
    """See the module docstring.

    Attributes:
        streams: where all its chance comes from; world: what kind of world it is.
        virtual_ns: the time; steps: how many callbacks ran.
        trace: the digest of all that happened; recording: the list of it, or None.
        network: what it connects; kernel_context: for callbacks that belong to no process.
        exposed: by name, what gives the state of each node that exposes one.
        closed: whether it cannot be used any more.
    """

    def __init__(
        self,
        streams: Streams,
        world: World | None = None,
        recording: Recording | None = None,
        *,
        remember: bool = False,
    ) -> None:
        self.streams = streams
        self.world = World() if world is None else world
        self.trace = Trace()
        self.recording = recording
        self.kernel_context = Context()
        self.virtual_ns = 0
        self.steps = 0
        self.exposed: dict[str, Callable[[], Mapping[str, Any]]] = {}
        if self.world.draws == "by-moment":
            streams.by_moment(skipping(read_skips(self.world.skips), self.now_ns), read_memory(self.world.remembered))
        elif self.world.draws == "noted":
            streams.remember(self.now_ns)
        self._ready = ready_queue(self.world, streams.stream("schedule"))
        self._timers = Timers()
        self._turns: list[tuple[int, int, Callable[[], object]]] = []
        self._turn_ns = NEVER_NS
        self._sequence = 0
        self._steps_to_collection = COLLECT_CALLBACKS
        self._steps_to_state = self.world.state_steps
        self._thread: int | None = None
        self._stopping = False
        self.closed = False
        self._exception_handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None
        self._signals: set[int] = set()
        self._asyncgens: weakref.WeakValueDictionary[int, AsyncGenerator[Any, Any]] = weakref.WeakValueDictionary()
        self.network = Network(self, streams, self.world)
        for turn in self.world.turns:
            self.at_turn(turn.after_ns, functools.partial(streams.reseed, turn.salt))

    # ── time and callbacks ───────────────────────────────────────────────────────────────────────────────────────────

    def now_ns(self) -> int:
        """Virtual nanoseconds since the loop was made."""
        return self.virtual_ns

    def time(self) -> float:
        """What the monotonic clock of whoever asks shows, in seconds: virtual time, or a host's idea of it."""
        process = CURRENT.get()
        return (self.virtual_ns if process is None else process.monotonic.now_ns()) / 1e9

    def next_sequence(self) -> int:
        """The next number for a task, a future or a socket."""
        self._sequence += 1
        return self._sequence

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run it in this instant, after all that is ready."""
        if self.closed:
            raise RuntimeError("Event loop is closed")
        handle = SimHandle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """For signal handlers, which run on the loop's own thread; other threads are refused."""
        if self._thread is not None and self._thread != threading.get_ident():
            raise RefusedError("loop.call_soon_threadsafe from another thread", "no seed decides when it comes")
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run it `delay` seconds from now, by the caller's clock; any positive delay lets the clock move."""
        delay_ns = max(1, math.ceil(delay * 1e9 - ROUNDING_NS)) if delay > 0 else 0
        process = CURRENT.get()
        if process is None or not delay_ns:
            return self.call_at_ns(self.virtual_ns + delay_ns, callback, args, context)
        own = process.monotonic
        return self.call_at_ns(own.virtual_ns(own.now_ns() + delay_ns), callback, args, context)

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run it once `time()` is at least `when`."""
        when_ns = math.ceil(when * 1e9)
        if when_ns / 1e9 < when:
            when_ns += 1
        process = CURRENT.get()
        if process is not None:
            when_ns = process.monotonic.virtual_ns(when_ns)
        return self.call_at_ns(when_ns, callback, args, context)

    def call_at_ns(
        self, when_ns: int, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None = None
    ) -> SimTimer:
        """Run it at that nanosecond, or now if that is over."""
        if self.closed:
            raise RuntimeError("Event loop is closed")
        timer = SimTimer(when_ns, callback, args, self, context)
        self._timers.add(when_ns, timer)
        return timer

    def at_turn(self, after_ns: int, act: Callable[[], object]) -> None:
        """Call it between two instants: once the clock has moved past that nanosecond, before anything happens then.

        It is no callback of the simulation, takes no step, and shows in no digest.
        """
        self._turns.append((after_ns, len(self._turns), act))
        self._turns.sort(key=lambda turn: turn[:2])
        self._turn_ns = self._turns[0][0]

    def timer_cancelled(self) -> None:
        """A timer will not ring."""
        self._timers.one_cancelled()

    def resume(self, process: Process) -> None:
        """Let a paused process run on: all that was held is ready now, in the order in which it was due."""
        if process.state == "paused":
            process.state = "running"
            self._free(process)

    def block(self, process: Process) -> None:
        """Let a process stand still in the kernel, with what it goes on to send in this step."""
        if not process.blocked and process.state != "dead":
            process.block()
            self.network.set_stalled(process.host, on=True)

    def release(self, process: Process) -> None:
        """Let a blocked process come back from the kernel."""
        if process.blocked:
            process.blocked = False
            self.network.set_stalled(process.host, on=False)
            self._free(process)

    def end(self, process: Process, quietly: bool) -> None:
        """Let it be dead."""
        if process.blocked:
            process.blocked = False
            self.network.set_stalled(process.host, on=False)
        process.end(quietly)

    def _free(self, process: Process) -> None:
        if process.state != "running" or process.blocked or process.free:
            return
        process.free = True
        outbox, process.outbox = process.outbox, []
        for depart in outbox:
            depart()
        self._ready.extend(process.held)
        process.held.clear()

    def note(
        self, kind: str, node: str, what: str, peer: str = "", size: int = 0, message: int = 0, content: bytes = b""
    ) -> None:
        """Put it on the recording, if there is one."""
        if self.recording is not None:
            self.recording.add(self.virtual_ns, node, kind, what, peer, size, message, content)

    # ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def run_forever(self) -> None:
        """Run until `stop`.

        Raises:
            DeadlockError: nothing is ready and no timer is set.
            SimulationError: the clock does not move any more.
        """
        if self.closed:
            raise RuntimeError("Event loop is closed")
        if self._thread is not None:
            raise RuntimeError("This event loop is already running")
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("Cannot run the event loop while another loop is running")
        hooks = sys.get_asyncgen_hooks()
        collecting = gc.isenabled()
        self._thread = threading.get_ident()
        self._stopping = False
        gc.disable()
        sys.set_asyncgen_hooks(firstiter=self._asyncgen_begun, finalizer=self._asyncgen_dropped)
        asyncio._set_running_loop(self)
        try:
            with guarded(self.world.entropy), numbered_gathers(self):
                self._run()
        finally:
            self._thread = None
            asyncio._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            if collecting:
                gc.enable()

    def _run(self) -> None:
        ready, current = self._ready, CURRENT
        popleft, record = ready.popleft, self.trace.numbers.append
        begin = None if self.recording is None else self._note_step
        steps = 0
        while not self._stopping:
            if not ready:
                if steps >= HOUSEKEEPING_STEPS:
                    self._housekeep(steps)
                    steps = 0
                self._advance()
            budget = SPIN_CALLBACKS
            while ready and not self._stopping:
                handle = popleft()
                if handle._cancelled:
                    continue
                context = handle._context
                process = context.get(current)
                if process is not None and not process.free:
                    process.hold(handle)
                    continue
                callback = handle._callback
                record(getattr(getattr(callback, "__self__", None), "sequence", 0))
                if begin is not None:
                    begin(handle, process)
                try:
                    context.run(callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    self._failed(handle, error)
                budget -= 1
                if not budget:
                    raise SimulationError(_spinning(self.virtual_ns, callback))
            steps += SPIN_CALLBACKS - budget
        self._housekeep(steps)

    def _advance(self) -> None:
        """Move the clock to the next timer, and make ready all that ring then."""
        now_ns = self._timers.ring(self.virtual_ns, self._ready, self.trace.numbers)
        if now_ns is None:
            raise DeadlockError(self._deadlock())
        self.virtual_ns = now_ns
        if now_ns > self._turn_ns:
            self._turn()

    def _turn(self) -> None:
        while self._turns and self._turns[0][0] < self.virtual_ns:
            self._turns.pop(0)[2]()
        self._turn_ns = self._turns[0][0] if self._turns else NEVER_NS

    def _note_step(self, handle: Due, process: Process | None) -> None:
        owner = getattr(handle._callback, "__self__", None)
        what = owner.get_name() if isinstance(owner, SimTask) else name_of(handle._callback)
        kind = "timer" if isinstance(handle, SimTimer) else "task"
        self.note(kind, CONTROL if process is None else process.host, what)

    def _deadlock(self) -> str:
        tasks = [task for task in asyncio.all_tasks(self) if isinstance(task, SimTask)]
        waiting = sorted(tasks, key=lambda task: (task.process is not None, task.sequence))  # servers are meant to wait
        names = [f"{task.get_name()} ({name_of(task.get_coro())})" for task in waiting[:DEADLOCK_TASKS_SHOWN]]
        more = f" and {len(waiting) - len(names)} more" if len(waiting) > len(names) else ""
        who = ", ".join(names) or "the loop"
        return (
            f"At {self.virtual_ns / 1e9:.6f} s nothing is ready and no timer is set: {who}{more} would wait for ever."
        )

    def _housekeep(self, steps: int) -> None:
        self.steps += steps
        if len(self.trace.numbers) > FOLD_NUMBERS:
            self.trace.fold()
        self._steps_to_collection -= steps
        if self._steps_to_collection <= 0:
            self._steps_to_collection = COLLECT_CALLBACKS
            gc.collect()
        if self.exposed and self.world.state_steps:
            self._steps_to_state -= steps
            if self._steps_to_state <= 0:
                self._steps_to_state = self.world.state_steps
                self._trace_states()

    def _trace_states(self) -> None:
        """Put into the digest what every node says of its state."""
        for name in sorted(self.exposed):
            told = repr(sorted(self.exposed[name]().items()))
            self.trace.add(zlib.crc32(name.encode()), zlib.crc32(told.encode()))

    def run_until_complete(self, future: Generator[Any, None, Any] | Awaitable[Any]) -> Any:
        """Run until the future is done, and return its result or raise its error."""
        fresh = not asyncio.isfuture(future)
        waited: asyncio.Future[Any] = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type]  # its stub wants less than it takes
        waited.add_done_callback(self._stop_after)
        try:
            self.run_forever()
        except SimulationError:
            self._unwind(waited)
            raise
        except BaseException:
            if fresh and waited.done() and not waited.cancelled():
                waited.exception()  # it is told by what is raised here
            raise
        finally:
            waited.remove_done_callback(self._stop_after)
        if not waited.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        return waited.result()

    def _unwind(self, waited: asyncio.Future[Any]) -> None:
        """Let what waits for ever undo what it entered, before its error is raised."""
        waited.cancel()
        with contextlib.suppress(SimulationError):
            self.run_forever()
        if waited.done() and not waited.cancelled():
            waited.exception()  # raised while undoing; what it undoes for is told

    def _stop_after(self, _future: asyncio.Future[Any]) -> None:
        self.stop()

    def stop(self) -> None:
        """Return from `run_forever` after the running callback."""
        self._stopping = True

    def is_running(self) -> bool:
        """Whether a call of `run_forever` is under way."""
        return self._thread is not None

    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self.closed

    def close(self) -> None:
        """Drop everything that is scheduled; the loop cannot be used again."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        self.closed = True
        self._ready.clear()
        self._timers.clear()

    # ── tasks and futures ────────────────────────────────────────────────────────────────────────────────────────────

    def create_future(self) -> asyncio.Future[Any]:
        """A future that sets keep in order."""
        self._sequence = number = self._sequence + 1
        future = SimFuture(loop=self)
        future.sequence = number
        return future

    def create_task(self, coro: Any, *, name: Any = None, context: Context | None = None, **more: Any) -> Any:
        """A task that sets keep in order, and that belongs to the process of its context."""
        if self.closed:
            raise RuntimeError("Event loop is closed")
        return SimTask(coro, loop=self, name=name, context=context, **more)

    def set_task_factory(self, factory: Any) -> None:
        """Refused, for tasks of another kind would be kept in the order of their addresses."""
        if factory is not None:
            raise RefusedError("loop.set_task_factory", "tasks must be numbered", call_site())

    def get_task_factory(self) -> None:
        """None: the loop's own."""
        return

    def run_in_executor(self, executor: Any, func: Callable[[*_Ts], _T], *args: *_Ts) -> asyncio.Future[_T]:
        """Call it here and now: there are no threads."""
        if executor is not None and not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            raise RefusedError("loop.run_in_executor with an executor of another kind", call_site=call_site())
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    def _asyncgen_begun(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._asyncgens[self.next_sequence()] = generator

    def _asyncgen_dropped(self, generator: AsyncGenerator[Any, Any]) -> None:
        process = CURRENT.get()
        if not self.closed and (process is None or process.state != "dead"):
            self.create_task(_closing(generator))

    async def shutdown_asyncgens(self) -> None:
        """Close the asynchronous generators that were begun and not ended, in the order of their beginning."""
        for generator in list(self._asyncgens.values()):
            await generator.aclose()

    # ── connections ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def create_connection(
        self, protocol_factory: Callable[[], Any], host: Any = None, port: Any = None, **more: Any
    ) -> Any:
        """Connect through the simulated network; OSError as from a real one."""
        _refuse_options("create_connection", more)
        return await self.network.connect(protocol_factory, str(host or ""), int(port))

    async def create_server(
        self, protocol_factory: Callable[[], Any], host: Any = None, port: Any = None, **more: Any
    ) -> Any:
        """Listen on a port of the host that the calling code is on."""
        _refuse_options("create_server", {name: value for name, value in more.items() if name not in LISTENING})
        return self.network.listen(protocol_factory, str(host or ""), int(port or 0))

    async def create_datagram_endpoint(
        self, protocol_factory: Callable[[], Any], local_addr: Any = None, remote_addr: Any = None, **more: Any
    ) -> Any:
        """A datagram socket of the host that the calling code is on."""
        _refuse_options("create_datagram_endpoint", {k: v for k, v in more.items() if k not in DATAGRAMS})
        return self.network.bind(protocol_factory, local_addr, remote_addr)

    def add_signal_handler(self, sig: int, callback: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Taken, and never called: a simulated process gets no signal that it could handle."""
        if sig in (signal.SIGKILL, signal.SIGSTOP):
            raise RuntimeError(f"sig {sig} cannot be caught")
        self._signals.add(sig)

    def remove_signal_handler(self, sig: int) -> bool:
        """Whether there was one."""
        found = sig in self._signals
        self._signals.discard(sig)
        return found

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> list[Any]:
        """Every name stands for itself."""
        return self.network.resolve(str(host or ""), int(port or 0))

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """Every address is its own name."""
        return str(sockaddr[0]), str(sockaddr[1])

    # ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _failed(self, handle: Due, error: BaseException) -> None:
        if isinstance(error, Killed):
            return
        message = f"Exception in callback {name_of(handle._callback)}"
        handle._context.run(self.call_exception_handler, {"message": message, "exception": error, "handle": handle})

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An error that nobody caught: a node's goes to its log, any other to the handler or the log of asyncio."""
        owner = context.get("task") or context.get("future")
        process: Process | None = getattr(owner, "process", None) or CURRENT.get()
        if process is not None:
            error = context.get("exception")
            if process.state != "dead":
                process.log(f"{context['message']}: {type(error).__name__}: {error}" if error else context["message"])
        elif self._exception_handler is not None:
            self._exception_handler(self, context)
        else:
            self.default_exception_handler(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log it as asyncio does."""
        error = context.get("exception")
        trouble = (type(error), error, error.__traceback__) if error is not None else None
        logger.error(
            "%s at %.6f s", context.get("message", "Unhandled exception"), self.virtual_ns / 1e9, exc_info=trouble
        )

    def set_exception_handler(self, handler: Any) -> None:
        """For what happens outside of nodes."""
        self._exception_handler = handler

    def get_exception_handler(self) -> Any:
        """As set."""
        return self._exception_handler

    def get_debug(self) -> bool:
        """Never: debugging looks at real time."""
        return False

    def set_debug(self, enabled: bool) -> None:
        """Ignored, for the reason above."""


LISTENING: Final = frozenset({"backlog", "reuse_address", "reuse_port", "start_serving", "keep_alive"})
"""Options of create_server that make no difference here."""
DATAGRAMS: Final = frozenset({"reuse_port", "family", "proto", "flags"})
"""The same, of create_datagram_endpoint."""


def _refuse_options(call: str, options: dict[str, Any]) -> None:
    """What was set, and is neither nothing nor harmless, would silently not be there."""
    unknown = sorted(name for name, value in options.items() if value not in (None, 0, False))
    if unknown:
        raise RefusedError(f"loop.{call} with {', '.join(unknown)}", "simulated links are plain", call_site())


async def _closing(generator: AsyncGenerator[Any, Any]) -> None:
    await generator.aclose()


def _spinning(now_ns: int, callback: object) -> str:
    return (
        f"At {now_ns / 1e9:.6f} s the clock stands still: {SPIN_CALLBACKS} callbacks ran in that one instant, "
        f"the last of them {name_of(callback)}; something polls without sleeping."
    )
