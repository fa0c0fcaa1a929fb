"""A tiny replicated store in plain asyncio, with a bug: three nodes, of which the first leads for ever.

The leader sends every write to both followers and acknowledges it when one of them has it: two of three nodes. Reads go
to any node that is asked, and it answers from what it has. So a read from the other follower may be stale, however
quickly the leader's connection to it comes back. The honest variant (`honest=True`) reads from the leader only.

One request per line, as JSON: {"f": "read", "key": "x"}, {"f": "write", "key": "x", "value": 1}.
"""

import asyncio
import json

LEADER = "n1"


class Node:
    def __init__(self, name, addresses):
        self.name, self.addresses, self.data = name, addresses, {}

    async def run(self):
        server = await asyncio.start_server(self.serve, *self.addresses[self.name])
        async with server:
            await server.serve_forever()

    async def serve(self, reader, writer):
        while line := await reader.readline():
            writer.write(json.dumps(await self.answer(json.loads(line))).encode() + b"\n")
        writer.close()

    async def answer(self, request):
        if request["f"] == "read":
            return {"value": self.data.get(request["key"]), "node": self.name}
        if request["f"] == "write" and self.name == LEADER:
            self.data[request["key"]] = request["value"]
            others = [name for name in self.addresses if name != self.name]
            copies = [asyncio.create_task(ask(self.addresses[name], {**request, "f": "copy"})) for name in others]
            for copied in asyncio.as_completed(copies):
                if await copied is not None:
                    return {"value": request["value"], "node": self.name}
            return {"error": "not-replicated"}
        if request["f"] == "copy":
            self.data[request["key"]] = request["value"]
            return {}
        return {"error": "not-leader"}


async def ask(address, request, timeout_s=0.5):
    """One request on a connection of its own; None when there is no answer in time."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(json.dumps(request).encode() + b"\n")
            line = await reader.readline()
            writer.close()
            return json.loads(line) if line else None
    except (OSError, TimeoutError):
        return None


class Client:
    def __init__(self, cluster, home, honest):
        self.cluster, self.home, self.honest = cluster, home, honest

    async def invoke(self, op):
        node = self.home if op.f == "read" and not self.honest else LEADER
        answer = await ask(self.cluster.address(node), {"f": op.f, "key": op.key, "value": op.value})
        if answer is None or "error" in answer:
            return op.fail("unread") if op.f == "read" else op.info("in doubt")
        return op.ok(answer["value"], node=answer["node"])

    async def close(self):
        pass


class MyStore:
    """What splitbrain needs to know of it: how to start a node, how to talk to it, when it is ready."""

    name, port, options, operations = "my-store", 7000, (), frozenset({"read", "write"})

    def __init__(self, honest=False):
        self.honest = honest

    def program(self, machine, addresses, options):
        return Node(machine.name, addresses).run()

    def client(self, cluster, home, options, seed):
        return Client(cluster, home, self.honest)

    async def wait_ready(self, cluster, options, timeout_s):
        for node in cluster.nodes:
            while await ask(cluster.address(node), {"f": "read", "key": ""}) is None:
                await asyncio.sleep(0.05)

    async def leader(self, cluster):
        return LEADER
