import asyncio
import gc

import pytest
from little import Little, ask, echo

from harness.errors import InfrastructureError
from harness.protocols import ABILITIES
from harness.simulation.ground import SimGround


class Product:
    """A system without a program."""

    name = "product"
    operations = frozenset()
    options = ()


def test_a_ground_says_what_it_can():
    ground = SimGround(1)
    assert ground.name == "sim"
    assert ground.faults == {"net", "processes", "disks", "clocks", *ABILITIES}
    assert (ground.now_ns(), ground.digest()) == (0, "")
    assert (ground.refused({}), set(ground.lacking({}))) == (None, {"memory"})


def test_a_new_loop_begins_anew():
    ground = SimGround(1)
    digests = []
    for _ in range(2):
        loop = ground.new_event_loop()
        assert ground.now_ns() == 0

        async def main():
            async with ground.cluster(Little(echo), ("n1", "n2"), {}, "run") as cluster:
                await asyncio.sleep(1)
                return await ask(cluster, "n2")

        assert loop.run_until_complete(main()) == b"hello\n"
        assert ground.now_ns() > 10**9
        loop.close()
        digests.append(ground.digest())
    assert digests[0] == digests[1]
    assert len(digests[0]) == 32


def test_a_system_without_a_program_cannot_be_simulated():
    with pytest.raises(InfrastructureError, match=r"'product' cannot be simulated.*--on"):
        SimGround(1).cluster(Product(), ("n1",), {}, "run")


def test_a_cluster_lives_on_its_grounds_own_loop():
    ground = SimGround(1)

    async def main():
        async with ground.cluster(Little(echo), ("n1",), {}, "run"):
            pass

    with pytest.raises(InfrastructureError, match="new_event_loop"):
        asyncio.run(main())
    other = SimGround(1).new_event_loop()
    with pytest.raises(InfrastructureError, match="new_event_loop"):
        other.run_until_complete(main())
    other.close()


@pytest.mark.parametrize("how", ["orderly", "failing", "cancelled"])
def test_leaving_ends_every_node_and_leaves_nothing_behind(how):
    ground = SimGround(1)
    loop = ground.new_event_loop()
    cleaned = []

    async def wait():
        try:
            await asyncio.sleep(1000)
        finally:
            cleaned.append(asyncio.get_running_loop().call_soon(cleaned.append, "ran"))

    async def program(machine, addresses):
        await asyncio.gather(wait(), wait())

    async def main():
        async with ground.cluster(Little(program), ("n1", "n2"), {}, "run") as cluster:
            await cluster.net.cut([("n1", "n2")])
            await cluster.processes.kill("n1")
            await asyncio.sleep(1)
            if how == "failing":
                raise KeyError("of the test")
            if how == "cancelled":
                asyncio.current_task().cancel()
                await asyncio.sleep(1)

    async def outer():
        expected = {"failing": KeyError, "cancelled": asyncio.CancelledError}.get(how)
        if expected is None:
            await main()
        else:
            with pytest.raises(expected):
                await asyncio.create_task(main())
        assert all(link.plain for link in loop.network._links.values())
        await asyncio.sleep(10)
        async with ground.cluster(Little(echo), ("n1", "n2"), {}, "again") as cluster:
            await asyncio.sleep(1)
            return await ask(cluster, "n1")

    assert loop.run_until_complete(outer()) == b"hello\n"
    assert len(cleaned) == 4
    assert "ran" not in cleaned
    loop.close()
    gc.collect()  # what would complain on being dropped does it here
