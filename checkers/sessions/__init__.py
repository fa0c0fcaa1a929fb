"""Session guarantees, causal and sequential consistency: what sessions may expect of the replicas they hop between.

`checker` judges the guarantees: `columns` quickly where versions are in order, `visibility` always. `record` is how
they see a history, `order` finds an order of writes, `paths` and `explain` say what is wrong. `causal` and `sequential`
are the levels above; `token` holds the system to the tokens that it hands out.
"""

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
