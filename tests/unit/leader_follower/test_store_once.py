"""Exactly once: what the client repeats, what it concludes then, and that the nodes do it once.

The last part lets clients that ask for everything several times loose on nodes that crash between any two effects.
"""

import asyncio

import pytest
from loopback import LoopCluster, do
from scripted_nodes import HANG_UP, OK, SILENCE, Script
from store_pump import MS, Pump

from system_under_test.leader_follower.client import StoreClient
from system_under_test.leader_follower.connection import ask_once
from system_under_test.leader_follower.messages import Request
from system_under_test.leader_follower.sessions import Sessions
from system_under_test.leader_follower.system import SYSTEM

DOUBT = {"status": "indeterminate", "error": "leader-changed", "leader": None}
NOT_LEADER = {"status": "refused", "error": "not-leader", "leader": None}
EXPIRED = {"status": "indeterminate", "error": "session-expired", "leader": None}
EMPTY = {"status": "failed", "error": "empty", "value": None, "version": [0, 0], "applied": [2, 9]}


def told(*script, f="increment", value=1, ops=1, wait_ms=400, up=("n1", "n2", "n3")):
    """The completions of `ops` operations when sessions open and the n-th other request is answered by `script[n]`,
    the last of it for ever; and the requests that were heard, by node."""
    left = list(script)

    def answer(name, request):
        if request["f"] == "open":
            return OK | {"value": 12}
        return left.pop(0) if len(left) > 1 else left[0]

    async def run():
        async with Script(answer, up) as nodes:
            client = StoreClient(nodes, "n1", {"wait_ms": wait_ms, "exactly_once": True})
            completions = [await do(client, f, value=value) for _ in range(ops)]
            await client.close()
            return completions, nodes.heard

    return asyncio.run(run())


def test_a_session_is_opened_once_and_numbers_every_request():
    ops, heard = told(OK, ops=3)
    assert [op.type for op in ops] == ["ok"] * 3
    assert [request["f"] for _, request in heard] == ["open", "increment", "increment", "increment"]
    assert [request.get("session") for _, request in heard] == [None, [12, 1], [12, 2], [12, 3]]


@pytest.mark.parametrize("doubt", [DOUBT, HANG_UP, SILENCE])
def test_what_is_in_doubt_is_asked_again_with_the_same_number_and_its_answer_is_taken(doubt):
    (op,), heard = told(doubt, OK)
    assert (op.type, op.value) == ("ok", 5)
    assert [request["session"] for _, request in heard[1:]] == [[12, 1], [12, 1]]


def test_nobody_taking_the_repetition_it_is_asked_for_until_somebody_does():
    (op,), heard = told(HANG_UP, NOT_LEADER, NOT_LEADER, NOT_LEADER, OK)
    assert op.type == "ok"
    assert len({node for node, _ in heard}) == 3
    assert [request["session"] for _, request in heard[1:]] == [[12, 1]] * 5


def test_doubt_stays_when_nobody_takes_the_repetition_in_time():
    (op,), heard = told(HANG_UP, NOT_LEADER)
    assert (op.type, op.error) == ("info", "connection-lost: n1")
    assert len(heard) > 3


def test_what_is_in_doubt_twice_is_not_asked_a_third_time():
    (op,), heard = told(DOUBT, DOUBT, OK)
    assert (op.type, op.error, len(heard)) == ("info", "leader-changed", 3)


def test_a_refusal_of_the_repetition_is_not_taken_for_one_of_the_first_try():
    (op,), _ = told(DOUBT, {"status": "refused", "error": "disk-full", "leader": None})
    assert op.type == "info"


def test_what_the_log_decided_ends_the_doubt():
    (op,), heard = told(DOUBT, EMPTY, f="dequeue", value=None)
    assert (op.type, op.error, len(heard)) == ("fail", "empty", 3)


def test_a_refusal_without_doubt_is_final():
    (op,), heard = told({"status": "refused", "error": "busy", "leader": None})
    assert (op.type, op.error, len(heard)) == ("fail", "busy", 2)


def test_after_a_session_expired_another_is_opened():
    ops, heard = told(EXPIRED, EXPIRED, OK, ops=2)
    assert [op.type for op in ops] == ["info", "ok"]
    assert [request["f"] for _, request in heard] == ["open", "increment", "increment", "open", "increment"]


def test_without_a_session_nothing_is_asked():
    (op,), heard = told(OK, up=())
    assert (op.type, op.error, heard) == ("fail", "no-session: unreachable: n1", [])


def test_a_read_needs_no_session():
    (op,), heard = told(OK, f="read", value=None)
    assert (op.type, [request["f"] for _, request in heard]) == ("ok", ["read"])


def test_what_one_leader_did_the_next_does_not_do_again_but_answers_alike():
    async def run():
        async with LoopCluster() as cluster:
            session = (await ask_leader(cluster, {"f": "open"}))["value"]
            request = {"f": "increment", "key": "x", "value": 1, "session": [session, 1]}
            first = await ask_leader(cluster, request)
            await cluster.kill(first["node"])
            again = await ask_leader(cluster, request)
            assert again["node"] != first["node"]
            assert [again[part] for part in ("status", "value", "version")] == ["ok", 1, first["version"]]
            assert (await ask_leader(cluster, request | {"session": [session, 2]}))["value"] == 2

    asyncio.run(run())


async def ask_leader(cluster, request):
    """The answer of whoever leads, once somebody does."""
    async with asyncio.timeout(5):
        while True:
            leader = await SYSTEM.leader(cluster)
            answer = leader and await ask_once(cluster.address(leader), request, 2)
            if answer and answer["status"] != "refused":
                return answer
            await asyncio.sleep(0.02)


# ── random schedules ─────────────────────────────────────────────────────────────────────────────────────────────────


class CountingPump(Pump):
    """Clients that count up one counter, each asking any node, again and again, until it is told."""

    CLIENTS = 3

    def __init__(self, seed, **options):
        super().__init__(seed, **options)
        self.sessions = [None] * self.CLIENTS
        self.numbers = [0] * self.CLIENTS
        self.meant = {}
        self.answers = {}
        self.repeated = 0

    def client(self, end):
        for one in range(self.CLIENTS):
            self.step(one, end)

    def step(self, one, end):
        if self.now >= end and (one, self.numbers[one]) in self.answers:
            return
        if (one, self.numbers[one]) in self.answers:
            self.numbers[one] += 1
        self.next_reference += 1
        self.meant[self.next_reference] = (one, self.numbers[one])
        session = (self.sessions[one], self.numbers[one]) if self.numbers[one] else None
        request = Request((0, self.next_reference), "increment" if session else "open", session=session)
        if session:
            request = request._replace(key="n", value=1)
        self.handle(self.random.choice(self.names), request)
        self.after(self.random.randrange(1, 120) * MS, self.step, one, end)

    def hear(self, reference, answer):
        if answer["status"] != "ok":
            return
        one, number = self.meant[reference]
        known = (one, number) in self.answers
        self.repeated += known and number > 0
        if number == 0 and not known:
            self.sessions[one] = answer["value"]
        first = self.answers.setdefault((one, number), (answer["value"], answer["version"]))
        assert number == 0 or first == (answer["value"], answer["version"]), "answered otherwise than the first time"

    def check_counted(self):
        told = sorted(value for (_, number), (value, _) in self.answers.items() if number)
        assert told == list(range(1, len(told) + 1))
        assert {host.node.state.store.read("n")[0] for host in self.hosts.values()} == {len(told) or None}
        return len(told)


@pytest.mark.parametrize("forward", [True, False])
def test_what_is_asked_for_again_and_again_is_counted_once_under_random_schedules(forward):
    counted = repeated = 0
    for seed in range(40):
        pump = CountingPump(seed, forward=forward).run()
        counted += pump.check_counted()
        repeated += pump.repeated
    assert counted > 400
    assert repeated > 50


def test_those_schedules_notice_nodes_that_do_not_know_a_repetition(monkeypatch):
    monkeypatch.setattr(Sessions, "recall", lambda *asked: None)
    noticed = 0
    for seed in range(10):
        try:
            CountingPump(seed).run().check_counted()
        except AssertionError:
            noticed += 1
    assert noticed >= 8
