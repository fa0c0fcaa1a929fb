"""Re-checks verdicts on tokens on the raw events, without the checker.

token-ignored     the completion of `read` has a token that is newer than what it says was applied
token-dishonest   `write` is an operation on the key of `read`, with a version between what was read and applied
valid             neither is so of any read
"""

from __future__ import annotations

from collections.abc import Iterator

from checkers.verifiers.accesses import Did, json_of, operations_of
from harness.history import History
from harness.op import Version
from harness.verdict import Verdict


def verify_token(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict does not stand; empty for "unknown"."""
    if verdict.answer == "unknown":
        return []
    dids = {did.begin.index: did for did in operations_of(history)}
    try:
        if verdict.answer == "valid":
            problems = list(_doubts(list(dids.values()), json_of(history.header.initial), verdict.certificate["reads"]))
        else:
            problems = [
                f"{anomaly.certificate['read']} is not {anomaly.rule}."
                for anomaly in verdict.anomalies
                if not _stands(dids, anomaly.rule, anomaly.certificate, json_of(history.header.initial))
            ]
            problems += [] if verdict.anomalies else ["nothing is shown."]
    except (KeyError, TypeError, ValueError) as error:
        problems = [f"the certificate cannot be read: {type(error).__name__}: {error}."]
    return [f"token: {text}" for text in problems]


def _stands(dids: dict[int, Did], rule: str, certificate: dict[str, int], initial: bytes) -> bool:
    read = dids[certificate["read"]]
    applied = _applied(read)
    if applied is None:
        return False
    if rule == "token-ignored":
        return read.end is not None and read.end.token is not None and tuple(read.end.token) > applied
    if rule != "token-dishonest":
        return False
    write = dids[certificate["write"]]
    shown = _shown(write, initial)
    return write.key == read.key and shown is not None and _version(read) < shown <= applied


def _doubts(dids: list[Did], initial: bytes, reads: int) -> Iterator[str]:
    told = [did for did in dids if _applied(did) is not None]
    if len(told) != reads:
        yield f"{len(told)} reads tell how far their node was, not {reads}."
    ignored = [
        did for did in told if did.end is not None and did.end.token and tuple(did.end.token) > (_applied(did) or ())
    ]
    if ignored:
        yield f"{ignored[0].begin.index} was answered before its token was reached."
    # In one pass per key over versions and claims in order: the newest version up to each claim.
    lines: dict[bytes, list[tuple[Version, int, Version, int]]] = {}
    for did in dids:
        if (shown := _shown(did, initial)) is not None:
            lines.setdefault(did.key, []).append((shown, 0, shown, did.begin.index))
        if (applied := _applied(did)) is not None:
            lines.setdefault(did.key, []).append((applied, 1, _version(did), did.begin.index))
    for line in lines.values():
        newest: Version = (-1, -1)
        for _, claims, version, index in sorted(line):
            if claims and version < newest:
                yield f"{index} returned something older than its node had."
            newest = newest if claims else max(newest, version)


def _applied(did: Did) -> Version | None:
    if did.begin.f != "read" or did.end is None or did.end.type != "ok" or did.end.applied is None:
        return None
    return did.end.applied[0], did.end.applied[1]


def _version(did: Did) -> Version:
    return (-1, -1) if did.version is None else (did.version[0], did.version[1])


def _shown(did: Did, initial: bytes) -> Version | None:
    """The version that an operation shows its key to have had."""
    over = did.end is not None and did.end.type == "ok" and did.version is not None
    return _version(did) if over and (did.wrote is not None or did.read not in (None, initial)) else None
