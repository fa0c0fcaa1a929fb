"""A cluster of pure nodes in one heap of events, decided by one seed, with every safety property watched throughout.

Messages are delayed, dropped, doubled and cut off; nodes are paused, and crash between any two effects, losing
what was not yet durable; clients write, compare-and-set and read in all modes. No asyncio, no sockets, no disk.

Watched, with Raft's names: election safety, log matching, leader completeness, state machine safety; and what clients
were told: acknowledged writes stay, refused ones never appear, leader reads are not stale, tokens are honoured.
"""

from __future__ import annotations

import heapq
from random import Random

from system_under_test.leader_follower import lease
from system_under_test.leader_follower.configuration import Configuration
from system_under_test.leader_follower.messages import (
    Append,
    Entry,
    Flush,
    Note,
    Persisted,
    Received,
    Reply,
    Request,
    SaveHardState,
    SaveSnapshot,
    Send,
    Start,
    Tick,
)
from system_under_test.leader_follower.node import Node

MS = 1_000_000


class Host:
    """A node's computer: what is durable, and the node if it is up."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.generation, self.vote = 0, None
        self.entries: list[Entry] = []
        self.pending: list[Entry] = []
        self.snapshot = self.unsaved = None
        self.replaced = False
        self.node: Node | None = None
        self.life = 0
        self.flush_due = self.sync_due = False
        self.tick_due_ns = None
        self.paused_until = 0
        self.rate, self.wall_offset_ns = 1.0, 0

    def clocks(self, now: int) -> tuple[int, int]:
        """Monotonic and wall clock of this computer at a true time."""
        return int(now * self.rate), int(now * self.rate) + self.wall_offset_ns


class Pump:
    """`Pump(seed).run()` raises AssertionError where a promise is broken.

    `drift` is how wrong clocks run at most, `jumps` how far wall clocks jump, `changes` whether clients change the
    membership and have leaders replaced, `modes` what they do else.
    """

    def __init__(
        self,
        seed: int,
        nodes: int = 3,
        safe: bool = True,
        crashes: bool = True,
        drift: float = 0.0,
        jumps_ms: int = 0,
        changes: bool = False,
        modes: tuple[str, ...] = ("write", "write", "cas", "leader", "session"),
        **options,
    ) -> None:
        self.random = Random(seed)
        self.jumps_ms, self.changes, self.modes = jumps_ms, changes, modes
        self.names = tuple(f"n{i + 1}" for i in range(nodes))
        self.safe, self.crashes = safe, crashes
        self.hosts = {
            name: Host(Configuration(name, self.names, **{"election_timeout_ms": 150, "heartbeat_ms": 20} | options))
            for name in self.names
        }
        self.now, self.sequence, self.heap = 0, 0, []
        self.cuts: set[tuple[str, str]] = set()
        self.trouble = True
        self.drop = self.double = self.crash = 0.0
        self.sync_ms = 6
        self.leaders: dict[int, str] = {}
        self.entries: dict[tuple[int, int], tuple] = {}
        self.applied: dict[int, tuple[int, int]] = {}
        self.committed_in: dict[int, int] = {}
        self.asked: dict[int, dict] = {}
        self.told: list[dict] = []
        self.seen_floor: dict[str, tuple[int, int]] = {}
        self.refused_values: set[int] = set()
        self.next_reference = 0
        self.floors: list[tuple[int, str, tuple[int, int]]] = []
        self.held = self.changed = self.snapshots = self.installed = self.fenced = 0
        self.known_generation = 0
        for host in self.hosts.values() if drift else ():
            host.rate = 1 + self.random.choice([-drift, drift])
        for name in self.names:
            self.start(name)

    # ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, trouble_ms: int = 2500, calm_ms: int = 2500) -> Pump:
        self.drop, self.double = self.random.choice([0, 0.02, 0.15]), self.random.choice([0, 0.05])
        self.crash = self.random.choice([0, 0.001, 0.004]) if self.crashes else 0
        self.sync_ms = self.random.choice([6, 60])
        self.after(self.random.randrange(300) * MS, self.new_cuts)
        self.after(self.random.randrange(300) * MS, self.new_blow)
        self.after(1, self.client, trouble_ms * MS)
        self.until(trouble_ms * MS)
        self.drop = self.double = self.crash = 0.0
        self.cuts, self.trouble = set(), False
        for name in self.names:
            if self.hosts[name].node is None:
                self.start(name)
        self.until(self.now + calm_ms * MS)
        return self

    def until(self, end: int) -> None:
        while self.heap and self.heap[0][0] <= end:
            self.now, _, action, arguments = heapq.heappop(self.heap)
            action(*arguments)
        self.now = end

    def after(self, delay: int, action, *arguments) -> None:
        self.sequence += 1
        heapq.heappush(self.heap, (self.now + delay, self.sequence, action, arguments))

    def new_cuts(self) -> None:
        if not self.trouble:
            return
        kind = self.random.choice(["none", "one-way", "isolate", "halves"])
        self.cuts = set()
        one, other = self.random.sample(self.names, 2)
        side = {one} if kind == "isolate" else {n for n in self.names if self.random.random() < 0.5}
        if kind == "one-way":
            self.cuts = {(one, other)}
        elif kind != "none":
            self.cuts = {(a, b) for a in self.names for b in self.names if (a in side) != (b in side)}
        self.after(self.random.randrange(100, 600) * MS, self.new_cuts)

    def new_blow(self) -> None:
        """The power fails for all at once, or one node is paused and finds its mail when it goes on."""
        if not self.trouble:
            return
        if self.crash and self.random.random() < 0.2:
            for name in self.names:
                if self.hosts[name].node is not None:
                    self.die(name)
        elif self.random.random() < 0.5:
            leading = [n for n, host in self.hosts.items() if host.node and host.node.state.role == "leader"]
            name = self.random.choice(leading or self.names)
            self.hosts[name].paused_until = self.now + self.random.randrange(100, 700) * MS
        if self.jumps_ms:
            host = self.hosts[self.random.choice(self.names)]
            host.wall_offset_ns = self.random.randrange(-self.jumps_ms, self.jumps_ms) * MS
        self.after(self.random.randrange(100, 900) * MS, self.new_blow)

    def client(self, end: int) -> None:
        if self.now >= end:
            return
        self.ask(self.random.choice(self.names), self.random.choice(self.modes))
        if self.changes and self.random.random() < 0.1:
            self.ask_change()
        self.after(self.random.randrange(1, 30) * MS, self.client, end)

    # ── hosts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, name: str) -> None:
        host = self.hosts[name]
        host.paused_until = 0
        host.life += 1
        host.flush_due = host.sync_due = False
        host.tick_due_ns = None
        host.node = Node(host.configuration, self.random, host.generation, host.vote, list(host.entries), host.snapshot)
        self.handle(name, Start())

    def die(self, name: str) -> None:
        host = self.hosts[name]
        host.node, host.pending, host.unsaved, host.replaced = None, [], None, False
        self.after(self.random.randrange(1, 500) * MS, self.restart, name)

    def restart(self, name: str) -> None:
        if self.hosts[name].node is None:
            self.start(name)

    def handle(self, name: str, event) -> None:
        host = self.hosts[name]
        if host.node is None:
            return
        if host.paused_until > self.now:
            self.after(host.paused_until - self.now, self.handle_if, name, host.life, event)
            return
        before = host.node.state.applied()[1]
        effects = host.node.handle(event, *host.clocks(self.now))
        self.watch(name, before)
        for effect in effects:
            if not isinstance(effect, Note) and self.random.random() < self.crash:
                self.die(name)
                return
            self.carry_out(name, host, effect)
        self.arrange(name, host)

    def handle_if(self, name: str, life: int, event) -> None:
        if self.hosts[name].life == life:
            self.handle(name, event)

    def carry_out(self, name: str, host: Host, effect) -> None:
        match effect:
            case SaveHardState(generation, vote):
                host.generation, host.vote = generation, vote
            case Append(entries):
                host.pending.extend(entries)
            case SaveSnapshot(snapshot, replaces):
                host.unsaved = snapshot
                if replaces:
                    host.pending, host.replaced = [], True
            case Send(to, message):
                for _ in range(1 + (self.random.random() < self.double)):
                    if self.random.random() >= self.drop and (name, to) not in self.cuts:
                        self.after(self.random.randrange(MS // 10, 12 * MS), self.deliver, name, to, message)
            case Reply((_, reference), answer):
                self.hear(reference, answer)

    def arrange(self, name: str, host: Host) -> None:
        if host.node.wants_flush() and not host.flush_due:
            host.flush_due = True
            self.after(self.random.randrange(MS), self.flush, name, host.life)
        if (host.pending or host.unsaved) and not host.sync_due:
            host.sync_due = True
            self.after(self.random.randrange(self.sync_ms * MS), self.sync, name, host.life)
        due = host.node.next_deadline_ns()
        if host.tick_due_ns is None or due < host.tick_due_ns:
            host.tick_due_ns = due
            self.after(max(0, int(due / host.rate) + (host.rate != 1) - self.now), self.tick, name, host.life, due)

    def deliver(self, source: str, to: str, message) -> None:
        if (source, to) not in self.cuts:
            self.handle(to, Received(source, message))

    def flush(self, name: str, life: int) -> None:
        if self.hosts[name].life == life:
            self.hosts[name].flush_due = False
            self.handle(name, Flush())

    def sync(self, name: str, life: int) -> None:
        host = self.hosts[name]
        if host.life != life or host.node is None:
            return
        if host.paused_until > self.now:
            self.after(host.paused_until - self.now, self.sync, name, life)
            return
        host.sync_due = False
        versions = self.bring_to_disk(host)
        if versions:
            self.handle(name, Persisted(*versions[-1]))

    def bring_to_disk(self, host: Host) -> list[tuple[int, int]]:
        """Write what is pending, and save a snapshot that is due; names what became durable, in order."""
        versions = []
        if host.replaced:
            host.entries, host.snapshot = [], host.unsaved
            host.unsaved, host.replaced = None, False
            versions.append(host.snapshot.version)
            self.installed += 1
        base = host.snapshot.version[1] if host.snapshot else 0
        for entry in host.pending:
            if entry.index > base:
                del host.entries[entry.index - 1 - base :]
                assert entry.index == base + len(host.entries) + 1, "a gap in the log on disk"
                host.entries.append(entry)
            versions.append(entry.version())
        host.pending = []
        if host.unsaved is not None:
            host.entries = [entry for entry in host.entries if entry.index > host.unsaved.version[1]]
            host.snapshot, host.unsaved = host.unsaved, None
            self.snapshots += 1
        return versions

    def tick(self, name: str, life: int, due: int) -> None:
        host = self.hosts[name]
        if host.life == life and host.tick_due_ns == due:
            host.tick_due_ns = None
            self.handle(name, Tick())

    # ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, name: str, what: str, key: str | None = None) -> int:
        self.next_reference += 1
        reference, key = self.next_reference, key or self.random.choice("ab")
        f = what if what in ("write", "cas") else "read"
        old = self.random.randrange(max(1, reference - 20), reference + 1)
        value = reference if f == "write" else [old, reference]
        token = max(self.applied.values(), default=(0, 0)) if what == "session" and self.safe else (0, 0)
        asked = {"f": f, "key": key, "value": value, "token": token, "floor": self.seen_floor.get(key, (0, 0))}
        self.asked[reference] = asked | {"mode": what, "home": name}
        mode = what if f == "read" else "leader"
        generation = self.known_generation if f != "read" and reference % 2 else 0
        self.handle(name, Request((0, reference), f, key, value, mode, token, None, generation))
        return reference

    def ask_change(self) -> None:
        """Have a node added, removed, or made the leader, by whoever leads."""
        leading = [n for n, host in self.hosts.items() if host.node and host.node.state.role == "leader"]
        f = self.random.choice(["add-node", "remove-node", "transfer"])
        self.next_reference += 1
        self.asked[self.next_reference] = {"f": f, "key": "", "mode": f, "floor": (0, 0)}
        request = Request((0, self.next_reference), f, self.random.choice(self.names))
        self.handle(self.random.choice(leading or self.names), request)

    def hear(self, reference: int, answer: dict) -> None:
        asked = self.asked[reference]
        self.told.append({**asked, **answer, "reference": reference})
        assert "answer" not in asked, f"answered twice: {asked}"
        asked["answer"] = answer
        self.fenced += answer.get("error") == "older-generation"
        self.known_generation = max(
            self.known_generation, answer.get("version", (0, 0))[0], answer.get("generation", 0)
        )
        if answer["status"] == "refused" and asked["f"] != "read":
            self.refused_values.add(reference)
        if not self.safe or answer["status"] not in ("ok", "mismatch"):
            return
        if asked["f"] not in ("read", "write", "cas"):
            self.changed += 1
            return
        if asked["f"] == "read" and asked["mode"] == "session":
            assert answer["applied"] >= asked["token"], "a token was not honoured"
            return
        if asked["mode"] == "bounded":
            self.check_bound(asked["key"], answer)
            return
        if asked["mode"] in ("follower", "leader-local"):
            return
        assert answer["version"] >= asked["floor"], f"stale: {answer} to {asked}"
        self.seen_floor[asked["key"]] = max(self.seen_floor.get(asked["key"], (0, 0)), answer["version"])
        self.floors.append((self.now, asked["key"], answer["version"]))

    def check_bound(self, key: str, answer: dict) -> None:
        """What was told more than the bound ago has to be there; clocks that run fast shorten the bound."""
        configuration = self.hosts[self.names[0]].configuration
        since = self.now - configuration.max_lag_ms * MS * max(1 / host.rate for host in self.hosts.values())
        owed = [version for at, about, version in self.floors if about == key and at < since]
        assert answer["version"] >= max(owed, default=(0, 0)), f"beyond the bound: {answer}"

    # ── watching ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def watch(self, name: str, applied_before: int) -> None:
        state = self.hosts[name].node.state
        log = state.log
        for index in range(max(log.base[1] + 1, log.last_index - 8), log.last_index + 1):
            entry, previous = log.entry(index), log.generation_at(index - 1)
            known = self.entries.setdefault(entry.version(), (entry.command, previous))
            assert known == (entry.command, previous) or not state.configuration.fencing, "log matching"
        if state.role == "leader" and self.leaders.get(state.generation) != name:
            assert state.generation not in self.leaders, f"election safety: two leaders in {state.generation}"
            self.leaders[state.generation] = name
            for index, version in self.applied.items() if self.safe else ():
                # A candidate whose votes arrive late may come to lead a generation that is over already.
                covered = index < log.base[1]
                late = self.committed_in[index] > state.generation
                assert covered or late or log.generation_at(index) == version[0], (
                    f"leader completeness: {version} is missing"
                )
        self.watch_leases()
        if not self.safe:
            return
        assert state.rolled_back == 0, "state machine safety: something applied was taken back"
        for index in range(max(applied_before, log.base[1]) + 1, state.applied()[1] + 1):
            version = log.entry(index).version()
            assert self.applied.setdefault(index, version) == version, f"state machine safety at {index}"
            self.committed_in.setdefault(index, state.generation)

    def watch_leases(self) -> None:
        """At no moment, by the time that no node knows, do two hold a lease."""
        holders = []
        for name, host in self.hosts.items():
            if host.node is not None:
                state = host.node.state
                state.now_ns, state.wall_ns = host.clocks(self.now)
                if lease.holds(state):
                    holders.append(name)
        self.held += len(holders)
        assert len(holders) <= 1, f"{holders} both hold a lease"

    def check_end(self) -> None:
        """After the calm: one leader, equal logs and states, every acknowledged write there, no refused one."""
        states = [host.node.state for host in self.hosts.values()]
        leaders = [state.configuration.name for state in states if state.role == "leader"]
        assert len(leaders) == 1, f"{leaders} lead"
        states = [self.hosts[name].node.state for name in self.hosts[leaders[0]].node.state.members]
        assert len({(s.log.last_version(), s.applied()) for s in states}) == 1, "logs differ after the calm"
        assert all(s.store.dump() == states[0].store.dump() for s in states), "states differ after the calm"
        present = {self.value(entry) for entry in self.entries_of(states[0])}
        assert not present & self.refused_values, "a refused write is in the log"
        assert not self.lost(), "an acknowledged write is lost"
        reference = self.ask(leaders[0], "write", "z")
        self.until(self.now + 500 * MS)
        assert self.asked[reference]["answer"]["status"] == "ok", "no write goes through after the calm"

    def lost(self) -> list[dict]:
        """Acknowledged writes that the first node's log does not have."""
        logs = [host.node.state.log for host in self.hosts.values()]
        log = logs[0] if not self.changes else max(logs, key=lambda log: log.last_version())
        written = [told for told in self.told if told["f"] in ("write", "cas") and told["status"] == "ok"]
        behind = log.base[1]
        return [told for told in written if told["version"][1] >= behind and not log.matches(*told["version"])]

    @staticmethod
    def entries_of(state) -> list[Entry]:
        return [state.log.entry(i) for i in range(state.log.base[1] + 1, state.log.last_index + 1)]

    @staticmethod
    def value(entry: Entry) -> int | None:
        return entry.command[-1] if entry.command else None
