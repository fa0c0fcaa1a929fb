"""Re-checks verdicts on sequential consistency on the raw events, without the checker.

A valid one carries an order of the operations, which is replayed. An invalid one carries edges ("this precedes that"),
each derived from those before it, and a circle of them; or says that there is no order, which is tried again:

    session       one session, and the first was over when the second began
    read-from     only `before` can have left what `after` found
    initial       `before` found the initial value, which nobody wrote, and `after` writes the key
    overwrites    `read` found what `after` left, and `before`, which writes the same key, precedes `read` by `path`
    overwritten   `before` found what another left, which precedes `after`, a write of the same key, by `path`

Limits: TRIES_MAX states of "there is no order".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from checkers.verifiers.events import Fact, _fact, paired, token
from harness.history import History
from harness.verdict import Anomaly, Verdict

TRIES_MAX: Final = 300_000
_PLAIN: Final = ("session", "read-from", "initial")


def verify_sequential(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict does not stand; empty for other checkers and for "unknown"."""
    if verdict.checker != "sequential" or verdict.answer == "unknown":
        return []
    try:
        all_ = _All(history)
        if verdict.answer == "valid":
            problems = list(all_.replay(verdict.certificate["order"]))
        else:
            problems = [text for anomaly in verdict.anomalies for text in all_.refute(anomaly)]
            problems += [] if verdict.anomalies else ["nothing is shown."]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        problems = [f"the certificate cannot be read: {type(error).__name__}: {error}."]
    return [f"sequential: {text}" for text in problems]


class _All:
    """All operations on registers, by the index of their invocation."""

    def __init__(self, history: History) -> None:
        self.initial = token(history.header.initial)
        self.facts: dict[int, Fact] = {}
        self.key: dict[int, bytes] = {}
        self.session: dict[int, Any] = {}
        for op, answer in paired(history):
            if op.f not in ("read", "write", "cas"):
                continue
            fact = _fact(op, answer, history.header.fail_cas)
            if fact is not None and fact.refuses is None and not fact.impossible:
                self.facts[op.index] = fact
                self.key[op.index] = token(op.key)
                self.session[op.index] = ("process", op.process) if op.session is None else ("session", op.session)
        self.writers: dict[tuple[bytes, bytes], list[int]] = {}
        for index, fact in self.facts.items():
            if fact.writes is not None:
                self.writers.setdefault((self.key[index], fact.writes), []).append(index)

    # ── valid ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def replay(self, order: Sequence[int]) -> Iterator[str]:
        """Everything that happened is there once, sessions keep their order, and everybody finds what there is."""
        holds: dict[bytes, bytes] = {}
        latest: dict[Any, int] = {}
        placed: set[int] = set()
        for index in order:
            fact, key = self.facts[index], self.key[index]
            if index in placed:
                yield f"the order names {index} twice."
            placed.add(index)
            if fact.sees is not None and fact.sees != holds.get(key, self.initial):
                yield f"in the order, {fact} meets {holds.get(key, self.initial).decode()}."
            if fact.writes is not None:
                holds[key] = fact.writes
            if latest.get(self.session[index], -1) > fact.end:
                yield f"the order puts {index} after what its session began later."
            latest[self.session[index]] = max(latest.get(self.session[index], -1), index)
        for index, fact in self.facts.items():
            if fact.certain and index not in placed:
                yield f"the order leaves out {fact}, which happened."

    # ── invalid ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def refute(self, anomaly: Anomaly) -> Iterator[str]:
        """Why an anomaly is none."""
        if anomaly.rule == "unwritten-value":
            [index] = anomaly.certificate["ops"]
            fact = self.facts[index]
            if fact.sees is None or fact.sees == self.initial or self.writers.get((self.key[index], fact.sees)):
                yield f"somebody can have written what {index} found."
            if not self._happened(index):
                yield f"{index} need not have happened."
        elif anomaly.rule == "order-cycle":
            yield from self._circle(anomaly.certificate)
        elif anomaly.rule == "no-order":
            yield from self._no_order()
        else:
            yield f"there is no rule {anomaly.rule!r}."

    def _happened(self, index: int) -> bool:
        """Whether it is certain, or alone can have left what somebody found who happened."""
        todo, looked = [index], set()
        while todo:
            one = todo.pop()
            if self.facts[one].certain:
                return True
            looked.add(one)
            value = self.facts[one].writes
            if value is None or value == self.initial or len(self.writers[self.key[one], value]) > 1:
                continue
            finders = [i for i, fact in self.facts.items() if fact.sees == value and self.key[i] == self.key[one]]
            todo += [finder for finder in finders if finder not in looked]
        return False

    def _circle(self, certificate: Mapping[str, Any]) -> Iterator[str]:
        known: set[tuple[int, int]] = set()
        for edge in certificate["edges"]:
            if not self._follows(edge, known):
                yield f"{edge['before']} need not precede {edge['after']}."
            known.add((edge["before"], edge["after"]))
        circle = certificate["circle"]
        for edge, after in zip(circle, [*circle[1:], *circle[:1]], strict=True):
            if edge["after"] != after["before"]:
                yield f"what follows {edge['after']} begins elsewhere."
            if (edge["before"], edge["after"]) not in known and not self._follows(edge, known):
                yield f"{edge['before']} need not precede {edge['after']}."
            if not self._happened(edge["before"]):
                yield f"{edge['before']} need not have happened."
        if not circle:
            yield "there is no circle."

    def _follows(self, edge: Mapping[str, Any], known: set[tuple[int, int]]) -> bool:
        before, after, rule = edge["before"], edge["after"], edge["rule"]
        if before == after:
            return False
        if rule in ("session", "read-from", "initial"):
            return self._plain(before, after, rule)
        read, path = edge["read"], edge["path"]
        if not all(pair in known or any(self._plain(*pair, r) for r in _PLAIN) for pair in pairwise(path)):
            return False
        if rule == "overwrites":
            left = self._only_writer(read) == after
            same = self.key[before] == self.key[after] and self.facts[before].writes is not None
            return left and same and (path[0], path[-1]) == (before, read) and before != read
        if rule == "overwritten" and read == before:
            source = self._only_writer(read)
            same = self.key[before] == self.key[after] and self.facts[after].writes is not None
            return same and source is not None and (path[0], path[-1]) == (source, after) and after != source
        return False

    def _plain(self, before: int, after: int, rule: str) -> bool:
        one, other = self.facts[before], self.facts[after]
        if rule == "session":
            return self.session[before] == self.session[after] and one.end < other.start
        if rule == "read-from":
            return self._only_writer(after) == before
        found_nothing = one.sees == self.initial and not self.writers.get((self.key[before], self.initial))
        return found_nothing and self.key[before] == self.key[after] and other.writes is not None

    def _only_writer(self, index: int) -> int | None:
        sees = self.facts[index].sees
        found = self.writers.get((self.key[index], sees), []) if sees is not None and sees != self.initial else []
        return found[0] if len(found) == 1 else None

    def _no_order(self) -> Iterator[str]:
        """Try every order that the sessions allow."""
        must = frozenset(index for index, fact in self.facts.items() if fact.certain)
        start: tuple[frozenset[int], tuple[tuple[bytes, bytes], ...]] = (frozenset(), ())
        todo, tried = [start], {start}
        while todo:
            done, state = todo.pop()
            if must <= done:
                yield "there is an order."
                return
            if len(tried) > TRIES_MAX:
                yield f"it takes more than {TRIES_MAX:,} tries to confirm that there is no order."
                return
            holds = dict(state)
            for index, fact in self.facts.items():
                if index in done or not self._may_come(index, done):
                    continue
                if fact.sees is not None and fact.sees != holds.get(self.key[index], self.initial):
                    continue
                after = holds if fact.writes is None else {**holds, self.key[index]: fact.writes}
                then = (done | {index}, tuple(sorted(after.items())))
                if then not in tried:
                    tried.add(then)
                    todo.append(then)

    def _may_come(self, index: int, done: frozenset[int]) -> bool:
        return all(
            other in done or fact.end >= index or self.session[other] != self.session[index]
            for other, fact in self.facts.items()
        )
