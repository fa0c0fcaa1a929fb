"""A counter judged while the test runs: the algorithm of `credits`, one event at a time, in little memory.

    stream = CounterStream(start=0, amount=1)
    for op in events:
        if sentence := stream.feed(op): ...          the first violation, at the earliest event that can show it

It keeps the operations that are open or in doubt, and the credits: nothing that is over. What it says of a whole
history is what `credits.decide` says.

An add that fails never happened, though a read may have counted on it while it was open. Then the credits that are left
must still find an open add each that had begun before them; if not, that read was wrong, and the failure shows it.

Limits: one counter, adds of one amount that is known beforehand; no certificate but the sentence.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from harness.op import Op


class CounterStream:
    """One counter, whose adds return nothing.

    Attributes:
        sentence: the first violation, "" as long as there is none.
    """

    def __init__(self, start: int = 0, amount: int = 1) -> None:
        self.sentence = ""
        self._start, self._amount = start, amount
        self._counted = 0
        self._credits: list[int] = []
        self._open: list[int] = []  # invocations of adds that are open or in doubt, ascending
        self._adds: dict[int | str, int] = {}
        self._reads: dict[int | str, int] = {}

    def feed(self, op: Op) -> str:
        """Take the next event of the counter; the first violation so far, or ""."""
        if self.sentence:
            return self.sentence
        if op.type == "invoke":
            if op.f == "read":
                self._reads[op.process] = self._counted
            else:
                self._adds[op.process] = op.index
                self._open.append(op.index)
        elif op.f == "read":
            least = self._reads.pop(op.process)
            if op.type == "ok":
                self.sentence = self._read(op, least)
        else:
            begun = self._adds.pop(op.process)
            if op.type == "ok":
                self._add(begun)
            elif op.type == "fail":
                self.sentence = self._failed(op, begun)
        return self.sentence

    @property
    def kept(self) -> int:
        """How many operations and credits are in memory."""
        return len(self._open) + len(self._reads) + len(self._credits)

    def _add(self, begun: int) -> None:
        del self._open[bisect_left(self._open, begun)]
        credit = bisect_left(self._credits, begun)
        if credit < len(self._credits):
            del self._credits[credit]
        else:
            self._counted += 1

    def _failed(self, op: Op, begun: int) -> str:
        del self._open[bisect_left(self._open, begun)]
        for number, moment in enumerate(self._credits, 1):
            if bisect_left(self._open, moment) < number:
                return (
                    f"Process {op.process} was told that its add had failed, but a read before showed a number that "
                    "cannot be without it."
                )
        return ""

    def _read(self, op: Op, least: int) -> str:
        shown = self._start if op.value is None else op.value
        level, rest = divmod(shown - self._start, self._amount)
        if rest or level < least:
            lowest = self._start + least * self._amount
            return f"Process {op.process} read {shown} of the counter after {least:,} adds had made it {lowest}."
        need = level - self._counted
        if need > 0:
            possible = self._counted + len(self._open) - len(self._credits)
            if level > possible:
                told = f"Process {op.process} read {shown} of the counter, which takes {level:,} adds"
                return f"{told}, when there can have been {possible:,} at most."
            for _ in range(need):
                insort(self._credits, op.index)
            self._counted = level
        return ""
