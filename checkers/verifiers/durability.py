"""Re-derives the certificates of durability from the raw events, and shares no code with the checker.

    invalid   the write was acknowledged, and no final read may show it or what came after it
    valid     every acknowledged write may be at or before the final read that is named

Limits: it judges certificates, not completeness of an "invalid": other writes may be lost as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from checkers.verifiers.accesses import INFINITE, Did, contradiction, json_of, operations_of
from harness.history import History
from harness.history.faults import fault_windows
from harness.op import NEMESIS
from harness.verdict import Anomaly, Verdict


class Durable:
    """A history, looked at without the checker's help."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.initial = json_of(history.header.initial)
        self.operations = {did.begin.index: did for did in operations_of(history)}
        self.keys: dict[bytes, list[Did]] = {}
        for did in self.operations.values():
            if did.wrote is not None or did.read is not None:
                self.keys.setdefault(json_of(did.begin.key), []).append(did)

    def refute(self, anomaly: Anomaly) -> Iterator[str]:
        """Why an anomaly is none."""
        if anomaly.rule != "lost-write":
            yield f"there is no rule {anomaly.rule!r}."
        else:
            yield from self._lost_write(anomaly)

    def doubt(self, verdict: Verdict) -> Iterator[str]:
        """Why a valid verdict is not shown."""
        if "keys" not in verdict.certificate:
            yield "it has no certificate."
            return
        shown = {json_of(entry["key"]): entry for entry in verdict.certificate["keys"]}
        for key, dids in self.keys.items():
            writes = [did for did in dids if did.wrote is not None and did.over < INFINITE]
            if writes and key not in shown:
                yield f"nothing is said of the key {key.decode()}."
            elif writes:
                yield from self._may_all_be_there(shown[key], writes)

    def _lost_write(self, anomaly: Anomaly) -> Iterator[str]:
        write = self._named(anomaly, "write")
        finals = self._finals(anomaly.key)
        if write.wrote is None or write.over == INFINITE or json_of(write.begin.key) != json_of(anomaly.key):
            yield f"{write.begin.index} is not an acknowledged write of the key."
        if anomaly.certificate["final"] not in {final.begin.index for final in finals}:
            yield f"{anomaly.certificate['final']} is not a final read of the key."
        by = anomaly.certificate["by"]
        if by == "versions" and (problem := contradiction(self.keys[json_of(anomaly.key)])):
            yield problem
        for final in finals:
            if self._may_follow(final, write, by):
                yield f"the final read {final.begin.index} may show {write.begin.index} or what came after it."

    def _may_all_be_there(self, entry: Mapping[str, Any], writes: Sequence[Did]) -> Iterator[str]:
        final = self.operations[entry["final"]]
        if final not in self._finals(final.begin.key) or json_of(final.begin.key) != json_of(entry["key"]):
            yield f"{final.begin.index} is not a final read of the key {json_of(entry['key']).decode()}."
        for write in writes:
            if not self._may_follow(final, write, entry["by"]):
                yield f"the final read {final.begin.index} is older than the write {write.begin.index}."

    def _named(self, anomaly: Anomaly, name: str) -> Did:
        return self.operations[anomaly.certificate[name]]

    def _writers(self, key: Any, value: bytes | None) -> list[Did]:
        """Whatever may have written the value."""
        return [did for did in self.keys[json_of(key)] if did.wrote == value]

    @cached_property
    def _main_phase_end(self) -> int:
        """The last event of a fault, or of an operation that is not a read."""
        if self.history.truncated or any(window.stop_index is None for window in fault_windows(self.history.events)):
            return INFINITE
        return max((op.index for op in self.history.events if op.process == NEMESIS or op.f != "read"), default=-1)

    def _finals(self, key: Any) -> list[Did]:
        """Reads of the key that began after all that."""
        dids = self.keys[json_of(key)]
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
        shown = [did.over for did in self.keys[json_of(write.begin.key)] if _shows(did, final.read)]
        known = [writers[0].over, *(over for over in shown if over > writers[0].begin.index)]
        return min(known) >= write.begin.index


def _shows(did: Did, value: bytes | None) -> bool:
    """Whether an operation shows that the value had been written when it was over."""
    found_by_cas = did.begin.f == "cas" and did.end is not None and did.end.type == "ok"
    return did.read == value or (found_by_cas and json_of(did.begin.value[0]) == value)
