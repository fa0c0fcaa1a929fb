"""A client's connection to one node: asks, and waits for the answer to what it asked.

What a client may conclude from an error depends on one thing only: whether the request can have left. So the two ways
to fail are two exceptions: `Unreachable` (nothing was sent) and `Lost` (something was).
"""

from __future__ import annotations

import asyncio
from typing import Any

from .wire import BadFrame, Decoder, encode


class Unreachable(Exception):  # noqa: N818 - it names what happened, and is read as such
    """No connection: nothing was sent."""


class Lost(Exception):  # noqa: N818 - as above
    """The connection ended, or brought nonsense, after the request was sent."""


class Connection(asyncio.Protocol):
    """One open connection; `ask` one thing at a time."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._last_id = 0
        self._answer: asyncio.Future[dict[str, Any]] | None = None
        self._transport: Any = None
        self._lost = ""

    @classmethod
    async def open(cls, address: tuple[str, int], timeout_s: float) -> Connection:
        """Connect; Unreachable when refused or too slow."""
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(cls, *address)
                return connection
        except TimeoutError as error:
            raise Unreachable(f"no connection within {timeout_s} s") from error
        except OSError as error:
            raise Unreachable(error.strerror or "no connection") from error

    def is_open(self) -> bool:
        """Whether the other side has not been seen to end it."""
        return not self._lost and not self._transport.is_closing()

    async def ask(self, request: dict[str, Any], deadline: float | None = None) -> dict[str, Any]:
        """Send a request, and return the answer to it, passing over late answers to earlier ones.

        Raises:
            Lost: no answer will come; the request may have arrived.
            TimeoutError: none came until the loop's clock showed `deadline`.
        """
        loop = asyncio.get_running_loop()
        self._last_id += 1
        self._transport.write(encode({"id": self._last_id, **request}))
        if self._lost:
            raise Lost(self._lost)
        answer: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._answer = answer
        timer = None if deadline is None else loop.call_at(deadline, self._fail, TimeoutError())
        try:
            return await answer
        finally:
            self._answer = None
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Let go, without waiting."""
        self._transport.abort()

    # ── as a protocol ────────────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand the answer to whoever waits for it."""
        try:
            answers = self._decoder.feed(data)
        except BadFrame as error:
            self._lose(str(error))
            return
        for answer in answers:
            waiting = self._answer
            if isinstance(answer, dict) and answer.get("id") == self._last_id and waiting and not waiting.done():
                waiting.set_result(answer)

    def eof_received(self) -> None:
        """The other side has no more to say."""
        self._lose("connection closed")

    def connection_lost(self, error: Exception | None) -> None:
        """It is over, whoever ended it."""
        self._lose(getattr(error, "strerror", None) or ("connection lost" if error else "connection closed"))

    def _lose(self, why: str) -> None:
        self._lost = self._lost or why
        self._fail(Lost(self._lost))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


async def ask_once(address: tuple[str, int], request: dict[str, Any], timeout_s: float) -> dict[str, Any] | None:
    """The answer to one request on a connection of its own, or None when there is none in time."""
    connection: Connection | None = None
    try:
        async with asyncio.timeout(timeout_s):
            connection = await Connection.open(address, timeout_s)
            return await connection.ask(request)
    except (Unreachable, Lost, TimeoutError):
        return None
    finally:
        if connection is not None:
            connection.close()
