"""Crashes at every boundary of every effect, seen and struck by whoever listens; nothing of the dead has an effect."""

import asyncio
import contextlib

import pytest
from little import Little, ask, simulate

from harness.protocols import ObservesNodes
from harness.simulation.ground import SimGround
from harness.simulation.world import World

STEPS = ("append", "append done", "sync", "sync done", "rename", "rename done", "send", "sent")


def storing(marks):
    """A server that, for each line: writes it aside, syncs, renames, answers. `finally` blocks try to do harm."""

    async def program(machine, addresses):
        disk = machine.disk
        marks.append(("found", tuple((name, disk.read(name)) for name in disk.list())))

        async def serve(reader, writer):
            try:
                while line := await reader.readline():
                    disk.append("aside", line)
                    disk.sync("aside")
                    disk.rename("aside", "state")
                    writer.write(line)
            except OSError:
                pass
            finally:
                with contextlib.suppress(Exception):
                    machine.log("last words")
                with contextlib.suppress(Exception):
                    disk.write("harm", b"done")
                with contextlib.suppress(Exception):
                    writer.write(b"harm\n")
                asyncio.get_running_loop().call_soon(marks.append, ("harm", None))

        server = await asyncio.start_server(serve, *addresses[machine.name])
        await server.serve_forever()

    return program


def struck_at(step, marks, power=False):
    """Ask once; strike n1 at that step; what was answered, what is found after the next start, the log's end."""

    async def test(cluster, loop):
        assert isinstance(cluster, ObservesNodes)
        events = []

        def listener(node, event, text):
            events.append((node, event))
            if event == step:
                cluster.strike("n1", power=power)

        cluster.listen(listener)
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(*cluster.address("n1"))
            writer.write(b"hello\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    marks.append(("answered", await reader.readline()))
            writer.transport.abort()
        assert await cluster.processes.state("n1") == "stopped"
        if power:
            await cluster.disks.power_off("n1")
        await cluster.processes.start("n1")
        await asyncio.sleep(1)
        return events

    return simulate(storing(marks), test, nodes=("n1",))


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_can_fall_on_each_side_of_each_effect(step):
    marks = []
    events = [event for _, event in struck_at(step, marks) if event != "log"]
    assert events == list(STEPS[: STEPS.index(step) + 1])
    found = dict([content for what, content in marks if what == "found"][-1])
    aside, renamed = STEPS.index(step) >= 1, STEPS.index(step) >= 5
    assert found == ({"state": b"hello\n"} if renamed else {"aside": b"hello\n"} if aside else {})
    answers = [answer for what, answer in marks if what == "answered"]
    assert answers == ([b"hello\n"] if step == "sent" else [b""])
    assert ("harm", None) not in marks


def test_a_loss_of_power_between_append_and_sync_may_take_what_was_appended():
    lefts = set()
    for seed in range(30):
        marks = []

        async def test(cluster, loop, marks=marks):
            cluster.listen(lambda node, event, text: event == "sync" and cluster.strike(node, power=True))
            with pytest.raises(TimeoutError):
                await ask(cluster, "n1")
            await cluster.disks.power_off("n1")
            await cluster.processes.start("n1")
            await asyncio.sleep(0.1)
            return dict([content for what, content in marks if what == "found"][-1])

        left = simulate(storing(marks), test, nodes=("n1",), seed=seed)
        lefts.add(left.get("aside"))
    assert {None, b""} & lefts
    assert b"hello\n" in lefts


def test_nothing_after_an_await_runs_in_a_dead_process_not_even_a_finally():
    ran = []

    async def wait(what):
        try:
            await what
        finally:
            ran.append("finally")

    async def program(machine, addresses):
        queue = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(wait(queue.get()))
            group.create_task(wait(asyncio.sleep(0.5)))
            group.create_task(wait(asyncio.Event().wait()))

    async def test(cluster, loop):
        await cluster.processes.kill("n1")
        await asyncio.sleep(5)
        return list(ran)

    assert simulate(program, test, nodes=("n1",)) == []


def test_a_watched_server_does_what_it_does_unwatched():
    def answers(listened):
        async def test(cluster, loop):
            if listened:
                cluster.listen(lambda *_: None)
            return [await ask(cluster, "n1", b"%d\n" % number) for number in range(5)], loop.trace.digest()

        return simulate(storing([]), test, nodes=("n1",))

    assert answers(True) == answers(False)


def test_lines_of_the_log_are_told_and_may_be_struck_at():
    async def program(machine, addresses):
        for number in range(100):
            await asyncio.sleep(0.1)
            machine.log(f"step {number}")

    async def test(cluster, loop):
        told = []

        def listener(node, event, text):
            told.append(text)
            if text == "step 5":
                cluster.strike(node, power=False)

        cluster.listen(listener)
        await asyncio.sleep(3)
        return told, await cluster.processes.state("n1")

    told, state = simulate(program, test, nodes=("n1",))
    assert told[-3:] == ["step 4", "step 5", "killed"]
    assert state == "stopped"


def test_a_server_may_expose_its_state_and_the_digest_covers_it():
    def digest(hidden):
        async def program(machine, addresses):
            machine.expose(lambda: {"role": "leader", "hidden": hidden})
            await asyncio.sleep(100)

        async def test(cluster, loop):
            seen = cluster.observe("n1")
            for _ in range(3000):
                await asyncio.sleep(0.001)
            await cluster.processes.kill("n1")
            return seen, cluster.observe("n1"), loop.trace.digest()

        return simulate(program, test, nodes=("n1",))

    assert digest(1)[:2] == ({"role": "leader", "hidden": 1}, {})
    assert digest(1) == digest(1)
    assert digest(1)[2] != digest(2)[2]


# ── in recovery ──────────────────────────────────────────────────────────────────────────────────────────────────────


def recovering(lives):
    """A server whose start reads and rewrites its disk in many steps."""

    async def program(machine, addresses):
        life = {"steps": 0}
        lives.append(life)
        disk = machine.disk
        for number in range(6):
            disk.append("journal", b"%d" % number)
            disk.sync("journal")
            life["steps"] += 1
        life["up"] = machine.monotonic_ns()
        await asyncio.sleep(10**6)

    return program


def test_a_world_of_crashes_in_recovery_strikes_starts_and_starts_again():
    ground = SimGround(1, World(recovery_crashes=0.5))
    loop = ground.new_event_loop()
    lives = []

    async def main():
        async with ground.cluster(Little(recovering(lives)), ("n1",), {}, "run") as cluster:
            for _ in range(20):
                await asyncio.sleep(1)
                await cluster.processes.kill("n1")
                await cluster.processes.start("n1")
            await asyncio.sleep(1)
            return await cluster.processes.state("n1")

    assert loop.run_until_complete(main()) == "running"
    loop.close()
    struck = [life for life in lives if "up" not in life]
    assert len(lives) == 21 + len(struck)
    assert 5 < len(struck) < 60
    assert len({life["steps"] for life in struck}) >= 3


def test_who_is_to_be_down_is_not_started_again():
    ground = SimGround(1, World(recovery_crashes=1.0))
    loop = ground.new_event_loop()

    async def main():
        async with ground.cluster(Little(recovering([])), ("n1",), {}, "run") as cluster:
            while await cluster.processes.state("n1") != "stopped":  # noqa: ASYNC110 - the moment after the crash
                await asyncio.sleep(0.001)
            await cluster.disks.power_off("n1")
            await asyncio.sleep(10)
            return await cluster.processes.state("n1")

    assert loop.run_until_complete(main()) == "stopped"
    loop.close()


@pytest.mark.parametrize(("event", "came"), [("send", [b"1\n"]), ("sent", [b"1\n", b"2\n"])])
def test_a_link_that_is_severed_before_a_message_loses_it_and_after_it_all_others(event, came):
    arrived = []

    async def program(machine, addresses):
        async def take(reader, writer):
            while line := await reader.readline():
                arrived.append(line)

        server = await asyncio.start_server(take, *addresses[machine.name])
        if machine.name == "n1":
            await asyncio.sleep(0.2)
            _, writer = await asyncio.open_connection(*addresses["n2"])
            for number in (b"1\n", b"2\n", b"3\n"):
                writer.write(number)
                await asyncio.sleep(0.03)
        await server.serve_forever()

    async def test(cluster, loop):
        seen = []

        def listener(node, what, text):
            if what == event and text == "n2":
                seen.append(what)
                if len(seen) == 2:
                    cluster.sever([("n1", "n2"), ("n2", "n1")])

        cluster.listen(listener)
        await asyncio.sleep(1)
        assert len(seen) == 3 and not await cluster.net.reaches("n2", "n1")
        before = list(arrived)
        await cluster.net.heal()
        await asyncio.sleep(5)
        return before

    assert simulate(program, test, nodes=("n1", "n2")) == came
    assert arrived == [b"1\n", b"2\n", b"3\n"]
