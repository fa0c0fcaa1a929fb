"""From the faults of links to the rules of each node's packet filter.

    *filter
    :SPLITBRAIN - [0:0]
    -A SPLITBRAIN -s 172.18.0.2 -j DROP
    COMMIT

The chain is called from INPUT and holds these rules and nothing else, so replacing it as a whole, which
iptables-restore does in one step, puts exactly the wanted faults in force. Acting on arrival makes them one-way, and
breaks connections that are open.

What is handed to the queue is so by a chain of the same name in the table raw, before connections are tracked: of
packets that wait there, those after the first of a connection would else be dropped for being new ones, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.docker_ground.node_image import CHAIN, QUEUE
from harness.protocols import Cut


@dataclass(frozen=True)
class Faults:
    """What is in force on links.

    Attributes:
        cut: nothing passes; reset: nothing passes, and TCP is answered with a reset.
        ports: (TCP port, whether it is answered with a reset) of the destination that is cut, by link.
        queued: what passes is handed to the queue.
    """

    cut: frozenset[Cut] = frozenset()
    reset: frozenset[Cut] = frozenset()
    ports: frozenset[tuple[Cut, int, bool]] = frozenset()
    queued: frozenset[Cut] = frozenset()

    def links(self) -> frozenset[Cut]:
        """Every link that has a fault."""
        return self.cut | self.reset | self.queued | {cut for cut, _, _ in self.ports}


def rules(faults: Faults, node: str, addresses: Mapping[str, str]) -> bytes:
    """Input of iptables-restore for one node: both of its chains as a whole."""
    queue = f"NFQUEUE --queue-num {QUEUE} --queue-bypass"
    queued = (f"-s {addresses[source]} -j {queue}" for source, at in sorted(faults.queued) if at == node)
    return _table("filter", _refusals(faults, node, addresses)) + _table("raw", queued)


def _table(name: str, found: Iterable[str]) -> bytes:
    lines = [f"-A {CHAIN} {rule}" for rule in found]
    return "\n".join([f"*{name}", f":{CHAIN} - [0:0]", *lines, "COMMIT", ""]).encode()


def _refusals(faults: Faults, node: str, addresses: Mapping[str, str]) -> Iterator[str]:
    for source, destination in sorted(faults.cut):
        if destination == node:
            yield f"-s {addresses[source]} -j DROP"
    for source, destination in sorted(faults.reset):
        if destination == node:
            yield f"-s {addresses[source]} -p tcp -j REJECT --reject-with tcp-reset"
            yield f"-s {addresses[source]} -j DROP"
    for (source, destination), port, reset in sorted(faults.ports):
        if destination == node:
            answer = "REJECT --reject-with tcp-reset" if reset else "DROP"
            yield f"-s {addresses[source]} -p tcp --dport {port} -j {answer}"
