"""The replicated state machine: what the log, applied in order, amounts to.

>>> store = Store()
>>> store.apply(Entry(1, 1, ["write", "x", 5]))
Outcome(error=None, value=5, version=(1, 1))
>>> store.apply(Entry(1, 2, ["cas", "x", 4, 6]))
Outcome(error='mismatch', value=5, version=(1, 1))
>>> store.read("x"), store.applied
((5, (1, 1)), (1, 2))

Keys hold objects (`objects.py`). A key that was never written reads as None, of version (0, 0). Every operation is
decided here, when its entry is applied, so that every node decides alike, and what a refused one tells was current at
that point of the log.

A transaction is one entry: nothing can come between its parts, and where one part is refused none is done.

`dump` and `load` carry the whole state, with the clients' sessions, as JSON-able data:

>>> other = Store()
>>> other.load(store.dump())
>>> other.read("x"), other.applied
((5, (1, 1)), (1, 2))
"""

from __future__ import annotations

import json
from typing import Any

from .commands import CHANGES
from .messages import NOTHING, Command, Entry, Version
from .objects import Object, Refused, change, kind_of, named
from .sessions import Outcome, Sessions

ANSWER_BYTES_MAX = 768 * 1024
"""The most that a transaction may have read, as JSON, so that its answer fits into a frame."""
MICRO_WRITES = {"w": "write", "append": "append"}

Objects = dict[tuple[str, Any], Object]


class Store:
    """Objects by key, and sessions."""

    def __init__(self) -> None:
        self._objects: Objects = {}
        self.sessions = Sessions()
        self.applied: Version = NOTHING
        """Name of the last applied entry."""
        self.tears = False
        """A planted bug: the last key that a transaction wrote changes only after the next entry."""
        self._late: Objects = {}

    def read(self, key: Any) -> tuple[Any, Version]:
        """The key's value, and the entry that changed it last."""
        found = self._objects.get(named(key))
        return (None, NOTHING) if found is None else (found.render(), found.version)

    def apply(self, entry: Entry) -> Outcome:
        """Apply the next entry of the log."""
        assert entry.index == self.applied[1] + 1, f"entry {entry.index} applied after {self.applied}"
        self.applied = entry.version()
        late, self._late = self._late, {}
        outcome = self._recall_or_decide(entry)
        self._objects.update(late)
        return outcome

    def _recall_or_decide(self, entry: Entry) -> Outcome:
        if entry.command is None or entry.command[0] != "once":
            return self._decide(entry.command)
        _, session, number, command = entry.command
        outcome = self.sessions.recall(session, number)
        if outcome is None:
            outcome = self._decide(command)
            self.sessions.remember(session, number, outcome)
        return outcome

    def dump(self) -> dict[str, Any]:
        """The whole state as JSON-able data; equal states give equal data."""
        return {
            "applied": list(self.applied),
            "objects": [[name[1], *self._objects[name].dump()] for name in sorted(self._objects)],
            "sessions": self.sessions.dump(),
        }

    def load(self, data: dict[str, Any]) -> None:
        """Become the state that `dump` gave."""
        generation, index = data["applied"]
        self.applied = (generation, index)
        self._objects = {named(key): Object.load(parts) for key, *parts in data["objects"]}
        self.sessions.load(data["sessions"])

    def _decide(self, command: Command) -> Outcome:
        """Carry out a command as the entry that was applied last."""
        if command is None or command[0] in CHANGES:
            return Outcome(None, None, NOTHING)
        f, key, *arguments = command
        if f == "txn":
            return self._transact(arguments[0])
        if f == "open":
            self.sessions.open(self.applied[1])
            return Outcome(None, self.applied[1], self.applied)
        if f == "delete":
            self._objects[named(key)] = Object(version=self.applied)
            return Outcome(None, None, self.applied)
        try:
            return Outcome(None, _carry_out(self._objects, f, key, arguments, self.applied), self.applied)
        except Refused as refusal:
            found = self._objects.get(named(key))
            return Outcome(refusal.error, refusal.value, NOTHING if found is None else found.version)

    def _transact(self, parts: list[list[Any]]) -> Outcome:
        """Do all parts on copies, and keep these when none was refused."""
        written = dict.fromkeys(named(key) for f, key, _ in parts if f != "r")
        staged = {name: self._objects[name].copy() for name in written if name in self._objects}
        filled = []
        try:
            for f, key, value in parts:
                if f == "r":
                    found = (staged if named(key) in written else self._objects).get(named(key))
                    filled.append([f, key, None if found is None else found.render()])
                else:
                    _carry_out(staged, MICRO_WRITES[f], key, [value], self.applied)
                    filled.append([f, key, value])
            if len(json.dumps(filled, separators=(",", ":"))) > ANSWER_BYTES_MAX:
                raise Refused("too-large")
        except Refused as refusal:
            return Outcome(refusal.error, None, self.applied)
        if self.tears and len(staged) > 1:
            self._late = dict([staged.popitem()])
        self._objects.update(staged)
        return Outcome(None, filled, self.applied)


def _carry_out(objects: Objects, f: str, key: Any, arguments: list[Any], version: Version) -> Any:
    """One operation on one key of `objects`; Refused leaves them as they were."""
    name, kind = named(key), kind_of(f)
    target = objects.get(name)
    if target is None or (target.kind != kind and target.is_null()):
        target = Object(kind)
    if target.kind != kind:
        raise Refused("wrong-type")
    value = change(target, f, arguments, version[1])
    target.version = version
    objects[name] = target
    return value
