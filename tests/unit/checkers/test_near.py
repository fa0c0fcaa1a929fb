"""Which actions lead the shortest way: bits of a number say the same as sets of states."""

from random import Random

from checkers.linearizability.depth_first import _Search
from checkers.linearizability.near import Near
from checkers.linearizability.register import CAS, NO_VALUE, NOT, READ, WRITE, Register


def register(random: Random) -> Register:
    """Steps on a register of at most five values, one after another."""
    count = random.randrange(1, 30)
    kind = [random.choice((READ, WRITE, CAS, CAS, NOT)) for _ in range(count)]
    expected = [NO_VALUE if one == WRITE else random.randrange(5) for one in kind]
    produced = [random.randrange(5) if one in (WRITE, CAS) else NO_VALUE for one in kind]
    begins, ends = list(range(0, 2 * count, 2)), list(range(1, 2 * count, 2))
    return Register(None, 0, kind, expected, produced, begins, ends, [], {})


def test_bits_and_sets_find_the_same_ways():
    random, several = Random(8), 0
    for _ in range(600):
        steps = register(random).steps
        search = _Search(steps, hasty=False)
        near = search.near
        assert isinstance(near, Near)
        movers = [action for action, observes in enumerate(steps.observes) if not observes]
        for _ in range(20):
            actions = sum(1 << action for action in movers if random.random() < 0.4)
            state, due = random.randrange(near.states - 1), random.randrange(len(steps.observes))
            found = near.find(state, actions, due)
            assert found == search._find(state, actions, due)
            several += len(found[1]) > 2
    assert several > 100
