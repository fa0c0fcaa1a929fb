"""Values of a long history, numbered: a list in which numbers and pairs of numbers stay in arrays.

Code 0 is null. Then come all whole numbers in order, then pairs of them, then everything else.

    table, codes = Values.of(tag, first, second, others)
    table[code]          the JSON value
    table.numbers        the whole numbers, also those that occur in pairs only
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ABSENT, NUMBER, PAIR, OTHER = 0, 1, 2, 3
"""Tags: null, a whole number, two of them, and a code into the others."""
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


class Values(list[Any]):
    """See the module docstring. It is filled in when somebody first asks for a value that is no number.

    Attributes:
        numbers: int64; code 1 + i is numbers[i].
        firsts, seconds: int32, codes of the two numbers of each pair; code 1 + len(numbers) + i is the pair i.
    """

    numbers: NDArray[np.int64]
    firsts: NDArray[np.int64]
    seconds: NDArray[np.int64]

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
        table = Values()
        table.numbers = numbers
        table.firsts = distinct // max(1, len(numbers)) + 1
        table.seconds = distinct % max(1, len(numbers)) + 1
        codes = np.zeros(len(tag), dtype=np.int32)
        codes[plain] = 1 + places[: len(plain)]
        codes[paired] = 1 + len(numbers) + both
        rest = np.flatnonzero(tag == OTHER)
        codes[rest] = len(numbers) + len(distinct) + first[rest]
        table.append(None)
        table.extend(numbers.tolist())
        ones, twos = numbers[table.firsts - 1].tolist(), numbers[table.seconds - 1].tolist()
        table.extend(map(list, zip(ones, twos, strict=True)))
        table.extend(list(others)[1:])
        return table, codes
