"""Linearizability of any object by trying every order: the definition itself, for histories of a few events.

    holds(events, step, state)      step(state, op) -> the state after it, or None where it cannot be

An op is (start, end, kind, f, argument, result, error). What ended in doubt may be left out. Shares nothing with the
checkers.
"""

from __future__ import annotations

from typing import Any

ENDLESS = 1 << 62


def operations(events):
    """Pairs of events as tuples, in order of invocation; what failed is there too."""
    running, found = {}, []
    for op in events:
        if op.type == "invoke":
            running[op.process] = op
        else:
            start = running.pop(op.process)
            end = ENDLESS if op.type == "info" else op.index
            found.append((start.index, end, op.type, op.f, start.value, op.value, op.error))
    found += [(op.index, ENDLESS, "info", op.f, op.value, None, None) for op in running.values()]
    return sorted(found, key=lambda op: op[0])


def holds(events, step, state: Any) -> bool:
    """Whether there is an order."""
    ops = [op for op in operations(events) if op[2] != "fail" or op[6] in ("empty", "held", "not-holder")]
    sure = sum(1 << place for place, op in enumerate(ops) if op[2] != "info")
    seen, todo = set(), [(0, state)]
    while todo:
        done, state = todo.pop()
        if done & sure == sure:
            return True
        horizon = min(op[1] for place, op in enumerate(ops) if not done >> place & 1)
        for place, op in enumerate(ops):
            if op[0] > horizon:
                break
            if done >> place & 1:
                continue
            after = step(state, op)
            if after is not None and (item := (done | 1 << place, after)) not in seen:
                seen.add(item)
                todo.append(item)
    return False


def states_before(events, step, state: Any, moment: int) -> set[Any]:
    """Every state in which an order can end that has all that was over before an event, and of the rest what it likes.

    What was still open then answered later, as it is known to have done.
    """
    ops = [op for op in operations(events) if op[0] < moment]
    ops = [op for op in ops if op[2] != "fail" or op[6] in ("empty", "held", "not-holder")]
    sure = sum(1 << place for place, op in enumerate(ops) if op[2] != "info" and op[1] < moment)
    seen, todo = {(0, state)}, [(0, state)]
    while todo:
        done, state = todo.pop()
        horizon = min((op[1] for place, op in enumerate(ops) if not done >> place & 1), default=ENDLESS)
        for place, op in enumerate(ops):
            if op[0] < horizon and not done >> place & 1:
                item = (done | 1 << place, step(state, op))
                if item[1] is not None and item not in seen:
                    seen.add(item)
                    todo.append(item)
    return {state for done, state in seen if done & sure == sure}


def queue(state, op):
    """State: elements, oldest first."""
    _, _, kind, f, argument, result, _ = op
    if f == "enqueue":
        return (*state, argument)
    if kind == "info":
        return state[1:]
    if kind == "fail" or result is None:
        return None if state else state
    return state[1:] if state and state[0] == result else None


def stack(state, op):
    """State: elements, newest last."""
    _, _, kind, f, argument, result, _ = op
    if f == "push":
        return (*state, argument)
    if kind == "info":
        return state[:-1]
    if kind == "fail" or result is None:
        return None if state else state
    return state[:-1] if state and state[-1] == result else None


def members(state, op):
    """State: a frozen set. An add or remove that returns false changed nothing."""
    _, _, kind, f, argument, result, _ = op
    if f == "contains":
        return state if kind == "info" or result == (argument in state) else None
    if f == "add":
        if kind == "ok" and result is False:
            return state if argument in state else None
        return state | {argument}
    if kind == "info":
        return state - {argument}
    return (state if result is False else state - {argument}) if (argument in state) != (result is False) else None


def mutex(state, op):
    """State: whether it is held."""
    _, _, kind, f, _, _, _ = op
    if kind == "fail":
        return state if state else None
    return None if state == (f == "acquire") else f == "acquire"


def counter(state, op):
    """State: the number; adds return nothing."""
    _, _, kind, f, argument, result, _ = op
    if f == "add":
        return state + argument
    return state if kind == "info" or result == state else None


def numbered(state, op):
    """A counter whose increments return the number."""
    _, _, kind, f, argument, result, _ = op
    if f == "increment":
        state += argument
    return state if kind == "info" or result == state else None


def grown(state, op):
    """State: what a log or a set shows, as a tuple; a set is sorted."""
    _, _, kind, f, argument, result, _ = op
    if f == "read":
        return state if kind == "info" or tuple(result) == state else None
    return (*state, argument) if f == "append" else tuple(sorted((*state, argument)))


def fenced(state, op):
    """State: (held token or None, greatest token so far); a token that nobody was told is a name of its own."""
    start, _, kind, f, argument, result, error = op
    held, greatest = state
    if kind == "fail":
        return state if (held is not None if error == "held" else held != argument) else None
    if f == "release":
        return (None, greatest) if held == argument else None
    if held is not None:
        return None
    if kind == "info":
        return f"unknown {start}", greatest
    return (result, result) if result > greatest else None
