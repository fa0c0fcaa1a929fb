"""Tokens that are ignored and nodes that are not as far as they say: found, told, and confirmed by the verifier."""

from random import Random

import msgspec
from made_histories import Story

from checkers.protocol import Budget
from checkers.sessions import Token
from checkers.verifiers.sessions import verify_sessions
from harness.verdict import Anomaly, Verdict


def judged(story):
    history = story.history()
    verdict = Token().check(history, Budget(10))
    assert verify_sessions(history, verdict) == []
    return verdict


def read(story, value, version, applied, token=None):
    begin = story.event(2, "invoke", "read")
    story.event(2, "ok", "read", value, version=version, applied=applied, token=token, node="n3")
    return begin


def test_a_node_that_answers_before_it_has_reached_the_token_ignores_it():
    story = Story()
    story.write(1, 5, (1, 4))
    culprit = read(story, 5, (1, 4), (1, 8), token=(1, 9))
    (anomaly,) = judged(story).anomalies
    assert (anomaly.name, anomaly.culprit) == ("token-ignored", culprit)
    assert anomaly.sentence == "At k, n3 answered a read that carried the token 1.9 when it was only at 1.8."


def test_a_node_that_returns_less_than_it_says_it_has_is_dishonest():
    story = Story()
    story.write(1, 5, (1, 4))
    newer = story.write(1, 6, (1, 7))
    culprit = read(story, 5, (1, 4), (1, 9), token=(1, 7))
    (anomaly,) = judged(story).anomalies
    assert (anomaly.name, anomaly.ops) == ("token-dishonest", (newer, culprit))
    assert anomaly.sentence == (
        "At k, n3 said that it was at 1.9, but returned 5 (1.4), although the key was written at 1.7."
    )


def test_a_lagging_node_that_says_so_is_honest():
    story = Story()
    story.write(1, 5, (1, 4))
    story.write(1, 6, (1, 7))
    read(story, 5, (1, 4), (1, 6), token=(1, 5))
    read(story, None, (0, 0), (1, 3))
    verdict = judged(story)
    assert (verdict.answer, verdict.counts["reads_with_token"], verdict.counts["reads_with_applied"]) == ("valid", 1, 2)


def test_a_history_without_tokens_is_unknown():
    story = Story()
    story.write(1, 5, (1, 4))
    story.read(1, 5, (1, 4))
    assert judged(story).answer == "unknown"


def test_what_reads_tell_of_writes_in_doubt_counts_as_well():
    story = Story()
    story.write(1, 6, end="info")
    read(story, 6, (1, 7), (1, 7))
    read(story, None, (0, 0), (1, 9))
    assert judged(story).anomalies[0].name == "token-dishonest"


def test_many_random_reads_are_judged_as_the_definition_says():
    random = Random(5)
    found = 0
    for _ in range(3000):
        story, versions = Story(), {}
        for index in range(1, 2 + int(random.random() * 4)):
            versions[index] = (1 + index // 3, index)
            story.write(1, index, versions[index])
        bad = set()
        for _ in range(2):
            value = int(random.random() * (len(versions) + 1)) or None
            applied, token = ((1 + n // 3, n) for n in (2 + int(random.random() * 4), int(random.random() * 4)))
            begin = read(story, value, versions.get(value, (0, 0)), applied, token)
            newest = max((v for v in versions.values() if v <= applied), default=(0, 0))
            if applied < token or newest > versions.get(value, (0, 0)):
                bad.add(begin)
        assert {anomaly.culprit for anomaly in judged(story).anomalies} == bad
        found += bool(bad)
    assert 500 < found < 2990


def test_the_verifier_refuses_what_is_not_so():
    story = Story()
    write = story.write(1, 5, (1, 4))
    honest = read(story, 5, (1, 4), (1, 9), token=(1, 9))
    history = story.history()

    def problems(rule, **certificate):
        anomaly = Anomaly(rule, "token", "", rule=rule, certificate=certificate)
        return verify_sessions(history, Verdict("token", "invalid", anomalies=(anomaly,)))

    assert "is not token-ignored" in problems("token-ignored", read=honest)[0]
    assert "is not token-dishonest" in problems("token-dishonest", read=honest, write=write)[0]
    assert "is not token-ignored" in problems("token-ignored", read=write)[0]
    assert "is not guess" in problems("guess", read=honest)[0]
    assert "cannot be read" in problems("token-ignored")[0]
    assert verify_sessions(history, Verdict("token", "invalid")) == ["token: nothing is shown."]
    valid = Token().check(history, Budget(10))
    assert "not 7" in verify_sessions(history, msgspec.structs.replace(valid, certificate={"reads": 7}))[0]
    story.write(1, 6, (1, 6))
    assert "older than its node had" in verify_sessions(story.history(), valid)[0]
    read(story, 6, (1, 6), (1, 8), token=(1, 9))
    assert any("before its token" in text for text in verify_sessions(story.history(), valid))
