"""The operator's command: what it prints, and what it ends with."""

import pytest

from system_under_test.leader_follower import admin

STATUS = {
    "role": "leader",
    "generation": 3,
    "leader": "n1",
    "members": ["n1", "n2", "n10"],
    "last_index": 12,
    "durable_index": 12,
    "commit_index": 11,
    "lag_ms": 8,
    "lease_ms": 190,
    "disk_full": False,
    "transferring_to": None,
    "joining": "n4",
    "followers": {
        "n2": {"match_index": 12, "lag": 0, "lag_ms": 0, "heard_ms": 14, "member": True},
        "n10": {"match_index": 7, "lag": 5, "lag_ms": 230, "heard_ms": 214, "member": True},
    },
}


def test_the_status_for_people():
    assert admin.describe(STATUS).splitlines() == [
        "leader in generation 3, leader n1",
        "members n1, n2, n10",
        "log to 12, durable to 12, committed to 11",
        "lag 8 ms, lease for 190 ms, disk takes data",
        "bringing n4 up to date",
        "follower  match  lag  lag ms  heard ms ago  member",
        "n10       7      5    230     214           true",
        "n2        12     0    0       14            true",
    ]


@pytest.mark.parametrize(
    ("answer", "concluded"),
    [
        (None, ("no answer", 2)),
        ({"status": "ok", "value": "n2"}, ("done", 0)),
        ({"status": "refused", "error": "not-leader", "leader": "n3"}, ("refused: not-leader; the leader is n3", 1)),
        ({"status": "refused", "error": "change-in-progress", "leader": None}, ("refused: change-in-progress", 1)),
        ({"status": "indeterminate", "error": "not-transferred"}, ("indeterminate: not-transferred", 2)),
    ],
)
def test_what_is_concluded(answer, concluded):
    assert admin.conclude("transfer", answer) == concluded


@pytest.mark.parametrize("words", [["7000", "status"], ["a:1", "transfer"], ["a:1", "status", "n2"], ["a:1", "elect"]])
def test_bad_words_are_refused(words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["admin", *words])
    with pytest.raises(SystemExit) as refused:
        admin.main()
    assert refused.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_node_that_is_not_there_is_told(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["admin", "127.0.0.1:1", "status"])
    assert admin.main() == 2
    assert capsys.readouterr().out == "no answer\n"
