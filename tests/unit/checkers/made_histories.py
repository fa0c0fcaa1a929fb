"""Small histories for the checkers, written as what happened one after another."""

from harness.history import Header, History
from harness.op import NEMESIS, Op

MS = 1_000_000


class Story:
    """Events one after another, a millisecond apart; each call adds one or two and gives the invocation's index."""

    def __init__(self, **header):
        self.header = Header(1, **({"model": "register"} | header))
        self.events = []
        self.time = 0

    def event(self, process, type_, f, value=None, **more):
        key = None if process == NEMESIS else more.pop("key", "k")
        index = len(self.events)
        self.events.append(Op(index, self.time, process, type_, f, key, value, **more))
        self.time += MS
        return index

    def wait(self, seconds):
        self.time += int(seconds * 1e9)

    def write(self, process, value, version=None, end="ok", key="k", node=None, session=None):
        begin = self.event(process, "invoke", "write", value, key=key, session=session)
        self.event(process, end, "write", value, key=key, version=version, node=node, session=session)
        return begin

    def cas(self, process, old, new, version=None, end="ok", key="k", current=()):
        begin = self.event(process, "invoke", "cas", [old, new], key=key)
        self.event(process, end, "cas", [old, new, *current], key=key, version=version)
        return begin

    def read(self, process, value, version=None, end="ok", key="k", node=None, session=None):
        begin = self.event(process, "invoke", "read", key=key, session=session)
        self.event(process, end, "read", value, key=key, version=version, node=node, session=session)
        return begin

    def fault(self, verb, kind="partition", proven=True, end="ok"):
        self.event(NEMESIS, "invoke", f"{verb}-{kind}")
        told = {"fault": f"{kind}-1", "kind": kind, "nodes": ["n1"], "proven": proven, "evidence": "seen"}
        return self.event(NEMESIS, end, f"{verb}-{kind}", told)

    def history(self, truncated=""):
        return History(self.header, self.events, truncated)
