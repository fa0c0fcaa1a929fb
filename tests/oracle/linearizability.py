"""Linearizability by trying every order: the definition itself (Herlihy and Wing, 1990), for histories of a few events.

An operation may be placed next if no definite operation that is not placed yet had ended before it began. Shares no
code with the checkers; works on the events.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from harness.op import Op

Call = tuple[int, float, str, Any, Any]
"""(start, end or infinity, f, argument, what was seen)."""
INFINITY = float("inf")


def calls(events: Sequence[Op], fail_cas: str) -> list[Call]:
    """What the events say about the register; events are numbered by their place in the sequence."""
    found: list[Call] = []
    running: dict[Any, tuple[int, Op]] = {}
    for place, op in enumerate(events):
        if op.type == "invoke":
            running[op.process] = (place, op)
            continue
        start, asked = running.pop(op.process)
        if op.type == "ok":
            found.append((start, place, op.f, asked.value, op.value))
        elif op.type == "info" and op.f != "read":
            found.append((start, INFINITY, op.f, asked.value, None))
        elif op.type == "fail" and op.f == "cas" and op.error == "mismatch" and fail_cas != "drop":
            told = op.value[2:] if fail_cas == "returned" else []
            found.append((start, place, "refused", asked.value, told))
    found += [(start, INFINITY, op.f, op.value, None) for start, op in running.values() if op.f != "read"]
    return found


def step(state: Any, call: Call) -> tuple[bool, Any]:
    """Whether a call makes sense in a state, and the state after it."""
    _, _, f, argument, seen = call
    if f == "read":
        return state == seen, state
    if f == "write":
        return True, argument
    if f == "cas":
        return state == argument[0], argument[1]
    return state != argument[0] and seen in ([], [state]), state


def linearizable(events: Sequence[Op], initial: Any = None, fail_cas: str = "drop") -> bool:
    """Whether the operations on one register have a legal order."""
    todo = calls(events, fail_cas)
    definite = sum(1 << i for i, call in enumerate(todo) if call[1] != INFINITY)

    @cache
    def possible(placed: int, state: Any) -> bool:
        if placed & definite == definite:
            return True
        limit = min(call[1] for i, call in enumerate(todo) if not placed >> i & 1)
        for i, call in enumerate(todo):
            if placed >> i & 1 or call[0] > limit:
                continue
            legal, after = step(state, call)
            if legal and possible(placed | 1 << i, after):
                return True
        return False

    return possible(0, initial)
