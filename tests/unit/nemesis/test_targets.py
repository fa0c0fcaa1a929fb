"""Targets: who is hit."""

import pytest

from harness.errors import PlanError
from harness.nemesis.targets import resolve, validate
from harness.streams import Streams

NODES = ("n1", "n2", "n3", "n4", "n5")


def hit(target, leader="n2", seed=0):
    return resolve(target, NODES, leader, Streams(seed).stream("faults"))


@pytest.mark.parametrize(
    ("target", "count"), [("none", 0), ("one", 1), ("minority", 2), ("minority-third", 1), ("majority", 3), ("all", 5)]
)
def test_sizes(target, count):
    assert len(hit(target)) == count


def test_roles():
    assert hit("leader") == ("n2",)
    assert hit("followers") == ("n1", "n3", "n4", "n5")
    assert hit("leader", leader=None) == ()


def test_lists_come_in_cluster_order():
    assert hit("n4,n1") == ("n1", "n4")


def test_random_is_never_empty_and_varies():
    drawn = {hit("random", seed=seed) for seed in range(50)}
    assert () not in drawn
    assert len(drawn) > 10


def test_an_unknown_target_is_refused_with_the_nearest_name():
    with pytest.raises(PlanError, match="Did you mean 'leader'"):
        validate("laeder", NODES)
    with pytest.raises(PlanError, match="n9"):
        validate("n1,n9", NODES)
    validate("n1,n5", NODES)
