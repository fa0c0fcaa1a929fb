"""Looks again at what the simple invariants say, on the raw events and without the checkers' code.

    invalid   every anomaly: the events that it names show it
    valid     nothing that its rule forbids is in the whole history; this is the invariant once more, as its definition

Limits: log lines are outside of a history, see `checkers.invariants.log_pattern.still_there`. What availability
measures is not looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, Final

from checkers.verifiers.object_facts import Did, Object, json_of, objects
from harness.history import History
from harness.verdict import Anomaly, Verdict

PAIRS_MAX: Final = 2_000_000


def verify_invariants(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict does not stand; empty for other checkers and for "unknown"."""
    if verdict.checker not in _FORBIDDEN or verdict.answer == "unknown":
        return []
    found = objects(history)
    dids = sorted((did for of in found.values() for did in of.dids), key=lambda did: did.start)
    every = Object(None, history.header.initial, {did.start: did for did in dids})
    try:
        return [f"{verdict.checker}: {problem}" for problem in _problems(found, every, verdict)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"{verdict.checker}: the certificate cannot be read: {type(error).__name__}: {error}."]


def _problems(found: dict[bytes, Object], every: Object, verdict: Verdict) -> Iterator[str]:
    if verdict.answer == "valid":
        parts = found.values() if verdict.checker in _BY_KEY else (every,)
        yield from (problem for of in parts for problem in _FORBIDDEN[verdict.checker](of, verdict))
        return
    if not verdict.anomalies:
        yield "nothing is shown."
    for anomaly in verdict.anomalies:
        of = found[json_of(anomaly.key)] if verdict.checker in _BY_KEY else every
        rule = _RULES.get(anomaly.rule)
        if rule is None or not rule(of, anomaly):
            yield f"rule {anomaly.rule}, event {anomaly.culprit}: the events do not show it."
        if anomaly.culprit not in anomaly.ops or any(index not in every.by_start for index in anomaly.ops):
            yield "the operations that it shows are not operations of the history."


def _reads(of: Object) -> list[Did]:
    return of.all("read", "ok")


def _listed(did: Did) -> list[bytes]:
    return [json_of(element) for element in did.result]


def _culprit(of: Object, anomaly: Anomaly) -> Did:
    return of.by_start[-1 if anomaly.culprit is None else anomaly.culprit]


# ── set by its final read ────────────────────────────────────────────────────────────────────────────────────────────


def _final_set(of: Object, _verdict: Verdict) -> Iterator[str]:
    reads = _reads(of)
    shown = Counter(_listed(reads[-1]))
    possible = {json_of(did.begin.value) for did in of.all("add", "ok", "info") if did.start < reads[-1].end}
    sure = {json_of(did.begin.value) for did in of.all("add", "ok") if did.end < reads[-1].start}
    if sure - shown.keys() or shown.keys() - possible or any(times > 1 for times in shown.values()):
        yield f"key {of.key!r}: the final read does not show what was added, once."


def _final_set_anomaly(of: Object, anomaly: Anomaly) -> bool:
    read, element = _culprit(of, anomaly), json_of(anomaly.certificate["element"])
    if read is not _reads(of)[-1]:
        return False
    times = _listed(read).count(element)
    adds = of.arguments("add").get(element, [])
    if anomaly.rule == "set-final:lost":
        return times == 0 and any(did.kind == "ok" and did.end < read.start for did in adds)
    if anomaly.rule == "set-final:duplicated":
        return times > 1
    return times > 0 and all(did.start > read.end for did in adds)


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _unique(of: Object, verdict: Verdict) -> Iterator[str]:
    given = [json_of(did.result) for did in of.dids if did.kind == "ok" and did.begin.f == verdict.certificate["f"]]
    if len(set(given)) < len(given) or len(given) < verdict.counts["acknowledged"]:
        yield "an id was given out twice."


def _unique_anomaly(of: Object, anomaly: Anomaly) -> bool:
    ops = of.named(anomaly.ops)
    ids = {json_of(did.result) for did in ops}
    return (
        len(ops) > 1
        and len(ids) == 1
        and all((did.begin.f, did.kind) == (anomaly.certificate["f"], "ok") for did in ops)
    )


# ── counters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bounds_of(of: Object, read: Did) -> bool:
    least = most = of.initial or 0
    for did in [*of.all("add", "ok", "info"), *of.all("increment", "ok", "info")]:
        amount = did.begin.value
        if did.end < read.start:
            least, most = least + amount, most + amount
        elif did.start < read.end:
            least, most = least + min(0, amount), most + max(0, amount)
    return bool(least <= ((of.initial or 0) if read.result is None else read.result) <= most)


def _counter(of: Object, _verdict: Verdict) -> Iterator[str]:
    """A sample of the reads, as each takes a look at everything."""
    reads = _reads(of)
    for read in reads[:: max(1, len(reads) * len(of.dids) // PAIRS_MAX)]:
        if not _bounds_of(of, read):
            yield f"key {of.key!r}: read {read.start} is out of bounds."


# ── bank ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bank(of: Object, verdict: Verdict) -> Iterator[str]:
    totals = {sum(did.result.values()) for did in _reads(of) if isinstance(did.result, dict)}
    accounts = {tuple(sorted(did.result)) for did in _reads(of) if isinstance(did.result, dict)}
    if totals - {verdict.certificate["total"]} or len(accounts) > 1:
        yield "not all reads show that total of the same accounts."
    balances = [balance for did in _reads(of) if isinstance(did.result, dict) for balance in did.result.values()]
    if min(balances, default=0) < 0 and not verdict.certificate["overdraft"]:
        yield "an account is overdrawn."


def _bank_anomaly(of: Object, anomaly: Anomaly) -> bool:
    read, told = _culprit(of, anomaly), anomaly.certificate
    if (read.begin.f, read.kind) != ("read", "ok") or not isinstance(read.result, dict):
        return False
    if anomaly.rule == "bank:accounts":
        return set(of.by_start[told["other"]].result) != set(read.result)
    if anomaly.rule == "bank:balance":
        return type(read.result[told["account"]]) is not int
    if anomaly.rule == "bank:negative":
        return bool(read.result[told["account"]] < 0)
    against = sum(of.by_start[told["other"]].result.values()) if told["other"] >= 0 else told["total"]
    return bool(sum(read.result.values()) != against == told["total"])


# ── forks and comments ───────────────────────────────────────────────────────────────────────────────────────────────


def _sight(did: Did) -> dict[bytes, bool]:
    """Key → whether the read saw it written."""
    parts = [part for part in did.result if isinstance(part, list | tuple) and len(part) == 3]
    return {json_of(key): value is not None for f, key, value in parts if f == "r"}


def _fork(of: Object, _verdict: Verdict) -> Iterator[str]:
    reads = [did for did in of.all("read", "ok") + of.all("txn", "ok") if isinstance(did.result, list | tuple)]
    sights = list({tuple(sorted(_sight(did).items())): _sight(did) for did in reads}.values())
    for number, (one, other) in enumerate(combinations(sights, 2)):
        both = one.keys() & other.keys()
        if {(one[key], other[key]) for key in both} >= {(True, False), (False, True)}:
            yield "two reads see two writes in opposite orders."
            return
        if number > PAIRS_MAX:
            return


def _fork_anomaly(of: Object, anomaly: Anomaly) -> bool:
    one, other = (_sight(did) for did in of.named(anomaly.ops))
    a, b = map(json_of, anomaly.certificate["keys"])
    written = [json_of(part[1]) for did in of.dids if did.possible for part in _writes(did)]
    once = max(Counter(written).values(), default=0) <= 1
    return once and {(one[a], one[b]), (other[a], other[b])} == {(True, False), (False, True)}


def _writes(did: Did) -> list[Any]:
    parts = did.begin.value if isinstance(did.begin.value, list | tuple) else ()
    return [part for part in parts if isinstance(part, list | tuple) and part[0] in ("w", "append")]


def _written(of: Object) -> list[Did]:
    return [did for f in ("write", "add", "insert") for did in of.all(f, "ok", "info")]


def _comments(of: Object, _verdict: Verdict) -> Iterator[str]:
    writes = {json_of(did.begin.value): did for did in _written(of)}
    for read in (did for did in _reads(of) if isinstance(did.result, list | tuple)):
        seen = set(_listed(read))
        last = max((writes[element].start for element in seen if element in writes), default=-1)
        if any(did.kind == "ok" and did.end < last and element not in seen for element, did in writes.items()):
            yield f"read {read.start} sees a write without one before it."


def _comments_anomaly(of: Object, anomaly: Anomaly) -> bool:
    read = _culprit(of, anomaly)
    one, other = (did for did in of.named(anomaly.ops) if did is not read)
    first, then = sorted((one, other), key=lambda did: did.start)
    seen = set(_listed(read))
    writes = {did.start for did in _written(of)}
    once = Counter(json_of(did.begin.value) for did in _written(of))
    fit = first.start in writes and then.start in writes and once[json_of(then.begin.value)] == 1
    precedes = first.kind == "ok" and first.end < then.start
    return fit and precedes and json_of(then.begin.value) in seen and json_of(first.begin.value) not in seen


_FORBIDDEN: Final[dict[str, Callable[[Object, Verdict], Iterator[str]]]] = {
    "set-final": _final_set,
    "unique-ids": _unique,
    "counter-bounds": _counter,
    "bank": _bank,
    "long-fork": _fork,
    "comments": _comments,
}
_BY_KEY: Final = frozenset({"set-final", "counter-bounds"})
_RULES: Final[dict[str, Callable[[Object, Anomaly], bool]]] = {
    "set-final:lost": _final_set_anomaly,
    "set-final:duplicated": _final_set_anomaly,
    "set-final:unexpected": _final_set_anomaly,
    "unique-ids": _unique_anomaly,
    "counter-bounds": lambda of, anomaly: not _bounds_of(of, _culprit(of, anomaly)),
    "bank:accounts": _bank_anomaly,
    "bank:balance": _bank_anomaly,
    "bank:negative": _bank_anomaly,
    "bank:total": _bank_anomaly,
    "long-fork": _fork_anomaly,
    "comments": _comments_anomaly,
}
