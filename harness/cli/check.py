"""`splitbrain check`: judge a history file that anybody recorded, or a stored run again."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness import registry
from harness.cli import arguments, judging, suites
from harness.cli.arguments import Parser
from harness.errors import HistoryError, UsageError
from harness.history import Header, History
from harness.history.vocabulary import DRAIN
from harness.result import Result

if TYPE_CHECKING:
    from harness.store import Run

STREAM_BYTES: Final = 256 << 20
"""Session histories that are larger are streamed without being asked."""


def build_parser() -> Parser:
    """The parser of `splitbrain check`."""
    parser = Parser(prog="splitbrain check", description="Judge a history file or a stored run.", epilog=_EXAMPLES)
    parser.add_argument("path", type=Path, nargs="?", help="a history file, or a run directory (docs/histories.md)")
    parser.add_argument("--list", action="store_true", help="print all checkers and models with cost and source")
    what = parser.add_argument_group("what the operations mean, where the file does not say or says otherwise")
    what.add_argument(
        "--model", choices=arguments.Choices(suites.models), metavar="MODEL", help="what an object is: %(choices)s"
    )
    what.add_argument("--initial", help="state before the first operation, as JSON")
    what.add_argument("--fail-cas", choices=("drop", "mismatch", "returned"), help="what a failed cas means")
    what.add_argument("--level", default="", help="isolation level of transactions (default: strict-serializable)")
    what.add_argument(
        "--sessions",
        type=arguments.names,
        default=[],
        help="what session guarantees mean, with commas: weak (each session has an order of its own), per-key,"
        " linearizable-writes (default: one order of all writes for everybody)",
    )
    how = parser.add_argument_group("how to judge")
    how.add_argument("--checkers", type=arguments.names, help="judge by these instead, see --list; with commas")
    how.add_argument("--budget", type=arguments.positive, default=120.0, help="seconds (default: 120)")
    how.add_argument(
        "--memory",
        type=arguments.count,
        default=0,
        help="MiB for each checker, which then runs in a process of its own",
    )
    how.add_argument("--jobs", type=arguments.count, default=1, help="divide the work by key over so many processes")
    how.add_argument("--stream", action="store_true", help="judge event by event, in bounded memory")
    how.add_argument("--no-verify", action="store_true", help="do not re-check the certificates")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser


def main(argv: Sequence[str]) -> int:
    """Judge; returns the exit code of the outcome."""
    parser = build_parser()
    given = parser.parse_args(argv)
    if given.list:
        return _print_list(as_json=given.json)
    if given.path is None:
        parser.error("which history? Name a file or a run directory, or say --list")
    try:
        return _judge(given.path, given)
    except RecursionError as error:
        raise HistoryError(f"{given.path}: a value in it is nested too deeply; wanted at most 900.") from error


def _judge(path: Path, given: Any) -> int:
    """Judge what was named; the exit code of the outcome."""
    if given.sessions:
        _semantics(given.sessions)  # so that a wrong word is told before anything is read
    if given.stream or (not given.checkers and not given.sessions and _wants_stream(path, given.model)):
        streamed = _check_stream(given)
        judging.show(None, streamed, as_json=given.json)
        return streamed.exit_code
    if (path / "plan.json").is_file() and given.model is None and not given.checkers:
        run, result = _check_run(path)
        history = None
    else:
        run = None
        history, result = _check_file(given)
    judging.show(run, result, as_json=given.json, history=history)
    return result.exit_code


# ── a stored run ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_run(path: Path) -> tuple[Run, Result]:
    """Judge a stored run as its own end did; the same history gives the same bytes."""
    from harness.cli import planning
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


# ── a file ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _wants_stream(path: Path, model: str | None) -> bool:
    """Whether a file is so large that it is better not held in memory, and can be judged without."""
    if not path.is_file() or path.stat().st_size < STREAM_BYTES:
        return False
    from harness.history.streaming import EventStream

    with path.open("rb") as file:
        if file.read(1) != b"{":
            return False
    return (model or EventStream(path).header.model) == suites.SESSION


def _check_stream(given: Any) -> Result:
    from checkers.streaming.files import check_stream

    header = _header_with(Header(), given)
    changes = {
        name: getattr(header, name) for name in ("initial", "model", "fail_cas") if getattr(given, name) is not None
    }
    return check_stream(given.path, given.model, changes)


def _check_file(given: Any) -> tuple[History, Result]:
    from checkers.judge import judge_history
    from checkers.protocol import Budget

    history = _load(given.path, given)
    model = history.header.model
    if given.checkers:
        chosen = [_named(name) for name in given.checkers]
    elif suites.is_model(model):
        asked = _asked(given.path, history)
        chosen = suites.suite_of(history.header, given.level, asked)
    else:
        found = f"its header says {model!r}" if model else "neither its header nor its operations say"
        raise UsageError(f"{given.path}: which model? {found}; give --model, one of {', '.join(suites.models())}.")
    budget = Budget(given.budget, mebibytes=given.memory, listener=_progress())
    judged = [_judging(_meaning(checker, given), given) for checker in chosen]
    result = judge_history(history, judged, budget, given.path.name)
    return history, result if given.no_verify else judging.verified(history, result)


def _asked(path: Path, history: History) -> set[str]:
    """The functions in a history.

    Raises:
        UsageError: the model does not have one of them. Passing over it would judge another history than this one.
    """
    operations, model = history.operations, history.header.model
    asked = {operations.fs[code] for code in set(operations.f.tolist())}
    known = suites.words_of(model)
    if known and (strange := asked - {*known}):
        row = min(row for row, code in enumerate(operations.f.tolist()) if operations.fs[code] in strange)
        found = operations.fs[int(operations.f[row])]
        if model == "queue" and found == DRAIN:
            raise UsageError(
                f"{path}: event {operations.invoke[row]} is a drain, which does not tell when it took what, so that"
                f" order cannot be judged; --model {suites.TOTAL_QUEUE} judges what is lost, doubled or invented."
            )
        asks = f"asks for {found!r}" if found else "does not say what it asks for (field f)"
        raise UsageError(
            f"{path}: event {operations.invoke[row]} {asks}, but the model {model} has {', '.join(known)};"
            " name another --model, or leave out what is not about it."
        )
    return asked


def _load(path: Path, given: Any) -> History:
    """The history with what the options say instead of what its header says, or with a guess where nobody says."""
    from harness.history.reader import read_history
    from harness.history.vocabulary import guess_model

    history = _read_long(path, given) or read_history(path)
    header = _header_with(history.header, given)
    if not header.model and not given.checkers:
        header = msgspec.structs.replace(header, model=guess_model(history.events))
        if header.model and sys.stderr.isatty():
            sys.stderr.write(f"{path}: by its operations a {header.model}; --model says otherwise\n")
    if header.model == suites.TOTAL_QUEUE or suites.TOTAL_QUEUE in (given.checkers or ()):
        history = _drained(history)
    return history if header == history.header else history.meaning(header)


def _drained(history: History) -> History:
    """The history with dequeues instead of drains, where it has any."""
    if DRAIN not in history.operations.fs:
        return history
    from harness.history.drains import drained

    return History(history.header, drained(history.events), history.truncated)


def _read_long(path: Path, given: Any) -> History | None:
    """A long file of transactions, in columns; None where it is none, or is to be judged for anything else."""
    from harness.history.reader import LONG

    if {*(given.checkers or ())} - {"transactions"} or not path.is_file() or path.stat().st_size < LONG:
        return None
    from checkers.transactions.reading import begins_with_transactions, read_transactions

    history = read_transactions(path) if begins_with_transactions(path) else None
    if history is None:
        return None
    model = given.model or history.header.model or history.kind
    header = msgspec.structs.replace(history.header, model=model)
    return history.meaning(header) if model in suites.TRANSACTIONS else None


def _header_with(header: Header, given: Any) -> Header:
    if given.initial is not None:
        try:
            header = msgspec.structs.replace(header, initial=msgspec.json.decode(given.initial))
        except msgspec.DecodeError as error:
            raise UsageError(f"--initial must be JSON, found {given.initial!r}: {error}.") from error
    if given.model is not None:
        header = msgspec.structs.replace(header, model=given.model)
    if given.fail_cas is not None:
        header = msgspec.structs.replace(header, fail_cas=given.fail_cas)
    return header


# ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _named(name: str) -> Any:
    """A checker by its registered name; session guarantees also several at a time, with plus signs."""
    from checkers.sessions import Sessions
    from checkers.sessions.visibility import GUARANTEES

    parts = tuple(name.split("+"))
    return Sessions(parts) if len(parts) > 1 and {*parts} <= {*GUARANTEES} else registry.load("checkers", name)()


def _semantics(words: Sequence[str]) -> Any:
    """What session guarantees mean by the words of --sessions.

    Raises:
        UsageError: a word is none of them.
    """
    from checkers.sessions import Semantics

    unknown = {*words} - {"weak", "convergent", "per-key", "global", "linearizable-writes"}
    if unknown or {"weak", "convergent"} <= {*words} or {"per-key", "global"} <= {*words}:
        wanted = "weak or convergent, per-key or global, and linearizable-writes"
        raise UsageError(f"--sessions: found {','.join(words)}; wanted some of {wanted}.")
    writes = "linearizable" if "linearizable-writes" in words else "any"
    return Semantics("weak" not in words, "per-key" in words, writes)


def _meaning(checker: Any, given: Any) -> Any:
    """The checker with what --sessions says, where that has a meaning for it."""
    if not given.sessions or not hasattr(checker, "semantics"):
        return checker
    return dataclasses.replace(checker, semantics=_semantics(given.sessions))


def _judging(checker: Any, given: Any) -> Any:
    """The checker as the options want it run: divided by key, or in a process that can be ended."""
    if given.jobs > 1 and checker.name in suites.BY_KEY:
        from checkers.by_key import Divided

        return Divided(checker, given.jobs)
    if given.memory:
        from checkers.isolation import Isolated

        return Isolated(checker, partial(_load, given.path, given))
    return checker


def _progress() -> Any:
    """Tells a person at a terminal how far a checker is; nobody else."""
    if not sys.stderr.isatty():
        return None

    def told(progress: str) -> None:
        sys.stderr.write(f"\r\x1b[K{progress}")

    return told


def _print_list(*, as_json: bool) -> int:
    """Every checker with its cost and source, and every model."""
    rows = suites.described()
    if as_json:
        sys.stdout.write(msgspec.json.encode(rows).decode() + "\n")
        return 0
    from reports.terminal import print_checkers

    print_checkers(rows)
    return 0


_EXAMPLES: Final = """examples:
  splitbrain check history.jsonl --model register
  splitbrain check history.edn --model cas-register --json
  splitbrain check store/latest
  splitbrain check --list
"""
