"""`splitbrain report`: write a stored run's reports again, or print one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from harness.cli import judging
from harness.cli.arguments import Parser
from harness.store import open_run


def main(argv: Sequence[str]) -> int:
    """Write or print; returns the exit code of the run's outcome for `terminal`, else 0."""
    parser = Parser(prog="splitbrain report", description="Write a stored run's reports again, or print one.")
    parser.add_argument("run", type=Path, help="a run directory, such as store/latest")
    parser.add_argument("--format", choices=("files", "terminal", "markdown", "junit"), default="files")
    given = parser.parse_args(argv)
    run = open_run(given.run)
    result = run.result()
    if given.format == "terminal":
        judging.show(run, result, as_json=False)
    elif given.format == "markdown":
        from reports.markdown import render_markdown
        from reports.terminal import stored_history

        sys.stdout.write(render_markdown(result, stored_history(run.history_path)))
    elif given.format == "junit":
        from reports.junit import render_junit
        from reports.terminal import stored_history

        sys.stdout.write(render_junit(result, stored_history(run.history_path)).decode())
    else:
        judging.write_reports(run, result)
        sys.stdout.write(f"{run.report_path}\n{run.path / 'junit.xml'}\n")
    return 0
