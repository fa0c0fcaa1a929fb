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

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


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
            self.page.wait_for_selector("html[data-ready]", state="attached", timeout=15_000)
        return self.page

    def window(self) -> tuple[float, float]:
        """The window in time that is drawn: microseconds."""
        self.page.wait_for_timeout(60)
        told = self.page.evaluate("({...document.documentElement.dataset})")
        return float(told["from"]), float(told["to"])


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
