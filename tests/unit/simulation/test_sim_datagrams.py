import asyncio
import errno
import itertools

import pytest
from little import run, simulate

from harness.protocols import LinkShape


class Taking(asyncio.DatagramProtocol):
    def __init__(self):
        self.got = []
        self.errors = []
        self.lost = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.got.append((data, addr))

    def error_received(self, exc):
        self.errors.append(exc)

    def connection_lost(self, exc):
        self.lost.append(exc)


async def bound(port=0, **more):
    loop = asyncio.get_running_loop()
    return await loop.create_datagram_endpoint(Taking, local_addr=("127.0.0.1", port), **more)


def counting(seen, count=400, every_s=0.0005):
    """n1 sends numbered datagrams to n2, who notes them."""

    async def program(machine, addresses):
        _host, port = addresses[machine.name]
        loop = asyncio.get_running_loop()
        if machine.name == "n2":
            _, seen["protocol"] = await loop.create_datagram_endpoint(Taking, local_addr=("0.0.0.0", port))
        await asyncio.sleep(0.2)
        if machine.name == "n1":
            transport, _ = await loop.create_datagram_endpoint(Taking, remote_addr=addresses["n2"])
            await asyncio.sleep(0.1)
            for number in range(count):
                transport.sendto(b"%d" % number)
                await asyncio.sleep(every_s)
        await asyncio.sleep(10**6)

    return program


def numbers(seen):
    return [int(data) for data, _ in seen["protocol"].got]


def sent_under(shape, **more):
    seen = {}

    async def test(cluster, loop):
        if shape is not None:
            await cluster.net.shape({("n1", "n2"): shape})
        await asyncio.sleep(5)

    simulate(counting(seen, **more), test, nodes=("n1", "n2"))
    return numbers(seen)


def test_datagrams_go_there_and_back():
    async def main(loop):
        (one, first), (_, second) = await bound(5), await bound(6)
        await asyncio.sleep(0)
        one.sendto(b"hello", ("localhost", 6))
        await asyncio.sleep(1)
        [(data, source)] = second.got
        second.transport.sendto(data[::-1], source)
        await asyncio.sleep(1)
        one.close()
        await asyncio.sleep(1)
        return first.got, first.lost, one.is_closing(), one.get_extra_info("sockname")

    assert run(main)[0] == ([(b"olleh", ("control", 6))], [None], True, ("control", 5))


def test_a_port_is_taken_until_it_is_closed():
    async def main(loop):
        transport, _ = await bound(5)
        with pytest.raises(OSError, match="control:5") as caught:
            await bound(5)
        transport.close()
        await bound(5)
        return caught.value.errno

    assert run(main)[0] == errno.EADDRINUSE


def test_a_connected_socket_hears_that_nobody_is_there_and_takes_from_its_peer_only():
    async def main(loop):
        transport, protocol = await loop.create_datagram_endpoint(Taking, remote_addr=("localhost", 6))
        await asyncio.sleep(0)
        transport.sendto(b"anybody?")
        await asyncio.sleep(1)
        stranger, _ = await bound(7)
        stranger.sendto(b"psst", transport.get_extra_info("sockname"))
        with pytest.raises(ValueError, match="Invalid address"):
            transport.sendto(b"x", ("localhost", 8))
        with pytest.raises(ValueError, match="needs an address"):
            stranger.sendto(b"x")
        transport.sendto(bytes(70_000))
        await asyncio.sleep(1)
        return [error.errno for error in protocol.errors], protocol.got

    assert run(main)[0] == ([errno.ECONNREFUSED, errno.EMSGSIZE], [])


def test_datagrams_overtake_each_other_and_none_is_lost_in_an_ordinary_world():
    got = sent_under(None)
    assert sorted(got) == list(range(400))
    assert got != sorted(got)


def test_loss_doubling_and_overtaking_are_as_the_shape_says():
    lost = 400 - len(set(sent_under(LinkShape(loss=0.25))))
    assert 60 < lost < 140
    doubled = sent_under(LinkShape(duplicate=0.25))
    assert 60 < len(doubled) - 400 < 140
    assert set(doubled) == set(range(400))
    overtaken = sent_under(LinkShape(reorder=0.25), every_s=0.005)
    assert sorted(overtaken) == list(range(400))
    plain = sent_under(None, every_s=0.005)
    assert sum(a > b for a, b in itertools.pairwise(overtaken)) > 40
    assert sum(a > b for a, b in itertools.pairwise(plain)) < 10


def test_a_cut_loses_datagrams_without_a_word():
    seen = {}

    async def test(cluster, loop):
        await asyncio.sleep(0.3)
        await cluster.net.cut([("n1", "n2")])
        await asyncio.sleep(0.05)
        await cluster.net.heal()
        await asyncio.sleep(5)

    simulate(counting(seen), test, nodes=("n1", "n2"))
    missing = set(range(400)) - set(numbers(seen))
    assert 60 < len(missing) <= 110
    assert seen["protocol"].errors == []


def test_a_paused_process_takes_so_many_and_the_rest_is_dropped():
    seen = {}

    async def test(cluster, loop):
        await asyncio.sleep(0.1)
        await cluster.processes.pause("n2")
        await asyncio.sleep(5)
        assert numbers(seen) == []
        await cluster.processes.resume("n2")
        await asyncio.sleep(1)

    simulate(counting(seen), test, nodes=("n1", "n2"))
    assert len(numbers(seen)) == 256


def test_a_killed_process_frees_its_port():
    seen = {}

    async def test(cluster, loop):
        await cluster.processes.kill("n2")
        await cluster.processes.start("n2")
        await asyncio.sleep(5)
        return await cluster.processes.state("n2")

    assert simulate(counting(seen), test, nodes=("n1", "n2")) == "running"
    assert sorted(numbers(seen)) == list(range(400))


def test_a_protocol_that_fails_on_a_datagram_gets_the_next():
    async def main(loop):
        told = []
        loop.set_exception_handler(lambda _loop, context: told.append(str(context["exception"])))

        class Failing(Taking):
            def datagram_received(self, data, addr):
                super().datagram_received(data, addr)
                raise ValueError(data.decode())

        _, protocol = await loop.create_datagram_endpoint(Failing, local_addr=("", 5))
        sender, _ = await bound(6)
        for word in (b"one", b"two"):
            sender.sendto(word, ("localhost", 5))
            await asyncio.sleep(0.1)
        return told, len(protocol.got)

    assert run(main)[0] == (["one", "two"], 2)
