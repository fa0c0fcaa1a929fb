"""An SSH server in this process, for testing our side of SSH without a machine to log in to.

It knows a handful of commands and runs nothing: `echo`, `cat`, `fail`, `hang`, `vanish`, `mute`.
"""

from __future__ import annotations

import shlex
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko
from paramiko.common import MSG_CHANNEL_SUCCESS

NO_INPUT = "</dev/null"


class Talk(paramiko.Transport):
    """A connection that knows which of its channels were told that their command runs."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.told: defaultdict[int, threading.Event] = defaultdict(threading.Event)

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)
        said = data.asbytes()
        if said[0] == MSG_CHANNEL_SUCCESS:
            self.told[int.from_bytes(said[1:5], "big")].set()


class Door(paramiko.ServerInterface):
    """Lets one key in, and notes what was asked for."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == "root" and key.get_base64() == self.server.welcome.get_base64()
        return paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        if self.server.refuse_channels > 0:
            self.server.refuse_channels -= 1
            return paramiko.OPEN_FAILED_RESOURCE_SHORTAGE
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        words = shlex.split(command.decode())
        has_input = words[-1] != NO_INPUT
        words = words if has_input else words[:-1]
        self.server.asked.append(words)
        if words[0] == "mute":
            self.server.closing.wait(30)
            return False
        threading.Thread(target=self.server.answer, args=(channel, words, has_input), daemon=True).start()
        return True


class Server:
    """Listens on loopback; `transports` are the connections there ever were."""

    def __init__(self) -> None:
        self.host_key: paramiko.PKey = paramiko.ECDSAKey.generate()
        self.welcome: paramiko.PKey = paramiko.ECDSAKey.generate()
        self.asked: list[list[str]] = []
        self.transports: list[paramiko.Transport] = []
        self.refuse_connections = 0
        self.refuse_channels = 0
        self.closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def host_key_line(self) -> str:
        return f"{self.host_key.get_name()} {self.host_key.get_base64()} root@node"

    def answer(self, channel: paramiko.Channel, words: list[str], has_input: bool) -> None:
        """Begins when the client has been told that the command runs, and the input is over."""
        talk = channel.get_transport()
        assert isinstance(talk, Talk)
        talk.told[channel.remote_chanid].wait(30)
        given = b""
        while has_input and (chunk := channel.recv(65536)):
            given += chunk
        if words[0] == "hang":
            self.closing.wait(30)
        elif words[0] == "vanish":
            channel.get_transport().close()
        elif words[0] == "cat":
            channel.sendall(given)
            channel.send_exit_status(0)
        elif words[0] == "fail":
            channel.sendall_stderr(b"first\nsecond\nthird\nfourth\n")
            channel.send_exit_status(int(words[1]))
        else:
            channel.sendall(" ".join(words[1:]).encode())
            channel.send_exit_status(0)
        channel.close()

    def close(self) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(5)
        for transport in self.transports:
            transport.close()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                talk, _ = self._listener.accept()
            except OSError:
                return
            if self.refuse_connections > 0:
                self.refuse_connections -= 1
                talk.close()
                continue
            transport = Talk(talk)
            transport.add_server_key(self.host_key)
            self.transports.append(transport)
            transport.start_server(event=threading.Event(), server=Door(self))


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()
