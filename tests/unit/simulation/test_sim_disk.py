import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.simulation.disk import SimDisk
from harness.simulation.world import World
from harness.streams import Random, Streams

SEEDS = range(200)
PREFIX = World(survivors="prefix")


def after_power_loss(prepare, look, world=PREFIX, seeds=SEEDS):
    """All that can be seen after a loss of power, over many seeds."""
    seen = set()
    for seed in seeds:
        disk = SimDisk(Random(seed), world=world)
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
        disk = SimDisk(Random(seed), world=PREFIX)
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
def test_what_survives_as_a_prefix_is_something_that_was_there_since_the_last_sync(steps, seed):
    """Allowed is every state between two steps since then, and every tearing of an append; nothing else."""
    disk = SimDisk(Random(seed), world=PREFIX)
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


def appended(*pieces):
    def prepare(disk):
        disk.append("log", b"ab")
        disk.sync("log")
        for piece in pieces:
            disk.append("log", piece)

    return prepare


def test_on_ext4_a_size_can_be_there_before_its_bytes():
    seen = after_power_loss(appended(b"cd", b"ef"), content, World(survivors="ext4"), range(4000))
    ends = {b"abcdef"[:kept].ljust(size, b"\0") for kept in range(2, 7) for size in (kept, 4, 6) if size >= kept}
    assert seen == ends
    assert b"ab\0\0\0\0" in seen


def test_as_a_subset_later_pieces_survive_without_earlier_ones():
    sectors = World(survivors="subset", torn="sector")
    seen = after_power_loss(appended(b"c" * 510, b"d" * 512, b"e"), content, sectors)
    parts = [b"c" * 510, b"d" * 512, b"e"]
    expected = set()
    for kept in range(8):
        pieces = [part if kept >> place & 1 else bytes(len(part)) for place, part in enumerate(parts)]
        last = max((place for place in range(3) if kept >> place & 1), default=-1)
        expected.add(b"ab" + b"".join(pieces[: last + 1]))
    assert seen == expected


def test_writes_tear_at_sectors_where_the_world_says_so():
    world = World(survivors="prefix", torn="sector")
    seen = after_power_loss(appended(b"x" * 2000), content, world, range(400))
    assert {len(found) for found in seen} == {2, 512, 1024, 1536, 2002}


def test_a_truncation_may_get_lost_while_what_was_appended_after_it_stays():
    def prepare(disk):
        disk.append("log", b"abcdef")
        disk.sync("log")
        disk.truncate("log", 2)
        disk.append("log", b"XY")

    assert b"abXYef" in after_power_loss(prepare, content, World(survivors="subset"))


def test_names_may_survive_out_of_order_where_the_world_says_so():
    def prepare(disk):
        disk.write("one", b"1")
        disk.sync("one")
        disk.write("two", b"2")
        disk.rename("one", "three")

    def look(disk):
        return tuple(disk.list())

    in_order = {("one",), ("one", "two"), ("three", "two")}
    assert after_power_loss(prepare, look, World(names="prefix")) == in_order
    assert after_power_loss(prepare, look, World(names="subset")) == in_order | {("three",)}


def test_a_sync_that_failed_loses_what_it_was_for_even_if_the_next_one_succeeds():
    disk = SimDisk(Random(1))
    disk.append("log", b"ab")
    disk.sync("log")
    disk.append("log", b"cd")
    disk.fail_sync("log")
    assert disk.read("log") == b"abcd"
    disk.append("log", b"ef")
    disk.sync("log")
    disk.lose_power()
    assert disk.read("log") == b"ab\0\0ef"


def test_damage_is_done_to_the_platter_too():
    disk = SimDisk(Random(1))
    disk.append("log-1", b"abcdef")
    disk.append("other", b"abcdef")
    disk.sync("log-1")
    disk.sync("other")
    chance = Streams(3).stream("damage")
    assert disk.damage("log-*", "truncate", 2, chance) == "log-1: cut from 6 to 4 bytes"
    assert disk.damage("o*", "bitflip", 3, chance).startswith("other: flipped a bit in byte ")
    assert disk.damage("none", "bitflip", 1, chance) is None
    assert disk.damage("*", "truncate", 0, chance).split(":")[0] in ("log-1", "other")
    before = disk.read("log-1"), disk.read("other")
    flipped = [sum((a ^ b).bit_count() for a, b in zip(found, b"abcdef", strict=False)) for found in before]
    assert flipped == [0, 3]
    disk.lose_power()
    assert (disk.read("log-1"), disk.read("other")) == before
