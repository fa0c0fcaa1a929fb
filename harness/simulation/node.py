"""One simulated host: its disk, its wall clock, its log, and one life of the server after the other.

A SIGKILL or a loss of power strikes between two steps of a program, and a step may be in the middle of what the program
thinks is one thing: written, but not yet synced; sent, but not yet written down. So half of the blows wait, for
STRIKE_WAIT_S at most, until the server is before or after an effect that others can see (a call of its disk, something
sent), and strike there. Only so is it seen whether a server relies on what it has not synced yet. A world with
`recovery_crashes` strikes some starts in the same way while the server reads its disk.

Whoever listens (`harness.protocols.ObservesNodes`) is told of each line that a node logs and of each effect, before it
("append", "sync", ..., "send") and after it ("append done", ..., "sent"), and may strike there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from harness.protocols import Machine, ProcessState
from harness.simulation.clock import MonotonicClock, WallClock
from harness.simulation.disk import SimDisk
from harness.simulation.handles import SimTask
from harness.simulation.machine import SimMachine
from harness.simulation.process import CURRENT, Process, When
from harness.simulation.trouble import MachineDisk, Trouble
from harness.streams import Random
from harness.tape import decide, happens

if TYPE_CHECKING:
    from harness.simulation.loop import SimLoop

STRIKE_AT_EFFECT_SHARE: Final = 0.5
STRIKE_WAIT_S: Final = 0.05
STRIKE_EFFECTS_MAX: Final = 12
RECOVERY_EFFECTS_MAX: Final = 12
RECOVERY_NS: Final = 50_000_000
RESTART_NS: Final = 20_000_000
AWAITS_IN_FINALLY_MAX: Final = 100
CPU_PERIOD_NS: Final = 100_000_000
"""A process that may have a share of a core runs for that share of each such period, as under a CPU quota."""

Program = Callable[[Machine], Awaitable[None]]
Listener = Callable[[str, str, str], None]


class Life:
    """A process and its tasks.

    Attributes:
        strike: ends it at an effect, when `effects_to_strike` of them have come; None when no blow waits.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.main: SimTask | None = None
        self.remains: list[SimTask] = []
        self.strike: Callable[[], None] | None = None
        self.effects_to_strike = 0


class SimNode:
    """A host.

    Attributes:
        lines: the log; clock: the wall clock; monotonic: the other one.
        disk: what it keeps; trouble: what is wrong with the disk.
        cpu_share: of one core that the server may have; 0 for all of it; throttled_ns: how long it had to stand still.
        frozen: whether the whole machine stands still.
    """

    def __init__(self, loop: SimLoop, name: str, program: Program) -> None:
        self.loop = loop
        self.name = name
        self.lines: list[str] = []
        world = loop.world
        chance = loop.streams.stream(f"clock/{name}")
        drift_ppm = _either_way(chance, "drift", world.drift_ppm)
        offset_ns = int(_either_way(chance, "offset", world.offset_ms) * 1_000_000) if world.offset_ms else 0
        self.clock = WallClock(loop, drift_ppm, offset_ns)
        self.monotonic = MonotonicClock(loop, drift_ppm)
        self.disk = SimDisk(loop.streams.stream(f"disk/{name}"), world=world)
        self.trouble = Trouble(loop.streams.stream(f"trouble/{name}"), world)
        self.cpu_share = 0.0
        self.throttled_ns = 0
        self.frozen = False
        self._program = program
        self._listeners: list[Listener] = []
        self._lives: list[Life] = []
        self._to_restart: Life | None = None
        self._cpu_period = 0
        self._exhausted_ns = 0
        loop.network.add_host(name)

    # ── who is told ──────────────────────────────────────────────────────────────────────────────────────────────────

    def log(self, message: str) -> None:
        """Add a line, with virtual seconds before it."""
        self.lines.append(f"{self.loop.virtual_ns / 1e9:.6f} {message}")
        self.loop.note("log", self.name, message)
        self._tell("log", message)

    def listen(self, listener: Listener) -> None:
        """Tell it of every line and effect from now on."""
        self._listeners.append(listener)
        self._watch()

    def observe(self) -> Mapping[str, Any]:
        """What the running server exposes of its state."""
        state = self.loop.exposed.get(self.name)
        return {} if state is None else state()

    def _tell(self, event: str, text: str) -> None:
        for listener in self._listeners:
            listener(self.name, event, text)

    def _watch(self) -> None:
        """Have effects told only while somebody wants to know: it costs time with every message."""
        if self._lives:
            life = self._lives[-1]
            wanted = bool(self._listeners) or life.strike is not None
            life.process.watched = self._effect if wanted else None

    def _effect(self, what: str, when: When, on: str) -> None:
        life = self._lives[-1]
        if what not in ("read", "list"):
            self._tell(what if when == "before" else "sent" if what == "send" else f"{what} done", on)
        if life.strike is not None and life.process.state != "dead":
            life.effects_to_strike -= 1
            if life.effects_to_strike <= 0:
                life.strike()

    # ── lives ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def state(self) -> ProcessState:
        """What the host's operating system says of the server."""
        process = self._process()
        if process is None or process.state == "dead":
            return "stopped"
        return "paused" if process.state == "paused" else "running"

    def start(self) -> None:
        """Power on, and begin a life on what is on the disk; nothing if one is going on."""
        if self.state() != "stopped":
            return
        loop = self.loop
        self.frozen = False
        loop.network.set_power(self.name, on=True)
        random: Random = loop.streams.stream(f"node/{self.name}/{len(self._lives)}")
        process = Process(self.name, loop.next_sequence(), self.log, self.clock.wall_ns, random, self.monotonic)
        life = Life(process)
        self._lives.append(life)
        self._event("started")
        context = copy_context()
        context.run(CURRENT.set, process)
        machine = SimMachine(self, process, MachineDisk(loop, self.disk, process, self.trouble))
        self._strike_recovery(life)
        self._watch()
        life.main = loop.create_task(self._live(life, machine), name=f"{self.name}-{len(self._lives)}", context=context)

    async def _live(self, life: Life, machine: SimMachine) -> None:
        """Run the program; when it ends, whatever it left running ends with it."""
        try:
            await self._program(machine)
            said = "the server ended by itself"
        except Exception as error:
            said = f"the server ended: {type(error).__name__}: {error}"
        if life.process.state != "dead":
            self._event(said)
            self._end(life, quietly=False)

    def pause(self) -> None:
        """SIGSTOP."""
        process = self._process()
        if process is not None and process.state == "running":
            process.pause()
            self._event("paused")

    def resume(self) -> None:
        """SIGCONT."""
        process = self._process()
        if process is not None and process.state == "paused" and not self.frozen:
            self._event("resumed")
            self.loop.resume(process)

    def freeze(self, on: bool) -> None:
        """Stop the whole machine, which then neither sends nor answers; or let it go on."""
        process = self._process()
        if process is None or process.state == "dead" or on == self.frozen:
            return
        self.frozen = on
        self.loop.network.set_power(self.name, on=not on)
        if on:
            process.pause()
            self._event("frozen")
        else:
            self._event("thawed")
            self.loop.resume(process)

    def strike(self, *, power: bool) -> None:
        """End the server at once; `kill` or `power_off` then find it ended."""
        if self.state() != "stopped":
            self._event("power lost" if power else "killed")
            self._end(self._lives[-1], quietly=power)

    async def kill(self) -> None:
        """SIGKILL: what was written is still there."""
        await self._blow(power=False)

    async def power_off(self) -> int:
        """Cut the power; return the bytes lost."""
        await self._blow(power=True)
        self.loop.network.set_power(self.name, on=False)
        lost = self.disk.lose_power()
        self._event(f"{lost} bytes that were not synced are gone")
        return lost

    async def _blow(self, power: bool) -> None:
        self._to_restart = None
        if self.state() == "stopped":
            return
        life = self._lives[-1]
        struck = asyncio.Event()

        def strike() -> None:
            self.strike(power=power)
            struck.set()

        # A stream for each moment, so that one blow does not change what another draws.
        blows = self.loop.streams.stream(f"blows/{self.name}/{self.loop.virtual_ns}")
        if happens(blows, "at an effect", STRIKE_AT_EFFECT_SHARE):
            life.effects_to_strike = 1 + decide(
                blows, "effects", STRIKE_EFFECTS_MAX, lambda random: random.randrange(STRIKE_EFFECTS_MAX)
            )
            life.strike = strike
            self._watch()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STRIKE_WAIT_S):
                    await struck.wait()
            life.strike = None
            self._watch()
        if life.process.state != "dead":
            strike()

    def _strike_recovery(self, life: Life) -> None:
        """Maybe kill the server while it reads its disk, and start it again a little later."""
        share = self.loop.world.recovery_crashes
        chance = self.loop.streams.stream(f"recovery/{self.name}") if share else None
        if chance is None or not happens(chance, "in recovery", share):
            return

        def strike() -> None:
            self.strike(power=False)
            self._to_restart = life
            self.loop.call_at_ns(self.loop.virtual_ns + RESTART_NS, self._restart, (life,), self.loop.kernel_context)

        loop = self.loop
        loop.call_at_ns(loop.virtual_ns + RECOVERY_NS, self._disarm, (life, strike), loop.kernel_context)
        life.strike = strike
        life.effects_to_strike = 1 + decide(
            chance, "effects", RECOVERY_EFFECTS_MAX, lambda random: random.randrange(RECOVERY_EFFECTS_MAX)
        )

    def _disarm(self, life: Life, strike: Callable[[], None]) -> None:
        """The recovery is over, and was not struck."""
        if life.strike is strike:
            life.strike = None
            self._watch()

    def _restart(self, life: Life) -> None:
        """Start again after a recovery that was struck, unless somebody wants the node to be down since."""
        if self._to_restart is life:
            self._to_restart = None
            self.start()

    async def recovered(self) -> None:
        """Return once the server's start is not to be struck any more."""
        while self._to_restart is not None or self._lives[-1].strike is not None:  # noqa: ASYNC110 - nobody's event
            await asyncio.sleep(RESTART_NS / 1e9)

    def _end(self, life: Life, quietly: bool) -> None:
        """End a life. Its tasks are kept until the run is over: dropping them would run their `finally` blocks."""
        self.loop.end(life.process, quietly)
        life.strike = None
        self.loop.exposed.pop(self.name, None)
        self.frozen = False
        tasks = (task for task in asyncio.all_tasks(self.loop) if isinstance(task, SimTask))
        life.remains = sorted((task for task in tasks if task.process is life.process), key=hash)
        for task in life.remains:
            task.forget()

    def _process(self) -> Process | None:
        return self._lives[-1].process if self._lives else None

    def _event(self, said: str) -> None:
        self.loop.note("process", self.name, said)
        self.log(said)

    def bury(self) -> None:
        """End the last life, and let go of all tasks of all lives; their last words have no effect."""
        if self.state() != "stopped":
            self._end(self._lives[-1], quietly=True)
        for life in self._lives:
            context = copy_context()
            context.run(CURRENT.set, life.process)
            for task in life.remains:
                context.run(_drop, task.get_coro())
            life.remains.clear()

    # ── limits and repairs ───────────────────────────────────────────────────────────────────────────────────────────

    def limit_cpu(self, share: float) -> None:
        """Let the server run for that share of the time; 0 or 1 for all of it."""
        self.cpu_share = share if 0 < share < 1 else 0.0
        self._cpu_period += 1
        self._throttle(self._cpu_period)

    def _throttle(self, period: int) -> None:
        """Begin a period: the process runs first, and stands still for the rest."""
        process = self._process()
        if period != self._cpu_period:
            return
        if process is not None and process.throttled:
            process.throttled = False
            self.throttled_ns += self.loop.virtual_ns - self._exhausted_ns
            self.loop.release(process)
        if self.cpu_share:
            now_ns, kernel = self.loop.virtual_ns, self.loop.kernel_context
            self.loop.call_at_ns(now_ns + int(CPU_PERIOD_NS * self.cpu_share), self._exhaust, (period,), kernel)
            self.loop.call_at_ns(now_ns + CPU_PERIOD_NS, self._throttle, (period,), kernel)

    def _exhaust(self, period: int) -> None:
        process = self._process()
        if period == self._cpu_period and process is not None and not process.blocked:
            process.throttled = True
            self._exhausted_ns = self.loop.virtual_ns
            self.loop.block(process)

    def mend(self) -> None:
        """The disk works again; who waited for it goes on."""
        self.trouble.breakage = None
        process = self._process()
        if process is not None and process.blocked and not process.throttled:
            self.loop.release(process)


def _drop(coroutine: Any) -> None:
    """Unwind what will never go on. A `finally` that awaits stops there, and is thrown out again."""
    for _ in range(AWAITS_IN_FINALLY_MAX):
        try:
            coroutine.close()
        except RuntimeError:
            continue
        except BaseException:  # noqa: S110 - the last words of the dead
            pass
        return


def _either_way(random: Random, label: str, span: float) -> float:
    """From -span to span; the mildest is 0."""
    steps = 1 << 30
    place = decide(random, label, steps, lambda source: int(source.random() * steps))
    share = 2 * place / steps
    return span * (share if share < 1 else 1 - share)
