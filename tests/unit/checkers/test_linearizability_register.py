"""What the checker says of small histories, each told in a few lines: verdict, name, sentence and proof."""

from __future__ import annotations

from typing import Any

import pytest

from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from checkers.verify import verify
from harness.errors import HistoryError
from harness.history import Header, History
from harness.op import Op
from harness.verdict import Anomaly, Verdict

Line = tuple[Any, ...]


def history(lines: list[Line], **header: Any) -> History:
    """Lines are (process, type, f, value[, error]), with the key before the process where there are several."""
    events = []
    for index, line in enumerate(lines):
        key, line = (line[0], line[1:]) if isinstance(line[0], str) else (None, line)
        process, kind, f, value, *error = line
        events.append(Op(index, None, process, kind, f, key, value, error=error[0] if error else None))
    return History(Header(splitbrain=1, **{"model": "cas-register", "fail_cas": "returned", **header}), events)


def judged(lines: list[Line], **header: Any) -> Verdict:
    told = history(lines, **header)
    verdict = Linearizability().check(told, Budget())
    assert verify(told, verdict) == []
    return verdict


def found(lines: list[Line], **header: Any) -> Anomaly:
    verdict = judged(lines, **header)
    assert verdict.answer == "invalid"
    [anomaly] = verdict.anomalies
    assert anomaly.guarantee == "linearizability"
    assert anomaly.culprit in anomaly.ops
    return anomaly


def did(process: int, f: str, value: Any, kind: str = "ok") -> list[Line]:
    """One operation with nothing beside it."""
    return [(process, "invoke", f, None if f == "read" else value), (process, kind, f, value)]


# ── what is right ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_history_is_valid() -> None:
    assert judged([]).answer == "valid"


def test_a_read_of_the_initial_value_is_right() -> None:
    assert judged(did(0, "read", None)).answer == "valid"
    assert judged(did(0, "read", 7), initial=7).answer == "valid"
    assert judged(did(0, "read", None), initial=7).answer == "invalid"


def test_operations_that_overlap_may_take_effect_in_any_order() -> None:
    lines = [(0, "invoke", "write", 1), (1, "invoke", "write", 2), (0, "ok", "write", 1), (1, "ok", "write", 2)]
    assert judged(lines + did(2, "read", 1)).answer == "valid"
    assert judged(lines + did(2, "read", 2)).answer == "valid"


def test_an_indeterminate_write_may_take_effect_much_later() -> None:
    lines = did(0, "write", 1) + did(1, "write", 2, "info") + did(2, "read", 1)
    assert judged(lines + did(2, "read", 2)).answer == "valid"
    assert judged(lines).answer == "valid"


def test_what_was_still_running_counts_as_indeterminate() -> None:
    lines = [(0, "invoke", "write", 1), *did(1, "read", None), *did(1, "read", 1)]
    assert judged(lines).answer == "valid"


def test_a_read_that_never_answered_says_nothing() -> None:
    assert judged(did(0, "write", 1) + did(1, "read", 5, "info") + did(2, "read", 6, "fail")).answer == "valid"


def test_the_certificate_orders_every_key_by_invocations() -> None:
    lines = [("x", *line) for line in did(0, "write", 1) + did(0, "read", 1)] + [("y", 1, "invoke", "write", 1)]
    verdict = judged(lines)
    assert verdict.certificate == {"keys": [{"key": "x", "order": [0, 2]}, {"key": "y", "order": []}]}
    assert verdict.summary == "All 2 keys admit an order."
    assert (verdict.counts["keys"], verdict.counts["keys_decided"], verdict.counts["operations"]) == (2, 2, 3)


def test_values_are_told_apart_as_json_tells_them_apart() -> None:
    assert judged(did(0, "write", 1) + did(1, "read", 1.0)).answer == "invalid"
    assert judged(did(0, "write", True) + did(1, "read", 1)).answer == "invalid"
    assert judged(did(0, "write", [1, {"a": 2}]) + did(1, "read", [1, {"a": 2}])).answer == "valid"


# ── what is wrong, and how it is said ────────────────────────────────────────────────────────────────────────────────


def test_a_stale_read_is_named_with_the_write_that_it_missed() -> None:
    anomaly = found(did(0, "write", 1) + did(1, "write", 2) + did(2, "read", 1))
    assert anomaly.name == "stale-read"
    assert anomaly.ops == (0, 2, 4)
    assert anomaly.culprit == 4
    assert anomaly.before == "null"
    said = "p2 read 1 after p1 had written 2, but p0 had written 1 before that, and each value was written once."
    assert anomaly.sentence == said


def test_a_stale_read_of_the_initial_value() -> None:
    anomaly = found(did(0, "write", 1) + did(1, "read", 1) + did(2, "read", None))
    assert (anomaly.name, anomaly.rule, anomaly.culprit) == ("stale-read", "blocks", 4)
    assert "p2 read null after p0 had written 1" in anomaly.sentence


def test_two_readers_that_see_two_writes_in_different_orders() -> None:
    lines = [(0, "invoke", "write", 1), (1, "invoke", "write", 2)]
    lines += did(2, "read", 1) + did(2, "read", 2) + did(3, "read", 1)
    assert found(lines).ops == (0, 1, 2, 4, 6)


def test_a_read_from_the_future() -> None:
    anomaly = found(did(0, "read", 1) + did(1, "write", 1))
    assert (anomaly.name, anomaly.culprit) == ("future-read", 0)
    assert anomaly.sentence == "p0 read 1 before p1 began to write 1."


def test_a_value_from_nowhere_and_one_that_failed() -> None:
    assert found(did(0, "read", 9)).sentence == "p0 read 9, but nobody ever wrote 9."
    aborted = found(did(0, "write", 9, "fail") + did(1, "read", 9))
    assert aborted.name == "aborted-read"
    assert aborted.sentence == "p1 read 9, but the write of that value by p0 had failed."
    changed = found(did(0, "cas", [3, 9], "fail") + did(1, "read", 9))
    assert (changed.name, changed.rule, changed.ops) == ("aborted-read", "unwritten-value", (0, 2))
    assert changed.sentence == "p1 read 9, but the change to that value by p0 had failed."


def test_a_lost_update_is_two_changes_of_the_same_value() -> None:
    anomaly = found(did(0, "write", 1) + did(1, "cas", [1, 2]) + did(2, "cas", [1, 3]))
    assert (anomaly.name, anomaly.rule) == ("lost-update", "double-cas")
    assert anomaly.ops == (0, 2, 4)
    assert anomaly.sentence.startswith("p1 changed 1 into 2 and p2 changed 1 into 3, but it was 1 only once")


def test_changes_that_need_each_other() -> None:
    lines = [(0, "invoke", "cas", [1, 2]), (1, "invoke", "cas", [2, 1]), (0, "ok", "cas", [1, 2])]
    assert found([*lines, (1, "ok", "cas", [2, 1])]).rule == "cas-cycle"


def test_a_read_of_a_value_that_was_changed_before() -> None:
    anomaly = found(did(0, "write", 1) + did(1, "cas", [1, 2]) + did(2, "read", 1))
    assert (anomaly.name, anomaly.rule, anomaly.culprit) == ("stale-read", "chain-order", 4)
    assert anomaly.sentence == "p2 read 1 after p1 had changed 1 into 2; by then 1 was replaced."


def test_an_indeterminate_write_that_was_seen_cannot_vanish() -> None:
    lines = did(0, "write", 1, "info") + did(1, "read", 1) + did(2, "read", None)
    assert found(lines).name == "stale-read"


def test_repeated_values_are_judged_by_search() -> None:
    lines = did(0, "write", 1) + did(0, "write", 2) + did(0, "write", 1) + did(0, "write", 2) + did(1, "read", 1)
    anomaly = found(lines)
    assert (anomaly.rule, anomaly.ops, anomaly.before) == ("search", (6, 8), "1")
    assert anomaly.sentence == "p1 read 1 after p0 had written 2, and nothing made it 1 in between."


def test_a_proof_by_search_holds_only_what_it_needs() -> None:
    busy = [line for value in (3, 4, 3, 4) for line in did(0, "write", value) + did(0, "read", value)]
    lines = [*busy, (0, "invoke", "write", 1), (1, "invoke", "write", 2)]
    lines += did(2, "read", 1) + did(2, "read", 2) + did(2, "read", 1)
    anomaly = found(lines)
    assert anomaly.ops == (18, 20, 22)
    assert anomaly.before == "4 or 1 or 2"


# ── refused changes ──────────────────────────────────────────────────────────────────────────────────────────────────


def refused(value: list[Any], error: str = "mismatch") -> list[Line]:
    return [(5, "invoke", "cas", value[:2]), (5, "fail", "cas", value, error)]


def test_a_refusal_says_as_much_as_the_header_states() -> None:
    lines = did(0, "write", 1) + refused([1, 2])
    assert judged(lines, fail_cas="drop").answer == "valid"
    assert judged(lines, fail_cas="mismatch").answer == "invalid"
    assert judged(lines, fail_cas="returned").answer == "invalid"


def test_a_refusal_for_another_reason_says_nothing() -> None:
    assert judged(did(0, "write", 1) + refused([1, 2], "not-leader: n2"), fail_cas="mismatch").answer == "valid"


def test_a_refusal_that_tells_the_state_is_a_read() -> None:
    assert judged(did(0, "write", 1) + refused([7, 2, 1])).answer == "valid"
    anomaly = found(did(0, "write", 1) + did(0, "write", 3) + refused([7, 2, 1]))
    assert anomaly.name == "stale-read"
    assert anomaly.sentence.startswith("p5 found 1 after p0 had written 3")


def test_a_refusal_that_tells_the_very_state_it_wanted_is_impossible() -> None:
    anomaly = found(did(0, "write", 1) + refused([1, 2, 1]))
    assert anomaly.sentence == "p5 was refused a change from 1, and told that it was 1."


# ── other models, and what is not a register ─────────────────────────────────────────────────────────────────────────


def test_a_mutex_is_held_by_one_at_a_time() -> None:
    right = did(0, "acquire", None) + did(0, "release", None) + did(1, "acquire", None)
    assert judged(right, model="mutex").answer == "valid"
    anomaly = found(did(0, "acquire", None) + did(1, "acquire", None), model="mutex")
    assert anomaly.sentence.startswith("p1 acquired the mutex after p0 had acquired the mutex")


def test_an_operation_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(HistoryError, match="Event 0 asks for 'append'; the model register has read, write, cas"):
        judged(did(0, "append", 1), model="register")
    with pytest.raises(HistoryError, match=r"Event 0: a cas wants \[old, new\], found 3"):
        judged(did(0, "cas", 3))


def test_a_model_that_is_not_known_leaves_the_verdict_open() -> None:
    verdict = Linearizability().check(history(did(0, "fly", 1), model="bird"), Budget())
    assert verdict.answer == "unknown"
    assert verdict.reason.startswith("This checker knows the models cas-register, counter, fenced-lock, grow-set, kv,")
    assert verdict.reason.endswith("; the history is of a bird.")


def test_the_model_given_wins_over_the_header() -> None:
    told = history(did(0, "acquire", None), model="")
    assert Linearizability("mutex").check(told, Budget()).answer == "valid"


# ── budget ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_past_its_budget_the_checker_says_what_it_did_not_decide() -> None:
    ticks = iter(range(0, 10**15, 10**9))
    lines = [(key, *line) for key in "abcdef" for line in did(0, "write", 1) + did(0, "write", 1)]
    verdict = Linearizability().check(history(lines), Budget(seconds=8.5, now_ns=lambda: next(ticks)))
    assert verdict.answer == "unknown"
    assert verdict.certificate == {}
    assert verdict.counts["keys_decided"] < 6
    assert verdict.reason.startswith("The budget of 8.5 s was spent: ")
    assert "(2 operations, 0 of them indeterminate)" in verdict.reason


def test_a_violation_counts_even_if_the_budget_ends_elsewhere() -> None:
    ticks = iter([0, *[1] * 4, *[10**15] * 100])
    lines = [("bad", *line) for line in did(0, "read", 9)]
    lines += [(key, *line) for key in "abc" for line in did(0, "write", 1) + did(0, "write", 1)]
    verdict = Linearizability().check(history(lines), Budget(seconds=1, now_ns=lambda: next(ticks)))
    assert verdict.answer == "invalid"
    assert verdict.counts["keys_decided"] == 1
    assert "1 of 4 keys were decided" in verdict.reason
