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
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import msgspec

from harness.history import History
from harness.op import NEMESIS, Op
from harness.verdict import Anomaly, Verdict

_ENDLESS: Final = 1 << 62
_REFUSALS: Final = ("held", "not-holder")


def json_of(value: Any) -> bytes:
    """Equal for equal JSON values."""
    return msgspec.json.encode(value)


@dataclass(frozen=True, eq=False)
class Did:
    """An operation as its two raw events tell it."""

    begin: Op
    answer: Op | None

    @property
    def start(self) -> int:
        """Index of its invocation, by which it is named."""
        return self.begin.index

    @property
    def kind(self) -> str:
        """ok, fail or info; what never ended is info."""
        return "info" if self.answer is None else self.answer.type

    @property
    def end(self) -> int:
        """When it was over; never when in doubt."""
        return self.answer.index if self.answer is not None and self.answer.type != "info" else _ENDLESS

    @property
    def result(self) -> Any:
        """What it was told."""
        return self.answer.value if self.answer is not None else None

    @property
    def possible(self) -> bool:
        """Whether it happened or may have."""
        return self.kind != "fail"

    def refused(self, word: str) -> bool:
        """Whether it failed with that word."""
        return self.kind == "fail" and self.answer is not None and (self.answer.error or "").split(":")[0] == word

    def shows(self) -> bool:
        """Whether it must be in an order of everything that was seen."""
        return self.kind == "ok" or any(map(self.refused, _REFUSALS))


@dataclass(frozen=True)
class Object:
    """All operations of one key."""

    key: Any
    initial: Any
    by_start: dict[int, Did]
    indexed: dict[str, dict[bytes, list[Did]]] = field(default_factory=dict)

    @cached_property
    def dids(self) -> list[Did]:
        """In order of invocation."""
        return list(self.by_start.values())

    def named(self, indices: Sequence[int]) -> list[Did]:
        """The operations that a certificate names."""
        return [self.by_start[index] for index in indices]

    def arguments(self, f: str) -> dict[bytes, list[Did]]:
        """Those of one function that happened or may have, by what they were given."""
        if f not in self.indexed:
            found = self.indexed[f] = {}
            for did in self.all(f, "ok", "info"):
                found.setdefault(json_of(did.begin.value), []).append(did)
        return self.indexed[f]

    def all(self, f: str, *kinds: str) -> list[Did]:
        """Those of one function that ended so."""
        return [did for did in self.dids if did.begin.f == f and did.kind in kinds]


def objects(history: History) -> dict[bytes, Object]:
    """Every key of the history."""
    running: dict[int | str, Op] = {}
    ended: dict[int, Op] = {}
    for op in history.events:
        if op.process != NEMESIS and op.type == "invoke":
            running[op.process] = op
        elif op.process in running:
            ended[running.pop(op.process).index] = op
    found: dict[bytes, Object] = {}
    for op in history.events:
        if op.process != NEMESIS and op.type == "invoke":
            of = found.setdefault(json_of(op.key), Object(op.key, history.header.initial, {}))
            of.by_start[op.index] = Did(op, ended.get(op.index))
    return found


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
    soonest = _ENDLESS
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
        _refuse(did.kind == "ok" and _number(of, did) != state, f"shows another number than {state}")
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
        if all(did.start > dequeue.end for did in _enqueues(of, dequeue.result)):
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


def _enqueues(of: Object, element: Any) -> list[Did]:
    return of.arguments("enqueue").get(json_of(element), [])


def _grown(did: Did) -> list[bytes]:
    """What a read shows."""
    return [json_of(element) for element in did.result or ()]


def _doubt_list(of: Object, entry: dict[str, Any]) -> Iterator[str]:
    def step(state: list[bytes], did: Did) -> list[bytes]:
        if did.begin.f == "append":
            return [*state, json_of(did.begin.value)]
        _refuse(did.kind == "ok" and _grown(did) != state, "reads another list")
        return state

    yield from replayed(of, entry["order"], [], step, frozenset({"append", "read"}))


def _doubt_set(of: Object, entry: dict[str, Any]) -> Iterator[str]:
    def step(state: frozenset[bytes], did: Did) -> frozenset[bytes]:
        if did.begin.f == "add":
            return state | {json_of(did.begin.value)}
        _refuse(did.kind == "ok" and sorted(_grown(did)) != sorted(state), "reads another set")
        return state

    yield from replayed(of, entry["order"], frozenset(), step, frozenset({"add", "read"}))


_KINDS: Final[dict[str, tuple[frozenset[str], Callable[[Object, dict[str, Any]], Iterator[str]]]]] = {
    "append-only": (frozenset({"append", "read"}), _doubt_list),
    "set-full": (frozenset({"add", "read"}), _doubt_set),
    "counter": (frozenset({"increment", "read"}), _doubt_counter),
    "total-queue": (frozenset({"enqueue", "dequeue"}), _doubt_queue),
    "fenced-lock": (frozenset({"acquire", "release"}), _doubt_lock),
}


# ── invalid: rules ───────────────────────────────────────────────────────────────────────────────────────────────────


def _number(of: Object, did: Did) -> int:
    found = did.result if did.result is not None else (of.initial or 0)
    assert isinstance(found, int)
    return found


def _counter_same(of: Object, anomaly: Anomaly) -> bool:
    one, other = of.named(anomaly.certificate["ops"])
    both = all((did.begin.f, did.kind, did.begin.value) == ("increment", "ok", 1) for did in (one, other))
    return both and one is not other and one.result == other.result and _by_ones(of)


def _by_ones(of: Object) -> bool:
    return all(did.begin.value == 1 for did in of.all("increment", "ok", "info"))


def _counter_order(of: Object, anomaly: Anomaly) -> bool:
    higher, lower = of.named(anomaly.certificate["ops"])
    if not (higher.kind == lower.kind == "ok" and higher.end < lower.start and _by_ones(of)):
        return False
    least = _number(of, higher) + (lower.begin.f == "increment")
    return _number(of, lower) < least


def _counter_many(of: Object, anomaly: Anomaly) -> bool:
    """Of the first `value` increments, all were acknowledged with at most that number, or are in doubt."""
    [culprit], value = of.named(anomaly.certificate["ops"]), anomaly.certificate["value"]
    small = len({did.result for did in of.all("increment", "ok") if (of.initial or 0) < did.result <= value})
    doubtful = sum(did.start < culprit.end for did in of.all("increment", "info"))
    shown = culprit.kind == "ok" and _number(of, culprit) >= value
    return shown and _by_ones(of) and (of.initial or 0) + small + doubtful < value


def _counter_bounds(of: Object, anomaly: Anomaly) -> bool:
    [culprit] = of.named(anomaly.certificate["ops"])
    least = most = of.initial or 0
    for did in of.all("increment", "ok", "info"):
        amount = did.begin.value
        if did is culprit or did.end < culprit.start:
            least, most = least + amount, most + amount
        elif did.start < culprit.end:
            least, most = least + min(0, amount), most + max(0, amount)
    return culprit.kind == "ok" and not least <= _number(of, culprit) <= most


def _queue_invented(of: Object, anomaly: Anomaly) -> bool:
    dequeue = of.by_start[anomaly.certificate["dequeue"]]
    taken = dequeue.begin.f == "dequeue" and dequeue.kind == "ok"
    return taken and all(did.start > dequeue.end for did in _enqueues(of, dequeue.result))


def _queue_twice(of: Object, anomaly: Anomaly) -> bool:
    indices = anomaly.certificate["dequeues"]
    taken = of.named(sorted(set(indices)))
    alike = {(did.begin.f, did.kind, json_of(did.result)) for did in taken}
    return (
        len(alike) == 1
        and next(iter(alike))[:2] == ("dequeue", "ok")
        and len(taken) > len(_enqueues(of, taken[0].result))
    )


def _queue_lost(of: Object, anomaly: Anomaly) -> bool:
    """Nobody got them, and they are more than those in doubt who had begun to take one when the queue was empty."""
    pairs = [(of.by_start[enqueue], of.by_start[empty]) for enqueue, empty in anomaly.certificate["pairs"]]
    got = Counter(json_of(did.result) for did in of.all("dequeue", "ok"))
    for enqueue, empty in pairs:
        same = _enqueues(of, enqueue.begin.value)
        if (enqueue.begin.f, enqueue.kind) != ("enqueue", "ok") or not empty.refused("empty"):
            return False
        if empty.start < enqueue.end or (got[json_of(enqueue.begin.value)] and len(same) == 1):
            return False
    limit = max(empty.end for _, empty in pairs)
    takers = sum(did.start < limit for did in of.all("dequeue", "info"))
    return len({enqueue.start for enqueue, _ in pairs}) > takers


def _place(did: Did) -> tuple[int, int]:
    return (did.result, 0) if did.begin.f == "acquire" else (did.begin.value, 1)


def _lock_token(of: Object, anomaly: Anomaly) -> bool:
    one, other = of.named(anomaly.certificate["ops"])
    acquired = all((did.begin.f, did.kind) == ("acquire", "ok") for did in (one, other))
    return acquired and one is not other and one.result == other.result


def _lock_order(of: Object, anomaly: Anomaly) -> bool:
    lower, higher = sorted(of.named(anomaly.certificate["ops"]), key=_place)
    if not (higher.kind == "ok" and _place(lower) < _place(higher) and higher.end < lower.start):
        return False
    if lower.begin.f == "acquire":
        return lower.kind == "ok"
    releases = [did for did in of.all("release", "ok", "info") if did.begin.value == lower.begin.value]
    acknowledged = [did for did in releases if did.kind == "ok"]
    return lower is (acknowledged or releases)[0]


def _lock_unreleased(of: Object, anomaly: Anomaly) -> bool:
    one, other = sorted(of.named(anomaly.certificate["ops"]), key=lambda did: int(did.result))
    acquired = all((did.begin.f, did.kind) == ("acquire", "ok") for did in (one, other))
    released = {did.begin.value for did in of.all("release", "ok", "info")}
    return acquired and one.result < other.result and one.result not in released


def _lock_twice(of: Object, anomaly: Anomaly) -> bool:
    ops = of.named(anomaly.certificate["ops"])
    if any((did.begin.f, did.kind) != ("release", "ok") for did in ops):
        return False
    given = {did.result for did in of.all("acquire", "ok")}
    if len(ops) == 1:
        return ops[0].begin.value not in given and not of.all("acquire", "info")
    return ops[0] is not ops[1] and ops[0].begin.value == ops[1].begin.value in given


def _lock_refused(of: Object, anomaly: Anomaly) -> bool:
    *around, refused = of.named(anomaly.certificate["ops"])
    given = {did.result for did in of.all("acquire", "ok")}
    releases = of.all("release", "ok", "info")
    if any(did.begin.value not in given for did in releases) and of.all("acquire", "info"):
        return False
    if refused.refused("held"):
        return _was_free(of, around, refused)
    own = [did for did in releases if did.begin.value == refused.begin.value]
    own = [did for did in own if did.kind == "ok"] or own
    held = around[0]
    return (
        refused.refused("not-holder")
        and (held.begin.f, held.kind, held.result) == ("acquire", "ok", refused.begin.value)
        and held.end < refused.start
        and all(did.start > refused.end for did in own)
    )


def _was_free(of: Object, around: Sequence[Did], refused: Did) -> bool:
    """Released before the refusal, by the token just before that of whoever acquired it after."""
    before = next((did for did in around if did.begin.f == "release"), None)
    after = next((did for did in around if did.begin.f == "acquire" and did.kind == "ok"), None)
    if before is not None and not (before.kind == "ok" and before.end < refused.start):
        return False
    if after is not None and not after.start > refused.end:
        return False
    if after is None and any(did.start < refused.end for did in of.all("acquire", "info")):
        return False
    low = before.begin.value if before is not None else -_ENDLESS
    high = after.result if after is not None else _ENDLESS
    return not any(low < did.result < high for did in of.all("acquire", "ok"))


def _puts(of: Object, anomaly: Anomaly) -> tuple[str, list[Did]]:
    """What puts elements in, and whatever may have put in this one."""
    f = "append" if anomaly.certificate["ordered"] else "add"
    return f, of.arguments(f).get(json_of(anomaly.certificate["element"]), [])


def _read_of(of: Object, anomaly: Anomaly) -> tuple[Did, bytes]:
    """The read that gives it away, and the element."""
    read = of.named(anomaly.certificate["ops"])[-1]
    if (read.begin.f, read.kind) != ("read", "ok"):
        raise ValueError(f"event {read.start} is no read")
    return read, json_of(anomaly.certificate["element"])


def _grown_garbage(of: Object, anomaly: Anomaly) -> bool:
    read, element = _read_of(of, anomaly)
    return element in _grown(read) and not _puts(of, anomaly)[1]


def _grown_early(of: Object, anomaly: Anomaly) -> bool:
    read, element = _read_of(of, anomaly)
    return element in _grown(read) and all(did.start > read.end for did in _puts(of, anomaly)[1])


def _grown_twice(of: Object, anomaly: Anomaly) -> bool:
    read, element = _read_of(of, anomaly)
    times = _grown(read).count(element)
    return times > max(1, len(_puts(of, anomaly)[1]))


def _grown_missing(of: Object, anomaly: Anomaly) -> bool:
    read, element = _read_of(of, anomaly)
    witness = of.named(anomaly.certificate["ops"])[0]
    f, _ = _puts(of, anomaly)
    shows = element in _grown(witness) if witness.begin.f == "read" else json_of(witness.begin.value) == element
    known = witness.kind == "ok" and witness.begin.f in ("read", f) and shows
    return known and witness.end < read.start and element not in _grown(read)


def _grown_reads(of: Object, anomaly: Anomaly) -> bool:
    one, other = of.named(anomaly.certificate["ops"])
    if any((did.begin.f, did.kind) != ("read", "ok") for did in (one, other)):
        return False
    if anomaly.certificate["ordered"]:
        return any(a != b for a, b in zip(_grown(one), _grown(other), strict=False))
    return bool(set(_grown(one)) - set(_grown(other))) and bool(set(_grown(other)) - set(_grown(one)))


def _grown_order(of: Object, anomaly: Anomaly) -> bool:
    first, then, read = of.named(anomaly.certificate["ops"])
    shown, a, b = _grown(read), json_of(first.begin.value), json_of(then.begin.value)
    puts = "append" if anomaly.certificate["ordered"] else "add"
    fit = first.kind == "ok" and first.begin.f == then.begin.f == puts and (read.begin.f, read.kind) == ("read", "ok")
    once = all(len(of.arguments(puts)[element]) == 1 for element in (a, b))
    if not (fit and once and first.end < then.start and b in shown):
        return False
    return a not in shown or (puts == "append" and shown.index(a) > shown.index(b))


RULES: Final[dict[str, Callable[[Object, Anomaly], bool]]] = {
    "counter-same": _counter_same,
    "counter-order": _counter_order,
    "counter-many": _counter_many,
    "counter-bounds": _counter_bounds,
    "queue-invented": _queue_invented,
    "queue-twice": _queue_twice,
    "queue-lost": _queue_lost,
    "lock-token": _lock_token,
    "lock-order": _lock_order,
    "lock-unreleased": _lock_unreleased,
    "lock-twice": _lock_twice,
    "lock-refused": _lock_refused,
    "grown-garbage": _grown_garbage,
    "grown-early": _grown_early,
    "grown-twice": _grown_twice,
    "grown-missing": _grown_missing,
    "grown-reads": _grown_reads,
    "grown-order": _grown_order,
}
