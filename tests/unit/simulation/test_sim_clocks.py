"""Each node sleeps, waits and measures by a clock of its own; harness and clients go by virtual time."""

import asyncio
import random
import time
from types import SimpleNamespace

import pytest
from little import EVEN, simulate

from harness.simulation.clock import MonotonicClock
from harness.simulation.world import World

FAST_AND_SLOW = World(drift_ppm=100_000)
"""A tenth: nobody's clock is so bad, but it shows."""


def sleeping(notes, seconds=10.0, rounds=3):
    """Sleeps by its own clock, and notes what that clock and virtual time showed."""

    async def program(machine, addresses):
        loop = asyncio.get_running_loop()
        for _ in range(rounds):
            began, began_ns = loop.time(), loop.now_ns()
            await asyncio.sleep(seconds)
            notes.append((machine.name, loop.time() - began, (loop.now_ns() - began_ns) / 1e9))
        await asyncio.sleep(10**6)

    return program


async def a_minute(cluster, loop):
    began = loop.time()
    await asyncio.sleep(60)
    assert (loop.time() - began, loop.time()) == (pytest.approx(60), loop.now_ns() / 1e9)
    return {node: await cluster.clocks.monotonic_offset_ns(node) / loop.now_ns() for node in cluster.nodes}


def test_a_node_sleeps_by_its_own_clock():
    notes = []
    shares = simulate(sleeping(notes), a_minute, world=FAST_AND_SLOW)
    assert len(notes) == 9 and len(set(shares.values())) == 3
    assert all(0.001 < abs(share) <= 0.1 for share in shares.values())
    for node, own_s, virtual_s in notes:
        assert own_s == pytest.approx(10, abs=1e-6)
        assert virtual_s == pytest.approx(10 / (1 + shares[node]), abs=1e-6)


def test_in_an_even_world_all_clocks_are_virtual_time():
    notes = []
    assert set(simulate(sleeping(notes), a_minute, world=EVEN).values()) == {0}
    assert all(own_s == pytest.approx(virtual_s, abs=1e-9) for _, own_s, virtual_s in notes)


def test_clocks_drift_a_little_in_an_ordinary_world():
    shares = simulate(sleeping([]), a_minute)
    assert all(0 < abs(share) <= 51e-6 for share in shares.values()) and len(set(shares.values())) == 3


def test_timeouts_and_every_way_to_ask_for_the_time_go_by_the_same_clock():
    told = []

    async def program(machine, addresses):
        loop = asyncio.get_running_loop()
        handle = loop.call_later(5, told.append, "never")
        assert handle.when() == pytest.approx(loop.time() + 5, abs=1e-8)
        handle.cancel()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.sleep(100)
        ways = loop.time(), machine.monotonic_ns() / 1e9, time.monotonic(), time.perf_counter_ns() / 1e9
        told.append((machine.name, max(ways) - min(ways)))
        await asyncio.sleep(10**6)

    simulate(program, a_minute, world=FAST_AND_SLOW)
    assert [(name, spread < 1e-6) for name, spread in sorted(told)] == [("n1", True), ("n2", True), ("n3", True)]


def test_a_deadline_is_over_when_its_timer_rings_whatever_the_drift():
    late = []

    async def program(machine, addresses):
        loop, chance = asyncio.get_running_loop(), random.Random(machine.name)
        for _ in range(200):
            due = loop.time() + chance.choice((1e-9, 1e-6, 0.1, 3.7)) * chance.random()
            rung = loop.create_future()
            loop.call_at(due, rung.set_result, None)
            await rung
            late.append(loop.time() - due)
        await asyncio.sleep(10**6)

    async def long(cluster, loop):
        await asyncio.sleep(1000)

    simulate(program, long, world=FAST_AND_SLOW)
    assert len(late) == 600 and all(0 <= one < 1e-6 for one in late)


def test_a_clock_shows_a_time_first_where_it_says():
    chance = random.Random(1)
    for _ in range(2000):
        virtual = SimpleNamespace(virtual_ns=0)
        clock = MonotonicClock(virtual, chance.choice((0, 50, -50, 1000, -100_000, 100_000, 0.3)))
        shown_ns = chance.randrange(10 ** chance.randrange(1, 18))
        first_ns = clock.virtual_ns(shown_ns)
        assert clock.shown_at(first_ns) >= shown_ns
        assert first_ns == 0 or clock.shown_at(first_ns - 1) < shown_ns
        virtual.virtual_ns = first_ns
        assert clock.now_ns() == clock.shown_at(first_ns)
