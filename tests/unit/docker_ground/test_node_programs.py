"""The programs that run on nodes: what they decide, without a kernel."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.docker_ground import volumes
from harness.docker_ground.disks import told
from harness.docker_ground.host import Host, command
from harness.docker_ground.limits import read_limits
from harness.docker_ground.node_image import capture, clock_tool, disk_tool, preload_file
from harness.docker_ground.node_image.link_queue import Links, attribute, attributes
from harness.docker_ground.volume import lost_bytes
from harness.errors import InfrastructureError

MS = 1_000_000
PEER = "10.0.0.2"


def packet(source: str = PEER, size: int = 100) -> bytes:
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 0, 0, 64, 17, 0, socket.inet_aton(source), bytes(4))
    return header + bytes(size - len(header))


def told_links(**link: Any) -> Links:
    links = Links()
    links.tell({PEER: link}, seed=3)
    return links


# ── the queue ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_attributes_are_read_as_they_are_written() -> None:
    assert attributes(attribute(1, b"abc") + attribute(10, b"")) == {1: b"abc", 10: b""}
    assert attributes(b"\x00\x00\x01\x00") == {}


def test_who_is_not_named_passes_at_once() -> None:
    links = told_links(delay_ms=20)
    assert links.arrive(1, packet("10.0.0.3"), 0) == [(1, True, None)]
    assert links.arrive(2, b"short", 0) == [(2, True, None)]
    assert links.waiting() == 0


def test_a_delay_lasts_as_long_as_it_should_and_not_longer() -> None:
    links = told_links(delay_ms=20)
    assert links.arrive(1, packet(), 5 * MS) == []
    assert (links.due(24 * MS), links.pause_s(15 * MS)) == ([], pytest.approx(0.01))
    assert links.due(25 * MS) == [(1, True, None)]
    assert links.pause_s(25 * MS) is None


def test_jitter_stays_within_its_bounds_and_keeps_the_order() -> None:
    links = told_links(delay_ms=20, jitter_ms=10)
    gone: dict[int, int] = {}
    for now in range(0, 400 * MS, MS // 2):
        if now < 200 * MS and now % (2 * MS) == 0:
            links.arrive(now // MS, packet(), now)
        gone |= {number: now - number * MS for number, _, _ in links.due(now)}
    assert list(gone) == sorted(gone)
    assert len(gone) == 100
    assert min(gone.values()) >= 10 * MS
    assert max(gone.values()) <= 31 * MS
    assert max(gone.values()) - min(gone.values()) > 10 * MS


def test_loss_and_damage_take_their_share_and_no_more() -> None:
    links = told_links(loss=0.2, corrupt=0.25)
    verdicts = [verdict for number in range(2000) for verdict in links.arrive(number, packet(), 0)]
    lost = sum(not on for _, on, _ in verdicts)
    damaged = [payload for _, on, payload in verdicts if payload is not None]
    assert 330 < lost < 470
    assert 330 < len(damaged) < 470
    assert links.counts["lost"] == lost
    assert all(
        sum(bin(a ^ b).count("1") for a, b in zip(one, packet(), strict=True)) == 1 and one[:20] == packet()[:20]
        for one in damaged
    )


def test_those_that_overtake_do_not_wait() -> None:
    links = told_links(delay_ms=50, reorder=0.5)
    at_once = sum(len(links.arrive(number, packet(), 0)) for number in range(200))
    assert 70 < at_once < 130
    assert at_once + links.waiting() == 200


def test_a_share_of_packets_comes_again_as_late_as_the_first_time_and_undamaged() -> None:
    links = told_links(delay_ms=20, duplicate=0.5)
    for number in range(200):
        assert links.arrive(number, packet() + bytes([number]), number) == []
    assert (links.copies(19 * MS), links.pause_s(0)) == ([], 0.02)
    went = [number for number, _, _ in links.due(21 * MS)]
    copies = links.copies(21 * MS)
    assert went == list(range(200))
    assert 70 < len(copies) < 130
    assert links.counts["doubled"] == len(copies)
    assert [copy[-1] for copy in copies] == sorted({copy[-1] for copy in copies})
    assert {copy[:-1] for copy in copies} == {packet()}
    assert links.pause_s(21 * MS) is None


def test_without_a_delay_the_copy_comes_at_once() -> None:
    links = told_links(duplicate=1.0)
    assert links.arrive(1, packet(), 5) == [(1, True, None)]
    assert links.copies(5) == [packet()]


def test_what_is_lost_or_held_is_not_doubled_and_what_waits_is_forgotten_when_the_link_changes() -> None:
    for shape in ({"loss": 1.0}, {"hold": True}):
        links = told_links(duplicate=1.0, **shape)
        links.arrive(1, packet(), 0)
        assert links.copies(10**15) == []
    links = told_links(duplicate=1.0, delay_ms=20)
    links.arrive(1, packet(), 0)
    links.tell({}, 0)
    assert links.copies(10**15) == []


def test_a_narrow_link_lets_through_what_its_bandwidth_allows_and_loses_what_its_buffer_does_not_hold() -> None:
    links = told_links(rate_kbit=800)  # 100 bytes take a millisecond
    gone = []
    for number in range(500):
        links.arrive(number, packet(), 0)
    for now in range(0, 1000 * MS, MS):
        gone += [(now, number) for number, on, _ in links.due(now) if on]
    assert links.counts["lost"] == 200
    assert len(gone) == 300
    assert gone[99][0] == pytest.approx(100 * MS, abs=2 * MS)


def test_what_is_held_goes_on_in_order_once_it_is_released() -> None:
    links = told_links(hold=True)
    for number in (4, 5, 6):
        assert links.arrive(number, packet(), 0) == []
    assert (links.due(10**15), links.waiting()) == ([], 3)
    assert links.tell({}, 0) == [(4, True, None), (5, True, None), (6, True, None)]
    assert links.waiting() == 0


def test_what_waits_on_a_link_that_did_not_change_goes_on_waiting() -> None:
    links = told_links(delay_ms=20)
    links.arrive(1, packet(), 0)
    assert links.tell({PEER: {"delay_ms": 20}, "10.0.0.3": {"loss": 1.0}}, 3) == []
    assert links.tell({PEER: {"delay_ms": 30}}, 3) == [(1, True, None)]


# ── clock and fsync ──────────────────────────────────────────────────────────────────────────────────────────────────


def settings(**changed: int) -> dict[str, int]:
    return dict.fromkeys(preload_file.NAMES, 0) | changed


def test_a_clock_goes_on_from_where_it_is_whatever_is_changed_but_its_offset() -> None:
    now = 10**18
    wrong = preload_file.changed(settings(), "offset", -5 * 10**9, now, 7)
    assert preload_file.shown_ns(wrong, now) == now - 5 * 10**9
    fast = preload_file.changed(wrong, "rate", 500_000, now, 7)
    later = now + 2 * 10**9
    assert preload_file.shown_ns(fast, later) == later - 4 * 10**9
    right = preload_file.changed(fast, "rate", 0, later, 8)
    assert preload_file.shown_ns(right, later + 10**9) == later + 10**9 - 4 * 10**9
    still = preload_file.changed(right, "freeze", 1, later, 8)
    assert preload_file.shown_ns(still, later + 10**12) == later - 4 * 10**9
    on = preload_file.changed(still, "freeze", 0, later + 10**9, 9)
    assert preload_file.shown_ns(on, later + 10**9) == later - 4 * 10**9
    assert preload_file.shown_ns(preload_file.changed(on, "offset", 0, later, 9), later) == later


def test_a_jump_of_a_clock_that_stands_still_is_seen() -> None:
    still = preload_file.changed(settings(), "freeze", 1, 10**18, 0)
    assert preload_file.shown_ns(preload_file.changed(still, "offset", 5, 10**18, 0), 10**19) == 10**18 + 5


def test_changes_are_written_whole_and_leave_the_servers_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "preload"
    preload_file.main(file, "make", 0)
    counted = bytearray(file.read_bytes())
    counted[-8:] = struct.pack("=q", 41)
    file.write_bytes(counted)
    preload_file.main(file, "fsync", 1)
    preload_file.main(file, "monotonic", 1)
    found = dict(zip(preload_file.NAMES, preload_file.LAYOUT.unpack(file.read_bytes()), strict=True))
    assert (found["sequence"], found["fsync"], found["monotonic"], found["fsyncs"]) == (4, 1, 1, 41)


# ── disks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def probed(folder: Path, wait_ms: int) -> str:
    words = [sys.executable, disk_tool.__file__, "probe", str(folder), str(wait_ms)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
    return str(json.loads(done.stdout)["answer"])


def test_a_disk_is_probed_and_nothing_is_left(tmp_path: Path) -> None:
    assert probed(tmp_path, 5000) == "written"
    assert probed(tmp_path / "nowhere", 5000) == "No such file or directory"
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_does_not_come_back_is_told_as_that(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / disk_tool.PROBE)  # opening it waits for a reader
    assert probed(tmp_path, 30) == "hangs"
    with (tmp_path / disk_tool.PROBE).open("rb"):
        pass
    assert told({"answer": "hangs", "ms": 30.0}) == "a test write: hangs"


def test_bits_are_turned_where_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(1000))
    (tmp_path / "empty").touch()
    found = disk_tool.damage(tmp_path, "*", "bitflip", 3, seed=5)
    data = (tmp_path / "log").read_bytes()
    assert found["file"] == "log"
    assert [place for place, byte in enumerate(data) if byte] == found["places"]
    assert [bin(data[place]).count("1") for place in found["places"]] == [1, 1, 1]


def test_a_file_is_cut_by_so_many_bytes_and_not_below_none(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"abcdef")
    assert disk_tool.damage(tmp_path, "l*", "truncate", 4, seed=1)["places"] == [2]
    assert (tmp_path / "log").read_bytes() == b"ab"
    disk_tool.damage(tmp_path, "l*", "truncate", 4, seed=1)
    assert disk_tool.damage(tmp_path, "l*", "truncate", 4, seed=1) == {}


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ({"a": b"abc"}, {"a": b"abc"}, 0),
        ({"a": b"abc"}, {"a": b"ab"}, 1),
        ({"a": b"abc"}, {"a": b"ab\x00"}, 1),
        ({"a": b"abc", "b": b"xy"}, {"a": b"abc"}, 2),
        ({"a": b"ab"}, {"a": b"abcd", "c": b"1"}, 0),
    ],
)
def test_what_a_loss_of_power_took_is_counted(before: dict[str, bytes], after: dict[str, bytes], lost: int) -> None:
    assert lost_bytes(before, after) == lost


def test_folders_of_disks_tell_whose_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITBRAIN_VOLUMES", str(tmp_path / "volumes"))
    folder = volumes.make_folder("run-1")
    (folder / "n1.image").write_bytes(b"")
    assert list(volumes.leftovers(everything=False)) == []
    assert [run for run, _ in volumes.leftovers(everything=True)] == ["run-1"]
    owner = (folder / "owner").read_text()
    (folder / "owner").write_text(owner.rpartition("/")[0] + "/1")
    assert list(volumes.leftovers(everything=False)) == [("run-1", folder)]
    assert volumes.remove_folder(folder) == ["disk n1"]
    assert not folder.exists()


def test_disks_are_not_made_where_others_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path)
    for place in ("open", "link"):
        monkeypatch.setenv("SPLITBRAIN_VOLUMES", str(tmp_path / place))
        with pytest.raises(InfrastructureError, match="only you can write to"):
            volumes.make_folder("run-1")


# ── limits and packets ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "share", "mebibytes"),
    [
        ("-1 100000 9223372036854771712 1048576 0", 0.0, 0.0),
        ("max 100000 max 1048576 0", 0.0, 0.0),
        ("10000 100000 67108864 1048576 3000000", 0.1, 64.0),
    ],
)
def test_limits_are_read_from_both_versions_of_control_groups(told: str, share: float, mebibytes: float) -> None:
    found = read_limits(told)
    assert (found["cpu_share"], found["memory_mib"], found["memory_used_mib"]) == (share, mebibytes, 1.0)


def test_captured_packets_are_cut_and_keep_their_length() -> None:
    record = capture.record(bytes(2000), 2000, 3 * 10**9 + 5000)
    assert struct.unpack_from("=IIII", record) == (3, 5, capture.SNAP_BYTES, 2000)
    assert len(record) == 16 + capture.SNAP_BYTES


def test_control_is_told_from_other_packets() -> None:
    def segment(source: int, destination: int, protocol: int = 6) -> bytes:
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, protocol, 0, bytes(4), bytes(4))
        return bytes(12) + b"\x08\x00" + ip + struct.pack("!HH", source, destination)

    assert capture.is_control(segment(22, 40000))
    assert capture.is_control(segment(40000, 22))
    assert not capture.is_control(segment(7000, 40000))
    assert not capture.is_control(segment(22, 40000, protocol=17))
    assert not capture.is_control(bytes(60))


# ── the machine's view of containers ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine in a folder: one process, in the container abc, under both versions of control groups."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text("4:memory:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n")
    for name in ("memory", "systemd", "unified"):
        (tmp_path / "cgroup" / name / "docker/abc").mkdir(parents=True)
    monkeypatch.setattr("harness.docker_ground.host.PROC", tmp_path)
    monkeypatch.setattr("harness.docker_ground.host.CGROUPS", tmp_path / "cgroup")
    return tmp_path


def test_a_process_number_counts_only_for_the_container_that_it_belongs_to(machine: Path) -> None:
    assert Host("n1", "abc", 7).is_here()
    assert not Host("n1", "other", 7).is_here()
    assert not Host("n1", "abc", 8).is_here()
    assert Host("n1", "abc", 7).path("/var/lib") == machine / "7/root/var/lib"


def test_control_groups_are_found_in_both_versions(machine: Path) -> None:
    host, groups = Host("n1", "abc", 7), machine / "cgroup"
    assert host.cgroup("memory") == groups / "memory/docker/abc"
    assert host.cgroups() == [groups / name / "docker/abc" for name in ("memory", "systemd", "unified")]
    with pytest.raises(InfrastructureError, match="n1: its container has no control group of blkio"):
        host.cgroup("blkio")
    (groups / "cgroup.controllers").touch()
    assert host.cgroup("blkio") == groups / "docker/abc"
    assert host.cgroups() == [groups / "docker/abc"]


def test_a_program_that_fails_or_is_not_there_is_told_with_its_last_words() -> None:
    with pytest.raises(InfrastructureError, match=r"^n1: `ls /nowhere` gave exit status 2: .*No such file"):
        command("n1", ["ls", "/nowhere"])
    with pytest.raises(InfrastructureError, match="n1: the program no-such-program is not on this machine"):
        command("n1", ["no-such-program"])
    assert command("n1", ["cat"], b"said") == "said"


@pytest.mark.x86_64  # clock_tool.py knows no other system calls
@pytest.mark.parametrize("clock", ["wall", "monotonic"])
def test_a_clock_that_nobody_made_wrong_is_told_to_be_right(clock: str) -> None:
    assert abs(clock_tool.offset_ns(clock)) < 1_000_000


@pytest.mark.x86_64  # clock_tool.py knows no other system calls
def test_a_clock_that_programs_see_wrong_is_told_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(clock_tool.CLOCKS, "wall", (0, lambda: clock_tool.kernel_ns(0) - 5_000_000_000))
    assert clock_tool.offset_ns("wall") == pytest.approx(-5e9, abs=1e6)
