"""The interpreter with clients that answer, refuse, raise, hang and lie."""

import asyncio
import time
from collections import Counter

import pytest

from harness import clock
from harness.errors import SplitbrainError, StoreError
from harness.generator import clients, each_thread, limit, log, nemesis, on_threads, phases, repeat, sleep, stagger
from harness.generator.protocol import BUSY
from harness.history.header import Header
from harness.history.operations import pair
from harness.history.recorder import Recorder
from harness.interpreter import Interpreter
from harness.op import NEMESIS, Op
from harness.streams import Streams

READ = Op(f="read", key="k")


class Client:
    """Does what the test says: `behave(op)` is awaited."""

    def __init__(self, behave, log_to):
        self.behave, self.log_to = behave, log_to
        log_to.append("open")

    async def invoke(self, op):
        return await self.behave(op)

    async def close(self):
        self.log_to.append("close")


class Harness:
    """An interpreter with its recorder, on the loop that runs now."""

    def __init__(self, path, behave, concurrency=3, op_timeout_s=5.0, nemesis_=None):
        self.life = []
        self.opened = []
        self.recorder = Recorder(path / "history.jsonl", Header(splitbrain=1), clock.monotonic_ns)

        def open_client(worker, process):
            self.opened.append((worker, process))
            return Client(behave, self.life)

        self.interpreter = Interpreter(
            self.recorder,
            concurrency=concurrency,
            open_client=open_client,
            nemesis=nemesis_,
            random=Streams(3).stream("generator"),
            op_timeout_s=op_timeout_s,
        )

    async def run(self, *generators, stop=None):
        try:
            for generator in generators:
                await self.interpreter.run(generator, stop=stop)
        finally:
            await self.interpreter.close()
            self.recorder.close()
        return self.recorder.events


async def yes(op):
    return op.ok()


def drive(path, behave, *generators, **settings):
    async def main():
        harness = Harness(path, behave, **settings)
        events = await asyncio.wait_for(harness.run(*generators), 20)
        return harness, events

    return asyncio.run(main())


def types(events, f=None):
    return Counter(op.type for op in events if f in (None, op.f))


def test_every_operation_begins_and_ends(tmp_path):
    harness, events = drive(tmp_path, yes, clients(limit(100, repeat(READ))))
    assert types(events) == {"invoke": 100, "ok": 100}
    assert [op.index for op in events] == list(range(200))
    assert [op.time for op in events] == sorted(op.time for op in events)
    assert harness.interpreter.problems == []


def test_one_client_per_worker_closed_at_the_end(tmp_path):
    harness, _ = drive(tmp_path, yes, clients(limit(100, repeat(READ))))
    assert sorted(harness.opened) == [(0, 0), (1, 1), (2, 2)]
    assert Counter(harness.life) == {"open": 3, "close": 3}


def test_doubt_retires_the_process_and_its_client(tmp_path):
    async def doubt(op):
        return op.info("who knows")

    harness, events = drive(tmp_path, doubt, clients(limit(4, repeat(READ))), concurrency=1)
    assert [op.process for op in events if op.type == "invoke"] == [0, 1, 2, 3]
    assert harness.opened == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert Counter(harness.life) == {"open": 4, "close": 4}


def test_a_failure_keeps_the_process(tmp_path):
    async def refuse(op):
        return op.fail("not-leader")

    _, events = drive(tmp_path, refuse, clients(limit(4, repeat(READ))), concurrency=1)
    assert {op.process for op in events} == {0}


def test_what_a_client_raises_is_doubt_and_a_problem(tmp_path):
    async def broken(op):
        raise RuntimeError("oh <no>")

    harness, events = drive(tmp_path, broken, clients(limit(3, repeat(READ))))
    assert [op.error for op in events if op.type == "info"] == ["RuntimeError: oh <no>"] * 3
    assert harness.interpreter.problems == ["read raised RuntimeError: oh <no>"]


def test_a_completion_of_something_else_is_doubt(tmp_path):
    async def lie(op):
        return Op(process=op.process, type="ok", f="write")

    harness, events = drive(tmp_path, lie, clients(limit(1, repeat(READ))))
    assert types(events) == {"invoke": 1, "info": 1}
    assert "the client completed read" in harness.interpreter.problems[0]


def test_a_client_that_cannot_be_opened_fails_the_operation(tmp_path):
    async def main():
        harness = Harness(tmp_path, yes)

        def refuse(worker, process):
            raise ConnectionRefusedError("nobody there")

        harness.interpreter._open_client = refuse
        return await harness.run(clients(limit(2, repeat(READ))))

    events = asyncio.run(main())
    assert [op.error for op in events if op.type == "fail"] == ["no-client: nobody there"] * 2


def test_a_client_that_never_answers_costs_its_deadline_not_the_run(tmp_path):
    async def hang(op):
        if op.process == 0:
            await asyncio.Event().wait()
        await asyncio.sleep(0.001)
        return op.ok()

    began = time.monotonic()
    harness, events = drive(tmp_path, hang, clients(each_thread(limit(30, repeat(READ)))), op_timeout_s=0.2)
    assert time.monotonic() - began < 3
    doubts = [op for op in events if op.type == "info"]
    assert [(op.process, op.error) for op in doubts] == [(0, "timeout")]
    assert 0.2 <= (doubts[0].time - next(op.time for op in events if op.process == 0)) / 1e9 < 1.5
    assert types(events) == {"invoke": 90, "ok": 89, "info": 1}
    assert Counter(harness.life) == {"open": 4, "close": 4}


def test_a_client_that_ignores_its_cancellation_is_left_behind(tmp_path):
    release = []

    async def stubborn(op):
        while not release:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue
        return op.ok()

    async def main():
        harness = Harness(tmp_path, stubborn, concurrency=1, op_timeout_s=0.1)
        try:
            return harness, await asyncio.wait_for(harness.run(clients(limit(2, repeat(READ)))), 15)
        finally:
            release.append(True)
            await asyncio.sleep(0.1)

    harness, events = asyncio.run(main())
    assert types(events) == {"invoke": 2, "info": 2}
    assert harness.interpreter.problems == ["2 clients ignored that they were cancelled"]


def test_an_answer_after_the_deadline_changes_nothing(tmp_path):
    async def late(op):
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            return op.ok()

    _, events = drive(tmp_path, late, clients(limit(1, repeat(READ))), op_timeout_s=0.05)
    assert types(events) == {"invoke": 1, "info": 1}


def test_operations_that_do_not_overlap_are_not_recorded_as_if_they_did(tmp_path):
    """Completions are recorded before anything new begins."""
    _, events = drive(tmp_path, yes, clients(limit(200, repeat(READ))), concurrency=1)
    assert [op.type for op in events] == ["invoke", "ok"] * 200


def test_operations_do_overlap(tmp_path):
    async def slow(op):
        await asyncio.sleep(0.02)
        return op.ok()

    began = time.monotonic()
    _, events = drive(tmp_path, slow, clients(limit(100, repeat(READ))), concurrency=50)
    assert time.monotonic() - began < 1.0
    assert [op.type for op in events[:50]] == ["invoke"] * 50


def test_the_pace_of_the_generator_is_kept(tmp_path):
    _, events = drive(tmp_path, yes, clients(limit(100, stagger(0.005, repeat(READ)))))
    assert 0.3 < events[-1].time / 1e9 < 1.2


def test_runs_go_on_where_the_last_one_ended(tmp_path):
    async def doubt(op):
        return op.info("?")

    _, events = drive(tmp_path, doubt, clients(limit(2, repeat(READ))), clients(limit(2, repeat(READ))), concurrency=1)
    assert [op.process for op in events if op.type == "invoke"] == [0, 1, 2, 3]
    assert [op.time for op in events] == sorted(op.time for op in events)


def test_stop_begins_nothing_more_and_waits_for_what_is_under_way(tmp_path):
    async def slow(op):
        await asyncio.sleep(0.1)
        return op.ok()

    async def main():
        harness = Harness(tmp_path, slow)
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        return await asyncio.wait_for(harness.run(clients(repeat(READ)), stop=stop), 5)

    assert types(asyncio.run(main())) == {"invoke": 3, "ok": 3}


def test_stop_interrupts_a_generator_that_sleeps(tmp_path):
    async def main():
        harness = Harness(tmp_path, yes)
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        return await asyncio.wait_for(harness.run(clients(sleep(1000)), stop=stop), 5)

    assert asyncio.run(main()) == []


class Nemesis:
    fs = frozenset({"start-kill", "stop-kill"})

    def __init__(self, error=None):
        self.error = error

    async def invoke(self, op):
        if self.error:
            raise self.error
        return op.ok({"proven": True})

    async def heal(self):
        pass


def test_faults_are_carried_out_by_the_nemesis_which_is_never_retired(tmp_path):
    faults = nemesis([Op(f="start-kill"), Op(f="stop-kill")])
    _, events = drive(tmp_path, yes, phases(faults, clients(READ)), nemesis_=Nemesis())
    assert [(op.process, op.type, op.f) for op in events][:4] == [
        (NEMESIS, "invoke", "start-kill"),
        (NEMESIS, "ok", "start-kill"),
        (NEMESIS, "invoke", "stop-kill"),
        (NEMESIS, "ok", "stop-kill"),
    ]


def test_what_the_nemesis_raises_is_doubt(tmp_path):
    _, events = drive(tmp_path, yes, nemesis(Op(f="start-kill")), nemesis_=Nemesis(OSError("no ssh")))
    assert [(op.process, op.type, op.error) for op in events[1:]] == [(NEMESIS, "info", "OSError: no ssh")]


def test_a_line_for_the_log_is_recorded_and_carried_out_by_nobody(tmp_path):
    _, events = drive(tmp_path, yes, [log("begin"), clients(READ)])
    assert (events[0].type, events[0].value) == ("info", "begin")
    assert len(pair(events)) == 1


def test_an_operation_for_a_busy_process_is_refused(tmp_path):
    class Wrong:
        def op(self, ctx):
            return Op(f="read", process=0, time=ctx.time_ns), self

        def update(self, ctx, event):
            return self

    with pytest.raises(SplitbrainError, match="for the process 0, which is not free"):
        drive(tmp_path, yes, Wrong())


def test_a_generator_that_can_never_go_on_ends_the_run_with_a_sentence(tmp_path):
    class Stuck:
        def op(self, ctx):
            return BUSY, self

        def update(self, ctx, event):
            return self

    with pytest.raises(SplitbrainError, match="it is stuck"):
        drive(tmp_path, yes, on_threads(frozenset({0}), Stuck()))


def test_a_full_disk_ends_the_run(tmp_path):
    async def main():
        harness = Harness(tmp_path, yes)

        def full():
            raise StoreError("history.jsonl: no space left.")

        flush, harness.recorder.flush = harness.recorder.flush, full
        try:
            await asyncio.wait_for(harness.interpreter.run(clients(stagger(0.01, repeat(READ)))), 10)
        finally:
            harness.recorder.flush = flush
            await harness.interpreter.close()
            harness.recorder.close()

    with pytest.raises(StoreError, match="no space left"):
        asyncio.run(main())


def test_lines_are_on_disk_while_the_run_is_idle(tmp_path):
    async def main():
        harness = Harness(tmp_path, yes)
        running = asyncio.create_task(harness.run(clients([READ, sleep(0.6), READ])))
        await asyncio.sleep(0.4)
        on_disk = (tmp_path / "history.jsonl").read_bytes().count(b"\n")
        await running
        return on_disk

    assert asyncio.run(main()) == 3
