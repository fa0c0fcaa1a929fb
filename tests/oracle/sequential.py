"""What objects do one call at a time, and random histories of them: the ground on which models are judged.

`do(state, f, argument)` gives the state after a call and its result, or None where the call has to wait. It shares no
code with `checkers.models`. A history is a concurrent run of a right object that lies now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from harness.history import Header
from harness.op import Op
from harness.streams import Random

Done = tuple[Any, Any] | None
INFINITY = 1 << 60
TOLD = ("multi-register",)


@dataclass(frozen=True)
class Object:
    """An object: what it is asked, what it does, and what it might say when it lies."""

    initial: Any
    ask: Callable[[Random, int], tuple[str, Any]]
    do: Callable[[Any, str, Any], Done]
    lies: Callable[[Random, str, Any], Any]
    reads: tuple[str, ...] = ()
    told: Callable[[Any, str, Any, Any, bool], Done] | None = None
    """What a call with a result (known or not) comes to, where the object is free to choose."""

    def header(self, name: str) -> Header:
        """Of a history of such objects; what starts empty does not say so."""
        initial = self.initial if isinstance(self.initial, int | str) else dict(self.initial) if name in TOLD else None
        return Header(1, model=name, initial=initial)

    def after(self, state: Any, f: str, argument: Any, result: Any, known: bool) -> Done:
        """As `do`, with the result that was told; None if it was not that."""
        if self.told is not None:
            return self.told(state, f, argument, result, known)
        done = self.do(state, f, argument)
        said = known and done is not None and (done[1] is not None or f not in ("acquire", "release"))
        return None if said and done is not None and done[1] != result else done


def few(random: Random, _: int) -> int:
    return random.randrange(3)


# ── registers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def ask_register(random: Random, fresh: int) -> tuple[str, Any]:
    f = random.choice(("read", "read", "write", "cas"))
    return f, {"read": None, "write": random.randrange(3)}.get(f, [random.randrange(3), random.choice((0, 1, fresh))])


def do_register(state: Any, f: str, argument: Any) -> Done:
    if f == "read":
        return state, state
    if f == "write":
        return argument, argument
    return (argument[1], argument) if state == argument[0] else None


def ask_txn(random: Random, _: int) -> tuple[str, Any]:
    parts = []
    for name in random.sample(["x", "y"], random.randint(1, 2)):
        f = random.choice(("read", "write"))
        parts.append([f, name, random.randrange(3) if f == "write" else None])
    return "txn", parts


def do_txn(state: Any, _: str, argument: Any) -> Done:
    held, said = dict(state), []
    for f, name, value in argument:
        if f == "write":
            held[name] = value
        said.append([f, name, held.get(name)])
    return tuple(sorted(held.items())), said


def lie_txn(random: Random, _: str, argument: Any) -> Any:
    return [[f, name, random.randrange(3) if f == "read" else value] for f, name, value in argument]


def ask_kv(random: Random, fresh: int) -> tuple[str, Any]:
    f = random.choice(("put", "append", "get", "get"))
    return f, None if f == "get" else random.choice("ab")


def do_kv(state: Any, f: str, argument: Any) -> Done:
    if f == "get":
        return state, state
    after = argument if f == "put" else state + argument
    return after, argument


# ── locks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def do_mutex(state: Any, f: str, _: Any) -> Done:
    if (f == "acquire") == state:
        return None
    return not state, None


def ask_fenced(random: Random, fresh: int) -> tuple[str, Any]:
    f = random.choice(("acquire", "release"))
    return f, random.randrange(4) if f == "release" else None


def do_fenced(state: Any, f: str, argument: Any) -> Done:
    """State: (the holder's token or None, greatest token given)."""
    holder, greatest = state
    if f == "acquire":
        return ((greatest + 1, greatest + 1), greatest + 1) if holder is None else None
    return ((None, greatest), argument) if holder == argument else None


def told_fenced(state: Any, f: str, argument: Any, result: Any, known: bool) -> Done:
    """Any greater token is right; one that nobody was told is nobody's to release."""
    holder, greatest = state
    if f == "release" or holder is not None:
        return do_fenced(state, f, argument) if f == "release" else None
    if not known:
        return (("?", greatest), None)
    return ((result, result), result) if result > greatest else None


# ── collections and counters ─────────────────────────────────────────────────────────────────────────────────────────


def ask_element(random: Random, _: int) -> tuple[str, Any]:
    return random.choice(("add", "remove", "contains", "contains")), random.randrange(2)


def do_element(state: Any, f: str, argument: Any) -> Done:
    if f == "contains":
        return state, argument in state
    after = state | {argument} if f == "add" else state - {argument}
    return after, after != state


def ask_line(put: str, take: str) -> Callable[[Random, int], tuple[str, Any]]:
    def ask(random: Random, fresh: int) -> tuple[str, Any]:
        f = random.choice((put, take))
        return f, None if f == take else fresh if random.random() < 0.8 else random.randrange(2)

    return ask


def do_line(last: bool) -> Callable[[Any, str, Any], Done]:
    def do(state: Any, f: str, argument: Any) -> Done:
        if f in ("enqueue", "push"):
            return (*state, argument), argument
        if not state:
            return state, None
        return (state[:-1], state[-1]) if last else (state[1:], state[0])

    return do


def lie_line(random: Random, f: str, argument: Any) -> Any:
    return argument if argument is not None else random.choice((None, 0, 1, 10, 11, 12))


def ask_grown(put: str) -> Callable[[Random, int], tuple[str, Any]]:
    def ask(random: Random, fresh: int) -> tuple[str, Any]:
        return ("read", None) if random.random() < 0.5 else (put, fresh if random.random() < 0.9 else 10)

    return ask


def do_grown(state: Any, f: str, argument: Any) -> Done:
    if f == "read":
        return state, list(state)
    if f == "add":
        return tuple(sorted({*state, argument})), argument
    return (*state, argument), argument


def lie_grown(random: Random, f: str, argument: Any) -> Any:
    return argument if f != "read" else sorted(random.sample((10, 11, 12), random.randrange(3)))


def ask_counter(random: Random, _: int) -> tuple[str, Any]:
    f = random.choice(("increment", "add", "read", "read"))
    return f, None if f == "read" else random.choice((1, 1, 2, -1))


def do_counter(state: Any, f: str, argument: Any) -> Done:
    if f == "read":
        return state, state
    return state + argument, state + argument if f == "increment" else argument


def lie_number(random: Random, f: str, argument: Any) -> Any:
    return argument if f in ("add", "write", "put", "append") else random.randrange(3)


def lie_register(random: Random, f: str, argument: Any) -> Any:
    return argument if f != "read" else random.randrange(3)


def lie_kv(random: Random, f: str, argument: Any) -> Any:
    return argument if f != "get" else random.choice(("", "a", "ab", "b", "aa"))


def lie_lock(random: Random, f: str, argument: Any) -> Any:
    return random.randrange(4) if f == "acquire" else argument


OBJECTS: dict[str, Object] = {
    "register": Object(0, ask_register, do_register, lie_register, ("read",)),
    "cas-register": Object(0, ask_register, do_register, lie_register, ("read",)),
    "multi-register": Object((("x", 0), ("y", 0)), ask_txn, do_txn, lie_txn),
    "kv": Object("", ask_kv, do_kv, lie_kv, ("get",)),
    "mutex": Object(False, lambda random, _: (random.choice(("acquire", "release")), None), do_mutex, lie_lock),
    "fenced-lock": Object((None, -1), ask_fenced, do_fenced, lie_lock, (), told_fenced),
    "set": Object(frozenset(), ask_element, do_element, lambda random, *_: random.random() < 0.5, ("contains",)),
    "grow-set": Object((), ask_grown("add"), do_grown, lie_grown, ("read",)),
    "log": Object((), ask_grown("append"), do_grown, lie_grown, ("read",)),
    "queue": Object((), ask_line("enqueue", "dequeue"), do_line(False), lie_line),
    "stack": Object((), ask_line("push", "pop"), do_line(True), lie_line),
    "counter": Object(0, ask_counter, do_counter, lie_number, ("read",)),
}


def random_history(random: Random, of: Object, most: int = 9) -> list[Op]:
    """A concurrent run of 2 to 9 calls by 1 to 5 processes, with lies, doubt, and failures, without indices.

    With more than 9 calls there are as many lies and doubts as among 9.
    """
    rarer = min(1.0, 9 / most)
    lies, doubt = random.choice((0.0, 0.05, 0.2, 0.4)) * rarer, random.choice((0.0, 0.2)) * rarer
    calls, idle = random.randint(2, most), list(range(random.randint(1, 5)))
    next_process, fresh, state = len(idle), 10, of.initial
    events: list[Op] = []
    open_now: list[Op] = []
    answers: list[Op] = []
    late: list[Op] = []
    while calls or open_now or answers:
        turn = random.randrange(3)
        if late and random.random() < 0.2:
            done = of.do(state, late[-1].f, late.pop().value)
            state = state if done is None else done[0]
        if turn == 0 and idle and calls:
            calls -= 1
            f, argument = of.ask(random, fresh)
            fresh += 1
            events.append(Op(process=idle.pop(random.randrange(len(idle))), f=f, value=argument))
            open_now.append(events[-1])
        elif turn == 1 and open_now:
            op = open_now.pop(random.randrange(len(open_now)))
            if random.random() < doubt:
                late += [op] if random.random() < 0.6 else []
                answers.append(op.info("timeout"))
                continue
            done = of.do(state, op.f, op.value)
            if random.random() < lies:
                answers.append(op.ok(of.lies(random, op.f, op.value)))
            elif done is None:
                answers.append(op.fail("not-now"))
            else:
                state = done[0]
                answers.append(op.ok(done[1]))
        elif turn == 2 and answers:
            done_op = answers.pop(random.randrange(len(answers)))
            events.append(done_op)
            idle.append(next_process if done_op.type == "info" else int(done_op.process))
            next_process += done_op.type == "info"
    return events[:-1] if random.random() < 0.1 else events


def crowded_history(random: Random, of: Object, least: int, most: int) -> list[Op]:
    """So many calls by a process each, nearly all open at once, of few values, up to five in doubt; without indices.

    What is asked takes effect at a moment of its own; answers come then, or after all of that.
    """
    calls, lies, late = random.randint(least, most), random.choice((0.0, 0.0, 0.05, 0.15)), random.random() < 0.6
    spread, values, doubtful = random.choice((0.0, 0.2, 0.5, 1.0)), random.randint(1, 5), random.randint(0, 5)
    asked = [of.ask(random, 10 + random.randrange(values) if random.random() < 0.7 else 100 + k) for k in range(calls)]
    begins = [random.random() * spread for _ in asked]
    points = [begin + random.random() * (1 - begin) for begin in begins]
    moments: list[tuple[float, int, Op]] = []
    state = of.initial
    for number in sorted(range(calls), key=points.__getitem__):
        f, argument = asked[number]
        op = Op(process=number, f=f, value=argument)
        done = of.do(state, f, argument)
        if number < doubtful:
            answer, happened = op.info("timeout"), random.random() < 0.5
        elif random.random() < lies:
            answer, happened = op.ok(of.lies(random, f, argument)), False
        else:
            answer, happened = op.fail("not-now") if done is None else op.ok(done[1]), True
        if happened and done is not None:
            state = done[0]
        end = 1 + random.random() if late else points[number] + random.random() * (1 - points[number])
        moments += [(begins[number], 2 * number, op), (end, 2 * number + 1, answer)]
    return [op for _, _, op in sorted(moments, key=lambda moment: moment[:2])]


def right(events: Sequence[Op], of: Object) -> bool:
    """Whether some order of the calls agrees with real time and with what the object does (Wing and Gong)."""
    calls = said(events, of)
    definite = sum(1 << number for number, call in enumerate(calls) if call[1] != INFINITY)

    @cache
    def possible(placed: int, state: Any) -> bool:
        if placed & definite == definite:
            return True
        limit = min(call[1] for number, call in enumerate(calls) if not placed >> number & 1)
        for number, (start, end, f, argument, result) in enumerate(calls):
            if placed >> number & 1 or start > limit:
                continue
            done = of.after(state, f, argument, result, end != INFINITY)
            if done is not None and possible(placed | 1 << number, done[0]):
                return True
        return False

    return possible(0, of.initial)


def said(events: Sequence[Op], of: Object) -> list[tuple[int, int, str, Any, Any]]:
    """The calls that say something: (start, end, f, argument, result)."""
    calls: list[tuple[int, int, str, Any, Any]] = []
    running: dict[Any, tuple[int, Op]] = {}
    for place, op in enumerate(events):
        if op.type == "invoke":
            running[op.process] = (place, op)
            continue
        start, asked = running.pop(op.process)
        if op.type == "ok":
            calls.append((start, place, op.f, asked.value, op.value))
        elif op.type == "info" and op.f not in of.reads:
            calls.append((start, INFINITY, op.f, asked.value, None))
    return calls + [(start, INFINITY, op.f, op.value, None) for start, op in running.values() if op.f not in of.reads]


def states_before(events: Sequence[Op], of: Object, moment: int) -> set[Any]:
    """Every state in which an order can end that has all that was over before an event, and of the rest what it likes.

    What was still open then answered later, as it is known to have done.
    """
    calls = [call for call in said(events, of) if call[0] < moment]
    over = sum(1 << number for number, call in enumerate(calls) if call[1] < moment)
    seen, todo = {(0, of.initial)}, [(0, of.initial)]
    while todo:
        placed, state = todo.pop()
        limit = min((call[1] for number, call in enumerate(calls) if not placed >> number & 1), default=INFINITY)
        for number, (start, end, f, argument, result) in enumerate(calls):
            if placed >> number & 1 or start > limit:
                continue
            done = of.after(state, f, argument, result, end != INFINITY)
            if done is not None and (after := (placed | 1 << number, done[0])) not in seen:
                seen.add(after)
                todo.append(after)
    return {state for placed, state in seen if placed & over == over}


def as_keys(random: Random, parts: Sequence[Sequence[Op]]) -> list[Op]:
    """Many histories as the keys of one, mixed in time; each keeps its own order."""
    waiting = [(key, list(reversed(part))) for key, part in enumerate(parts) if part]
    events: list[Op] = []
    while waiting:
        place = random.randrange(min(3, len(waiting)))
        key, left = waiting[place]
        op = left.pop()
        events.append(msgspec.structs.replace(op, index=len(events), key=key, process=key * 100 + int(op.process)))
        if not left:
            waiting.pop(place)
    return events
