"""How fast runs are explored and shrunk: judged runs per second of processor and of real time, by worker processes, and
the cost of shrinking the first failure of a planted bug.

Real time tells the truth only on a machine that does nothing else.

    python benchmarks/runs/exploration.py
"""

import time

from harness.cli.candidates import Here
from harness.cli.exploring import Task, executor
from harness.cli.judged import run_judged
from harness.exploration.shrinking import shrink
from harness.exploration.templates import feasible
from harness.testing import plan_from

KINDS = ("partition", "kill", "pause", "power")
RUNS = 300
PLAN = {
    "nodes": 3,
    "concurrency": 4,
    "rate": 100.0,
    "time_limit_s": 1.0,
    "quiet_s": 0.3,
    "options": {"heartbeat_ms": 20, "election_timeout_ms": 100, "wait_ms": 300},
}


def explored(jobs):
    """(real seconds, processor seconds) of so many runs in so many processes."""
    arms = feasible(KINDS)
    tasks = [Task(plan_from({**PLAN, "seed": seed}), KINDS, arms[seed % len(arms)]) for seed in range(RUNS)]
    with executor("", jobs) as where:
        list(where.run(tasks[:jobs]))  # processes have started
        began = time.perf_counter()
        findings = list(where.run(tasks))
        return time.perf_counter() - began, sum(finding.processor_ns for finding in findings) / 1e9


def shrunk():
    """What became of the first failure of a planted bug, and the processor seconds that took."""
    options = {**PLAN["options"], "bug": "no-fencing"}
    data = {**PLAN, "options": options, "nemesis": ("partition",), "target": "leader", "time_limit_s": 6.0}
    data |= {"interval_s": 0.2, "duration_s": 0.35}
    for seed in range(1, 100):
        judged = run_judged(plan_from({**data, "seed": seed}))
        if judged.broken():
            break
    began = time.process_time()
    trials = Here(judged.broken(), 1.0)
    found = shrink(judged.exact, trials, trials.now_ns, 60)
    return found, time.process_time() - began


def main():
    """Print a line for each."""
    for jobs in (1, 2):
        real_s, processor_s = explored(jobs)
        print(
            f"{jobs} jobs  {RUNS / processor_s:6.1f} runs for each second of a processor  {RUNS / real_s:6.1f} runs/s"
        )
    found, seconds = shrunk()
    before, after = found.before, found.after
    print(
        f"shrunk  {before.operations} operations, {before.faults} faults → {after.operations}, {after.faults}"
        f" in {found.runs} runs and {seconds:.1f} processor seconds"
    )


if __name__ == "__main__":
    main()
