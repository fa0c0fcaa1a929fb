"""Re-checks verdicts on linearizability of any model, on the raw events: only the model's declaration is taken over.

    valid     an order of the calls of every object: replayed through the model, and compared with real time
    no-order  between the events `since` and `until` the listed calls have no order, whatever else happened

For the second, every state that was possible at `since` is worked out from the start: calls that ended by then must
have happened. From there on only the listed calls must; all others may have happened while they were open, or not.

Limits: at most CONFIGURATIONS at a time, then it does not confirm.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from checkers.models import IMPOSSIBLE, Model
from checkers.objects.calls import Call
from checkers.tokens import frozen, thawed
from checkers.verifiers.events import ENDLESS, paired, token
from checkers.verifiers.lines import Line, needed
from harness.history import History
from harness.history.operations import FAIL, INFO, NEVER, OK
from harness.op import Op
from harness.verdict import Anomaly, Verdict

CONFIGURATIONS: Final = 300_000

Configuration = tuple[Any, frozenset[int]]
"""(state, invocations of the open calls that are done)."""


@dataclass
class Told:
    """What the events say of one object: calls by invocation."""

    key: Any
    initial: Any
    calls: dict[int, Call] = field(default_factory=dict)


def verify_models(history: History, verdict: Verdict, model: Model) -> Iterator[str]:
    """Sentences about what could not be confirmed."""
    told = told_by_key(history, model)
    if verdict.answer == "valid":
        orders = {token(entry["key"]): entry["order"] for entry in verdict.certificate.get("keys", ())}
        for key, one in told.items():
            problem = _order(one, orders.pop(key, ()), model)
            if problem:
                yield f"key {one.key!r}: {problem}"
        for key in orders:
            yield f"key {key.decode()}: the certificate orders operations on it, but the history has none."
        return
    if not verdict.anomalies:
        yield "the verdict is invalid, but it names no anomaly."
    for anomaly in verdict.anomalies:
        problem = _anomaly(told.get(token(anomaly.key)), anomaly, model)
        if problem:
            yield f"key {anomaly.key!r}, rule {anomaly.rule}: {problem}"


def told_by_key(history: History, model: Model) -> dict[bytes, Told]:
    """Every object that the events name."""
    found: dict[bytes, Told] = {}
    for asked, answer in paired(history):
        call = _call(asked, answer)
        said = model.understood(call, history.header)
        key = thawed(frozen(model.key(said or call)))
        one = found.setdefault(token(key), Told(key, model.start(history.header)))
        if said is not None:
            one.calls[said.invoke] = said
    return found


def _call(asked: Op, answer: Op | None) -> Call:
    kinds = {"ok": OK, "fail": FAIL, "info": INFO}
    status = INFO if answer is None else kinds[answer.type]
    doubt = answer is None or status == INFO
    error = "" if answer is None else (answer.error or "").partition(":")[0]
    result = asked.value if answer is None else answer.value
    response = NEVER if doubt or answer is None else answer.index
    return Call(asked.index, response, status, asked.f, asked.key, asked.value, result, error, asked.process)


def _order(one: Told, order: Sequence[int], model: Model) -> str:
    """What is wrong with an order, or ""."""
    state, placed = one.initial, set()
    for index in order:
        call = one.calls.get(index)
        if call is None or index in placed:
            return f"the order names event {index} twice, or it is not a call of this object that may have happened."
        placed.add(index)
        after = model.step(state, call)
        if after is IMPOSSIBLE:
            return f"in the order, event {index} ({model.describe(call)}) meets the state {model.show(state)}."
        state = after
    for call in one.calls.values():
        if call.response != NEVER and call.invoke not in placed:
            return f"the order leaves out event {call.invoke} ({model.describe(call)}), which happened."
    soonest = ENDLESS
    for index in reversed(order):
        call = one.calls[index]
        if call.invoke > soonest:
            return f"the order puts event {index} before one that ended at event {soonest}, when it had not begun."
        soonest = min(soonest, call.response)
    return ""


def _anomaly(one: Told | None, anomaly: Anomaly, model: Model) -> str:
    """What is wrong with an anomaly, or ""."""
    if one is None:
        return "there is no such key."
    indices = anomaly.certificate.get("ops", ())
    listed = [one.calls[index] for index in indices if index in one.calls]
    if not listed or len(listed) != len(indices):
        return "an event that it names is not a call of this object that may have happened."
    if not set(anomaly.ops) <= set(indices) or anomaly.culprit not in anomaly.ops:
        return "the operations that it shows are not those of its certificate."
    if any(call.response == NEVER for call in listed):
        return "an operation that it names need not have happened."
    since = anomaly.certificate.get("since", 0)
    until = anomaly.certificate.get("until", max(call.response for call in listed))
    if any(call.invoke < since or call.response > until for call in listed):
        return "an operation that it lists does not lie in the window."
    outcome = _survives(one, set(indices), since, until, model)
    if outcome is None:
        return f"more than {CONFIGURATIONS} configurations to look at."
    return "the operations have an order." if outcome else ""


class _Plain:
    """What calls do to the state of an object, as its model says; states that no call looked at can tell are one."""

    def __init__(self, model: Model, calls: Sequence[Call]) -> None:
        self.model, self.moment = model, 0
        self.same: Callable[[Any], Any] = (lambda state: state) if model.tells is None else model.tells(calls)

    def start(self, initial: Any) -> Any:
        """The state with which it began."""
        return self.same(initial)

    def after(self, state: Any, call: Call) -> Iterator[Any]:
        """Every state that a call may leave behind."""
        after = self.model.step(state, call)
        if after is not IMPOSSIBLE:
            yield self.same(after)


def _closure(
    configurations: set[Configuration], groups: Collection[Sequence[Call]], does: _Plain | Line
) -> set[Configuration] | None:
    """What can be reached by doing open calls; None when that is too much.

    Of a group, which do the same, the one with the earliest response is done first.
    """
    reached, todo = set(configurations), list(configurations)
    while todo:
        state, done = todo.pop()
        for group in groups:
            call = next((call for call in group if call.invoke not in done), None)
            if call is None:
                continue
            for after in does.after(state, call):
                then = (after, done | {call.invoke})
                if then not in reached:
                    reached.add(then)
                    todo.append(then)
        if len(reached) > CONFIGURATIONS:
            return None
    return reached


def _survives(one: Told, listed: set[int], since: int, until: int, model: Model) -> bool | None:
    """Whether any configuration gets to the end of the window; None when there are too many."""
    must = listed | {call.invoke for call in one.calls.values() if call.response < since}
    looked_at = [
        call
        for call in one.calls.values()
        if call.invoke <= until and (call.invoke in must or not model.observes(call))
    ]
    if model.takes:
        looked_at = needed(model, looked_at, must)
    events = [(call.invoke, call) for call in looked_at]
    events += [(call.response, call) for call in looked_at if call.response <= until]
    does = Line(model, looked_at) if model.takes else _Plain(model, looked_at)
    configurations: set[Configuration] = {(does.start(one.initial), frozenset())}
    open_now: dict[Hashable, list[Call]] = {}
    for moment, call in sorted(events, key=lambda event: event[0]):
        group = open_now.setdefault((call.f, call.argument, call.result, call.status, call.invoke in must), [])
        if moment == call.invoke:
            insort(group, call, key=lambda call: call.response)
            does.moment = moment
            continue
        reached = _closure(configurations, open_now.values(), does)
        if reached is None:
            return None
        if call.invoke in must:
            reached = {item for item in reached if call.invoke in item[1]}
        configurations = {(state, done - {call.invoke}) for state, done in reached}
        group.remove(call)
        if not configurations:
            return False
    return True
