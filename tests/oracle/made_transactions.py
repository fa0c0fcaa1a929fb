"""Small random histories of transactions, of a store that keeps a level of isolation, and errs now and then."""

from __future__ import annotations

from random import Random

from harness.op import Op

LISTS, MIXED, REGISTERS = frozenset("xyz"), frozenset("x"), frozenset()


class Store:
    """Keys with all their versions, which errs."""

    def __init__(self, random, lists):
        self.random, self.lists = random, lists
        self.versions = {key: [() if key in lists else None] for key in "xyz"}
        self.mode = random.choice(("serial", "snapshot", "steps"))
        self.checks = random.random() < 0.6
        self.slip = random.choice((0.0, 0.05, 0.2, 0.4))

    def begin(self):
        return {key: len(versions) for key, versions in self.versions.items()}

    def run(self, steps, since):
        """The steps with what was read, or None when it gives up."""
        told, own = [], {}
        now = self.begin()
        seen = since if self.mode == "snapshot" else now
        if self.mode == "snapshot" and self.checks and any(now[k] != since[k] for f, k, _ in steps if f != "r"):
            return None
        for f, key, value in steps:
            if self.mode == "steps" and self.random.random() < 0.3:
                seen = {k: max(1, n - self.random.randrange(2)) for k, n in now.items()}
            base = self.versions[key][seen[key] - 1]
            if self.random.random() < self.slip * 0.5:
                base = self.random.choice(self.versions[key])
            if f == "r":
                told.append([f, key, self.shown(key, base, own.get(key, ()))])
            else:
                own[key] = (*own.get(key, ()), value)
                told.append([f, key, value])
        for key, values in own.items():
            if self.random.random() >= self.slip * 0.1:
                held = self.versions[key][-1]
                self.versions[key].append((*held, *values) if key in self.lists else values[-1])
        return told

    def shown(self, key, base, own):
        slip = self.random.random()
        if key not in self.lists:
            value = own[-1] if own else base
            return self.random.randrange(9) if slip < self.slip * 0.04 else value
        elements = [*base, *own]
        if slip < self.slip * 0.04 and elements:
            elements.pop(self.random.randrange(len(elements)))
        elif slip < self.slip * 0.07:
            elements.insert(self.random.randrange(len(elements) + 1), self.random.randrange(9))
        return elements or self.random.choice((None, []))


def made(seed):
    """A history of a few transactions, and its lists."""
    random = Random(seed)
    lists = random.choice((LISTS, REGISTERS, MIXED))
    store = Store(random, lists)
    keys = random.choice(("x", "xy", "xy", "xyz", "y"))
    doubt = random.choice((0.0, 0.0, 0.2))
    events, free, running, value = [], list(range(random.randint(1, 4))), {}, 0
    left, fresh = random.randint(2, 6), 10
    while (left and free) or running:
        choices = [*(free if left else []), *running]
        process = random.choice(choices)
        if process not in running:
            left -= 1
            steps = []
            for _ in range(random.randint(1, 3)):
                key = random.choice(keys)
                if random.random() < 0.5:
                    steps.append(["r", key, None])
                else:
                    value += 1
                    steps.append(["append" if key in lists else "w", key, value])
            events.append(Op(len(events), None, process, "invoke", "txn", None, steps))
            early = store.run(steps, store.begin()) if store.mode != "snapshot" and random.random() < 0.5 else None
            running[process] = (steps, store.begin(), early)
            free = [other for other in free if other != process]
            continue
        steps, since, early = running.pop(process)
        if random.random() < doubt:
            if random.random() < 0.5:
                early or store.run(steps, since)
            events.append(Op(len(events), None, process, "info", "txn", None, steps))
            fresh += 1
            free.append(fresh)
            continue
        free.append(process)
        if random.random() < 0.05:
            if random.random() < 0.2:
                store.run(steps, since)
            events.append(Op(len(events), None, process, "fail", "txn", None, steps))
            continue
        told = early or store.run(steps, since)
        kind = "ok" if told else "fail"
        events.append(Op(len(events), None, process, kind, "txn", None, told or steps))
    return events, lists
