"""The project's documents as data: pages, code blocks, code spans, links and the commands that a reader may type.

A line of a fenced block that begins with `$ splitbrain` is a command. A comment behind it may say, with commas between:

    exits N        the exit code that it should have; 0 when not said
    docker         it needs a Docker engine
    with tickets   it needs the plug-in of examples/tickets

Anything else in the comment is for the reader. The commands of one page build on each other, in order.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`(?P<code>[^`\n]+)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
COMMAND = re.compile(r"^\$ (?P<command>.*?)(?:\s+#\s+(?P<comment>.*))?$")


@dataclass(frozen=True)
class Command:
    """One line that a reader may type.

    Attributes:
        page, line: where it stands; words: the command; exit_code: what it should give.
        needs: of "docker" and "tickets".
    """

    page: str
    line: int
    words: tuple[str, ...]
    exit_code: int
    needs: frozenset[str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {shlex.join(self.words)}"


def pages() -> list[Path]:
    """Every Markdown page of the project, as paths from its top."""
    found = [
        *ROOT.glob("*.md"),
        *(path for top in ("docs", "examples", "tests") for path in (ROOT / top).rglob("*.md")),
    ]
    return sorted(path.relative_to(ROOT) for path in found)


def text(page: Path) -> str:
    """What the page holds."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(source: str) -> Iterator[tuple[int, str, str]]:
    """Line of the first line inside, language and content of each fenced block."""
    for match in FENCE.finditer(source):
        yield source.count("\n", 0, match.start("body")) + 1, match["language"], match["body"]


def spans(source: str) -> Iterator[str]:
    """Every `code span` outside fenced blocks."""
    for match in SPAN.finditer(FENCE.sub("", source)):
        yield match["code"]


def links(source: str) -> Iterator[str]:
    """Targets of links outside fenced blocks."""
    for match in LINK.finditer(FENCE.sub("", source)):
        yield match["target"]


def typed_lines(page: str, source: str) -> Iterator[Command]:
    """Every line of a fenced block that begins with "$ ", whatever command it is."""
    for first, _, body in blocks(source):
        for number, line in enumerate(body.splitlines(), first):
            if (match := COMMAND.match(line)) is None:
                continue
            notes = [note.strip() for note in (match["comment"] or "").split(",")]
            codes = [int(note.removeprefix("exits ")) for note in notes if re.fullmatch(r"exits \d+", note)]
            needs = {note.removeprefix("with ") for note in notes if note in ("docker", "with tickets")}
            words = tuple(shlex.split(match["command"]))
            yield Command(page, number, words, codes[0] if codes else 0, frozenset(needs))


def commands(page: Path, program: str) -> list[Command]:
    """The commands of a page that begin with this program."""
    return [command for command in typed_lines(str(page), text(page)) if command.words[:1] == (program,)]
