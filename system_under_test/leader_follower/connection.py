"""A client's connection to one node: asks, and waits for the answer to what it asked.

What a client may conclude from an error depends on one thing only: whether the request can have left. So the two ways
to fail are two exceptions: `Unreachable` (nothing was sent) and `Lost` (something was).
"""

from __future__ import annotations

import asyncio
from typing import Any

from .wire import READ_BYTES, BadFrame, Decoder, encode


class Unreachable(Exception):  # noqa: N818 - it names what happened, and is read as such
    """No connection: nothing was sent."""


class Lost(Exception):  # noqa: N818 - as above
    """The connection ended, or brought nonsense, after the request was sent."""


class Connection:
    """One open connection; `ask` one thing at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self._last_id = 0
        self._answers: list[Any] = []

    @classmethod
    async def open(cls, address: tuple[str, int], timeout_s: float) -> Connection:
        """Connect; Unreachable when refused or too slow."""
        try:
            async with asyncio.timeout(timeout_s):
                return cls(*await asyncio.open_connection(*address))
        except TimeoutError as error:
            raise Unreachable(f"no connection within {timeout_s} s") from error
        except OSError as error:
            raise Unreachable(error.strerror or "no connection") from error

    def is_open(self) -> bool:
        """Whether the other side has not been seen to end it."""
        return not self._writer.transport.is_closing() and not self._reader.at_eof()

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and return the answer to it, passing over late answers to earlier ones.

        Raises:
            Lost: no answer will come; the request may have arrived.
        """
        self._last_id += 1
        self._writer.write(encode({"id": self._last_id, **request}))
        while True:
            for position, answer in enumerate(self._answers):
                if isinstance(answer, dict) and answer.get("id") == self._last_id:
                    self._answers = self._answers[position + 1 :]
                    return answer
            self._answers = await self._read()

    def close(self) -> None:
        """Let go, without waiting."""
        self._writer.transport.abort()

    async def _read(self) -> list[Any]:
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError as error:
            raise Lost(error.strerror or "connection lost") from error
        if not data:
            raise Lost("connection closed")
        try:
            return self._decoder.feed(data)
        except BadFrame as error:
            raise Lost(str(error)) from error


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
