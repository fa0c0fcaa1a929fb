"""One way from a host to another: how long messages take, and whether and how it is broken.

    plain ───▶ everything passes, after its delay: the shortcut of every message in quiet times
    cut        what is sent is gone, and nobody is told
    reset      what is sent is answered with a reset
    clogged    what is sent is held, and arrives in a burst when the clog is lifted
    shaped     slower, narrower, with losses

A connection hides losses: a lost piece is sent again after 0.2 s, 0.4 s, ..., and everything behind it waits. So do
corrupt ones, which TCP drops. Only datagrams are really lost, doubled or overtaken.

Limits: bandwidth is counted by payload; a narrow link queues without bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import NormalDist
from typing import Final, Literal

from harness.protocols import LinkShape
from harness.simulation.world import Delay, World
from harness.streams import Random, Streams
from harness.tape import TapedRandom, decide, happens

MILLISECOND_NS: Final = 1_000_000
SLOW_SHARE: Final = 0.01
"""One message in a hundred meets a queue somewhere, and takes up to SLOW_SPAN_NS longer."""
SLOW_SPAN_NS: Final = 20_000_000
LOOPBACK_MIN_NS: Final = 20_000
LOOPBACK_SPAN_NS: Final = 40_000
DELAY_MAX_NS: Final = 10_000_000_000
RETRANSMIT_MIN_NS: Final = 200_000_000
LOSSES_MAX: Final = 8
"""How often one piece is lost at most, for the connection would die of more."""
OVERTAKEN_NS: Final = 50_000_000
"""A datagram that is overtaken comes up to so much later."""
LOGNORMAL_SIGMA: Final = 0.8
PARETO_INDEX: Final = 1.5
NORMAL: Final = NormalDist()

Passage = Literal["open", "silent", "reset"]
PLAIN_SHAPE: Final = LinkShape()


class Link:
    """See the module docstring.

    Attributes:
        plain: whether there is nothing to look at but the delay.
        delay_ns: draws how long the next message takes.
    """

    __slots__ = (
        "_dark", "_free_ns", "_held", "_losses", "_world", "clogged", "cut", "delay_ns", "plain", "ports", "reset",
        "shape", "stalled",
    )  # fmt: skip

    def __init__(self, source: str, destination: str, world: World, streams: Streams) -> None:
        name = f"network/{source}>{destination}"
        self.delay_ns = delays(_delay_of(world, source, destination), streams.stream(name))
        self._losses = streams.stream(f"{name}/trouble")
        self._world = world
        self._held: deque[Callable[[], object]] = deque()
        self._free_ns = 0
        self._dark = False
        self.cut = False
        self.reset = False
        self.clogged = False
        self.stalled = False
        self.shape = PLAIN_SHAPE
        self.ports: dict[int, bool] = {}
        self.plain = True
        self.settle(dark=False)

    def settle(self, *, dark: bool) -> None:
        """Work out anew whether anything is wrong; `dark`: one of the hosts has no power, or is frozen."""
        self._dark = dark
        world = self._world
        quiet = self.shape is PLAIN_SHAPE and not (world.loss or world.duplicate or world.reorder)
        self.plain = quiet and not (dark or self.cut or self.reset or self.clogged or self.ports or self.stalled)
        if not self.clogged:
            while self._held:
                self._held.popleft()()

    def passage(self, port: int) -> Passage:
        """What becomes of what is sent now to that port of the destination."""
        if self.plain:
            return "open"
        if self._dark or self.cut:
            return "silent"
        if port in self.ports:
            return "reset" if self.ports[port] else "silent"
        return "reset" if self.reset else "open"

    def carry(self, now_ns: int, size: int, launch: Callable[[int], object]) -> None:
        """Take a piece of a connection: `launch` is called with its time of arrival, now or when the clog is lifted."""
        if self.clogged:
            self._held.append(lambda: launch(0))  # as soon as may be, and behind what is ahead of it
        else:
            launch(self._leaves_ns(now_ns, size) + self._travel_ns() + self._retransmissions_ns())

    def carry_datagram(self, now_ns: int, size: int, launch: Callable[[int], object]) -> None:
        """Take a datagram: `launch` is called as often as it arrives."""
        if self.clogged:
            self._held.append(lambda: launch(0))
            return
        shape, world, chance = self.shape, self._world, self._losses
        leaves_ns = self._leaves_ns(now_ns, size)
        if _falls(chance, "lost", world.loss, shape.loss, shape.corrupt):
            return
        late_ns = 0
        if _falls(chance, "overtaken", world.reorder, shape.reorder):
            late_ns = 1 + decide(chance, "late", OVERTAKEN_NS, lambda random: random.randrange(OVERTAKEN_NS))
        launch(leaves_ns + self._travel_ns() + late_ns)
        if _falls(chance, "doubled", world.duplicate, shape.duplicate):
            launch(leaves_ns + self._travel_ns())

    def _travel_ns(self) -> int:
        shape = self.shape
        extra_ms = shape.delay_ms
        if shape.jitter_ms:
            span = int(2 * shape.jitter_ms * MILLISECOND_NS) + 1
            extra_ms -= shape.jitter_ms
            extra_ms += decide(self._losses, "jitter", span, lambda random: random.randrange(span)) / MILLISECOND_NS
        return max(0, self.delay_ns() + int(extra_ms * MILLISECOND_NS))

    def _leaves_ns(self, now_ns: int, size: int) -> int:
        """When its last bit is on the way."""
        if not self.shape.rate_kbit:
            return now_ns
        self._free_ns = max(now_ns, self._free_ns) + int(size * 8 * MILLISECOND_NS / self.shape.rate_kbit)
        return self._free_ns

    def _retransmissions_ns(self) -> int:
        late_ns, timeout_ns = 0, RETRANSMIT_MIN_NS
        for _ in range(LOSSES_MAX):
            if not _falls(self._losses, "lost", self._world.loss, self.shape.loss, self.shape.corrupt):
                break
            late_ns, timeout_ns = late_ns + timeout_ns, 2 * timeout_ns
        return late_ns


def _falls(chance: Random, label: str, *shares: float) -> bool:
    share = 1.0
    for each in shares:
        share *= 1 - each
    return share < 1 and happens(chance, label, 1 - share)


def _delay_of(world: World, source: str, destination: str) -> Delay | None:
    """None for the way from a host to itself."""
    if source == destination:
        return None
    return world.links.get(f"{source}>{destination}", world.delay)


def delays(delay: Delay | None, random: Random) -> Callable[[], int]:
    """A function that draws delays in nanoseconds."""
    extra_ns: Callable[[Random], int]
    if delay is None:
        shortest_ns, extra_ns = LOOPBACK_MIN_NS, _loopback
    else:
        shortest_ns = int(delay.min_ms * MILLISECOND_NS)
        extra_ns = {"uniform": _uniform, "lognormal": _lognormal, "heavy-tail": _heavy_tail}[delay.kind](
            int(delay.span_ms * MILLISECOND_NS)
        )
    if isinstance(random, TapedRandom):
        return lambda: shortest_ns + random.decide("delay", DELAY_MAX_NS, extra_ns)
    if delay is not None and delay.kind == "uniform":
        return _uniform_at_once(shortest_ns, int(delay.span_ms * MILLISECOND_NS), random.random)
    return lambda: shortest_ns + extra_ns(random)


def _loopback(random: Random) -> int:
    return int(random.random() * LOOPBACK_SPAN_NS)


def _uniform(span_ns: int) -> Callable[[Random], int]:
    def extra_ns(random: Random) -> int:
        share = random.random()
        usual = int(share * span_ns)
        return usual + int(random.random() * SLOW_SPAN_NS) if share < SLOW_SHARE else usual

    return extra_ns


def _uniform_at_once(shortest_ns: int, span_ns: int, draw: Callable[[], float]) -> Callable[[], int]:
    """The same, in one call instead of three: most messages of most runs get their delay here."""

    def delay_ns() -> int:
        share = draw()
        usual_ns = shortest_ns + int(share * span_ns)
        return usual_ns if share >= SLOW_SHARE else usual_ns + int(draw() * SLOW_SPAN_NS)

    return delay_ns


def _lognormal(span_ns: int) -> Callable[[Random], int]:
    def extra_ns(random: Random) -> int:
        normal = NORMAL.inv_cdf(max(random.random(), 1e-12))
        return min(DELAY_MAX_NS - 1, int(span_ns / 2 * 2.718281828459045 ** (LOGNORMAL_SIGMA * normal)))

    return extra_ns


def _heavy_tail(span_ns: int) -> Callable[[Random], int]:
    def extra_ns(random: Random) -> int:
        return min(DELAY_MAX_NS - 1, int(span_ns / 4 * (1 - random.random()) ** (-1 / PARETO_INDEX)))

    return extra_ns
