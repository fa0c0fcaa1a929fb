"""What one sees while a test runs: plain lines in a pipe, one calm panel on a terminal, and next to no cost."""

from __future__ import annotations

import io
import itertools
import re
import time
from typing import Any

import pytest
from made import MS, SECOND, Op, busy_history
from rich.console import Console

from harness.op import NEMESIS
from harness.plan import Plan
from reports.console import Screen
from reports.live import PHASES, LivePanel

PLAN = Plan(seed=7, nemesis=("partition", "kill"))


class Clock:
    """The run's clock, which only the test moves."""

    def __init__(self) -> None:
        self.now_ns = 5 * SECOND

    def __call__(self) -> int:
        return self.now_ns


def console(terminal: bool = False, width: int = 110) -> Console:
    settings: dict[str, Any] = {"_environ": {"TERM": "xterm-256color"}} if terminal else {}
    return Console(file=io.StringIO(), width=width, height=40, force_terminal=terminal, highlight=False, **settings)


def told(screen: Console) -> str:
    return screen.file.getvalue()


def feed(panel: LivePanel, clock: Clock, events: list[Op], began_ns: int) -> None:
    for op in events:
        clock.now_ns = began_ns + (op.time or 0)
        panel.event(op)


def asked(process: int, at_ns: int) -> Op:
    return Op(0, at_ns, process, "invoke", "read", "k")


def fault(verb: str, name: str, type_: str = "ok", **value: object) -> Op:
    return Op(0, SECOND, NEMESIS, type_, f"{verb}-partition", None, {"fault": name, **value})


def test_a_pipe_gets_the_plan_the_header_each_phase_and_a_line_every_five_seconds() -> None:
    clock, screen = Clock(), console()
    with LivePanel(PLAN, clock, header=["repeat  splitbrain run --seed 7"], console=screen) as panel:
        panel.phase("provision")
        clock.now_ns += 90 * SECOND  # a slow start delays no line later on
        panel.phase("main")
        feed(panel, clock, list(busy_history(600).events), clock.now_ns)
        panel.phase("judge")
    lines = told(screen).splitlines()
    assert lines[0].startswith("leader-follower / register on sim   5 nodes   10 clients")
    assert "faults partition, kill   seed 7" in lines[0]
    assert lines[1] == "repeat  splitbrain run --seed 7"
    body = [re.match(r" *([\d.]+) s  (\w+)", line) for line in lines[2:]]
    moments = [(match[2], float(match[1])) for match in body if match]
    assert len(moments) == len(body)
    assert moments[0] == ("provision", 0.0)
    assert moments[1] == ("main", 90.0)
    assert moments[-1][0] == "judge"
    main = [at for phase, at in moments if phase == "main"]
    steps = [later - earlier for earlier, later in itertools.pairwise(main)]
    assert len(steps) >= 5
    assert all(5 <= step < 7 for step in steps)


def test_what_a_ground_is_at_is_a_line_each_in_a_pipe_and_two_on_a_terminal() -> None:
    clock, screen = Clock(), console()
    with LivePanel(PLAN, clock, console=screen) as panel:
        panel.phase("provision")
        for line in ("", "fetching", "unpacking"):
            panel.news("building x, step 1/2: RUN make", line)
        panel.news("building x, step 2/2: COPY a b", "")
    assert [line.strip() for line in told(screen).splitlines()[2:]] == [
        "building x, step 1/2: RUN make",
        "building x, step 2/2: COPY a b",
    ]
    with LivePanel(PLAN, clock, console=console(terminal=True)) as panel:
        panel.phase("provision")
        before = picture(panel)
        panel.news("building x, step 1/2: RUN make", "\x1b[31mfetching")
        during = picture(panel)
        panel.phase("set up")
        after = picture(panel)
    assert "building x, step 1/2: RUN make" in during
    assert "fetching" in during
    assert "\x1b[31mf" not in during
    assert len({text.count("\n") for text in (before, during, after)}) == 1
    assert "building" not in after


def test_nothing_is_told_where_nothing_was_asked_for() -> None:
    screen = console()
    with LivePanel(PLAN, Clock(), quiet=True, console=screen) as panel:
        panel.news("building x", "")
    assert told(screen) == ""


def picture(panel: LivePanel) -> str:
    screen = console()
    screen.print(panel.picture())
    return told(screen)


def test_what_goes_to_a_pipe_has_no_control_codes() -> None:
    clock, screen = Clock(), console()
    with LivePanel(PLAN, clock, header=["run  \x1b[2Jevil"], console=screen) as panel:
        panel.phase("ma\x1b[31min")
        panel.event(fault("start", "p\x1b-1", detail="\x1b]0;x\x07"))
        feed(panel, clock, list(busy_history(300).events), clock.now_ns)
    assert not re.search("[\x00-\x09\x0b-\x1f]", told(screen))


def test_the_numbers_are_those_of_the_events() -> None:
    clock = Clock()
    panel = LivePanel(PLAN, clock, console=console())
    panel.phase("main")
    for process in range(10):
        panel.event(asked(process, 0))
    for process, op in enumerate(asked(process, 0) for process in range(8)):
        done = op.ok(1) if process < 5 else op.fail("no") if process < 7 else op.info("timeout")
        panel.event(Op(1, (process + 1) * MS, process, done.type, "read", "k", 1, error=done.error))
    clock.now_ns += 2 * SECOND
    panel.event(asked(20, SECOND + MS))
    panel.event(Op(2, SECOND + 2 * MS, 20, "ok", "read", "k", 1))
    line = panel.plain_line()
    assert panel.counts == {"ok": 6, "fail": 2, "info": 1}
    assert "6 ok, 2 fail, 1 info" in line
    assert "2 in flight" in line
    assert "8 ops/s" in line, "the last whole second"
    assert "p50 3.0 ms, p99 5.0 ms" in line


def test_phases_after_the_last_operation_do_not_repeat_its_numbers() -> None:
    clock, screen = Clock(), console()
    with LivePanel(PLAN, clock, console=screen) as panel:
        panel.phase("main")
        feed(panel, clock, list(busy_history(300).events), clock.now_ns)
        panel.phase("heal")
        panel.phase("quiet")
    heal, quiet = told(screen).splitlines()[-2:]
    assert " ok, " in heal
    assert " ok, " not in quiet


def test_faults_are_named_while_they_are_in_force() -> None:
    panel = LivePanel(PLAN, Clock(), console=console())
    panel.event(Op(0, 1, NEMESIS, "invoke", "start-partition"))
    assert panel.faults == {}
    panel.event(fault("start", "partition-1", detail="n1 | n2 n3"))
    panel.event(fault("start", "partition-2", nodes=["n4"]))
    assert panel.faults == {"partition-1": "partition n1 | n2 n3", "partition-2": "partition n4"}
    assert "faults: partition n1 | n2 n3, partition n4" in panel.plain_line()
    panel.event(fault("stop", "partition-1", "info"))
    assert "partition-1" in panel.faults, "a lifting in doubt leaves the fault in force"
    panel.event(fault("stop", "partition-1"))
    assert list(panel.faults) == ["partition-2"]


def test_fault_events_of_any_shape_disturb_nothing() -> None:
    panel = LivePanel(PLAN, Clock(), console=console())
    for value in (None, 3, "x", [], {"fault": 7, "nodes": None}, {"fault": None}):
        for f in ("start-kill", "stop-kill", "", "odd"):
            panel.event(Op(0, None, NEMESIS, "ok", f, None, value))
    assert panel.plain_line()


def test_events_without_times_are_counted_all_the_same() -> None:
    panel = LivePanel(PLAN, Clock(), console=console())
    panel.event(Op(0, None, 1, "invoke", "read"))
    panel.event(Op(1, None, 1, "ok", "read"))
    assert panel.counts["ok"] == 1
    assert panel.latency_ns() is None


def test_quiet_is_silent() -> None:
    clock, screen = Clock(), console()
    with LivePanel(PLAN, clock, header=["x"], quiet=True, console=screen) as panel:
        panel.phase("main")
        feed(panel, clock, list(busy_history(300).events), clock.now_ns)
    assert told(screen) == ""
    assert panel.counts["ok"] > 200, "it still counts"


def test_a_terminal_gets_a_panel_that_goes_away() -> None:
    clock, screen = Clock(), console(terminal=True)
    with LivePanel(PLAN, clock, header=["repeat  splitbrain run --seed 7"], console=screen) as panel:
        panel.phase("main")
        feed(panel, clock, list(busy_history(300).events), clock.now_ns)
    text = told(screen)
    assert "╭" in text
    assert "in flight" in text
    shown_last = text.rpartition("╯")[2]
    assert "\x1b[2K" in shown_last, "its lines are taken back at the end"
    assert "\x1b[?25h" in shown_last, "and the cursor is given back"


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_the_panel_fits_and_its_lines_do_not_jump(width: int) -> None:
    clock, heights = Clock(), set()
    panel = LivePanel(PLAN, clock, console=console(width=width))
    events = list(busy_history(900).events)
    for number, phase in enumerate([*PHASES, "one of another name"]):
        panel.phase(phase)
        feed(panel, clock, events[number * 60 : number * 60 + 60], 5 * SECOND)
        for name in range(number):
            panel.event(fault("start", f"partition-{name}", detail="n1 n2 n3 | n4 n5"))
        screen = console(width=width)
        screen.print(panel.picture())
        lines = told(screen).splitlines()
        heights.add(len(lines))
        assert max(len(line) for line in lines) <= width
        assert phase in told(screen)
    assert heights == {7}


def test_more_faults_than_fit_are_counted() -> None:
    panel, screen = LivePanel(PLAN, Clock(), console=console()), console()
    for name in range(5):
        panel.event(fault("start", f"partition-{name}", detail="n1 | n2"))
    screen.print(panel.picture())
    assert "and 2 more" in told(screen)


def test_a_pipe_that_closes_does_not_stop_the_run() -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    clock = Clock()
    with LivePanel(PLAN, clock, header=["x"], console=Screen(file=Closed())) as panel:
        panel.phase("main")
        feed(panel, clock, list(busy_history(300).events), clock.now_ns)
    assert panel.counts["ok"] > 200


EVENT_US_MAX = 40  # about 1 µs on an idle core; the bound is for a machine that is busy with other tests


def test_an_event_costs_next_to_nothing() -> None:
    clock, events = Clock(), list(busy_history(20_000).events)
    panel = LivePanel(PLAN, clock, quiet=True, console=console())
    began_ns = time.perf_counter_ns()
    for op in events:
        panel.event(op)
    assert (time.perf_counter_ns() - began_ns) / len(events) < EVENT_US_MAX * 1000
