"""Small random histories of objects that err now and then: the mix of section E of the algorithms.

    made(seed, thing) -> events        thing: an object below

Per history: 2 to 11 operations, 1 to 6 processes, a mistake with probability 0, 0.05, 0.2 or 0.4 per operation, doubt
with probability 0 or 0.2.
"""

from random import Random

from harness.op import Op


def made(seed, thing):
    """The events of one history."""
    random = Random(seed)
    left, processes = random.randint(2, 11), list(range(random.randint(1, 6)))
    slip, doubt = random.choice((0, 0.05, 0.2, 0.4)), random.choice((0, 0.2))
    events, running, fresh = [], {}, len(processes)

    def emit(process, type_, f, value, error=None):
        events.append(Op(len(events), None, process, type_, f, None, value, error=error))

    while left or running:
        idle = [process for process in processes if process not in running] if left else []
        process = random.choice(idle + list(running))
        if process not in running:
            left -= 1
            f, argument = thing.ask(random)
            emit(process, "invoke", f, argument)
            early = thing.answer(random, f, argument, random.random() < slip) if random.random() < 0.5 else None
            running[process] = f, argument, early
            continue
        f, argument, early = running.pop(process)
        if random.random() < doubt:
            if early is None and random.random() < 0.5:
                thing.answer(random, f, argument, random.random() < slip)
            emit(process, "info", f, argument, "timeout")
            processes[processes.index(process)] = fresh
            fresh += 1
            continue
        emit(process, *(early or thing.answer(random, f, argument, random.random() < slip)))
    return events


class AsPool:
    """A queue, or a stack; `puts` of all operations put something in."""

    def __init__(self, put, take, newest, puts):
        self.put, self.take, self.newest, self.puts = put, take, newest, puts
        self.held, self.next = [], 0

    def ask(self, random):
        if random.random() < self.puts:
            self.next += 1
            return self.put, self.next
        return self.take, None

    def answer(self, random, f, argument, slips):
        if f == self.put:
            if not slips or random.random() < 0.7:
                self.held.insert(random.randrange(len(self.held) + 1) if slips else len(self.held), argument)
            return "ok", f, argument
        if not self.held or (slips and random.random() < 0.3):
            return ("ok", f, None) if random.random() < 0.7 else ("fail", f, None, "empty")
        place = random.randrange(len(self.held)) if slips else -1 if self.newest else 0
        return "ok", f, self.held[place] if slips and random.random() < 0.3 else self.held.pop(place)


class AsMembers:
    """A set of few elements, each added and removed once at most."""

    def __init__(self):
        self.held, self.next, self.removed = set(), 0, set()

    def ask(self, random):
        kind = random.random()
        if kind < 0.3 and self.next < 3:
            self.next += 1
            return "add", self.next
        element = random.randint(1, max(self.next, 1))
        if kind < 0.5 and element not in self.removed:
            self.removed.add(element)
            return "remove", element
        return "contains", element

    def answer(self, random, f, argument, slips):
        if f == "contains":
            return "ok", f, (argument in self.held) != slips
        there = argument in self.held
        if f == "add":
            if not slips:
                self.held.add(argument)
            return "ok", f, argument
        if not slips:
            self.held.discard(argument)
        return "ok", f, argument if there else random.choice((False, argument)) if slips else False


class AsMutex:
    """A lock that anybody may release."""

    def __init__(self, tries=True, held=False):
        self.held, self.tries = held, tries

    def ask(self, random):
        return random.choice(("acquire", "release")), None

    def answer(self, random, f, argument, slips):
        if self.held == (f == "acquire") and not slips:
            return "fail", f, argument, "held" if f == "acquire" and self.tries else "refused"
        if slips and random.random() < 0.3 and self.tries:
            return "fail", f, argument, "held" if f == "acquire" else "refused"
        self.held = f == "acquire"
        return "ok", f, argument


class AsCounter:
    """A counter whose adds return nothing."""

    def __init__(self, amount=1, start=0):
        self.number, self.amount = start, amount

    def ask(self, random):
        return ("add", self.amount) if random.random() < 0.55 else ("read", None)

    def answer(self, random, f, argument, slips):
        if f == "add":
            self.number += argument * (not slips)
            return "ok", f, argument
        return "ok", f, self.number + (random.choice((-1, 1)) * self.amount if slips else 0)


class AsNumbered(AsCounter):
    """A counter whose increments return the number."""

    def ask(self, random):
        return ("increment", 1) if random.random() < 0.6 else ("read", None)

    def answer(self, random, f, argument, slips):
        self.number += f == "increment"
        return "ok", f, max(self.number + (random.choice((-1, 1)) if slips else 0), 0)


class AsGrown:
    """A log, or a set that only grows, read as a whole."""

    def __init__(self, f):
        self.f, self.held, self.next = f, [], 0

    def ask(self, random):
        self.next += 1
        return (self.f, self.next) if random.random() < 0.55 else ("read", None)

    def answer(self, random, f, argument, slips):
        if f == self.f:
            if not slips:
                self.held.append(argument)
            return "ok", f, argument
        shown = list(self.held)
        if slips and shown:
            shown.pop(random.randrange(len(shown)))
        return "ok", f, shown if self.f == "append" else sorted(shown)


class AsFenced:
    """A lock that gives out tokens."""

    def __init__(self):
        self.held, self.given, self.told = None, 0, []

    def ask(self, random):
        if not self.told or random.random() < 0.5:
            return "acquire", "somebody"
        return "release", self.told[-1] if random.random() < 0.8 else random.choice(self.told)

    def answer(self, random, f, argument, slips):
        if f == "acquire":
            if (self.held is not None) != slips:
                return "fail", f, argument, "held"
            self.given += random.choice((1, 1, 0)) if slips else 1
            self.held = self.given
            self.told.append(self.held)
            return "ok", f, self.held
        if (self.held != argument) != slips:
            return "fail", f, argument, "not-holder"
        self.held = None
        return "ok", f, argument
