"""`splitbrain replay`: the same bytes in another process, and a plain word when they are not."""

import json
import subprocess
import sys

import pytest

from harness.cli import main
from harness.store import open_run

RUN = "run --seed 6 --nodes 3 --time-limit 1 --quiet-period 0.3 --nemesis kill --interval 0.3 --duration 0.2 --json"


@pytest.fixture
def run(tmp_path):
    main([*RUN.split(), "--store", str(tmp_path)])
    return open_run(tmp_path / "latest")


def test_a_run_is_the_same_in_another_process(run):
    command = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())"]
    done = subprocess.run([*command, "replay", str(run.path), "--json"], capture_output=True, timeout=120, check=True)
    facts = json.loads(done.stdout)
    assert facts["same"] and facts["first_difference"] == ""
    assert all(pair["stored"] == pair["again"] != "" for pair in facts["digests"].values())


def test_a_run_that_differs_is_told_by_its_first_line(run, capsys):
    lines = run.history_path.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].replace(b'"f":"', b'"f":"x')
    run.history_path.write_bytes(b"".join(lines))
    assert main(["replay", str(run.path)]) == 255
    told = capsys.readouterr().out
    assert "NOT the same run" in told and "line 6: stored" in told and "≠ history" in told and "= verdict" in told


def test_its_trace_is_told_as_text_and_for_perfetto(run, tmp_path, capsys):
    assert main(["replay", str(run.path), "--trace", "text", str(tmp_path / "t.txt")]) == 0
    text = (tmp_path / "t.txt").read_text()
    assert "client 0 asks" in text and "n1: started" in text and "(kill-1)" in text
    sent = [line for line in text.splitlines() if " send " in line and "#" in line]
    assert len(sent) > 200 and any("append?" in line and " deliver " in line for line in text.splitlines())
    assert any("disk     sync log-" in line for line in text.splitlines())
    assert main(["replay", str(run.path), "--trace", "chrome", str(tmp_path / "t.json")]) == 0
    trace = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    begun = [event["id"] for event in trace if event["ph"] == "b" and event["cat"] == "operation"]
    ended = [event["id"] for event in trace if event["ph"] == "e" and event["cat"] == "operation"]
    assert sorted(begun) == sorted(ended) and len(begun) > 50
    assert all({"ph", "pid", "tid", "name"} <= event.keys() for event in trace)
    assert all(event["ts"] >= 0 for event in trace if event["ph"] != "M")
    begins, ends = ([event["id"] for event in trace if event["ph"] == phase] for phase in "sf")
    assert len(begins) == len(set(begins)) > 200 and set(begins) == set(ends)
    assert len([event for event in trace if event["ph"] == "X" and event["cat"] == "send"]) == len(sent)
    assert any(event["ph"] == "i" and "leader of generation" in event["name"] for event in trace)
    assert main(["replay", str(run.path), "--trace", "video", "x"]) == 254
    assert "text or chrome" in capsys.readouterr().err
