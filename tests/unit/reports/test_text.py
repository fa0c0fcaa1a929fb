"""Values become words that are short, the same everywhere, and cannot act."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import (
    UNSAFE,
    count_text,
    counted,
    duration_text,
    inert,
    json_text,
    moment_text,
    name_text,
    operation_text,
    process_text,
    value_text,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
HARMLESS_TEXT = st.text(st.characters(categories=("L", "N", "P", "S")), max_size=40).filter(
    lambda text: UNSAFE.search(text) is None
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(ANY_TEXT)
def test_nothing_acts_after_being_made_inert(text: str) -> None:
    assert UNSAFE.search(inert(text, 1000)) is None


@given(
    st.text(st.characters(categories=("L", "N", "P", "S")), max_size=40).filter(lambda text: not UNSAFE.search(text))
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


def test_terminal_escapes_and_direction_marks_are_written_out() -> None:
    assert inert("a\x1b[2Jb\u202ec\x00") == "a\\x1b[2Jb\\u202ec\\x00"
    assert inert("\U000e0041") == "\\U000e0041"


def test_a_cut_says_how_much_there_was() -> None:
    assert inert("x" * 5000, 10) == "x" * 10 + "… (5,000 characters)"


@given(JSON)
def test_json_text_is_one_inert_line_of_equal_json(value: object) -> None:
    text = json_text(value)
    assert UNSAFE.search(text) is None
    assert json.loads(text) == value


def test_half_of_a_surrogate_pair_still_has_a_text() -> None:
    assert json.loads(json_text("\ud800")) is not None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        ("k-1", "k-1"),
        ("two words", '"two words"'),
        ("", '""'),
        (None, "null"),
        ([1, "a"], '[1,"a"]'),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ("1" * 70, '"' + "1" * 59 + "… (72 characters)"),
    ],
)
def test_plain_words_stay_bare_and_all_else_is_json(value: object, text: str) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (("write", 5, 5, "ok"), "write 5"),
        (("write", 5, 5, "info"), "write 5"),
        (("read", None, 3, "ok"), "read → 3"),
        (("read", None, None, "ok"), "read → null"),
        (("read", None, None, "info"), "read → ?"),
        (("read", None, 4, "fail"), "read → 4"),
        (("cas", [3, 5], [3, 5], "ok"), "cas 3 → 5"),
        (("cas", [3, 5], [3, 5, 4], "fail"), "cas 3 → 5"),
        (("append", 1, [0, 1], "ok"), "append 1 → [0,1]"),
        (("append", 1, [0, 1], "fail"), "append 1"),
    ],
)
def test_an_operation_says_what_was_asked_and_answered(operation: tuple[str, object, object, str], text: str) -> None:
    assert operation_text(*operation) == text


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 s"),
        (7, "7 ns"),
        (1_500, "1.5 µs"),
        (5_200_000, "5.2 ms"),
        (250_000_000, "250 ms"),
        (61_000_000_000, "61.0 s"),
        (119_900_000_000, "120 s"),
        (120_000_000_000, "2 min 00 s"),
        (7_262_000_000_000, "2 h 01 min"),
    ],
)
def test_a_length_of_time_has_the_unit_that_suits_it(duration_ns: int, text: str) -> None:
    assert duration_text(duration_ns) == text


def test_a_moment_has_as_many_digits_as_its_neighbours_need() -> None:
    assert moment_text(41_210_500_000, 10_000_000) == "41.21 s"
    assert moment_text(41_210_500_000, 1_000_000_000) == "41 s"
    assert moment_text(41_210_500_000, 1) == "41.210500000 s"


def test_names_and_numbers() -> None:
    assert (process_text(3), process_text("setup")) == ("p3", "setup")
    assert (name_text("a b"), name_text(7), name_text(["x"])) == ("a b", "7", '["x"]')
    assert (count_text(48211), counted(1, "fault"), counted(2, "anomaly", "anomalies")) == (
        "48,211",
        "1 fault",
        "2 anomalies",
    )
