import asyncio
import os
import random
import secrets
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest
from little import Little, simulate

from harness.simulation.clock import EPOCH_NS
from harness.simulation.ground import SimGround
from harness.simulation.refusals import RefusedError
from harness.simulation.world import World


def in_a_node(act, world=None, seed=1, nodes=("n1",)):
    """What `act()` gives on each node, one second after it started."""
    answers = []

    async def program(machine, addresses):
        await asyncio.sleep(50)
        answers.append(act())
        await asyncio.sleep(1000)

    ground = SimGround(seed, world)
    loop = ground.new_event_loop()

    async def main():
        async with ground.cluster(Little(program), nodes, {}, "run"):
            await asyncio.sleep(60)

    loop.run_until_complete(main())
    loop.close()
    return answers


def told(seed=1):
    """What a server that asks the wrong ones for time and chance is told."""
    return in_a_node(
        lambda: (
            time.time(), time.time_ns(), time.monotonic(), time.monotonic_ns(), time.perf_counter(),
            random.random(), random.randint(1, 10**9), random.choice(range(1000)), random.sample(range(99), 5),
            random.Random().random(), os.urandom(8), uuid.uuid4(), secrets.token_hex(4),
            random.SystemRandom().random(),
        ),
        World(entropy="seeded"), seed, ("n1", "n2"),
    )  # fmt: skip


def test_servers_are_told_virtual_time():
    first = told()[0]
    assert first[0] == pytest.approx(EPOCH_NS / 1e9 + 50, abs=0.1)
    assert first[1] == pytest.approx(EPOCH_NS + 50 * 10**9, abs=10**8)
    assert first[2] == pytest.approx(50, abs=0.1)
    assert first[3] == pytest.approx(50 * 10**9, abs=10**8)
    assert first[4] == first[2]


def test_servers_draw_the_same_chance_for_the_same_seed_and_each_its_own():
    assert told() == told()
    assert all(ours != theirs for ours, theirs in zip(told()[0][8:], told()[1][8:], strict=True))
    assert told() != told(seed=2)


def test_a_generator_with_a_seed_of_its_own_is_left_alone():
    assert in_a_node(lambda: random.Random(5).random()) == [random.Random(5).random()]


REFUSED = {
    "time.sleep": lambda: time.sleep(1),
    "threading.Thread.start": lambda: threading.Thread(target=print).start(),
    "os.urandom": lambda: os.urandom(8),
    "random.SystemRandom": lambda: secrets.token_hex(4),
    "uuid.uuid1": lambda: uuid.uuid1(),
    "subprocess.Popen": lambda: subprocess.run(["true"], check=True),
    "os.fork": lambda: os.fork(),
    "os.system": lambda: os.system("true"),
    "socket.socket": lambda: socket.socket(),
    "os.open": lambda: os.open("somewhere", os.O_RDONLY),
    "os.unlink": lambda: Path("somewhere").unlink(),
    "open('somewhere', 'w')": lambda: open("somewhere", "w"),  # noqa: PTH123, SIM115 - the call that is refused
    "open('somewhere', 'wb')": lambda: Path("somewhere").write_bytes(b""),
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_reaches_the_real_world_is_refused_with_the_line_that_asked(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def act():
        with pytest.raises(RefusedError) as caught:
            REFUSED[call]()
        return str(caught.value)

    [said] = in_a_node(act)
    assert said.startswith(f"{call} is refused in a simulated run (test_sim_guard.py:"), said
    assert list(tmp_path.iterdir()) == []


def test_uuids_are_refused_too_since_they_are_drawn_from_the_machine():
    def act():
        with pytest.raises(RefusedError, match="urandom"):
            uuid.uuid4()
        return True

    assert in_a_node(act) == [True]


def test_files_may_be_read(tmp_path):
    path = tmp_path / "settings"
    path.write_text("here")
    assert in_a_node(path.read_text) == ["here"]


def test_the_harness_and_its_clients_keep_the_real_ones(tmp_path):
    async def program(machine, addresses):
        await asyncio.sleep(1000)

    async def test(cluster, loop):
        before = time.monotonic()
        time.sleep(0.001)  # noqa: ASYNC251 - the real one is what is looked at
        thread = threading.Thread(target=random.random)
        thread.start()
        thread.join()
        (tmp_path / "log").write_text("written")
        assert len(os.urandom(3)) == 3
        return time.monotonic() - before, abs(time.time() - EPOCH_NS / 1e9)

    elapsed, apart = simulate(program, test)
    assert 0.001 <= elapsed < 10
    assert apart > 10**6
