"""A dozen broken files of each format: one sentence, with the line and what is wrong there; never a stack trace."""

import pytest

from harness.cli import main

HEAD = '{"splitbrain":1,"model":"register"}\n'
ASK = '{"process":0,"type":"invoke","f":"write","value":1}\n'
JSON_LINES = [
    (HEAD + ASK + '{"process":0,"type":"ok"\n' + ASK, 'line 3: this is not JSON (input data was truncated): found {"p'),
    (HEAD + ASK + '{"process":0,"type":"done","f":"write"}\n', 'line 3: field type: found "done"; wanted invoke, ok'),
    (HEAD + '{"process":1.5,"type":"invoke","f":"read"}\n', "line 2: field process: found 1.5; wanted int | str."),
    (HEAD + '{"process":null,"f":"read"}\n', "line 2: field process: found null; wanted int | str."),
    (HEAD + '{"process":0,"type":"invoke","f":7}\n', "line 2: field f: found 7; wanted str."),
    (HEAD + '{"process":0,"f":"read","time":"noon"}\n', 'line 2: field time: found "noon"; wanted int | null.'),
    (
        HEAD + ASK + '{"process":0,"type":"ok","version":[1,2,3]}\n',
        "line 3: field version: found [1,2,3]; wanted array",
    ),
    (HEAD + '{"process":0,"f":"read","session":[1]}\n', "line 2: field session: found [1]; wanted int | str | null."),
    (HEAD + '{"process":0,"f":"read","node":3}\n', "line 2: field node: found 3; wanted str | null."),
    ('{"splitbrain":1,"model":7}\n' + ASK, "line 1: field model: found 7; wanted str."),
    ('{"splitbrain":1,"fail_cas":"maybe"}\n', 'field fail_cas: found "maybe"; wanted drop, mismatch or returned.'),
    (HEAD + '{"type":"invoke"}\n', "line 2: found neither process nor f; wanted an operation."),
    (HEAD + ASK + ASK, "line 3: process 0 invokes write while what it invoked in line 2 is still running;"),
    (HEAD + "\x00\n" + ASK, "line 2: this is not JSON (invalid character (byte 0))"),
    ("", "the file is empty; wanted a history."),
]
EDN_ASK = "{:type :invoke, :f :read, :process 0}\n"
EDN = [
    ("{:type :invoke, :process 0\n" + EDN_ASK, "line 1: this is not EDN: found '{' that is not closed before the next"),
    ("[{:type :invoke, :process 0\n " + EDN_ASK + "]", "line 3: this is not EDN: found ']', wanted the '}' of '{'"),
    (EDN_ASK + "{:type :done, :f :read, :process 0}\n", 'line 2: field type: found "done"; wanted invoke, ok, fail'),
    ("{:type :invoke, :f :read, :process 1.5}\n", "line 1: field process: found 1.5; wanted int | str."),
    ("{:type :invoke, :f 7, :process 0}\n", "line 1: field f: found 7; wanted str."),
    ('{:type :invoke, :f :read, :process 0, :time "noon"}\n', 'line 1: field time: found "noon"; wanted int | null.'),
    (EDN_ASK + "\n{:type :ok, :f}\n", "line 3: this is not EDN: found a map with a key and no value."),
    (EDN_ASK + "]\n", "line 2: this is not EDN: found ']', wanted a value."),
    ("{:type :invoke, :f :write, :process 0, :value 12x}\n", "line 1: this is not EDN: found '12x', wanted a number."),
    ("{:type :invoke, :f :write, :process 0, :value 1/0}\n", "line 1: this is not EDN: found '1/0', wanted a number."),
    ("[1 2 3]\n", "element 0: found 1; wanted an operation."),
    (EDN_ASK + "{:type :ok, :process 0, :version [1 2 3]}\n", "line 2: field version: found [1,2,3]; wanted array of"),
    ("{:type :invoke}\n", "line 1: found neither process nor f; wanted an operation."),
]
LOG_ASK = "INFO  jepsen.util - 0\t:invoke\t:write\t1\n"
LOG_TAKE = "INFO  jepsen.util - 0\t:ok\t:write\t"
LOGS = [
    (LOG_ASK + LOG_TAKE + "[1 2}\n", "line 2: its value is not EDN: found '}', wanted the ']' of '['."),
    (LOG_ASK + LOG_TAKE + "12x\n", "line 2: its value is not EDN: found '12x', wanted a number."),
    (LOG_ASK + LOG_TAKE + '"abc\n', "line 2: its value is not EDN: '\"abc' ends too early."),
    (LOG_ASK + LOG_TAKE + "[1 2\n", "line 2: its value is not EDN: '[1 2' ends too early."),
    (LOG_ASK + LOG_TAKE + "{:a}\n", "line 2: its value is not EDN: found a map with a key and no value."),
    (LOG_ASK + LOG_TAKE + "1/0\n", "line 2: its value is not EDN: found '1/0', wanted a number."),
    (LOG_ASK + LOG_TAKE + "]\n", "line 2: its value is not EDN: found ']', wanted a value."),
    (LOG_ASK + "INFO  jepsen.util - 0\t:done\t:write\t1\n", "line 2: found process 0 and type :done; wanted a number"),
    (LOG_ASK + "INFO  jepsen.util - x\t:ok\t:write\t1\n", "line 2: found process x and type :ok; wanted a number or"),
    ("\n" + LOG_ASK * 2 + "INFO  jepsen.util - 0\t:ok\t:cas\t[1 2]\n", "line 3: process 0 invokes write while what it"),
    ("INFO  something.else - 0\t:invoke\t:write\t1\n", "line 1: found INFO  something.else"),
]
TXN = '{"type":"invoke","process":0,"f":"txn","value":[["r","x",null]]}'
ELLE = [
    (f'[{TXN},\n{{"type":"ok"', "line 2: this is not a whole JSON array: input data was truncated."),
    (f'[{TXN},\n{{"type":"fine","process":0}}]', 'line 2, element 1: field type: found "fine"; wanted invoke, ok,'),
    ('[{"type":"invoke","process":[0],"f":"txn"}]', "line 1, element 0: field process: found [0]; wanted int | str."),
    (f"[{TXN},\n\n7]", "line 3, element 1: found 7; wanted an operation."),
    (f"[{TXN},\nnull]", "line 2, element 1: found null; wanted an operation."),
    (
        '[{"type":"invoke","process":0,"time":"noon"}]',
        'line 1, element 0: field time: found "noon"; wanted int | null.',
    ),
    ('[{"type":"invoke","process":0,"f":[]}]', "line 1, element 0: field f: found []; wanted str."),
    (f"[{TXN},,]", "line 1: this is not a whole JSON array: invalid character"),
    (f"[{TXN}\n{TXN}]", "line 2: this is not a whole JSON array: expected ',' or ']'"),
    ('[{"process":0,"f":"txn","version":[1]}]', "line 1, element 0: field version: found [1]; wanted array of length"),
    ('[{"type":"invoke"}]', "line 1, element 0: found neither process nor f; wanted an operation."),
    ('[{"model":7},\n' + TXN + "]", "line 1, element 0: field model: found 7; wanted str."),
    (
        '{"type":"invoke","process":0,"f":"txn","session":{}}',
        "line 1: field session: found {}; wanted int | str | null.",
    ),
]
ALL = {"history.jsonl": JSON_LINES, "history.edn": EDN, "register.log": LOGS, "history.json": ELLE}


@pytest.mark.parametrize(
    ("name", "text", "said"), [(name, text, said) for name, cases in ALL.items() for text, said in cases]
)
def test_what_is_wrong_is_one_sentence_with_its_place(name, text, said, tmp_path, capsys):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    code = main(["check", str(path), "--model", "register"])
    out, err = capsys.readouterr()
    assert (code, out) == (254, "")
    assert said in err and err.count("\n") == 1
