"""Disks that break while the power is on, clocks that run wrong, machines that are held short."""

import asyncio
import contextlib
import errno

import pytest
from little import EVEN, Little, ask, echo, simulate

from harness.errors import InfrastructureError
from harness.protocols import BreaksDisks, DriftsClocks, LimitsProcesses, StopsProcesses, TellsLimits
from harness.simulation.ground import SimGround
from harness.simulation.world import World

SECOND_NS = 10**9


def in_world(world, program, test, nodes=("n1", "n2"), seed=1):
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


def keeping(notes, every_s=0.01):
    """A server that appends and syncs now and then, notes each error, and answers each line once it is synced."""

    async def program(machine, addresses):
        async def serve(reader, writer):
            with contextlib.suppress(OSError):
                while line := await reader.readline():
                    machine.disk.append("asked", line)
                    machine.disk.sync("asked")
                    writer.write(line)

        server = await asyncio.start_server(serve, *addresses[machine.name])
        found = machine.disk.read("log") if "log" in machine.disk.list() else b""
        notes.append((machine.name, "found", machine.monotonic_ns(), found))
        async with server:
            while True:
                await asyncio.sleep(every_s)
                try:
                    machine.disk.append("log", b"x")
                    machine.disk.sync("log")
                    notes.append((machine.name, "synced", machine.monotonic_ns(), None))
                except OSError as error:
                    notes.append((machine.name, "error", machine.monotonic_ns(), error.errno))

    return program


def times(notes, what, since_ns=0, node="n1"):
    return [at for name, kind, at, _ in notes if (name, kind) == (node, what) and at >= since_ns]


def test_the_surfaces_have_these_abilities():
    async def test(cluster, loop):
        assert isinstance(cluster.disks, BreaksDisks)
        assert isinstance(cluster.clocks, DriftsClocks)
        assert all(isinstance(cluster.processes, kind) for kind in (LimitsProcesses, TellsLimits, StopsProcesses))
        return cluster.disks.breakages()

    assert simulate(echo, test) == {"full", "read-only", "slow", "hung", "error", "lying-fsync"}


@pytest.mark.parametrize(
    ("kind", "number", "said"),
    [
        ("full", errno.ENOSPC, "No space left"),
        ("read-only", errno.EROFS, "Read-only"),
        ("error", errno.EIO, "Input/output error"),
    ],
)
def test_a_broken_disk_answers_with_its_error_until_it_is_mended(kind, number, said):
    notes = []

    async def test(cluster, loop):
        broken = loop.now_ns()
        evidence = await cluster.disks.break_disk("n1", kind)
        await asyncio.sleep(1)
        mended = loop.now_ns()
        again = await cluster.disks.mend_disk("n1")
        await asyncio.sleep(1)
        return broken, mended, evidence, again

    broken, mended, evidence, again = simulate(keeping(notes), test)
    assert said in evidence
    assert "done" in again
    errors = [(at, code) for name, what, at, code in notes if (name, what) == ("n1", "error")]
    assert {code for _, code in errors} == {number}
    assert all(broken <= at < mended for at, _ in errors)
    assert not [at for at in times(notes, "synced", broken) if at < mended]
    assert len(times(notes, "synced", mended)) > 90
    assert times(notes, "error", node="n2") == []


def test_a_slow_disk_holds_the_process_up_and_what_it_sends():
    notes = []

    async def test(cluster, loop):
        quick = loop.time()
        await ask(cluster, "n1", timeout_s=5)
        quick = loop.time() - quick
        evidence = await cluster.disks.break_disk("n1", "slow")
        began = loop.now_ns()
        slow = loop.time()
        await ask(cluster, "n1", timeout_s=5)
        slow = loop.time() - slow
        await asyncio.sleep(5)
        ended = loop.now_ns()
        await cluster.disks.mend_disk("n1")
        await asyncio.sleep(1)
        return quick, slow, evidence, began, ended

    quick, slow, evidence, began, ended = simulate(keeping(notes), test)
    assert quick < 0.05
    assert 0.2 <= slow < 1
    assert "100 ms" in evidence
    rate = len([at for at in times(notes, "synced", began) if at < ended]) / ((ended - began) / SECOND_NS)
    assert rate == pytest.approx(5, abs=1)  # two calls of 0.1 s for each
    assert len(times(notes, "synced", ended)) > 90


def test_a_hung_disk_holds_the_process_until_it_is_mended_and_nothing_is_lost():
    notes = []

    async def test(cluster, loop):
        hung = loop.now_ns()
        assert "no answer" in await cluster.disks.break_disk("n1", "hung")
        asking = asyncio.create_task(ask(cluster, "n1", timeout_s=60))
        await asyncio.sleep(10)
        assert not asking.done()
        assert await cluster.processes.state("n1") == "running"
        mended = loop.now_ns()
        await cluster.disks.mend_disk("n1")
        assert await asking == b"hello\n"
        return hung, mended, loop.now_ns()

    hung, mended, answered = simulate(keeping(notes), test)
    assert len([at for at in times(notes, "synced", hung) if at < mended]) <= 1
    assert answered - mended < SECOND_NS // 10


@pytest.mark.parametrize("end", ["kill", "power_off"])
def test_a_process_on_a_hung_disk_can_be_ended(end):
    notes = []

    async def test(cluster, loop):
        await cluster.disks.break_disk("n1", "hung")
        await asyncio.sleep(1)
        await (cluster.processes.kill("n1") if end == "kill" else cluster.disks.power_off("n1"))
        assert await cluster.processes.state("n1") == "stopped"
        await cluster.disks.mend_disk("n1")
        await cluster.processes.start("n1")
        since = loop.now_ns()
        await asyncio.sleep(1)
        return since

    since = simulate(keeping(notes), test)
    assert len(times(notes, "synced", since)) > 90


def test_a_sync_that_lies_is_found_out_by_a_loss_of_power():
    def lost(kind):
        notes = []

        async def test(cluster, loop):
            if kind is not None:
                assert "gone after a loss of power" in await cluster.disks.break_disk("n1", kind)
            await asyncio.sleep(1)
            return await cluster.disks.power_off("n1")

        return max(simulate(keeping(notes), test, seed=seed) for seed in range(6))

    assert lost(None) <= 1
    assert lost("lying-fsync") > 50


def test_a_disk_breaks_in_no_other_way_and_no_file_is_damaged_otherwise():
    async def test(cluster, loop):
        with pytest.raises(InfrastructureError, match="breaks like 'melted'; full"):
            await cluster.disks.break_disk("n1", "melted")
        with pytest.raises(InfrastructureError, match="damaged by 'melt'"):
            await cluster.disks.corrupt("n1", "*", "melt", 1, 1)
        with pytest.raises(InfrastructureError, match="does not count it"):
            await cluster.processes.limit_memory("n1", 5)
        await cluster.processes.limit_memory("n1", 0)

    simulate(echo, test)


def test_files_are_damaged_for_good():
    notes = []

    async def test(cluster, loop):
        await asyncio.sleep(1)
        await cluster.processes.kill("n1")
        told = await cluster.disks.corrupt("n1", "lo?", "bitflip", 3, 7)
        nothing = await cluster.disks.corrupt("n1", "nothing*", "truncate", 3, 7)
        await cluster.processes.start("n1")
        await asyncio.sleep(0.01)
        return told, nothing

    told, nothing = simulate(keeping(notes), test)
    assert told.startswith("log: flipped a bit in byte ")
    assert nothing == "n1 has no file with anything in it that fits 'nothing*'"
    found = [content for name, what, _, content in notes if (name, what) == ("n1", "found")][-1]
    assert 1 <= sum((byte ^ ord("x")).bit_count() for byte in found) <= 3


# ── by chance, as the world has it ───────────────────────────────────────────────────────────────────────────────────


def test_a_world_of_failing_writes_fails_some_of_them_and_goes_on():
    notes = []

    async def test(cluster, loop):
        await asyncio.sleep(10)

    in_world(World(failed_writes=0.05), keeping(notes), test)
    for node in ("n1", "n2"):
        assert 50 < len(times(notes, "error", node=node)) < 150
        assert len(times(notes, "synced", node=node)) > 800


def test_a_world_of_lying_syncs_loses_now_and_then():
    async def test(cluster, loop):
        await asyncio.sleep(1)
        return await cluster.disks.power_off("n1")

    lost = [in_world(World(lying_syncs=0.5), keeping([]), test, seed=seed) for seed in range(20)]
    assert 0 in lost
    assert max(lost) > 1


def test_bad_disks_may_be_those_of_some_nodes_only():
    nodes = tuple(f"n{number}" for number in range(1, 21))
    notes = []

    async def test(cluster, loop):
        await asyncio.sleep(5)

    in_world(World(failed_writes=0.1, bad_disks=0.3), keeping(notes), test, nodes)
    bad = [node for node in nodes if times(notes, "error", node=node)]
    assert 2 <= len(bad) <= 12


def test_a_read_may_flip_a_bit_and_the_next_one_not():
    reads = []

    async def program(machine, addresses):
        machine.disk.append("log", b"abc")
        for _ in range(200):
            reads.append(machine.disk.read("log"))
        await asyncio.sleep(100)

    async def test(cluster, loop):
        await asyncio.sleep(1)

    in_world(World(flipped_reads=0.1), program, test, ("n1",))
    wrong = [read for read in reads if read != b"abc"]
    assert 8 < len(wrong) < 40
    assert all(sum((a ^ b).bit_count() for a, b in zip(read, b"abc", strict=True)) == 1 for read in wrong)


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_wall_clock_runs_fast_slow_and_not_at_all_and_keeps_what_it_gained():
    async def test(cluster, loop):
        clocks, seen = cluster.clocks, []

        async def gained():
            before = await clocks.offset_ns("n1")
            await asyncio.sleep(10)
            return (await clocks.offset_ns("n1") - before) / SECOND_NS

        seen.append(await gained())
        await clocks.set_rate_ppm("n1", 1_000_000)
        seen.append(await gained())
        await clocks.set_rate_ppm("n1", -500_000)
        seen.append(await gained())
        await clocks.freeze_clock("n1", True)
        await clocks.freeze_clock("n1", True)
        seen.append(await gained())
        await clocks.set_rate_ppm("n1", 0)
        await clocks.freeze_clock("n1", False)
        seen.append(await gained())
        kept = await clocks.offset_ns("n1") / SECOND_NS
        await clocks.set_offset_ns("n1", -3 * SECOND_NS)
        return seen, kept, await clocks.offset_ns("n1"), await clocks.monotonic_offset_ns("n1")

    seen, kept, offset, monotonic = simulate(echo, test, world=EVEN)
    assert seen == pytest.approx([0, 10, -5, -10, 0], abs=0.01)
    assert kept == pytest.approx(-5, abs=0.01)
    assert (offset, monotonic) == (-3 * SECOND_NS, 0)


def test_a_frozen_clock_stands_still_for_the_server_and_can_jump():
    walls = []

    async def program(machine, addresses):
        while True:
            walls.append(machine.wall_ns())
            await asyncio.sleep(0.5)

    async def test(cluster, loop):
        await cluster.clocks.freeze_clock("n1", True)
        walls.clear()
        await asyncio.sleep(5)
        still = set(walls)
        await cluster.clocks.set_offset_ns("n1", 0)
        walls.clear()
        await asyncio.sleep(5)
        return still, set(walls)

    still, jumped = simulate(program, test, nodes=("n1",))
    assert len(still) == len(jumped) == 1
    assert min(jumped) - min(still) == pytest.approx(5 * SECOND_NS, abs=10**8)


def test_a_world_can_begin_with_clocks_that_are_off():
    async def test(cluster, loop):
        return [await cluster.clocks.offset_ns(node) for node in cluster.nodes]

    offsets = in_world(World(offset_ms=5000), echo, test, ("n1", "n2", "n3"))
    assert max(map(abs, offsets)) <= 5.1 * SECOND_NS
    assert len({offset // 10**7 for offset in offsets}) == 3


# ── limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_frozen_machine_stands_still_answers_nothing_and_goes_on():
    notes = []

    async def test(cluster, loop):
        frozen = loop.now_ns()
        await cluster.processes.freeze("n1")
        await cluster.processes.resume("n1")  # of no use to a machine that stands still
        assert not await cluster.net.reaches("n2", "n1")
        assert (await cluster.processes.limits("n1"))["frozen"] == 1
        with pytest.raises(TimeoutError):
            await ask(cluster, "n1", timeout_s=5)
        thawed = loop.now_ns()
        await cluster.processes.thaw("n1")
        await cluster.processes.thaw("n1")
        assert await ask(cluster, "n1") == b"hello\n"
        return frozen, thawed

    frozen, thawed = simulate(keeping(notes), test, world=EVEN)
    assert not [at for at in times(notes, "synced", frozen + 1) if at < thawed]
    assert times(notes, "synced", thawed)[0] == thawed  # its timers ring late


def test_a_share_of_a_core_is_a_share_of_the_time():
    async def program(machine, addresses):
        server = await asyncio.start_server(lambda *_: None, *addresses[machine.name])
        while server:
            await asyncio.sleep(0.001)
            beats.append(machine.monotonic_ns())

    beats = []

    async def test(cluster, loop):
        counts = []
        for share in (0, 0.2, 0.5, 1):
            await cluster.processes.limit_cpu("n1", share)
            begun = len(beats)
            await asyncio.sleep(10)
            counts.append(len(beats) - begun)
        limits = await cluster.processes.limits("n1")
        await cluster.processes.limit_cpu("n1", 0.1)
        await asyncio.sleep(1)
        await cluster.processes.kill("n1")
        await cluster.processes.start("n1")
        await asyncio.sleep(1)
        return counts, limits

    counts, limits = simulate(program, test, nodes=("n1",))
    whole = counts[0]
    assert [count / whole for count in counts] == pytest.approx([1, 0.2, 0.5, 1], abs=0.03)
    assert limits["throttled_ms"] == pytest.approx(8000 + 5000, rel=0.05)
    assert limits["cpu_share"] == 0


def test_a_server_that_is_stopped_is_gone():
    async def test(cluster, loop):
        await cluster.processes.stop("n1")
        await cluster.processes.stop("n1")
        return await cluster.processes.state("n1")

    assert simulate(echo, test) == "stopped"
