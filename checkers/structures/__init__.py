"""Exact, fast answers for objects with a structure: queues, stacks, sets, locks, counters, logs.

    FAST_PATHS["queue"](calls, initial)     an order of the operations, a violation, or None: see `decision`

Linearizability is NP-complete for any of these in general, and close to linear where values are put in once each, which
a test decides for itself. `None` hands a history over to the general engine. `Structure` is a checker around them.
"""

from typing import Final

from checkers.structures import members, mutex, queue, stack, told
from checkers.structures.checker import Structure
from checkers.structures.decision import Decide, Decision, Order, Violation

FAST_PATHS: Final[dict[str, Decide]] = {
    "queue": queue.decide,
    "stack": stack.decide,
    "set": told.decide_set,
    "grow-set": told.decide_grown_set,
    "log": told.decide_log,
    "mutex": mutex.decide,
    "fenced-lock": told.decide_fenced_lock,
    "counter": told.decide_counter,
}

__all__ = ["FAST_PATHS", "Decision", "Order", "Structure", "Violation", "members"]
