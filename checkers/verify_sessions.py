"""Re-derives the certificates of read-your-writes, monotonic reads and durability from the raw events.

It shares no code with the checkers: it pairs events by itself, compares values by their JSON, and replays each session
along the order that a certificate claims. It answers with what does not stand, one sentence each; nothing is best.

    invalid   every anomaly: the operations are what the rule says, and the rule follows from them
    valid     every key of the history: no session is ahead of what it reads later, along the claimed order; and every
              acknowledged write may be at or before the final read that is named

Limits: it judges certificates, not completeness of an "invalid": other violations may be there as well. What the order
of values means for a guarantee is explained in `checkers.sessions.by_values`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from harness.history import Header, History
from harness.history.faults import fault_windows
from harness.op import NEMESIS, Op
from harness.verdict import Anomaly, Verdict

GUARANTEES: Final = ("read-your-writes", "monotonic-reads", "durability")
_INFINITE: Final = 1 << 62


@dataclass(frozen=True)
class Did:
    """An operation as its two raw events tell it; `wrote` and `read` are JSON, None where it did not."""

    begin: Op
    end: Op | None
    wrote: bytes | None
    read: bytes | None

    @property
    def over(self) -> int:
        """When it was certainly over; never for a write in doubt."""
        done = self.end is not None and (self.end.type == "ok" or self.read is not None)
        return self.end.index if self.end is not None and done else _INFINITE

    @property
    def version(self) -> tuple[int, int] | None:
        """What the system said."""
        return self.end.version if self.end is not None else None

    def session(self) -> Any:
        """To whom the guarantees are promised."""
        return ("session", self.begin.session) if self.begin.session is not None else ("process", self.begin.process)


def verify_sessions(history: History, verdict: Verdict) -> list[str]:
    """What of a verdict's certificates does not stand; empty for other checkers and for "unknown"."""
    if verdict.checker not in GUARANTEES or verdict.answer == "unknown":
        return []
    facts = Facts(history)
    try:
        if verdict.answer == "invalid":
            problems = [f"{verdict.checker}: {text}" for anomaly in verdict.anomalies for text in facts.refute(anomaly)]
            return problems or ([] if verdict.anomalies else [f"{verdict.checker}: nothing is shown."])
        return [f"{verdict.checker}: {text}" for text in facts.doubt(verdict)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        return [f"{verdict.checker}: the certificate cannot be read: {type(error).__name__}: {error}."]


class Facts:
    """A history, looked at without the checkers' help."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.initial = _json(history.header.initial)
        self.operations = {did.begin.index: did for did in _operations(history)}
        self.keys: dict[bytes, list[Did]] = {}
        for did in self.operations.values():
            if did.wrote is not None or did.read is not None:
                self.keys.setdefault(_json(did.begin.key), []).append(did)

    # ── invalid ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def refute(self, anomaly: Anomaly) -> Iterator[str]:
        """Why an anomaly is none."""
        rules: Mapping[str, Callable[[Anomaly], Iterator[str]]] = {
            "older-version": self._older_version,
            "initial-value": self._initial_value,
            "value-cycle": self._value_cycle,
            "lost-write": self._lost_write,
        }
        if anomaly.rule not in rules:
            yield f"there is no rule {anomaly.rule!r}."
        else:
            yield from rules[anomaly.rule](anomaly)

    def _older_version(self, anomaly: Anomaly) -> Iterator[str]:
        earlier, culprit = self._named(anomaly, "earlier"), self._named(anomaly, "culprit")
        yield from self._not_a_step(anomaly, earlier, culprit)
        if earlier.version is None or culprit.version is None or tuple(culprit.version) >= tuple(earlier.version):
            yield f"the read {culprit.begin.index} is not of an older version than {earlier.begin.index}."
        if contradiction := self._contradiction(self.keys[_json(anomaly.key)]):
            yield contradiction

    def _initial_value(self, anomaly: Anomaly) -> Iterator[str]:
        earlier, culprit = self._named(anomaly, "earlier"), self._named(anomaly, "culprit")
        yield from self._not_a_step(anomaly, earlier, culprit)
        if culprit.read != self.initial or _value(anomaly, earlier) == self.initial:
            yield f"the read {culprit.begin.index} is not of the initial value after another one."
        if self._writers(anomaly.key, self.initial):
            yield "somebody wrote the initial value."

    def _value_cycle(self, anomaly: Anomaly) -> Iterator[str]:
        steps = [(self.operations[a], self.operations[b]) for a, b in anomaly.certificate["steps"]]
        for (earlier, culprit), (following, _) in zip(steps, [*steps[1:], *steps[:1]], strict=True):
            yield from self._not_a_step(anomaly, earlier, culprit)
            if _value(anomaly, earlier) == culprit.read:
                yield f"{earlier.begin.index} and {culprit.begin.index} are of one value."
            if culprit.read != _value(anomaly, following):
                yield f"the step after {culprit.begin.index} begins with another value."
            if len(self._writers(anomaly.key, culprit.read)) > 1 or culprit.read == self.initial:
                yield f"the value that {culprit.begin.index} read was not written once."

    def _not_a_step(self, anomaly: Anomaly, earlier: Did, culprit: Did) -> Iterator[str]:
        """Whether the earlier operation obliges the later read."""
        if {_json(earlier.begin.key), _json(culprit.begin.key)} != {_json(anomaly.key)}:
            yield "the operations are not on the key."
        if earlier.session() != culprit.session():
            yield f"{earlier.begin.index} and {culprit.begin.index} are not of one session."
        if culprit.read is None or _value(anomaly, earlier) is None or earlier.over >= culprit.begin.index:
            yield f"{earlier.begin.index} does not oblige {culprit.begin.index}."

    def _lost_write(self, anomaly: Anomaly) -> Iterator[str]:
        write = self._named(anomaly, "write")
        finals = self._finals(anomaly.key)
        if write.wrote is None or write.over == _INFINITE or _json(write.begin.key) != _json(anomaly.key):
            yield f"{write.begin.index} is not an acknowledged write of the key."
        if anomaly.certificate["final"] not in {final.begin.index for final in finals}:
            yield f"{anomaly.certificate['final']} is not a final read of the key."
        by = anomaly.certificate["by"]
        if by == "versions" and (contradiction := self._contradiction(self.keys[_json(anomaly.key)])):
            yield contradiction
        for final in finals:
            if self._may_follow(final, write, by):
                yield f"the final read {final.begin.index} may show {write.begin.index} or what came after it."

    # ── valid ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def doubt(self, verdict: Verdict) -> Iterator[str]:
        """Why a valid verdict is not shown."""
        if "keys" not in verdict.certificate:
            yield "it has no certificate."
            return
        shown = {_json(entry["key"]): entry for entry in verdict.certificate["keys"]}
        for key, dids in self.keys.items():
            if verdict.checker == "durability":
                writes = [did for did in dids if did.wrote is not None and did.over < _INFINITE]
                if writes and key not in shown:
                    yield f"nothing is said of the key {key.decode()}."
                elif writes:
                    yield from self._may_all_be_there(shown[key], writes)
            elif key not in shown:
                yield f"nothing is said of the key {key.decode()}."
            else:
                yield from self._in_order(verdict.checker, shown[key], dids)

    def _in_order(self, guarantee: str, entry: Mapping[str, Any], dids: Sequence[Did]) -> Iterator[str]:
        """Replay each session along the claimed order: what obliges never ranks above what is read later."""
        rank = self._rank(entry, dids)
        monotonic = guarantee == "monotonic-reads"
        sessions: dict[Any, list[Did]] = {}
        for did in dids:
            sessions.setdefault(did.session(), []).append(did)
        for done in sessions.values():
            obliging = [did for did in done if (did.read if monotonic else did.wrote) is not None]
            moments = [(did.over, 0, did) for did in obliging if did.over < _INFINITE]
            moments += [(did.begin.index, 1, did) for did in done if did.read is not None]
            highest: Any = None
            for _, begins, did in sorted(moments, key=lambda moment: moment[:2]):
                if not begins:
                    own = rank(did, did.read if monotonic else did.wrote)
                    highest = own if highest is None else max(highest, own)
                elif highest is not None and rank(did, did.read) < highest:
                    yield f"the read {did.begin.index} is older than what its session knew."
                elif highest is not None and entry["by"] == "nothing":
                    yield f"the read {did.begin.index} was obliged, and nothing is said of it."

    def _rank(self, entry: Mapping[str, Any], dids: Sequence[Did]) -> Callable[[Did, bytes | None], Any]:
        """How new what an operation wrote or read is."""
        if entry["by"] == "nothing":
            return lambda _did, _value: 0
        if entry["by"] == "versions":
            if contradiction := self._contradiction(dids):
                raise ValueError(contradiction)
            return lambda did, _value: tuple(did.version or ())
        written = [did.wrote for did in dids if did.wrote is not None]
        if len(set(written) | {self.initial}) != len(written) + 1:
            raise ValueError("a value was written twice, or is the initial one")
        places = {_json(value): place for place, value in enumerate(entry["order"], 1)}
        places[self.initial] = 0
        return lambda _did, value: places[value or b""]

    def _may_all_be_there(self, entry: Mapping[str, Any], writes: Sequence[Did]) -> Iterator[str]:
        final = self.operations[entry["final"]]
        if final not in self._finals(final.begin.key) or _json(final.begin.key) != _json(entry["key"]):
            yield f"{final.begin.index} is not a final read of the key {_json(entry['key']).decode()}."
        for write in writes:
            if not self._may_follow(final, write, entry["by"]):
                yield f"the final read {final.begin.index} is older than the write {write.begin.index}."

    # ── facts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _named(self, anomaly: Anomaly, name: str) -> Did:
        return self.operations[anomaly.certificate[name]]

    def _writers(self, key: Any, value: bytes | None) -> list[Did]:
        """Whatever may have written the value."""
        return [did for did in self.keys[_json(key)] if did.wrote == value]

    def _contradiction(self, dids: Sequence[Did]) -> str:
        """Why versions cannot be believed."""
        named: dict[Any, bytes | None] = {}
        for did in dids:
            if did.over < _INFINITE:
                value = did.wrote if did.read is None else did.read
                if did.version is None:
                    return f"{did.begin.index} has no version."
                if named.setdefault(tuple(did.version), value) != value:
                    return f"version {did.version} names two values."
        return ""

    @cached_property
    def _main_phase_end(self) -> int:
        """The last event of a fault, or of an operation that is not a read."""
        if self.history.truncated or any(window.stop_index is None for window in fault_windows(self.history.events)):
            return _INFINITE
        return max((op.index for op in self.history.events if op.process == NEMESIS or op.f != "read"), default=-1)

    def _finals(self, key: Any) -> list[Did]:
        """Reads of the key that began after all that."""
        dids = self.keys[_json(key)]
        return [did for did in dids if did.read is not None and did.begin.index > self._main_phase_end]

    def _may_follow(self, final: Did, write: Did, by: str) -> bool:
        """Whether what a final read shows may be the write itself, or have come after it."""
        if by == "versions":
            return tuple(final.version or ()) >= tuple(write.version or ())
        writers = self._writers(write.begin.key, final.read)
        if final.read == self.initial:
            return any(did.over >= write.begin.index for did in writers)
        if len(writers) != 1:
            return not writers or any(did.over >= write.begin.index for did in writers)
        shown = [did.over for did in self.keys[_json(write.begin.key)] if _shows(did, final.read)]
        known = [writers[0].over, *(over for over in shown if over > writers[0].begin.index)]
        return min(known) >= write.begin.index


def _operations(history: History) -> Iterator[Did]:
    running: dict[Any, Op] = {}
    ends: dict[int, Op] = {}
    begins: list[Op] = []
    for op in history.events:
        if op.process == NEMESIS:
            continue
        if op.type == "invoke":
            running[op.process] = op
            begins.append(op)
        else:
            ends[running.pop(op.process).index] = op
    for begin in begins:
        end = ends.get(begin.index)
        yield Did(begin, end, _wrote(begin, end), _read(begin, end, history.header))


def _wrote(begin: Op, end: Op | None) -> bytes | None:
    if end is not None and end.type == "fail":
        return None
    if begin.f == "write":
        return _json(begin.value)
    if begin.f == "cas" and isinstance(begin.value, list) and len(begin.value) == 2:
        return _json(begin.value[1])
    return None


def _read(begin: Op, end: Op | None, header: Header) -> bytes | None:
    if end is None:
        return None
    if begin.f == "read" and end.type == "ok":
        return _json(end.value)
    told = header.fail_cas == "returned" and begin.f == "cas" and end.type == "fail"
    return _json(end.value[2]) if told and isinstance(end.value, list) and len(end.value) == 3 else None


def _shows(did: Did, value: bytes | None) -> bool:
    """Whether an operation shows that the value had been written when it was over."""
    found_by_cas = did.begin.f == "cas" and did.end is not None and did.end.type == "ok"
    return did.read == value or (found_by_cas and _json(did.begin.value[0]) == value)


def _value(anomaly: Anomaly, earlier: Did) -> bytes | None:
    """What obliges: what was written, or what was read."""
    return earlier.read if anomaly.guarantee == "monotonic-reads" else earlier.wrote


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
