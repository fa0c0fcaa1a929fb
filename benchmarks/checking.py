"""How quickly histories are judged: by length, with values all different and repeated, and by concurrency.

    python benchmarks/checking.py            everything up to 1,000,000 operations; takes some minutes
    python benchmarks/checking.py 10000      nothing longer than that

The histories are those of a register that is right, so that a checker has to look at all of it. Clients take turns at
random; an operation takes effect somewhere between its two events. "prepare" pairs the events and puts them into
columns, which happens once for all checkers; "check" is the checker alone; "verify" re-checks its certificate.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from checkers.verify import verify
from harness import clock
from harness.history import Header, History
from harness.op import Op
from harness.streams import Random, Streams

T = TypeVar("T")
BUDGET_S = 60.0
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
CONCURRENCIES = (5, 10, 20, 30)
HEADING = f"{'history':<46}{'operations':>11}{'prepare s':>11}{'check s':>9}{'ops/s':>11}{'verify s':>10}  answer"


@dataclass(frozen=True)
class Case:
    """A history to make. `values` 0: a new one for each write; `doubt`: share of writes without an answer."""

    name: str
    operations: int
    clients: int = 10
    keys: int = 1
    values: int = 0
    cas: float = 0.0
    doubt: float = 0.0
    lies: bool = False


class Register:
    """A right register per key, and the clients that call it."""

    def __init__(self, case: Case, random: Random) -> None:
        self.case, self.random = case, random
        self.states: dict[int, int | None] = {}
        self.written = 0
        self.next_process = case.clients

    def events(self) -> Iterator[Op]:
        """Events in order; a client is idle, has asked, or was served."""
        clients: list[tuple[str, Op]] = [("idle", Op(process=process)) for process in range(self.case.clients)]
        asked = 0
        while asked < self.case.operations or any(stage != "idle" for stage, _ in clients):
            place = self.random.randrange(len(clients))
            stage, op = clients[place]
            if stage == "asked":
                clients[place] = ("served", self.serve(op))
            elif stage == "served":
                yield op
                clients[place] = ("idle", self.successor(op))
            elif asked < self.case.operations:
                asked += 1
                op = self.ask(op.process)
                yield op
                clients[place] = ("asked", op)

    def successor(self, op: Op) -> Op:
        """What the client is after this answer: the same, or a new process."""
        if op.type != "info":
            return op
        self.next_process += 1
        return Op(process=self.next_process)

    def ask(self, process: int | str) -> Op:
        """A random operation."""
        key = self.random.randrange(self.case.keys)
        share = self.random.random()
        if share < 0.5:
            return Op(process=process, f="read", key=key)
        new = self.random.randrange(self.case.values) if self.case.values else self.written
        self.written += 1
        if share < 0.5 + self.case.cas:
            return Op(process=process, f="cas", key=key, value=[self.states.get(key), new])
        return Op(process=process, f="write", key=key, value=new)

    def serve(self, op: Op) -> Op:
        """Take effect; one in three of the doubtful never does."""
        state = self.states.get(op.key)
        if op.f == "read":
            return op.ok(state)
        doubtful = self.random.random() < self.case.doubt
        if doubtful and self.random.random() < 1 / 3:
            return op.info("timeout")
        if op.f == "cas" and op.value[0] != state:
            return op.fail("mismatch", [*op.value, state])
        self.states[op.key] = op.value[1] if op.f == "cas" else op.value
        return op.info("timeout") if doubtful else op.ok()


def made(case: Case) -> History:
    """The history of a case; with `lies`, a late read sees what the first write wrote (right after all, perhaps)."""
    register = Register(case, Streams(1).stream(case.name))
    events = [Op(i, i, op.process, op.type, op.f, op.key, op.value) for i, op in enumerate(register.events())]
    if case.lies:
        wrote = next(op for op in events if op.f == "write" and op.type == "ok")
        last = max(op.index for op in events[: len(events) * 9 // 10] if op.f == "read" and op.type == "ok")
        op = events[last]
        events[last] = Op(op.index, op.time, op.process, op.type, op.f, op.key, wrote.value)
    return History(Header(splitbrain=1, model="cas-register", fail_cas="returned"), events)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """A result, and the seconds that it took."""
    gc.collect()
    start = clock.monotonic_ns()
    result = work()
    return result, (clock.monotonic_ns() - start) / 1e9


def measure(case: Case) -> str:
    """One row of the table."""
    history = made(case)
    _, prepare_s = timed(lambda: history.operations)
    verdict, check_s = timed(lambda: Linearizability().check(history, Budget(BUDGET_S)))
    problems, verify_s = timed(lambda: verify(history, verdict))
    assert problems == [], problems
    speed = case.operations / check_s
    return (
        f"{case.name:<46}{case.operations:>11,}{prepare_s:>11.2f}{check_s:>9.2f}{speed:>11,.0f}{verify_s:>10.2f}"
        f"  {verdict.answer}"
    )


def cases(longest: int) -> Iterator[Case]:
    """What is measured, in order."""
    for operations in (length for length in LENGTHS if length <= longest):
        yield Case("register, values all different", operations)
        yield Case("register and cas, values all different", operations, cas=0.25)
        yield Case("the same, 1,000 keys, 1 % in doubt", operations, keys=1_000, cas=0.25, doubt=0.01)
        yield Case("the same, 1 key, one read changed", operations, cas=0.25, lies=True)
        yield Case("register and cas, 5 values", operations, clients=5, values=5, cas=0.25)
    for clients in CONCURRENCIES:
        operations = min(10_000, longest)
        yield Case(f"5 values, {clients} clients", operations, clients, values=5, cas=0.25)
        yield Case(f"5 values, {clients} clients, 1 % in doubt", operations, clients, values=5, cas=0.25, doubt=0.01)
        yield Case(f"5 values, {clients} clients, one read changed", operations, clients, values=5, cas=0.25, lies=True)


def main() -> None:
    """Print the table."""
    longest = int(sys.argv[1]) if len(sys.argv) > 1 else LENGTHS[-1]
    print(HEADING)
    for case in cases(longest):
        print(measure(case), flush=True)


if __name__ == "__main__":
    main()
