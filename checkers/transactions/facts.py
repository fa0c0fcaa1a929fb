"""What the steps of all transactions say: who wrote what was read, which reads are wrong by themselves, which versions
of a key follow one another.

Everything is a column, so that millions of transactions take seconds. A version of a key is known by the step that
wrote it. What a read shows of its own transaction's writes is taken off first; the rest is the version that it found.
A list that was found is a version too, the one that its last element made, and shows the versions before it: all reads
of a list are compared with the longest, element by element. Where several are longest and differ, nobody knows which of
them lasted: then what they all begin with is the order of versions, and the rest came after it, in any order.

    facts.findings           reads that no order of transactions explains, with the strength of the levels they break
    facts.order, .starts     versions of each key in order, as far as they are known
    facts.reads              for each read: who, which key, which version, how many versions are before it

A transaction in doubt takes part if something that it wrote was read: then all of it happened (Elle, VLDB 2020).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from checkers.transactions.levels import ATOMIC, COMMITTED, PARALLEL, UNCOMMITTED
from checkers.transactions.table import APPEND, NULL, READ, WRITE, Ints, Table
from harness.history.operations import FAIL, INFO, OK

FOUND_MAX: Final = 100
"""So many findings of a rule are kept; `counts` has their number."""
BLOCK: Final = 1 << 22
"""Elements compared at a time."""
UNSEEN: Final = 1 << 60
"""The place of a version that nobody read."""
_TWICE: Final = "{value!r} was written to key {key} more than once"
STRENGTHS: Final = {
    "garbage-read": UNCOMMITTED,
    "duplicate-elements": UNCOMMITTED,
    "internal": COMMITTED,
    "future-read": COMMITTED,
    "G1a": COMMITTED,
    "G1b": COMMITTED,
    "dirty-update": COMMITTED,
    "incompatible-order": COMMITTED,
    "write-order": COMMITTED,
    "non-repeatable-read": ATOMIC,
    "lost-update": PARALLEL,
}


class Finding(NamedTuple):
    """Something wrong with few transactions. `steps` are the ones that show it, the reader's last."""

    rule: str
    steps: tuple[int, ...]
    value: Any = None

    @property
    def strength(self) -> int:
        """Of the weakest levels that rule it out."""
        return STRENGTHS[self.rule]


class Reads(NamedTuple):
    """What transactions found that they had not written themselves; equal lengths.

    Attributes:
        step: the reading step; version: the step that wrote it, -1 the initial state.
        depth: how many known versions of the key come before what follows it; -1 where the order is not known.
    """

    step: Ints
    version: Ints
    depth: Ints


def expanded(starts: Ints, lengths: Ints) -> Ints:
    """start, start + 1, ... for each of the lengths, one after another."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1] if len(ends) else 0)


@dataclass
class Facts:
    """See the module docstring.

    Attributes:
        initial: code of the state of every register before its first write; NULL for null.
        happened: bool n: ok, or in doubt and seen.
        order: steps of versions, key after key; starts, lengths: of each key's part in it.
        known: bool per key: the order of all its versions is known, but for the unseen, which come last.
        unseen: one appending step for each transaction and key whose elements nobody read.
        counts: of findings, by rule.
    """

    table: Table
    initial: int = NULL
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    why_not: str = ""

    def __post_init__(self) -> None:
        table = self.table
        self.why_not = self.why_not or table.why_not
        self.n, self.n_keys = len(table), len(table.keys)
        self.status = table.status[table.step_txn]
        self._tell_kinds()
        self._group()
        self._index_writes()
        self.observed = np.zeros(len(table.step_f), bool)
        self._lists()
        registers = self._registers()
        seen = self.observed & (self.status == INFO)
        self.happened = table.status == OK
        self.happened[table.step_txn[seen]] = True
        self._unseen()
        self.reads = Reads(*(np.concatenate(both) for both in zip(self.list_reads, registers, strict=True)))
        self._lost_updates()

    # ── what there is ────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell_kinds(self) -> None:
        """Which keys hold lists."""
        table = self.table
        appended = np.zeros(self.n_keys, bool)
        appended[table.step_key[(table.step_f == APPEND)]] = True
        written = np.zeros(self.n_keys, bool)
        written[table.step_key[(table.step_f == WRITE)]] = True
        shows_list = (table.step_f == READ) & (table.step_len > 0)
        shown = np.zeros(self.n_keys, bool)
        shown[table.step_key[shows_list]] = True
        both = np.flatnonzero((appended & written) | (shown & written))
        if len(both) and not self.why_not:
            self.why_not = f"key {self.key_text(int(both[0]))} is both written and appended to"
        self.is_list = (appended | shown) & ~written

    def key_text(self, key: int) -> str:
        """A key in a sentence."""
        name = self.table.keys[key]
        return name if isinstance(name, str) else repr(name)

    def _group(self) -> None:
        """Steps of one transaction on one key next to each other: `self.grouped`, and what is around each step."""
        table = self.table
        code = table.step_txn.astype(np.int64) * max(1, self.n_keys) + table.step_key
        grouped = np.argsort(code, kind="stable")
        code = code[grouped]
        first = np.ones(len(code), bool)
        first[1:] = code[1:] != code[:-1]
        number = np.cumsum(first) - 1
        changes = (table.step_f != READ)[grouped]
        before = np.cumsum(changes) - changes
        self.group_starts = np.flatnonzero(first)
        self.group = np.empty(len(code), np.int64)
        self.group[grouped] = number
        # changes of the same group before a step, and where those of the group begin among all grouped changes
        self.own_before = np.empty(len(code), np.int64)
        self.own_before[grouped] = before - before[self.group_starts][number] if len(code) else before
        self.own_from = before[self.group_starts] if len(code) else before
        self.grouped_changes = grouped[changes]
        last_of_group = np.empty(len(self.group_starts), np.int64)
        last_of_group[self.group[self.grouped_changes]] = self.grouped_changes
        self.last_change = last_of_group
        self.has_change = np.zeros(len(self.group_starts), bool)
        self.has_change[self.group[self.grouped_changes]] = True

    def _index_writes(self) -> None:
        """Sort all writes by key and value, to look up who wrote what."""
        table = self.table
        steps = np.flatnonzero(table.step_f != READ)
        values = table.step_value[steps]
        self._low = int(values.min()) if len(values) else 0
        self._span = (int(values.max()) if len(values) else 0) - self._low + 1
        self._compress: Ints | None = None
        if self._span * max(1, self.n_keys) >= 1 << 62:
            self._compress = np.unique(values)
            self._low, self._span = 0, len(self._compress)
        codes, _ = self._codes(table.step_key[steps], values)
        failed = self.status[steps] == FAIL
        order = np.lexsort((failed, codes)) if failed.any() else np.argsort(codes, kind="stable")
        self._sorted_codes, self._sorted_steps = codes[order], steps[order]
        same = np.flatnonzero(self._sorted_codes[1:] == self._sorted_codes[:-1])
        same = same[self.status[self._sorted_steps[same + 1]] != FAIL]
        one, other = self._sorted_steps[same], self._sorted_steps[same + 1]
        repeated = same[(table.step_txn[one] != table.step_txn[other]) | self.is_list[table.step_key[one]]]
        again = steps[(values == self.initial) & ~failed]
        if len(repeated) or len(again):
            self._doubt(self._sorted_steps[repeated], again)

    def _doubt(self, repeated: Ints, again: Ints) -> None:
        """Say why nothing can be judged: somebody read what was written twice, or what was there at first and again.

        What is written twice and read by nobody is two values that nobody can mix up.
        """
        table = self.table
        reads = np.flatnonzero((table.step_f == READ) & ~self.is_list[table.step_key] & (self.own_before == 0))
        lists = np.flatnonzero((table.step_f == READ) & self.is_list[table.step_key] & (table.step_len > 0))
        lengths = table.step_len[lists].astype(np.int64)
        shown = table.elements[expanded(table.step_from[lists], lengths)]
        keys = np.concatenate([table.step_key[reads], np.repeat(table.step_key[lists], lengths)])
        read, known = self._codes(keys, np.concatenate([table.step_value[reads], shown]))
        for steps, what in ((again, "key {key} was set to its initial value"), (repeated, _TWICE)):
            codes, _ = self._codes(table.step_key[steps], table.step_value[steps])
            for step in steps[np.isin(codes, read[known])].tolist()[:1]:
                key = self.key_text(int(table.step_key[step]))
                self.why_not = self.why_not or what.format(value=self._shown(step), key=key)

    def _codes(self, keys: NDArray[np.int32], values: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """One number for key and value, and whether the value is one that is written at all."""
        if self._compress is not None:
            places = np.searchsorted(self._compress, values)
            places = np.minimum(places, len(self._compress) - 1)
            known = self._compress[places] == values
        else:
            known = (values >= self._low) & (values - self._low < self._span)
            places = np.where(known, values - self._low, 0)
        return keys.astype(np.int64) * self._span + places, known

    def writers(self, keys: NDArray[np.int32], values: Ints) -> Ints:
        """The step that wrote each value, rather one that did not fail; -1 without one."""
        if not len(self._sorted_codes) or not len(values):
            return np.full(len(values), -1)
        codes, known = self._codes(keys, values)
        places = np.minimum(np.searchsorted(self._sorted_codes, codes), len(self._sorted_codes) - 1)
        return np.where(known & (self._sorted_codes[places] == codes), self._sorted_steps[places], -1)

    def find(self, rule: str, number: int, shown: Iterator[Finding]) -> None:
        """Note findings of a rule, not more than FOUND_MAX."""
        if number:
            self.counts[rule] = self.counts.get(rule, 0) + number
            room = FOUND_MAX - sum(finding.rule == rule for finding in self.findings)
            self.findings += [finding for _, finding in zip(range(room), shown, strict=False)]

    # ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lists(self) -> None:
        """Judge all reads of lists, and order the versions of lists by the longest read of each."""
        table = self.table
        of_list = self.is_list[table.step_key]
        steps = np.flatnonzero((table.step_f == READ) & of_list)
        odd = steps[(table.step_len[steps] < 0) & (table.step_value[steps] != NULL)]
        self.find("garbage-read", len(odd), (Finding("garbage-read", (int(s),), self._shown(int(s))) for s in odd))
        steps = steps[table.step_len[steps] >= 0]
        steps, base, torn = self._without_own(steps)
        keys = table.step_key[steps]
        longest_len = np.zeros(self.n_keys, np.int64)
        np.maximum.at(longest_len, keys, base)
        longest = np.full(self.n_keys, -1)
        longest[keys[base == longest_len[keys]][::-1]] = steps[base == longest_len[keys]][::-1]
        has = np.flatnonzero(longest >= 0)
        lengths = np.zeros(self.n_keys, np.int64)
        lengths[has] = longest_len[has]
        starts = np.cumsum(lengths) - lengths
        flat = table.elements[expanded(table.step_from[longest[has]], lengths[has])]
        flat_keys = np.repeat(np.arange(self.n_keys, dtype=np.int32), lengths)
        apart = self._apart(steps, base, starts, flat)
        wrong = steps[apart]
        self.find("incompatible-order", len(wrong), self._told_apart(wrong, longest))
        self._odd_elements(wrong)
        kept, twice = self._kept(self.writers(flat_keys, flat), flat_keys, flat, longest)
        self._agree(kept, starts, lengths, steps[apart & (base == longest_len[keys])])
        self._place(kept, flat_keys, lengths)
        depth = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept >= 0)])
        fine = ~apart
        steps, keys, base = steps[fine], keys[fine], base[fine]
        found = depth[starts[keys] + base] - depth[starts[keys]]
        # A list with an element that is not there for good says nothing sure about those around it.
        whole = found == base
        future = self._look_at(steps[whole], keys[whole], found[whole])
        own = steps[~whole & (self.own_before[steps] > 0)]
        self._doubled(np.unique(np.concatenate([longest[flat_keys[twice]], wrong, torn, future, own])))

    def _doubled(self, steps: Ints) -> None:
        """Elements that a list shows again; of all lists that may, these are given."""
        table = self.table
        length = table.step_len[steps].astype(np.int64)
        values = table.elements[expanded(table.step_from[steps], length)]
        readers = np.repeat(steps, length)
        made = self.writers(table.step_key[readers], values)
        together = np.lexsort((made, readers))
        one, other = together[:-1], together[1:]
        again = other[(made[other] >= 0) & (made[one] == made[other]) & (readers[one] == readers[other])]
        shown = ((int(readers[i]), table.value(int(values[i]))) for i in again.tolist())
        self.find("duplicate-elements", len(again), (Finding("duplicate-elements", (step,), v) for step, v in shown))

    def _shown(self, step: int) -> Any:
        return self.table.value(int(self.table.step_value[step]))

    def _without_own(self, steps: Ints) -> tuple[Ints, Ints, Ints]:
        """The reads that end with what their transaction appended before, their lengths without that, and the rest."""
        table = self.table
        own = self.own_before[steps]
        base = table.step_len[steps].astype(np.int64) - own
        good = base >= 0
        mixed = np.flatnonzero(good & (own > 0))
        count = own[mixed]
        shown = table.elements[expanded(table.step_from[steps[mixed]] + base[mixed], count)]
        made = table.step_value[self.grouped_changes[expanded(self.own_from[self.group[steps[mixed]]], count)]]
        differs = np.repeat(mixed, count)[shown != made]
        good[differs] = False
        bad = steps[~good]
        self.find("internal", len(bad), (Finding("internal", (int(step),)) for step in bad))
        return steps[good], base[good], bad

    def _apart(self, steps: Ints, base: Ints, starts: Ints, flat: Ints) -> NDArray[np.bool_]:
        """Which reads are not a beginning of the longest of their key."""
        table = self.table
        apart = np.zeros(len(steps), bool)
        ends = np.cumsum(base)
        first = 0
        while first < len(steps):
            done = ends[first - 1] if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + BLOCK, side="right")))
            part = slice(first, last)
            shown = table.elements[expanded(table.step_from[steps[part]], base[part])]
            wanted = flat[expanded(starts[table.step_key[steps[part]]], base[part])]
            differs = np.flatnonzero(shown != wanted)
            if len(differs):
                apart[first + np.searchsorted(ends[part] - done, differs, side="right")] = True
            first = last
        return apart

    def _told_apart(self, wrong: Ints, longest: Ints) -> Iterator[Finding]:
        for step in wrong.tolist():
            yield Finding("incompatible-order", (int(longest[self.table.step_key[step]]), step))

    def _odd_elements(self, wrong: Ints) -> None:
        """Look at each element of the reads that fit no other: it may still be aborted, or show who took part."""
        table = self.table
        length = table.step_len[wrong].astype(np.int64)
        keys = np.repeat(table.step_key[wrong], length)
        values = table.elements[expanded(table.step_from[wrong], length)]
        made, readers = self.writers(keys, values), np.repeat(wrong, length)
        self.observed[made[made >= 0]] = True
        self._unmade(made, readers, values)

    def _unmade(self, made: Ints, readers: Ints, values: Ints) -> None:
        """Garbage and aborted reads among these."""
        none = np.flatnonzero(made < 0)
        shown = ((int(readers[i]), self.table.value(int(values[i]))) for i in none.tolist())
        self.find("garbage-read", len(none), (Finding("garbage-read", (step,), value) for step, value in shown))
        failed = np.flatnonzero((made >= 0) & (self.status[made] == FAIL))
        pairs = ((int(made[i]), int(readers[i])) for i in failed.tolist())
        self.find("G1a", len(failed), (Finding("G1a", pair) for pair in pairs))

    def _kept(self, made: Ints, keys: NDArray[np.int32], flat: Ints, longest: Ints) -> tuple[Ints, Ints]:
        """The steps that made the elements of the longest lists, and which elements are there for the second time.

        -1 for those and for what nobody wrote, or that failed.
        """
        self.observed[made[made >= 0]] = True
        self._unmade(made, longest[keys], flat)
        failed = (made >= 0) & (self.status[made] == FAIL)
        if failed.any():
            at = np.flatnonzero(failed[:-1] & (made[1:] >= 0) & ~failed[1:] & (keys[1:] == keys[:-1]))
            found = (Finding("dirty-update", (int(made[i]), int(made[i + 1]), int(longest[keys[i]]))) for i in at)
            self.find("dirty-update", len(at), found)
        places = np.full(len(self.status) + 1, -1)
        places[made[::-1]] = np.arange(len(made))[::-1]
        twice = (made >= 0) & (places[made] != np.arange(len(made)))
        return np.where(failed | twice, -1, made), np.flatnonzero(twice)

    def _agree(self, kept: Ints, starts: Ints, lengths: Ints, rivals: Ints) -> None:
        """Take out of the longest lists what others that are as long do not begin with, undone changes aside."""
        table = self.table
        for step in rivals.tolist():
            key = int(table.step_key[step])
            mine = starts[key] + np.flatnonzero(kept[starts[key] : starts[key] + lengths[key]] >= 0)
            begin = int(table.step_from[step])
            shown = table.elements[begin : begin + int(lengths[key])]
            made = self.writers(np.full(len(shown), key, np.int32), shown)
            lasting = made[(made >= 0) & (self.status[made] != FAIL)].tolist()
            pairs = zip(kept[mine].tolist(), dict.fromkeys(lasting), strict=False)
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            kept[mine[same:]] = -1

    def _place(self, kept: Ints, keys: NDArray[np.int32], lengths: Ints) -> None:
        """The order of versions, and the place of each."""
        good = kept >= 0
        self.order = kept[good]
        self.lengths = np.bincount(keys[good], minlength=self.n_keys).astype(np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.place = np.full(len(self.status), UNSEEN)
        self.place[self.order] = np.arange(len(self.order)) - self.starts[self.table.step_key[self.order]]
        made = self.grouped_changes[self.is_list[self.table.step_key[self.grouped_changes]]]
        made = made[self.status[made] != FAIL]
        one, other = made[:-1], made[1:]
        # Of one transaction, what it appended later stands later: unseen ones come last.
        back = np.flatnonzero(
            (self.group[one] == self.group[other])
            & (self.place[one] >= self.place[other])
            & (self.place[other] < UNSEEN)
        )
        pairs = ((int(one[i]), int(other[i])) for i in back.tolist())
        self.find("write-order", len(back), (Finding("write-order", pair) for pair in pairs))

    def _look_at(self, steps: Ints, keys: NDArray[np.int32], found: Ints) -> Ints:
        """Future, intermediate and non-repeatable reads of lists; the first of these."""
        group = self.group[steps]
        first_own = np.full(len(self.group_starts), UNSEEN)
        np.minimum.at(first_own, self.group[self.grouped_changes], self.place[self.grouped_changes])
        future = first_own[group] < found
        self.find("future-read", int(future.sum()), (Finding("future-read", (int(s),)) for s in steps[future]))
        version = np.where(found > 0, self.order[self.starts[keys] + found - 1] if len(self.order) else -1, -1)
        self._halfway(steps, version)
        self._unrepeated(steps, found)
        self.list_reads = Reads(steps, version, found)
        return steps[future]

    def _halfway(self, steps: Ints, version: Ints) -> None:
        """Reads of what another transaction went on to change: G1b."""
        real = version >= 0
        halfway = np.zeros(len(steps), bool)
        last = self.last_change[self.group[version[real]]]
        halfway[real] = self.table.step_value[last] != self.table.step_value[version[real]]
        halfway[real] &= self.table.step_txn[version[real]] != self.table.step_txn[steps[real]]
        halfway[real] &= self.status[version[real]] != FAIL
        at = np.flatnonzero(halfway)
        self.find("G1b", len(at), (Finding("G1b", (int(version[i]), int(steps[i]))) for i in at.tolist()))

    def _unrepeated(self, steps: Ints, found: Ints) -> None:
        """Transactions that found two versions of a key."""
        group = self.group[steps]
        in_group = np.argsort(group, kind="stable")
        one, other = in_group[:-1], in_group[1:]
        at = np.flatnonzero((group[one] == group[other]) & (found[one] != found[other]))
        pairs = ((int(steps[one[i]]), int(steps[other[i]])) for i in at.tolist())
        self.find("non-repeatable-read", len(at), (Finding("non-repeatable-read", pair) for pair in pairs))

    # ── registers ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _registers(self) -> Reads:
        """Judge all reads of registers; the reads that found what others wrote."""
        table = self.table
        steps = np.flatnonzero((table.step_f == READ) & ~self.is_list[table.step_key])
        own = self.own_before[steps] > 0
        mine = steps[own]
        last = self.grouped_changes[self.own_from[self.group[mine]] + self.own_before[mine] - 1]
        bad = mine[table.step_value[last] != table.step_value[mine]]
        self.find("internal", len(bad), (Finding("internal", (int(step),)) for step in bad))
        steps = steps[~own]
        values = table.step_value[steps]
        made = self.writers(table.step_key[steps], values)
        # What a transaction that failed would have left is there anyway where it is the initial state.
        made[(values == self.initial) & (made >= 0) & (self.status[made] == FAIL)] = -1
        start = (values == self.initial) & (made < 0)
        self._unrepeated(steps, values)
        bad = np.flatnonzero(~start & (made < 0))
        shown = ((int(steps[i]), table.value(int(values[i]))) for i in bad.tolist())
        self.find("garbage-read", len(bad), (Finding("garbage-read", (step,), value) for step, value in shown))
        good = start | (made >= 0)
        steps, made = steps[good], made[good]
        self.observed[made[made >= 0]] = True
        failed = np.flatnonzero((made >= 0) & (self.status[made] == FAIL))
        pairs = ((int(made[i]), int(steps[i])) for i in failed.tolist())
        self.find("G1a", len(failed), (Finding("G1a", pair) for pair in pairs))
        future = np.flatnonzero((made >= 0) & (table.step_txn[made] == table.step_txn[steps]))
        self.find("future-read", len(future), (Finding("future-read", (int(steps[i]),)) for i in future))
        self._halfway(steps, made)
        fine = np.ones(len(steps), bool)
        fine[failed] = False
        fine[future] = False
        return Reads(steps[fine], made[fine], np.full(int(fine.sum()), -1))

    # ── updates that were lost ───────────────────────────────────────────────────────────────────────────────────────

    def _lost_updates(self) -> None:
        """Transactions that changed a key and found the same version of it."""
        step, version, _ = self.reads
        group = self.group[step]
        changes = self.has_change[group]
        step, version, group = step[changes], version[changes], group[changes]
        code = self.table.step_key[step].astype(np.int64) * (len(self.status) + 1) + version + 1
        order = np.lexsort((step, code))
        one, other = order[:-1], order[1:]
        at = np.flatnonzero((code[one] == code[other]) & (group[one] != group[other]))
        pairs = ((int(step[one[i]]), int(step[other[i]])) for i in at.tolist())
        self.find("lost-update", len(at), (Finding("lost-update", pair) for pair in pairs))

    # ── versions that nobody read ────────────────────────────────────────────────────────────────────────────────────

    def _unseen(self) -> None:
        """Of each transaction that appended what nobody read, one step for each key."""
        table = self.table
        steps = self.grouped_changes
        steps = steps[self.is_list[table.step_key[steps]] & (self.place[steps] == UNSEEN)]
        steps = steps[self.happened[table.step_txn[steps]]]
        first = np.ones(len(steps), bool)
        first[1:] = self.group[steps[1:]] != self.group[steps[:-1]]
        self.unseen = steps[first]
