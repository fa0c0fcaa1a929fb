"""What an object is: a small declaration, from which everything else about linearizability follows.

    Counter = Model("counter", ("increment", "read"), step=count, initial=0, observes=lambda call: call.f == "read")

`step(state, call)` is the whole meaning: the state after the call, or IMPOSSIBLE when its outcome cannot be in that
state. States are hashable and never changed; lists inside of arguments and results come as tuples, maps as tuples of
(key, value). 1, 1.0 and true are three values (`checkers.tokens`). docs/writing-a-model.md builds one.

A call that ended in doubt has `result` UNKNOWN: it may take effect late, or never. One that failed did nothing, and is
left out unless `meaning` makes an observation of it ("the queue was empty").

Limits: `step` must have one outcome per state; numbers that it works out itself are compared as Python does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from checkers.objects.calls import Call
from checkers.tokens import frozen, thawed
from harness.history.header import Header
from harness.history.operations import FAIL, INFO, OK


class _Name:
    """A value that is equal to itself alone."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


IMPOSSIBLE: Final = _Name("IMPOSSIBLE")
"""What `step` says of a call that cannot have had this outcome in this state."""
UNKNOWN: Final = _Name("UNKNOWN")
"""The result of a call that ended in doubt."""


def _key(call: Call) -> Any:
    return call.key


def _meaning(call: Call, _: Header) -> Call | None:
    return None if call.status == FAIL else call


def _describe(call: Call) -> str:
    silent = call.result is UNKNOWN or (call.result == call.argument and call.result is not None)
    result = "" if silent else f" → {shown(call.result)}"
    return f"{call.f}{'' if call.argument is None else ' ' + shown(call.argument)}{result}"


def _show(state: Any) -> str:
    return shown(state)


@dataclass(frozen=True)
class Model:
    """One kind of object.

    Attributes:
        name: as registered; fs: the functions that it has.
        step: (state, call) → the state after it, or IMPOSSIBLE.
        initial: state before the first call; given a function, it is called with the header's `initial`.
        key: which part of the object a call is about; parts are judged one by one, which is what keeps this quick.
            Only right if calls on different parts never have to do with each other.
        observes: whether a call can never change any state under its outcome, whatever the state.
        meaning: (call, header) → what the call says, or None for nothing; by default failed calls say nothing.
        describe: a call in words, after "p3: "; show: a state in words.
        takes: for a model whose functions put something in and take it out, "oldest" or "newest": what comes out.
        tells: given all calls on an object, a state → one that stands for all that these calls cannot tell from it.
        summary: one line for `splitbrain list models`.
    """

    name: str
    fs: tuple[str, ...]
    step: Callable[[Any, Call], Any]
    initial: Any = None
    key: Callable[[Call], Hashable] = _key
    observes: Callable[[Call], bool] = lambda _: False
    meaning: Callable[[Call, Header], Call | None] = _meaning
    describe: Callable[[Call], str] = _describe
    show: Callable[[Any], str] = _show
    takes: str = ""
    tells: Callable[[Sequence[Call]], Callable[[Any], Any]] | None = None
    summary: str = ""

    def start(self, header: Header) -> Any:
        """The state before the first call."""
        return self.initial(frozen(header.initial)) if callable(self.initial) else self.initial

    def understood(self, call: Call, header: Header) -> Call | None:
        """What a call of a history says; None if that is nothing, as of an observation in doubt."""
        unknown = call.status == INFO
        result = UNKNOWN if unknown else frozen(call.result)
        call = msgspec.structs.replace(call, argument=frozen(call.argument), result=result)
        said = self.meaning(call, header)
        return None if said is None or (unknown and self.observes(said)) else said


def observation(call: Call, result: Any) -> Call:
    """A failed call that says something all the same, as one that happened with this result."""
    return msgspec.structs.replace(call, status=OK, result=result)


def shown(value: Any) -> str:
    """A value in a sentence."""
    if isinstance(value, frozenset | set):
        return "{" + ", ".join(sorted(map(shown, value))) + "}"
    return msgspec.json.encode(thawed(value), enc_hook=repr).decode()
