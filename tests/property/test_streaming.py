"""Streaming checkers say after every event what the offline ones say of the history up to there."""

from collections import Counter

import msgspec
import pytest
from oracle.replicas import Sessions as Replicas
from oracle.streams import countable, counter_events, register_events
from torture import some_and_many

from checkers.linearizability import Linearizability
from checkers.objects import Counter as OfflineCounter
from checkers.protocol import Budget
from checkers.sessions import MonotonicReads, MonotonicWrites, ReadYourWrites, WritesFollowReads
from checkers.sessions.record import Record
from checkers.streaming import StreamingCounter, StreamingRegister, StreamingSessions
from checkers.streaming.protocol import StreamingChecker
from harness.history import Header, History

SEEDS = some_and_many(5000)


def first_violation(checker, events):
    """The event that completes a violation, and whether the last verdict says that there was one."""
    at = next((op.index for op in events if checker.event(op)), None)
    answers = [verdict.answer for verdict in checker.verdicts()]
    return at, answers


def agrees_on_prefixes(offline, header, events, at):
    """Whether the offline checker finds nothing before that event, and something with it."""
    if at is None:
        return offline.check(History(header, events), Budget(60)).answer == "valid"
    before = offline.check(History(header, events[:at]), Budget(60)).answer
    return before != "invalid" and offline.check(History(header, events[: at + 1]), Budget(60)).answer == "invalid"


@SEEDS
@pytest.mark.parametrize("sweep", [1, 16])
def test_a_register_is_found_broken_at_the_event_that_breaks_it(seeds, sweep, monkeypatch):
    monkeypatch.setattr("checkers.streaming.register.SWEEP_EVERY", sweep)
    header = Header(1, "cas-register", None, "returned")
    seen = Counter()
    for seed in seeds[sweep % 2 :: 2]:
        events = register_events(seed)
        at, (answer,) = first_violation(StreamingRegister(header), events)
        assert answer == ("valid" if at is None else "invalid"), seed
        assert agrees_on_prefixes(Linearizability(), header, events, at), seed
        seen[answer] += 1
    seeds.told(seen["invalid"], seen.total())
    assert seen["invalid"] > 0.1 * seen.total()


def as_adds(events):
    """Increments that tell nothing, as others write them: adds that repeat by how much."""
    return [
        msgspec.structs.replace(op, f="add", value=1 if op.type in ("invoke", "ok") else op.value)
        if op.f == "increment"
        else op
        for op in events
    ]


@SEEDS
@pytest.mark.parametrize("tells", [False, True], ids=["silent", "telling"])
def test_a_counter_is_found_broken_at_the_event_that_breaks_it(seeds, tells):
    header = Header(1, "counter", 0)
    seen = Counter()
    for seed in seeds[::2]:
        events = counter_events(seed, tells)
        at, (answer,) = first_violation(StreamingCounter(header), events)
        assert countable(events if at is None else events[:at]), seed
        assert at is None or not countable(events[: at + 1]), seed
        assert answer == ("valid" if at is None else "invalid"), seed
        if tells:
            assert agrees_on_prefixes(OfflineCounter(), header, events, at), seed
        else:
            assert first_violation(StreamingCounter(header), as_adds(events)) == (at, [answer]), seed
        seen[answer] += 1
    seeds.told(seen["invalid"], seen.total())
    assert seen["invalid"] > 0.1 * seen.total()


@SEEDS
def test_session_guarantees_are_found_broken_at_the_event_that_breaks_them(seeds):
    header = Header(1, "register")
    offline = [ReadYourWrites(), MonotonicReads(), MonotonicWrites(), WritesFollowReads()]
    seen = Counter()
    for seed in seeds[::2]:
        events = Replicas(seed).history(12, 2, ("global", "key")[seed // 2 % 2])
        record = Record.of(History(header, events))
        if not record.key or not set(record.key) <= record.versioned:
            continue
        for checker in offline:
            streaming = StreamingSessions(header, (checker.name,))
            at, (answer,) = first_violation(streaming, events)
            if answer == "unknown":
                assert at is None, seed
                assert checker.name in ("monotonic-writes", "writes-follow-reads"), seed
            elif at is None:
                assert checker.check(History(header, events), Budget(60)).answer == "valid", (seed, checker.name)
            else:
                assert checker.check(History(header, events[: at + 1]), Budget(60)).answer == "invalid", seed
                before = checker.check(History(header, events[:at]), Budget(60)).answer
                assert before != "invalid" or streaming.crossing, seed
            seen[checker.name, answer] += 1
    seeds.told(sum(count for (_, answer), count in seen.items() if answer == "invalid"), seen.total())
    for checker in offline:
        answers = [seen[checker.name, answer] for answer in ("valid", "invalid", "unknown")]
        assert answers[0] > 0.3 * sum(answers)
        assert answers[1] > 0.02 * sum(answers)


def test_memory_does_not_grow_with_the_history():
    for model in (
        StreamingRegister(Header(1, "cas-register", None, "returned")),
        StreamingCounter(Header(1, "counter", 0)),
    ):
        assert isinstance(model.name, str) and isinstance(model, object)
        most = []
        index = 0
        for length in (2_000, 20_000):
            while index < length:
                index = _turn(model, index)
            most.append(model.held())
        assert most[1] <= most[0] + 200, model.name
        assert [verdict.answer for verdict in model.verdicts()] == ["valid"]


def _turn(checker: StreamingChecker, index: int) -> int:
    """Two clients that overlap, on a register (mostly compare-and-sets) or a counter."""
    from harness.op import Op

    number = index // 8
    if checker.name == "counter":
        script = [
            (0, "increment", 1, 2 * number + 1),
            (1, "increment", 1, 2 * number + 2),
            (0, "read", None, 2 * number + 2),
        ]
    else:
        value = number or None
        script = [
            (0, "cas", [value, number + 1], [value, number + 1]),
            (1, "read", None, number + 1),
            (0, "read", None, number + 1),
        ]
    begins = [Op(index + place, None, p, "invoke", f, None, asked) for place, (p, f, asked, _) in enumerate(script[:2])]
    ends = [Op(index + 2 + place, None, p, "ok", f, None, told) for place, (p, f, _, told) in enumerate(script[:2])]
    p, f, asked, told = script[2]
    last = [Op(index + 4, None, p, "invoke", f, None, asked), Op(index + 5, None, p, "ok", f, None, told)]
    for op in [*begins, *ends, *last]:
        assert not checker.event(op)
    return index + 8
