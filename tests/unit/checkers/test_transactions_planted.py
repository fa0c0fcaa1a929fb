"""Planted mistakes of transactions: found, named, told, confirmed; their twins pass.

A story is a list of transactions, one word a step: "x+1" appends 1 to x, "x=1,2" reads that list, "x:=3" writes 3 and
"x->3" reads 3. A story word "<0" begins the next transaction of process 0 without ending it; "0>" ends it.
"""

import msgspec
import pytest

from checkers.protocol import Budget
from checkers.transactions import Transactions
from checkers.verify import verify
from harness.errors import UsageError
from harness.history import Header, History
from harness.op import Op
from harness.verdict import Anomaly, Verdict


def step(word):
    if ":=" in word:
        return ["w", word[0], int(word[3:])]
    if "->" in word:
        return ["r", word[0], int(word[3:]) if word[3:] else None]
    if "+" in word:
        return ["append", word[0], int(word[2:])]
    return ["r", word[0], [int(element) for element in word[2:].split(",") if element]]


def told(story, **header):
    """ "0 x+1 y=" is a transaction of process 0; "0! x+1" one that failed, "0? x+1" one in doubt."""
    events = []

    def emit(process, kind, steps):
        events.append(Op(len(events), None, process, kind, "txn", None, steps))

    for line in story:
        who, *words = line.split()
        done = [step(word) for word in words]
        asked = [[f, key, None] if f == "r" else [f, key, value] for f, key, value in done]
        process = int(who.strip("<>!?"))
        if not who.endswith(">"):
            emit(process, "invoke", asked)
        if not who.startswith("<"):
            kind = {"!": "fail", "?": "info"}.get(who[-1], "ok")
            emit(process, kind, done if kind == "ok" else asked)
    return History(Header(1, "transactions", **header), events)


def judged(history, level=""):
    verdict = Transactions(level).check(history, Budget(10))
    assert verify(history, verdict) == []
    return verdict


# name: story, line that the twin has otherwise, that line, anomaly, level that it breaks, operations shown, words
PLANTED = {
    "own append unseen": (["0 x+1 x="], 0, "0 x+1 x=1", "internal", "read-committed", 1, "left there itself"),
    "own write unseen": (
        ["0 x:=1 x->2", "1 x:=2"],
        0,
        "0 x:=1 x->1",
        "internal",
        "read-committed",
        1,
        "left there itself",
    ),
    "own append seen too early": (["0 x=1 x+1"], 0, "0 x= x+1", "future-read", "read-committed", 1, "only later"),
    "own write seen too early": (["0 x->1 x:=1"], 0, "0 x-> x:=1", "future-read", "read-committed", 1, "only later"),
    "garbage in a list": (["0 x=9"], 0, "0 x=", "garbage-read", "read-uncommitted", 1, "nobody wrote"),
    "garbage in a register": (["0 x:=1", "1 x->9"], 1, "1 x->1", "garbage-read", "read-uncommitted", 1, "nobody wrote"),
    "an element twice": (["0 x+1", "1 x=1,1"], 1, "1 x=1", "duplicate-elements", "read-uncommitted", 1, "twice"),
    "an element twice, in a list that another contradicts": (
        ["0 x+1", "1 x+2 x+3", "2 x=1,2,3", "3 x=1,1"],
        3,
        "3 x=1,2,3",
        "duplicate-elements",
        "read-uncommitted",
        1,
        "twice",
    ),
    "an element that was there before it was appended": (
        ["0 x+1 x=1,1"],
        0,
        "0 x+1 x=1",
        "duplicate-elements",
        "read-uncommitted",
        1,
        "twice",
    ),
    "an element twice, and the last one missing": (
        ["0 x+1", "1 x+2 x=1,1"],
        1,
        "1 x+2 x=1,2",
        "duplicate-elements",
        "read-uncommitted",
        1,
        "twice",
    ),
    "aborted append": (["0! x+1", "1 x=1"], 1, "1 x=", "G1a", "read-committed", 2, "had failed"),
    "aborted write": (["0! x:=1", "1 x->1"], 1, "1 x->", "G1a", "read-committed", 2, "had failed"),
    "update of what was aborted": (
        ["0! x+1", "1 x+2", "2 x=1,2"],
        2,
        "2 x=2",
        "dirty-update",
        "read-committed",
        3,
        "had failed",
    ),
    "between two appends": (["0 x+1 x+2", "1 x=1"], 1, "1 x=1,2", "G1b", "read-committed", 2, "halfway"),
    "between two writes": (["0 x:=1 x:=2", "1 x->1"], 1, "1 x->2", "G1b", "read-committed", 2, "halfway"),
    "two lists": (
        ["<0 x+1", "1 x+2", "0> x+1", "2 x=1,2", "3 x=2,1"],
        4,
        "3 x=1,2",
        "incompatible-order",
        "read-committed",
        2,
        "Neither is the beginning",
    ),
    "appends the wrong way round": (
        ["0 x+1 x+2", "1 x=2,1"],
        1,
        "1 x=1,2",
        "write-order",
        "read-committed",
        1,
        "does not come before",
    ),
    "two versions in one transaction": (
        ["0 x:=1", "<1 x->1 x->2", "0 x:=2", "1> x->1 x->2"],
        3,
        "1> x->1 x->1",
        "non-repeatable-read",
        "read-atomic",
        1,
        "before that",
    ),
    "a part of a transaction": (
        ["0 x+1 y+2", "1 y= x=1"],
        1,
        "1 y=2 x=1",
        "fractured-read",
        "read-atomic",
        2,
        "which T2 did not see",
    ),
    "an older version than before": (
        ["0 x:=1", "0 x:=2 y:=3", "<1 y->3 x->1", "1> y->3 x->1"],
        3,
        "1> y->3 x->2",
        "non-monotonic-read",
        "read-committed",
        2,
        "could see that (wr)",
    ),
    "an effect without its cause": (
        ["0 x+1", "1 x=1 y+2", "2 y=2 x="],
        2,
        "2 y=2 x=1",
        "causality-violation",
        "causal",
        3,
        "which T",
    ),
    "append lost": (["0 x+1", "1 x="], 1, "1 x=1", "G-single-realtime", "strong-snapshot-isolation", 2, "was over"),
    "append seen, then not": (
        ["0 x+1", "1 x=1", "1 x="],
        2,
        "1 x=1",
        "causality-violation",
        "causal",
        3,
        "which T",
    ),
    "each missed the other": (
        ["<0 x= y+1", "1 y= x+2", "0> x= y+1"],
        2,
        "0> x=2 y+1",
        "G2-item",
        "serializable",
        2,
        "which T1 did not see",
    ),
    "two updates of one version": (
        ["<0 x= x+1", "1 x= x+2", "0> x= x+1", "2 x=1,2"],
        1,
        "1 x=1 x+2",
        "lost-update",
        "parallel-snapshot-isolation",
        2,
        "one update is lost",
    ),
    "two updates of one register": (
        ["0 x:=1", "<1 x->1 x:=2", "2 x->1 x:=3", "1> x->1 x:=2"],
        2,
        "2 x->2 x:=3",
        "lost-update",
        "parallel-snapshot-isolation",
        2,
        "one update is lost",
    ),
    "a long fork": (
        ["<0 x+1", "<1 y+2", "<2 x=1 y=", "3 x= y=2", "0> x+1", "1> y+2", "2> x=1 y="],
        3,
        "3 x=1 y=2",
        "G-nonadjacent",
        "snapshot-isolation",
        4,
        "did not see",
    ),
    "both in doubt, in two orders": (
        ["0? x+1 y+3", "1? x+2 y+4", "2 x=1,2", "3 y=4,3"],
        3,
        "3 y=3,4",
        "G0",
        "read-uncommitted",
        2,
        "after it",
    ),
    "each read the other": (
        ["<0 x:=1 y->2", "1 y:=2 x->1", "0> x:=1 y->2"],
        1,
        "1 y:=2 x->",
        "G1c",
        "read-committed",
        2,
        "so T2 comes before T1",
    ),
    "an overwritten register": (
        ["0 x:=1", "0 x:=2", "1 x->1"],
        2,
        "1 x->2",
        "G-single-realtime",
        "strong-snapshot-isolation",
        2,
        "follows from others",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_shown_by_few_operations_in_a_sentence(name):
    story, _, _, anomaly_name, level, operations, words = PLANTED[name]
    verdict = judged(told(story))
    assert verdict.answer == "invalid"
    assert "broken: " in verdict.summary
    found = {anomaly.name: anomaly for anomaly in reversed(verdict.anomalies)}
    anomaly = found[anomaly_name]
    assert words in anomaly.sentence
    assert (anomaly.guarantee, len(anomaly.ops)) == (level, operations)
    assert anomaly.culprit in anomaly.ops


@pytest.mark.parametrize("name", PLANTED)
def test_the_twin_of_a_planted_mistake_is_valid(name):
    assert judged(told(twin(name))).answer == "valid"


def twin(name):
    story, place, right, *_ = PLANTED[name]
    return [*story[:place], right, *story[place + 1 :]]


@pytest.mark.parametrize("name", PLANTED)
def test_the_verifier_refuses_the_anomaly_on_the_twin(name):
    for anomaly in judged(told(PLANTED[name][0])).anomalies:
        assert verify(told(twin(name)), Verdict("transactions", "invalid", anomalies=(anomaly,))) != []


@pytest.mark.parametrize("name", PLANTED)
def test_the_verifier_refuses_to_call_a_planted_mistake_valid(name):
    assert verify(told(PLANTED[name][0]), judged(told(twin(name)))) != []


@pytest.mark.parametrize("name", PLANTED)
def test_what_breaks_a_level_breaks_all_that_imply_it(name):
    history = told(PLANTED[name][0])
    level = PLANTED[name][4]
    from checkers.transactions.levels import BY_NAME, LEVELS

    for stronger in LEVELS:
        if stronger.implies(BY_NAME[level]):
            assert judged(history, stronger.name).answer == "invalid", stronger


def test_the_verifier_refuses_what_shows_nothing_or_cannot_be_read():
    history = told(["0 x+1"])
    assert verify(history, Verdict("transactions", "invalid")) != []
    nothing = Anomaly("x", "y", "z", "k", (0,), 0, "", "txn-cycle", {"ops": [77], "edges": [[1]]})
    assert verify(history, Verdict("transactions", "invalid", anomalies=(nothing,))) != []
    for certificate in ({}, {"level": "serializable", "order": [99]}, {"level": "none", "order": [0]}):
        assert verify(history, Verdict("transactions", "valid", certificate=certificate)) != []


@pytest.mark.parametrize("part", ["order", "schedule", "commits", "versions"])
def test_the_verifier_refuses_an_order_turned_round(part):
    story, level = {
        "order": (["0 x+1", "1 x=1"], "strict-serializable"),
        "schedule": (["<0 x= y+1", "1 y= x+2", "0> x= y+1", "1 x=2 y=1"], "strong-snapshot-isolation"),
        "commits": (["0 x:=1", "<1 x->1 x->2", "0 x:=2", "1> x->1 x->2"], "read-committed"),
        "versions": (
            ["<0 x:=1", "1 x->1 x:=2", "0> x:=1", "<2 y= z+1", "3 z= y+2", "2> y= z+1"],
            "parallel-snapshot-isolation",
        ),
    }[part]
    history = told(story)
    verdict = judged(history, level)
    assert part in verdict.certificate
    certificate = msgspec.json.decode(msgspec.json.encode(verdict.certificate))
    if part == "versions":
        certificate[part] = [entry | {"order": entry["order"][::-1]} for entry in certificate[part]]
    else:
        certificate[part].reverse()
    assert verify(history, msgspec.structs.replace(verdict, certificate=certificate)) != []


# ── what is read uncommitted may have been undone ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reads", "answer"),
    [
        (["2 x=1,2", "3 y=4,3"], "invalid"),
        (["2 x=1,2", "3 x=2,1", "4 y=4,3"], "valid"),
        (["2 x=2,1", "3 x=1,2", "4 y=4,3"], "valid"),
        (["2 x=2,1", "3 x=1", "4 y=3,4"], "invalid"),
        (["2 x=5,1,2", "3 x=1,6,2", "4 y=4,3"], "invalid"),
        (["2 x=1,2,5", "3 x=1,2,7", "4 y=4,3"], "invalid"),
    ],
)
def test_lists_that_are_equally_long_show_the_order_as_far_as_they_agree_without_what_was_undone(reads, answer):
    story = ["0 x+1 y+3", "1 x+2 y+4", "9! x+5", "8! x+6", "7 x+7", *reads]
    history = told(story)
    verdict = judged(history, "read-uncommitted")
    assert verdict.answer == answer
    strict = judged(history)
    assert (strict.anomalies[0].guarantee == "read-uncommitted") is (answer == "invalid")
    if answer == "valid":
        cycle = judged(told(["0 x+1 y+3", "1 x+2 y+4", "7 x+7", "2 x=1,2", "3 y=4,3"]), "read-uncommitted").anomalies
        assert verify(history, Verdict("transactions", "invalid", anomalies=cycle)) != []


# ── what cannot be decided is said, and why ──────────────────────────────────────────────────────────────────────────

UNDECIDED = {
    "one element twice": (["0 x+1", "1 x+1", "2 x=1"], {}, "more than once"),
    "one value twice": (["0 x:=1", "1 x:=1", "2 x->1"], {}, "more than once"),
    "a register and a list": (["0 x+1", "1 x:=2"], {}, "both written and appended to"),
    "a list that does not start empty": (["0 x=1 x+2"], {"initial": [1]}, "start empty"),
    "the initial value written": (["0 x:=7", "1 x->7"], {"initial": 7}, "initial value"),
    "no real time": (["0 x+1"], {"order": "session", "level": "strict-serializable"}, "nothing is known of real time"),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_cannot_be_decided_is_unknown_with_the_reason(name):
    story, header, why = UNDECIDED[name]
    verdict = judged(told(story, **header))
    assert verdict.answer == "unknown"
    assert why in verdict.reason


@pytest.mark.parametrize(
    ("story", "header"),
    [(["0 x:=1", "1 x:=1"], {}), (["0 x+1", "1 x+1", "2 y="], {}), (["0 x:=7", "1 y->7"], {"initial": 7})],
)
def test_what_is_written_twice_and_read_by_nobody_can_be_judged(story, header):
    assert judged(told(story, **header)).answer == "valid"


@pytest.mark.parametrize("level", ["read-committed", "snapshot-isolation", "strict-serializable"])
def test_who_reads_the_initial_state_read_nothing_of_one_that_failed_to_write_it(level):
    assert judged(told(["0! x:=7", "1 x->7"], initial=7), level).answer == "valid"
    verdict = judged(told(["0! x:=7", "1 x->7"], initial=6), level)
    assert [anomaly.name for anomaly in verdict.anomalies] == ["G1a"]
    forged = msgspec.structs.replace(verdict, anomalies=verdict.anomalies)
    assert verify(told(["0! x:=7", "1 x->7"], initial=7), forged) != []


@pytest.mark.parametrize("level", ["strong-session-serializable", "strong-session-snapshot-isolation", "causal"])
def test_a_session_that_goes_on_after_a_transaction_in_doubt_keeps_its_order(level):
    story = ["0 y:=1", "0? x+3", "0 y->1", "1 x=3"]
    assert judged(told(story), level).answer == "valid"
    assert judged(told(["0 y:=1", "0? x+3", "0 y->", "1 x=3"]), level).answer == "invalid"
    history = told(story)
    verdict = judged(history, level)
    part = "schedule" if "schedule" in verdict.certificate else "order"
    if part == "order" and level != "causal":
        order = verdict.certificate["order"]
        forged = msgspec.structs.replace(verdict, certificate=verdict.certificate | {"order": [*order[1:], order[0]]})
        assert verify(history, forged) != []


def test_no_time_left_is_unknown():
    ticks = iter(range(0, 100_000_000_000, 10_000_000_000))
    verdict = Transactions().check(told(["0 x+1"]), Budget(1, now_ns=lambda: next(ticks)))
    assert verdict.answer == "unknown"
    assert "time was over" in verdict.reason


def test_a_level_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(UsageError, match="read-committed, read-atomic"):
        Transactions("best").check(told(["0 x+1"]), Budget(1))


def test_the_level_is_the_option_else_the_header_else_strict_serializable():
    story = ["0 x+1", "1 x="]
    assert judged(told(story)).answer == "invalid"
    assert judged(told(story, level="serializable")).answer == "valid"
    assert judged(told(story, level=("best", "strong-serializable"))).answer == "invalid"
    assert judged(told(story, level="serializable"), "strict-serializable").answer == "invalid"
    assert judged(told(story, order="session")).answer == "valid"


def test_registers_may_start_with_a_value():
    assert judged(told(["0 x->7", "1 x:=8"], initial=7)).answer == "valid"
    assert judged(told(["0 x->", "1 x:=8"], initial=7)).answer == "invalid"
