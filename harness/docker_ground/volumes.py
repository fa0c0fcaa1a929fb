"""Where the disks of a run lie, whose they are, and removing them.

    /var/tmp/splitbrain/<run>/owner, n1.image, n2.image        (SPLITBRAIN_VOLUMES names another place)

Limits: a loop device whose file is still mounted somewhere goes when that is unmounted; removing the file does not
wait.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.docker_ground.host import command
from harness.docker_ground.owner import is_alive, this_process
from harness.errors import InfrastructureError

DEFAULT: Final = "/var/tmp/splitbrain"  # noqa: S108 (made for us alone, and checked)
OWNER: Final = "owner"


def root() -> Path:
    """The folder of all runs' disks."""
    return Path(os.environ.get("SPLITBRAIN_VOLUMES") or DEFAULT)


def make_folder(run_id: str) -> Path:
    """The folder of one run's disks, with our name in it.

    Raises:
        InfrastructureError: it cannot be made, or somebody else could write there.
    """
    folder = root() / run_id
    try:
        root().mkdir(mode=0o700, parents=True, exist_ok=True)
        found = root().lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise InfrastructureError(
                f"{root()} is not a folder that only you can write to; name another in SPLITBRAIN_VOLUMES."
            )
        folder.mkdir(mode=0o700)
        (folder / OWNER).write_text(this_process(), encoding="utf-8")
    except OSError as error:
        raise InfrastructureError(f"The folder {folder} for disks cannot be made: {error.strerror}.") from error
    return folder


def remove_folder(folder: Path) -> list[str]:
    """Remove one run's disks; returns "disk n1" for each."""
    disks = sorted(folder.glob("*.image"))
    for disk in disks:
        for device in _devices(disk):
            with contextlib.suppress(InfrastructureError):  # gone meanwhile
                command(disk.stem, ["losetup", "--detach", device])
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise InfrastructureError(f"The folder {folder} could not be removed.")
    return [f"disk {disk.stem}" for disk in disks]


def leftovers(everything: bool) -> Iterator[tuple[str, Path]]:
    """Run and folder of disks whose harness is gone, or of all."""
    with contextlib.suppress(OSError):
        for folder in sorted(root().iterdir()):
            owner = folder / OWNER
            if everything or not is_alive(owner.read_text(encoding="utf-8") if owner.exists() else "/"):
                yield folder.name, folder


def _devices(disk: Path) -> Iterator[str]:
    for loop in Path("/sys/block").glob("loop*"):
        with contextlib.suppress(OSError):
            if (loop / "loop/backing_file").read_text().strip() == str(disk):
                yield f"/dev/{loop.name}"
