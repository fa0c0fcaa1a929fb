"""Tokens: a read waits for what its session has seen, and the node has what it says that it has.

    honoured    the node was at least as far as the token that the read carried
    honest      what the node returned is the newest write of the key up to where it says that it was

The first trusts the server, the second does not; both are needed. A read carries `token` and `applied` in its
completion, see `harness.op`; writes are known by the versions that they were acknowledged with, or that reads told.

    token 1.9, applied 1.8                                          not honoured
    applied 1.9, returned 1.4 although the key was written at 1.7   not honest

Limits: versions are places in one log. A write that was acknowledged and then lost shows as dishonesty, too: a token is
no promise of durability. A history without tokens and without `applied` is "unknown".
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, Final

from checkers.protocol import Budget
from checkers.sessions.explain import key_text, value_text, version_text
from checkers.tokens import token_of
from harness.history import History
from harness.history.operations import OK
from harness.op import Op, Version
from harness.verdict import Anomaly, Verdict

ANOMALIES_MAX: Final = 100


@dataclass(frozen=True)
class Token:
    """A read waits for what its session's token names, and nodes have what they say that they have."""

    name: str = "token"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        return _Judge(history).verdict(self.name)


@dataclass
class _Judge:
    """One history."""

    history: History
    writes: dict[Any, dict[Version, int]] = field(default_factory=dict)  # per key: version → invocation that shows it
    anomalies: list[Anomaly] = field(default_factory=list)
    carried: int = 0
    told: int = 0

    def verdict(self, name: str) -> Verdict:
        """Every read that carries a token or tells how far its node was."""
        reads = self._gather()
        ordered = {key: sorted(versions) for key, versions in self.writes.items()}
        for invoke, read in reads:
            self._honoured(invoke, read)
            self._honest(invoke, read, ordered)
        counts = {"anomalies": len(self.anomalies), "reads_with_token": self.carried, "reads_with_applied": self.told}
        if not self.told:
            reason = "no read tells how far its node was, so there is nothing to hold it to."
            return Verdict(name, "unknown", "Tokens could not be judged.", counts=counts, reason=reason)
        if self.anomalies:
            summary = f"{len(self.anomalies):,} reads were not what their token or their node promised."
            return Verdict(name, "invalid", summary, tuple(self.anomalies[:ANOMALIES_MAX]), counts)
        summary = f"All of {self.carried:,} tokens were honoured, and {self.told:,} reads are what their nodes had."
        return Verdict(name, "valid", summary, counts=counts, certificate={"reads": self.told})

    def _gather(self) -> list[tuple[int, Op]]:
        """Reads that say something; and every version that a key had."""
        o, reads = self.history.operations, []
        rows = zip(o.f.tolist(), o.status.tolist(), o.invoke.tolist(), o.completion.tolist(), strict=True)
        for f, status, invoke, completion in rows:
            if status != OK or o.fs[f] not in ("read", "write", "cas"):
                continue
            op = self.history.events[completion]
            is_read = o.fs[f] == "read"
            if op.version is not None and not (is_read and op.value == self.history.header.initial):
                known = self.writes.setdefault(token_of(op.key), {})
                known.setdefault((op.version[0], op.version[1]), invoke)
            if is_read and op.applied is not None:
                reads.append((invoke, op))
        return reads

    def _honoured(self, invoke: int, read: Op) -> None:
        self.told += 1
        if read.token is None or read.applied is None:
            return
        self.carried += 1
        if tuple(read.applied) < tuple(read.token):
            sentence = (
                f"{_where(read)} answered a read that carried the token {version_text(read.token)} when it was only at"
                f" {version_text(read.applied)}."
            )
            self._add("token-ignored", sentence, invoke, read, (invoke,), {"read": invoke})

    def _honest(self, invoke: int, read: Op, ordered: dict[Any, list[Version]]) -> None:
        key = token_of(read.key)
        versions = ordered.get(key, [])
        assert read.applied is not None
        place = bisect_right(versions, (read.applied[0], read.applied[1]))
        mine = (-1, -1) if read.version is None else (read.version[0], read.version[1])
        if not place or versions[place - 1] <= mine:
            return
        newest = versions[place - 1]
        write = self.writes[key][newest]
        version = "no version" if read.version is None else version_text(read.version)
        sentence = (
            f"{_where(read)} said that it was at {version_text(read.applied)}, but returned {value_text(read.value)}"
            f" ({version}), although the key was written at {version_text(newest)}."
        )
        self._add("token-dishonest", sentence, invoke, read, (write, invoke), {"read": invoke, "write": write})

    def _add(
        self, rule: str, sentence: str, invoke: int, read: Op, ops: tuple[int, ...], certificate: dict[str, Any]
    ) -> None:
        shown = tuple(sorted(set(ops)))
        self.anomalies.append(Anomaly(rule, "token", sentence, read.key, shown, invoke, "", rule, certificate))


def _where(read: Op) -> str:
    return f"At {key_text(read.key)}, {read.node or 'a node'}"
