"""Everything that can go wrong outside an operation, drawn as a tree.

    SplitbrainError                exit code  what it means
    ├── UsageError                     254    what the user typed or wrote is wrong
    │   ├── PlanError                         a plan names something unknown or has a wrong type
    │   └── HistoryError                      a history file is missing or has a broken line
    ├── InfrastructureError            255    Docker, SSH, an image or a node would not do its part
    │   ├── SetupError                        the system under test did not become ready
    │   └── RemoteError                       a command on a node failed or timed out
    └── StoreError                     255    a run directory could not be written or read

Messages are one sentence that says what was being done, on what, what came back and what to do about it.
Errors of single operations are never exceptions past the worker: they are ops.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SplitbrainError(Exception):
    """Base of all errors shown to a user as one sentence."""

    exit_code = 255


class UsageError(SplitbrainError):
    """What the user typed or wrote is wrong."""

    exit_code = 254


class PlanError(UsageError):
    """A plan names something unknown or has a wrong type."""


class HistoryError(UsageError):
    """A history file is missing, or has a broken line."""


class InfrastructureError(SplitbrainError):
    """Docker, SSH, an image or a node would not do its part."""


class SetupError(InfrastructureError):
    """The system under test did not become ready."""


class RemoteError(InfrastructureError):
    """A command on a node failed or timed out.

    Attributes:
        node: where; command: what; status: exit status, None on a timeout; output: last lines of both streams.
    """

    def __init__(self, node: str, command: str, status: int | None, output: str = "") -> None:
        self.node, self.command, self.status, self.output = node, command, status, output
        came_back = "no answer before the deadline" if status is None else f"exit status {status}"
        tail = output.strip().splitlines()[-3:]
        super().__init__(f"{node}: `{command}` gave {came_back}" + (": " + " / ".join(tail) if tail else ""))


class StoreError(SplitbrainError):
    """A run directory could not be written or read."""


def nearest(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?' for a typo in a name, or a list of the known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(names) or 'none'}."
