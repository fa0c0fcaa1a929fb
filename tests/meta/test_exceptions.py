"""Exceptions from rules: a test is left out only by a mark that tests/conftest.py knows, an ignored rule says why.

A skipped test that nobody sees is a promise that nobody tests; so tests mark what they need (`docker`, `browser`, ...),
and one place decides, says why, and fails where the need is required.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import ROOT

LEAVES_OUT = {
    "pytest.skip",
    "pytest.xfail",
    "pytest.importorskip",
    "pytest.mark.skip",
    "pytest.mark.skipif",
    "pytest.mark.xfail",
    "unittest.skip",
    "unittest.skipIf",
    "unittest.skipUnless",
    "unittest.SkipTest",
    "unittest.expectedFailure",
}
IMPORTED_AS = {"pytest": {"skip", "xfail", "importorskip", "mark"}, "unittest": {"skip", "SkipTest", "expectedFailure"}}
IGNORES = re.compile(r"#\s*(?P<what>noqa|type:\s*ignore)\b(?P<codes>:?\s*[A-Z0-9, ]*\d|\[[^\]]*\])?(?P<why>.*)")
REASON_LETTERS_MIN = 6
FOLDERS = ("harness", "system_under_test", "checkers", "workloads", "reports", "tests", "benchmarks", "examples")


def ways_out(text: str) -> Iterator[str]:
    """Where a test file leaves a test out by itself."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in LEAVES_OUT:
            yield f"{node.lineno}: {name}"
        if isinstance(node, ast.ImportFrom) and (names := IMPORTED_AS.get(node.module or "")):
            yield from (f"{node.lineno}: {node.module}.{item.name}" for item in node.names if item.name in names)


def ignores_without_reason(text: str) -> Iterator[str]:
    """Comments that switch a rule off and do not name it, or that are its first in the file and give no reason."""
    met: set[str] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        found = IGNORES.search(token.string) if token.type == tokenize.COMMENT else None
        if found is None:
            continue
        if not found["codes"]:
            yield f"{token.start[0]}: {token.string}: names no rule"
            continue
        if found["codes"] not in met and len(re.findall(r"[A-Za-z]", found["why"])) < REASON_LETTERS_MIN:
            yield f"{token.start[0]}: {token.string}: gives no reason"
        met.add(found["codes"])


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_only_the_conftest_of_all_tests_leaves_tests_out() -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{problem}"
        for path in python_files("tests")
        if path != ROOT / "tests" / "conftest.py"
        for problem in ways_out(path.read_text(encoding="utf-8"))
    ]
    assert not problems, "mark what the test needs (see tests/README.md) instead of:\n" + "\n".join(problems)


def test_every_ignored_rule_says_which_and_why() -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{problem}"
        for path in python_files(*FOLDERS)
        for problem in ignores_without_reason(path.read_text(encoding="utf-8"))
    ]
    assert not problems, "\n".join(problems)


def test_every_rule_that_is_ignored_for_all_says_why() -> None:
    source = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = re.search(r"^ignore = \[\n(.*?)^\]", source, re.MULTILINE | re.DOTALL)
    per_file = re.search(r"^\[tool\.ruff\.lint\.per-file-ignores\]\n(.*?)(?=^\[|\Z)", source, re.MULTILINE | re.DOTALL)
    assert ignored and per_file
    for line in [*ignored[1].splitlines(), *per_file[1].splitlines()]:
        assert not line.strip() or re.search(r"# .{6,}", line), f"pyproject.toml: no reason behind: {line.strip()}"


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\n@pytest.mark.skip\ndef test(): pass",
        "import pytest\n@pytest.mark.skipif(True, reason='no')\ndef test(): pass",
        "import pytest\npytestmark = [pytest.mark.xfail(strict=True)]",
        "import pytest\ndef test(): pytest.skip('no mood')",
        "import pytest\nnumpy = pytest.importorskip('numpy')",
        "from pytest import skip",
        "from pytest import mark",
        "import unittest\ndef test(): raise unittest.SkipTest",
    ],
)
def test_a_way_out_is_caught(text: str) -> None:
    assert len(list(ways_out(text))) == 1


def test_a_mark_that_names_a_need_is_no_way_out() -> None:
    assert list(ways_out("import pytest\npytestmark = pytest.mark.docker\n'pytest.skip'")) == []


@pytest.mark.parametrize(
    ("comment", "problems"),
    [
        ("noqa", 1),
        ("noqa: S101", 1),
        ("type: ignore", 1),
        ("type: ignore[assignment]", 1),
        ("noqa: S101 - no", 1),
        ("noqa: S101 - the log", 0),
        ("noqa: S101, T201 (told by the class)", 0),
        ("type: ignore[assignment]  # hides tuple.index", 0),
        ("says that noqa is for the lazy", 0),
    ],
)
def test_an_ignore_without_a_reason_is_caught(comment: str, problems: int) -> None:
    assert len(list(ignores_without_reason(f"x = 1  # {comment}\n"))) == problems


def test_one_reason_is_enough_for_the_same_rule_in_one_file() -> None:
    text = "x = 1  # type: ignore[arg-type]  # the stubs know less\ny = 2  # type: ignore[arg-type]\n"
    assert list(ignores_without_reason(text)) == []
    assert len(list(ignores_without_reason(text + "z = 3  # type: ignore[misc]\n"))) == 1
