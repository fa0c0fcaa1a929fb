"""Random histories of sessions: a log of writes, replicas that lag behind it, and lies now and then.

Every value is new. A write goes to the end of the log, or, where the system misbehaves, anywhere; its version is its
place there. A read shows some prefix of the log, mostly one that its session may see.
"""

from __future__ import annotations

from random import Random

from harness.op import Op


class Sessions:
    """Makes one small history after another, with events numbered through and processes of their own."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.events: list[Op] = []
        self.fresh = 1
        self.free_process = 0

    def history(self, most: int = 8, keys: int = 2, versions: str = "none", part: int = 0) -> list[Op]:
        """The events of one history.

        Args:
            most: operations at most; keys: at most.
            versions: "none", "global" or "key": places in the log of all keys, or of one.
            part: keys are told apart from those of other parts by it.
        """
        random = self.random
        start = len(self.events)
        lies, doubt = random.choice((0, 0.1, 0.4, 0.8)), random.choice((0, 0, 0.2))
        names = [f"{part}.{number}" for number in range(1 + int(random.random() * keys))]
        processes = [self.free_process + number for number in range(random.choice((1, 2, 2, 3, 3, 4)))]
        self.free_process += 20
        shared = f"s{part}" if random.random() < 0.15 else None
        log: list[tuple[str, int]] = []
        known = dict.fromkeys(processes, 0)
        lag = random.choice((0, 0.3, 0.7))
        left = random.choice((most, most, max(2, most // 2)))
        running: dict[int, tuple[str, str, int | None]] = {}
        while (left and processes) or running:
            process = random.choice(processes if left and processes else list(running))
            if process not in running:
                left -= 1
                self._invoke(process, running, names, shared)
                continue
            f, key, value = running.pop(process)
            kind = "info" if random.random() < doubt else "fail" if random.random() < 0.05 else "ok"
            if f == "write":
                if kind == "ok" or (kind == "info" and random.random() < 0.6):
                    place = int(random.random() * (len(log) + 1)) if random.random() < lies else len(log)
                    log.insert(place, (key, value))
                    if kind == "ok":
                        known[process] = max(known[process], len(log)) if random.random() >= lies else 0
            elif kind == "ok":
                first = 0 if random.random() < lies else known[process]
                prefix = len(log)
                if random.random() < lag or random.random() < lies:
                    prefix = first + int(random.random() * (len(log) + 1 - first)) if first <= len(log) else len(log)
                known[process] = max(known[process], prefix)
                value = next((value for name, value in reversed(log[:prefix]) if name == key), None)
                if random.random() < lies * 0.2:
                    value = random.choice([value for _, value in log] or [None])
            if kind == "info":
                processes.remove(process)
            self._emit(process, kind, f, key, value, shared)
        self._number(start, log, versions)
        return self.events[start:]

    def _invoke(self, process: int, running: dict[int, tuple[str, str, int | None]], names: list[str], shared: object):
        key, value, f = self.random.choice(names), None, "read"
        if self.random.random() < 0.45:
            f, value, self.fresh = "write", self.fresh, self.fresh + 1
        running[process] = f, key, value
        self._emit(process, "invoke", f, key, value, shared)

    def _emit(self, process: int, kind: str, f: str, key: str, value: int | None, session: object) -> None:
        self.events.append(Op(len(self.events), len(self.events) * 10**6, process, kind, f, key, value, None, session))

    def _number(self, start: int, log: list[tuple[str, int]], versions: str) -> None:
        """Tell versions, now that the log is complete."""
        if versions == "none":
            return
        place: dict[object, int] = {}
        for number, (key, value) in enumerate(log):
            mine = sum(name == key for name, _ in log[:number]) if versions == "key" else number
            place[value] = mine + 1
        for index in range(start, len(self.events)):
            op = self.events[index]
            if op.type == "ok":
                told = (1, place.get(op.value, 0))
                self.events[index] = Op(
                    op.index, op.time, op.process, op.type, op.f, op.key, op.value, op.node, op.session, told
                )
