"""Where a run of an exploration is branched, and what its branches showed (`splitbrain explore --branch N`).

Promising is a moment at which a node logs something (an election, a step down, a log cut back) while the cluster is in
an abstract state that this run had not been in before. There the run is forked, and each child goes on to its own end:
it is judged like any run, tells its parent what it found, and is gone. What it is, is written in its plan: the plan of
the run, with a turn in its world, so it is run, kept, replayed and shrunk like any other.

    branches = Branches(2, tell)
    judged = run_judged(plan, on_cluster=branches.watch, branches=branches)
    branches.told                                  # what `tell` made of each child

Limits: branches do not branch. They share their beginnings, so they say nothing about how often runs fail.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.cli.judged import Judged, in_memory
from harness.errors import PlanError
from harness.exploration.cost import limit_s
from harness.exploration.states import situation
from harness.plan import Plan
from harness.protocols import Cluster, ObservesNodes
from harness.simulation.branching import CAN_BRANCH, Child, Told, fork_each, leave
from harness.simulation.loop import SimLoop
from harness.simulation.world import Turn, told_turns
from harness.store import Run

if TYPE_CHECKING:
    from harness.controller import Controller

POINTS_MAX: Final = 3
"""A run is branched in so many places at most."""
PATIENCE: Final = 4
"""Real time that a branch may take, in multiples of its processor time: the machine may have other things to do."""


class Branches:
    """The branches of one run.

    Attributes:
        told: what came of each that is over, in the order in which they were made.
    """

    def __init__(self, children: int, tell: Callable[[Judged], bytes]) -> None:
        if not CAN_BRANCH:
            raise PlanError("This platform cannot fork a process, so runs cannot be branched.")
        self.told: list[Told] = []
        self._children = children
        self._tell = tell
        self._seen: set[str] = set()
        self._points = 0
        self._controller: Controller | None = None
        self._child: Child | None = None

    def watch(self, cluster: Cluster) -> None:
        """Look for promising moments from now on."""
        loop = asyncio.get_running_loop()
        if not isinstance(cluster, ObservesNodes) or not isinstance(loop, SimLoop):
            return
        observed, nodes = cluster, cluster.nodes
        self._seen.add(situation({node: observed.observe(node) for node in nodes}))

        def look(_node: str, event: str, _text: str) -> None:
            if event != "log" or self._points >= POINTS_MAX or self._child is not None:
                return
            state = situation({node: observed.observe(node) for node in nodes})
            if state not in self._seen:
                self._seen.add(state)
                self._points += 1
                loop.at_turn(loop.virtual_ns, lambda: self._split(loop))

        cluster.listen(look)

    @contextmanager
    def of(self, controller: Controller) -> Iterator[None]:
        """While inside, the run may be branched. A child does not come out."""
        self._controller = controller
        try:
            yield
        finally:
            if self._child is not None:
                leave()

    def over(self, judged: Judged) -> None:
        """The run is judged; a child tells of it, and is gone."""
        if self._child is not None:
            self._child.tell(self._tell(judged))

    def _split(self, loop: SimLoop) -> None:
        controller = self._controller
        assert controller is not None
        if self._child is not None or controller.recorder is None or controller.exact is not None:
            return
        first = len(self.told)
        salts = [f"b{first + number}" for number in range(self._children)]
        # What a child writes goes to a folder of its own: its parent's file is still written on.
        folder = Path(tempfile.mkdtemp(prefix="splitbrain-", dir=in_memory()))
        try:
            outcome = fork_each(loop, salts, PATIENCE * limit_s(controller.plan))
            if isinstance(outcome, Child):
                self._child = outcome
                self._move(controller, outcome, folder / outcome.turn.salt)
            else:
                self.told += outcome
        finally:
            if self._child is None:
                shutil.rmtree(folder, ignore_errors=True)

    def _move(self, controller: Controller, child: Child, folder: Path) -> None:
        """Let a child write to its own folder, under its own plan, and have a budget of its own."""
        assert controller.recorder is not None
        signal.setitimer(signal.ITIMER_PROF, limit_s(controller.plan))
        folder.mkdir()
        controller.run = Run(folder)
        controller.plan = turned(controller.plan, child.turn)
        controller.recorder.continue_in(controller.run.history_path, controller.load.header(controller.plan))


def turned(plan: Plan, turn: Turn) -> Plan:
    """The plan of a branch."""
    before = str(plan.world.get("turns", ""))
    turns = ",".join(part for part in (before, told_turns([turn])) if part)
    return msgspec.structs.replace(plan, world={**plan.world, "turns": turns})
