"""`splitbrain replay`: run a stored run again, in this process, and say whether it is the same one.

Compared are the history, byte for byte, the verdict, byte for byte, and the digest over everything that happened on the
simulated loop. A trace of the run is written on demand: as text, or for Perfetto and chrome://tracing.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from harness import registry
from harness.cli.arguments import Parser
from harness.cli.judged import Judged, run_judged
from harness.errors import SplitbrainError, UsageError
from harness.store import Run, open_run


def build_parser() -> Parser:
    """The parser of `splitbrain replay`."""
    parser = Parser(prog="splitbrain replay", description="Run a stored run again, and compare.", epilog=_EXAMPLES)
    parser.add_argument("run", type=Path, help="run directory")
    parser.add_argument(
        "--trace", nargs=2, metavar=("FORM", "FILE"), help="write what happened: text or chrome, and where to"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Replay; returns 0 when it was the same run, 255 when it was not."""
    given = build_parser().parse_args(argv)
    if given.trace and given.trace[0] not in ("text", "chrome"):
        raise UsageError(f"--trace wants text or chrome, found {given.trace[0]!r}.")
    run = open_run(given.run)
    plan = run.plan()
    if plan.on != "sim":
        raise UsageError(f"{given.run}: was run on {plan.on!r}; only what was simulated can be run again exactly.")
    with tempfile.TemporaryDirectory(prefix="splitbrain-") as folder:
        again = Run(Path(folder))
        judged = run_judged(plan, keep=again, record=bool(given.trace))
        if judged.result is None:
            raise SplitbrainError(f"{given.run}: run again, it failed: {judged.failure}")
        facts = _compared(run, again, judged)
    if given.trace:
        _write_trace(judged, given.trace[0], Path(given.trace[1]))
        facts["trace"] = given.trace[1]
    if given.json:
        sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    else:
        sys.stdout.write(_told(facts))
    return 0 if facts["same"] else 255


def _compared(run: Run, again: Run, judged: Judged) -> dict[str, Any]:
    """What is equal, with the digests of both."""
    from harness.cli import judging

    assert judged.result is not None
    judging.store_result(again, judged.result)
    parts = {
        "history": (_digest(run.history_path), _digest(again.history_path)),
        "verdict": (_digest(run.path / "verdict.json"), _digest(again.path / "verdict.json")),
        "loop": (_logged_digest(run), judged.digest),
    }
    return {
        "run": str(run.path),
        "outcome": judged.result.outcome,
        "same": all(not stored or stored == now for stored, now in parts.values()),
        "digests": {name: {"stored": stored, "again": now} for name, (stored, now) in parts.items()},
        "first_difference": _first_difference(run.history_path, again.history_path),
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32] if path.is_file() else ""


def _logged_digest(run: Run) -> str:
    """What the run's log says that its loop's digest was; "" when it does not."""
    log = run.path / "log.jsonl"
    lines = log.read_bytes().splitlines() if log.is_file() else []
    told = [data for data in map(msgspec.json.decode, lines) if data.get("event") == "digest"]
    return str(told[-1]["digest"]) if told else ""


def _first_difference(stored: Path, again: Path) -> str:
    """The first line that differs, in both; "" when none does."""
    lines, others = stored.read_bytes().splitlines(), again.read_bytes().splitlines()
    for number, (line, other) in enumerate(zip(lines, others, strict=False), 1):
        if line != other:
            return f"line {number}: stored {line.decode()[:200]}, again {other.decode()[:200]}"
    return "" if len(lines) == len(others) else f"stored {len(lines)} lines, again {len(others)}"


def _write_trace(judged: Judged, form: str, path: Path) -> None:
    from reports.chrome_trace import chrome_trace

    assert judged.history is not None
    assert judged.recording is not None
    happened = judged.recording.events
    if form == "chrome":
        data = msgspec.json.encode(chrome_trace(judged.history.events, judged.logs, judged.started_ns, happened))
    else:
        data = "".join(_text(judged)).encode()
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path}: the trace cannot be written: {error.strerror}.") from error


def _text(judged: Judged) -> Iterator[str]:
    """The story, and then everything."""
    from harness.exploration.story import tell
    from reports.full_trace import lines

    assert judged.history is not None
    assert judged.recording is not None
    patterns = getattr(registry.load("systems", judged.plan.system), "events", {})
    anomaly = next(iter(judged.anomalies()), None)
    yield tell(judged.history.events, anomaly, judged.logs, patterns, judged.started_ns, everything=True)
    yield f"\nEverything, on the nodes' clock, which showed {judged.started_ns / 1e9:.6f} s when the history began:\n\n"
    yield from (f"{line}\n" for line in lines(judged.recording.events, judged.recording.left_out))


def _told(facts: dict[str, Any]) -> str:
    lines = [f"{facts['outcome']}: {'the same run again' if facts['same'] else 'NOT the same run'}"]
    for name, pair in facts["digests"].items():
        sign = "?" if not pair["stored"] else "=" if pair["stored"] == pair["again"] else "≠"
        lines.append(
            f"  {sign} {name:<8} {pair['again']}" + ("" if sign == "=" else f"  stored: {pair['stored'] or '-'}")
        )
    if facts["first_difference"]:
        lines.append(f"  {facts['first_difference']}")
    if "trace" in facts:
        lines.append(f"  trace    {facts['trace']}")
    return "\n".join(lines) + "\n"


_EXAMPLES: Final = """examples:
  splitbrain replay store/latest
  splitbrain replay store/latest --trace text trace.txt
  splitbrain replay store/latest --trace chrome trace.json      # open it in ui.perfetto.dev
"""
