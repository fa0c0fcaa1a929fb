"""Several checkers over one history: in order, on one budget, and none can take the others down."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from checkers.compose import check_all
from checkers.protocol import Budget
from harness.history import Header, History
from harness.verdict import Verdict

HISTORY = History(Header(), ())


@dataclass
class Fake:
    name: str
    error: Exception | None = None
    seen: list = field(default_factory=list)

    def check(self, history, budget):
        self.seen.append((history, budget))
        if self.error:
            raise self.error
        return Verdict(self.name, "valid")


def test_verdicts_come_in_the_order_of_their_checkers():
    assert [verdict.checker for verdict in check_all(HISTORY, [Fake("b"), Fake("a")], Budget(1))] == ["b", "a"]


def test_all_share_one_history_and_one_budget():
    fakes, budget = [Fake("a"), Fake("b")], Budget(1)
    check_all(HISTORY, fakes, budget)
    assert [fake.seen for fake in fakes] == [[(HISTORY, budget)]] * 2


def test_a_checker_that_raises_is_unknown_and_the_others_go_on():
    broken, after = check_all(HISTORY, [Fake("broken", ValueError("two\nlines")), Fake("after")], Budget(1))
    assert (broken.checker, broken.answer) == ("broken", "unknown")
    assert broken.reason == "the checker failed with ValueError: two lines."
    assert after.answer == "valid"


def test_an_error_without_words_is_named():
    (verdict,) = check_all(HISTORY, [Fake("deep", RecursionError())], Budget(1))
    assert verdict.reason == "a value of the history is nested too deeply to be compared."


def test_an_executor_runs_them_side_by_side_and_the_order_stays():
    fakes = [Fake("b"), Fake("broken", ValueError("two")), Fake("a")]
    told = []
    with ThreadPoolExecutor(2) as workers:
        verdicts = check_all(HISTORY, fakes, Budget(1, listener=told.append), workers)
    assert [(verdict.checker, verdict.answer) for verdict in verdicts] == [
        ("b", "valid"),
        ("broken", "unknown"),
        ("a", "valid"),
    ]
    assert told[-1] == "3 of 3 checkers are done"


def test_a_broken_executor_makes_a_checker_unknown():
    class Broken(Executor):
        def submit(self, *_arguments, **_named):
            future = Future()
            future.set_exception(OSError("the cluster is gone"))
            return future

    (verdict,) = check_all(HISTORY, [Fake("a")], Budget(1), Broken())
    assert (verdict.answer, verdict.reason) == ("unknown", "the checker failed with OSError: the cluster is gone.")
