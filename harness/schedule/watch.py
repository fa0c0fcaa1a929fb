"""Triggers: counts what happens on nodes and to clients, and says when a fault's moment has come.

Where nodes can be listened to (`ObservesNodes`), what they log and what they are about to do to their disks is heard as
it happens, and a kill or a loss of power that waits for an event of the disk strikes before the disk does what it was
asked; at a message that leaves, so do cuts. Elsewhere the leader is asked for now and then, which is enough for
"elected", and clients are heard everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final

from harness.errors import PlanError, nearest
from harness.op import NEMESIS, Op
from harness.protocols import Cluster, ObservesNodes
from harness.schedule.planned import ACKNOWLEDGED, EFFECTS, PlannedFault, Trigger
from harness.schedule.script import TRIGGERED

ELECTED: Final = "elected"
POLL_S: Final = 0.05
STRIKING: Final = ("kill", "power")
PARTITION: Final = "partition"


class Watch:
    """Counts towards the triggers of a list of faults.

    Attributes:
        leader: who was elected last, as far as is known.
        struck: the faults that struck at once, by their places in the list, and at which node.
    """

    def __init__(
        self,
        faults: Sequence[PlannedFault],
        events: Mapping[str, str],
        announce: Callable[[Op], None],
        now_ns: Callable[[], int],
        leader: str | None = None,
    ) -> None:
        self.leader = leader
        self._triggers = [(place, fault, fault.after) for place, fault in enumerate(faults) if fault.after is not None]
        self._patterns = {event: re.compile(pattern) for event, pattern in events.items()}
        self._announce, self._now_ns = announce, now_ns
        self._counts = [0] * len(self._triggers)
        self._observed: ObservesNodes | None = None
        self._nodes: frozenset[str] = frozenset()
        self._is_over = False
        self.struck: list[tuple[int, str]] = []

    def begin(self, cluster: Cluster) -> None:
        """Hear the nodes from now on, where they can be heard."""
        if self._triggers and isinstance(cluster, ObservesNodes):
            self._observed, self._nodes = cluster, frozenset(cluster.nodes)
            cluster.listen(self.node_event)

    def end(self) -> None:
        """The main phase is over: nothing is set off any more."""
        self._is_over = True

    def wants_polling(self) -> bool:
        """Whether a trigger waits for an election that nobody tells of."""
        return self._observed is None and any(trigger.event == ELECTED for _, _, trigger in self._triggers)

    def client_event(self, op: Op) -> None:
        """A recorded event; successes of clients count."""
        if self._triggers and op.type == "ok" and op.process != NEMESIS:
            self._happened(ACKNOWLEDGED, op.node or "")

    def node_event(self, node: str, event: str, text: str) -> None:
        """A node logged `text` (event "log"), or is about to do `event` to its file `text`."""
        if event != "log":
            self._happened(event, node)
            return
        for name, pattern in self._patterns.items():
            if pattern.search(text):
                if name == ELECTED:
                    self.leader = node
                self._happened(name, node)

    def polled(self, leader: str | None) -> None:
        """Who leads now; a change is an election."""
        if leader is not None and leader != self.leader:
            self.leader = leader
            self._happened(ELECTED, leader)

    def _happened(self, event: str, node: str) -> None:
        if self._is_over:
            return
        for number, (place, fault, trigger) in enumerate(self._triggers):
            if trigger.event != event or not self._is_meant(trigger, node):
                continue
            self._counts[number] += 1
            if self._counts[number] == trigger.count:
                if self._strikes(fault, trigger, node):
                    self.struck.append((place, node))
                value = {"planned": place, "node": node}
                self._announce(Op(process=NEMESIS, type="info", f=TRIGGERED, time=self._now_ns(), value=value))

    def _is_meant(self, trigger: Trigger, node: str) -> bool:
        return trigger.node in ("", node) or (trigger.node == "leader" and node == self.leader)

    def _strikes(self, fault: PlannedFault, trigger: Trigger, node: str) -> bool:
        """Whether it is done at once, as what waits for an effect is; the nemesis then finds it done, and proves it."""
        if self._observed is None or trigger.event not in EFFECTS or trigger.delay_s:
            return False
        if fault.kind in STRIKING:
            self._observed.strike(node, power=fault.kind == "power")
            return True
        if fault.kind == PARTITION and fault.cuts is not None and self._nodes.issuperset(chain(*fault.cuts)):
            self._observed.sever(fault.cuts)
            return True
        return False


def check_triggers(faults: Sequence[PlannedFault], events: Mapping[str, str], observed: bool) -> None:
    """Refuse triggers that nothing would ever set off, before anything starts.

    Raises:
        PlanError: naming the event and those that there are.
    """
    known = {ACKNOWLEDGED, ELECTED, *(events if observed else ()), *(EFFECTS if observed else ())}
    for place, fault in enumerate(faults):
        if fault.after is not None and fault.after.event not in known:
            told = nearest(fault.after.event, known)
            raise PlanError(
                f"Fault {place + 1} waits for the event {fault.after.event!r}, which nobody tells of.{told}"
            )
