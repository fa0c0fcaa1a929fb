"""Equal seeds give equal runs: in one process, in two, and whatever the seed of Python's own hashes is."""

import os
import subprocess
import sys
from pathlib import Path

import gossip
import pytest

from harness.cli import main

PROGRAM = Path(gossip.__file__)
COMMAND = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
FAULTS = ("--nemesis", "partition,kill,pause,power", "--combine", "--interval", "1", "--duration", "1")


def told(seed, hash_seed):
    """What the program prints in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(
        [sys.executable, PROGRAM, str(seed)], capture_output=True, text=True, timeout=120, env=environment, check=True
    )
    return done.stdout


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equal_seeds_give_equal_runs_in_one_process(seed):
    first = gossip.run(seed)
    assert len(first[1]) > 100
    rubbish = [bytearray(seed * 1000 + size) for size in range(500)]  # other addresses, other collections of garbage
    assert gossip.run(seed) == first
    del rubbish[::2]
    assert gossip.run(seed) == first


@pytest.mark.torture
def test_equal_seeds_give_equal_runs_for_many_seeds():
    for seed in range(100, 400):
        assert gossip.run(seed) == gossip.run(seed), seed


def test_seeds_differ():
    assert len({gossip.run(seed)[0] for seed in range(8)}) == 8


def test_the_runs_are_eventful():
    """Otherwise their being equal would say little: task groups were torn, in an order that sets decide."""
    seen = gossip.run(1)[1]
    torn = [event for event in seen if len(event) == 5 and isinstance(event[4], list) and len(event[4]) > 1]
    assert len(torn) > 10
    assert {"cut", "heal", "kill", "pause", "power", "start", "resume"} <= {event[0] for event in seen}


def test_equal_seeds_give_equal_runs_in_other_processes_with_other_hashes():
    printed = [told(5, hash_seed) for hash_seed in (0, 1, 4242)]
    assert printed[0] == printed[1] == printed[2]
    digest, seen = gossip.run(5)
    assert printed[0].splitlines() == [digest, *map(str, seen)]


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
