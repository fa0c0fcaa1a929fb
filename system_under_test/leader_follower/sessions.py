"""Clients that may repeat a request: the last one of each, and what it was answered, as part of the replicated state.

A client opens a session by an entry of the log, whose index is its name from then on (Ongaro 2014, 6.3). Each of its
requests has a number, and it has one at a time. An entry that comes with the number of the last request is not carried
out again, but answered as then; with an older number it is too late, and is not carried out at all.

The table is bounded. The session that was longest without an entry goes first: that is decided by the log alone, so
every node forgets the same one. A request of a forgotten session is not carried out, "session-expired"; what became of
its first try is then unknown, and the client is told so.

>>> sessions = Sessions()
>>> sessions.open(4)
>>> sessions.remember(4, 1, Outcome(None, 5, (2, 9)))
>>> sessions.recall(4, 1), sessions.recall(4, 2)
(Outcome(error=None, value=5, version=(2, 9)), None)

Limits: an answer above `REMEMBERED_BYTES_MAX` is not kept; its repetition is answered "answer-forgotten".
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .messages import NOTHING, Version

SESSIONS_MAX = 1024
REMEMBERED_BYTES_MAX = 4096
EXPIRED = "session-expired"
FORGOTTEN = "answer-forgotten"
TOO_LATE = "request-superseded"


class Outcome(NamedTuple):
    """Of an applied entry: why it did nothing (None if it did), a value, and the version of what it wrote or met."""

    error: str | None
    value: Any
    version: Version


class Sessions:
    """The last request and its outcome, by session, the longest silent first."""

    def __init__(self, most: int = SESSIONS_MAX) -> None:
        self._most = most
        self._last: dict[int, tuple[int, Outcome | None]] = {}

    def __len__(self) -> int:
        return len(self._last)

    def open(self, session: int) -> None:
        """Begin a session, and forget the longest silent one if there are too many."""
        self._last[session] = (0, None)
        if len(self._last) > self._most:
            del self._last[next(iter(self._last))]

    def recall(self, session: int, number: int) -> Outcome | None:
        """The outcome to answer instead of carrying the request out; None when it is to be carried out."""
        if session not in self._last:
            return Outcome(EXPIRED, None, NOTHING)
        last, outcome = self._last[session] = self._last.pop(session)
        if number > last:
            return None
        if number < last:
            return Outcome(TOO_LATE, None, NOTHING)
        return outcome or Outcome(FORGOTTEN, None, NOTHING)

    def remember(self, session: int, number: int, outcome: Outcome) -> None:
        """Keep what was answered to a request that `recall` let through."""
        fits = len(json.dumps(outcome.value)) <= REMEMBERED_BYTES_MAX
        self._last[session] = (number, outcome if fits else None)

    def dump(self) -> list[Any]:
        """As JSON-able data, in order."""
        return [
            [session, number, None if outcome is None else [outcome.error, outcome.value, list(outcome.version)]]
            for session, (number, outcome) in self._last.items()
        ]

    def load(self, data: list[Any]) -> None:
        """Become what `dump` gave."""
        self._last = {}
        for session, number, kept in data:
            outcome = None if kept is None else Outcome(kept[0], kept[1], (kept[2][0], kept[2][1]))
            self._last[session] = (number, outcome)
