"""The store under cuts and pauses, a seed for each test; one promise is broken, and one holds.

pytest examples/my_store --splitbrain-seeds 200
"""

from my_store import MyStore

from harness.testing import simulate

HOSTILE = {
    "nodes": 3,
    "nemesis": ("partition", "pause"),
    "time_limit_s": 2.0,
    "quiet_s": 1.0,
    "interval_s": 0.2,
    "duration_s": 0.3,
    "op_timeout_s": 1.0,
    "concurrency": 6,
    "rate": 60.0,
    "options": {"cas": False},
}


@simulate(system=MyStore(honest=False), workload="register", seeds=3, **HOSTILE)
def test_a_read_shows_the_last_write(judged):
    assert not judged.broken(), judged.anomalies()[0].sentence


@simulate(system=MyStore(honest=True), workload="register", seeds=3, **HOSTILE)
def test_a_read_from_the_leader_shows_the_last_write(judged):
    assert not judged.broken(), judged.anomalies()[0].sentence
