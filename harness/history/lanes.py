"""Mends histories of others in which a process does several things at once, or ends what it never began.

Some recorders give all operations of a client the client's number, even where it does several at once. A completion
then belongs to the running operation of its process that has the same function and, if there are several, the same
value, or the same steps but for what reads found. Each such operation gets a process of its own, so that every process
does one thing at a time again.

Others write completions only, or cut the beginning off. An operation without invocation is taken to have begun as early
as it can: right after what its process did before, or at the beginning. That may hide a violation, but it invents none.
A process that has invoked something before is not taken at such a word: a completion that was written down twice is no
second operation.

    >>> busy = [Op(process=0, f="read"), Op(process=0, f="write", value=1), Op(process=0, type="ok", f="read", value=3)]
    >>> [op.process for op in mended(busy) or ()]
    [0, 1, 0]

Limits: where a completion fits several running operations alike, or none of them or of those before, nobody can know
whose it is: None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from harness.op import NEMESIS, Op


def mended(events: Sequence[Op]) -> list[Op] | None:
    """The events, every process doing one thing at a time, from invocation to completion; None if that is a guess."""
    free = 1 + max((op.process for op in events if isinstance(op.process, int)), default=-1)
    running: dict[int | str, list[tuple[Op, int | str]]] = {}
    told: list[Op] = []
    begun: dict[int, list[Op]] = {}
    last: dict[int | str, int] = {}
    invokes: set[int | str] = set()
    for op in events:
        if op.process == NEMESIS:
            told.append(op)
            continue
        before = last.get(op.process, 0)
        last[op.process] = len(told) + 1
        open_ops = running.setdefault(op.process, [])
        if op.type == "invoke":
            invokes.add(op.process)
            lane, free = (free, free + 1) if open_ops else (op.process, free)
            open_ops.append((op, lane))
        elif not open_ops:
            if op.process in invokes:
                return None
            begun.setdefault(before, []).append(_invocation(op))
            lane = op.process
        else:
            found = _whose(op, open_ops)
            if found is None:
                return None
            lane = open_ops.pop(found)[1]
        told.append(op if lane == op.process else msgspec.structs.replace(op, process=lane))
    return [op for place in range(len(told) + 1) for op in (*begun.get(place, ()), *told[place : place + 1])]


def _invocation(op: Op) -> Op:
    """What was asked for: the completion without what a read, or the reads of a transaction, were told."""
    value = None if op.f == "read" else _asked(op.value) if op.f == "txn" else op.value
    return msgspec.structs.replace(op, type="invoke", value=value, node=None, error=None, version=None)


def _asked(value: Any) -> Any:
    """The steps of a transaction without what reads found; any other value as it is."""
    if not isinstance(value, list):
        return value
    return [[*step[:2], None] if isinstance(step, list) and step[:1] == ["r"] else step for step in value]


def _whose(completion: Op, open_ops: Sequence[tuple[Op, int | str]]) -> int | None:
    """The place of the one running operation that a completion fits."""
    fitting = [place for place, (op, _) in enumerate(open_ops) if op.f == completion.f]
    if len(fitting) > 1:
        same = [place for place in fitting if open_ops[place][0].value == completion.value]
        asked = _asked(completion.value)
        fitting = same or [place for place in fitting if _asked(open_ops[place][0].value) == asked]
    return fitting[0] if len(fitting) == 1 else None
