"""Decides one register that the zones cannot: values that are written twice, refusals that do not tell the state."""

from __future__ import annotations

from collections.abc import Callable

from checkers.linearizability.depth_first import Dead
from checkers.linearizability.refutation import Refutation
from checkers.linearizability.register import Register
from checkers.linearizability.search import search
from checkers.linearizability.stale import Stale, first_stale, possible_states
from checkers.linearizability.steps import Undecided
from checkers.linearizability.witness import smallest_proof


def decide_register(register: Register, spent: Callable[[], bool]) -> list[int] | Refutation | Undecided:
    """A legal order, a small refutation, or how far there is an order when the budget did not suffice."""
    stale = first_stale(register)
    if stale is not None:
        return stale_witness(register, stale)
    result = search(register.steps, spent)
    if isinstance(result, Dead):
        return smallest_witness(register, result.step, spent)
    return result


def stale_witness(register: Register, stale: Stale) -> Refutation:
    """The proof for what the real-time order refutes: the step, and the write that came between."""
    step = stale.step
    if stale.overwrite is None:
        rule = "search" if register.expected[step] in register.produced else "unwritten-value"
        return Refutation(rule, (step,), step, register, states=(register.initial,))
    since = register.invoke[stale.overwrite]
    states = possible_states(register, since)
    return Refutation("search", (stale.overwrite, step), step, register, since, register.response[step], states)


def smallest_witness(register: Register, step: int, spent: Callable[[], bool]) -> Refutation:
    """The proof that no legal order gets past the response of a step; a window may start anywhere."""
    proof = smallest_proof(register.steps, step, spent, lambda since: (since, possible_states(register, since)))
    return Refutation(
        "search", proof.steps, proof.culprit, register, proof.since, proof.until, proof.states, proof.shown
    )
