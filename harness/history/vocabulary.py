"""Guesses from its operations what a history is about, where its header does not say.

    >>> guess_model([Op(f="enqueue"), Op(f="dequeue")])
    'queue'

A guess is made only where the words leave no choice; `add` and `read` may be a set or a counter, so there is none.
Transactions of others often have no name for what they do (`f` left out, as in Elle's own files): `with_names` gives
them theirs, since a checker that looks for `txn` would pass over them and find nothing wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from harness.op import NEMESIS, Op

TRANSACTION: Final = "txn"
DRAIN: Final = "drain"
"""Takes out of a queue all that is left, see `drains`."""
_STEPS: Final = ("r", "w", "append")
_MODELS: Final[tuple[tuple[frozenset[str], frozenset[str], str], ...]] = (
    # needed, allowed besides, model
    (frozenset({"cas"}), frozenset({"read", "write"}), "cas-register"),
    (frozenset({"write"}), frozenset({"read"}), "register"),
    (frozenset({"put"}), frozenset({"get", "append"}), "kv"),
    (frozenset({"append", "get"}), frozenset({"put"}), "kv"),
    (frozenset({"enqueue"}), frozenset({"dequeue"}), "queue"),
    (frozenset({"enqueue", "drain"}), frozenset({"dequeue"}), "total-queue"),
    (frozenset({"push"}), frozenset({"pop"}), "stack"),
    (frozenset({"acquire"}), frozenset({"release"}), "mutex"),
    (frozenset({"add", "contains"}), frozenset({"remove"}), "set"),
    (frozenset({"add", "remove"}), frozenset({"contains"}), "set"),
    (frozenset({"increment"}), frozenset({"read"}), "counter"),
)


def guess_model(events: Iterable[Op]) -> str:
    """The model, or "" where the words do not tell; that of transactions is told by their steps."""
    clients = [op for op in events if op.process != NEMESIS]
    words = {op.f for op in clients}
    if words and words <= {TRANSACTION, ""}:
        return _guess_transactions(clients)
    for needed, besides, model in _MODELS:
        if needed <= words <= needed | besides:
            return model
    return ""


def with_names(events: Sequence[Op]) -> Sequence[Op]:
    """The events of a file, where operations without a name are called transactions if they all are some.

    One that shows no steps, as a completion in doubt may, is told by the others.
    """
    nameless = [op for op in events if not op.f and op.process != NEMESIS]
    if not any(_steps(op.value) for op in nameless) or not all(_may_be_steps(op.value) for op in nameless):
        return events
    return [op if op.f or op.process == NEMESIS else msgspec.structs.replace(op, f=TRANSACTION) for op in events]


def _guess_transactions(clients: Iterable[Op]) -> str:
    kinds = {step[0] for op in clients for step in _steps(op.value)}
    if "append" in kinds and kinds <= {"append", "r"}:
        return "list-append"
    return "rw-register" if "w" in kinds and kinds <= {"w", "r"} else ""


def _may_be_steps(value: Any) -> bool:
    return value is None or (isinstance(value, list) and len(_steps(value)) == len(value))


def _steps(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return []
    return [step for step in value if isinstance(step, list) and len(step) in (2, 3) and step[0] in _STEPS]
