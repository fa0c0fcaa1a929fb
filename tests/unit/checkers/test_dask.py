"""Checkers on the executor of a Dask cluster: the same verdicts as here. The cluster is one thread of this process."""

import warnings
from collections.abc import Iterator
from concurrent.futures import Executor

import pytest
from made_histories import Story

from checkers.by_key import check_by_key
from checkers.compose import check_all
from checkers.linearizability import Linearizability
from checkers.protocol import Budget
from checkers.sessions import MonotonicReads, ReadYourWrites


@pytest.fixture(scope="module")
def cluster() -> Iterator[Executor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its libraries warn of one another is not ours
        from distributed import Client

        with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
            yield client.get_executor()


def story():
    """Two keys; the read of the second misses a write of its own session."""
    story = Story()
    story.write(2, 7, (1, 7), key="j")
    story.read(2, 7, (1, 7), key="j")
    for number in (1, 2, 3):
        story.write(1, number, (1, number))
    story.read(1, 2, (1, 2))
    return story.history()


def test_several_checkers_run_on_its_workers(cluster):
    history, checkers = story(), [ReadYourWrites(), MonotonicReads(), Linearizability("register")]
    told = []
    verdicts = check_all(history, checkers, Budget(60, listener=told.append), cluster)
    assert verdicts == check_all(history, checkers, Budget(60))
    assert [verdict.answer for verdict in verdicts] == ["invalid", "valid", "invalid"]
    assert told[-1] == "3 of 3 checkers are done"


def test_the_keys_of_one_checker_are_divided_among_its_workers(cluster):
    history = story()
    divided = check_by_key(history, Linearizability("register"), Budget(60), cluster)
    assert divided.answer == Linearizability("register").check(history, Budget(60)).answer == "invalid"
