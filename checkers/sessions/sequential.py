"""Sequential consistency: is there one order of all operations, in which each session keeps its own?

That is NP-complete, so it is tried in three ways, each of which is right when it answers.

Guesses. Two orders that most valid histories have are tried: see `checkers.sessions.canonical`.

Saturation. Everything known to precede (sessions, and writes before the reads of their values) is closed under

    w1 precedes a read of w2          then w1 precedes w2
    w2 precedes w1                    then whoever read w2 precedes w1
    a read of the initial value       precedes every write of its key

for writes w1, w2 of one key. A circle is a violation. It takes values that are all different.

Search. Operations are placed one after another, in an order that keeps to what was found; reads as soon as they fit.
What was tried is remembered, within STATES_BYTES_MAX. It finds an order, or finds that there is none, or gives up when
the budget is spent.

Sources: Gibbons & Korach (SIAM J. Comput. 1997); saturation as in Biswas & Enea (OOPSLA 2019) and Zennou et al.
(CAV 2019).
Limits: not a property of each key, so all keys are judged together. The clocks of saturation, and
STATES_BYTES_MAX, bound the memory.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from checkers.protocol import Budget
from checkers.sessions.canonical import by_what_follows, guessed
from checkers.sessions.explain import key_text, value_text
from checkers.sessions.saturation import Edge, Saturation
from checkers.sessions.steps import NOTHING, Moves
from checkers.tokens import Token
from harness.history import History
from harness.verdict import Anomaly, Verdict

STATES_BYTES_MAX: Final = 1 << 29
STATE_BYTES: Final = 100
"""What remembering a state takes beside the state."""
NONE: Final = 0
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
        if moves.unique and (order := guessed(moves, saturation)) is not None:
            return self._ordered(moves, order, counts)
        state = saturation.run(budget.spent) if moves.unique else "skipped"
        counts["saturation_rounds"] = saturation.rounds
        if saturation.circle:
            return self._invalid(moves, _circle_anomaly(moves, saturation), counts)
        if moves.unique and (order := by_what_follows(moves, saturation)) is not None:
            return self._ordered(moves, order, counts)
        search = Search(moves, saturation)
        found = search.run(budget)
        counts["states_searched"] = search.states
        if found == "none":
            return self._invalid(moves, _no_order_anomaly(moves), counts)
        if found == "order":
            return self._ordered(moves, search.order, counts)
        reason = f"{found}; saturation: {state}; at most {search.deepest:,} of {len(moves.moves):,} operations placed."
        return self._open(reason, counts)

    def _ordered(self, moves: Moves, order: Sequence[int], counts: dict[str, int]) -> Verdict:
        if moves.silent:
            reason = f"{moves.silent:,} refused compare-and-sets that do not tell what they met were left out."
            return self._open(reason, counts)
        summary = f"All {len(moves.moves):,} operations have an order that each of the sessions agrees with."
        certificate = {"order": [moves.moves[number].invoke for number in order]}
        return Verdict(self.name, "valid", summary, counts=counts, certificate=certificate)

    def _open(self, reason: str, counts: dict[str, int]) -> Verdict:
        return Verdict(self.name, "unknown", "Whether there is an order is open.", counts=counts, reason=reason)

    def _invalid(self, moves: Moves, anomaly: Anomaly, counts: dict[str, int]) -> Verdict:
        summary = f"{len(moves.moves):,} operations of {len(moves.lanes_of):,} sessions have no order."
        return Verdict(self.name, "invalid", summary, (anomaly,), counts | {"anomalies": 1})


class Search:
    """Depth-first search over how far each lane has come, and what each key holds.

    Values are numbered; NONE stands for NOTHING.
    """

    def __init__(self, moves: Moves, saturation: Saturation) -> None:
        self.moves, self.saturation = moves, saturation
        self.order: list[int] = []
        self.states = 0
        self.deepest = 0
        codes: dict[Token, int] = {NOTHING: NONE}
        self._finds = [codes.setdefault(move.finds, len(codes)) for move in moves.moves]
        self._leaves = [codes.setdefault(move.leaves, len(codes)) for move in moves.moves]
        self._key = [move.key for move in moves.moves]
        self._left = Counter(zip(self._key, self._finds, strict=True))  # finders of a value that are yet to come
        self._must = sum(not optional for optional in moves.optional)
        self._reached = array("i", [0] * len(moves.lanes))
        initial = codes.setdefault(moves.initial, len(codes))
        self._holds = array("i", [initial] * (1 + max(self._key, default=0)))
        self._done = [False] * len(moves.moves)

    def run(self, budget: Budget) -> str:
        """ "order" (see `order`), "none", or why it was given up."""
        holds, key = self._holds, self._key
        placed: list[tuple[int, int]] = []
        must, tried = self._must, set[bytes]()
        states_max = STATES_BYTES_MAX // (STATE_BYTES + len(self._state()))
        choices = [self._choices()]
        while True:
            if not must:
                self.order = [number for number, _ in placed]
                return "order"
            if choices[-1]:
                number = choices[-1].pop()
                placed.append((number, holds[key[number]]))
                self._place(number, 1)
                must -= not self.moves.optional[number]
                self.states += 1
                self.deepest = max(self.deepest, len(placed))
                if not self.states % LOOK_EVERY and budget.spent():
                    return "the time was over"
                choices.append(self._choices())
                if len(choices[-1]) > 1:  # only where there is a choice can the same state come up again and again
                    state = self._state()
                    if state in tried:
                        choices[-1] = []
                    elif len(tried) >= states_max:
                        return f"the search outgrew {states_max:,} states"
                    tried.add(state)
                continue
            choices.pop()
            if not placed:
                return "none"
            number, before = placed.pop()
            self._place(number, -1)
            holds[key[number]] = before
            must += not self.moves.optional[number]

    def _state(self) -> bytes:
        return self._reached.tobytes() + self._holds.tobytes()

    def _place(self, number: int, by: int) -> None:
        key = self._key[number]
        self._reached[self.moves.lane[number]] += by
        self._done[number] = by > 0
        self._left[key, self._finds[number]] -= by
        if by > 0 and self._leaves[number] != NONE:
            self._holds[key] = self._leaves[number]

    def _choices(self) -> list[int]:
        """What may come next, the best last. A read that fits may always come at once."""
        moves, done, found = self.moves, self._done, []
        for lane, place in enumerate(self._reached):
            if place == len(moves.lanes[lane]):
                continue
            number = moves.lanes[lane][place]
            key, finds, leaves = self._key[number], self._finds[number], self._leaves[number]
            now = self._holds[key]
            if finds not in (NONE, now):
                continue
            if any(not done[other] for other in self.saturation.needs(number)):
                continue
            if leaves == NONE:
                return [number]
            waiting = self._left[key, now] - (finds != NONE)
            if moves.unique and waiting and now != leaves:
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
