"""Bank: transfers move money and never make or lose any, so all reads of all accounts show one total.

    read → {"1": 60, "2": 40},  read → {"1": 55, "2": 40}         5 are missing

    wrong-total        a read shows another total than it should
    negative-balance   an account is overdrawn (unless `overdraft`)
    no-balance         an account has none, or no number
    other-accounts     a read shows other accounts than the first one did

The total is given, as `total` or as `initial` of the history's header ({account: balance}); else it is what the first
read shows, and a read that differs shows, together with that one, that one of the two is wrong. O(input).

Limits: which transfers happened is not looked at; that is serializability, see `transactions`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from checkers.invariants.finding import finding, verdict_of
from checkers.objects.calls import Call, calls_of, text
from checkers.protocol import Budget
from harness.history import History
from harness.verdict import Anomaly, Verdict


@dataclass(frozen=True)
class Bank:
    """One total, and no overdraft.

    Attributes:
        total: what all accounts hold; None: what the header or the first read says.
        overdraft: whether a balance may be negative.
    """

    name: str = "bank"
    total: int | None = None
    overdraft: bool = False

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every read."""
        reads = [call for call in calls_of(history) if call.f == "read" and call.ok]
        reads = [call for call in reads if isinstance(call.result, dict)]
        total, first = self.total, None
        if total is None and isinstance(history.header.initial, dict):
            total = _total(history.header.initial)
        if total is None:
            first = next((call for call in reads if _total(call.result) is not None), None)
            total = None if first is None else _total(first.result)
        anomalies = [anomaly for call in reads for anomaly in self._wrong(call, total, first, reads[0])]
        undecided = "" if total is not None else "no read shows balances"
        counts = {"reads": len(reads)}
        summary = f"All of {len(reads):,} reads show a total of {total:,}." if total is not None else ""
        return verdict_of(self.name, anomalies, counts, summary, undecided, total=total, overdraft=self.overdraft)

    def _wrong(self, call: Call, total: int | None, first: Call | None, any_read: Call) -> Iterator[Anomaly]:
        balances: dict[str, Any] = call.result
        said = f"Process {call.process} read"
        if balances.keys() != any_read.result.keys():
            sentence = (
                f"{said} other accounts than process {any_read.process} had: {_names(call)}, not {_names(any_read)}."
            )
            yield finding("other-accounts", "bank:accounts", [any_read], call, sentence, other=any_read.invoke)
            return
        broken = [account for account, balance in balances.items() if type(balance) is not int]
        if broken:
            sentence = f"{said} {text(balances[broken[0]])} as the balance of account {broken[0]}."
            yield finding("no-balance", "bank:balance", [], call, sentence, account=broken[0])
            return
        found = sum(balances.values())
        if total is not None and found != total:
            which = "" if first is None else f", as process {first.process} had read"
            sentence = f"{said} balances that add up to {found:,}, not to {total:,}{which}."
            other = -1 if first is None else first.invoke
            yield finding("wrong-total", "bank:total", [first], call, sentence, total=total, other=other)
        for account, balance in balances.items():
            if balance < 0 and not self.overdraft:
                sentence = f"{said} a balance of {balance:,} in account {account}."
                yield finding("negative-balance", "bank:negative", [], call, sentence, account=account)


def _total(balances: dict[str, Any]) -> int | None:
    return sum(balances.values()) if all(type(balance) is int for balance in balances.values()) else None


def _names(call: Call) -> str:
    return text(sorted(call.result)[:10])
