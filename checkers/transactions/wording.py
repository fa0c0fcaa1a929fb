"""Anomalies of transactions in words, with the certificate that `checkers.verifiers.transactions` re-derives.

    T1 read x = [1], and T2 appended 2 to x, which T1 did not see, so T1 comes before T2. T2 was over before T1 was
    invoked, so T2 comes before T1. That is a cycle.

An edge of a certificate is [first, then, kind, key], transactions by the index of their invocation; a forced one has
its reader and the way from the first to that besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from checkers.transactions.cycles import RT, SO, WORDS, Cycle, Link
from checkers.transactions.dependencies import RW, WR, WW
from checkers.transactions.facts import Facts, Finding
from checkers.transactions.levels import ATOMIC, CAUSAL, COMMITTED, Level
from checkers.transactions.solver import Proof
from checkers.transactions.table import APPEND, READ
from checkers.transactions.weak import CM
from harness.verdict import Anomaly

SHOWN_MAX: Final = 12
"""Elements of a list that a sentence shows."""
WEAK_NAMES: Final = {COMMITTED: "non-monotonic-read", ATOMIC: "fractured-read", CAUSAL: "causality-violation"}


def text(value: Any) -> str:
    """A value in a sentence; a long list without its beginning."""
    if isinstance(value, list) and len(value) > SHOWN_MAX:
        return f"[… {' '.join(map(text, value[-SHOWN_MAX:]))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(text, value))}]"
    return msgspec.json.encode(value).decode()


class Words:
    """Puts what was found in one history into words."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.table = facts, facts.table

    def _index(self, row: int) -> int:
        return int(self.table.invoke[row])

    def _row(self, step: int) -> int:
        return int(self.table.step_txn[step])

    def _key(self, step: int) -> Any:
        return self.table.keys[int(self.table.step_key[step])]

    def _name(self, key: Any) -> str:
        return key if isinstance(key, str) else text(key)

    def _process(self, row: int) -> str:
        return f"process {self.table.names[int(self.table.process[row])]}"

    def _value(self, step: int) -> Any:
        """What a step read or wrote."""
        if self.table.step_f[step] == READ and self.facts.is_list[self.table.step_key[step]]:
            return self.table.list_at(step)
        return self.table.value(int(self.table.step_value[step]))

    def _did(self, step: int) -> str:
        verb = {READ: "read", APPEND: "appended"}.get(int(self.table.step_f[step]), "wrote")
        key, value = self._name(self._key(step)), text(self._value(step))
        return f"{verb} {key} = {value}" if verb == "read" else f"{verb} {value} to {key}"

    # ── single reads ─────────────────────────────────────────────────────────────────────────────────────────────────

    def finding(self, finding: Finding, guarantee: str) -> Anomaly:
        """A read that is wrong by itself, or with another."""
        last = finding.steps[-1]
        rows = [self._row(step) for step in finding.steps]
        who = f"A transaction of {self._process(rows[-1])} {self._did(last)}"
        certificate = {
            "ops": [self._index(row) for row in rows],
            "found": finding.rule,
            "key": self._key(last),
            "element": finding.value,
        }
        if finding.rule == "G1a":
            certificate["element"] = self._value(finding.steps[0])
        indices = tuple(sorted(set(certificate["ops"])))
        return Anomaly(
            finding.rule,
            guarantee,
            f"{who}{self._more(finding, rows)}",
            self._key(last),
            indices,
            self._index(rows[-1]),
            "",
            "txn-read",
            certificate,
        )

    def _more(self, finding: Finding, rows: list[int]) -> str:
        first = finding.steps[0]
        earlier = f"{self._process(rows[0])} (event {self._index(rows[0])})"
        rule = finding.rule
        if rule == "garbage-read":
            value = f"{text(finding.value)} there" if finding.value is not None else "that"
            return f", but nobody wrote {value}."
        if rule == "duplicate-elements":
            return f", where {text(finding.value)} stands twice."
        if rule == "internal":
            return ", which is not what it had left there itself."
        if rule == "future-read":
            return ", where it saw what it wrote only later."
        if rule == "G1a":
            return f", though the transaction of {earlier} that {self._did(first)} had failed."
        if rule == "G1b":
            return f", halfway: the transaction of {earlier} that {self._did(first)} went on to change that key."
        if rule == "dirty-update":
            return (
                f": {text(self._value(finding.steps[1]))} was appended after {text(self._value(first))}, "
                f"though the transaction of {earlier} that {self._did(first)} had failed."
            )
        if rule == "incompatible-order":
            return f"; the one of {earlier} {self._did(first)}. Neither is the beginning of the other."
        if rule == "write-order":
            return f" after it {self._did(first)}, yet the first does not come before the second in that list."
        if rule == "non-repeatable-read":
            return f", and before that it {self._did(first)}."
        return f" and changed it, and so did the one of {earlier}, which found the same there: one update is lost."

    # ── cycles ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def edge(self, link: Link, ways: Mapping[Link, tuple[Link, ...]] | None = None) -> list[Any]:
        """An edge of a certificate."""
        key = self._key(link.first) if link.first >= 0 else None
        kind = WORDS.get(link.kind, "cm")
        if link.kind == WR:
            key = self._key(link.then)
        edge = [self._index(link.source), self._index(link.target), kind, key]
        if link.kind == CM and ways is not None:
            edge += [self._index(self._row(link.then)), [self.edge(part) for part in ways[link]]]
        return edge

    def _why(self, link: Link, names: dict[int, str], ways: Mapping[Link, tuple[Link, ...]]) -> str:
        one, other = names[link.source], names[link.target]
        so = f", so {one} comes before {other}."
        if link.kind == RT:
            return f"{one} was over before {other} was invoked{so}"
        if link.kind == SO:
            return f"{one} came before {other} in one session{so}"
        if link.kind == CM:
            reader = self._row(link.then)
            third = names.get(reader, f"the transaction of {self._process(reader)} (event {self._index(reader)})")
            through = " and ".join(WORDS[part.kind] for part in ways.get(link, ()))
            key = self._name(self._key(link.then))
            return (
                f"{third} {self._did(link.then)}, which {other} made, though {one} changed {key} too and {third} "
                f"could see that ({through}){so}"
            )
        if link.kind == WR:
            key = self._name(self._key(link.then))
            made = self._did(link.first) if link.first >= 0 else f"changed {key}"
            return f"{one} {made}, and {other} {self._did(link.then)}{so}"
        if link.kind == RW:
            return f"{one} {self._did(link.first)}, and {other} {self._did(link.then)}, which {one} did not see{so}"
        return f"{one} {self._did(link.first)}, and {other} {self._did(link.then)} after it{so}"

    def _names(self, links: Iterable[Link]) -> dict[int, str]:
        names: dict[int, str] = {}
        for link in links:
            names.setdefault(link.source, f"T{len(names) + 1}")
        return names

    def _told(self, cycle: Cycle, ways: Mapping[Link, tuple[Link, ...]]) -> str:
        names = self._names(cycle.links)
        who = ", ".join(f"{name}: event {self._index(row)} of {self._process(row)}" for row, name in names.items())
        why = [self._why(link, names, ways) for link in cycle.links]
        return f"{' '.join(one[0].upper() + one[1:] for one in why)} That is a cycle ({who})."

    def _anomaly(self, name: str, guarantee: str, cycle: Cycle, rule: str, certificate: dict[str, Any]) -> Anomaly:
        rows = {link.source for link in cycle.links}
        certificate = {"ops": sorted(self._index(row) for row in rows), **certificate}
        culprit = max(rows, key=lambda row: (self.table.status[row] == 0, int(self.table.response[row]), row))
        keys = [edge.first for edge in cycle.links if edge.first >= 0]
        ways = certificate.pop("ways", {})
        return Anomaly(
            name,
            guarantee,
            self._told(cycle, ways),
            self._key(keys[0]) if keys else None,
            tuple(certificate["ops"]),
            self._index(culprit),
            "",
            rule,
            certificate,
        )

    def cycle(self, cycle: Cycle, guarantee: str) -> Anomaly:
        """A cycle of dependencies."""
        certificate = {"level": guarantee, "edges": [self.edge(link) for link in cycle.links]}
        return self._anomaly(cycle.name, guarantee, cycle, "txn-cycle", certificate)

    def weak_cycle(self, cycle: Cycle, ways: Mapping[Link, tuple[Link, ...]], level: Level, guarantee: str) -> Anomaly:
        """A cycle of what reads and sessions force on a weak level."""
        kinds = {link.kind for link in cycle.links}
        name = cycle.name if not kinds & {CM, RW} else WEAK_NAMES[level.strength]
        certificate = {"level": level.name, "edges": [self.edge(link, ways) for link in cycle.links], "ways": ways}
        return self._anomaly(name, guarantee, cycle, "txn-cycle", certificate)

    def proof(self, proof: Proof, level: str) -> Anomaly:
        """That no order of versions fits."""
        cycle = proof.last_cycle()
        certificate = {"level": level, "proof": self._certified(proof)}
        found = self._anomaly(cycle.name, level, cycle, "txn-proof", certificate)
        used = [link for of in proof.cycles() for link in of.links if link.kind in (WW, RW)]
        more = " The order of some versions was not read: it follows from others." if used else ""
        cases = " It is one of several cases, all of which end in a cycle." if proof.split is not None else ""
        return msgspec.structs.replace(found, sentence=f"{found.sentence}{more}{cases}")

    def _certified(self, proof: Proof) -> dict[str, Any]:
        certificate: dict[str, Any] = {
            "decisions": [
                {
                    "key": self._key(pair.first),
                    "first": self._index(pair.one),
                    "then": self._index(pair.other),
                    "edges": [self.edge(link) for link in cycle.links],
                }
                for pair, cycle in proof.decisions
            ]
        }
        if proof.cycle is not None:
            return certificate | {"edges": [self.edge(link) for link in proof.cycle.links]}
        assert proof.split is not None
        pair = proof.split
        split = {"key": self._key(pair.first), "first": self._index(pair.one), "then": self._index(pair.other)}
        return certificate | {"split": split, "cases": [self._certified(part) for part in proof.both]}
