"""Re-checks, for queues and stacks, that calls have no order: what was put in at a time may come out in any order.

    Line(model, calls).closure(...)      all that can be reached by doing open calls, and in which state

Whatever was put in while the same calls were open lies side by side: each of it carries the same number, the moment at
which it was put in, and who takes something out gets any of those that have the smallest (queue) or greatest (stack)
number. That gives the system no more than it had: the calls were open together, so they may have come in that order.
A take in doubt gets any of them.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final

from checkers.models import UNKNOWN, Model
from checkers.objects.calls import Call

Content = tuple[tuple[int, int], ...]
"""((moment at which it was put in, value by number), ...), sorted."""

_START: Final = -1_000_000_000


def needed(model: Model, calls: Sequence[Call], must: Collection[int]) -> list[Call]:
    """Without what need not have been put in, and no call that must have happened took out.

    In an order with such a value there is a call at most that took it out, which need not have happened either; without
    the two, or the one, everything else comes out as before.
    """
    taken = {call.result for call in calls if call.invoke in must and call.f != model.fs[0]}
    return [call for call in calls if call.invoke in must or call.f != model.fs[0] or call.argument in taken]


class Line:
    """What calls do to the content of a queue or stack."""

    def __init__(self, model: Model, calls: Sequence[Call]) -> None:
        self.put, self.newest = model.fs[0], model.takes == "newest"
        self.numbers: dict[Hashable, int] = {}
        self.moment = 0
        taken = [call.result for call in calls if call.f != self.put]
        self.doubt, self.taken = UNKNOWN in taken, set(map(self._number, taken))

    def start(self, values: Iterable[Any]) -> Content:
        """The content with which it began."""
        return tuple((_START + place, self._number(value)) for place, value in enumerate(values))

    def after(self, content: Content, call: Call) -> Iterator[Content]:
        """Every content that a call may leave behind."""
        if call.f == self.put:
            yield self._within_reach(tuple(sorted((*content, (self.moment, self._number(call.argument))))))
        elif call.result is None:
            if not content:
                yield content
        elif content:
            front = content[-1 if self.newest else 0][0]
            wanted = None if call.result is UNKNOWN else self._number(call.result)
            for item in {item for item in content if item[0] == front and wanted in (None, item[1])}:
                place = content.index(item)
                yield content[:place] + content[place + 1 :]

    def _within_reach(self, content: Content) -> Content:
        """Without what lies behind something that nobody takes out."""
        stuck = [] if self.doubt else [moment for moment, value in content if value not in self.taken]
        if not stuck:
            return content
        edge = max(stuck) if self.newest else min(stuck)
        return tuple(item for item in content if (item[0] >= edge if self.newest else item[0] <= edge))

    def _number(self, value: Hashable) -> int:
        return self.numbers.setdefault(value, len(self.numbers))
