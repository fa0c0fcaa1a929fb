"""The rules by which an object is shown to be wrong, derived again from the raw events: see `objects`.

Each takes an object and an anomaly, and says whether the operations that the anomaly names are what its rule asks for,
and whether all other operations of the object leave no way out. What a rule says is told in the checkers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from checkers.verifiers.object_facts import ENDLESS, Did, Object, elements_of, enqueues, json_of, nothing, number_of
from harness.verdict import Anomaly


def _counter_same(of: Object, anomaly: Anomaly) -> bool:
    one, other = of.named(anomaly.certificate["ops"])
    both = all((did.begin.f, did.kind, did.begin.value) == ("increment", "ok", 1) for did in (one, other))
    return both and one is not other and one.result == other.result and of.by_ones


def _counter_order(of: Object, anomaly: Anomaly) -> bool:
    higher, lower = of.named(anomaly.certificate["ops"])
    if not (higher.kind == lower.kind == "ok" and higher.end < lower.start and of.by_ones):
        return False
    least = number_of(of, higher) + (lower.begin.f == "increment")
    return number_of(of, lower) < least


def _counter_many(of: Object, anomaly: Anomaly) -> bool:
    """Of the first `value` increments, all were acknowledged with at most that number, or are in doubt."""
    [culprit], value = of.named(anomaly.certificate["ops"]), anomaly.certificate["value"]
    small = len({did.result for did in of.all("increment", "ok") if (of.initial or 0) < did.result <= value})
    doubtful = sum(did.start < culprit.end for did in of.all("increment", "info"))
    shown = culprit.kind == "ok" and number_of(of, culprit) >= value
    return shown and of.by_ones and (of.initial or 0) + small + doubtful < value


def _counter_bounds(of: Object, anomaly: Anomaly) -> bool:
    [culprit] = of.named(anomaly.certificate["ops"])
    least = most = of.initial or 0
    for did in of.all("increment", "ok", "info"):
        amount = did.begin.value
        if did is culprit or did.end < culprit.start:
            least, most = least + amount, most + amount
        elif did.start < culprit.end:
            least, most = least + min(0, amount), most + max(0, amount)
    return culprit.kind == "ok" and not least <= number_of(of, culprit) <= most


def _queue_invented(of: Object, anomaly: Anomaly) -> bool:
    dequeue = of.by_start[anomaly.certificate["dequeue"]]
    taken = dequeue.begin.f == "dequeue" and dequeue.kind == "ok" and dequeue.result is not None
    return taken and all(did.start > dequeue.end for did in enqueues(of, dequeue.result))


def _queue_twice(of: Object, anomaly: Anomaly) -> bool:
    indices = anomaly.certificate["dequeues"]
    taken = of.named(sorted(set(indices)))
    alike = {(did.begin.f, did.kind, json_of(did.result)) for did in taken}
    return (
        len(alike) == 1
        and next(iter(alike))[:2] == ("dequeue", "ok")
        and len(taken) > len(enqueues(of, taken[0].result))
    )


def _queue_lost(of: Object, anomaly: Anomaly) -> bool:
    """Nobody got them, and they are more than those in doubt who had begun to take one when the queue was empty."""
    pairs = [(of.by_start[enqueue], of.by_start[empty]) for enqueue, empty in anomaly.certificate["pairs"]]
    got = Counter(json_of(did.result) for did in of.all("dequeue", "ok"))
    for enqueue, empty in pairs:
        same = enqueues(of, enqueue.begin.value)
        if (enqueue.begin.f, enqueue.kind) != ("enqueue", "ok") or not nothing(empty):
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
    low = before.begin.value if before is not None else -ENDLESS
    high = after.result if after is not None else ENDLESS
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
    return element in elements_of(read) and not _puts(of, anomaly)[1]


def _grown_early(of: Object, anomaly: Anomaly) -> bool:
    read, element = _read_of(of, anomaly)
    return element in elements_of(read) and all(did.start > read.end for did in _puts(of, anomaly)[1])


def _grown_twice(of: Object, anomaly: Anomaly) -> bool:
    read, element = _read_of(of, anomaly)
    times = elements_of(read).count(element)
    return times > (max(1, len(_puts(of, anomaly)[1])) if anomaly.certificate["ordered"] else 1)


def _grown_missing(of: Object, anomaly: Anomaly) -> bool:
    read, element = _read_of(of, anomaly)
    witness = of.named(anomaly.certificate["ops"])[0]
    f, _ = _puts(of, anomaly)
    shows = element in elements_of(witness) if witness.begin.f == "read" else json_of(witness.begin.value) == element
    known = witness.kind == "ok" and witness.begin.f in ("read", f) and shows
    return known and witness.end < read.start and element not in elements_of(read)


def _grown_reads(of: Object, anomaly: Anomaly) -> bool:
    one, other = of.named(anomaly.certificate["ops"])
    if any((did.begin.f, did.kind) != ("read", "ok") for did in (one, other)):
        return False
    ours, theirs = elements_of(one), elements_of(other)
    if anomaly.certificate["ordered"]:
        return any(a != b for a, b in zip(ours, theirs, strict=False))
    return bool(set(ours) - set(theirs)) and bool(set(theirs) - set(ours))


def _grown_order(of: Object, anomaly: Anomaly) -> bool:
    first, then, read = of.named(anomaly.certificate["ops"])
    shown, a, b = elements_of(read), json_of(first.begin.value), json_of(then.begin.value)
    puts = "append" if anomaly.certificate["ordered"] else "add"
    fit = first.kind == "ok" and first.begin.f == then.begin.f == puts and (read.begin.f, read.kind) == ("read", "ok")
    if puts == "append":
        once = all(len(of.arguments(puts)[element]) == 1 for element in (a, b))
    else:  # to add it again changes nothing
        once = all(did.start >= then.start for did in of.arguments(puts)[b])
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
