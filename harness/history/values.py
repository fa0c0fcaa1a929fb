"""Values of a long history, numbered: a sequence in which numbers and pairs of numbers stay in arrays.

Code 0 is null. Then come all whole numbers in order, then pairs of them, then everything else.

    table, codes = Values.of(tag, first, second, others)
    table[code]          the JSON value
    table.numbers        the whole numbers, also those that occur in pairs only

Limits: a million objects take longer to make than most checkers take without them, so they are made when somebody goes
through all, or asks for more than a few. A loop over many codes is faster over `list(table)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

ABSENT, NUMBER, PAIR, OTHER = 0, 1, 2, 3
"""Tags: null, a whole number, two of them, and a code into the others."""
FEW: Final = 1000
"""How many values are made one by one, before all are."""
_DENSE: Final = 4


def ranks(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(place of each among the distinct numbers in order, the distinct numbers)."""
    if not len(numbers):
        return np.zeros(0, dtype=np.int64), numbers
    low, high = int(numbers.min()), int(numbers.max())
    if high - low > _DENSE * len(numbers) + 1000:
        distinct, places = np.unique(numbers, return_inverse=True)
        return places.astype(np.int64), distinct
    there = np.zeros(high - low + 1, dtype=np.bool_)
    there[numbers - low] = True
    distinct = np.flatnonzero(there) + low
    return (np.cumsum(there) - 1)[numbers - low], distinct


class Values(Sequence[Any]):
    """See the module docstring.

    Attributes:
        numbers: int64; code 1 + i is numbers[i].
        firsts, seconds: int32, codes of the two numbers of each pair; code 1 + len(numbers) + i is the pair i.
        others: what comes after the pairs.
    """

    def __init__(
        self, numbers: NDArray[np.int64], firsts: NDArray[np.int64], seconds: NDArray[np.int64], others: list[Any]
    ) -> None:
        self.numbers, self.firsts, self.seconds, self.others = numbers, firsts, seconds, others
        self._pairs_from = 1 + len(numbers)
        self._others_from = self._pairs_from + len(firsts)
        self._length = self._others_from + len(others)
        self._asked = 0

    @staticmethod
    def of(
        tag: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64], others: Iterable[Any]
    ) -> tuple[Values, NDArray[np.int32]]:
        """The table, and the code of each value. `others` has null in front, as every interner."""
        paired = np.flatnonzero(tag == PAIR)
        plain = np.flatnonzero(tag == NUMBER)
        places, numbers = ranks(np.concatenate([first[plain], first[paired], second[paired]]))
        one, two = places[len(plain) : len(plain) + len(paired)], places[len(plain) + len(paired) :]
        both, distinct = ranks(one * max(1, len(numbers)) + two)
        firsts, seconds = distinct // max(1, len(numbers)) + 1, distinct % max(1, len(numbers)) + 1
        codes = np.zeros(len(tag), dtype=np.int32)
        codes[plain] = 1 + places[: len(plain)]
        codes[paired] = 1 + len(numbers) + both
        rest = np.flatnonzero(tag == OTHER)
        codes[rest] = len(numbers) + len(distinct) + first[rest]
        return Values(numbers, firsts, seconds, list(others)[1:]), codes

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, code: int) -> Any: ...
    @overload
    def __getitem__(self, code: slice) -> list[Any]: ...
    def __getitem__(self, code: int | slice) -> Any:
        self._asked += 1
        if isinstance(code, slice) or not 0 <= code < self._length or self._asked > FEW:
            return self._all[code]
        if not code:
            return None
        if code < self._pairs_from:
            return int(self.numbers[code - 1])
        if code >= self._others_from:
            return self.others[code - self._others_from]
        pair = code - self._pairs_from
        return [int(self.numbers[codes[pair] - 1]) for codes in (self.firsts, self.seconds)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all)

    @cached_property
    def _all(self) -> list[Any]:
        numbers = self.numbers.tolist()
        ones, twos = self.numbers[self.firsts - 1].tolist(), self.numbers[self.seconds - 1].tolist()
        return [None, *numbers, *map(list, zip(ones, twos, strict=True)), *self.others]
