"""What kind of world a simulation is: how it schedules, how links, disks and clocks behave while nothing is broken.

A seed decides what happens in a world; the world decides what can happen. Faults that begin and end (cuts, kills, a
full disk) are the nemesis' and not here. The default is an ordinary cluster: small delays with a rare slow one, first
come first served, disks that keep a beginning of what was not synced, clocks that drift a little.

    SimGround(7, world=World(scheduler="pct", delay=Delay("heavy-tail"), survivors="subset"))

Shares are of all cases, 0 to 1. `read_world` makes a world of names and text, as a plan or a command line has them.

Limits: bandwidth, loss and delay of one link are set while it runs, by `harness.protocols.ShapesLinks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from harness.errors import PlanError, nearest
from harness.moments import read_skips


class Delay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a message takes.

    Attributes:
        kind: "uniform": min to min + span, and one in a hundred up to 20 ms more. "lognormal": min + a lognormal of
            median span / 2. "heavy-tail": min + a Pareto of index 1.5 that begins at span / 4.
        min_ms, span_ms: the scale. No message takes longer than 10 s.
    """

    kind: Literal["uniform", "lognormal", "heavy-tail"] = "uniform"
    min_ms: float = 0.2
    span_ms: float = 1.8


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a run leaves the way of its seed: after that nanosecond chance is drawn as for another one.

    Two runs that differ by their last turn are the same up to there. As text: "1204113000:b2".
    """

    after_ns: int
    salt: str


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See the module docstring.

    Attributes:
        scheduler: which of the ready callbacks runs next: "fifo", "random", "pct" (priorities that change at few
            points). What belongs to one task or connection stays in order.
        pct_depth: PCT's d, for bugs that need d ordering constraints; pct_steps: over how many callbacks the d - 1
            changes are spread.
        delay: of links between hosts; links: of single ones, by "source>destination".
        loss, duplicate, reorder: shares of messages. A lost piece of a connection is sent again, 0.2 s later and more;
            only datagrams are really lost, doubled or overtaken.
        survivors: what an unsynced file keeps when the power goes, "ext4", "prefix" or "subset" (see `file.py`).
        names: which unsynced names survive: a "prefix" in order, as a journal has them, or any "subset".
        torn: where the last write tears: at any "byte", or at a "sector" of 512.
        lying_syncs: share of syncs that do nothing; flipped_reads: of reads that flip one bit; failed_writes: of
            appends, writes and syncs that raise EIO and then go on; an append may have happened by half.
        bad_disks: share of nodes whose disk is as the three before say; the others are honest.
        offset_ms: wall clocks begin up to so far off; drift_ppm: and drift by up to so much.
        recovery_crashes: share of starts that are struck once more while the server reads its disk; it is started
            again 20 ms later.
        entropy: what `os.urandom`, `secrets` and `uuid` do when a node calls them: "refused", or "seeded".
        draws: whether each stream's draws come "in-turn", or "by-moment" (`harness/moments.py`): then one message less
            leaves all others their delays; "noted": in turn, and written down by the moment. remembered: what they
            are at some moments, whatever the seed; skips: where the moments that count jump.
        turns: where chance goes on as with another seed, as `branching.py` finds them; as text with commas between.
        state_steps: after how many callbacks the state of all nodes goes into the digest; 0 for never.
    """

    scheduler: Literal["fifo", "random", "pct"] = "fifo"
    pct_depth: int = 3
    pct_steps: int = 20_000
    delay: Delay = Delay()
    links: dict[str, Delay] = msgspec.field(default_factory=dict)
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    survivors: Literal["ext4", "prefix", "subset"] = "ext4"
    names: Literal["prefix", "subset"] = "prefix"
    torn: Literal["byte", "sector"] = "byte"
    lying_syncs: float = 0.0
    flipped_reads: float = 0.0
    failed_writes: float = 0.0
    bad_disks: float = 1.0
    offset_ms: float = 0.0
    drift_ppm: float = 50.0
    recovery_crashes: float = 0.0
    entropy: Literal["refused", "seeded"] = "refused"
    draws: Literal["in-turn", "noted", "by-moment"] = "in-turn"
    remembered: str = ""
    skips: str = ""
    turns: tuple[Turn, ...] = ()
    state_steps: int = 1000


def read_world(fields: Mapping[str, Any]) -> World:
    """A world of the given fields and the default for the others; text is read as what the field wants.

    `delay` may be just a kind.

    Raises:
        PlanError: which field is unknown, or wants what.
    """
    for name in fields:
        if name not in World.__struct_fields__:
            raise PlanError(f"A simulated world has no {name!r}.{nearest(name, World.__struct_fields__)}")
    values = {
        name: {"kind": value} if name == "delay" and isinstance(value, str) else value for name, value in fields.items()
    }
    if isinstance(turns := values.get("turns"), str):
        values["turns"] = [_turn(text) for text in turns.split(",") if text]
    try:
        world = msgspec.convert(values, World, strict=False)
    except msgspec.ValidationError as error:
        raise PlanError(f"The simulated world cannot be so: {error}.") from error
    for name in (
        "loss",
        "duplicate",
        "reorder",
        "lying_syncs",
        "flipped_reads",
        "failed_writes",
        "bad_disks",
        "recovery_crashes",
    ):
        if not 0 <= getattr(world, name) <= 1:
            raise PlanError(f"The simulated world's {name} must be from 0 to 1, found {getattr(world, name):g}.")
    read_skips(world.skips)
    for name in ("pct_depth", "pct_steps"):
        if getattr(world, name) < 1:
            raise PlanError(f"The simulated world's {name} must be above zero, found {getattr(world, name)}.")
    return world


def told_turns(turns: Sequence[Turn]) -> str:
    """As `read_world` reads them."""
    return ",".join(f"{turn.after_ns}:{turn.salt}" for turn in turns)


def _turn(text: str) -> Turn:
    after_ns, _, salt = text.partition(":")
    if not after_ns.isdecimal() or not salt:
        raise PlanError(f"The simulated world's turns must be NANOSECONDS:NAME,..., found {text!r}.")
    return Turn(int(after_ns), salt)
