"""A disk of a node's own: an ext4 file system in a file, by way of a loop device, which can be broken like a real one.

    <root>/<run>/owner            whose it is (`owner.py`)
    <root>/<run>/n1.image         the file system
    in the container:  /run/splitbrain/disk          the file system
                       /run/splitbrain/disk/data     what is mounted again at /var/lib/splitbrain

It is mounted in the container's own mount namespace and nowhere else, and the loop device is let go of at once, which
the kernel puts off until it is unmounted. So with the container both are gone, however it ended, and what a killed
harness leaves is a file with its owner's name beside it.

Power loss is ext4's own shutdown without flushing the log: from then on nothing reaches the disk, and what was not
synced was never there. Mounting it again replays the log, as after a real one.

Limits: Linux, root, ext4; a program that keeps a file open for writing prevents a read-only remount, so then the file
system is made to meet an error, after which it is read-only until it is mounted anew.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.clock import sleep_s
from harness.docker_ground.host import CGROUPS, Host, command
from harness.docker_ground.node_image import DATA_FOLDER
from harness.docker_ground.owner import PROC
from harness.errors import InfrastructureError

SIZE_BYTES: Final = 256 << 20
MOUNTED: Final = "/run/splitbrain/disk"
DEVICE: Final = "/dev/splitbrain-disk"
FILLER: Final = "filler"
TOUCHED: Final = "touched"
BLOCK_BYTES: Final = 4096
SHUTDOWN: Final = 0x8004587D
WITHOUT_LOG: Final = 2
FREEZE: Final = 0xC0045877
THAW: Final = 0xC0045878
BUSY_S: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
COMPARED_BYTES_MAX: Final = 64 << 20


class Volume:
    """One node's disk. Everything blocks.

    Args:
        image: the file to make it in; its folder exists.
    """

    def __init__(self, host: Host, image: Path, size_bytes: int = SIZE_BYTES) -> None:
        self.host, self.image, self._size = host, image, size_bytes

    def make(self) -> None:
        """Make the file system, with what the image has in the data folder, and mount it there.

        Raises:
            InfrastructureError: something on the way was refused.
        """
        try:
            with self.image.open("wb") as file:
                file.truncate(self._size)
        except OSError as error:
            raise InfrastructureError(f"{self.host.node}: {self.image} cannot be made: {error.strerror}.") from error
        command(self.host.node, ["mkfs.ext4", "-q", "-F", "-m", "0", str(self.image)])
        self._inside("mkdir", "--parents", MOUNTED)
        self._mount_device()
        self._inside("cp", "--archive", f"{DATA_FOLDER}/.", f"{MOUNTED}/data")
        self._inside("sync", "--file-system", MOUNTED)
        self._mount_data()

    def mount(self) -> None:
        """Mount it after `unmount`."""
        self._mount_device()
        self._mount_data()

    def unmount(self) -> None:
        """Take it away; waits a little for those who still use it."""
        for place in (DATA_FOLDER, MOUNTED):
            for pause_s in BUSY_S:
                sleep_s(pause_s)
                try:
                    self._inside("umount", place)
                    break
                except InfrastructureError as error:
                    if "busy" not in str(error) or pause_s == BUSY_S[-1]:
                        raise

    def lose_power(self) -> int:
        """Drop what was not synced; the server must be gone. Returns the bytes that were lost."""
        before = self._content()
        self._control(SHUTDOWN, struct.pack("=I", WITHOUT_LOG))
        self.unmount()
        self.mount()
        return lost_bytes(before, self._content())

    def fill(self) -> None:
        """Leave no room."""
        with (self._top() / FILLER).open("ab") as file:
            piece = self._size
            while piece >= BLOCK_BYTES:
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), piece)
                    file.seek(0, os.SEEK_END)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    piece //= 2

    def empty(self) -> None:
        """Give the room back."""
        (self._top() / FILLER).unlink(missing_ok=True)

    def make_read_only(self) -> None:
        """Refuse all writes from now on, to open files, too."""
        for pause_s in BUSY_S[:4]:
            sleep_s(pause_s)
            with contextlib.suppress(InfrastructureError):
                self._inside("mount", "-o", "remount,ro", MOUNTED)
                return
        (Path("/sys/fs/ext4") / self.device() / "trigger_fs_error").write_text("splitbrain")

    def make_writable(self) -> bool:
        """Take writes again; False where it must be mounted anew for that."""
        try:
            self._inside("mount", "-o", "remount,rw", MOUNTED)
            (self._top() / TOUCHED).touch()  # after an error it is said to be writable, and is not
        except (InfrastructureError, OSError):
            return False
        return True

    def freeze(self) -> None:
        """Let every write wait."""
        self._control(FREEZE)

    def thaw(self) -> None:
        """Let them go on; idempotent."""
        try:
            self._control(THAW)
        except OSError as error:
            if error.errno != errno.EINVAL:  # it was not frozen
                raise

    def throttle(self, bytes_per_s: int) -> None:
        """Let the node write so many bytes a second; 0: any number."""
        device = (Path("/sys/block") / self.device() / "dev").read_text().strip()
        if (CGROUPS / "cgroup.controllers").exists():
            (self.host.cgroup("io") / "io.max").write_text(f"{device} wbps={bytes_per_s or 'max'}")
        else:
            limit = self.host.cgroup("blkio") / "blkio.throttle.write_bps_device"
            limit.write_text(f"{device} {bytes_per_s}")

    def unthrottle(self) -> None:
        """Allow any number of writes."""
        self.throttle(0)

    def device(self) -> str:
        """Name of the loop device below it: "loop3"."""
        for loop in Path("/sys/block").glob("loop*"):
            with contextlib.suppress(OSError):
                if (loop / "loop/backing_file").read_text().strip() == str(self.image):
                    return loop.name
        raise InfrastructureError(f"{self.host.node}: no loop device holds its disk {self.image}.")

    def _mount_device(self) -> None:
        """A loop device, its node in the container, the mount; then nothing but the mount holds the device."""
        device = command(self.host.node, ["losetup", "--find", "--show", str(self.image)]).strip()
        try:
            number = Path(device).stat().st_rdev
            self._inside("rm", "--force", DEVICE)
            self._inside("mknod", DEVICE, "b", str(os.major(number)), str(os.minor(number)))
            self._inside("mount", "-t", "ext4", "-o", "errors=remount-ro", DEVICE, MOUNTED)
        finally:
            command(self.host.node, ["losetup", "--detach", device])

    def _mount_data(self) -> None:
        self._inside("mount", "--bind", f"{MOUNTED}/data", DATA_FOLDER)

    def _inside(self, *arguments: str) -> str:
        return self.host.enter(["mount"], arguments)

    def _top(self) -> Path:
        return self.host.path(MOUNTED)

    def _control(self, request: int, argument: bytes = bytes(4)) -> None:
        descriptor = os.open(self._top(), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, request, argument)
        finally:
            os.close(descriptor)

    def _content(self) -> dict[str, bytes]:
        """The files, as whoever reads them now finds them; past a bound, only that they are there."""
        top, left, found = self._top() / "data", COMPARED_BYTES_MAX, {}
        for path in sorted(top.rglob("*")):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    found[path.relative_to(top).as_posix()] = content = file.read(left)
                left -= len(content)
        return found


def release_disk(pid: int) -> None:
    """Let the disk of a container go on, if it has one of ours and that hangs, whatever else is known of the run."""
    with contextlib.suppress(OSError):
        descriptor = os.open(PROC / str(pid) / "root" / MOUNTED.lstrip("/"), os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, THAW, bytes(4))
        finally:
            os.close(descriptor)


def lost_bytes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> int:
    """How many bytes of the files before are not in the files after, from the first that differs on.

    >>> lost_bytes({"log": b"abcd", "new": b"xy"}, {"log": b"ab"})
    4
    """
    return sum(len(content) - same_bytes(content, after.get(name, b"")) for name, content in before.items())


def same_bytes(one: bytes, other: bytes) -> int:
    """How many bytes two files have in common, from their beginning."""
    if other.startswith(one[: len(other)]):
        return min(len(one), len(other))
    return next(place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
