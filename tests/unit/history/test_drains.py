"""Drains are dequeues: whatever came out so is counted, and nothing more is known of when."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from checkers.objects import TotalQueue
from checkers.protocol import Budget
from checkers.verify import verify
from harness.errors import HistoryError
from harness.history import Header, History
from harness.history.drains import drained
from harness.op import Op
from harness.streams import Random


def answer(*lines: tuple[int, str, str, Any]) -> str:
    events = [Op(process=process, type=type_, f=f, value=value) for process, type_, f, value in lines]  # type: ignore[arg-type]  # types are written out
    history = History(Header(), drained(events))
    verdict = TotalQueue().check(history, Budget())
    assert verify(history, verdict) == []
    return verdict.answer


PUT = ((0, "invoke", "enqueue", 1), (0, "ok", "enqueue", 1))


@pytest.mark.parametrize(
    ("end", "right"),
    [
        (("ok", [1]), "valid"),
        (("ok", []), "invalid"),
        (("ok", [1, 1]), "invalid"),
        (("ok", [1, 2]), "invalid"),
        (("info", None), "unknown"),
        (("fail", None), "unknown"),
    ],
)
def test_what_a_drain_took_is_counted(end: tuple[str, Any], right: str) -> None:
    assert answer(*PUT, (1, "invoke", "drain", None), (1, end[0], "drain", end[1])) == right


def test_what_was_put_in_while_a_drain_ran_need_not_be_in_it() -> None:
    assert answer((1, "invoke", "drain", None), *PUT, (1, "ok", "drain", [])) == "unknown"
    assert answer((1, "invoke", "drain", None), *PUT, (1, "ok", "drain", [1])) == "valid"


def test_a_drain_without_a_list_is_refused() -> None:
    for value in (3, [None]):
        with pytest.raises(HistoryError, match="a drain took"):
            answer(*PUT, (1, "invoke", "drain", None), (1, "ok", "drain", value))


def test_raw_drains_are_not_passed_over() -> None:
    events = [Op(0, process=0, f="drain"), Op(1, process=0, type="ok", f="drain", value=[])]
    assert TotalQueue().check(History(Header(), events), Budget()).answer == "unknown"


def test_drains_at_the_end_are_judged_by_what_came_out() -> None:
    """After everything is acknowledged: valid exactly if each element came out once; one drain in doubt excuses."""
    answers = Counter[str]()
    for seed in range(300):
        random = Random(seed)
        elements = list(range(random.randint(1, 4)))
        lines: list[tuple[int, str, str, Any]] = []
        for element in elements:
            lines += [(0, "invoke", "enqueue", element), (0, "ok", "enqueue", element)]
        out = [random.choice((*elements, *elements, 9)) if random.random() < 0.2 else one for one in elements]
        out = [one for one in out if random.random() < 0.9]
        parts: list[list[int]] = [[], []]
        for one in random.sample(out, len(out)):
            random.choice(parts).append(one)
        doubt = random.random() < 0.2
        lines += [(process, "invoke", "drain", None) for process in (1, 2, 3)[: 2 + doubt]]
        lines += [(process, "ok", "drain", part) for process, part in enumerate(parts, 1)]
        lines += [(3, "info", "drain", None)] if doubt and random.random() < 0.5 else []
        wrong = Counter(out) - Counter(elements) or (not doubt and Counter(elements) - Counter(out))
        answers[answer(*lines)] += 1
        assert answer(*lines) == ("invalid" if wrong else "valid"), seed
    assert min(answers.values()) > 50
