"""Simple invariants: quick to check, and each names the damage. Most are necessary for more than they are themselves.

    set-final, unique-ids, counter-bounds, bank, long-fork, comments      of what operations were told
    availability                                                          of when they were served
    log-pattern                                                           of what nodes wrote

Verdicts on operations are derived again from the raw events by `checkers.verifiers.invariants`.
"""

from typing import TYPE_CHECKING

from checkers.on_demand import names_on_demand

if TYPE_CHECKING:
    from checkers.invariants.availability import Availability
    from checkers.invariants.bank import Bank
    from checkers.invariants.comments import Comments
    from checkers.invariants.counter_bounds import CounterBounds
    from checkers.invariants.final_set import FinalSet
    from checkers.invariants.log_pattern import LogPattern
    from checkers.invariants.long_fork import LongFork
    from checkers.invariants.unique_ids import UniqueIds
else:
    __getattr__ = names_on_demand(
        __name__,
        {
            "Availability": "availability",
            "Bank": "bank",
            "Comments": "comments",
            "CounterBounds": "counter_bounds",
            "FinalSet": "final_set",
            "LogPattern": "log_pattern",
            "LongFork": "long_fork",
            "UniqueIds": "unique_ids",
        },
    )

__all__ = [
    "Availability",
    "Bank",
    "Comments",
    "CounterBounds",
    "FinalSet",
    "LogPattern",
    "LongFork",
    "UniqueIds",
]
