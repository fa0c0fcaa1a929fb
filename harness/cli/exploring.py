"""One run of an exploration, as plain data in and out, so that it can be made in any process or on any machine.

finding = explore_one(Task(plan, template="isolate-leader"))
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol

import msgspec

from harness import clock
from harness.cli.judged import Judged, run_judged
from harness.errors import UsageError
from harness.exploration import steps, templates
from harness.exploration.states import Looker, abstract_states, circumstances
from harness.plan import Plan, Setting
from harness.schedule.planned import DISK_EVENTS, THERE, PlannedFault, Trigger
from harness.streams import Streams


class Task(msgspec.Struct, frozen=True):
    """One run to make.

    Attributes:
        plan: with its seed; kinds: of faults that it may have; template: which shape they take; "" when the plan has
            its faults already.
        twice: whether to run it a second time, and compare.
    """

    plan: Plan
    kinds: tuple[str, ...] = ()
    template: str = ""
    twice: bool = False


class Found(msgspec.Struct, frozen=True):
    """One anomaly of a run."""

    guarantee: str
    name: str
    sentence: str


class Finding(msgspec.Struct, frozen=True):
    """What one run came to.

    Attributes:
        plan: as it was run, its faults listed; template: of the task; outcome, reason: as in a result.
        anomalies: the different ones; states, circumstances: what was reached; differs: a sentence when the second run
            was not the first one again; compared: whether there was one.
        processor_ns: what it cost.
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


def explore_one(task: Task) -> Finding:
    """Make the run and judge it."""
    began_ns = clock.processor_ns()
    plan = task.plan
    if task.template:
        random = Streams(plan.seed).stream("templates")
        source = templates.Draw(plan.node_names(), steps.unit_s(plan), plan.time_limit_s, random)
        kinds = [kind for kind in task.kinds if random.random() < 0.7]
        faults = templates.swarm(task.template, kinds, source)
        plan = msgspec.structs.replace(steps.with_faults(plan, faults), combine=True, world=_world(plan))
    judged, looker = _looked_at(plan)
    differs = _differs(judged, run_judged(plan)) if task.twice else ""
    if judged.result is None or judged.history is None:
        return Finding(plan, task.template, "harness", judged.failure)
    events, started_ns = judged.history.events, judged.started_ns
    shown = reversed(judged.anomalies())  # of equal ones, the one with the fewest operations comes last and stays
    found = {(one.guarantee, one.name): Found(one.guarantee, one.name, one.sentence) for one in shown}
    return Finding(
        plan,
        task.template,
        judged.result.outcome,
        judged.result.reason,
        tuple(found[key] for key in sorted(found)),
        abstract_states(looker.looks, events, started_ns),
        circumstances(looker.looks, events, started_ns, round(2e9 * steps.unit_s(plan))),
        task.twice,
        differs,
        clock.processor_ns() - began_ns,
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
    """Several runs, one after the other."""
    return [explore_one(task) for task in tasks]


def _looked_at(plan: Plan) -> tuple[Judged, Looker]:
    looker = Looker(lambda: round(asyncio.get_running_loop().time() * 1e9))
    return run_judged(plan, on_cluster=looker.begin), looker


def _differs(first: Judged, second: Judged) -> str:
    """A sentence about the first difference of two runs of one plan; "" when they are equal."""
    if (first.digest, first.history_digest) == (second.digest, second.history_digest):
        return ""
    if first.history is not None and second.history is not None:
        for one, other in zip(first.history.events, second.history.events, strict=False):
            if one != other:
                told = [f"{op.type} {op.f} at {op.time} ns" for op in (one, other)]
                return f"event {one.index} is {told[0]} in the first run, {told[1]} in the second"
    return "the histories are equal as far as both go, but what happened on the loop differs"


# ── single faults ────────────────────────────────────────────────────────────────────────────────────────────────────


def boundaries(plan: Plan) -> list[tuple[str, str, int]]:
    """Every (event, node, count) of a run of this plan without faults: what each node did to its disk, in order."""
    found: list[tuple[str, str, int]] = []
    counts: dict[tuple[str, str], int] = {}

    def begin(cluster: Any) -> None:
        def told(node: str, event: str, _text: str) -> None:
            if event in DISK_EVENTS:
                counts[event, node] = counts.get((event, node), 0) + 1
                found.append((event, node, counts[event, node]))

        cluster.listen(told)

    run_judged(steps.with_faults(plan, ()), on_cluster=begin)
    return found


def single_fault(plan: Plan, kind: str, boundary: tuple[str, str, int], duration_s: float) -> Plan:
    """The plan with one fault, which strikes at that boundary."""
    event, node, count = boundary
    fault = PlannedFault(kind=kind, after=Trigger(event, node, count), duration_s=duration_s, target=THERE)
    return steps.with_faults(plan, (fault,))


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
            yield explore_one(task)


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
        # Fresh processes, not forks: what this one has open must not leak into a run.
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            try:
                yield Processes(pool)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


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
