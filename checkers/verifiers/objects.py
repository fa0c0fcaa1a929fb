"""Re-derives the certificates of the checkers of objects from the raw events, without the checkers' code.

    invalid   every anomaly: its rule follows from the operations that it names, and from counting all others
    valid     who may have got what is missing from a queue, and nothing came out twice or from nowhere

Columns first, as in `structures`: see `queue_columns`.

Limits: it judges certificates, not completeness of an "invalid": other violations may be there as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from checkers.verifiers.object_facts import Object, enqueues, json_of, nothing, objects
from checkers.verifiers.object_lookup import looked_up
from checkers.verifiers.object_rules import RULES
from checkers.verifiers.queue_columns import accounted
from harness.history import History
from harness.verdict import Verdict


def verify_objects(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict's certificates does not stand; empty for other checkers and for "unknown"."""
    if verdict.checker not in _KINDS or verdict.answer == "unknown":
        return []
    try:
        if confirmed(history, verdict):
            return []
        return [f"{verdict.checker}: {problem}" for problem in _problems(objects(history), verdict)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"{verdict.checker}: the certificate cannot be read: {type(error).__name__}: {error}."]


def confirmed(history: History, verdict: Verdict) -> bool:
    """Whether columns confirm a verdict; if not, nothing is said."""
    try:
        if verdict.answer == "valid":
            return accounted(history, verdict.certificate)
        looked = looked_up(history)
        return looked is not None and not any(_problems(looked, verdict))
    except (KeyError, IndexError, TypeError, ValueError):
        return False


def _problems(found: Mapping[bytes, Object], verdict: Verdict) -> Iterator[str]:
    if verdict.answer == "valid":
        entries = {json_of(entry["key"]): entry for entry in verdict.certificate.get("keys", ())}
        for key, of in found.items():
            fs, doubt = _KINDS[verdict.checker]
            if any(did.begin.f in fs for did in of.dids):
                yield from doubt(of, entries.pop(key, {}))
        yield from (f"there is no key {key.decode()}." for key in entries)
        return
    if not verdict.anomalies:
        yield "nothing is shown."
    for anomaly in verdict.anomalies:
        of = found[json_of(anomaly.key)]
        if anomaly.rule not in RULES or not RULES[anomaly.rule](of, anomaly):
            yield f"key {anomaly.key!r}, rule {anomaly.rule}: the events do not show it."
        if anomaly.culprit not in anomaly.ops or any(index not in of.by_start for index in anomaly.ops):
            yield f"key {anomaly.key!r}: the operations that it shows are not all on this key."


# ── valid ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _doubt_queue(of: Object, entry: dict[str, Any]) -> Iterator[str]:
    """Nothing twice or from nowhere, and everything missing can have gone to a dequeue in doubt, each to its own."""
    given = Counter(json_of(did.begin.value) for did in of.all("enqueue", "ok", "info"))
    taken = Counter(json_of(did.result) for did in of.all("dequeue", "ok") if not nothing(did))
    for element, times in taken.items():
        if times > given[element]:
            yield f"element {element.decode()} came out {times} times."
    for dequeue in of.all("dequeue", "ok"):
        if not nothing(dequeue) and all(did.start > dequeue.end for did in enqueues(of, dequeue.result)):
            yield f"event {dequeue.start} got an element that nobody had begun to put in."
    pairs = [(of.by_start[enqueue], of.by_start[dequeue]) for enqueue, dequeue in entry["doubtful"]]
    if len({dequeue.start for _, dequeue in pairs}) != len(pairs):
        yield "two elements went to the same dequeue."
    empties = [did for did in of.all("dequeue", "ok", "fail") if nothing(did)]
    excused = {enqueue.start: dequeue for enqueue, dequeue in pairs}
    for did in of.all("enqueue", "ok"):
        element = json_of(did.begin.value)
        if taken[element] >= given[element] or (given[element] > 1 and taken[element]):
            continue
        taker = excused.get(did.start)
        limit = min((empty.end for empty in empties if empty.start > did.end), default=0)
        if taker is None or (taker.begin.f, taker.kind) != ("dequeue", "info") or taker.start > limit > 0:
            yield f"nobody can have got the element of event {did.start}."


_KINDS: Final[dict[str, tuple[frozenset[str], Callable[[Object, dict[str, Any]], Iterator[str]]]]] = {
    "total-queue": (frozenset({"enqueue", "dequeue"}), _doubt_queue),
}
