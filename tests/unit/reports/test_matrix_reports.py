"""The table of promises on the screen and as a page."""

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from harness.matrix import Cell, Promise, RunReport, Shown, Table, row_of
from harness.matrix.table import STATE_WORDS
from reports.matrix import print_table
from reports.matrix_page import render_matrix_page

HOLDS = Promise(True, "a majority has it")
MAY = Promise(False, "only one node <has> it")
USUAL = {"replication": "quorum", "fencing": True}


def cell(name="", **switches):
    return Cell(
        name=name,
        workload="register",
        configuration=USUAL | switches,
        faults=("kill", "partition"),
        promises={"linearizability": HOLDS, "durability": MAY},
    )


def run(**answers):
    names = {"linearizability": "valid", "durability": "valid"} | answers
    return RunReport(
        seed=1,
        outcome="valid",
        tested=True,
        answers=names,
        sentences={name: "p1 read <b>7</b> too late" for name, answer in names.items() if answer == "invalid"},
        repeat="splitbrain run --seed 1 " + "--very-long-option value " * 4,
    )


def table(*runs, **more):
    rows = (row_of(cell("the named row"), runs), row_of(cell(replication="async", fencing=False), runs))
    statements = (Shown("One is fast.", True, "3 ms"), Shown("Two is slow.", False, "3 ms too"))
    settings = {"statements": statements, "runs": len(runs) * 2, "seconds": 12.3, "jobs": 2} | more
    return Table(
        system="made",
        on="sim",
        command="splitbrain matrix made",
        usual=USUAL,
        guarantees=("linearizability", "durability", "read-your-writes"),
        rows=rows,
        **settings,
    )


KEPT = table(run(), run(durability="invalid"))
BROKEN = table(run(), run(linearizability="invalid"))


def printed(made, width=100):
    out = io.StringIO()
    print_table(made, console=Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_every_row_is_printed_with_what_became_of_it() -> None:
    lines = [line.split() for line in printed(KEPT).splitlines()]
    assert ["the", "named", "row", "kill", "partition", "✓", "1/2", "·"] in lines
    assert ["replication=async", "fencing=false", "kill", "partition", "✓", "1/2", "·"] in lines


def test_the_sums_and_the_statements_are_printed() -> None:
    text = printed(KEPT)
    assert "promised and held 2   promised and BROKEN 0   may break, seen broken 2" in text
    assert "✓ One is fast." in text and "– Two is slow.  (not shown)" in text
    assert "4 runs of 2 rows in 12 s with 2 processes" in text


def test_a_broken_promise_is_told_with_what_shows_it_again() -> None:
    text = printed(BROKEN)
    assert "BROKEN  linearizability in 1 of 2 runs: the named row" in text
    assert "promised  a majority has it" in text and "seen      p1 read <b>7</b> too late" in text
    assert ("repeat    " + run().repeat).strip() in [line.strip() for line in text.splitlines()]


@pytest.mark.parametrize("made", [KEPT, BROKEN, table(runs=0)], ids=["kept", "broken", "dry"])
def test_it_fits_sixty_columns(made) -> None:
    lines = printed(made, width=60).splitlines()
    assert [line for line in lines if len(line) > 60 and not line.strip().startswith("repeat")] == []


def test_a_dry_table_tells_what_is_promised() -> None:
    lines = [line.split() for line in printed(table(runs=0)).splitlines()]
    assert ["the", "named", "row", "kill", "partition", "holds", "may", "·"] in lines
    assert "2 rows: 2 promises hold, 2 may break" in printed(table(runs=0))


class Page(HTMLParser):
    """Ids, links into the page, tags, and the text of the page."""

    def __init__(self, source):
        super().__init__()
        self.ids, self.links, self.tags, self.text = [], [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"][1:]] if given.get("href", "").startswith("#") else []

    def handle_data(self, data):
        self.text.append(data)


def test_every_square_leads_to_its_reason() -> None:
    page = Page(render_matrix_page(BROKEN))
    assert set(page.links) <= set(page.ids)
    assert {f"row-{row}-{name}" for row in (0, 1) for name in ("linearizability", "durability")} <= set(page.links)
    text = "".join(page.text)
    assert "a majority has it." in text and run().repeat.strip() in text and "p1 read <b>7</b> too late" in text


def test_the_picture_tells_its_signs_and_marks_what_a_row_does_not_judge() -> None:
    source = render_matrix_page(KEPT)
    signs = re.findall(r'<span class="chip ([a-z-]+)">', source)
    assert signs == list(STATE_WORDS)
    squares = len(re.findall(r'<rect class="square ', source))
    blanks = len(re.findall(r'<text class="blank"', source))
    assert (squares, blanks) == (4, 2 * len(KEPT.guarantees) - 4)
    assert blanks > 0


def test_the_picture_is_as_wide_as_what_is_in_it() -> None:
    source = render_matrix_page(KEPT)
    width = int(re.search(r'<svg class="matrix" width="(\d+)"', source)[1])
    places = [int(left) for left in re.findall(r'<(?:rect class="square|text)[^>]* x="(\d+)', source)]
    assert max(places) + 46 < width


def test_the_page_is_alone_and_runs_nothing() -> None:
    source = render_matrix_page(BROKEN)
    page = Page(source)
    assert not {"script", "link", "img", "iframe", "b7"} & set(page.tags)
    assert "default-src &#39;none&#39;" in source or "default-src 'none'" in source
    assert "<b>7</b>" not in source and "<has>" not in source


@pytest.mark.parametrize(
    ("made", "word"),
    [(KEPT, "PROMISES KEPT"), (BROKEN, "PROMISE BROKEN"), (table(run(linearizability="unknown")), "UNDECIDED")],
)
def test_the_page_begins_with_one_word(made, word) -> None:
    assert re.search(r"<h1>.*?</span>(.*?)</h1>", render_matrix_page(made))[1] == word
