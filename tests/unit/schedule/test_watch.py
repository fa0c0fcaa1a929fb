"""Triggers: what counts towards them, and what is refused because it would never come."""

import pytest

from harness.errors import PlanError
from harness.op import Op
from harness.schedule.planned import PlannedFault, Trigger
from harness.schedule.watch import Watch, check_triggers

EVENTS = {"elected": "^leader of"}


class Cluster:
    nodes = ("n1", "n2", "n3")

    def __init__(self):
        self.struck = []
        self.severed = []

    def listen(self, listener):
        self.listener = listener

    def strike(self, node, *, power):
        self.struck.append((node, power))

    def sever(self, cuts):
        self.severed.append(tuple(cuts))

    def observe(self, node):
        return {}


def watching(*faults, leader=None):
    announced, cluster = [], Cluster()
    watch = Watch(faults, EVENTS, announced.append, lambda: 5, leader)
    watch.begin(cluster)
    return watch, cluster, announced


def test_the_count_th_acknowledgement_of_the_leader_is_the_one():
    fault = PlannedFault(kind="kill", after=Trigger("acknowledged", "leader", count=2))
    watch, _, announced = watching(fault, leader="n1")
    for node in ("n1", "n2", "n2"):
        watch.client_event(Op(process=0, type="ok", f="write", node=node))
    watch.client_event(Op(process=0, type="info", f="write", node="n1"))
    assert announced == []
    watch.client_event(Op(process=0, type="ok", f="write", node="n1"))
    assert [(op.time, op.value) for op in announced] == [(5, {"planned": 0, "node": "n1"})]


def test_who_is_elected_is_the_leader_from_then_on():
    fault = PlannedFault(kind="kill", after=Trigger("sync", "leader"), target="there")
    _, cluster, announced = watching(fault, leader="n1")
    cluster.listener("n2", "log", "leader of generation 4")
    cluster.listener("n1", "sync", "wal")
    assert not announced
    cluster.listener("n2", "sync", "wal")
    assert announced and cluster.struck == [("n2", False)]


def test_only_kills_and_power_strike_within_an_event_of_the_disk():
    pause = PlannedFault(kind="pause", after=Trigger("sync"))
    late = PlannedFault(kind="power", after=Trigger("sync", delay_s=0.1))
    _, cluster, announced = watching(pause, late)
    cluster.listener("n1", "sync", "wal")
    assert len(announced) == 2 and cluster.struck == []


def test_where_nobody_can_be_heard_a_new_leader_is_an_election():
    fault = PlannedFault(kind="kill", after=Trigger("elected"))
    announced = []
    watch = Watch([fault], {}, announced.append, lambda: 0, "n1")
    watch.begin(object())
    assert watch.wants_polling()
    watch.polled("n1")
    watch.polled(None)
    assert announced == []
    watch.polled("n3")
    assert len(announced) == 1


def test_an_event_that_nobody_tells_of_is_refused():
    faults = [PlannedFault(kind="kill", after=Trigger("sync"))]
    check_triggers(faults, EVENTS, observed=True)
    with pytest.raises(PlanError, match="'sync', which nobody tells of"):
        check_triggers(faults, EVENTS, observed=False)


def test_blows_and_exact_cuts_strike_at_a_message_at_once():
    kill = PlannedFault(kind="kill", after=Trigger("send", "n1", count=2), target="there")
    cut = PlannedFault(kind="partition", after=Trigger("sent", "n1"), cuts=(("n1", "n2"), ("n2", "n1")))
    watch, cluster, announced = watching(kill, cut)
    for event in ("send", "sent", "send"):
        cluster.listener("n1", event, "n2")
    assert cluster.severed == [(("n1", "n2"), ("n2", "n1"))] and cluster.struck == [("n1", False)]
    assert watch.struck == [(1, "n1"), (0, "n1")] and len(announced) == 2


def test_cuts_of_roles_and_shapes_are_left_to_the_nemesis():
    roles = PlannedFault(kind="partition", after=Trigger("send"), cuts=(("leader", "n2"),))
    shape = PlannedFault(kind="partition", after=Trigger("send"), partition="isolate", target="there")
    watch, cluster, announced = watching(roles, shape)
    cluster.listener("n1", "send", "n2")
    assert len(announced) == 2 and cluster.severed == watch.struck == []


def test_nothing_is_set_off_once_the_main_phase_is_over():
    watch, cluster, announced = watching(PlannedFault(kind="kill", after=Trigger("sync"), target="there"))
    watch.end()
    cluster.listener("n1", "sync", "wal")
    assert announced == cluster.struck == []
