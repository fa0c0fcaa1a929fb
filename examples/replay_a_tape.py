"""Three tasks under a scheduler that takes any of them next: recorded, replayed under another seed, and cut short.

.venv/bin/python examples/replay_a_tape.py
"""

import asyncio

from harness.simulation.loop import SimLoop
from harness.simulation.world import World
from harness.streams import Streams

WORLD = World(scheduler="random")


async def race():
    """Who got on, step by step."""
    steps = []

    async def work(name):
        for _ in range(4):
            steps.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(work("a"), work("b"), work("c"))
    return "".join(steps)


def run(streams):
    """The race on a loop of its own."""
    loop = SimLoop(streams, WORLD)
    try:
        return loop.run_until_complete(race())
    finally:
        loop.close()


recording = Streams(7, record=True)
print("recorded           ", run(recording))
tape = recording.recorded()
print("under another seed ", run(Streams(99, tape=tape)))
print("its first 4 choices", run(Streams(99, tape=tape.first(4))))
print("no choice at all   ", run(Streams(99, tape=tape.first(0))))
