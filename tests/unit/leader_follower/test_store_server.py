"""The real server on real sockets: three nodes on loopback, killed and restarted on the folders they left."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from loopback import FAST, LoopCluster, do, free_addresses
from memory_disk import MemoryDisk

from harness.clock import monotonic_ns
from harness.disk import RealDisk
from harness.errors import SetupError
from system_under_test.leader_follower.connection import Connection, Lost
from system_under_test.leader_follower.objects import OBJECT_BYTES_MAX
from system_under_test.leader_follower.system import SYSTEM
from system_under_test.leader_follower.wal import CorruptLog


def test_three_nodes_write_compare_and_set_and_read_in_every_mode(tmp_path):
    async def run():
        async with LoopCluster(make_disk=lambda name: RealDisk(tmp_path / name)) as cluster:
            leader = await SYSTEM.leader(cluster)
            versions = []
            for number, home in enumerate(cluster.nodes):
                client = cluster.client(home)
                assert (await do(client, "read", key=home)).value is None
                wrote = await do(client, "write", key=home, value=number)
                swapped = await do(client, "cas", key=home, value=[number, number + 10])
                missed = await do(client, "cas", key=home, value=[number, 99])
                read = await do(client, "read", key=home)
                assert [op.type for op in (wrote, swapped, missed, read)] == ["ok", "ok", "fail", "ok"]
                assert (missed.error, missed.value) == ("mismatch", [number, 99, number + 10])
                assert (read.value, read.version) == (number + 10, swapped.version) == (number + 10, missed.version)
                assert {op.node for op in (wrote, swapped, missed, read)} == {leader}
                versions += [wrote.version, swapped.version]
                await client.close()
            assert versions == sorted(set(versions))
            session = cluster.client("n1", read="session")
            for number in range(30):
                wrote = await do(session, "write", key="s", value=number)
                assert wrote.type == "ok", wrote
                node = cluster.nodes[number % 3]
                read = await do(session, "read", key="s", node=node)
                assert (read.type, read.value, read.node) == ("ok", number, node)
            stale = cluster.client("n1", read="follower")
            for node in cluster.nodes:
                read = await do(stale, "read", key="s", node=node)
                assert (read.type, read.node) == ("ok", node)
            await session.close()
            await stale.close()

    asyncio.run(run())


def test_a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost(tmp_path):
    async def run():
        async with LoopCluster(make_disk=lambda name: RealDisk(tmp_path / name)) as cluster:
            client = cluster.client("n2")
            acknowledged = {}
            for round_ in range(3):
                leader = await SYSTEM.leader(cluster)
                for number in range(20):
                    op = await do(client, "write", key=f"{round_}-{number}", value=number)
                    assert op.type == "ok", op
                    acknowledged[op.key] = (number, op.version)
                await cluster.kill(leader)
                await until_leader(cluster, other_than=leader)
                await client.close()
                client = cluster.client("n2" if leader != "n2" else "n3")
                for key, (value, version) in acknowledged.items():
                    read = await do(client, "read", key=key)
                    assert (read.value, read.version) == (value, version)
                cluster.start(leader)
                await SYSTEM.wait_ready(cluster, cluster.options, 10)
            await cluster.kill(*cluster.nodes)
            cluster.start()
            await SYSTEM.wait_ready(cluster, cluster.options, 10)
            await client.close()
            client = cluster.client("n3")
            assert [(await do(client, "read", key=key)).value for key in acknowledged] == [
                value for value, _ in acknowledged.values()
            ]
            await client.close()

    asyncio.run(run())


async def until_leader(cluster, other_than):
    async with asyncio.timeout(5):
        while True:
            if await SYSTEM.leader(cluster) not in (None, other_than):
                return
            await asyncio.sleep(0.02)


def test_writes_that_wait_for_the_disk_together_share_a_sync():
    async def run():
        async with LoopCluster() as cluster:
            leader = await SYSTEM.leader(cluster)
            clients = [cluster.client(leader) for _ in range(50)]
            await asyncio.gather(*(do(client, "write", key="warm", value=0) for client in clients))
            before = cluster.machines[leader].disk.syncs
            for number in range(4):
                await asyncio.gather(*(do(client, "write", value=number) for client in clients))
            assert 0 < cluster.machines[leader].disk.syncs - before < 100
            for client in clients:
                await client.close()

    asyncio.run(run())


def test_nonsense_on_the_port_is_cut_off_and_hurts_nobody():
    async def run():
        async with LoopCluster(count=1) as cluster:
            for nonsense in (
                b"GET / HTTP/1.1\r\n\r\n",
                b"\xff" * 9,
                b"\x00\x00\x00\x015",
                frame(["n9", "vote!", 1, True, True]),
            ):
                reader, writer = await asyncio.open_connection(*cluster.address("n1"))
                writer.write(nonsense)
                async with asyncio.timeout(2):
                    assert await reader.read() == b""
                writer.close()
            reader, writer = await asyncio.open_connection(*cluster.address("n1"))
            writer.write(frame({"id": 3, "f": "drop-tables"}))
            answer = json.loads((await reader.readuntil(b"}"))[4:])
            assert answer["id"] == 3
            assert (answer["status"], answer["error"].split(":")[0]) == ("refused", "bad-request")
            writer.close()
            client = cluster.client()
            assert (await do(client, "write", value=1)).type == "ok"
            await client.close()

    asyncio.run(run())


WRONG = (
    {"f": "increment", "key": "x", "value": "1"},
    {"f": "txn", "value": [["w", "x"]]},
    {"f": "txn", "key": "x", "value": [["w", "x", 1]]},
    {"f": "acquire", "key": "x", "value": 5},
    {"f": "release", "key": "x", "value": "alice"},
    {"f": "dequeue", "key": "x", "value": 1},
    {"f": "append", "key": "x", "value": [1]},
    {"f": "write", "key": "x", "value": 1, "session": [1]},
    {"f": "once", "key": "x", "value": 1},
    {"f": None},
    {},
)


def test_what_has_a_wrong_shape_is_refused_one_by_one_and_the_connection_goes_on():
    async def run():
        async with LoopCluster(count=1) as cluster:
            connection = await Connection.open(cluster.address("n1"), 2)
            for request in WRONG:
                answer = await connection.ask(request)
                assert (answer["status"], answer["error"].split(":")[0]) == ("refused", "bad-request"), request
            assert (await connection.ask({"f": "increment", "key": "x", "value": 1}))["value"] == 1
            connection.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "nonsense", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[]", b"\x00\x00\x00\x05[NaN]"], ids=["length", "list", "NaN"]
)
def test_a_malformed_frame_closes_the_connection_that_it_came_on_and_no_other(nonsense):
    async def run():
        async with LoopCluster(count=1) as cluster:
            good, bad = [await Connection.open(cluster.address("n1"), 2) for _ in range(2)]
            for connection in (good, bad):
                assert (await connection.ask({"f": "enqueue", "key": "x", "value": 1}))["status"] == "ok"
            bad._transport.write(nonsense)
            with pytest.raises(Lost):
                await bad.ask({"f": "dequeue", "key": "x"})
            assert [(await good.ask({"f": "dequeue", "key": "x"}))["status"] for _ in range(3)] == [
                "ok",
                "ok",
                "failed",
            ]
            for connection in (good, bad):
                connection.close()
            await asyncio.sleep(0.01)

    asyncio.run(run())


def test_the_largest_object_and_the_largest_transaction_fit_into_an_answer():
    async def run():
        async with LoopCluster(count=1) as cluster:
            connection = await Connection.open(cluster.address("n1"), 2)
            request = {"f": "append", "key": "x", "value": "\N{GRINNING FACE}" * 2000}
            while (answer := await connection.ask(request))["status"] == "ok":
                pass
            assert answer["error"] == "too-large"
            held = (await connection.ask({"f": "read", "key": "x"}))["value"]
            assert OBJECT_BYTES_MAX - 24_010 < len(json.dumps(held)) <= OBJECT_BYTES_MAX + len(held)
            transaction = {"f": "txn", "value": [["r", "x", None]]}
            answer = await connection.ask(transaction | {"value": [["r", "x", None]] * 2})
            assert (answer["status"], answer["error"]) == ("failed", "too-large")
            assert (await connection.ask(transaction))["value"] == [["r", "x", held]]
            connection.close()

    asyncio.run(run())


def frame(value):
    data = json.dumps(value).encode()
    return len(data).to_bytes(4, "big") + data


def test_a_full_disk_refuses_writes_until_there_is_room_and_reads_go_on():
    async def run():
        async with LoopCluster(count=1) as cluster:
            client = cluster.client()
            assert (await do(client, "write", value=1)).type == "ok"
            cluster.machines["n1"].disk.room = 0
            open_ = await do(client, "write", value=2)
            assert (open_.type, open_.error) == ("info", "not-replicated")
            refused = await do(client, "write", value=3)
            assert (refused.type, refused.error.split(":")[0]) == ("fail", "disk-full")
            assert (await do(client, "read")).value == 1
            cluster.machines["n1"].disk.room = None
            await asyncio.sleep(0.3)
            assert (await do(client, "read")).value == 2
            assert (await do(client, "write", value=4)).type == "ok"
            await client.close()

    asyncio.run(run())


def test_a_node_with_a_damaged_log_does_not_start():
    async def run():
        cluster = LoopCluster(count=1)
        async with cluster:
            client = cluster.client()
            for number in range(3):
                await do(client, "write", value=number)
            await client.close()
        disk = cluster.machines["n1"].disk
        data = bytearray(disk.files["log-00000001"])
        data[20] ^= 1
        disk.files["log-00000001"] = bytes(data)
        with pytest.raises(CorruptLog, match=r"damaged at byte 20, .* not a torn write"):
            await SYSTEM.program(cluster.machines["n1"], cluster.addresses, cluster.options)

    asyncio.run(run())


def test_what_is_missing_is_said_and_a_node_that_hangs_does_not_stall_the_question_who_leads():
    async def run():
        async with LoopCluster() as cluster:
            leader = await SYSTEM.leader(cluster)
            victim = next(node for node in cluster.nodes if node != leader)
            await cluster.kill(victim)
            with pytest.raises(SetupError, match=f"not ready after 0.2 s: no answer from {victim}"):
                await SYSTEM.wait_ready(cluster, cluster.options, 0.2)
            silent = await asyncio.start_server(swallow, *cluster.address(victim))
            before = monotonic_ns()
            assert await SYSTEM.leader(cluster) == leader
            assert monotonic_ns() - before < 900_000_000
            silent.close()

    asyncio.run(run())


async def swallow(reader, writer):
    with contextlib.suppress(OSError):
        await reader.read()
    writer.close()


def test_an_isolated_leader_goes_on_acknowledging_in_async_mode_only():
    """Both followers die: what is left is a leader on its own."""

    async def run(replication):
        async with LoopCluster(replication=replication, wait_ms=200) as cluster:
            leader = await SYSTEM.leader(cluster)
            await cluster.kill(*(node for node in cluster.nodes if node != leader))
            client = cluster.client(leader)
            wrote, read = await do(client, "write", value=1), await do(client, "read")
            await client.close()
            return wrote.type, read.type

    assert asyncio.run(run("async")) == ("ok", "ok")
    for replication in ("quorum", "sync"):
        assert asyncio.run(run(replication)) in {("info", "fail"), ("fail", "fail")}


# ── as it runs in a container: the packaged files, processes, nothing installed ──────────────────────────────────────


class Processes:
    """Three nodes as processes on the packaged files, with a Python that finds no other package."""

    def __init__(self, folder):
        self.folder, self.nodes = folder, ("n1", "n2", "n3")
        self.addresses = free_addresses(self.nodes)
        for name, content in SYSTEM.build_context().items():
            path = folder / "code" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        self.running = {}

    def address(self, node):
        return self.addresses[node]

    def start(self, node):
        command = list(SYSTEM.command(node, self.addresses, FAST | {"fencing": True, "replication": "quorum"}))
        assert command[:3] == ["env", "PYTHONPATH=/opt/splitbrain", "python3"]
        command[:3] = [sys.executable, "-S", "-B"]
        command[command.index("--data") + 1] = str(self.folder / node)
        environment = {"PYTHONPATH": str(self.folder / "code"), "PATH": os.environ["PATH"]}
        with (self.folder / f"{node}.log").open("ab") as log:
            self.running[node] = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill(self, node):
        process = self.running.pop(node)
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_packaged_nodes_survive_sigkill_without_any_package_installed(tmp_path):
    cluster = Processes(tmp_path)

    async def run():
        await SYSTEM.wait_ready(cluster, FAST, 15)
        leader = await SYSTEM.leader(cluster)
        client = SYSTEM.client(cluster, leader, FAST, 0)
        for number in range(50):
            assert (await do(client, "write", key=f"k{number}", value=number)).type == "ok"
        cluster.kill(leader)
        await until_leader(cluster, other_than=leader)
        cluster.start(leader)
        await SYSTEM.wait_ready(cluster, FAST, 15)
        other = SYSTEM.client(cluster, leader, FAST | {"read": "session"}, 0)
        last = await do(other, "write", key="last", value=1)
        assert last.version[0] > 1
        assert [(await do(other, "read", key=f"k{n}", node=leader)).value for n in range(50)] == list(range(50))
        await client.close()
        await other.close()

    try:
        for node in cluster.nodes:
            cluster.start(node)
        asyncio.run(run())
    except BaseException:
        print(*(path.read_text() for path in sorted(tmp_path.glob("*.log"))))
        raise
    finally:
        for node in list(cluster.running):
            cluster.kill(node)


def test_a_server_that_cannot_start_says_why_in_one_sentence(tmp_path):
    def started(*arguments):
        command = [sys.executable, "-m", "system_under_test.leader_follower", "--data", str(tmp_path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return done.returncode, done.stderr.strip()

    status, said = started("--node", "n9", "--peers", "n1=127.0.0.1:1")
    assert (status, said) == (1, "n9: node 'n9' must be one of the distinct nodes n1")
    status, said = started("--node", "n1", "--peers", "n1=127.0.0.1")
    assert status == 1
    assert "wanted NODE=HOST:PORT" in said


def test_the_image_holds_the_server_and_nothing_that_needs_a_package():
    names = set(SYSTEM.build_context())
    assert {"Dockerfile", "harness/disk.py", "system_under_test/leader_follower/__main__.py"} <= names
    assert not any(name.endswith(("client.py", "system.py", "protocols.py", "op.py")) for name in names)


def test_memory_disk_is_a_disk_as_the_real_one_is(tmp_path):
    """The twin that other tests here rely on does what the real one does."""
    for disk in (MemoryDisk(), RealDisk(tmp_path / "n1")):
        disk.append("a", b"12")
        disk.append("a", b"345")
        disk.truncate("a", 4)
        disk.write("b", b"x")
        disk.sync("b")
        disk.rename("b", "c")
        assert (disk.read("a"), disk.read("c"), disk.list()) == (b"1234", b"x", ["a", "c"])
        disk.remove("a")
        with pytest.raises(FileNotFoundError):
            disk.read("a")
