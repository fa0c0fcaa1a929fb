"""What the recorder promises: one order, every line soon on disk, and a sentence when the disk will not take it."""

import errno
import json
import os

import pytest

from harness.errors import StoreError
from harness.history.header import Header
from harness.history.reader import read_history
from harness.history.recorder import FLUSH_NS, Recorder
from harness.op import NEMESIS, Op


class Clock:
    def __init__(self):
        self.ns = 1_000

    def __call__(self):
        return self.ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def recorder(tmp_path, clock):
    made = Recorder(tmp_path / "history.jsonl", Header(splitbrain=1, model="register"), clock)
    yield made
    made.close()


def lines(recorder):
    return recorder._path.read_bytes().splitlines()


def test_the_header_is_there_at_once(recorder):
    assert json.loads(lines(recorder)[0]) == {"splitbrain": 1, "model": "register"}


def test_events_get_their_place_and_time(recorder, clock):
    clock.ns += 5
    invoke = recorder.record(Op(process=3, f="read", key="k"))
    clock.ns += 7
    ok = recorder.record(invoke.ok(value=1))
    assert [(op.index, op.time) for op in (invoke, ok)] == [(0, 5), (1, 12)]


def test_what_is_read_back_is_what_was_recorded(recorder, clock):
    recorder.record(Op(process=0, f="cas", key="k", value=[1, 2], session="s1", node="n1"))
    recorder.record(Op(process=0, type="ok", f="cas", key="k", value=[1, 2], version=(3, 9), node="n2", session="s1"))
    recorder.record(Op(process=NEMESIS, type="info", f="log", value="ä <b>"))
    recorder.close()
    assert list(read_history(recorder._path).events) == recorder.events


def test_a_line_is_on_disk_soon_even_if_it_is_the_last(recorder, clock):
    recorder.record(Op(process=0, f="read"))
    assert len(lines(recorder)) == 1
    clock.ns += FLUSH_NS
    recorder.record(Op(process=0, type="ok", f="read"))
    assert len(lines(recorder)) == 3
    recorder.record(Op(process=0, f="read"))
    recorder.flush()
    assert len(lines(recorder)) == 4


def test_a_value_changed_afterwards_is_recorded_as_it_was(recorder):
    value = [1]
    recorder.record(Op(process=0, f="append", value=value))
    value.append(2)
    recorder.close()
    assert json.loads(lines(recorder)[1])["value"] == [1]


def test_an_unwritable_result_is_doubt_with_its_text(recorder):
    recorder.record(Op(process=0, f="read"))
    recorded = recorder.record(Op(process=0, type="ok", f="read", value=object))
    assert recorded.type == "info"
    assert recorded.error.startswith("unwritable-value: ")
    recorder.close()
    assert json.loads(lines(recorder)[2])["value"] == "<class 'object'>"


def test_listeners_hear_every_event_as_recorded(recorder):
    heard = []
    recorder.listeners.append(heard.append)
    recorder.record(Op(process=0, f="read"))
    assert heard == recorder.events
    assert heard[0].index == 0


def test_a_history_is_never_written_over(recorder, tmp_path, clock):
    with pytest.raises(StoreError, match="cannot be begun: File exists"):
        Recorder(tmp_path / "history.jsonl", Header(), clock)


def test_a_full_disk_is_one_sentence(recorder):
    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def fileno(self):
            return recorder_file.fileno()

        def close(self):
            recorder_file.close()

    recorder_file, recorder._file = recorder._file, Full()
    recorder.record(Op(process=0, f="read"))
    with pytest.raises(StoreError, match=r"history\.jsonl: .*No space left on device\. What was written is readable"):
        recorder.flush()
    assert len(lines(recorder)) == 1


def test_closing_twice_is_harmless(recorder):
    recorder.record(Op(process=0, f="read"))
    recorder.close()
    recorder.close()
    assert len(lines(recorder)) == 2
