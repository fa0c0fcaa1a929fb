"""Who holds a lock, as clients were told."""

from __future__ import annotations

from harness.history.holders import Holders
from harness.op import NEMESIS, Op


def told(*events: Op) -> str | None:
    holders = Holders(lambda process: f"n{process % 3 + 1}")
    for op in events:
        holders.event(op)
    return holders.node()


def acquired(process: int, key: str, node: str | None = None) -> Op:
    return Op(process=process, type="ok", f="acquire", key=key, value=1, node=node)


def released(process: int, key: str, type_: str = "ok") -> Op:
    return Op(process=process, type=type_, f="release", key=key, value=1, node="n1")  # type: ignore[arg-type]  # a name of few


def test_a_holder_is_where_it_was_answered_or_at_home() -> None:
    assert told() is None
    assert told(acquired(4, "k", "n3")) == "n3"
    assert told(acquired(4, "k")) == "n2"


def test_what_is_only_asked_for_refused_or_in_doubt_is_not_held() -> None:
    asked = Op(process=0, f="acquire", key="k", node="n1")
    refused = Op(process=0, type="fail", f="acquire", key="k", node="n1")
    doubtful = Op(process=0, type="info", f="acquire", key="k", node="n1")
    nemesis = Op(process=NEMESIS, type="ok", f="acquire", key="k", node="n1")
    assert told(asked, refused, doubtful, nemesis) is None


def test_a_lock_is_held_until_its_release_succeeds_or_may_have() -> None:
    taken = acquired(0, "k", "n1")
    assert told(taken, Op(process=0, f="release", key="k")) == "n1"
    assert told(taken, released(1, "k", "fail")) == "n1"
    assert told(taken, released(0, "k")) is None
    assert told(taken, released(0, "k", "info")) is None


def test_of_several_locks_the_one_granted_last_counts() -> None:
    first, second = acquired(0, "a", "n1"), acquired(1, "b", "n2")
    assert told(first, second) == "n2"
    assert told(first, second, released(1, "b")) == "n1"
    assert told(first, second, acquired(2, "a", "n3")) == "n3"
