"""`@simulate`: a test that is run over many seeds; see `harness.testing.pytest_plugin`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

MARK = "splitbrain_simulation"


@dataclass(frozen=True)
class Simulation:
    """What a test asks for: a plan as data, instead of which system and workload, and how many seeds."""

    data: dict[str, Any]
    system: Any
    workload: Any
    seeds: int | None
    first_seed: int


def simulate(
    *, system: Any = None, workload: Any = None, seeds: int | None = None, first_seed: int = 1, **plan: Any
) -> Callable[[F], F]:
    """Run the test once for each seed; it is handed what the run came to, as `judged`.

    Args:
        system, workload: registered names, or objects of your own.
        seeds: how many; None: as many as `--splitbrain-seeds` says. The flag, when given, wins.
        plan: fields of a plan: nodes, nemesis, rate, time_limit_s, options, ...
    """
    for name, value in (("system", system), ("workload", workload)):
        if isinstance(value, str):
            plan[name] = value
    chosen = Simulation(
        plan,
        None if isinstance(system, str) else system,
        None if isinstance(workload, str) else workload,
        seeds,
        first_seed,
    )

    def mark(test: F) -> F:
        setattr(test, MARK, chosen)
        return test

    return mark
