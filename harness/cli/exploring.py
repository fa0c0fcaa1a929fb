"""One run of an exploration, as plain data in and out, so that it can be made in any process or on any machine.

finding = explore_one(Task(plan, template="isolate-leader"))
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from harness import clock
from harness.cli.judged import Judged, run_judged
from harness.errors import UsageError
from harness.exploration import steps, templates
from harness.exploration.boundaries import Boundary, Counter, golden
from harness.exploration.mutation import Corpus
from harness.exploration.states import Looker, abstract_states, circumstances
from harness.plan import Plan, Setting
from harness.schedule.planned import PlannedFault
from harness.simulation.branching import Told
from harness.simulation.compare import compare
from harness.streams import Streams
from harness.workers import workers


class Task(msgspec.Struct, frozen=True):
    """One run to make.

    Attributes:
        plan: with its seed; kinds: of faults that it may have; template: which shape they take; "" when the plan has
            its faults already.
        twice: whether to run it a second time, and compare; branches: how many are made at each promising moment.
        told: where there is no template, what kind of run it is.
    """

    plan: Plan
    kinds: tuple[str, ...] = ()
    template: str = ""
    twice: bool = False
    branches: int = 0
    told: str = ""


class Found(msgspec.Struct, frozen=True):
    """One anomaly of a run."""

    guarantee: str
    name: str
    sentence: str


class Finding(msgspec.Struct, frozen=True):
    """What one run came to.

    Attributes:
        plan: as it was run, its faults listed; template: of the task, or what that is told as.
        outcome, reason: as in a result.
        anomalies: the different ones; states, circumstances: what was reached; differs: a sentence when the second run
            was not the first one again; compared: whether there was one.
        processor_ns: what it cost; branch: which branch of its run this is, "" for the run itself.
        digests: over the loop and over the history.
    """

    plan: Plan
    template: str
    outcome: str
    reason: str = ""
    anomalies: tuple[Found, ...] = ()
    states: frozenset[str] = frozenset()
    circumstances: frozenset[tuple[str, str, str]] = frozenset()
    compared: bool = False
    differs: str = ""
    processor_ns: int = 0
    branch: str = ""
    digests: tuple[str, str] = ("", "")


def explore_one(task: Task) -> Finding:
    """Make the run and judge it."""
    return explore_whole(task)[0]


def explore_whole(task: Task) -> list[Finding]:
    """The run, and all its branches."""
    began_ns = clock.processor_ns()
    plan = _planned(task)
    looker = Looker(lambda: round(asyncio.get_running_loop().time() * 1e9))
    if not task.branches:
        judged = run_judged(plan, on_cluster=looker.begin)
        differs = _differs(judged, run_judged(plan)) if task.twice else ""
        return [_finding(task, plan, judged, looker, differs, began_ns)]
    from harness.cli.branches import Branches

    def told(judged: Judged) -> bytes:
        return msgspec.msgpack.encode(
            _finding(task, judged.plan, judged, looker, "", 0)
        )  # its own clock begins at the fork

    def begin(cluster: Any) -> None:
        looker.begin(cluster)
        branches.watch(cluster)

    branches = Branches(task.branches, told)
    judged = run_judged(plan, on_cluster=begin, branches=branches)
    differs = _differs(judged, run_judged(plan)) if task.twice else ""
    own = _finding(task, plan, judged, looker, differs, began_ns)
    return [own, *(_branch(task, plan, one) for one in branches.told)]


def _branch(task: Task, plan: Plan, told: Told) -> Finding:
    """What a branch told; where the run is made twice, it is, too."""
    from harness.cli.branches import turned

    branch = told.turn.salt
    if told.data is None:
        return Finding(turned(plan, told.turn), task.template or task.told, "harness", told.why, branch=branch)
    finding = msgspec.structs.replace(
        msgspec.msgpack.decode(told.data, type=Finding), branch=branch, compared=task.twice
    )
    again = run_judged(finding.plan) if task.twice else None
    if again is None or (again.digest, again.history_digest) == finding.digests:
        return finding
    return msgspec.structs.replace(finding, differs="run from its beginning, the branch is not what it was as a fork")


def _planned(task: Task) -> Plan:
    plan = task.plan
    if task.template:
        source = _source(plan, "templates")
        kinds = [kind for kind in task.kinds if source.random.random() < 0.7]
        plan = _with(plan, templates.swarm(task.template, kinds, source))
    return plan


def mutated(plan: Plan, corpus: Corpus) -> Plan:
    """The plan with a schedule made of those that are kept, drawn by its seed."""
    return _with(plan, corpus.mutant(_source(plan, "mutants")))


def _source(plan: Plan, name: str) -> templates.Draw:
    random = Streams(plan.seed).stream(name)
    return templates.Draw(plan.node_names(), steps.unit_s(plan), plan.time_limit_s, random)


def _with(plan: Plan, faults: Sequence[PlannedFault]) -> Plan:
    return msgspec.structs.replace(steps.with_faults(plan, faults), combine=True, world=_world(plan))


def _finding(task: Task, plan: Plan, judged: Judged, looker: Looker, differs: str, began_ns: int) -> Finding:
    if judged.result is None or judged.history is None:
        return Finding(plan, task.template or task.told, "harness", judged.failure)
    events, started_ns = judged.history.events, judged.started_ns
    shown = reversed(judged.anomalies())  # of equal ones, the one with the fewest operations comes last and stays
    found = {(one.guarantee, one.name): Found(one.guarantee, one.name, one.sentence) for one in shown}
    return Finding(
        plan,
        task.template or task.told,
        judged.result.outcome,
        judged.result.reason,
        tuple(found[key] for key in sorted(found)),
        abstract_states(looker.looks, events, started_ns),
        circumstances(looker.looks, events, started_ns, round(2e9 * steps.unit_s(plan))),
        task.twice,
        differs,
        clock.processor_ns() - began_ns,
        digests=(judged.digest, judged.history_digest),
    )


def _world(plan: Plan) -> dict[str, Setting]:
    """The plan's world; where it does not choose an order of callbacks, PCT for a fifth of seeds, random for two."""
    if "scheduler" in plan.world:
        return plan.world
    random = Streams(plan.seed).stream("scheduler")
    scheduler = random.choice(("pct", "random", "random", "fifo", "fifo"))
    depth = {"pct_depth": random.choice((2, 3, 4))} if scheduler == "pct" else {}
    return {**plan.world, "scheduler": scheduler, **depth}


def explore_some(tasks: Sequence[Task]) -> list[Finding]:
    """Several runs, one after the other, each followed by its branches."""
    return [finding for task in tasks for finding in explore_whole(task)]


def _differs(first: Judged, second: Judged) -> str:
    """A sentence about the first difference of two runs of one plan; "" when they are equal."""
    if (first.digest, first.history_digest) == (second.digest, second.history_digest):
        return ""
    if first.history is not None and second.history is not None:
        for one, other in zip(first.history.events, second.history.events, strict=False):
            if one != other:
                told = [f"{op.type} {op.f} at {op.time} ns" for op in (one, other)]
                return f"event {one.index} is {told[0]} in the first run, {told[1]} in the second"
    # What happened on the loop differs: run twice more, and listed, it is found where.
    again, once_more = (run_judged(first.plan, record=True).recording for _ in range(2))
    difference = compare(again, once_more) if again is not None and once_more is not None else None
    if difference is not None:
        return "; ".join(line.strip() for line in str(difference).splitlines()[:3])
    return "the histories are equal as far as both go, but what happened on the loop differs"


# ── single faults ────────────────────────────────────────────────────────────────────────────────────────────────────


def boundaries(plan: Plan) -> list[Boundary]:
    """Every boundary of a run of this plan without faults, in order."""
    counter = Counter(lambda: round(asyncio.get_running_loop().time() * 1e9))
    run_judged(golden(plan), on_cluster=counter.begin, watcher=counter)
    return counter.found()


# ── where runs are made ──────────────────────────────────────────────────────────────────────────────────────────────


class Executor(Protocol):
    """Makes runs somewhere; findings come in the order of the tasks."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Finding]:
        """All of them."""


class Here:
    """In this process."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Finding]:
        """One after the other."""
        for task in tasks:
            yield from explore_whole(task)


TASKS_AT_ONCE = 4


def _parts(tasks: Sequence[Task]) -> list[Sequence[Task]]:
    return [tasks[first : first + TASKS_AT_ONCE] for first in range(0, len(tasks), TASKS_AT_ONCE)]


class Processes:
    """In worker processes of this machine."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def run(self, tasks: Sequence[Task]) -> Iterator[Finding]:
        """A few at a time to each."""
        for findings in self._pool.map(explore_some, _parts(tasks)):
            yield from findings


class Dask:
    """On the workers of a Dask cluster, each of which has this package installed, one run at a time."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, tasks: Sequence[Task]) -> Iterator[Finding]:
        """A few at a time to each."""
        from harness.cli.errand import explore_encoded

        data = [msgspec.msgpack.encode(list(part)) for part in _parts(tasks)]
        for future in self._client.map(explore_encoded, data, pure=False):
            yield from msgspec.msgpack.decode(future.result(), type=list[Finding])


@contextmanager
def executor(address: str, jobs: int) -> Iterator[Executor]:
    """Where an address says: "" for this machine with so many jobs, dask://host:port for a Dask cluster.

    Raises:
        UsageError: the address is of no kind that is known, or Dask is not installed or not there.
    """
    if address.startswith("dask://"):
        yield from _dask(address.removeprefix("dask://"))
    elif address:
        raise UsageError(f"--executor wants dask://HOST:PORT, found {address!r}.")
    elif jobs == 1:
        yield Here()
    else:
        with workers(jobs) as pool:
            yield Processes(pool)


def _dask(address: str) -> Iterator[Executor]:
    import importlib

    library = "distributed"  # an optional extra, so it is no import that this package must have
    try:
        distributed = importlib.import_module(library)
    except ImportError as error:
        raise UsageError("--executor dask:// needs Dask: pip install 'splitbrain[dask]'.") from error
    try:
        client = distributed.Client(f"tcp://{address}", timeout="10s")
    except (OSError, TimeoutError) as error:
        raise UsageError(f"--executor: no Dask scheduler answers at {address}: {error}.") from error
    with client:
        yield Dask(client)


def facts(finding: Finding) -> Mapping[str, Any]:
    """A finding in a few words, for JSON."""
    return {
        "seed": finding.plan.seed,
        "template": finding.template,
        "outcome": finding.outcome,
        "reason": finding.reason,
        "anomalies": [msgspec.to_builtins(one) for one in finding.anomalies],
    }
