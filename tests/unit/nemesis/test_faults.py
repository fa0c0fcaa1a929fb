"""The nemeses against an in-memory cluster: what they do, what they claim, and that they never claim without proof."""

import asyncio

import pytest

from harness.errors import PlanError
from harness.nemesis.compose import build_nemesis, validate_faults
from harness.nemesis.partition import PartitionNemesis
from harness.nemesis.targets import Scene
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.streams import Streams


class Net:
    def __init__(self, works=True, heals=True):
        self.cuts, self.works, self.heals = set(), works, heals

    async def cut(self, cuts):
        self.cuts = set(cuts) if self.works else set()

    async def heal(self):
        if self.heals:
            self.cuts = set()

    async def reaches(self, source, destination):
        return (source, destination) not in self.cuts


class Processes:
    def __init__(self, deaf=()):
        self.states, self.deaf = {}, deaf

    async def kill(self, node):
        if node not in self.deaf:
            self.states[node] = "stopped"

    async def start(self, node):
        self.states[node] = "running"

    async def pause(self, node):
        self.states[node] = "paused"

    async def resume(self, node):
        self.states[node] = "running"

    async def state(self, node):
        return self.states.get(node, "running")


class Disks:
    def __init__(self, processes):
        self.processes = processes

    async def power_off(self, node):
        await self.processes.kill(node)
        return 17


class Clocks:
    def __init__(self, works=True, drift_ns=0):
        self.offsets, self.works, self.drift_ns = {}, works, drift_ns

    async def offset_ns(self, node):
        return self.offsets.get(node, 0) + self.drift_ns

    async def set_offset_ns(self, node, offset_ns):
        if self.works:
            self.offsets[node] = offset_ns


class Cluster:
    nodes = ("n1", "n2", "n3")

    def __init__(self, net=None, processes=None, clocks=None):
        self.net, self.processes, self.clocks = net or Net(), processes or Processes(), clocks or Clocks()
        self.disks = Disks(self.processes)


def run(cluster, *fs, leader="n2", **plan):
    async def lead():
        return leader

    kinds = tuple(dict.fromkeys(f.split("-", 1)[1] for f in fs))
    nemesis = build_nemesis(Plan(nemesis=kinds, nodes=3, **plan), cluster, lead, Streams(1))

    async def go():
        return [await nemesis.invoke(Op(process=NEMESIS, f=f)) for f in fs]

    return nemesis, asyncio.run(go())


def test_a_partition_is_proven_when_it_holds_and_when_it_is_lifted():
    cluster = Cluster()
    _, (start, stop) = run(cluster, "start-partition", "stop-partition", target="leader")
    assert start.type == stop.type == "ok"
    assert start.value["nodes"] == ["n2"]
    assert start.value["detail"] == "n2 | n1 n3"
    assert start.value["proven"] and stop.value["proven"]
    assert start.value["fault"] == stop.value["fault"] == "partition-1"
    assert cluster.net.cuts == set()


def test_a_partition_that_silently_does_nothing_is_not_proven():
    _, (start,) = run(Cluster(net=Net(works=False)), "start-partition", target="leader")
    assert start.value["proven"] is False
    assert "still passing" in start.value["evidence"]


def test_a_heal_that_silently_does_nothing_is_not_proven():
    _, (_, stop) = run(Cluster(net=Net(heals=False)), "start-partition", "stop-partition", target="leader")
    assert stop.value["proven"] is False


@pytest.mark.parametrize(("kind", "state"), [("kill", "stopped"), ("pause", "paused"), ("power", "stopped")])
def test_a_blow_is_proven_by_the_state_of_the_process(kind, state):
    cluster = Cluster()
    nemesis, (start,) = run(cluster, f"start-{kind}", target="n1,n3")
    assert start.value["proven"] and start.value["nodes"] == ["n1", "n3"]
    assert cluster.processes.states == {"n1": state, "n3": state}
    assert [op.f for op in nemesis.lifting_ops()] == [f"stop-{kind}"]
    asyncio.run(nemesis.heal())
    assert set(cluster.processes.states.values()) == {"running"}
    assert nemesis.lifting_ops() == []


def test_a_kill_that_leaves_the_process_running_is_not_proven():
    _, (start,) = run(Cluster(processes=Processes(deaf=("n1",))), "start-kill", target="n1")
    assert start.value["proven"] is False
    assert "n1 running" in start.value["evidence"]


def test_power_loss_tells_how_much_was_lost():
    _, (start,) = run(Cluster(), "start-power", target="n1")
    assert "bytes lost: 17" in start.value["evidence"]


def test_a_clock_jumps_is_read_back_and_set_right():
    cluster = Cluster()
    _, (start, again, stop) = run(cluster, "start-clock", "start-clock", "stop-clock", target="n1,n3")
    assert start.value["nodes"] == ["n1", "n3"]
    assert start.value["proven"] and stop.value["proven"]
    assert start.value["fault"] == stop.value["fault"] == "clock-1"
    jumped, right, others = start.value["detail"], "n1 +0 ms, n3 +0 ms", "others: n2 +0 ms"
    assert start.value["evidence"] == f"read back: {jumped}; before: {right}; {others}"
    assert stop.value["evidence"] == f"read back: {right}; before: {jumped}; {others}"
    assert again.error == "in-force: clock-1 is not lifted yet"
    assert cluster.clocks.offsets == {"n1": 0, "n3": 0}


def test_clocks_jump_both_ways_and_by_all_orders_of_magnitude():
    cluster, jumps = Cluster(), []
    nemesis, _ = run(cluster, "start-clock", "stop-clock", target="n1")
    for _ in range(200):
        asyncio.run(nemesis.invoke(Op(process=NEMESIS, f="start-clock")))
        jumps.append(cluster.clocks.offsets["n1"] / 1e6)
        asyncio.run(nemesis.invoke(Op(process=NEMESIS, f="stop-clock")))
    assert all(20 <= abs(jump) <= 5000 for jump in jumps)
    assert 60 < sum(jump > 0 for jump in jumps) < 140
    assert sum(abs(jump) < 100 for jump in jumps) > 30 < sum(abs(jump) > 1000 for jump in jumps)


@pytest.mark.parametrize("clocks", [Clocks(works=False), Clocks(drift_ns=11_000_000)])
def test_a_clock_that_is_not_where_it_was_set_proves_nothing(clocks):
    _, (start,) = run(Cluster(clocks=clocks), "start-clock", target="all")
    assert start.value["proven"] is False


def test_clocks_are_healed_in_a_hurry():
    cluster = Cluster()
    nemesis, _ = run(cluster, "start-clock", target="all")
    assert [op.f for op in nemesis.lifting_ops()] == ["stop-clock"]
    asyncio.run(nemesis.heal())
    assert set(cluster.clocks.offsets.values()) == {0}
    assert nemesis.lifting_ops() == []


def test_nobody_to_hit_is_told_and_nothing_is_done():
    cluster = Cluster()
    _, (start,) = run(cluster, "start-kill", leader=None, target="leader")
    assert start.type == "fail"
    assert start.error.startswith("no-target")
    assert cluster.processes.states == {}


def test_lifting_what_is_not_in_force_is_told():
    _, (stop,) = run(Cluster(), "stop-pause", target="n1")
    assert stop.type == "fail"


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(nemesis=("partitoin",)), "Did you mean 'partition'"),
        (Plan(nemesis=("power",), on="docker"), "needs the surface 'disks', which the ground 'docker' lacks"),
        (Plan(nemesis=("clock",), on="docker"), "needs the surface 'clocks', which the ground 'docker' lacks"),
        (Plan(nemesis=("kill",), target="n9"), "n9"),
        (Plan(nemesis=("partition",), partition="rign"), "shape"),
    ],
)
def test_plans_that_cannot_be_are_refused_before_anything_starts(plan, message):
    with pytest.raises(PlanError, match=message):
        validate_faults(plan, frozenset({"net", "processes"}))


def test_a_node_that_another_fault_holds_is_left_alone():
    """Paused and then killed, it could be neither resumed nor shown to run again."""
    cluster = Cluster()
    _, (pause, kill, unpause) = run(cluster, "start-pause", "start-kill", "stop-pause", target="n1,n2")
    assert pause.value["nodes"] == ["n1", "n2"]
    assert (kill.type, kill.error) == ("fail", "no-target: another fault holds n1 n2")
    assert unpause.value["proven"]


def test_faults_overlap_on_different_nodes():
    cluster = Cluster()
    _, (_, kill) = run(cluster, "start-pause", "start-kill", target="all", leader=None)
    assert kill.type == "fail"
    _, (_, cut) = run(cluster, "start-pause", "start-partition", target="n1")
    assert cut.value["proven"]


def test_links_of_a_machine_without_power_prove_nothing():
    class DeadWire(Net):
        """n1 has no power: nothing arrives there, cut or not."""

        async def reaches(self, source, destination):
            return "n1" not in (source, destination) and await super().reaches(source, destination)

    async def go(dark):
        cluster = Cluster(DeadWire())
        nemesis = PartitionNemesis(cluster, cluster.net, "isolate", "n2", Streams(1).stream("faults"))
        scene = Scene(dark=frozenset(dark))
        return [await nemesis.invoke(Op(process=NEMESIS, f=f"{verb}-partition"), scene) for verb in ("start", "stop")]

    cut, heal = asyncio.run(go({"n1"}))
    assert cut.value["proven"]
    assert heal.value["proven"]
    assert heal.value["evidence"] == "2 links probed, all pass again"
    _, heal = asyncio.run(go(()))
    assert not heal.value["proven"]
    cut, _ = asyncio.run(go({"n1", "n3"}))
    assert (cut.type, cut.error.split(":")[0]) == ("fail", "nothing-to-cut")


def test_a_partition_is_not_lifted_while_nobody_could_see_it():
    cluster = Cluster()
    kinds = ("start-partition", "start-power", "stop-partition", "start-partition", "stop-power", "stop-partition")
    _, (_, _, early, again, _, late) = run(cluster, *kinds, target="n2")
    assert (early.type, early.error) == ("fail", "not-now: every link of partition-1 has an end without power")
    assert (again.type, again.error) == ("fail", "in-force: partition-1 is not lifted yet")
    assert late.value["proven"]
    assert cluster.net.cuts == set()


def test_power_comes_back_before_links_are_probed():
    nemesis, _ = run(Cluster(), "start-partition", "start-power", target="n2")
    assert [op.f for op in nemesis.lifting_ops()] == ["stop-power", "stop-partition"]


def test_an_injection_says_whom_it_hit_in_which_role_and_in_which_phase():
    _, (kill, lifted, again) = run(Cluster(), "start-kill", "stop-kill", "start-kill", target="n1,n2")
    assert (kill.value["nodes"], kill.value["roles"], kill.value["phase"]) == (
        ["n1", "n2"],
        ["follower", "leader"],
        "steady",
    )
    assert "roles" not in lifted.value
    assert again.value["phase"] == "recovering"
    _, (headless,) = run(Cluster(), "start-pause", target="n1", leader=None)
    assert (headless.value["roles"], headless.value["phase"]) == (["follower"], "electing")
