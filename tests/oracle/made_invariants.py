"""Histories for the simple invariants: objects that err, and for each which checker judges it, by which definition.

KINDS["bank"].thing()       an object for `made_structures.made`
"""

from dataclasses import dataclass
from typing import Any

from checkers.invariants import Bank, Comments, CounterBounds, FinalSet, LongFork, UniqueIds
from oracle import invariants as oracle
from oracle import made_structures as made


class AsSet(made.AsGrown):
    """A set whose reads sometimes show too much."""

    def __init__(self):
        super().__init__("add")

    def answer(self, random, f, argument, slips):
        kind, f, value = super().answer(random, f, argument, slips)
        if f == "read" and slips and random.random() < 0.5:
            value = [*value, random.randint(1, 12)]
        return kind, f, value


class AsIds:
    def __init__(self):
        self.next = 0

    def ask(self, random):
        return "generate", None

    def answer(self, random, f, argument, slips):
        self.next += not slips
        return "ok", f, f"id {self.next}"


class AsAmounts:
    def __init__(self):
        self.number = 0

    def ask(self, random):
        return ("add", random.choice((1, 2, -1))) if random.random() < 0.6 else ("read", None)

    def answer(self, random, f, argument, slips):
        self.number += argument or 0
        return "ok", f, argument if f == "add" else self.number + (random.choice((-2, 2)) if slips else 0)


class AsBank:
    def __init__(self):
        self.balances = {"a": 5, "b": 5}

    def ask(self, random):
        return ("read", None) if random.random() < 0.5 else ("transfer", {"from": "a", "to": "b", "amount": 2})

    def answer(self, random, f, argument, slips):
        if f == "read":
            return "ok", f, dict(self.balances)
        if self.balances["a"] >= 2 or slips:
            self.balances["a"] -= 2
            self.balances["b"] += 2 - (slips and random.random() < 0.5)
            return "ok", f, argument
        return "fail", f, argument, "negative"


class AsKeys:
    """Keys that are written once each, and read in groups."""

    def __init__(self):
        self.written = set()
        self.asked = 0

    def ask(self, random):
        if self.asked < 4 and random.random() < 0.4:
            self.asked += 1
            return "write", [["w", self.asked, 1]]
        return "read", [["r", key, None] for key in random.sample(range(1, 5), random.randint(2, 4))]

    def answer(self, random, f, argument, slips):
        if f == "write":
            self.written.add(argument[0][1])
            return "ok", f, argument
        flipped = random.choice([part[1] for part in argument]) if slips else None
        return "ok", f, [["r", key, 1 if (key in self.written) != (key == flipped) else None] for _, key, _ in argument]


class AsComments(made.AsGrown):
    def __init__(self):
        super().__init__("write")


@dataclass(frozen=True)
class Kind:
    """The checker, an object that errs, the definition, and what there must be for it to say anything."""

    checker: Any
    thing: Any
    holds: Any
    needs: str = "read"


KINDS = {
    "set-final": Kind(FinalSet(), AsSet, oracle.set_final),
    "unique-ids": Kind(UniqueIds(), AsIds, oracle.unique_ids, "generate"),
    "counter-bounds": Kind(CounterBounds(), AsAmounts, oracle.counter_bounds, ""),
    "bank": Kind(Bank(total=10), AsBank, oracle.bank, ""),
    "long-fork": Kind(LongFork(), AsKeys, oracle.long_fork),
    "comments": Kind(Comments(), AsComments, oracle.comments),
}
