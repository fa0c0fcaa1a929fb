"""What is right for objects, by trying every order: the oracle for the checkers of counters, queues and locks.

An operation is (start, end, kind, f, argument, result, error). Whatever is "info" may be left out and never ends.
"""

from itertools import permutations

ENDLESS = 1 << 62


def operations(events):
    """Pairs of events as tuples, in order of invocation."""
    running, found = {}, []
    for op in events:
        if op.type == "invoke":
            running[op.process] = op
        else:
            start = running.pop(op.process)
            end = ENDLESS if op.type == "info" else op.index
            found.append((start.index, end, op.type, op.f, start.value, op.value, op.error))
    found += [(op.index, ENDLESS, "info", op.f, op.value, None, None) for op in running.values()]
    return sorted(found)


def linearizable(ops, state, step):
    """Whether some order of the operations agrees with real time and with `step`, None where it cannot be."""
    if all(op[2] == "info" for op in ops):
        return True
    horizon = min(op[1] for op in ops)
    for number, op in enumerate(ops):
        if op[0] > horizon:
            break
        after = step(state, op)
        if after is not None and linearizable(ops[:number] + ops[number + 1 :], after[0], step):
            return True
    return False


def counter(state, op):
    _, _, kind, f, argument, result, _ = op
    if f == "increment":
        state += argument
        return (state,) if kind == "info" or result == state else None
    return (state,) if (result or 0) == state else None


def counter_holds(events):
    ops = [op for op in operations(events) if op[2] == "ok" or (op[2] == "info" and op[3] == "increment")]
    return linearizable(ops, 0, counter)


def grown(state, op):
    """State: what a list shows so far, as a tuple."""
    _, _, _, f, argument, result, _ = op
    if f == "append":
        return ((*state, argument),)
    if f == "add":
        return (tuple(sorted((*state, argument))),)
    return (state,) if tuple(result) == state else None


def grown_holds(events):
    ops = [op for op in operations(events) if op[2] == "ok" or (op[2] == "info" and op[3] != "read")]
    return linearizable(ops, (), grown)


def idempotent(state, op):
    """State: the elements of a set; to add one that is there changes nothing."""
    _, _, _, f, argument, result, _ = op
    if f == "add":
        return (state | {argument},)
    return (state,) if len(result) == len(state) and state == {*result} else None


def idempotent_holds(events):
    ops = [op for op in operations(events) if op[2] == "ok" or (op[2] == "info" and op[3] != "read")]
    return linearizable(ops, frozenset(), idempotent)


def lock(state, op):
    """State: (held token or None, greatest token so far); a token that nobody was told is a name of its own."""
    start, _, kind, f, argument, result, error = op
    held, greatest = state
    if kind == "fail":
        return (state,) if (held is not None if error == "held" else held != argument) else None
    if f == "acquire":
        if held is not None:
            return None
        if kind == "info":
            return ((f"unknown {start}", greatest),)
        return ((result, result),) if result > greatest else None
    return ((None, greatest),) if held == argument else None


def lock_holds(events):
    ops = [op for op in operations(events) if op[2] != "fail" or op[6] in ("held", "not-holder")]
    return linearizable(ops, (None, -1), lock)


def queue_holds(events):
    """Whether every dequeue has an enqueue of its own, and everything missing a dequeue in doubt of its own."""
    ops = operations(events)
    given = [op for op in ops if op[3] == "enqueue" and op[2] != "fail"]
    taken = [op for op in ops if op[3] == "dequeue" and op[2] == "ok"]
    for dequeue in taken:
        if not any(op[4] == dequeue[5] and op[0] < dequeue[1] for op in given):
            return False
    if len({op[5] for op in taken}) < len(taken):
        return False
    empties = [op for op in ops if op[2] == "fail" and op[6] == "empty"]
    got = {op[5] for op in taken}
    missing = [op for op in given if op[2] == "ok" and op[4] not in got and any(e[0] > op[1] for e in empties)]
    doubtful = [op for op in ops if op[3] == "dequeue" and op[2] == "info"]
    limits = [min(e[1] for e in empties if e[0] > op[1]) for op in missing]
    return any(
        all(taker[0] < limit for taker, limit in zip(takers, limits, strict=True))
        for takers in permutations(doubtful, len(missing))
    )
