"""What the workloads on objects ask for, answered by an object in memory with no cluster, and how that is judged."""

from collections import Counter

import msgspec
import pytest

from checkers.protocol import Budget
from checkers.verify import verify
from harness.cli.suites import suite_of
from harness.generator import BUSY, clients, limit
from harness.generator.context import ThreadContext
from harness.generator.simulate import simulate
from harness.history import History
from harness.op import Op
from harness.plan import Plan
from harness.streams import Streams
from workloads.append import WORKLOAD as APPEND
from workloads.counter import WORKLOAD as COUNTER
from workloads.lock import WORKLOAD as LOCK
from workloads.queue import PATIENCE, Drain
from workloads.queue import WORKLOAD as QUEUE
from workloads.set import WORKLOAD as SET
from workloads.txn import WORKLOAD as TXN

WORKLOADS = pytest.mark.parametrize("workload", [COUNTER, QUEUE, LOCK, APPEND, SET, TXN], ids=lambda load: load.name)


def settings(workload, **changed):
    return {option.name: option.default for option in workload.options} | changed


class Memory:
    """Answers as a store does that never fails; `doubt` of the operations end in doubt, some of those happen."""

    def __init__(self, doubt=0):
        self.held, self.tokens, self.number, self.doubt = {}, 0, 0, doubt

    def __call__(self, op):
        self.number += 1
        if self.doubt and self.number % self.doubt == 0:
            if self.number % 2:
                self.answer(op)
            return op.info("timeout")
        return self.answer(op)

    def complete(self, op):
        """The answer, and how long it takes."""
        return self(op), 10 + self.number % 7

    def answer(self, op):
        held = self.held.get(op.key)
        if op.f == "increment":
            self.held[op.key] = (held or 0) + op.value
            return op.ok(self.held[op.key])
        if op.f in ("enqueue", "append", "add"):
            self.held[op.key] = [*(held or ()), op.value]
            return op.ok()
        if op.f == "dequeue":
            if not held:
                return op.fail("empty")
            self.held[op.key] = held[1:]
            return op.ok(held[0])
        if op.f == "txn":
            return op.ok([self.step(*step) for step in op.value])
        return getattr(self, op.f)(op, held)

    def acquire(self, op, held):
        if held:
            return op.fail("held")
        self.tokens += 1
        self.held[op.key] = self.tokens
        return op.ok(self.tokens)

    def release(self, op, held):
        if held != op.value:
            return op.fail("not-holder")
        self.held[op.key] = None
        return op.ok()

    def read(self, op, held):
        return op.ok(held)

    def step(self, f, key, value):
        if f == "r":
            return [f, key, self.held.get(key)]
        self.held[key] = value if f == "w" else [*(self.held.get(key) or ()), value]
        return [f, key, value]


def ran(workload, plan, memory, count=800):
    """Some operations of five workers on the memory, then the final reads, as one history."""
    main = simulate(clients(limit(count, workload.generator(plan))), memory.complete, 5, plan.seed)
    rest = simulate(clients(workload.final_reads(plan, main)), memory.complete, 5, plan.seed)
    return main + [moved(op, len(main)) for op in rest]


def moved(op, by):
    """The same, later and of another process."""
    return msgspec.structs.replace(op, index=op.index + by, process=op.process + 10_000)


def judged(workload, plan, events):
    history = History(workload.header(plan), events)
    checker = workload.checkers(plan)[0]
    return checker.check(history, Budget(10))


@WORKLOADS
@pytest.mark.parametrize("doubt", [0, 23], ids=["sure", "doubtful"])
def test_a_store_that_works_is_judged_valid_and_everything_is_asked_of_it(workload, doubt):
    plan = Plan(workload=workload.name, options=settings(workload), seed=doubt)
    events = ran(workload, plan, Memory(doubt))
    assert {op.f for op in events} == workload.operations
    verdict = judged(workload, plan, events)
    assert verdict.answer == "valid", verdict
    assert verify(History(workload.header(plan), events), verdict) == []


class Forgetful(Memory):
    """Acknowledges now and then what it does not do."""

    def answer(self, op):
        before = dict(self.held)
        answered = super().answer(op)
        if self.number % 50 == 0:
            self.held = before
        return answered


@WORKLOADS
def test_a_store_that_forgets_is_found(workload):
    plan = Plan(workload=workload.name, options=settings(workload), seed=1)
    verdict = judged(workload, plan, ran(workload, plan, Forgetful()))
    assert verdict.answer == "invalid"
    lengths = [len(anomaly.ops) for anomaly in verdict.anomalies]
    # Of transactions the weakest kind of cycle is shown first, even where another is shorter.
    assert (min if workload.name == "txn" else max)(lengths) <= 4


@WORKLOADS
def test_nothing_is_asked_of_nobody(workload):
    ctx = ThreadContext.start(1, Streams(1).stream("generator"), nemesis=False).busy(0, time_ns=0)
    generator = workload.generator(Plan(options=settings(workload)))
    assert generator.op(ctx) == (BUSY, generator)


@WORKLOADS
def test_the_header_names_a_model_that_the_command_can_check(workload):
    plan = Plan(options=settings(workload))
    header = workload.header(plan)
    checker = workload.checkers(plan)[0]
    assert checker.name in [one.name for one in suite_of(header)]
    assert (header.workload, header.plan) == (workload.name, plan.digest())


def test_elements_are_new_each_time():
    for workload, f in ((QUEUE, "enqueue"), (APPEND, "append"), (SET, "add")):
        plan = Plan(options=settings(workload))
        elements = [op.value for op in ran(workload, plan, Memory()) if op.f == f and op.type == "invoke"]
        assert len(set(elements)) == len(elements) > 100


def test_intruders_release_with_a_token_of_the_past_only():
    plan = Plan(options=settings(LOCK, intruders=0.5))
    events = ran(LOCK, plan, Memory())
    refused = [op for op in events if op.error == "not-holder"]
    assert len(refused) > 20


def test_no_intruders_no_refused_release():
    plan = Plan(options=settings(LOCK, intruders=0.0))
    assert not [op for op in ran(LOCK, plan, Memory()) if op.error == "not-holder"]


def test_a_lock_whose_holder_is_in_doubt_is_replaced():
    generator = LOCK.generator(Plan(options=settings(LOCK)))
    doubtful = Op(process=0, f="acquire", key="k0", value="0", type="info")
    ctx = ThreadContext.start(1, Streams(1).stream("generator"), nemesis=False)
    holds = generator.update(ctx, Op(process=0, f="acquire", key="k2", value=7, type="ok"))
    assert [lock.key for lock in holds.update(ctx, doubtful).locks] == ["k3", "k1", "k4"]


def test_a_queue_is_drained_until_it_says_that_it_is_empty():
    ctx = ThreadContext.start(1, Streams(1).stream("generator"), nemesis=False)
    drain = Drain(("k1", "k2"))
    dequeue = Op(process=0, f="dequeue", key="k1")
    drain = drain.update(ctx, dequeue).update(ctx, dequeue.ok(7)).update(ctx, dequeue.fail("no-leader"))
    assert drain.op(ctx)[0].key == "k1"
    drain = drain.update(ctx, dequeue.fail("empty"))
    assert drain.op(ctx)[0].key == "k2"
    for _ in range(PATIENCE):
        assert drain.op(ctx) is not None
        drain = drain.update(ctx, Op(process=0, f="dequeue", key="k2").info("timeout"))
    assert drain.op(ctx) is None


def test_transactions_may_write_to_registers_of_their_own():
    plan = Plan(workload="txn", options=settings(TXN, writes=0.5))
    events = ran(TXN, plan, Memory())
    written = {step[1] for op in events for step in op.value if step[0] == "w"}
    appended = {step[1] for op in events for step in op.value if step[0] == "append"}
    assert written and appended and not written & appended


def test_transactions_have_as_many_steps_as_allowed():
    plan = Plan(options=settings(TXN, steps=3))
    lengths = Counter(len(op.value) for op in ran(TXN, plan, Memory()))
    assert set(lengths) == {1, 2, 3}


def test_updates_of_registers_read_before_they_write():
    plan = Plan(workload="txn", options=settings(TXN, writes=1.0, updates=1.0))
    events = ran(TXN, plan, Memory())
    writes = [(op.value, i) for op in events for i, step in enumerate(op.value) if op.type == "ok" and step[0] == "w"]
    assert len(writes) > 50
    assert all(i and steps[i - 1][:2] == ["r", steps[i][1]] for steps, i in writes)
    assert judged(TXN, plan, events).answer == "valid"
