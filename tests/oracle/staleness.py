"""Staleness by its definitions: counting, trying every order, and widening until it fits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from oracle.guarantees import NEVER, Case, Did

FAR = 10**15


def per_read(case: Case, versions: bool) -> dict[int, tuple[int, int]]:
    """Begin of each traceable read → k and delta (in events)."""
    found = {}
    shown = {}
    for read in case.reads:
        if (source := case.source(read)) is not None:
            shown[source.begin] = min(shown.get(source.begin, NEVER), read.end)
            if versions and source.version is None:
                shown["version", source.begin] = read.version
    for read in case.reads:
        source = case.source(read)
        if source is None and read.value != case.initial:
            continue
        missed = []
        for write in case.writes:
            over = write.end if write.end < NEVER else shown.get(write.begin, NEVER)
            if write.key == read.key and over < read.begin and _newer(write, read, source, shown, versions):
                missed.append(over)
        found[read.begin] = 1 + len(missed), read.begin - min(missed) if missed else 0
    return found


def _newer(write: Did, read: Did, source: Did | None, shown: dict, versions: bool) -> bool:
    if source is None:
        return True
    if versions:
        mine = write.version or shown.get(("version", write.begin))
        return mine is not None and mine > read.version
    return write.begin > min(source.end, shown[source.begin])


def orders(case: Case) -> list[tuple[Did, ...]]:
    """Every order of the operations of one key that agrees with time; writes in doubt that nobody saw left out."""
    seen = {(read.key, read.value) for read in case.reads}
    done = [one for one in case.done if one.reads or one.end < NEVER or (one.key, one.value) in seen]
    return [
        order
        for order in permutations(done)
        if not any(late.end < early.begin for place, early in enumerate(order) for late in order[place + 1 :])
    ]


def least_k(case: Case) -> int:
    """The least k over all orders."""
    return min((_k_of(order, case.initial) for order in orders(case)), default=FAR)


def _k_of(order: Sequence[Did], initial: object) -> int:
    written, worst = [initial], 1
    for one in order:
        if not one.reads:
            written.append(one.value)
        elif one.value not in written:
            return FAR
        else:
            worst = max(worst, len(written) - written.index(one.value))
    return worst


def atomic(case: Case, early: int, late: int, reads_only: bool = False) -> bool:
    """Whether some order of the operations, begun earlier and ended later by so much, has k = 1."""
    seen = {(read.key, read.value) for read in case.reads}
    done = [one for one in case.done if one.reads or one.end < NEVER or (one.key, one.value) in seen]
    moved = [
        Did(one.reads, one.begin - (early if one.reads or not reads_only else 0), one.end + late, *_rest(one))
        for one in done
    ]
    return _extend(moved, case.initial)


def _rest(one: Did) -> tuple[object, object, object, None]:
    return one.session, one.key, one.value, None


def _extend(left: list[Did], value: object) -> bool:
    if not left:
        return True
    soonest = min(one.end for one in left)
    return any(
        _extend([other for other in left if other is not one], value if one.reads else one.value)
        for one in left
        if one.begin <= soonest and (not one.reads or one.value == value)
    )
