"""The further faults on machines in memory: what they do, and that they claim nothing without proof."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from harness.errors import InfrastructureError, PlanError
from harness.nemesis.catalogue import FAULTS, fault
from harness.nemesis.compose import build_nemesis, lifting_place, system_faults, validate_faults
from harness.nemesis.disk import may_be_harmed
from harness.nemesis.drift import Look
from harness.nemesis.effect import NotNow, end_all
from harness.nemesis.links import is_calm, links_of, shows
from harness.nemesis.membership import Membership
from harness.nemesis.targets import resolve
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.protocols import LinkShape
from harness.simulation.ground import SimGround
from harness.streams import Streams
from system_under_test.leader_follower.system import SYSTEM

NODES = ("n1", "n2", "n3")


class Machines:
    """All surfaces of three machines in one object, each of which may be `deaf` to a verb."""

    nodes = NODES

    def __init__(self, *deaf: str) -> None:
        self.deaf = set(deaf)
        self.net = self.processes = self.disks = self.clocks = self
        self.cuts: set[Any] = set()
        self.reset: set[Any] = set()
        self.port_cuts: set[Any] = set()
        self.shaped: dict[Any, LinkShape] = {}
        self.clogged: set[Any] = set()
        self.states = dict.fromkeys(NODES, "running")
        self.limited: dict[str, dict[str, float]] = {node: {"memory_used_mib": 20.0} for node in NODES}
        self.broken: dict[str, str] = {}
        self.damaged: list[str] = []
        self.offsets = dict.fromkeys(NODES, 0.0)
        self.rates = dict.fromkeys(NODES, 0)
        self.since = dict.fromkeys(NODES, 0.0)
        self.kills = self.probed = 0

    def hears(self, verb: str) -> bool:
        return verb not in self.deaf

    def address(self, node: str) -> tuple[str, int]:
        return node, 7000

    # net

    async def cut(self, cuts: Any) -> None:
        self.cuts = set(cuts)

    async def heal(self) -> None:
        self.cuts = set()

    async def resets(self, cuts: Any) -> None:
        if self.hears("resets"):
            self.reset = set(cuts)

    async def cut_port(self, cuts: Any, port: int, *, reset: bool = False) -> None:
        assert port == 7000
        if self.hears("cut_port"):
            self.port_cuts = set(cuts)

    async def reaches(self, source: str, destination: str) -> bool:
        return (source, destination) not in self.cuts | self.reset | self.clogged

    async def connects(self, source: str, destination: str, port: int) -> str:
        return "silent" if (source, destination) in self.port_cuts else "open"

    def shapes(self) -> frozenset[str]:
        return frozenset(LinkShape.__struct_fields__)

    async def shape(self, links: Any) -> None:
        if self.hears("shape"):
            self.shaped = dict(links)

    async def clog(self, links: Any) -> None:
        if self.hears("clog"):
            self.clogged = set(links)

    async def round_trip_ms(self, source: str, destination: str, count: int) -> list[float | None]:
        ways = [self.shaped.get(link, LinkShape()) for link in ((source, destination), (destination, source))]
        lost = sum(way.loss + way.corrupt for way in ways)
        slow = sum(way.delay_ms + (84 * 8 / way.rate_kbit if way.rate_kbit else 0) for way in ways)
        trips: list[float | None] = [0.1 + slow] * count
        for place in range(count):
            self.probed += 1
            if lost and self.probed % int(1 / min(lost, 1.0)) == 0:
                trips[place] = None
            elif self.probed % 3 == 0 and any(way.reorder for way in ways):
                trips[place] = 0.1
        return trips

    async def echoes(self, source: str, destination: str, count: int, over_ms: float = 0.0) -> list[int]:
        ways = [self.shaped.get(link, LinkShape()) for link in ((source, destination), (destination, source))]
        came = list(range(1, count + 1))
        if any(way.reorder for way in ways):
            came[:2] = [2, 1]
        return came + ([7] if any(way.duplicate for way in ways) else [])

    # processes

    async def kill(self, node: str) -> None:
        self.kills += 1
        if self.hears("kill"):
            self.states[node] = "stopped"

    async def stop(self, node: str) -> None:
        await self.kill(node)

    async def start(self, node: str) -> None:
        if self.hears("start"):
            self.states[node] = "running"

    async def pause(self, node: str) -> None:
        self.states[node] = "paused"

    async def resume(self, node: str) -> None:
        self.states[node] = "running"

    async def state(self, node: str) -> str:
        return self.states[node]

    async def limit_cpu(self, node: str, share: float) -> None:
        if self.hears("limit_cpu"):
            self.limited[node]["cpu_share"] = share

    async def limit_memory(self, node: str, mebibytes: int) -> None:
        if self.hears("limit_memory"):
            self.limited[node]["memory_mib"] = mebibytes

    async def freeze(self, node: str) -> None:
        if self.hears("freeze"):
            self.limited[node]["frozen"] = 1

    async def thaw(self, node: str) -> None:
        self.limited[node]["frozen"] = 0

    async def limits(self, node: str) -> dict[str, float]:
        return dict(self.limited[node])

    # disks

    def breakages(self) -> frozenset[str]:
        return frozenset({"full", "hung"})

    async def power_off(self, node: str) -> int:
        await self.kill(node)
        return 0

    async def break_disk(self, node: str, kind: str) -> str:
        if not self.hears("break_disk"):
            raise InfrastructureError(f"{node}: its disk should be {kind}, but a test write: written.")
        self.broken[node] = kind
        self.states[node] = "stopped"
        return f"a test write: {kind}"

    async def mend_disk(self, node: str) -> str:
        if not self.hears("mend_disk"):
            raise InfrastructureError(f"{node}: its disk should be well again.")
        self.broken.pop(node, None)
        return "a test write: written"

    async def corrupt(self, node: str, path: str, kind: str, amount: int, seed: int) -> str:
        assert self.states[node] == "stopped"
        self.damaged.append(node)
        return f"log-1: {kind} {amount}"

    # clocks

    def _now(self, node: str) -> float:
        return self.offsets[node] + (asyncio.get_running_loop().time() - self.since[node]) * self.rates[node] * 1000

    async def offset_ns(self, node: str) -> int:
        return int(self._now(node))

    async def set_offset_ns(self, node: str, offset_ns: int) -> None:
        if self.hears("set_offset_ns"):
            self.since[node], self.offsets[node] = asyncio.get_running_loop().time(), offset_ns

    async def set_rate_ppm(self, node: str, ppm: int) -> None:
        if self.hears("set_rate_ppm"):
            self.offsets[node], self.since[node] = self._now(node), asyncio.get_running_loop().time()
            self.rates[node] = ppm

    async def freeze_clock(self, node: str, on: bool) -> None:
        await self.set_rate_ppm(node, -1_000_000 if on else 0)

    async def monotonic_offset_ns(self, node: str) -> int:
        return 0


class Store:
    """A system whose members are a list."""

    def __init__(self, answer: str | None = None) -> None:
        self.now, self.answer = list(NODES), answer

    async def members(self, cluster: Any) -> tuple[str, ...]:
        return tuple(self.now)

    async def remove_node(self, cluster: Any, node: str) -> str | None:
        if self.answer is None:
            self.now.remove(node)
        return self.answer

    async def add_node(self, cluster: Any, node: str) -> str | None:
        self.now.append(node)
        return None


def virtual(work: Coroutine[Any, Any, Any]) -> Any:
    """Run on virtual time."""
    loop = SimGround(1).new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def run(
    machines: Machines, *fs: str, leaders: tuple[str | None, ...] = ("n2",), wait_s: float = 3.0, **plan: Any
) -> Any:
    """The completions of these fault operations, with a wait after each; and what is then still to be lifted."""
    left = list(leaders)

    async def lead() -> str | None:
        return left.pop(0) if len(left) > 1 else left[0]

    kinds = tuple(dict.fromkeys(f.split("-", 1)[1] for f in fs))
    nemesis = build_nemesis(Plan(nemesis=kinds, nodes=3, **{"target": "n2"} | plan), machines, lead, Streams(1))

    async def go() -> list[Op]:
        done = []
        for f in fs:
            done.append(await nemesis.invoke(Op(process=NEMESIS, f=f)))
            await asyncio.sleep(wait_s)
        return done

    return virtual(go()), [op.f for op in nemesis.lifting_ops()]


ALL_KINDS = [
    (kind, target)
    for kind in sorted(FAULTS.keys() - {"membership"})
    for target in ("n2", "all", "n1,n3")
    if (kind, target)
    not in {("partition", "all"), ("reset", "all"), ("port", "all")}  # all together, cut off from nobody
]


@pytest.mark.parametrize(("kind", "target"), ALL_KINDS)
def test_a_fault_is_proven_when_it_holds_and_when_it_is_lifted(kind: str, target: str) -> None:
    harmed = may_be_harmed(NODES, 0)[0] if kind == "corrupt" else target
    (start, stop), left = run(Machines(), f"start-{kind}", f"stop-{kind}", target=harmed)
    assert start.type == stop.type == "ok"
    assert (start.value["proven"], stop.value["proven"]) == (True, True), (start.value, stop.value)
    assert start.value["fault"] == stop.value["fault"] == f"{kind}-1"
    assert left == []


DEAF = {
    "packet": "shape",
    "latency": "shape",
    "loss": "shape",
    "bandwidth": "shape",
    "packet-reorder": "shape",
    "packet-duplicate": "shape",
    "packet-corrupt": "shape",
    "clog": "clog",
    "swizzle": "clog",
    "reset": "resets",
    "port": "cut_port",
    "kill": "kill",
    "stop": "kill",
    "restart": "kill",
    "rolling-restart": "kill",
    "crash-loop": "kill",
    "cpu": "limit_cpu",
    "memory": "limit_memory",
    "freeze": "freeze",
    "disk-full": "break_disk",
    "clock-drift": "set_rate_ppm",
    "clock-freeze": "set_rate_ppm",
    "clock-strobe": "set_offset_ns",
}


@pytest.mark.parametrize("kind", DEAF)
def test_a_fault_that_silently_does_nothing_is_not_proven(kind: str) -> None:
    (start,), left = run(Machines(DEAF[kind]), f"start-{kind}")
    assert start.type == "ok"
    assert start.value["proven"] is False
    assert left == [f"stop-{kind}"]


def test_what_could_not_be_lifted_stays_in_force_and_is_tried_again() -> None:
    machines = Machines("mend_disk")
    (_, stop), left = run(machines, "start-disk-hung", "stop-disk-hung")
    assert (stop.type, stop.error) == ("info", "not-lifted: n2: its disk should be well again.")
    assert left == ["stop-disk-hung"]


def test_while_a_node_stands_still_no_other_fault_is_made_or_lifted() -> None:
    machines = Machines()
    (_, _, cut, lift, thaw, late), left = run(
        machines, "start-latency", "start-freeze", "start-kill", "stop-latency", "stop-freeze", "stop-latency"
    )
    assert cut.error == lift.error == "not-now: nothing can be told to n2, which stands still"
    assert (cut.type, lift.type) == ("fail", "fail")
    assert thaw.value["proven"] and late.value["proven"]
    assert left == []


def test_what_stands_still_is_lifted_first_and_links_last() -> None:
    _, left = run(Machines(), "start-latency", "start-power", "start-freeze", target="n2")
    assert left == ["stop-power", "stop-latency"]  # the node that has no power is not frozen
    _, left = run(Machines(), "start-latency", "start-freeze", target="n2")
    assert left == ["stop-freeze", "stop-latency"]
    order = ["clock", "membership", "latency", "partition", "kill", "freeze"]
    assert sorted(order, key=lifting_place) == ["freeze", "kill", "partition", "clock", "latency", "membership"]


def test_a_crash_loop_strikes_until_it_is_lifted_and_a_rolling_restart_takes_turns() -> None:
    machines = Machines()
    (_, stop), _ = run(machines, "start-crash-loop", "stop-crash-loop", wait_s=10.0)
    assert 6 <= machines.kills <= 60
    assert f"restarts: n2 {machines.kills}" in stop.value["evidence"]
    machines = Machines()
    (_, stop), _ = run(machines, "start-rolling-restart", "stop-rolling-restart", wait_s=10.0, target="all")
    counts = [int(word.split()[1]) for word in stop.value["evidence"].rpartition("restarts: ")[2].split(", ")]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == machines.kills


def test_servers_that_did_not_survive_a_broken_disk_are_started() -> None:
    machines = Machines()
    (_, stop), _ = run(machines, "start-disk-full", "stop-disk-full")
    assert "server was stopped" in stop.value["evidence"]
    assert machines.states["n2"] == "running"


def test_nodes_are_clogged_one_after_another_and_released_in_another_order() -> None:
    class Watched(Machines):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[frozenset[str]] = []

        async def clog(self, links: Any) -> None:
            await super().clog(links)
            self.seen.append(frozenset(node for node in NODES if all((node, o) in links for o in NODES if o != node)))

    machines = Watched()
    (start, stop), _ = run(machines, "start-swizzle", "stop-swizzle", target="n1,n2")
    assert (start.value["proven"], stop.value["proven"]) == (True, True)
    assert [len(step & {"n1", "n2"}) for step in machines.seen] == [1, 2, 1, 0]
    assert machines.seen[0] < machines.seen[1]
    assert sorted(start.value["detail"].split(", ")) == ["n1", "n2"]
    assert stop.value["evidence"].startswith("released n")
    assert machines.clogged == set()


def test_damage_never_falls_on_more_than_a_minority_of_a_run() -> None:
    machines = Machines()
    run(machines, *["start-corrupt", "stop-corrupt"] * 20, target="random", seed=4)
    assert machines.damaged
    assert set(machines.damaged) == set(may_be_harmed(NODES, 4))
    assert {len(may_be_harmed(tuple(f"n{i}" for i in range(count)), 1)) for count in (5, 6)} == {2}
    (harmed,) = set(may_be_harmed(NODES, 4))
    whole = next(node for node in NODES if node != harmed)
    (start, _), _ = run(machines, "start-corrupt", "stop-corrupt", seed=4, target=whole)
    assert (start.type, start.error) == ("fail", f"no-target: only {harmed} may be hit")
    (start, _), _ = run(machines, "start-corrupt", "stop-corrupt", seed=4, target="all")
    assert start.value["nodes"] == [harmed]


def test_a_clock_that_drifts_with_all_others_is_not_proven() -> None:
    class OneClock(Machines):
        async def set_rate_ppm(self, node: str, ppm: int) -> None:
            for other in NODES:
                await super().set_rate_ppm(other, ppm)

    (start,), _ = run(OneClock(), "start-clock-drift")
    assert start.value["proven"] is False
    assert "all other clocks moved alike" in start.value["evidence"]


def test_members_are_taken_out_and_added_again() -> None:
    store = Store()
    effect = Membership(Machines(), store)
    gone = virtual(effect.inject(["n3"]))
    assert (gone.proven, gone.evidence, store.now) == (True, "members: n1 n2", ["n1", "n2"])
    back = virtual(effect.lift(["n3"]))
    assert (back.proven, back.evidence) == (True, "members: n1 n2 n3")
    with pytest.raises(NotNow, match="n1: busy; members: n1 n2 n3"):
        virtual(Membership(Machines(), Store("n1: busy")).inject(["n3"]))


def test_the_old_leader_is_who_led_when_a_fault_was_last_aimed() -> None:
    machines = Machines()
    fs = ("start-kill", "stop-kill") * 3
    done, _ = run(machines, *fs, target="old-leader", leaders=("n1", "n3", "n3", None))
    assert [op.error or op.value["nodes"] for op in done[::2]] == [
        "no-target: nobody is old-leader now",
        ["n1"],
        ["n1"],
    ]
    assert resolve("old-leader", NODES, "n1", Streams(0).stream("x"), {"old-leader": "n2"}) == ("n2",)


@pytest.mark.parametrize(
    ("shape", "during", "seen"),
    [
        (LinkShape(delay_ms=20), [40.0] * 9, True),
        (LinkShape(delay_ms=20), [1.0] * 9, False),
        (LinkShape(loss=0.2), [0.1] * 8 + [None], True),
        (LinkShape(loss=0.2), [0.1] * 9, False),
        (LinkShape(loss=0.2, delay_ms=20), [0.1] * 8 + [None], False),
        (LinkShape(rate_kbit=64), [21.0] * 9, True),
        (LinkShape(rate_kbit=64), [1.0] * 9, False),
        (LinkShape(delay_ms=20, jitter_ms=10), [25.0] * 9, True),
        (LinkShape(delay_ms=20, reorder=0.5), [0.1] * 6 + [40.0] * 3, True),
        (LinkShape(delay_ms=20), [None] * 9, True),
        (LinkShape(corrupt=1.0), [None] * 9, True),
    ],
)
def test_a_shape_shows_in_round_trips_or_is_not_there(shape: LinkShape, during: Any, seen: bool) -> None:
    assert shows(shape, [0.1] * 9, during) is seen


def test_a_link_is_calm_when_nothing_is_lost_and_nothing_is_late() -> None:
    assert is_calm([0.1] * 3, [0.2] * 3)
    assert not is_calm([0.1] * 3, [20.0] * 3)
    assert not is_calm([0.1] * 3, [0.1, None, 0.1])
    assert links_of(["n1", "n2"], NODES)[:4] == [("n1", "n2"), ("n2", "n1"), ("n1", "n3"), ("n3", "n1")]


@pytest.mark.parametrize(
    ("kind", "offered", "lacking", "message"),
    [
        ("disk-full", {"disks", "processes"}, {}, "'disk-full' cannot be made on the ground 'docker'"),
        ("membership", set(), {}, "needs a system that changes its members, which 'leader-follower' does not"),
        ("clock", {"clocks"}, {"clock": "no compiler; get one"}, "on the ground 'docker': no compiler; get one"),
        ("packet", set(), {}, "needs the surface 'net', which the ground 'docker' lacks"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(
    kind: str, offered: set[str], lacking: Any, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        validate_faults(Plan(nemesis=(kind,), on="docker"), frozenset(offered), lacking)


def test_the_store_says_that_it_changes_its_members() -> None:
    assert system_faults(SYSTEM) == {"membership"}
    assert system_faults(object()) == set()


def test_what_is_registered_as_a_nemesis_must_be_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.registry.load", lambda group, name: 7)
    with pytest.raises(PlanError, match="registered as 7"):
        fault("strange")


def test_of_two_faults_that_set_the_same_of_links_only_one_is_in_force() -> None:
    done, left = run(Machines(), "start-latency", "start-loss", "start-clog", "stop-clog", "stop-latency", "start-loss")
    assert [op.error for op in done] == [None, "in-force: latency-1 is not lifted yet", None, None, None, None]
    assert left == ["stop-loss"]
    done, left = run(Machines(), "start-partition", "start-clog", "start-reset", "start-port")
    assert [op.error for op in done] == [None, *["in-force: partition-1 is not lifted yet"] * 3]


def test_where_nothing_passes_a_slow_link_is_neither_made_nor_seen_to_be_lifted() -> None:
    done, left = run(Machines(), "start-partition", "start-latency", "stop-partition", "start-latency")
    assert done[1].error == "no-target: nothing passes between n2 n1 n3 now"
    assert (done[3].type, left) == ("ok", ["stop-latency"])
    fs = ("start-latency", "start-partition", "stop-latency", "stop-partition", "stop-latency")
    done, left = run(Machines(), *fs)
    assert (done[2].type, done[2].error) == ("fail", "not-now: nothing passes between n2 n1 n3 now")
    assert done[4].value["proven"]
    _, left = run(Machines(), "start-latency", "start-partition")
    assert left == ["stop-partition", "stop-latency"]


def test_a_partition_is_seen_to_be_lifted_although_the_links_lose_packets() -> None:
    class Lossy(Machines):
        """Only every third probe of a link arrives."""

        def __init__(self) -> None:
            super().__init__()
            self.probes: dict[Any, int] = {}

        async def reaches(self, source: str, destination: str) -> bool:
            self.probes[source, destination] = number = self.probes.get((source, destination), 0) + 1
            return number % 3 == 0 and await super().reaches(source, destination)

    (_, stop), _ = run(Lossy(), "start-partition", "stop-partition")
    assert stop.value["proven"]


def test_of_two_faults_that_set_the_same_clock_only_one_is_in_force() -> None:
    done, _ = run(Machines(), "start-clock-drift", "start-clock", "start-clock-strobe", target="n1,n2")
    assert [op.type for op in done] == ["ok", "fail", "fail"]
    assert done[1].error == "no-target: another fault holds the clocks of n1 n2"
    assert done[2].error == "no-target: another fault holds n1 n2"


@pytest.mark.parametrize(
    ("look", "fits"),
    [
        (Look(0, 60_000_000, 300.0, 340.0), True),
        (Look(0, 60_000_000, 200.0, 560.0), True),
        (Look(0, 20_000_000, 300.0, 340.0), False),
        (Look(0, 120_000_000, 300.0, 340.0), False),
        (Look(0, 5_000_000, 20.0, 40.0), False),
    ],
)
def test_a_rate_is_seen_as_exactly_as_the_looks_took_time(look: Look, fits: bool) -> None:
    assert look.fits(200_000) is fits


@pytest.mark.parametrize("kind", ["crash-loop", "clock-strobe"])
def test_a_fault_that_goes_on_ends_with_the_run_although_nobody_lifts_it(kind: str) -> None:
    machines = Machines()

    async def leader() -> None:
        return None

    async def go() -> tuple[Any, Any]:
        nemesis = build_nemesis(Plan(nemesis=(kind,), nodes=3, target="n2"), machines, leader, Streams(1))
        await nemesis.invoke(Op(process=NEMESIS, f=f"start-{kind}"))
        await asyncio.sleep(5)
        await end_all()
        seen = machines.kills, dict(machines.offsets)
        await asyncio.sleep(5)
        return seen, (machines.kills, dict(machines.offsets))

    before, after = virtual(go())
    assert before == after
