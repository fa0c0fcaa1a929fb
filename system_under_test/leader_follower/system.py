"""The leader-follower store as a system under test: its switches, its client, its image and its simulated program."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
from harness.errors import SetupError
from harness.history.circumstances import CATCHING_UP_MS, Situation
from harness.protocols import Client, Cluster, Machine, Option

from .client import StoreClient
from .commands import ARGUMENTS
from .configuration import CHOICES, Configuration
from .connection import ask_once
from .promises import PROMISES
from .server import serve

STATUS_TIMEOUT_S = 0.25
CHANGE_TIMEOUT_S = 5.0
POLL_S = 0.05
DATA_FOLDER = "/var/lib/splitbrain"
CODE_FOLDER = "/opt/splitbrain"
HARNESS_FILES = ("__init__.py", "clock.py", "disk.py", "streams.py")
"""What the server's `__main__` takes from the harness; these import nothing but the standard library."""
CLIENT_FILES = ("admin.py", "client.py", "connection.py", "system.py", "promises.py", "statements.py")

OPTIONS = (
    Option("replication", "quorum", "whose disks hold a write before it is acknowledged", CHOICES["replication"]),
    Option("election", "raft", "how leaders are chosen; none: the first node leads for ever", CHOICES["election"]),
    Option(
        "lease", "off", "whether followers promise the leader not to elect another, on which clock", CHOICES["lease"]
    ),
    Option("read", "leader", "how reads are served", CHOICES["read"]),
    Option("fsync", "always", "when the log is synced to disk", CHOICES["fsync"]),
    Option("fencing", True, "refuse messages of older generations, and writes of clients that know of a newer one"),
    Option("heartbeat_ms", 50, "longest silence of a leader"),
    Option("election_timeout_ms", 300, "shortest silence after which a follower stands for election"),
    Option("fsync_interval_ms", 100, "time between syncs with --fsync interval"),
    Option("wait_ms", 1000, "how long a request may wait inside a node"),
    Option("lease_ms", 250, "how long a follower elects nobody after it heard the leader"),
    Option(
        "drift_ppm", 1000, "how wrong the rate of a clock may be, in millionths; the leader's lease is shorter by it"
    ),
    Option("max_lag_ms", 500, "how far behind a node may be that serves --read bounded"),
    Option("snapshot_entries", 0, "applied entries between two snapshots; 0: none"),
    Option("segment_bytes", 16 << 20, "size at which the log begins a new segment"),
    Option("members", "", "the nodes to begin with, with commas; the others wait to be added; empty: all"),
    Option("autopilot_ms", 0, "silence after which the leader removes a member, and takes it back later; 0: never"),
    Option("forward", False, "followers pass writes on to the leader instead of refusing them with its name"),
    Option(
        "exactly_once", False, "clients repeat a write that is in doubt; nodes know it by its number, and do it once"
    ),
    Option("bug", "", "planted bugs, names with commas: see `splitbrain bugs --list`"),
)


EVENTS = {
    "elected": r"^leader of generation",
    "deposed": r"^no longer leader",
    "standing": r"^standing for election|^proposing in generation",
    "following": r"^following ",
    "dropped": r"^dropped \d+ entries",
    "snapshot": r"snapshot",
    "up": r"^up as ",
}
"""What a node's log tells of, for triggers."""


class LeaderFollower:
    """Implements `System`, every way to run one, `ChangesMembers`, `TellsSituation` and `Announcing` of
    `harness.protocols`, and also `Promising` of `harness.matrix`."""

    name = "leader-follower"
    operations = frozenset({"read", *ARGUMENTS}) - {"open"}
    options = OPTIONS
    port = 7000
    image = "splitbrain-leader-follower"
    promises = PROMISES
    events = EVENTS

    def client(self, cluster: Cluster, home: str, options: Mapping[str, Any], seed: int) -> Client:
        """One session at `home`; it has no use for randomness."""
        return StoreClient(cluster, home, options)

    async def wait_ready(self, cluster: Cluster, options: Mapping[str, Any], timeout_s: float) -> None:
        """Return once one leader serves, all members follow it, and all hold its whole log.

        Raises:
            SetupError: what is still missing after `timeout_s`; or, at once, which switch no server starts with.
        """
        try:
            Configuration.from_options(cluster.nodes[0], cluster.nodes, options)
        except ValueError as error:
            raise SetupError(f"The leader-follower store cannot start: {error}.") from error
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while (missing := _missing(await _statuses(cluster))) is not None:
            if loop.time() >= deadline:
                raise SetupError(f"The leader-follower store was not ready after {timeout_s:g} s: {missing}.")
            await asyncio.sleep(POLL_S)

    async def leader(self, cluster: Cluster) -> str | None:
        """Of those who say now that they lead, the one of the highest generation: a cut-off old leader says so too."""
        return (await self.situation(cluster)).leader

    async def situation(self, cluster: Cluster) -> Situation:
        """Who leads, who else believes so, and which members the leader brings up to date."""
        told = {node: status for node, status in (await _statuses(cluster)).items() if status is not None}
        claims = sorted((status["generation"], node) for node, status in told.items() if status["role"] == "leader")
        if not claims:
            return Situation(None)
        leader = claims[-1][1]
        behind = {
            node
            for node, progress in told[leader]["followers"].items()
            if progress["lag_ms"] >= CATCHING_UP_MS > progress["heard_ms"]
        }
        behind |= {told[leader]["joining"]} - {None}
        return Situation(leader, frozenset(node for _, node in claims[:-1]), frozenset(behind))

    async def members(self, cluster: Cluster) -> tuple[str, ...] | None:
        """The members by the word of the leader of the highest generation; None while nobody leads."""
        claims = [
            (status["generation"], tuple(status["members"]))
            for status in (await _statuses(cluster)).values()
            if status is not None and status["role"] == "leader"
        ]
        return max(claims)[1] if claims else None

    async def remove_node(self, cluster: Cluster, node: str) -> str | None:
        """As `admin.py ADDRESS remove-node NODE`, at whoever leads."""
        return await self._change(cluster, "remove-node", node)

    async def add_node(self, cluster: Cluster, node: str) -> str | None:
        """As `admin.py ADDRESS add-node NODE`, at whoever leads."""
        return await self._change(cluster, "add-node", node)

    async def _change(self, cluster: Cluster, command: str, node: str) -> str | None:
        leader = await self.leader(cluster)
        if leader is None:
            return "nobody leads"
        answer = await ask_once(cluster.address(leader), {"f": command, "key": node}, CHANGE_TIMEOUT_S)
        if answer is None:
            return f"no answer from {leader}"
        return None if answer["status"] == "ok" else f"{leader}: {answer['error']}"

    def program(
        self, machine: Machine, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any]
    ) -> Awaitable[None]:
        """The server, on whatever loop is running."""
        return serve(machine, addresses, Configuration.from_options(machine.name, tuple(addresses), options))

    def build_context(self) -> Mapping[str, bytes | Path]:
        """The server's files, and how to make an image of them."""
        return {"Dockerfile": Path(__file__).parent / "Dockerfile", **self.files()}

    def files(self) -> Mapping[str, bytes | Path]:
        """The server's files and those of the harness that it needs, as they are."""
        folder, harness_folder = Path(__file__).parent, Path(str(harness.__file__)).parent
        files: dict[str, bytes | Path] = {"system_under_test/__init__.py": folder.parent / "__init__.py"}
        for path in sorted(folder.glob("*.py")):
            if path.name not in CLIENT_FILES:
                files[f"system_under_test/leader_follower/{path.name}"] = path
        return files | {f"harness/{name}": harness_folder / name for name in HARNESS_FILES}

    def command(self, node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any]) -> Sequence[str]:
        """Runs one node in the foreground, from any folder."""
        code = ["env", f"PYTHONPATH={CODE_FOLDER}", "python3"]
        return [*code, *_arguments(node, addresses, options, DATA_FOLDER)]

    def launch(
        self, node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any], data: Path
    ) -> Sequence[str]:
        """Runs one node in the foreground, with the interpreter and the code of this very process."""
        return [sys.executable, *_arguments(node, addresses, options, str(data))]


def _arguments(node: str, addresses: Mapping[str, tuple[str, int]], options: Mapping[str, Any], data: str) -> list[str]:
    """What Python is told to run one node."""
    peers = ",".join(f"{name}={host}:{port}" for name, (host, port) in addresses.items())
    arguments = ["-m", "system_under_test.leader_follower", "--node", node, "--peers", peers, "--data", data]
    for option in OPTIONS:
        if option.name in options:
            value = options[option.name]
            text = str(value).lower() if isinstance(value, bool) else str(value)
            arguments += [f"--{option.name.replace('_', '-')}", text]
    return arguments


async def _statuses(cluster: Cluster) -> dict[str, dict[str, Any] | None]:
    """What each node says of itself, asked all at once; None where there is no answer."""
    answers = await asyncio.gather(
        *(ask_once(cluster.address(node), {"f": "status"}, STATUS_TIMEOUT_S) for node in cluster.nodes)
    )
    return {
        node: answer["value"] if answer is not None and answer.get("status") == "ok" else None
        for node, answer in zip(cluster.nodes, answers, strict=True)
    }


def _missing(statuses: Mapping[str, dict[str, Any] | None]) -> str | None:
    """What keeps the cluster from being whole, in a few words; None if nothing does."""
    silent = [node for node, status in statuses.items() if status is None]
    if silent:
        return f"no answer from {', '.join(silent)}"
    ready = {node: status for node, status in statuses.items() if status is not None}
    leaders = [node for node, status in ready.items() if status["role"] == "leader" and status["ready"]]
    if len(leaders) != 1:
        return "no leader is ready" if not leaders else f"{' and '.join(leaders)} both lead"
    members = ready[leaders[0]]["members"]
    strangers = [node for node, status in ready.items() if node in members and status["leader"] != leaders[0]]
    if strangers:
        return f"{', '.join(strangers)} not following {leaders[0]}"
    behind = [node for node, progress in ready[leaders[0]]["followers"].items() if progress["lag"]]
    return f"{', '.join(behind)} behind {leaders[0]}" if behind else None


SYSTEM = LeaderFollower()
