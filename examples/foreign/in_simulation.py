"""The Redis-protocol server and its client, neither of which knows splitbrain, in a simulation: an hour of virtual time
with a slow and lossy link, a kill and a cut, in a moment, and the same for every run of one seed.

    python examples/foreign/in_simulation.py [SEED]
"""

import asyncio
import sys

import resp_server
from resp_client import RespClient

from harness.protocols import LinkShape
from harness.simulation.ground import SimGround


class Resp:
    """What the simulation needs to know of a system: its port, and what to run on a node."""

    name = "resp"
    operations = frozenset()
    options = ()
    port = 6379

    def program(self, machine, addresses, options):
        """The server's own main, as it is."""
        return resp_server.main(*addresses[machine.name])


async def story(cluster, say):
    """A client on n2 counts on n1's server."""
    address = cluster.address("n1")
    client = await RespClient.connect(*address)
    say("counted to", (await client.pipeline([("INCR", "hits")] * 3))[-1])
    await client.call("SET", "soon", "gone", "PX", 500)
    await asyncio.sleep(0.6)
    say("what was set for half a second is", await client.call("GET", "soon"))
    await cluster.net.shape(
        {(a, b): LinkShape(delay_ms=40, loss=0.1) for a in ("n1", "n2") for b in ("n1", "n2") if a != b}
    )
    await asyncio.sleep(3600)
    try:
        await client.call("PING")
    except (ConnectionError, TimeoutError):
        say("idle for an hour, hung up on:", "yes")
    client.writer.close()
    await cluster.processes.kill("n1")
    try:
        await RespClient.connect(*address)
    except ConnectionRefusedError:
        say("after the kill", "refused")
    await cluster.processes.start("n1")
    await asyncio.sleep(1)
    client = await RespClient.connect(*address)
    say("after the restart the count is", await client.call("GET", "hits"))
    await client.close()


def run(seed):
    """(the lines of the story, the digest of the run)."""
    ground = SimGround(seed)
    loop = ground.new_event_loop()
    lines = []

    def say(what, value):
        lines.append(f"{loop.time():12.6f} s  {what} {value}")

    async def main():
        async with ground.cluster(Resp(), ("n1", "n2"), {}, "run") as cluster:
            await asyncio.sleep(0.1)
            await story(cluster, say)

    loop.run_until_complete(main())
    loop.close()
    return lines, ground.digest()


if __name__ == "__main__":
    lines, digest = run(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print(*lines, f"digest {digest}", sep="\n")
