"""Comments: who sees a comment sees all that were there before it was begun. Strict serializability asks for that.

    write 1 → ok, write 2 → ok, read → [2]        2 is there without 1, which was acknowledged before 2 began

Every write adds an id of its own; a read lists the ids that it sees. For a read, the seen write that began last is
compared with all writes that were over by then: O(what reads show, and lack).

Limits: ids that no write of the history added are counted, and say nothing. That a write which was over when the read
began is missing altogether is `set-full`'s matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass

from checkers.invariants.finding import finding, verdict_of
from checkers.objects.calls import Call, calls_of, text
from checkers.protocol import Budget
from checkers.tokens import token_of
from harness.history import History
from harness.verdict import Anomaly, Verdict


@dataclass(frozen=True)
class Comments:
    """No read sees a later write without an earlier one."""

    name: str = "comments"

    def check(self, history: History, budget: Budget) -> Verdict:
        """Judge every read; keys are where a write goes, reads list all of them."""
        writes: dict[Hashable, Call] = {}
        reads: list[Call] = []
        twice = ""
        for call in calls_of(history):
            if call.f in ("write", "add", "insert") and (call.ok or call.doubtful):
                if writes.setdefault(token_of(call.argument), call) is not call:
                    twice = f"{text(call.argument)} was written twice"
            elif call.f == "read" and call.ok and isinstance(call.result, list | tuple):
                reads.append(call)
        over = [(call.response, token, call) for token, call in writes.items() if call.ok]
        over.sort(key=lambda item: item[0])
        ends = [end for end, _, _ in over]
        anomalies: list[Anomaly] = []
        strangers = 0
        for read in () if twice else reads:
            seen = {token_of(element) for element in read.result}
            known = [writes[token] for token in seen if token in writes]
            strangers += len(seen) - len(known)
            if not known:
                continue
            last = max(known, key=lambda call: call.invoke)
            missing = next(
                (call for _, token, call in over[: bisect_left(ends, last.invoke)] if token not in seen), None
            )
            if missing is not None:
                sentence = (
                    f"Process {read.process} saw {text(last.argument)} without {text(missing.argument)}, which was "
                    f"acknowledged before {text(last.argument)} was begun."
                )
                anomalies.append(finding("missing-predecessor", "comments", [missing, last], read, sentence))
        counts = {"reads": len(reads), "writes": len(writes), "unknown_elements": strangers}
        undecided = twice or ("" if reads else "there are no reads")
        return verdict_of(self.name, anomalies, counts, f"All of {len(reads):,} reads see what came before.", undecided)
