"""Sequential consistency: is there one order of all operations, in which each session keeps its own?

That is NP-complete, so it is tried in two ways, each of which is right when it answers.

Saturation. Everything known to precede (sessions, and writes before the reads of their values) is closed under

    w1 precedes a read of w2          then w1 precedes w2
    w2 precedes w1                    then whoever read w2 precedes w1
    a read of the initial value       precedes every write of its key

for writes w1, w2 of one key. A circle is a violation. It takes values that are all different.

Search. Operations are placed one after another, in an order that keeps to what was found; reads as soon as they fit.
What was tried is remembered. It finds an order, or finds that there is none, or gives up when the budget is spent.

Sources: Gibbons & Korach (SIAM J. Comput. 1997); saturation as in Biswas & Enea (OOPSLA 2019) and Zennou et al.
(CAV 2019).
Limits: not a property of each key, so all keys are judged together. The clocks of saturation, and STATES_MAX, bound the
memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from checkers.protocol import Budget
from checkers.sessions.explain import key_text, value_text
from checkers.sessions.saturation import Edge, Saturation
from checkers.sessions.steps import NOTHING, Moves
from harness.history import History
from harness.verdict import Anomaly, Verdict

STATES_MAX: Final = 2_000_000
LOOK_EVERY: Final = 2_000
OPS_SHOWN_MAX: Final = 40


@dataclass(frozen=True)
class Sequential:
    """One order of all operations, in which each session keeps its own: sequential consistency."""

    name: str = "sequential"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge; see the module docstring."""
        moves = Moves.of(history)
        counts = {"operations": len(moves.moves), "sessions": len(moves.lanes_of)}
        if not moves.told:
            reason = "no operation is a read, a write or a cas."
            return Verdict(self.name, "unknown", "Nothing could be decided.", counts=counts, reason=reason)
        if (stray := _stray(moves)) is not None:
            return self._invalid(moves, stray, counts)
        saturation = Saturation(moves)
        state = saturation.run(budget.spent) if moves.unique else "skipped"
        counts["saturation_rounds"] = saturation.rounds
        if saturation.circle:
            return self._invalid(moves, _circle_anomaly(moves, saturation), counts)
        search = Search(moves, saturation)
        found = search.run(budget)
        counts["states_searched"] = search.states
        if found == "none":
            return self._invalid(moves, _no_order_anomaly(moves), counts)
        if found == "order" and not moves.silent:
            summary = f"All {len(moves.moves):,} operations have an order that each of the sessions agrees with."
            order = [moves.moves[number].invoke for number in search.order]
            return Verdict(self.name, "valid", summary, counts=counts, certificate={"order": order})
        reason = f"{moves.silent:,} refused compare-and-sets that do not tell what they met were left out."
        if found != "order":
            reason = (
                f"{found}; saturation: {state}; at most {search.deepest:,} of {len(moves.moves):,} operations placed."
            )
        return Verdict(self.name, "unknown", "Whether there is an order is open.", counts=counts, reason=reason)

    def _invalid(self, moves: Moves, anomaly: Anomaly, counts: dict[str, int]) -> Verdict:
        summary = f"{len(moves.moves):,} operations of {len(moves.lanes_of):,} sessions have no order."
        return Verdict(self.name, "invalid", summary, (anomaly,), counts | {"anomalies": 1})


class Search:
    """Depth-first search over how far each lane has come, and what each key holds."""

    def __init__(self, moves: Moves, saturation: Saturation) -> None:
        self.moves, self.saturation = moves, saturation
        self.order: list[int] = []
        self.states = 0
        self.deepest = 0
        self._left = {
            (move.key, move.finds): 0 for move in moves.moves if move.finds is not NOTHING
        }  # finders of a value that are yet to come
        for move in moves.moves:
            if move.finds is not NOTHING:
                self._left[move.key, move.finds] += 1
        self._must = sum(not optional for optional in moves.optional)

    def run(self, budget: Budget) -> str:
        """ "order" (see `order`), "none", or why it was given up."""
        moves = self.moves
        holds: dict[int, Any] = {}
        reached = [0] * len(moves.lanes)
        placed: list[tuple[int, Any]] = []
        done = [False] * len(moves.moves)
        must, tried = self._must, set[Any]()
        choices = [self._choices(reached, holds, done)]
        while True:
            if not must:
                self.order = [number for number, _ in placed]
                return "order"
            if choices[-1]:
                number = choices[-1].pop()
                move = moves.moves[number]
                placed.append((number, holds.get(move.key, moves.initial)))
                self._place(number, reached, holds, done, 1)
                must -= not moves.optional[number]
                self.states += 1
                self.deepest = max(self.deepest, len(placed))
                if not self.states % LOOK_EVERY and budget.spent():
                    return "the time was over"
                choices.append(self._choices(reached, holds, done))
                if len(choices[-1]) > 1:  # only where there is a choice can the same state come up again and again
                    state = (tuple(reached), tuple(sorted(holds.items(), key=lambda item: item[0])))
                    if state in tried:
                        choices[-1] = []
                    elif len(tried) > STATES_MAX:
                        return f"the search outgrew {STATES_MAX:,} states"
                    tried.add(state)
                continue
            choices.pop()
            if not placed:
                return "none"
            number, before = placed.pop()
            self._place(number, reached, holds, done, -1)
            holds[moves.moves[number].key] = before
            must += not moves.optional[number]

    def _place(self, number: int, reached: list[int], holds: dict[int, Any], done: list[bool], by: int) -> None:
        move = self.moves.moves[number]
        reached[self.moves.lane[number]] += by
        done[number] = by > 0
        if move.finds is not NOTHING:
            self._left[move.key, move.finds] -= by
        if by > 0 and move.leaves is not NOTHING:
            holds[move.key] = move.leaves

    def _choices(self, reached: Sequence[int], holds: dict[int, Any], done: Sequence[bool]) -> list[int]:
        """What may come next, the best last. A read that fits may always come at once."""
        moves, found = self.moves, []
        for lane, place in enumerate(reached):
            if place == len(moves.lanes[lane]):
                continue
            number = moves.lanes[lane][place]
            move = moves.moves[number]
            now = holds.get(move.key, moves.initial)
            if move.finds is not NOTHING and move.finds != now:
                continue
            if any(not done[other] for other in self.saturation.needs(number)):
                continue
            if move.leaves is NOTHING:
                return [number]
            waiting = self._left.get((move.key, now), 0) - (move.finds is not NOTHING)
            if moves.unique and waiting and now != move.leaves:
                continue
            found.append(number)
        # Most systems take writes about as they come, so the write that began first is tried first.
        return sorted(found, reverse=True)


def _stray(moves: Moves) -> Anomaly | None:
    """A value that nobody can have left."""
    for move, optional in zip(moves.moves, moves.optional, strict=True):
        found = move.finds is NOTHING or move.finds == moves.initial or (move.key, move.finds) in moves.writers
        if not found and not optional:
            what = f"{_finds(moves, move.row)}{_at(moves, move.key)}"
            text = f"{_session(moves, move.row)} found {what}, which nobody wrote."
            text = text[0].upper() + text[1:]
            certificate = {"ops": [move.invoke]}
            return _anomaly(moves, text, [move.invoke], "unwritten-value", certificate, move.key)
    return None


def _circle_anomaly(moves: Moves, saturation: Saturation) -> Anomaly:
    edges, circle = saturation.proof()
    shown = sorted({number for edge in circle for number in (edge.before, edge.after)})
    shown = sorted({*shown, *(edge.read for edge in circle if edge.read >= 0)})
    parts = [_said(moves, edge) for edge in circle]
    certificate = {"edges": [_told(moves, edge) for edge in edges], "circle": [_told(moves, edge) for edge in circle]}
    sentence = f"{'; '.join(parts)}: no order of the operations keeps to all of this."
    keys = {moves.moves[number].key for number in shown}
    key = keys.pop() if len(keys) == 1 else None
    ops = [moves.moves[number].invoke for number in shown][:OPS_SHOWN_MAX]
    return _anomaly(moves, sentence[0].upper() + sentence[1:], ops, "order-cycle", certificate, key)


def _no_order_anomaly(moves: Moves) -> Anomaly:
    ops = [move.invoke for move in moves.moves]
    sentence = f"All orders of the {len(ops)} operations that the sessions allow were tried; none explains every read."
    return _anomaly(moves, sentence, ops[-OPS_SHOWN_MAX:], "no-order", {}, None)


def _anomaly(
    moves: Moves, sentence: str, ops: Sequence[int], rule: str, certificate: dict[str, Any], key: int | None
) -> Anomaly:
    return Anomaly(
        name="non-sequential",
        guarantee="sequential",
        sentence=sentence,
        key=None if key is None else moves.history.operations.keys[key],
        ops=tuple(ops),
        culprit=max(ops),
        rule=rule,
        certificate=certificate,
    )


def _told(moves: Moves, edge: Edge) -> dict[str, Any]:
    told: dict[str, Any] = {
        "before": moves.moves[edge.before].invoke,
        "after": moves.moves[edge.after].invoke,
        "rule": edge.rule,
    }
    if edge.read >= 0:
        told["read"] = moves.moves[edge.read].invoke
    if edge.path:
        told["path"] = [moves.moves[number].invoke for number in edge.path]
    return told


def _said(moves: Moves, edge: Edge) -> str:
    before, after = _did(moves, edge.before), _did(moves, edge.after)
    if edge.rule == "session":
        return f"{_session(moves, moves.moves[edge.before].row)} {before} before it {after}"
    who, other = (_session(moves, moves.moves[number].row) for number in (edge.before, edge.after))
    reason = {
        "read-from": "whose value it found",
        "initial": "and found the initial value",
        "overwrites": "since what came after it still found the other",
        "overwritten": "which overwrote what it found",
    }[edge.rule]
    return f"{who} {before} before {other} {after}, {reason}"


def _did(moves: Moves, number: int) -> str:
    move = moves.moves[number]
    o = moves.history.operations
    if move.leaves is NOTHING:
        return f"read {_finds(moves, move.row)}{_at(moves, move.key)}"
    value = o.values[o.argument[move.row]]
    if move.finds is NOTHING:
        return f"wrote {value_text(value)}{_at(moves, move.key)}"
    return f"changed {value_text(value[0])} to {value_text(value[1])}{_at(moves, move.key)}"


def _finds(moves: Moves, row: int) -> str:
    o = moves.history.operations
    name, argument, result = o.fs[o.f[row]], o.values[o.argument[row]], o.values[o.result[row]]
    if name == "read":
        return value_text(result)
    return value_text(result[2] if isinstance(result, list) and len(result) == 3 else argument[0])


def _at(moves: Moves, key: int) -> str:
    several = len({move.key for move in moves.moves}) > 1
    return f" at {key_text(moves.history.operations.keys[key])}" if several else ""


def _session(moves: Moves, row: int) -> str:
    o = moves.history.operations
    own = o.session[row] != o.process[row]
    return f"{'session' if own else 'process'} {o.names[o.session[row]]}"
