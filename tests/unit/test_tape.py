"""The choice tape: recording changes nothing, replaying gives the same, and its end is mild."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SplitbrainError, UsageError
from harness.streams import Streams
from harness.tape import Choice, Tape, decide, happens

DRAWS = {
    "random": lambda stream: stream.random(),
    "randint": lambda stream: stream.randint(1, 6),
    "choice": lambda stream: stream.choice("abcdef"),
    "choices": lambda stream: stream.choices("abc", k=3),
    "sample": lambda stream: stream.sample(range(20), 5),
    "shuffle": lambda stream: stream.shuffle(list(range(6))),
    "uniform": lambda stream: stream.uniform(-1, 1),
    "gauss": lambda stream: stream.gauss(0, 1),
    "normalvariate": lambda stream: stream.normalvariate(3, 2),
    "lognormvariate": lambda stream: stream.lognormvariate(0, 1),
    "expovariate": lambda stream: stream.expovariate(2),
    "triangular": lambda stream: stream.triangular(),
    "getrandbits": lambda stream: stream.getrandbits(70),
    "randbytes": lambda stream: stream.randbytes(9),
    "happens": lambda stream: happens(stream, "fault", 0.5),
    "decide": lambda stream: decide(stream, "lost", 10, lambda source: source.randrange(10)),
}
PLANS = st.lists(st.tuples(st.sampled_from(["network/a>b", "node/n1", "faults"]), st.sampled_from(sorted(DRAWS))))


def drawn(streams, plan):
    return [DRAWS[draw](streams.stream(name)) for name, draw in plan]


@given(plan=PLANS, seed=st.integers(0, 1000))
def test_recording_changes_nothing_and_replaying_with_another_seed_gives_the_same(plan, seed):
    plain = drawn(Streams(seed), plan)
    recording = Streams(seed, record=True)
    assert drawn(recording, plan) == plain
    tape = recording.recorded()
    again = Streams(seed + 1, tape=Tape.from_json(tape.to_json()))
    assert drawn(again, plan) == plain
    assert again.recorded() == tape
    assert all(0 <= choice.value < choice.bound for choice in tape.choices)


@given(plan=PLANS, seed=st.integers(0, 1000), kept=st.integers(0, 60))
def test_streams_of_the_program_go_on_with_the_seed_where_the_tape_ends(plan, seed, kept):
    recording = Streams(seed, record=True)
    plain = drawn(recording, plan)
    cut = drawn(Streams(seed, tape=recording.recorded().first(kept)), plan)
    for (name, _), before, after in zip(plan, plain, cut, strict=True):
        assert name != "node/n1" or before == after


def test_past_its_end_a_tape_goes_on_with_the_mildest():
    streams = Streams(7, tape=Tape())
    stream = streams.stream("network/a>b")
    assert [stream.random(), stream.randrange(9), stream.getrandbits(4), stream.normalvariate(5, 1)] == [0.0, 0, 0, 5.0]
    assert not happens(stream, "fault", 0.99)
    assert streams.stream("node/n1").random() == Streams(7).stream("node/n1").random()


def test_each_stream_has_its_own_choices_so_an_edit_of_one_does_not_shift_another():
    recording = Streams(7, record=True)
    for _ in range(3):
        recording.stream("a").randrange(100)
        recording.stream("b").randrange(100)
    tape = recording.recorded()
    values = {name: [choice.value for choice in tape.choices if choice.stream == name] for name in "ab"}
    for edited in (tape.without("a"), tape.with_values([(0, 0), (2, 0), (4, 0)])):
        streams = Streams(7, tape=edited)
        assert [streams.stream("a").randrange(100) for _ in range(3)] == [0, 0, 0]
        assert [streams.stream("b").randrange(100) for _ in range(3)] == values["b"]


def test_a_choice_that_does_not_fit_is_the_mildest_or_the_largest():
    tape = Tape((Choice("a", "below", 100, 50), Choice("a", "below", 100, 50), Choice("a", "below", 100, 7)))
    stream = Streams(1, tape=tape).stream("a")
    assert [stream.random(), stream.randrange(10), stream.randrange(10)] == [0.0, 9, 7]


def test_another_future_of_the_same_past():
    futures = []
    for salt in ("left", "right", "left"):
        streams = Streams(7, record=True)
        past = streams.stream("a").random()
        streams.reseed(salt)
        futures.append((past, streams.stream("a").random(), streams.stream("new").random()))
        tape = streams.recorded()
        replayed = Streams(99, tape=tape)
        assert futures[-1] == tuple(replayed.stream(name).random() for name in ("a", "a", "new"))
    assert futures[0] == futures[2] != futures[1]
    assert futures[0][0] == futures[1][0]


def test_what_draws_until_something_fits_is_refused():
    stream = Streams(1, record=True).stream("a")
    for draw in (
        lambda: stream.gammavariate(2, 1),
        lambda: stream.betavariate(1, 1),
        lambda: stream.vonmisesvariate(0, 1),
    ):
        with pytest.raises(SplitbrainError, match="has no place on a tape"):
            draw()


def test_streams_that_do_not_record_say_so():
    with pytest.raises(ValueError, match="do not record"):
        Streams(1).recorded()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Line 1 of the tape"),
        ("[]\n", "Line 1 of the tape"),
        ('{"seeded": []}\n["a", "x", 2]\n', "Line 2 of the tape: wanted .stream, label, bound, value."),
        ('{"seeded": []}\n["a", "x", 2, 1]\n["a", "x", 2, 2]\n', "Line 3 of the tape: wanted two names and 0 <= value"),
        ('{"seeded": []}\n{}x\n', "Line 2 of the tape"),
    ],
)
def test_a_broken_tape_is_refused_with_the_line(text, said):
    with pytest.raises(UsageError, match=said):
        Tape.from_json(text)
