"""What survives a crash: torn tails are cut at every byte, damage in the middle is refused."""

import errno
import os

import pytest
from memory_disk import MemoryDisk

from system_under_test.leader_follower.hard_state import load_hard_state, save_hard_state
from system_under_test.leader_follower.messages import Entry
from system_under_test.leader_follower.wal import HEADER, CorruptLog, WriteAheadLog, frame_at


def entry(index, generation=1):
    return Entry(generation, index, ["write", "k", f"value {index} of {generation}"])


def filled(batches, segment_bytes=1 << 20, disk=None):
    disk = disk or MemoryDisk()
    wal, _ = WriteAheadLog.open(disk, segment_bytes)
    for batch in batches:
        wal.append(batch)
        wal.write()
        wal.sync()
    return disk


def reopened(disk):
    return WriteAheadLog.open(disk)[1]


def test_what_was_written_is_read_again_and_appended_to():
    disk = filled([[entry(1), entry(2)], [entry(3)]])
    wal, entries = WriteAheadLog.open(disk)
    assert entries == [entry(1), entry(2), entry(3)]
    wal.append([entry(4)])
    assert wal.write() == (1, 4)
    assert reopened(disk) == [entry(i) for i in (1, 2, 3, 4)]


def test_a_torn_tail_is_cut_at_every_byte():
    whole = filled([[entry(1), entry(2)], [entry(3)], [entry(4), entry(5)]]).files["log-00000001"]
    ends, offset = [0], 0
    while (payload := frame_at(whole, offset)) is not None:
        offset += HEADER.size + len(payload)
        ends.append(offset)
    counts = dict(zip(ends, (0, 2, 3, 5), strict=True))
    for size in range(len(whole) + 1):
        disk = MemoryDisk({"log-00000001": whole[:size]})
        kept = max(end for end in ends if end <= size)
        assert len(reopened(disk)) == counts[kept]
        assert len(disk.files["log-00000001"]) == kept
        wal, entries = WriteAheadLog.open(disk)
        wal.append([entry(len(entries) + 1)])
        wal.write()
        assert len(reopened(disk)) == len(entries) + 1


def test_a_tail_of_zeros_is_cut():
    disk = filled([[entry(1)]])
    disk.files["log-00000001"] += bytes(4096)
    assert reopened(disk) == [entry(1)]


def test_a_flipped_bit_anywhere_is_refused():
    whole = filled([[entry(1)], [entry(2)]]).files["log-00000001"]
    for place in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(CorruptLog, match="not a torn write"):
            reopened(MemoryDisk({"log-00000001": bytes(damaged)}))


def test_a_last_frame_with_holes_is_cut():
    whole = filled([[entry(1)], [entry(2)]]).files["log-00000001"]
    last = max(at for at in range(len(whole)) if frame_at(whole, at))
    for first in range(last, len(whole) - 1):
        for size in (2, 7, 1000) if first >= last + HEADER.size else (1000,):
            holed = whole[:first] + bytes(len(whole[first : first + size])) + whole[first + size :]
            assert reopened(MemoryDisk({"log-00000001": holed})) == [entry(1)]


def test_a_node_that_compares_no_checksums_takes_what_it_reads():
    whole = filled([[entry(1)], [entry(2)]]).files["log-00000001"]
    damaged = MemoryDisk({"log-00000001": whole.replace(b"value 1", b"value 3")})
    _, entries = WriteAheadLog.open(damaged, checked=False)
    assert [one.command[2] for one in entries] == ["value 3 of 1", "value 2 of 1"]
    broken = MemoryDisk({"log-00000001": whole.replace(b"[", b"{", 1)})
    with pytest.raises(CorruptLog, match="has no entries at byte 0"):
        WriteAheadLog.open(broken, checked=False)


def test_a_damaged_segment_that_is_not_the_last_is_refused_and_so_is_a_missing_one():
    disk = filled([[entry(i)] for i in range(1, 30)], segment_bytes=200)
    assert len(disk.files) > 3
    assert reopened(disk) == [entry(i) for i in range(1, 30)]
    cut = MemoryDisk(disk.files)
    cut.truncate("log-00000002", len(cut.files["log-00000002"]) - 1)
    with pytest.raises(CorruptLog, match="not the last segment"):
        reopened(cut)
    missing = MemoryDisk(disk.files)
    missing.remove("log-00000002")
    with pytest.raises(CorruptLog, match="log-00000002 of the log is missing"):
        reopened(missing)


def test_a_later_entry_replaces_the_tail_also_after_reopening():
    disk = filled([[entry(1), entry(2), entry(3)], [entry(2, 2)]])
    assert reopened(disk) == [entry(1), entry(2, 2)]


def test_a_gap_is_refused():
    with pytest.raises(CorruptLog, match="entry 3 where 2 was due"):
        reopened(filled([[entry(1)], [entry(3)]]))


def test_a_full_disk_keeps_what_was_whole_and_takes_the_rest_later():
    disk = filled([[entry(1)]])
    wal, _ = WriteAheadLog.open(disk)
    disk.room = 10
    wal.append([entry(2)])
    for _ in range(2):
        with pytest.raises(OSError, match="no space") as caught:
            wal.write()
        assert caught.value.errno == errno.ENOSPC
    disk.room = None
    wal.append([entry(3)])
    assert wal.write() == (1, 3)
    assert reopened(disk) == [entry(1), entry(2), entry(3)]


def test_one_batch_is_one_sync_and_large_batches_are_several_frames():
    disk = MemoryDisk()
    wal, _ = WriteAheadLog.open(disk)
    many = [Entry(1, i, ["write", "k", "x" * 8000]) for i in range(1, 201)]
    wal.append(many)
    wal.write()
    wal.sync()
    wal.sync()
    assert disk.syncs == 1
    assert reopened(disk) == many


def test_what_a_killed_process_left_unsynced_is_synced_before_it_counts():
    disk = MemoryDisk()
    wal, _ = WriteAheadLog.open(disk)
    wal.append([entry(1)])
    wal.write()
    wal, _ = WriteAheadLog.open(disk)
    wal.sync()
    assert disk.syncs == 1
    save_hard_state(disk, 3, "n2")
    before = disk.syncs
    load_hard_state(disk)
    assert disk.syncs == before + 1


def test_hard_state_is_replaced_whole():
    disk = MemoryDisk()
    assert load_hard_state(disk) == (0, None)
    save_hard_state(disk, 3, "n2")
    save_hard_state(disk, 4, None)
    assert load_hard_state(disk) == (4, None)
    disk.files["hard-state.new"] = os.urandom(5)
    assert load_hard_state(disk) == (4, None)
    disk.files["hard-state"] = disk.files["hard-state"][:-1]
    with pytest.raises(CorruptLog, match="hard-state is damaged"):
        load_hard_state(disk)
