"""Read-your-writes, monotonic reads and durability straight from their definitions, for histories of a few operations.

Nothing clever: every order of the writes is tried. What is given is the events of one key.

- A guarantee holds if there is an order of all values and, for every read, a set of values it sees, such that the read
  returns the last of the set in that order (the initial value if the set is empty), and the set holds what the
  session's earlier completed writes wrote (read-your-writes), or what its earlier reads saw (monotonic reads).
- With versions the order is given, so it is a matter of two operations.
- A write is lost if there is no order of the writes, each put somewhere within its operation and before whatever
  operation showed its value was over, in which a final read shows the write or one behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

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


def obliging(done: list[Done], read: Done, guarantee: str) -> list[Done]:
    """What a read is obliged by, itself not among it."""
    wanted = {"read"} if guarantee == "monotonic-reads" else {"write", "cas"}
    return [one for one in done if one.f in wanted and one.session == read.session and one.end < read.begin]


def culprits_by_versions(events: list[Op], guarantee: str) -> set[int]:
    """The reads that are older than something that obliges them."""
    done = operations(events)
    reads = [one for one in done if one.f == "read"]
    return {r.begin for r in reads if any(o.version > r.version for o in obliging(done, r, guarantee))}


def holds_by_values(events: list[Op], guarantee: str, initial: object = None) -> bool:
    """Whether some order of the values serves every read; sets seen are the smallest that the rules allow."""
    done = operations(events)
    reads = sorted((one for one in done if one.f == "read"), key=lambda one: one.begin)
    sees: dict[int, set[object]] = {}
    for read in reads:
        sees[read.begin] = {read.value} - {initial}
        for earlier in obliging(done, read, guarantee):
            sees[read.begin] |= sees[earlier.begin] if earlier.f == "read" else {earlier.value}
    values = {value for seen in sees.values() for value in seen}
    return any(_serves(order, reads, sees, initial) for order in permutations(values))


def _serves(order: tuple[object, ...], reads: list[Done], sees: dict[int, set[object]], initial: object) -> bool:
    return all(max(sees[read.begin], key=order.index, default=initial) == read.value for read in reads)


def holds_by_all_sets(events: list[Op], guarantee: str, initial: object = None) -> bool:
    """The same with every set that a read might see tried, instead of the smallest: very slow."""
    done = operations(events)
    reads = sorted((one for one in done if one.f == "read"), key=lambda one: one.begin)
    values = sorted({one.value for one in done} - {initial}, key=str)
    every = [set(some) for size in range(len(values) + 1) for some in combinations(values, size)]

    def extend(order: tuple[object, ...], sees: dict[int, set[object]], left: list[Done]) -> bool:
        if not left:
            return True
        read = left[0]
        due: set[object] = set()
        for earlier in obliging(done, read, guarantee):
            due |= sees[earlier.begin] if earlier.f == "read" else {earlier.value}
        return any(
            extend(order, {**sees, read.begin: seen}, left[1:])
            for seen in every
            if due <= seen and max(seen, key=order.index, default=initial) == read.value
        )

    return any(extend(order, {}, reads) for order in permutations(values))


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
