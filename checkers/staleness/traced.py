"""A history in columns whose values tell what each read read from, whether its versions can be believed or not.

They are believed key by key, as `checkers.sessions.by_versions` says: every completed operation has one, no version
names two values or two writes, and no write has two versions.

    write 7, version (1, 12) ... read 7, version (1, 8)          this key goes by values, others may go by versions

Limits: reads and writes, each value written to a key once and never the initial one; else None, and `Record.of` tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from checkers.sessions.columns import NOTHING, code_of_initial, sources_by_value, versions_of
from harness.history import History
from harness.history.operations import FAIL, OK

Column = NDArray[np.int64]


@dataclass(frozen=True)
class Traced:
    """Completed reads, and writes that happened or may have, by rows of `Operations`.

    Attributes:
        all_reads: with those that cannot be right, which are not in `reads`.
        source: per read the place of its write, NOTHING for the initial value.
        version: per write, which a read tells of one in doubt; NOTHING if nobody did.
        believed: per code of a key whether its versions are.
    """

    history: History
    all_reads: Column
    reads: Column
    writes: Column
    source: Column
    version: Column
    believed: NDArray[np.bool_]


def read_traced(history: History) -> Traced | None:
    """See the module docstring."""
    o = history.operations
    if not len(o) or not {name for name in o.fs if name is not None} <= {"read", "write"}:
        return None
    is_read = o.f == (o.fs.index("read") if "read" in o.fs else -1)
    reads, writes = np.flatnonzero(is_read & (o.status == OK)), np.flatnonzero(~is_read & (o.status != FAIL))
    initial, version = code_of_initial(history), versions_of(o.generation, o.log_index)
    if version is None or not len(writes) or np.any(o.argument[writes] == initial):
        return None
    origin = sources_by_value(o, reads, writes)
    if origin is None:
        return None
    first = o.result[reads] == initial
    right = first | ((origin >= 0) & (o.invoke[writes][origin] < o.response[reads]))
    told = np.where(o.status[writes] == OK, version[writes], NOTHING)
    doubtful = right & (origin >= 0) & (o.status[writes][origin] != OK)
    told[origin[doubtful]] = version[reads[doubtful]]
    return Traced(
        history, reads, reads[right], writes, np.where(first, NOTHING, origin)[right], told,
        _believed(history, reads, writes, origin, version),
    )  # fmt: skip


def _believed(history: History, reads: Column, writes: Column, origin: Column, version: Column) -> NDArray[np.bool_]:
    """Per code of a key whether its versions can be believed."""
    o = history.operations
    key = o.key.astype(np.int64)
    believed = np.ones(len(o.keys), np.bool_)
    acknowledged = o.status[writes] == OK
    done = np.concatenate([reads, writes[acknowledged]])
    believed[key[done[version[done] == NOTHING]]] = False
    span = int(version.max(initial=0)) + 2
    value = np.concatenate([o.result[reads], o.argument[writes[acknowledged]]])
    name = key[done] * span + version[done]
    order = np.argsort(name)
    two_values = (name[order][1:] == name[order][:-1]) & (value[order][1:] != value[order][:-1])
    believed[key[done[order[1:][two_values]]]] = False
    some = writes[version[writes] != NOTHING]
    names = np.sort(key[some] * span + version[some])
    believed[names[1:][names[1:] == names[:-1]] // span] = False
    lowest = np.where(acknowledged, version[writes], np.iinfo(np.int64).max)
    highest = np.where(acknowledged, version[writes], NOTHING)
    shown = origin >= 0
    np.minimum.at(lowest, origin[shown], version[reads[shown]])
    np.maximum.at(highest, origin[shown], version[reads[shown]])
    believed[key[writes[lowest < highest]]] = False
    return believed
