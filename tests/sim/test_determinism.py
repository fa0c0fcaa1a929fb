"""Equal seeds give equal runs: in one process, in two, and whatever the seed of Python's own hashes is."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import gossip
import msgspec
import pytest
from torture import many

from harness.cli import main
from harness.cli.exploring import Task, executor
from harness.exploration.templates import feasible
from harness.simulation.ground import SimGround
from harness.tape import Tape
from harness.testing import plan_from

PROGRAM = Path(gossip.__file__)
COMMAND = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
FAULTS = ("--nemesis", "partition,kill,pause,power", "--combine", "--interval", "1", "--duration", "1")


REPETITIONS = 100 if os.environ.get("SPLITBRAIN_TORTURE") else 10


def told(seed, hash_seed, world="usual"):
    """What the program prints in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    words = [sys.executable, PROGRAM, str(seed), world]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, check=True)
    return done.stdout


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equal_seeds_give_equal_runs_in_one_process(seed):
    first = gossip.run(seed)
    assert len(first[1]) > 100
    rubbish = [bytearray(seed * 1000 + size) for size in range(500)]  # other addresses, other collections of garbage
    assert gossip.run(seed) == first
    del rubbish[::2]
    assert gossip.run(seed) == first


@many(least=2)
def test_equal_seeds_give_equal_runs_for_many_seeds(seeds):
    for seed in seeds:
        assert gossip.run(seed) == gossip.run(seed), seed


def test_seeds_differ():
    assert len({gossip.run(seed)[0] for seed in range(8)}) == 8


def test_the_runs_are_eventful():
    """Otherwise their being equal would say little: task groups were torn, in an order that sets decide."""
    seen = gossip.run(1)[1]
    torn = [event for event in seen if len(event) == 5 and isinstance(event[4], list) and len(event[4]) > 1]
    assert len(torn) > 10
    assert {"cut", "heal", "kill", "pause", "power", "start", "resume"} <= {event[0] for event in seen}


def repeated(world):
    """All that is printed in so many repetitions, each in a process of its own, with its own hashes of strings."""
    printed = {told(5, 37 * number, world) for number in range(REPETITIONS)}
    digest, seen = gossip.run(5, world)
    assert {event[0] for event in seen} >= {"cut", "kill", "power"}
    return printed, "".join(f"{line}\n" for line in [digest, *seen])


def test_equal_seeds_give_equal_bytes_in_many_processes_with_other_hashes():
    printed, here = repeated("usual")
    assert printed == {here}


def test_equal_seeds_give_equal_bytes_in_a_hard_world_too():
    printed, here = repeated("hard")
    assert printed == {here}


@pytest.mark.torture
def test_equal_seeds_give_equal_bytes_under_pct():
    printed, here = repeated("pct")
    assert printed == {here}


def explored(jobs, hash_seed, seeds):
    """What runs of the store and of the gossip come to, as bytes, in so many workers with hashes of their own."""
    plan = {"nodes": 3, "concurrency": 3, "time_limit_s": 0.4, "quiet_s": 0.1, "rate": 60.0}
    options = {"heartbeat_ms": 20, "election_timeout_ms": 100}
    kinds = ("partition", "kill", "pause", "power")
    arms = feasible(kinds)
    tasks = [Task(plan_from({**plan, "options": options, "seed": n}), kinds, arms[n % len(arms)]) for n in seeds]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", str(hash_seed))
        with executor("", jobs) as where:
            findings = [msgspec.structs.replace(finding, processor_ns=0) for finding in where.run(tasks)]
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            gossips = list(pool.map(gossip.run, [5] * jobs))
    assert all(one == gossips[0] for one in gossips)
    assert all(finding.digests[0] and finding.digests[1] for finding in findings)
    return msgspec.json.encode([findings, gossips[0]], order="deterministic")


def test_equal_seeds_give_equal_bytes_whatever_the_jobs():
    assert len({explored(jobs, 41 * jobs, range(4)) for jobs in (1, 3)}) == 1


@pytest.mark.torture
def test_equal_seeds_give_equal_bytes_in_a_hundred_pools_of_workers():
    assert len({explored(1 + number % 4, number, range(8)) for number in range(100)}) == 1


@pytest.mark.parametrize("world", ["hard", "pct"])
def test_hard_worlds_are_the_same_twice_for_many_seeds(world):
    digests = [gossip.run(seed, world)[0] for seed in range(4)]
    assert digests == [gossip.run(seed, world)[0] for seed in range(4)]
    assert len(set(digests)) == 4


@pytest.mark.parametrize("world", ["usual", "hard"])
def test_a_run_is_replayed_from_its_tape_whatever_the_seed(world):
    ground = SimGround(6, gossip.WORLDS[world], record_choices=True)
    first = gossip.play(ground)
    tape = Tape.from_json(ground.streams().recorded().to_json())
    assert {choice.stream.split("/")[0] for choice in tape.choices} >= {"network", "disk", "node", "blows", "start"}
    assert gossip.run(6, world) == first
    assert gossip.play(SimGround(999, gossip.WORLDS[world], tape=tape)) == first
    mild = gossip.play(SimGround(6, gossip.WORLDS[world], tape=tape.first(len(tape.choices) // 2)))
    assert mild[0] != first[0]
    common = next(place for place, (a, b) in enumerate(zip(first[1], mild[1], strict=False)) if a != b)
    assert common > 5


def history(store):
    [path] = store.glob("*/2*/history.jsonl")
    return path.read_bytes()


def logs(store):
    return {path.parent.name: path.read_bytes() for path in store.glob("*/2*/nodes/*/server.log")}


def test_whole_runs_of_the_store_are_equal_byte_for_byte(tmp_path):
    """The command, the store, its clients, the interpreter, the nemesis: in this process and in others."""
    words = ["run", "--on", "sim", "--seed", "9", "--time-limit", "6", *FAULTS, "--json", "--store"]
    for hash_seed in (0, 77):
        subprocess.run(
            [sys.executable, "-c", COMMAND, *words, str(tmp_path / str(hash_seed))],
            capture_output=True,
            timeout=300,
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        )
    main([*words, str(tmp_path / "here")])
    histories = [history(tmp_path / name) for name in ("0", "77", "here")]
    assert histories[0] == histories[1] == histories[2]
    assert histories[0].count(b"\n") > 500
    assert b'"start-power"' in histories[0] or b'"start-kill"' in histories[0]
    assert logs(tmp_path / "0") == logs(tmp_path / "77") == logs(tmp_path / "here")
    assert len(logs(tmp_path / "0")) == 5
