"""How fast the simulation is: callbacks per second on the loop under each scheduler, messages per second on a
connection, how many virtual seconds of the leader-follower store pass in one real second, and how many short runs of it
are made and judged in one.

Seconds are those of the processor, of which a simulation uses one: what else the machine does counts for little.

    python benchmarks/runs/simulation.py
    pip download --no-deps --ignore-requires-python -d FOLDER simloop     # optional: compare with it
    PYTHONPATH=FOLDER/simloop-0.2.2-py3-none-any.whl python benchmarks/runs/simulation.py

simloop declares Python 3.12; on 3.11 it runs if `Handle.get_context`, which 3.12 added, is supplied, as is done here.
"""

import asyncio
import time

from harness.cli.judged import run_judged
from harness.op import NEMESIS, Op
from harness.simulation.ground import SimGround
from harness.simulation.loop import SimLoop
from harness.simulation.world import World
from harness.streams import Streams
from harness.testing import plan_from
from system_under_test.leader_follower.system import SYSTEM

CLIENTS = 10
OPS_PER_S = 200
VIRTUAL_S = 10
REPEATS = 3
SHORT = {
    "nodes": 3,
    "concurrency": 5,
    "rate": 100.0,
    "time_limit_s": 1.0,
    "quiet_s": 0.3,
    "nemesis": ("kill",),
    "interval_s": 0.3,
    "duration_s": 0.2,
    "options": {"heartbeat_ms": 20, "election_timeout_ms": 100},
}


def timed(act):
    """(what came back, seconds): the best of a few runs."""
    best = None
    for _ in range(REPEATS):
        started = time.process_time()
        result = act()
        seconds = time.process_time() - started
        best = seconds if best is None else min(best, seconds)
    return result, best


def on_a_loop(main, scheduler="fifo", record=False):
    """Run `main(loop)`; how many callbacks there were."""
    loop = SimLoop(Streams(1, record=record), World(scheduler=scheduler))
    loop.run_until_complete(main(loop))
    loop.close()
    return loop.steps


def on_simloop(main):
    """The same on the other simulator."""
    import simloop

    loop = simloop.SimLoop(seed=1)
    loop.run_until_complete(main(loop))
    loop.close()


def has_simloop():
    """Whether there is one to compare with."""
    try:
        import simloop  # noqa: F401 - asked for, not used
    except ImportError:
        return False
    if not hasattr(asyncio.Handle, "get_context"):
        asyncio.Handle.get_context = lambda handle: handle._context
    return True


async def sleepers(_loop):
    """Timers: a hundred tasks that sleep a thousand times."""

    async def sleep(step_s):
        for _ in range(1000):
            await asyncio.sleep(step_s)

    await asyncio.gather(*(sleep(0.001 + number / 1e6) for number in range(100)))


async def ring(_loop):
    """Ready callbacks: a hundred tasks that wake each other in turn."""
    places = [asyncio.Event() for _ in range(100)]

    async def hand_on(number):
        for _ in range(1000):
            await places[number].wait()
            places[number].clear()
            places[(number + 1) % 100].set()

    tasks = [asyncio.ensure_future(hand_on(number)) for number in range(100)]
    places[0].set()
    await asyncio.gather(*tasks)


async def ping_pong(_loop, rounds=20_000):
    """Streams: one line at a time to a server and back."""

    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    await asyncio.start_server(serve, "localhost", 5)
    reader, writer = await asyncio.open_connection("localhost", 5)
    for _ in range(rounds):
        writer.write(b"ping\n")
        await reader.readline()
    writer.close()
    await asyncio.sleep(1)


def store(nodes, ops_per_s=OPS_PER_S, clients=CLIENTS):
    """Some virtual seconds of the store under clients; (operations that succeeded, virtual seconds, events)."""
    ground = SimGround(1)
    loop = ground.new_event_loop()
    options = {option.name: option.default for option in SYSTEM.options}
    names = tuple(f"n{number + 1}" for number in range(nodes))
    succeeded = []

    async def work(cluster, number):
        client = SYSTEM.client(cluster, names[number % nodes], options, number)
        for count in range(ops_per_s // clients * VIRTUAL_S):
            f = "read" if count % 2 else "write"
            answer = await client.invoke(Op(process=number, f=f, key=count % 4, value=None if count % 2 else count))
            succeeded.append(answer.type == "ok")
            await asyncio.sleep(max(0, clients / ops_per_s - 0.005))
        await client.close()

    async def main():
        async with ground.cluster(SYSTEM, names, options, "benchmark") as cluster:
            await SYSTEM.wait_ready(cluster, options, 30)
            await asyncio.gather(*(work(cluster, number) for number in range(clients)))

    loop.run_until_complete(main())
    loop.close()
    return sum(succeeded), loop.time(), loop.steps


def short_runs(count=20):
    """Whole judged runs of about a hundred operations on three nodes, with kills: (seconds of the processor, callbacks,
    operations) of one."""
    plan = plan_from(SHORT)
    loops = []
    judged = run_judged(plan, on_cluster=lambda _cluster: loops.append(asyncio.get_running_loop()))
    started = time.process_time()
    for _ in range(count):
        run_judged(plan)
    seconds = (time.process_time() - started) / count
    asked = [op for op in judged.history.events if op.type == "invoke" and op.process != NEMESIS]
    return seconds, loops[0].steps, len(asked)


PROGRAMS = (("100 tasks asleep", sleepers), ("a ring of 100 tasks", ring))
HAND_OVERS = 100_000
"""How often a task wakes, in either program."""


def compare_with_simloop():
    """The same two programs on both, in the same run."""
    for name, program in PROGRAMS:
        for loop, run in (
            ("splitbrain, fifo", on_a_loop),
            ("splitbrain, random", random_order),
            ("simloop", on_simloop),
        ):
            _, seconds = timed(lambda program=program, run=run: run(program))
            print(f"{name:<22}{seconds * 1e6 / HAND_OVERS:8.2f} us for each waking   ({loop})")


def random_order(program):
    """As simloop does by default."""
    return on_a_loop(program, "random")


def main():
    """Print a line for each."""
    for name, program in PROGRAMS:
        for scheduler in ("fifo", "random", "pct"):
            events, seconds = timed(lambda program=program, scheduler=scheduler: on_a_loop(program, scheduler))
            print(f"{name:<22}{events / seconds / 1000:8.0f} thousand callbacks/s   ({scheduler})")
        events, seconds = timed(lambda program=program: on_a_loop(program, "random", record=True))
        print(f"{name:<22}{events / seconds / 1000:8.0f} thousand callbacks/s   (random, every choice on tape)")
    if has_simloop():
        compare_with_simloop()
    _, seconds = timed(lambda: on_a_loop(ping_pong))
    print(f"{'one line to and fro':<22}{40 / seconds:8.0f} thousand messages/s")
    for nodes, rate, clients in ((3, 200, 10), (5, 200, 10), (7, 200, 10), (5, 1000, 50)):
        (succeeded, virtual_s, events), seconds = timed(lambda of=(nodes, rate, clients): store(*of))
        print(
            f"{f'{nodes} nodes, {rate} ops/s':<22}{virtual_s / seconds:8.1f} virtual seconds/s   "
            f"({succeeded} operations in {virtual_s:.1f} virtual and {seconds:.2f} processor seconds, "
            f"{events / seconds / 1000:.0f} thousand callbacks/s)"
        )

    seconds, steps, operations = short_runs()
    print(
        f"{'100 operations, judged':<22}{1 / seconds:8.1f} whole runs/s   "
        f"(3 nodes, kills, {seconds * 1000:.0f} ms each: {operations} operations, {steps} callbacks)"
    )


if __name__ == "__main__":
    main()
