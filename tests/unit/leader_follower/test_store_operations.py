"""The state machine: what every operation does, what it refuses, and that a dump carries all of it."""

import json

import pytest

from system_under_test.leader_follower.commands import BadRequest, command_of, is_command, once
from system_under_test.leader_follower.messages import Entry
from system_under_test.leader_follower.objects import OBJECT_BYTES_MAX
from system_under_test.leader_follower.sessions import REMEMBERED_BYTES_MAX, SESSIONS_MAX
from system_under_test.leader_follower.store import Store


class Machine:
    """Asks a store as clients would, in generation 2."""

    def __init__(self):
        self.store = Store()

    def do(self, f, key="k", value=None, session=None):
        return self.apply(once(session, command_of(f, key, value)))

    def apply(self, command):
        return self.store.apply(Entry(2, self.store.applied[1] + 1, command))

    def reads(self, key="k"):
        return self.store.read(key)[0]


@pytest.fixture
def machine():
    return Machine()


def copy_of(store):
    """Through JSON, as a snapshot goes."""
    other = Store()
    other.load(json.loads(json.dumps(store.dump())))
    return other


def test_a_written_key_reads_null_once_it_is_deleted_and_tells_which_entry_did_it(machine):
    machine.do("write", value=5)
    assert machine.do("delete") == (None, None, (2, 2))
    assert machine.store.read("k") == (None, (2, 2))
    assert machine.do("cas", value=[None, 6]).error is None


def test_a_list_keeps_the_order_of_arrival(machine):
    for value in (3, "a", 3, None):
        assert machine.do("append", value=value).error is None
    assert machine.store.read("k") == ([3, "a", 3, None], (2, 4))


def test_a_set_has_every_element_once_and_reads_sorted(machine):
    for value in (3, 1, 2, 1, 3):
        machine.do("add", value=value)
    assert machine.reads() == [1, 2, 3]


def test_a_set_knows_true_from_one_and_one_from_one_point_nought(machine):
    for value in (1, True, 1.0, "1", None):
        machine.do("add", value=value)
    assert [json.dumps(element) for element in machine.reads()] == ["null", "true", "1.0", "1", '"1"']


def test_an_increment_counts_from_nought_and_tells_the_new_number(machine):
    assert [machine.do("increment", value=delta).value for delta in (5, -7, 0)] == [5, -2, -2]
    machine.do("write", value=40)
    assert machine.do("increment", value=2) == (None, 42, (2, 5))


@pytest.mark.parametrize("held", [True, 1.5, "7"])
def test_only_a_whole_number_can_be_incremented(held, machine):
    machine.do("write", value=held)
    assert machine.do("increment", value=1) == ("wrong-type", None, (2, 1))
    assert machine.reads() is held or machine.reads() == held


def test_a_number_does_not_grow_without_bound(machine):
    machine.do("write", value=(1 << 63) - 1)
    assert machine.do("increment", value=1).error == "overflow"
    assert machine.reads() == (1 << 63) - 1


def test_a_queue_gives_each_element_once_in_order(machine):
    for value in ("a", "b"):
        machine.do("enqueue", value=value)
    assert machine.reads() == ["a", "b"]
    assert [machine.do("dequeue")[:2] for _ in range(3)] == [(None, "a"), (None, "b"), ("empty", None)]


def test_a_queue_that_never_was_is_empty_and_is_not_made_by_asking(machine):
    assert machine.do("dequeue") == ("empty", None, (0, 0))
    assert machine.do("append", value=1).error is None


def test_a_lock_has_one_holder_whose_token_is_the_entry_that_took_it(machine):
    machine.do("write", "other", 1)
    assert machine.do("acquire", value="alice") == (None, 2, (2, 2))
    assert machine.reads() == ["alice", 2]
    assert machine.do("acquire", value="bob") == ("held", None, (2, 2))
    assert machine.do("acquire", value="alice").error == "held"
    assert machine.do("release", value=3).error == "not-holder"
    assert machine.do("release", value=2).error is None
    assert machine.reads() is None
    assert machine.do("release", value=2).error == "not-holder"
    assert machine.do("acquire", value="bob").value == 8


OPERATIONS = {
    "write": 1,
    "cas": [None, 1],
    "increment": 1,
    "append": 1,
    "add": 1,
    "enqueue": 1,
    "dequeue": None,
    "acquire": "alice",
    "release": 1,
    "txn": [["append", "k", 1]],
}
KINDS = {"write": "register", "cas": "register", "increment": "register", "append": "list", "txn": "list"} | {
    "add": "set",
    "enqueue": "queue",
    "dequeue": "queue",
    "acquire": "lock",
    "release": "lock",
}


@pytest.mark.parametrize("first", ["write", "append", "add", "enqueue", "acquire"])
@pytest.mark.parametrize("then", OPERATIONS)
def test_an_operation_on_another_kind_of_object_is_refused_and_changes_nothing(first, then, machine):
    machine.do(first, value=OPERATIONS[first])
    before = machine.store.dump()["objects"]
    outcome = machine.do(then, None if then == "txn" else "k", OPERATIONS[then])
    if KINDS[first] != KINDS[then]:
        assert outcome.error == "wrong-type"
        assert machine.store.dump()["objects"] == before
    else:
        assert outcome.error != "wrong-type"


@pytest.mark.parametrize("first", ["write", "append", "add", "enqueue", "acquire"])
@pytest.mark.parametrize("then", ["write", "append", "add", "enqueue", "acquire"])
def test_a_deleted_key_can_become_anything(first, then, machine):
    machine.do(first, value=OPERATIONS[first])
    machine.do("delete")
    assert machine.do(then, value=OPERATIONS[then]).error is None


def test_a_transaction_sees_its_own_writes_and_is_one_entry(machine):
    machine.do("append", "l", 1)
    parts = [["r", "x", None], ["w", "x", 5], ["r", "x", None], ["append", "l", 2], ["r", "l", None], ["r", "y", None]]
    outcome = machine.do("txn", None, parts)
    filled = [["r", "x", None], ["w", "x", 5], ["r", "x", 5], ["append", "l", 2], ["r", "l", [1, 2]], ["r", "y", None]]
    assert outcome == (None, filled, (2, 2))
    assert machine.store.read("x") == (5, (2, 2))
    assert machine.store.read("l") == ([1, 2], (2, 2))


def test_a_transaction_of_which_one_part_is_refused_does_nothing(machine):
    machine.do("add", "s", 1)
    machine.do("append", "l", 1)
    before = machine.store.dump()["objects"]
    parts = [["w", "x", 5], ["append", "l", 2], ["w", "s", 7]]
    assert machine.do("txn", None, parts) == ("wrong-type", None, (2, 3))
    assert machine.store.dump()["objects"] == before


def test_what_was_read_does_not_change_with_what_comes_after(machine):
    machine.do("append", value=1)
    seen = machine.do("txn", None, [["r", "k", None], ["append", "k", 2], ["r", "k", None]]).value
    read = machine.reads()
    machine.do("append", value=3)
    machine.do("txn", None, [["append", "k", 4]])
    assert (seen, read) == ([["r", "k", [1]], ["append", "k", 2], ["r", "k", [1, 2]]], [1, 2])
    assert machine.reads() == [1, 2, 3, 4]


@pytest.mark.parametrize("f", ["append", "add", "enqueue"])
def test_an_object_that_would_not_fit_into_an_answer_is_not_made(f, machine):
    errors, count = [], 0
    while not errors:
        outcome = machine.do(f, value=f"{count:08d}" * 1000)
        count += outcome.error is None
        errors += [outcome.error] if outcome.error else []
    assert errors == ["too-large"]
    assert OBJECT_BYTES_MAX - 8010 < len(json.dumps(machine.reads(), separators=(",", ":"))) <= OBJECT_BYTES_MAX
    machine.store = copy_of(machine.store)
    assert machine.do(f, value="z" * 8000).error == "too-large"
    assert machine.do(f, value="small").error is None


def test_a_queue_that_was_full_takes_again_what_fits(machine):
    while machine.do("enqueue", value="x" * 8000).error is None:
        pass
    machine.do("dequeue")
    assert [machine.do("enqueue", value="x" * 8000).error for _ in range(2)] == [None, "too-large"]


def test_a_transaction_whose_answer_would_not_fit_is_refused_whole(machine):
    while machine.do("append", value="x" * 8000).error is None:
        pass
    assert machine.do("txn", None, [["r", "k", None], ["w", "x", 1]]).error is None
    assert machine.do("txn", None, [["r", "k", None], ["w", "x", 2], ["r", "k", None]]).error == "too-large"
    assert machine.reads("x") == 1


def test_entries_about_the_cluster_pass_the_state_machine_by(machine):
    before = machine.store.dump()["objects"]
    for command in (None, ["add-node", "n4"], ["remove-node", "n4"]):
        assert is_command(command)
        assert machine.apply(command).error is None
    assert machine.store.dump()["objects"] == before
    assert machine.store.applied == (2, 3)


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("f", "key", "value"),
    [
        ("write", "k", [1]),
        ("write", "k", float("inf")),
        ("write", ["k"], 1),
        ("write", True, 1),
        ("write", "k" * 9000, 1),
        ("cas", "k", 1),
        ("cas", "k", [1]),
        ("cas", "k", [1, [2]]),
        ("delete", "k", 1),
        ("dequeue", "k", 1),
        ("increment", "k", "1"),
        ("increment", "k", True),
        ("increment", "k", 1.0),
        ("increment", "k", 1 << 63),
        ("append", "k", [1]),
        ("add", "k", {}),
        ("enqueue", "k", [1]),
        ("acquire", "k", 1),
        ("acquire", "k", None),
        ("release", "k", "1"),
        ("release", "k", -1),
        ("txn", "k", [["r", "x", None]]),
        ("txn", None, []),
        ("txn", None, "r"),
        ("txn", None, [["r", "x"]]),
        ("txn", None, [["r", "x", 1]]),
        ("txn", None, [["cas", "x", 1]]),
        ("txn", None, [["w", "x", [1]]]),
        ("txn", None, [["w", {}, 1]]),
        ("txn", None, [["w", "x", 1]] * 65),
        ("txn", None, [["w", "x", "\N{GRINNING FACE}" * 8000]] * 3),
        ("open", "k", None),
        ("once", None, None),
        ("add-node", "n4", None),
        ("format", "k", None),
    ],
)
def test_a_command_of_a_wrong_shape_is_refused_in_a_sentence(f, key, value):
    with pytest.raises(BadRequest, match=r"^(f|key|value) must be "):
        command_of(f, key, value)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["write"],
        ["write", "k"],
        ["write", "k", 1, 2],
        ["cas", "k", 1],
        [["write"], "k", 1],
        ["format", "k"],
        "write",
        5,
        ["once", 1, 1, None],
        ["once", 1, 1, ["write", "k"]],
        ["once", -1, 1, ["write", "k", 1]],
        ["once", 1, 1, ["add-node", "n4"]],
        ["once", 1, 1, ["once", 1, 1, ["write", "k", 1]]],
        ["add-node", 4],
        ["txn", None, [["w", "x"]]],
    ],
)
def test_an_entry_that_could_upset_the_state_machine_is_no_command(command):
    assert not is_command(command)


def test_what_a_client_may_ask_is_a_command():
    for f, value in OPERATIONS.items():
        command = command_of(f, None if f == "txn" else "k", value)
        assert is_command(command)
        assert is_command(once((1, 2), command))


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_that_comes_again_is_answered_as_the_first_time_and_done_once(machine):
    session = machine.do("open", None).value
    first = machine.do("increment", value=5, session=(session, 1))
    machine.do("write", value=100)
    assert machine.do("increment", value=5, session=(session, 1)) == first == (None, 5, (2, 2))
    assert machine.reads() == 100
    assert machine.do("increment", value=5, session=(session, 2)).value == 105


def test_a_refusal_is_remembered_like_any_answer(machine):
    session = machine.do("open", None).value
    assert machine.do("dequeue", session=(session, 1)).error == "empty"
    machine.do("enqueue", value=1)
    assert machine.do("dequeue", session=(session, 1)).error == "empty"
    assert machine.do("dequeue", session=(session, 2)).value == 1


def test_a_request_that_comes_after_a_later_one_is_not_done(machine):
    session = machine.do("open", None).value
    machine.do("increment", value=1, session=(session, 2))
    assert machine.do("increment", value=10, session=(session, 1)).error == "request-superseded"
    assert machine.reads() == 1


def test_sessions_are_apart(machine):
    one, other = (machine.do("open", None).value for _ in range(2))
    assert [machine.do("increment", value=1, session=(s, 1)).value for s in (one, other, one)] == [1, 2, 1]


def test_of_too_many_sessions_the_longest_silent_is_forgotten_and_does_nothing_any_more(machine):
    sessions = [machine.do("open", None).value for _ in range(SESSIONS_MAX)]
    machine.do("increment", value=1, session=(sessions[0], 1))
    machine.do("open", None)
    assert len(machine.store.sessions) == SESSIONS_MAX
    assert machine.do("increment", value=1, session=(sessions[1], 1)).error == "session-expired"
    assert machine.do("increment", value=1, session=(sessions[0], 1)).value == 1
    assert machine.reads() == 1


def test_an_answer_too_large_to_remember_is_not_done_twice_either(machine):
    session = machine.do("open", None).value
    machine.do("append", value="x" * REMEMBERED_BYTES_MAX)
    parts = [["append", "k", 2], ["r", "k", None]]
    assert machine.do("txn", None, parts, (session, 1)).error is None
    assert machine.do("txn", None, parts, (session, 1)).error == "answer-forgotten"
    assert machine.reads()[1:] == [2]


# ── dump and load ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_loaded_store_goes_on_like_the_one_that_was_dumped(machine):
    session = machine.do("open", None).value
    for f in ("write", "append", "add", "enqueue", "acquire"):
        machine.do(f, f, OPERATIONS[f])
    for key in (None, 1, "1"):
        machine.do("write", key, key)
    machine.do("increment", "n", 4, (session, 1))
    twin = Machine()
    twin.store = copy_of(machine.store)
    assert twin.store.dump() == machine.store.dump()
    assert [twin.reads(key) for key in (None, 1, "1", "add", "acquire")] == [None, 1, "1", [1], ["alice", 6]]
    for one in (machine, twin):
        assert one.do("increment", "n", 4, (session, 1)).value == 4
        assert one.do("dequeue", "enqueue").value == 1
        assert one.do("release", "acquire", 6).error is None
        assert one.do("add", "add", 1).error is None
    assert twin.store.dump() == machine.store.dump()


def test_a_dump_does_not_change_with_what_comes_after(machine):
    for f in ("append", "add", "enqueue"):
        machine.do(f, f, 1)
    dump = machine.store.dump()
    text = json.dumps(dump)
    for f in ("append", "add", "enqueue"):
        machine.do(f, f, 2)
    assert json.dumps(dump) == text


def test_a_loaded_store_forgets_sessions_in_the_same_order(machine):
    sessions = [machine.do("open", None).value for _ in range(SESSIONS_MAX)]
    machine.do("write", value=1, session=(sessions[0], 1))
    twin = Machine()
    twin.store = copy_of(machine.store)
    for one in (machine, twin):
        one.do("open", None)
        assert one.do("write", value=1, session=(sessions[1], 1)).error == "session-expired"
    assert twin.store.dump() == machine.store.dump()
