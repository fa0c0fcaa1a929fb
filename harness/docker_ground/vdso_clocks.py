"""The clock fault surface by the vDSO: wall clocks of servers that are static programs, too, as Go's are (`vdso.py`).

    clocks = VdsoClocks({"n1": host}, threads.run)
    await clocks.set_offset_ns("n1", 5_000_000_000)

Every process of the server's session has its vDSO changed from this machine; nothing is loaded or restarted for it.
What a server's clock shows is asked of its own code, read from its memory and run here.

Limits: x86-64, root on the engine's machine. A server that is started while its clock is wrong has the right time until
it is found, some hundredths of a second; one that does not run is said to have what it will be given. A process that
executes another program later has the right time again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

from harness import clock
from harness.docker_ground.clocks import ServerClocks
from harness.docker_ground.host import Host
from harness.docker_ground.node_image import SERVER_PID, VDSO_CODE
from harness.docker_ground.node_image.preload_file import NAMES, changed, shown_ns
from harness.docker_ground.owner import PROC
from harness.docker_ground.vdso import Vdso
from harness.errors import InfrastructureError

WALL, MONOTONIC = 0, 1
CLOCKS: Final = {"wall": WALL, "monotonic": MONOTONIC}
SETTLED: Final = 6
"""A server that was started has what we put there, if it still has it after so many looks."""
LOOKS_MAX: Final = 40
LOOK_EVERY_S: Final = 0.05


class VdsoClocks(ServerClocks):
    """By the vDSO of each of the server's processes."""

    def __init__(self, hosts: Mapping[str, Host], on_thread: Callable[..., Awaitable[Any]]) -> None:
        self._hosts, self._on_thread = hosts, on_thread
        self._settings = {node: dict.fromkeys(NAMES, 0) for node in hosts}

    async def go_wrong_together(self) -> None:
        """From now on monotonic clocks are wrong by what the wall clock is wrong by."""
        for settings in self._settings.values():
            settings["monotonic"] = 1

    async def started(self, node: str) -> None:
        """A server was started: a clock that is to be wrong is made so, once it is the program that it will be."""
        wrong = self._settings[node]
        if not any(wrong[name] for name in ("offset", "rate", "frozen")):
            return
        settled = 0
        for _ in range(LOOKS_MAX):
            settled = 0 if await self._on_thread(self._apply, node) else settled + 1
            if settled == SETTLED:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, node: str, clock: Literal["wall", "monotonic"]) -> int:
        found: int = await self._on_thread(self._shown, node, CLOCKS[clock])
        return found

    async def _set(self, node: str, what: str, value: int) -> None:
        self._settings[node] = changed(self._settings[node], what, value, clock.wall_ns(), clock.monotonic_ns())
        await self._on_thread(self._apply, node)

    def _apply(self, node: str) -> bool:
        """Give the settings to all processes of the server; whether one of them did not have our code before."""
        host = self._hosts[node]
        code = _code(host)
        new = False
        for pid in server_pids(host):
            try:
                vdso = Vdso(pid)
                new = vdso.put(code) or new
                vdso.write(self._settings[node])
            except (InfrastructureError, OSError) as error:
                if (PROC / str(pid) / "maps").exists():
                    raise InfrastructureError(f"{node}: its server's clock cannot be set: {error}.") from error
        return new

    def _shown(self, node: str, number: int) -> int:
        pids = server_pids(self._hosts[node])
        try:
            return Vdso(pids[0]).shown(number) if pids else self._to_be_shown(node, number)
        except (InfrastructureError, OSError) as error:
            raise InfrastructureError(f"{node}: its server's clock cannot be read: {error}.") from error

    def _to_be_shown(self, node: str, number: int) -> int:
        now, settings = clock.wall_ns(), self._settings[node]
        return shown_ns(settings, now) - now if number == WALL or settings["monotonic"] else 0


def server_pids(host: Host) -> list[int]:
    """The processes of a node's server by their numbers on this machine, the first one first; [] for none."""
    try:
        number = host.path(SERVER_PID).read_text().split()[0]
        place = (PROC / str(host.pid) / "ns" / "pid").readlink()
    except (OSError, IndexError):
        return []
    sessions: dict[int, int] = {}
    first = None
    for folder in PROC.glob("[0-9]*"):
        try:
            if (folder / "ns" / "pid").readlink() != place:
                continue
            status = (folder / "status").read_text()
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] in "ZX":
            continue
        sessions[int(folder.name)] = int(fields[3])
        known_as = next((line.split()[-1] for line in status.splitlines() if line.startswith("NSpid:")), "")
        if known_as == number:
            first = int(folder.name)
    if first is None:
        return []
    return [first, *(pid for pid, session in sorted(sessions.items()) if session == first and pid != first)]


def _code(host: Host) -> bytes:
    try:
        return host.path(VDSO_CODE).read_bytes()
    except OSError as error:
        raise InfrastructureError(
            f"{host.node}: its image has no vdso.bin, since its base image had no compiler; its clock cannot be set."
        ) from error
