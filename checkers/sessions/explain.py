"""Puts what the session checkers found into sentences, and into certificates for `checkers.verifiers.sessions`.

The rules and their certificates; numbers are event indices of invocations, a path is as in `checkers.sessions.paths`:

    older-version     {"read": 9, "path": [["own-write", 4]]}      the read is of an older version than the last write
    initial-value     {"read": 9, "path": [["own-write", 4]]}      the read returned the initial value instead
    value-cycle       {"steps": [{"before": 1, "after": 2, "rule": "sees", "read": 9, "path": [...]}, ...]}
    garbage-read, aborted-read, future-read      {"read": 9}

The rule of a step is "sees" (the read returned `after`, and was obliged to see `before`), "mw" (one session wrote
both), "wfr" (the session of `after` had `read` it), "version" or "real-time".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from checkers.sessions.accesses import Access
from checkers.sessions.order import Step
from checkers.sessions.paths import Hop, path
from checkers.sessions.record import INTEGRITY, Impossible, Record
from checkers.sessions.visibility import Rules, Seen
from harness.op import Version
from harness.verdict import Anomaly

IMPOSSIBLE: Final = {
    "garbage-read": "which nobody wrote",
    "aborted-read": "whose write failed",
    "future-read": "before its write had begun",
}


class Explainer:
    """Explains the findings on one history for one verdict."""

    def __init__(self, record: Record, rules: Rules, guarantee: str) -> None:
        self.record, self.rules, self.guarantee = record, rules, guarantee
        self._several_keys = len(record.codes) > 1

    # ── anomalies ────────────────────────────────────────────────────────────────────────────────────────────────────

    def impossible(self, found: Impossible) -> Anomaly:
        """A read that cannot be right whatever is asked for."""
        sentence = f"{self._who(found.read)} read {self._told(found.read)}, {IMPOSSIBLE[found.rule]}."
        shown = [found.read] if found.write is None else [found.read, found.write]
        sentence = f"At {self._where(found.read)}, {sentence}"
        told = self._anomaly(sentence, shown, found.read, found.rule, {"read": self._invoke(found.read)}, found.rule)
        return msgspec.structs.replace(told, guarantee=INTEGRITY)

    def older(self, found: Seen) -> Anomaly:
        """A read of an older version than it was obliged to see."""
        hops = self._path(found)
        last = hops[-1].number
        if len(hops) == 1 or (hops[0].rule == "earlier-read" and len(hops) == 2):
            shown = hops[0].number
            did = "wrote" if hops[0].rule == "own-write" else "read"
            sentence = f"{self._who(found.read)} {did} {self._told(shown)}, and later read the older"
            sentence += f" {self._told(found.read)}"
            sentence += ": its own write is missing." if hops[0].rule == "own-write" else "."
        else:
            sentence = f"{self._who(found.read)} read {self._told(found.read)}, which is older than"
            sentence += f" {self._told(last)}: {self._chain(found.read, hops)}."
        sentence = f"At {self._where(found.read)}, {sentence}"
        certificate = {"read": self._invoke(found.read), "path": self._hops(hops)}
        return self._anomaly(sentence, self._shown(found.read, hops), found.read, "older-version", certificate)

    def initial(self, found: Seen) -> Anomaly:
        """A read of the initial value although it was obliged to see a written one."""
        hops = self._path(found)
        if len(hops) == 1 or (hops[0].rule == "earlier-read" and len(hops) == 2):
            did = "wrote" if hops[0].rule == "own-write" else "read"
            sentence = f"{self._who(found.read)} {did} {self._told(hops[0].number)}, and later read"
            sentence += f" {self._told(found.read)}, as if nobody had written."
        else:
            sentence = f"{self._who(found.read)} read {self._told(found.read)}, as if nobody had written, although"
            sentence += f" {self._chain(found.read, hops)}."
        sentence = f"At {self._where(found.read)}, {sentence}"
        certificate = {"read": self._invoke(found.read), "path": self._hops(hops)}
        return self._anomaly(sentence, self._shown(found.read, hops), found.read, "initial-value", certificate)

    def circle(self, steps: Sequence[Step], convergence: bool) -> Anomaly:
        """Steps that would have each write come before the next, all around."""
        steps = _joined(steps)
        told = {step.before for step in steps if step.why.rule == "wfr"}  # by the read that the step is about
        parts, proof, shown, culprits = [], [], [], []
        for step in steps:
            said: dict[str, Any] = {"before": self._invoke(step.before), "after": self._invoke(step.after)}
            said["rule"] = step.why.rule
            if step.why.rule == "sees":
                hops = path(self.record, self.rules.guarantees, step.why.by, step.before)
                said |= {"read": self._invoke(step.why.by), "path": self._hops(hops)}
                parts.append(self._saw(step, hops))
                shown += self._shown(step.why.by, hops)
                culprits.append(step.why.by)
            else:
                if step.why.rule == "wfr":
                    said["read"] = self._invoke(step.why.by)
                    shown.append(step.why.by)
                parts.append(self._precedes(step))
                shown += [number for number in (step.before, step.after) if number not in told]
            proof.append(said)
        culprit = max(culprits or shown, key=self._invoke)
        keys = {self.record.key[step.before] for step in steps}
        where = f"At {self._where(steps[0].before)}, " if len(keys) == 1 else ""
        sentence = where + "; ".join(parts) + ": there is no order of these writes in which all of this is right."
        if convergence:
            sentence += " Each session by itself has one; they do not agree."
        return self._anomaly(sentence, shown, culprit, "value-cycle", {"steps": proof})

    def overwritten(self, found: Seen, first: int, hops: Sequence[Hop], behind: Sequence[Hop]) -> Anomaly:
        """A read of what the reader knew to be overwritten."""
        read, write = found
        sentence = f"At {self._where(read)}, {self._who(read)} read {self._told(read)}, which it knew to be overwritten"
        sentence += f" by {self._told(write)}: {self._chain(read, hops)}; and {self._behind(write, behind)}."
        certificate = {
            "read": self._invoke(read),
            "path": self._hops(hops),
            "first": self._invoke(first),
            "behind": self._hops(behind),
        }
        shown = [*self._shown(read, hops), write, *self._shown(write, behind), first]
        return self._anomaly(sentence, shown, read, "overwritten", certificate)

    def _behind(self, write: int, hops: Sequence[Hop]) -> str:
        did = "had read" if hops[0].rule == "read-before" else "had written"
        first = f"before that, {self._who(write)} {did} {self._placed(hops[0].number)}"
        rest = self._chain(write, hops[2:] if hops[0].rule == "read-before" else hops[1:])
        return f"{first}, {rest}" if rest else first

    def _anomaly(
        self,
        sentence: str,
        shown: Sequence[int],
        culprit: int,
        rule: str,
        certificate: dict[str, Any],
        name: str | None = None,
    ) -> Anomaly:
        return Anomaly(
            name=name or self.guarantee,
            guarantee=self.guarantee,
            sentence=sentence[0].upper() + sentence[1:],
            key=self._key(culprit),
            ops=tuple(sorted({self._invoke(number) for number in [*shown, culprit]})),
            culprit=self._invoke(culprit),
            rule=rule,
            certificate=certificate | {"asked": asked(self.rules)},
        )

    # ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _path(self, found: Seen) -> list[Hop]:
        return path(self.record, self.rules.guarantees, found.read, found.write)

    def _hops(self, hops: Sequence[Hop]) -> list[list[Any]]:
        return [[hop.rule, self._invoke(hop.number)] for hop in hops]

    def _shown(self, read: int, hops: Sequence[Hop]) -> list[int]:
        """A write that is only known by what a read returned need not be shown beside the read."""
        shown = [read]
        for hop, after in zip(hops, [*hops[1:], None], strict=True):
            if hop.rule != "returned" or after is not None:
                shown.append(hop.number)
        return shown

    def _chain(self, read: int, hops: Sequence[Hop]) -> str:
        """ "process 3 had read 7, whose session had written 5 before it"."""
        parts = []
        for place, hop in enumerate(hops):
            before = hops[place - 1].rule if place else ""
            if hop.rule == "returned" and before in ("earlier-read", "read-before"):
                continue
            told = self._placed(hop.number)
            if hop.rule in ("own-write", "earlier-read"):
                parts.append(f"{self._who(read)} had {'read' if hop.rule == 'earlier-read' else 'written'} {told}")
            elif hop.rule == "returned":
                parts.append(f"what it read was written by {self._who(hop.number)}")
            else:
                did = "written" if hop.rule == "earlier-write" else "read"
                parts.append(f"before which {self._who(hop.number)} had {did} {told}")
        return ", ".join(parts)

    # ── sentences ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _saw(self, step: Step, hops: Sequence[Hop]) -> str:
        read = step.why.by
        value = self._placed(read)
        if len(hops) == 1 or (hops and hops[0].rule == "earlier-read" and len(hops) == 2):
            did = "wrote" if hops[0].rule == "own-write" else "read"
            return f"{self._who(read)} {did} {self._placed(hops[0].number)} before it read {value}"
        return f"{self._who(read)} read {value}, not {self._placed(step.before)}, although {self._chain(read, hops)}"

    def _precedes(self, step: Step) -> str:
        before, after = self._placed(step.before), self._placed(step.after)
        if step.why.rule == "mw":
            return f"{self._who(step.after)} wrote {before} before it wrote {after}"
        if step.why.rule == "wfr":
            return f"{self._who(step.after)} read {before} before it wrote {after}"
        if step.why.rule == "version":
            return f"{after} has a newer version than {before}"
        return f"the write of {before} was over before that of {after} began"

    def _placed(self, number: int) -> str:
        """A value, with its key where there are several."""
        access = self.record.accesses[number]
        return value_text(access.value) + (f" at {self._where(number)}" if self._several_keys else "")

    def _told(self, number: int) -> str:
        """ "17 (version 1.12) from n4"; who took a write does not matter."""
        access, operations = self.record.accesses[number], self.record.history.operations
        found = self.record.version(number) if self.record.key[number] in self.record.versioned else None
        version = f" (version {version_text(found)})" if found else ""
        node = operations.names[operations.node[access.row]] if access.reads else None
        return f"{value_text(access.value)}{version}{'' if node is None else f' from {node}'}"

    def _who(self, number: int) -> str:
        """ "process 3", or "session a" where sessions have names of their own."""
        return session_text(self.record, self.record.accesses[number])

    def _where(self, number: int) -> str:
        return key_text(self._key(number))

    def _key(self, number: int) -> Any:
        return self.record.history.operations.keys[self.record.key[number]]

    def _invoke(self, number: int) -> int:
        return self.record.accesses[number].invoke


def asked(rules: Rules) -> dict[str, Any]:
    """What was asked for, as certificates say it."""
    return {
        "guarantees": sorted(rules.guarantees),
        "per_key": rules.per_key,
        "convergent": rules.convergent,
        "linearizable_writes": rules.linearizable_writes,
    }


def _joined(steps: Sequence[Step]) -> list[Step]:
    """Versions one after another are one step."""
    joined: list[Step] = []
    turn = next((place for place, step in enumerate(steps) if step.why.rule != "version"), 0)
    for step in [*steps[turn:], *steps[:turn]]:
        if joined and step.why.rule == joined[-1].why.rule == "version":
            joined[-1] = Step(joined[-1].before, step.after, step.why)
        else:
            joined.append(step)
    return joined


def session_text(record: Record, access: Access) -> str:
    """ "process 3", or "session a" where sessions have names of their own."""
    operations = record.history.operations
    process = int(operations.process[access.row])
    return f"{'process' if access.session == process else 'session'} {operations.names[access.session]}"


def value_text(value: Any) -> str:
    """A value as people write it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def key_text(key: Any) -> str:
    """A key as people write it; a history of one object has none."""
    return "the register" if key is None else value_text(key)


def version_text(version: Version) -> str:
    """ "2.14" for generation 2, index 14."""
    return f"{version[0]}.{version[1]}"
