"""Models: what an object is. `model("queue")` finds one by name, our own or anybody's.

[project.entry-points."splitbrain.models"]
bounded-queue = "my_package.models:BOUNDED_QUEUE"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from checkers.models.model import IMPOSSIBLE, UNKNOWN, Model, frozen, observation, shown
from checkers.objects.calls import Call
from harness.errors import PlanError, nearest

__all__ = ["IMPOSSIBLE", "UNKNOWN", "Call", "Model", "frozen", "model", "model_names", "observation", "shown"]


def model_names() -> list[str]:
    """The names of all models, sorted."""
    return sorted(_entries())


def model(name: str) -> Model:
    """The model of a name.

    Raises:
        PlanError: nobody registered it (with the nearest name), or it cannot be loaded.
    """
    entry = _entries().get(name)
    if entry is None:
        raise PlanError(f"There is no model {name!r}.{nearest(name, model_names())}")
    try:
        found = entry.load()
    except (ImportError, AttributeError) as error:
        raise PlanError(f"The model {name!r} ({entry.value}) cannot be loaded: {error}.") from error
    if not isinstance(found, Model):
        raise PlanError(f"The model {name!r} ({entry.value}) is no Model.")
    return found


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="splitbrain.models")}
