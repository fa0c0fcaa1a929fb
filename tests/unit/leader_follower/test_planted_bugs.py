"""The registry of planted bugs: complete, and out of reach unless a bug is named."""

import re
from pathlib import Path

import pytest

import system_under_test.leader_follower as store
from harness import registry
from harness.cli.bug_search import plan_of
from harness.cli.planning import repeat_command
from system_under_test.leader_follower.bugs import BUGS, SETTINGS
from system_under_test.leader_follower.configuration import Configuration
from system_under_test.leader_follower.system import SYSTEM

NODES = ("n1", "n2", "n3")
SOURCES = sorted(Path(str(store.__file__)).parent.glob("*.py"))


def test_every_bug_stands_at_a_safeguard_and_every_such_place_has_a_bug():
    places = {name for path in SOURCES for name in re.findall(r'has_bug\(\s*"([^"]*)"', path.read_text())}
    assert places == set(BUGS)


def test_there_are_at_least_25_bugs_each_told_by_a_report_of_a_real_system():
    assert len(BUGS) >= 25
    for bug in BUGS.values():
        assert re.fullmatch(r"[A-Z].*\.", bug.safeguard), bug.name
        assert re.fullmatch(r"[^:]+: .+ \(.+\)|[^:]+: .+", bug.made_by), bug.name
        assert bug.setting in SETTINGS, bug.name


def test_no_setting_is_left_without_a_bug():
    assert {bug.setting for bug in BUGS.values()} == set(SETTINGS)


def test_no_bug_is_in_force_unless_it_is_named():
    plain = Configuration("n1", NODES)
    assert plain.bugs == frozenset()
    assert not any(plain.has_bug(name) for name in BUGS)
    assert {option.name: option.default for option in SYSTEM.options}["bug"] == ""


@pytest.mark.parametrize("name", BUGS)
def test_naming_one_bug_puts_only_that_one_in_force(name):
    assert Configuration("n1", NODES, bug=name).bugs == {name}
    assert [other for other in BUGS if Configuration("n1", NODES, bug=name).has_bug(other)] == [name]


def test_several_bugs_are_named_with_commas():
    assert Configuration("n1", NODES, bug="no-fencing,votes-twice").bugs == {"no-fencing", "votes-twice"}


def test_an_unknown_bug_is_refused_by_name():
    with pytest.raises(ValueError, match="there is no planted bug 'no-fence'"):
        Configuration("n1", NODES, bug="no-fence")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_a_plan_that_the_store_starts_with(name):
    setting = SETTINGS[name]
    plan = plan_of(setting, "", seed=1)
    workload = registry.load("workloads", plan.workload)
    known = {option.name for option in [*SYSTEM.options, *workload.options]}
    assert set(plan.options) == known
    assert set(dict(setting.options)) <= known
    assert workload.operations <= SYSTEM.operations
    Configuration.from_options("n1", plan.node_names(), plan.options)
    assert "--bug" not in repeat_command(plan, SYSTEM.options)
    assert plan.options["bug"] == ""
