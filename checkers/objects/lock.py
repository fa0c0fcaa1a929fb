"""Fenced locks: one holder at a time, and tokens that grow, so that what a lock guards can refuse who held it before.

Tokens order the sections of a lock, each from an acquire to the release of its token. Rules, each shown by few
operations:

    lock-token       two acquires were given the same token
    lock-order       operations in the order of tokens contradict real time: a token went back, or the next holder was
                     let in before the release of the one before had begun
    lock-unreleased  a later token was given out, and nobody ever released the one before
    lock-twice       a token was released twice, or a token that nobody was given
    lock-refused     an acquire found the lock held while nobody can have held it, or its holder could not release it

    acquire → 4 by one; acquire → 9 by another; release 4          two holders at once
    acquire → 9, then acquire → 4                                  a token went back

An acquire in doubt may hold a lock for good, as nobody knows its token; so it comes last. A release in doubt happened
if a later token was given out, at any time after it began. "Valid" carries an order of the operations of every key.

Limits: the release of a token that nobody is known to have, where an acquire in doubt may have got it, and refusals
that can be explained one by one but not together, make the answer "unknown". Locks that time out are not known:
their sections overlap by design.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final

import numpy as np

from checkers.objects.calls import Call, by_key, named, shown
from checkers.objects.ranks import Placed, inversions, order
from checkers.protocol import Budget
from checkers.tokens import token_of
from harness.history import History
from harness.history.operations import NEVER
from harness.memory import collector_at_rest
from harness.verdict import Anomaly, Verdict

EXCLUSION: Final = "mutual-exclusion"
FENCING: Final = "fencing"


@dataclass(frozen=True)
class FencedLock:
    """At most one holder at a time, and tokens that increase."""

    name: str = "fenced-lock"

    @collector_at_rest()
    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every lock."""
        keys = by_key(history, frozenset({"acquire", "release"}))
        anomalies: list[Anomaly] = []
        certificate, undecided, decided = [], "" if keys else "no operation is an acquire or a release", 0
        for calls in keys.values():
            if budget.spent():
                undecided = "the time was over"
                break
            lock = OneLock.of(calls)
            found = lock.judge()
            anomalies += found
            decided += bool(found) or not lock.why_not
            undecided = undecided or lock.why_not
            certificate.append({"key": lock.key, "order": lock.order})
        sections = sum(call.ok and call.f == "acquire" for calls in keys.values() for call in calls)
        counts = {"anomalies": len(anomalies), "keys": len(keys), "acquired": sections}
        if anomalies:
            summary = f"{len(anomalies):,} operations let in who should not be, or give a token that should not be."
            from checkers.linearizability.entering import entered

            told = entered(shown(anomalies), keys.values(), "fenced-lock", history.header)
            return Verdict(self.name, "invalid", summary, told, counts)
        if undecided:
            reason = f"{undecided}; locks decided: {decided} of {len(keys)}."
            return Verdict(self.name, "unknown", "Not every lock could be decided.", counts=counts, reason=reason)
        summary = f"Locks were acquired {sections:,} times, by one holder at a time, with tokens that grow."
        return Verdict(self.name, "valid", summary, counts=counts, certificate={"keys": certificate})


@dataclass
class OneLock:
    """One lock.

    Attributes:
        acquires: acknowledged, in order of tokens; releases: by token, those that happened or may have.
        doubtful: acquires in doubt; refused: acquires that found it held and releases that were not the holder's.
        order, why_not: set by `judge`: an order of the operations, or why there is no answer.
    """

    key: Any
    acquires: list[Call]
    releases: dict[int, list[Call]]
    doubtful: list[Call]
    refused: list[Call]
    order: list[int] = field(default_factory=list)
    why_not: str = ""

    @classmethod
    def of(cls, calls: Sequence[Call]) -> OneLock:
        """Sort the calls by what they say."""
        lock = cls(calls[0].key, [], {}, [], [])
        for call in calls:
            if call.refused("held" if call.f == "acquire" else "not-holder"):
                lock.refused.append(call)
            elif call.f == "acquire" and (call.ok or call.doubtful):
                (lock.acquires if call.ok else lock.doubtful).append(call)
            elif call.f == "release" and (call.ok or call.doubtful):
                lock.releases.setdefault(token_of(call.argument), []).append(call)
        told = [call.result for call in lock.acquires]
        if all(type(token) is int for token in (*told, *lock.releases)):
            lock.acquires.sort(key=lambda call: (call.result, call.invoke))
        else:
            lock.why_not = f"a token of lock{named(lock.key)} is not a whole number"
        return lock

    def judge(self) -> list[Anomaly]:
        """Everything that is wrong; where nothing is, `order` or `why_not` is set."""
        if self.why_not:
            return []
        found = [*self._same_tokens(), *self._released_twice()]
        first = {call.result: call for call in reversed(self.acquires)}
        self.acquires = [call for call in self.acquires if first[call.result] is call]
        found += self._unreleased()
        chain = self._chain()
        found += [self._order(higher.call, lower.call) for higher, lower in inversions(chain)]
        if not found and not self.why_not:
            found += self._refusals(chain)
        return found

    # ── the order of tokens ──────────────────────────────────────────────────────────────────────────────────────────

    def _release_of(self, acquire: Call) -> Call | None:
        """What released a token: who says so, else the first that may have."""
        releases = self.releases.get(acquire.result, ())
        return next((call for call in releases if call.ok), releases[0] if releases else None)

    def _chain(self) -> list[Placed]:
        """Acquires at odd places of the order of tokens, their releases at even ones; ranks are twice that."""
        chain = []
        for number, acquire in enumerate(self.acquires):
            chain.append(Placed(2 * (2 * number + 1), acquire))
            release = self._release_of(acquire)
            if release is not None:
                chain.append(Placed(2 * (2 * number + 2), release))
        if self.doubtful and (not self.acquires or self._release_of(self.acquires[-1]) is not None):
            chain.append(Placed(2 * (2 * len(self.acquires) + 1), self.doubtful[0]))
        return chain

    def _same_tokens(self) -> Iterator[Anomaly]:
        for one, other in pairwise(self.acquires):
            if one.result == other.result:
                sentence = (
                    f"Processes {one.process} and {other.process} were both given token {one.result} of "
                    f"lock{named(self.key)}."
                )
                yield self._anomaly("token-repeated", FENCING, "lock-token", (one, other), sentence)

    def _unreleased(self) -> Iterator[Anomaly]:
        for one, other in pairwise(self.acquires):
            if self._release_of(one) is None:
                sentence = (
                    f"Processes {one.process} and {other.process} were both given lock{named(self.key)}, with tokens "
                    f"{one.result} and {other.result}, and nobody ever released the first: two holders at once."
                )
                ops = sorted((one, other), key=lambda call: call.response)
                yield self._anomaly("two-holders", EXCLUSION, "lock-unreleased", ops, sentence)

    def _released_twice(self) -> Iterator[Anomaly]:
        given = {call.result for call in self.acquires}
        for token, releases in self.releases.items():
            acknowledged = [call for call in releases if call.ok]
            if token not in given and self.doubtful:
                self.why_not = f"an acquire in doubt of lock{named(self.key)} may have been given token {token}"
            elif token not in given and acknowledged:
                sentence = (
                    f"Process {acknowledged[0].process} released lock{named(self.key)} with token {token}, which "
                    "nobody was given."
                )
                yield self._anomaly("released-by-stranger", EXCLUSION, "lock-twice", acknowledged[:1], sentence)
            for call in acknowledged[1:] if token in given else ():
                sentence = (
                    f"Token {token} of lock{named(self.key)} was released by process {acknowledged[0].process} and "
                    f"again by process {call.process}, when it was no longer the holder's."
                )
                yield self._anomaly("released-twice", EXCLUSION, "lock-twice", (acknowledged[0], call), sentence)

    # ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _refusals(self, chain: Sequence[Placed]) -> list[Anomaly]:
        """Give every refusal the first place where it can stand; anomalies for those that can stand nowhere."""
        windows = _Windows.of(chain)
        found, placed = [], list(chain)
        refused = sorted(self.refused, key=attrgetter("response"))
        # after so many refusals were over, this place had been reached, as they show
        reached, before = [0], np.searchsorted([call.response for call in refused], [call.invoke for call in refused])
        for call, least, most, over in zip(refused, *windows.of_calls(refused), before.tolist(), strict=True):
            place = self._first_place(call, least, most)
            if place is None:
                found.append(self._refusal(call, least, chain))
            elif place < reached[over]:
                place = self._first_place(call, reached[over], most)
                if place is None:
                    self.why_not = f"refusals of lock{named(self.key)} have no place together"
            if place is None:
                reached.append(reached[-1])
                continue
            placed.append(Placed(2 * place + 1, call))
            reached.append(max(place, reached[-1]))
        if not found and not self.why_not:
            self.order = order(placed)
        return found

    def _first_place(self, call: Call, least: int, most: int) -> int | None:
        """The first number of steps of the chain after which the call would be refused."""
        steps, acquires = least, self.acquires
        if call.f == "acquire":
            steps |= 1  # it is held after an odd number of steps
            return steps if steps <= most else None
        while steps <= most:
            held = steps & 1 and steps >> 1 < len(acquires)
            if (acquires[steps >> 1].result if held else None) != call.argument:
                return steps
            steps += 1
        return None

    # ── in words ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _anomaly(self, name: str, guarantee: str, rule: str, ops: Sequence[Call], sentence: str) -> Anomaly:
        indices = tuple(sorted({call.invoke for call in ops}))
        certificate = {"ops": [call.invoke for call in ops]}
        return Anomaly(name, guarantee, sentence, self.key, indices, ops[-1].invoke, "", rule, certificate)

    def _order(self, higher: Call, lower: Call) -> Anomaly:
        of_lock = f"lock{named(self.key)}"
        if higher.f == lower.f == "acquire":
            sentence = (
                f"Process {lower.process} was given token {lower.result} of {of_lock} after process {higher.process} "
                f"had been given {higher.result}: a token went back."
            )
            return self._anomaly("token-went-back", FENCING, "lock-order", (higher, lower), sentence)
        if higher.f == "acquire":
            sentence = (
                f"Process {higher.process} was given {of_lock} with token {higher.result} before anybody began to "
                f"release token {lower.argument}: two holders at once."
            )
            return self._anomaly("two-holders", EXCLUSION, "lock-order", (lower, higher), sentence)
        token = lower.argument if lower.f == "release" else lower.result
        sentence = (
            f"Process {higher.process} released token {higher.argument} of {of_lock} before process {lower.process} "
            f"began to {lower.f} token {token}, which is no greater."
        )
        return self._anomaly("token-went-back", FENCING, "lock-order", (higher, lower), sentence)

    def _refusal(self, call: Call, least: int, chain: Sequence[Placed]) -> Anomaly:
        calls = {place.rank // 2: place.call for place in chain}
        ops = [calls[steps] for steps in (least, least + 1) if steps in calls]
        if call.f == "acquire":
            sentence = (
                f"Process {call.process} was told that lock{named(self.key)} is held, but then nobody can have held it."
            )
            return self._anomaly("refused-a-free-lock", EXCLUSION, "lock-refused", (*ops, call), sentence)
        sentence = (
            f"Process {call.process} was refused to release token {call.argument} of lock{named(self.key)}, which was "
            "then the holder's."
        )
        return self._anomaly("refused-its-holder", EXCLUSION, "lock-refused", (*ops, call), sentence)


@dataclass(frozen=True)
class _Windows:
    """Between which steps of a chain something can stand that ran at some time.

    Attributes:
        ended: for each step, when the first of it and all later ones ended.
        begun: for each step, when the last of it and all earlier ones began.
    """

    ended: list[int]
    begun: list[int]

    @classmethod
    def of(cls, chain: Sequence[Placed]) -> _Windows:
        """Of a chain without inversions, whose steps are 1, 2, 3, ..."""
        ended, begun, least, most = [], [], NEVER, -1
        for place in reversed(chain):
            least = min(least, place.call.response)
            ended.append(least)
        for place in chain:
            most = max(most, place.call.invoke)
            begun.append(most)
        return cls(ended[::-1], begun)

    def of_calls(self, calls: Sequence[Call]) -> tuple[list[int], list[int]]:
        """The least and the greatest number of steps that can have been taken, of each."""
        least = np.searchsorted(self.ended, [call.invoke for call in calls])
        return least.tolist(), np.searchsorted(self.begun, [call.response for call in calls]).tolist()
