"""The laws of `harness.protocols.Disk`, on the real disk and on its simulated twin."""

import errno
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.disk import RealDisk
from harness.simulation.disk import SimDisk
from harness.streams import Random

MAKERS = {"real": lambda folder: RealDisk(folder), "simulated": lambda folder: SimDisk(Random(1))}


@pytest.fixture(params=MAKERS)
def disk(request, tmp_path):
    return MAKERS[request.param](tmp_path)


def test_an_empty_disk_has_no_files(disk):
    assert disk.list() == []


def test_what_is_appended_is_read_back_whole(disk):
    disk.append("log", b"one")
    disk.append("log", b"")
    disk.append("log", b"two")
    assert disk.read("log") == b"onetwo"
    assert isinstance(disk.read("log"), bytes)
    assert disk.list() == ["log"]


def test_appending_nothing_makes_the_file(disk):
    disk.append("log", b"")
    assert disk.read("log") == b""


def test_write_replaces_the_content(disk):
    disk.write("state", b"a longer text")
    disk.write("state", b"short")
    assert disk.read("state") == b"short"


def test_truncate_cuts_the_end_off(disk):
    disk.append("log", b"abcdef")
    disk.truncate("log", 6)
    disk.truncate("log", 2)
    disk.append("log", b"X")
    assert disk.read("log") == b"abX"
    disk.truncate("log", 0)
    assert disk.read("log") == b""


@pytest.mark.parametrize("size", [-1, 4])
def test_truncate_does_not_make_a_file_longer(disk, size):
    disk.append("log", b"abc")
    with pytest.raises(ValueError, match=f"log has 3 bytes and cannot be cut to {size}"):
        disk.truncate("log", size)
    assert disk.read("log") == b"abc"


def test_rename_replaces_the_target(disk):
    disk.write("state", b"old")
    disk.write("state.new", b"new")
    disk.rename("state.new", "state")
    assert disk.list() == ["state"]
    assert disk.read("state") == b"new"
    disk.append("state", b"er")
    assert disk.read("state") == b"newer"


def test_rename_to_itself_changes_nothing(disk):
    disk.write("state", b"x")
    disk.rename("state", "state")
    assert disk.read("state") == b"x"


def test_a_removed_file_is_gone_and_can_be_made_again(disk):
    disk.append("log", b"abc")
    disk.remove("log")
    assert disk.list() == []
    with pytest.raises(FileNotFoundError):
        disk.read("log")
    disk.append("log", b"z")
    assert disk.read("log") == b"z"


def test_folders_are_made_as_needed_and_are_no_files(disk):
    disk.write("snapshots/1/data", b"s")
    disk.append("log", b"l")
    disk.sync("snapshots/1/data")
    disk.rename("log", "old/log")
    assert disk.list() == ["old/log", "snapshots/1/data"]
    assert disk.read("old/log") == b"l"


def test_files_are_listed_in_order(disk):
    for name in ("b", "a", "c/1", "B", "a-1"):
        disk.append(name, b"")
    assert disk.list() == sorted(["b", "a", "c/1", "B", "a-1"])


def test_sync_is_allowed_at_any_time_and_changes_nothing_seen(disk):
    disk.append("log", b"abc")
    disk.sync("log")
    disk.sync("log")
    assert disk.read("log") == b"abc"


@pytest.mark.parametrize(
    "act",
    [
        lambda disk: disk.read("none"),
        lambda disk: disk.truncate("none", 0),
        lambda disk: disk.rename("none", "other"),
        lambda disk: disk.remove("none"),
        lambda disk: disk.sync("none"),
    ],
    ids=["read", "truncate", "rename", "remove", "sync"],
)
def test_a_missing_file_is_told_as_such(disk, act):
    with pytest.raises(FileNotFoundError) as caught:
        act(disk)
    assert caught.value.errno == errno.ENOENT
    assert disk.list() == []


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../up", "a/../../b", "a//b", "./a", "a/"])
def test_a_path_that_is_not_below_the_top_is_refused(disk, path):
    for act in (
        disk.read,
        disk.remove,
        disk.sync,
        lambda path: disk.append(path, b"x"),
        lambda path: disk.write(path, b"x"),
    ):
        with pytest.raises(ValueError, match="no path below the disk's top"):
            act(path)
    disk.append("log", b"")
    with pytest.raises(ValueError, match="no path below the disk's top"):
        disk.rename("log", path)
    assert disk.list() == ["log"]


NAMES = st.sampled_from(["a", "b", "f/a"])
DATA = st.binary(max_size=6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), NAMES, DATA),
        st.tuples(st.just("write"), NAMES, DATA),
        st.tuples(st.just("truncate"), NAMES, st.integers(0, 8)),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("remove"), NAMES),
        st.tuples(st.just("sync"), NAMES),
    ),
    max_size=25,
)


def outcome(disk, step):
    """What a step comes to: the error, or the files afterwards."""
    call, *arguments = step
    try:
        getattr(disk, call)(*arguments)
    except (FileNotFoundError, ValueError) as error:
        return type(error).__name__
    return [(name, disk.read(name)) for name in disk.list()]


@settings(max_examples=int(os.environ.get("SPLITBRAIN_TORTURE", "0")) * 1900 + 100, deadline=None)
@given(steps=STEPS)
def test_both_twins_do_the_same_in_every_sequence(steps, tmp_path_factory):
    real, simulated = RealDisk(tmp_path_factory.mktemp("disk")), SimDisk(Random(1))
    for step in steps:
        assert outcome(real, step) == outcome(simulated, step), step
