"""The leader-follower store under cuts and kills: `pytest examples/my_store/test_leader_follower.py`."""

from harness.testing import simulate


@simulate(
    workload="register",
    nodes=3,
    nemesis=("partition", "kill"),
    target="leader",
    time_limit_s=1.0,
    interval_s=0.2,
    duration_s=0.3,
    seeds=2,
    options={"election_timeout_ms": 100, "heartbeat_ms": 20, "wait_ms": 300},
)
def test_the_store_is_linearizable(judged):
    assert not judged.broken(), judged.anomalies()[0].sentence
