"""Counts the reads that writes-follow-reads obliged to see something, where monotonic writes was not asked for.

A read is obliged if its session, or whoever the write that it returned follows, had read something of its key. So all
that need be known of a write is the set of keys that were read before it, by its session or by those it had read from:
one number with a bit for each key, and one pass in order of events.

    session 1 read k0, wrote k1      {k0} before that write
    session 2 read k1, wrote k0      {k0, k1} before that one: whoever reads it was obliged to see some k0

Limits: KEYS_MAX keys, for a set of very many is slow to copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import numpy as np

from checkers.sessions.columns import Column, Columns, codes_of
from checkers.sessions.visibility import MR, RYW, Rules
from harness.history.operations import NEVER

KEYS_MAX: Final = 4096
_BEGIN_WRITE, _END_WRITE, _BEGIN_READ, _END_READ = range(4)


def obliged_by_reads(c: Columns, rules: Rules) -> int:
    """How many reads of written values were obliged to see something of their key."""
    bits = [1 << place for place in range(c.keys)]
    codes = codes_of(c.read_key, c.write_key)
    bit_of_read = [bits[place] for place in np.searchsorted(codes, c.read_key).tolist()]
    bit_of_write = [bits[place] for place in np.searchsorted(codes, c.write_key).tolist()]
    source, reader, writer = c.source.tolist(), c.read_session.tolist(), c.write_session.tolist()
    own_reads, own_writes, brought, wrote = (defaultdict[int, int](int) for _ in range(4))
    before = [0] * len(writer)  # per write the keys that were read before it
    asked: dict[int, int] = {}
    mr, ryw = MR in rules.guarantees, RYW in rules.guarantees
    obliged = 0
    for kind, number in _events(c, ryw):
        if kind == _BEGIN_WRITE:
            session = writer[number]
            before[number] = brought[session] | own_reads[session]
        elif kind == _END_WRITE:
            session = writer[number]
            own_writes[session] |= bit_of_write[number]
            wrote[session] |= before[number]
        elif kind == _BEGIN_READ:
            session = reader[number]
            known = brought[session] | own_reads[session] if mr else 0
            asked[number] = known | wrote[session] | own_writes[session]
        else:
            session, origin = reader[number], before[source[number]]
            obliged += (asked.pop(number) | origin) & bit_of_read[number] > 0
            own_reads[session] |= bit_of_read[number]
            brought[session] |= origin
    return obliged


def _events(c: Columns, ryw: bool) -> Iterator[tuple[int, int]]:
    """What begins and ends, in order; only what counts."""
    reads, writes = np.flatnonzero(c.source >= 0), np.arange(len(c.write_row))
    ended = np.flatnonzero(c.write_response != NEVER) if ryw else writes[:0]
    parts: list[tuple[int, Column, Column]] = [
        (_BEGIN_WRITE, writes, c.write_invoke),
        (_END_WRITE, ended, c.write_response[ended]),
        (_BEGIN_READ, reads, c.read_invoke[reads]),
        (_END_READ, reads, c.read_response[reads]),
    ]
    sorting = np.argsort(np.concatenate([moments for _, _, moments in parts]))
    kinds = np.concatenate([np.full(len(numbers), kind) for kind, numbers, _ in parts])[sorting]
    numbers = np.concatenate([numbers for _, numbers, _ in parts])[sorting]
    return zip(kinds.tolist(), numbers.tolist(), strict=True)
