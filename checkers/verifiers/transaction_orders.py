"""Certificates of "valid" for transactions, tried out: orders are replayed, and every read is held against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from checkers.verifiers.transaction_facts import ENDLESS, NULL, Facts, Found, Txn


class Orders:
    """Orders that claim to explain a history."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    # ── a serial order ───────────────────────────────────────────────────────────────────────────────────────────────

    def serial(self, starts: Sequence[int], order: int) -> Iterator[str]:
        """Replay a serial order."""
        txns = [self.facts.by_start[start] for start in starts]
        yield from self._complete(txns)
        state: dict[bytes, Found] = {}
        for txn in txns:
            if not self._replays(txn, state):
                yield f"in the order, the transaction of event {txn.start} reads what is not there."
                return
        yield from self._agrees({txn.start: (place, place) for place, txn in enumerate(txns)}, order)

    def _complete(self, txns: Sequence[Txn]) -> Iterator[str]:
        given = {txn.start for txn in txns}
        if len(given) < len(txns) or any(txn.kind == "fail" for txn in txns):
            yield "a transaction stands in the order twice, or had failed."
        for txn in self.facts.by_start.values():
            if txn.kind == "ok" and txn.start not in given:
                yield f"the transaction of event {txn.start} happened and is not in the order."

    def _replays(self, txn: Txn, state: dict[bytes, Found]) -> bool:
        """Carry a transaction out; whether it reads what is there."""
        if txn.torn:
            return False
        if any(state.get(key, self._first(key)) != found for _, key, found in txn.finds):
            return False
        for key, values in txn.wrote.items():
            held = state.get(key, self._first(key))
            state[key] = (*held, *values) if isinstance(held, tuple) else values[-1]
        return True

    def _first(self, key: bytes) -> Found:
        if key in self.facts.lists:
            if self.facts.initial != NULL:
                raise ValueError("lists do not start empty")
            return ()
        return self.facts.initial

    def _agrees(self, places: dict[int, tuple[int, int]], order: int) -> Iterator[str]:
        """Whether (place of start, place of commit) agree with sessions, or with real time."""
        txns = [self.facts.by_start[start] for start in places]
        if order == 1:
            sessions: dict[Any, list[Txn]] = {}
            for txn in sorted(txns, key=lambda txn: txn.start):
                sessions.setdefault(txn.session, []).append(txn)
            for one, other in (pair for of in sessions.values() for pair in _followed(of)):
                if places[one.start][1] > places[other.start][0]:
                    yield f"in the order, event {other.start} comes before event {one.start} of its session."
        elif order == 2:
            moments = [(txn.start, txn) for txn in txns] + [(txn.end, txn) for txn in txns if txn.end != ENDLESS]
            latest, who = -1, 0
            for moment, txn in sorted(moments, key=lambda item: item[0]):
                start, commit = places[txn.start]
                if moment == txn.start and start < latest:
                    yield f"in the order, event {txn.start} comes before event {who}, which was over when it began."
                if moment == txn.end and commit > latest:
                    latest, who = commit, txn.start

    # ── snapshot isolation ───────────────────────────────────────────────────────────────────────────────────────────

    def schedule(self, steps: Sequence[Sequence[int]], order: int) -> Iterator[str]:
        """Replay starts (0) and commits (1)."""
        begun: dict[int, int] = {}
        places: dict[int, tuple[int, int]] = {}
        held: dict[bytes, list[tuple[int, Found]]] = {}
        for moment, (start, commits) in enumerate(steps):
            txn = self.facts.by_start[start]
            if not commits:
                begun[start] = moment
                continue
            since = begun[start]
            for _, key, found in txn.finds:
                versions = [value for when, value in held.get(key, ()) if when < since]
                if (versions[-1] if versions else self._first(key)) != found:
                    yield f"event {start} does not read what was committed when it started."
                    return
            for key, values in txn.wrote.items():
                versions_of = held.setdefault(key, [(-1, self._first(key))])
                when, value = versions_of[-1]
                if when > since:
                    yield f"event {start} commits a change of what was changed since it started."
                    return
                versions_of.append((moment, (*value, *values) if isinstance(value, tuple) else values[-1]))
            if txn.torn or start in places:
                yield f"event {start} does not see what it did itself, or commits twice."
            places[start] = (since, moment)
        yield from self._complete([self.facts.by_start[start] for start in places])
        yield from self._agrees(places, order)

    # ── weak levels ──────────────────────────────────────────────────────────────────────────────────────────────────

    def commits(self, starts: Sequence[int], strength: int) -> Iterator[str]:
        """Hold every read against an order of commits."""
        place = {start: number for number, start in enumerate(starts)}
        txns = [self.facts.by_start[start] for start in starts]
        yield from self._complete(txns)
        if strength == 0:
            yield from self._versions_agree(txns, place)
            return
        yield from self._lists_agree(txns, place)
        yield from self._agrees({start: (number, number) for start, number in place.items()}, 1)
        makers = {txn.start: self._makers(txn) for txn in txns}
        past = self._past(txns, makers) if strength == 3 else {}
        writers: dict[bytes, list[int]] = {}
        for txn in txns:
            for key in txn.wrote:
                writers.setdefault(key, []).append(txn.start)
        for txn in txns:
            if txn.torn:
                yield f"event {txn.start} does not see what it did itself."
            before = self._earlier_in_session(txn, txns)
            for number, key, maker in makers[txn.start]:
                if maker is not None and place[maker.start] >= place[txn.start]:
                    yield f"event {txn.start} reads what is committed after it."
                if strength == 1:
                    seen = {m.start for n, _, m in makers[txn.start] if m is not None and n < number}
                elif strength == 2:
                    seen = before | {m.start for _, _, m in makers[txn.start] if m is not None}
                else:
                    seen = past[txn.start]
                for other in writers.get(key, ()):
                    if other not in seen or other == txn.start or (maker is not None and other == maker.start):
                        continue
                    if maker is None or place[other] > place[maker.start]:
                        yield f"event {txn.start} could see event {other}, and reads an older version of a key."

    def _makers(self, txn: Txn) -> list[tuple[int, bytes, Txn | None]]:
        found = []
        for number, key, shown in txn.finds:
            maker = self.facts.maker(key, shown)
            if maker is txn:
                raise ValueError("a transaction reads what it writes later")
            if maker is not None and maker.wrote[key][-1] != (shown[-1] if isinstance(shown, tuple) else shown):
                raise ValueError("a read shows what was changed further")
            found.append((number, key, maker))
        return found

    def _earlier_in_session(self, txn: Txn, txns: Sequence[Txn]) -> set[int]:
        if not hasattr(self, "_of_session"):
            self._of_session: dict[Any, list[int]] = {}
            for other in txns:
                if other.kind == "ok":
                    self._of_session.setdefault(other.session, []).append(other.start)
        return {start for start in self._of_session.get(txn.session, ()) if start < txn.start}

    def _past(self, txns: Sequence[Txn], makers: dict[int, list[tuple[int, bytes, Txn | None]]]) -> dict[int, set[int]]:
        """Who leads to each by reads and sessions; the order is one along both."""
        past: dict[int, set[int]] = {}
        last: dict[Any, int] = {}
        for txn in txns:
            before = {m.start for _, _, m in makers[txn.start] if m is not None}
            if txn.session in last:
                before.add(last[txn.session])
            past[txn.start] = before.union(*(past.get(start, ()) for start in before))
            if txn.kind == "ok":
                last[txn.session] = txn.start
        return past

    def _lists_agree(self, txns: Sequence[Txn], place: dict[int, int]) -> Iterator[str]:
        """Whether lists show elements in the order of commits, and all of a key begin one another."""
        for key in self.facts.lists:
            made = [(txn, value) for txn in txns for value in txn.wrote.get(key, ())]
            whole = tuple(value for _, value in made)
            for shown in self.facts.lists_of(key):
                if whole[: len(shown)] != shown:
                    yield f"a list that was read does not begin what the order of commits makes of key {key.decode()}."
                    break

    def _versions_agree(self, txns: Sequence[Txn], place: dict[int, int]) -> Iterator[str]:
        """Read uncommitted: whether commits follow one another as the longest lists that were read of a key agree.

        What failed transactions left there is passed over: to read that is ruled out by read committed only. So are
        lists that contradict one another. What is not agreed on was appended after what is.
        """
        for key in self.facts.lists:
            maker = {value: place[txn.start] for txn in txns for value in txn.wrote.get(key, ())}
            if not _in_turn(maker, self.facts.agreed(key)):
                yield f"the order of commits is not that of the elements of key {key.decode()}."

    # ── parallel snapshot isolation ──────────────────────────────────────────────────────────────────────────────────

    def versions(self, orders: dict[bytes, list[int]]) -> Iterator[str]:
        """Whether what each transaction must see leaves no version that it should have read instead."""
        facts = self.facts
        txns = [txn for txn in facts.by_start.values() if facts.happened(txn)]
        sees: dict[int, set[int]] = {txn.start: set() for txn in txns}
        misses: list[tuple[int, int]] = []
        wanted = {key for txn in txns for key in txn.wrote}
        for key in wanted:
            order = orders[key]
            if sorted(order) != sorted(txn.start for txn in txns if key in txn.wrote):
                yield f"the versions of key {key.decode()} are not those that were written."
                return
            for one, other in pairwise(order):
                sees[other].add(one)
        for txn in txns:
            if txn.torn or any(len(set(txn.found(key))) > 1 for key in txn.wrote):
                yield f"event {txn.start} does not see what it did itself, or sees two versions."
            for _, key, found in txn.finds:
                depth = self._depth(orders.get(key, []), key, found)
                if depth:
                    sees[txn.start].add(orders[key][depth - 1])
                misses += [(txn.start, start) for start in orders.get(key, [])[depth:] if start != txn.start]
        last: dict[Any, int] = {}
        for txn in sorted(txns, key=lambda txn: txn.start):
            if txn.session in last:
                sees[txn.start].add(last[txn.session])
            if txn.kind == "ok":
                last[txn.session] = txn.start
        past = _closed(sees)
        if any(start in seen for start, seen in past.items()):
            yield "what the transactions must see goes round in a circle."
        for reader, writer in misses:
            if writer in past[reader]:
                yield f"event {reader} must see event {writer}, and reads an older version."

    def _depth(self, order: list[int], key: bytes, found: Found) -> int:
        """How many versions are before what follows the one that was found."""
        held, depths = self._first(key), {self._first(key): 0}
        for depth, start in enumerate(order, 1):
            values = self.facts.by_start[start].wrote[key]
            held = (*held, *values) if isinstance(held, tuple) else values[-1]
            depths[held] = depth
        return depths[found]


def _followed(txns: Sequence[Txn]) -> Iterator[tuple[Txn, Txn]]:
    """Each with the last before it that is not in doubt."""
    last = None
    for txn in txns:
        if last is not None:
            yield last, txn
        if txn.kind == "ok":
            last = txn


def _in_turn(maker: dict[bytes, int], shown: Sequence[bytes]) -> bool:
    """Whether places never fall along a list, and those of what it does not show are not before its end."""
    places = [maker[value] for value in shown if value in maker]
    unseen = [number for value, number in maker.items() if value not in set(shown)]
    return places == sorted(places) and (not places or all(number >= places[-1] for number in unseen))


def _closed(sees: dict[int, set[int]]) -> dict[int, set[int]]:
    """Everything that leads to each."""
    past = {start: set(seen) for start, seen in sees.items()}
    changed = True
    while changed:
        changed = False
        for start in past:
            more = set(past[start]).union(*(past[other] for other in past[start]))
            if len(more) > len(past[start]):
                past[start], changed = more, True
    return past
