"""One operation event: the atom of every history.

An operation is two events: an `invoke`, and later one completion that shares its process:

- `ok`    it happened, exactly once, between the two events;
- `fail`  it certainly did not happen and never will;
- `info`  nobody knows: it may have happened, at any time from the invocation until the end.

Any doubt is `info`. A process whose operation ended `info` is never used again.

Example:
    >>> Op(f="write", key="k1", value=3, process=0).ok(version=(1, 7)).type
    'ok'
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

OpType = Literal["invoke", "ok", "fail", "info"]
Bounded = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A whole number that has room in a column."""
Version = tuple[Bounded, Bounded]
"""(generation, log index), compared lexicographically."""

NEMESIS: Final = "nemesis"
"""The process of every fault event; clients are whole numbers."""
INTERRUPTED: Final = "interrupted"
"""The `f` of the event that says: somebody ended the main phase early."""
STOPPED: Final = "stopped: "
"""How the value of that event begins when it was a violation that ended it; the rest says which."""
NOT_WELL: Final = "not-well"
"""The `f` of the event that says: the system was not well again in time before the final reads; the value says why."""


def canonical(value: Any) -> bytes:
    """A value as JSON, the same text for equal values: the fields of an object have no order."""
    try:
        return msgspec.json.encode(value, order="deterministic")
    except TypeError:  # keys that are no strings, as a client may have them; as JSON they are
        return msgspec.json.encode(msgspec.json.decode(msgspec.json.encode(value)), order="deterministic")


class Op(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event of a history.

    Attributes:
        index: position in the one total order that the recorder decides; -1 before recording.
        time: nanoseconds since the start of the run, monotonic; None where a foreign history lacks it.
            For plots and durations only: order is decided by `index`.
        process: a whole number for a client, `NEMESIS` for a fault.
        type: see the module docstring.
        f: what was asked for: "read", "write", "cas", "start-partition", ...
        key: which object; None for a single-object history.
        value: argument on invocation, result on completion. `cas` takes `[old, new]`; a `cas` that failed and was
            told the current value completes as `fail` with `[old, new, current]` and error "mismatch".
        node: on an invocation the node wanted (None: the client's choice), on a completion the node that answered.
        session: whom the session guarantees are promised to; None means the process.
        version: what the system says it read or wrote.
        error: short machine-readable word, then optional text: "timeout", "not-leader: n2".
        token: on a completion, how far the session said that it had seen; applied: how far the node says it was.
    """

    index: int = -1
    time: Bounded | None = None
    process: int | str = -1
    type: OpType = "invoke"
    f: str = ""
    key: Any = None
    value: Any = None
    node: str | None = None
    session: int | str | None = None
    version: Version | None = None
    error: str | None = None
    token: Version | None = None
    applied: Version | None = None

    def ok(self, value: Any = msgspec.UNSET, version: Version | None = None, node: str | None = None) -> Op:
        """The completion that says: it happened."""
        return self._completed("ok", value, version, node, None)

    def fail(
        self, error: str, value: Any = msgspec.UNSET, version: Version | None = None, node: str | None = None
    ) -> Op:
        """The completion that says: it certainly did not happen and never will."""
        return self._completed("fail", value, version, node, error)

    def info(self, error: str, value: Any = msgspec.UNSET, node: str | None = None) -> Op:
        """The completion that says: nobody knows."""
        return self._completed("info", value, None, node, error)

    def _completed(self, type_: OpType, value: Any, version: Version | None, node: str | None, error: str | None) -> Op:
        return Op(
            self.index,
            self.time,
            self.process,
            type_,
            self.f,
            self.key,
            self.value if value is msgspec.UNSET else value,
            node or self.node,
            self.session,
            version,
            error,
        )

    def is_client(self) -> bool:
        """Whether this event belongs to a client rather than to a fault."""
        return self.process != NEMESIS
