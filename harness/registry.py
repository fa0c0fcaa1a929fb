"""Finding plug-ins by name: systems, workloads, nemeses, checkers, models, reports and grounds are entry points.

A plug-in is one file and one line in its package's metadata:

    [project.entry-points."splitbrain.workloads"]
    bank = "my_package.bank:WORKLOAD"
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from harness.errors import PlanError, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS: Final = ("systems", "workloads", "nemeses", "checkers", "models", "reports", "grounds")


def names(group: str) -> list[str]:
    """All names in a group, sorted."""
    return sorted(_entries(group))


def load(group: str, name: str) -> Any:
    """The object behind a name.

    Raises:
        PlanError: nobody registered it (with the nearest name), or its module cannot be imported.
    """
    entries = _entries(group)
    if name not in entries:
        raise PlanError(f"There is no {_singular(group)} {name!r}.{nearest(name, entries)}")
    try:
        return entries[name].load()
    except (ImportError, AttributeError) as error:
        raise PlanError(
            f"The {_singular(group)} {name!r} ({entries[name].value}) cannot be loaded: {error}."
        ) from error


@cache  # reading the metadata of everything installed takes milliseconds, and a run asks several times
def _entries(group: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    assert group in GROUPS, group
    return {entry.name: entry for entry in entry_points(group=f"splitbrain.{group}")}


def _singular(group: str) -> str:
    return {"nemeses": "nemesis"}.get(group, group.removesuffix("s"))
