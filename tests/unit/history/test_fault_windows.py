"""When which fault was in force, as its events tell it."""

from harness.history.faults import fault_windows
from harness.op import NEMESIS, Op


def told(fault, proven=True, evidence="seen", **more):
    return {"fault": fault, "kind": "partition", "nodes": ["n1"], "proven": proven, "evidence": evidence, **more}


def events(*shorts):
    """(f, type[, value[, error]]), one per microsecond."""
    made = []
    for f, type_, *rest in shorts:
        value, error = (*rest, None, None)[:2]
        made.append(Op(len(made), len(made) * 1000, NEMESIS, type_, f, None, value, error=error))
    return made


WHOLE = (
    ("start-partition", "invoke"),
    ("start-partition", "ok", told("partition-1", detail="n1 | n2")),
    ("stop-partition", "invoke"),
    ("stop-partition", "ok", told("partition-1", evidence="passes")),
)


def test_a_window_runs_from_invoked_injection_to_completed_lifting():
    (window,) = fault_windows(events(*WHOLE))
    assert (window.id, window.kind, window.nodes, window.detail) == ("partition-1", "partition", ("n1",), "n1 | n2")
    assert (window.start_index, window.stop_index, window.start_ns, window.stop_ns) == (0, 3, 0, 3000)
    assert (window.injected_proven, window.lifted_proven) == (True, True)
    assert window.evidence == ("seen", "passes")


def test_a_fault_that_was_never_lifted_stays_open():
    (window,) = fault_windows(events(*WHOLE[:3]))
    assert (window.stop_ns, window.stop_index, window.lifted_proven) == (None, None, False)
    assert window.overlaps(100, 200)
    assert not window.overlaps(-5, -1)


def test_an_injection_whose_end_is_unknown_counts_as_in_force_and_unproven():
    (window,) = fault_windows(events(WHOLE[0]))
    assert (window.start_index, window.stop_index, window.injected_proven) == (0, None, False)
    (window,) = fault_windows(events(WHOLE[0], ("start-partition", "info", None, "timeout")))
    assert (window.injected_proven, window.evidence) == (False, ("start-partition: timeout",))


def test_an_injection_that_did_not_happen_is_no_fault():
    assert fault_windows(events(WHOLE[0], ("start-partition", "fail", None, "refused"))) == []
    for error in ("no-target: nobody is leader now", "nothing-to-cut: ", "unknown-fault: start-partition"):
        assert fault_windows(events(WHOLE[0], ("start-partition", "info", None, error))) == []


def test_a_lifting_that_found_nothing_to_lift_closes_the_window_without_proof():
    (window,) = fault_windows(
        events(
            WHOLE[0],
            ("start-partition", "info", None, "crashed"),
            WHOLE[2],
            ("stop-partition", "info", None, "nothing-to-lift"),
        )
    )
    assert (window.stop_index, window.lifted_proven) == (3, False)


def test_a_lifting_in_doubt_leaves_the_window_open_for_the_next_attempt():
    doubt = ("stop-partition", "info", None, "timeout")
    (window,) = fault_windows(events(*WHOLE[:3], doubt))
    assert window.stop_index is None
    (window,) = fault_windows(events(*WHOLE[:3], doubt, *WHOLE[2:]))
    assert (window.stop_index, window.lifted_proven) == (5, True)


def test_faults_of_two_kinds_may_overlap():
    kill = {**told("kill-1"), "kind": "kill"}
    windows = fault_windows(
        events(
            *WHOLE[:2],
            ("start-kill", "invoke"),
            ("start-kill", "ok", kill),
            *WHOLE[2:],
            ("stop-kill", "invoke"),
            ("stop-kill", "ok", kill),
        )
    )
    assert [(window.id, window.start_index, window.stop_index) for window in windows] == [
        ("partition-1", 0, 5),
        ("kill-1", 2, 7),
    ]


def test_a_lifting_without_a_fault_is_ignored():
    assert fault_windows(events(*WHOLE[2:])) == []


def test_client_events_are_no_faults():
    assert fault_windows([Op(0, 0, 3, "invoke", "start-up")]) == []


def test_a_lifting_that_did_not_happen_leaves_the_fault_in_force():
    early = (("stop-partition", "invoke"), ("stop-partition", "fail", None, "not-now: no power"))
    (window,) = fault_windows(events(*WHOLE[:2], *early, *WHOLE[2:]))
    assert (window.stop_index, window.lifted_proven) == (5, True)
    assert window.evidence == ("seen", "passes")
