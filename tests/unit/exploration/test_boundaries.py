"""The boundaries at which single faults strike: which there are, and that none is the same as another."""

from itertools import combinations

import pytest

from harness.exploration.boundaries import Counter, evenly, golden, of_faults, pairs, single_faults, told
from harness.plan import Plan
from harness.streams import Streams

KINDS = ("kill", "partition")


class Cluster:
    nodes = ("n1", "n2")

    def listen(self, listener):
        self.tell = listener

    def strike(self, node, *, power): ...

    def sever(self, cuts): ...

    def observe(self, node): ...


@pytest.fixture
def counted():
    """A node that writes, syncs, and tells another and a client of it; the other answers."""
    now_ns, cluster = [0], Cluster()
    counter = Counter(lambda: now_ns[0])
    counter.begin(cluster)
    cluster.tell("n1", "append", "wal")
    counter.phase("main")
    for at_ns, node, event, text in (
        (1, "n1", "append", "wal"),
        (1, "n1", "append done", "wal"),
        (1, "n1", "sync", "wal"),
        (1, "n1", "send", "n2"),
        (1, "n1", "sent", "n2"),
        (1, "n1", "log", "told n2"),
        (1, "n1", "send", "control"),
        (1, "n1", "sent", "control"),
        (9, "n2", "send", "n1"),
        (9, "n2", "sent", "n1"),
    ):
        now_ns[0] = at_ns
        cluster.tell(node, event, text)
    counter.phase("heal")
    cluster.tell("n2", "append", "wal")
    return counter.found()


def test_uses_of_disks_and_messages_of_the_main_phase_are_boundaries(counted):
    found = [(one.event, one.node, one.count, one.link) for one in counted]
    assert found == [
        ("append", "n1", 1, None),
        ("sync", "n1", 1, None),
        ("send", "n1", 1, ("n1", "n2")),
        ("sent", "n1", 1, ("n1", "n2")),
        ("send", "n1", 2, None),
        ("sent", "n1", 2, None),
        ("send", "n2", 1, ("n2", "n1")),
        ("sent", "n2", 1, ("n2", "n1")),
    ]
    assert [one.is_last for one in counted] == [False] * 5 + [True, False, True]


def test_a_blow_after_a_message_is_left_out_where_the_next_effect_comes_at_once(counted):
    kills = [fault.after for fault in single_faults(counted, ("kill",), 0.1)]
    assert [(after.event, after.node, after.count) for after in kills] == [
        ("append", "n1", 1),
        ("sync", "n1", 1),
        ("send", "n1", 1),
        ("send", "n1", 2),
        ("sent", "n1", 2),
        ("send", "n2", 1),
        ("sent", "n2", 1),
    ]


def test_links_between_nodes_are_cut_both_ways_before_and_after_each_message(counted):
    cuts = [(fault.after.event, fault.cuts) for fault in single_faults(counted, ("partition",), 0.1)]
    one, other = (("n1", "n2"), ("n2", "n1")), (("n2", "n1"), ("n1", "n2"))
    assert cuts == [("send", one), ("sent", one), ("send", other), ("sent", other)]
    assert {told((fault,)) for fault in single_faults(counted, KINDS, 0.1)} == {
        "kill at the disk",
        "kill at a message",
        "partition at a message",
    }


def test_pairs_are_drawn_each_once_and_in_order(counted):
    faults = single_faults(counted, KINDS, 0.1)
    whole = list(combinations(range(len(faults)), 2))
    everything = [(faults.index(one), faults.index(two)) for one, two in pairs(faults, 1000, Streams(1).stream("p"))]
    assert sorted(everything) == whole
    some = pairs(faults, 7, Streams(1).stream("p"))
    assert len(set(map(repr, some))) == 7 and some == pairs(faults, 7, Streams(1).stream("p"))
    assert some != pairs(faults, 7, Streams(2).stream("p")) and told(some[0]) == "pair"
    assert pairs(faults[:1], 5, Streams(1).stream("p")) == pairs(faults, 0, Streams(1).stream("p")) == []


def test_fewer_are_taken_evenly(counted):
    faults = single_faults(counted, KINDS, 0.1)
    assert evenly(faults, 100) == faults and evenly([], 3) == []
    assert evenly(faults, 2) == [faults[0], faults[len(faults) // 2]]


def test_the_run_that_is_counted_waits_for_what_never_comes():
    (fault,) = golden(Plan(nemesis=("partition",))).faults
    assert fault.after.count == 1_000_000_000
    assert of_faults(Plan(), fault).combine is False and of_faults(Plan(), fault, fault).combine is True
