"""Which transaction must come before which, as far as the versions of the keys tell.

    ww   both changed a key, and the version of the first comes just before that of the second
    wr   the second read the version that the first made
    rw   the second made the version that follows the one that the first read

Lists tell the order of their versions. Registers tell it where transactions read a key before they write to it: each
such pair of versions are neighbours, or an update was lost, which parallel snapshot isolation and all above rule out.
So the order of a register is known when all its writers read it before, but for one that may be the first.

So does a list: who read its last version and appended made the next one.

Versions of a list that nobody read come after all others, in any order; they are joined to the readers of the last
version by a node of their own, a hub, where that saves edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from checkers.transactions.facts import UNSEEN, Facts, expanded
from checkers.transactions.table import Ints

WW, WR, RW, THROUGH, UP = 0, 1, 2, 3, 7
"""Kinds of edges. THROUGH leads on from a hub; UP is a ww that only holds where no update is lost."""
SMALL: Final = 8


class Edges(NamedTuple):
    """Columns: from, to, kind, and the two steps that show it."""

    source: Ints
    target: Ints
    kind: NDArray[np.uint8]
    first: Ints
    then: Ints


@dataclass
class Versions:
    """Versions of each key in order. As in `Facts`, registers included.

    Attributes:
        known: bool per key, whether this is all of its versions in order, the unseen aside.
        unseen: appending steps that nobody read, which come after these; one for each transaction and key.
    """

    order: Ints
    starts: Ints
    lengths: Ints
    known: NDArray[np.bool_]
    unseen: Ints


def versions_of(facts: Facts, neighbours: bool = True) -> Versions:
    """The order of versions.

    Args:
        neighbours: whether who read a version and changed the key made the next one, as where no update is lost.
    """
    if not neighbours:
        return Versions(facts.order, facts.starts, facts.lengths, facts.is_list, facts.unseen)
    found = _with_updates(facts)
    known = facts.is_list.copy()
    chains: dict[int, list[int]] = {}
    wrote = np.zeros(facts.n_keys, bool)
    for key, chain in _chains(facts):
        wrote[key] = True
        if chain is not None:
            chains[key] = chain
    known |= ~wrote
    known[list(chains)] = True
    if not chains:
        return Versions(found.order, found.starts, found.lengths, known, found.unseen)
    lengths = found.lengths.copy()
    lengths[list(chains)] = [len(chain) for chain in chains.values()]
    starts = np.cumsum(lengths) - lengths
    order = np.zeros(int(lengths.sum()), np.int64)
    order[expanded(starts[facts.is_list], lengths[facts.is_list])] = found.order
    for key, chain in chains.items():
        order[starts[key] : starts[key] + len(chain)] = chain
    return Versions(order, starts, lengths, known, found.unseen)


def _with_updates(facts: Facts) -> Versions:
    """The versions of lists, and after the last one what was appended by the one who had read that."""
    step, _, depth = facts.reads
    key = facts.table.step_key[step]
    last = step[facts.is_list[key] & (depth == facts.lengths[key])]
    groups = np.zeros(len(facts.group_starts), bool)
    groups[facts.group[last]] = True
    updates = facts.unseen[groups[facts.group[facts.unseen]]]
    key = facts.table.step_key[updates]
    alone = np.bincount(key, minlength=facts.n_keys)[key] == 1
    updates, key = updates[alone], key[alone]
    if not len(updates):
        return Versions(facts.order, facts.starts, facts.lengths, facts.is_list, facts.unseen)
    by_key = np.argsort(key, kind="stable")
    ends = facts.starts[key[by_key]] + facts.lengths[key[by_key]]
    order = np.insert(facts.order, ends, updates[by_key])
    lengths = facts.lengths.copy()
    lengths[key] += 1
    unseen = facts.unseen[~np.isin(facts.unseen, updates)]
    return Versions(order, np.cumsum(lengths) - lengths, lengths, facts.is_list, unseen)


def final_writes(facts: Facts) -> Ints:
    """Of each transaction that happened, the last write to each register."""
    last: Ints = facts.last_change[facts.has_change]
    table = facts.table
    found: Ints = last[~facts.is_list[table.step_key[last]] & facts.happened[table.step_txn[last]]]
    return found


def _chains(facts: Facts) -> list[tuple[int, list[int] | None]]:
    """For each register that was written, its versions in order, or None."""
    writes = final_writes(facts)
    found = np.full(len(facts.group_starts), -2)
    step, version, _ = facts.reads
    found[facts.group[step]] = version
    parents = found[facts.group[writes]]
    real = parents >= 0
    parents[real] = facts.last_change[facts.group[parents[real]]]
    by_key: dict[int, list[tuple[int, int]]] = {}
    for key, write, parent in zip(
        facts.table.step_key[writes].tolist(), writes.tolist(), parents.tolist(), strict=True
    ):
        by_key.setdefault(key, []).append((write, parent))
    return [(key, _chain(pairs)) for key, pairs in by_key.items()]


def _chain(pairs: list[tuple[int, int]]) -> list[int] | None:
    """Versions in order, from (version, the one that its writer read: -1 the initial one, -2 none)."""
    after = {parent: write for write, parent in pairs if parent != -2}
    blind = [write for write, parent in pairs if parent == -2]
    if len(blind) + (-1 in after) != 1 or len(after) + len(blind) < len(pairs):
        return None
    chain = blind[:]
    version = blind[0] if blind else -1
    while version in after and len(chain) <= len(pairs):
        version = after[version]
        chain.append(version)
    return chain if len(chain) == len(pairs) else None


def dependencies(facts: Facts, versions: Versions) -> tuple[Edges, int]:
    """All edges between transactions that happened, and how many hubs there are: they are numbered after those."""
    txn, key_of = facts.table.step_txn.astype(np.int64), facts.table.step_key
    order, starts, lengths, known = versions.order, versions.starts, versions.lengths, versions.known
    parts = []
    # ww: neighbours; of registers the second has read the first, which wr tells
    one, other = order[:-1], order[1:]
    good = (key_of[one] == key_of[other]) & (txn[one] != txn[other]) & facts.is_list[key_of[one]]
    parts.append((txn[one[good]], txn[other[good]], WW, one[good], other[good]))
    # wr, of unknown orders too
    step, version, _ = facts.reads
    real = (version >= 0) & (txn[np.maximum(version, 0)] != txn[step])
    parts.append((txn[version[real]], txn[step[real]], WR, version[real], step[real]))
    # rw: what follows the version that was read
    place = np.full(len(key_of) + 1, -1)
    place[order] = np.arange(len(order)) - starts[key_of[order]]
    last_version = version.copy()
    registers = (version >= 0) & ~facts.is_list[key_of[step]]
    last_version[registers] = facts.last_change[facts.group[version[registers]]]
    depth = np.where(version >= 0, place[last_version] + 1, 0)
    usable = known[key_of[step]] & ((version < 0) | (depth > 0))
    step, depth = step[usable], depth[usable]
    key = key_of[step]
    more = depth < lengths[key]
    follower = order[starts[key[more]] + depth[more]]
    real = txn[follower] != txn[step[more]]
    parts.append((txn[step[more]][real], txn[follower][real], RW, step[more][real], follower[real]))
    unseen, hubs = _unseen_edges(facts, versions, step[~more])
    parts += unseen
    columns = [np.concatenate([np.asarray(part[i]) for part in parts]) for i in (0, 1, 3, 4)]
    kind = np.concatenate([np.full(len(part[0]), part[2], np.uint8) for part in parts])
    return Edges(columns[0], columns[1], kind, columns[2], columns[3]), hubs


Part = tuple[Ints, Ints, int, Ints, Ints]


def _unseen_edges(facts: Facts, versions: Versions, last_reads: Ints) -> tuple[list[Part], int]:
    """Edges to those who appended what nobody read: from the writer of the last version, and from its readers."""
    txn, key_of, unseen = facts.table.step_txn.astype(np.int64), facts.table.step_key, versions.unseen
    key = key_of[unseen]
    has = versions.lengths[key] > 0
    last = versions.order[versions.starts[key[has]] + versions.lengths[key[has]] - 1] if has.any() else unseen[:0]
    after = unseen[has]
    parts: list[Part] = []
    for kind, of_kind in ((WW, facts.place[last] < UNSEEN), (UP, facts.place[last] == UNSEEN)):
        chosen = of_kind & (txn[last] != txn[after])
        parts.append((txn[last[chosen]], txn[after[chosen]], kind, last[chosen], after[chosen]))
    if not len(unseen) or not len(last_reads):
        return parts, 0
    by_key = unseen[np.argsort(key, kind="stable")]
    changed = np.zeros(facts.n_keys, bool)
    changed[key] = True
    last_reads = last_reads[changed[key_of[last_reads]]]
    last_reads = last_reads[np.argsort(key_of[last_reads], kind="stable")]
    all_keys = np.unique(key_of[last_reads])
    bounds = zip(
        np.searchsorted(key_of[last_reads], all_keys),
        np.searchsorted(key_of[last_reads], all_keys, side="right"),
        np.searchsorted(key_of[by_key], all_keys),
        np.searchsorted(key_of[by_key], all_keys, side="right"),
        strict=True,
    )
    rows: list[tuple[int, int, int, int, int]] = []
    hubs = 0
    txns = txn.tolist() if len(all_keys) > 1000 else txn
    for read_from, read_to, write_from, write_to in bounds:
        readers, writers = last_reads[read_from:read_to].tolist(), by_key[write_from:write_to].tolist()
        hubs += _join(rows, readers, writers, txns, len(facts.table) + hubs)
    columns = np.array(rows, np.int64).reshape(-1, 5).T
    for kind in (RW, THROUGH):
        chosen = columns[2] == kind
        parts.append((columns[0][chosen], columns[1][chosen], kind, columns[3][chosen], columns[4][chosen]))
    return parts, hubs


def _join(
    rows: list[tuple[int, int, int, int, int]], readers: list[int], writers: list[int], txn: list[int] | Ints, hub: int
) -> bool:
    """Every reader before every writer but itself; whether that took a hub."""
    if len(readers) * len(writers) <= SMALL * (len(readers) + len(writers)):
        for read in readers:
            rows += [(int(txn[read]), int(txn[write]), RW, read, write) for write in writers if txn[read] != txn[write]]
        return False
    made = {int(txn[write]): write for write in writers}
    both = {int(txn[read]): read for read in readers if int(txn[read]) in made}
    pure = [read for read in readers if int(txn[read]) not in made]
    rows += [(int(txn[read]), hub, RW, read, -1) for read in pure]
    if pure:
        rows += [(hub, int(txn[write]), THROUGH, -1, write) for write in writers]
    # Two that read and wrote lost an update anyhow: for them, edges to and from the first say enough.
    for place, (one, read) in enumerate(both.items()):
        others = writers if place == 0 else [made[next(iter(both))]]
        rows += [(one, int(txn[write]), RW, read, write) for write in others if int(txn[write]) != one]
    return bool(pure)
