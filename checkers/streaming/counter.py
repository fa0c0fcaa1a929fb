"""Counters that only grow by one, judged while they are used: exactly, whether increments tell the new number or not.

Increments that tell nothing. N increments are certain; of the others some were taken to have happened, because a read
showed more, and each of those is a credit, stamped with the event of that read. An increment that ends later uses up
the smallest credit that is younger than its beginning; without one it makes one more certain.

    read → v      wrong if more than v were certain when it began (one was lost), or if fewer can have happened

Increments that tell the new number. Every number belongs to one increment. An operation that shows less than one that
was over before it began is wrong, and so are two increments with one number; numbers up to the highest that nobody was
told have to be made by increments that are under way or in doubt and had begun by the time they were first needed.

Source: greedy by earliest deadline; its exactness is by exchange.
Limits: increments by one; others make their counter undecided. An increment in doubt is remembered for ever.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Final

from checkers.sessions.explain import key_text
from checkers.tokens import Token, token_of
from harness.history.header import Header
from harness.op import NEMESIS, Op
from harness.verdict import Anomaly, Verdict

ANOMALIES_MAX: Final = 100
INCREMENTS: Final = ("increment", "add")


class StreamingCounter:
    """See the module docstring; one for all counters of a history."""

    name: str = "counter"

    def __init__(self, header: Header) -> None:
        self.initial = header.initial or 0
        self.anomalies: list[Anomaly] = []
        self._keys: dict[Token, _Counter] = {}
        self._running: dict[int | str, tuple[Op, Any]] = {}

    def event(self, op: Op) -> Sequence[Anomaly]:
        """Take in an event."""
        if op.process == NEMESIS:
            return ()
        if op.type == "invoke":
            token = token_of(op.key)
            counter = self._keys.setdefault(token, _Counter(op.key, self.initial))
            self._running[op.process] = op, counter.begin(op)
            return ()
        if op.process not in self._running:
            return ()
        begun, before = self._running.pop(op.process)
        counter = self._keys[token_of(begun.key)]
        if counter.broken or counter.undecided:
            return ()
        wrong = counter.end(begun, op, before)
        if not wrong:
            return ()
        counter.broken = True
        where = f"At {key_text(begun.key)}, " if begun.key is not None else ""
        sentence = f"{where}process {begun.process} {wrong}."
        sentence = sentence[0].upper() + sentence[1:]
        anomaly = Anomaly("non-linearizable", "linearizability", sentence, begun.key, (begun.index,), begun.index)
        self.anomalies = [*self.anomalies, anomaly][:ANOMALIES_MAX]
        return (anomaly,)

    def verdicts(self) -> Sequence[Verdict]:
        """One verdict."""
        broken = sum(counter.broken for counter in self._keys.values())
        undecided = [c for c in self._keys.values() if c.undecided and not c.broken]
        counts = {"anomalies": broken, "keys": len(self._keys), "keys_decided": len(self._keys) - len(undecided)}
        if broken:
            summary = f"{broken} of {len(self._keys)} counters show numbers that cannot be."
            return (Verdict(self.name, "invalid", summary, tuple(self.anomalies), counts),)
        if undecided:
            reason = f"{undecided[0].undecided}; counters decided: {counts['keys_decided']} of {len(self._keys)}."
            return (Verdict(self.name, "unknown", "Not every counter could be decided.", counts=counts, reason=reason),)
        return (Verdict(self.name, "valid", "Every increment was counted once.", counts=counts),)

    def held(self) -> int:
        """Credits, numbers, and increments under way or in doubt."""
        return len(self._running) + sum(counter.held() for counter in self._keys.values())


class _Counter:
    """One counter; `silent` increments tell nothing, which the first one to end decides; until then both are kept."""

    def __init__(self, key: Any, initial: int) -> None:
        self.key, self.initial = key, initial
        self.broken = False
        self.undecided = ""
        self.silent: bool | None = None
        self._open: list[int] = []  # increments under way or in doubt, by beginning
        self._quiet, self._told = _Quiet(initial, self._open), _Told(initial, self._open)

    def held(self) -> int:
        """See `StreamingCounter.held`."""
        return len(self._open) + len(self._quiet.credits) + self._told.held()

    def begin(self, op: Op) -> tuple[int, int]:
        """What is known when an operation begins: how many are certain, and the highest rank that was shown."""
        if op.f not in INCREMENTS and op.f != "read":
            self.undecided = f"{op.f!r} is no operation of a counter"
        if op.f in INCREMENTS:
            if op.value not in (1, None):
                self.undecided = f"counter {key_text(self.key)} has increments by more or less than one"
            self._open.append(op.index)
            self._told.begin(op.index)
        return self._quiet.certain, self._told.top

    def end(self, begun: Op, ended: Op, before: tuple[int, int]) -> str:
        """An operation ends; what is wrong with that, or ""."""
        if ended.type == "ok" and begun.f == "read":
            return self._read(ended, before)
        self._told.ended(begun.index)
        if ended.type == "info" or begun.f == "read":
            return ""
        del self._open[bisect_left(self._open, begun.index)]
        if ended.type == "ok":
            return self._increment(begun, ended, before)
        return self._quiet.short() if self.silent else self._told.short()

    def _increment(self, begun: Op, ended: Op, before: tuple[int, int]) -> str:
        silent = ended.value is None or begun.f == "add"  # which repeats by how much
        self.silent = silent if self.silent is None else self.silent
        if silent != self.silent or not (silent or type(ended.value) is int):
            self.undecided = f"an increment of counter {key_text(self.key)} tells what others do not"
            return ""
        if silent:
            return self._quiet.increment(begun.index)
        return self._told.increment(ended.index, ended.value, before[1])

    def _read(self, ended: Op, before: tuple[int, int]) -> str:
        number = self.initial if ended.value is None else ended.value
        if type(number) is not int:
            self.undecided = f"a result of counter {key_text(self.key)} is not a whole number"
            return ""
        wrong = "" if self.silent else self._told.read(ended.index, number, before[1])
        quiet = "" if self.silent is False else self._quiet.read(ended.index, number, before[0])
        return quiet if self.silent else wrong


def _fit(needed: Sequence[int], begun: Sequence[int]) -> bool:
    """Whether each need, by its event, can be met by an increment of its own that began before; both ascend."""
    if not needed or bisect_left(begun, needed[0]) >= len(needed):
        return True
    return all(bisect_left(begun, event) >= count for count, event in enumerate(needed, 1))


class _Quiet:
    """Increments that tell nothing."""

    def __init__(self, initial: int, begun: list[int]) -> None:
        self.certain = initial
        self.credits: list[int] = []
        self._open = begun

    def increment(self, begun: int) -> str:
        """An increment is over: it was one of those that had to have happened, or it is one more."""
        place = bisect_right(self.credits, begun)
        if place < len(self.credits):
            del self.credits[place]
        else:
            self.certain += 1
        return self.short()

    def read(self, now: int, number: int, certain: int) -> str:
        """A read showed a number."""
        if certain > number:
            return f"read {number}, although {certain} were certain when it began"
        need = min(number - self.certain, len(self._open) + 1)
        if need > 0:
            self.credits += [now] * need
            self.certain = number
        return self.short()

    def short(self) -> str:
        """More was shown than increments can have happened, or ""."""
        return "" if _fit(self.credits, self._open) else "completes a history that shows more than was counted"


class _Told:
    """Increments that tell the number they made; the rank of increment n is 2n, that of a read of n is 2n + 1."""

    def __init__(self, initial: int, begun: list[int]) -> None:
        self.top = 2 * initial + 1
        self._initial, self._open = initial, begun
        self._made: set[int] = set()
        self._missing: dict[int, int] = {}  # numbers that nobody was told → the event that first needed them
        self._tops: dict[int, int] = {}  # the highest rank when each increment under way began, in their order

    def held(self) -> int:
        """Numbers, and increments under way."""
        return len(self._tops) + len(self._made) + len(self._missing)

    def begin(self, begun: int) -> None:
        """An increment begins."""
        self._tops[begun] = self.top

    def ended(self, begun: int) -> None:
        """It is over or in doubt. Numbers below what was shown when the oldest began cannot be told again unnoticed."""
        self._tops.pop(begun, None)
        if len(self._made) > 64 + 2 * len(self._tops):
            least = next(iter(self._tops.values()), self.top)
            self._made = {number for number in self._made if 2 * number > least}

    def increment(self, now: int, number: int, before: int) -> str:
        """An increment was told its number."""
        if number <= self._initial:
            return f"was told {number}, which is not above the beginning"
        if number in self._made:
            return f"was told {number}, as another increment had been"
        if before >= 2 * number:
            return f"was told {number}, after {before // 2} had been shown"
        self._made.add(number)
        self._missing.pop(number, None)
        self._raise(2 * number, now)
        return self.short()

    def read(self, now: int, number: int, before: int) -> str:
        """A read showed a number."""
        if before > 2 * number + 1:
            return f"read {number}, after {before // 2} had been shown"
        self._raise(2 * number + 1, now)
        return self.short()

    def _raise(self, rank: int, now: int) -> None:
        """Numbers up to a higher one have to have been made by now."""
        for number in range(self.top // 2 + 1, rank // 2 + 1):
            if number not in self._made:
                self._missing[number] = now
            if len(self._missing) > len(self._open):
                break
        self.top = max(self.top, rank)

    def short(self) -> str:
        """Numbers that nobody was told need more increments than there are, or ""."""
        if not self._missing or _fit(sorted(self._missing.values()), self._open):
            return ""
        return "completes a history that shows more than was counted"
