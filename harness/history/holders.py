"""Who holds a lock, as clients were told: what the target "lock-holder" of faults means.

    holders = Holders(home)          # home: the node at which a process' client is at home
    recorder.listeners.append(holders.event)
    holders.node()                   # "n2": the holder of the lock that was granted last speaks with n2

A client holds a lock from the success of its `acquire` until its `release` of that key succeeds or is in doubt. Its
node is the one that answered the acquire or, where the answer does not name one, its home: a node is struck so that
its holder loses touch, not the client, which lives in the harness.

Limits: operations are told apart by their names, `acquire` and `release`. A release that is refused changes nothing,
and so does one by somebody else that is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from harness.op import Op

LOCK_HOLDER: Final = "lock-holder"
ACQUIRE: Final = "acquire"
RELEASE: Final = "release"


class Holders:
    """See the module docstring."""

    def __init__(self, home: Callable[[int], str]) -> None:
        self._home = home
        self._nodes: dict[Any, str] = {}
        """By key, the one granted last at the end."""

    def event(self, op: Op) -> None:
        """An event of the history."""
        if op.type == "invoke" or not isinstance(op.process, int):
            return
        if op.f == ACQUIRE and op.type == "ok":
            self._nodes.pop(op.key, None)
            self._nodes[op.key] = op.node or self._home(op.process)
        elif op.f == RELEASE and op.type in ("ok", "info"):
            self._nodes.pop(op.key, None)

    def node(self) -> str | None:
        """Where the holder of the lock that was granted last is served; None while nobody holds one."""
        return next(reversed(self._nodes.values()), None)
