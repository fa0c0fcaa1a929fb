"""The command as a user meets it: exit codes, one sentence per mistake, results on standard output."""

import json

import pytest

from harness import registry
from harness.cli import main, suites
from harness.plan import Plan

GOOD = """{"splitbrain":1,"model":"register"}
{"index":0,"time":0,"process":0,"type":"invoke","f":"write","value":1}
{"index":1,"time":10,"process":0,"type":"ok","f":"write","value":1}
{"index":2,"time":20,"process":1,"type":"invoke","f":"read"}
{"index":3,"time":30,"process":1,"type":"ok","f":"read","value":1}
"""
STALE = GOOD.replace('"f":"read","value":1', '"f":"read","value":null')


def saved(tmp_path, text, name="history.jsonl"):
    file = tmp_path / name
    file.write_text(text)
    return str(file)


def test_a_good_history_exits_0(tmp_path, capsys):
    assert main(["check", saved(tmp_path, GOOD)]) == 0
    assert "linearizability" in capsys.readouterr().out.lower()


def test_a_stale_read_exits_1_and_shows_both_operations(tmp_path, capsys):
    assert main(["check", saved(tmp_path, STALE), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["outcome"] == "violation"
    assert result["exit_code"] == 1
    (anomaly,) = result["verdicts"][0]["anomalies"]
    assert anomaly["ops"] == [0, 2]
    assert anomaly["culprit"] == 2


def test_the_model_on_the_command_line_wins(tmp_path):
    assert main(["check", saved(tmp_path, GOOD), "--model", "cas-register"]) == 0


def test_the_initial_value_can_be_given(tmp_path):
    read_first = "\n".join([GOOD.splitlines()[0], *GOOD.splitlines()[3:]]) + "\n"
    file = saved(tmp_path, read_first)
    assert main(["check", file]) == 1
    assert main(["check", file, "--initial", "1"]) == 0


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["chekc"], "check"),
        (["check", "nowhere.jsonl"], "nowhere.jsonl"),
        (["check"], "which history?"),
        (["run", "--workload", "regster"], "Did you mean 'register'"),
        (["report", "nowhere"], "not a run directory"),
        (["list", "wokloads"], "workloads"),
    ],
)
def test_mistakes_exit_254_with_one_sentence(argv, complaint, capsys):
    assert main(argv) == 254
    told = capsys.readouterr()
    assert told.out == ""
    assert complaint in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert "Traceback" not in told.err


def test_a_broken_line_is_named_by_its_number(tmp_path, capsys):
    lines = GOOD.splitlines()
    lines[2] = lines[2][:25]
    assert main(["check", saved(tmp_path, "\n".join(lines) + "\n")]) == 254
    told = capsys.readouterr().err
    assert "3" in told
    assert len(told.strip().splitlines()) == 1


def test_a_history_without_a_model_is_what_its_operations_say(tmp_path, capsys):
    assert main(["check", saved(tmp_path, GOOD.replace('"model":"register"', '"model":""'))]) == 0
    assert "linearizability" in capsys.readouterr().out


def test_a_history_whose_operations_do_not_say_asks_for_a_model(tmp_path, capsys):
    silent = GOOD.replace('"model":"register"', '"model":""').replace('"write"', '"dance"')
    assert main(["check", saved(tmp_path, silent)]) == 254
    assert "--model" in capsys.readouterr().err


def test_a_history_that_was_cut_off_is_judged_and_says_so(tmp_path, capsys):
    assert main(["check", saved(tmp_path, GOOD[:-20]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["truncated"]


@pytest.mark.parametrize("command", [[], ["run"], ["check"], ["report"], ["list"], ["doctor"], ["cleanup"]])
def test_help_exits_0_and_goes_to_standard_output(command, capsys):
    assert main([*command, "--help"]) == 0
    assert "usage: splitbrain" in capsys.readouterr().out


def test_a_dry_run_prints_the_plan_and_starts_nothing(tmp_path, capsys):
    assert main(["run", "--dry", "--seed", "5", "--store", str(tmp_path / "store")]) == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 5
    assert not (tmp_path / "store").exists()


def test_list_names_everything_registered(capsys):
    for group, name in (("workloads", "session"), ("nemeses", "partition"), ("systems", "leader-follower")):
        assert main(["list", group]) == 0
        assert name in capsys.readouterr().out


@pytest.mark.parametrize("found", ([], [1]))
def test_a_long_history_of_transactions_is_judged_like_a_short_one(found, tmp_path, monkeypatch, capsys):
    from harness.history import reader

    path = tmp_path / "history.jsonl"
    steps = [[["append", "x", 1]], [["r", "x", found]]]
    told = [
        f'{{"process":{p},"type":"{kind}","f":"txn","value":{value}}}\n'.replace("'", '"')
        for p, value in enumerate(steps)
        for kind in ("invoke", "ok")
    ]
    path.write_text('{"splitbrain":1}\n' + "".join(told), encoding="utf-8")
    printed = []
    for length in (reader.LONG, 0):
        monkeypatch.setattr(reader, "LONG", length)
        code = main(["check", str(path), "--level", "strict-serializable"])
        printed.append((code, capsys.readouterr().out))
    assert printed[0] == printed[1]
    assert printed[0][0] == (0 if found else 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--memory", "200", "--budget", "0.05"),
            "it did not end within its budget of 0.05 s and was ended; nothing was",
        ),
        (("--memory", "1", "--budget", "60"), "it needed more than its 1 MiB; nothing was decided."),
    ],
)
def test_a_checker_that_overruns_is_ended_and_says_how_much_was_decided(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("checkers.isolation.GRACE_S", 0.0 if "200" in words else 60.0)
    lines = ['{"splitbrain":1,"model":"register"}']
    for value in range(20_000):
        lines += [f'{{"process":0,"type":"{kind}","f":"write","value":{value}}}' for kind in ("invoke", "ok")]
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["check", str(path), *words, "--json"]) == 2
    result = json.loads(capsys.readouterr().out)
    verdict = result["verdicts"][0]
    assert (result["outcome"], verdict["answer"]) == ("inconclusive", "unknown")
    assert verdict["reason"].startswith(said)


def test_every_checker_and_model_has_a_bound_and_a_source():
    rows = suites.described()
    assert {row["name"] for row in rows["models"]} >= {*registry.names("models")}
    for row in [*rows["checkers"], *rows["models"]]:
        assert row["cost"] and row["source"], row["name"]


def test_every_checker_and_model_is_described_in_words_of_its_own():
    rows = suites.described()
    for row in [*rows["checkers"], *rows["models"]]:
        summary = row["summary"]
        assert len(summary.split()) > 2 and summary.removesuffix(".") != row["name"], row["name"]
        assert "docstring" not in summary and not summary.startswith("the same"), row["name"]


@pytest.mark.parametrize("model", [name for name in suites.models() if suites.words_of(name)])
def test_a_model_that_does_not_have_what_was_asked_for_judges_nothing(model, tmp_path, capsys):
    asked = """{"process":0,"type":"invoke","f":"frobnicate","value":1}
{"process":0,"type":"ok","f":"frobnicate","value":1}
"""
    assert main(["check", saved(tmp_path, asked), "--model", model]) == 254
    said = capsys.readouterr().err
    assert f"event 0 asks for 'frobnicate', but the model {model} has {suites.words_of(model)[0]}" in said


def test_every_workload_asks_for_what_its_model_has():
    for name in registry.names("workloads"):
        workload = registry.load("workloads", name)
        words = suites.words_of(workload.header(Plan()).model)
        assert workload.operations <= {*words}, name


def test_transactions_without_a_name_are_judged(tmp_path, capsys):
    dirty = """[{"index":0,"process":0,"type":"invoke","value":[["append","x",1]]},
 {"index":1,"process":0,"type":"fail","value":[["append","x",1]]},
 {"index":2,"process":1,"type":"invoke","value":[["r","x",null]]},
 {"index":3,"process":1,"type":"ok","value":[["r","x",[1]]]}]"""
    file = saved(tmp_path, dirty, "history.json")
    assert main(["check", file]) == 1
    assert "had failed" in capsys.readouterr().out
    assert main(["convert", file, str(tmp_path / "named.jsonl")]) == 0
    assert '"f":"txn"' in (tmp_path / "named.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--model", "session"), 1, "one order of writes for everybody (convergent), all keys together"),
        (("--model", "session", "--sessions", "weak"), 0, "an order per session (weak), all keys together"),
        (("--checkers", "monotonic-reads+writes-follow-reads", "--sessions", "weak,per-key"), 0, "each key by itself"),
    ],
)
def test_what_session_guarantees_mean_is_an_option_and_is_named(words, code, said, tmp_path, capsys):
    steps = [(0, "write", 1), (1, "write", 2), (2, "read", 1), (2, "read", 2), (3, "read", 2), (3, "read", 1)]
    text = '{"splitbrain":1,"model":"session"}\n' + "".join(
        f'{{"process":{process},"type":"{kind}","f":"{f}","value":{value}}}\n'
        for process, f, value in steps
        for kind in ("invoke", "ok")
    )
    assert main(["check", str(saved(tmp_path, text)), *words, "--json"]) == code
    verdicts = json.loads(capsys.readouterr().out)["verdicts"]
    assert all(said in verdict["summary"] for verdict in verdicts if verdict["checker"] != "statistics")


@pytest.mark.parametrize("words", ["odd", "weak,convergent", "per-key,global"])
def test_session_semantics_that_mean_nothing_are_refused(words, tmp_path, capsys):
    assert main(["check", str(saved(tmp_path, GOOD)), "--sessions", words]) == 254
    assert "wanted some of weak or convergent, per-key or global" in capsys.readouterr().err


@pytest.mark.parametrize(("total", "code"), [(1, 0), (2, 1)])
def test_a_counter_to_which_any_amount_is_added_is_decided(total, code, tmp_path):
    asked = (("add", 3, 3), ("add", -2, -2), ("read", None, total))
    told = [
        {"process": 0, "type": type_, "f": f, "value": value}
        for f, argument, result in asked
        for type_, value in (("invoke", argument), ("ok", result))
    ]
    assert main(["check", saved(tmp_path, "\n".join(map(json.dumps, told)) + "\n"), "--model", "counter"]) == code


@pytest.mark.parametrize(("model", "write", "read"), [("register", "write", "read"), ("queue", "enqueue", "dequeue")])
def test_fields_of_a_value_have_no_order(model, write, read, tmp_path):
    events = [
        {"process": 0, "type": "invoke", "f": write, "value": {"a": 1, "b": 2}},
        {"process": 0, "type": "ok", "f": write, "value": {"a": 1, "b": 2}},
        {"process": 1, "type": "invoke", "f": read},
        {"process": 1, "type": "ok", "f": read, "value": {"b": 2, "a": 1}},
    ]
    text = "\n".join(map(json.dumps, events)) + "\n"
    assert main(["check", saved(tmp_path, text), "--model", model]) == 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("deep.jsonl", '{"process":0,"f":"write","value":' + "[" * 9_999 + "]" * 9_999 + "}\n", "nested too deeply"),
        ("deep.edn", "{:process 0 :f :write :value " + "[" * 999 + "]" * 999 + "}", "more than 400 brackets"),
        ("late.jsonl", '{"process":0,"f":"write","time":' + "9" * 30 + "}\n", "has room in 64 bits"),
        ("huge.jsonl", '{"process":0,"f":"write","value":1e999}\n', "number out of range"),
        ("mac.jsonl", '{"process":0,"f":"write","value":1}\r{"process":0,"type":"ok"}\r', "not one whole operation"),
        ("history.jsonl.gz", "\x1f\x8b\x08", "unpack it with gunzip"),
        ("twice.jsonl", '{"process":0,"f":"read"}\n' + '{"process":0,"type":"ok","f":"read"}\n' * 2, "line 3"),
        ("table.csv", "process,type\n0,invoke\n", "line 1: found process,type 0,invoke"),
    ],
)
def test_what_cannot_be_a_history_is_refused_in_one_sentence(name, text, said, tmp_path, capsys):
    file = tmp_path / name
    file.write_bytes(text.encode("latin-1"))
    assert main(["check", str(file), "--model", "register"]) == 254
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_drains_count_for_delivery_and_are_refused_for_order(tmp_path, capsys):
    lines = (("enqueue", 1, 1), ("enqueue", 2, 2), ("drain", None, [2, 1]))
    told = [
        {"process": 0, "type": type_, "f": f, "value": value}
        for f, argument, result in lines
        for type_, value in (("invoke", argument), ("ok", result))
    ]
    file = saved(tmp_path, "\n".join(map(json.dumps, told)) + "\n")
    assert main(["check", file]) == 0
    assert "All of 2 acknowledged elements" in capsys.readouterr().out
    assert main(["check", file, "--model", "queue"]) == 254
    assert "--model total-queue" in capsys.readouterr().err


@pytest.mark.parametrize(
    "checker", ["append-only", "counter", "durability", "fenced-lock", "set-full", "total-queue", "transactions"]
)
def test_a_checker_that_has_nothing_to_judge_says_so(checker, tmp_path, capsys):
    text = '{"process":0,"f":"ping"}\n{"process":0,"type":"ok","f":"ping"}\n'
    assert main(["check", saved(tmp_path, text), "--checkers", checker]) == 2
    assert "no operation is a" in " ".join(capsys.readouterr().out.split())


def test_a_value_that_is_nested_too_deeply_is_one_sentence(tmp_path, capsys):
    value = '{"a":' * 940 + "1" + "}" * 940
    text = "".join(f'{{"process":0,"type":"{type_}","f":"enqueue","value":{value}}}\n' for type_ in ("invoke", "ok"))
    assert main(["check", saved(tmp_path, text), "--model", "queue"]) in (2, 254)
    out = capsys.readouterr()
    assert "nested too deeply" in " ".join((out.out + out.err).split()) and "Recursion" not in out.out + out.err
