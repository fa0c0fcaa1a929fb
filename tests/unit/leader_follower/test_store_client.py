"""What the client concludes, and that it never sends twice what may have been done."""

import asyncio
import json

import pytest
from loopback import do
from scripted_nodes import HANG_UP, NONSENSE, OK, SILENCE, Script

from system_under_test.leader_follower.client import StoreClient
from system_under_test.leader_follower.wire import encode


def told(answers, f="write", value=1, up=("n1", "n2", "n3"), options=None, node=None, ops=1):
    """The completions of `ops` equal operations, and what the nodes heard."""

    async def run():
        async with Script(answers, up) as script:
            client = StoreClient(script, "n1", {"wait_ms": 100} | (options or {}))
            completions = [await do(client, f, value=value, node=node) for _ in range(ops)]
            await client.close()
            return completions, script.heard

    return asyncio.run(run())


def refused(error, leader=None):
    return {"status": "refused", "error": error, "leader": leader}


@pytest.mark.parametrize(
    ("answer", "f", "type_", "error"),
    [
        (OK, "write", "ok", None),
        (OK, "read", "ok", None),
        (refused("busy"), "write", "fail", "busy"),
        (refused("disk-full", "n1"), "write", "fail", "disk-full: n1"),
        ({"status": "indeterminate", "error": "leader-changed", "leader": None}, "write", "info", "leader-changed"),
        (HANG_UP, "write", "info", "connection-lost: n1"),
        (HANG_UP, "read", "fail", "connection-lost: n1"),
        (NONSENSE, "write", "info", "connection-lost: n1"),
        (NONSENSE, "read", "fail", "connection-lost: n1"),
        (SILENCE, "read", "fail", "timeout: n1"),
        ({"status": "who knows"}, "write", "info", "bad-answer"),
        ({"status": "who knows"}, "read", "fail", "bad-answer"),
    ],
)
def test_what_is_concluded_from_one_request(answer, f, type_, error):
    (op,), heard = told(answer, f, None if f == "read" else 1)
    assert (op.type, op.error) == (type_, error)
    assert len(heard) == 1
    if type_ == "ok":
        assert (op.version, op.node, op.value) == ((2, 7), "n1", 5 if f == "read" else 1)


def test_a_mismatch_is_a_failure_that_tells_the_current_value():
    (op,), _ = told({**OK, "status": "mismatch"}, "cas", [3, 4])
    assert (op.type, op.error, op.value, op.version) == ("fail", "mismatch", [3, 4, 5], (2, 7))


def test_a_node_that_is_down_is_a_failure_and_another_is_asked_next():
    ops, heard = told(OK, up=("n2", "n3"), ops=3)
    assert [op.error or op.type for op in ops] == ["unreachable: n1", "ok", "ok"]
    assert [node for node, _ in heard] == ["n2", "n2"]


def test_a_refusal_that_names_the_leader_is_followed_and_remembered():
    ops, heard = told({"n1": refused("not-leader", "n3"), "n3": OK}, ops=2)
    assert [(op.type, op.node) for op in ops] == [("ok", "n3")] * 2
    assert [node for node, _ in heard] == ["n1", "n3", "n3"]


def test_a_read_that_is_sent_on_and_gets_no_answer_there_failed():
    (op,), heard = told({"n1": refused("not-leader", "n3"), "n3": SILENCE}, "read", None)
    assert (op.type, op.error, [node for node, _ in heard]) == ("fail", "timeout: n3", ["n1", "n3"])


def test_refusals_that_go_round_in_circles_end():
    (op,), heard = told({"n1": refused("not-leader", "n2"), "n2": refused("not-leader", "n1")})
    assert (op.type, op.error) == ("fail", "not-leader: n2")
    assert len(heard) == 3


@pytest.mark.parametrize("leader", [None, "n1", "n9"])
def test_a_home_that_knows_of_no_other_leader_is_not_asked_again(leader):
    ops, heard = told({"n1": refused("not-leader", leader), "n2": OK}, ops=2)
    assert [op.type for op in ops] == ["fail", "ok"]
    assert [node for node, _ in heard] == ["n1", "n2"]


@pytest.mark.parametrize("trouble", [SILENCE, HANG_UP, NONSENSE])
def test_a_home_that_does_not_answer_is_not_asked_again(trouble):
    ops, heard = told({"n1": trouble, "n2": OK}, "read", None, ops=2)
    assert [op.type for op in ops] == ["fail", "ok"]
    assert [node for node, _ in heard] == ["n1", "n2"]


def test_a_hint_to_a_dead_leader_fails_without_anything_sent_twice():
    (op,), heard = told(refused("not-leader", "n3"), up=("n1",))
    assert (op.type, op.error, len(heard)) == ("fail", "unreachable: n3", 1)


def test_a_session_carries_the_largest_position_it_was_shown_and_a_follower_read_none():
    _, heard = told(OK, "read", None, options={"read": "session"}, ops=2)
    assert [request["token"] for _, request in heard] == [[0, 0], [2, 9]]
    _, heard = told(OK, "read", None, options={"read": "follower"}, ops=2)
    assert not any("token" in request for _, request in heard)


def test_a_read_goes_to_the_node_that_the_operation_names():
    for mode in ("follower", "session"):
        (op,), heard = told(OK, "read", None, options={"read": mode}, node="n3")
        assert (op.node, heard[0][0]) == ("n3", "n3")


def test_a_late_answer_is_not_taken_for_the_next():
    async def run():
        async with Script(SILENCE) as script:
            client = StoreClient(script, "n1", {"wait_ms": 5000})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await do(client, "read")
            late = {"id": script.heard[0][1]["id"], "node": "n1", **OK}
            script.writers[0].write(encode(late))
            script.answers = {**OK, "value": 6}
            assert (await do(client, "read")).value == 6
            await client.close()

    asyncio.run(run())


def test_cancelled_in_the_middle_it_closes_at_once():
    async def run():
        async with Script(SILENCE) as script:
            client = StoreClient(script, "n1", {})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await do(client, "write", value=1)
            await client.close()
            await client.close()
            assert len(script.heard) == 1

    asyncio.run(run())


def test_what_the_store_does_not_know_is_refused_before_anything_is_sent():
    (op,), heard = told(OK, "format")
    assert (op.type, op.error) == ("fail", "bad-request: this store has no operation 'format'")
    assert heard == []


def test_requests_are_what_the_module_says():
    _, heard = told(OK, "cas", [1, 2])
    assert json.loads(json.dumps(heard[0][1])) == {"id": 1, "f": "cas", "key": "x", "value": [1, 2]}


@pytest.mark.parametrize(
    ("f", "value", "told_value"),
    [
        ("increment", 1, 5),
        ("dequeue", None, 5),
        ("acquire", "me", 5),
        ("txn", [["r", "x", None]], 5),
        ("append", 1, 1),
        ("add", 1, 1),
        ("enqueue", 1, 1),
        ("release", 7, 7),
        ("delete", None, None),
    ],
)
def test_what_the_store_found_is_the_value_and_what_it_was_given_stays(f, value, told_value):
    (op,), _ = told(OK, f, value)
    assert (op.type, op.value, op.version) == ("ok", told_value, (2, 7))


@pytest.mark.parametrize(("f", "error"), [("dequeue", "empty"), ("acquire", "held"), ("release", "not-holder")])
def test_what_the_log_decided_against_failed_for_good(f, error):
    answer = {"status": "failed", "error": error, "value": None, "version": [2, 7], "applied": [2, 9]}
    (op,), heard = told(answer, f, "me" if f == "acquire" else 7 if f == "release" else None)
    assert (op.type, op.error, op.version, len(heard)) == ("fail", error, (2, 7), 1)


@pytest.mark.parametrize("broken", [{"version": None}, {"version": [1]}, {"applied": "x"}])
def test_an_answer_that_makes_no_sense_leaves_a_write_open(broken):
    assert [op.error for op in told(OK | broken)[0]] == ["bad-answer"]
    assert told(OK | broken)[0][0].type == "info"
    assert told(OK | broken, "read", None)[0][0].type == "fail"


@pytest.mark.parametrize("value", ["x" * (1 << 20), float("nan")])
def test_what_fits_into_no_frame_is_refused_before_anything_is_sent(value):
    (op,), heard = told(OK, value=value)
    assert (op.type, heard) == ("fail", [])
    assert op.error.startswith("bad-request: ")


def test_with_forwarding_writes_stay_at_home_though_the_leader_is_known():
    ops, heard = told(OK | {"node": "n3"}, ops=2, options={"forward": True})
    assert [op.type for op in ops] == ["ok", "ok"]
    assert [node for node, _ in heard] == ["n1", "n1"]
