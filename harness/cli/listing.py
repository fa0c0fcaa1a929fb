"""`splitbrain list`: what there is to choose from, and which runs are stored."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness import registry
from harness.cli.arguments import Parser
from harness.errors import UsageError
from harness.store import Run, default_store

THINGS: Final = ("systems", "workloads", "nemeses", "checkers", "models", "grounds", "runs")


def main(argv: Sequence[str]) -> int:
    """Print a table; returns 0."""
    parser = Parser(prog="splitbrain list", description="What there is to choose from, and which runs are stored.")
    parser.add_argument("what", choices=THINGS)
    parser.add_argument("--store", type=Path, help="where runs are kept (default: $SPLITBRAIN_STORE, else ./store)")
    given = parser.parse_args(argv)
    rows = _runs(given.store or default_store()) if given.what == "runs" else _plugins(given.what)
    width = max((len(row[0]) for row in rows), default=0)
    for name, told in rows:
        sys.stdout.write(f"{name:<{width}}  {told}".rstrip() + "\n")
    return 0


def _plugins(group: str) -> list[tuple[str, str]]:
    return [(name, _summary(registry.load(group, name))) for name in registry.names(group)]


def _summary(plugin: object) -> str:
    text = getattr(plugin, "summary", "") or (plugin.__doc__ or "")
    return text.strip().splitlines()[0] if text.strip() else ""


def _runs(store: Path) -> list[tuple[str, str]]:
    """Stored runs, newest last."""
    folders = [plan.parent for plan in store.glob("*/*/plan.json") if not plan.parent.is_symlink()]
    return [(str(folder), _told(Run(folder))) for folder in sorted(folders, key=lambda folder: folder.name)]


def _told(run: Run) -> str:
    try:
        result = run.result()
    except UsageError:
        return "no verdict: the run was cut off; `splitbrain check` judges what there is"
    return f"{result.outcome:<12} {result.counts.operations:>7} ops  seed {result.plan.get('seed')}  {result.headline}"
