"""Tickets drawn from a counter: no number may be given out twice.

A client that saw the counter at 7 draws ticket 8 with the compare-and-set 7 → 8. If that is acknowledged, ticket 8 is
its own. Two acknowledged draws of the same number are what a shop calls selling the last seat twice.

    pip install --no-deps --no-build-isolation examples/tickets
    splitbrain run --workload tickets --replication async --nemesis partition --target leader

The checker is weaker than linearizability, on purpose: it says in the shop's words what went wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkers.protocol import Budget, Checker
from harness.generator import Context, Generator, each_thread
from harness.generator.protocol import PENDING, Pending
from harness.history import Header, History
from harness.op import Op
from harness.plan import Plan
from harness.protocols import Option
from harness.verdict import Anomaly, Verdict

COUNTER = "tickets"


@dataclass(frozen=True)
class Draws:
    """Generator: draw the ticket after the newest one that anybody saw.

    Attributes:
        seen: the counter as it was seen last; None before the first ticket.
    """

    seen: int | None = None

    def op(self, ctx: Context) -> tuple[Op | Pending, Generator] | None:
        """A draw by the first thread that is free; a stale number does no harm, it is just refused."""
        thread = ctx.free_thread()
        if thread is None:
            return PENDING, self
        ticket = 0 if self.seen is None else self.seen + 1
        return Op(process=ctx.process(thread), time=ctx.time_ns, f="cas", key=COUNTER, value=[self.seen, ticket]), self

    def update(self, ctx: Context, event: Op) -> Generator:
        """Learn from draws, and from refusals that tell what the counter was instead."""
        if event.f == "cas" and event.type == "ok":
            return Draws(event.value[1])
        if event.f == "cas" and event.type == "fail" and event.error == "mismatch":
            return Draws(event.value[2])
        return self


@dataclass(frozen=True)
class NoTicketTwice:
    """Checker: every number is acknowledged at most once."""

    name: str = "no-ticket-twice"

    def check(self, history: History, budget: Budget) -> Verdict:
        """One pass over the history; every further draw of a number is an anomaly."""
        owners: dict[int, tuple[int, int | str]] = {}  # ticket → invocation and process of its first draw
        running: dict[int | str, int] = {}  # process → its invocation
        anomalies = []
        for op in history.events:
            if op.type == "invoke":
                running[op.process] = op.index
            elif op.type == "ok" and op.f == "cas":
                draw = (running[op.process], op.process)
                owner = owners.setdefault(op.value[1], draw)
                if owner != draw:
                    anomalies.append(given_twice(op.value[1], owner, draw))
        return Verdict(
            self.name,
            "invalid" if anomalies else "valid",
            f"{len(owners)} tickets were drawn, {len(anomalies)} of them again.",
            tuple(anomalies[:100]),
            {"tickets": len(owners), "anomalies": len(anomalies)},
        )


def given_twice(ticket: int, owner: tuple[int, int | str], other: tuple[int, int | str]) -> Anomaly:
    """The two draws, and what they mean."""
    return Anomaly(
        name="ticket-given-twice",
        guarantee="no-ticket-twice",
        sentence=f"Processes {owner[1]} and {other[1]} were both told that ticket {ticket} is theirs.",
        key=COUNTER,
        ops=(min(owner[0], other[0]), max(owner[0], other[0])),
        culprit=other[0],
    )


@dataclass(frozen=True)
class TicketsWorkload:
    """What `splitbrain run --workload tickets` uses."""

    name: str = "tickets"
    summary: str = "tickets drawn from a counter; judged for no number being given out twice"
    operations: frozenset[str] = frozenset({"cas", "read"})
    options: tuple[Option, ...] = ()

    def header(self, plan: Plan) -> Header:
        """A register that can be compared and set; `splitbrain check --model cas-register` judges the same history."""
        return Header(splitbrain=1, model="cas-register", fail_cas="returned", workload=self.name, plan=plan.digest())

    def generator(self, plan: Plan) -> Generator:
        """Draw until the time is up."""
        return Draws()

    def final_reads(self, plan: Plan, events: Sequence[Op]) -> Generator:
        """Everybody looks at the counter once more."""
        return each_thread(Op(f="read", key=COUNTER))

    def checkers(self, plan: Plan) -> Sequence[Checker]:
        """One checker, ours."""
        return (NoTicketTwice(),)


WORKLOAD = TicketsWorkload()
