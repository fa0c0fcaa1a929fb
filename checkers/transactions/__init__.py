"""Transactions over several keys, lists and registers: isolation levels from read uncommitted to strict serializable.

`checker` judges. `table` and `reading` put steps into columns, `facts` looks at each read, `weak` and `strong` at the
order for their levels, `dependencies`, `graph`, `cycles` and `solver` help them, `wording` tells it; `levels` says what
implies what.
"""

from typing import TYPE_CHECKING

from checkers.on_demand import names_on_demand

if TYPE_CHECKING:
    from checkers.transactions.checker import Transactions
else:
    __getattr__ = names_on_demand(__name__, {"Transactions": "checker"})

__all__ = ["Transactions"]
