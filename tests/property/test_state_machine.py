"""Random commands on the state machine, against plain Python objects that know nothing of it.

Few keys and few values, so that every operation meets every kind of object; some entries come again, as a client's
repetition does; and somewhere on the way the state goes through a dump and JSON into a new store.
"""

import json
from collections import Counter
from copy import deepcopy
from random import Random

from torture import some_and_many

from system_under_test.leader_follower.commands import command_of, is_command, once
from system_under_test.leader_follower.messages import Entry
from system_under_test.leader_follower.store import Store

SEEDS = some_and_many(300, least=300)
LENGTH = 120
KEYS = ("a", "b", 1, None)
VALUES = (0, 1, 2, "1", True, None, 1.0)
CREATES = {"append": "list", "add": "set", "enqueue": "queue", "acquire": "lock"}
CREATES |= dict.fromkeys(("write", "cas", "increment"), "scalar") | {"dequeue": "queue", "release": "lock"}


class No(Exception):
    """The model's refusal."""


class Model:
    """What the operations mean, said once more and as simply as can be: (kind, content) by key."""

    def __init__(self):
        self.objects = {}
        self.answers = {}

    def read(self, key):
        kind, content = self.objects.get(key, ("scalar", None))
        return list(content) if kind in ("list", "queue") else content if kind != "set" else in_order(content)

    def apply(self, index, session, f, key, value):
        if session is not None and session in self.answers:
            return self.answers[session]
        before = deepcopy(self.objects)
        try:
            answer = (None, self.transact(value) if f == "txn" else self.do(index, f, key, value))
        except No as no:
            self.objects, answer = before, no.args
        if session is not None:
            self.answers[session] = answer
        return answer

    def transact(self, parts):
        return [[f, key, self.read(key) if f == "r" else self.part(f, key, value)] for f, key, value in parts]

    def part(self, f, key, value):
        self.do(0, {"w": "write", "append": "append"}[f], key, value)
        return value

    def do(self, index, f, key, value):
        if f == "delete":
            self.objects.pop(key, None)
            return None
        kind, content = self.objects.get(key, ("scalar", None))
        if (kind, content) == ("scalar", None):
            kind, content = CREATES[f], {"list": [], "queue": [], "set": []}.get(CREATES[f])
        if kind != CREATES[f]:
            raise No("wrong-type", None)
        content, answer = getattr(self, f)(content, value, index)
        self.objects[key] = (kind, content)
        return answer

    def write(self, content, value, index):
        return value, value

    def cas(self, content, value, index):
        if json.dumps(content) != json.dumps(value[0]):
            raise No("mismatch", content)
        return value[1], value[1]

    def increment(self, content, value, index):
        if content is not None and type(content) is not int:
            raise No("wrong-type", None)
        return (content or 0) + value, (content or 0) + value

    def append(self, content, value, index):
        return [*content, value], None

    enqueue = append

    def add(self, content, value, index):
        return [*content, value] if json.dumps(value) not in map(json.dumps, content) else content, None

    def dequeue(self, content, value, index):
        if not content:
            raise No("empty", None)
        return content[1:], content[0]

    def acquire(self, content, value, index):
        if content is not None:
            raise No("held", None)
        return [value, index], index

    def release(self, content, value, index):
        if content is None or content[1] != value:
            raise No("not-holder", None)
        return None, None


def in_order(elements):
    """Sorted among their own kind, the kinds by name."""
    return sorted(elements, key=lambda element: (type(element).__name__, 0 if element is None else element))


def a_command(random, index, model):
    """f, key and value of some operation."""
    held = [(key, content[1]) for key, (kind, content) in model.objects.items() if kind == "lock" and content]
    if held and random.random() < 0.05:
        return "release", *random.choice(held)
    f = random.choice([*CREATES, "dequeue", "release", "delete", "txn", "txn"])
    if f == "txn":
        parts = [random.choice(["r", "w", "append", "append"]) for _ in range(random.randrange(1, 5))]
        return f, None, [[p, random.choice(KEYS), None if p == "r" else random.choice(VALUES)] for p in parts]
    value = random.choice(VALUES)
    own = {"cas": [value, random.choice(VALUES)], "increment": random.randrange(-3, 4), "acquire": random.choice("xy")}
    own |= {"release": max(0, index - random.randrange(1, 12)), "delete": None, "dequeue": None}
    return f, random.choice(KEYS), own.get(f, value)


def run(seed):
    """How often each answer came, in a run in which store and model agreed throughout."""
    random = Random(seed)
    store, model, errors, asked = Store(), Model(), [], []
    session = store.apply(Entry(1, 1, ["open", None])).value
    change = random.randrange(2, LENGTH)
    for index in range(2, LENGTH):
        if index == change:
            dump = store.dump()
            store = Store()
            store.load(json.loads(json.dumps(dump)))
            assert store.dump() == dump
        if asked and random.random() < 0.1:
            number, (f, key, value) = asked[-1]
        else:
            number, (f, key, value) = (
                (len(asked) + 1) if random.random() < 0.5 else None,
                a_command(random, index, model),
            )
            asked += [(number, (f, key, value))] if number else []
        command = once((session, number) if number else None, command_of(f, key, value))
        assert is_command(json.loads(json.dumps(command)))
        outcome = store.apply(Entry(1, index, command))
        wanted = model.apply(index, number, f, key, value)
        assert json.dumps([outcome.error, outcome.value]) == json.dumps(wanted), (seed, index, command)
        assert outcome.version <= (1, index)
        errors.append(f"{f} {outcome.error}")
        for key in KEYS:
            assert json.dumps(store.read(key)[0]) == json.dumps(model.read(key)), (seed, index, command)
    return errors


@SEEDS
def test_the_state_machine_does_what_plain_objects_do(seeds):
    seen = Counter(error for seed in seeds for error in run(seed))
    for f in CREATES:
        assert seen[f"{f} None"] > 50, f
        assert seen[f"{f} wrong-type"] > 50, f
    for error in ("cas mismatch", "dequeue empty", "acquire held", "release not-holder", "txn None", "txn wrong-type"):
        assert seen[error] > 50, error
