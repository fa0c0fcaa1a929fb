"""Histories without versions of a middle size: too long to try all orders, short enough for a pass over accesses.

    middling(seed)      50 to 300 operations of 3 to 10 sessions on 1 to 10 keys

They are of one log that replicas follow, or of replicas that take in each other's writes in causal order. In some,
writes are in doubt, sessions do two things at a time, and one read or many show what they should not.
"""

from random import Random

import msgspec

from harness.history import Header, History
from harness.op import Op


def middling(seed):
    """See the module docstring."""
    random = Random(seed)
    sessions, keys, operations = random.randint(3, 10), random.randint(1, 10), random.randint(50, 300)
    if random.random() < 0.35:
        events = replicas(sessions, keys, operations, seed)
    else:
        events = _Log(random, sessions, keys).told(operations)
    shown = [place for place, op in enumerate(events) if (op.f, op.type) == ("read", "ok")]
    writes = [op for op in events if (op.f, op.type) == ("write", "invoke")]
    for _ in range(random.choice((0, 0, 1, 1, 2, operations // 8)) if shown and writes else 0):
        place = random.choice(shown)
        events[place] = msgspec.structs.replace(events[place], value=lie(random, events[place], writes))
    return History(Header(1, "register", initial=random.choice((None, None, 0))), events)


def lie(random, read, writes):
    """Mostly a value that was written not long before; else nothing, or what was never or not yet written."""
    of_key = [write for write in writes if write.key == read.key]
    near = [write.value for write in of_key if read.index - 120 < write.index < read.index]
    if near and random.random() < 0.97:
        return random.choice(near)
    return random.choice((None, None, 10**6, *[write.value for write in of_key[:2]]))


def replicas(sessions, keys, operations, seed=1):
    """Replicas that take in each other's writes in causal order, but not in one order for all."""
    random, events = Random(seed), []
    written = [[] for _ in range(sessions)]
    took = [[0] * sessions for _ in range(sessions)]
    holds = [{} for _ in range(sessions)]
    for number in range(operations):
        mine = random.randrange(sessions)
        for other in random.choices(range(sessions), k=3):
            if took[mine][other] < len(written[other]):
                key, value, needs = written[other][took[mine][other]]
                if all(needs[at] <= took[mine][at] for at in range(sessions) if at != other):
                    took[mine][other] += 1
                    holds[mine][key] = value
        key, write = random.randrange(keys), random.random() < 0.4
        if write:
            written[mine].append((key, number, list(took[mine])))
            took[mine][mine] += 1
            holds[mine][key] = number
        op = Op(2 * number, None, mine, "invoke", "write" if write else "read", key, number if write else None)
        events += [op, msgspec.structs.replace(op, index=op.index + 1, type="ok", value=holds[mine].get(key))]
    return events


class _Log:
    """One log, which each session has seen up to a place; every operation takes place between its events."""

    def __init__(self, random, sessions, keys):
        self.random, self.keys = random, keys
        self.doubt, self.lag = random.choice((0, 0, 0.05, 0.3)), random.choice((2, 8, 30))
        self.lanes = random.choice((1, 1, 1, 2))
        self.log, self.seen = [], [0] * sessions
        self.process = {(s, lane): s * self.lanes + lane for s in range(sessions) for lane in range(self.lanes)}
        self.fresh = len(self.process)

    def told(self, operations):
        events, running, begun = [], {}, 0
        while begun < operations or running:
            who = self.random.choice(list(self.process))
            if who in running:
                op, done, value = running[who]
                if not done:
                    running[who] = (op, True, self.take_place(who[0], op))
                    continue
                del running[who]
                events += self.end(who, op, value, len(events))
            elif begun < operations and len(running) < 8:
                f, session = self.random.choice(("write", "write", "read", "read", "read")), f"s{who[0]}"
                op = Op(len(events), len(events), self.process[who], "invoke", f, self.random.randrange(self.keys))
                op = msgspec.structs.replace(op, session=session if self.lanes > 1 else None)
                begun += 1
                running[who] = (msgspec.structs.replace(op, value=begun if f == "write" else None), False, None)
                events.append(running[who][0])
        return events

    def take_place(self, session, op):
        if op.f == "write":
            if not self.doubt or self.random.random() < 0.7:
                self.log.append((op.key, op.value))
                self.seen[session] = len(self.log)
            return op.value
        self.seen[session] = max(self.seen[session], len(self.log) - self.random.randrange(self.lag))
        return next((value for key, value in reversed(self.log[: self.seen[session]]) if key == op.key), None)

    def end(self, who, op, value, index):
        """Its answer, or doubt, after which another process goes on for the session."""
        if op.f == "write" and self.random.random() < self.doubt:
            self.process[who], self.fresh = self.fresh, self.fresh + 1
            return [msgspec.structs.replace(op, index=index, type="info")][: self.random.randrange(2)]
        return [msgspec.structs.replace(op, index=index, type="ok", value=value)]
