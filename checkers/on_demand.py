"""Packages whose names are imported when somebody asks for them, so that one checker does not cost all the others.

    if TYPE_CHECKING:
        from checkers.objects.counter import Counter
    else:
        __getattr__ = names_on_demand(__name__, {"Counter": "counter"})

`from checkers.objects import Counter` imports `checkers.objects.counter` then, and nothing else of the package. A
command that judges a small file spends most of its time with imports.

Limits: an import that fails does so where the name is first used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names_on_demand(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A `__getattr__` for a package (PEP 562). `homes`: of each name, the module of the package that has it."""

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, found)
        return found

    return find
