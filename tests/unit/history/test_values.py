"""Values of a long history: made one by one, or all at once, they are the same."""

import numpy as np
import pytest

from harness.history.values import ABSENT, FEW, NUMBER, OTHER, PAIR, Values
from harness.op import canonical

TAGS = np.array([NUMBER, PAIR, ABSENT, OTHER, NUMBER, PAIR, OTHER], np.uint8)
FIRST = np.array([7, 3, 0, 1, -2, 7, 2])
SECOND = np.array([0, 7, 0, 0, 0, -2, 0])
MEANT = [7, [3, 7], None, "word", -2, [7, -2], 1.5]


def made() -> tuple[Values, np.ndarray]:
    return Values.of(TAGS, FIRST, SECOND, [None, "word", 1.5])


def test_each_code_stands_for_what_was_read():
    values, codes = made()
    assert [values[code] for code in codes.tolist()] == MEANT


def test_one_by_one_they_are_what_they_are_all_together():
    values, _ = made()
    singly = [values[code] for code in range(len(values))]
    assert singly == list(values) == values[:] == [None, -2, 3, 7, [3, 7], [7, -2], "word", 1.5]
    assert [values[code - len(values)] for code in range(len(values))] == singly
    for _ in range(FEW):
        assert values[0] is None
    assert [values[code] for code in range(len(values))] == singly


def test_a_code_that_stands_for_nothing_is_refused():
    values, _ = made()
    with pytest.raises(IndexError):
        values[len(values)]


def test_values_are_the_same_text_whatever_the_order_of_fields():
    assert canonical({"a": [1], "b": {"d": 1, "c": 2}}) == canonical({"b": {"c": 2, "d": 1}, "a": [1]})
    assert canonical({2: 1, 1: 2}) == canonical({"1": 2, "2": 1})
    assert len({canonical(value) for value in (1, 1.0, True, "1", None, [1])}) == 6
