"""EDN as values, and where it ends."""

import pytest

from harness.history.edn import EdnError, read_edn


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nil", None),
        ("true", True),
        ("-12", -12),
        ("+12N", 12),
        ("1.5e3", 1500.0),
        ("2.50M", 2.5),
        ("3/4", 0.75),
        (":a/b", "a/b"),
        ("symbol", "symbol"),
        ('"a\\n\\u0041\\""', 'a\nA"'),
        ("\\newline", "\n"),
        ("\\u0041", "A"),
        ("\\a", "a"),
        ("[1 [2, 3] ()]", [1, [2, 3], []]),
        ("#{1 2}", [1, 2]),
        ("{:a {:b nil} [1] 2}", {"a": {"b": None}, "[1]": 2}),
        ('#inst "2020-01-01"', "2020-01-01"),
        ("#jepsen.history.Op{:f :read}", {"f": "read"}),
        ("#_ ignored 5", 5),
        ("#_ #tag 4 [#_ 1 2]", [2]),
        ("; a comment\n7 ; another", 7),
    ],
)
def test_a_value_is_read(text, value):
    edn = read_edn(text)
    assert (edn.values, edn.cut_at) == ([value], None)
    assert type(edn.values[0]) is type(value) or isinstance(edn.values[0], dict)


def test_infinity_is_a_number():
    assert read_edn("##Inf ##-Inf").values == [float("inf"), float("-inf")]


def test_depth_is_no_matter():
    assert read_edn("[" * 50_000 + "]" * 50_000).cut_at is None


@pytest.mark.parametrize("text", ["[1 2", "[1 {:a 2", '[1 "never ends', "[1 #tag"])
def test_a_text_that_ends_early_keeps_what_is_whole(text):
    edn = read_edn(text)
    assert edn.values[0][:1] == [1]
    assert edn.cut_at == len(text)


@pytest.mark.parametrize(("text", "offset"), [("1 ]", 2), ("[1 }", 3), ("{1}", 0), ("12x", 0), ("1/0", 0)])
def test_what_is_wrong_is_found_where_it_is(text, offset):
    with pytest.raises(EdnError) as caught:
        read_edn(text)
    assert caught.value.offset == offset
