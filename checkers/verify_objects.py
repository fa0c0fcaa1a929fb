"""Re-derives the certificates of the checkers of objects from the raw events, without the checkers' code.

    invalid   every anomaly: its rule follows from the operations that it names, and from counting all others
    valid     counter, lock, list, set: an order of all operations of a key, replayed one by one and compared with real
              time; queue: who may have got what is missing, and nothing came out twice or from nowhere

An operation in doubt may be in an order or not; it may end at any time. A refusal that says what the object was like
("held", "not-holder") must be in the order, as it was seen.

Limits: it judges certificates, not completeness of an "invalid": other violations may be there as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from checkers.verify_object_facts import ENDLESS, Did, Object, elements_of, enqueues, json_of, number_of, objects
from checkers.verify_object_rules import RULES
from harness.history import History
from harness.verdict import Verdict


def verify_objects(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict's certificates does not stand; empty for other checkers and for "unknown"."""
    if verdict.checker not in _KINDS or verdict.answer == "unknown":
        return []
    try:
        return [f"{verdict.checker}: {problem}" for problem in _problems(history, verdict)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"{verdict.checker}: the certificate cannot be read: {type(error).__name__}: {error}."]


def _problems(history: History, verdict: Verdict) -> Iterator[str]:
    found = objects(history)
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


# ── valid: an order, replayed ────────────────────────────────────────────────────────────────────────────────────────

Step = Callable[[Any, Did], Any]
"""State and operation to the next state; ValueError when that cannot be."""


def replayed(of: Object, order: Sequence[int], state: Any, step: Step, relevant: frozenset[str]) -> Iterator[str]:
    """What is wrong with an order."""
    placed = of.named(order)
    if len(set(order)) != len(order) or not all(did.possible or did.shows() for did in placed):
        yield f"key {of.key!r}: the order names an operation twice, or one that did not happen."
    left_out = {did.start for did in of.dids if did.shows() and did.begin.f in relevant} - set(order)
    if left_out:
        yield f"key {of.key!r}: the order leaves out event {min(left_out)}."
    for did in placed:
        try:
            state = step(state, did)
        except ValueError as error:
            yield f"key {of.key!r}: in the order, event {did.start} {error}."
            return
    soonest = ENDLESS
    for did in reversed(placed):
        if did.start > soonest:
            yield f"key {of.key!r}: the order puts event {did.start} before one that had ended when it began."
        soonest = min(soonest, did.end)


def _refuse(wrong: bool, sentence: str) -> None:
    if wrong:
        raise ValueError(sentence)


def _lock_step(holder: tuple[int | None, int], did: Did) -> tuple[int | None, int]:
    """State: the token that is held, None when free, -1 when unknown; and the greatest token so far."""
    held, greatest = holder
    if did.refused("held"):
        _refuse(held is None, "finds a free lock held")
        return holder
    if did.refused("not-holder"):
        _refuse(held == did.begin.value, "is refused though it holds the lock")
        return holder
    if did.begin.f == "acquire":
        _refuse(held is not None, "acquires a lock that is held")
        token = did.result if did.kind == "ok" else -1
        _refuse(did.kind == "ok" and token <= greatest, f"is given token {token} after {greatest}")
        return token, max(greatest, token)
    _refuse(held != did.begin.value, "releases a lock that it does not hold")
    return None, greatest


def _doubt_counter(of: Object, entry: dict[str, Any]) -> Iterator[str]:
    def step(state: int, did: Did) -> int:
        state += did.begin.value if did.begin.f == "increment" else 0
        _refuse(did.kind == "ok" and number_of(of, did) != state, f"shows another number than {state}")
        return state

    yield from replayed(of, entry["order"], of.initial or 0, step, frozenset({"increment", "read"}))


def _doubt_lock(of: Object, entry: dict[str, Any]) -> Iterator[str]:
    tokens = [did.result for did in of.all("acquire", "ok")]
    yield from replayed(
        of, entry["order"], (None, min(tokens, default=0) - 1), _lock_step, frozenset({"acquire", "release"})
    )


def _doubt_queue(of: Object, entry: dict[str, Any]) -> Iterator[str]:
    """Nothing twice or from nowhere, and everything missing can have gone to a dequeue in doubt, each to its own."""
    given = Counter(json_of(did.begin.value) for did in of.all("enqueue", "ok", "info"))
    taken = Counter(json_of(did.result) for did in of.all("dequeue", "ok"))
    for element, times in taken.items():
        if times > given[element]:
            yield f"element {element.decode()} came out {times} times."
    for dequeue in of.all("dequeue", "ok"):
        if all(did.start > dequeue.end for did in enqueues(of, dequeue.result)):
            yield f"event {dequeue.start} got an element that nobody had begun to put in."
    pairs = [(of.by_start[enqueue], of.by_start[dequeue]) for enqueue, dequeue in entry["doubtful"]]
    if len({dequeue.start for _, dequeue in pairs}) != len(pairs):
        yield "two elements went to the same dequeue."
    excused = {enqueue.start: dequeue for enqueue, dequeue in pairs}
    for did in of.all("enqueue", "ok"):
        element = json_of(did.begin.value)
        if taken[element] >= given[element] or (given[element] > 1 and taken[element]):
            continue
        taker = excused.get(did.start)
        limit = min((empty.end for empty in of.dids if empty.refused("empty") and empty.start > did.end), default=0)
        if taker is None or (taker.begin.f, taker.kind) != ("dequeue", "info") or taker.start > limit > 0:
            yield f"nobody can have got the element of event {did.start}."


def _doubt_list(of: Object, entry: dict[str, Any]) -> Iterator[str]:
    def step(state: list[bytes], did: Did) -> list[bytes]:
        if did.begin.f == "append":
            return [*state, json_of(did.begin.value)]
        _refuse(did.kind == "ok" and elements_of(did) != state, "reads another list")
        return state

    yield from replayed(of, entry["order"], [], step, frozenset({"append", "read"}))


def _doubt_set(of: Object, entry: dict[str, Any]) -> Iterator[str]:
    def step(state: frozenset[bytes], did: Did) -> frozenset[bytes]:
        if did.begin.f == "add":
            return state | {json_of(did.begin.value)}
        _refuse(did.kind == "ok" and sorted(elements_of(did)) != sorted(state), "reads another set")
        return state

    yield from replayed(of, entry["order"], frozenset(), step, frozenset({"add", "read"}))


_KINDS: Final[dict[str, tuple[frozenset[str], Callable[[Object, dict[str, Any]], Iterator[str]]]]] = {
    "append-only": (frozenset({"append", "read"}), _doubt_list),
    "set-full": (frozenset({"add", "read"}), _doubt_set),
    "counter": (frozenset({"increment", "read"}), _doubt_counter),
    "total-queue": (frozenset({"enqueue", "dequeue"}), _doubt_queue),
    "fenced-lock": (frozenset({"acquire", "release"}), _doubt_lock),
}
