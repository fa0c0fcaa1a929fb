"""What a simulated run must not do, refused by name.

Threads, signals, subprocesses, real sockets and TLS would let the real world in, and with it an order of events that no
seed decides. Each is refused at the call, with an error that names it and the line it came from, instead of failing
somewhere later.
"""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from pathlib import Path
from typing import Any, Final

from harness.errors import SplitbrainError

INSIDE: Final = (str(Path(__file__).parent), sysconfig.get_paths()["stdlib"], "<frozen")
"""Files that are not where the asking began: the simulation's and Python's own."""


class SimulationError(SplitbrainError):
    """The simulated run cannot go on: a bug in the harness, a client or a server, not an outcome."""


class RefusedError(SimulationError, NotImplementedError):
    """The code asked for something that would let the real world into the simulation."""

    def __init__(self, call: str, instead: str = "", call_site: str = "") -> None:
        where = f" ({call_site})" if call_site else ""
        super().__init__(f"{call} is refused in a simulated run{where}{': ' + instead if instead else ''}.")


class DeadlockError(SimulationError):
    """Nothing is ready, no timer is set, and the awaited result is not there: it never will be."""


def call_site() -> str:
    """The line outside of the simulation and Python's own library that is being run: "server.py:12 in handle"."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if "site-packages" in file or not file.startswith(INSIDE):
            return f"{Path(file).name}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return ""


def _refused(call: str, instead: str = "") -> Any:
    def refuse(_self: object, *_arguments: object, **_more: object) -> Any:
        raise RefusedError(call, instead, call_site())

    refuse.__name__ = refuse.__qualname__ = call.rpartition(".")[2]
    refuse.__doc__ = "Refused."
    return refuse


_STREAMS = "use asyncio.open_connection and asyncio.start_server"


class RefusingLoop(asyncio.AbstractEventLoop):
    """Every method of an event loop that reaches into the real world, refused."""

    add_reader = _refused("loop.add_reader", _STREAMS)
    remove_reader = _refused("loop.remove_reader", _STREAMS)
    add_writer = _refused("loop.add_writer", _STREAMS)
    remove_writer = _refused("loop.remove_writer", _STREAMS)
    sock_recv = _refused("loop.sock_recv", _STREAMS)
    sock_recv_into = _refused("loop.sock_recv_into", _STREAMS)
    sock_recvfrom = _refused("loop.sock_recvfrom", _STREAMS)
    sock_recvfrom_into = _refused("loop.sock_recvfrom_into", _STREAMS)
    sock_sendall = _refused("loop.sock_sendall", _STREAMS)
    sock_sendto = _refused("loop.sock_sendto", _STREAMS)
    sock_connect = _refused("loop.sock_connect", _STREAMS)
    sock_accept = _refused("loop.sock_accept", _STREAMS)
    sock_sendfile = _refused("loop.sock_sendfile", _STREAMS)
    sendfile = _refused("loop.sendfile", "write the bytes to the transport")
    start_tls = _refused("loop.start_tls", "simulated links are plain")
    connect_accepted_socket = _refused("loop.connect_accepted_socket", _STREAMS)
    create_unix_connection = _refused("loop.create_unix_connection", _STREAMS)
    create_unix_server = _refused("loop.create_unix_server", _STREAMS)
    connect_read_pipe = _refused("loop.connect_read_pipe")
    connect_write_pipe = _refused("loop.connect_write_pipe")
    subprocess_shell = _refused("loop.subprocess_shell")
    subprocess_exec = _refused("loop.subprocess_exec")
    set_default_executor = _refused("loop.set_default_executor", "loop.run_in_executor runs inline")
