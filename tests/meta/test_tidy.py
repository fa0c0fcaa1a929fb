"""The house rules that a machine can hold: sizes, docstrings, names of files, and who imports whom.

Each rule is a function from a parsed file to the problems in it, one line each: file, line, what, and the limit.
The rules are themselves tested below, on files that break them.

Limits: an import is seen if it is an import statement, or a call of `import_module` or `__import__` on a literal.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("harness", "system_under_test", "checkers", "workloads", "reports")
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70

# What each room may import of the other rooms (ARCHITECTURE.md, "Rooms and who may import whom"); its own modules go
# without saying. A name stands for the module and all that it holds. Type-only imports count: they are a dependency of
# the reader.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "harness": (),
    "harness.cli": PACKAGES,
    "harness.testing": PACKAGES,
    "system_under_test": ("harness",),
    "checkers": (
        "harness.clock",
        "harness.errors",
        "harness.history",
        "harness.op",
        "harness.plan",
        "harness.result",
        "harness.verdict",
        "harness.memory",
        "harness.workers",
    ),
    "workloads": ("harness", "checkers"),
    "reports": (
        "checkers.protocol",
        "harness.clock",
        "harness.errors",
        "harness.history",
        "harness.matrix",
        "harness.op",
        "harness.plan",
        "harness.result",
        "harness.store",
        "harness.verdict",
    ),
}
# Who re-checks shares with who is checked only what an object is declared to be, and what is read off a history.
VERIFIERS = ("checkers.verify", "checkers.verifiers")
VERIFIERS_MAY_IMPORT = (
    *VERIFIERS,
    "checkers.models",
    "checkers.objects.calls",
    "checkers.tokens",
    "checkers.transactions.reading",
    "checkers.transactions.table",
)
# The command itself loads nothing but its words, so that `splitbrain --help` answers at once; a subcommand loads the
# harness' own light modules, and everything else inside the function that needs it.
FRONT_DOORS = ("harness.cli", "harness.testing")
COMMAND_AT_LOAD = ("harness.cli", "harness.errors")
SUBCOMMAND_AT_LOAD = ("harness", "msgspec")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DEPENDENCIES = frozenset(Requirement(text).name for text in PROJECT["dependencies"])


@dataclass(frozen=True)
class Import:
    """One module that a file imports: where, and whether that happens when the file is loaded."""

    module: str
    line: int
    at_load: bool


@dataclass(frozen=True)
class SourceFile:
    """A parsed Python file. `path` counts from the top of the project."""

    path: Path
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @property
    def module(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def lies_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def length_problems(source: SourceFile) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{source.path}:1: {lines} lines; a file has at most {FILE_LINES_MAX}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{source.path}:{node.lineno}: {node.name} has {length} lines; at most {FUNCTION_LINES_MAX}"


def naming_problems(source: SourceFile) -> Iterator[str]:
    if source.path.name == "utils.py":
        yield f"{source.path}:1: is called utils.py; a file is named after what it holds"
    if not (ast.get_docstring(source.tree) or "").strip():
        yield f"{source.path}:1: has no module docstring; say what the file is for"


def imports(source: SourceFile) -> list[Import]:
    """Every import of a file, in the order of its lines."""
    found: list[Import] = []
    package = source.module if source.path.name == "__init__.py" else source.module.rpartition(".")[0]

    def visit(node: ast.AST, at_load: bool) -> None:
        found.extend(Import(module, node.lineno, at_load) for module in imported_modules(node, package))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            at_load = False
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.body:
                visit(child, False)
            for child in node.orelse:
                visit(child, at_load)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, at_load)

    visit(source.tree, True)
    return sorted(found, key=lambda item: (item.line, item.module))


def imported_modules(node: ast.AST, package: str) -> list[str]:
    """The modules that one node imports. `from a import b` counts as `a.b`, for b may be a module."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([base] if base else [])])
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in ("import_module", "__import__") and isinstance(node.args[0].value, str):
            return [node.args[0].value]
    return []


def import_problems(source: SourceFile) -> Iterator[str]:
    door = next((door for door in FRONT_DOORS if lies_in(source.module, (door,))), None)
    room = door or source.module.partition(".")[0]
    for item in imports(source):
        where = f"{source.path}:{item.line}: imports {item.module}"
        top = item.module.partition(".")[0]
        if top not in PACKAGES:
            plugin = top == "pytest" and source.module == "harness.testing.pytest_plugin"  # pytest is what loads it
            if top not in sys.stdlib_module_names and top not in DEPENDENCIES and top != "__future__" and not plugin:
                yield f"{where}; neither the standard library nor a dependency that the project declares"
        elif lies_in(item.module, FRONT_DOORS) and room not in FRONT_DOORS:
            yield f"{where}; nothing imports the command"
        elif top != room.partition(".")[0] and not lies_in(item.module, MAY_IMPORT[room]):
            yield f"{where}; {room} may import {', '.join(MAY_IMPORT[room]) or 'no other room'}"
        elif top == "checkers" and lies_in(source.module, VERIFIERS) and not lies_in(item.module, VERIFIERS_MAY_IMPORT):
            yield f"{where}; a verifier shares nothing with what it re-checks"
        light = COMMAND_AT_LOAD if source.path.name == "__init__.py" else SUBCOMMAND_AT_LOAD
        heavy = top not in sys.stdlib_module_names and not lies_in(item.module, light)
        if room == "harness.cli" and item.at_load and heavy:
            yield f"{where} when it is loaded; import it inside the function that needs it, so that --help is quick"


RULES = (length_problems, naming_problems, import_problems)


def package_files() -> list[Path]:
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule) -> None:
    problems = []
    for path in package_files():
        problems += rule(SourceFile(path, (ROOT / path).read_text(encoding="utf-8")))
    assert not problems, "\n" + "\n".join(problems)


def test_tests_benchmarks_and_examples_keep_the_sizes_too() -> None:
    problems = []
    for folder in ("tests", "benchmarks", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            problems += length_problems(SourceFile(path.relative_to(ROOT), path.read_text(encoding="utf-8")))
    assert not problems, "\n" + "\n".join(problems)


def test_no_program_hides_a_package_of_its_name() -> None:
    """Python looks beside a program first: `examples/checkers` would be `checkers` to all its neighbours."""
    programs = [path for folder in ("benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")]
    beside = {neighbour for folder in {path.parent for path in programs} for neighbour in folder.iterdir()}
    assert len(programs) > 10 and not {path.stem for path in beside} & {*PACKAGES, *DEPENDENCIES}


def test_what_is_not_python_keeps_the_file_size_too() -> None:
    suffixes = {".js", ".css", ".html", ".sh", ".yml", ".conf", ""}
    sizes = {path: len(text.splitlines()) for path, text in project_texts() if path.suffix in suffixes}
    assert Path("reports/html/assets/main.js") in sizes and Path(".ci/run") in sizes
    assert {path: lines for path, lines in sizes.items() if lines > FILE_LINES_MAX} == {}


def test_no_two_test_files_share_a_name() -> None:
    # pytest imports them by it: the second of two is not collected, and only a run of everything would tell.
    files = sorted(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(set(files)) == len(files), [name for name in set(files) if files.count(name) > 1]


def test_every_package_is_looked_at() -> None:
    assert {path.parts[0] for path in package_files()} == set(PACKAGES)


def machine_paths() -> re.Pattern[str]:
    """Paths that exist on one machine only: this checkout and what lies beside it, and anybody's home."""
    here = [ROOT, ROOT.parent] if len(ROOT.parts) > 2 and ROOT.parts[1] not in ("tmp", "home", "root") else [ROOT]
    return re.compile("|".join([*(re.escape(f"{path}/") for path in here), r"/(?:home|Users)/[a-z][a-z0-9_-]*/"]))


def project_texts() -> Iterator[tuple[Path, str]]:
    suffixes = {".py", ".md", ".toml", ".yml", ".lock", ".html", ".js", ".css", ".sh", ".json", ".jsonl", ""}
    skipped = {"__pycache__", "store", "build", "dist"}
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        hidden = inside.parts[0].startswith(".") and inside.parts[0] not in (".ci", ".github")
        if hidden or skipped & set(inside.parts) or ".egg-info" in str(inside) or path.suffix not in suffixes:
            continue
        if path.is_file() and not path.is_symlink():
            yield inside, path.read_text(encoding="utf-8", errors="replace")


def found_in_texts(pattern: re.Pattern[str], said: str) -> list[str]:
    return [
        f"{path}:{number}: {said} {found.group()!r}"
        for path, text in project_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := pattern.search(line))
    ]


def test_nothing_names_a_path_of_one_machine() -> None:
    problems = found_in_texts(machine_paths(), "only one machine has")
    assert not problems, "\n" + "\n".join(problems)


# Put together, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")


def test_nothing_is_marked_as_unfinished() -> None:
    """What is not done is an issue, or a limit that a docstring states; a mark in the code is neither."""
    problems = found_in_texts(UNFINISHED, "is marked as unfinished:")
    assert not problems, "\n" + "\n".join(problems)


def test_an_unfinished_mark_is_caught() -> None:
    assert UNFINISHED.search("# TO" + "DO: later")
    assert not UNFINISHED.search("mktemp " + "X" * 6)


LONG_FUNCTION = '"""Long."""\n\n\ndef drawn_out():\n' + "    pass\n" * FUNCTION_LINES_MAX

BROKEN = {
    "a file too long": (length_problems, "checkers/long.py", '"""Long."""\n' * 601, ":1: 601 lines"),
    "a function too long": (length_problems, "checkers/long.py", LONG_FUNCTION, ":4: drawn_out has 71 lines"),
    "a drawer for everything": (naming_problems, "harness/utils.py", '"""Things."""', "is called utils.py"),
    "no docstring": (naming_problems, "harness/op.py", "x = 1", "no module docstring"),
    "an empty docstring": (naming_problems, "harness/op.py", '"""  """', "no module docstring"),
    "harness on checkers": (import_problems, "harness/op.py", "import checkers.model", ":1: imports checkers.model"),
    "from the top": (import_problems, "harness/op.py", "from reports import html", "imports reports.html"),
    "hidden in a function": (import_problems, "harness/op.py", "def f():\n  import workloads", ":2: imports workloads"),
    "for types only": (import_problems, "harness/op.py", "if TYPE_CHECKING:\n  import reports", ":2: imports reports"),
    "by name": (import_problems, "harness/op.py", "importlib.import_module('checkers')", "imports checkers"),
    "checkers on the interpreter": (
        import_problems,
        "checkers/x.py",
        "from harness.interpreter import run",
        "checkers may import harness.clock",
    ),
    "checkers on all of harness": (import_problems, "checkers/x.py", "import harness", "imports harness;"),
    "a verifier on what it re-checks": (
        import_problems,
        "checkers/verifiers/sessions.py",
        "from checkers.sessions.order import ordered",
        "shares nothing",
    ),
    "reports on a workload": (import_problems, "reports/x.py", "from workloads import register", "imports workloads"),
    "a system on a checker": (import_problems, "system_under_test/x/y.py", "import checkers", "imports checkers"),
    "on the command": (import_problems, "harness/op.py", "from .cli import main", "nothing imports the command"),
    "undeclared package": (import_problems, "harness/op.py", "import yaml", "imports yaml; neither"),
    "eager command": (import_problems, "harness/cli/run.py", "import reports.html", "when it is loaded"),
    "eager dependency": (
        import_problems,
        "harness/cli/run.py",
        "from rich.console import Console",
        "when it is loaded",
    ),
    "eager harness": (import_problems, "harness/cli/__init__.py", "from harness.op import Op", "when it is loaded"),
}


@pytest.mark.parametrize(("rule", "path", "text", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_rule_is_caught(rule, path: str, text: str, said: str) -> None:
    problems = list(rule(SourceFile(Path(path), text)))
    assert len(problems) == 1
    assert problems[0].startswith(path)
    assert said in problems[0]


KEPT = {
    "the longest file": (length_problems, "checkers/long.py", '"""Long."""\n' * FILE_LINES_MAX),
    "the longest function": (length_problems, "checkers/long.py", LONG_FUNCTION.removesuffix("    pass\n")),
    "own room, relative": (import_problems, "harness/history/reader.py", "from ..op import Op\nfrom .header import H"),
    "own room, from its top": (import_problems, "harness/history/__init__.py", "from .history import History"),
    "checkers on histories": (import_problems, "checkers/x.py", "from harness.history import History\nimport numpy"),
    "a verifier on declarations": (import_problems, "checkers/verifiers/x.py", "from checkers.models import Model"),
    "a name from a module": (import_problems, "checkers/x.py", "from harness import op, verdict"),
    "the command, lazily": (import_problems, "harness/cli/run.py", "def run():\n    import reports.html, rich"),
    "a subcommand on the harness": (import_problems, "harness/cli/run.py", "import msgspec\nfrom harness.op import Op"),
    "the command, for types": (import_problems, "harness/cli/run.py", "if TYPE_CHECKING:\n    import rich"),
    "the command's own parts": (import_problems, "harness/cli/run.py", "from . import words\nfrom ..errors import E"),
}


@pytest.mark.parametrize(("rule", "path", "text"), KEPT.values(), ids=KEPT.keys())
def test_what_is_allowed_is_let_through(rule, path: str, text: str) -> None:
    assert list(rule(SourceFile(Path(path), text))) == []


def test_a_path_of_one_machine_is_caught() -> None:
    assert machine_paths().search(f"see {ROOT}/notes.txt")
    assert machine_paths().search("/" + "home/ada/notes.txt")
    assert not machine_paths().search("/root/.ssh/authorized_keys, /var/lib/node, ../shared/corpus")
