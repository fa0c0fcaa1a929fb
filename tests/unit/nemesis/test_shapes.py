"""Shapes of partitions: what is cut, and that everybody who should still see a majority does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.nemesis.shapes import SHAPES, draw
from harness.streams import Streams

NODES = ("n1", "n2", "n3", "n4", "n5")


def random(seed=0):
    return Streams(seed).stream("faults")


def heard_by(node, nodes, cuts):
    return {node} | {other for other in nodes if (other, node) not in cuts}


@given(st.integers(3, 9), st.integers(0, 1000), st.sampled_from([s for s in SHAPES if s != "auto"]))
def test_every_shape_cuts_links_between_different_nodes_of_the_cluster(count, seed, kind):
    nodes = tuple(f"n{i}" for i in range(count))
    shape = draw(kind, nodes, (), random(seed))
    assert shape.cuts
    assert len(set(shape.cuts)) == len(shape.cuts)
    assert all(a != b and a in nodes and b in nodes for a, b in shape.cuts)


@given(st.integers(3, 9), st.integers(0, 1000))
def test_in_a_ring_of_majorities_everybody_hears_a_majority_and_no_two_the_same(count, seed):
    nodes = tuple(f"n{i}" for i in range(count))
    cuts = set(draw("majorities-ring", nodes, (), random(seed)).cuts)
    views = [frozenset(heard_by(node, nodes, cuts)) for node in nodes]
    assert all(len(view) > count // 2 for view in views)
    assert len(set(views)) == (count if count > 3 else 3)


def test_isolating_the_aimed_node_leaves_the_others_together():
    shape = draw("isolate", NODES, ("n3",), random())
    assert shape.detail == "n3 | n1 n2 n4 n5"
    assert heard_by("n3", NODES, shape.cuts) == {"n3"}
    assert heard_by("n1", NODES, shape.cuts) == {"n1", "n2", "n4", "n5"}


def test_halves_put_the_aimed_node_on_the_smaller_side():
    for seed in range(20):
        shape = draw("random-halves", NODES, ("n5",), random(seed))
        assert "n5" in shape.nodes
        assert len(shape.nodes) == 2


def test_a_bridge_is_heard_by_both_sides_that_do_not_hear_each_other():
    shape = draw("bridge", NODES, ("n2",), random(3))
    assert heard_by("n2", NODES, shape.cuts) == set(NODES)
    others = [node for node in NODES if node != "n2"]
    assert all(len(heard_by(node, NODES, shape.cuts)) == 3 for node in others)


def test_one_way_cuts_only_one_direction_and_draws_both():
    details = set()
    for seed in range(20):
        shape = draw("one-way", NODES, ("n1",), random(seed))
        details.add(shape.detail)
        assert not {(b, a) for a, b in shape.cuts} & set(shape.cuts)
    assert details == {"n1 cannot hear", "nobody hears n1"}


@pytest.mark.parametrize("seed", range(6))
def test_of_three_or_more_blocks_none_sees_another(seed):
    shape = draw("blocks", NODES, ("n2",), random(seed))
    blocks = [set(block.split()) for block in shape.detail.split(" | ")]
    assert 3 <= len(blocks) <= 5
    assert sorted(node for block in blocks for node in block) == sorted(NODES)
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1
    assert "n2" in shape.nodes
    apart = {(a, b) for one in blocks for other in blocks if one is not other for a in one for b in other}
    assert set(shape.cuts) == apart


@pytest.mark.parametrize(
    "kind", ["isolate", "halves", "random-halves", "blocks", "bridge", "one-way", "majorities-ring"]
)
def test_the_same_seed_draws_the_same_shape(kind):
    assert draw(kind, NODES, (), random(9)) == draw(kind, NODES, (), random(9))
