"""Links that are slow, lossy, narrow or clogged, and links that are cut in other ways than by silence.

The links of a fault are those between its nodes and all others, both ways. Evidence are round trips before, during and
after: a delay shows in their median, loss in those that never came back, a narrow link in how long a probe takes to get
through. What is doubled or out of order shows in a burst of probes: in which order their answers come, and how often. A
clogged link lets no probe through while it is clogged, and does when it is not.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Final, Protocol, runtime_checkable

from harness.nemesis.effect import Nodes, NotNow, Proof
from harness.protocols import ClogsLinks, Cluster, Cut, CutsPorts, LinkShape, Net, ProbesPorts, ShapesLinks
from harness.streams import Random

DELAY_MS: Final = (10.0, 400.0)
LOSS: Final = (0.1, 0.4)
REORDER: Final = (0.1, 0.5)
DUPLICATE: Final = (0.1, 0.5)
RATE_KBIT: Final = (32.0, 256.0)
PROBES: Final = 30
"""Both ways lossy by a tenth, so many round trips all come back once in five hundred times."""
BATCH: Final = 6
PROBED_LINKS: Final = 2
BURSTS_MAX: Final = 3
BURST_DELAYS: Final = 1.5
"""A burst lasts longer than the delay, so that what was delayed once is back before the last probe is sent."""
SWIZZLE_S: Final = (0.05, 0.6)
PROBE_BYTES: Final = 84
TRIES: Final = 4
SEEN: Final = 0.5
"""What share of the delay that was asked for must show in the median."""
CALM_MS: Final = 5.0
"""By how much a median may differ and still be that of an undisturbed link."""


KINDS: Final = {
    "latency": "delay_ms",
    "loss": "loss",
    "bandwidth": "rate_kbit",
    "packet-reorder": "reorder",
    "packet-duplicate": "duplicate",
    "packet-corrupt": "corrupt",
}
"""Kinds of faults with one shape, by the field that it sets; the kind "packet" is any, or any two at once."""


@runtime_checkable
class TellsOrder(Protocol):
    """On `net`: evidence for what is doubled or overtakes."""

    async def echoes(self, source: str, destination: str, count: int, over_ms: float = 0.0) -> list[int]:
        """Send so many probes, spread over so long; their numbers from 1, in the order in which answers came, doubles
        and all. Who sends may leave soon after the last, if nothing slow has come back by then."""


class ShapedLinks:
    """One kind of shape: one of KINDS, or "packet"."""

    holds = False

    def __init__(self, kind: str, cluster: Cluster, net: Net, random: Random) -> None:
        assert isinstance(net, ShapesLinks)
        self.kind, self._cluster, self._net, self._random = kind, cluster, net, random
        self._before: dict[Cut, list[float | None]] = {}
        self._doubling: dict[Cut, int] = {}

    async def inject(self, nodes: Nodes) -> Proof:
        """Shape all links of these nodes, and measure some."""
        links = links_of(nodes, self._cluster.nodes)
        shape = self.draw()
        self._before = await self._measure((await passing(self._net, links))[:PROBED_LINKS])
        disorderly = shape.duplicate or shape.reorder
        self._doubling = {link: (await self._burst(link, shape))[0] for link in self._before} if disorderly else {}
        await self._net.shape(dict.fromkeys(links, shape))
        during = await self._measure_until_seen(shape)
        said, disordered = await self._disorder(shape)
        proven = disordered and all(shows(shape, self._before[link], during[link]) for link in during)
        evidence = f"{tell(during)}{said}; before: {tell(self._before)}"
        return Proof(evidence, proven, f"{' '.join(nodes)}: {words(shape)}")

    async def lift(self, nodes: Nodes) -> Proof:
        """Lift all shapes, and measure again."""
        await self._net.shape({})
        free = await passing(self._net, links_of(nodes, self._cluster.nodes))
        after = await self._measure(free[:PROBED_LINKS])
        said, ordered = await self._disorder(LinkShape())
        calm = ordered and all(is_calm(self._before.get(link, [0.0]), after[link]) for link in after)
        return Proof(f"{tell(after)}{said}", calm)

    def draw(self) -> LinkShape:
        """A shape of this kind, as far as the ground can do it."""
        makers: dict[str, Callable[[], LinkShape]] = {
            "delay_ms": self._delay,
            "loss": lambda: LinkShape(loss=self._between(LOSS)),
            "corrupt": lambda: LinkShape(corrupt=self._between(LOSS)),
            "reorder": lambda: LinkShape(delay_ms=self._between(DELAY_MS), reorder=self._between(REORDER)),
            "rate_kbit": lambda: LinkShape(rate_kbit=self._between(RATE_KBIT)),
            "duplicate": lambda: LinkShape(duplicate=self._between(DUPLICATE)),
        }
        if self.kind in KINDS:
            return makers[KINDS[self.kind]]()
        can = [name for name in makers if name in self._net.shapes()]
        chosen = [makers[name]() for name in self._random.sample(can, self._random.randint(1, min(2, len(can))))]
        return LinkShape(*(max(values) for values in zip(*(fields(shape).values() for shape in chosen), strict=True)))

    def _delay(self) -> LinkShape:
        delay_ms = self._between(DELAY_MS)
        jitter_ms = delay_ms * self._random.choice((0.0, 0.2)) if "jitter_ms" in self._net.shapes() else 0.0
        return LinkShape(delay_ms=delay_ms, jitter_ms=jitter_ms)

    def _between(self, bounds: tuple[float, float]) -> float:
        """Even over orders of magnitude, to two digits."""
        return float(f"{math.exp(self._random.uniform(*map(math.log, bounds))):.2g}")

    async def _measure(self, links: Sequence[Cut], count: int = PROBES) -> dict[Cut, list[float | None]]:
        found = await asyncio.gather(*(self._net.round_trip_ms(*link, count) for link in links))
        return dict(zip(links, found, strict=True))

    async def _disorder(self, shape: LinkShape) -> tuple[str, bool]:
        """What comes twice or out of order where such a shape was asked for, and whether that is as `shape` says."""
        told, fits = "", True
        for link, before in self._doubling.items():
            doubled = overtook = sent = 0
            for _ in range(BURSTS_MAX):
                more, late = await self._burst(link, shape)
                doubled, overtook, sent = doubled + more, overtook + late, sent + PROBES
                if (doubled or not shape.duplicate) and (overtook or not shape.reorder):
                    break
            told += f"; {link[0]}→{link[1]} of {sent} probes {doubled} came again, {overtook} overtook"
            fits = fits and (doubled > 0 if shape.duplicate else not doubled or before > 0)
            fits = fits and (overtook > 0 or not shape.reorder)
        return told, fits

    async def _burst(self, link: Cut, shape: LinkShape) -> tuple[int, int]:
        """How many of PROBES came again, and how many overtook."""
        if not isinstance(self._net, TellsOrder):
            return 0, 0
        came = await self._net.echoes(*link, PROBES, BURST_DELAYS * shape.delay_ms)
        return len(came) - len(set(came)), overtaking(came)

    async def _measure_until_seen(self, shape: LinkShape) -> dict[Cut, list[float | None]]:
        """As many round trips as it takes to see the shape: one that is lost takes seconds."""
        found: dict[Cut, list[float | None]] = {link: [] for link in self._before}
        for _ in range(PROBES // BATCH):
            for link, trips in (await self._measure(list(found), BATCH)).items():
                found[link] += trips
            if all(shows(shape, self._before[link], trips) for link, trips in found.items()):
                break
        return found


class Clog:
    """Links that hold everything, and give it all at once when they are released."""

    kind, holds = "clog", False

    def __init__(self, cluster: Cluster, net: Net) -> None:
        assert isinstance(net, ClogsLinks)
        self._cluster, self._net, self._clogs = cluster, net, net
        self._probed: Sequence[Cut] = ()

    async def inject(self, nodes: Nodes) -> Proof:
        """Clog all links of these nodes, and probe some."""
        links = links_of(nodes, self._cluster.nodes)
        self._probed = (await passing(self._net, links))[: 2 * PROBED_LINKS]
        await self._clogs.clog(links)
        reached = await self._reached()
        return Proof(f"{len(reached)} links probed, {sum(reached)} pass", not any(reached))

    async def lift(self, nodes: Nodes) -> Proof:
        """Release them, and probe again."""
        await self._clogs.clog(())
        reached = await self._reached()
        return Proof(f"{len(reached)} links probed, {sum(reached)} pass again", all(reached))

    async def _reached(self) -> list[bool]:
        return list(await asyncio.gather(*(reaches_at_last(self._net, link) for link in self._probed)))


class Swizzle:
    """The links of one node after another are clogged, and released in another order: no two see the same.

    FoundationDB's tests found it to be the strongest of patterns ("swizzle-clog" in its own documentation).
    """

    kind, holds = "swizzle", False

    def __init__(self, cluster: Cluster, net: Net, random: Random) -> None:
        assert isinstance(net, ClogsLinks)
        self._cluster, self._net, self._clogs, self._random = cluster, net, net, random
        self._probed: Sequence[Cut] = ()

    async def inject(self, nodes: Nodes) -> Proof:
        """Clog them, and probe some of the links."""
        order = self._random.sample(list(nodes), len(nodes))
        self._probed = (await passing(self._net, links_of(nodes, self._cluster.nodes)))[: 2 * PROBED_LINKS]
        await self._one_after_another([order[: place + 1] for place in range(len(order))])
        reached = [await reaches_at_last(self._net, link) for link in self._probed]
        return Proof(f"{len(reached)} links probed, {sum(reached)} pass", not any(reached), f"{', '.join(order)}")

    async def lift(self, nodes: Nodes) -> Proof:
        """Release them, and probe again."""
        order = self._random.sample(list(nodes), len(nodes))
        await self._one_after_another([order[place + 1 :] for place in range(len(order))])
        reached = [await reaches_at_last(self._net, link) for link in self._probed]
        return Proof(f"released {', '.join(order)}; {len(reached)} links probed, {sum(reached)} pass", all(reached))

    async def _one_after_another(self, steps: Sequence[Sequence[str]]) -> None:
        for place, clogged in enumerate(steps):
            if place:
                await asyncio.sleep(self._random.uniform(*SWIZZLE_S))
            await self._clogs.clog(links_of(clogged, self._cluster.nodes))


class ResetNet:
    """Cuts that are answered with a reset, as a `Net`."""

    def __init__(self, net: Net) -> None:
        assert isinstance(net, CutsPorts)
        self._net, self._cuts = net, net

    async def cut(self, cuts: Iterable[Cut]) -> None:
        """Exactly these."""
        await self._cuts.resets(cuts)

    async def heal(self) -> None:
        """None."""
        await self._cuts.resets(())

    async def reaches(self, source: str, destination: str) -> bool:
        """By a datagram, which a reset does not let through either."""
        return await self._net.reaches(source, destination)


class PortNet:
    """Cuts of the servers' port only, as a `Net`; half the time by reset, half by silence."""

    def __init__(self, cluster: Cluster, net: Net, random: Random) -> None:
        assert isinstance(net, CutsPorts)
        self._cluster, self._net, self._cuts, self._random = cluster, net, net, random

    async def cut(self, cuts: Iterable[Cut]) -> None:
        """Exactly these."""
        await self._cuts.cut_port(cuts, self._port(), reset=self._random.random() < 0.5)

    async def heal(self) -> None:
        """None."""
        await self._cuts.cut_port((), self._port())

    async def reaches(self, source: str, destination: str) -> bool:
        """By a connection to the server's port; where none can be tried, what passes at all counts as passing."""
        if not isinstance(self._net, ProbesPorts):
            return await self._net.reaches(source, destination)
        return await self._net.connects(source, destination, self._port()) == "open"

    def _port(self) -> int:
        return self._cluster.address(self._cluster.nodes[0])[1]


async def passing(net: Net, links: Sequence[Cut]) -> list[Cut]:
    """The links over which something passes both ways.

    Raises:
        NotNow: there is none; another fault cuts them all, or their ends are dark.
    """
    reached = dict(zip(links, await asyncio.gather(*(reaches_at_last(net, link) for link in links)), strict=True))
    found = [link for link in links if reached[link] and reached[link[1], link[0]]]
    if not found:
        raise NotNow(f"nothing passes between {' '.join(dict.fromkeys(a for a, _ in links))} now")
    return found


async def reaches_at_last(net: Net, link: Cut) -> bool:
    """Whether one of some probes arrives: a lossy link may take one or another."""
    for _ in range(TRIES):
        if await net.reaches(*link):
            return True
    return False


def links_of(nodes: Nodes, everybody: Sequence[str]) -> list[Cut]:
    """Both ways between these nodes and all others."""
    pairs = [(node, other) for node in nodes for other in everybody if other != node]
    return list(dict.fromkeys(link for a, b in pairs for link in ((a, b), (b, a))))


def shows(shape: LinkShape, before: Sequence[float | None], during: Sequence[float | None]) -> bool:
    """Whether round trips over a link that is shaped both ways are as they should be."""
    lost = sum(one is None for one in during)
    if (shape.loss or shape.corrupt) and not lost:
        return False
    came = [one for one in during if one is not None]
    one_way_ms = shape.delay_ms + (PROBE_BYTES * 8 / shape.rate_kbit if shape.rate_kbit else 0.0)
    if not came or not one_way_ms:
        return bool(lost) or bool(came and shape.duplicate)
    calm = [one for one in before if one is not None]
    slower_ms = median(came) - (median(calm) if calm else 0.0)
    if shape.reorder and shape.reorder >= SEEN / 2:  # many overtake, so the median says little, and the slowest all
        slower_ms = max(came) - (median(calm) if calm else 0.0)
    return slower_ms >= SEEN * 2 * one_way_ms - 2 * shape.jitter_ms


def is_calm(before: Sequence[float | None], after: Sequence[float | None]) -> bool:
    """Whether a link is as it was: nothing is lost, and it takes no longer."""
    came = [one for one in after if one is not None]
    calm = [one for one in before if one is not None]
    return len(came) == len(after) and median(came) <= (median(calm) if calm else 0.0) * 2 + CALM_MS


def overtaking(came: Sequence[int]) -> int:
    """How many answers came before one of an earlier probe.

    >>> overtaking([1, 3, 2, 2, 4])
    1
    """
    first = list(dict.fromkeys(came))
    return sum(any(later < one for later in first[place + 1 :]) for place, one in enumerate(first))


def tell(found: Mapping[Cut, Sequence[float | None]]) -> str:
    """Round trips in words: the median, and how many were lost."""
    told = []
    for (source, destination), trips in found.items():
        came = [one for one in trips if one is not None]
        middle = f"{median(came):.1f} ms" if came else "nothing came back"
        told.append(f"{source}→{destination} {middle}, {len(trips) - len(came)} of {len(trips)} lost")
    return "; ".join(told)


def fields(shape: LinkShape) -> dict[str, float]:
    """A shape by the names of its fields."""
    return {name: getattr(shape, name) for name in LinkShape.__struct_fields__}


def words(shape: LinkShape) -> str:
    """A shape for people: "delay_ms 40, loss 0.2"."""
    return ", ".join(f"{name} {value:g}" for name, value in fields(shape).items() if value)
