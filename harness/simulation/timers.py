"""The timers of a loop: a heap by deadline, equal deadlines in the order in which they were set.

Most timers are timeouts that are not needed: they are cancelled, stay in the heap, and are swept out when they are most
of it.
"""

from __future__ import annotations

import heapq
from array import array
from typing import TYPE_CHECKING, Final

from harness.simulation.handles import SimTimer

if TYPE_CHECKING:
    from harness.simulation.scheduling import ReadyQueue

SWEEP_MIN: Final = 100
_push, _pop = heapq.heappush, heapq.heappop


class Timers:
    """What will ring."""

    __slots__ = ("_cancelled", "_heap", "_set")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, SimTimer]] = []
        self._set = 0
        self._cancelled = 0

    def add(self, when_ns: int, timer: SimTimer) -> None:
        """Let it ring at its time."""
        self._set = number = self._set + 1
        _push(self._heap, (when_ns, number, timer))

    def one_cancelled(self) -> None:
        """A timer that was added was cancelled; maybe after it rang, so this counts too many, never too few."""
        self._cancelled += 1
        if self._cancelled > SWEEP_MIN and 2 * self._cancelled > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2]._cancelled]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def ring(self, now_ns: int, ready: ReadyQueue, told: array[int]) -> int | None:
        """Make ready all that ring at the next deadline, and return what time it is then; None when there are none.

        `told` is given the time, and the number of each that rings.
        """
        heap, pop = self._heap, _pop
        while heap:
            when_ns, number, timer = pop(heap)
            if timer._cancelled:
                self._cancelled -= 1
                continue
            if when_ns > now_ns:
                now_ns = when_ns
            told.append(-now_ns)
            told.append(number)
            ready.append(timer)
            while heap and heap[0][0] <= now_ns:
                _, number, timer = pop(heap)
                if timer._cancelled:
                    self._cancelled -= 1
                else:
                    told.append(number)
                    ready.append(timer)
            return now_ns
        return None

    def clear(self) -> None:
        """None rings any more."""
        self._heap.clear()
