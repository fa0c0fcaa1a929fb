"""What one sees while a test runs: one calm panel on a terminal, plain lines everywhere else.

    with LivePanel(plan, ground.now_ns, header=[f"repeat  {command}"]) as panel:
        panel.phase("main")
        panel.event(op)      # for every event; it only counts, so a hundred thousand a second are nothing

The run's clock may be virtual, so nothing here waits, sleeps or reads real time: rates, latencies and plain lines go by
the times of the events themselves, and are the same for the same run. On a terminal a thread of rich redraws the last
counts a few times a second; it only reads, and nothing here is read back by the run, so it cannot disturb it. What
cannot be written (a closed pipe) is dropped: a run is worth more than its panel.

Limits: percentiles are of the latest 4,096 successful operations.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from harness.op import NEMESIS, Op
from harness.plan import Plan
from reports.console import screen
from reports.text import count_text, counted, duration_text, inert

PHASES: Final = (
    "provision", "set up", "main", "heal", "quiet", "final reads", "collect logs", "tear down", "judge", "report",
)  # fmt: skip
"""In the order of a run; a phase of another name is shown as it comes."""
PLAIN_NS: Final = 5_000_000_000
REFRESHES_PER_SECOND: Final = 8
SPARK_CELLS: Final = 40
SECOND_NS: Final = 1_000_000_000
_SPARKS: Final = "▁▂▃▄▅▆▇█"
_LATENCIES_MAX: Final = 4096
_FAULTS_SHOWN: Final = 3
_WIDEST: Final = 110
_FRAME: Final = 4
_CLOCK: Final = 12
"""Cells around the phases: the frame of the panel; the wheel and the time."""


class LivePanel:
    """Counts events and shows them on standard error. Use as a context manager.

    Attributes:
        counts: client operations that completed, by how.
        faults: those in force now, in words, by id.
    """

    def __init__(
        self,
        plan: Plan,
        now_ns: Callable[[], int],
        header: Sequence[str] = (),
        quiet: bool = False,
        console: Console | None = None,
    ) -> None:
        self._plan, self._now_ns, self._quiet = plan, now_ns, quiet
        self._header = tuple(inert(line, 2000) for line in header)
        self._console = console or screen(stderr=True)
        self._unicode = "utf" in self._console.encoding.lower()
        self._live: Live | None = None
        self._origin_ns = self._phase_ns = self._lined_ns = now_ns()
        self._phase, self._phases = "", list(PHASES)
        self._news = ("", "")
        self._spinner = Spinner("dots" if self._unicode else "line", style="cyan")
        self.counts = {"ok": 0, "fail": 0, "info": 0}
        self.faults: dict[str, str] = {}
        self._started: dict[int | str, int | None] = {}
        self._latencies: deque[int] = deque(maxlen=_LATENCIES_MAX)
        self._seconds: deque[int] = deque(maxlen=SPARK_CELLS)
        self._second = self._told = 0

    def __enter__(self) -> LivePanel:
        if self._quiet:
            return self
        self._print(title_text(self._plan), "bold")
        for line in self._header:
            self._print(line, "dim")
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=self.picture,
                console=self._console,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            with contextlib.suppress(OSError, ValueError):
                self._live.stop()
            self._live = None

    def phase(self, name: str) -> None:
        """A phase of the run begins."""
        self._phase, self._phase_ns, self._news = inert(name, 40), self._now_ns(), ("", "")
        if self._phase not in self._phases:
            self._phases.append(self._phase)
        if not self._quiet and self._live is None:
            self._line(self._phase_ns)

    def news(self, step: str, line: str) -> None:
        """What is being done before the run can begin, and the last that was heard of it; from any thread."""
        before, self._news = self._news[0], (inert(step, 200), inert(line, 200))
        if self._news[0] != before and not self._quiet and self._live is None:
            self._print(f"{'':10}{self._news[0]}")

    def event(self, op: Op) -> None:
        """An event was recorded. Called for every one, so it only counts."""
        if op.process == NEMESIS:
            self._fault(op)
            return
        time_ns = op.time
        if op.type == "invoke":
            self._started[op.process] = time_ns
            return
        self.counts[op.type] += 1
        began_ns = self._started.pop(op.process, None)
        if time_ns is None:
            return
        if began_ns is not None and op.type == "ok":
            self._latencies.append(time_ns - began_ns)
        second = time_ns // SECOND_NS
        if second != self._second or not self._seconds:
            self._advance(second)
        self._seconds[-1] += 1

    def _advance(self, second: int) -> None:
        """A new second of the run: one more cell of the sparkline, and maybe a plain line."""
        missing = second - self._second if self._seconds else 1
        self._seconds.extend([0] * max(0, min(missing, SPARK_CELLS)))
        self._second = max(second, self._second)
        now_ns = self._now_ns()
        if not self._quiet and self._live is None and now_ns - self._lined_ns >= PLAIN_NS:
            self._line(now_ns)

    def _fault(self, op: Op) -> None:
        """`faults` is replaced rather than changed, because the thread that draws may be reading it."""
        if op.type in ("invoke", "fail"):
            return
        verb, _, kind = op.f.partition("-")
        told: dict[str, Any] = op.value if isinstance(op.value, dict) else {}
        name = inert(str(told.get("fault") or ""), 40)
        if verb == "start" and name:
            where = told.get("detail") or " ".join(str(node) for node in told.get("nodes") or ())
            self.faults = {**self.faults, name: f"{inert(kind, 24)} {inert(str(where), 60)}".strip()}
        elif verb == "stop" and op.type == "ok":
            self.faults = {fault: text for fault, text in self.faults.items() if fault != name}

    def _line(self, now_ns: int) -> None:
        self._lined_ns = now_ns
        self._print(self.plain_line())
        self._told = sum(self.counts.values())

    def _print(self, text: str, style: str = "") -> None:
        with contextlib.suppress(OSError, ValueError):
            self._console.print(Text(text, style), soft_wrap=True)

    @property
    def elapsed_ns(self) -> int:
        """Run time so far, on the ground's clock."""
        return max(0, self._now_ns() - self._origin_ns)

    def rate(self) -> int:
        """Operations that completed in the last whole second of run time."""
        return self._seconds[-2] if len(self._seconds) > 1 else self._seconds[-1] if self._seconds else 0

    def latency_ns(self) -> tuple[int, int] | None:
        """Median and 99th percentile of the latest successful operations."""
        ordered = sorted(list(self._latencies))  # noqa: C414 (the copy is one step, so the run cannot change it midway)
        if not ordered:
            return None
        return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]

    def plain_line(self) -> str:
        """All of it in one line without control characters; numbers only if they are new."""
        latency, total = self.latency_ns(), sum(self.counts.values())
        parts = [f"{self.elapsed_ns / 1e9:6.1f} s  {self._phase or 'start':<12}"]
        if total != self._told:
            parts += [
                *([f"{count_text(self.rate())} ops/s"] if self._phase == "main" else []),
                ", ".join(f"{count_text(number)} {kind}" for kind, number in self.counts.items()),
                f"{len(self._started)} in flight",
            ]
        if latency and total != self._told:
            parts.append(f"p50 {duration_text(latency[0])}, p99 {duration_text(latency[1])}")
        if self.faults:
            parts.append(f"faults: {', '.join(self.faults.values())}")
        return "  ".join(parts).rstrip()

    def picture(self) -> RenderableType:
        """The panel: phases, progress, counts, latency, faults; its lines do not jump."""
        width = min(self._console.width, _WIDEST)
        rows = [self._counts_row(), self._latency_row(), self._fault_row()]
        if self._news[0]:  # before anything can be counted
            rows = [*(Text(said, no_wrap=True, overflow="ellipsis") for said in self._news), Text()]
        body = Group(self._strip(width), self._progress(width), *rows)
        return Panel(body, width=width, border_style="dim", padding=(0, 1))

    def _strip(self, width: int) -> RenderableType:
        """Where the run stands; the wheel turns as long as this process lives."""
        at = self._phases.index(self._phase) if self._phase in self._phases else 0
        text = Text(no_wrap=True, overflow="ellipsis")
        if sum(len(name) + 2 for name in self._phases) <= width - _FRAME - _CLOCK:
            for number, name in enumerate(self._phases):
                text.append(f"{name}  ", "bold cyan" if number == at else "green" if number < at else "dim")
        else:
            text.append(self._phase or "start", "bold cyan")
            text.append(f"  {at + 1} of {len(self._phases)}", "dim")
        row = Table.grid(padding=(0, 1), expand=True)
        row.add_column(width=1)
        row.add_column(ratio=1)
        row.add_column(justify="right", no_wrap=True)
        row.add_row(self._spinner, text, Text(f"{self.elapsed_ns / 1e9:.1f} s", "bold"))
        return row

    def _progress(self, width: int) -> Text:
        """The main phase against its limit; full after it, empty before. To be read without colour, too."""
        share = float(self._phase in PHASES[PHASES.index("main") :])
        if self._phase == "main":
            share = min(1.0, (self._now_ns() - self._phase_ns) / max(1.0, self._plan.time_limit_s * SECOND_NS))
        cells = width - _FRAME
        done = round(share * cells)
        full, empty = ("━", "╌") if self._unicode else ("=", ".")
        return Text.assemble((full * done, "cyan"), (empty * (cells - done), "dim"))

    def _counts_row(self) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        for kind, style in (("ok", "bold blue"), ("fail", "bold magenta"), ("info", "bold yellow")):
            line.append(f"{count_text(self.counts[kind])} ", style).append(f"{kind}   ")
        return line.append(f"{len(self._started)} in flight", "dim")

    def _latency_row(self) -> Text:
        latency, seconds = self.latency_ns(), list(self._seconds)[:-1]
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{count_text(self.rate())} ", "bold").append("ops/s   ")
        if latency:
            line.append("p50 ", "dim").append(f"{duration_text(latency[0])}   ")
            line.append("p99 ", "dim").append(f"{duration_text(latency[1])}   ")
        highest = max(seconds, default=0)
        if highest > 0 and self._unicode:
            line.append("".join(_SPARKS[round(count / highest * 7)] for count in seconds), "blue")
        return line

    def _fault_row(self) -> Text:
        named = list(self.faults.values())
        more = f", and {len(named) - _FAULTS_SHOWN} more" if len(named) > _FAULTS_SHOWN else ""
        text = f"in force: {', '.join(named[:_FAULTS_SHOWN])}{more}" if named else "no fault in force"
        return Text(text, "yellow" if named else "dim", no_wrap=True, overflow="ellipsis")


def title_text(plan: Plan) -> str:
    """What is about to run, in one line."""
    faults = f"faults {', '.join(plan.nemesis)}" if plan.nemesis else "no faults"
    parts = (
        f"{plan.system} / {plan.workload} on {plan.on}",
        counted(plan.nodes, "node"),
        counted(plan.concurrency, "client"),
        f"{plan.rate:g} ops/s for {plan.time_limit_s:g} s",
        faults,
        f"seed {plan.seed}",
    )
    return inert("   ".join(parts), 400)
