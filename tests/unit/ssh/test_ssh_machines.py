"""Naming machines: on the command line, in a file, and wrongly."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.ssh_ground.ground import SshGround, access_of, machines_of
from harness.ssh_ground.machines import Machine, named, parse_machine, read_machines


@pytest.mark.parametrize(
    ("text", "machine"),
    [
        ("db1", Machine("db1")),
        ("admin@db1.example:2222", Machine("db1.example", 2222, "admin")),
        ("root@[fe80::1]:22", Machine("fe80::1", 22, "root")),
        ("10.0.0.1", Machine("10.0.0.1")),
    ],
)
def test_a_machine_has_a_host_and_perhaps_user_and_port(text, machine):
    assert parse_machine(text) == machine


@pytest.mark.parametrize("text", ["", "-oProxyCommand=x", "a b", "a;b", "host:99999", "@host", "host:", "$(x)"])
def test_what_is_no_machine_is_refused(text):
    with pytest.raises(UsageError, match="is no machine"):
        parse_machine(text)


def test_a_file_has_one_machine_a_line(tmp_path):
    (tmp_path / "machines").write_text("# ours\ndb1\n\nadmin@db2:23  # the slow one\n")
    assert read_machines(tmp_path / "machines") == (Machine("db1"), Machine("db2", 23, "admin"))


def test_a_broken_line_of_a_file_is_named(tmp_path):
    (tmp_path / "machines").write_text("db1\nnot a machine\n")
    with pytest.raises(UsageError, match=r"machines, line 2: 'not a machine' is no machine"):
        read_machines(tmp_path / "machines")


def test_an_empty_file_and_a_missing_one_are_refused(tmp_path):
    (tmp_path / "machines").write_text("# nobody\n")
    with pytest.raises(UsageError, match="there is no machine in it"):
        read_machines(tmp_path / "machines")
    with pytest.raises(UsageError, match="cannot be read"):
        read_machines(tmp_path / "nowhere")


def test_switches_name_machines_and_the_way_in(tmp_path):
    (tmp_path / "more").write_text("db3\n")
    options = {
        "machines": "db1,admin@db2",
        "machines_file": str(tmp_path / "more"),
        "jump": "bastion:2222",
        "sudo": True,
    }
    assert [machine.host for machine in machines_of(options)] == ["db1", "db2", "db3"]
    access = access_of(options | {"ssh_key": "/k1,/k2"})
    assert (access.jump, access.sudo, access.strict) == (Machine("bastion", 2222), True, True)
    assert access.keys == (Path("/k1"), Path("/k2"))


def test_a_ground_without_machines_or_with_unreadable_files_is_refused_before_it_starts(tmp_path):
    ground = SshGround()
    assert "no machines" in (ground.refused({}) or "")
    assert "known hosts cannot be read" in (ground.refused({"machines": "a", "known_hosts": "/nowhere"}) or "")
    assert "configuration cannot be read" in (ground.refused({"machines": "a", "ssh_config": "/nowhere"}) or "")
    (tmp_path / "config").write_text("Host a\n  HostName 127.0.0.9\n  Port 2022\n  User eve\n")
    assert ground.refused({"machines": "a", "ssh_config": str(tmp_path / "config")}) is None


def test_two_machines_at_one_address_are_told_apart_by_their_ports() -> None:
    machines = [parse_machine("root@gate:2201"), parse_machine("root@gate:2202"), parse_machine("gate")]
    assert list(named(machines)) == ["gate:2201", "gate:2202", "gate"]
