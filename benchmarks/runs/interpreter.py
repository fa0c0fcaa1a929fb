"""How many operations per second the interpreter carries out with a client that does nothing, by number of workers.

Everything is as in a real run: generator, context, two recorded events per operation on disk, client, deadline. The
second column times the same operations through the bare parts (task switches by futures, no recording) in the same
process, so that the last column, the ratio, means the same on a slow machine and on a fast one.

    python benchmarks/runs/interpreter.py [--ops 200000] [--workers 1 10 100 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from pathlib import Path

from harness import clock
from harness.generator import clients, limit, repeat
from harness.history.header import Header
from harness.history.recorder import Recorder
from harness.interpreter import Interpreter
from harness.op import Op
from harness.streams import Streams


class NoOpClient:
    """Answers at once."""

    async def invoke(self, op: Op) -> Op:
        """Yes."""
        return op.ok()

    async def close(self) -> None:
        """There is nothing to give back."""


async def through_interpreter(ops: int, workers: int, folder: Path) -> float:
    """Seconds for so many operations."""
    recorder = Recorder(folder / f"history-{workers}-{ops}.jsonl", Header(splitbrain=1), clock.monotonic_ns)
    interpreter = Interpreter(
        recorder,
        concurrency=workers,
        open_client=lambda _worker, _process: NoOpClient(),
        nemesis=None,
        random=Streams(1).stream("generator"),
        op_timeout_s=5.0,
    )
    began = time.perf_counter()
    await interpreter.run(clients(limit(ops, repeat(Op(f="read", key="k")))))
    seconds = time.perf_counter() - began
    await interpreter.close()
    recorder.close()
    assert len(recorder.events) == 2 * ops
    return seconds


async def through_futures(ops: int, workers: int) -> float:
    """Seconds for as many hand-overs between tasks, and nothing else."""
    loop = asyncio.get_running_loop()
    inboxes = [loop.create_future() for _ in range(workers)]
    done: list[int] = []
    wake = loop.create_future()

    async def work(number: int) -> None:
        while True:
            await inboxes[number]
            inboxes[number] = loop.create_future()
            done.append(number)
            if not wake.done():
                wake.set_result(None)

    tasks = [loop.create_task(work(number)) for number in range(workers)]
    await asyncio.sleep(0)
    began = time.perf_counter()
    left, free = ops, list(range(workers))
    while left or len(free) < workers:
        while free and left:
            inboxes[free.pop()].set_result(None)
            left -= 1
        await wake
        wake = loop.create_future()
        free.extend(done)
        done.clear()
    seconds = time.perf_counter() - began
    for task in tasks:
        task.cancel()
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Operations per second of the interpreter with a no-op client.")
    parser.add_argument("--ops", type=int, default=200_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 3, 10, 30, 100, 300, 1000])
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many is shown")
    arguments = parser.parse_args()
    print(f"{'workers':>7}  {'ops/s':>9}  {'µs/op':>6}  {'bare hand-overs/s':>17}  {'ratio':>5}")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(through_interpreter(10_000, 10, Path(folder)))  # warm up
        for workers in arguments.workers:
            bare = min(asyncio.run(through_futures(arguments.ops, workers)) for _ in range(arguments.rounds))
            ours = 1e9
            for number in range(arguments.rounds):
                gc.collect()
                Path(folder, str(number)).mkdir(exist_ok=True)
                into = Path(tempfile.mkdtemp(dir=folder))
                ours = min(ours, asyncio.run(through_interpreter(arguments.ops, workers, into)))
            rate = arguments.ops / ours
            print(
                f"{workers:>7}  {rate:>9,.0f}  {1e6 / rate:>6.2f}  {arguments.ops / bare:>17,.0f}  {ours / bare:>5.1f}"
            )


if __name__ == "__main__":
    main()
