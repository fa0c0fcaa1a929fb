"""Reaching the Docker engine, and saying in one sentence why it cannot be reached.

    with connect() as client:
        client.api.version()

A Unix socket is tried by hand first: that tells a missing engine from a missing permission. Over SSH
(DOCKER_HOST=ssh://user@machine) every call takes a session of one SSH connection, and the SDK gives some of them back
late: sshd's usual ten are too few for a run, a hundred (MaxSessions) were enough.

Limits: over SSH, containers must be reachable from here all the same, as they are where SSH leads back to this machine.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import docker
import docker.errors
import paramiko
import requests

from harness.errors import InfrastructureError

TIMEOUT_S: Final = 60
"""Deadline for one answer of the engine."""
CONNECTIONS_MAX: Final = 64
SESSIONS_MAX: Final = 4
"""Calls at once over SSH."""
FAILURES: Final = (docker.errors.DockerException, requests.RequestException, paramiko.SSHException)
"""What a call of the engine may raise."""
DEFAULT_SOCKET: Final = "unix:///var/run/docker.sock"
REMEDY: Final = "Start one (systemctl start docker), name one in DOCKER_HOST, or use --on sim, which needs none."


@contextmanager
def connect(timeout_s: float = TIMEOUT_S) -> Iterator[docker.DockerClient]:
    """A client of the engine that DOCKER_HOST names, or of this machine's; closed at the end.

    Raises:
        InfrastructureError: none answers; why, and what to do.
    """
    host = os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET
    _try_socket(host)
    try:
        client = docker.from_env(timeout=int(timeout_s), max_pool_size=calls_at_once())
    except (*FAILURES, OSError) as error:
        raise InfrastructureError(f"The Docker engine at {host} does not answer: {plain(error)}. {REMEDY}") from error
    try:
        client.api.ping()
        yield client
    except (requests.ConnectionError, requests.Timeout) as error:
        raise InfrastructureError(f"The Docker engine at {host} stopped answering: {plain(error)}. {REMEDY}") from error
    except paramiko.ChannelException as error:
        raise InfrastructureError(
            f"The sshd before the Docker engine at {host} takes no further session;"
            " set MaxSessions 100 in its sshd_config."
        ) from error
    except (docker.errors.DockerException, paramiko.SSHException) as error:
        raise InfrastructureError(f"The Docker engine at {host} refused: {plain(error)}.") from error
    finally:
        client.close()


def calls_at_once() -> int:
    """How many calls of the engine may be under way."""
    return SESSIONS_MAX if os.environ.get("DOCKER_HOST", "").startswith("ssh://") else CONNECTIONS_MAX


def plain(error: Exception) -> str:
    """An engine's error as part of a sentence: its own words, in one line, without what wraps them."""
    said = getattr(error, "explanation", None) or str(error) or type(error).__name__
    words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return " ".join(words.split())[:500].rstrip(".")


def _try_socket(host: str) -> None:
    if not host.startswith("unix://"):
        return
    path = "/" + host.removeprefix("unix://").lstrip("/")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
            trial.settimeout(5.0)
            trial.connect(path)
    except PermissionError as error:
        raise InfrastructureError(
            f"You may not use the Docker engine at {path}. Join the group docker, or run this as root, or use --on sim."
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise InfrastructureError(f"No Docker engine answers at {path} ({reason}). {REMEDY}") from error
