"""Schedules made of those that led to something new: each can be carried out, none is forgotten too soon."""

from types import SimpleNamespace

import msgspec
import pytest

from harness.cli.explore import Exploration, explore
from harness.cli.exploring import Finding
from harness.exploration import mutation, templates
from harness.exploration.mutation import KEPT_MAX, STEPS, Corpus
from harness.plan import Plan
from harness.schedule.checking import check_lists
from harness.schedule.planned import PlannedFault, Trigger
from harness.streams import Streams
from system_under_test.leader_follower.system import SYSTEM

NODES = ("n1", "n2", "n3")


def draw(seed):
    return templates.Draw(NODES, 0.1, 2.0, Streams(seed).stream("t"))


def schedules():
    return [templates.draw(name, draw(seed)) for seed, name in enumerate(templates.TEMPLATES)]


@pytest.mark.parametrize("step", STEPS)
def test_every_step_gives_faults_that_can_be_carried_out_of_no_other_kind(step):
    whole, changed = schedules(), 0
    for seed in range(60):
        one, other = whole[seed % len(whole)], whole[-1 - seed % len(whole)]
        faults = tuple(step(list(one), other, draw(seed)))
        check_lists(Plan(nodes=3, faults=faults), SYSTEM, observed=True)
        assert {fault.kind for fault in faults} <= {fault.kind for fault in (*one, *other)}
        assert all(fault.at_s >= 0 for fault in faults)
        changed += faults != one
    assert changed > 40


def test_steps_do_what_they_are_called():
    early, late = PlannedFault(kind="kill", at_s=0.1, duration_s=0.2), PlannedFault(kind="pause", at_s=1.9)
    waiting = PlannedFault(kind="kill", after=Trigger("elected", count=8), target="there")
    assert len(mutation.duplicate([early], (), draw(1))) == 2 and mutation.delete([early], (), draw(1)) == []
    for seed in range(20):
        (shifted,) = mutation.shift([early], (), draw(seed))
        assert shifted.at_s != early.at_s and shifted.duration_s == 0.2
        (counted,) = mutation.shift([waiting], (), draw(seed))
        assert 4 <= counted.after.count <= 16
        (stretched,) = mutation.stretch([early], (), draw(seed))
        assert stretched.at_s == 0.1 and stretched.duration_s != 0.2
    spliced = [mutation.splice([early, late], (early, late), draw(seed)) for seed in range(20)]
    assert all([fault.at_s for fault in faults] == [0.1, 1.9] for faults in spliced)


def test_mutants_are_near_what_is_kept_and_equal_for_equal_chance():
    corpus = Corpus()
    for faults in schedules()[:8]:
        corpus.learn(faults)
    made = [corpus.mutant(draw(seed)) for seed in range(40)]
    assert made == [corpus.mutant(draw(seed)) for seed in range(40)] and len(set(made)) > 30
    assert all(faults and len(faults) <= templates.FAULTS_MAX for faults in made)
    assert all([f.after is not None for f in faults] == sorted(f.after is not None for f in faults) for faults in made)


def test_the_oldest_schedules_are_forgotten_and_equal_ones_kept_once():
    corpus = Corpus()
    corpus.learn(())
    assert not corpus
    for number in range(KEPT_MAX + 10):
        for _ in range(2):
            corpus.learn((PlannedFault(kind="kill", at_s=number / 100),))
    assert len(corpus) == KEPT_MAX


class Novel:
    """Makes no runs: each finds a state that is new."""

    def __init__(self):
        self.tasks = []

    def run(self, tasks):
        for task in tasks:
            self.tasks.append(task)
            faults = task.plan.faults or (PlannedFault(kind="kill", at_s=0.1, duration_s=0.1, draw=task.plan.seed),)
            plan = msgspec.structs.replace(task.plan, faults=faults)
            yield Finding(plan, task.template or task.told, "valid", states=frozenset({str(task.plan.seed)}))


def explored():
    exploration, where = Exploration.of(Plan(nodes=3, nemesis=("kill",), time_limit_s=1.0)), Novel()
    asked = SimpleNamespace(seeds=(0, 319), single_faults=False, branch=0, budget=None, first=False)
    explore(asked, exploration, where)
    return exploration, where.tasks


def test_from_the_second_round_on_one_run_in_five_is_a_mutant_and_equal_arguments_make_equal_ones():
    exploration, tasks = explored()
    mutants = [task for task in tasks if task.told == "mutant"]
    assert not any(task.told for task in tasks[:32]) and 35 < len(mutants) < 85
    assert all(task.plan.faults and task.plan.combine and not task.template for task in mutants)
    assert exploration.templates["mutant"][0] == len(mutants)
    assert tasks == explored()[1]
