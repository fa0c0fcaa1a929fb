import asyncio
import errno
import socket

import pytest
from little import ask, echo, run, simulate

from harness.simulation.link import SLOW_SPAN_NS
from harness.simulation.pipe import RETRANSMISSIONS_MAX

BOTH_WAYS = [("n1", "n2"), ("n2", "n1")]


def caller(addresses_of, to="n2"):
    """A program on n1 that holds one connection to another node and notes what becomes of it; the others echo."""

    async def program(machine, addresses):
        if machine.name != "n1":
            await echo(machine, addresses)
        await asyncio.sleep(0.05)
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(*addresses[to])
        addresses_of["writer"] = writer
        addresses_of["got"] = got = []
        try:
            while line := await reader.readline():
                got.append((loop.time(), line))
            addresses_of["end"] = "eof"
        except OSError as error:
            addresses_of["end"] = error
        addresses_of["ended"] = loop.time()
        await asyncio.sleep(10**6)

    return program


def test_streams_go_there_and_back():
    async def test(cluster, loop):
        return [await ask(cluster, node) for node in cluster.nodes]

    assert simulate(echo, test) == [b"hello\n"] * 3


def test_messages_take_time_and_arrive_in_order():
    async def test(cluster, loop):
        reader, writer = await asyncio.open_connection(*cluster.address("n1"))
        sent, times, lines = [], [], []
        for number in range(300):
            sent.append(loop.now_ns())
            writer.write(b"%d\n" % number)
            await asyncio.sleep(0.0003)
        for _ in range(300):
            lines.append(int(await reader.readline()))
            times.append(loop.now_ns())
        writer.transport.abort()
        return sent, times, lines

    sent, times, lines = simulate(echo, test)
    assert lines == list(range(300))
    assert times[0] - sent[0] >= 2 * 200_000
    assert max(there - here for there, here in zip(times, sent, strict=True)) < 300e6 + 2 * SLOW_SPAN_NS


def test_what_is_written_in_one_instant_arrives_as_one():
    async def main(loop):
        got = []

        class Taking(asyncio.Protocol):
            def data_received(self, data):
                got.append(data)

        await loop.create_server(Taking, "localhost", 5)
        transport, _ = await loop.create_connection(asyncio.Protocol, "localhost", 5)
        for piece in (b"a", bytearray(b"b"), memoryview(b"c")):
            transport.write(piece)
        transport.writelines([b"d", b"e"])
        await asyncio.sleep(1)
        transport.write(b"f")
        await asyncio.sleep(1)
        return got

    assert run(main)[0] == [b"abcde", b"f"]


def test_links_draw_their_delays_from_streams_of_their_own():
    async def times(cluster, loop, chatter):
        for _ in range(chatter):
            await ask(cluster, "n2")
        started = loop.now_ns()
        await ask(cluster, "n1")
        return loop.now_ns() - started

    quiet = simulate(echo, lambda cluster, loop: times(cluster, loop, 0))
    assert quiet == simulate(echo, lambda cluster, loop: times(cluster, loop, 25))
    assert quiet != simulate(echo, lambda cluster, loop: times(cluster, loop, 0), seed=2)


def test_ends_know_where_they_are():
    async def test(cluster, loop):
        _, writer = await asyncio.open_connection(*cluster.address("n1"))
        writer.close()
        return writer.get_extra_info("peername"), writer.get_extra_info("sockname")[0]

    assert simulate(echo, test) == (("n1", 9000), "control")


def test_nobody_listens_is_refused_and_an_unknown_name_is_not_found():
    async def test(cluster, loop):
        with pytest.raises(ConnectionRefusedError, match="n1:1"):
            await asyncio.open_connection("n1", 1)
        with pytest.raises(socket.gaierror, match="'n9' is no host"):
            await asyncio.open_connection("n9", 1)
        with pytest.raises(OSError, match="n1:7") as caught:
            await asyncio.start_server(lambda *_: None, "n1", 7)
        return caught.value.errno

    assert simulate(echo, test) == errno.EADDRNOTAVAIL


def test_a_port_is_taken_until_its_server_is_closed():
    async def main(loop):
        first = await asyncio.start_server(lambda *_: None, "localhost", 0)
        host, port = first.sockets[0].getsockname()
        with pytest.raises(OSError, match="control:") as caught:
            await asyncio.start_server(lambda *_: None, host, port)
        async with first:
            assert first.is_serving()
        await first.wait_closed()
        assert not first.is_serving()
        assert first.sockets == ()
        second = await asyncio.start_server(lambda *_: None, "", port)
        second.close()
        return caught.value.errno

    assert run(main)[0] == errno.EADDRINUSE


def test_names_resolve_to_themselves():
    async def main(loop):
        [(family, kind, _, _, address)] = await loop.getaddrinfo("control", 80)
        return family, kind, address, await loop.getnameinfo(address)

    assert run(main)[0] == (socket.AF_INET, socket.SOCK_STREAM, ("control", 80), ("control", "80"))


def test_half_a_connection_can_be_closed():
    async def main(loop):
        async def count(reader, writer):
            writer.write(b"%d" % len(await reader.read()))
            writer.close()
            await writer.wait_closed()

        await asyncio.start_server(count, "localhost", 5)
        reader, writer = await asyncio.open_connection("localhost", 5)
        writer.write(b"four")
        writer.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            writer.write(b"more")
        answer = await reader.read()
        assert reader.at_eof()
        writer.close()
        await writer.wait_closed()
        return answer

    assert run(main)[0] == b"4"


def test_writing_to_a_closed_end_brings_a_reset():
    async def main(loop):
        async def hang_up(reader, writer):
            writer.close()

        await asyncio.start_server(hang_up, "localhost", 5)
        reader, writer = await asyncio.open_connection("localhost", 5)
        assert await reader.read() == b""
        writer.write(b"anybody?")
        await asyncio.sleep(1)
        with pytest.raises(ConnectionResetError):
            await writer.drain()
        writer.write(b"dropped in silence")

    run(main)


def test_abort_resets_the_other_end():
    async def main(loop):
        ended = loop.create_future()

        async def serve(reader, writer):
            with pytest.raises(ConnectionResetError):
                await reader.read()
            ended.set_result(loop.time())

        await asyncio.start_server(serve, "localhost", 5)
        _, writer = await asyncio.open_connection("localhost", 5)
        writer.transport.abort()
        assert writer.is_closing()
        return await ended

    assert run(main)[0] < 0.1


def test_a_slow_reader_holds_up_the_writer_and_gets_all():
    async def main(loop):
        got = loop.create_future()
        go = asyncio.Event()

        async def slow(reader, writer):
            await go.wait()
            got.set_result(len(await reader.read()))
            writer.close()

        await asyncio.start_server(slow, "localhost", 5)
        _, writer = await asyncio.open_connection("localhost", 5)
        total = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                while True:
                    writer.write(bytes(32 * 1024))
                    total += 32 * 1024
                    await writer.drain()
        assert writer.transport.get_write_buffer_size() > 64 * 1024
        assert total < 2**20
        go.set()
        await writer.drain()
        assert writer.transport.get_write_buffer_size() == 0
        writer.close()
        return await got == total

    assert run(main)[0]


def test_write_buffer_limits_are_those_that_were_set():
    async def main(loop):
        await loop.create_server(asyncio.Protocol, "localhost", 5)
        transport, _ = await loop.create_connection(asyncio.Protocol, "localhost", 5)
        transport.set_write_buffer_limits(high=1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        transport.set_write_buffer_limits(low=10)
        assert transport.get_write_buffer_limits() == (10, 40)
        with pytest.raises(ValueError, match="must be >= low"):
            transport.set_write_buffer_limits(high=1, low=2)
        assert transport.can_write_eof()
        assert transport.is_reading()
        transport.close()
        assert not transport.is_reading()

    run(main)


def test_closing_after_the_run_does_no_harm():
    async def main(loop):
        await loop.create_server(asyncio.Protocol, "localhost", 5)
        return [(await loop.create_connection(asyncio.Protocol, "localhost", 5))[0] for _ in range(2)]

    (first, second), _ = run(main)
    first.close()
    second.abort()
    assert first.is_closing()
    assert second.is_closing()


def test_a_protocol_that_fails_loses_its_connection_and_nothing_else():
    async def test(cluster, loop):
        told = []
        loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))

        class Failing(asyncio.Protocol):
            def data_received(self, data):
                raise ValueError("no")

        transport, _ = await loop.create_connection(Failing, *cluster.address("n1"))
        transport.write(b"hello\n")
        await asyncio.sleep(1)
        assert transport.is_closing()
        assert await ask(cluster, "n1") == b"hello\n"
        return [str(error) for error in told]

    assert simulate(echo, test) == ["no"]


# ── cuts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_probes_see_each_direction_of_a_cut_and_the_healing():
    async def test(cluster, loop):
        async def links():
            return [await cluster.net.reaches(*link) for link in [("n1", "n2"), ("n2", "n1"), ("n1", "n3")]]

        seen = [await links()]
        await cluster.net.cut([("n1", "n2")])
        seen.append(await links())
        await cluster.net.cut([("n2", "n1"), ("n1", "n3")])
        seen.append(await links())
        await cluster.net.heal()
        await cluster.net.heal()
        return [*seen, await links()]

    whole = [True, True, True]
    assert simulate(echo, test) == [whole, [False, True, True], [True, False, False], whole]


def test_a_cut_of_what_is_no_node_is_refused():
    async def test(cluster, loop):
        for host in ("n9", "control"):
            with pytest.raises(ValueError, match=f"'{host}' is no node"):
                await cluster.net.cut([("n1", host)])

    simulate(echo, test)


def test_clients_reach_every_node_through_any_cut():
    async def test(cluster, loop):
        await cluster.net.cut([(a, b) for a in cluster.nodes for b in cluster.nodes if a != b])
        return [await ask(cluster, node) for node in cluster.nodes]

    assert simulate(echo, test) == [b"hello\n"] * 3


def test_what_is_sent_into_a_cut_arrives_some_time_after_it_heals():
    state = {}

    async def test(cluster, loop):
        await cluster.net.cut(BOTH_WAYS)
        state["writer"].write(b"one\n")
        await asyncio.sleep(0.5)
        state["writer"].write(b"two\n")
        await asyncio.sleep(9.5)
        assert state["got"] == []
        healed = loop.time()
        await cluster.net.heal()
        state["writer"].write(b"three\n")
        await asyncio.sleep(60)
        times, lines = zip(*state["got"], strict=True)
        assert lines == (b"one\n", b"two\n", b"three\n")
        # Timeouts at 0.2, 0.6, 1.4, 3.0, 6.2 and 12.6 s after the first write: the last is the first after the heal.
        assert times[0] - healed == pytest.approx(2.6, abs=0.1)
        state["writer"].write(b"four\n")
        sent = loop.time()
        await asyncio.sleep(1)
        return state["got"][-1][0] - sent

    assert simulate(caller(state), test) < 0.1


@pytest.mark.parametrize("cut", BOTH_WAYS)
def test_a_connection_needs_both_ways(cut):
    """What n1 says arrives at first if only the way back is shut; no acknowledgement comes, and then it is stuck."""
    heard = []

    async def program(machine, addresses):
        async def serve(reader, writer):
            while line := await reader.readline():
                heard.append((asyncio.get_running_loop().time(), line))

        if machine.name == "n2":
            await (await asyncio.start_server(serve, *addresses["n2"])).serve_forever()
        await asyncio.sleep(0.05)
        if machine.name == "n1":
            _, writer = await asyncio.open_connection(*addresses["n2"])
            for number in range(100):
                await asyncio.sleep(0.1)
                writer.write(b"%d\n" % number)
        await asyncio.sleep(10**6)

    async def test(cluster, loop):
        await asyncio.sleep(1)
        await cluster.net.cut([cut])
        shut = loop.time()
        await asyncio.sleep(5)
        during = [time - shut for time, _ in heard if time > shut + 0.03]
        await cluster.net.heal()
        await asyncio.sleep(20)
        return during

    during = simulate(program, test)
    if cut == ("n1", "n2"):
        assert during == []
    else:
        assert 1 <= len(during) <= 4
        assert max(during) < 0.4
    assert [line for _, line in heard] == [b"%d\n" % number for number in range(100)]


def test_a_cut_that_lasts_kills_the_connection():
    state = {}

    async def test(cluster, loop):
        await cluster.net.cut(BOTH_WAYS)
        state["writer"].write(b"one\n")
        cut = loop.time()
        await asyncio.sleep(2000)
        return state["ended"] - cut

    waited = 0.2 * (2**10 - 1) + 120 * (RETRANSMISSIONS_MAX + 1 - 10)
    assert simulate(caller(state), test) == pytest.approx(waited, rel=0.01)
    assert state["end"].errno == errno.ETIMEDOUT


def test_a_connection_that_says_nothing_outlives_a_cut():
    state = {}

    async def test(cluster, loop):
        await cluster.net.cut(BOTH_WAYS)
        await asyncio.sleep(3000)
        await cluster.net.heal()
        state["writer"].write(b"still there\n")
        await asyncio.sleep(1)
        return [line for _, line in state["got"]]

    assert simulate(caller(state), test) == [b"still there\n"]


@pytest.mark.parametrize("cut", BOTH_WAYS)
def test_connecting_into_a_cut_is_tried_again_and_times_out(cut):
    outcome = []

    async def program(machine, addresses):
        if machine.name == "n2":
            await echo(machine, addresses)
        await asyncio.sleep(0.2)
        loop = asyncio.get_running_loop()
        for _ in range(2):
            started = loop.time()
            try:
                _, writer = await asyncio.open_connection(*addresses["n2"])
                outcome.append((None, loop.time() - started))
                writer.close()
            except OSError as error:
                outcome.append((error.errno, loop.time() - started))
        await asyncio.sleep(10**6)

    async def test(cluster, loop):
        await cluster.net.cut([cut])
        await asyncio.sleep(129)
        await cluster.net.heal()
        await asyncio.sleep(100)

    simulate(program, test, nodes=("n1", "n2"))
    (first_error, first_s), (second_error, second_s) = outcome
    assert first_error == errno.ETIMEDOUT
    assert first_s == pytest.approx(127, abs=1)
    assert second_error is None
    assert second_s == pytest.approx(3, abs=0.5)  # the attempts after 0 and 1 s were lost, the one after 3 s was not


def test_a_reset_on_a_shut_way_is_lost_and_found_out_later():
    state = {}

    async def test(cluster, loop):
        state["writer"].write(b"one\n")
        await asyncio.sleep(0.1)
        await cluster.net.cut(BOTH_WAYS)
        await cluster.processes.kill("n2")
        await cluster.processes.start("n2")
        await asyncio.sleep(30)
        assert "end" not in state
        await cluster.net.heal()
        state["writer"].write(b"who are you?\n")
        await asyncio.sleep(120)
        return state["end"]

    end = simulate(caller(state), test)
    assert end == "eof" or isinstance(end, ConnectionResetError)


def test_a_listener_of_a_paused_process_fills_up():
    async def test(cluster, loop):
        await cluster.processes.pause("n1")
        made, refused = 0, None
        for _ in range(150):
            try:
                async with asyncio.timeout(0.5):
                    _, writer = await asyncio.open_connection(*cluster.address("n1"))
                made += 1
                writer.transport.abort()
            except TimeoutError:
                refused = made
                break
        await cluster.processes.resume("n1")
        await asyncio.sleep(1)
        return refused, await ask(cluster, "n1")

    assert simulate(echo, test) == (100, b"hello\n")
