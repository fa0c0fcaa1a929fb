"""For test suites: run a plan, or a test of your own over many seeds, from Python.

    from harness.testing import run_plan, simulate

    def test_no_stale_read():
        judged = run_plan({"nodes": 3, "faults": [...], "operations": [...]})
        assert ("linearizability", "stale-read") not in judged.broken()

    @simulate(nodes=3, nemesis=("partition",), seeds=50)
    def test_the_store_is_linearizable(judged):
        assert not judged.broken()

This room is a front door like the command, and may import every room; nothing else imports it.
"""

from harness.testing.plans import plan_from, run_plan
from harness.testing.seeds import simulate

__all__ = ["plan_from", "run_plan", "simulate"]
