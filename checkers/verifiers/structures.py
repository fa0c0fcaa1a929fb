"""Re-derives the certificates of `checkers.structures` from the raw events, without the checkers' code.

    valid    an order of every object's operations: replayed one by one, and compared with real time
    invalid  a rule, derived again:

    <object>-values   all that was done with a few values, and what was seen of them, is tried in every order. Leaving
                      out other values makes nothing wrong, so the whole has no order either
    <object>-covered  values that were certainly inside, in turn, as long as a take lasted that found nothing
    mutex-stretch     between two events more was acquired (or released) than can have been undone
    mutex-run         even where all is put off as long as it may be, an operation ends that cannot be done
    counter-few, counter-excess   the adds that must, or can, lie between two reads do not make up their difference
    counter-range, counter-step   a number that no adds amount to
    others            as in `object_rules`

Orders are replayed in columns first (`structure_columns`), and what an anomaly names is looked up in them
(`object_lookup`). What that does not confirm is judged event by event, and so is every refusal.

Limits: at most CONFIGURATIONS are tried for a rule of the first kind, then it is not confirmed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from checkers.verifiers.object_facts import ENDLESS, Did, Object, elements_of, json_of, nothing, number_of, objects
from checkers.verifiers.object_lookup import looked_up
from checkers.verifiers.object_rules import RULES as OBJECT_RULES
from checkers.verifiers.structure_columns import replays
from harness.history import History
from harness.verdict import Anomaly, Verdict

CONFIGURATIONS: Final = 200_000
PUTS: Final = {"queue": "enqueue", "stack": "push", "set": "add"}
TAKES: Final = {"queue": "dequeue", "stack": "pop", "set": "remove"}


def model_of(verdict: Verdict) -> str:
    """Which object a verdict is about: its certificate says so, or its checker judges only one; else ""."""
    named = str(verdict.certificate.get("model", ""))
    return named if named in _MODELS else _CHECKERS.get(verdict.checker, "")


def verify_structures(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict's certificates does not stand; `model_of` must know its object."""
    if verdict.answer == "unknown" or confirmed(history, verdict):
        return []
    try:
        return [f"{verdict.checker}: {problem}" for problem in _problems(objects(history), verdict)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"{verdict.checker}: the certificate cannot be read: {type(error).__name__}: {error}."]


def confirmed(history: History, verdict: Verdict) -> bool:
    """Whether columns confirm a verdict; if not, nothing is said."""
    if verdict.answer == "valid":
        return replays(history, verdict.certificate, model_of(verdict))
    looked = looked_up(history)
    try:
        return looked is not None and not any(_problems(looked, verdict))
    except (KeyError, IndexError, TypeError, ValueError):
        return False


def _problems(found: Mapping[bytes, Object], verdict: Verdict) -> Iterator[str]:
    model = model_of(verdict)
    if verdict.answer == "valid":
        orders = {json_of(entry["key"]): entry["order"] for entry in verdict.certificate["keys"]}
        for key, of in found.items():
            if key not in orders and not any(did.begin.f in _FS[model] for did in of.dids):
                continue
            problem = _replayed(of, orders.pop(key, ()), model)
            if problem:
                yield f"key {of.key!r}: {problem}"
        yield from (f"there is no key {key.decode()}." for key in orders)
        return
    if not verdict.anomalies:
        yield "nothing is shown."
    for anomaly in verdict.anomalies:
        of = found[json_of(anomaly.key)]
        rule = _RULES.get(anomaly.rule)
        if rule is None or not rule(of, anomaly):
            yield f"key {anomaly.key!r}, rule {anomaly.rule}: the events do not show it."
        if anomaly.culprit not in anomaly.ops or any(index not in of.by_start for index in anomaly.ops):
            yield f"key {anomaly.key!r}: the operations that it shows are not all on this key."


# ── valid: an order, replayed ────────────────────────────────────────────────────────────────────────────────────────


def _seen(did: Did, model: str) -> bool:
    """Whether it must be in an order: it happened, or its failure says what the object was like."""
    word = _WORDS.get((model, did.begin.f))
    return did.kind == "ok" or (word is not None and did.refused(word))


def _replayed(of: Object, order: Sequence[int], model: str) -> str:
    """What is wrong with an order, or ""."""
    placed = of.named(order)
    if len(set(order)) != len(order) or not all(did.possible or _seen(did, model) for did in placed):
        return "the order names an operation twice, or one that did not happen."
    left_out = {did.start for did in of.dids if did.begin.f in _FS[model] and _seen(did, model)} - set(order)
    if left_out:
        return f"the order leaves out event {min(left_out)}."
    allowed = _MODELS[model](of.initial)
    for did in placed:
        if not allowed(did):
            return f"in the order, event {did.start} ({did.begin.f}) cannot be."
    soonest = ENDLESS
    for did in reversed(placed):
        if did.start > soonest:
            return f"the order puts event {did.start} before one that had ended when it began."
        soonest = min(soonest, did.end)
    return ""


Allowed = Callable[[Did], bool]
"""Lets an operation take effect; whether it can."""


def _queue(_initial: Any) -> Allowed:
    inside: deque[bytes] = deque()

    def allowed(did: Did) -> bool:
        if did.begin.f == "enqueue":
            inside.append(json_of(did.begin.value))
            return True
        if nothing(did):
            return not inside
        taken = inside.popleft() if inside else None
        return did.kind == "info" or taken == json_of(did.result)

    return allowed


def _stack(_initial: Any) -> Allowed:
    inside: list[bytes] = []

    def allowed(did: Did) -> bool:
        if did.begin.f == "push":
            inside.append(json_of(did.begin.value))
            return True
        if nothing(did):
            return not inside
        taken = inside.pop() if inside else None
        return did.kind == "info" or taken == json_of(did.result)

    return allowed


def _set(_initial: Any) -> Allowed:
    """Of elements, and read as a whole."""
    inside: set[bytes] = set()

    def allowed(did: Did) -> bool:
        f, element = did.begin.f, json_of(did.begin.value)
        if f == "read":
            shown = elements_of(did)
            return did.kind != "ok" or (len(shown) == len(inside) and set(shown) == inside)
        if f == "contains":
            return did.kind != "ok" or did.result is (element in inside)
        unchanged = did.kind == "ok" and did.result is False and did.begin.value is not False
        if f == "add":
            fits = not unchanged or element in inside
            inside.add(element)
            return fits
        fits = did.kind != "ok" or (element in inside) is not unchanged
        inside.discard(element)
        return fits

    return allowed


def _grow_set(_initial: Any) -> Allowed:
    inside: set[bytes] = set()

    def allowed(did: Did) -> bool:
        if did.begin.f == "add":
            inside.add(json_of(did.begin.value))
            return True
        shown = elements_of(did)
        return did.kind != "ok" or (len(shown) == len(inside) and set(shown) == inside)

    return allowed


def _log(_initial: Any) -> Allowed:
    entries: list[bytes] = []

    def allowed(did: Did) -> bool:
        if did.begin.f == "append":
            entries.append(json_of(did.begin.value))
            return True
        return did.kind != "ok" or elements_of(did) == entries

    return allowed


def _mutex(initial: Any) -> Allowed:
    held = [initial in (True, "held")]

    def allowed(did: Did) -> bool:
        if did.refused("held"):
            return held[0]
        before, held[0] = held[0], did.begin.f == "acquire"
        return before is not held[0]

    return allowed


def _fenced(_initial: Any) -> Allowed:
    state: list[Any] = [None, None]  # token that is held, greatest token that anybody was told

    def allowed(did: Did) -> bool:
        held, greatest = state
        if did.refused("held"):
            return held is not None
        if did.refused("not-holder"):
            return bool(held != did.begin.value)
        if did.begin.f == "release":
            state[0] = None
            return held is not None and bool(held == did.begin.value)
        if did.kind != "ok":
            state[0] = f"unknown {did.start}"
            return held is None
        state[:] = did.result, did.result
        return held is None and (greatest is None or did.result > greatest)

    return allowed


def _counter(initial: Any) -> Allowed:
    number = [initial or 0]

    def allowed(did: Did) -> bool:
        if did.begin.f != "read":
            number[0] += did.begin.value
            tells = did.begin.f == "increment" and did.kind == "ok" and did.result is not None
            return not tells or did.result == number[0]
        return did.kind != "ok" or (initial or 0 if did.result is None else did.result) == number[0]

    return allowed


_MODELS: Final[dict[str, Callable[[Any], Allowed]]] = {
    "queue": _queue,
    "stack": _stack,
    "set": _set,
    "grow-set": _grow_set,
    "log": _log,
    "mutex": _mutex,
    "fenced-lock": _fenced,
    "counter": _counter,
}
_FS: Final = {
    "queue": {"enqueue", "dequeue"},
    "stack": {"push", "pop"},
    "set": {"add", "remove", "contains", "read"},
    "grow-set": {"add", "read"},
    "log": {"append", "read"},
    "mutex": {"acquire", "release"},
    "fenced-lock": {"acquire", "release"},
    "counter": {"increment", "add", "read"},
}
_CHECKERS: Final = {
    "counter": "counter",
    "fenced-lock": "fenced-lock",
    "append-only": "log",
    "set-full": "grow-set",
}
_WORDS: Final = {
    ("queue", "dequeue"): "empty",
    ("stack", "pop"): "empty",
    ("mutex", "acquire"): "held",
    ("fenced-lock", "acquire"): "held",
    ("fenced-lock", "release"): "not-holder",
}


# ── invalid: a few values that have no order ─────────────────────────────────────────────────────────────────────────


def _values(of: Object, anomaly: Anomaly) -> bool:
    """Everything that was done with them, and anything in doubt that may have been, admits no order."""
    model = anomaly.rule.partition("-")[0]
    put, take = PUTS[model], TAKES[model]
    values = {json_of(value) for value in anomaly.certificate["values"]}
    observers = of.named(anomaly.certificate["observers"])
    parts = [did for value in values for did in of.arguments(put).get(value, ()) if not _only_saw(did)]
    if model == "set":
        doubtful: list[Did] = []
        parts += [did for value in values for did in of.arguments(take).get(value, ()) if not _only_saw(did)]
        fit = all(did.kind == "ok" and json_of(did.begin.value) in values and _only_saw(did) for did in observers)
    else:
        taken = [did for value in values for did in of.results(take).get(value, ()) if did.result is not None]
        parts += taken
        known = {json_of(did.result) for did in taken}
        doubtful = of.all(take, "info") if values - known else []
        fit = all(nothing(did) and did.begin.f == take for did in observers)
    if not fit or not parts + observers:
        return False
    limit = max((did.end for did in parts + observers if did.end < ENDLESS), default=-1)
    ops = parts + observers + [did for did in doubtful if did.start < limit]
    return not _orderable(sorted(ops, key=lambda did: did.start), model, take)


def _only_saw(did: Did) -> bool:
    return did.begin.f == "contains" or (did.kind == "ok" and did.result is False and did.begin.value is not False)


def _orderable(ops: Sequence[Did], model: str, take: str) -> bool:
    """Whether some order explains everything; also where that is too much to try."""
    sure = sum(1 << place for place, did in enumerate(ops) if did.end != ENDLESS or did.kind == "ok")
    step = _STEPS[model]
    todo: list[tuple[int, tuple[bytes, ...]]] = [(0, ())]
    tried = set(todo)
    while todo:
        done, state = todo.pop()
        if done & sure == sure:
            return True
        horizon = min(did.end for place, did in enumerate(ops) if not done >> place & 1)
        guessed = False  # of takes in doubt, which are alike, only the first that is left
        for place, did in enumerate(ops):
            if did.start > horizon:
                break
            if done >> place & 1 or (guessed and did.kind == "info" and did.begin.f == take and model != "set"):
                continue
            guessed = guessed or (did.kind == "info" and did.begin.f == take)
            after = step(state, did)
            if after is not None and (item := (done | 1 << place, after)) not in tried:
                tried.add(item)
                todo.append(item)
        if len(tried) > CONFIGURATIONS:
            return True
    return False


State = tuple[bytes, ...]


def _pool_step(state: State, did: Did, place: int) -> State | None:
    if did.begin.f in ("enqueue", "push"):
        return (*state, json_of(did.begin.value))
    if nothing(did):
        return None if state else state
    if not state or (did.kind == "ok" and state[place] != json_of(did.result)):
        return None
    return state[1:] if place == 0 else state[:-1]


def _set_step(state: State, did: Did) -> State | None:
    f, element = did.begin.f, json_of(did.begin.value)
    there = element in state
    if _only_saw(did):
        expected = did.result if f == "contains" else f == "add"
        return state if there is expected else None
    if f == "add":
        return state if there else tuple(sorted((*state, element)))
    if not there and did.kind == "ok":
        return None
    return tuple(other for other in state if other != element)


_STEPS: Final[dict[str, Callable[[State, Did], State | None]]] = {
    "queue": lambda state, did: _pool_step(state, did, 0),
    "stack": lambda state, did: _pool_step(state, did, -1),
    "set": _set_step,
}


def _covered(of: Object, anomaly: Anomaly) -> bool:
    """Each value went in before the one before it can have gone out, from the take's beginning to its end."""
    model = anomaly.rule.partition("-")[0]
    found = of.by_start[anomaly.certificate["observer"]]
    if found.begin.f != TAKES[model] or not nothing(found):
        return False
    puts, takes = of.arguments(PUTS[model]), of.results(TAKES[model])
    guesses = any(did.start < found.end for did in of.all(TAKES[model], "info"))
    reached = found.start
    for value in map(json_of, anomaly.certificate["values"]):
        ins, outs = puts.get(value, []), takes.get(value, [])
        if len(ins) != 1 or len(outs) > 1 or (not outs and (guesses or ins[0].kind != "ok")):
            return False
        inside = min(ins[0].end, outs[0].end) if outs else ins[0].end
        if inside > reached:
            return False
        reached = max(reached, outs[0].start if outs else ENDLESS)
    return reached > found.end


# ── invalid: too many, or too few ────────────────────────────────────────────────────────────────────────────────────


def _stretch(of: Object, anomaly: Anomaly) -> bool:
    f, since, until = (anomaly.certificate[name] for name in ("f", "since", "until"))
    other = {"acquire": "release", "release": "acquire"}[f]
    within = sum(did.start >= since and did.end <= until for did in of.all(f, "ok"))
    answers = sum(did.start < until and did.end >= since for did in of.all(other, "ok", "info"))
    held = of.initial in (True, "held")
    return bool(within - answers >= (1 if since < 0 and held is (f == "acquire") else 2))


def _run(of: Object, anomaly: Anomaly) -> bool:
    """Everything as late as may be, until an operation ends that cannot be done: see `checkers.structures.mutex`.

    To put off what need not be done yet loses nothing; of the open ones of a kind the first to end goes first, as all
    are alike, and those in doubt last.
    """
    held = of.initial in (True, "held")
    waiting: dict[str, list[Did]] = {"acquire": [], "release": []}
    doubtful = {"acquire": 0, "release": 0}
    tries: set[int] = set()
    ends = {did.end: did for did in of.dids if did.end != ENDLESS}
    for moment in sorted([*of.by_start, *ends]):
        did = of.by_start.get(moment)
        if did is not None:
            if did.refused("held") and did.begin.f == "acquire":
                tries |= set() if held else {did.start}
            elif did.kind == "ok":
                waiting[did.begin.f].append(did)
            elif did.kind == "info":
                doubtful[did.begin.f] += 1
            continue
        did = ends[moment]
        while did.start in tries or did in waiting[did.begin.f]:
            f = "release" if held else "acquire"
            if waiting[f]:
                waiting[f].remove(min(waiting[f], key=lambda other: other.end))
            elif doubtful[f]:
                doubtful[f] -= 1
            else:
                return did.end == anomaly.certificate["until"] and did.start == anomaly.culprit
            held = not held
            tries = set() if held else tries
    return False


def _adds(of: Object) -> list[Did]:
    return [*of.all("add", "ok", "info"), *of.all("increment", "ok", "info")]


def _two_reads(of: Object, anomaly: Anomaly, few: bool) -> bool:
    """Between two reads, or the beginning and one, the adds that must (or can) be there are too many (too few)."""
    other, read = anomaly.certificate["from"], of.by_start[anomaly.certificate["to"]]
    begin, end, least = -1, -1, of.initial or 0
    if other >= 0:
        first = of.by_start[other]
        if (first.begin.f, first.kind) != ("read", "ok"):
            return False
        begin, end, least = first.start, first.end, number_of(of, first)
    adds = [did for did in _adds(of) if did.begin.value != 0]
    amounts = {did.begin.value for did in adds}
    if (read.begin.f, read.kind) != ("read", "ok") or len(amounts) > 1:
        return False
    amount = amounts.pop() if amounts else 1
    steps = (number_of(of, read) - least) / amount
    if few:
        within = sum(did.kind == "ok" and end < did.start and did.end < read.start for did in adds)
        return end < read.start and within > steps
    return sum(did.start < read.end and did.end > begin for did in adds) < steps


def _range(of: Object, anomaly: Anomaly) -> bool:
    read = of.by_start[anomaly.culprit if anomaly.culprit is not None else -1]
    least = most = of.initial or 0
    for did in _adds(of):
        amount = did.begin.value
        if did.end < read.start:
            least, most = least + amount, most + amount
        elif did.start < read.end:
            least, most = least + min(0, amount), most + max(0, amount)
    return (read.begin.f, read.kind) == ("read", "ok") and not least <= number_of(of, read) <= most


def _step_size(of: Object, anomaly: Anomaly) -> bool:
    read = of.by_start[anomaly.culprit if anomaly.culprit is not None else -1]
    amounts = {did.begin.value for did in _adds(of)} - {0}
    amount = amounts.pop() if amounts else 1
    wrong = (number_of(of, read) - (of.initial or 0)) % amount != 0
    return not amounts and (read.begin.f, read.kind) == ("read", "ok") and wrong


_RULES: Final[dict[str, Callable[[Object, Anomaly], bool]]] = {
    **OBJECT_RULES,
    "queue-values": _values,
    "stack-values": _values,
    "set-values": _values,
    "queue-covered": _covered,
    "stack-covered": _covered,
    "mutex-stretch": _stretch,
    "mutex-run": _run,
    "counter-few": lambda of, anomaly: _two_reads(of, anomaly, few=True),
    "counter-excess": lambda of, anomaly: _two_reads(of, anomaly, few=False),
    "counter-range": _range,
    "counter-step": _step_size,
}
STRUCTURE_RULES: Final = frozenset(_RULES)
"""Every rule that is known here."""
