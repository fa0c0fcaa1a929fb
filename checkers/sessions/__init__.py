"""Session guarantees, causal and sequential consistency: what sessions may expect of the replicas they hop between.

`checker` judges the guarantees: `columns` quickly where versions are in order, `values` and what builds on it where
there are none and values are all different (`own` without and `by_values` with what a write brings along), `visibility`
always. `record` is how they see a history, `order` finds an order of writes, `paths` and `explain` say what is wrong.
`causal` and `sequential` are the levels above; `token` holds the system to the tokens that it hands out.
"""

from typing import TYPE_CHECKING

from checkers.on_demand import names_on_demand

if TYPE_CHECKING:
    from checkers.sessions.causal import Causal
    from checkers.sessions.checker import (
        CausalConvergent,
        MonotonicReads,
        MonotonicWrites,
        Pram,
        ReadYourWrites,
        Semantics,
        Sessions,
        WritesFollowReads,
    )
    from checkers.sessions.sequential import Sequential
    from checkers.sessions.token import Token
else:
    __getattr__ = names_on_demand(
        __name__,
        {
            "Causal": "causal",
            "CausalConvergent": "checker",
            "MonotonicReads": "checker",
            "MonotonicWrites": "checker",
            "Pram": "checker",
            "ReadYourWrites": "checker",
            "Semantics": "checker",
            "Sessions": "checker",
            "WritesFollowReads": "checker",
            "Sequential": "sequential",
            "Token": "token",
        },
    )

__all__ = [
    "Causal",
    "CausalConvergent",
    "MonotonicReads",
    "MonotonicWrites",
    "Pram",
    "ReadYourWrites",
    "Semantics",
    "Sequential",
    "Sessions",
    "Token",
    "WritesFollowReads",
]
