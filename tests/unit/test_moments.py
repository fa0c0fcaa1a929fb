"""Chance by the moment: what was drawn before makes no difference, and what is remembered comes again."""

from random import Random

import pytest

from harness.errors import PlanError
from harness.moments import (
    InTurnRandom,
    MomentRandom,
    read_memory,
    read_skips,
    skipping,
    told_memory,
    told_skips,
    with_skip,
)
from harness.streams import Streams


class Time:
    def __init__(self):
        self.now_ns = 0

    def __call__(self):
        return self.now_ns


def drawn(random, time, moments):
    found = {}
    for moment in moments:
        time.now_ns = moment
        found[moment] = (random.random(), random.randrange(1000), random.getrandbits(130), random.sample(range(9), 3))
    return found


def test_a_draw_goes_by_its_moment_and_not_by_what_was_drawn_before():
    time = Time()
    all_of_them = drawn(MomentRandom(7, time, {}), time, range(0, 1000, 10))
    some = drawn(MomentRandom(7, time, {}), time, range(500, 1000, 10))
    assert all(all_of_them[moment] == draws for moment, draws in some.items())
    assert drawn(MomentRandom(8, time, {}), time, [500]) != {500: some[500]}
    assert len({repr(draws) for draws in all_of_them.values()}) == 100


def test_draws_are_spread_evenly():
    time = Time()
    random, tens, bits = MomentRandom(3, time, {}), [0] * 10, [0] * 64
    for moment in range(20_000):
        time.now_ns = moment * 1_000_003
        tens[int(random.random() * 10)] += 1
        number = random.getrandbits(64)
        for place in range(64):
            bits[place] += number >> place & 1
    assert all(1850 < count < 2150 for count in tens)
    assert all(9700 < count < 10_300 for count in bits)


def test_noting_changes_no_draw_and_what_was_noted_comes_again_under_any_seed():
    time = Time()
    noted, plain = InTurnRandom(7, time), Random(7)
    first = drawn(noted, time, [3, 5, 5000])
    assert first == drawn(plain, time, [3, 5, 5000])
    again = MomentRandom(99, time, noted.drawn)
    assert drawn(again, time, [5000]) == {5000: first[5000]}
    assert drawn(again, time, [4]) == drawn(MomentRandom(99, time, {}), time, [4])


def test_a_memory_is_text_and_what_is_no_memory_is_refused_by_name():
    memory = {"network/n1>n2": {(5, 0): 255, (5, 1): 0, (70, 0): 1 << 52}, "node/n1": {(9, 0): 7}}
    text = told_memory(memory)
    assert text == "network/n1>n2@5.0=ff 5.1=0 70.0=10000000000000 node/n1@9.0=7"
    assert read_memory(text) == memory and read_memory("") == {} and told_memory({}) == ""
    with pytest.raises(PlanError, match="found 'a@5=x'"):
        read_memory("a@5=x")


def test_after_a_skip_the_chance_of_later_comes():
    time = Time()
    skipped = MomentRandom(7, skipping([(100, 400), (200, 5)], time), {})
    later = MomentRandom(7, time, {})
    for at, as_of in ((99, 99), (100, 500), (199, 599), (200, 605)):
        time.now_ns = at
        number = skipped.random()
        time.now_ns = as_of
        assert number == later.random(), at


def test_skips_move_with_the_time_that_is_taken_out_before_them():
    assert with_skip([], 50, 50) == [(0, 50)]
    assert with_skip([(900, 5)], 500, 300) == [(200, 300), (600, 5)]
    assert with_skip([(400, 5)], 500, 300) == [(200, 5), (200, 300)]
    assert read_skips(told_skips([(200, 5), (600, 7)])) == [(200, 5), (600, 7)] and read_skips("") == []
    with pytest.raises(PlanError, match="found '5'"):
        read_skips("5")


def test_lives_and_blows_share_a_stream_where_moments_tell_them_apart():
    time = Time()
    by_moment, noting, plain = Streams(1), Streams(1), Streams(1)
    by_moment.by_moment(time, {})
    noting.remember(time)
    assert by_moment.stream("node/n1/0") is by_moment.stream("node/n1/7")
    assert by_moment.stream("client/1") is not by_moment.stream("client/2")
    for life in (0, 1):
        time.now_ns = life
        assert noting.stream(f"node/n1/{life}").random() == plain.stream(f"node/n1/{life}").random()
    assert set(noting.memory()) == {"node/n1"} and set(noting.memory()["node/n1"]) == {(0, 0), (1, 0)}
    assert plain.memory() == {}
