"""What the workloads ask for, seen by running their generators with no cluster."""

from collections import Counter

import pytest

from harness.generator import BUSY, clients
from harness.generator.context import ThreadContext
from harness.generator.simulate import imperfect, quick, simulate
from harness.op import NEMESIS, Op
from harness.plan import Plan
from harness.streams import Streams
from workloads import keys, register, session
from workloads.register import WORKLOAD as REGISTER
from workloads.session import WORKLOAD as SESSION


def settings(workload, **changed):
    return {option.name: option.default for option in workload.options} | changed


def asked(workload, count, plan):
    """The first `count` operations, each answered at once."""
    ctx = ThreadContext.start(4, Streams(plan.seed).stream("generator"))
    generator, ops = workload.generator(plan), []
    for time in range(count):
        op, generator = generator.op(ctx.at(time))
        ops.append(op)
        generator = generator.update(ctx, op.ok(value=op.value if op.value is not None else 0))
    return ops


@pytest.mark.parametrize("workload", [REGISTER, SESSION])
def test_written_values_are_new_each_time(workload):
    plan = Plan(options=settings(workload))
    written = [
        op.value if op.f == "write" else op.value[1] for op in asked(workload, 500, plan) if op.f in ("write", "cas")
    ]
    assert len(written) > 100
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("workload", [REGISTER, SESSION])
def test_only_announced_operations_are_asked_for(workload):
    fs = Counter(op.f for op in asked(workload, 500, Plan(options=settings(workload))))
    assert set(fs) == workload.operations


@pytest.mark.parametrize("workload", [REGISTER, SESSION])
def test_nothing_is_asked_of_nobody(workload):
    ctx = ThreadContext.start(1, Streams(1).stream("generator"), nemesis=False).busy(0, time_ns=0)
    generator = workload.generator(Plan(options=settings(workload)))
    assert generator.op(ctx) == (BUSY, generator)


def test_small_values_are_drawn_from_the_given_range():
    plan = Plan(options=settings(REGISTER, values=3))
    assert {op.value for op in asked(REGISTER, 300, plan) if op.f == "write"} == {0, 1, 2}


def test_compare_and_set_can_be_left_out():
    plan = Plan(options=settings(REGISTER, cas=False))
    assert {op.f for op in asked(REGISTER, 300, plan)} == {"read", "write"}


def test_a_compare_and_set_expects_what_was_seen_last():
    ops = asked(REGISTER, 300, Plan(options=settings(REGISTER, keys=1)))
    seen = None
    for op in ops:
        if op.f == "cas":
            assert op.value[0] == seen
        seen = {"read": 0, "write": op.value, "cas": op.value[1] if op.f == "cas" else None}[op.f]


def test_keys_retire_after_their_share():
    plan = Plan(options=settings(REGISTER, **{"keys": 2, "ops-per-key": 50}))
    per_key = Counter(op.key for op in asked(REGISTER, 1000, plan))
    assert max(per_key.values()) <= 50
    assert len(per_key) >= 20


def test_sessions_hop_between_all_nodes():
    plan = Plan(nodes=3, options=settings(SESSION))
    assert {op.node for op in asked(SESSION, 200, plan) if op.f == "read"} == {"n1", "n2", "n3"}


def test_final_reads_cover_every_written_key_in_order():
    events = [
        Op(process=0, f="write", key="k10", value=1),
        Op(process=0, f="cas", key="k9", value=[None, 1]),
        Op(process=0, f="read", key="k3"),
        Op(process=NEMESIS, f="start-kill"),
    ]
    asked = [op for op in quick(clients(keys.final_reads(events)), concurrency=1) if op.type == "invoke"]
    assert [(op.f, op.key) for op in asked] == [("read", "k9"), ("read", "k10")]


def test_a_final_read_that_fails_is_tried_again_but_not_for_ever():
    events = [Op(process=0, f="write", key="k1", value=1)]
    ends = [op.type for op in imperfect(clients(keys.final_reads(events)), concurrency=1) if op.type != "invoke"]
    assert ends == ["fail", "info", "ok"]
    refused = simulate(clients(keys.final_reads(events)), lambda op: (op.fail("no leader"), 1_000_000), concurrency=1)
    assert [op.type for op in refused].count("fail") == keys.FINAL_TRIES
    assert refused[-1].time > (keys.FINAL_TRIES - 2) * keys.FINAL_RETRY_S * 1e9


@pytest.mark.parametrize("module", [register, session])
def test_the_header_says_how_to_judge(module):
    plan = Plan(options=settings(module.WORKLOAD))
    header = module.WORKLOAD.header(plan)
    assert header.model in ("register", "cas-register")
    assert header.plan == plan.digest()
