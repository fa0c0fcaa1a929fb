"""docs/verdict.schema.json says what `--json` prints and what verdict.json holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import json_schema
import msgspec
import pytest
from documents import ROOT

from harness.result import FaultProof, Result
from harness.verdict import Anomaly, Verdict

SCHEMA = ROOT / "docs" / "verdict.schema.json"
HISTORIES = ROOT / "examples" / "histories"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def judged(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    from harness.cli import main

    main([*words, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "name", ["stale-read.jsonl", "lost-update.jsonl", "forgotten-write.jsonl", "doubtful-write.jsonl"]
)
def test_the_verdict_of_a_history_fits_the_schema(
    name: str, schema: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = judged(["check", str(HISTORIES / name)], capsys)
    assert list(json_schema.problems(verdict, schema, schema)) == []


@pytest.mark.parametrize("replication", ["quorum", "async"])
def test_the_verdict_of_a_run_fits_the_schema(
    replication: str, schema: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["run", "--nemesis", "partition", "--target", "leader", "--time-limit", "10", "--seed", "11"]
    printed = judged([*words, "--store", str(tmp_path), "--replication", replication], capsys)
    assert list(json_schema.problems(printed, schema, schema)) == []
    stored = json.loads((tmp_path / "latest" / "verdict.json").read_bytes())
    assert list(json_schema.problems(stored, schema, schema)) == []
    assert {name: value for name, value in printed.items() if name != "run"} == stored


def test_the_schema_names_every_field(schema: dict[str, Any]) -> None:
    """A field that is added to the code and not to the schema would be found by its users first."""
    named = json.dumps(schema)
    for kind in (Result, FaultProof, Verdict, Anomaly):
        missing = [field for field in kind.__struct_fields__ if f'"{field}"' not in named]
        assert not missing, f"{SCHEMA.name} does not name {missing} of {kind.__name__}"


@pytest.mark.parametrize("name", ["outcome", "verdicts", "exit_code", "counts"])
def test_a_verdict_that_lacks_something_is_caught(
    name: str, schema: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = judged(["check", str(HISTORIES / "stale-read.jsonl")], capsys)
    del verdict[name]
    assert any(name in problem for problem in json_schema.problems(verdict, schema, schema))


def test_a_verdict_of_wrong_types_is_caught(schema: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    verdict = judged(["check", str(HISTORIES / "stale-read.jsonl")], capsys)
    wrong = {"outcome": "fine", "exit_code": "1", "verdicts": {}, "duration_ns": None}
    for name, value in wrong.items():
        found = list(json_schema.problems({**verdict, name: value}, schema, schema))
        assert any(problem.startswith(f"$.{name}") for problem in found), f"{name} = {value!r} passes"


def test_the_validator_refuses_a_keyword_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="not understood"):
        list(json_schema.problems(1, {"multipleOf": 2}, {}))


def test_the_validator_agrees_with_msgspec_on_its_own_schemas() -> None:
    """A second opinion: msgspec makes the schema and the data, both of the same types."""
    made = msgspec.json.schema(Verdict)
    verdict = Verdict("c", "invalid", anomalies=(Anomaly("n", "g", "s", ops=(1, 2)),), measures={"m_s": 0.5})
    data = json.loads(msgspec.json.encode(verdict))
    assert list(json_schema.problems(data, made, made)) == []
    assert list(json_schema.problems({**data, "answer": "maybe"}, made, made)) != []
