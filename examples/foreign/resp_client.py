"""A client of the Redis protocol in plain asyncio. It knows nothing of splitbrain, either."""

import asyncio


class ServerError(Exception):
    """What the server answered instead."""


class RespClient:
    """One connection; requests are pipelined and answered in order."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, host, port, timeout_s=5.0):
        """Connect, or raise OSError or TimeoutError."""
        return cls(*await asyncio.wait_for(asyncio.open_connection(host, port), timeout_s))

    async def call(self, *words, timeout_s=5.0):
        """One request and its answer."""
        [answer] = await self.pipeline([words], timeout_s)
        if isinstance(answer, ServerError):
            raise answer
        return answer

    async def pipeline(self, requests, timeout_s=5.0):
        """All requests at once, then all answers; an error is an answer among them."""
        for words in requests:
            parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            self.writer.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        async with asyncio.timeout(timeout_s):
            await self.writer.drain()
            return [await self.read() for _ in requests]

    async def read(self):
        """The next answer, or message."""
        line = await self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server went away")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return ServerError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else (await self.reader.readexactly(int(rest) + 2))[:-2]
        return [await self.read() for _ in range(int(rest))]

    async def close(self):
        """Hang up."""
        self.writer.close()
        await self.writer.wait_closed()
