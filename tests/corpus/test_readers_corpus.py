"""Every recorded history is read, with as many events as its collector counted; and what is no history is refused."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import HistoryError
from harness.history.reader import read_history

pytestmark = pytest.mark.corpus


def manifest(corpus: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    with (corpus / "manifest.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield corpus / row["file"], row


def first_oddity(path: Path) -> int | None:
    """The line at which invocations and completions of a process stop alternating: looked for by itself."""
    running = set()
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], 2):
        op = json.loads(text)
        if op["process"] == "nemesis":
            continue
        if (op["type"] == "invoke") == (op["process"] in running):
            return number
        running ^= {op["process"]}
    return None


def test_every_recorded_history_is_read_or_refused_for_what_is_odd_in_it(corpus: Path) -> None:
    read = refused = 0
    for path, row in manifest(corpus):
        oddity = first_oddity(path)
        if oddity is not None:
            refused += 1
            with pytest.raises(HistoryError, match=re.escape(f"{path}, line {oddity}: process")):
                read_history(path)
            continue
        history = read_history(path)
        read += 1
        assert len(history.events) == int(row["events"]), path
        assert (history.header.model, history.header.source) == (row["model"], row["source"]), path
        assert history.truncated == "", path
        assert [op.index for op in history.events] == list(range(len(history.events))), path
    assert read > 250
    assert refused <= 10
