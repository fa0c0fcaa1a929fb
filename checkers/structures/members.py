"""Sets by element, exactly, where every element is added once and removed once at most: add, remove, contains.

    add x, remove x       changed the set; a `false` says that there was nothing to change
    contains x            true or false

What is said of one element has no bearing on others: each is judged alone (Horn and Kroening, FORTE 2015). What shows
an element inside ends after it was added, and begins before it was removed: with `seen` the first such end and `last`
the last such beginning, a `false` within (seen, last) is wrong, and there is little else:

    add 1 → ok, contains 1 → false                              it is lost
    contains 1 → true, contains 1 → false, contains 1 → true    it cannot come back

An add in doubt happened if somebody saw it. A remove in doubt happened or not, whichever explains the answers. O(n).

Limits: elements that are added or removed twice, and whole reads, are for the general engine, unless another element
shows a violation.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from checkers.objects.calls import Call, text
from checkers.structures.decision import Decision, Violation, token, violation
from checkers.tokens import Truth, denies
from harness.history.operations import FAIL, INFO, NEVER

_begin, _end = attrgetter("invoke"), attrgetter("response")
Moment = tuple[int, int, int]
"""(when, place among those of one element, invocation)."""


def decide(calls: Sequence[Call], initial: Any = None) -> Decision:
    """Judge one set; `initial` is empty or a list of elements that are in it."""
    if initial:
        return None
    elements: dict[Hashable, _Element] = {}
    simple = True
    for call in calls:
        f, status = call.f, call.status
        if f not in _FS:
            return None
        if status == FAIL or (f == "contains" and status == INFO):
            continue
        value = token(call.argument)
        element = elements.get(value)
        if element is None:
            element = elements[value] = _Element()
        if not element.take(call):
            element.simple = simple = False
    moments: list[Moment] = []
    for element in elements.values():
        if element.simple:
            found = element.judge()
            if isinstance(found, Violation):
                return found
            if simple:
                moments += found
    moments.sort()
    return [index for _, _, index in moments] if simple else None


_FS = frozenset({"add", "remove", "contains"})


@dataclass(slots=True)
class _Element:
    """What is said of one element. `inside` and `outside` only saw it."""

    add: Call | None = None
    remove: Call | None = None
    inside: list[Call] = field(default_factory=list)
    outside: list[Call] = field(default_factory=list)
    simple: bool = True

    def take(self, call: Call) -> bool:
        """Sort in; False if that is too much."""
        f, nothing = call.f, denies(call.result) and call.status != INFO
        if f == "contains" or (nothing and not denies(call.argument)):
            if type(call.result) not in (bool, Truth):
                return False
            (self.inside if (f == "add") != call.result else self.outside).append(call)
            return True
        if f == "add":
            first, self.add = self.add is None, call
        else:
            first, self.remove = self.remove is None, call
        return first and not nothing

    def judge(self) -> list[Moment] | Violation:
        """A moment for everything that happened, or what is wrong."""
        add, remove = self.add, self.remove
        shows = [*self.inside, remove] if remove is not None and remove.status != INFO else self.inside
        if add is None:
            if shows:
                culprit = min(shows, key=_end)
                return _broken([], culprit, f"{_who(culprit)} in the set, to which nobody added it.")
            return [(call.invoke, 0, call.invoke) for call in self.outside]
        if not shows and add.status == INFO:
            return [(call.invoke, 0, call.invoke) for call in self.outside]
        seen = min([*shows, add], key=_end)
        if seen.response < add.invoke:
            return _broken([add], seen, f"{_who(seen)} in the set before anybody began to add it.")
        last = max([*shows, add], key=_begin)
        stays = self._outside(seen, None)
        if remove is None or (remove.status == INFO and stays is None):
            return self._moments(add, None, seen, last) if stays is None else _lost(add, seen, stays)
        if remove.response < last.invoke:
            return _broken([add, remove], last, f"{_who(last)} in the set after it had been removed.")
        last = max(last, remove, key=_begin)
        between = self._outside(seen, last)
        if between is not None:
            return _back(add, remove, seen, last, between)
        return self._moments(add, remove, seen, last)

    def _outside(self, seen: Call, last: Call | None) -> Call | None:
        """Who found it outside while it was inside."""
        limit = NEVER if last is None else last.invoke
        return next((call for call in self.outside if seen.response < call.invoke and call.response < limit), None)

    def _moments(self, add: Call, remove: Call | None, seen: Call, last: Call) -> list[Moment]:
        """As late an add, and as early a remove, as there may be."""
        added = seen.response
        removed = NEVER if remove is None else max(last.invoke, add.invoke)
        added = min(added, max(removed, add.invoke))
        found = [(added, 1, add.invoke)]
        if remove is not None:
            removed = max(removed, added)
            found.append((removed, 3, remove.invoke))
        found += [(max(added, call.invoke), 2, call.invoke) for call in self.inside]
        for call in self.outside:
            early = call.invoke <= added
            found.append((call.invoke if early else max(removed, call.invoke), 0 if early else 4, call.invoke))
        return found


# ── in words ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _who(call: Call) -> str:
    did = {"contains": "found", "remove": "removed", "add": "found"}[call.f]
    return f"Process {call.process} {did} {text(call.argument)}" + (", which was" if did == "removed" else "")


def _broken(ops: Sequence[Call], culprit: Call, sentence: str, name: str = "phantom-element") -> Violation:
    observers = [call.invoke for call in (*ops, culprit) if call.f == "contains" or denies(call.result)]
    certificate = {"values": [culprit.argument], "observers": observers}
    return violation(name, "set-values", ops, culprit, sentence, **certificate)


def _lost(add: Call, seen: Call, outside: Call) -> Violation:
    told = "its add was acknowledged" if seen is add else f"process {seen.process} had seen it"
    said = f"Process {outside.process} did not find {text(outside.argument)} in the set after {told}"
    sentence = f"{said}, and nobody removed it."
    return _broken([add, seen], outside, sentence, "lost-element")


def _back(add: Call, remove: Call, seen: Call, last: Call, outside: Call) -> Violation:
    sentence = (
        f"Process {outside.process} did not find {text(outside.argument)} in the set, in which it was since process "
        f"{seen.process} had {'added' if seen is add else 'seen'} it until process {last.process} began to "
        f"{'remove' if last is remove else 'see'} it."
    )
    return _broken([add, remove, seen, last], outside, sentence, "lost-element")
