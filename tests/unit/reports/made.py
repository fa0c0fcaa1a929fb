"""Histories and results that the tests of reports draw: made here, from seeds, and never from a run."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.history import Header, History
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.result import Counts, FaultProof, Result
from harness.store import Run
from harness.verdict import Anomaly, Outcome, Verdict

MS = 1_000_000
SECOND = 1_000_000_000
FAULTS = (
    FaultProof("partition-1", "partition", ("n1", "n2"), "n1 n2 | n3 n4 n5", 4 * SECOND, 9 * SECOND, True,
               ("12 cut links probed, nothing passes (n1→n3, n3→n1…)", "12 links probed, all pass again")),
    FaultProof("kill-1", "kill", ("n3",), "n3", 12 * SECOND, 14 * SECOND, True, ("n3 stopped", "n3 running")),
    FaultProof("pause-1", "pause", ("n2",), "n2", 18 * SECOND, None, False, ("n2 paused",)),
)  # fmt: skip


def busy_history(operations: int, seed: int = 1, processes: int = 24, keys: int = 50, length_s: int = 30) -> History:
    """Many clients on many keys for `length_s` seconds; latencies are long-tailed and grow under faults."""
    chance = random.Random(seed)
    events: list[tuple[int, int, Op]] = []
    step = length_s * SECOND // operations
    free_at = dict.fromkeys(range(processes), 0)
    turn = deque(range(processes))
    retired = processes
    doubt = min(0.002, 12 / operations)
    last: dict[int, int] = {}
    for number in range(operations):
        at = number * step + chance.randrange(step or 1)
        for _ in range(len(turn)):  # the next one in turn that is free, or else the next one
            process = turn[0]
            turn.rotate(-1)
            if free_at[process] < at:
                break
        at = max(at, free_at[process] + 1)
        key = chance.randrange(keys)
        f = chance.choice(("read", "read", "write", "cas"))
        slow = any(fault.start_ns <= at < (fault.stop_ns or length_s * SECOND) for fault in FAULTS)
        took = int(chance.lognormvariate(1.0 + slow, 0.7) * MS)
        value = None if f == "read" else number if f == "write" else [last.get(key), number]
        node = f"n{process % 5 + 1}"
        asked = Op(0, at, process, "invoke", f, f"k{key}", value, node)
        events.append((at, number * 2, asked))
        luck = chance.random()
        if luck < doubt * (1 + 4 * slow):
            done = asked.info("timeout: no answer within 2 s")
            took = 2 * SECOND
            turn[turn.index(process)] = retired
            free_at[retired] = at + took
            retired += 1
        else:
            free_at[process] = at + took
            if luck < 0.02 * (1 + 4 * slow):
                done = asked.fail("not-leader: n2")
            else:
                done = asked.ok(last.get(key) if f == "read" else value, version=(1, number), node=node)
                if f != "read":
                    last[key] = number
        events.append((at + took, number * 2 + 1, msgspec.structs.replace(done, time=at + took)))
    return History(Header(splitbrain=1, model="cas-register"), in_order([*events, *fault_events()]))


def fault_events() -> list[tuple[int, int, Op]]:
    events = []
    for fault in FAULTS:
        value = {"fault": fault.fault, "kind": fault.kind, "nodes": list(fault.nodes), "detail": fault.detail,
                 "proven": True, "evidence": fault.evidence[0]}  # fmt: skip
        start = Op(0, fault.start_ns, NEMESIS, "invoke", f"start-{fault.kind}")
        events += [(fault.start_ns, -2, start), (fault.start_ns + 20 * MS, -1, start.ok(value))]
        if fault.stop_ns is not None:
            stop = Op(0, fault.stop_ns - 20 * MS, NEMESIS, "invoke", f"stop-{fault.kind}")
            lifted = stop.ok({**value, "evidence": fault.evidence[1]})
            events += [(fault.stop_ns - 20 * MS, -2, stop), (fault.stop_ns, -1, lifted)]
    return [(time, order, msgspec.structs.replace(op, time=time)) for time, order, op in events]


def in_order(events: Sequence[tuple[int, int, Op]]) -> list[Op]:
    ordered = sorted(events, key=lambda event: event[:2])
    return [msgspec.structs.replace(op, index=index) for index, (_, _, op) in enumerate(ordered)]


STALE = (  # (process, f, value, from ms, to ms, how it ended)
    (4, "write", 5, 41_210, 41_300, "ok"),
    (2, "read", 3, 41_250, 41_275, "ok"),
    (7, "read", 5, 41_240, 41_262, "ok"),
    (9, "write", 8, 41_255, 41_290, "info"),
    (2, "read", 3, 41_310, 41_335, "ok"),
)
"""A small story: process 7 saw the new value, and later process 2 saw the old one again."""


def stale_history(value_of: Any = lambda value: value, key: Any = "k17") -> History:
    events = []
    for number, (process, f, value, start, stop, how) in enumerate(STALE):
        shown = value_of(value)
        asked = Op(0, start * MS, process, "invoke", f, key, None if f == "read" else shown, "n1")
        done = asked.info("timeout") if how == "info" else asked.ok(shown, version=(2, number))
        events += [
            (start * MS, number * 2, asked),
            (stop * MS, number * 2 + 1, msgspec.structs.replace(done, time=stop * MS)),
        ]
    return History(Header(splitbrain=1, model="register"), in_order(events))


def stale_anomaly(history: History, key: Any = "k17", sentence: str = "") -> Anomaly:
    asked = [op.index for op in history.events if op.type == "invoke"]
    culprit = max(asked)
    return Anomaly(
        name="non-linearizable",
        guarantee="linearizability",
        sentence=sentence or "p2 read 3 after p7 had read 5, although nothing wrote 3 again in between.",
        key=key,
        ops=tuple(asked),
        culprit=culprit,
        before="3",
        rule="register-order",
        certificate={"ops": asked},
    )


def verdicts_of(anomalies: Sequence[Anomaly]) -> tuple[Verdict, ...]:
    broken = Verdict(
        "linearizability",
        "invalid" if anomalies else "valid",
        f"{len(anomalies)} of 50 keys admit no order." if anomalies else "All 50 keys admit an order.",
        tuple(anomalies),
        {"anomalies": len(anomalies), "keys": 50},
    )
    return (
        broken,
        Verdict("read-your-writes", "valid", "Every session read what it had written.", counts={"sessions": 20}),
        Verdict("statistics", "valid", "98.1 % of the operations succeeded.", measures={"latency_ms_p99": 21.5}),
    )


def result_of(
    history: History,
    anomalies: Sequence[Anomaly] = (),
    outcome: Outcome | None = None,
    faults: Sequence[FaultProof] = FAULTS,
    **more: Any,
) -> Result:
    operations = history.operations
    ended = [int((operations.status == status).sum()) for status in range(3)]
    given: dict[str, Any] = {
        "outcome": outcome or ("violation" if anomalies else "valid"),
        "headline": "Linearizability was broken." if anomalies else "Linearizability and read-your-writes held.",
        "title": "leader-follower / register on sim",
        "counts": Counts(len(operations), *ended),
        "verdicts": verdicts_of(anomalies),
        "plan": msgspec.to_builtins(Plan(seed=8842, nemesis=("partition", "kill", "pause"))),
        "duration_ns": max((op.time or 0 for op in history.events[-1:]), default=0),
        "repeat": "splitbrain run --nemesis partition,kill,pause --replication async --seed 8842",
        "faults": tuple(faults),
    }
    return Result(**{**given, **more})


def write_run(folder: Path, history: History, result: Result) -> Run:
    """A run directory with plan, history and verdict, as a run leaves it."""
    run = Run(folder)
    run.write("plan.json", Plan(seed=8842).to_json())
    lines = [msgspec.json.encode(history.header), *(msgspec.json.encode(op) for op in history.events)]
    run.write("history.jsonl", b"\n".join(lines) + b"\n")
    run.write("verdict.json", result.to_json())
    return run


def spliced(history: History, story: History, at_ns: int) -> tuple[History, list[int]]:
    """`story` inside `history`, its first event at `at_ns`, by processes of its own; and its new invocation indices."""
    first = story.events[0].time or 0
    events = [(op.time or 0, number * 2, op) for number, op in enumerate(history.events)]
    marked = []
    for number, op in enumerate(story.events):
        moved = msgspec.structs.replace(op, time=(op.time or 0) - first + at_ns, process=900 + int(op.process))
        marked.append((moved.time or 0, 10**9 + number, moved))
    ordered = in_order([*events, *marked])
    asked = [op.index for op in ordered if op.type == "invoke" and isinstance(op.process, int) and op.process >= 900]
    return History(history.header, ordered), asked
