"""Decides an object of any model: its declaration is all that is known of it.

Calls that say the same are one action, and states are numbered as they come up, so the searches work on small numbers
and ask the model once for each pair of state and action.

A window of a proof starts where nothing was open: there, what was possible is a set of states and nothing else (a call
in doubt from before may still take effect, and is given away as one of the window's).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from checkers.linearizability.lines import Lines
from checkers.linearizability.steps import ALTERED, NOWHERE, Rows, Steps, TooManyStatesError, Undecided
from checkers.models import IMPOSSIBLE, Call, Model, shown
from checkers.objects.calls import calls_of
from checkers.tokens import frozen, thawed
from harness.errors import HistoryError
from harness.history import History
from harness.history.operations import NEVER
from harness.verdict import Anomaly

if TYPE_CHECKING:
    from checkers.linearizability.witness import Proof

RULE: Final = "no-order"
STATES_NAMED: Final = 4
"""So many of the possible states are named."""
STATES: Final = 2_000_000
ELEMENTS: Final = 40_000_000
"""States of one object that a search may come upon, and the elements in all of them; then it gives up."""
STATE_LENGTH: Final = 60
OTHERS_NAMED: Final = 5


@dataclass(frozen=True)
class ModelObject:
    """One object of a history: the calls that say something of it, in order of invocation."""

    model: Model
    key: Any
    initial: Any
    calls: list[Call] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.calls)

    @property
    def doubtful(self) -> int:
        """How many calls perhaps never happened."""
        return sum(call.response == NEVER for call in self.calls)

    @cached_property
    def steps(self) -> Steps:
        """The same for the searches."""
        action, examples = self._actions
        rows = _Transitions(self.model, self.initial, examples)
        observes = [self.model.observes(call) for call in examples]
        invoke, response = [call.invoke for call in self.calls], [call.response for call in self.calls]
        return Steps(action, invoke, response, observes, 0, rows)

    @cached_property
    def reduced(self) -> Steps:
        """The same with fewer states, for searches that need not say what they are."""
        model, steps = self.model, self.steps
        _, examples = self._actions
        if model.takes:
            lines = Lines(examples, model.fs[0], model.takes == "newest")
            return replace(steps, initial=lines.begin(self.initial, steps.action), rows=lines)
        if model.tells is not None:
            return replace(steps, rows=_Transitions(model, self.initial, examples, model.tells(examples)))
        return steps

    @cached_property
    def _actions(self) -> tuple[list[int], list[Call]]:
        """The action of each call, and a call of each action."""
        actions: dict[Hashable, int] = {}
        examples: list[Call] = []
        found = []
        for call in self.calls:
            number = actions.setdefault((call.f, call.argument, call.result, call.status), len(actions))
            if number == len(examples):
                examples.append(call)
            found.append(number)
        return found, examples

    def state(self, number: int) -> Any:
        """The state with a number."""
        return self._transitions.states[number]

    def number(self, state: Any) -> int:
        """The number of a state."""
        return self._transitions.number(state)

    @property
    def _transitions(self) -> _Transitions:
        rows = self.steps.rows
        assert isinstance(rows, _Transitions)
        return rows


class _Transitions(Rows):
    """Where the actions of a model lead."""

    def __init__(
        self, model: Model, initial: Any, calls: Sequence[Call], tells: Callable[[Any], Any] | None = None
    ) -> None:
        super().__init__()
        self.model, self.calls, self.tells = model, calls, tells
        self.altered: set[int] = set()
        first = initial if tells is None else tells(initial)
        self.states = [first]
        self.numbers = {first: 0}
        if first != initial:
            self.altered.add(0)
        self.size = 0

    def state(self, number: int) -> Any:
        """See `Rows`."""
        return ALTERED if number in self.altered else self.states[number]

    def leads(self, state: int, action: int) -> int:
        after = self.model.step(self.states[state], self.calls[action])
        return NOWHERE if after is IMPOSSIBLE else self.number(after)

    def number(self, after: Any) -> int:
        """The number of a state, which may be a new one."""
        reached = after
        if self.tells is not None:
            after = self.tells(after)
        number = self.numbers.setdefault(after, len(self.states))
        if number == len(self.states):
            if after != reached:
                self.altered.add(number)
            self.states.append(after)
            self.size += len(after) // 8 if isinstance(after, str) else len(after) if isinstance(after, Sized) else 1
            if number > STATES or self.size > ELEMENTS:
                raise TooManyStatesError
        return number


def objects(history: History, model: Model) -> list[ModelObject]:
    """The objects of a history, in order of the first call on each.

    Raises:
        HistoryError: a call of a function that the model does not have, or one that it cannot make sense of.
    """
    initial = model.start(history.header)
    found: dict[Hashable, ModelObject] = {}
    for call, said in _understood(history, model):
        key = frozen(model.key(said or call))
        one = found.get(key)
        if one is None:
            one = found[key] = ModelObject(model, thawed(key), initial)
        if said is not None:
            one.calls.append(said)
    return list(found.values())


def _understood(history: History, model: Model) -> Iterator[tuple[Call, Call | None]]:
    for call in calls_of(history):
        if call.f not in model.fs:
            wanted = ", ".join(model.fs)
            raise HistoryError(f"Event {call.invoke} asks for {call.f!r}; the model {model.name} has {wanted}.")
        try:
            said = model.understood(call, history.header)
            hash(frozen(model.key(said or call)))
        except RecursionError as error:
            raise HistoryError(f"Event {call.invoke}: the value of {call.f} is nested too deeply.") from error
        except (TypeError, ValueError, LookupError) as error:
            told = f"{shown(call.argument)} → {shown(call.result)}"
            raise HistoryError(
                f"Event {call.invoke}: the model {model.name} cannot make sense of {call.f} {told}: {error}."
            ) from error
        yield call, said


def decide_object(one: ModelObject, spent: Callable[[], bool]) -> list[int] | Anomaly | Undecided:
    """A legal order of its steps, the anomaly that it shows, or how far there is an order."""
    from checkers.linearizability.depth_first import Dead
    from checkers.linearizability.entering import Entering
    from checkers.linearizability.frontier import Cuts
    from checkers.linearizability.search import search
    from checkers.linearizability.witness import smallest_proof

    steps = one.reduced
    result = search(steps, spent)
    if not isinstance(result, Dead):
        return result
    steps.rows.clear()
    cuts = Cuts(steps, steps.response[result.step], spent)

    def beginning(since: int) -> tuple[int, tuple[int, ...]]:
        place = bisect_right(cuts.moments, since) - 1
        return cuts.moments[place], cuts.states[place]

    proof = smallest_proof(steps, result.step, spent, beginning)
    ops = [one.calls[step].invoke for step in proof.shown or proof.steps]
    since, before = beginning(min(ops))
    states = list(map(steps.rows.state, before))
    if any(state is ALTERED for state in states):
        since, states = 0, []
    return _anomaly(one, proof, Entering().of(one, ops, since, states))


def _anomaly(one: ModelObject, proof: Proof, states: str) -> Anomaly:
    """A proof, in words, with the states that are possible before it."""
    shown_steps = proof.shown or proof.steps
    culprit = _said(one, proof.culprit)
    others = [step for step in shown_steps if step != proof.culprit]
    brief = 0 < len(states) <= STATE_LENGTH  # what is longer stands beside the sentence
    start = f" The state could only be {states} when the first of them began." if brief else ""
    if proof.shown:
        beside = ", or beside it," if others else ""
        sentence = f"{culprit}, and no order of what happened before it{beside} allows that.{start}"
    elif others:
        named = ", ".join(_said(one, step) for step in others[:OTHERS_NAMED])
        more = " and more" if len(others) > OTHERS_NAMED else ""
        sentence = f"{culprit}, which no order of this and the following explains: {named}{more}.{start}"
    else:
        sentence = f"{culprit}, which nothing explains." + start.replace("the first of them", "it")
    calls = one.calls
    return Anomaly(
        name="non-linearizable",
        guarantee="linearizability",
        sentence=sentence,
        key=one.key,
        ops=tuple(sorted(calls[step].invoke for step in shown_steps)),
        culprit=calls[proof.culprit].invoke,
        before=states,
        rule=RULE,
        certificate={
            "model": one.model.name,
            "ops": [calls[step].invoke for step in proof.steps],
            "since": proof.since,
            "until": proof.until,
        },
    )


def _said(one: ModelObject, step: int) -> str:
    call = one.calls[step]
    return f"p{call.process}: {one.model.describe(call)}"


def states_text(words: Sequence[str]) -> str:
    """The possible states, each in words: the first few of them, and how many more there are."""
    texts = list(dict.fromkeys(map(_short, words)))
    named, more = texts[:STATES_NAMED], len(texts) - STATES_NAMED
    return " or ".join([*named, f"{more} more"] if more > 0 else named)


def _short(text: str) -> str:
    return text if len(text) <= STATE_LENGTH else text[:STATE_LENGTH] + "…"
