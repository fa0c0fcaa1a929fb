"""How fast a follower that was away catches up: by entries of the log, and by a snapshot of the state.

Three nodes on loopback sockets, in this one process and on one core, each on a real disk (a temporary folder), quorum,
fsync always. One follower is down while the others take writes of 64 bytes each to as many keys; then it starts, and
the time is taken until it has applied everything. With snapshots off it gets every entry; with a small
`snapshot_entries` it gets the state in parts, and the entries after it.

    python benchmarks/runs/store_catch_up.py [--entries 20000] [--rounds 3]

Limits: leader and follower share one core here, so a real pair is faster; MB/s counts what the commands take as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.clock import monotonic_ns, wall_ns
from harness.disk import RealDisk
from harness.streams import Random, Streams
from system_under_test.leader_follower.connection import ask_once
from system_under_test.leader_follower.system import SYSTEM
from system_under_test.leader_follower.wire import READ_BYTES, Decoder, encode

NODES = ("n1", "n2", "n3")
ADDRESSES = {name: ("127.0.0.1", 17410 + place) for place, name in enumerate(NODES)}
VALUE = "v" * 64
WINDOW = 256
POLL_S = 0.005
TIMEOUT_S = 120.0
OPTIONS: dict[str, Any] = {"election": "none", "heartbeat_ms": 50, "election_timeout_ms": 2000, "wait_ms": 20_000}


class LocalMachine:
    """One node's disk, clock and chance; its log is kept nowhere."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.disk = RealDisk(folder)
        self.random: Random = Streams(1).stream(name)

    def monotonic_ns(self) -> int:
        """A clock that never jumps."""
        return monotonic_ns()

    def wall_ns(self) -> int:
        """The wall clock."""
        return wall_ns()

    def log(self, message: str) -> None:
        """Nobody reads it here."""


def start(name: str, folder: Path, snapshot_entries: int) -> asyncio.Future[None]:
    """One node, as a task."""
    machine = LocalMachine(name, folder / name)
    options = OPTIONS | {"snapshot_entries": snapshot_entries}
    return asyncio.ensure_future(SYSTEM.program(machine, ADDRESSES, options))


async def status(node: str) -> dict[str, Any]:
    """What a node says of itself; empty while it says nothing."""
    answer = await ask_once(ADDRESSES[node], {"f": "status"}, 5.0)
    return answer["value"] if answer is not None and answer.get("status") == "ok" else {}


async def fill(entries: int) -> None:
    """Write to the leader, a window at a time."""
    reader, writer = await asyncio.open_connection(*ADDRESSES["n1"])
    decoder = Decoder()
    for first in range(0, entries, WINDOW):
        wanted = range(first, min(entries, first + WINDOW))
        for number in wanted:
            writer.write(encode({"id": number, "f": "write", "key": number, "value": VALUE}))
        answered = 0
        while answered < len(wanted):
            for answer in decoder.feed(await reader.read(READ_BYTES)):
                if answer["status"] != "ok":
                    raise SystemExit(f"a write was not acknowledged: {answer}")
                answered += 1
    writer.close()


async def caught_up(node: str, index: int) -> None:
    """Return once this node has applied up to `index`."""
    async with asyncio.timeout(TIMEOUT_S):
        while (await status(node)).get("applied", [0, 0])[1] < index:  # noqa: ASYNC110 - the node is asked over its socket
            await asyncio.sleep(POLL_S)


async def measure(entries: int, snapshot_entries: int) -> tuple[float, int]:
    """(seconds, index at which the follower's snapshot ends)."""
    with tempfile.TemporaryDirectory() as name:
        tasks = [start(node, Path(name), snapshot_entries) for node in NODES[:2]]
        try:
            await caught_up("n2", 1)
            await fill(entries)
            index = (await status("n1"))["last_index"]
            began_ns = monotonic_ns()
            tasks.append(start("n3", Path(name), snapshot_entries))
            await caught_up("n3", index)
            return (monotonic_ns() - began_ns) / 1e9, (await status("n3"))["snapshot_index"]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print a line for each way."""
    parser = argparse.ArgumentParser(description="How fast a follower catches up.")
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(words)
    command_bytes = len(json.dumps(["write", chosen.entries, VALUE], separators=(",", ":")))
    for name, snapshot_entries in (("entries", 0), ("snapshot", chosen.entries // 3)):
        rounds = [asyncio.run(measure(chosen.entries, snapshot_entries)) for _ in range(chosen.rounds)]
        seconds = statistics.median(taken for taken, _ in rounds)
        rate = chosen.entries / seconds
        print(
            f"{name}: {chosen.entries} entries in {seconds:.2f} s, {rate:,.0f} entries/s,"
            f" {rate * command_bytes / 1e6:.2f} MB/s; the follower's snapshot ends at {rounds[-1][1]}"
        )


if __name__ == "__main__":
    main()
