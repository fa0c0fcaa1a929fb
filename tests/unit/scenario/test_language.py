"""The scenario language: what is understood, and how what is not is answered: with the line, and what was wanted."""

import pytest

from harness.errors import UsageError
from harness.scenario.language import FORMS, parse, typed

END = "\nexpect nothing broken"


def steps(text):
    return parse(f"A story\n{text}{END}").steps[:-1]


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("write x=1 by alice on A -> done", "write", {"key": "x", "value": "1", "client": "alice", "node": "A"}),
        ("read x by bob -> nothing", "read", {"key": "x", "client": "bob"}),
        ("call another follower C", "call", {"whom": "another follower", "name": "C"}),
        ("cut A from all", "cut", {"node": "A", "other": "all"}),
        ("cut A off, one way", "cut off", {"node": "A"}),
        ("power off n1", "power off", {"node": "n1"}),
        ("set the clock of n1 by -500 ms", "clock", {"node": "n1", "amount": "-500"}),
        ("wait 300 ms   # a remark", "wait", {"amount": "300"}),
        ("elect", "elect", {}),
    ],
)
def test_a_step_is_understood(line, kind, words):
    (step,) = steps(line)
    assert (step.kind, step.words, step.line) == (kind, words, 2)


def test_a_step_may_wait_for_something_and_go_on_meanwhile():
    first, second = steps("when A has acknowledged, cut A from all\nmeanwhile write x=2 by bob on A -> unknown")
    assert first.when == ("A", "has acknowledged") and first.kind == "cut"
    assert second.meanwhile and second.expected == "unknown"


def test_settings_and_switches_stand_before_the_steps():
    scenario = parse(f"T\nnodes 5\nseed 9\ntimeout 500 ms\nwith read lease, lease-ms 40\nelect{END}")
    assert (scenario.nodes, scenario.seed, scenario.timeout_s) == (5, 9, 0.5)
    assert scenario.options == {"read": "lease", "lease_ms": "40"}
    assert typed(scenario.options, {"read": "leader", "lease_ms": 250}, "f") == {"read": "lease", "lease_ms": 40}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "file, line 2|the file is empty"),
        ("T\nelect", "there is no `expect`"),
        ("T\nwrite x by alice", "file, line 2: not understood: 'write x by alice'. Wanted: write KEY"),
        ("T\nkil n1", "line 2: not understood: 'kil n1'. Did you mean 'kill'"),
        ("T\nelect\nnodes 5", "line 3: settings stand before the first step"),
        ("T\nnodes many", "line 2: nodes wants"),
        ("T\nwith read", "line 2: `with` wants NAME VALUE"),
        ("T\nheal -> done", "line 2: only a read or a write has an outcome"),
    ],
)
def test_what_is_not_understood_is_answered_with_its_line(text, said):
    with pytest.raises(UsageError) as caught:
        parse(text, "file")
    assert any(part in str(caught.value) for part in said.split("|"))


def test_a_switch_of_a_wrong_name_or_type_is_answered():
    with pytest.raises(UsageError, match=r"no switch 'reed'\. Did you mean 'read'"):
        typed({"reed": "x"}, {"read": "leader"}, "f")
    with pytest.raises(UsageError, match="lease_ms wants int, found 'soon'"):
        typed({"lease_ms": "soon"}, {"lease_ms": 250}, "f")


def test_every_form_is_in_the_language_s_own_description():
    import harness.scenario.language as language

    for kind in FORMS:
        assert kind.split()[0] in language.__doc__
