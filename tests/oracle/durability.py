"""Durability straight from its definition, for histories of a few operations.

Nothing clever: every order of the writes is tried. What is given is the events of one key. A write is lost if there is
no order of the writes, each put somewhere within its operation and before whatever operation showed its value was over,
in which a final read shows the write or one behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from harness.op import Op

NEVER = float("inf")


@dataclass(frozen=True)
class Done:
    """An operation: `begin` and `end` are event indices; `end` is NEVER in doubt; fails are left out."""

    f: str
    begin: int
    end: float
    session: object
    value: object
    version: tuple[int, int] | None
    found: object = None


def operations(events: list[Op]) -> list[Done]:
    """Reads that were ok, writes and cas that were ok or are in doubt."""
    running: dict[object, Op] = {}
    ends: dict[int, Op] = {}
    for op in events:
        if op.type == "invoke":
            running[op.process] = op
        else:
            ends[running[op.process].index] = op
    done = []
    for op in events:
        if op.type != "invoke":
            continue
        end = ends.get(op.index)
        kind = end.type if end else "info"
        if kind == "fail" or (op.f == "read" and kind != "ok"):
            continue
        session = op.process if op.session is None else f"session {op.session}"
        value = end.value if op.f == "read" else op.value[1] if op.f == "cas" else op.value
        found = op.value[0] if op.f == "cas" else None
        last = end.index if kind == "ok" else NEVER
        done.append(Done(op.f, op.index, last, session, value, end.version if end else None, found))
    return done


def lost_writes(events: list[Op], final_from: int, initial: object = None) -> set[int]:
    """Acknowledged writes that no order of the writes puts at or before what a final read shows."""
    done = operations(events)
    finals = [one for one in done if one.f == "read" and one.begin >= final_from]
    shown = {one.value for one in done if one.f == "read"} | {one.found for one in done if one.f == "cas"}
    writes = [one for one in done if one.f != "read" and (one.end < NEVER or one.value in shown)]
    strangers = shown - {initial} - {write.value for write in writes}
    writes += [Done("stranger", -1, NEVER, None, value, None) for value in strangers]
    orders = []
    versions = _versions(done)
    if versions is not None:
        told = sorted((w for w in writes if w.value in versions), key=lambda write: versions[write.value])
        for free in permutations([w for w in writes if w.value not in versions]):
            orders += [order for order in _merges(tuple(told), free) if _fits(order, done, strangers)]
    if not orders:
        orders = [order for order in permutations(writes) if _fits(order, done, set())]
    there = {write.begin for order in orders for final in finals for write in _up_to(order, final.value)}
    return {write.begin for write in writes if write.end < NEVER} - there


def _merges(one: tuple[Done, ...], other: tuple[Done, ...]) -> Iterator[tuple[Done, ...]]:
    """Every way to put two sequences into one."""
    if not one or not other:
        yield one + other
        return
    yield from ((one[0], *rest) for rest in _merges(one[1:], other))
    yield from ((other[0], *rest) for rest in _merges(one, other[1:]))


def _up_to(order: tuple[Done, ...], value: object) -> tuple[Done, ...]:
    last = max((place for place, write in enumerate(order) if write.value == value), default=-1)
    return order[: last + 1]


def _fits(order: tuple[Done, ...], done: list[Done], strangers: set[object]) -> bool:
    """Whether points can be found: one after another, each within its operation and before it was shown.

    What nobody is known to have written may have been written often, unless its version says which one it is.
    """
    now = -1.0
    for write in order:
        ends = [write.end]
        once = sum(other.value == write.value for other in order) == 1
        if once and (write.f != "stranger" or write.value in strangers):
            ends += [o.end for o in done if (o.f == "read" and o.value == write.value) or o.found == write.value]
        now = max(now, write.begin)
        if now > min(end for end in ends if end > write.begin):
            return False
    return True


def _versions(done: list[Done]) -> dict[object, tuple[int, int]] | None:
    """The version of every value, where each completed operation tells one and they fit together."""
    completed = [one for one in done if one.end < NEVER]
    pairs = {(one.value, one.version) for one in completed}
    values, versions = {value for value, _ in pairs}, {version for _, version in pairs}
    if None in versions or not len(pairs) == len(values) == len(versions):
        return None
    return dict(pairs)
