"""Durability: no acknowledged write is lost for good.

A write is lost if it was acknowledged, and every final read of its key shows a value that certainly came before it: the
write is not there, and nothing that may have come after it is there either. What came before what is known in two ways:

    real time     a value that some completed operation had written or shown before the write was invoked
    versions      a smaller version, on keys whose versions can be believed and agree with real time

Final reads are those of the final round: all that was invoked after the last fault was lifted and the last write or
cas was over, provided that it asks for every key that was written. That is what a run of ours ends with, after its
quiet period; the tail of a run that was cut off is not one. A key whose final reads all failed is undecided.

    write 17 → ok (1.9)   …   final reads: 12 (1.4), 12 (1.4)      17 is lost
    write 17 → ok (1.9)   …   final reads: 12 (1.4), 17 (1.9)      17 is there
    write 17 → ok (1.9)   …   final reads: 23 (2.1), 23 (2.1)      23 overwrote it

The answer is exact for the reads and orders named here, on keys whose values are unique or have versions; where a value
was written twice, a write counts as lost only if it is, whichever of the two was read.

Limits: the final reads are taken at their word. A system that is still catching up after the quiet period looks the
same as one that forgot. That a cas follows the value it found is not used. A lost write that somebody overwrote later
shows in linearizability, not here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from checkers.protocol import Budget
from checkers.sessions import by_versions
from checkers.sessions.accesses import Access, by_key
from checkers.sessions.explain import key_text, value_text, version_text
from checkers.tokens import Token, token_of
from harness.history import History, Operations
from harness.history.faults import fault_windows
from harness.history.operations import FAIL, INFO, NEVER, OK
from harness.op import Version
from harness.verdict import Anomaly, Verdict

ANOMALIES_MAX: Final = 100
KEYS_NAMED_MAX: Final = 5


class Lost(NamedTuple):
    """A lost write, how that is known, and the newest final read."""

    write: Access
    by: str
    final: Access


@dataclass(frozen=True)
class Durability:
    """What was acknowledged is still there after every fault."""

    name: str = "durability"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every key that has an acknowledged write."""
        accesses = by_key(history)
        if not accesses:
            why_not = "no operation is a read, a write or a cas."
            return Verdict(self.name, "unknown", "Nothing was written or read.", reason=why_not)
        keys = {code: own for code, own in accesses.items() if any(map(_acknowledged, own))}
        start, why_not = final_round(history)
        if keys and why_not:
            return Verdict(self.name, "unknown", "There is no final read of what was written.", reason=why_not)
        return _Judge(history, self.name).verdict(keys, start, budget)


@dataclass
class _Judge:
    """All keys of one history."""

    history: History
    name: str
    lost: list[Lost] = field(default_factory=list)
    unread: list[Any] = field(default_factory=list)
    certificate: list[dict[str, Any]] = field(default_factory=list)

    def verdict(self, keys: dict[int, list[Access]], start: int, budget: Budget) -> Verdict:
        """Judge the keys, whose final reads are invoked from event `start` on."""
        late = ""
        for number, (code, accesses) in enumerate(keys.items()):
            if budget.spent():
                late = f"the time was over after {number} of {len(keys)} keys"
                break
            self._judge_key(self.history.operations.keys[code], accesses, start)
        writes = sum(map(_acknowledged, (access for accesses in keys.values() for access in accesses)))
        counts = {
            "anomalies": len(self.lost),
            "keys": len(keys),
            "keys_undecided": len(keys) - len(self.certificate),
            "acknowledged_writes": writes,
        }
        return self._said(counts, late)

    def _said(self, counts: dict[str, int], late: str) -> Verdict:
        writes = counts["acknowledged_writes"]
        if self.lost:
            summary = f"{len(self.lost):,} of {writes:,} acknowledged writes are lost."
            lost = sorted(self.lost, key=lambda found: found.write.invoke)[:ANOMALIES_MAX]
            anomalies = tuple(_explain(self.history.operations, found) for found in lost)
            return Verdict(self.name, "invalid", summary, anomalies, counts)
        if late or self.unread:
            some = ", ".join(map(key_text, self.unread[:KEYS_NAMED_MAX]))
            more = f" and {len(self.unread) - KEYS_NAMED_MAX} more" if len(self.unread) > KEYS_NAMED_MAX else ""
            reason = late or f"no final read of {some}{more} succeeded"
            reason += f"; keys decided, with nothing lost: {len(self.certificate)} of {counts['keys']}."
            return Verdict(self.name, "unknown", "Not every key could be decided.", counts=counts, reason=reason)
        summary = f"None of {writes:,} acknowledged writes is lost."
        return Verdict(self.name, "valid", summary, counts=counts, certificate={"keys": self.certificate})

    def _judge_key(self, key: Any, accesses: Sequence[Access], start: int) -> None:
        finals = [access for access in accesses if access.reads and access.invoke >= start]
        if not finals:
            self.unread.append(key)
            return
        writes = [access for access in accesses if _acknowledged(access)]
        judged = _Key.of(accesses, token_of(self.history.header.initial))
        final, by = max(finals, key=judged.newest), "versions" if judged.versions else "real-time"
        self.certificate.append({"key": key, "by": by, "final": final.invoke})
        self.lost.extend(Lost(write, by, final) for write in judged.lost(finals, writes))


def final_round(history: History) -> tuple[int, str]:
    """From which event on reads are final; and, where there are none, why."""
    if history.truncated:
        return 0, "the history was cut off, so its final reads are not all there."
    never = [window.id for window in fault_windows(history.fault_events) if window.stop_index is None]
    if never:
        return 0, f"the fault {never[0]} was never lifted, so no read is final."
    start = 1 + max(_last_nemesis(history), _last_of_others(history.operations))
    operations = history.operations
    keys, fs = operations.key.tolist(), [operations.fs[f] for f in operations.f.tolist()]
    written = {key for key, f in zip(keys, fs, strict=True) if f != "read"}
    asked = {key for key, invoke in zip(keys, operations.invoke.tolist(), strict=True) if invoke >= start}
    if missing := len(written - asked):
        return 0, f"{missing} of {len(written)} keys were never read after the last write and the last fault."
    return start, ""


def _last_nemesis(history: History) -> int:
    return next((op.index for op in reversed(history.fault_events)), -1)


def _last_of_others(operations: Operations) -> int:
    """The last event of an operation that is not a read."""
    read = operations.fs.index("read") if "read" in operations.fs else -1
    others = operations.f != read
    if not others.any():
        return -1
    return int(max(operations.invoke[others].max(), operations.completion[others].max()))


def _acknowledged(access: Access) -> bool:
    return not access.reads and access.status == OK


@dataclass(frozen=True)
class _Key:
    """What is known of the order of one key's values.

    Attributes:
        certain: per value the event by which it had certainly been written; NEVER where that is open.
        versions: whether versions can be believed.
    """

    certain: dict[Token, int]
    versions: bool

    @classmethod
    def of(cls, accesses: Sequence[Access], initial: Token) -> _Key:
        """See the attributes."""
        certain = _certain(accesses, initial)
        return cls(certain, by_versions.usable(accesses) and _agree(accesses, certain))

    def newest(self, final: Access) -> tuple[Version, int]:
        """Sorts final reads by how new they may be."""
        return _version(final) if self.versions else (0, 0), self.certain.get(final.token, NEVER)

    def lost(self, finals: Sequence[Access], writes: Sequence[Access]) -> list[Access]:
        """Of the acknowledged writes those that came after whatever the final reads show."""
        if self.versions:
            shown = max(_version(final) for final in finals)
            return [write for write in writes if _version(write) > shown]
        by = max(self.certain.get(final.token, NEVER) for final in finals)
        return [write for write in writes if write.invoke > by]


def _certain(accesses: Sequence[Access], initial: Token) -> dict[Token, int]:
    """By when each value had certainly been written; a value that nobody is known to have written is left out.

    A value of one writer was written when the first operation that wrote or showed it was over. Of several writers each
    may be the one that a final read shows, so it counts from when the last of them was over.
    """
    writers: dict[Token, list[Access]] = {}
    for access in accesses:
        if not access.reads and access.status != FAIL:
            writers.setdefault(access.token, []).append(access)
    certain = {token: max(write.response for write in writes) for token, writes in writers.items()}
    certain.setdefault(initial, -1)
    for access in accesses:
        for token in (access.token,) if access.reads else access.before:
            alone = writers.get(token, ())
            if len(alone) == 1 and token != initial and alone[0].invoke < access.response:
                certain[token] = min(certain[token], access.response)
    return certain


def _agree(accesses: Sequence[Access], certain: dict[Token, int]) -> bool:
    """Whether versions grow along real time: what had certainly been written before a write was invoked is older."""
    shown = sorted(_shown_versions(accesses, certain))
    newest, place = (-1, -1), 0
    for invoke, version in sorted(_written_versions(accesses)):
        while place < len(shown) and shown[place][0] < invoke:
            newest = max(newest, shown[place][1])
            place += 1
        if newest >= version:
            return False
    return True


def _shown_versions(accesses: Sequence[Access], certain: dict[Token, int]) -> Iterator[tuple[int, Version]]:
    """By when each version had certainly been written. A cas shows what it found, if that had one version only."""
    versions: dict[Token, set[Version]] = {}
    for access in accesses:
        if access.status == OK:
            versions.setdefault(access.token, set()).add(_version(access))
            yield access.response, _version(access)
    for access in accesses:
        for token in access.before:
            if len(found := versions.get(token, ())) == 1:
                yield certain.get(token, NEVER), *found


def _written_versions(accesses: Sequence[Access]) -> Iterator[tuple[int, Version]]:
    """Invocation and version of every write, also of those in doubt whose version a read told."""
    doubtful: dict[Token, int] = {}
    acknowledged: set[Version] = set()
    for access in accesses:
        if _acknowledged(access):
            acknowledged.add(_version(access))
            yield access.invoke, _version(access)
        elif not access.reads and access.status == INFO:
            doubtful.setdefault(access.token, access.invoke)
    for access in accesses:
        if access.reads and access.token in doubtful and access.version not in acknowledged:
            yield doubtful[access.token], _version(access)


def _version(access: Access) -> Version:
    assert access.version is not None
    return access.version


def _explain(operations: Operations, found: Lost) -> Anomaly:
    write, by, final = found
    key = operations.keys[operations.key[write.row]]
    process = operations.names[operations.process[write.row]]
    time_ns = int(operations.response_ns[write.row])
    at = f" at {time_ns / 1e9:.3f} s" if time_ns >= 0 else ""
    node = operations.names[operations.node[final.row]]
    what = f"{value_text(final.value)}{_in_words(final)}" + ("" if node is None else f", from {node}")
    sentence = (
        f"The write of {value_text(write.value)} to {key_text(key)} by process {process} was acknowledged"
        f"{at}{_in_words(write)}, but afterwards every read shows an older value; the newest is {what}."
    )
    return Anomaly(
        name="lost-write",
        guarantee="durability",
        sentence=sentence,
        key=key,
        ops=(write.invoke, final.invoke),
        culprit=final.invoke,
        rule="lost-write",
        certificate={"write": write.invoke, "final": final.invoke, "by": by},
    )


def _in_words(access: Access) -> str:
    return f" (version {version_text(access.version)})" if access.version else ""
