"""Session guarantees, causal and sequential consistency straight from their definitions, for few operations.

Nothing clever: every order of the writes is tried, and (`all_sets`) every set of writes that a read might see.
What is given is the events of one history, on any keys, with values that are all different.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product

from harness.op import Op

NEVER = float("inf")
RYW, MR, MW, WFR = "read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"
SUBSETS = [subset for size in range(1, 5) for subset in combinations((RYW, MR, MW, WFR), size)]


@dataclass(frozen=True)
class Did:
    """A completed read, or a write that happened or may have; `begin` and `end` are event indices."""

    reads: bool
    begin: int
    end: float
    session: object
    key: object
    value: object
    version: tuple[int, int] | None


def operations(events: Sequence[Op]) -> list[Did]:
    ends, running = {}, {}
    for op in events:
        if op.type == "invoke":
            running[op.process] = op
        else:
            ends[running[op.process].index] = op
    done = []
    for op in events:
        end = ends.get(op.index)
        kind = end.type if end else "info"
        if op.type != "invoke" or kind == "fail" or (op.f == "read" and kind != "ok"):
            continue
        session = op.process if op.session is None else f"session {op.session}"
        value = end.value if op.f == "read" else op.value
        over = end.index if kind == "ok" else NEVER
        done.append(Did(op.f == "read", op.index, over, session, op.key, value, end.version if end else None))
    return done


def before(one: Did, other: Did) -> bool:
    """Earlier in the same session."""
    return one.session == other.session and one.end < other.begin


class Case:
    """One history, and what can be said of it whatever the order."""

    def __init__(self, events: Sequence[Op], initial: object = None) -> None:
        self.done, self.initial = operations(events), initial
        self.writes = [one for one in self.done if not one.reads]
        self.reads = sorted((one for one in self.done if one.reads), key=lambda one: one.begin)
        self.writer = {(write.key, write.value): write for write in self.writes}

    def source(self, read: Did) -> Did | None:
        return self.writer.get((read.key, read.value))

    def impossible(self) -> bool:
        """A read of what nobody wrote, or before it was begun."""
        sources = [(read, self.source(read)) for read in self.reads if read.value != self.initial]
        return any(source is None or source.begin > read.end for read, source in sources)

    def pairs(self, asked: Sequence[str]) -> Iterator[tuple[Did, Did]]:
        """Writes of which whoever sees the second sees the first."""
        for write in self.writes:
            for one in self.done:
                if before(one, write):
                    if MW in asked and not one.reads:
                        yield one, write
                    if WFR in asked and one.reads and self.source(one) is not None:
                        yield self.source(one), write

    def orders(self, asked: Sequence[str], per_key: bool, versions: bool, linearizable: bool) -> Iterator[list[Did]]:
        """Every order of the writes that the guarantees allow."""
        shown = {write.begin: write.version for write in self.writes if write.version}
        shown |= {self.source(r).begin: r.version for r in self.reads if self.source(r) is not None and r.version}
        must = [(a, b) for a, b in self.pairs(asked) if not per_key or a.key == b.key]
        if linearizable:
            must += [(a, b) for a in self.writes for b in self.writes if a.end < b.begin]
            must = [(a, b) for a, b in must if not per_key or a.key == b.key]
        if versions:
            told = [write for write in self.writes if write.begin in shown]
            must += [(a, b) for a in told for b in told if a.key == b.key and shown[a.begin] < shown[b.begin]]
        for order in permutations(self.writes):
            place = {write.begin: number for number, write in enumerate(order)}
            if all(place[a.begin] < place[b.begin] for a, b in must):
                yield list(order)

    def smallest_sets(self, asked: Sequence[str]) -> dict[int, set[Did]]:
        """The least sets of writes seen that the rules allow."""
        sees = {read.begin: {self.source(read)} - {None} for read in self.reads}
        pairs = list(self.pairs(asked))
        while True:
            size = sum(map(len, sees.values()))
            for read in self.reads:
                seen = sees[read.begin]
                if RYW in asked:
                    seen |= {write for write in self.writes if before(write, read)}
                if MR in asked:
                    seen |= {write for one in self.reads if before(one, read) for write in sees[one.begin]}
                seen |= {first for first, then in pairs if then in seen}
            if sum(map(len, sees.values())) == size:
                return sees

    def serves(self, order: Sequence[Did], reads: Sequence[Did], sees: dict[int, set[Did]]) -> bool:
        place = {write.begin: number for number, write in enumerate(order)}
        for read in reads:
            mine = [write for write in sees[read.begin] if write.key == read.key]
            last = max(mine, key=lambda write: place[write.begin], default=None)
            if (last.value if last else self.initial) != read.value:
                return False
        return True


def holds(
    events: Sequence[Op],
    asked: Sequence[str],
    *,
    per_key: bool = False,
    convergent: bool = True,
    versions: bool = False,
    linearizable: bool = False,
) -> bool:
    """Whether some order of the writes serves every read, with the smallest sets."""
    case = Case(events)
    if case.impossible():
        return False
    sees = case.smallest_sets(asked)
    orders = list(case.orders(asked, per_key, versions, linearizable))
    groups = [case.reads]
    if not convergent:
        groups = [[r for r in case.reads if r.session == session] for session in {r.session for r in case.reads}]
    return bool(orders) and all(any(case.serves(order, group, sees) for order in orders) for group in groups)


def holds_by_all_sets(events: Sequence[Op], asked: Sequence[str], *, per_key: bool = False) -> bool:
    """The same with every set that a read might see tried: very slow."""
    case = Case(events)
    if case.impossible():
        return False
    every = [set(some) for size in range(len(case.writes) + 1) for some in combinations(case.writes, size)]
    pairs = list(case.pairs(asked))
    orders = list(case.orders(asked, per_key, False, False))
    for chosen in product(every, repeat=len(case.reads)):
        sees = {read.begin: seen for read, seen in zip(case.reads, chosen, strict=True)}
        if _allowed(case, asked, sees, pairs) and any(case.serves(order, case.reads, sees) for order in orders):
            return True
    return False


def _allowed(case: Case, asked: Sequence[str], sees: dict[int, set[Did]], pairs: Sequence[tuple[Did, Did]]) -> bool:
    for read in case.reads:
        seen = sees[read.begin]
        if RYW in asked and any(before(write, read) and write not in seen for write in case.writes):
            return False
        if MR in asked and any(before(one, read) and not sees[one.begin] <= seen for one in case.reads):
            return False
        if any(then in seen and first not in seen for first, then in pairs):
            return False
    return True


def causal(events: Sequence[Op], *, convergent: bool) -> bool:
    """CC or CCv by their bad patterns, with the closure taken in cubic time."""
    case = Case(events)
    if case.impossible():
        return False
    count = len(case.done)
    number = {one.begin: place for place, one in enumerate(case.done)}
    co = [[before(one, other) for other in case.done] for one in case.done]
    for read in case.reads:
        if (source := case.source(read)) is not None:
            co[number[source.begin]][number[read.begin]] = True
    _close(co)
    conflicts = []
    for read in case.reads:
        r, source = number[read.begin], case.source(read)
        for write in case.writes:
            w = number[write.begin]
            if write.key != read.key or write is source or not co[w][r]:
                continue
            if source is None or co[number[source.begin]][w]:
                return False
            conflicts.append((w, number[source.begin]))
    if convergent:
        for one, other in conflicts:
            co[one][other] = True
        _close(co)
    return not any(co[place][place] for place in range(count))


def _close(relation: list[list[bool]]) -> None:
    places = range(len(relation))
    for middle in places:
        for one in places:
            if relation[one][middle]:
                for other in places:
                    relation[one][other] = relation[one][other] or relation[middle][other]


def sequential(events: Sequence[Op], initial: object = None) -> bool:
    """Whether some order of all operations, in which those in doubt may be left out, serves every read.

    Operations of other names than read and write are compare-and-sets, whose values are pairs.
    """
    done = sequential_operations(events)
    optional = [one for one in done if one[2] == NEVER]
    for left_out in (set(some) for size in range(len(optional) + 1) for some in combinations(optional, size)):
        if _serializable([one for one in done if one not in left_out], initial):
            return True
    return False


def sequential_operations(events: Sequence[Op]) -> list[tuple[object, ...]]:
    """(f, begin, end, session, key, value) of what happened or may have."""
    ends, running, done = {}, {}, []
    for op in events:
        if op.type == "invoke":
            running[op.process] = op
        else:
            ends[running[op.process].index] = op
    for op in events:
        end = ends.get(op.index)
        kind = end.type if end else "info"
        if op.type != "invoke" or kind == "fail" or (op.f == "read" and kind != "ok"):
            continue
        value = end.value if op.f == "read" else tuple(op.value) if op.f == "cas" else op.value
        session = op.process if op.session is None else f"session {op.session}"
        done.append((op.f, op.index, end.index if kind == "ok" else NEVER, session, op.key, value))
    return done


def _serializable(done: list[tuple[object, ...]], initial: object) -> bool:
    seen = set()

    def extend(left: tuple[tuple[object, ...], ...], state: tuple[tuple[object, object], ...]) -> bool:
        if not left:
            return True
        if (left, state) in seen:
            return False
        seen.add((left, state))
        values = dict(state)
        for one in left:
            f, begin, _, session, key, value = one
            if any(other[3] == session and other[2] < begin for other in left):
                continue
            now = values.get(key, initial)
            if (f == "read" and value != now) or (f == "cas" and value[0] != now):
                continue
            after = values if f == "read" else {**values, key: value[1] if f == "cas" else value}
            if extend(tuple(other for other in left if other is not one), tuple(sorted(after.items()))):
                return True
        return False

    return extend(tuple(done), ())


def with_refusals_as_reads(events: Sequence[Op], refusals: str) -> list[Op]:
    """The same events, where a refused compare-and-set that told what it met is a read."""
    ends, running = {}, {}
    for op in events:
        if op.type == "invoke":
            running[op.process] = op
        else:
            ends[running[op.process].index] = op
    told = {
        begin: end
        for begin, end in ends.items()
        if refusals == "returned" and end.f == "cas" and end.type == "fail" and len(end.value) == 3
    }
    reads = {end.index: end.value[2] for end in told.values()}
    changed = []
    for op in events:
        if op.index in told or op.index in reads:
            kind = "invoke" if op.index in told else "ok"
            op = Op(op.index, op.time, op.process, kind, "read", op.key, reads.get(op.index), None, op.session)
        changed.append(op)
    return changed
