"""The disk fault surface: power loss and broken disks on volumes of the nodes' own, and damage to their files.

Power loss and most breakages need `--disk loop` (`volume.py`), done from the engine's machine; fsync that lies or fails
is done to the server by preload.c, and damage to files by disk_tool.py on the node. Evidence is what a test write
answers, on the node and in its control group, so that a throttle holds for it, too; an answer that does not fit raises.

Limits: fsync lies to programs on libc only. A file that was damaged stays so; a server reads it when it starts next.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from harness.docker_ground.control import Control
from harness.docker_ground.node_image import DATA_FOLDER, DISK_TOOL, PRELOAD, SET_PRELOAD
from harness.docker_ground.volume import Volume
from harness.errors import InfrastructureError
from harness.protocols import Processes

T = TypeVar("T")
OnThread = Callable[..., Awaitable[Any]]
LOOP_BREAKAGES: Final = ("full", "read-only", "slow", "hung")
FSYNC_BREAKAGES: Final = {"lying-fsync": "1", "error": "2"}
SLOW_BYTES_PER_S: Final = 20_480
"""So that a block of 4 KiB takes a fifth of a second."""
PROBES: Final = 5
SLOWER_MS: Final = 50
"""Less than what a block takes."""
ANSWERS: Final = {"full": "No space left on device", "read-only": "Read-only file system", "hung": "hangs"}
"""What a test write must answer."""
PROBE_MS: Final = 1500
SYNC: Final = ("env", f"LD_PRELOAD={PRELOAD}", "sync", DATA_FOLDER)


class DockerDisks:
    """Implements `Disks` and `BreaksDisks` of `harness.protocols`.

    Args:
        volumes: by node; empty without `--disk loop`.
        on_thread: runs a blocking call.
        fsync: whether the nodes have preload.so.
    """

    def __init__(
        self, control: Control, processes: Processes, volumes: Mapping[str, Volume], on_thread: OnThread, *, fsync: bool
    ) -> None:
        self._control, self._processes, self._volumes = control, processes, dict(volumes)
        self._on_thread, self._fsync = on_thread, fsync
        self._broken: dict[str, str] = {}

    async def power_off(self, node: str) -> int:
        """Kill the server, and drop what it had not synced; returns the bytes lost."""
        if node in self._broken:  # else a test write would sync what is about to be lost
            await self.mend_disk(node)
        await self._processes.kill(node)
        lost: int = await self._on_thread(self._volume(node).lose_power)
        return lost

    def breakages(self) -> frozenset[str]:
        """What these nodes' disks can suffer."""
        return frozenset(LOOP_BREAKAGES if self._volumes else ()) | frozenset(FSYNC_BREAKAGES if self._fsync else ())

    async def break_disk(self, node: str, kind: str) -> str:
        """Break it, and tell what a test write answers."""
        if kind not in self.breakages():
            raise InfrastructureError(f"{node}: its disk cannot be made {kind} here.")
        await self.mend_disk(node)
        self._broken[node] = kind
        if kind in FSYNC_BREAKAGES:
            return await self._break_fsync(node, kind)
        volume = self._volume(node)
        if kind == "slow":
            return await self._slow_down(node, volume)
        before = await self._probe(node)
        await self._on_thread({"full": volume.fill, "hung": volume.freeze}.get(kind, volume.make_read_only))
        found = await self._probe(node)
        if found["answer"] != ANSWERS[kind]:
            raise InfrastructureError(f"{node}: its disk should be {kind}, but {told(found)}.")
        return f"{told(found)}; before, {told(before)}"

    async def _slow_down(self, node: str, volume: Volume) -> str:
        """Of some test writes the middle one counts, before and after: a busy machine has slow ones by itself, and of
        those that are throttled one or another is written by a thread of the kernel, which is not."""
        before = await self._middle(node)
        await self._on_thread(volume.throttle, SLOW_BYTES_PER_S)
        found = await self._middle(node)
        if found["answer"] != "written" or found["ms"] < before["ms"] + SLOWER_MS:
            raise InfrastructureError(f"{node}: its disk should be slow, but {told(found)}; before, {told(before)}.")
        return f"{told(found)}; before, {told(before)}"

    async def _middle(self, node: str) -> dict[str, Any]:
        """Of PROBES test writes, the one that took neither long nor short."""
        found = [await self._probe(node) for _ in range(PROBES)]
        return sorted(found, key=lambda probe: float(probe["ms"]))[PROBES // 2]

    async def mend_disk(self, node: str) -> str:
        """Lift what is broken, and tell what a test write answers."""
        kind = self._broken.pop(node, None)
        if kind in FSYNC_BREAKAGES:
            await self._control.check(node, [*SET_PRELOAD, "fsync", "0"], repeatable=True)
            return await self._synced(node)
        volume = self._volumes.get(node)
        if volume is not None and kind == "read-only":
            if not await self._on_thread(volume.make_writable):
                await self._mount_anew(node, volume)
        elif volume is not None and kind is not None:
            await self._on_thread({"full": volume.empty, "hung": volume.thaw}.get(kind, volume.unthrottle))
        found = await self._probe(node)
        if found["answer"] != "written":
            raise InfrastructureError(f"{node}: its disk should be well again, but {told(found)}.")
        return told(found)

    async def corrupt(self, node: str, path: str, kind: str, amount: int, seed: int) -> str:
        """Damage one file below the data folder."""
        assert kind in ("truncate", "bitflip"), kind
        words = [*DISK_TOOL, kind, DATA_FOLDER, path, str(amount), str(seed)]
        found = json.loads(await self._control.check(node, words))
        if not found:
            raise InfrastructureError(f"{node}: no file in its data folder matches {path!r}, so none was damaged.")
        places = ", ".join(map(str, found["places"]))
        what = f"cut to {places} of {found['size']} bytes" if kind == "truncate" else f"one bit turned at byte {places}"
        return f"{found['file']}: {what}"

    async def _break_fsync(self, node: str, kind: str) -> str:
        before = json.loads(await self._control.check(node, [*SET_PRELOAD, "fsync", FSYNC_BREAKAGES[kind]]))
        said = await self._synced(node)
        after = json.loads(await self._control.check(node, [*SET_PRELOAD, "show"]))
        if after["fsyncs"] <= before["fsyncs"]:
            raise InfrastructureError(f"{node}: its fsync should be {kind}, but is honest: preload.so is not loaded.")
        return f"{said}, without anything being synced"

    async def _synced(self, node: str) -> str:
        done = await self._control.run(node, SYNC, repeatable=True)
        return f"fsync of the data folder: {done.errors.strip().rpartition(': ')[2] if done.status else 'done'}"

    async def _mount_anew(self, node: str, volume: Volume) -> None:
        """What met an error stays read-only until then; nobody may use it meanwhile."""
        was = await self._processes.state(node)
        await self._processes.kill(node)
        await self._on_thread(volume.unmount)
        await self._on_thread(volume.mount)
        if was != "stopped":
            await self._processes.start(node)

    async def _probe(self, node: str) -> dict[str, Any]:
        words = [*DISK_TOOL, "probe", DATA_FOLDER, str(PROBE_MS)]
        found: dict[str, Any] = json.loads(await self._control.check(node, words, repeatable=True))
        return found

    def _volume(self, node: str) -> Volume:
        if node not in self._volumes:
            raise InfrastructureError(f"{node}: it has no disk of its own that could be broken; use --disk loop.")
        return self._volumes[node]


def told(probe: Mapping[str, Any]) -> str:
    """What a test write came to, as evidence."""
    return f"a test write: {probe['answer']}" + (f" in {probe['ms']:.0f} ms" if probe["answer"] != "hangs" else "")
