"""Histories: what crosses from running to judging, and it crosses through the disk.

`recorder` writes `history.jsonl` as the run goes; `reader` reads it, and what others wrote; `operations` pairs
invocations with completions in NumPy columns for the checkers; `faults` finds the fault windows.
"""

from harness.history.header import Header
from harness.history.history import History
from harness.history.operations import Operations

__all__ = ["Header", "History", "Operations"]
