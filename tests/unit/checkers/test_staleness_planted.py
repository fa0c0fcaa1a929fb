"""Planted staleness: counted, told in a sentence, by node and by fault, and confirmed by the verifier."""

import msgspec
import pytest
from made_histories import Story

from checkers.protocol import Budget
from checkers.staleness import Staleness
from checkers.verifiers.sessions import verify_sessions
from harness.verdict import Anomaly


def judged(story, **bounds):
    history = story.history()
    verdict = Staleness(**bounds).check(history, Budget(10))
    assert verify_sessions(history, verdict) == []
    return verdict


def lagging(versions=True):
    """Three writes, then a read that misses two of them, by 6 and 4 ms, and one that misses none."""
    story = Story()
    for number in (1, 2, 3):
        story.write(1, number, (1, number) if versions else None)
    story.wait(0.001)
    story.read(2, 1, (1, 1) if versions else None, node="n2")
    story.read(2, 3, (1, 3) if versions else None, node="n3")
    return story


@pytest.mark.parametrize("versions", [True, False])
def test_writes_that_were_complete_and_missed_are_counted_in_writes_and_in_time(versions):
    verdict = judged(lagging(versions))
    assert verdict.answer == "valid"
    assert (verdict.counts["reads"], verdict.counts["stale_reads"], verdict.counts["k_max"]) == (2, 1, 3)
    assert verdict.measures["delta_ms_max"] == 4.0
    assert verdict.measures["stale_share"] == verdict.measures["stale_after_1_ms"] == 0.5
    assert "stale_after_10_ms" not in verdict.measures
    said = "1 of 2 reads missed completed writes: {}2 at worst, 4.0 ms behind (99 of 100: 4.0 ms)."
    assert verdict.summary == (said.format("") if versions else "At least " + said.format("at least "))


def test_a_bound_on_k_turns_the_measure_into_a_verdict():
    story = lagging()
    verdict = judged(story, k_max=2)
    assert verdict.answer == "invalid"
    (anomaly,) = verdict.anomalies
    assert anomaly.sentence == (
        "At k, process 2 read 1 (version 1.1) from n2, although 2 newer writes were complete, the first of them 4.0 ms"
        " before; the newest is 3 (version 1.3)."
    )
    assert anomaly.ops == (2, 4, 6)
    assert anomaly.culprit == 6
    assert judged(story, k_max=3).answer == "valid"


def test_a_bound_on_time_turns_the_measure_into_a_verdict():
    assert judged(lagging(), delta_ms_max=3.9).answer == "invalid"
    assert judged(lagging(), delta_ms_max=4.0).answer == "valid"


def test_each_node_and_each_fault_has_its_own_figures():
    story = Story()
    story.write(1, 1, (1, 1))
    story.fault("start")
    story.write(1, 2, (1, 2))
    story.read(2, 1, (1, 1), node="n1")
    story.fault("stop")
    story.read(2, 2, (1, 2), node="n2")
    parts = {part.checker: part.counts["stale_reads"] for part in judged(story).parts}
    assert parts == {
        "staleness: node n1": 1,
        "staleness: node n2": 0,
        "staleness: during partition-1": 1,
        "staleness: outside of faults": 0,
    }


def test_without_versions_a_key_has_a_least_k_and_a_gamma():
    story = Story()
    for value in (1, 2):
        story.write(1, value)
    story.read(1, 1)
    verdict = judged(story)
    assert verdict.counts["keys_2_atomic"] == 1
    assert verdict.measures["gamma_ms_max"] == verdict.measures["gamma_ms_read_p99"] == 1.0
    assert verdict.measures["delta_atomicity_ms_max"] == pytest.approx(1.0, abs=0.002)
    assert judged(story, k_max=2).answer == "valid"
    assert "not known of 1 of 1 keys" in judged(story, delta_ms_max=100.0).reason


def test_gamma_of_reads_is_told_by_node_and_by_fault():
    story = Story()
    for value in (1, 2):
        story.write(1, value)
    story.fault("start")
    story.read(1, 1, node="n1")
    story.fault("stop")
    story.read(1, 2, node="n2")
    verdict = judged(story)
    gammas = {part.checker: part.measures["gamma_ms_read_max"] for part in verdict.parts}
    assert gammas.pop("staleness: node n1") == gammas.pop("staleness: during partition-1") > 0
    assert gammas == {"staleness: node n2": verdict.measures["gamma_ms_max"], "staleness: outside of faults": 3.0}
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=type(verdict)) == verdict


def test_a_write_in_doubt_counts_from_when_somebody_had_read_it():
    story = Story()
    story.write(1, 1, (1, 1))
    story.write(2, 2, end="info")
    story.read(3, 1, (1, 1))
    story.read(3, 2, (1, 2))
    story.read(4, 1, (1, 1))
    assert judged(story).counts["stale_reads"] == 1


def test_nothing_to_measure_is_unknown():
    story = Story()
    story.write(1, 1)
    assert judged(story).answer == "unknown"


def test_the_verifier_refuses_figures_that_are_not_so():
    story = lagging()
    history = story.history()
    valid = Staleness().check(history, Budget(10))
    lied = msgspec.structs.replace(
        valid, certificate=valid.certificate | {"worst": {"k": 1, "delta_ns": 0, "reads": 2}}
    )
    assert "the worst k and delta are 3" in verify_sessions(history, lied)[0]
    bounded = msgspec.structs.replace(
        valid, certificate=valid.certificate | {"bounds": {"k_max": 2, "delta_ms_max": None}}
    )
    assert "staler than allowed" in verify_sessions(history, bounded)[0]
    invalid = Staleness(k_max=2).check(history, Budget(10))
    said = invalid.anomalies[0].certificate

    def changed(**fields):
        anomaly = Anomaly("stale-read", "staleness", "", certificate=said | fields)
        return verify_sessions(history, msgspec.structs.replace(invalid, anomalies=(anomaly,)))

    assert "has other figures" in changed(k=9)[0]
    assert "has other figures" in changed(read=8)[0]
    assert "not staler" in changed(bounds={"k_max": 5, "delta_ms_max": None})[0]
    assert "cannot be read" in changed(bounds={})[0]
    assert verify_sessions(history, msgspec.structs.replace(invalid, anomalies=())) == ["staleness: nothing is shown."]
