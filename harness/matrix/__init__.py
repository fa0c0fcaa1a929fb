"""What a system promises, held against what runs of it show: the pure part of `splitbrain matrix`.

- `promise`  the seam: a system that says what it promises, row by row and statement by statement;
- `cells`    which (configuration, faults, workload) to run, so that every pair of choices is met;
- `figures`  what one run showed, in numbers;
- `table`    predicted against observed.
"""

from harness.matrix.cells import Cell, Narrowed, covering, named_cells
from harness.matrix.figures import Figures, measure
from harness.matrix.promise import Promise, Promises, Promising, Scenario, Statement
from harness.matrix.table import Observation, Row, RunReport, Shown, State, Table, row_of, state_of

__all__ = [
    "Cell",
    "Figures",
    "Narrowed",
    "Observation",
    "Promise",
    "Promises",
    "Promising",
    "Row",
    "RunReport",
    "Scenario",
    "Shown",
    "State",
    "Statement",
    "Table",
    "covering",
    "measure",
    "named_cells",
    "row_of",
    "state_of",
]
