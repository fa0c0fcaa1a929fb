"""Which (configuration, faults, workload) to run: few rows in which every pair of choices is met.

All rows are thousands, and most say what others say. Faults of a system mostly take two choices to show (Kuhn, Wallace
and Gallo 2004), so a table is enough in which

- every pair of values of two dimensions that can stand together does so in some row;
- every such pair of which there is a row whose promises all hold does so in one of those too: a row with one broken
  part cannot show that the other parts are whole;
- every reason that the promises give for a guarantee is met in some row.

Chosen greedily: the row that meets most of what is left, the first of several. So equal promises give equal tables.

    covering(promises, {"register": ("linearizability", "durability")})
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import msgspec

from harness.matrix.promise import Configuration, Faults, Promise, Promises, Scenario, Statement
from harness.plan import Setting
from harness.protocols import Option


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table: what is run, under which faults.

    Attributes:
        name: of a named row, else "".
        workload: registered name; guarantees: those that its checkers judge.
        configuration: value of every dimension; faults: kinds, sorted.
        settings: fields of the plan that the row wants otherwise than the table's; options: switches likewise.
        promises: guarantee → what the system promises there.
    """

    name: str = ""
    workload: str
    configuration: dict[str, Setting]
    faults: tuple[str, ...] = ()
    settings: dict[str, Any] = {}
    options: dict[str, Setting] = {}
    promises: dict[str, Promise] = {}

    @property
    def guarantees(self) -> tuple[str, ...]:
        """In the order of the table."""
        return tuple(self.promises)

    def described(self, usual: Mapping[str, Setting]) -> str:
        """What of the configuration is not as usual, in words."""
        words = [_switch(name, value) for name, value in self.configuration.items() if usual.get(name) != value]
        return " ".join(words) or "all as usual"

    def faults_told(self) -> str:
        """The faults, in words."""
        return "+".join(self.faults) or "none"


@dataclass(frozen=True)
class Narrowed:
    """Implements `Promises`: what another one promises, as far as it can be run here.

    Attributes:
        whole: the promises; dimensions, faults: those of their values and faults that exist here.
    """

    whole: Promises
    dimensions: Mapping[str, Sequence[Setting]]
    faults: Sequence[Faults]

    @classmethod
    def to(cls, whole: Promises, options: Sequence[Option], kinds: Collection[str]) -> Narrowed:
        """To the values that the system's switches have, and to faults of these kinds."""
        choices = {option.name: option.choices or (True, False) for option in options}
        dimensions = {
            name: tuple(value for value in values if value in choices[name])
            for name, values in whole.dimensions.items()
            if name in choices
        }
        return cls(whole, dimensions, tuple(faults for faults in whole.faults if faults <= set(kinds)))

    @property
    def workloads(self) -> Sequence[str]:
        """As of the whole."""
        return self.whole.workloads

    @property
    def guarantees(self) -> Sequence[str]:
        """As of the whole."""
        return self.whole.guarantees

    @property
    def scenarios(self) -> Sequence[Scenario]:
        """As of the whole."""
        return self.whole.scenarios

    @property
    def statements(self) -> Sequence[Statement]:
        """As of the whole."""
        return self.whole.statements

    def possible(self, configuration: Configuration) -> bool:
        """As of the whole."""
        return self.whole.possible(configuration)

    def promise(self, configuration: Configuration, faults: Faults, guarantee: str) -> Promise:
        """As of the whole."""
        return self.whole.promise(configuration, faults, guarantee)


def covering(promises: Promises, judged: Mapping[str, Sequence[str]]) -> list[Cell]:
    """Rows that meet every pair and every reason; `judged` names the guarantees that each workload judges."""
    cells = list(_all_cells(promises, judged))
    numbers: dict[Any, int] = {}
    masks = [_mask(cell, numbers) for cell in cells]
    left = (1 << len(numbers)) - 1
    chosen: list[int] = []
    while left:
        best = max(range(len(cells)), key=lambda place: (masks[place] & left).bit_count())
        assert masks[best] & left, "every target comes from a cell"
        chosen.append(best)
        left &= ~masks[best]
    return [cells[place] for place in sorted(chosen)]


def named_cells(promises: Promises, judged: Mapping[str, Sequence[str]]) -> list[Cell]:
    """The named rows, as far as their switches and faults exist."""
    known = {name: set(values) for name, values in promises.dimensions.items()}
    kinds = {kind for faults in promises.faults for kind in faults}
    return [
        msgspec.structs.replace(
            cell_of(promises, judged[scenario.workload], scenario.workload, scenario.configuration, scenario.faults),
            name=scenario.name,
            settings=scenario.settings,
            options=scenario.options,
        )
        for scenario in promises.scenarios
        if kinds.issuperset(scenario.faults)
        and all(value in known.get(name, ()) for name, value in scenario.configuration.items())
    ]


def cell_of(
    promises: Promises,
    guarantees: Sequence[str],
    workload: str,
    configuration: Mapping[str, Setting],
    faults: Sequence[str],
) -> Cell:
    """A cell with what is promised there."""
    kinds = frozenset(faults)
    return Cell(
        workload=workload,
        configuration=dict(configuration),
        faults=tuple(sorted(kinds)),
        promises={guarantee: promises.promise(configuration, kinds, guarantee) for guarantee in guarantees},
    )


def _all_cells(promises: Promises, judged: Mapping[str, Sequence[str]]) -> Iterator[Cell]:
    names = list(promises.dimensions)
    for values in product(*promises.dimensions.values()):
        configuration = dict(zip(names, values, strict=True))
        if not promises.possible(configuration):
            continue
        for faults, (workload, guarantees) in product(promises.faults, judged.items()):
            yield cell_of(promises, guarantees, workload, configuration, sorted(faults))


def _mask(cell: Cell, numbers: dict[Any, int]) -> int:
    """The targets that a cell meets, as bits; a target that was not met before gets the next bit."""
    choices = [*cell.configuration.items(), ("faults", cell.faults), ("workload", cell.workload)]
    targets: list[Any] = list(combinations(choices, 2))
    if all(promise.holds for promise in cell.promises.values()):
        targets += [("holds", pair) for pair in targets]
    targets += [(guarantee, promise.reason) for guarantee, promise in cell.promises.items()]
    mask = 0
    for target in targets:
        mask |= 1 << numbers.setdefault(target, len(numbers))
    return mask


def _switch(name: str, value: Setting) -> str:
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"
