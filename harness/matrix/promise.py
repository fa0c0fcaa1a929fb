"""The seam between a system that says what it promises and the table that holds it to that.

A promise is a pure function of the configuration (switch by switch), of the kinds of fault, and of the guarantee. It
either holds, and then one broken run is a bug; or it may break, and then seeing it break is what was announced.

    promises.promise({"replication": "async", ...}, frozenset({"partition"}), "durability")
    Promise(holds=False, reason="what only a deposed leader has is cut off when it follows the next one")

A statement is a sentence about the system that figures of a few named scenarios show, such as "asynchronous replication
is fastest".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import msgspec

from harness.matrix.figures import Figures
from harness.plan import Setting
from harness.protocols import Option

Configuration = Mapping[str, Setting]
"""Switches of the system by name; those of no dimension keep their defaults."""
Faults = frozenset[str]
"""Kinds of fault that may occur; empty: none does."""


class Promise(msgspec.Struct, frozen=True):
    """Whether a guarantee holds, and why or why not, in one sentence."""

    holds: bool
    reason: str


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A named row of the table, with the settings that show best what it is about.

    Attributes:
        name: of the row; workload: registered name; configuration: as of a cell, every dimension filled in.
        faults: kinds; settings: fields of the plan other than these (`target`, `nodes`, `duration_s`, ...).
        options: switches of the system that are no dimension.
        docker: whether it belongs to the few that are run on containers.
    """

    name: str
    workload: str
    configuration: dict[str, Setting]
    faults: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    options: dict[str, Setting] = {}
    docker: bool = False


@dataclass(frozen=True)
class Statement:
    """A sentence that scenarios show.

    Attributes:
        sentence: what is said of the system.
        scenarios: names of the rows whose figures it is about.
        judge: from the figures of each of these to whether they show it, and what they are, in words.
    """

    sentence: str
    scenarios: tuple[str, ...]
    judge: Callable[[Mapping[str, Figures]], tuple[bool, str]]


class Promises(Protocol):
    """Everything that a system promises."""

    @property
    def dimensions(self) -> Mapping[str, Sequence[Setting]]:
        """The switches that matter, each with its values, safest first."""

    @property
    def workloads(self) -> Sequence[str]:
        """Names of the workloads whose checkers judge the guarantees."""

    @property
    def guarantees(self) -> Sequence[str]:
        """Names of the guarantees, which are those of the checkers that judge them."""

    @property
    def faults(self) -> Sequence[Faults]:
        """The kinds of fault, alone and together, none first."""

    @property
    def scenarios(self) -> Sequence[Scenario]:
        """The named rows."""

    @property
    def statements(self) -> Sequence[Statement]:
        """What the named rows show."""

    def possible(self, configuration: Configuration) -> bool:
        """Whether the system starts with these switches, and they mean something together."""

    def promise(self, configuration: Configuration, faults: Faults, guarantee: str) -> Promise:
        """Whether the guarantee holds."""


@runtime_checkable
class Promising(Protocol):
    """A system that says what it promises."""

    @property
    def options(self) -> tuple[Option, ...]:
        """Its switches, as of `harness.protocols.System`."""

    @property
    def promises(self) -> Promises:
        """All of it."""
