"""What the simple invariants share: how an anomaly is put together, and a verdict from all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from checkers.objects.calls import Call, shown
from harness.verdict import Anomaly, Verdict


def finding(
    name: str, rule: str, ops: Iterable[Call | None], culprit: Call, sentence: str, **certificate: Any
) -> Anomaly:
    """An anomaly by its calls; the guarantee is the first part of the rule."""
    indices = {call.invoke for call in ops if call is not None} | {culprit.invoke}
    guarantee = rule.partition(":")[0]
    return Anomaly(
        name, guarantee, sentence, culprit.key, tuple(sorted(indices)), culprit.invoke, "", rule, certificate
    )


def verdict_of(
    checker: str,
    anomalies: Sequence[Anomaly],
    counts: dict[str, int],
    summary: str,
    undecided: str = "",
    **certificate: Any,
) -> Verdict:
    """Invalid where something was found; else unknown, where something could not be told; else valid, certified."""
    counts = {"anomalies": len(anomalies), **counts}
    if anomalies:
        damage = [f"{number:,} × {name.replace('-', ' ')}" for name, number in _damage(anomalies).items()]
        return Verdict(checker, "invalid", f"Found: {', '.join(damage)}.", shown(list(anomalies)), counts)
    if undecided:
        return Verdict(checker, "unknown", "It could not be told.", counts=counts, reason=undecided)
    return Verdict(checker, "valid", summary, counts=counts, certificate=certificate)


def _damage(anomalies: Sequence[Anomaly]) -> dict[str, int]:
    found: dict[str, int] = {}
    for anomaly in anomalies:
        found[anomaly.name] = found.get(anomaly.name, 0) + 1
    return found
