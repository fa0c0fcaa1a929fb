"""What tc is told of links; test_docker_netem.py tells it to a kernel."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from memory_nodes import MemoryNodes

from harness.docker_ground import abilities, netem
from harness.docker_ground.net import IptablesNet
from harness.protocols import LinkShape
from harness.ssh import Completed


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (LinkShape(delay_ms=40), "delay 40ms"),
        (LinkShape(delay_ms=40, jitter_ms=2.5), "delay 40ms 2.5ms"),
        (LinkShape(loss=0.1, duplicate=0.02, corrupt=0.005), "loss 10% duplicate 2% corrupt 0.5%"),
        (LinkShape(delay_ms=10, reorder=0.25), "delay 10ms reorder 25%"),
        (LinkShape(rate_kbit=64), "rate 64kbit"),
    ],
)
def test_a_shape_is_told_in_the_words_of_netem(shape: LinkShape, words: str) -> None:
    assert " ".join(netem.words(shape)) == f"limit 10000 {words}"


def test_each_peer_has_a_class_of_its_own_and_everything_else_is_as_ever() -> None:
    told = netem.batch({"10.0.0.3": LinkShape(loss=0.5), "10.0.0.2": LinkShape(delay_ms=7)}).decode().splitlines()
    assert told == [
        "qdisc add dev eth0 root handle 1: htb default 1",
        "class add dev eth0 parent 1: classid 1:1 htb rate 10gbit",
        "class add dev eth0 parent 1: classid 1:2 htb rate 10gbit",
        "qdisc add dev eth0 parent 1:2 handle 2: netem limit 10000 delay 7ms",
        "filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst 10.0.0.2/32 flowid 1:2",
        "class add dev eth0 parent 1: classid 1:3 htb rate 10gbit",
        "qdisc add dev eth0 parent 1:3 handle 3: netem limit 10000 loss 50%",
        "filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dst 10.0.0.3/32 flowid 1:3",
    ]
    assert netem.batch({}) == b""


def test_only_senders_are_told_and_those_before_are_set_right(monkeypatch: pytest.MonkeyPatch) -> None:
    control = MemoryNodes(("n1", "n2", "n3")).control()
    told: list[tuple[str, str, bytes]] = []

    async def heard(node: str, words: Any, *, stdin: bytes = b"", **_: Any) -> Any:
        told.append((node, " ".join(words), stdin))
        return Completed(0, "", "")

    monkeypatch.setattr(control, "run", heard)
    monkeypatch.setattr(control, "check", heard)
    net = IptablesNet(control, by_netem=True)
    asyncio.run(net.shape({("n1", "n2"): LinkShape(loss=0.5), ("n1", "n3"): LinkShape()}))
    assert [(node, words) for node, words, _ in told] == [("n1", "tc qdisc del dev eth0 root"), ("n1", "tc -batch -")]
    assert told[1][2] == netem.batch({"10.0.0.2": LinkShape(loss=0.5)})
    told.clear()
    asyncio.run(net.shape({("n3", "n1"): LinkShape(delay_ms=9)}))
    assert [(node, stdin) for node, words, stdin in told if words == "tc -batch -"] == [
        ("n1", b""),
        ("n3", netem.batch({"10.0.0.1": LinkShape(delay_ms=9)})),
    ]


def test_netem_is_refused_where_the_kernel_lacks_it_and_the_queue_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abilities, "no_netem", lambda: "this kernel has no netem; use another")
    assert abilities.refused({"links": "netem"}) == "--links netem: this kernel has no netem; use another"
    assert abilities.refused({"links": "queue"}) is None
    monkeypatch.setattr(abilities, "no_netem", lambda: None)
    assert abilities.refused({"links": "netem"}) is None


def test_with_netem_only_what_is_clogged_needs_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abilities, "no_queue", lambda: "no queue; load it")
    assert {"latency", "clog"} <= set(abilities.lacking({"links": "queue"}))
    assert "latency" not in abilities.lacking({"links": "netem"})
    assert "clog" in abilities.lacking({"links": "netem"})
