"""`splitbrain convert`: write a history in another form, ours or Jepsen's."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.cli.arguments import Parser
from harness.errors import StoreError, UsageError

FORMATS: Final = ("jsonl", "edn")


def main(argv: Sequence[str]) -> int:
    """Convert; returns 0."""
    parser = Parser(prog="splitbrain convert", description="Write a history in another form.", epilog=_EXAMPLES)
    parser.add_argument("source", type=Path, help="any history that `splitbrain check` reads, or a run directory")
    parser.add_argument("target", type=Path, help="the file to write; its ending tells the form: .jsonl or .edn")
    parser.add_argument("--format", choices=FORMATS, help="the form, where the ending does not tell")
    given = parser.parse_args(argv)
    form = given.format or given.target.suffix.removeprefix(".")
    if form not in FORMATS:
        raise UsageError(
            f"{given.target}: which form? Its ending is {form!r}; give --format, one of {', '.join(FORMATS)}."
        )
    events = _convert(given.source, given.target, form)
    sys.stdout.write(f"{given.target}: {events:,} events\n")
    return 0


def _convert(source: Path, target: Path, form: str) -> int:
    """Write aside, then rename: a target is whole or not there. Returns the number of events."""
    from harness.history.reader import read_history
    from harness.history.writer import write_edn, write_jsonl

    history = read_history(source)
    aside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as stream:
            (write_edn if form == "edn" else write_jsonl)(history, stream)
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise StoreError(f"{target}: the history cannot be written: {error.strerror}.") from error
    return len(history.events)


_EXAMPLES: Final = """examples:
  splitbrain convert store/latest history.edn
  splitbrain convert etcd_002.log etcd_002.jsonl
"""
