"""EDN as values, and where it ends."""

import pytest

from harness.history.edn import DEPTH_MAX, EdnError, read_edn, split_independent
from harness.history.reader import read_history
from harness.op import Op


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


def test_what_json_has_no_number_for_stays_a_word():
    assert read_edn("##Inf ##-Inf ##NaN").values == ["##Inf", "##-Inf", "##NaN"]


def test_keys_that_are_numbers_are_words_as_in_json():
    assert read_edn("{0 10, :a 1, [1] 2}").values == [{"0": 10, "a": 1, "[1]": 2}]


def test_equal_sets_are_equal_lists():
    assert read_edn("#{10 9}").values == read_edn("#{9 10}").values == [[9, 10]]
    assert read_edn("#{:b [1] {:a 1 :b 2}}").values == read_edn("#{[1] {:b 2 :a 1} :b}").values


def test_depth_is_bounded_where_those_who_recurse_can_still_follow():
    assert read_edn("[" * DEPTH_MAX + "]" * DEPTH_MAX).cut_at is None
    with pytest.raises(EdnError, match=f"more than {DEPTH_MAX} brackets"):
        read_edn("[" * 50_000 + "]" * 50_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5M", 1.5),
        ("1.10M", 1.1),
        ("1.00000000000000000001M", "1.00000000000000000001M"),
        ("1e400M", "1e400M"),
        ("4/2", 2),
        ("1/2", 0.5),
        ("-2/6", "-1/3"),
        ("12345678901234567890123N", 12345678901234567890123),
    ],
)
def test_a_number_is_kept_exactly_or_as_it_is_written(text, value):
    (found,) = read_edn(text).values
    assert (type(found), found) == (type(value), value)


def test_a_number_longer_than_python_takes_is_refused():
    with pytest.raises(EdnError, match="a number of 5,000 digits"):
        read_edn("9" * 5_000)


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


@pytest.mark.parametrize("form", ["%s\n%s\n", "[%s\n %s]"])
def test_maps_whose_keys_are_strings_are_operations_too(form, tmp_path):
    first = '{"type" :invoke, "f" :write, "value" 1, "process" 0}'
    for second in ('{"process" 0, "type" :ok, "f" :write, "value" 1}', "{:process 0, :type :ok, :f :write, :value 1}"):
        for lines in (
            (first, second),
            (first.replace('"type" :invoke, ', "").replace("}", ' "type" :invoke}'), second),
        ):
            file = tmp_path / "history"
            file.write_text(form % lines)
            events = read_history(file).events
            assert [(op.type, op.f, op.value, op.process) for op in events] == [
                ("invoke", "write", 1, 0),
                ("ok", "write", 1, 0),
            ]


@pytest.mark.parametrize("colon", [":", " :", ": ", " : "])
def test_json_with_any_space_about_a_colon_is_no_edn(colon, tmp_path):
    file = tmp_path / "history"
    file.write_text('{"value"%strue,"type"%s"invoke","f"%s"write","process"%s0}\n'.replace("%s", colon))
    (event,) = read_history(file).events
    assert (event.value, event.f) == (True, "write")


@pytest.mark.parametrize(("put", "take"), [("put", "get"), ("enqueue", "dequeue"), ("push", "pop")])
def test_keys_of_what_is_no_register_come_back(put, take):
    asked = ((put, ["k", 1], ["k", 1]), (take, ["k", None], ["k", 1]))
    ops = [
        Op(process=0, type=type_, f=f, value=value)
        for f, argument, result in asked
        for type_, value in (("invoke", argument), ("ok", result))
    ]
    assert [(op.key, op.value) for op in split_independent(ops)] == [("k", 1), ("k", 1), ("k", None), ("k", 1)]
