"""A host's clocks. Its wall clock is off by something, a little fast or slow, and set, sped up or frozen by faults; its
monotonic clock is as fast or slow as the wall clock by itself, and nothing sets it.

The monotonic clock is what a node's event loop goes by: its timeouts, sleeps and leases last as long as its own clock
says. Two nodes that both wait 300 ms wake at different times.

The wall clock is a straight line over virtual time, begun anew at every change: offset at that moment, and a rate. So
what was gained by a wrong rate stays when the rate is right again, as with a real clock.

    clock = WallClock(loop, drift_ppm=50.0)
    clock.set_offset_ns(-3_600_000_000_000)     # jumps an hour back
    clock.set_rate_ppm(1_000_000)               # and runs twice as fast from now on

Limits: what the kernels do (repetitions of TCP, handshakes) goes by virtual time itself, and so do harness and clients.
"""

from __future__ import annotations

from typing import Final, Protocol

EPOCH_NS: Final = 1_700_000_000_000_000_000
"""What the harness' wall clock shows when a simulation begins: 14 November 2023."""


BILLION: Final = 1_000_000_000


class VirtualTime(Protocol):
    """What a clock needs of the loop."""

    virtual_ns: int


class MonotonicClock:
    """Shows 0 when the simulation begins, and gains or loses the same share of all time.

    >>> fast = MonotonicClock(time, drift_ppm=100)          # at a virtual second
    >>> fast.now_ns(), fast.virtual_ns(2_000_000_000)
    (1000100000, 1999800020)
    """

    __slots__ = ("_ppb", "_time")

    def __init__(self, time: VirtualTime, drift_ppm: float) -> None:
        self._time = time
        self._ppb = round(drift_ppm * 1000)

    def now_ns(self) -> int:
        """What it shows."""
        now_ns = self._time.virtual_ns
        return now_ns + now_ns * self._ppb // BILLION

    def shown_at(self, virtual_ns: int) -> int:
        """What it shows at that virtual time."""
        return virtual_ns + virtual_ns * self._ppb // BILLION

    def virtual_ns(self, shown_ns: int) -> int:
        """The first virtual nanosecond at which it shows at least that."""
        virtual_ns = shown_ns * BILLION // (BILLION + self._ppb)
        while self.shown_at(virtual_ns) < shown_ns:
            virtual_ns += 1
        while virtual_ns > 0 and self.shown_at(virtual_ns - 1) >= shown_ns:
            virtual_ns -= 1
        return virtual_ns


class WallClock:
    """See the module docstring."""

    def __init__(self, time: VirtualTime, drift_ppm: float, offset_ns: int = 0) -> None:
        self._time = time
        self._drift_ppm = drift_ppm
        self._set_ppm = 0
        self._frozen = False
        self._rate = drift_ppm / 1_000_000
        self._since_ns = time.virtual_ns
        self._offset_ns = offset_ns

    def offset_ns(self) -> int:
        """The wall clock minus the harness'."""
        return self._offset_ns + int((self._time.virtual_ns - self._since_ns) * self._rate)

    def wall_ns(self) -> int:
        """What it shows."""
        now_ns = self._time.virtual_ns  # asked for with every event of a server: no call more than needed
        return EPOCH_NS + now_ns + self._offset_ns + int((now_ns - self._since_ns) * self._rate)

    def set_offset_ns(self, offset_ns: int) -> None:
        """Jump; what was gained or lost so far is undone, too."""
        self._since_ns = self._time.virtual_ns
        self._offset_ns = offset_ns

    def set_rate_ppm(self, ppm: int) -> None:
        """Run faster by so much, on top of the drift."""
        self._set_ppm = ppm
        self._turn()

    def freeze(self, on: bool) -> None:
        """Stand still, or go on from where it stands."""
        self._frozen = on
        self._turn()

    def _turn(self) -> None:
        """Go on from what it shows now, at another rate."""
        self.set_offset_ns(self.offset_ns())
        self._rate = -1.0 if self._frozen else (self._drift_ppm + self._set_ppm) / 1_000_000
