"""One headless Chromium for all tests of the page, and pages that nothing reaches but the file itself."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "reports"))

from made import SECOND, Anomaly, History, busy_history, result_of, spliced, stale_history, write_run

from reports.html import write_html

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
GUTTER = 84
OPERATIONS = 6000
STORY_AT_S = 21.3


def browser_path() -> str:
    named = os.environ.get("SPLITBRAIN_CHROMIUM")
    return named or next(path for name in BROWSERS if (path := shutil.which(name) or shutil.which(f"/usr/bin/{name}")))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The browser. Only tests marked `browser` may ask for it: others are not skipped where there is none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        yield launched
        launched.close()


class Watched:
    """A page, with everything that it asked for and everything that went wrong in it."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type != "log" else None)
        self.page.on("dialog", lambda dialog: (self.problems.append(dialog.message), dialog.dismiss()))

    def open(self, path: Path, address_hash: str = "", timeline: bool = True) -> Any:
        self.page.goto(path.as_uri() + address_hash)
        if timeline:
            self.page.wait_for_selector("html[data-ready]", state="attached", timeout=30_000)
        return self.page

    def until(self, holds: str) -> None:
        """Wait until an expression is true. Asked again and again from here: the page's policy allows no other way."""
        for _ in range(1000):
            if self.page.evaluate(holds):
                return
            self.page.wait_for_timeout(20)
        pytest.fail(f"never came true: {holds}")

    def stopwatch(self) -> Callable[[], float]:
        """Tells how many milliseconds of the processor the page's main thread has used."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def used_ms() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration")) * 1000

        return used_ms

    def drawn(self) -> None:
        """Wait until what was asked for so far has been drawn."""
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))")

    def window(self) -> tuple[float, float]:
        """The window in time that is drawn: microseconds."""
        self.drawn()
        told = self.page.evaluate("({...document.documentElement.dataset})")
        return float(told["from"]), float(told["to"])

    def window_after(self, before: tuple[float, float]) -> tuple[float, float]:
        """The window once it is no longer this one: the browser hands on wheel and pointer when it sees fit."""
        other = (
            "([from, to]) => { const d = document.documentElement.dataset; return +d.from !== from || +d.to !== to; }"
        )
        self.page.wait_for_function(other, arg=list(before))
        return self.window()

    def kept(self, text: str | None = None) -> int:
        """How many operations the filter keeps, after typing `text` into it."""
        if text is not None:
            self.page.locator("#filter").fill(text)
        self.until("document.documentElement.dataset.filter === document.getElementById('filter').value.trim()")
        return int(self.page.locator("#shown").inner_text().split(" ")[0].replace(",", ""))

    def details(self) -> str:
        return str(self.page.locator("#details").inner_text())

    def pixel_of(self, moment_us: float, start: float, stop: float) -> float:
        """Where a moment lies on a plot."""
        plot = self.page.evaluate("document.getElementById('plots').clientWidth") - GUTTER - 4
        return float(GUTTER + (moment_us - start) / (stop - start) * plot)

    def colours(self, selector: str) -> dict[str, int]:
        """How many pixels of a canvas have which colour."""
        self.drawn()
        counted: dict[str, int] = self.page.evaluate(
            """(selector) => {
            const canvas = document.querySelector(selector), { width, height } = canvas, counts = {};
            const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, width, height);
            for (let at = 0; at < data.length; at += 4) {
              if (data[at + 3] < 250) continue;
              const parts = [data[at], data[at + 1], data[at + 2]];
              const name = parts.map((part) => part.toString(16).padStart(2, "0")).join("");
              counts[name] = (counts[name] ?? 0) + 1;
            }
            return counts; }""",
            selector,
        )
        return counted


@pytest.fixture
def watched(browser: Any) -> Iterator[Callable[..., Watched]]:
    """Makes pages of which nothing may fail; the end of the test looks at what they reported."""
    contexts, pages = [], []

    def make(**settings: Any) -> Watched:
        settings = {
            "viewport": {"width": 1400, "height": 1000},
            "reduced_motion": "reduce",
            "offline": True,
            **settings,
        }
        contexts.append(browser.new_context(**settings))
        pages.append(Watched(contexts[-1]))
        return pages[-1]

    yield make
    for context in contexts:
        context.close()
    assert [problem for page in pages for problem in page.problems] == []
    assert [url for page in pages for url in page.requests if not url.startswith("file:")] == []


def two_anomalies(history: History, asked: list[int]) -> list[Anomaly]:
    others = [op.index for op in history.events if op.type == "invoke" and op.key == "k3"][40:43]
    return [
        Anomaly("non-linearizable", "linearizability", "p902 read 3 after p907 had read 5.", "k17",
                tuple(asked), asked[-1], "3", "register-order", {"ops": asked}),
        Anomaly("stale-read", "read-your-writes", "p3 wrote 100 and read 7, which is older.", "k3",
                tuple(others), others[-1]),
    ]  # fmt: skip


Violation = tuple[Path, History, list[Anomaly]]


def violation_in(folder: Path, operations: int, processes: int) -> Violation:
    """The page of a busy run with two anomalies: (page, history, anomalies)."""
    story_at_ns = int(STORY_AT_S * SECOND)
    history, asked = spliced(busy_history(operations, processes=processes), stale_history(), story_at_ns)
    anomalies = two_anomalies(history, asked)
    return write_html(write_run(folder, history, result_of(history, anomalies))), history, anomalies


@pytest.fixture(scope="session")
def run_of_6000(tmp_path_factory: pytest.TempPathFactory) -> Violation:
    return violation_in(tmp_path_factory.mktemp("busy"), OPERATIONS, 24)


@pytest.fixture
def opened(watched: Callable[..., Watched], run_of_6000: Violation) -> Watched:
    page = watched()
    page.open(run_of_6000[0])
    return page


@pytest.fixture(scope="session")
def run_of_100000(tmp_path_factory: pytest.TempPathFactory) -> Violation:
    return violation_in(tmp_path_factory.mktemp("many"), 100_000, 60)
