"""Links that are slow, lossy, narrow, clogged, reset: on connections, handshakes and datagrams."""

import asyncio
import statistics

import pytest
from little import Little, ask, echo, simulate

from harness.protocols import ClogsLinks, CutsPorts, LinkShape, ProbesPorts, ShapesLinks
from harness.simulation.ground import SimGround
from harness.simulation.link import delays
from harness.simulation.world import Delay, World
from harness.streams import Streams

WAY = ("n1", "n2")
BACK = ("n2", "n1")


def in_world(world, test, program=echo, nodes=("n1", "n2", "n3"), seed=1):
    ground = SimGround(seed, world)
    loop = ground.new_event_loop()

    async def main():
        async with ground.cluster(Little(program), nodes, {}, "run") as cluster:
            await asyncio.sleep(0.1)
            return await test(cluster, loop)

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


def chatty(heard, every_s=0.05, size=1, to="n2"):
    """n1 tells n2 a number now and then; `heard` takes (sent at, arrived at, number)."""

    async def program(machine, addresses):
        loop = asyncio.get_running_loop()

        async def serve(reader, writer):
            try:
                while line := await reader.readline():
                    sent, number = line.split()[:2]
                    heard.append((float(sent), loop.time(), int(number)))
            except OSError as error:
                heard.append(error)

        if machine.name == "n2":
            await (await asyncio.start_server(serve, *addresses["n2"])).serve_forever()
        await asyncio.sleep(0.05)
        if machine.name == "n1":
            number = 0
            while True:
                try:
                    reader, writer = await asyncio.open_connection(*addresses[to])
                    while not reader.at_eof() and reader.exception() is None:
                        writer.write(f"{loop.time()} {number} {'x' * size}\n".encode())
                        number += 1
                        await asyncio.sleep(every_s)
                except OSError:
                    await asyncio.sleep(every_s)
        await asyncio.sleep(10**6)

    return program


def late(heard):
    return [arrived - sent for sent, arrived, _ in heard]


def test_the_surface_has_these_abilities():
    async def test(cluster, loop):
        assert all(isinstance(cluster.net, ability) for ability in (ShapesLinks, ClogsLinks, CutsPorts, ProbesPorts))
        return cluster.net.shapes()

    assert simulate(echo, test) == set(LinkShape.__struct_fields__)


@pytest.mark.parametrize(
    ("kind", "median", "high"), [("uniform", 10, 19), ("lognormal", 10, 107), ("heavy-tail", 8.1, 450)]
)
def test_delays_are_distributed_as_the_world_says(kind, median, high):
    draw = delays(Delay(kind, min_ms=1, span_ms=18), Streams(5).stream("link"))
    drawn = sorted(draw() / 1e6 for _ in range(20_000))
    assert drawn[0] >= 1
    assert drawn[-1] <= 10_001
    assert statistics.median(drawn) == pytest.approx(median, rel=0.1)
    assert drawn[int(len(drawn) * 0.999)] == pytest.approx(high, rel=0.2)


def test_a_recorded_link_draws_the_same_delays():
    for kind in ("uniform", "lognormal", "heavy-tail"):
        plain, taped = (delays(Delay(kind), Streams(5, record=record).stream("link")) for record in (False, True))
        assert [plain() for _ in range(500)] == [taped() for _ in range(500)]


def test_single_links_can_be_of_another_kind():
    heard = []
    world = World(links={"n1>n2": Delay("uniform", min_ms=300, span_ms=10)})

    async def test(cluster, loop):
        await asyncio.sleep(5)

    in_world(world, test, chatty(heard))
    assert min(late(heard)) >= 0.3
    assert max(late(heard)) < 0.4


def test_a_shape_adds_delay_one_way_only_and_is_lifted():
    async def test(cluster, loop):
        before = await cluster.net.round_trip_ms("n1", "n2", 20)
        await cluster.net.shape({WAY: LinkShape(delay_ms=50, jitter_ms=20)})
        during = await cluster.net.round_trip_ms("n1", "n2", 50)
        other = await cluster.net.round_trip_ms("n1", "n3", 20)
        await cluster.net.shape({})
        after = await cluster.net.round_trip_ms("n1", "n2", 20)
        return before, during, other, after

    before, during, other, after = simulate(echo, test)
    assert max(*before, *other, *after) < 50
    assert 30 < min(during) < statistics.median(during) < max(during) < 100
    assert statistics.median(during) == pytest.approx(52, abs=8)
    assert max(during) - min(during) > 20


def test_loss_shows_on_a_connection_as_waiting_and_nothing_is_missing():
    heard = []

    async def test(cluster, loop):
        await cluster.net.shape({WAY: LinkShape(loss=0.2, corrupt=0.1)})
        lost = (await cluster.net.round_trip_ms("n1", "n2", 200)).count(None)
        await asyncio.sleep(30)
        await cluster.net.shape({})
        await asyncio.sleep(5)
        return lost

    lost = simulate(chatty(heard), test)
    assert 30 < lost < 90
    assert [number for _, _, number in heard] == list(range(len(heard)))
    assert sum(seconds > 0.2 for seconds in late(heard)) > 50
    assert max(late(heard)) > 0.55


def test_a_narrow_link_takes_time_for_each_byte():
    heard = []

    async def test(cluster, loop):
        await asyncio.sleep(1)
        await cluster.net.shape({WAY: LinkShape(rate_kbit=80)})  # 10 kB/s for 18 kB/s
        await asyncio.sleep(10)

    simulate(chatty(heard, size=900), test)
    after = [(arrived, number) for sent, arrived, number in heard if sent > 1.2]
    seconds = after[-1][0] - after[0][0]
    assert (after[-1][1] - after[0][1]) * 970 / seconds == pytest.approx(10_000, rel=0.1)
    assert late(heard)[-1] > 2


def test_a_clog_holds_all_and_releases_it_in_a_burst():
    heard = []

    async def test(cluster, loop):
        await asyncio.sleep(1)
        await cluster.net.clog([WAY])
        begun = loop.time()
        await asyncio.sleep(3)
        during = [item for item in heard if item[1] > begun + 0.03]
        released = loop.time()
        await cluster.net.clog([])
        await asyncio.sleep(1)
        return during, begun, released

    during, begun, released = simulate(chatty(heard), test)
    assert during == []
    burst = [arrived for sent, arrived, _ in heard if begun + 0.03 < sent < released]
    assert len(burst) > 50
    assert max(burst) - released < 0.01
    assert [number for _, _, number in heard] == list(range(len(heard)))
    assert late(heard)[-1] < 0.03


def test_another_clog_releases_the_first():
    async def test(cluster, loop):
        await cluster.net.clog([WAY, BACK])
        assert not await cluster.net.reaches(*WAY)
        await cluster.net.clog([BACK])
        return await cluster.net.reaches(*WAY), await cluster.net.reaches(*BACK)

    assert simulate(echo, test) == (True, False)


def test_a_reset_ends_the_sender_at_once_and_leaves_the_other_side_half_open():
    heard = []

    async def test(cluster, loop):
        await asyncio.sleep(1)
        await cluster.net.resets([WAY])
        seen = len(heard)
        tried = [await cluster.net.connects(*way, 9000) for way in (WAY, BACK, ("n3", "n2"))]
        await asyncio.sleep(5)
        assert len(heard) == seen  # nobody told n2 anything: no error, no end, no line
        await cluster.net.resets([])
        await asyncio.sleep(1)
        return seen, tried

    seen, tried = simulate(chatty(heard), test)
    assert tried == ["refused", "silent", "open"]  # what n1 answers is what is thrown away
    numbers = [item[2] for item in heard]
    assert len(numbers) > seen
    assert numbers[seen] > seen  # what was sent into the resets is lost, for the connection was


def test_one_port_can_be_cut_alone():
    async def program(machine, addresses):
        host, port = addresses[machine.name]
        other = await asyncio.start_server(lambda *_: None, host, port + 1)
        async with other:
            await echo(machine, addresses)

    async def test(cluster, loop):
        async def links():
            return [await cluster.net.connects("n1", "n2", port) for port in (9000, 9001, 9002)]

        seen = [await links()]
        await cluster.net.cut_port([WAY], 9000)
        seen.append(await links())
        await cluster.net.cut_port([WAY], 9001, reset=True)
        seen.append(await links())
        await cluster.net.cut_port([], 0)
        seen.append(await links())
        return seen

    assert simulate(program, test) == [
        ["open", "open", "refused"],
        ["silent", "open", "refused"],
        ["open", "refused", "refused"],
        ["open", "open", "refused"],
    ]


def test_a_cut_port_silences_connections_that_are_there():
    heard = []

    async def test(cluster, loop):
        await asyncio.sleep(1)
        await cluster.net.cut_port([WAY], 9000)
        cut = loop.time()
        await asyncio.sleep(3)
        assert max(arrived for _, arrived, _ in heard) < cut + 0.03
        await cluster.net.cut_port([], 9000)
        await asyncio.sleep(10)

    simulate(chatty(heard), test)
    assert [number for _, _, number in heard] == list(range(len(heard)))
    assert len(heard) > 200


def test_a_lossy_world_is_lossy_everywhere():
    async def test(cluster, loop):
        lost = (await cluster.net.round_trip_ms("n1", "n3", 300)).count(None)
        return lost, await ask(cluster, "n2", timeout_s=10)

    lost, answer = in_world(World(loss=0.1), test)
    assert 25 < lost < 100
    assert answer == b"hello\n"


def test_a_link_to_what_is_no_node_is_refused():
    async def test(cluster, loop):
        for act in (cluster.net.clog([("n1", "n9")]), cluster.net.shape({("n1", "control"): LinkShape(loss=1)})):
            with pytest.raises(ValueError, match="is no node"):
                await act

    simulate(echo, test)


SLOW = LinkShape(delay_ms=300)


def reach(cluster):
    return asyncio.gather(cluster.net.reaches(*WAY), cluster.net.reaches(*BACK), cluster.net.reaches("n1", "n3"))


async def trips_ms(cluster, way=WAY):
    return statistics.median([trip for trip in await cluster.net.round_trip_ms(*way, 9) if trip is not None])


def test_a_cut_is_lifted_while_its_links_are_shaped_and_the_shape_stays():
    async def test(cluster, loop):
        await cluster.net.cut([WAY, BACK])
        await cluster.net.shape({WAY: SLOW, BACK: LinkShape(loss=0.3)})
        assert await reach(cluster) == [False, False, True]
        await cluster.net.heal()
        assert await reach(cluster) == [True, True, True]  # slow is not silent
        assert await trips_ms(cluster) >= 300
        await cluster.net.shape({})
        assert await trips_ms(cluster) < 50
        return [loop.network.link(*way).plain for way in (WAY, BACK)]

    assert simulate(echo, test) == [True, True]


def test_a_shape_is_lifted_while_its_links_are_cut_and_the_cut_stays():
    async def test(cluster, loop):
        await cluster.net.shape({WAY: SLOW})
        await cluster.net.cut([WAY])
        await cluster.net.shape({})
        assert await reach(cluster) == [False, True, True]
        await cluster.net.heal()
        assert await reach(cluster) == [True, True, True]
        return await trips_ms(cluster)

    assert simulate(echo, test) < 50


def test_a_connection_over_a_shaped_link_loses_nothing_to_a_cut_that_comes_and_goes():
    heard = []

    async def test(cluster, loop):
        await cluster.net.shape({WAY: LinkShape(delay_ms=40, loss=0.2, rate_kbit=200)})
        for _ in range(3):
            await asyncio.sleep(1)
            await cluster.net.cut([WAY, BACK])
            await asyncio.sleep(1)
            await cluster.net.heal()
        await cluster.net.shape({})
        await asyncio.sleep(10)

    simulate(chatty(heard), test)
    numbers = [number for _, _, number in heard]
    assert numbers == list(range(len(numbers))) and len(numbers) > 250
    assert max(late(heard)) > 1 and late(heard)[-1] < 0.1


def test_what_is_cut_and_clogged_at_once_stays_shut_until_both_are_lifted():
    async def test(cluster, loop):
        await cluster.net.clog([WAY])
        await cluster.net.cut([WAY])
        await cluster.net.clog([])
        first = await cluster.net.reaches(*WAY)
        await cluster.net.clog([WAY])
        await cluster.net.heal()
        second = await cluster.net.reaches(*WAY)
        await cluster.net.clog([])
        return first, second, await cluster.net.reaches(*WAY)

    assert simulate(echo, test) == (False, False, True)


def test_a_connection_to_a_machine_that_crashed_is_half_open_until_it_is_back_and_resets_it():
    ends = []

    async def program(machine, addresses):
        if machine.name != "n1":
            await echo(machine, addresses)
        await asyncio.sleep(0.05)
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(*addresses["n2"])
        try:
            for number in range(40):
                writer.write(b"%d\n" % number)
                ends.append((loop.now_ns() / 1e9, (await reader.readline()).decode().strip()))
                await asyncio.sleep(0.1)
        except OSError as error:
            ends.append((loop.now_ns() / 1e9, type(error).__name__))
        await asyncio.sleep(10**6)

    async def test(cluster, loop):
        await asyncio.sleep(0.5)
        await cluster.disks.power_off("n2")
        dark = loop.time()
        await asyncio.sleep(2)
        before = len(ends)
        await cluster.processes.start("n2")
        back = loop.time()
        await asyncio.sleep(5)
        return dark, back, before

    dark, back, before = simulate(program, test)
    assert before > 3 and all(at < dark + 0.1 for at, _ in ends[:before])  # nobody was told anything
    assert [what for _, what in ends[before:]] == ["ConnectionResetError"]
    assert back < ends[before][0] < back + 2.5  # at the next repetition of what was not acknowledged
