"""The command `splitbrain`. Each subcommand is a module of its own, imported only when it is asked for.

    splitbrain run | check | convert | matrix | bugs | report | list | doctor | cleanup

Exit codes: 0 valid, 1 violation, 2 inconclusive or vacuous, 254 bad arguments, 255 infrastructure or harness.
Standard output carries results, standard error progress.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from harness.errors import SplitbrainError, UsageError, nearest

COMMANDS: Final = {
    "run": "run a test: provision, drive, break, record, judge, report",
    "check": "judge a history file or a stored run",
    "convert": "write a history in another form: JSON lines or Jepsen's EDN",
    "matrix": "run a system's table of promises, and print predicted against observed",
    "bugs": "search for every planted bug of the store, and for none without one",
    "explore": "make very many simulated runs of one plan, each with faults of its own",
    "scenario": "play exact stories, and compare them with what they expect",
    "replay": "run a stored run again, and say whether it was the same one",
    "shrink": "make a failing run as small as it can be, with its story and a test",
    "report": "write a stored run's reports again, or print one",
    "list": "list systems, workloads, nemeses, checkers, models, or stored runs",
    "doctor": "say what this machine can do, ground by ground and fault by fault",
    "cleanup": "remove what a killed harness left behind",
}

USAGE: Final = """usage: splitbrain COMMAND [OPTIONS]

Does this replicated system keep its promises when things break?

  splitbrain run                                    the store, simulated, under partitions and kills
  splitbrain run --on docker --nemesis partition    the same on containers
  splitbrain check history.jsonl --model register   judge any history

commands:
{commands}

`splitbrain COMMAND --help` says more.
exit codes: 0 valid, 1 violation, 2 inconclusive or vacuous, 254 bad arguments, 255 infrastructure or harness
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code. Errors are one sentence on standard error, unless --debug is given."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with _ended_as_by_ctrl_c():
            return _dispatch(arguments)
    except SplitbrainError as error:
        if debug:
            raise
        _complain(str(error))
        return error.exit_code
    except SystemExit as shown:  # argparse leaves so after --help
        return int(shown.code or 0)
    except KeyboardInterrupt:
        _complain("Interrupted.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        _complain(f"The harness itself failed ({type(error).__name__}: {error}); --debug shows where.")
        return 255


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        rows = "\n".join(f"  {name:<9} {summary}" for name, summary in COMMANDS.items())
        sys.stdout.write(USAGE.format(commands=rows))
        return 0 if arguments else UsageError.exit_code
    if arguments[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"splitbrain {version('splitbrain')}\n")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise UsageError(f"There is no command {name!r}.{nearest(name, COMMANDS)}")
    if name == "check":
        # NumPy starts threads for linear algebra, which judging has none of; that is a tenth of a small file's time.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A module called `list` would hide the built-in from this package once it is imported.
    module = importlib.import_module(f"harness.cli.{'listing' if name == 'list' else name}")
    code: int = module.main(rest)
    return code


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """A request to end is as good as Ctrl-C: what is running is taken down, and what is known is told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _complain(sentence: str) -> None:
    sys.stderr.write(f"splitbrain: {sentence}\n")
