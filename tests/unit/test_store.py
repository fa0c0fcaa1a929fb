"""The store: whole files or none, links to the newest, and clear sentences."""

import pytest

from harness.errors import StoreError, UsageError
from harness.plan import Plan
from harness.result import Counts, Result
from harness.store import create_run, open_run
from harness.verdict import Verdict

RESULT = Result("valid", "Held.", "t", Counts(1, 1, 0, 0), (Verdict("x", "valid"),))


def test_a_run_keeps_its_plan_and_result(tmp_path):
    run = create_run(tmp_path, Plan(seed=4))
    run.write("verdict.json", RESULT.to_json())
    again = open_run(tmp_path / "latest")
    assert again.path == run.path
    assert again.plan() == Plan(seed=4)
    assert again.result() == RESULT


def test_latest_points_at_the_newest_run(tmp_path):
    create_run(tmp_path, Plan())
    second = create_run(tmp_path, Plan())
    assert (tmp_path / "latest").resolve() == second.path
    assert (tmp_path / "leader-follower-register" / "latest").resolve() == second.path


def test_a_file_is_replaced_whole_and_nothing_is_left_aside(tmp_path):
    run = create_run(tmp_path, Plan())
    run.write("a/b.txt", b"one")
    run.write("a/b.txt", b"two")
    assert [path.name for path in (run.path / "a").iterdir()] == ["b.txt"]
    assert (run.path / "a/b.txt").read_bytes() == b"two"


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    run = create_run(tmp_path, Plan())
    (run.path / "report.html").mkdir()
    with pytest.raises(StoreError, match=r"report\.html: cannot be written"):
        run.write("report.html", b"x")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match="not a run directory"):
        open_run(tmp_path)


def test_a_broken_plan_names_file_and_field(tmp_path):
    run = create_run(tmp_path, Plan())
    (run.path / "plan.json").write_text('{"nodes": "five"}')
    with pytest.raises(UsageError, match=r"plan\.json: is broken.*nodes"):
        run.plan()
