"""docs/verdict.schema.json is what the types say; a drift is mended by `python -m reports.schema`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reports.schema import schema_text, verdict_schema

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "verdict.schema.json"


def test_the_file_in_docs_is_up_to_date() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), f"run: python -m reports.schema > {SCHEMA}"


def test_every_field_says_what_it_is() -> None:
    schema = verdict_schema()
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        silent = [name for name, field in part["properties"].items() if not field.keys() & {"description", "$ref"}]
        assert silent in ([], ["operations", "ok", "fail", "info", "running"]), "the counts are told by their names"


def test_the_module_prints_the_schema() -> None:
    words = [sys.executable, "-m", "reports.schema"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == schema_text()
