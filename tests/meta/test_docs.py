"""The documents say what is true: commands exit as written, options and targets exist, code is code that runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import documents
import pytest
from documents import ROOT, Command

from harness.cli.suites import models
from harness.history import Header
from harness.op import Op
from harness.verdict import EXIT_CODES

SPLITBRAIN = (sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())")
COMMAND_S = 180
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def desk(tmp_path: Path, tickets: Path) -> tuple[Path, dict[str, str]]:
    """An empty folder with the examples in it, and an environment in which the plug-in is installed."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    told = {"SPLITBRAIN_SEED": "1", "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(tickets)}
    return tmp_path, dict(os.environ) | told


def run(command: Command, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*SPLITBRAIN, *command.words[1:]],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
    )
    told = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert done.returncode == command.exit_code, f"{command} exits {done.returncode}, not {command.exit_code}:\n{told}"
    assert "Traceback" not in done.stderr, f"{command} shows a traceback:\n{told}"
    if command.exit_code == 254:
        assert len(done.stderr.strip().splitlines()) == 1, f"{command}: wanted one sentence:\n{done.stderr}"


def typed(page: Path, *, docker: bool) -> list[Command]:
    """The commands of a page that need Docker, or those that do not."""
    return [command for command in documents.commands(page, "splitbrain") if ("docker" in command.needs) == docker]


@pytest.mark.parametrize("page", [page for page in documents.pages() if typed(page, docker=False)], ids=str)
def test_the_commands_of_a_page_exit_as_it_says(page: Path, desk: tuple[Path, dict[str, str]]) -> None:
    for command in typed(page, docker=False):
        run(command, *desk)


@pytest.mark.docker
def test_the_commands_that_need_docker_exit_as_the_page_says(desk: tuple[Path, dict[str, str]]) -> None:
    for page in documents.pages():
        for command in typed(page, docker=True):
            run(command, *desk)


def test_the_readme_has_commands_for_both_grounds() -> None:
    for docker in (False, True):
        said = "that needs Docker" if docker else "that needs no Docker"
        assert typed(Path("README.md"), docker=docker), f"README.md shows no `$ splitbrain …` {said} in a fenced block"


def test_only_known_programs_are_typed() -> None:
    """A line that nobody runs is a line that rots."""
    for page in documents.pages():
        for command in documents.typed_lines(str(page), documents.text(page)):
            assert command.words[0] in ("splitbrain", "make"), f"{command}: neither splitbrain nor make"
            assert not set(command.words) & {"|", ">", ">>", "<", "&&", ";"}, f"{command}: needs a shell"


def test_every_target_of_make_that_is_named_exists() -> None:
    for page in documents.pages():
        typed = {command.words[1] for command in documents.commands(page, "make")}
        named = {m[1] for code in documents.spans(documents.text(page)) if (m := re.match(r"make ([a-z]+)\b", code))}
        assert typed | named <= TARGETS, f"{page}: the Makefile lacks {sorted((typed | named) - TARGETS)}"


# ── options ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def options(tickets: Path) -> set[str]:
    """Every option of every subcommand, of every workload's and every ground's `run` too."""
    from harness.cli import COMMANDS

    points = PROJECT["project"]["entry-points"]
    runs = [["run", "--workload", name] for name in points["splitbrain.workloads"]]
    runs += [["run", "--on", name] for name in points["splitbrain.grounds"]]
    found = {"--help", "--version", "--debug"}
    for words in [*([name] for name in COMMANDS), *runs]:
        done = subprocess.run(
            [*SPLITBRAIN, *words, "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "COLUMNS": "200"},
        )
        assert done.returncode == 0, f"splitbrain {' '.join(words)} --help exits {done.returncode}: {done.stderr}"
        found |= set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*", done.stdout))
    return found


def options_named(source: str) -> set[str]:
    """Options in code spans that are options, or commands of ours, and in lines that a reader types."""
    codes = [code for code in documents.spans(source) if code.startswith(("--", "splitbrain "))]
    codes += [
        " ".join(command.words) for command in documents.typed_lines("", source) if command.words[0] == "splitbrain"
    ]
    return {option for code in codes for option in re.findall(r"(?<![\w-])--[a-z][a-z_-]*", code)}


# An option of the example that a page makes up, to show how one comes about.
MADE_UP = {Path("docs/writing-a-workload.md"): {"--counters"}}


@pytest.mark.parametrize("page", documents.pages(), ids=str)
def test_every_option_that_is_named_exists(page: Path, options: set[str]) -> None:
    named = options_named(documents.text(page)) - MADE_UP.get(page, set())
    assert named <= options, f"{page}: there is no {', '.join(sorted(named - options))}"


def test_an_option_that_does_not_exist_is_caught() -> None:
    source = (
        "See `--nonesuch`, `splitbrain run --neither` and `pip --fine`.\n\n```console\n$ splitbrain run --nor\n```\n"
    )
    assert options_named(source) == {"--nonesuch", "--neither", "--nor"}


# ── links, code and tables ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", documents.pages(), ids=str)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    for target in documents.links(documents.text(page)):
        if "://" not in target and not target.startswith(("#", "mailto:")):
            place = (ROOT / page).parent / target.partition("#")[0]
            assert place.exists(), f"{page}: {target} is not there"
            assert place.resolve().is_relative_to(ROOT), f"{page}: {target} leads out of the project"


def test_the_index_names_every_page_of_docs() -> None:
    named = {target.partition("#")[0] for target in documents.links(documents.text(Path("docs/README.md")))}
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*") if path.is_file()}
    assert pages - {"README.md"} <= named


def example_sources() -> list[str]:
    suffixes = {".py", ".toml"}
    return [path.read_text(encoding="utf-8") for path in (ROOT / "examples").rglob("*") if path.suffix in suffixes]


@pytest.mark.parametrize("page", documents.pages(), ids=str)
def test_code_in_the_documents_is_taken_from_the_examples(page: Path) -> None:
    """So it is linted and run with them."""
    for line, language, body in documents.blocks(documents.text(page)):
        if language in ("python", "toml"):
            assert any(body.strip() in source for source in example_sources()), f"{page}:{line}: is in no example"


def table(source: str, heading: str) -> list[list[str]]:
    """Cells of the first table whose first row begins with this heading; the rows below it."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in source.splitlines() if "|" in line
    ]
    start = next(i for i, row in enumerate(rows) if row[0] == heading)
    width = len(rows[start])
    below = rows[start + 2 :]
    end = next((i for i, row in enumerate(below) if len(row) != width or row[0].startswith("---")), len(below))
    return below[:end]


def test_the_exit_codes_are_those_of_the_code() -> None:
    rows = table(documents.text(Path("docs/exit-codes.md")), "code")
    told = {row[1].strip("`"): int(row[0]) for row in rows if row[1]}
    assert told == EXIT_CODES


def test_every_field_of_a_history_is_explained() -> None:
    source = documents.text(Path("docs/histories.md"))
    explained = set(documents.spans(source))
    assert set(Header.__struct_fields__) | set(Op.__struct_fields__) <= explained
    assert set(models()) <= explained


def test_the_changelog_has_the_version() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", documents.text(Path("CHANGELOG.md")), re.MULTILINE)
    assert PROJECT["project"]["version"] in headings
