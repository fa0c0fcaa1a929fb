"""`report.html`: one file that says what a run came to, proves it, and lets one look at every operation.

    write_html(run)      run is a `harness.store.Run`; the page goes to run.report_path

The page asks the network for nothing: style, script and data lie inside, and its content security policy allows just
that script, by its hash. The verdict, the proof, the faults and the checkers are plain HTML, so they are there at once,
without script, and on paper; the timeline is drawn on canvases from packed columns (`columns`).
"""

from reports.html.page import render_html, write_html

__all__ = ["render_html", "write_html"]
