"""Models: what an object is. `model("queue")` finds one by name, our own or anybody's.

[project.entry-points."splitbrain.models"]
bounded-queue = "my_package.models:BOUNDED_QUEUE"
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from checkers.models.model import IMPOSSIBLE, UNKNOWN, Model, observation, shown
from checkers.objects.calls import Call
from checkers.tokens import frozen
from harness.errors import PlanError, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "IMPOSSIBLE",
    "UNKNOWN",
    "Call",
    "Model",
    "frozen",
    "is_model",
    "model",
    "model_names",
    "observation",
    "shown",
]

_OURS: Final = ("checkers.models.registers", "checkers.models.collections")
"""Where our own are, which need no look at what is installed: that takes as long as judging a small history."""


def model_names() -> list[str]:
    """The names of all models, sorted."""
    return sorted(_entries())


def is_model(name: str) -> bool:
    """Whether there is a model of a name."""
    return name in _own_models() or name in _entries()


def model(name: str) -> Model:
    """The model of a name.

    Raises:
        PlanError: nobody registered it (with the nearest name), or it cannot be loaded.
    """
    return _own_models().get(name) or _registered(name)


@cache
def _own_models() -> dict[str, Model]:
    found = [thing for home in _OURS for thing in vars(import_module(home)).values()]
    return {thing.name: thing for thing in found if isinstance(thing, Model)}


def _registered(name: str) -> Model:
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
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="splitbrain.models")}
