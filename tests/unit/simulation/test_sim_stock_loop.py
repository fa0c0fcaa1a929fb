"""Ordinary asyncio code does on the simulated loop what it does on a real one."""

import asyncio
import contextlib

import pytest
from little import run


async def queues_and_locks():
    """Producers, consumers, a lock, a semaphore, a condition, a barrier."""
    queue, lock, gate = asyncio.Queue(maxsize=2), asyncio.Lock(), asyncio.Semaphore(2)
    changed, meeting, told = asyncio.Condition(), asyncio.Barrier(2), []

    async def produce(name):
        for number in range(3):
            await queue.put(f"{name}{number}")
        async with lock:
            told.append(f"{name} is through")

    async def consume():
        while True:
            async with gate:
                told.append(await queue.get())
                queue.task_done()
            async with changed:
                changed.notify_all()

    async with asyncio.TaskGroup() as group:
        consumers = [asyncio.create_task(consume()) for _ in range(3)]
        for name in "ab":
            group.create_task(produce(name))
        async with changed:
            await changed.wait_for(lambda: len(told) >= 6)
        await asyncio.gather(meeting.wait(), meeting.wait())
    await queue.join()
    for consumer in consumers:
        consumer.cancel()
    told.append([type(one).__name__ for one in await asyncio.gather(*consumers, return_exceptions=True)])
    return sorted(map(str, told))


async def groups_and_timeouts():
    """A group that is torn, timeouts in each other, a shield, `wait`, `as_completed`, `wait_for`."""
    told = []

    async def sleep(seconds, fails=False):
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            told.append("cancelled")
            raise
        if fails:
            raise ValueError("torn")
        return seconds

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(sleep(5))
            group.create_task(sleep(0.01, fails=True))
    except* ValueError as errors:
        told.append([str(error) for error in errors.exceptions])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.02):
            async with asyncio.timeout(5):
                await asyncio.shield(asyncio.create_task(asyncio.sleep(0.03)))
            told.append("never")
    done, waiting = await asyncio.wait({asyncio.create_task(sleep(n / 50)) for n in (1, 9)}, timeout=0.1)
    told.append((len(done), len(waiting)))
    for task in waiting:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    told += [await one for one in asyncio.as_completed([sleep(0.03), sleep(0.01)])]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sleep(5), 0.01)
    return told


async def streams_and_executors():
    """A server that answers in upper case, half-closed connections, work handed to an executor."""
    loop = asyncio.get_running_loop()

    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(await loop.run_in_executor(None, line.upper))
            await writer.drain()
        writer.write(b"bye")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    answers = []
    async with server:
        for word in (b"one\n", b"two\n" * 1000):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(word)
            writer.write_eof()
            answers.append(await reader.read())
            writer.close()
    answers.append(await asyncio.to_thread(sum, [1, 2, 3]))
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(None, lambda: 1 // 0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    return answers


@pytest.mark.parametrize("program", [queues_and_locks, groups_and_timeouts, streams_and_executors])
def test_a_program_does_on_the_simulated_loop_what_it_does_on_a_real_one(program):
    simulated, _ = run(lambda _loop: program())
    assert simulated == asyncio.run(program())
