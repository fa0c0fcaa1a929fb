"""Generators that know what time it is."""

from itertools import pairwise

import pytest

from harness.generator import any_, clients, cycle_times, delay, limit, log, nemesis, repeat, sleep, stagger, time_limit
from harness.generator.simulate import perfect, quick
from harness.op import NEMESIS, Op

MS = 1_000_000


def begun(history, f=None):
    return [op for op in history if op.type == "invoke" and f in (None, op.f)]


def test_delay_keeps_operations_exactly_apart():
    history = quick(delay(0.01, limit(5, repeat(Op(f="read")))), concurrency=3)
    assert [op.time for op in begun(history)] == [0, 10 * MS, 20 * MS, 30 * MS, 40 * MS]


def test_delay_catches_up_when_it_is_behind():
    # One worker, busy for 10 ns at a time, wanted every 4 ns.
    history = perfect(clients(delay(4e-9, limit(4, repeat(Op(f="read"))))), concurrency=1)
    assert [op.time for op in begun(history)] == [0, 10, 20, 30]


def test_stagger_has_the_asked_mean_and_gaps_up_to_twice_it():
    history = quick(clients(stagger(0.01, limit(2000, repeat(Op(f="read"))))), concurrency=10)
    times = [op.time for op in begun(history)]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert 0.0095 < times[-1] / 1e9 / 1999 < 0.0105
    assert max(gaps) < 20 * MS
    assert max(gaps) > 19 * MS
    assert min(gaps) < 1 * MS


def test_sleep_waits_and_then_the_next_one_begins():
    history = quick([Op(f="a"), sleep(2), Op(f="b")], concurrency=1)
    assert [(op.f, op.time) for op in begun(history)] == [("a", 0), ("b", 2_000_000_000)]


def test_a_sleeping_alternative_wakes_up_though_others_are_busy():
    faults = nemesis([sleep(0.05), Op(f="start", process=NEMESIS), sleep(0.05), Op(f="stop", process=NEMESIS)])
    work = time_limit(0.2, any_(clients(stagger(0.001, repeat(Op(f="read")))), faults))
    history = perfect(work, concurrency=3)
    faults_begun = [(op.f, op.time) for op in begun(history) if op.process == NEMESIS]
    assert faults_begun[0] == ("start", 50 * MS)
    assert [f for f, _ in faults_begun] == ["start", "stop"]


def test_a_sleep_made_anew_by_a_function_is_drawn_once_per_round():
    """A schedule is asked many times before its moment comes; asking must not begin its sleep again."""
    drawn = []

    def fault(ctx):
        drawn.append(ctx.time_ns)
        return [sleep(0.03 + ctx.random.random() * 0.01), Op(f="start", process=NEMESIS)]

    history = perfect(time_limit(0.4, any_(clients(stagger(0.001, repeat(Op(f="read")))), nemesis(fault))))
    starts = begun(history, "start")
    assert 9 <= len(starts) <= 13
    assert len(drawn) in (len(starts), len(starts) + 1)


def test_time_limit_lets_nothing_begin_at_or_after_its_end():
    history = quick(time_limit(0.1, delay(0.03, repeat(Op(f="read")))), concurrency=2)
    assert [op.time for op in begun(history)] == [0, 30 * MS, 60 * MS, 90 * MS]


def test_time_limit_counts_from_when_it_is_first_asked():
    part = time_limit(0.1, delay(0.06, repeat(Op(f="read"))))
    history = quick([sleep(1), part], concurrency=2)
    assert [op.time for op in begun(history)] == [1000 * MS, 1060 * MS]


def test_time_limit_ends_one_that_only_waits():
    history = quick([time_limit(0.1, sleep(100)), Op(f="after")], concurrency=1)
    assert begun(history, "after")[0].time == 100 * MS


def test_log_is_one_line_that_nobody_carries_out():
    (line,) = quick(log("here"), concurrency=1)
    assert (line.type, line.process, line.f, line.value) == ("info", NEMESIS, "log", "here")


@pytest.mark.parametrize("seed", range(5))
def test_cycle_times_gives_each_its_periods_and_goes_on_where_it_was(seed):
    a, b = (repeat(Op(f=f)) for f in "ab")
    history = quick(time_limit(0.9, cycle_times(0.1, delay(0.02, a), 0.2, delay(0.02, b))), concurrency=2, seed=seed)
    for op in begun(history):
        assert op.f == ("a" if op.time % (300 * MS) < 100 * MS else "b"), op
    assert len(begun(history, "a")) >= 15
    assert len(begun(history, "b")) >= 30
