"""Measures the checkers of sessions and staleness, and the streaming ones.

    python benchmarks/checkers/sessions.py                      operations per second of each, on 1,000,000 operations
    python benchmarks/checkers/sessions.py 100000               fewer
    python benchmarks/checkers/sessions.py write FILE 10000000  write a session history of so many operations, and stop
    python benchmarks/checkers/sessions.py stream FILE          stream it through the checkers; time and peak memory
    python benchmarks/checkers/sessions.py values 100000        without versions: operations per second over a grid
    python benchmarks/checkers/sessions.py apart 100000         replicas that agree on no order: causality, re-checked

The histories are of 50 sessions on 200 keys in one log, each read from a replica that lags by at most 20 entries but
never behind its session; with values that are all different and versions that are places in the log. CPU times of one
process; making the history is not part of them, and reading it is told apart. In the grid every operation takes place
at a moment of its own between its events, so that the order of writes is not that of their responses.
"""

from __future__ import annotations

import gc
import resource
import sys
import tempfile
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from checkers.protocol import Budget
from checkers.sessions import (
    Causal,
    CausalConvergent,
    MonotonicReads,
    MonotonicWrites,
    Pram,
    ReadYourWrites,
    Semantics,
    Sequential,
    Sessions,
    WritesFollowReads,
)
from checkers.staleness import Staleness
from checkers.streaming import StreamingRegister, StreamingSessions
from checkers.streaming.files import check_stream
from checkers.verify import verify
from harness.history import Header, History
from harness.history.reader import read_history
from harness.op import Op

SESSIONS, KEYS, LAG, WRITES = 50, 200, 20, 0.4
HEADER = Header(splitbrain=1, model="session")


class Store:
    """One log, and sessions that know how far they have seen it."""

    def __init__(self, seed: int, stale: float) -> None:
        self.random = Random(seed).random
        self.stale = stale
        self.place = 0
        self.newest: dict[str, tuple[int, int | None]] = {}
        self.replaced: deque[tuple[str, tuple[int, int | None]]] = deque(maxlen=LAG)
        self.known = [0] * SESSIONS

    def answer(self, begun: Op, index: int) -> Op:
        """Carry an operation out; a read sees the log as it was up to LAG entries ago."""
        key, session = begun.key, int(begun.process)
        node, when = f"n{1 + session % 5}", index * 1000
        if begun.f == "write":
            self.place += 1
            self.replaced.append((key, self.newest.get(key, (0, None))))
            self.newest[key] = self.place, begun.value
            self.known[session] = self.place
            return Op(index, when, session, "ok", "write", key, begun.value, node, None, (1, self.place))
        least = 0 if self.random() < self.stale else self.known[session]
        seen = max(least, self.place - int(self.random() * LAG))
        version, value = self.newest.get(key, (0, None))
        for other, before in reversed(self.replaced):
            if version <= seen:
                break
            if other == key:
                version, value = before
        self.known[session] = max(self.known[session], seen)
        return Op(index, when, session, "ok", "read", key, value, node, None, (1, version))


def made(operations: int, seed: int = 1, stale: float = 0.0) -> Iterator[Op]:
    """Events of sessions that hop between replicas; of `stale` reads the replica may be behind the session."""
    store = Store(seed, stale)
    random, index, written = store.random, 0, 0
    free, running = list(range(SESSIONS)), list[Op]()
    for _ in range(operations):
        session, key = free.pop(int(random() * len(free))), f"k{int(random() * KEYS)}"
        if random() < WRITES:
            written += 1
            begun = Op(index, index * 1000, session, "invoke", "write", key, written)
        else:
            begun = Op(index, index * 1000, session, "invoke", "read", key)
        yield begun
        index += 1
        running.append(begun)
        while running and (len(running) > 8 or random() < 0.5):
            begun = running.pop(int(random() * len(running)))
            free.append(int(begun.process))
            yield store.answer(begun, index)
            index += 1
    for begun in running:
        yield store.answer(begun, index)
        index += 1


def write_file(path: Path, operations: int) -> None:
    """Write a history without holding it."""
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        file.write(encode(HEADER) + b"\n")
        for op in made(operations):
            file.write(encode(op) + b"\n")


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and the CPU seconds that it took."""
    gc.collect()
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def row(name: str, history: History, checker: Any) -> None:
    """Measure one checker, and its verifier."""
    verdict, check_s = timed(lambda: checker.check(history, Budget(600)))
    problems, verify_s = timed(lambda: verify(history, verdict))
    assert problems == [], problems
    operations = len(history.operations)
    print(f"{name:<58}{check_s:>8.2f}{operations / check_s:>12,.0f}{verify_s:>10.2f}  {verdict.answer}", flush=True)


def stripped(events: Sequence[Op]) -> list[Op]:
    """Without versions."""
    return [msgspec.structs.replace(op, version=None) for op in events]


@dataclass
class Running:
    """An operation that is not over, and its place in the log or the value that it found once it has taken place."""

    op: Op
    number: int
    done: bool = False
    place: int = 0
    value: int | None = None


class Log:
    """One log without versions; sessions read replicas that lag, and some reads are of one behind their session."""

    def __init__(self, sessions: int, keys: int, stale: Callable[[int], bool], seed: int = 1) -> None:
        self.random, self.stale = Random(seed).random, stale
        self.length = 0
        self.written: list[list[tuple[int, int | None]]] = [[(0, None)] for _ in range(keys)]
        self.known = [0] * sessions

    def take_place(self, one: Running) -> None:
        """Append a write; or let a read see the log as it was up to LAG entries ago, or far more."""
        of_key, session = self.written[int(one.op.key)], int(one.op.process)
        one.done = True
        if one.op.f == "write":
            self.length += 1
            one.place, one.value = self.length, one.op.value
            of_key.append((self.length, one.value))
        elif self.stale(one.number):
            far = max(0, self.length - int(self.random() * 20 * LAG))
            one.value = of_key[bisect_left(of_key, (far + 1,)) - 1][1]
        else:
            one.place = max(self.known[session], self.length - int(self.random() * LAG))
            self.known[session] = one.place
            one.value = of_key[bisect_left(of_key, (one.place + 1,)) - 1][1]

    def events(self, operations: int) -> Iterator[Op]:
        """Up to eight operations at a time."""
        random, free, running = self.random, list(range(len(self.known))), list[Running]()
        index = number = written = 0
        while number < operations or running:
            if number < operations and free and len(running) < 8 and random() < 0.5:
                session, key = free.pop(int(random() * len(free))), int(random() * len(self.written))
                f, value = "read", None
                if random() < WRITES:
                    f, value, written = "write", written + 1, written + 1
                running.append(Running(Op(index, index * 1000, session, "invoke", f, key, value), number))
                number += 1
                yield running[-1].op
                index += 1
            elif running:
                at = int(random() * len(running))
                if not running[at].done:
                    self.take_place(running[at])
                    continue
                one = running.pop(at)
                session = int(one.op.process)
                self.known[session] = max(self.known[session], one.place)
                free.append(session)
                yield msgspec.structs.replace(one.op, index=index, time=index * 1000, type="ok", value=one.value)
                index += 1


def grid(operations: int) -> None:
    """Print operations per second: valid, or reads behind their session among 20 operations, or 1 in 50 anywhere."""
    checkers: tuple[Any, ...] = (
        *(ReadYourWrites(), MonotonicReads(), MonotonicWrites(), WritesFollowReads()),
        *(Pram(), Causal(), CausalConvergent()),
    )
    print(f"| {operations:,} operations, by values | " + " | ".join(one.name for one in checkers) + " | re-checked |")
    print("|---|" + "---:|" * (len(checkers) + 1))
    for sessions in (5, 50):
        for keys in (1, 100):
            for name, stale in stale_reads(operations):
                history = History(HEADER, list(Log(sessions, keys, stale).events(operations)))
                _ = history.operations
                cells = [cell(history, checker) for checker in checkers]
                slowest = min(rate for _, rate in cells)
                told = " | ".join(text for text, _ in cells)
                print(f"| {sessions} sessions, {keys} keys, {name} | {told} | {slowest:,.0f} |", flush=True)


def stale_reads(operations: int) -> Iterator[tuple[str, Callable[[int], bool]]]:
    """Which reads are behind their session."""
    random = Random(2).random
    yield "valid", lambda _: False
    yield "early", lambda number: operations // 20 <= number < operations // 20 + 20
    yield "late", lambda number: operations - operations // 20 <= number < operations - operations // 20 + 20
    yield "many", lambda _: random() < 0.02


def cell(history: History, checker: Any) -> tuple[str, float]:
    """Operations per second of a checker, with a star where the history is invalid; and of its verifier."""
    verdict, check_s = timed(lambda: checker.check(history, Budget(600)))
    problems, verify_s = timed(lambda: verify(history, verdict))
    assert problems == [], problems
    operations = len(history.operations)
    return f"{operations / check_s:,.0f}{'*' if verdict.answer == 'invalid' else ''}", operations / max(verify_s, 1e-6)


def apart(sessions: int, keys: int, operations: int) -> Iterator[Op]:
    """Events of replicas that take in each other's writes in causal order, but not in one order for all."""
    random = Random(1).random
    written: list[list[tuple[int, int, list[int]]]] = [[] for _ in range(sessions)]
    took = [[0] * sessions for _ in range(sessions)]
    holds: list[dict[int, int]] = [{} for _ in range(sessions)]
    for number in range(operations):
        mine = int(random() * sessions)
        for other in (int(random() * sessions) for _ in range(3)):
            if took[mine][other] < len(written[other]):
                key, value, needs = written[other][took[mine][other]]
                if all(needs[at] <= took[mine][at] for at in range(sessions) if at != other):
                    took[mine][other] += 1
                    holds[mine][key] = value
        key, f, argument = int(random() * keys), "read", None
        if random() < WRITES:
            f, argument = "write", number
            written[mine].append((key, number, list(took[mine])))
            took[mine][mine] += 1
            holds[mine][key] = number
        begun = Op(2 * number, 2000 * number, mine, "invoke", f, key, argument)
        yield begun
        yield msgspec.structs.replace(begun, index=begun.index + 1, type="ok", value=holds[mine].get(key))


def without_order(operations: int) -> None:
    """Print how fast causality is judged and re-checked where there is no order to show."""
    print(f"{operations:,} operations, no order of writes: causal, operations/s; and re-checked")
    for sessions in (5, 50):
        for keys in (1, 100):
            history = History(HEADER, list(apart(sessions, keys, operations)))
            _ = history.operations
            told, rate = cell(history, Causal())
            print(f"| {sessions} sessions, {keys} keys | {told} | {rate:,.0f} |", flush=True)


def table(operations: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.jsonl"
        write_file(path, operations)
        _table(path, operations)


def _table(path: Path, operations: int) -> None:
    """The rows; events of a long history are read again from its file."""
    history, read_s = timed(lambda: read_history(path))
    assert len(history.operations) == operations
    print(f"{operations:,} operations: reading and pairing {read_s:.2f} s, {operations / read_s:,.0f}/s")
    print(f"{'checker':<58}{'s':>8}{'ops/s':>12}{'verify s':>10}")
    for checker in (
        ReadYourWrites(),
        MonotonicReads(),
        MonotonicWrites(),
        WritesFollowReads(),
        Pram(),
        CausalConvergent(),
    ):
        row(f"{checker.name}, by versions", history, checker)
    row("staleness, by versions", history, Staleness())
    few = operations // 10
    broken = History(HEADER, list(made(operations, stale=0.001)))
    _ = broken.operations
    row("staleness, one read in 1,000 behind its session", broken, Staleness(k_max=2))
    broken = History(HEADER, list(made(operations, stale=0.05)))
    _ = broken.operations
    mixed = Sessions(("read-your-writes", "writes-follow-reads"))
    for checker in (ReadYourWrites(), MonotonicReads(), mixed, Pram(), CausalConvergent()):
        row(f"{checker.name}, one read in 20 behind"[:57], broken, checker)
    plain = History(HEADER, stripped(list(made(few))))
    _ = plain.operations
    for checker in (ReadYourWrites(), MonotonicReads(), Sessions(), Causal(), Pram(Semantics(writes="linearizable"))):
        row(f"{checker.name}, by values, {few:,} operations"[:57], plain, checker)
    row(f"staleness, by values, {few:,} operations", plain, Staleness())
    row(f"sequential, {few // 10:,} operations", History(HEADER, stripped(list(made(few // 10)))), Sequential())
    for streaming in (StreamingSessions(HEADER), StreamingRegister(Header(1, "register"))):
        events = history.events if streaming.name == "sessions" else linearizable(operations)
        _, stream_s = timed(lambda streaming=streaming, events=events: [streaming.event(op) for op in events])  # type: ignore[misc]  # bound by defaults
        answers = {verdict.answer for verdict in streaming.verdicts()}
        name = f"streaming {streaming.name}, {streaming.held():,} things held"
        print(f"{name:<58}{stream_s:>8.2f}{operations / stream_s:>12,.0f}{'':>10}  {', '.join(answers)}", flush=True)


def linearizable(operations: int) -> list[Op]:
    """The same operations on registers that are right."""
    state: dict[Any, Any] = {}
    events = []
    for op in made(operations):
        if op.type == "ok" and op.f == "write":
            state[op.key] = op.value
        if op.type == "ok" and op.f == "read":
            op = msgspec.structs.replace(op, value=state.get(op.key))
        events.append(op)
    return events


def stream(path: Path) -> None:
    """Stream a file."""
    result, seconds = timed(lambda: check_stream(path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    operations = result.counts.operations
    print(f"{operations:,} operations in {seconds:.1f} s CPU, {operations / seconds:,.0f}/s, peak {peak:,.0f} MiB")
    for verdict in result.verdicts:
        print(f"  {verdict.checker}: {verdict.answer}. {verdict.summary} {verdict.reason}")


def main(words: Sequence[str]) -> None:
    """See the module docstring."""
    if words[:1] == ["write"]:
        write_file(Path(words[1]), int(words[2]))
    elif words[:1] == ["stream"]:
        stream(Path(words[1]))
    elif words[:1] == ["apart"]:
        without_order(int(words[1]) if len(words) > 1 else 100_000)
    elif words[:1] == ["values"]:
        grid(int(words[1]) if len(words) > 1 else 100_000)
    else:
        table(int(words[0]) if words else 1_000_000)


if __name__ == "__main__":
    main(sys.argv[1:])
