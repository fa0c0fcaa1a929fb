import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.simulation.disk import SimDisk
from harness.streams import Random

SEEDS = range(200)


def after_power_loss(prepare, look):
    """All that can be seen after a loss of power, over many seeds."""
    seen = set()
    for seed in SEEDS:
        disk = SimDisk(Random(seed))
        prepare(disk)
        disk.lose_power()
        seen.add(look(disk))
    return seen


def content(disk):
    return disk.read("log") if "log" in disk.list() else None


def test_what_was_synced_survives():
    def prepare(disk):
        disk.append("log", b"ab")
        disk.sync("log")

    assert after_power_loss(prepare, content) == {b"ab"}


def test_of_what_was_appended_since_the_sync_any_beginning_may_survive():
    def prepare(disk):
        disk.append("log", b"ab")
        disk.sync("log")
        disk.append("log", b"cd")
        disk.append("log", b"ef")

    assert after_power_loss(prepare, content) == {b"abcdef"[:size] for size in range(2, 7)}


def test_a_file_whose_name_was_never_synced_may_be_gone_empty_or_torn():
    assert after_power_loss(lambda disk: disk.append("log", b"ab"), content) == {None, b"", b"a", b"ab"}


def test_a_file_synced_elsewhere_makes_all_names_durable_but_not_their_content():
    def prepare(disk):
        disk.append("log", b"ab")
        disk.append("other", b"")
        disk.sync("other")

    assert after_power_loss(prepare, content) == {b"", b"a", b"ab"}


def test_a_rename_happened_or_did_not():
    def prepare(disk):
        disk.write("log", b"old")
        disk.sync("log")
        disk.write("aside", b"new")
        disk.sync("aside")
        disk.rename("aside", "log")

    assert after_power_loss(prepare, lambda disk: (tuple(disk.list()), disk.read("log"))) == {
        (("aside", "log"), b"old"),
        (("log",), b"new"),
    }


def test_a_rename_of_what_was_not_synced_may_leave_the_name_with_nothing_in_it():
    def prepare(disk):
        disk.write("log", b"old")
        disk.sync("log")
        disk.write("aside", b"new")
        disk.rename("aside", "log")

    assert after_power_loss(prepare, content) == {b"old", b"", b"n", b"ne", b"new"}


def test_a_removal_may_be_undone_and_a_truncation_too():
    def prepare(disk):
        disk.write("log", b"old")
        disk.sync("log")
        disk.truncate("log", 1)

    assert after_power_loss(prepare, content) == {b"old", b"o"}

    def removed(disk):
        prepare(disk)
        disk.sync("log")
        disk.remove("log")

    assert after_power_loss(removed, content) == {None, b"o"}


def test_the_bytes_lost_are_those_that_are_gone():
    told = set()
    for seed in SEEDS:
        disk = SimDisk(Random(seed))
        disk.append("kept", b"kept")
        disk.append("log", b"ab")
        disk.sync("log")
        disk.sync("kept")
        disk.append("log", b"cdef")
        disk.append("fresh", b"xyz")
        lost = disk.lose_power()
        left = sum(len(disk.read(name)) for name in disk.list())
        assert lost == 4 + 2 + 4 + 3 - left
        told.add(lost)
    assert {0, 7} <= told


def test_a_second_loss_of_power_takes_nothing_more():
    for seed in SEEDS:
        disk = SimDisk(Random(seed))
        disk.append("log", b"abcdef")
        disk.lose_power()
        left = content(disk)
        assert disk.lose_power() == 0
        assert content(disk) == left


def test_a_full_disk_takes_what_fits_and_says_so():
    disk = SimDisk(Random(1), capacity_bytes=10)
    disk.append("log", b"12345678")
    with pytest.raises(OSError, match="log") as caught:
        disk.append("log", b"abcd")
    assert caught.value.errno == errno.ENOSPC
    assert disk.read("log") == b"12345678ab"
    disk.truncate("log", 5)
    disk.append("log", b"abcde")
    disk.write("log", b"again")
    disk.write("other", b"12345")
    with pytest.raises(OSError, match="more"):
        disk.append("more", b"x")
    disk.rename("other", "log")
    disk.append("log", b"12345")
    disk.remove("log")
    disk.append("log", b"1234567890")
    assert disk.list() == ["log", "more"]


def test_a_loss_of_power_makes_room_on_a_full_disk():
    rooms = set()
    for seed in SEEDS:
        disk = SimDisk(Random(seed), capacity_bytes=10)
        disk.append("log", b"1234567890")
        disk.lose_power()
        room = 10 - len(content(disk) or b"")
        disk.append("log", bytes(room))
        with pytest.raises(OSError, match="log"):
            disk.append("log", b"x")
        rooms.add(room)
    assert {0, 10} <= rooms


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.binary(min_size=1, max_size=4)),
        st.just(("sync",)),
        st.tuples(st.just("cut"), st.integers(0, 20)),
    ),
    max_size=20,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**32))
def test_what_survives_is_something_that_was_there_since_the_last_sync(steps, seed):
    """Allowed is every state between two steps since then, and every tearing of an append; nothing else."""
    disk = SimDisk(Random(seed))
    disk.append("log", b"")
    disk.sync("log")
    now, allowed = b"", {b""}
    for step in steps:
        if step[0] == "append":
            disk.append("log", step[1])
            allowed |= {now + step[1][:size] for size in range(len(step[1]) + 1)}
            now += step[1]
        elif step[0] == "sync":
            disk.sync("log")
            allowed = {now}
        elif step[1] <= len(now):
            disk.truncate("log", step[1])
            now = now[: step[1]]
            allowed.add(now)
        assert disk.read("log") == now
    disk.lose_power()
    assert disk.read("log") in allowed
