"""Snapshots: what they stand for is there again after a crash at any operation of the disk, and followers get them."""

import asyncio

import pytest
from loopback import LoopCluster, do
from memory_disk import MemoryDisk
from store_pump import Pump

from harness.simulation.disk import SimDisk
from harness.streams import Random
from system_under_test.leader_follower import snapshots
from system_under_test.leader_follower.log import Log
from system_under_test.leader_follower.messages import Entry, Snapshot
from system_under_test.leader_follower.snapshot_file import ASIDE, load_snapshot, save_snapshot
from system_under_test.leader_follower.wal import CorruptLog, WriteAheadLog


def entry(index, generation=1):
    return Entry(generation, index, ["write", "k", f"value {index} of {generation}"])


def snapshot(index, generation=1):
    return Snapshot((generation, index), (0, 0), ("n1", "n2"), f'"state at {index}"')


class PowerCut(Exception):
    """The disk's time is up."""


class Failing:
    """A disk that obeys so many changing operations, and then no more."""

    def __init__(self, disk, operations):
        self.disk, self.left = disk, operations

    def __getattr__(self, name):
        method = getattr(self.disk, name)
        if name in ("read", "list"):
            return method

        def change(*arguments):
            if self.left == 0:
                raise PowerCut
            self.left -= 1
            return method(*arguments)

        return change


def opened(disk):
    taken, first = load_snapshot(disk)
    base = taken.version if taken else (0, 0)
    wal, entries = WriteAheadLog.open(disk, 200, first=first, base=base)
    return wal, base, entries


def write(wal, entries):
    for one in entries:
        wal.append([one])
        wal.write()
        wal.sync()


def life(disk, done):
    """Write, take a snapshot, go on, install another's snapshot, go on; `done` names what is durable."""
    wal, _, _ = opened(disk)
    for index in range(1, 13):
        write(wal, [entry(index)])
        done.append((1, index))
    segment = wal.segment_after(9)
    save_snapshot(disk, snapshot(9), segment)
    wal.remove_before(segment)
    write(wal, [entry(13)])
    done.append((1, 13))
    save_snapshot(disk, snapshot(40, 2), wal.next_segment())
    done.append((2, 40))
    wal.begin_anew()
    for index in range(41, 45):
        write(wal, [entry(index, 2)])
        done.append((2, index))


@pytest.mark.parametrize("seed", range(6))
def test_a_power_cut_at_every_operation_loses_nothing_that_was_durable(seed):
    finished = False
    operations = 0
    while not finished:
        disk, done = SimDisk(Random(seed * 1000 + operations)), []
        try:
            life(Failing(disk, operations), done)
            finished = True
        except PowerCut:
            pass
        disk.lose_power()
        wal, base, entries = opened(disk)
        log = Log(entries, base)
        reached = done[-1] if done else (0, 0)
        assert log.last_version() >= reached
        assert log.last_version() <= (max(reached[0], 1), reached[1] + 1) or log.last_version() == (2, 40)
        generation, index = log.last_version()
        write(wal, [entry(index + 1, generation + 1)])
        _, base, again = opened(disk)
        assert Log(again, base).last_version() == (generation + 1, index + 1)
        operations += 1
    assert operations > 40


def test_a_crash_while_the_tail_of_an_unsynced_log_is_gone_leaves_a_snapshot_to_go_on_from():
    disk = MemoryDisk()
    wal, _, _ = opened(disk)
    write(wal, [entry(1), entry(2)])
    save_snapshot(disk, snapshot(7), wal.segment_after(7))
    wal, base, entries = opened(disk)
    assert (base, entries) == ((1, 7), [])
    write(wal, [entry(8)])
    assert opened(disk)[1:] == ((1, 7), [entry(8)])


def test_whole_segments_before_the_snapshot_are_removed_and_no_others():
    disk = MemoryDisk()
    wal, _, _ = opened(disk)
    write(wal, [entry(index) for index in range(1, 30)])
    before = disk.list()
    segment = wal.segment_after(20)
    save_snapshot(disk, snapshot(20), segment)
    wal.remove_before(segment)
    gone = [name for name in before if name not in disk.list()]
    assert gone == before[: len(gone)] != []
    assert opened(disk)[2] == [entry(index) for index in range(21, 30)]


def test_a_damaged_snapshot_and_one_that_does_not_fit_its_log_are_refused():
    disk = MemoryDisk()
    save_snapshot(disk, snapshot(3), 1)
    whole = disk.files["snapshot"]
    for at in range(len(whole)):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << (at % 8)
        with pytest.raises(CorruptLog, match="snapshot is damaged"):
            load_snapshot(MemoryDisk({"snapshot": bytes(flipped)}))
    write(opened(disk)[0], [entry(index, 2) for index in range(4, 6)])
    save_snapshot(disk, snapshot(4), 1)
    with pytest.raises(CorruptLog, match="where the snapshot ends with"):
        opened(disk)


def test_half_a_snapshot_does_not_keep_a_full_disk_full():
    disk = SimDisk(Random(1), capacity_bytes=40)
    with pytest.raises(OSError, match="No space"):
        save_snapshot(disk, snapshot(3), 1)
    assert ASIDE not in disk.list()
    assert load_snapshot(disk) == (None, 1)


@pytest.mark.parametrize("options", [{}, {"replication": "sync"}, {"election": "paxos"}], ids=str)
def test_clusters_with_small_snapshots_keep_every_promise(options):
    taken = installed = 0
    for seed in range(40):
        pump = Pump(seed, snapshot_entries=4, **options).run()
        pump.check_end()
        taken, installed = taken + pump.snapshots, installed + pump.installed
    assert taken > 100
    assert installed > 5 or options == {"replication": "sync"}  # where nobody is left behind


def test_a_snapshot_comes_whole_in_many_parts_that_are_lost_and_doubled(monkeypatch):
    monkeypatch.setattr(snapshots, "PART_CHARACTERS", 40)
    installed = 0
    for seed in range(30):
        pump = Pump(seed, snapshot_entries=4).run()
        pump.check_end()
        installed += pump.installed
    assert installed > 5


def test_clusters_that_may_take_back_agree_in_the_end():
    for seed in range(30):
        pump = Pump(seed, safe=False, replication="async", snapshot_entries=4).run()
        states = [host.node.state for host in pump.hosts.values()]
        assert len({state.applied() for state in states}) == 1, seed
        assert all(state.store.dump() == states[0].store.dump() for state in states), seed


class SmallDisk(MemoryDisk):
    """One whose `write` needs room too."""

    def write(self, path, data):
        self.files[path] = b""
        self.append(path, data)


async def come_true(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what a server does to its disk sets no event
            await asyncio.sleep(0.02)


def test_a_follower_with_a_full_disk_installs_the_snapshot_once_there_is_room():
    async def run():
        async with LoopCluster(election="none", snapshot_entries=5, segment_bytes=200) as cluster:
            await cluster.kill("n3")
            client = cluster.client()
            for value in range(30):
                assert (await do(client, "write", "x", value)).type == "ok"
            await client.close()
            machine = cluster.machines["n3"]
            machine.disk = SmallDisk({"hard-state": machine.disk.files["hard-state"]}, room=0)
            cluster.start("n3")
            await come_true(lambda: any("disk is full" in line for line in machine.lines))
            assert "snapshot" not in machine.disk.list()
            machine.disk.room = None
            await come_true(lambda: "snapshot" in machine.disk.list())
            assert load_snapshot(machine.disk)[0].version[1] >= 20

    asyncio.run(run())
