"""Named streams: equal for equal seeds, independent of each other."""

from harness.streams import Streams


def test_a_stream_is_decided_by_seed_and_name_alone():
    one, two = Streams(5), Streams(5)
    two.stream("other").random()
    assert [one.stream("net").random() for _ in range(5)] == [two.stream("net").random() for _ in range(5)]


def test_streams_differ_by_name_and_by_seed():
    draws = {Streams(seed).stream(name).random() for seed in range(10) for name in "abcde"}
    assert len(draws) == 50
