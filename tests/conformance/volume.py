"""A real ext4 volume whose power can be cut: an image file on a loop device, stopped by ext4's own shutdown call.

`EXT4_IOC_SHUTDOWN` with "no log flush" drops everything that is not on the platter, the journal's last transaction too,
just as a loss of power does; mounting again replays the journal.
"""

import contextlib
import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path

SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = struct.pack("I", 2)
ATTEMPTS = 100
PATH = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


class Volume:
    """A mounted ext4 file system below `folder`."""

    def __init__(self, folder):
        self.image = folder / "image"
        self.root = folder / "mounted"
        self.root.mkdir()
        with self.image.open("wb") as file:
            file.truncate(32 << 20)
        command("mkfs.ext4", "-q", "-E", "lazy_itable_init=0", self.image)
        self.mount()

    def mount(self):
        command("mount", "-o", "loop,data=ordered", self.image, self.root)

    def lose_power(self):
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(descriptor)
        for _ in range(ATTEMPTS):
            command("umount", self.root)
            self.mount()
            if self.is_alive():
                return
            time.sleep(0.05)
        raise RuntimeError("the volume does not come back: something else has it mounted")

    def is_alive(self):
        """A process that began a mount namespace meanwhile keeps the old file system, which is dead, for a moment."""
        try:
            (self.root / "alive").write_bytes(b"")
        except OSError:
            return False
        return True

    def close(self):
        command("umount", self.root)


@contextlib.contextmanager
def ext4_volume(folder: Path):
    """A volume, unmounted in any case."""
    volume = Volume(folder)
    try:
        yield volume
    finally:
        volume.close()


def command(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, env=PATH)
    if done.returncode:
        raise RuntimeError(f"{words[0]} failed: {done.stderr.strip()}")
