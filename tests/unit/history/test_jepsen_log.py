"""Logs of jepsen.util, as Porcupine keeps its register histories."""

import pytest

from harness.errors import HistoryError
from harness.history.reader import read_history

LOG = """INFO  jepsen.core - Running
INFO  jepsen.util - 0\t:invoke\t:write\t1
INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]
INFO  jepsen.util - :nemesis\t:info\t:start\tnil
INFO  jepsen.util - 0\t:ok\t:write\t1
INFO  jepsen.util - 1\t:info\t:cas\t:timed-out
INFO  jepsen.util - 2\t:invoke\t:read\tnil
INFO  jepsen.util - 2\t:fail\t:read\t:timed-out
"""


def read(tmp_path, text):
    path = tmp_path / "etcd.log"
    path.write_text(text)
    return read_history(path)


def test_a_log_becomes_operations_and_other_lines_are_left_out(tmp_path):
    history = read(tmp_path, LOG)
    assert [(op.process, op.type, op.f, op.value) for op in history.events[:2]] == [
        (0, "invoke", "write", 1),
        (1, "invoke", "cas", [1, 2]),
    ]
    assert [op.type for op in history.events] == ["invoke", "invoke", "info", "ok", "info", "invoke", "fail"]


def test_a_keyword_in_the_place_of_the_value_is_an_error(tmp_path):
    timed_out = read(tmp_path, LOG).events[4]
    assert (timed_out.value, timed_out.error) == (None, "timed-out")


def test_a_log_is_of_one_register_where_a_failed_cas_saw_something_else(tmp_path):
    header = read(tmp_path, LOG).header
    assert (header.model, header.fail_cas) == ("cas-register", "mismatch")


def test_faults_keep_their_process(tmp_path):
    assert read(tmp_path, LOG).events[2].process == "nemesis"


def test_a_value_that_is_no_edn_is_refused_with_its_line(tmp_path):
    with pytest.raises(HistoryError, match=r"etcd\.log, line 2: its value is not EDN"):
        read(
            tmp_path,
            LOG.replace(":write\t1\nINFO  jepsen.util - 1\t:invoke", ":write\t)\nINFO  jepsen.util - 1\t:invoke", 1),
        )


def test_a_completion_that_fits_nothing_that_runs_is_refused(tmp_path):
    lines = ("0\t:invoke\t:write\t3", "0\t:ok\t:read\t3", "0\t:ok\t:read\t3")
    with pytest.raises(HistoryError, match="without having invoked it"):
        read(tmp_path, "".join(f"INFO  jepsen.util - {line}\n" for line in lines))


def test_a_remark_behind_a_value_is_no_error(tmp_path):
    (told,) = read(tmp_path, "INFO  jepsen.util - 6 \t:invoke :write \t38 \t:hint 0\n").events
    assert (told.f, told.value, told.error) == ("write", 38, None)
