"""The JSON Schema of verdict.json, derived from the types that write it, so that the two cannot drift apart.

    python -m reports.schema > docs/verdict.schema.json

A unit test compares the file with what this makes, and real results with the file.
"""

from __future__ import annotations

import inspect
import re
import sys
from typing import Any

import msgspec

from harness.result import Result
from harness.verdict import EXIT_CODES

ADDRESS = "https://json-schema.org/draft/2020-12/schema"


def verdict_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `Result.to_json`: the fields of `Result`, and the exit code."""
    (schema,), parts = msgspec.json.schema_components([Result], ref_template="#/$defs/{name}")
    assert schema == {"$ref": "#/$defs/Result"}
    for part in parts.values():
        _explain(part)
    result = parts.pop("Result")
    codes = sorted(set(EXIT_CODES.values()))
    result["properties"]["exit_code"] = {"enum": codes, "description": "What the command exits with."}
    result["required"] = sorted(result["properties"])  # all of them are always written
    told = {"$schema": ADDRESS, "title": "verdict.json", "description": result.pop("description"), "type": "object"}
    return {**told, "properties": result["properties"], "required": result["required"], "$defs": parts}


def _explain(part: dict[str, Any]) -> None:
    """Move what a docstring says of each attribute to the property that it is about."""
    summary, _, attributes = inspect.cleandoc(part.get("description", "")).partition("Attributes:")
    part["description"] = " ".join(summary.split())
    names = "|".join(map(re.escape, part["properties"]))
    # "key: the object." or "fault: its id; kind: what; start_ns, stop_ns: when."
    heads = list(re.finditer(rf"(?:^|[\s;])((?:{names})(?:, (?:{names}))*): ", attributes))
    ends = [*(head.start() for head in heads[1:]), len(attributes)][: len(heads)]
    for head, end in zip(heads, ends, strict=True):
        text = " ".join(attributes[head.end() : end].split()).rstrip(";")
        for name in head[1].split(", "):
            if "$ref" not in part["properties"][name]:
                part["properties"][name]["description"] = text


def schema_text() -> str:
    """The content of docs/verdict.schema.json."""
    return msgspec.json.format(msgspec.json.encode(verdict_schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
