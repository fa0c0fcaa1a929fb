import asyncio
import contextvars
import gc
import logging
import os
import signal
import threading
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from little import run

from harness.simulation.loop import SimLoop
from harness.simulation.refusals import DeadlockError, RefusedError, SimulationError
from harness.streams import Streams


def test_an_hour_of_sleep_takes_no_time():
    started = time.monotonic()
    _, loop = run(lambda loop: asyncio.sleep(3600))
    assert loop.time() == 3600.0
    assert loop.now_ns() == 3600 * 10**9
    assert time.monotonic() - started < 5


def test_timers_ring_by_deadline_and_equal_ones_in_the_order_they_were_set():
    async def main(loop):
        rung = []
        for name, delay in [("b", 0.2), ("c", 0.3), ("a", 0.1), ("b2", 0.2), ("b3", 0.2)]:
            loop.call_later(delay, lambda name=name: rung.append((loop.time(), name)))
        await asyncio.sleep(1)
        return rung

    assert run(main)[0] == [(0.1, "a"), (0.2, "b"), (0.2, "b2"), (0.2, "b3"), (0.3, "c")]


def test_ready_callbacks_run_first_in_first_out_before_the_clock_moves():
    async def main(loop):
        rung = []
        loop.call_later(1e-9, rung.append, "timer")
        loop.call_soon(lambda: (rung.append("first"), loop.call_soon(rung.append, "nested")))
        loop.call_soon(rung.append, "second")
        await asyncio.sleep(1)
        return rung

    assert run(main)[0] == ["first", "second", "nested", "timer"]


@given(deadline=st.floats(0, 1e7))
@example(deadline=2459180.8966355682)  # times 1e9 it rounds down
def test_a_deadline_is_over_when_its_timer_rings(deadline):
    async def main(loop):
        rung = loop.create_future()
        loop.call_at(deadline, lambda: rung.set_result(loop.time()))
        return await rung

    assert deadline <= run(main)[0] <= deadline + 2e-9


def test_sleeping_until_a_deadline_in_a_loop_ends():
    async def main(loop):
        deadline = loop.time() + 0.1 + 0.2
        naps = 0
        while loop.time() < deadline:
            await asyncio.sleep(deadline - loop.time())
            naps += 1
        return naps

    assert run(main)[0] <= 2


def test_a_cancelled_timer_does_not_ring_and_many_are_swept_out():
    async def main(loop):
        rung = []
        kept = [loop.call_later(5 + n, rung.append, n) for n in range(3)]
        for n in range(5000):
            loop.call_later(10 + n, rung.append, "never").cancel()
        assert len(loop._timers._heap) < 300
        kept[1].cancel()
        await asyncio.sleep(20000)
        return rung

    assert run(main)[0] == [0, 2]


def test_timeouts_expire_in_virtual_time_and_leave_what_is_in_time_alone():
    async def main(loop):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await asyncio.sleep(3)
        assert loop.time() == 2.0
        assert await asyncio.wait_for(asyncio.sleep(1, "in time"), 2) == "in time"
        return loop.time()

    assert run(main)[0] == 3.0


def test_a_cancelled_task_cleans_up():
    async def main(loop):
        steps = []

        async def work():
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(1)
                steps.append(loop.time())

        task = asyncio.create_task(work())
        await asyncio.sleep(1)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        return steps

    assert run(main)[0] == [2.0]


def order_of_cancellations(number):
    """In which order a TaskGroup cancels, and `wait` gives back: on asyncio's own loop, by address in memory."""

    async def main(loop):
        rubbish = [object() for _ in range(number * 37)]
        cancelled = []

        async def sleeper(name):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                cancelled.append(name)
                raise

        async def failing():
            await asyncio.sleep(1)
            raise ValueError

        with pytest.raises(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                for name in range(8):
                    group.create_task(sleeper(name))
                group.create_task(failing())
        done, _ = await asyncio.wait([asyncio.create_task(asyncio.sleep(0, n)) for n in range(20)])
        futures = [loop.create_future() for _ in range(20)]
        for place, future in enumerate(futures):
            future.set_result(place)
        settled, _ = await asyncio.wait(futures)
        gathered, _ = await asyncio.wait([asyncio.gather(asyncio.sleep(0, n), asyncio.sleep(1)) for n in range(20)])
        del rubbish
        return cancelled, [each.result() for each in [*done, *settled, *gathered]]

    result, loop = run(main)
    return result, loop.trace.digest()


def test_sets_of_tasks_are_walked_in_the_same_order_in_every_run():
    first = order_of_cancellations(0)
    assert all(order_of_cancellations(number) == first for number in range(1, 12))
    assert sorted(first[0][0]) == list(range(8))


def test_task_names_are_numbered_anew_on_every_loop():
    async def main(loop):
        return asyncio.create_task(asyncio.sleep(0)).get_name()

    assert run(main)[0] == run(main)[0]


def test_the_trace_tells_runs_apart_that_cancel_in_another_order():
    def digest(order):
        async def main(loop):
            tasks = [asyncio.create_task(asyncio.sleep(5)) for _ in range(3)]
            await asyncio.sleep(1)
            for number in order:
                tasks[number].cancel()
            await asyncio.wait(tasks)

        return run(main)[1].trace.digest()

    assert digest([0, 1, 2]) == digest([0, 1, 2])
    assert digest([0, 1, 2]) != digest([2, 1, 0])


def test_waiting_for_what_never_comes_is_an_error_that_names_who_waits():
    async def nobody_answers(loop):
        await loop.create_future()

    with pytest.raises(DeadlockError, match=r"At 0\.000000 s nothing is ready .*nobody_answers.* would wait for ever"):
        run(nobody_answers)


def test_what_was_entered_is_left_when_nothing_can_happen_any_more():
    left = []

    async def main(loop):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            try:
                await loop.create_future()
            finally:
                await asyncio.sleep(5)
                left.append(loop.time())

    with pytest.raises(DeadlockError, match=r"At 0\.000000 s"):
        run(main)
    assert left == [5.0]
    gc.collect()  # a task that was left pending would complain here


def test_polling_without_sleeping_is_an_error(monkeypatch):
    monkeypatch.setattr("harness.simulation.loop.SPIN_CALLBACKS", 1000)

    async def main(loop):
        while True:  # noqa: ASYNC110 - it is what must not hang
            await asyncio.sleep(0)

    with pytest.raises(SimulationError, match="the clock stands still: 1000 callbacks"):
        run(main)


def test_executors_run_inline_and_errors_come_back():
    async def main(loop):
        thread = await asyncio.to_thread(threading.get_ident)
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 / 0)
        return thread

    assert run(main)[0] == threading.get_ident()


def test_another_thread_cannot_schedule():
    async def main(loop):
        caught = []

        def schedule():
            try:
                loop.call_soon_threadsafe(print)
            except RefusedError as error:
                caught.append(str(error))

        thread = threading.Thread(target=schedule)
        thread.start()
        thread.join()
        return caught

    assert "from another thread is refused" in run(main)[0][0]


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("add_reader", (0, print)),
        ("sock_recv", (None, 1)),
        ("subprocess_exec", (asyncio.SubprocessProtocol, "true")),
        ("create_unix_server", (asyncio.Protocol,)),
        ("set_task_factory", (asyncio.Task,)),
    ],
)
def test_what_reaches_into_the_real_world_is_refused_by_name(call, arguments):
    async def main(loop):
        with pytest.raises(RefusedError, match=rf"loop.{call} is refused in a simulated run \(test_sim_loop.py:"):
            getattr(loop, call)(*arguments)

    run(main)


def test_tls_is_refused():
    async def main(loop):
        with pytest.raises(RefusedError, match="create_connection with ssl"):
            await asyncio.open_connection("n1", 1, ssl=True)

    run(main)


def test_a_signal_handler_stops_a_busy_loop():
    async def main(loop):
        stop = asyncio.Event()
        previous = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(stop.set))
        try:
            loop.call_later(50, os.kill, os.getpid(), signal.SIGINT)
            while not stop.is_set():  # noqa: ASYNC110 - a loop that is busy when the signal comes
                await asyncio.sleep(0.5)
        finally:
            signal.signal(signal.SIGINT, previous)
        return loop.time()

    assert 50 <= run(main)[0] <= 51


def test_an_error_in_a_callback_goes_to_the_handler_and_the_loop_runs_on(caplog):
    async def main(loop):
        told = []
        loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)
        loop.set_exception_handler(None)
        loop.call_soon(lambda: [][0])
        await asyncio.sleep(1)
        return told

    with caplog.at_level(logging.ERROR, "asyncio"):
        told, _ = run(main)
    assert [type(error) for error in told] == [ZeroDivisionError]
    assert "Exception in callback" in caplog.text
    assert "IndexError" in caplog.text


def test_keyboard_interrupt_leaves_the_loop():
    async def main(loop):
        def interrupt():
            raise KeyboardInterrupt

        loop.call_soon(interrupt)
        await asyncio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        run(main)


def test_asynchronous_generators_are_closed_at_the_end():
    closed = []
    begun = []

    async def numbers():
        try:
            yield 1
        finally:
            await asyncio.sleep(1)
            closed.append("closed")

    async def main(loop):
        begun.append(numbers())
        assert await anext(begun[0]) == 1
        await loop.shutdown_asyncgens()

    run(main)
    assert closed == ["closed"]


def test_a_dropped_asynchronous_generator_is_closed_by_the_loop():
    async def main(loop):
        closed = []

        async def numbers():
            try:
                yield 1
                yield 2
            finally:
                closed.append(loop.time())

        async for _ in numbers():
            break
        await asyncio.sleep(1)
        return closed

    assert run(main)[0] == [0.0]


def test_contexts_are_those_of_the_scheduling_code():
    word = contextvars.ContextVar("word", default="none")

    async def main(loop):
        seen = []
        word.set("outer")
        loop.call_soon(lambda: seen.append(word.get()))
        loop.call_later(1, lambda: seen.append(word.get()), context=contextvars.Context())
        word.set("later")
        await asyncio.sleep(2)
        return seen

    assert run(main)[0] == ["outer", "none"]


def test_a_closed_loop_takes_nothing():
    _, loop = run(lambda loop: asyncio.sleep(0))
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_forever()


def test_loops_do_not_nest():
    async def main(loop):
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_forever()

    run(main)


def test_asyncio_runner_accepts_the_loop():
    async def main():
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=lambda: SimLoop(Streams(1))) as runner:
        assert runner.run(main()) == 5.0


def test_garbage_collection_and_clocks_are_as_they_were_afterwards():
    clock, chance = time.time, os.urandom
    run(lambda loop: asyncio.sleep(1))
    assert gc.isenabled()
    assert (time.time, os.urandom) == (clock, chance)
