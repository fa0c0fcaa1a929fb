"""Foreign histories that hold completions only, as examples in papers and tests do: each is given its invocation.

    {"process": 0, "type": "ok", "f": "txn", ...}      becomes an invocation, and right after it this completion

Only a file whose header has a `source` is taken to mean that. Its operations then come one after another, which is what
it shows; it tells nothing else about time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from harness.op import Op


def with_invocations(events: Sequence[Op]) -> list[Op]:
    """The same operations, each with its two events."""
    return list(_both(events))


def _both(events: Sequence[Op]) -> Iterator[Op]:
    for op in events:
        if op.type != "invoke" and op.is_client():
            yield msgspec.structs.replace(op, type="invoke", value=_asked(op), node=None, version=None, error=None)
        yield op


def _asked(op: Op) -> object:
    """What was asked for: the value, without what a read or the reads of a transaction were told."""
    if op.f == "read":
        return None
    if op.f == "txn" and isinstance(op.value, list):
        return [[*step[:2], None] if isinstance(step, list) and step[:1] == ["r"] else step for step in op.value]
    return op.value
