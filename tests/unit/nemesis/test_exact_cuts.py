"""Exact cuts: ends that are roles, and cuts that are in force beside others."""

from __future__ import annotations

from typing import Any

import pytest
from test_effects import NODES, Machines, virtual

from harness.errors import PlanError
from harness.history.circumstances import Situation
from harness.nemesis.targets import Scene, resolve, resolve_cuts, validate, validate_end
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.schedule.members import ScheduledNemesis
from harness.schedule.planned import PlannedFault
from harness.streams import Streams


def carried_out(machines: Machines, faults: list[PlannedFault], *steps: str, leader: str | None = "n2") -> list[Op]:
    """The completions of steps like "start 0"."""

    async def situation() -> Situation:
        return Situation(leader)

    kinds = tuple({fault.kind for fault in faults})
    nemesis = ScheduledNemesis(Plan(nemesis=kinds, nodes=3), faults, machines, situation)  # type: ignore[arg-type]  # twins suffice

    async def go() -> list[Op]:
        done = []
        for step in steps:
            verb, place = step.split()
            f = f"{verb}-{faults[int(place)].kind}"
            done.append(await nemesis.invoke(Op(process=NEMESIS, f=f, value={"planned": int(place)})))
        return done

    return virtual(go())  # type: ignore[no-any-return]  # any result


def cutting(kind: str, *cuts: tuple[str, str]) -> PlannedFault:
    return PlannedFault(kind=kind, cuts=cuts)


def test_an_end_of_a_cut_may_be_a_role() -> None:
    machines = Machines()
    (start,) = carried_out(machines, [cutting("partition", ("leader", "follower-2"), ("n1", "leader"))], "start 0")
    assert machines.cuts == {("n2", "n3"), ("n1", "n2")}
    assert start.value["detail"] == "n2→n3, n1→n2"


def test_a_role_that_nobody_has_is_no_target() -> None:
    for role, leader in (("leader", None), ("follower-1", None), ("old-leader", "n2"), ("lock-holder", "n2")):
        (start,) = carried_out(Machines(), [cutting("partition", (role, "n1"))], "start 0", leader=leader)
        assert (start.type, start.error) == ("fail", f"no-target: nobody is {role} now")


def test_exact_cuts_of_different_kinds_are_in_force_together_on_different_links() -> None:
    faults = [cutting("reset", ("n1", "n2")), cutting("partition", ("n2", "n3"), ("n3", "n2"))]
    machines = Machines()
    done = carried_out(machines, faults, "start 0", "start 1")
    assert [op.value["proven"] for op in done] == [True, True]
    assert (machines.reset, machines.cuts) == ({("n1", "n2")}, {("n2", "n3"), ("n3", "n2")})
    done = carried_out(machines := Machines(), faults, "start 0", "start 1", "stop 0", "stop 1")
    assert [op.value["proven"] for op in done] == [True] * 4
    assert (machines.reset, machines.cuts) == (set(), set())


@pytest.mark.parametrize(
    "second",
    [
        cutting("partition", ("n2", "n1")),
        cutting("partition", ("n2", "n3"), ("n1", "n2")),
        PlannedFault(kind="partition", target="n3"),
        PlannedFault(kind="clog", target="n3"),
    ],
)
def test_what_touches_a_link_that_is_cut_waits(second: PlannedFault) -> None:
    done = carried_out(Machines(), [cutting("reset", ("n1", "n2")), second], "start 0", "start 1")
    assert done[1].error == "in-force: reset-1 is not lifted yet"


def test_exact_cuts_wait_for_links_that_are_clogged() -> None:
    faults = [PlannedFault(kind="clog", target="n1"), cutting("partition", ("n2", "n3"))]
    assert carried_out(Machines(), faults, "start 0", "start 1")[1].error == "in-force: clog-1 is not lifted yet"


def who(target: str, leader: str | None, nodes: tuple[str, ...] = NODES) -> Any:
    return resolve(target, nodes, leader, Streams(0).stream("x"))


def test_a_follower_is_told_by_its_place_among_those_who_do_not_lead() -> None:
    assert [who("follower-1", leader) for leader in ("n1", "n2", "n3", None)] == [("n2",), ("n1",), ("n1",), ()]
    assert [who("follower-2", leader) for leader in ("n1", "n2", "n3")] == [("n3",), ("n3",), ("n2",)]
    assert who("follower-1", "a", ("a", "b", "follower-1")) == ("follower-1",)
    assert resolve_cuts([("follower-1", "n2")], NODES, Scene("n1")) == (("n2", "n2"),)


def test_ends_and_followers_that_there_cannot_be_are_refused() -> None:
    for name in ("leader", "lock-holder", "follower-2", "n3"):
        validate_end(name, NODES)
    for name in ("followers", "all", "follower-3", "follower-0", "n4", "n1,n2"):
        with pytest.raises(PlanError, match="is no node"):
            validate_end(name, NODES)
    validate("follower-2", NODES)
    with pytest.raises(PlanError, match="no node or group 'follower-3'"):
        validate("follower-3", NODES)
