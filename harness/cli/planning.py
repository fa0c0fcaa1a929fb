"""From the command line to a plan, and back: flag, then SPLITBRAIN_SEED, then plan file, then default."""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from harness import registry
from harness.cli import arguments
from harness.errors import InfrastructureError, PlanError, UsageError, nearest
from harness.nemesis.compose import SURFACES, system_faults, validate_faults
from harness.nemesis.shapes import SHAPES
from harness.plan import Plan, Setting, read_plan
from harness.protocols import (
    Counted,
    Ground,
    Installable,
    Launchable,
    Option,
    Packaged,
    Preflighted,
    Simulated,
    Tunable,
    Worldly,
)
from harness.schedule.checking import check_lists, check_targets

FLAGS: Final = {
    "on": "--on",
    "system": "--system",
    "workload": "--workload",
    "nodes": "--nodes",
    "concurrency": "--concurrency",
    "rate": "--rate",
    "time_limit_s": "--time-limit",
    "op_timeout_s": "--op-timeout",
    "seed": "--seed",
    "nemesis": "--nemesis",
    "target": "--target",
    "partition": "--partition",
    "interval_s": "--interval",
    "duration_s": "--duration",
    "combine": "--combine",
    "quiet_s": "--quiet-period",
    "check_budget_s": "--check-budget",
    "stop_on_violation": "--stop-on-violation",
    "world": "--world",
}
"""Fields of a plan and their flags."""

THRESHOLDS: Final = {
    "recovery_s_max": ("--recovery-max", "seconds from the lifting of a fault to the first success"),
    "unavailable_s_max": ("--unavailable-max", "seconds without any success although clients ask"),
    "success_share_min": ("--success-min", "share of operations that must succeed, as 0.5"),
}
"""Fields of a plan's thresholds, their flags and what they bound."""


@dataclass(frozen=True)
class Parts:
    """What a plan's names stand for."""

    plan: Plan
    system: Any
    workload: Any


def build_parser(system: Any, workload: Any, ground: Sequence[Option] = ()) -> arguments.Parser:
    """The parser of `splitbrain run`, with the switches of the chosen system, workload and ground."""
    parser = arguments.Parser(
        prog="splitbrain run",
        description="Run a test. Without arguments: the store, simulated, under partitions and kills.",
        epilog=_EXAMPLES,
    )
    defaults = Plan()
    parser.add_argument("plan", nargs="?", type=Path, help="plan file, TOML or JSON; flags override it")
    what = parser.add_argument_group("what to test")
    what.add_argument("--system", help=f"system under test (default: {defaults.system})")
    what.add_argument("--workload", "-w", help=f"what clients do (default: {defaults.workload})")
    what.add_argument("--on", help=f"where nodes run: sim, docker, ssh, local (default: {defaults.on})")
    what.add_argument("--nodes", type=arguments.count, help=f"how many (default: {defaults.nodes}, or all --machines)")
    what.add_argument("--base-image", help="docker: the image that node images are built from")
    load = parser.add_argument_group("load")
    load.add_argument("--concurrency", "-c", type=arguments.count, help=f"workers (default: {defaults.concurrency})")
    load.add_argument("--rate", type=arguments.positive, help=f"operations per second (default: {defaults.rate:g})")
    load.add_argument("--time-limit", type=arguments.positive, dest="time_limit_s", help="seconds (default: 30)")
    load.add_argument("--op-timeout", type=arguments.positive, dest="op_timeout_s", help="seconds (default: 2)")
    load.add_argument("--quiet-period", type=arguments.not_negative, dest="quiet_s", help="seconds (default: 3)")
    load.add_argument("--seed", type=int, help="decides every random choice (default: drawn, and printed)")
    load.add_argument("--world", type=arguments.settings, help="on sim: scheduler=random,delay=lognormal,... (docs)")
    faults = parser.add_argument_group("faults")
    faults.add_argument("--nemesis", type=arguments.names, help=f"of {', '.join(SURFACES)}, or none; with commas")
    faults.add_argument("--target", help="one, minority, majority, leader, followers, all, none, random, or n1,n2")
    faults.add_argument("--partition", choices=SHAPES, help="shape of partitions (default: auto)")
    faults.add_argument("--interval", type=arguments.positive, dest="interval_s", help="seconds between (default: 3)")
    faults.add_argument("--duration", type=arguments.positive, dest="duration_s", help="seconds of each (default: 3)")
    faults.add_argument("--combine", action="store_true", default=None, help="let faults of different kinds overlap")
    load.add_argument(
        "--stop-on-violation", action="store_true", default=None, help="end the main phase at the first violation"
    )
    bounds = parser.add_argument_group("how well the system must serve")
    for name, (word, told) in THRESHOLDS.items():
        kind = arguments.share if name == "success_share_min" else arguments.positive
        bounds.add_argument(word, type=kind, dest=f"threshold:{name}", help=f"{told} (default: any)")
    out = parser.add_argument_group("output")
    out.add_argument("--store", type=Path, help="where runs are kept (default: $SPLITBRAIN_STORE, else ./store)")
    out.add_argument("--check-budget", type=arguments.positive, dest="check_budget_s", help="seconds (default: 120)")
    out.add_argument("--json", action="store_true", help="print the result as one JSON object")
    out.add_argument("--twice", action="store_true", help="on sim: run it twice, and compare event by event")
    out.add_argument("--dry", action="store_true", help="print the resolved plan and stop")
    out.add_argument("--debug", action="store_true", help="show where errors come from")
    arguments.add_options(parser, f"switches of {system.name}", system.options)
    arguments.add_options(parser, f"switches of the workload {workload.name}", workload.options)
    if ground:
        arguments.add_options(parser, "switches of the ground", ground)
    return parser


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, Parts]:
    """Parse in two steps: first which system and workload, then with their switches.

    Raises:
        UsageError, PlanError: one sentence.
    """
    first = arguments.Parser(add_help=False)
    first.add_argument("plan", nargs="?", type=Path)
    for flag in ("--system", "--workload", "--on"):
        first.add_argument(flag, *(["-w"] if flag == "--workload" else []))
    early, _ = first.parse_known_args([word for word in argv if word not in ("-h", "--help")])
    base = _base_plan(argv, early.plan)
    system = registry.load("systems", early.system or base.system)
    workload = registry.load("workloads", early.workload or base.workload)
    ground = ground_options(early.on or base.on)
    given = build_parser(system, workload, ground).parse_args(argv)
    return given, Parts(_resolve(given, base, [*system.options, *workload.options, *ground]), system, workload)


def ground_options(name: str) -> tuple[Option, ...]:
    """The switches of a ground by its name; none where it has none."""
    ground = registry.load("grounds", name)(0, None)
    return ground.options if isinstance(ground, Tunable) else ()


def _is_of_another_ground(option: str) -> bool:
    """Whether a plan's switch is one of some ground: the same plan runs on every ground."""
    return any(option == one.name for ground in registry.names("grounds") for one in ground_options(ground))


def _base_plan(argv: Sequence[str], file: Path | None) -> Plan:
    """The plan file, or the defaults; no arguments at all means the demonstration."""
    if file is not None and file.suffix in (".toml", ".json"):
        return read_plan(file)
    flags = [word for word in argv if word.startswith("-") and word not in ("--json", "--debug", "--dry")]
    return Plan(nemesis=("partition", "kill")) if not flags else Plan()


def _resolve(given: argparse.Namespace, base: Plan, options: Sequence[Option]) -> Plan:
    chosen = {name: value for name in FLAGS if (value := getattr(given, name, None)) is not None}
    if "seed" not in chosen and base.seed == 0:
        chosen["seed"] = _seed_from_environment()
    bounds = {name: bound for name in THRESHOLDS if (bound := getattr(given, f"threshold:{name}", None)) is not None}
    chosen["thresholds"] = msgspec.structs.replace(base.thresholds, **bounds)
    known = {option.name: option for option in options}
    settings: dict[str, Setting] = {option.name: option.default for option in options}
    for name, value in base.options.items():
        if name not in known and _is_of_another_ground(name):
            continue
        settings[name] = _checked(name, value, known)
    for name in known:
        if (value := getattr(given, f"option:{name}", None)) is not None:
            settings[name] = value
    plan = _all_machines(msgspec.structs.replace(base, **chosen, options=settings), given)
    if plan.faults is not None:
        plan = msgspec.structs.replace(plan, nemesis=tuple(sorted({fault.kind for fault in plan.faults})))
    _check_numbers(plan)
    return plan


def _all_machines(plan: Plan, given: argparse.Namespace) -> Plan:
    """On machines that exist every one of them is a node, unless it was said how many are to be."""
    ground = registry.load("grounds", plan.on)(plan.seed, None)
    if given.nodes is not None or not isinstance(ground, Counted):
        return plan
    return msgspec.structs.replace(plan, nodes=ground.count(plan.options) or plan.nodes)


def _checked(name: str, value: Setting, known: dict[str, Option]) -> Setting:
    """A switch from a plan file, of the right name, type and choice."""
    option = known.get(name)
    if option is None:
        raise PlanError(f"The plan's option {name!r} is unknown.{nearest(name, known)}")
    if type(option.default) is float and type(value) is int:
        value = float(value)
    if type(value) is not type(option.default):
        wanted, found = type(option.default).__name__, type(value).__name__
        raise PlanError(f"The plan's option {name!r} wants {wanted}, found {found} {value!r}.")
    if option.choices and value not in option.choices:
        raise PlanError(f"The plan's option {name!r} cannot be {value!r}.{nearest(str(value), option.choices)}")
    return value


def _check_numbers(plan: Plan) -> None:
    for name in ("nodes", "concurrency", "rate", "time_limit_s", "op_timeout_s", "interval_s", "duration_s"):
        if not getattr(plan, name) > 0:
            raise PlanError(f"The plan's {name} must be above zero, found {getattr(plan, name)!r}.")
    for name in THRESHOLDS:
        bound = getattr(plan.thresholds, name)
        if bound is not None and not 0 < bound <= (1 if name == "success_share_min" else 1e9):
            raise PlanError(f"The plan's threshold {name} cannot be {bound!r}.")


def _seed_from_environment() -> int:
    text = os.environ.get("SPLITBRAIN_SEED", "")
    if not text:
        return secrets.randbelow(1_000_000) + 1
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"SPLITBRAIN_SEED must be a whole number, found {text!r}.") from error


def preflight(parts: Parts, base_image: str | None) -> Ground:
    """The ground of a plan, after everything that can be refused without starting anything has been checked.

    Raises:
        PlanError: the plan asks for what system or ground do not have.
        InfrastructureError: nothing can be started there; why, and what to do.
    """
    plan, system, workload = parts.plan, parts.system, parts.workload
    ground: Ground = registry.load("grounds", plan.on)(plan.seed, base_image)
    missing = sorted(workload.operations - system.operations)
    if missing:
        raise PlanError(f"The workload {plan.workload!r} needs {missing[0]!r}, which {plan.system!r} does not offer.")
    if plan.on == "sim" and not isinstance(system, Simulated):
        raise PlanError(f"The system {plan.system!r} cannot run in the simulation; use --on docker.")
    if plan.on == "docker" and not isinstance(system, Packaged):
        raise PlanError(f"The system {plan.system!r} has no image; use --on sim.")
    if plan.on == "local" and not isinstance(system, Launchable):
        raise PlanError(f"The system {plan.system!r} does not run as a plain process; use --on docker.")
    if plan.on == "ssh" and not isinstance(system, Installable):
        raise PlanError(f"The system {plan.system!r} cannot be installed over SSH; use --on docker.")
    from workloads.protocol import Streamed

    if plan.stop_on_violation and not isinstance(workload, Streamed):
        raise PlanError(f"The workload {plan.workload!r} is judged after the run only: leave out --stop-on-violation.")
    lacking = ground.lacking(plan.options) if isinstance(ground, Tunable) else {}
    if isinstance(ground, Tunable) and (reason := ground.refused(plan.options)) is not None:
        raise InfrastructureError(f"The ground {plan.on!r} cannot be had so: {reason}.")
    validate_faults(plan, ground.faults | system_faults(system), lacking)
    check_lists(plan, system, observed=plan.on == "sim")
    check_targets(plan, workload.operations)
    if plan.world and not isinstance(ground, Worldly):
        raise PlanError(f"A world can be chosen on sim only, and the plan is for {plan.on}.")
    if isinstance(ground, Worldly):
        ground.configure(plan.world)
    if isinstance(ground, Preflighted):
        ground.preflight()
    return ground


def repeat_command(plan: Plan, options: Sequence[Option]) -> str:
    """The command that runs this plan again; only what differs from the defaults is spelled out.

    Lists of faults and operations are not for a command line: such a plan is run from its file.
    """
    if plan.faults is not None or plan.operations is not None:
        return "splitbrain run plan.json"
    words = ["splitbrain", "run", "--on", plan.on, "--seed", str(plan.seed)]
    default = Plan()
    for name, flag in FLAGS.items():
        value = getattr(plan, name)
        counted = name == "nodes" and plan.on == "ssh"  # else all machines would be nodes
        if name in ("on", "seed") or (value == getattr(default, name) and not counted):
            continue
        words.append(flag)
        if value is not True:
            words.append(_told(value))
    for name, (flag, _) in THRESHOLDS.items():
        if (bound := getattr(plan.thresholds, name)) is not None:
            words += [flag, _told(bound)]
    for option in (*options, *ground_options(plan.on)):
        value = plan.options.get(option.name, option.default)
        if value != option.default:
            words += [arguments.flag(option.name), str(value).lower() if isinstance(value, bool) else _told(value)]
    return shlex.join(words)


def _told(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, dict):
        return ",".join(f"{name}={_told(setting)}" for name, setting in value.items())
    return f"{value:g}" if isinstance(value, float) and value == float(f"{value:g}") else str(value)


_EXAMPLES: Final = """examples:
  splitbrain run --nemesis partition,kill --time-limit 60
  splitbrain run --on docker --nodes 5 --nemesis partition --target leader
  splitbrain run --on ssh --machines root@10.0.0.1,root@10.0.0.2,root@10.0.0.3 --nemesis kill
  splitbrain run --on local --nodes 3 --nemesis kill,pause
  splitbrain run --replication async --read follower --workload session
  splitbrain run plan.toml --seed 7
"""
