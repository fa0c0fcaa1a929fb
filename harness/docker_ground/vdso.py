"""Putting vdso.c into a running process from outside, by way of /proc: what is written where, and the writing.

    vdso = Vdso(4711)                 a process of this machine, root only
    vdso.put(code)                    its clock functions now jump to our code, which shows the right time so far
    vdso.write(settings)              and now the time that these settings say
    vdso.shown()                      by how many ns its own code is off now; it is run here, in a process of its own

The vDSO is a small library that the kernel maps into every process. Its last page ends in zeroes, and there the code
goes: a write by way of /proc gives the process pages of its own. While the functions' first bytes are exchanged the
process stands still, and none of its threads may be in the middle of them.

Limits: x86-64. Lost when the process executes another program; what it forks has it.
"""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from harness import clock
from harness.docker_ground.node_image.preload_file import LAYOUT, NAMES
from harness.docker_ground.owner import PROC
from harness.errors import InfrastructureError

FUNCTIONS: Final = ("__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time")
"""In the order of the jumps at the beginning of our code."""
JUMP_BYTES: Final = 5
MARK: Final = b"splitbrn"
MARK_AT: Final = 8 * len(FUNCTIONS)
SETTINGS_AT: Final = MARK_AT + len(MARK)
SYMBOLS, SYMBOL_BYTES, SECTION_BYTES = 11, 24, 64
TRIES: Final = 100
PAUSE_S: Final = 0.005
SHOW_S: Final = 20.0
SHOW: Final = """
import ctypes, mmap, sys
image, entry = sys.stdin.buffer.read(), int(sys.argv[1])
class Timespec(ctypes.Structure):
    _fields_ = (("s", ctypes.c_long), ("n", ctypes.c_long))
room = mmap.mmap(-1, len(image), prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
room.write(image)
theirs = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(Timespec))(
    ctypes.addressof(ctypes.c_char.from_buffer(room)) + entry)
libc, number = ctypes.CDLL(None), int(sys.argv[2])
def ns(ask):
    shown = Timespec()
    ask(number, shown)
    return shown.s * 10**9 + shown.n
def kernel(number, shown):
    libc.syscall(228, number, ctypes.byref(shown))
looks = []
for _ in range(20):
    before, shown, after = ns(kernel), ns(lambda n, t: theirs(n, ctypes.byref(t))), ns(kernel)
    looks.append((after - before, shown - (before + after) // 2))
print(min(looks)[1])
"""
"""Runs the functions of a patched vDSO, and compares them with the kernel as clock_tool.py does."""


class Vdso:
    """The vDSO of one process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        found = re.search(r"^([0-9a-f]+)-([0-9a-f]+) .*\[vdso\]$", _read(pid, "maps"), re.MULTILINE)
        if found is None:
            raise InfrastructureError(f"process {pid} has no vDSO")
        self._start, self._end = int(found[1], 16), int(found[2], 16)

    def put(self, code: bytes) -> bool:
        """Have the clock functions jump to our code; False if they do already.

        Raises:
            InfrastructureError: this kernel's vDSO is not as we know it, or the process does not stand still.
        """
        if self._at() is not None:
            return False
        image = self._image()
        place, entries = room_for(image, code), functions(image)
        for _ in range(TRIES):
            with still(self._pid):
                if any(self._is_within(thread, entries.values()) for thread in _threads(self._pid)):
                    continue
                self._write(place, code)
                for number, name in enumerate(FUNCTIONS):
                    self._write(entries[name], jump(entries[name], place + 8 * number))
                return True
        raise InfrastructureError(f"process {self._pid}: it always was in the middle of its clock functions")

    def write(self, settings: Mapping[str, int]) -> None:
        """Have our code show the time by these settings from now on; `sequence` is ours."""
        at = self._at()
        if at is None:
            raise InfrastructureError(f"process {self._pid}: nothing was put into its vDSO")
        data = LAYOUT.pack(*(settings[name] for name in NAMES))
        (sequence,) = struct.unpack_from("=q", self._image(), at + SETTINGS_AT)
        self._write(at + SETTINGS_AT, struct.pack("=q", sequence | 1))
        self._write(at + SETTINGS_AT + 8, data[8:])
        self._write(at + SETTINGS_AT, struct.pack("=q", (sequence | 1) + 1))

    def shown(self, number: int = 0) -> int:
        """By how many ns the process' clock of that number is ahead of the kernel's: its own code, run here."""
        image = self._image()
        if self._at() is None:
            return 0
        entry = functions(image)[FUNCTIONS[0]]
        words = [sys.executable, "-I", "-S", "-c", SHOW, str(entry), str(number)]
        done = subprocess.run(words, input=image, capture_output=True, timeout=SHOW_S, check=False)  # noqa: S603 (our own words)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-200:]
            raise InfrastructureError(f"process {self._pid}: its vDSO cannot be run ({done.returncode}): {said}")
        return int(done.stdout)

    def _at(self) -> int | None:
        """Where our code is, by where the first function jumps; None where it is not."""
        image = self._image()
        entry = functions(image)[FUNCTIONS[0]]
        if image[entry] != 0xE9:
            return None
        place = entry + JUMP_BYTES + int(struct.unpack_from("<i", image, entry + 1)[0])
        return place if image[place + MARK_AT : place + SETTINGS_AT] == MARK else None

    def _is_within(self, thread: int, entries: Iterable[int]) -> bool:
        """Whether a thread that stands still would go on in the middle of what is to be exchanged."""
        told = _read(self._pid, f"task/{thread}/syscall").split()
        at = int(told[-1], 16) - self._start if told[-1].startswith("0x") else 0
        return any(entry < at < entry + JUMP_BYTES for entry in entries)

    def _image(self) -> bytes:
        with (PROC / str(self._pid) / "mem").open("rb", buffering=0) as memory:
            memory.seek(self._start)
            return memory.read(self._end - self._start)

    def _write(self, place: int, data: bytes) -> None:
        with (PROC / str(self._pid) / "mem").open("r+b", buffering=0) as memory:
            memory.seek(self._start + place)
            memory.write(data)


@contextmanager
def still(pid: int) -> Iterator[None]:
    """While inside, no thread of the process runs; one that was stopped before stays so."""
    was_running = not _stands_still(pid)
    try:
        os.kill(pid, signal.SIGSTOP)
        for _ in range(TRIES):
            if _stands_still(pid):
                break
            clock.sleep_s(PAUSE_S)
        else:
            raise InfrastructureError(f"process {pid} does not stand still")
        yield
    except ProcessLookupError as error:
        raise InfrastructureError(f"process {pid} is gone") from error
    finally:
        if was_running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def functions(image: bytes) -> dict[str, int]:
    """Where a vDSO's clock functions begin.

    Raises:
        InfrastructureError: it has other ones, or is for another kind of machine.
    """
    if image[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", image, 18) != (62,):
        raise InfrastructureError("this machine's vDSO is not that of x86-64")
    (sections,) = struct.unpack_from("<Q", image, 40)
    (count,) = struct.unpack_from("<H", image, 60)
    found: dict[str, int] = {}
    for number in range(count):
        kind, at, size, names = _section(image, sections, number)
        if kind != SYMBOLS:
            continue
        _, strings, _, _ = _section(image, sections, names)
        for place in range(at, at + size, SYMBOL_BYTES):
            name, value = struct.unpack_from("<I4xQ", image, place)
            start = strings + name
            found[image[start : image.index(0, start)].decode()] = value
    missing = [name for name in FUNCTIONS if name not in found]
    if missing:
        raise InfrastructureError(f"this kernel's vDSO has no {missing[0]}")
    return {name: found[name] for name in FUNCTIONS}


def _section(image: bytes, sections: int, number: int) -> tuple[int, int, int, int]:
    """Kind, place, size and link of a section."""
    kind, at, size, link = struct.unpack_from("<4xI16xQQI", image, sections + number * SECTION_BYTES)
    return kind, at, size, link


def room_for(image: bytes, code: bytes) -> int:
    """Where at the end of a vDSO's last page there is room for so much code.

    Raises:
        InfrastructureError: there is not.
    """
    place = (len(image) - len(code)) & ~15
    if place < 0 or any(image[place:]):
        raise InfrastructureError("this kernel's vDSO has no room at its end")
    return place


def jump(source: int, destination: int) -> bytes:
    """The instruction at `source` that goes on at `destination`."""
    return b"\xe9" + struct.pack("<i", destination - source - JUMP_BYTES)


def _threads(pid: int) -> list[int]:
    return [int(folder.name) for folder in (PROC / str(pid) / "task").iterdir()]


def _stands_still(pid: int) -> bool:
    states = [_read(pid, f"task/{thread}/stat").rpartition(")")[2].split()[0] for thread in _threads(pid)]
    return all(state in ("T", "t") for state in states)


def _read(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text()
    except OSError as error:
        raise InfrastructureError(f"process {pid}: {name} cannot be read: {error.strerror}") from error
