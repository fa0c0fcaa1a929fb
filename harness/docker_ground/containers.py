"""Making and removing one run's network and containers. Everything blocks, and carries the run's label.

    network splitbrain-<run>  (internal: nothing but this machine reaches it)
    container splitbrain-<run>-n1, -n2, ...  (Docker's init as first process, one capability more than usual: NET_ADMIN)

What is removed is found by label, not remembered, so that nothing is missed that was made just before a failure.
"""

from __future__ import annotations

import contextlib
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import IO, Any, Final

import docker.errors
from docker import DockerClient

from harness.clock import monotonic_ns, sleep_s
from harness.docker_ground import node_image
from harness.docker_ground.engine import plain
from harness.docker_ground.owner import this_process
from harness.docker_ground.volume import release_disk
from harness.errors import InfrastructureError

RUN_LABEL: Final = "splitbrain.run"
OWNER_LABEL: Final = "splitbrain.owner"
UP_S: Final = 30.0
"""Deadline for a container to have made its host key."""
POLL_S: Final = 0.02
PROCESSES_MAX: Final = 4096
ARCHIVE_BYTES_MAX: Final = 1 << 30


@dataclass(frozen=True)
class Made:
    """A container that is up.

    Attributes:
        node: its name; container: its id; address: on the run's network; host_key: of its sshd, public.
        pid: of its first process, as the engine's machine numbers it.
    """

    node: str
    container: str
    address: str
    host_key: str
    pid: int


def make_network(client: DockerClient, run_id: str) -> str:
    """Make the run's network and return its name.

    Raises:
        InfrastructureError: the engine refused; its reason.
    """
    name = f"splitbrain-{run_id}"
    try:
        client.api.create_network(name, driver="bridge", internal=True, labels=_labels(run_id), check_duplicate=True)
    except docker.errors.APIError as error:
        raise InfrastructureError(
            f"The network {name} could not be made: {plain(error)}."
            " If addresses ran out, `splitbrain cleanup` removes what earlier runs left."
        ) from error
    return name


def make_container(client: DockerClient, run_id: str, node: str, image: str, network: str, public_key: str) -> Made:
    """Make and start one node's container, and wait until it has an address and a host key.

    Raises:
        InfrastructureError: the engine refused, or the container ended; why, with its last lines.
    """
    try:
        container = _create(client, run_id, node, image, network, public_key)
        client.api.start(container)
        host_key = _host_key(client, node, container)
        details = client.api.inspect_container(container)
    except docker.errors.APIError as error:
        raise InfrastructureError(f"{node}: its container could not be made: {plain(error)}.") from error
    address = str(details["NetworkSettings"]["Networks"][network]["IPAddress"])
    return Made(node, container, address, host_key, int(details["State"]["Pid"]))


def _create(client: DockerClient, run_id: str, node: str, image: str, network: str, public_key: str) -> str:
    api = client.api
    made = api.create_container(
        image,
        entrypoint=[node_image.ENTRYPOINT],
        name=f"splitbrain-{run_id}-{node}",
        hostname=node,
        labels=_labels(run_id),
        environment={
            "SPLITBRAIN_AUTHORIZED_KEY": public_key,
            "SPLITBRAIN_CHAIN": node_image.CHAIN,
            "SPLITBRAIN_PROBE_PORT": str(node_image.PROBE_PORT),
        },
        host_config=api.create_host_config(
            cap_add=["NET_ADMIN"], init=True, network_mode=network, pids_limit=PROCESSES_MAX
        ),
        networking_config={"EndpointsConfig": {network: {"Aliases": [node]}}},
    )
    return str(made["Id"])


def _labels(run_id: str) -> dict[str, str]:
    return {RUN_LABEL: run_id, OWNER_LABEL: this_process()}


def _host_key(client: DockerClient, node: str, container: str) -> str:
    """The container's public host key, read past the network: whoever else takes its address cannot pretend."""
    deadline_ns = monotonic_ns() + int(UP_S * 1e9)
    while monotonic_ns() < deadline_ns:
        try:
            line = read_file(client, container, node_image.HOST_KEY_FILE).decode(errors="replace")
        except docker.errors.NotFound:
            line = ""
        if line.endswith("\n") and len(line.split()) >= 2:
            return line.strip()
        if (ended := why_ended(client, container)) is not None:
            raise InfrastructureError(f"{node}: its container ended as soon as it was started ({ended}).")
        sleep_s(POLL_S)
    raise InfrastructureError(f"{node}: its container made no SSH host key within {UP_S:g} s.")


def why_ended(client: DockerClient, container: str) -> str | None:
    """None while the container runs; else its exit code, what the kernel did to it, and its last lines."""
    try:
        state: dict[str, Any] = client.api.inspect_container(container)["State"]
    except docker.errors.NotFound:
        return "somebody removed it"
    if state["Running"]:
        return "somebody paused it" if state.get("Paused") else None
    words = [f"exit code {state['ExitCode']}"]
    if state.get("OOMKilled"):
        words.append("out of memory")
    if state.get("Error"):
        words.append(str(state["Error"]))
    tail = client.api.logs(container, tail=3).decode(errors="replace").split("\n")
    return ": ".join([", ".join(words), *filter(None, [" / ".join(line.strip() for line in tail if line.strip())])])


def read_file(client: DockerClient, container: str, path: str) -> bytes:
    """One file out of a container, which need not run; docker.errors.NotFound."""
    with read_archive(client, container, path) as archive, tarfile.open(fileobj=archive) as tar:
        for member in tar:
            if (content := tar.extractfile(member)) is not None:
                return content.read()
    return b""


def read_archive(client: DockerClient, container: str, path: str, most: int = ARCHIVE_BYTES_MAX) -> IO[bytes]:
    """A file or folder out of a container as a tar, on disk where it is large; docker.errors.NotFound.

    Raises:
        InfrastructureError: there is more than `most` bytes of it.
    """
    stream, _ = client.api.get_archive(container, path)
    archive = tempfile.SpooledTemporaryFile(max_size=1 << 20)  # noqa: SIM115 (handed on to the caller)
    try:
        for chunk in stream:
            archive.write(chunk)
            if archive.tell() > most:
                raise InfrastructureError(f"{path} has more than {most >> 20} MiB.")
    except BaseException:
        archive.close()
        raise
    archive.seek(0)
    return archive


def remove_run(client: DockerClient, run_id: str, owner: str, threads: Executor) -> list[str]:
    """Remove the containers, then the networks, that a process made for a run, whatever state they are in.

    Returns what was removed: "container splitbrain-...-n1".

    Raises:
        InfrastructureError: something could not be removed, after everything else was.
    """
    api, wanted = client.api, {"label": [f"{RUN_LABEL}={run_id}", f"{OWNER_LABEL}={owner}"]}
    containers = {
        f"container {entry['Names'][0].lstrip('/')}": entry["Id"] for entry in api.containers(all=True, filters=wanted)
    }
    removed = _each(threads, containers, lambda container: _remove_container(client, container))
    networks = {f"network {entry['Name']}": entry["Id"] for entry in api.networks(filters=wanted)}
    return removed + _each(threads, networks, api.remove_network)


def _remove_container(client: DockerClient, container: str) -> None:
    """A process that waits for a disk that hangs cannot be killed, so the disk goes on first."""
    with contextlib.suppress(docker.errors.NotFound):
        release_disk(int(client.api.inspect_container(container)["State"]["Pid"]))
    client.api.remove_container(container, force=True, v=True)


def _each(threads: Executor, ids: Mapping[str, str], remove: Callable[[str], object]) -> list[str]:
    """Remove all at once; what is gone already, or being removed by another, is no error."""
    started = [(name, threads.submit(remove, id_)) for name, id_ in ids.items()]
    removed, failed = [], []
    for name, future in started:
        try:
            future.result()
            removed.append(name)
        except docker.errors.APIError as error:
            if error.status_code not in (404, 409):
                failed.append(f"{name}: {plain(error)}")
    if failed:
        raise InfrastructureError(f"Not everything could be removed: {'; '.join(failed)}. Try `splitbrain cleanup`.")
    return removed
