"""The verdict block: right at every width, with and without colour and Unicode, and inert."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from made import (
    FAULTS,
    MS,
    Anomaly,
    Counts,
    FaultProof,
    History,
    Result,
    Run,
    Verdict,
    busy_history,
    result_of,
    stale_anomaly,
    stale_history,
    write_run,
)
from rich.cells import cell_len
from rich.console import Console

from harness.verdict import Outcome
from reports.summary import findings
from reports.terminal import PROOF_LINES, print_findings, print_verdict, proof_text

FAULT = FaultProof("partition-1", "partition", ("n1",), "n1 n2 | n3 n4 n5", 41_000 * MS, 42_000 * MS, True)


def screen(width: int = 80, encoding: str = "utf-8", colour: bool = False) -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    return Console(file=file, width=width, highlight=False, force_terminal=colour, no_color=not colour)


def shown(console: Console) -> str:
    return console.file.buffer.getvalue().decode(console.encoding)


def violation(history: History, **more: object) -> Result:
    return result_of(history, [stale_anomaly(history)], faults=[FAULT], **more)


def block(result: Result, history: History | None, folder: Path, **screen_settings: object) -> str:
    console, run = screen(**screen_settings), write_run(folder / "run", history or stale_history(), result)
    print_verdict(result, run=run, history_path=run.history_path if history else None, console=console)
    return shown(console)


def test_the_whole_block_at_80_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    history = stale_history()
    assert (
        block(violation(history), history, tmp_path)
        == """\
VIOLATION ✗  leader-follower / register on sim   seed 8842   41.3 s   5 ops
  linearizability  key k17: p2 read 3 after p7 had read 5, although nothing
    wrote 3 again in between.
  At 41.210 s the only possible state was 3. Then:
    p4     write 5               ok    ├──────────────────┤
    p7     read → 5              ok           ├───┤
    p2     read → 3              ok             ├────┤
    p9     write 8               info            ├┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▷
    p2     read → 3              ok                         ├────┤     ← culprit
    fault  partition n1 n2 | n3 n4 n5  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
                                       41.208 s              41.349 s
  ✓ read-your-writes  Every session read what it had written.
  ✓ statistics  98.1 % of the operations succeeded.
  run  4 ok, 0 fail, 1 info; 1 fault, proven
       info may or may not have happened
  report    run/report.html
  repeat    splitbrain run --nemesis partition,kill,pause --replication async --seed 8842
  re-check  splitbrain check run
"""
    )


@pytest.mark.parametrize("width", [60, 64, 75, 76, 80, 100, 120, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_nothing_is_wider_than_the_screen_but_a_command(tmp_path: Path, width: int, encoding: str) -> None:
    history = stale_history(key="a key of quite some length")
    result = violation(history, title="a product with a long name / a workload with one on docker")
    for line in block(result, history, tmp_path, width=width, encoding=encoding).splitlines():
        assert len(line) <= min(width, 120) or re.match(r"  (report|repeat|re-check) ", line), line


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_first_line_names_the_verdict_and_does_not_wrap(tmp_path: Path, width: int) -> None:
    history = stale_history()
    first = block(violation(history), history, tmp_path, width=width).splitlines()[0]
    assert first.startswith("VIOLATION ✗  leader-follower")
    assert len(first) <= width


def test_a_screen_without_unicode_gets_ascii(tmp_path: Path) -> None:
    history = stale_history(value_of=lambda value: f"wért {value}")
    text = block(violation(history), history, tmp_path, encoding="ascii")
    assert text.isascii()
    assert "VIOLATION [x]" in text
    assert "|---" in text
    assert "<- culprit" in text
    assert 'read -> "w\\xe9rt 5"' in text


def test_without_colour_there_is_no_control_code(tmp_path: Path) -> None:
    history = stale_history()
    assert "\x1b" not in block(violation(history), history, tmp_path)


def test_with_colour_it_says_the_same_words(tmp_path: Path) -> None:
    history = stale_history()
    plain, coloured = (block(violation(history), history, tmp_path, colour=colour) for colour in (False, True))
    assert "\x1b[1;31mVIOLATION ✗" in coloured
    assert "report.html#op=8" in coloured, "a click on the path leads to the culprit"
    stripped = re.sub(r"\x1b\[[\d;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", coloured)
    assert stripped == plain


def test_the_proof_has_at_most_twelve_lines_and_keeps_the_culprit(tmp_path: Path) -> None:
    history = busy_history(400)
    asked = tuple(op.index for op in history.events if op.type == "invoke" and op.is_client())[100:140]
    anomaly = Anomaly("n", "linearizability", "word " * 100, "k", asked, asked[0], "1 or 2")
    result = result_of(history, [anomaly])
    for width in (60, 80, 120):
        lines = proof_text(findings(result)[0], result, history, width).splitlines()
        assert len(lines) <= PROOF_LINES
        assert any("←" in line for line in lines)
        assert any("the only possible states were 1 or 2" in line for line in lines)
        assert re.search(r"and \d+ earlier operations, in the report", lines[-1])


@pytest.mark.parametrize("outcome", ["inconclusive", "vacuous", "infrastructure", "harness"])
def test_an_outcome_that_is_no_verdict_says_why(tmp_path: Path, outcome: Outcome) -> None:
    result = result_of(stale_history(), outcome=outcome, headline="It went wrong.", reason="Because of the weather.")
    text = block(result, None, tmp_path)
    assert text.startswith(outcome.upper())
    assert "It went wrong." in text
    assert "why  Because of the weather." in text


def test_a_valid_run_names_what_held_and_how_to_repeat_it(tmp_path: Path) -> None:
    history = stale_history()
    text = block(result_of(history, truncated="The file was cut off inside line 9."), history, tmp_path)
    assert text.startswith("VALID ✓")
    assert "Linearizability and read-your-writes held." in text
    assert "✓ linearizability  All 50 keys admit an order." in text
    assert "note  The file was cut off" in text
    assert "repeat    splitbrain run" in text
    assert "may or may not" not in text


def test_more_anomalies_than_are_stored_are_counted(tmp_path: Path) -> None:
    history = stale_history()
    broken = Verdict("c", "invalid", anomalies=(stale_anomaly(history),), counts={"anomalies": 5000})
    assert "and 4,999 more anomalies; 1 stored" in block(violation(history, verdicts=(broken,)), history, tmp_path)


def test_a_history_that_cannot_be_read_costs_only_the_picture(tmp_path: Path) -> None:
    history = stale_history()
    result = violation(history)
    run = write_run(tmp_path, history, result)
    run.history_path.write_bytes(b"not a history\n")
    console = screen()
    print_verdict(result, run=run, history_path=run.history_path, console=console)
    assert "p2 read 3 after p7 had read 5" in shown(console)
    assert "├" not in shown(console)


def test_a_file_that_somebody_else_recorded_has_no_run(tmp_path: Path) -> None:
    history = stale_history()
    result = violation(history, plan={}, repeat="", counts=Counts(5, 4, 0, 1))
    run = write_run(tmp_path, history, result)
    console = screen()
    print_verdict(result, history_path=run.history_path, console=console)
    assert "← culprit" in shown(console)
    assert "report  " not in shown(console)
    assert "seed" not in shown(console)


HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202e \r\n [bold red]markup[/] {braces} %s"


def test_hostile_values_do_nothing_to_the_terminal(tmp_path: Path) -> None:
    history = stale_history(value_of=lambda value: f"{HOSTILE}{value}", key=HOSTILE)
    anomaly = msgspec.structs.replace(stale_anomaly(history, key=HOSTILE, sentence=HOSTILE), guarantee=HOSTILE)
    given = {"title": HOSTILE, "headline": HOSTILE, "reason": HOSTILE, "repeat": HOSTILE, "plan": {"seed": HOSTILE}}
    faults = [msgspec.structs.replace(FAULT, detail=HOSTILE, fault=HOSTILE)]
    text = block(result_of(history, [anomaly], faults=faults, **given), history, tmp_path, width=120)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "[bold red]markup[/]" in text


def test_wide_characters_do_not_push_the_lanes_apart(tmp_path: Path) -> None:
    history = stale_history(value_of=lambda value: "漢字" * value)
    text = block(violation(history), history, tmp_path, width=100)
    rows = [line for line in text.splitlines() if re.search("[├▒]", line)]
    starts = {cell_len(re.split("[├▒]", row)[0]) for row in rows if "→" in row or "fault" in row}
    assert len(rows) == 6
    assert max(starts) - min(starts) < 40
    assert all(cell_len(line) <= 100 for line in rows)


def test_a_reader_that_went_away_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    print_verdict(violation(stale_history()), run=Run(tmp_path))
    print_findings(FOUND)


def test_a_closed_pipe_leaves_the_exit_code_alone(tmp_path: Path) -> None:
    history = stale_history()
    run = write_run(tmp_path, history, violation(history))
    program = (
        "import sys; from pathlib import Path; from harness.store import Run;"
        "from reports.terminal import print_verdict;"
        "run = Run(Path(sys.argv[1])); sys.stdin.read(); print_verdict(run.result(), run); sys.exit(7)"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program, str(run.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert started.stdout is not None
    started.stdout.close()
    started.stdout = None
    _, complaints = started.communicate(b"", timeout=60)
    assert (started.returncode, complaints) == (7, b"")


@dataclass(frozen=True)
class Found:
    """As `harness.doctor` makes them."""

    ground: str
    ability: str
    available: bool
    detail: str
    remedy: str = ""


FOUND = (
    Found("sim", "run", True, "needs nothing but Python"),
    Found("docker", "engine", False, "/var/run/docker.sock: no such file", "Start Docker, or use --on sim."),
    Found("docker", "partition", True, "iptables in the image"),
)


def test_findings_are_grouped_by_ground_with_a_remedy_under_what_is_missing() -> None:
    console = screen()
    print_findings(FOUND, console)
    assert (
        shown(console)
        == """\
sim  1 of 1
  ✓ run        needs nothing but Python
docker  1 of 2
  ✗ engine     /var/run/docker.sock: no such file
               → Start Docker, or use --on sim.
  ✓ partition  iptables in the image
"""
    )


def test_findings_fit_a_narrow_ascii_screen() -> None:
    console = screen(width=60, encoding="ascii")
    print_findings([Found("docker", "engine", False, "long " * 40, "remedy " * 20 + "→ é")], console)
    assert shown(console).isascii()
    assert max(len(line) for line in shown(console).splitlines()) <= 60


def test_faults_that_overlap_the_picture_are_at_most_two_rows(tmp_path: Path) -> None:
    history = stale_history()
    many = [msgspec.structs.replace(FAULT, fault=f"f{at}") for at in range(6)]
    text = block(result_of(history, [stale_anomaly(history)], faults=many), history, tmp_path)
    assert text.count("▒ ") + text.count("▒\n") == 2
    assert "+4 more, partition" in text
    assert len(FAULTS) == 3


def test_a_number_keeps_its_unit(tmp_path: Path) -> None:
    verdict = Verdict("statistics", "valid", "Half of them took less than 12 ms and none more than 99 % of it in 7 s.")
    for width in range(60, 110):
        text = block(result_of(stale_history(), verdicts=(verdict,)), None, tmp_path, width=width)
        assert not re.search(r"\d\n", text.partition("statistics")[2].partition("run  ")[0])


def stale_part(name: str, stale: int, reads: int) -> Verdict:
    counts = {"reads": reads, "stale_reads": stale, "k_max": 1 + stale} if reads else {"reads": 0, "stale_reads": 0}
    return Verdict(
        f"staleness: {name}", "valid", "", counts=counts, measures={"delta_ms_p99": 1.5, "delta_ms_max": 22.0}
    )


def test_staleness_is_shown_by_node_and_by_fault(tmp_path: Path) -> None:
    parts = (stale_part("node n1", 0, 9), stale_part("node n2", 3, 1200), stale_part("during cut-1", 0, 0))
    verdict = Verdict("staleness", "valid", "Three were stale.", parts=parts)
    text = block(msgspec.structs.replace(result_of(stale_history(), []), verdicts=(verdict,)), None, tmp_path)
    lines = [line.rstrip() for line in text.splitlines() if line.startswith("    ")]
    assert lines[-3:] == [
        "    stale reads        of  share  versions  ms p99  ms max",
        "    node n1      0      9  0.0 %         0     1.5    22.0",
        "    node n2      3  1,200  0.2 %         3     1.5    22.0",
    ]
    assert "cut-1" not in text


def test_of_very_many_faults_the_stalest_are_shown_and_no_line_is_too_long(tmp_path: Path) -> None:
    parts = tuple(stale_part(f"during {'partition' * 9}-{number}", number, 50) for number in range(40))
    verdict = Verdict("staleness", "valid", "", parts=parts)
    text = block(msgspec.structs.replace(result_of(stale_history(), []), verdicts=(verdict,)), None, tmp_path)
    assert text.count("during") == 12 and "and 28 less stale" in text and "78.0 %" in text
    assert all(cell_len(line) <= 80 for line in text.splitlines() if "during" in line)
