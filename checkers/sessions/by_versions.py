"""Whether the versions that a system tells can be believed; where they cannot, the values decide.

They can for a key if every completed access to it has one, no version names two values or two writes, and no value that
was written once has two versions.

    wrote 7, version (1, 12) ... read 7, version (1, 8)          no: one write, and two versions

Source: Terry et al., Session Guarantees for Weakly Consistent Replicated Data, PDIS 1994, with the order of writes
given by the system.
Limits: the order of versions is trusted. A system that gives a stale value a new version is caught only where that
shows as such a contradiction.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkers.sessions.accesses import Access
from checkers.tokens import Token
from harness.history.operations import FAIL, OK
from harness.op import Version


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
