"""The controller over an in-memory ground: phases in order, everything undone, what was recorded kept."""

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager

import pytest

from checkers.judge import judge_run
from checkers.protocol import Budget
from harness.controller import Controller
from harness.errors import InfrastructureError, SetupError
from harness.history.reader import read_history
from harness.op import NOT_WELL
from harness.plan import Plan
from harness.store import create_run
from workloads.register import WORKLOAD

SETTINGS = {option.name: option.default for option in WORKLOAD.options}
PHASES = ["provision", "set up", "main", "heal", "recover", "quiet", "final reads", "collect logs", "tear down"]


class Processes:
    def __init__(self):
        self.states = {}

    async def kill(self, node):
        self.states[node] = "stopped"

    async def start(self, node):
        self.states[node] = "running"

    async def state(self, node):
        return self.states.get(node, "running")


class Cluster:
    def __init__(self, nodes):
        self.nodes, self.net, self.clocks, self.disks = tuple(nodes), None, None, None
        self.processes = Processes()
        self.logs_fail = False

    def address(self, node):
        return node, 7000

    async def collect_logs(self, folder):
        if self.logs_fail:
            raise InfrastructureError("The node n1 does not answer.")
        for node in self.nodes:
            (folder / node).mkdir(parents=True)
            (folder / node / "server.log").write_text("hello\n")


class Ground:
    name, faults = "memory", frozenset({"processes"})

    def __init__(self):
        self.made, self.undone = [], []
        self.provision_error = None
        self.logs_fail = False

    def new_event_loop(self):
        return asyncio.new_event_loop()

    def now_ns(self):
        return time.monotonic_ns()

    @asynccontextmanager
    async def cluster(self, system, nodes, options, run_id):
        if self.provision_error:
            raise self.provision_error
        cluster = Cluster(nodes)
        cluster.logs_fail = self.logs_fail
        self.made.append(cluster)
        try:
            yield cluster
        finally:
            self.undone.append(cluster)


class Client:
    def __init__(self, values, opened):
        self.values = values
        opened.append(self)
        self.closed = False

    async def invoke(self, op):
        if op.f == "write":
            self.values[op.key] = op.value
        elif op.f == "cas":
            if self.values.get(op.key) != op.value[0]:
                return op.fail("mismatch", [*op.value, self.values.get(op.key)])
            self.values[op.key] = op.value[1]
        await asyncio.sleep(0)
        return op.ok(value=self.values.get(op.key) if op.f == "read" else op.value)

    async def close(self):
        self.closed = True


class System:
    name, operations, options = "memory", frozenset({"read", "write", "cas"}), ()

    def __init__(self):
        self.values, self.clients, self.ready_error = {}, [], None

    def client(self, cluster, home, options, seed):
        return Client(self.values, self.clients)

    async def wait_ready(self, cluster, options, timeout_s):
        if self.ready_error:
            raise self.ready_error

    async def leader(self, cluster):
        return "n1"


class Watcher:
    def __init__(self):
        self.phases, self.events = [], []

    def phase(self, name):
        self.phases.append(name)

    def event(self, op):
        self.events.append(op)


@pytest.fixture
def make(tmp_path):
    def build(**changes):
        given = {"nodes": 3, "rate": 300.0, "time_limit_s": 0.5, "quiet_s": 0.05, "seed": 1} | changes
        plan = Plan(**given, options=dict(SETTINGS))
        run = create_run(tmp_path, plan)
        return Controller(run, plan, Ground(), System(), WORKLOAD, Watcher(), dict(SETTINGS))

    return build


def test_a_run_goes_through_its_phases_and_undoes_everything(make):
    controller = make(nemesis=("kill",), interval_s=0.1, duration_s=0.1)
    controller.execute()
    assert controller.watcher.phases == PHASES
    assert controller.ground.undone == controller.ground.made
    assert all(client.closed for client in controller.system.clients)
    assert (controller.run.path / "nodes" / "n2" / "server.log").read_text() == "hello\n"
    history = read_history(controller.run.history_path)
    assert list(history.events) == controller.watcher.events
    assert history.header.model == "cas-register"
    kinds = {event.f for event in history.events}
    assert {"read", "write", "cas", "start-kill", "stop-kill"} <= kinds


def test_the_last_faults_are_lifted_before_the_final_reads(make):
    controller = make(nemesis=("kill",), interval_s=0.05, duration_s=30.0)
    controller.execute()
    events = read_history(controller.run.history_path).events
    lifted = max(event.index for event in events if event.f == "stop-kill" and event.type == "ok")
    assert all(event.is_client() for event in events[lifted + 1 :])
    assert any(event.f == "read" for event in events[lifted + 1 :])
    assert set(controller.ground.made[0].processes.states.values()) == {"running"}


def test_every_written_key_is_read_last(make):
    controller = make()
    controller.execute()
    events = read_history(controller.run.history_path).events
    written = {event.key for event in events if event.f in ("write", "cas")}
    assert {event.key for event in events[-2 * 10 * len(written) :] if event.f == "read"} == written


def test_a_cluster_that_cannot_be_made_is_an_infrastructure_error(make):
    controller = make()
    controller.ground.provision_error = InfrastructureError("There is no engine.")
    with pytest.raises(InfrastructureError, match="There is no engine"):
        controller.execute()
    assert controller.watcher.phases == ["provision"]


def test_a_system_that_does_not_come_up_still_leaves_its_logs_and_nothing_else(make):
    controller = make()
    controller.system.ready_error = SetupError("No leader within 85 s.")
    with pytest.raises(SetupError, match="No leader"):
        controller.execute()
    assert controller.watcher.phases == ["provision", "set up", "collect logs", "tear down"]
    assert controller.ground.undone == controller.ground.made
    assert (controller.run.path / "nodes" / "n1" / "server.log").exists()


def test_logs_that_cannot_be_had_do_not_hide_the_run(make):
    controller = make()
    controller.ground.logs_fail = True
    controller.execute()
    assert controller.watcher.phases == PHASES
    assert "logs-missing" in (controller.run.path / "log.jsonl").read_text()


class Interrupting(Watcher):
    """Presses Ctrl-C at some phase, so many times."""

    def __init__(self, phase, times):
        super().__init__()
        self.at, self.left = phase, times

    def event(self, op):
        super().event(op)
        if self.phases[-1] == self.at and self.left:
            self.left -= 1
            os.kill(os.getpid(), signal.SIGINT)


def test_the_first_interrupt_ends_the_main_phase_and_reads_what_there_is(make):
    controller = make(time_limit_s=60.0)
    controller.watcher = Interrupting("main", 1)
    began = time.monotonic()
    controller.execute()
    assert time.monotonic() - began < 10
    assert controller.watcher.phases == PHASES
    assert controller.interrupted == 1
    events = read_history(controller.run.history_path).events
    assert [op.value for op in events if op.f == "interrupted"] == ["the main phase ended early"]
    assert controller.ground.undone == controller.ground.made


def test_the_second_interrupt_goes_straight_to_the_exit(make):
    controller = make(time_limit_s=60.0)
    controller.watcher = Interrupting("main", 2)
    controller.execute()
    phases = controller.watcher.phases
    assert phases[-2:] == ["collect logs", "tear down"]
    assert "final reads" not in phases
    assert controller.ground.undone == controller.ground.made
    assert len(read_history(controller.run.history_path).events) == len(controller.watcher.events)


def test_the_signal_handlers_are_put_back(make):
    before = signal.getsignal(signal.SIGINT)
    make().execute()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_violation_ends_the_main_phase_and_what_follows_still_happens(make):
    controller = make(time_limit_s=60.0)
    controller.watch = lambda op: "linearizability was broken by operation 7: a sentence." if op.index == 9 else None
    began = time.monotonic()
    controller.execute()
    assert time.monotonic() - began < 10
    assert controller.watcher.phases == PHASES
    events = read_history(controller.run.history_path).events
    (stopped,) = [op for op in events if op.f == "interrupted"]
    assert stopped.value == "stopped: linearizability was broken by operation 7: a sentence."
    assert any(op.f == "read" for op in events[stopped.index :])


def test_a_watch_that_fails_is_dismissed_and_the_run_goes_on(make):
    def watch(_op):
        raise ValueError("oh")

    controller = make()
    controller.watch = watch
    controller.execute()
    assert "The watch for violations failed: ValueError: oh" in controller.problems
    assert "interrupted" not in {op.f for op in read_history(controller.run.history_path).events}


def test_a_system_that_is_not_well_again_is_read_all_the_same_and_it_is_said(make):
    controller = make()
    ready = controller.system.wait_ready
    asked = []

    async def wait_ready(cluster, options, timeout_s):
        asked.append(timeout_s)
        if len(asked) > 1:
            raise SetupError("n3 was still behind n1.")
        await ready(cluster, options, timeout_s)

    controller.system.wait_ready = wait_ready
    controller.execute()
    history = read_history(controller.run.history_path)
    place = next(op.index for op in history.events if op.f == NOT_WELL)
    assert history.events[place].value == "n3 was still behind n1."
    assert any(op.f == "read" and op.type == "ok" for op in history.events[place:])
    assert controller.watcher.phases == PHASES
    plan = controller.plan
    result = judge_run(history, plan, WORKLOAD.checkers(plan), Budget(10), "")
    assert result.outcome == "valid"
    assert "not well again before the final reads" in result.truncated
    assert "n3 was still behind n1" in result.truncated


@pytest.mark.parametrize("gone", [True, False])
def test_a_node_that_is_gone_is_to_blame_and_a_server_that_ended_is_only_named(make, gone):
    controller = make()
    asked = []

    async def wait_ready(cluster, options, timeout_s):
        asked.append(timeout_s)
        if len(asked) > 1:
            cluster.processes.states["n2"] = "stopped"
            if gone:
                cluster.processes.state = unreachable
            raise SetupError("no answer from n2.")

    async def unreachable(node):
        if node == "n2":
            raise InfrastructureError("n2: its container does not run any more.")
        return "running"

    controller.system.wait_ready = wait_ready
    if gone:
        with pytest.raises(InfrastructureError, match="n2: its container does not run any more"):
            controller.execute()
    else:
        controller.execute()
        told = [op.value for op in read_history(controller.run.history_path).events if op.f == NOT_WELL]
        assert told == ["no answer from n2. Servers: n2 stopped."]
    assert controller.ground.undone == controller.ground.made
