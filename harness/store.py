"""The store: one directory per run, written phase by phase, each file atomically.

    store/<system>-<workload>/<utc time>-<id>/
        plan.json  history.jsonl  verdict.json  report.html  junit.xml  log.jsonl  nodes/<node>/…  certificates/
    store/<system>-<workload>/latest and store/latest link to the newest.

Everything that judges or reports starts from such a directory, never from memory, so that a stored run can be judged
again. `history.jsonl` is the one file that grows in place; all others appear whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness import clock
from harness.errors import StoreError, UsageError
from harness.plan import Plan
from harness.result import Result

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """One run directory."""

    path: Path

    @property
    def run_id(self) -> str:
        """The directory's name."""
        return self.path.name

    @property
    def history_path(self) -> Path:
        """Where the history is streamed to."""
        return self.path / "history.jsonl"

    @property
    def report_path(self) -> Path:
        """Where the HTML page goes."""
        return self.path / "report.html"

    def plan(self) -> Plan:
        """The stored plan.

        Raises:
            UsageError: there is none, or it is broken.
        """
        return self._decode("plan.json", Plan)

    def result(self) -> Result:
        """The stored judgement.

        Raises:
            UsageError: there is none, or it is broken.
        """
        return self._decode("verdict.json", Result)

    def write(self, name: str, content: bytes) -> Path:
        """Write a file whole or not at all; `name` may have folders.

        Raises:
            StoreError: naming the file and the reason.
        """
        target = self.path / name
        aside = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                aside.unlink(missing_ok=True)
            raise StoreError(f"{target}: cannot be written: {error.strerror}.") from error
        return target

    def log(self, event: str, **facts: Any) -> None:
        """Append one line to log.jsonl, with the wall clock. A full disk is not worth losing the run for."""
        line = msgspec.json.encode({"at": clock.utc_now().isoformat(timespec="milliseconds"), "event": event, **facts})
        with contextlib.suppress(OSError), (self.path / "log.jsonl").open("ab") as file:
            file.write(line + b"\n")

    def _decode(self, name: str, kind: type[T]) -> T:
        file = self.path / name
        try:
            return msgspec.json.decode(file.read_bytes(), type=kind)
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror}.") from error
        except msgspec.MsgspecError as error:
            raise UsageError(f"{file}: is broken: {error}.") from error


def create_run(store: Path, plan: Plan) -> Run:
    """Make a fresh run directory for a plan, with its plan.json, and point the `latest` links at it.

    Raises:
        StoreError: naming the directory and the reason.
    """
    run = create_folder(store, f"{plan.system}-{plan.workload}")
    run.write("plan.json", plan.to_json())
    _point(store / "latest", Path(run.path.parent.name) / run.run_id)
    return run


def create_folder(store: Path, family: str) -> Run:
    """Make a fresh directory `store/<family>/<utc time>-<id>`, and point its family's `latest` at it.

    Raises:
        StoreError: naming the directory and the reason.
    """
    name = f"{clock.utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    run = Run(store / family / name)
    try:
        run.path.mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"{run.path}: the run directory cannot be made: {error.strerror}.") from error
    _point(store / family / "latest", Path(name))
    return run


def open_run(path: Path) -> Run:
    """A run directory that exists.

    Raises:
        UsageError: it is not one.
    """
    if not (path / "plan.json").is_file():
        raise UsageError(f"{path}: is not a run directory: it has no plan.json.")
    return Run(path.resolve())


def _point(link: Path, target: Path) -> None:
    """Swap a symbolic link; file systems without them just have no `latest`."""
    aside = link.with_name(f".{link.name}.{secrets.token_hex(3)}")
    with contextlib.suppress(OSError):
        aside.symlink_to(target)
        aside.replace(link)


def default_store() -> Path:
    """$SPLITBRAIN_STORE, else ./store."""
    return Path(os.environ.get("SPLITBRAIN_STORE") or "store")
