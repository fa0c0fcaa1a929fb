from itertools import pairwise

from harness.simulation.recording import Event
from reports.full_trace import chrome_events, lines

EVENTS = [
    Event(1_000, "n1", "send", "data", "n2", 7, 1),
    Event(1_000, "n1", "send", "data", "n3", 7, 2),
    Event(1_300, "n1", "send", "data", "n2", 7, 3),
    Event(1_300, "n1", "drop", "data", "n3", 7),
    Event(2_000, "n2", "deliver", "data", "n1", 7, 1, "·7,hello"),
    Event(2_100, "n2", "disk", "append log", "", 12),
    Event(9_000, "n2", "deliver", "data", "n1", 7, 3, "x"),
]


def test_each_event_is_a_line():
    told = list(lines(EVENTS, 3))
    assert told[0] == "0.000001 s  n1       send     data to n2, 7 bytes  #1"
    assert told[4] == "0.000002 s  n2       deliver  data from n1, 7 bytes  #1  ·7,hello"
    assert told[5] == "0.000002 s  n2       disk     append log, 12 bytes"
    assert told[-1] == "3 more events were left out." and len(told) == len(EVENTS) + 1


def test_an_arrow_leads_from_where_a_message_was_sent_to_where_it_arrived():
    flows = [(event["ph"], event["id"], event["ts"]) for event in chrome_events(EVENTS) if event["ph"] in "sf"]
    assert flows == [("s", 1, 1.0), ("s", 3, 1.3), ("f", 1, 2.0), ("f", 3, 9.0)]


def test_each_arrow_begins_and_ends_in_a_slice():
    told = list(chrome_events(EVENTS))
    for flow in (event for event in told if event["ph"] in "sf"):
        assert any(
            event["ph"] == "X"
            and (event["pid"], event["tid"]) == (flow["pid"], flow["tid"])
            and event["ts"] <= flow["ts"] <= event["ts"] + event["dur"]
            and event["args"]["message"] == flow["id"]
            for event in told
            if event["ph"] == "X" and "message" in event["args"]
        )


def test_slices_of_a_thread_do_not_overlap_unless_they_are_equal():
    threads = {}
    for event in chrome_events(EVENTS):
        if event["ph"] == "X":
            threads.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["dur"]))
    assert len(threads) == 3
    for slices in threads.values():
        for (start, length), (following, _) in pairwise(slices):
            assert length > 0 and (following == start or start + length <= following + 1e-9)
