import asyncio
import itertools

import pytest
from little import Little, ask, echo

from harness.errors import PlanError
from harness.simulation.ground import SimGround
from harness.simulation.loop import SimLoop
from harness.simulation.world import Delay, World, read_world
from harness.streams import Streams
from harness.tape import Tape


def run(main, scheduler, seed=1, tape=None, record=False, depth=3):
    loop = SimLoop(Streams(seed, tape, record=record), World(scheduler=scheduler, pct_depth=depth, pct_steps=100))
    try:
        return loop.run_until_complete(main(loop)), loop
    finally:
        loop.close()


async def race(loop):
    """In which order tasks of several steps get on."""
    steps = []

    async def work(name):
        for step in range(4):
            steps.append((name, step))
            await asyncio.sleep(0)

    await asyncio.gather(*(work(name) for name in "abc"))
    return steps


def orders(scheduler, seeds=range(40)):
    return [tuple(run(race, scheduler, seed)[0]) for seed in seeds]


def test_fifo_is_the_same_for_every_seed():
    assert len(set(orders("fifo"))) == 1


@pytest.mark.parametrize("scheduler", ["random", "pct"])
def test_other_schedulers_depend_on_the_seed_and_only_on_it(scheduler):
    assert orders(scheduler) == orders(scheduler)
    assert len(set(orders(scheduler))) > 10


@pytest.mark.parametrize("scheduler", ["random", "pct"])
def test_what_belongs_to_one_task_stays_in_order(scheduler):
    for order in orders(scheduler):
        for name in "abc":
            assert [step for who, step in order if who == name] == [0, 1, 2, 3]


def test_pct_lets_the_highest_run_alone_but_for_its_changes():
    """At depth 1 there is no change: whoever is first goes through to its end."""
    for seed in range(20):
        order, _ = run(race, "pct", seed, depth=1)
        names = [name for name, _ in order]
        assert sum(ours != theirs for ours, theirs in itertools.pairwise(names)) == 2
    switches = [sum(a[0] != b[0] for a, b in itertools.pairwise(order)) for order in orders("pct")]
    assert max(switches) > 2


def hits(depth, seeds=400, steps=24):
    """In how many runs b goes from its beginning to its end just between two given steps of a: two constraints."""
    found = 0
    for seed in range(seeds):
        order = []

        async def work(name, count, order=order):
            for step in range(count):
                order.append((name, step))
                await asyncio.sleep(0)

        async def main(_loop, work=work):
            await asyncio.gather(work("a", 8), work("b", 3))

        loop = SimLoop(Streams(seed), World(scheduler="pct", pct_depth=depth, pct_steps=steps))
        loop.run_until_complete(main(loop))
        assert loop.steps <= steps
        loop.close()
        found += order.index(("a", 4)) < order.index(("b", 0)) < order.index(("b", 2)) < order.index(("a", 5))
    return found / seeds


def test_a_bug_of_two_constraints_is_met_as_often_as_pct_promises_and_never_without_a_change():
    owners, steps = 4, 24
    assert hits(depth=1, steps=steps) == 0
    assert hits(depth=2, steps=steps) >= 1 / (owners * steps)


@pytest.mark.parametrize("scheduler", ["random", "pct"])
def test_a_tape_replays_a_schedule_and_goes_on_first_in_first_out(scheduler):
    order, loop = run(race, scheduler, 5, record=True)
    tape = loop.streams.recorded()
    again, replayed = run(race, scheduler, 99, tape)
    assert again == order
    assert replayed.trace.digest() == loop.trace.digest()
    assert run(race, scheduler, 5, Tape())[0] == run(race, "fifo")[0]


@pytest.mark.parametrize("scheduler", ["random", "pct"])
def test_connections_stay_in_order_whatever_the_scheduler(scheduler):
    ground = SimGround(3, World(scheduler=scheduler))
    loop = ground.new_event_loop()

    async def main():
        async with ground.cluster(Little(echo), ("n1", "n2"), {}, "run") as cluster:
            await asyncio.sleep(1)
            reader, writer = await asyncio.open_connection(*cluster.address("n1"))
            for number in range(200):
                writer.write(b"%d\n" % number)
                if number % 3 == 0:
                    await asyncio.sleep(0.0001)
            lines = [int(await reader.readline()) for _ in range(200)]
            writer.close()
            return lines, await ask(cluster, "n2")

    assert loop.run_until_complete(main()) == (list(range(200)), b"hello\n")
    loop.close()


def test_an_order_that_fifo_never_takes_is_taken_by_the_others():
    async def main(loop):
        total = [0]

        async def add():
            total[0] += 1

        async def reset():
            total[0] = 10

        await asyncio.gather(add(), reset())
        return total[0]

    assert {run(main, "fifo", seed)[0] for seed in range(30)} == {10}
    assert {run(main, "random", seed)[0] for seed in range(30)} == {10, 11}
    assert {run(main, "pct", seed)[0] for seed in range(30)} == {10, 11}


def test_a_world_is_made_of_names_and_text():
    assert read_world({}) == World()
    made = read_world({"scheduler": "pct", "pct_depth": "4", "loss": "0.1", "delay": "lognormal"})
    assert made == World(scheduler="pct", pct_depth=4, loss=0.1, delay=Delay("lognormal"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schedular": "fifo"}, "no 'schedular'. Did you mean 'scheduler'"),
        ({"scheduler": "lifo"}, "lifo"),
        ({"loss": 2}, "loss must be from 0 to 1, found 2"),
        ({"loss": "much"}, "loss"),
        ({"pct_depth": 0}, "pct_depth must be above zero"),
    ],
)
def test_a_world_that_cannot_be_is_refused(fields, said):
    with pytest.raises(PlanError, match=said):
        read_world(fields)
