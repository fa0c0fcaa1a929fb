"""What the store promises: a few cases by name, and laws over all configurations and faults."""

from itertools import product

import pytest

from system_under_test.leader_follower.promises import DIMENSIONS, FAULTS, GUARANTEES, PROMISES, RULES
from system_under_test.leader_follower.statements import SAFE, SCENARIOS, STATEMENTS
from system_under_test.leader_follower.system import OPTIONS, SYSTEM

EVERYTHING = "partition kill power pause clock"
SESSION = {"read-your-writes", "monotonic-reads"}
ALL = set(GUARANTEES)


def kept(faults: str, **switches) -> set[str]:
    kinds = frozenset(faults.split())
    return {name for name in GUARANTEES if PROMISES.promise(SAFE | switches, kinds, name).holds}


def configurations():
    for values in product(*DIMENSIONS.values()):
        configuration = dict(zip(DIMENSIONS, values, strict=True))
        if PROMISES.possible(configuration):
            yield configuration


@pytest.mark.parametrize(
    ("faults", "switches", "expected"),
    [
        (EVERYTHING, {}, ALL),
        (EVERYTHING, {"replication": "sync"}, ALL),
        (EVERYTHING, {"election": "paxos"}, ALL),
        ("", {"replication": "async"}, ALL),
        ("clock", {"replication": "async"}, ALL),
        ("partition", {"replication": "async"}, set()),
        ("kill", {"replication": "async"}, set()),
        (EVERYTHING, {"replication": "async", "election": "none"}, ALL),
        ("", {"read": "follower"}, {"durability"}),
        ("", {"replication": "sync", "read": "follower"}, {"durability"}),
        ("", {"read": "bounded"}, {"durability"}),
        (EVERYTHING, {"read": "session"}, {"durability"} | SESSION),
        ("partition", {"read": "session", "replication": "async"}, set()),
        ("power", {"fsync": "never"}, set()),
        ("kill", {"fsync": "never"}, ALL),
        ("pause", {"fencing": False}, set()),
        ("", {"fencing": False}, ALL),
        ("pause", {"fencing": False, "election": "none"}, ALL),
        ("partition", {"read": "leader-local"}, {"durability"}),
        ("", {"read": "leader-local"}, ALL),
        (EVERYTHING, {"read": "lease", "lease": "monotonic"}, ALL),
        ("partition clock", {"read": "lease", "lease": "wall"}, {"durability"}),
        ("partition", {"read": "lease", "lease": "wall"}, ALL),
        ("clock", {"read": "lease", "lease": "wall"}, ALL),
    ],
)
def test_the_promises_of_the_pattern(faults, switches, expected) -> None:
    assert kept(faults, **switches) == expected


def test_the_dimensions_are_the_switches_of_the_server() -> None:
    choices = {option.name: set(option.choices or (True, False)) for option in OPTIONS}
    assert {name: set(values) for name, values in DIMENSIONS.items()} == {name: choices[name] for name in DIMENSIONS}
    assert {name: values[0] for name, values in DIMENSIONS.items()} == SAFE
    assert SYSTEM.promises is PROMISES


def test_more_faults_never_mean_more_promises() -> None:
    for configuration in configurations():
        for guarantee, (fewer, more) in product(GUARANTEES, product(FAULTS, FAULTS)):
            if fewer < more and PROMISES.promise(configuration, more, guarantee).holds:
                assert PROMISES.promise(configuration, fewer, guarantee).holds, (configuration, fewer, more, guarantee)


@pytest.mark.parametrize(
    ("name", "safest"), [(name, values[0]) for name, values in DIMENSIONS.items() if name != "read"]
)
def test_the_safest_value_of_a_switch_breaks_nothing_that_another_keeps(name, safest) -> None:
    """But of these: without an election nobody is deposed, and `off` is no lease for `--read lease`."""
    for configuration in configurations():
        safer = configuration | {name: safest}
        if not PROMISES.possible(safer) or (name == "election" and configuration["election"] == "none"):
            continue
        for faults, guarantee in product(FAULTS, GUARANTEES):
            if PROMISES.promise(configuration, faults, guarantee).holds:
                assert PROMISES.promise(safer, faults, guarantee).holds, (configuration, faults, guarantee)


def test_what_breaks_durability_breaks_every_read() -> None:
    for configuration, faults in product(configurations(), FAULTS):
        if not PROMISES.promise(configuration, faults, "durability").holds:
            assert not any(PROMISES.promise(configuration, faults, name).holds for name in GUARANTEES)


def test_every_rule_is_the_reason_of_some_row_and_every_row_has_a_reason() -> None:
    reasons = {
        PROMISES.promise(configuration, faults, guarantee)
        for configuration, faults, guarantee in product(configurations(), FAULTS, GUARANTEES)
    }
    assert {rule.reason for rule in RULES} == {one.reason for one in reasons if not one.holds}
    assert all(len(one.reason.split()) >= 4 and not one.reason.endswith(".") for one in reasons)


def test_what_no_server_starts_with_is_not_possible() -> None:
    assert not PROMISES.possible(SAFE | {"read": "lease"})
    assert not PROMISES.possible(SAFE | {"election": "none", "lease": "monotonic"})
    assert PROMISES.possible(SAFE | {"read": "lease", "lease": "wall"})


def test_every_statement_is_about_rows_that_exist() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))
    assert {name for statement in STATEMENTS for name in statement.scenarios} == set(names)
    assert all(set(scenario.configuration) == set(DIMENSIONS) for scenario in SCENARIOS)
    assert all(PROMISES.possible(scenario.configuration) for scenario in SCENARIOS)
