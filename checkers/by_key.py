"""Divides a checker's work by key over the workers of an executor, and puts the verdicts together again.

Where a promise is made for each object by itself, as linearizability is (Herlihy and Wing, 1990), a history holds
exactly if the part of each key does. The parts keep the indices of the whole, so what is said of them holds as it is.

    with ProcessPoolExecutor() as workers:
        check_by_key(history, Linearizability("register"), Budget(60.0), workers)

Any `concurrent.futures.Executor` will do, a Dask cluster's (`Client.get_executor()`) as well. A worker gets several
keys at a time, the busiest ones first, so that the last to finish is not late.

Limits: a part is sent to its worker, which costs about a microsecond per event; a single key cannot be divided.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from typing import Final, Protocol, overload

import numpy as np

from checkers.compose import checked, result_of
from checkers.protocol import LEFT, Budget, Checker
from harness.history import History
from harness.op import Op
from harness.verdict import Verdict, worst
from harness.workers import workers

PARTS: Final = 16
"""Into so many parts a history is divided at most."""
ANOMALIES_MAX: Final = 100
REASONS_SHOWN: Final = 3


class Part(Sequence[Op]):
    """Some events of a history under the indices that they have there; iterating gives those that it has."""

    def __init__(self, events: Mapping[int, Op], length: int) -> None:
        self._events = dict(sorted(events.items()))
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Op: ...
    @overload
    def __getitem__(self, index: slice) -> list[Op]: ...
    def __getitem__(self, index: int | slice) -> Op | list[Op]:
        if isinstance(index, slice):
            return [self._events[i] for i in range(*index.indices(self._length)) if i in self._events]
        return self._events[index if index >= 0 else index + self._length]

    def __iter__(self) -> Iterator[Op]:
        return iter(self._events.values())


class Keyed(Checker, Protocol):
    """A checker whose promise is made key by key."""

    def summary(self, counts: Mapping[str, int]) -> str:
        """One sentence for a person, from the counts of its verdict, or of its verdicts on parts added up."""
        ...


@dataclass(frozen=True)
class Divided:
    """A checker whose work is divided by key over processes of this machine.

    Attributes:
        checker: what each process does; processes: how many.
    """

    checker: Keyed
    processes: int

    @property
    def name(self) -> str:
        """The checker's."""
        return self.checker.name

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge, and put the parts together."""
        with workers(self.processes) as pool:
            return check_by_key(history, self.checker, budget, pool)


def check_by_key(history: History, checker: Keyed, budget: Budget, executor: Executor) -> Verdict:
    """The verdict of a checker whose promise is made key by key, as if it had judged the history whole.

    What is "unknown" of one part does not hide what is "invalid" of another; counts are added up, of measures the
    greatest is kept.
    """
    parts = divided(history, PARTS)
    if len(parts) < 2:
        return checked(history, checker, budget)
    futures = {
        executor.submit(checked, part, checker, Budget(budget.left_s())): place for place, part in enumerate(parts)
    }
    verdicts: dict[int, Verdict] = {}
    for future in as_completed(futures):
        verdicts[futures[future]] = result_of(future, checker.name)
        budget.report(f"{len(verdicts)} of {len(parts)} parts are done")
    return merged(checker, [verdicts[place] for place in sorted(verdicts)])


def divided(history: History, parts: int) -> list[History]:
    """The history in at most so many parts of about equal length; each key is in one, faults are in all."""
    operations = history.operations
    order = np.argsort(operations.key, kind="stable")
    keys = np.split(order, np.flatnonzero(np.diff(operations.key[order])) + 1) if len(order) else []
    loads = [(0, number, list[int]()) for number in range(min(parts, len(keys)))]
    for rows in sorted(keys, key=len, reverse=True):
        load, number, held = heapq.heappop(loads)
        heapq.heappush(loads, (load + len(rows), number, [*held, *rows.tolist()]))
    faults = [op for op in history.events if not op.is_client()]
    return [_part(history, rows, faults) for _, _, rows in sorted(loads, key=lambda load: load[1])]


def _part(history: History, rows: Iterable[int], faults: Iterable[Op]) -> History:
    operations, events = history.operations, history.events
    held = {op.index: op for op in faults}
    for row in rows:
        for index in (int(operations.invoke[row]), int(operations.completion[row])):
            if index >= 0:
                held[index] = events[index]
    return History(history.header, Part(held, len(events)), history.truncated)


def merged(checker: Keyed, verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of the parts' verdicts."""
    anomalies = sorted(
        (anomaly for verdict in verdicts for anomaly in verdict.anomalies), key=lambda a: (len(a.ops), a.ops)
    )
    answer = worst(verdict.answer for verdict in verdicts)
    telling = next((verdict for verdict in verdicts if verdict.answer == answer), None)
    reasons = dict.fromkeys(verdict.reason for verdict in verdicts if verdict.reason)
    counts: dict[str, int] = {}
    measures: dict[str, float] = {}
    for verdict in verdicts:
        for word, count in verdict.counts.items():
            counts[word] = counts.get(word, 0) + count
        for word, measure in verdict.measures.items():
            measures[word] = max(measure, measures.get(word, measure))
    keys = [key for verdict in verdicts for key in verdict.certificate.get("keys", ())]
    certificate = {**telling.certificate, "keys": keys} if telling and answer == "valid" and keys else {}
    lost = next((verdict for verdict in verdicts if not verdict.counts), None)
    return Verdict(
        checker.name,
        answer,
        lost.summary if lost and answer == lost.answer else checker.summary(counts),
        tuple(anomalies[:ANOMALIES_MAX]),
        counts,
        measures,
        _reason(list(reasons), counts),
        certificate,
    )


def _reason(reasons: Sequence[str], counts: Mapping[str, int]) -> str:
    """Why the whole is undecided: for the first reason that a part gave, and others that are none of left keys."""
    told = [reason.partition(LEFT) for reason in reasons]
    names = [rest.removesuffix(".") for _, found, rest in told if found]
    others = [reason for reason, found, _ in told if not found]
    if names:
        why = next(lead for lead, found, _ in told if found).rpartition(": ")[0]
        decided, left = counts["keys_decided"], counts["keys"] - counts["keys_decided"]
        more = f" and more, {left} in all" if len(names) > REASONS_SHOWN else ""
        others.insert(0, f"{why}: {decided} of {decided + left}{LEFT}{', '.join(names[:REASONS_SHOWN])}{more}.")
        return " ".join(others)
    return " ".join(reasons)
