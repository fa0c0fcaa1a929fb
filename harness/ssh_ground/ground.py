"""Provisions machines that exist: prepare, install, start, hand over; then end, clean and check that all is gone.

    options = {"machines": "admin@10.0.0.1,admin@10.0.0.2,admin@10.0.0.3", "sudo": True}
    async with SshGround().cluster(system, ("n1", "n2", "n3"), options, run_id) as cluster:
        await cluster.net.cut([("n1", "n2")])

A machine that cannot be prepared fails the run with its name and reason, after the others were cleaned. A command that
may safely be done twice is repeated once when its connection is cut; others are not, and their fault is not proven.

Limits: one run at a time on a machine; nodes find each other under the addresses by which this machine reaches them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from harness import clock
from harness.docker_ground.net import IptablesNet
from harness.docker_ground.processes import ServerProcesses
from harness.errors import PlanError, UsageError
from harness.protocols import Cluster, Installable, Option, System, abilities
from harness.ssh_ground.fleet import Fleet
from harness.ssh_ground.login import Access
from harness.ssh_ground.machines import Machine, parse_machine, read_machines

THREADS_PER_MACHINE: Final = 8

OPTIONS: Final = (
    Option("machines", "", "ssh: [USER@]HOST[:PORT] of each node, with commas"),
    Option("machines_file", "", "ssh: a file with one machine a line"),
    Option("ssh_key", "", "ssh: private key files to try first, with commas"),
    Option("ssh_config", "", "ssh: the client's configuration; empty: ~/.ssh/config"),
    Option("known_hosts", "", "ssh: files of host keys, with commas; empty: ~/.ssh/known_hosts"),
    Option("strict_host_keys", True, "ssh: refuse a machine whose host key is not known"),
    Option("jump", "", "ssh: a machine to go through"),
    Option("sudo", False, "ssh: run everything by way of `sudo -n`"),
)


class SshGround:
    """Implements `Ground`, `Tunable` and `Counted` of `harness.protocols`."""

    name = "ssh"
    faults = frozenset({"net", "processes"}) | abilities(IptablesNet, ServerProcesses)
    options = OPTIONS

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A plain one, on real time."""
        return asyncio.new_event_loop()

    def now_ns(self) -> int:
        """This machine's monotonic clock."""
        return clock.monotonic_ns()

    def refused(self, options: Mapping[str, Any]) -> str | None:
        """What is wrong with the machines or with the files that lead to them; None when nothing is."""
        try:
            machines, access = machines_of(options), access_of(options)
            for machine in machines:
                _ = access.host_keys, access.login(machine).address
        except UsageError as error:
            return str(error).removesuffix(".")
        return None if machines else "no machines; name them with --machines or --machines-file"

    def count(self, options: Mapping[str, Any]) -> int:
        """How many machines the switches name.

        Raises:
            UsageError: one of them is none, or their file cannot be read.
        """
        return len(machines_of(options))

    def lacking(self, options: Mapping[str, Any]) -> Mapping[str, str]:
        """Nothing beyond what it never has."""
        return {}

    def cluster(
        self, system: System, nodes: Sequence[str], options: Mapping[str, Any], run_id: str
    ) -> AbstractAsyncContextManager[Cluster]:
        """Prepare, install and start on entry; end and clean on exit, on every machine that answers.

        Raises:
            PlanError: the system cannot be installed, or there are fewer machines than nodes.
            UsageError: the machines, or the files that lead to them, cannot be understood.
            InfrastructureError: a machine would not do its part; which one, and why.
        """
        if not isinstance(system, Installable):
            raise PlanError(f"The system {system.name!r} cannot be installed over SSH; choose another ground.")
        machines = machines_of(options)
        if len(machines) < len(nodes):
            raise PlanError(f"There are {len(machines)} machines for {len(nodes)} nodes; name more, or --nodes fewer.")
        fleet = dict(zip(nodes, machines, strict=False))
        return self._cluster(system, fleet, access_of(options), options, run_id)

    @asynccontextmanager
    async def _cluster(
        self,
        system: Installable,
        machines: Mapping[str, Machine],
        access: Access,
        options: Mapping[str, Any],
        run_id: str,
    ) -> AsyncIterator[Cluster]:
        threads = ThreadPoolExecutor(THREADS_PER_MACHINE * len(machines), thread_name_prefix="ssh-ground")
        with threads:
            fleet = Fleet(machines, access, threads)
            try:
                yield await fleet.up(system, options, run_id)
            finally:
                await asyncio.shield(fleet.down())


def machines_of(options: Mapping[str, Any]) -> tuple[Machine, ...]:
    """The machines that the switches name.

    Raises:
        UsageError: one of them is none, or their file cannot be read.
    """
    named = tuple(parse_machine(text.strip()) for text in _words(options, "machines"))
    return named + (read_machines(Path(options["machines_file"])) if options.get("machines_file") else ())


def access_of(options: Mapping[str, Any]) -> Access:
    """How the switches say that machines are entered.

    Raises:
        UsageError: the jump host is no machine.
    """
    return Access(
        keys=tuple(Path(name).expanduser() for name in _words(options, "ssh_key")),
        known_hosts=tuple(Path(name).expanduser() for name in _words(options, "known_hosts")),
        strict=bool(options.get("strict_host_keys", True)),
        jump=parse_machine(options["jump"]) if options.get("jump") else None,
        sudo=bool(options.get("sudo", False)),
        config=Path(options["ssh_config"]).expanduser() if options.get("ssh_config") else None,
    )


def _words(options: Mapping[str, Any], name: str) -> list[str]:
    return [word for word in str(options.get(name, "")).split(",") if word]
