"""Nodes that answer as told, to see what a client concludes and what it sends."""

import asyncio
import contextlib

from loopback import free_addresses

from system_under_test.leader_follower.wire import Decoder, encode

HANG_UP, SILENCE, NONSENSE = "hang up", "silence", "nonsense"
OK = {"status": "ok", "value": 5, "version": [2, 7], "applied": [2, 9]}


class Script:
    """Nodes that answer as told, by name or by a function of name and request.

    `heard` lists (node, request) in order of arrival.
    """

    def __init__(self, answers, up=("n1", "n2", "n3")):
        self.nodes = ("n1", "n2", "n3")
        self.addresses = free_addresses(self.nodes)
        self.answers, self.up = answers, up
        self.heard = []

    def address(self, node):
        return self.addresses[node]

    async def __aenter__(self):
        self.writers = []
        self.servers = [await asyncio.start_server(self.node(name), *self.addresses[name]) for name in self.up]
        return self

    async def __aexit__(self, *error):
        for server in self.servers:
            server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)

    def node(self, name):
        async def serve(reader, writer):
            self.writers.append(writer)
            decoder = Decoder()
            with contextlib.suppress(OSError):
                while data := await reader.read(65536):
                    for request in decoder.feed(data):
                        self.heard.append((name, request))
                        self.answer(name, request, writer)
            writer.close()

        return serve

    def answer(self, name, request, writer):
        answer = self.answers
        if callable(answer):
            answer = answer(name, request)
        elif isinstance(answer, dict) and name in answer:
            answer = answer[name]
        if answer == HANG_UP:
            writer.close()
        elif answer == NONSENSE:
            writer.write(b"\xff\xff\xff\xff")
        elif answer != SILENCE:
            writer.write(encode({"id": request["id"], "node": name, **answer}))
