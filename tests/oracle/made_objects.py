"""Histories of counters, queues, locks, lists and sets: objects that err, and for each its checker and definition.

maker = Maker(seed)
maker.part(AsQueue(), 8)        events of one key, with processes of its own
"""

from random import Random

from checkers.objects import AppendOnly, Counter, FencedLock, SetFull, TotalQueue
from harness.op import Op
from oracle import objects as oracle


class Maker:
    """Makes interleaved operations of one key at a time, answered by an object that errs."""

    def __init__(self, seed):
        self.random, self.events, self.key, self.free_process = Random(seed), [], 0, 0
        self.drains = seed % 8 != 0

    def below(self, number):
        return int(self.random.random() * number)

    def one_of(self, *choices):
        return choices[self.below(len(choices))]

    def emit(self, process, type_, f, value, error=None):
        self.events.append(Op(len(self.events), None, process, type_, f, self.key, value, error=error))

    def part(self, thing, operations):
        """Up to three processes; an operation takes effect when it begins or when it ends."""
        processes = [self.free_process + number for number in range(self.one_of(1, 2, 2, 3))]
        self.free_process += 10
        running, start = {}, len(self.events)
        while (operations and processes) or running:
            process = self.one_of(*(processes if operations else running))
            if process not in running:
                operations -= 1
                f, argument = thing.ask(self)
                self.emit(process, "invoke", f, argument)
                early = thing.answer(self, f, argument) if self.random.random() < 0.5 else None
                running[process] = f, argument, early
            else:
                f, argument, early = running.pop(process)
                if not self._complete(thing, process, f, argument, early):
                    processes.remove(process)
        thing.finish(self)
        return self.events[start:]

    def _complete(self, thing, process, f, argument, early):
        if self.random.random() < 0.15:
            if early is None and self.random.random() < 0.5:
                thing.answer(self, f, argument)
            self.emit(process, "info", f, argument, "timeout")
            return False
        if early is None and self.random.random() < 0.06:
            self.emit(process, "fail", f, argument, "no-leader")
            return True
        self.emit(process, *(early or thing.answer(self, f, argument)))
        return True


class AsCounter:
    def __init__(self):
        self.number = 0

    def finish(self, maker):
        """Nothing."""

    def ask(self, maker):
        return maker.one_of(("increment", 1), ("increment", 1), ("read", None))

    def answer(self, maker, f, argument):
        self.number += f == "increment"
        slip = maker.one_of(-1, 1) if maker.random.random() < 0.08 else 0
        return "ok", f, max(self.number + slip, 0)


class AsQueue:
    def __init__(self):
        self.elements, self.next = [], 0

    def finish(self, maker):
        """One more process takes what is left, at most two of it, and finds nothing more."""
        last = ("fail", "dequeue", None, "empty")
        for answer in (*(("ok", "dequeue", element) for element in self.elements[:2]), last)[
            : 3 if maker.drains else 0
        ]:
            maker.emit(maker.free_process - 1, "invoke", "dequeue", None)
            maker.emit(maker.free_process - 1, *answer)

    def ask(self, maker):
        self.next += 1
        return maker.one_of(("enqueue", self.next), ("dequeue", None))

    def answer(self, maker, f, argument):
        slip = maker.random.random()
        if f == "enqueue":
            if slip > 0.1:
                self.elements.append(argument)
            return "ok", f, argument
        if not self.elements or slip < 0.1:
            return "fail", f, None, "empty"
        return "ok", f, self.elements[0] if slip > 0.9 else self.elements.pop(0)


class AsLock:
    def __init__(self):
        self.held, self.given = None, 0

    def finish(self, maker):
        """Nothing."""

    def ask(self, maker):
        told = [op.value for op in maker.events[-20:] if op.key == maker.key and (op.type, op.f) == ("ok", "acquire")]
        if not told or maker.random.random() < 0.5:
            return "acquire", "somebody"
        return "release", told[-1] if maker.below(4) else maker.one_of(*told)

    def answer(self, maker, f, argument):
        slip = maker.random.random() < 0.06
        if f == "acquire":
            if (self.held is not None) != slip:
                return "fail", f, argument, "held"
            self.given += maker.one_of(1, 1, 0) if slip else 1
            self.held = self.given
            return "ok", f, self.held
        if (self.held != argument) != slip:
            return "fail", f, argument, "not-holder"
        self.held = None
        return "ok", f, argument


class AsList:
    f = "append"

    def __init__(self):
        self.elements, self.next = [], 0

    def finish(self, maker):
        """Nothing."""

    def ask(self, maker):
        self.next += 1
        return maker.one_of((self.f, self.next), ("read", None))

    def answer(self, maker, f, argument):
        slip = maker.random.random()
        if f != "read":
            if slip > 0.05:
                self.elements.insert(max(0, len(self.elements) - maker.one_of(0, 0, 0, 1)), argument)
            return "ok", f, argument
        shown = list(self.elements)
        if slip < 0.05:
            shown = shown[: maker.below(len(shown) + 1)]
        elif slip < 0.08:
            shown.insert(maker.below(len(shown) + 1), maker.below(self.next + 2))
        return "ok", f, sorted(shown) if self.f == "add" else shown


class AsSet(AsList):
    f = "add"


class AsSetWithRetries(AsSet):
    """A set to which every other element is added again now and then."""

    def ask(self, maker):
        self.next += 1
        element = self.next if maker.below(2) else 1 + maker.below(self.next)
        return maker.one_of(("add", element), ("read", None))

    def answer(self, maker, f, argument):
        return ("ok", f, argument) if argument in self.elements else super().answer(maker, f, argument)


# Checker, object, definition, operations at most, and how large a part may be undecided.
CASES = {
    "list": (AppendOnly(), AsList, oracle.grown_holds, 8, 0.0001),
    "set": (SetFull(), AsSet, oracle.grown_holds, 8, 0.0001),
    "counter": (Counter(), AsCounter, oracle.counter_holds, 7, 0.0001),
    "queue": (TotalQueue(), AsQueue, oracle.queue_holds, 8, 0.2),
    "lock": (FencedLock(), AsLock, oracle.lock_holds, 8, 0.03),
}
