"""Which rows are run: every pair of choices is met, also where all holds, and every reason."""

from itertools import combinations

import pytest
from made_promises import JUDGED, MadePromises

from harness.matrix import Narrowed, covering, named_cells
from harness.protocols import Option

PROMISES = MadePromises()


def choices(cell):
    return [*cell.configuration.items(), ("faults", cell.faults), ("workload", cell.workload)]


def pairs(cells):
    return {pair for cell in cells for pair in combinations(choices(cell), 2)}


def all_pairs():
    """By hand: every two values of two dimensions, but for the one that the system does not start with."""
    values = {
        **PROMISES.dimensions,
        "faults": [tuple(sorted(faults)) for faults in PROMISES.faults],
        "workload": list(JUDGED),
    }
    made = {((a, x), (b, y)) for a, b in combinations(values, 2) for x in values[a] for y in values[b]}
    return made - {(("copies", "one"), ("colour", "blue"))}


def test_every_pair_of_choices_is_met() -> None:
    assert pairs(covering(PROMISES, JUDGED)) == all_pairs()


def test_every_pair_that_can_hold_is_met_where_all_holds() -> None:
    whole = [cell for cell in covering(PROMISES, JUDGED) if all(one.holds for one in cell.promises.values())]
    met = pairs(whole)
    assert (("sync", False), ("faults", ("kill",))) in met
    assert (("copies", "one"), ("faults", ("power",))) in met
    assert (("sync", False), ("faults", ("power",))) not in met
    assert (("copies", "one"), ("faults", ("kill",))) not in met


def test_every_reason_is_met() -> None:
    reasons = {(name, one.reason) for cell in covering(PROMISES, JUDGED) for name, one in cell.promises.items()}
    assert ("durability", "only one copy") in reasons
    assert {(name, "not synced") for name in PROMISES.guarantees} <= reasons


def test_the_rows_are_few_and_always_the_same() -> None:
    cells = covering(PROMISES, JUDGED)
    assert cells == covering(PROMISES, JUDGED)
    whole = sum(1 for copies in "ab" for _ in "abc" for _ in "ab") * 4 * 2 - 16
    assert len(cells) < whole / 2
    assert not any(cell.configuration["copies"] == "one" and cell.configuration["colour"] == "blue" for cell in cells)


def test_named_rows_appear_as_far_as_their_switches_and_faults_exist() -> None:
    (cell,) = named_cells(PROMISES, JUDGED)
    assert (cell.name, cell.faults, cell.settings) == ("one copy", ("kill",), {"target": "leader"})
    assert {name: one.holds for name, one in cell.promises.items()} == {"linearizability": True, "durability": False}


def test_promises_narrow_to_what_exists() -> None:
    switches = (("copies", "all", ("all", "one")), ("sync", True, ()), ("colour", "red", ("red",)))
    options = [Option(name, default, "", choices) for name, default, choices in switches]
    narrowed = Narrowed.to(PROMISES, options, {"kill"})
    assert narrowed.dimensions == {"copies": ("all", "one"), "sync": (True, False), "colour": ("red",)}
    assert list(narrowed.faults) == [frozenset(), frozenset({"kill"})]
    assert {cell.configuration["colour"] for cell in covering(narrowed, JUDGED)} == {"red"}


def test_a_dimension_that_the_system_does_not_have_is_left_out() -> None:
    narrowed = Narrowed.to(PROMISES, [Option("copies", "all", "", ("all", "one"))], set())
    assert list(narrowed.dimensions) == ["copies"]


@pytest.mark.parametrize(
    ("usual", "words"),
    [
        ({"copies": "one", "sync": True, "colour": "red"}, "all as usual"),
        ({"copies": "all", "sync": False, "colour": "red"}, "copies=one sync=true"),
        ({}, "copies=one sync=true colour=red"),
    ],
)
def test_a_row_is_told_by_what_is_unusual(usual, words) -> None:
    (cell,) = named_cells(PROMISES, JUDGED)
    assert cell.described(usual) == words
