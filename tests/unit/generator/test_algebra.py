"""What each combinator promises, run without a cluster."""

from collections import Counter

import pytest

from harness.errors import SplitbrainError
from harness.generator import (
    BUSY,
    PENDING,
    any_,
    clients,
    concat,
    concurrency_limit,
    concurrent_keys,
    cycle,
    each_process,
    each_thread,
    f_map,
    filter_,
    flip_flop,
    ignore_updates,
    lift,
    limit,
    map_,
    mix,
    nemesis,
    on_threads,
    on_update,
    once,
    phases,
    process_limit,
    repeat,
    reserve,
    sequential_keys,
    synchronize,
    then,
    trace,
    until_ok,
    validate,
)
from harness.generator.context import ThreadContext
from harness.generator.simulate import imperfect, perfect, perfect_info, quick, simulate
from harness.op import NEMESIS, Op
from harness.streams import Streams

A, B, C = Op(f="a"), Op(f="b"), Op(f="c")


def begun(history):
    return [op for op in history if op.type == "invoke"]


def names(history):
    return [op.f for op in begun(history)]


def under_way_at_most(history):
    now = most = 0
    for op in history:
        now += 1 if op.type == "invoke" else -1
        most = max(most, now)
    return most


def context(concurrency=2, seed=0):
    return ThreadContext.start(concurrency, Streams(seed).stream("generator"))


# ── plain data ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_nothing():
    assert quick(None) == []
    assert quick([]) == []
    assert quick([None, [], None]) == []


def test_an_op_is_emitted_once_with_process_and_time_filled_in():
    (invoke, ok) = quick(A, concurrency=1)
    assert (invoke.process, invoke.time, invoke.index) == (0, 0, 0)
    assert (ok.process, ok.type, ok.index) == (0, "ok", 1)


def test_an_op_that_names_its_process_goes_to_it():
    assert begun(quick(Op(f="a", process=1), concurrency=3))[0].process == 1
    assert begun(quick(Op(f="a", process=NEMESIS), concurrency=3))[0].process == NEMESIS


def test_an_op_for_a_retired_process_never_happens():
    history = perfect_info([Op(f="a", process=0), synchronize(Op(f="b", process=0)), C], concurrency=1)
    assert names(history) == ["a", "c"]


def test_a_function_is_called_until_it_returns_none():
    calls = []

    def three(ctx):
        calls.append(ctx.time_ns)
        return [A, B] if len(calls) <= 3 else None

    assert names(quick(three, concurrency=1)) == ["a", "b"] * 3


def test_a_function_that_returns_what_is_empty_does_not_spin():
    assert quick(lambda ctx: []) == []


def test_what_is_no_generator_is_named():
    with pytest.raises(SplitbrainError, match="but 17 was found"):
        quick([A, 17])


def test_generators_are_values_that_give_the_same_again():
    generator = mix(limit(20, repeat(A)), limit(20, cycle([B, C])))
    assert perfect(generator, seed=5) == perfect(generator, seed=5)
    assert names(perfect(generator, seed=5)) != names(perfect(generator, seed=6))


# ── sequence ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_concat_does_not_wait_for_what_is_under_way():
    history = perfect(concat(limit(2, repeat(A)), limit(2, repeat(B))), concurrency=3)
    assert [op.f for op in history if op.type == "invoke" and op.time == 0] == ["a", "a", "b", "b"]


def test_phases_wait_for_everybody():
    history = perfect(phases(limit(4, repeat(A)), limit(4, repeat(B))), concurrency=3)
    kinds = [(op.type, op.f) for op in history]
    assert kinds.index(("invoke", "b")) > max(i for i, kind in enumerate(kinds) if kind[1] == "a")


def test_then_waits_and_keeps_its_reading_order():
    history = perfect(then(limit(3, repeat(A)), once(B)), concurrency=3)
    assert [(op.type, op.f) for op in history][-2:] == [("invoke", "b"), ("ok", "b")]
    assert names(history) == ["a", "a", "a", "b"]


def test_phases_of_none_are_skipped():
    assert names(perfect(phases(None, A, None, B))) == ["a", "b"]
    assert quick(phases()) == []


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_limit_counts_operations_not_questions():
    assert len(begun(perfect(limit(7, repeat(A)), concurrency=2))) == 7
    assert quick(limit(0, repeat(A))) == []


def test_once_is_one():
    assert names(quick(once(repeat(A)))) == ["a"]


def test_repeat_emits_the_first_again_and_cycle_the_whole():
    assert names(quick(repeat([A, B], 3), concurrency=1)) == ["a", "a", "a"]
    assert names(quick(cycle([A, B], 3), concurrency=1)) == ["a", "b"] * 3


def test_cycle_of_nothing_ends():
    assert quick(cycle([])) == []


def test_until_ok_ends_with_its_own_first_success():
    answers = iter(["fail", "fail", "ok", "ok", "ok"])

    def complete(op):
        return (op.ok() if next(answers) == "ok" else op.fail("no")), 10

    history = simulate(clients(until_ok(repeat(A))), complete, concurrency=1)
    assert [op.type for op in history if op.type != "invoke"] == ["fail", "fail", "ok"]


def test_until_ok_does_not_count_the_success_of_others():
    others = on_threads(frozenset({1}), limit(5, repeat(B)))
    mine = on_threads(frozenset({0}), until_ok(limit(4, repeat(A))))
    history = simulate(any_(mine, others), lambda op: (op.ok() if op.f == "b" else op.fail("no"), 10), concurrency=2)
    assert Counter(names(history)) == {"a": 4, "b": 5}


def test_process_limit_ends_when_more_processes_took_part():
    history = perfect_info(clients(process_limit(5, repeat(A))), concurrency=2)
    assert {op.process for op in begun(history)} <= {0, 1, 2, 3, 4}
    assert 3 <= len(begun(history)) <= 5


def test_concurrency_limit_holds_and_does_not_starve():
    history = perfect(clients(limit(50, concurrency_limit(3, repeat(A)))), concurrency=10)
    assert len(begun(history)) == 50
    assert under_way_at_most(history) == 3


def test_concurrency_limit_makes_room_for_doubt_too():
    assert len(begun(imperfect(clients(limit(30, concurrency_limit(2, repeat(A)))), concurrency=4))) == 30


# ── choice ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_any_takes_all_of_all():
    assert Counter(names(quick(any_(limit(3, repeat(A)), limit(4, repeat(B)))))) == {"a": 3, "b": 4}


def test_any_is_fair_at_the_same_moment():
    counts = Counter(names(quick(limit(3000, any_(repeat(A), repeat(B), repeat(C))))))
    assert all(850 < counts[f] < 1150 for f in "abc"), counts


def test_any_prefers_what_can_go_now():
    later = Op(f="later", time=50)
    assert names(quick(any_(later, A, B), concurrency=1))[-1] == "later"


def test_mix_draws_evenly_and_ends_with_the_last():
    counts = Counter(names(quick(mix(limit(1000, repeat(A)), limit(1000, repeat(B))))))
    assert counts == {"a": 1000, "b": 1000}
    assert 430 < Counter(names(quick(limit(1000, mix(repeat(A), repeat(B))))))["a"] < 570


def test_flip_flop_alternates_and_ends_with_either():
    assert names(quick(flip_flop(repeat(A), limit(2, repeat(B))), concurrency=1)) == ["a", "b", "a", "b", "a"]


# ── threads ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_clients_and_nemesis_keep_to_themselves():
    history = perfect(any_(clients(limit(9, repeat(A))), nemesis(limit(2, repeat(B)))), concurrency=3)
    assert {op.process for op in begun(history) if op.f == "a"} == {0, 1, 2}
    assert {op.process for op in begun(history) if op.f == "b"} == {NEMESIS}


def test_on_threads_hears_only_of_its_own():
    heard = []

    def react(generator, ctx, event):
        heard.append((event.process, ctx.threads))
        return generator

    mine = on_threads(frozenset({0}), on_update(react, limit(2, repeat(A))))
    perfect(any_(mine, on_threads(frozenset({1}), limit(2, repeat(B)))), concurrency=2)
    assert set(heard) == {(0, (0,))}
    assert len(heard) >= 3  # once exhausted, it hears no more


def test_each_thread_gives_everyone_a_copy():
    history = perfect(clients(each_thread([A, B])), concurrency=3)
    by_process = {p: [op.f for op in begun(history) if op.process == p] for p in range(3)}
    assert by_process == {p: ["a", "b"] for p in range(3)}


def test_each_thread_goes_on_after_its_process_is_retired():
    history = perfect_info(clients(each_thread([A, B])), concurrency=2)
    assert Counter(op.f for op in begun(history)) == {"a": 2, "b": 2}
    assert {op.process for op in begun(history) if op.f == "b"} == {2, 3}


def test_each_process_begins_anew_with_the_process():
    def complete(op):
        return (op.info("doubt") if op.process in (0, 1) and op.f == "b" else op.ok()), 10

    history = simulate(clients(each_process([A, B, C])), complete, concurrency=2)
    by_process = {p: [op.f for op in begun(history) if op.process == p] for p in range(4)}
    assert by_process == {0: ["a", "b"], 1: ["a", "b"], 2: ["a", "b", "c"], 3: ["a", "b", "c"]}


def test_reserve_deals_out_the_workers():
    history = perfect(limit(300, reserve(2, repeat(A), 3, repeat(B), clients(repeat(C)))), concurrency=8)
    assert {op.process for op in begun(history) if op.f == "a"} == {0, 1}
    assert {op.process for op in begun(history) if op.f == "b"} == {2, 3, 4}
    assert {op.process for op in begun(history) if op.f == "c"} == {5, 6, 7}


def test_reserve_without_the_others_is_refused():
    with pytest.raises(SplitbrainError, match="one generator for the others"):
        reserve(2, A)


# ── transformation ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_map_filter_and_f_map():
    history = quick(map_(lambda op: Op(f=op.f.upper(), process=op.process, time=op.time), [A, B]), concurrency=1)
    assert names(history) == ["A", "B"]
    assert names(quick(filter_(lambda op: op.f != "b", [A, B, C, B]), concurrency=1)) == ["a", "c"]
    assert names(quick(f_map({"a": "start"}, [A, B]), concurrency=1)) == ["start", "b"]


def test_f_map_speaks_the_generators_own_names_on_the_way_back():
    heard = []

    def react(generator, ctx, event):
        heard.append(event.f)
        return generator

    quick(clients(f_map({"a": "start"}, on_update(react, [A, B]))), concurrency=1)
    assert heard == ["a", "a", "b", "b"]


def test_on_update_may_replace_the_generator():
    def stop_after_ok(generator, ctx, event):
        return None if event.type == "ok" else generator

    assert names(perfect(clients(on_update(stop_after_ok, repeat(A))), concurrency=1)) == ["a"]


def test_ignore_updates_hears_nothing():
    generator = ignore_updates(on_update(lambda generator, ctx, event: None, limit(3, repeat(A))))
    assert names(perfect(generator, concurrency=1)) == ["a"] * 3


def test_trace_tells_questions_and_events():
    lines = []
    quick(trace("mine", lines.append, once(A)), concurrency=1)
    assert lines[0].startswith("mine at 0 ns, free (0, 'nemesis')")
    assert sum("hears" in line for line in lines) == 2
    assert lines[-1].endswith("exhausted")


@pytest.mark.parametrize(
    ("op", "problem"),
    [
        (Op(f="a", process=9, time=0), "that thread runs the process 1 now"),
        (Op(f="a", process=0, time=-5), "nothing can begin in the past"),
        (Op(f="a", time=0), "it has no process"),
        (Op(f="a", process=0, time=0, type="ok"), "only invocations"),
    ],
)
def test_validate_says_what_is_wrong(op, problem):
    class Wrong:
        def op(self, ctx):
            return op, None

        def update(self, ctx, event):
            return self

    with pytest.raises(SplitbrainError, match=problem):
        quick(validate(Wrong()), concurrency=2)


def test_validate_lets_everything_right_pass():
    work = any_(clients(each_thread([A, B])), nemesis(once(C)))
    assert Counter(names(imperfect(validate(work), concurrency=3))) == {"a": 3, "b": 3, "c": 1}


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sequential_keys_take_one_after_another():
    history = perfect(clients(sequential_keys(range(3), lambda key: limit(4, repeat(Op(f="w", value=key))))))
    assert [op.key for op in begun(history)] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(op.key == op.value for op in history)


def test_concurrent_keys_keep_groups_apart_and_use_every_key():
    history = perfect(clients(concurrent_keys(2, range(5), lambda key: limit(6, repeat(A)))), concurrency=4)
    assert Counter(op.key for op in begun(history)) == dict.fromkeys(range(5), 6)
    for key in range(5):
        groups = {op.process // 2 for op in begun(history) if op.key == key}
        assert len(groups) == 1, f"key {key} was worked on by the groups {groups}"


def test_concurrent_keys_finish_a_key_before_the_next_begins_in_its_group():
    history = imperfect(clients(concurrent_keys(2, range(4), lambda key: limit(5, repeat(A)))), concurrency=2)
    open_keys = set()
    for op in history:
        open_keys = (
            open_keys | {(op.process % 2, op.key)} if op.type == "invoke" else open_keys - {(op.process % 2, op.key)}
        )
        assert len({key for _, key in open_keys}) <= 1


def test_concurrent_keys_want_enough_workers():
    with pytest.raises(SplitbrainError, match="Each key wants 5 workers, but there are 3"):
        quick(clients(concurrent_keys(5, range(4), lambda key: A)), concurrency=3)


# ── context ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_free_threads_rotate_so_that_nobody_is_favoured():
    history = perfect(clients(limit(300, repeat(A))), concurrency=3)
    counts = Counter(op.process for op in begun(history))
    assert set(counts.values()) == {100}


def test_a_context_is_never_changed():
    ctx = context()
    later = ctx.busy(0, 5)
    assert (ctx.free, later.free) == ((0, 1, NEMESIS), (1, NEMESIS))
    assert later.freed(0, 9).all_free()
    assert later.retired(0).process(0) == 2
    assert ctx.process(0) == 0
    assert ctx.thread(2) == 0


def test_restriction_hides_threads():
    seen = context(3).restrict(frozenset({1, 2}))
    assert seen.threads == (1, 2)
    assert seen.has(1)
    assert not seen.has(0)
    assert not seen.has(NEMESIS)


def test_pending_says_what_it_knows():
    assert repr(PENDING) == "PENDING"
    assert lift(A).op(context(1).restrict(frozenset()))[0] is BUSY


def test_a_generator_that_can_never_go_on_is_reported():
    with pytest.raises(SplitbrainError, match="nothing is under way that could wake it"):
        quick(on_threads(frozenset({77}), A))
