"""What a run on the ground `local` made outside its own process, written down before it is made.

    ledger = Ledger.open(run_id)        # /run/splitbrain/local/<run>.json
    ledger.add(folder="/tmp/splitbrain-...")
    ledger.close()                      # all was removed

A harness that is killed leaves its ledger; `splitbrain cleanup` removes what it names, and then the ledger. Servers end
by themselves with the harness that started them (`processes`), so they need no entry.

Limits: Linux and its /proc decide whether the harness of a ledger is alive; elsewhere it counts as alive.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.docker_ground.owner import is_alive, this_process
from harness.errors import InfrastructureError
from harness.local_ground import commands


class Entry(msgspec.Struct):
    """One run's things: the process that made them, folders, network namespaces and links of this machine."""

    run: str
    owner: str
    folders: list[str] = []
    namespaces: list[str] = []
    links: list[str] = []


@dataclass
class Ledger:
    """The file of one run."""

    path: Path
    entry: Entry

    @classmethod
    def open(cls, run_id: str) -> Ledger:
        """A new one, on the disk.

        Raises:
            InfrastructureError: it cannot be written.
        """
        ledger = cls(folder() / f"{run_id}.json", Entry(run_id, this_process()))
        ledger._write()
        return ledger

    def add(self, *, folder: str = "", namespace: str = "", link: str = "") -> None:
        """Write down what is about to be made."""
        for held, name in (
            (self.entry.folders, folder),
            (self.entry.namespaces, namespace),
            (self.entry.links, link),
        ):
            if name:
                held.append(name)
        self._write()

    def remove_all(self) -> list[str]:
        """Remove all that it names, then itself; returns one phrase for each thing that was there."""
        # Links first: the kernel takes away those of a namespace that is gone, some time later.
        removed = [f"link {name}" for name in self.entry.links if commands.remove_link(name)]
        removed += [f"network namespace {name}" for name in self.entry.namespaces if commands.remove_namespace(name)]
        for name in self.entry.folders:
            if Path(name).exists():
                shutil.rmtree(name, ignore_errors=True)
                removed.append(f"folder {name}")
        self.path.unlink(missing_ok=True)
        return removed

    def _write(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            aside = self.path.with_suffix(".part")
            aside.write_bytes(msgspec.json.encode(self.entry))
            aside.replace(self.path)
        except OSError as error:
            raise InfrastructureError(
                f"{self.path}: what a run makes cannot be written down: {error.strerror}."
            ) from error


def folder() -> Path:
    """Where ledgers are: root's own run folder, else the user's."""
    if os.geteuid() == 0:
        return Path("/run/splitbrain/local")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    below = Path(runtime) if runtime else Path(tempfile.gettempdir())
    return below / f"splitbrain-{os.geteuid()}" / "local"


def remove_leftovers(run_id: str | None = None, everything: bool = False) -> list[str]:
    """Remove what dead harnesses left on this ground; one sentence for each thing.

    Args:
        run_id: only what belongs to this run.
        everything: also what belongs to runs whose harness is, or may be, alive.
    """
    removed = []
    for ledger in _ledgers():
        if run_id in (None, ledger.entry.run) and (everything or not is_alive(ledger.entry.owner)):
            removed += [f"{thing}, of the run {ledger.entry.run}" for thing in ledger.remove_all()]
    return removed


def _ledgers() -> Iterator[Ledger]:
    for path in sorted(folder().glob("*.json")):
        try:
            yield Ledger(path, msgspec.json.decode(path.read_bytes(), type=Entry))
        except (OSError, msgspec.MsgspecError):
            continue  # another cleanup was quicker, or it is none of ours
