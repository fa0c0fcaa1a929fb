"""Registers: one value, compared and set or not; several, written together; strings by key.

The checker decides `register`, `cas-register` and `mutex` by rules of their own, which are faster; these declarations
say the same, and tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from checkers.models.model import IMPOSSIBLE, UNKNOWN, Model, shown
from checkers.objects.calls import Call
from harness.history.header import Header
from harness.history.operations import FAIL

_READS: Final = ("read", "r")
ANSWERS_MAX: Final = 16
"""Where more answers than these contradict each other, states are as they are."""


def _register(state: Any, call: Call) -> Any:
    if call.f == "read":
        return state if call.result == state else IMPOSSIBLE
    if call.f == "write":
        return call.argument
    old, new = call.argument[:2]
    if call.status == FAIL:
        refused = old != state and (len(call.result) < 3 or call.result[2] == state)
        return state if refused else IMPOSSIBLE
    return new if old == state else IMPOSSIBLE


def _refusal(call: Call, header: Header) -> Call | None:
    """A failed compare-and-set tells what the header says that it tells."""
    if call.status != FAIL:
        return call
    if call.f != "cas" or header.fail_cas == "drop" or call.error not in ("", "mismatch"):
        return None
    told = isinstance(call.result, tuple) and len(call.result) == 3 and header.fail_cas == "returned"
    return Call(
        call.invoke,
        call.response,
        FAIL,
        "cas",
        call.key,
        call.argument,
        call.result if told else (),
        call.error,
        call.process,
    )


def _reads(call: Call) -> bool:
    return call.f == "read" or call.status == FAIL


def _described(call: Call) -> str:
    if call.f == "read":
        return f"read {shown(call.result)}"
    if call.f == "write":
        return f"wrote {shown(call.argument)}"
    refused = "was refused a change from" if call.status == FAIL else "changed"
    return f"{refused} {shown(call.argument[0])} into {shown(call.argument[1])}"


REGISTER: Final = Model(
    "register",
    ("read", "write", "cas"),
    _register,
    initial=lambda value: value,
    observes=_reads,
    meaning=_refusal,
    describe=_described,
    summary="one value by key: read, write, cas",
)
CAS_REGISTER: Final = Model(
    "cas-register",
    REGISTER.fs,
    _register,
    initial=lambda value: value,
    observes=_reads,
    meaning=_refusal,
    describe=_described,
    summary="one value by key: read, write, cas; a failed cas can be an observation (--fail-cas)",
)


# ── several registers at a time ──────────────────────────────────────────────────────────────────────────────────────


def _transaction(state: Any, call: Call) -> Any:
    """State: ((name, value), ...) by name; a name that is not there has never been written, and reads as null."""
    held = dict(state)
    for f, name, value in call.argument if call.result is UNKNOWN else call.result:
        if f not in _READS:
            held[name] = value
        elif call.result is not UNKNOWN and held.get(name) != value:
            return IMPOSSIBLE
    return tuple(sorted(held.items(), key=lambda item: str(item[0])))


class _Lost:
    """Stands in states for a value that no read has seen."""

    def __repr__(self) -> str:
        return "a value that no read has seen"


_LOST: Final = _Lost()


def _values_seen(calls: Sequence[Call]) -> Callable[[Any], Any]:
    """Values of a register that no read of it has seen are one."""
    parts = [part for call in calls if call.result is not UNKNOWN for part in call.result]
    seen = {(name, value) for f, name, value in parts if f in _READS}
    return lambda state: tuple((name, value if (name, value) in seen else _LOST) for name, value in state)


def _only_reads(call: Call) -> bool:
    return all(f in _READS for f, _, _ in call.argument)


def _transaction_described(call: Call) -> str:
    parts = call.argument if call.result is UNKNOWN else call.result
    return " and ".join(f"{'read' if f in _READS else 'wrote'} {name} = {shown(value)}" for f, name, value in parts)


MULTI_REGISTER: Final = Model(
    "multi-register",
    ("txn",),
    _transaction,
    initial=lambda value: tuple(value or ()),
    key=lambda _: None,
    observes=_only_reads,
    tells=_values_seen,
    describe=_transaction_described,
    show=lambda state: ", ".join(f"{name} = {shown(value)}" for name, value in state),
    summary="several registers, read and written together in a txn",
)


# ── strings by key ───────────────────────────────────────────────────────────────────────────────────────────────────


def _kv(state: Any, call: Call) -> Any:
    if call.f == "get":
        return state if _string(call.result) == state else IMPOSSIBLE
    if call.f == "put":
        return _string(call.argument)
    return state + call.argument if isinstance(state, str) else IMPOSSIBLE  # nothing can be added to a number


def _strings(call: Call, _: Header) -> Call | None:
    if call.f == "append" and not isinstance(call.argument, str):
        raise ValueError("wanted a string to add at the end")
    return None if call.status == FAIL else call


def _string(value: Any) -> Any:
    """A value, where null is the empty string."""
    return "" if value is None else value


def _string_seen(calls: Sequence[Call]) -> Callable[[Any], Any]:
    """Strings that no answer begins with are one: whatever is appended, no get sees them."""
    answers = {_string(call.result) for call in calls if call.f == "get"}
    longest: list[str] = []
    for answer in sorted((answer for answer in answers if isinstance(answer, str)), key=len, reverse=True):
        if not any(other.startswith(answer) for other in longest):
            longest.append(answer)
    if len(longest) > ANSWERS_MAX:
        return lambda state: state
    unseen = "?" * (1 + max(map(len, longest), default=0))
    return lambda state: (
        state if not isinstance(state, str) or any(other.startswith(state) for other in longest) else unseen
    )


KV: Final = Model(
    "kv",
    ("put", "append", "get"),
    _kv,
    initial=_string,
    meaning=_strings,
    observes=lambda call: call.f == "get",
    tells=_string_seen,
    summary="strings by key: put, append, get",
)


# ── locks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mutex(state: Any, call: Call) -> Any:
    if call.f == "acquire":
        return IMPOSSIBLE if state else True
    return False if state else IMPOSSIBLE


MUTEX: Final = Model(
    "mutex",
    ("acquire", "release"),
    _mutex,
    initial=False,
    show=lambda state: "held" if state else "free",
    summary="a lock: acquire, release",
)


_UNTOLD: Final = "a token that nobody was told"


def _fenced(state: Any, call: Call) -> Any:
    """State: (token of the holder or None, greatest token so far); nobody can release a token that nobody was told."""
    held, greatest = state
    if call.status == FAIL:
        fits = held is not None if call.f == "acquire" else held != call.argument
        return state if fits else IMPOSSIBLE
    if call.f == "release":
        return (None, greatest) if held == call.argument and held is not None else IMPOSSIBLE
    if held is not None:
        return IMPOSSIBLE
    if call.result is UNKNOWN:
        return (_UNTOLD, greatest)
    return (call.result, call.result) if call.result > greatest else IMPOSSIBLE


def _lock_shown(state: Any) -> str:
    held, _ = state
    return (
        "free"
        if held is None
        else "held with an unknown token"
        if held == _UNTOLD
        else f"held with token {shown(held)}"
    )


FENCED_LOCK: Final = Model(
    "fenced-lock",
    ("acquire", "release"),
    _fenced,
    initial=(None, -1),
    observes=lambda call: call.status == FAIL,
    meaning=lambda call, _: call if call.status != FAIL or call.error in ("held", "not-holder") else None,
    show=_lock_shown,
    summary="a lock whose acquire returns a growing token, which its release gives back",
)
