"""The verifier refuses certificates that are wrong in any one way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from oracle.registers import interleaved, random_events, random_shape

from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from checkers.verify import verify
from harness.history import Header, History
from harness.op import Op
from harness.streams import Random
from harness.verdict import Anomaly, Verdict


def history(lines: list[tuple[int, str, str, Any]], **header: Any) -> History:
    events = [Op(index, None, *line[:3], None, line[3]) for index, line in enumerate(lines)]
    return History(Header(splitbrain=1, **{"model": "cas-register", "fail_cas": "mismatch", **header}), events)


RIGHT = history(
    [
        (0, "invoke", "write", 1),
        (1, "invoke", "read", None),
        (0, "ok", "write", 1),
        (1, "ok", "read", None),
        (2, "invoke", "write", 2),
        (2, "info", "write", 2),
        (0, "invoke", "write", 3),
        (0, "fail", "write", 3),
        (0, "invoke", "read", None),
        (0, "ok", "read", 1),
    ]
)


def says(order: Any, answer: Any = "valid") -> list[str]:
    certificate = {"keys": [{"key": None, "order": order}]} if order is not None else {}
    return verify(RIGHT, Verdict("linearizability", answer, certificate=certificate))


@pytest.mark.parametrize("order", [[1, 0, 8], [1, 0, 8, 4]])
def test_a_legal_order_is_confirmed_with_or_without_what_is_in_doubt(order: list[int]) -> None:
    assert says(order) == []


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ([0, 1, 8], "meets the state 1"),
        ([1, 0], "leaves out event 8"),
        (None, "leaves out event 0"),
        ([1, 0, 4, 8], "meets the state 2"),
        ([1, 0, 8, 8], "twice"),
        ([1, 0, 6, 8], "may have happened"),
        ([1, 0, 2, 8], "may have happened"),
        ([1, 4, 0, 8, 99], "may have happened"),
    ],
)
def test_an_order_that_is_wrong_is_refused(order: list[int] | None, problem: str) -> None:
    [said] = says(order)
    assert problem in said


def test_an_order_against_real_time_is_refused() -> None:
    told = history([(0, "invoke", "write", 1), (0, "ok", "write", 1), (1, "invoke", "write", 2), (1, "ok", "write", 2)])
    entry = {"key": None, "order": [2, 0]}
    [said] = verify(told, Verdict("linearizability", "valid", certificate={"keys": [entry]}))
    assert said.endswith("puts event 2 (writes 2) before event 0 (writes 1), which had ended when it began.")


def test_an_order_of_a_key_that_is_not_there_is_refused() -> None:
    entries = [{"key": None, "order": [1, 0, 8]}, {"key": "x", "order": []}]
    [said] = verify(RIGHT, Verdict("linearizability", "valid", certificate={"keys": entries}))
    assert "the history has none" in said


def test_what_is_not_decided_needs_no_certificate() -> None:
    assert says(None, "unknown") == []


def test_an_accusation_without_an_anomaly_is_refused() -> None:
    assert says(None, "invalid") == ["linearizability: the verdict is invalid, but it names no anomaly."]


@pytest.mark.parametrize(
    ("rule", "ops"),
    [
        ("unwritten-value", [8]),
        ("double-cas", [8, 1]),
        ("cas-cycle", [8]),
        ("chain-order", [0, 8]),
        ("chain-order", [1, 8]),
        ("blocks", [None, 0, 0, 8]),
        ("blocks", [0, 8, 0, 8]),
        ("no-such-rule", [8]),
        ("unwritten-value", [4]),
        ("unwritten-value", [6]),
    ],
)
def test_an_accusation_of_the_innocent_is_refused(rule: str, ops: list[int | None]) -> None:
    shown = tuple(index for index in ops if index is not None)
    anomaly = Anomaly("x", "linearizability", "x", None, shown, shown[-1], rule=rule, certificate={"ops": ops})
    assert len(verify(RIGHT, Verdict("linearizability", "invalid", anomalies=(anomaly,)))) == 1


@pytest.mark.parametrize(("since", "until"), [(0, 9), (1, 9), (8, 9), (0, 3)])
def test_a_search_in_vain_is_refused(since: int, until: int) -> None:
    certificate = {"ops": [8], "since": since, "until": until}
    anomaly = Anomaly("x", "linearizability", "x", None, (8,), 8, rule="search", certificate=certificate)
    assert len(verify(RIGHT, Verdict("linearizability", "invalid", anomalies=(anomaly,)))) == 1


def test_parts_of_a_verdict_are_looked_at() -> None:
    part = Verdict("linearizability", "invalid")
    assert len(verify(RIGHT, Verdict("all", "invalid", parts=(part, part)))) == 2


def test_a_verdict_that_claims_nothing_is_left_alone() -> None:
    assert verify(RIGHT, Verdict("statistics", "valid")) == []


def broken_history(seed: int) -> tuple[History, Verdict]:
    random = Random(seed)
    parts = [random_events(random, random_shape(random, True, "mismatch"), None) for _ in range(40)]
    told = History(Header(splitbrain=1, model="cas-register", fail_cas="mismatch"), interleaved(random, parts))
    return told, Linearizability().check(told, Budget())


def test_no_proof_holds_once_an_operation_of_it_is_in_doubt() -> None:
    """The proof's operations lose their answers; what is confirmed after that would be an accusation out of nothing."""
    weakened = 0
    for seed in range(20):
        told, verdict = broken_history(seed)
        for anomaly in verdict.anomalies:
            alone = msgspec.structs.replace(verdict, anomalies=(anomaly,))
            assert verify(told, alone) == []
            assert len(verify(without_answers(told, anomaly), alone)) == 1
            weakened += 1
    assert weakened > 100


def without_answers(told: History, anomaly: Anomaly) -> History:
    """The history in which nobody knows how any operation of the anomaly's key ended."""
    gone = {op.process for op in told.events if op.key == anomaly.key}
    return History(
        told.header,
        [
            msgspec.structs.replace(op, type="info") if op.process in gone and op.type != "invoke" else op
            for op in told.events
        ],
    )
