"""Operations as lanes of characters."""

from __future__ import annotations

import msgspec
import pytest
from made import MS, FaultProof, Header, History, Op, stale_anomaly, stale_history

from harness.verdict import Anomaly
from reports.ascii_lanes import PLAIN, UNICODE, draw, plain
from reports.witness import Witness, gather

FAULT = FaultProof("partition-1", "partition", ("n1",), "n1 | n2 n3", 41_200 * MS, 41_280 * MS, True)


def story(faults: tuple[FaultProof, ...] = (FAULT,)) -> Witness:
    history = stale_history()
    witness = gather(stale_anomaly(history), history, faults)
    assert witness is not None
    return witness


def test_the_picture_of_a_stale_read() -> None:
    assert [row.drawing for row in draw(story(), 48, UNICODE)] == [
        " ├─────────────────────────────┤                ",
        "           ├──────┤                             ",
        "              ├───────┤                         ",
        "                ├┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▷",
        "                                  ├───────┤     ",
        "▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒                       ",
        "41.208 s                                41.349 s",
    ]


def test_only_the_culprit_is_marked() -> None:
    assert [row.culprit for row in draw(story(()), 30, UNICODE)] == [False, False, False, False, True, False]


@pytest.mark.parametrize("width", [12, 20, 33, 90])
def test_every_row_is_as_wide_as_asked_and_plain_signs_are_ascii(width: int) -> None:
    for signs in (UNICODE, PLAIN):
        assert {len(row.drawing) for row in draw(story(), width, signs)} == {width}
    assert all(row.drawing.isascii() for row in draw(story(), width, PLAIN))


def test_each_end_has_a_sign_of_its_own() -> None:
    """ok closes, fail is crossed out, info stays open: to be told apart without colour."""
    rows = []
    for how in ("ok", "fail", "info"):
        asked = Op(0, 0, 1, "invoke", "write", "k", 1)
        done = {"ok": asked.ok(), "fail": asked.fail("no"), "info": asked.info("timeout")}[how]
        done = msgspec.structs.replace(done, index=1, time=50 * MS)
        history = History(Header(), [asked, done])
        witness = gather(Anomaly("n", "g", "s", ops=(0,)), history, ())
        assert witness is not None
        rows.append(draw(witness, 30, UNICODE)[0].drawing.strip()[-1])
    assert rows == ["┤", "╳", "▷"]


def test_more_faults_than_fit_are_counted() -> None:
    many = tuple(msgspec.structs.replace(FAULT, fault=f"partition-{at}") for at in range(5))
    faults = [row for row in draw(story(many), 40, UNICODE) if row.process == "fault"]
    assert len(faults) == 2
    assert faults[-1].text.startswith("+3 more, partition")


def test_a_shortened_pause_is_named() -> None:
    history = stale_history()
    late = [msgspec.structs.replace(op, time=(op.time or 0) + 60_000 * MS * (op.index >= 8)) for op in history.events]
    history = History(history.header, late)
    witness = gather(stale_anomaly(history), history, ())
    assert witness is not None
    for width in (34, 40, 70, 110):
        assert "⋯ 60.0 s ⋯" in draw(witness, width, UNICODE)[-1].drawing


def test_plain_text_is_ascii_and_keeps_its_arrows() -> None:
    assert plain("read → 3 … 5 µs") == "read -> 3 ~ 5 us"
    assert plain("日本") == "\\u65e5\\u672c"
