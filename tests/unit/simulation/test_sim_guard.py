import asyncio
import os
import random
import secrets
import threading
import time
import uuid

import pytest
from little import simulate

from harness.simulation.node import EPOCH_NS
from harness.simulation.refusals import RefusedError


def told(seed=1):
    """What a server that asks the wrong ones for time and chance is told."""
    answers = []

    async def program(machine, addresses):
        await asyncio.sleep(50)
        answers.append(
            (
                time.time(), time.time_ns(), time.monotonic(), time.monotonic_ns(), time.perf_counter(),
                random.random(), random.randint(1, 10**9), random.choice(range(1000)), random.sample(range(99), 5),
                os.urandom(8), uuid.uuid4(), secrets.token_hex(4),
            )
        )  # fmt: skip
        await asyncio.sleep(1000)

    async def test(cluster, loop):
        await asyncio.sleep(60)
        return loop.time()

    simulate(program, test, nodes=("n1", "n2"), seed=seed)
    return answers


def test_servers_are_told_virtual_time():
    first = told()[0]
    assert first[0] == pytest.approx(EPOCH_NS / 1e9 + 50, abs=0.1)
    assert first[1] == pytest.approx(EPOCH_NS + 50 * 10**9, abs=10**8)
    assert first[2] == pytest.approx(50, abs=0.1)
    assert first[3] == pytest.approx(50 * 10**9, abs=10**8)
    assert first[4] == first[2]


def test_servers_draw_the_same_chance_for_the_same_seed_and_each_its_own():
    assert told() == told()
    assert told()[0][5:] != told()[1][5:]
    assert told() != told(seed=2)


def test_servers_may_neither_block_nor_start_threads():
    refused = []

    async def program(machine, addresses):
        for act in (lambda: time.sleep(1), threading.Thread(target=print).start):
            with pytest.raises(RefusedError) as caught:
                act()
            refused.append(str(caught.value))
        await asyncio.sleep(10)

    async def test(cluster, loop):
        await asyncio.sleep(0)

    simulate(program, test, nodes=("n1",))
    assert refused == [
        "time.sleep is refused in a simulated run: await asyncio.sleep.",
        "threading.Thread.start is refused in a simulated run: use tasks.",
    ]


def test_the_harness_and_its_clients_keep_the_real_ones():
    async def program(machine, addresses):
        await asyncio.sleep(1000)

    async def test(cluster, loop):
        before = time.monotonic()
        time.sleep(0.001)  # noqa: ASYNC251 - the real one is what is looked at
        thread = threading.Thread(target=random.random)
        thread.start()
        thread.join()
        return time.monotonic() - before, abs(time.time() - EPOCH_NS / 1e9)

    elapsed, apart = simulate(program, test)
    assert 0.001 <= elapsed < 10
    assert apart > 10**6
