"""What the tests of the simulation share: a loop, and systems whose server is one small function."""

import asyncio
import contextlib

from harness.simulation.ground import SimGround
from harness.simulation.loop import SimLoop
from harness.simulation.world import World
from harness.streams import Streams

PORT = 9000
EVEN = World(drift_ppm=0)
"""A world in which all clocks run alike."""


class Little:
    """A system that is nothing but its program: an async function of (machine, addresses)."""

    name = "little"
    operations = frozenset()
    options = ()
    port = PORT

    def __init__(self, program):
        self._program = program

    def program(self, machine, addresses, options):
        return self._program(machine, addresses)


def run(main, seed=1):
    """Run `main(loop)` on a loop of its own; the result and the loop."""
    loop = SimLoop(Streams(seed))
    try:
        return loop.run_until_complete(main(loop)), loop
    finally:
        loop.close()


def simulate(program, test, nodes=("n1", "n2", "n3"), seed=1, world=None):
    """Run `test(cluster, loop)` against nodes that run `program`; its result."""
    ground = SimGround(seed, world)
    loop = ground.new_event_loop()

    async def main():
        async with ground.cluster(Little(program), nodes, {}, "run") as cluster:
            await asyncio.sleep(0.1)  # all nodes are up
            return await test(cluster, loop)

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


async def echo(machine, addresses):
    """Answers every line with itself."""

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                writer.write(line)
        writer.close()

    server = await asyncio.start_server(serve, *addresses[machine.name])
    await server.serve_forever()


async def ask(cluster, node, line=b"hello\n", timeout_s=1.0):
    """One line there and back on a connection of its own."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(*cluster.address(node))
        try:
            writer.write(line)
            return await reader.readline()
        finally:
            writer.transport.abort()
