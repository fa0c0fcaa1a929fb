"""Memory that is taken and freed block by block, and the collector's rest."""

import gc
import platform
import subprocess
import sys

import pytest

from harness.memory import collector_at_rest

ROUNDS = """
import resource
from harness.memory import keep_pages
{first}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    pieces = [b"x" * (2 << 20) for _ in range(4)]
    del pieces
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(first):
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS.format(first=first)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_pages_of_a_block_are_there_for_the_next():
    kept, handed_back = faults("keep_pages()"), faults("")
    assert kept < handed_back / 3 or platform.libc_ver()[0] != "glibc"  # others keep memory as they like


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_is_afterwards_as_it_was(on):
    was_on = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        with pytest.raises(ZeroDivisionError), collector_at_rest():
            assert not gc.isenabled()
            _ = 1 / 0
        assert gc.isenabled() is on
    finally:
        (gc.enable if was_on else gc.disable)()
