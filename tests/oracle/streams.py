"""Longer random histories of one register or counter, with chains of compare-and-sets, for streaming checkers."""

from __future__ import annotations

from random import Random

from harness.op import Op


def register_events(seed: int, most: int = 30) -> list[Op]:
    """A register used by few clients; now and then an answer is old, or a refused operation took effect."""
    random = Random(seed)
    lies, doubt, cas = random.choice((0, 0, 0.03, 0.15)), random.choice((0, 0, 0.1, 0.2)), random.choice((0, 0.3, 0.6))
    events: list[Op] = []
    processes = list(range(random.choice((1, 2, 3, 4, 6))))
    running: dict[int, tuple[str, object, object]] = {}
    values: list[object] = [None]
    late: list[tuple[str, object]] = []
    fresh, left, done = 0, random.choice((6, most // 2, most)), set()

    def emit(process: int, kind: str, f: str, value: object, error: str | None = None) -> None:
        events.append(Op(len(events), None, process, kind, f, None, value, error=error))

    def take_effect(f: str, value: object) -> bool:
        if f == "cas" and value[0] != values[-1]:
            return False
        values.append(value[1] if f == "cas" else value)
        return True

    while (left and processes) or running:
        process = random.choice(processes if left and processes else list(running))
        if process not in running:
            left, fresh = left - 1, fresh + 1
            share = random.random()
            f = "read" if share < 0.4 else "cas" if share < 0.4 + 0.6 * cas else "write"
            old = random.choice(values[-2:]) if random.random() < 0.2 else values[-1]
            value = None if f == "read" else [old, fresh] if f == "cas" else fresh
            running[process] = f, value, None
            emit(process, "invoke", f, value)
            continue
        f, value, answer = running[process]
        if answer is None and random.random() < 0.6:  # takes effect, and is answered later
            if f == "read":
                found = random.choice(values) if random.random() < lies else values[-1]
                running[process] = f, value, ("ok", found)
            else:
                running[process] = f, value, ("ok" if take_effect(f, value) else "mismatch", values[-1])
            continue
        if late and random.random() < 0.3:
            take_effect(*late.pop(0))
        del running[process]
        if random.random() < doubt:
            if answer is None and f != "read" and random.random() < 0.5:
                late.append((f, value))
            emit(process, "info", f, value)
            processes.remove(process)
            fresh_process = 100 + len(events)
            processes.append(fresh_process)
            continue
        if answer is None:
            answer = (("ok" if f == "read" or take_effect(f, value) else "mismatch"), values[-1])
        kind, found = answer
        if f == "read":
            emit(process, "ok", f, found)
        elif kind == "ok":
            failed = random.random() < lies * 0.3
            emit(process, "fail" if failed else "ok", f, value, "not-leader" if failed else None)
        else:
            if random.random() < lies:
                found = random.choice(values)
            emit(process, "fail", f, [*value, found], "mismatch")
    assert not done
    return events


def counter_events(seed: int, tells: bool, most: int = 9) -> list[Op]:
    """A counter used by few clients; now and then an answer is off by a little."""
    random = Random(seed)
    lies, doubt = random.choice((0, 0.1, 0.3)), random.choice((0, 0, 0.2))
    events: list[Op] = []
    processes = list(range(random.choice((1, 2, 3, 4))))
    running: dict[int, tuple[str, int | None]] = {}
    number, left = 0, random.choice((3, most - 2, most))
    while (left and processes) or running:
        process = random.choice(processes if left and processes else list(running))
        if process not in running:
            left -= 1
            f = "read" if random.random() < 0.5 else "increment"
            running[process] = f, None
            events.append(Op(len(events), None, process, "invoke", f, None, None if f == "read" else 1))
            continue
        f, answer = running[process]
        if answer is None and random.random() < 0.6:
            number += f == "increment"
            running[process] = f, number
            continue
        del running[process]
        if answer is None:
            number += f == "increment"
            answer = number
        if random.random() < lies:
            answer = max(0, answer + random.choice((-1, 1)))
        kind = "info" if random.random() < doubt else "fail" if random.random() < 0.1 else "ok"
        if kind != "ok":
            if f == "increment" and kind == "fail":
                number -= 1
            processes.remove(process)
            processes.append(100 + len(events))
            answer = None
        told = answer if f == "read" or tells else None
        events.append(Op(len(events), None, process, kind, f, None, told))
    return events


def countable(events: list[Op], initial: int = 0) -> bool:
    """Whether some order of increments and reads explains every number (Wing and Gong)."""
    ends, running = {}, {}
    for op in events:
        if op.type == "invoke":
            running[op.process] = op
        else:
            ends[running[op.process].index] = op
    done = []
    for op in events:
        if op.type == "invoke":
            end = ends.get(op.index)
            kind = end.type if end else "info"
            if kind == "ok" or (kind == "info" and op.f == "increment"):
                done.append((op.index, end.index if kind == "ok" else 10**9, op.f, end.value if kind == "ok" else None))
    seen = set()

    def extend(placed: int, number: int) -> bool:
        left = [place for place in range(len(done)) if not placed >> place & 1]
        if all(done[place][1] == 10**9 for place in left):
            return True
        if placed in seen:
            return False
        seen.add(placed)
        soonest = min(done[place][1] for place in left)
        for place in left:
            begin, _, f, told = done[place]
            after = number + (f == "increment")
            if begin <= soonest and (told is None or told == after) and extend(placed | 1 << place, after):
                return True
        return False

    return extend(0, initial)
