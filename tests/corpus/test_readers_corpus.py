"""Every recorded history is read, with as many events as its collector counted, and what is missing is added."""

import collections
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.history.reader import read_history

pytestmark = pytest.mark.corpus


def manifest(corpus: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    with (corpus / "manifest.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield corpus / row["file"], row


def never_begun(path: Path) -> int:
    """How many completions have no invocation: counted by itself."""
    running: collections.Counter[int] = collections.Counter()
    missing = 0
    for text in path.read_text(encoding="utf-8").splitlines()[1:]:
        op = json.loads(text)
        if op["process"] != "nemesis" and op["type"] == "invoke":
            running[op["process"]] += 1
        elif op["process"] != "nemesis" and running[op["process"]]:
            running[op["process"]] -= 1
        elif op["process"] != "nemesis":
            missing += 1
    return missing


def test_every_recorded_history_is_read_whole(corpus: Path) -> None:
    read = mended = 0
    for path, row in manifest(corpus):
        history, missing = read_history(path), never_begun(path)
        read += 1
        mended += missing > 0
        assert len(history.events) == int(row["events"]) + missing, path
        assert (history.header.model, history.header.source) == (row["model"], row["source"]), path
        assert history.truncated == "", path
        assert [op.index for op in history.events] == list(range(len(history.events))), path
    assert (read, mended > 0) == (308, True)
