"""Session guarantees from the versions that the system tells: one comparison per read, and two operations as proof.

Per key and session, a read must not be of an older version than the newest that the session's own earlier completed
writes (read-your-writes) or reads (monotonic reads) had.

    wrote version (1, 12) ... ok ... read version (1, 8)          the write is missing

Versions are believed only where they can be: every completed access to the key has one, no version names two values,
and no value that was written once has two versions. `usable` says so; elsewhere the values decide (`by_values`).

Source: Terry et al., Session Guarantees for Weakly Consistent Replicated Data, PDIS 1994, with the order of writes
given by the system.
Limits: it trusts the order of versions. A system that gives a stale value a new version is caught only where that shows
as a contradiction above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from checkers.sessions.accesses import Access
from checkers.tokens import Token
from harness.history.operations import FAIL, NEVER, OK
from harness.op import Version


class Older(NamedTuple):
    """A read of something older than what its session had already written or read."""

    earlier: Access
    culprit: Access


def usable(accesses: Sequence[Access]) -> bool:
    """Whether the versions of a key can be believed; see the module docstring."""
    value_of: dict[Version, Token] = {}
    versions_of: dict[Token, set[Version]] = {}
    for access in accesses:
        if access.status != OK:
            continue
        if access.version is None or value_of.setdefault(access.version, access.token) != access.token:
            return False
        versions_of.setdefault(access.token, set()).add(access.version)
    written: dict[Token, int] = {}
    acknowledged: set[Version] = set()
    for access in accesses:
        if access.reads or access.status == FAIL:
            continue
        written[access.token] = written.get(access.token, 0) + 1
        if access.version is not None:
            if access.version in acknowledged:
                return False
            acknowledged.add(access.version)
    return all(len(versions) == 1 or written.get(token, 0) != 1 for token, versions in versions_of.items())


def older_reads(accesses: Iterable[Access], earlier_reads: bool) -> Iterator[Older]:
    """Every read of one session and key that is older than what the session had seen of it.

    Args:
        accesses: of one session to one key, in order of invocation, completed ones with versions.
        earlier_reads: whether earlier reads oblige (monotonic reads), or earlier writes (read-your-writes).
    """
    done = [access for access in accesses if access.status == OK]
    obliging = sorted((a for a in done if a.reads == earlier_reads), key=lambda access: access.response)
    newest: Access | None = None
    place = 0
    for access in done:
        if not access.reads:
            continue
        while place < len(obliging) and obliging[place].response < access.invoke:
            if newest is None or _version(obliging[place]) >= _version(newest):
                newest = obliging[place]
            place += 1
        if newest is not None and _version(access) < _version(newest):
            yield Older(newest, access)


def _version(access: Access) -> Version:
    assert access.version is not None and access.response != NEVER
    return access.version
