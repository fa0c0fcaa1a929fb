import asyncio
import json
import os

import pytest

from harness.errors import PlanError
from harness.simulation.branching import Child, fork_each, leave
from harness.simulation.loop import SimLoop
from harness.simulation.world import Turn, World, read_world, told_turns
from harness.streams import Streams
from harness.tape import Tape

BRANCH_S = 0.5


def story(told, at_branch=None, turns=(), streams=None):
    """Draws twenty numbers, one each tenth of a second, into `told`; the loop."""
    loop = SimLoop(streams or Streams(7), World(turns=turns))
    chance = loop.streams.stream("test")

    async def main():
        for _ in range(20):
            await asyncio.sleep(0.1)
            told.append(chance.randrange(1000))
            if loop.time() == BRANCH_S and at_branch is not None:
                loop.at_turn(loop.virtual_ns, lambda: at_branch(loop))

    loop.run_until_complete(main())
    loop.close()
    return loop


def branched(children=3, misbehave=None, patience_s=30):
    """What the parent drew, its digest, and what came of its children."""
    drawn, found = [], []

    def split(loop):
        outcome = fork_each(loop, [f"b{number}" for number in range(children)], patience_s)
        if isinstance(outcome, Child):
            found.append(outcome)
            if misbehave is not None:
                misbehave()
        else:
            found.extend(outcome)

    try:
        loop = story(drawn, split)
        if isinstance(found[0], Child):
            found[0].tell(json.dumps([drawn, loop.trace.digest()]).encode())
    finally:
        if found and isinstance(found[0], Child):
            leave()
    return drawn, loop.trace.digest(), found


def test_branches_are_equal_before_and_differ_after():
    drawn, _, found = branched()
    ends = [json.loads(one.data)[0] for one in found]
    assert all(len(end) == 20 and end[:5] == drawn[:5] for end in ends)
    assert len({tuple(end[5:]) for end in [drawn, *ends]}) == 4


def test_a_run_that_is_branched_is_the_run_that_it_would_have_been():
    drawn, digest, _ = branched()
    alone = []
    assert story(alone).trace.digest() == digest
    assert alone == drawn


def test_a_branch_is_run_again_from_its_turn():
    _, _, found = branched()
    for one in found:
        again = []
        loop = story(again, turns=read_world({"turns": told_turns([one.turn])}).turns)
        assert [again, loop.trace.digest()] == json.loads(one.data)


def test_the_tape_of_a_branch_is_the_branch_under_any_seed_and_without_its_turn():
    branch, again = [], []
    recorded = story(branch, turns=(Turn(550_000_000, "b1"),), streams=Streams(7, record=True))
    tape = Tape.from_json(recorded.streams.recorded().to_json())
    replayed = story(again, streams=Streams(99, tape=tape))
    assert again == branch and replayed.trace.digest() == recorded.trace.digest()
    plain = []
    story(plain)
    assert plain[:5] == branch[:5] and plain[5:] != branch[5:]


@pytest.fixture
def forked(monkeypatch):
    """The numbers of all processes that are forked."""
    real, pids = os.fork, []

    def fork():
        pid = real()
        pids.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", fork)
    return pids


def assert_gone(pids):
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_no_child_is_left(forked):
    branched()
    assert len(forked) == 3
    assert_gone(forked)


def test_a_child_that_says_nothing_is_ended_and_told_of(forked):
    def hang():
        while True:
            pass

    drawn, _, found = branched(2, hang, patience_s=0.1)
    assert len(drawn) == 20
    assert [one.why for one in found] == [f"The branch b{n} said nothing for 0.1 s, and was ended." for n in (0, 1)]
    assert len(forked) == 2
    assert_gone(forked)


def test_a_child_that_fails_is_told_of():
    def fail():
        raise RuntimeError("not a word of this")

    _, _, found = branched(1, fail)
    assert found[0].data is None and "ended without a word" in found[0].why


def test_turns_are_read_as_they_are_told():
    turns = (Turn(5, "b0"), Turn(1_204_113_000, "b2"))
    assert read_world({"turns": told_turns(turns)}).turns == turns
    assert read_world({"turns": ""}).turns == ()


@pytest.mark.parametrize("text", ["x", "5", "5:", ":b", "-1:b", "1.5:b"])
def test_a_turn_that_is_none_is_refused(text):
    with pytest.raises(PlanError, match="turns must be NANOSECONDS:NAME"):
        read_world({"turns": text})
