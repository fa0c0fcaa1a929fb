"""On which keys versions can be believed, told from columns: as `accesses.contradiction` says it of one key.

    believed_keys(operations)      per code of a key; None where versions are too great for it

It shares no code with the checkers, on purpose.
Limits: reads and writes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from checkers.verifiers.session_columns import Numbers, columns_of, levels
from harness.history import Operations
from harness.history.operations import OK

_SPACE = 1 << 62


def believed_keys(o: Operations) -> NDArray[np.bool_] | None:
    """See the module docstring."""
    level = levels(o)
    if level is None:
        return None
    span, width = 1 + int(level.max(initial=0)), len(o.values) + 1
    if len(o.keys) * max(span, width) >= _SPACE:
        return None
    key, (reads, writes) = o.key.astype(np.int64), columns_of(o)
    done = np.concatenate([reads, writes[o.status[writes] == OK]])
    value = np.where(np.arange(len(done)) < len(reads), o.result[done], o.argument[done])
    bad = np.zeros(len(o.keys), np.bool_)
    bad[key[done[level[done] < 0]]] = True
    named = np.flatnonzero(level[done] >= 0)
    bad[_of_two(key[done[named]] * span + level[done[named]], value[named]) // span] = True
    told = writes[level[writes] >= 0]
    bad[_repeated(key[told] * span + level[told]) // span] = True
    given, often = np.unique(key[writes] * width + o.argument[writes], return_counts=True)
    several = _of_two(key[done] * width + value, level[done])
    bad[several[np.isin(several, given[often == 1])] // width] = True
    return ~bad


def _of_two(names: Numbers, values: Numbers) -> Numbers:
    """Names that stand beside two values and more, some of them several times."""
    order = np.argsort(names)
    names, values = names[order], values[order]
    found: Numbers = names[1:][(names[1:] == names[:-1]) & (values[1:] != values[:-1])]
    return found


def _repeated(names: Numbers) -> Numbers:
    names = np.sort(names)
    found: Numbers = names[1:][names[1:] == names[:-1]]
    return found
