"""Every dependency has a use and a reason."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import documents
import pytest
from documents import ROOT
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TO_RUN = {Requirement(text).name for text in PROJECT["project"]["dependencies"]}
TO_DEVELOP = {Requirement(text).name for text in PROJECT["project"]["optional-dependencies"]["dev"]}
TO_BUILD = {Requirement(text).name for text in PROJECT["build-system"]["requires"]}
PACKAGES = ("harness", "system_under_test", "checkers", "workloads", "reports")


def documented(heading: str) -> dict[str, str]:
    """Name → reason, from the table below a heading of docs/dependencies.md."""
    source = documents.text(Path("docs/dependencies.md"))
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", source, re.MULTILINE | re.DOTALL)
    assert section, f"docs/dependencies.md has no section {heading!r}"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section[1].splitlines() if "|" in line]
    return {name: reason for name, _, reason in rows[2:]}


@pytest.mark.parametrize(
    ("heading", "declared"), [("To run", TO_RUN), ("To develop", TO_DEVELOP), ("To build", TO_BUILD)], ids=str
)
def test_every_dependency_has_its_reason(heading: str, declared: set[str]) -> None:
    reasons = documented(heading)
    assert set(reasons) == declared
    assert all(len(reason) > 10 for reason in reasons.values())


def imported() -> set[str]:
    """Top-level modules that the five packages import anywhere."""
    found: set[str] = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def test_every_dependency_to_run_is_used() -> None:
    assert imported() >= TO_RUN, f"declared, and imported nowhere: {sorted(TO_RUN - imported())}"
