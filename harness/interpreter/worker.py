"""A worker: one task that carries out one operation at a time, for one process after another.

The client of a process is opened for its first operation and closed when the process is retired. What a client answers
is checked here, and what it raises becomes doubt, so that nothing but operations leaves this file.

A worker whose client does not answer by its deadline is given up: `abandon` cancels its task, and another worker takes
its place at once. The interpreter never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from harness.errors import SplitbrainError
from harness.op import Op
from harness.protocols import Client, Nemesis

OpenClient = Callable[[int, int], Client]
"""(worker, process) → a fresh client."""


class Desk(Protocol):
    """To whom a worker hands its completions; it is called on the event loop."""

    def completed(self, worker: Worker, op: Op) -> None:
        """An operation ended."""

    def problem(self, text: str) -> None:
        """A client misbehaved: for the log, beside the operation."""


class Hands(Protocol):
    """Who does the work of a worker."""

    async def invoke(self, op: Op) -> Op:
        """Do it and return its completion."""

    async def close(self) -> None:
        """Give everything back."""


class Worker:
    """One thread of a run; see the module docstring.

    Attributes:
        thread: its number, or NEMESIS.
        op: what it is carrying out; None when idle.
    """

    __slots__ = ("_desk", "_hands", "_inbox", "_loop", "abandoned", "op", "task", "thread")

    def __init__(self, thread: int | str, hands: Hands, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self.thread = thread
        self.op: Op | None = None
        self.abandoned = False
        self._hands = hands
        self._desk = desk
        self._loop = loop
        self._inbox: asyncio.Future[Op] = loop.create_future()
        self.task: asyncio.Task[None] = loop.create_task(self._work(), name=f"worker {thread}")

    def begin(self, op: Op) -> None:
        """Hand it an operation; it must be idle."""
        self.op = op
        self._inbox.set_result(op)

    def abandon(self) -> None:
        """Stop caring: whatever it still answers is ignored."""
        self.abandoned = True
        self.op = None
        self.task.cancel()

    async def _work(self) -> None:
        invoke = self._hands.invoke
        try:
            while not self.abandoned:
                op = await self._inbox
                try:
                    completion = _checked(op, await invoke(op))
                except Exception as error:  # a client may raise anything, and all of it means doubt
                    completion = op.info(f"{type(error).__name__}: {error}"[:300])
                    self._desk.problem(f"{op.f} raised {type(error).__name__}: {error}")
                if not self.abandoned:
                    self._inbox = self._loop.create_future()
                    self.op = None
                    self._desk.completed(self, completion)
        finally:
            await self._close()

    async def _close(self) -> None:
        try:
            await self._hands.close()
        except Exception as error:  # a client that cannot be closed is worth a line, not a run
            self._desk.problem(f"a client could not be closed: {type(error).__name__}: {error}")


class ClientHands:
    """The clients of one worker: a fresh one for each process."""

    __slots__ = ("_client", "_open", "_process", "_worker")

    def __init__(self, worker: int, open_client: OpenClient) -> None:
        self._worker = worker
        self._open = open_client
        self._client: Client | None = None
        self._process = -1

    async def invoke(self, op: Op) -> Op:
        """Have the client of the op's process do it."""
        if op.process != self._process:
            await self.close()
        client = self._client
        if client is None:
            assert isinstance(op.process, int)
            try:
                client = self._client = self._open(self._worker, op.process)
            except (OSError, SplitbrainError) as error:
                return op.fail(f"no-client: {error}"[:300])  # nothing was sent
            self._process = op.process
        return await client.invoke(op)

    async def close(self) -> None:
        """Close the client of the process before, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class NemesisHands:
    """The nemesis, which outlives its worker."""

    __slots__ = ("invoke",)

    def __init__(self, nemesis: Nemesis) -> None:
        self.invoke = nemesis.invoke

    async def close(self) -> None:
        """Healing is the controller's."""


def _checked(op: Op, completion: Op) -> Op:
    """A completion that fits its invocation; anything else is doubt."""
    if completion.type != "invoke" and completion.process == op.process and completion.f == op.f:
        return completion
    raise SplitbrainError(f"the client completed {op.f} of process {op.process} with {completion}")
