"""A small asyncio program on the simulated ground, as leaky as user code is: what it does must depend on the seed only.

Nodes gossip numbers over streams, in task groups that fail, with `wait` over sets of tasks, timeouts, the module-level
`random`, `uuid` and `time`; meanwhile links are cut and nodes are killed, paused and lose power.

    python gossip.py SEED [WORLD]    prints the digest of all events, and what the nodes and the client saw
"""

import asyncio
import contextlib
import random
import sys
import time
import uuid

from harness.simulation.ground import SimGround
from harness.simulation.world import Delay, World

NODES = ("n1", "n2", "n3", "n4")


class Gossip:
    name = "gossip"
    operations = frozenset()
    options = ()
    port = 7100

    def __init__(self, seen):
        self.seen = seen

    def program(self, machine, addresses, options):
        return serve(machine, addresses, self.seen)


async def serve(machine, addresses, seen):
    heard = set(machine.disk.read("heard").decode().split()) if "heard" in machine.disk.list() else set()

    async def take(reader, writer):
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                word = line.decode().strip()
                if word not in heard:
                    heard.add(word)
                    machine.disk.append("heard", line)
                    if random.random() < 0.7:
                        machine.disk.sync("heard")
                writer.write(b"%d\n" % len(heard))
        writer.close()

    server = await asyncio.start_server(take, *addresses[machine.name])
    async with server:
        while True:
            await gossip(machine, addresses, heard, seen)


async def gossip(machine, addresses, heard, seen):
    await asyncio.sleep(random.uniform(0.01, 0.1))
    word = f"{machine.name}-{uuid.uuid4().hex[:8]}-{time.time_ns() % 1000}"
    cancelled = []

    async def tell(peer):
        try:
            reader, writer = await asyncio.open_connection(*addresses[peer])
            try:
                writer.write(f"{word}\n".encode())
                return peer, int(await reader.readline() or b"0")
            finally:
                writer.transport.abort()
        except asyncio.CancelledError:
            cancelled.append(peer)
            raise

    async def give_up():
        await asyncio.sleep(machine.random.uniform(0.001, 0.01))
        raise TimeoutError

    try:
        async with asyncio.timeout(0.3), asyncio.TaskGroup() as group:
            tasks = {group.create_task(tell(peer)) for peer in addresses if peer != machine.name}
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            group.create_task(give_up())
        seen.append((machine.monotonic_ns(), machine.name, word, [task.result() for task in done]))
    except* (OSError, TimeoutError) as errors:
        kinds = [type(error).__name__ for error in errors.exceptions]
        seen.append((machine.monotonic_ns(), machine.name, word, kinds, list(cancelled)))


async def trouble(cluster, chance, seen):
    acts = {
        "cut": lambda node: cluster.net.cut([(node, other) for other in NODES if other != node]),
        "heal": lambda node: cluster.net.heal(),
        "kill": cluster.processes.kill,
        "pause": cluster.processes.pause,
        "power": cluster.disks.power_off,
        "start": cluster.processes.start,
        "resume": cluster.processes.resume,
    }
    for _ in range(60):
        await asyncio.sleep(chance.uniform(0.02, 0.2))
        act, node = chance.choice(list(acts)), chance.choice(NODES)
        result = await acts[act](node)
        states = [await cluster.processes.state(name) for name in NODES]
        seen.append((act, node, result, states, await cluster.net.reaches(node, "n1")))


HARD = World(
    scheduler="random", delay=Delay("heavy-tail"), loss=0.05, survivors="subset", names="subset", torn="sector",
    lying_syncs=0.1, flipped_reads=0.02, failed_writes=0.02, bad_disks=0.5, offset_ms=1000, recovery_crashes=0.3,
    entropy="seeded", state_steps=100,
)  # fmt: skip
WORLDS = {"usual": World(entropy="seeded"), "hard": HARD, "pct": World(entropy="seeded", scheduler="pct")}


def run(seed, world="usual", **more):
    """(digest over every event, everything that was seen)."""
    return play(SimGround(seed, WORLDS[world], **more))


def play(ground):
    """The same on a ground that is there."""
    loop = ground.new_event_loop()
    seen = []

    async def main():
        async with ground.cluster(Gossip(seen), NODES, {}, "run") as cluster:
            await trouble(cluster, loop.streams.stream("trouble"), seen)

    loop.run_until_complete(main())
    loop.close()
    return ground.digest(), seen


if __name__ == "__main__":
    digest, seen = run(int(sys.argv[1]), *sys.argv[2:])
    print(digest)
    print(*seen, sep="\n")
