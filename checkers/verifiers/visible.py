"""Replays sessions along a claimed order of writes: does every read return the last of what it is obliged to see?

For each session it keeps, per key, the newest write that the session is obliged to see, and takes in the operations
that lead there one by one, each once. That is slower than what the checkers do, and has nothing in common with it.

    doubts(Traced(history), certificate)    [] when the order serves every read

Limits: STEPS_MAX operations taken in; beyond that it says so, which is a problem like any other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

from checkers.verifiers.accesses import INFINITE, Did, contradiction, json_of, kept, operations_of
from harness.history import History
from harness.op import Version

STEPS_MAX: Final = 40_000_000
Rank = Callable[[Did], Any]


class Traced:
    """A history whose reads are traced to their writes."""

    def __init__(self, history: History) -> None:
        self.initial = json_of(history.header.initial)
        self.operations: Mapping[int, Did] = {did.begin.index: did for did in operations_of(history)}
        self.keys: dict[bytes, list[Did]] = {}
        self._writers: dict[tuple[bytes, bytes], list[Did]] = {}
        self._sources: dict[int, Did | None] = {}
        self._failed = {
            (did.key, json_of(did.begin.value[1] if did.begin.f == "cas" else did.begin.value))
            for did in self.operations.values()
            if did.end is not None and did.end.type == "fail" and did.begin.f in ("write", "cas")
        }
        for did in self.operations.values():
            if did.wrote is not None or did.read is not None:
                self.keys.setdefault(did.key, []).append(did)
            if did.wrote is not None:
                self._writers.setdefault((did.key, did.wrote), []).append(did)
        self.believed = {key: not contradiction(dids) for key, dids in self.keys.items()}
        for did in self.operations.values():
            if did.read is not None:
                self._sources[did.begin.index] = self._trace(did)

    def same_key(self, one: Did, other: Did) -> bool:
        """Whether two operations are on one key."""
        return one.key == other.key

    def contradiction(self, did: Did) -> str:
        """Why versions on the key of an operation cannot be believed."""
        return contradiction(self.keys[did.key])

    def writers(self, did: Did, value: bytes) -> list[Did]:
        """Whatever may have written a value to the key of an operation."""
        return self._writers.get((did.key, value), [])

    def failed(self, read: Did) -> bool:
        """Whether a write of the value failed."""
        return (read.key, read.read) in self._failed

    def source(self, read: Did) -> Did | None:
        """The one write that a read can have read from; None for the initial value, and where that is not known."""
        return self._sources.get(read.begin.index)

    def unknown(self, read: Did) -> bool:
        """Whether it is not known where a read read from."""
        return self.source(read) is None and (read.read != self.initial or bool(self._candidates(read)))

    def _candidates(self, read: Did) -> list[Did]:
        writers = self.writers(read, read.read or b"")
        if self.believed[read.key] and read.version is not None:
            known = [w for w in writers if w.over < INFINITE and w.version and tuple(w.version) == tuple(read.version)]
            doubtful = [w for w in writers if w.over == INFINITE]
            return known or doubtful or ([] if read.read == self.initial else writers)
        return writers

    def _trace(self, read: Did) -> Did | None:
        found = self._candidates(read)
        if len(found) != 1 or found[0].begin.index > read.over:
            return None
        if read.read == self.initial and not self.believed[read.key]:
            return None
        return found[0]

    def version(self, did: Did) -> Version | None:
        """What is known of an operation's version; of a write in doubt it is what a read told."""
        if did.read is not None or did.over < INFINITE:
            return None if did.version is None else (did.version[0], did.version[1])
        return self._told.get(did.begin.index)

    @cached_property
    def _told(self) -> dict[int, Version]:
        told: dict[int, Version] = {}
        for did in self.operations.values():
            source = self.source(did) if did.read is not None else None
            if source is not None and source.over == INFINITE and did.version is not None:
                told.setdefault(source.begin.index, (did.version[0], did.version[1]))
        return told

    @cached_property
    def sessions(self) -> dict[Any, list[Did]]:
        """What happened or may have, by session."""
        found: dict[Any, list[Did]] = {}
        for did in self.operations.values():
            if did.wrote is not None or did.read is not None:
                found.setdefault(did.session(), []).append(did)
        return found

    @cached_property
    def lanes(self) -> dict[Any, list[tuple[list[Did], list[int]]]]:
        """By session what each process did one after another, and when each was over."""
        found: dict[Any, list[tuple[list[Did], list[int]]]] = {}
        open_lane: dict[Any, tuple[list[Did], list[int]]] = {}
        for session, dids in self.sessions.items():
            for did in dids:
                name = (session, did.begin.process)
                lane = open_lane.get(name)
                if lane is None or lane[1][-1] > did.begin.index:
                    lane = open_lane[name] = ([], [])
                    found.setdefault(session, []).append(lane)
                lane[0].append(did)
                lane[1].append(did.over)
        return found

    def earlier(self, did: Did) -> Iterator[Did]:
        """What was over in the session of an operation when it began."""
        return (one for one in self.sessions[did.session()] if one.over < did.begin.index)


@kept
def traced_of(history: History) -> Traced:
    """A history traced."""
    return Traced(history)


def doubts(traced: Traced, certificate: Mapping[str, Any]) -> Iterator[str]:
    """Why a valid verdict is not shown."""
    asked = certificate["asked"]
    unknown = [did for did in traced.operations.values() if did.read is not None and traced.unknown(did)]
    if unknown:
        yield f"nobody can have written what {unknown[0].begin.index} read."
        return
    if certificate["by"] == "versions":
        if not all(traced.believed.values()):
            yield "the versions contradict each other, or are missing."
            return
        yield from _Replay(traced, asked, lambda did: traced.version(did) or (-1, -1)).doubts(None)
    elif certificate["by"] == "closure":
        yield from _overwritten(traced)
    elif "orders" in certificate:
        if asked["convergent"]:
            yield "the sessions have orders of their own."
        shown = {json_of(entry["session"]): entry["order"] for entry in certificate["orders"]}
        for session in traced.sessions:
            reads = any(did.read is not None for did in traced.sessions[session])
            if reads:
                yield from _along(traced, asked, shown[json_of(session)], session)
    else:
        yield from _along(traced, asked, certificate["order"], None)


def _overwritten(traced: Traced) -> Iterator[str]:
    """Causality without an order: no read returned a write behind another one that its session knew."""
    names = ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads")
    asked = {"guarantees": names, "per_key": False, "linearizable_writes": False}
    replay = _Replay(traced, asked, lambda did: did.begin.index)
    behind: dict[int, set[int]] = {}
    for read in traced.operations.values():
        if read.read is None:
            continue
        saw, source = _Saw(replay), traced.source(read)
        for one in [*traced.earlier(read), read]:
            write = one if one.wrote is not None else traced.source(one)
            if write is not None:
                saw.take_in(write)
        for index in saw.taken:
            write = traced.operations[index]
            if write is source or not traced.same_key(write, read):
                continue
            if index not in behind:
                other = _Saw(replay)
                other.take_in(write)
                behind[index] = other.taken
            if source is None or source.begin.index in behind[index]:
                yield f"the read {read.begin.index} returned what its session knew to be overwritten."
                break
        if replay.steps > STEPS_MAX:
            yield f"more than {STEPS_MAX:,} operations would have to be taken in to confirm it."
            return


def _along(traced: Traced, asked: Mapping[str, Any], order: Sequence[int], session: Any) -> Iterator[str]:
    ranks = {index: place for place, index in enumerate(order)}
    missing = [
        did.begin.index
        for did in traced.operations.values()
        if did.wrote is not None and did.over < INFINITE and did.begin.index not in ranks
    ]
    if missing or len(ranks) != len(order):
        yield f"the order leaves out the write {missing[0]}." if missing else "the order names a write twice."
        return
    yield from _Replay(traced, asked, lambda did: ranks[did.begin.index]).doubts(session)


class _Replay:
    """The sessions along one order."""

    def __init__(self, traced: Traced, asked: Mapping[str, Any], rank: Rank) -> None:
        self.traced, self.rank = traced, rank
        self.per_key, self.real_time = asked["per_key"], asked["linearizable_writes"]
        names = ("read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads")
        self.ryw, self.mr, self.mw, self.wfr = (name in asked["guarantees"] for name in names)
        self.steps = 0

    def doubts(self, only: Any) -> Iterator[str]:
        """What the order does not serve; `only` one session's reads, if given."""
        yield from self._order_of_sessions()
        if self.real_time:
            yield from self._order_of_time()
        for session, dids in self.traced.sessions.items():
            if only is None or session == only:
                yield from self._reads(dids)
            if self.steps > STEPS_MAX:
                yield f"more than {STEPS_MAX:,} operations would have to be taken in to confirm it."
                return

    # ── the order of writes ──────────────────────────────────────────────────────────────────────────────────────────

    def _order_of_sessions(self) -> Iterator[str]:
        """Monotonic writes, and writes follow reads: what a session did before a write ranks below it."""
        for dids in self.traced.sessions.values() if self.mw or self.wfr else ():
            over = sorted((did for did in dids if did.over < INFINITE), key=lambda did: did.over)
            top: dict[bytes, Any] = {}
            place = 0
            for did in dids:
                while place < len(over) and over[place].over < did.begin.index:
                    self._raise(top, over[place])
                    place += 1
                below = top.get(self._scope(did))
                if did.wrote is not None and self._exists(did) and below is not None and below >= self.rank(did):
                    yield f"the write {did.begin.index} does not come after what its session did before it."

    def _raise(self, top: dict[bytes, Any], did: Did) -> None:
        write = did if did.wrote is not None and self.mw else None
        if did.read is not None and self.wfr:
            write = self.traced.source(did)
        if write is not None:
            scope, rank = self._scope(write), self.rank(write)
            top[scope] = max(top.get(scope, rank), rank)

    def _order_of_time(self) -> Iterator[str]:
        writes = [did for did in self.traced.operations.values() if did.wrote is not None and self._exists(did)]
        over = sorted((did for did in writes if did.over < INFINITE), key=lambda did: did.over)
        top: dict[bytes, Any] = {}
        place = 0
        for did in writes:
            while place < len(over) and over[place].over < did.begin.index:
                scope, rank = self._scope(over[place]), self.rank(over[place])
                top[scope] = max(top.get(scope, rank), rank)
                place += 1
            if self._scope(did) in top and top[self._scope(did)] >= self.rank(did):
                yield f"the write {did.begin.index} does not come after what was over when it began."

    def _scope(self, did: Did) -> bytes:
        return did.key if self.per_key else b""

    @cached_property
    def _seen(self) -> set[int]:
        traced = self.traced
        sources = [traced.source(did) for did in traced.operations.values() if did.read is not None]
        return {source.begin.index for source in sources if source is not None}

    def _exists(self, write: Did) -> bool:
        """A write in doubt that nobody saw need not have happened."""
        return write.over < INFINITE or write.begin.index in self._seen

    # ── what reads see ───────────────────────────────────────────────────────────────────────────────────────────────

    def _reads(self, dids: Sequence[Did]) -> Iterator[str]:
        """One session's reads. Where nothing overlaps, what it saw is kept from one read to the next."""
        overlaps = any(one.over > other.begin.index for one, other in pairwise(dids))
        # In an order of all keys, what one write brings along ranks below it, so it need not be taken in for one read.
        if overlaps or (self.per_key and not self.mr):
            for did in dids:
                if did.read is not None:
                    saw = _Saw(self)
                    for one in self.traced.earlier(did):
                        self._take_in(saw, one)
                    if (source := self.traced.source(did)) is not None:
                        saw.take_in(source)
                    yield from self._judged(saw, did)
            return
        if not self.per_key and self._newest_suffice(dids):
            return
        saw = _Saw(self)
        for did in dids:
            if did.read is not None:
                if self.mr and (source := self.traced.source(did)) is not None:
                    saw.take_in(source)
                yield from self._judged(saw, did)
            elif did.over < INFINITE:
                self._take_in(saw, did)

    def _newest_suffice(self, dids: Sequence[Did]) -> bool:
        """Whether every read is of the newest write of its key up to the newest that its session knew, of any key.

        Nothing that it was obliged to see is newer than that, so it need not be taken in.
        """
        top: Any = None
        for did in dids:
            write = did if did.wrote is not None else self.traced.source(did)
            obliges = self.ryw and did.over < INFINITE if did.wrote is not None else self.mr
            if did.read is not None and top is not None:
                ranks = self._ranks.get(did.key, [])
                place = bisect_right(ranks, top)
                least = ranks[place - 1] if place else None
                if least is not None and (write is None or least > self.rank(write)):
                    return False
            if write is not None and obliges:
                rank = self.rank(write)
                top = rank if top is None else max(top, rank)
        return True

    @cached_property
    def _ranks(self) -> dict[bytes, list[Any]]:
        ranks: dict[bytes, list[Any]] = {}
        for key, dids in self.traced.keys.items():
            ranks[key] = sorted(self.rank(did) for did in dids if did.wrote is not None and self._exists(did))
        return ranks

    def _take_in(self, saw: _Saw, did: Did) -> None:
        if did.wrote is not None and self.ryw:
            saw.take_in(did)
        elif did.read is not None and self.mr and (source := self.traced.source(did)) is not None:
            saw.take_in(source)

    def brought(self, did: Did) -> Did | None:
        """What an operation of the session of a write adds to what whoever sees the write sees."""
        if did.wrote is not None:
            return did if self.mw else None
        return self.traced.source(did) if self.wfr else None

    def _judged(self, saw: _Saw, read: Did) -> Iterator[str]:
        newest = saw.newest.get(read.key)
        source = self.traced.source(read)
        if newest is not None and (source is None or newest > self.rank(source)):
            yield f"the read {read.begin.index} is older than what its session knew."


class _Saw:
    """The writes that somebody is obliged to see: the newest of each key, and how far each session was taken in."""

    def __init__(self, replay: _Replay) -> None:
        self.replay = replay
        self.newest: dict[bytes, Any] = {}
        self.taken: set[int] = set()
        self._upto: dict[int, int] = {}

    def take_in(self, write: Did) -> None:
        """A write, and all that whoever sees it sees as well."""
        replay, todo = self.replay, [write]
        while todo:
            one = todo.pop()
            if one.begin.index in self.taken or replay.steps > STEPS_MAX:
                continue
            self.taken.add(one.begin.index)
            key, rank = one.key, replay.rank(one)
            self.newest[key] = max(self.newest.get(key, rank), rank)
            for lane, overs in replay.traced.lanes[one.session()]:
                before = self._upto.get(id(lane), 0)
                count = bisect_left(overs, one.begin.index)
                self._upto[id(lane)] = max(before, count)
                for other in lane[before:count]:
                    replay.steps += 1
                    brought = replay.brought(other)
                    if brought is not None:
                        todo.append(brought)
