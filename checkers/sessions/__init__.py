"""Read-your-writes and monotonic reads: what one session may expect of the replicas that it hops between.

`checker` decides and explains; `by_versions` compares the versions that the system tells, `by_values` makes do without
them; `accesses` is how they see an operation.
"""

from checkers.sessions.checker import MonotonicReads, ReadYourWrites

__all__ = ["MonotonicReads", "ReadYourWrites"]
