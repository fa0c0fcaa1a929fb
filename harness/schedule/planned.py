"""What stands in a plan of one fault and of one client operation.

    [[faults]]
    kind = "partition"
    at_s = 1.25                      # from the beginning of the main phase; or, instead:
    after = {event = "acknowledged", node = "leader", count = 2, delay_s = 0.05}
    duration_s = 0.3                 # from when it took hold; left out: until the final heal
    target = "leader"                # resolved when it fires; or names: "n1,n2"

    [[operations]]
    at_s = 0.5
    worker = 0
    f = "write"
    key = "k1"
    value = 7

Events of triggers are those that the system announces by its nodes' logs ("elected", "deposed", ...), what a node is
about to do to its disk ("append", "sync", "write", "rename", "remove", "truncate"), a message that is about to leave
it ("send") or has left it ("sent"), and "acknowledged": a client was told of a success. A kill or loss of power at an
event of the disk or of a message strikes there and then: a kill at "sync" falls between an append and its fsync. So
does a partition with exact cuts between nodes: at "send", that message is the first that is lost.

>>> PlannedFault(kind="kill", at_s=1.5, target="n1").duration_s is None
True
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

ACKNOWLEDGED: Final = "acknowledged"
DISK_EVENTS: Final = ("append", "sync", "write", "rename", "remove", "truncate")
SEND: Final = "send"
SENT: Final = "sent"
EFFECTS: Final = (*DISK_EVENTS, SEND, SENT)
"""What nodes do that others can see: a fault that waits for one of these can strike at that very moment."""
THERE: Final = "there"
"""As a fault's target: the node at which its trigger happened."""


def _take_defaults(struct: Any) -> None:
    """Let what equals a default be the default itself: msgspec leaves out what is identical, not what is equal, and
    equal plans must give equal bytes wherever they came from."""
    defaults = struct.__struct_defaults__
    for name, default in zip(struct.__struct_fields__[-len(defaults) :], defaults, strict=True):
        value = getattr(struct, name)
        if value is not default and type(value) is type(default) and value == default:
            msgspec.structs.force_setattr(struct, name, default)


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A moment told by what happens instead of by a clock.

    Attributes:
        event: see the module docstring; node: at which: a name, "leader", or "" for any.
        count: the how-manieth such event since the beginning of the main phase; delay_s: how long after it.
    """

    event: str
    node: str = ""
    count: int = 1
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        _take_defaults(self)


class PlannedFault(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """One fault.

    Attributes:
        kind: "partition", "kill", ...
        at_s: seconds from the beginning of the main phase; after: instead of that, a trigger.
        duration_s: seconds from when it took hold until it is lifted; None: until the final heal.
        target: as in a plan, or `THERE`; partition: the shape, as in a plan.
        cuts: the exact one-way cuts of a partition, reset or port, instead of target and shape; an end is a node or a
            role that one node has when it fires ("leader", "follower-2"). Where faults may overlap, these three can be
            in force at once on different links.
        offset_ms: how far a clock jumps, instead of being drawn.
        draw: the seed of what it still draws itself.
        hit: for people: whom it hit when it was recorded.
    """

    kind: str
    at_s: float = 0.0
    after: Trigger | None = None
    duration_s: float | None = None
    target: str = "random"
    partition: str = "auto"
    cuts: tuple[tuple[str, str], ...] | None = None
    offset_ms: float | None = None
    draw: int = 0
    hit: str = ""

    def __post_init__(self) -> None:
        _take_defaults(self)


class PlannedOp(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """One client operation: begun by that worker at that time, or as soon after as the worker is free.

    Attributes:
        at_s: seconds from the beginning of its phase; phase: "main", or "final": after heal and quiet period.
        worker: whose; f, key, value, node: as in an operation.
    """

    at_s: float = 0.0
    worker: int = 0
    f: str
    key: Any = None
    value: Any = None
    node: str | None = None
    phase: Literal["main", "final"] = "main"

    def __post_init__(self) -> None:
        _take_defaults(self)
