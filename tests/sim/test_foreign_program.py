"""A server and a client that know nothing of us run in the simulation unchanged, and do there what they do outside."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.protocols import LinkShape
from harness.simulation.ground import SimGround
from harness.simulation.world import World

FOLDER = Path(__file__).parents[2] / "examples" / "foreign"


@pytest.fixture
def foreign(monkeypatch):
    """The three programs as modules."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import in_simulation
    import resp_client
    import resp_server

    return in_simulation, resp_client, resp_server


async def conversation(client_type, address):
    """Everything the server can do; what the clients were told, without anything that takes time."""
    one, two = [await client_type.connect(*address) for _ in range(2)]
    said = [await one.call("PING"), await one.call("ECHO", b"a\r\nb"), await one.call("GET", "none")]
    said += [await one.call("SET", "k", "v"), await two.call("GET", "k"), await two.call("DEL", "k", "none")]
    said.append(await one.call("SET", "short", "v", "PX", "80"))
    said.append(await two.call("GET", "short"))
    await asyncio.sleep(0.2)
    said.append(await two.call("GET", "short"))
    answers = await asyncio.gather(*(client.pipeline([("INCR", "n")] * 20) for client in (one, two)))
    said.append(sorted(answer for part in answers for answer in part))
    said.append(
        [str(answer) for answer in await one.pipeline([("SET", "w", "x"), ("INCR", "w"), ("WHAT",), ("PING",)])]
    )
    said += [await two.call("SUBSCRIBE", "news"), await one.call("PUBLISH", "news", "hello"), await two.read()]
    said += [await one.call("SAVE"), await one.call("PUBLISH", "nobody", "hello")]
    await two.close()
    await asyncio.sleep(0.1)
    said.append(await one.call("PUBLISH", "news", "gone"))
    await one.close()
    return said


def simulated(foreign, world=None, seed=1, prepare=None):
    """(what the clients were told, the digest)."""
    in_simulation, resp_client, _ = foreign
    ground = SimGround(seed, world)
    loop = ground.new_event_loop()

    async def main():
        async with ground.cluster(in_simulation.Resp(), ("n1", "n2"), {}, "run") as cluster:
            await asyncio.sleep(0.1)
            if prepare is not None:
                await prepare(cluster)
            return await conversation(resp_client.RespClient, cluster.address("n1"))

    told = loop.run_until_complete(main())
    loop.close()
    return told, ground.digest()


def test_it_says_the_same_as_on_a_real_socket(foreign):
    _, resp_client, resp_server = foreign
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()

    async def main():
        server = asyncio.ensure_future(resp_server.main(*address))
        await asyncio.sleep(0.1)
        try:
            return await conversation(resp_client.RespClient, address)
        finally:
            server.cancel()
            await asyncio.wait([server])

    assert asyncio.run(main()) == simulated(foreign)[0]


@pytest.mark.parametrize("scheduler", ["fifo", "random", "pct"])
def test_it_says_the_same_under_every_scheduler_and_the_same_run_for_the_same_seed(scheduler, foreign):
    world = World(scheduler=scheduler)
    expected = simulated(foreign)[0]
    for seed in range(5):
        told, digest = simulated(foreign, world, seed)
        assert told == expected
        assert simulated(foreign, world, seed) == (told, digest)


def test_it_says_the_same_through_a_slow_and_lossy_link(foreign):
    async def prepare(cluster):
        await cluster.net.shape({("n1", "n2"): LinkShape(delay_ms=5, loss=0.1)})

    assert simulated(foreign, World(loss=0.02), 3, prepare)[0][:6] == simulated(foreign)[0][:6]


def test_the_story_is_told_alike_in_every_process(foreign):
    in_simulation, _, _ = foreign
    lines, digest = in_simulation.run(4)
    words = [sys.executable, "-W", "error", str(FOLDER / "in_simulation.py"), "4"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == [*lines, f"digest {digest}"]
    assert done.stderr == ""
    assert "after the restart the count is None" in lines[-1]
