"""What the store promises, for each configuration, under each kind of fault; and what it does not.

A guarantee breaks for one of a few reasons, and each of them is a rule over the dimensions: the first rule that
applies tells why the guarantee may break. If none applies it holds, and one run that breaks it is a bug.

    >>> weak = {"replication": "async", "election": "raft", "lease": "off", "read": "leader", "fsync": "always"}
    >>> PROMISES.promise(weak | {"fencing": True}, frozenset({"partition"}), "durability").holds
    False
    >>> PROMISES.promise(weak | {"fencing": True}, frozenset(), "durability").holds
    True

Kinds of fault: `partition`, `kill` (the page cache survives), `power` (only what was synced survives, on any number of
nodes, all included), `pause`, `clock` (the wall clock jumps). "May break" says that nothing in the design forbids it,
not that it is likely.

Guarantees: `linearizability`; `read-your-writes` and `monotonic-reads`, of one session that hops between nodes;
`durability`: no acknowledged write is lost for good, whoever reads and how.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from harness.matrix.promise import Configuration as Switches
from harness.matrix.promise import Faults, Promise, Scenario, Statement
from harness.plan import Setting

from .configuration import Configuration
from .statements import SCENARIOS, STATEMENTS

DIMENSIONS: Final[dict[str, tuple[Setting, ...]]] = {
    "replication": ("quorum", "sync", "async"),
    "election": ("raft", "paxos", "none"),
    "lease": ("off", "monotonic", "wall"),
    "read": ("leader", "lease", "leader-local", "follower", "session", "bounded"),
    "fsync": ("always", "interval", "never"),
    "fencing": (True, False),
}
FAULTS: Final[tuple[Faults, ...]] = tuple(
    frozenset(kinds.split("+")) if kinds else frozenset()
    for kinds in (
        "",
        "partition",
        "kill",
        "power",
        "pause",
        "clock",
        "partition+kill",
        "partition+pause",
        "partition+clock",
        "pause+clock",
        "pause+power",
        "partition+kill+pause+power",
        "partition+kill+pause+power+clock",
    )
)
GUARANTEES: Final = ("linearizability", "durability", "read-your-writes", "monotonic-reads")
WORKLOADS: Final = ("register", "session")

OUSTING: Final = frozenset({"partition", "kill", "power", "pause"})
"""The faults by which a leader falls silent, so that another is elected."""
READS: Final = frozenset(GUARANTEES) - {"durability"}
"""The guarantees that a read alone can break."""


@dataclass(frozen=True)
class Rule:
    """Why a guarantee may break: under `applies`, for `reason`."""

    applies: Callable[[Switches, Faults, str], bool]
    reason: str


def _elects(switches: Switches) -> bool:
    return switches["election"] != "none"


def _ousted(switches: Switches, faults: Faults) -> bool:
    """Whether a leader can be deposed, so that there are two who may take themselves for it."""
    return _elects(switches) and bool(faults & OUSTING)


def _reads_by(mode: str) -> Callable[[Switches, Faults, str], bool]:
    return lambda switches, _, guarantee: switches["read"] == mode and guarantee in READS


RULES: Final = (
    Rule(_reads_by("follower"), "a follower answers at once from what it has applied, and it lags behind"),
    Rule(_reads_by("bounded"), "a node answers as long as its lag is within the bound, and any lag shows"),
    Rule(
        lambda switches, _, guarantee: switches["read"] == "session" and guarantee == "linearizability",
        "the token makes a node catch up with this session only, not with what others wrote",
    ),
    Rule(
        lambda switches, faults, _: switches["fsync"] != "always" and "power" in faults,
        "what was acknowledged was not yet synced, and is gone with the power of the nodes that held it",
    ),
    Rule(
        lambda switches, faults, _: switches["replication"] == "async" and _ousted(switches, faults),
        "the leader acknowledges alone, and what only it has is cut off when the next leader's log replaces its own",
    ),
    Rule(
        lambda switches, faults, _: not switches["fencing"] and _ousted(switches, faults),
        "without fencing a deposed leader's messages are obeyed, and overwrite what the next one has committed",
    ),
    Rule(
        lambda switches, faults, _: not switches["fencing"] and {"pause", "power"} <= faults,
        "without fencing a paused node obeys, when it goes on, what the leader sent before its own restart",
    ),
    Rule(
        lambda switches, faults, guarantee: (
            switches["read"] == "leader-local" and guarantee in READS and _ousted(switches, faults)
        ),
        "a deposed leader that has not noticed goes on answering from what it has",
    ),
    Rule(
        lambda switches, faults, guarantee: (
            switches["read"] == "leader-local" and guarantee in READS and bool(faults & {"kill", "power"})
        ),
        "a leader that has just started answers before it knows what of its log was committed",
    ),
    Rule(
        lambda switches, faults, guarantee: (
            switches["read"] == "lease"
            and switches["lease"] == "wall"
            and guarantee in READS
            and "clock" in faults
            and _ousted(switches, faults)
        ),
        "when wall clocks jump, followers elect another leader while the old one still trusts its lease",
    ),
)
"""In the order in which they are looked at: first what shows without any fault."""


class StorePromises:
    """Implements `harness.matrix.Promises`."""

    dimensions = DIMENSIONS
    workloads = WORKLOADS
    guarantees = GUARANTEES
    faults = FAULTS
    scenarios: tuple[Scenario, ...] = SCENARIOS
    statements: tuple[Statement, ...] = STATEMENTS

    def possible(self, configuration: Switches) -> bool:
        """Whether a server starts with these switches: it is asked itself."""
        try:
            Configuration.from_options("n1", ("n1", "n2", "n3"), configuration)
        except ValueError:
            return False
        return True

    def promise(self, configuration: Switches, faults: Faults, guarantee: str) -> Promise:
        """The first rule that applies, or why it holds."""
        for rule in RULES:
            if rule.applies(configuration, faults, guarantee):
                return Promise(False, rule.reason)
        return Promise(True, _why_held(configuration, guarantee))


def _why_held(switches: Switches, guarantee: str) -> str:
    """What keeps the guarantee. Only asked where no rule applies, so every case may count on the others' absence."""
    kept = _why_kept(switches)
    if guarantee == "durability":
        return kept
    return f"{_why_read(switches)}; {kept}"


def _why_kept(switches: Switches) -> str:
    """Why what was acknowledged stays in the log."""
    if not _elects(switches):
        return "the one leader that there ever is keeps its log"
    if switches["replication"] == "sync":
        return "all nodes hold what was acknowledged, so whoever leads next does"
    if switches["replication"] == "quorum":
        return "a majority holds what was acknowledged, and nobody is elected without one of them"
    return "nothing deposes the leader, which holds all that it acknowledged"


def _why_read(switches: Switches) -> str:
    """Why a read shows what it must."""
    match switches["read"]:
        case "session":
            return "a node answers once it has applied what the session's token names"
        case "lease":
            return "while the lease lasts, nobody else is elected"
        case "leader-local":
            return "nobody else leads"
        case _ if switches["replication"] == "async":
            return "nobody else leads"
    return "a majority confirms the leader after the read was asked for"


PROMISES: Final = StorePromises()
