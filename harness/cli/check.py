"""`splitbrain check`: judge a history file that anybody recorded, or a stored run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from harness import registry
from harness.cli import arguments, judging, planning
from harness.cli.arguments import Parser
from harness.errors import HistoryError, UsageError
from harness.history import History
from harness.result import Result
from harness.store import Run

OBJECTS: Final = {
    "counter": "counter",
    "queue": "total-queue",
    "lock": "fenced-lock",
    "list": "append-only",
    "set": "set-full",
    "transactions": "transactions",
}
"""Models that one checker judges by itself, and its name."""
OURS: Final = {
    "queue": frozenset[str](),
    "set": frozenset({"add", "read"}),
    "counter": frozenset({"increment", "read"}),
}
"""What our workloads ask of these. Where a history of somebody else asks for more, the model of that name judges it."""
SESSION: Final = "session"


def models() -> list[str]:
    """Every name that `--model` knows: objects with checkers of their own, and all registered models."""
    return sorted({SESSION, *OBJECTS, *registry.names("models")})


def build_parser() -> Parser:
    """The parser of `splitbrain check`."""
    parser = Parser(prog="splitbrain check", description="Judge a history file or a stored run.", epilog=_EXAMPLES)
    parser.add_argument("path", type=Path, help="history.jsonl, Jepsen's history.edn, a JSON array, or a run directory")
    parser.add_argument("--model", choices=models(), help="what the operations mean (default: what the file says)")
    parser.add_argument("--initial", help="state before the first operation, as JSON (default: what the file says)")
    parser.add_argument("--fail-cas", choices=("drop", "mismatch", "returned"), help="what a failed cas means")
    parser.add_argument("--budget", type=arguments.positive, default=120.0, help="seconds (default: 120)")
    parser.add_argument("--no-verify", action="store_true", help="do not re-check the certificates")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Judge; returns the exit code of the outcome."""
    given = build_parser().parse_args(argv)
    path: Path = given.path
    if (path / "plan.json").is_file() and given.model is None:
        run, result = _check_run(path)
    else:
        run, result = None, _check_file(given)
    judging.show(run, result, as_json=given.json, history_path=None if run else path)
    return result.exit_code


def _check_run(path: Path) -> tuple[Run, Result]:
    """Judge a stored run as its own end did; the same history gives the same bytes."""
    from harness.store import open_run

    run = open_run(path)
    plan = run.plan()
    system, workload = registry.load("systems", plan.system), registry.load("workloads", plan.workload)
    if not run.history_path.is_file():
        raise HistoryError(f"{run.history_path}: the run recorded no history.")
    repeat = planning.repeat_command(plan, [*system.options, *workload.options])
    result = judging.judge_stored_run(run, plan, workload, repeat, judging.stored_failure(run))
    judging.write_reports(run, result)
    return run, result


def _check_file(given: Any) -> Result:
    from checkers.judge import judge_history
    from checkers.protocol import Budget
    from harness.history.reader import read_history

    history = _with_semantics(read_history(given.path), given)
    model = history.header.model
    if model not in models():
        found = f"its header says {model!r}" if model else "its header does not say"
        raise UsageError(f"{given.path}: which model? {found}; give --model, one of {', '.join(models())}.")
    result = judge_history(history, _checkers(history), Budget(given.budget), given.path.name)
    return result if given.no_verify else judging.verified(history, result)


def _checkers(history: History) -> list[Any]:
    model = history.header.model
    if model == SESSION:
        from checkers.sessions import MonotonicReads, ReadYourWrites

        return [ReadYourWrites(), MonotonicReads()]
    if model in OBJECTS and not _is_foreign(history):
        return [registry.load("checkers", OBJECTS[model])()]
    from checkers.linearizability import Linearizability

    return [Linearizability(model)]


def _is_foreign(history: History) -> bool:
    """Whether a history is of an object that only shares its name with one of ours: see OURS."""
    operations, model = history.operations, history.header.model
    asked = {operations.fs[code] for code in set(operations.f.tolist())}
    return not history.header.workload and model in OURS and not asked <= OURS[model]


def _with_semantics(history: History, given: Any) -> History:
    """The history with what the options say instead of what its header says."""
    header = history.header
    if given.initial is not None:
        try:
            header = msgspec.structs.replace(header, initial=msgspec.json.decode(given.initial))
        except msgspec.DecodeError as error:
            raise UsageError(f"--initial must be JSON, found {given.initial!r}: {error}.") from error
    if given.model is not None:
        header = msgspec.structs.replace(header, model=given.model)
    if given.fail_cas is not None:
        header = msgspec.structs.replace(header, fail_cas=given.fail_cas)
    return history.meaning(header)


_EXAMPLES: Final = """examples:
  splitbrain check history.jsonl --model register
  splitbrain check history.edn --model cas-register --json
  splitbrain check store/latest
"""
