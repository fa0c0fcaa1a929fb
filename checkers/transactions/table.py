"""All transactions of a history as columns: what each step did, flat, in NumPy arrays.

    table.step_key[table.step_f == APPEND]        the keys that were appended to, one for each append

A transaction is a list of `["r", key, what it read]`, `["append", key, element]` and `["w", key, value]`. Single reads,
appends and writes of a key count as transactions of one step. Steps of a transaction that failed or is in doubt are
those of its invocation, and its reads are left out: nobody was told what they found.

Keys are coded by first sight. Values are coded as themselves where all of a history are whole numbers, which costs
nothing, and by first sight otherwise. 1, 1.0 and true are three values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from checkers.tokens import token_of
from harness.history import History
from harness.history.operations import OK

READ, APPEND, WRITE = 0, 1, 2
FUNCTIONS: Final = {"r": READ, "append": APPEND, "w": WRITE}
SINGLE: Final = {"read": "r", "append": "append", "write": "w"}
NULL: Final = np.iinfo(np.int64).min
"""The code of null, of a list, and of nothing."""
NO_LIST: Final = -1
_NOTHING, _NUMBER, _LIST = 0, 1, 2
_KINDS: Final[dict[type, int]] = {type(None): _NOTHING, int: _NUMBER, list: _LIST}
Ints = NDArray[np.int64]


class Codes(dict[Any, int]):
    """Numbers for things, by first sight: `codes[thing]`."""

    def __missing__(self, thing: Any) -> int:
        code = self[thing] = len(self)
        return code


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of n transactions in order of invocation, and of m steps in order of transaction and place.

    Attributes:
        invoke, response: int64 n, as in `Operations`; status: uint8 n.
        process: int32 n, codes into `names`; session: int32 n.
        step_txn: int32 m, row of the transaction; step_f: uint8 m, READ, APPEND or WRITE; step_key: int32 m.
        step_value: int64 m, code of what was written, or of what was read where that is no list.
        step_from: int64 m, where the list that was read begins in `elements`; step_len: its length, NO_LIST without.
        elements: int64, codes of the elements of all lists that were read.
        keys: by code; values: by code, or None where every value is its own code.
        why_not: why the history cannot be judged, or "".
    """

    invoke: Ints
    response: Ints
    status: NDArray[np.uint8]
    process: NDArray[np.int32]
    session: NDArray[np.int32]
    names: Sequence[Any]
    step_txn: NDArray[np.int32]
    step_f: NDArray[np.uint8]
    step_key: NDArray[np.int32]
    step_value: Ints
    step_from: Ints
    step_len: NDArray[np.int32]
    elements: Ints
    keys: Sequence[Any]
    values: Sequence[Any] | None
    why_not: str = ""

    def __len__(self) -> int:
        return len(self.invoke)

    def value(self, code: int) -> Any:
        """What a code stands for."""
        if code == NULL:
            return None
        return int(code) if self.values is None else self.values[code]

    def list_at(self, step: int, length: int | None = None) -> list[Any]:
        """The list that a step read, or its beginning."""
        start = int(self.step_from[step])
        count = max(0, int(self.step_len[step])) if length is None else length
        return [self.value(code) for code in self.elements[start : start + count].tolist()]


@dataclass
class Columns:
    """The steps of some transactions, as they are read: `table` puts several together.

    Attributes:
        counts: steps of each transaction; start: where their lists begin, where they do not follow one another.
    """

    counts: NDArray[np.int32]
    f: NDArray[np.uint8]
    key: NDArray[np.int32]
    value: Ints
    length: NDArray[np.int32]
    elements: Ints
    start: Ints | None = None

    @classmethod
    def of(cls, steps_of: Sequence[Sequence[Sequence[Any]]], keys: Codes) -> Columns:
        """Flatten steps whose keys are strings or whole numbers and whose values are null, whole numbers or lists.

        Raises:
            KeyError, ValueError: a step is of another form.
        """
        counts = np.fromiter(map(len, steps_of), np.int32, len(steps_of))
        steps = list(chain.from_iterable(steps_of))
        fs, names, values = zip(*steps, strict=True) if steps else ((), (), ())
        f = np.fromiter(map(FUNCTIONS.__getitem__, fs), np.uint8, len(steps))
        key = np.fromiter(map(keys.__getitem__, names), np.int32, len(steps))
        kinds = np.fromiter(map(_KINDS.__getitem__, map(type, values)), np.uint8, len(steps))
        is_list, is_number = kinds == _LIST, kinds == _NUMBER
        lists = list(compress(values, is_list.tolist()))
        length = np.where(is_number, np.int32(NO_LIST), np.int32(0))
        length[is_list] = np.fromiter(map(len, lists), np.int32, len(lists))
        elements = np.fromiter(chain.from_iterable(lists), np.int64, int(length[is_list].sum(dtype=np.int64)))
        value = np.full(len(steps), NULL)
        value[is_number] = np.fromiter(compress(values, is_number.tolist()), np.int64, np.count_nonzero(is_number))
        return cls(counts, f, key, value, length, elements)


@dataclass
class Heads:
    """Who ran the transactions, and when: columns as in `Table`."""

    invoke: Ints
    response: Ints
    status: NDArray[np.uint8]
    process: NDArray[np.int32]
    session: NDArray[np.int32]
    names: Sequence[Any] = field(repr=False)


def assembled(
    heads: Heads, part: Columns, keys: Sequence[Any], values: Sequence[Any] | None = None, why_not: str = ""
) -> Table:
    """Put the steps of all transactions, in order, to their heads."""
    held = np.maximum(part.length, 0).astype(np.int64)
    step_txn = np.repeat(np.arange(len(part.counts), dtype=np.int32), part.counts)
    kept = (part.f != READ) | (heads.status[step_txn] == OK)
    starts = np.cumsum(held) - held if part.start is None else part.start
    return Table(
        heads.invoke,
        heads.response,
        heads.status,
        heads.process,
        heads.session,
        heads.names,
        step_txn[kept],
        part.f[kept],
        part.key[kept],
        part.value[kept],
        starts[kept],
        part.length[kept],
        part.elements,
        keys,
        values,
        why_not,
    )


def table_of(history: History) -> Table:
    """Every transaction of a history, and every single read, append and write of a key."""
    rows = history.operations
    wanted = [code for code, name in enumerate(rows.fs) if name == "txn" or name in SINGLE]
    taken = np.flatnonzero(np.isin(rows.f, wanted))
    told = np.where(rows.status[taken] == OK, rows.result[taken], rows.argument[taken]).tolist()
    told_values = list(rows.values)
    all_steps: list[Any] = [told_values[code] for code in told]
    why_not = ""
    if any(rows.fs[code] != "txn" for code in wanted):
        single = (SINGLE.get(rows.fs[code]) for code in rows.f[taken].tolist())
        keys = (rows.keys[code] for code in rows.key[taken].tolist())
        all_steps = [
            steps if f is None else [[f, key, steps]] for f, key, steps in zip(single, keys, all_steps, strict=True)
        ]
    for place, steps in enumerate(all_steps):
        if not _well_formed(steps):
            why_not = why_not or f"event {rows.invoke[taken[place]]} is no list of steps"
            all_steps[place] = []
    heads = Heads(
        rows.invoke[taken],
        rows.response[taken],
        rows.status[taken],
        rows.process[taken],
        rows.session[taken],
        rows.names,
    )
    keys_, values, flat = _coded(all_steps)
    return assembled(heads, flat, keys_, values, why_not)


def _well_formed(steps: Any) -> bool:
    return isinstance(steps, list | tuple) and all(
        isinstance(step, list | tuple) and len(step) in (2, 3) and type(step[0]) is str and step[0] in FUNCTIONS
        for step in steps
    )


def _coded(all_steps: Sequence[Sequence[Sequence[Any]]]) -> tuple[list[Any], list[Any] | None, Columns]:
    """Keys, values (None: each is its own code), and columns."""
    codes = Codes()
    keys: list[Any] = []
    written: set[int] = set()
    flat: list[list[list[Any]]] = []
    for steps in all_steps:
        made = []
        for step in steps:
            code = codes[token_of(step[1])]
            if code == len(keys):
                keys.append(step[1])
            if step[0] == "w":
                written.add(code)
            made.append([step[0], code, step[2] if len(step) > 2 else None])
        flat.append(made)
    values = _interned(flat, written)
    same: Any = Codes()
    same.update(zip(range(len(keys)), range(len(keys)), strict=True))
    return keys, values, Columns.of(flat, same)


def _interned(flat: Iterable[list[list[Any]]], written: set[int]) -> list[Any] | None:
    """Replace values by codes, in place, unless they are whole numbers all; the values by code."""
    steps = list(chain.from_iterable(flat))
    for step in steps:
        if isinstance(step[2], list | tuple):
            # What a register holds is one value, even if it is a list; and only a read of a list finds several.
            whole = step[0] != "r" or step[1] in written
            step[2] = (step[2],) if whole else list(step[2])
    kinds = set(map(type, chain.from_iterable(v if type(v := step[2]) is list else (v,) for step in steps)))
    lists = (step[2] for step in steps if type(step[2]) is list)
    if kinds <= {int, type(None)} and not any(map(_holds_null_or_huge, lists)):
        small = all(abs(step[2]) < 1 << 62 for step in steps if type(step[2]) is int)
        if small:
            return None
    codes = Codes()
    values: list[Any] = []

    def code(value: Any) -> int:
        number = codes[token_of(value)]
        if number == len(values):
            values.append(value)
        return number

    for step in steps:
        value = step[2]
        if type(value) is list:
            step[2] = [code(element) for element in value]
        elif type(value) is tuple:
            step[2] = code(list(value[0]))
        elif value is not None:
            step[2] = code(value)
    return values


def _holds_null_or_huge(elements: list[Any]) -> bool:
    return any(element is None or abs(element) >= 1 << 62 for element in elements)
