"""How fast objects are judged, from the file to the verdict: operations per second of one core.

    python benchmarks/checkers/objects.py [--operations 200000] [--clients 10] [--only queue]

Histories are made by an object that works, driven by clients whose operations overlap, and written to a file. "read"
is from there to columns, "judge" is the checker, "ops/s" is for both, "verify" checks the certificate again; seconds of
processor time. "MB" is the peak of a process of its own. "wrong" is the same history with the answers of two operations
exchanged, late in it. "staleness" is of registers with versions, as in `benchmarks/checkers/sessions.py`.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import sessions

from checkers.objects import Counter, FencedLock, SetFull, TotalQueue
from checkers.protocol import Budget
from checkers.staleness import Staleness
from checkers.structures import Structure
from checkers.verify import verify
from harness.history import Header
from harness.history.reader import read_history
from harness.op import Op

Ask = Callable[[Random], tuple[str, Any]]
Answer = Callable[[str, Any], tuple[str, Any]]


def made(ask: Ask, answer: Answer, operations: int, clients: int, seed: int = 1) -> list[Op]:
    """Events; every operation takes effect at its end."""
    random, events, running = Random(seed), [], {}
    for number in range(2 * operations):
        process = number % clients if number < clients else random.randrange(clients)
        if process in running:
            f, argument = running.pop(process)
            kind, value = answer(f, argument)
            error = "held" if kind == "fail" and f == "acquire" else "refused" if kind == "fail" else None
            events.append(Op(len(events), None, process, kind, f, None, value, error=error))
        else:
            f, argument = running[process] = ask(random)
            events.append(Op(len(events), None, process, "invoke", f, None, argument))
    return events


def drained(events: list[Op], answer: Answer, process: int) -> list[Op]:
    """What one more process takes out at the end, until it finds nothing."""
    found: list[Op] = []
    while not found or found[-1].value is not None:
        at = len(events) + len(found)
        found.append(Op(at, None, process, "invoke", "dequeue"))
        found.append(Op(at + 1, None, process, "ok", "dequeue", None, answer("dequeue", None)[1]))
    return found


def pool(put: str, take: str, newest: bool, share: float) -> tuple[Ask, Answer]:
    """A queue or a stack."""
    inside: deque[int] = deque()
    numbers = iter(range(1 << 60))

    def ask(random: Random) -> tuple[str, Any]:
        return (put, next(numbers)) if random.random() < share else (take, None)

    def answer(f: str, argument: Any) -> tuple[str, Any]:
        if f == put:
            inside.append(argument)
            return "ok", argument
        return "ok", (inside.pop() if newest else inside.popleft()) if inside else None

    return ask, answer


def members() -> tuple[Ask, Answer]:
    """A set: new elements are added, asked for a few times, and mostly removed."""
    inside: set[int] = set()
    numbers, recent, removed = iter(range(1 << 60)), deque([0], 50), set()

    def ask(random: Random) -> tuple[str, Any]:
        kind = random.random()
        if kind < 0.25:
            recent.append(next(numbers) + 1)
            return "add", recent[-1]
        element = random.choice(recent)
        if kind < 0.4 and element not in removed:
            removed.add(element)
            return "remove", element
        return "contains", element

    def answer(f: str, argument: Any) -> tuple[str, Any]:
        there = argument in inside
        if f == "contains":
            return "ok", there
        if f == "add":
            inside.add(argument)
            return "ok", argument
        inside.discard(argument)
        return "ok", argument if there else False

    return ask, answer


def mutex() -> tuple[Ask, Answer]:
    """A lock; who does not get it fails."""
    held = [False]

    def ask(random: Random) -> tuple[str, Any]:
        return random.choice(("acquire", "release")), None

    def answer(f: str, argument: Any) -> tuple[str, Any]:
        if held[0] == (f == "acquire"):
            return "fail", argument
        held[0] = f == "acquire"
        return "ok", argument

    return ask, answer


def counter(add: str) -> tuple[Ask, Answer]:
    """A counter; `increment` returns the number, `add` does not."""
    number = [0]

    def ask(random: Random) -> tuple[str, Any]:
        return (add, 1) if random.random() < 0.6 else ("read", None)

    def answer(f: str, argument: Any) -> tuple[str, Any]:
        number[0] += f != "read"
        return "ok", argument if f == "add" else number[0]

    return ask, answer


def fenced() -> tuple[Ask, Answer]:
    """A lock with tokens."""
    held: list[int] = []
    given = iter(range(1, 1 << 60))
    told = [0]

    def ask(random: Random) -> tuple[str, Any]:
        return ("release", told[0]) if held and random.random() < 0.6 else ("acquire", "c")

    def answer(f: str, argument: Any) -> tuple[str, Any]:
        if f == "acquire":
            if held:
                return "fail", argument
            held.append(next(given))
            told[0] = held[0]
            return "ok", held[0]
        if not held or held[0] != argument:
            return "fail", argument
        held.clear()
        return "ok", argument

    return ask, answer


def grown() -> tuple[Ask, Answer]:
    """A set that grows to a few hundred elements, read as a whole now and then."""
    inside: list[int] = []
    numbers = iter(range(1 << 60))

    def ask(random: Random) -> tuple[str, Any]:
        return ("add", next(numbers)) if random.random() < 0.995 else ("read", None)

    def answer(f: str, argument: Any) -> tuple[str, Any]:
        if f == "add":
            inside.append(argument)
            return "ok", argument
        return "ok", list(inside)

    return ask, answer


@dataclass(frozen=True)
class Case:
    """A history to be made, its judge, and how many operations of all it has."""

    checker: Any
    make: Callable[[], tuple[Ask, Answer]]
    share: float = 1.0
    drains: bool = False


STALE = "staleness"
CASES = {
    "queue": Case(Structure("queue"), lambda: pool("enqueue", "dequeue", False, 0.5)),
    "queue, long": Case(Structure("queue"), lambda: pool("enqueue", "dequeue", False, 0.6)),
    "total queue": Case(TotalQueue(), lambda: pool("enqueue", "dequeue", False, 0.5), drains=True),
    "stack": Case(Structure("stack"), lambda: pool("push", "pop", True, 0.5)),
    "stack, deep": Case(Structure("stack"), lambda: pool("push", "pop", True, 0.6)),
    "set by element": Case(Structure("set"), members),
    "set, whole reads": Case(SetFull(), grown, 0.02),
    "mutex": Case(Structure("mutex"), mutex),
    "fenced lock": Case(FencedLock(), fenced),
    "counter, adds": Case(Counter(), lambda: counter("add")),
    "counter, numbers": Case(Counter(), lambda: counter("increment")),
}


def spoiled(events: list[Op]) -> list[Op]:
    """The same with the answers of two operations of one kind exchanged, late in the history."""
    events, first = list(events), None
    for place in range(len(events) * 3 // 4, len(events)):
        op = events[place]
        if op.type != "ok" or op.value is None or op.f in ("enqueue", "push", "add", "remove"):
            continue
        if first is not None and events[first].f == op.f and events[first].value != op.value and place > first + 400:
            for at, value in ((first, op.value), (place, events[first].value)):
                old = events[at]
                events[at] = Op(at, None, old.process, old.type, old.f, None, value)
            break
        first = place if first is None else first
    return events


def written(path: Path, events: Iterable[Op]) -> None:
    """Write a history file, with the fields that a recorder adds."""
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        file.write(encode(Header(splitbrain=1, model="register")) + b"\n")
        file.writelines(encode(msgspec.structs.replace(op, time=op.index * 1000)) + b"\n" for op in events)


def measure(checker: Any, path: Path) -> str:
    """One row, but for the names."""
    start = time.process_time()
    history = read_history(path)
    operations = len(history.operations)
    read_s = time.process_time() - start
    verdict = checker.check(history, Budget(600))
    judged_s = time.process_time() - start
    problems = verify(history, verdict)
    assert not problems, problems[:3]
    verify_s, peak_mb = time.process_time() - start - judged_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return (
        f"{operations:>11,}{verdict.answer:>9}{read_s:>8.2f}{judged_s - read_s:>9.2f}"
        f"{operations / judged_s:>11,.0f}{verify_s:>10.2f}{peak_mb:>7,}"
    )


def rows(name: str, events: list[Op]) -> None:
    """Print the row of a history, and of the wrong one, each measured in a process of its own."""
    for kind, these in (("", events), ("wrong", spoiled(events))):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history.jsonl"
            written(path, these)
            row = [sys.executable, __file__, "--file", str(path), "--only", name]
            told = subprocess.run(row, check=True, capture_output=True, text=True).stdout
            print(f"{name:18}{kind:7}{told}", end="", flush=True)


def main() -> None:
    """Print two lines for each case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("--file", type=Path, help="measure one history")
    given = parser.parse_args()
    if given.file:
        print(measure(Staleness() if given.only == STALE else CASES[given.only].checker, given.file))
        return
    figures = f"{'read s':>8}{'judge s':>9}{'ops/s':>11}{'verify s':>10}{'MB':>7}"
    print(f"{'object':25}{'operations':>11}{'answer':>9}{figures}")
    for name, case in CASES.items():
        if given.only in name:
            ask, answer = case.make()
            events = made(ask, answer, int(given.operations * case.share), given.clients)
            rows(name, events + drained(events, answer, given.clients) if case.drains else events)
    if given.only in STALE:
        rows(STALE, list(sessions.made(given.operations)))


if __name__ == "__main__":
    main()
