"""Processes that end with whoever made them; what becomes of a whole search is in `tests/sim/test_explore_is_ended`."""

import os
import subprocess
import sys
from functools import partial

import pytest

from harness.workers import end_with, workers


def status_with(parent: int) -> int:
    """How a process ends that is told who made it."""
    return subprocess.run([sys.executable, "-c", ""], preexec_fn=partial(end_with, parent), check=False).returncode


def test_a_process_begins_only_if_its_parent_is_still_there() -> None:
    # A parent that was killed between fork and prctl gives no signal any more: seen on a busy machine.
    assert status_with(os.getpid()) == 0
    assert status_with(1) == (sys.platform == "linux")


def test_what_has_not_begun_when_a_pool_is_left_is_cancelled() -> None:
    with pytest.raises(KeyboardInterrupt), workers(1) as pool:
        first, *others = [pool.submit(pow, 2, 10) for _ in range(2000)]
        assert first.result() == 1024
        raise KeyboardInterrupt
    assert any(future.cancelled() for future in others)
    assert all(future.done() for future in others)
