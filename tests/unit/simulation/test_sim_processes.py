import asyncio
import contextlib
import gc
import itertools

import pytest
from little import EVEN, ask, echo, simulate

from harness.simulation.clock import EPOCH_NS
from harness.simulation.world import World


def beating(notes, every_s=0.1):
    """A program that notes each beat, and listens."""

    async def program(machine, addresses):
        notes.append((machine.name, "up", machine.monotonic_ns() / 1e9))
        server = await asyncio.start_server(lambda *_: None, *addresses[machine.name])
        try:
            while True:
                await asyncio.sleep(every_s)
                notes.append((machine.name, "beat", machine.monotonic_ns() / 1e9))
        finally:
            notes.append((machine.name, "cleaned up", machine.monotonic_ns() / 1e9))
            machine.log("cleaned up")
            server.close()

    return program


def beats(notes, node="n1"):
    return [time for name, what, time in notes if (name, what) == (node, "beat")]


def test_nodes_come_up_one_after_the_other_within_a_moment():
    notes = []

    async def test(cluster, loop):
        return sorted(time for _, what, time in notes if what == "up")

    times = simulate(beating(notes), test)
    assert len(set(times)) == 3
    assert times[-1] < 0.05


def test_a_killed_process_runs_no_further_and_cleans_nothing_up():
    notes, states = [], []

    async def test(cluster, loop):
        states.append(await cluster.processes.state("n1"))
        await cluster.processes.kill("n1")
        await cluster.processes.kill("n1")
        states.append(await cluster.processes.state("n1"))
        seen, killed = list(notes), loop.time()
        await asyncio.sleep(10)
        assert [note for note in notes if note[0] == "n1"] == [note for note in seen if note[0] == "n1"]
        await cluster.processes.resume("n1")
        await cluster.processes.pause("n1")
        states.append(await cluster.processes.state("n1"))
        with pytest.raises(ConnectionRefusedError):
            await ask(cluster, "n1")
        assert len(beats(notes, "n2")) > 90
        return killed

    killed = simulate(beating(notes), test)
    assert states == ["running", "stopped", "stopped"]
    assert killed < 0.2


def test_what_is_dropped_with_a_dead_process_has_no_effect(tmp_path):
    notes = []

    async def test(cluster, loop):
        await cluster.processes.kill("n1")
        await cluster.collect_logs(tmp_path)

    simulate(beating(notes), test)
    assert "cleaned up" not in (tmp_path / "n1" / "server.log").read_text()


def test_dropping_a_dead_process_does_not_run_its_cleaning_up_in_anybody_elses_name():
    ran = []

    async def wait(name):
        try:
            await asyncio.sleep(0.3)
        finally:
            asyncio.get_running_loop().call_soon(ran.append, name)

    async def program(machine, addresses):
        asyncio.create_task(wait(machine.name))  # noqa: RUF006 - the timer holds it, until it rings for nobody
        await asyncio.sleep(100)

    async def test(cluster, loop):
        await cluster.processes.kill("n1")
        await asyncio.sleep(1)
        gc.collect()
        await asyncio.sleep(1)
        assert ran == ["n2"]

    simulate(program, test, nodes=("n1", "n2"))
    gc.collect()
    assert ran == ["n2"]


def test_a_killed_node_starts_again_with_its_port_free_and_once_only():
    notes = []

    async def test(cluster, loop):
        await cluster.processes.kill("n1")
        await cluster.processes.start("n1")
        await cluster.processes.start("n1")
        await asyncio.sleep(5)
        return await cluster.processes.state("n1")

    assert simulate(beating(notes), test) == "running"
    assert [what for name, what, _ in notes if name == "n1" and what == "up"] == ["up", "up"]
    assert len(beats(notes)) < 60


@pytest.mark.parametrize("blow", ["kill", "power_off"])
def test_peers_of_a_killed_process_are_told_and_those_of_a_dark_machine_are_not(blow):
    async def test(cluster, loop):
        reader, writer = await asyncio.open_connection(*cluster.address("n1"))
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        struck = loop.time()
        if blow == "kill":
            await cluster.processes.kill("n1")
        else:
            await cluster.disks.power_off("n1")
        told = "silence"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                told = await reader.read()
        assert loop.time() - struck < 0.1 or told == "silence"
        reachable = [await cluster.net.reaches("n2", "n1"), await cluster.net.reaches("n1", "n2")]
        with contextlib.suppress(OSError):
            writer.write(b"are you there?\n")
            await cluster.processes.start("n1")
            await asyncio.sleep(10)
            await writer.drain()
            raise AssertionError("the old connection is still taken for good")
        assert await ask(cluster, "n1") == b"hello\n"
        return told, reachable

    told, reachable = simulate(echo, test)
    assert (told, reachable) == ((b"", [True, True]) if blow == "kill" else ("silence", [False, False]))


def test_connecting_to_a_dark_machine_meets_silence():
    async def test(cluster, loop):
        await cluster.disks.power_off("n1")
        with pytest.raises(TimeoutError):
            await ask(cluster, "n1", timeout_s=30)
        await cluster.processes.start("n1")
        return await ask(cluster, "n1")

    assert simulate(echo, test) == b"hello\n"


def test_a_process_that_dies_with_unread_data_resets_the_connection():
    async def test(cluster, loop):
        reader, writer = await asyncio.open_connection(*cluster.address("n1"))
        await cluster.processes.pause("n1")
        writer.write(b"never read\n")
        await asyncio.sleep(1)
        await cluster.processes.kill("n1")
        with pytest.raises(ConnectionResetError):
            await reader.read()

    simulate(echo, test)


def test_a_paused_process_stands_still_and_is_late_with_everything_when_resumed():
    notes = []

    async def test(cluster, loop):
        await cluster.processes.pause("n1")
        await cluster.processes.pause("n1")
        assert await cluster.processes.state("n1") == "paused"
        before = len(beats(notes))
        await asyncio.sleep(10)
        assert len(beats(notes)) == before
        assert len(beats(notes, "n2")) > 90
        resumed = loop.time()
        await cluster.processes.resume("n1")
        await cluster.processes.resume("n1")
        assert await cluster.processes.state("n1") == "running"
        await asyncio.sleep(1)
        return before, resumed

    before, resumed = simulate(beating(notes), test, world=EVEN)
    assert beats(notes)[before] == resumed
    assert len(beats(notes)) - before == pytest.approx(11, abs=1)


def test_a_paused_process_answers_late_on_connections_that_stay_open():
    async def test(cluster, loop):
        reader, writer = await asyncio.open_connection(*cluster.address("n1"))
        await cluster.processes.pause("n1")
        for line in (b"one\n", b"two\n"):
            writer.write(line)
            await asyncio.sleep(1)
        resumed = loop.time()
        await cluster.processes.resume("n1")
        lines = [await reader.readline(), await reader.readline()]
        writer.close()
        return lines, loop.time() - resumed

    lines, late_s = simulate(echo, test)
    assert lines == [b"one\n", b"two\n"]
    assert late_s < 0.05


def test_a_kernel_accepts_connections_for_a_paused_process():
    async def test(cluster, loop):
        await cluster.processes.pause("n1")
        with pytest.raises(TimeoutError):
            await ask(cluster, "n1")
        asking = asyncio.create_task(ask(cluster, "n1", timeout_s=10))
        await asyncio.sleep(2)
        await cluster.processes.resume("n1")
        return await asking

    assert simulate(echo, test) == b"hello\n"


def test_a_paused_process_can_be_killed():
    notes = []

    async def test(cluster, loop):
        await cluster.processes.pause("n1")
        before = len(beats(notes))
        await asyncio.sleep(1)
        await cluster.processes.kill("n1")
        await cluster.processes.resume("n1")
        assert await cluster.processes.state("n1") == "stopped"
        await asyncio.sleep(1)
        return len(beats(notes)) - before

    assert simulate(beating(notes), test) == 0


@pytest.mark.parametrize("how", ["returns", "raises"])
def test_a_server_that_ends_is_stopped_with_all_that_it_left_running(how, tmp_path):
    notes = []

    async def program(machine, addresses):
        async def straggler():
            while True:
                await asyncio.sleep(0.1)
                notes.append(machine.name)

        machine.straggler = asyncio.create_task(straggler())
        await asyncio.start_server(lambda *_: None, *addresses[machine.name])
        await asyncio.sleep(1)
        if how == "raises":
            raise RuntimeError("the log is damaged")

    async def test(cluster, loop):
        await asyncio.sleep(2)
        seen = len(notes)
        await asyncio.sleep(2)
        assert len(notes) == seen
        with pytest.raises(ConnectionRefusedError):
            await ask(cluster, "n1")
        await cluster.collect_logs(tmp_path)
        return await cluster.processes.state("n1")

    assert simulate(program, test, nodes=("n1",)) == "stopped"
    said = "the server ended: RuntimeError: the log is damaged" if how == "raises" else "the server ended by itself"
    assert said in (tmp_path / "n1" / "server.log").read_text()


def test_logs_are_collected_per_node_with_virtual_times_and_the_state(tmp_path):
    async def program(machine, addresses):
        machine.log(f"hello from {machine.name}")
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(100)

    async def test(cluster, loop):
        await cluster.processes.kill("n2")
        await cluster.collect_logs(tmp_path)

    simulate(program, test)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n1", "n2", "n3"]
    lines = (tmp_path / "n1" / "server.log").read_text().splitlines()
    assert [line.partition(" ")[2] for line in lines[:2]] == ["started", "hello from n1"]
    assert "ZeroDivisionError: division by zero" in lines[2]
    assert lines[-1].endswith("now running")
    assert float(lines[0].split()[0]) < 0.05
    assert (tmp_path / "n2" / "server.log").read_text().endswith("now stopped\n")


# ── disks and power ──────────────────────────────────────────────────────────────────────────────────────────────────


def writing(steps, sync):
    """A program that goes through its disk step after step, and tells what it found there."""

    async def program(machine, addresses):
        found = machine.disk.read("log") if "log" in machine.disk.list() else b""
        steps.setdefault(machine.name, []).append(found)
        number = len(found)
        while True:
            await asyncio.sleep(0.01)
            machine.disk.append("log", bytes([number % 256]))
            if sync:
                machine.disk.sync("log")
            number += 1

    return program


@pytest.mark.parametrize("sync", [True, False])
def test_a_kill_leaves_what_was_written(sync):
    steps = {}

    async def test(cluster, loop):
        for _ in range(20):
            await asyncio.sleep(0.5)
            await cluster.processes.kill("n1")
            await cluster.processes.start("n1")
            await asyncio.sleep(0.01)

    simulate(writing(steps, sync), test)
    sizes = [len(found) for found in steps["n1"]]
    assert sizes == sorted(sizes)
    assert len(sizes) == 21
    assert sizes[-1] > 20 * 40
    assert all(found == bytes(number % 256 for number in range(len(found))) for found in steps["n1"])


def power_cuts(sync, cuts=25):
    """(bytes lost as told, bytes found after it), for a number of power cuts on one node."""
    steps, lost = {}, []

    async def test(cluster, loop):
        for _ in range(cuts):
            await asyncio.sleep(0.5)
            lost.append(await cluster.disks.power_off("n1"))
            assert await cluster.processes.state("n1") == "stopped"
            await cluster.processes.start("n1")
            await asyncio.sleep(0.01)

    simulate(writing(steps, sync), test)
    return lost, steps["n1"]


def test_a_power_cut_takes_what_was_not_synced():
    lost, found = power_cuts(sync=False)
    assert sum(lost) > 100
    assert any(len(later) < len(earlier) + 30 for earlier, later in itertools.pairwise(found))
    for content in found:  # what was read last stands before what was written since: a beginning of that, or zeros
        numbers = bytes(number % 256 for number in range(len(content)))
        assert content in (numbers, content.rstrip(b"\0").ljust(len(content), b"\0"))


def test_a_power_cut_leaves_what_was_synced_but_strikes_between_write_and_sync():
    lost, found = power_cuts(sync=True)
    sizes = [len(content) for content in found]
    assert sizes == sorted(sizes)
    assert set(lost) == {0, 1}  # one: the byte that was written when the power went, and not yet synced


def test_the_code_of_a_struck_process_does_not_get_past_the_blow():
    passed = []

    async def program(machine, addresses):
        while True:
            await asyncio.sleep(0.005)
            try:
                machine.disk.append("log", b"x")
            except Exception:
                passed.append("caught")
            finally:
                machine.log("in finally")
                with contextlib.suppress(OSError):
                    asyncio.get_running_loop().call_soon(passed.append, "scheduled")

    async def test(cluster, loop):
        for _ in range(20):
            await cluster.processes.kill("n1")
            assert await cluster.processes.state("n1") == "stopped"
            passed.clear()
            await asyncio.sleep(1)
            assert passed == []
            await cluster.processes.start("n1")
            await asyncio.sleep(0.1)

    simulate(program, test, nodes=("n1",))


def test_power_off_of_a_stopped_node_loses_what_the_kill_had_left():
    steps = {}

    async def test(cluster, loop):
        await asyncio.sleep(1)
        await cluster.processes.kill("n1")
        return sum([await cluster.disks.power_off("n1"), await cluster.disks.power_off("n1")])

    lost = [simulate(writing(steps, sync=False), test, seed=seed) for seed in range(8)]
    assert max(lost) > 50


# ── clocks, time and chance ──────────────────────────────────────────────────────────────────────────────────────────


def test_wall_clocks_drift_a_little_and_jump_when_told():
    async def program(machine, addresses):
        async def tell(reader, writer):
            await reader.readline()
            writer.write(b"%d\n" % machine.wall_ns())
            writer.close()

        await (await asyncio.start_server(tell, *addresses[machine.name])).serve_forever()

    async def test(cluster, loop):
        await asyncio.sleep(1000)
        drift = [await cluster.clocks.offset_ns(node) for node in cluster.nodes]
        assert all(0 < abs(offset) <= World().drift_ppm * 1001 * 1000 for offset in drift)
        assert len(set(drift)) == 3
        await cluster.clocks.set_offset_ns("n1", -60 * 10**9)
        assert await cluster.clocks.offset_ns("n1") == -60 * 10**9
        assert await cluster.clocks.offset_ns("n2") == drift[1]
        return int(await ask(cluster, "n1")) - (EPOCH_NS + loop.now_ns())

    assert simulate(program, test) == pytest.approx(-60 * 10**9, abs=10**8)
