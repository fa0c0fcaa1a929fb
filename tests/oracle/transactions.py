"""Isolation levels by their definitions, tried out in every way, for histories of a few transactions.

    serializable, and with sessions or real time     some order in which each transaction reads what is there
    snapshot isolation, likewise                     some interleaving of starts and commits: a transaction reads what
                                                     was committed at its start, and nobody changed its keys since
    parallel snapshot isolation                      some order of the versions of each key without the cycles forbidden
    causal, read atomic, read committed              some order of commits by the axioms of Biswas and Enea (2019)
    read uncommitted                                 some order of commits in which the longest lists of each key show
                                                     what was not undone; see `keeps_uncommitted`

Transactions in doubt take part or not, all in every combination. Shares no code with the checkers; works on the events.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations, permutations, product

ENDLESS = 1 << 40
ORDERS = {"": 0, "strong-session-": 1, "strong-": 2}


class Txn:
    """What it found: (place of the step, key, what); what it wrote by key.

    `broken` if it misses its own work, `doubled` if a list shows an element twice.
    """

    def __init__(self, number, start, end, kind, process, steps, lists):
        self.number, self.start, self.end, self.kind, self.process = number, start, end, kind, process
        self.finds, self.wrote, self.broken, self.doubled = [], {}, False, False
        for place, (f, key, value) in enumerate(steps):
            own = self.wrote.get(key, ())
            if f != "r":
                self.wrote[key] = (*own, value)
            elif kind != "ok":
                continue
            elif key in lists:
                shown = tuple(value or ())
                self.doubled |= len(set(shown)) < len(shown)
                if shown[len(shown) - len(own) :] != own or len(shown) < len(own):
                    self.broken = True
                else:
                    self.finds.append((place, key, shown[: len(shown) - len(own)]))
            elif own:
                self.broken |= own[-1] != value
            else:
                self.finds.append((place, key, value))

    def after(self, key, held):
        return (*held, *self.wrote[key]) if isinstance(held, tuple) else self.wrote[key][-1]


def transactions(events, lists):
    found, running = [], {}
    for place, op in enumerate(events):
        if op.type == "invoke":
            running[op.process] = (place, op)
        else:
            start, asked = running.pop(op.process)
            steps = op.value if op.type == "ok" else asked.value
            found.append((start, place if op.type == "ok" else ENDLESS, op.type, op.process, steps))
    found += [(start, ENDLESS, "info", op.process, op.value) for start, op in running.values()]
    return [Txn(i, *row, lists) for i, row in enumerate(sorted(found, key=lambda row: row[0])) if row[2] != "fail"]


def before(one, other, order):
    """Whether an order demands that one comes first."""
    if order == 2:
        return one.end < other.start
    return order == 1 and one.kind == "ok" and one.process == other.process and one.start < other.start


def holds(events, level, lists=frozenset()):
    """Whether a history keeps a level; keys in `lists` hold lists, all others registers that start as None."""
    everything = transactions(events, lists)
    sure = [txn for txn in everything if txn.kind == "ok"]
    doubtful = [txn for txn in everything if txn.kind == "info"]
    if any(txn.broken for txn in sure):
        return False
    judge = JUDGES[level]
    return any(
        judge(sorted([*sure, *chosen], key=lambda txn: txn.start), lists)
        for count in range(len(doubtful) + 1)
        for chosen in combinations(doubtful, count)
    )


def first(key, lists):
    return () if key in lists else None


def serial(order):
    def judge(txns, lists):
        everyone = (1 << len(txns)) - 1
        earlier = [
            sum(1 << i for i, one in enumerate(txns) if one is not other and before(one, other, order))
            for other in txns
        ]

        @cache
        def possible(done, state):
            if done == everyone:
                return True
            for i, txn in enumerate(txns):
                if done >> i & 1 or earlier[i] & ~done:
                    continue
                held = dict(state)
                if all(held.get(key, first(key, lists)) == found for _, key, found in txn.finds):
                    for key in txn.wrote:
                        held[key] = txn.after(key, held.get(key, first(key, lists)))
                    if possible(done | 1 << i, tuple(sorted(held.items()))):
                        return True
            return False

        return possible(0, ())

    return judge


def snapshot(order):
    def judge(txns, lists):
        """State: who started, who committed, what is committed, and by key which started ones it has changed under."""
        everyone = (1 << len(txns)) - 1
        earlier = [
            sum(1 << i for i, one in enumerate(txns) if one is not other and before(one, other, order))
            for other in txns
        ]

        @cache
        def possible(started, done, state, doomed):
            if done == everyone:
                return True
            held = dict(state)
            for i, txn in enumerate(txns):
                if not started >> i & 1 and not earlier[i] & ~done:
                    reads = all(held.get(key, first(key, lists)) == found for _, key, found in txn.finds)
                    if reads and possible(started | 1 << i, done, state, doomed):
                        return True
                elif started >> i & 1 and not done >> i & 1 and not doomed >> i & 1:
                    after = dict(held)
                    for key in txn.wrote:
                        after[key] = txn.after(key, held.get(key, first(key, lists)))
                    hurt = sum(
                        1 << j
                        for j, other in enumerate(txns)
                        if j != i and started >> j & 1 and not done >> j & 1 and set(other.wrote) & set(txn.wrote)
                    )
                    if not hurt and possible(started, done | 1 << i, tuple(sorted(after.items())), doomed | hurt):
                        return True
            return False

        return possible(0, 0, (), 0)

    return judge


def makers(txns, lists, orders):
    """By transaction (place, key, maker or None, depth), with these orders of versions; None if impossible."""
    states = {}
    for key, order in orders.items():
        held, states[key] = first(key, lists), [first(key, lists)]
        for txn in order:
            held = txn.after(key, held)
            states[key].append(held)
    found = {}
    for txn in txns:
        rows = []
        for place, key, value in txn.finds:
            known = states.get(key, [first(key, lists)])
            if value not in known:
                return None
            depth = known.index(value)
            maker = orders[key][depth - 1] if depth else None
            if maker is txn:
                return None
            rows.append((place, key, maker, depth))
        found[txn.number] = rows
    return found


def closure(pairs, txns):
    lead = {txn.number: {b for a, b in pairs if a == txn.number} for txn in txns}
    for _ in txns:
        for number in lead:
            lead[number] = lead[number].union(*(lead[other] for other in lead[number]))
    return lead


def parallel(txns, lists):
    keys = sorted({key for txn in txns for key in txn.wrote})
    session = {(a.number, b.number) for a in txns for b in txns if before(a, b, 1)}
    for chosen in product(*(permutations([txn for txn in txns if key in txn.wrote]) for key in keys)):
        orders = dict(zip(keys, chosen, strict=True))
        made = makers(txns, lists, orders)
        if made is None or any(
            len({d for _, k, _, d in rows if k == key}) > 1 for rows in made.values() for key in keys
        ):
            continue
        sees, misses = set(session), set()
        for order in orders.values():
            sees |= {(a.number, b.number) for a, b in combinations(order, 2)}
        for number, rows in made.items():
            sees |= {(maker.number, number) for _, _, maker, _ in rows if maker is not None}
            misses |= {
                (number, w.number) for _, key, _, d in rows for w in orders.get(key, ())[d:] if w.number != number
            }
        lead = closure(sees, txns)
        if all(n not in lead[n] for n in lead) and not any(reader in lead[writer] for reader, writer in misses):
            return True
    return False


def weak(strength):
    def judge(txns, lists):
        session = {(a.number, b.number) for a in txns for b in txns if before(a, b, 1)}
        by_number = {txn.number: txn for txn in txns}
        for order in permutations(txns):
            place = {txn.number: i for i, txn in enumerate(order)}
            if any(place[a] > place[b] for a, b in session):
                continue
            # Lists show the order of commits; a register shows only who made its value.
            orders = {key: [t for t in order if key in t.wrote] for key in {k for t in txns for k in t.wrote}}
            made = makers(txns, lists, orders)
            if made is not None and commits(txns, by_number, place, made, session, strength):
                return True
        return False

    return judge


def commits(txns, by_number, place, made, session, strength):
    read = {(m.number, n) for n, rows in made.items() for _, _, m, _ in rows if m is not None}
    if any(place[a] > place[b] for a, b in read):
        return False
    lead = closure(read | session, txns)
    for number, rows in made.items():
        for at, key, maker, _ in rows:
            if strength == 1:
                seen = {m.number for p, _, m, _ in rows if m is not None and p < at}
            elif strength == 2:
                seen = {a for a, b in read | session if b == number}
            else:
                seen = {a for a in lead if number in lead[a]}
            for other in seen - {number}:
                changed = key in by_number[other].wrote and (maker is None or other != maker.number)
                if changed and (maker is None or place[other] > place[maker.number]):
                    return False
    return True


JUDGES = {
    "read-committed": weak(1),
    "read-atomic": weak(2),
    "causal": weak(3),
    "parallel-snapshot-isolation": parallel,
    **{f"{prefix}snapshot-isolation": snapshot(order) for prefix, order in ORDERS.items()},
    "serializable": serial(0),
    "strong-session-serializable": serial(1),
    "strict-serializable": serial(2),
}


def keeps_uncommitted(events, lists):
    """Whether a history keeps read uncommitted: no list shows an element twice, and an order of commits fits the rest.

    The longest lists of a key show the order of its changes, without those undone; where they differ, as far as they
    agree. All other changes of the key came later.
    """
    txns = transactions(events, lists)
    asked = [op.value for op in events if op.type == "invoke"]
    written = {(key, value) for steps in asked for f, key, value in steps if f != "r"}
    found = [(key, value) for txn in txns for _, key, value in txn.finds]
    shown = {(key, one) for key, held in found for one in (held if key in lists else (held,))}
    if any(change not in written and (change[0] in lists or change[1] is not None) for change in shown):
        return False
    if any(txn.doubled for txn in txns):
        return False
    happened = [t for t in txns if t.kind == "ok" or shown & {(k, v) for k, vs in t.wrote.items() for v in vs}]
    orders = []
    for key in lists:
        made = {value: txn.number for txn in happened for value in txn.wrote.get(key, ())}
        longest = max((len(held) for k, held in found if k == key), default=0)
        lasting = {tuple(v for v in held if v in made) for k, held in found if k == key and len(held) == longest}
        agreed = []
        for values in zip(*lasting, strict=False):
            if len(set(values)) > 1:
                break
            agreed.append(values[0])
        orders.append(([made[v] for v in agreed], {number for value, number in made.items() if value not in agreed}))
    return any(
        all(list(map(place.__getitem__, seen)) == sorted(map(place.__getitem__, seen)) for seen, _ in orders)
        and all(place[n] >= place[seen[-1]] for seen, unseen in orders if seen for n in unseen)
        for place in ({n: i for i, n in enumerate(order)} for order in permutations([t.number for t in happened]))
    )
