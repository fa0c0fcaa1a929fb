"""Run one node of the store on this machine.

    python3 -m system_under_test.leader_follower --node n1 --data /var/lib/splitbrain --replication quorum \\
        --peers n1=10.0.0.1:7000,n2=10.0.0.2:7000,n3=10.0.0.3:7000

`--peers` lists the whole cluster, in the same order everywhere. Ends with status 1 and one sentence on a damaged disk,
a taken address or a bad option.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import sys
from pathlib import Path

from harness.clock import monotonic_ns, wall_ns
from harness.disk import RealDisk
from harness.streams import Random, Streams

from .configuration import CHOICES, Configuration
from .server import serve
from .wal import CorruptLog


class RealMachine:
    """This computer: its disk below one folder, its clocks, its chance, and standard error for a log."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = RealDisk(folder)
        self.random: Random = Streams(int.from_bytes(os.urandom(8), "big")).stream(name)

    def monotonic_ns(self) -> int:
        """A clock that never jumps."""
        return monotonic_ns()

    def wall_ns(self) -> int:
        """The wall clock."""
        return wall_ns()

    def log(self, message: str) -> None:
        """One line, stamped."""
        print(f"{self.wall_ns() / 1e9:.3f} {self.name} {message}", file=sys.stderr, flush=True)  # noqa: T201 - the log


def parse_peers(text: str) -> dict[str, tuple[str, int]]:
    """'n1=host:port,n2=...' as addresses by node, in that order; ValueError names the part that is wrong."""
    addresses: dict[str, tuple[str, int]] = {}
    for part in text.split(","):
        node, _, address = part.partition("=")
        host, _, port = address.rpartition(":")
        if not node or not host or not port.isdigit() or not 0 < int(port) < 65536 or node in addresses:
            raise ValueError(f"--peers has {part!r}; wanted NODE=HOST:PORT, each node once")
        addresses[node] = (host, int(port))
    return addresses


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m system_under_test.leader_follower", description="One node of the leader-follower store."
    )
    parser.add_argument("--node", required=True, help="this node's name")
    parser.add_argument("--peers", required=True, help="the whole cluster: NODE=HOST:PORT,...")
    parser.add_argument("--data", required=True, type=Path, help="folder for log and hard state")
    for field in dataclasses.fields(Configuration):
        if field.name in ("name", "nodes"):
            continue
        flag = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(flag, choices=("true", "false"), default=str(field.default).lower())
        else:
            parser.add_argument(flag, type=type(field.default), choices=CHOICES.get(field.name), default=field.default)
    return parser


def main() -> int:
    """Run until killed."""
    arguments = vars(_parser().parse_args())
    for field in dataclasses.fields(Configuration):
        if isinstance(field.default, bool):
            arguments[field.name] = arguments[field.name] == "true"
    try:
        addresses = parse_peers(arguments["peers"])
        configuration = Configuration.from_options(arguments["node"], tuple(addresses), arguments)
        machine = RealMachine(arguments["node"], arguments["data"])
        asyncio.run(serve(machine, addresses, configuration))
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, CorruptLog) as error:
        print(f"{arguments['node']}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the only way to say it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
