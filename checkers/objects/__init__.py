"""Checkers of objects richer than a register: counters, queues, locks, lists and sets.

Each one uses what its object tells (the number that an increment returns, a fencing token, the elements of a list) to
know the order of most operations without a search. What remains is compared with real time: see `ranks`.
"""

from typing import TYPE_CHECKING

from checkers.on_demand import names_on_demand

if TYPE_CHECKING:
    from checkers.objects.counter import Counter
    from checkers.objects.grown import AppendOnly, SetFull
    from checkers.objects.lock import FencedLock
    from checkers.objects.queue import TotalQueue
else:
    __getattr__ = names_on_demand(
        __name__,
        {
            "Counter": "counter",
            "AppendOnly": "grown",
            "SetFull": "grown",
            "FencedLock": "lock",
            "TotalQueue": "queue",
        },
    )

__all__ = ["AppendOnly", "Counter", "FencedLock", "SetFull", "TotalQueue"]
