"""Guesses from its operations what a history is about, where its header does not say.

    >>> guess_model([Op(f="enqueue"), Op(f="dequeue")])
    'queue'

A guess is made only where the words leave no choice; `add` and `read` may be a set or a counter, so there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from harness.op import NEMESIS, Op

_MODELS: Final[tuple[tuple[frozenset[str], frozenset[str], str], ...]] = (
    # needed, allowed besides, model
    (frozenset({"cas"}), frozenset({"read", "write"}), "cas-register"),
    (frozenset({"write"}), frozenset({"read"}), "register"),
    (frozenset({"put"}), frozenset({"get", "append"}), "kv"),
    (frozenset({"append", "get"}), frozenset({"put"}), "kv"),
    (frozenset({"enqueue"}), frozenset({"dequeue"}), "queue"),
    (frozenset({"push"}), frozenset({"pop"}), "stack"),
    (frozenset({"acquire"}), frozenset({"release"}), "mutex"),
    (frozenset({"add", "contains"}), frozenset({"remove"}), "set"),
    (frozenset({"add", "remove"}), frozenset({"contains"}), "set"),
    (frozenset({"increment"}), frozenset({"read"}), "counter"),
)


def guess_model(events: Iterable[Op]) -> str:
    """The model, or "" where the words do not tell.

    Transactions without a name for what they do (`f` left out, as in Elle's own files) are told by their steps.
    """
    clients = [op for op in events if op.process != NEMESIS]
    words = {op.f for op in clients}
    if words and words <= {"txn", ""}:
        return _guess_transactions(clients)
    for needed, besides, model in _MODELS:
        if needed <= words <= needed | besides:
            return model
    return ""


def _guess_transactions(clients: Iterable[Op]) -> str:
    kinds = {step[0] for op in clients for step in _steps(op.value)}
    if "append" in kinds and kinds <= {"append", "r"}:
        return "list-append"
    return "rw-register" if "w" in kinds and kinds <= {"w", "r"} else ""


def _steps(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return []
    return [step for step in value if isinstance(step, list) and len(step) == 3 and isinstance(step[0], str)]
