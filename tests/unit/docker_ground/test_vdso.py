"""What is written into a vDSO, and where; the writing itself is test_docker_vdso.py's."""

from __future__ import annotations

import ctypes
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from harness.docker_ground.host import Host
from harness.docker_ground.vdso import FUNCTIONS, Vdso, functions, jump, room_for
from harness.docker_ground.vdso_clocks import server_pids
from harness.errors import InfrastructureError

pytestmark = pytest.mark.x86_64  # vdso.c knows no other


def own_image() -> bytes:
    """The vDSO of this process."""
    found = re.search(r"^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$", Path("/proc/self/maps").read_text(), re.MULTILINE)
    assert found is not None
    start, end = int(found[1], 16), int(found[2], 16)
    return ctypes.string_at(start, end - start)


def test_the_clock_functions_of_this_kernel_are_found_and_there_is_room_at_the_end() -> None:
    image = own_image()
    places = functions(image)
    assert tuple(places) == FUNCTIONS
    assert len(set(places.values())) == len(FUNCTIONS)
    assert all(0 < place < len(image) for place in places.values())
    place = room_for(image, bytes(600))
    assert place % 16 == 0
    assert not any(image[place:])
    assert max(places.values()) < place


def test_a_vdso_without_room_or_without_the_functions_is_refused() -> None:
    image = own_image()
    with pytest.raises(InfrastructureError, match="no room at its end"):
        room_for(image, bytes(len(image)))
    with pytest.raises(InfrastructureError, match="no room at its end"):
        room_for(image[:-1] + b"\1", bytes(16))
    with pytest.raises(InfrastructureError, match="no __vdso_gettimeofday"):
        functions(image.replace(b"__vdso_gettimeofday", b"__vdso_gettimeofdax"))
    with pytest.raises(InfrastructureError, match="not that of x86-64"):
        functions(b"\x7fELF\x02" + bytes(100))


@pytest.mark.parametrize(("source", "destination"), [(100, 8000), (8000, 100), (0, 5)])
def test_a_jump_ends_where_it_should(source: int, destination: int) -> None:
    code = jump(source, destination)
    assert code[0] == 0xE9
    assert source + len(code) + struct.unpack("<i", code[1:])[0] == destination


def test_a_process_that_is_gone_or_has_no_vdso_is_told() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
        with pytest.raises(InfrastructureError, match=f"process {gone.pid}: maps cannot be read"):
            Vdso(gone.pid)
    thread = Path("/proc/2/comm")  # of the kernel, where it can be seen
    if os.geteuid() == 0 and thread.exists() and thread.read_text() == "kthreadd\n":
        with pytest.raises(InfrastructureError, match="process 2 has no vDSO"):
            Vdso(2)


def test_a_node_without_a_server_has_no_processes() -> None:
    assert server_pids(Host("n1", "no-such", os.getpid())) == []
