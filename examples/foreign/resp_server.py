"""A small server of the Redis protocol (RESP2) in plain asyncio. It knows nothing of splitbrain.

PING, ECHO, GET, SET key value [PX milliseconds], DEL, INCR, SUBSCRIBE, PUBLISH, SAVE; pipelined requests are answered
in order. It is here to be run in the simulation as it stands (in_simulation.py), and on a real socket:

    python examples/foreign/resp_server.py 6380
"""

import asyncio
import contextlib
import json
import random
import sys
import time

IDLE_S = 300.0
SWEEP_S = 0.05
BACKLOG_MAX = 100


class Database:
    """Values with an optional deadline, and who listens to what."""

    def __init__(self):
        self.values = {}
        self.deadlines = {}
        self.channels = {}
        self.lock = asyncio.Lock()
        self.saved = b"{}"

    def get(self, key):
        """The value, or None when there is none or its time is over."""
        if self.deadlines.get(key, float("inf")) <= time.monotonic():
            self.forget(key)
        return self.values.get(key)

    def forget(self, key):
        """Whether there was such a key."""
        self.deadlines.pop(key, None)
        return self.values.pop(key, None) is not None

    async def sweep(self):
        """Forget what is over, now and then, as Redis does: of some keys, not of all."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for key in random.sample(sorted(self.deadlines), min(20, len(self.deadlines))):
                self.get(key)


def simple(text):
    return b"+%s\r\n" % text


def failure(text):
    return b"-ERR %s\r\n" % text.encode()


def number(value):
    return b":%d\r\n" % value


def bulk(value):
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


def array(parts):
    return b"*%d\r\n" % len(parts) + b"".join(parts)


async def read_request(reader):
    """One request as a list of words; None at the end."""
    line = await reader.readline()
    if not line:
        return None
    if not line.startswith(b"*"):
        return line.split()
    words = []
    for _ in range(int(line[1:])):
        size = int((await reader.readline())[1:])
        words.append((await reader.readexactly(size + 2))[:-2])
    return words


class Session:
    """One connection: a task that reads and answers, and one that passes published messages on."""

    def __init__(self, database, reader, writer):
        self.database = database
        self.reader = reader
        self.writer = writer
        self.messages = asyncio.Queue(BACKLOG_MAX)
        self.subscribed = set()

    async def run(self):
        try:
            async with asyncio.TaskGroup() as group:
                pushing = group.create_task(self.push())
                await self.serve()
                pushing.cancel()
        except* (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            for channel in self.subscribed:
                self.database.channels[channel].discard(self)
            self.writer.close()
            with contextlib.suppress(OSError):
                await self.writer.wait_closed()

    async def serve(self):
        while True:
            async with asyncio.timeout(IDLE_S):
                words = await read_request(self.reader)
            if words is None:
                return
            if words:
                self.writer.write(await self.answer(words[0].upper(), words[1:]))
                await self.writer.drain()

    async def push(self):
        while True:
            self.writer.write(await self.messages.get())
            await self.writer.drain()

    async def answer(self, command, words):
        database = self.database
        match command, words:
            case b"PING", []:
                return simple(b"PONG")
            case b"ECHO", [word]:
                return bulk(word)
            case b"GET", [key]:
                return bulk(database.get(key))
            case b"SET", [key, value]:
                database.deadlines.pop(key, None)
                database.values[key] = value
                return simple(b"OK")
            case b"SET", [key, value, option, milliseconds] if option.upper() == b"PX":
                database.values[key] = value
                database.deadlines[key] = time.monotonic() + int(milliseconds) / 1000
                return simple(b"OK")
            case b"DEL", [*keys]:
                return number(sum(database.forget(key) for key in keys))
            case b"INCR", [key]:
                return await self.increment(key)
            case b"SUBSCRIBE", [channel]:
                self.subscribed.add(channel)
                database.channels.setdefault(channel, set()).add(self)
                return array([bulk(b"subscribe"), bulk(channel), number(len(self.subscribed))])
            case b"PUBLISH", [channel, message]:
                return number(self.publish(channel, array([bulk(b"message"), bulk(channel), bulk(message)])))
            case b"SAVE", []:
                values = {key.decode(): value.decode() for key, value in database.values.items()}
                loop = asyncio.get_running_loop()
                database.saved = await loop.run_in_executor(None, lambda: json.dumps(values).encode())
                return simple(b"OK")
            case _:
                return failure(f"unknown command {command.decode(errors='replace')!r}")

    async def increment(self, key):
        async with self.database.lock:
            value = self.database.get(key) or b"0"
            await asyncio.sleep(0)  # as if the value came from somewhere
            try:
                self.database.values[key] = b"%d" % (int(value) + 1)
            except ValueError:
                return failure("value is not an integer")
            return number(int(value) + 1)

    def publish(self, channel, message):
        """How many took it; who does not keep up is left out."""
        taken = 0
        for session in self.database.channels.get(channel, ()):
            with contextlib.suppress(asyncio.QueueFull):
                session.messages.put_nowait(message)
                taken += 1
        return taken


async def main(host, port):
    """Serve until cancelled."""
    database = Database()
    server = await asyncio.start_server(lambda *ends: Session(database, *ends).run(), host, port)
    async with server, asyncio.TaskGroup() as group:
        group.create_task(database.sweep())
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main("127.0.0.1", int(sys.argv[1])))
