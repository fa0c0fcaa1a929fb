"""Predicted against observed, and what the table comes to."""

import msgspec
import pytest
from made_promises import JUDGED, NOTHING, MadePromises

from harness.matrix import Promise, RunReport, Table, named_cells, row_of, state_of

HOLDS, MAY = Promise(True, "it holds"), Promise(False, "it may break")
(CELL,) = named_cells(MadePromises(), JUDGED)  # linearizability holds, durability may break


def run(outcome="valid", seed=1, **answers):
    names = {"linearizability": "valid", "durability": "valid"} | answers
    broken = {name: f"{name} was broken by seed {seed}" for name, answer in names.items() if answer == "invalid"}
    return RunReport(
        seed=seed,
        outcome=outcome,
        tested=outcome != "vacuous",
        answers=names,
        sentences=broken,
        repeat=f"again {seed}",
        figures=NOTHING,
        reason="" if outcome in ("valid", "violation") else "because",
    )


def states(*runs):
    return {one.guarantee: (one.state, one.broken, one.decided) for one in row_of(CELL, runs).observations}


def table(*runs):
    guarantees = ("linearizability", "durability")
    return Table(system="made", on="sim", command="", guarantees=guarantees, rows=(row_of(CELL, runs),), runs=len(runs))


@pytest.mark.parametrize(
    ("promise", "broken", "decided", "state"),
    [
        (HOLDS, 0, 3, "held"),
        (HOLDS, 1, 3, "broken"),
        (HOLDS, 0, 0, "untested"),
        (MAY, 0, 3, "not-seen"),
        (MAY, 3, 3, "seen"),
        (MAY, 0, 0, "untested"),
    ],
)
def test_the_state_of_a_promise(promise, broken, decided, state) -> None:
    assert state_of(promise, broken, decided) == state


def test_runs_are_counted_for_each_guarantee() -> None:
    found = states(run(), run("violation", durability="invalid"), run("violation", durability="invalid"))
    assert found == {"linearizability": ("held", 0, 3), "durability": ("seen", 2, 3)}


def test_a_broken_promise_shows_the_run_that_broke_it() -> None:
    row = row_of(CELL, [run(), run("violation", seed=7, linearizability="invalid")])
    first = row.observations[0]
    assert (first.state, first.repeat) == ("broken", "again 7")
    assert first.sentence == "linearizability was broken by seed 7"


def test_a_run_that_tested_nothing_says_nothing_for_a_promise() -> None:
    assert states(run("vacuous"), run("infrastructure"))["linearizability"] == ("untested", 0, 0)
    assert states(run("vacuous"), run())["linearizability"] == ("held", 0, 1)


def test_an_undecided_guarantee_does_not_count() -> None:
    assert states(run("inconclusive", linearizability="unknown"))["linearizability"] == ("untested", 0, 0)
    assert states(run("inconclusive", linearizability="unknown"))["durability"] == ("not-seen", 0, 1)


def test_troubles_are_told_once() -> None:
    assert row_of(CELL, [run("vacuous"), run("vacuous", seed=2), run()]).troubles == ("vacuous: because",)


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([run(), run("violation", durability="invalid")], 0),
        ([run(), run("violation", linearizability="invalid")], 1),
        ([run("infrastructure"), run("violation", linearizability="invalid")], 1),
        ([run("infrastructure"), run()], 255),
        ([run("vacuous")], 2),
        ([run("inconclusive", durability="unknown")], 0),
    ],
)
def test_the_exit_code(runs, code) -> None:
    assert table(*runs).exit_code == code


def test_the_table_survives_the_way_through_json() -> None:
    made = table(run(), run("violation", durability="invalid"))
    assert msgspec.json.decode(msgspec.json.encode(made), type=Table) == made
    assert made.counts() == {"held": 1, "broken": 0, "seen": 1, "not-seen": 0, "untested": 0}
