"""A host's wall clock: off by something, a little fast or slow, and set, sped up or frozen by faults.

It is a straight line over virtual time, begun anew at every change: offset at that moment, and a rate. So what was
gained by a wrong rate stays when the rate is right again, as with a real clock.

    clock = WallClock(loop.now_ns, drift_ppm=50.0)
    clock.set_offset_ns(-3_600_000_000_000)     # jumps an hour back
    clock.set_rate_ppm(1_000_000)               # and runs twice as fast from now on

Limits: only wall clocks do this; the monotonic clock of every host is virtual time itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

EPOCH_NS: Final = 1_700_000_000_000_000_000
"""What the harness' wall clock shows when a simulation begins: 14 November 2023."""


class WallClock:
    """See the module docstring."""

    def __init__(self, now_ns: Callable[[], int], drift_ppm: float, offset_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._drift_ppm = drift_ppm
        self._rate_ppm = 0
        self._frozen = False
        self._since_ns = now_ns()
        self._offset_ns = offset_ns

    def offset_ns(self) -> int:
        """The wall clock minus the harness'."""
        gone_ns = self._now_ns() - self._since_ns
        if self._frozen:
            return self._offset_ns - gone_ns
        return self._offset_ns + int(gone_ns * (self._drift_ppm + self._rate_ppm) / 1_000_000)

    def wall_ns(self) -> int:
        """What it shows."""
        return EPOCH_NS + self._now_ns() + self.offset_ns()

    def set_offset_ns(self, offset_ns: int) -> None:
        """Jump; what was gained or lost so far is undone, too."""
        self._since_ns = self._now_ns()
        self._offset_ns = offset_ns

    def set_rate_ppm(self, ppm: int) -> None:
        """Run faster by so much, on top of the drift."""
        self.set_offset_ns(self.offset_ns())
        self._rate_ppm = ppm

    def freeze(self, on: bool) -> None:
        """Stand still, or go on from where it stands."""
        self.set_offset_ns(self.offset_ns())
        self._frozen = on
