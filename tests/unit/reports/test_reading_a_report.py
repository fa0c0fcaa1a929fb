"""What docs/reading-a-report.md and the page's own help say of pictures, keys and filters is true and complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "reading-a-report.md").read_text(encoding="utf-8")
HELP = (ROOT / "reports" / "html" / "template.html").read_text(encoding="utf-8").partition('<dialog id="help"')[2]
ASSETS = ROOT / "reports" / "html" / "assets"


def test_the_picture_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.cli import main

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    main(["check", "examples/histories/stale-read.jsonl"])
    printed = capsys.readouterr().out.splitlines()
    shown = [line.removeprefix("    ") for line in PAGE.splitlines() if re.match(r" {8}.*(├|\d s$)", line)]
    assert len(shown) == 4
    assert [line for line in shown if line not in printed] == []


def test_every_filter_is_explained() -> None:
    tokens = re.search(r"const TOKENS = \{(.*?)\};", (ASSETS / "filter.js").read_text(encoding="utf-8"), re.DOTALL)
    assert tokens
    names = re.findall(r"(\w+): \"", tokens[1])
    assert len(names) == 13
    for name in names:
        assert f"`{name}:" in PAGE, f"docs lack {name}:"
        assert f"<code>{name}:" in HELP, f"the help lacks {name}:"


def test_every_key_is_explained() -> None:
    controls = (ASSETS / "controls.js").read_text(encoding="utf-8")
    table = re.search(r"const keys = \{(.*?)\n  \};", controls, re.DOTALL)
    assert table
    keys = set(re.findall(r'(?:^|[\s{,])"?([^\s",:{}()]|Escape)"?: (?:\(|actions)', table[1]))
    assert {"w", "n", "N", "0", "?", "/", "m", "Escape"} <= keys
    shown = {"Escape": "Esc", "-": "−"}
    missing = {key for key in keys if f"<kbd>{shown.get(key, key)}</kbd>" not in HELP} - {"=", "?"}
    assert missing == set()
    undocumented = {key for key in keys if f"`{key}`" not in PAGE and not key.isupper()} - {"=", "Escape", ",", "."}
    assert undocumented == set()
