"""Puts what the session checkers found into sentences, and into certificates for `checkers.verify_sessions`.

The rules and their certificates; numbers are event indices of invocations:

    older-version     {"earlier": 4, "culprit": 9}      the culprit's version is older than the earlier operation's
    initial-value     {"earlier": 4, "culprit": 9}      the culprit read the initial value after a written one
    value-cycle       {"steps": [[4, 9], [6, 12]]}      each step orders two values, and together they form a circle
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from checkers.sessions.accesses import Access
from checkers.sessions.by_values import Step
from checkers.sessions.by_versions import Older
from harness.history import Operations
from harness.op import Version
from harness.verdict import Anomaly


def explain_older(operations: Operations, guarantee: str, found: Older) -> Anomaly:
    """A read of an older version than its session knew."""
    earlier, culprit = found
    sentence = f"{_known(operations, earlier)}, and later read the older {_told(operations, culprit)}"
    sentence += "." if earlier.reads else ": its own write is missing."
    certificate = {"earlier": earlier.invoke, "culprit": culprit.invoke}
    return _anomaly(operations, guarantee, sentence, found, culprit, "older-version", certificate)


def explain_initial(operations: Operations, guarantee: str, step: Step) -> Anomaly:
    """A read of the initial value after the session knew a written one."""
    earlier, culprit = step
    sentence = f"{_known(operations, earlier)}, and later read {_told(operations, culprit)}, as if nobody had written."
    certificate = {"earlier": earlier.invoke, "culprit": culprit.invoke}
    return _anomaly(operations, guarantee, sentence, step, culprit, "initial-value", certificate)


def explain_cycle(operations: Operations, guarantee: str, cycle: Sequence[Step]) -> Anomaly:
    """Steps that would have each value come before the next, all around."""
    parts = [
        f"{_session(operations, culprit)} {'read' if earlier.reads else 'wrote'} {value_text(earlier.value)} before it"
        f" read {value_text(culprit.value)}"
        for earlier, culprit in cycle
    ]
    where = key_text(_key(operations, cycle[0].culprit))
    sentence = f"At {where}, {'; '.join(parts)}: there is no order of these writes in which all of this is right."
    shown = [access for step in cycle for access in step]
    last = max((step.culprit for step in cycle), key=lambda access: access.invoke)
    certificate = {"steps": [[earlier.invoke, culprit.invoke] for earlier, culprit in cycle]}
    return _anomaly(operations, guarantee, sentence, shown, last, "value-cycle", certificate)


def _anomaly(
    operations: Operations,
    guarantee: str,
    sentence: str,
    shown: Sequence[Access],
    culprit: Access,
    rule: str,
    certificate: dict[str, Any],
) -> Anomaly:
    return Anomaly(
        name=guarantee,
        guarantee=guarantee,
        sentence=sentence[0].upper() + sentence[1:],
        key=_key(operations, culprit),
        ops=tuple(sorted({access.invoke for access in shown})),
        culprit=culprit.invoke,
        rule=rule,
        certificate=certificate,
    )


def _known(operations: Operations, earlier: Access) -> str:
    """ "at k2, process 3 wrote 17 (version 1.12)"."""
    where = key_text(_key(operations, earlier))
    did = "read" if earlier.reads else "wrote"
    return f"at {where}, {_session(operations, earlier)} {did} {_told(operations, earlier)}"


def _told(operations: Operations, access: Access) -> str:
    """ "17 (version 1.12) from n4"; who took a write does not matter."""
    version = f" (version {version_text(access.version)})" if access.version else ""
    node = operations.names[operations.node[access.row]] if access.reads else None
    return f"{value_text(access.value)}{version}{'' if node is None else f' from {node}'}"


def _key(operations: Operations, access: Access) -> Any:
    return operations.keys[operations.key[access.row]]


def _session(operations: Operations, access: Access) -> str:
    """ "process 3", or "session a" where sessions have names of their own."""
    session, process = access.session, int(operations.process[access.row])
    return f"{'process' if session == process else 'session'} {operations.names[session]}"


def value_text(value: Any) -> str:
    """A value as people write it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def key_text(key: Any) -> str:
    """A key as people write it; a history of one object has none."""
    return "the register" if key is None else value_text(key)


def version_text(version: Version) -> str:
    """ "2.14" for generation 2, index 14."""
    return f"{version[0]}.{version[1]}"
