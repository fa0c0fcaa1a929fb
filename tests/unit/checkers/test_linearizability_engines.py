"""Each way of deciding by itself agrees with brute force, also where the checker would have asked another first."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest
from oracle.linearizability import linearizable
from oracle.registers import interleaved, random_events, random_shape

from checkers.linearizability import Linearizability
from checkers.linearizability.by_register import decide_register, smallest_witness
from checkers.linearizability.depth_first import Dead, depth_first
from checkers.linearizability.frontier import Window, frontier, states_reached, whole
from checkers.linearizability.refutation import Refutation
from checkers.linearizability.register import NEVER, NO_VALUE, NOT, READ, Register, after, registers
from checkers.linearizability.search import Undecided, search
from checkers.linearizability.stale import first_stale, possible_states
from checkers.linearizability.zones import decide
from checkers.protocol import Budget
from harness.history import Header, History
from harness.op import Op
from harness.streams import Random

KEYS = 60
SEEDS = range(5_000, 5_025)
REFUSALS = ("drop", "returned", "mismatch")
Case = tuple[Register, bool]


def cases(refusals: Any) -> Iterator[Case]:
    """Registers, and whether brute force finds an order."""
    header = Header(splitbrain=1, model="cas-register", fail_cas=refusals)
    for seed in SEEDS:
        random = Random(seed)
        parts = [random_events(random, random_shape(random, True, refusals), None) for _ in range(KEYS)]
        history = History(header, interleaved(random, parts))
        for register in registers(history, "cas-register"):
            yield register, linearizable(parts[register.key], None, refusals)


def result(turns: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(turns)
        except StopIteration as stop:
            return stop.value


def is_legal(register: Register, order: list[int]) -> bool:
    """Whether an order replays, respects real time, and holds all that happened."""
    state = register.initial
    for place, step in enumerate(order):
        left = after(state, register.kind[step], register.expected[step], register.produced[step])
        if left == NO_VALUE or any(register.response[later] < register.invoke[step] for later in order[place:]):
            return False
        state = left
    definite = {step for step, end in enumerate(register.response) if end != NEVER}
    return definite <= set(order) and len(set(order)) == len(order)


def agree(register: Register, expected: bool, answer: Any) -> bool:
    if isinstance(answer, list):
        return expected and is_legal(register, answer)
    return not expected and isinstance(answer, Dead | Refutation)


@pytest.mark.parametrize("refusals", REFUSALS)
def test_depth_first_search_agrees_with_brute_force(refusals: str) -> None:
    assert all(agree(register, expected, result(depth_first(register.steps))) for register, expected in cases(refusals))


def test_a_hasty_search_is_right_whenever_it_answers_and_seldom_gives_up_where_there_is_an_order() -> None:
    answers = [
        (register, expected, result(depth_first(register.steps, hasty=True)))
        for register, expected in cases("returned")
    ]
    assert all(agree(register, expected, answer) for register, expected, answer in answers if answer is not None)
    assert all(answer is not None or NEVER in register.response for register, _, answer in answers)
    gave_up = [expected for _, expected, answer in answers if answer is None]
    assert gave_up.count(True) < len(answers) / 50 < gave_up.count(False)


@pytest.mark.parametrize("refusals", REFUSALS)
def test_the_frontier_agrees_with_brute_force(refusals: str) -> None:
    assert all(agree(register, expected, result(frontier(register.steps))) for register, expected in cases(refusals))


def test_depth_first_search_and_the_frontier_fail_at_the_same_response() -> None:
    broken = [register for register, expected in cases("mismatch") if not expected]
    assert len(broken) > 100
    assert all(result(depth_first(register.steps)) == result(frontier(register.steps)) for register in broken)


def test_a_narrow_frontier_is_right_whenever_it_answers() -> None:
    answers = [
        (register, expected, result(frontier(register.steps, beam=1))) for register, expected in cases("returned")
    ]
    assert all(answer is None or agree(register, expected, answer) for register, expected, answer in answers)
    assert sum(isinstance(answer, list) for _, _, answer in answers) > len(answers) / 3


def test_the_zones_agree_with_brute_force_where_values_are_all_different() -> None:
    answers = [(register, expected, decide(register)) for register, expected in cases("returned")]
    decided = [answer for answer in answers if answer[2] is not None]
    assert all(agree(*answer) for answer in decided)
    assert len(decided) > len(answers) / 4


def test_what_real_time_alone_refutes_is_broken() -> None:
    stale = [expected for register, expected in cases("mismatch") if first_stale(register)]
    assert not any(stale)
    assert len(stale) > 100


def test_all_together_agree_with_brute_force() -> None:
    assert all(
        agree(register, expected, decide_register(register, lambda: False)) for register, expected in cases("mismatch")
    )


def test_no_state_that_is_possible_is_left_out() -> None:
    """After the last event, a read of anything but the states possible there has no order; of those reached, it has."""
    for register, expected in cases("drop"):
        if not expected:
            continue
        end = max([*register.invoke, *(r for r in register.response if r != NEVER)], default=0) + 1
        reached = set(states_reached(register.steps, whole(register.steps)))
        truly = {value for value in range(len(register.values)) if has_order_with_read(register, value, end)}
        assert reached == truly
        assert truly <= set(possible_states(register, end))


def has_order_with_read(register: Register, value: int, end: int) -> bool:
    read = Register(
        register.key,
        register.initial,
        [*register.kind, READ],
        [*register.expected, value],
        [*register.produced, NO_VALUE],
        [*register.invoke, end],
        [*register.response, end + 1],
        register.values,
        register.aborted,
    )
    return isinstance(result(depth_first(read.steps)), list)


def still_broken(refutation: Refutation, steps: tuple[int, ...]) -> bool:
    """Whether fewer steps are still a proof, with everything else given away."""
    register = refutation.register
    scope = [
        step
        for step in range(len(register))
        if register.invoke[step] < refutation.until
        and register.response[step] >= refutation.since
        and (step in steps or register.kind[step] not in (READ, NOT))
    ]
    states = possible_states(register, refutation.since)
    return isinstance(result(frontier(register.steps, Window(states, scope, frozenset(steps), refutation.until))), Dead)


def test_of_a_proof_by_search_nothing_can_be_left_out() -> None:
    proofs = 0
    for register, expected in cases("mismatch"):
        if expected:
            continue
        failing = result(frontier(register.steps))
        proof = smallest_witness(register, failing.step, lambda: False)
        assert still_broken(proof, proof.steps)
        fewer = [tuple(step for step in proof.steps if step != left_out) for left_out in proof.steps]
        assert not any(still_broken(proof, steps) for steps in fewer)
        proofs += 1
    assert proofs > 100


def long_history(doubt: float) -> Register:
    """300 operations of 8 clients on three values, all in order."""
    random = Random(3)
    shape = random_shape(random, True, "drop")
    shape = type(shape)(300, 8, 3, 0.3, 0.0, doubt, "drop", None)
    events = [
        Op(i, None, op.process, op.type, op.f, None, op.value)
        for i, op in enumerate(random_events(random, shape, None))
    ]
    [register] = registers(History(Header(splitbrain=1, model="cas-register"), events), "cas-register")
    return register


@pytest.mark.parametrize("doubt", [0.0, 0.1])
def test_long_histories_get_orders_from_every_search(doubt: float) -> None:
    register = long_history(doubt)
    assert is_legal(register, result(depth_first(register.steps)))
    assert is_legal(register, result(frontier(register.steps, beam=2)))


def test_a_search_without_budget_answers_nothing() -> None:
    assert search(long_history(0.1).steps, lambda: True) == Undecided(0)


def test_whoever_listens_is_told_which_key_is_searched() -> None:
    heard: list[str] = []
    random = Random(5_000)
    while not heard:
        events = random_events(random, random_shape(random, True, "drop"), None)
        history = History(Header(splitbrain=1, model="cas-register", fail_cas="drop"), events)
        Linearizability().check(history, Budget(listener=heard.append))
    assert heard[-1].startswith("0 of 1 keys decided, searching ")
    assert heard[-1].endswith(f"({len(next(registers(history, 'cas-register')))} operations)")
