import asyncio
import itertools

import pytest
from little import Little, ask, echo

from harness.op import Op
from harness.simulation.compare import check_twice, compare, share_is_checked
from harness.simulation.ground import SimGround
from harness.simulation.recording import Event, Recording


def play(ground, program=echo, extra=None):
    """A short run with a few faults."""
    loop = ground.new_event_loop()

    async def main():
        async with ground.cluster(Little(program), ("n1", "n2"), {}, "run") as cluster:
            await asyncio.sleep(0.1)
            await ask(cluster, "n1")
            ground.note(Op(process=1, type="ok", f="read", key="x", value=5))
            await cluster.net.cut([("n1", "n2")])
            await cluster.clocks.set_offset_ns("n2", 5)
            await cluster.processes.kill("n2")
            if extra is not None:
                await extra(cluster)

    loop.run_until_complete(main())
    loop.close()
    return ground


async def unasked(ground, program, seconds):
    async with ground.cluster(Little(program), ("n1", "n2"), {}, "run") as cluster:
        await asyncio.sleep(0.1)
        await cluster.net.cut([("n1", "n2")])
        await asyncio.sleep(seconds)


async def storing(machine, addresses):
    machine.disk.append("log", b"12345")
    machine.disk.sync("log")
    machine.log("hello")
    await echo(machine, addresses)


def test_a_recording_tells_what_happened_in_order():
    events = play(SimGround(1, record=True), storing).recording().events
    assert all(before.time_ns <= after.time_ns for before, after in itertools.pairwise(events))
    assert {event.kind for event in events} == {
        "task", "timer", "send", "deliver", "disk", "process", "log", "clock", "net", "client",
    }  # fmt: skip
    told = {event[1:6] for event in events}
    assert ("n1", "disk", "append log", "", 5) in told
    assert ("n1", "deliver", "data", "control", 6) in told
    assert ("control", "send", "data", "n1", 6) in told
    assert ("control", "net", "cut: n1>n2", "", 0) in told
    assert ("n2", "process", "killed", "", 0) in told
    assert ("n2", "clock", "offset 5 ns", "", 0) in told
    assert ("control", "client", "1 ok read x 5", "", 0) in told
    assert ("n1", "log", "hello", "", 0) in told


def test_what_arrives_has_the_number_under_which_it_was_sent_and_tells_how_it_begins():
    events = play(SimGround(1, record=True), storing).recording().events
    sent = {event.message: event for event in events if event.kind == "send"}
    arrived = [event for event in events if event.kind == "deliver"]
    assert arrived and all(sent[event.message][2:4] == ("send", event.what) for event in arrived)
    assert all((sent[event.message].node, event.node) == (event.peer, sent[event.message].peer) for event in arrived)
    assert {event.content for event in arrived if event.what == "data"} == {"hello·"}


def test_what_is_sent_into_a_cut_is_recorded_as_dropped():
    async def program(machine, addresses):
        if machine.name == "n2":
            await echo(machine, addresses)
        await asyncio.sleep(0.05)
        _, writer = await asyncio.open_connection(*addresses["n2"])
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.1)

    ground = SimGround(1, record=True)
    loop = ground.new_event_loop()
    loop.run_until_complete(unasked(ground, program, 1))
    loop.close()
    events = ground.recording().events
    assert any(event[1:6] == ("n1", "drop", "data", "n2", 1) for event in events)


def test_a_run_that_records_is_the_same_run():
    assert play(SimGround(1)).digest() == play(SimGround(1, record=True)).digest()
    assert play(SimGround(1)).digest() != play(SimGround(2)).digest()


def test_a_ground_that_does_not_record_says_so():
    with pytest.raises(ValueError, match="does not record"):
        play(SimGround(1)).recording()
    with pytest.raises(ValueError, match="no loop yet"):
        SimGround(1).streams()


def test_the_digest_covers_what_clients_saw():
    def digest(value):
        async def extra(cluster):
            ground.note(Op(process=1, type="ok", f="read", key="x", value=value))

        ground = SimGround(1)
        return play(ground, extra=extra).digest()

    assert digest(1) == digest(1) != digest(2)


def test_the_digest_covers_what_is_synced():
    def digest(data):
        async def program(machine, addresses):
            machine.disk.append("log", data)
            machine.disk.sync("log")
            await echo(machine, addresses)

        return play(SimGround(1), program).digest()

    assert digest(b"a") == digest(b"a") != digest(b"b")


def test_a_recording_is_bounded_and_says_what_it_left_out(monkeypatch):
    monkeypatch.setattr("harness.simulation.recording.EVENTS_MAX", 2)
    recording = Recording()
    for number in range(5):
        recording.add(number, "n1", "log", "x")
    assert (len(recording.events), recording.left_out) == (2, 3)


# ── comparing two runs ───────────────────────────────────────────────────────────────────────────────────────────────


def test_equal_runs_have_no_difference():
    assert check_twice(lambda: SimGround(1, record=True), play) is None


def leaking(source):
    """A program that lets in something that is not the same twice."""

    async def program(machine, addresses):
        await asyncio.sleep(0.01)
        for _ in range(next(source)):
            await asyncio.sleep(0.001)
        await echo(machine, addresses)

    return program


def test_the_first_difference_is_found_and_told():
    source = itertools.chain([3, 3, 3, 5], itertools.repeat(3))
    difference = check_twice(lambda: SimGround(1, record=True), lambda ground: play(ground, leaking(source)))
    assert difference is not None
    assert difference.place > 10
    assert difference.first != difference.second
    lines = str(difference).splitlines()
    assert lines[0] == f"At event {difference.place} the two runs part:"
    assert lines[1].startswith("  first run   0.")
    assert len(lines) == 9


def test_a_difference_that_no_event_shows_is_found_by_the_digest():
    source = itertools.chain([b"a", b"a", b"a", b"b"], itertools.repeat(b"a"))

    async def program(machine, addresses):
        machine.disk.append("log", next(source))
        machine.disk.sync("log")
        await echo(machine, addresses)

    difference = check_twice(lambda: SimGround(1, record=True), lambda ground: play(ground, program))
    assert difference is not None
    assert (difference.first, difference.second) == (None, None)


def test_a_run_that_ends_early_differs_where_it_ends():
    long, short = Recording(), Recording()
    for number in range(5):
        long.add(number, "n1", "log", f"line {number}")
    for number in range(3):
        short.add(number, "n1", "log", f"line {number}")
    difference = compare(long, short)
    assert difference is not None
    assert (difference.place, difference.first, difference.second) == (3, Event(3, "n1", "log", "line 3", "", 0), None)
    assert "second run  the end" in str(difference)


def test_the_share_of_seeds_that_is_checked_is_always_the_same():
    checked = [seed for seed in range(10_000) if share_is_checked(seed, 0.05)]
    assert 400 < len(checked) < 600
    assert checked == [seed for seed in range(10_000) if share_is_checked(seed, 0.05)]
    assert not any(share_is_checked(seed, 0.0) for seed in range(1000))
    assert all(share_is_checked(seed, 1.0) for seed in range(1000))
