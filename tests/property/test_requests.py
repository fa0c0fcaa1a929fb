"""Whatever comes in as JSON is a request, a message, or refused in a sentence; and what is let in upsets nothing.

Frames are made by bending good ones: a part replaced, left out, doubled or nested. What the checks let through goes
into a state machine, which must be able to apply it.
"""

import json
from copy import deepcopy
from random import Random

from torture import some_and_many

from system_under_test.leader_follower.commands import ARGUMENTS, CHANGES, BadRequest
from system_under_test.leader_follower.messages import AppendRequest, Entry, Forward, Request
from system_under_test.leader_follower.requests import parse_request
from system_under_test.leader_follower.store import Store
from system_under_test.leader_follower.wire import BadFrame, decode_message
from system_under_test.leader_follower.writes import command_in

SEEDS = some_and_many(20_000, least=2_000)
SCALARS = (None, True, 0, 1, -1, 1 << 63, 1.5, 1e999, "", "x", "write", "once", "x" * 9000)
COMMANDS = (
    ["write", "x", 5],
    ["cas", "x", 5, 6],
    ["delete", "x"],
    ["increment", "n", 1],
    ["append", "l", 1],
    ["add", "s", 1],
    ["enqueue", "q", 1],
    ["dequeue", "q"],
    ["acquire", "k", "alice"],
    ["release", "k", 5],
    ["txn", None, [["r", "x", None], ["w", "x", 5], ["append", "l", 6]]],
    ["open", None],
    ["once", 1, 1, ["increment", "n", 1]],
    ["add-node", "n4"],
)
REQUESTS = (
    *(
        {"id": 1, "f": f, "key": key, "value": value if f == "cas" else value[0] if value else None}
        for f, key, *value in COMMANDS
        if f not in ("once", *CHANGES)
    ),
    {"id": 1, "f": "read", "key": "x", "mode": "session", "token": [1, 1]},
    {"id": 1, "f": "increment", "key": "n", "value": 1, "session": [1, 1]},
    {"id": 1, "f": "status"},
)
MESSAGES = (
    *(["n1", "append?", 1, 0, 0, [[1, 1, command]], 0, 0, 0] for command in COMMANDS),
    *(["n1", "forward?", 1, 77, command] for command in COMMANDS),
    ["n1", "forward!", 77, {"status": "ok"}],
    ["n1", "vote?", 1, 0, 0, True, 0],
    ["n1", "vote!", 1, True, False],
    ["n1", "append!", 1, True, 5, 1],
)


def bent(random, value):
    """A copy in which one part, at any depth, is not what it was."""
    value = deepcopy(value)
    inside = value
    while True:
        if not isinstance(inside, (list, dict)) or not inside:
            return random.choice(SCALARS)
        place = random.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        if isinstance(inside[place], (list, dict)) and inside[place] and random.random() < 0.7:
            inside = inside[place]
            continue
        how = random.random()
        if how < 0.6:
            inside[place] = random.choice([*SCALARS, [], {}, [inside[place]], {"x": inside[place]}])
        elif how < 0.8:
            del inside[place]
        elif isinstance(inside, list):
            inside.insert(place, deepcopy(inside[place]))
        return value


def as_read(value):
    """What comes out of a frame: through JSON, in which 1e999 is infinity."""
    return json.loads(json.dumps(value).replace("Infinity", "1e999"))


def store_with_some_of_each():
    store = Store()
    for command in (["open", None], *COMMANDS[:9]):
        store.apply(Entry(1, store.applied[1] + 1, command))
    return store


def apply(store, command):
    outcome = store.apply(Entry(1, store.applied[1] + 1, command))
    assert outcome.error is None or isinstance(outcome.error, str)
    json.dumps(outcome.value, allow_nan=False)


@SEEDS
def test_a_bent_request_is_refused_or_can_be_carried_out(seeds):
    refused = done = 0
    store = store_with_some_of_each()
    for seed in seeds:
        random = Random(seed)
        frame = as_read(bent(random, random.choice(REQUESTS)))
        if not isinstance(frame, dict):
            continue
        try:
            request = parse_request(1, frame)
        except BadRequest as error:
            assert 0 < len(str(error)) < 400
            refused += 1
            continue
        assert isinstance(request, Request)
        if request.f in ARGUMENTS:
            done += 1
            apply(store, command_in(request))
    seeds.told(refused)
    assert min(refused, done) > len(seeds) // 10
    json.dumps(store.dump(), allow_nan=False)


@SEEDS
def test_a_bent_message_is_refused_or_can_be_carried_out(seeds):
    refused = done = 0
    store = store_with_some_of_each()
    for seed in seeds:
        random = Random(seed)
        value = as_read(bent(random, random.choice(MESSAGES)))
        if not isinstance(value, list):
            continue
        try:
            _, message = decode_message(value)
        except BadFrame as error:
            assert 0 < len(str(error)) < 400
            refused += 1
            continue
        commands = [message.command] if isinstance(message, Forward) else []
        if isinstance(message, AppendRequest):
            commands = [entry.command for entry in message.entries]
        for command in commands:
            done += 1
            apply(store, command)
    seeds.told(refused)
    assert min(refused, done) > len(seeds) // 20
    json.dumps(store.dump(), allow_nan=False)
