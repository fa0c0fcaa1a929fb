"""What this machine can do, ground by ground and fault by fault: what `splitbrain doctor` prints.

>>> examine_simulation()[0].available
True

A finding is a fact that was looked up now, or a limit of the program; nothing is started, pulled or changed.

Limits: whether the kernel lets a container filter packets shows only when a cluster is provisioned. Without root, it
cannot be tried whether it queues them either.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.errors import InfrastructureError
from harness.protocols import Ground, Tunable

if TYPE_CHECKING:
    from docker import DockerClient

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Finding(msgspec.Struct, frozen=True):
    """One thing that a machine may be able to do.

    Attributes:
        ground: "sim", "docker", "ssh" or "local"; ability: what, in few words; detail: how it is known; remedy: what
            to do without.
    """

    ground: str
    ability: str
    available: bool
    detail: str
    remedy: str = ""


def examine(on: str | None = None, options: Mapping[str, Any] = NOTHING) -> list[Finding]:
    """All findings, or those of one ground: the simulation first, for it needs nothing.

    Args:
        options: switches of the ground `ssh`: the machines to look at.
    """
    examinations: dict[str, Callable[[], list[Finding]]] = {
        "sim": examine_simulation,
        "local": examine_local,
        "docker": examine_docker,
        "ssh": lambda: examine_machines(options),
    }
    return [finding for ground, look in examinations.items() if on in (None, ground) for finding in look()]


def examine_simulation() -> list[Finding]:
    """The ground `sim`, which needs Python and nothing else."""
    from harness.simulation.ground import SimGround

    version = ".".join(str(part) for part in sys.version_info[:3])
    runs = Finding("sim", "simulated runs", True, f"Python {version}; nothing else is needed")
    return [runs, *_faults(SimGround(0), {})]


def examine_local() -> list[Finding]:
    """The ground `local`: plain processes, and network namespaces where root can make them."""
    from harness.local_ground import LocalGround

    ground = LocalGround()
    here = sys.platform == "linux"
    runs = Finding(
        "local",
        "plain processes",
        here,
        "servers are processes of this machine" if here else f"this machine runs {sys.platform}, not Linux",
        "" if here else "use --on sim",
    )
    return [runs, *_faults(ground, {})]


def examine_machines(options: Mapping[str, Any]) -> list[Finding]:
    """The ground `ssh`: each machine that is named, as it answers now, and the faults."""
    from harness.ssh_ground import SshGround
    from harness.ssh_ground.ground import access_of, machines_of
    from harness.ssh_ground.looking import look_at

    ground = SshGround()
    if (reason := ground.refused(options)) is not None:
        what, _, remedy = reason.partition("; ")
        machines = [Finding("ssh", "machines", False, what, remedy or "correct it")]
    else:
        seen = look_at(machines_of(options), access_of(options))
        machines = [Finding("ssh", one.name, not one.lacks, one.told, one.lacks) for one in seen]
    return [*machines, *_faults(ground, options)]


def examine_docker() -> list[Finding]:
    """The ground `docker`: engine, base image, way to the containers, faults."""
    from harness.docker_ground import DockerGround
    from harness.docker_ground.engine import connect

    try:
        with connect(timeout_s=10) as client:
            return [
                *_engine(client),
                _base_image(client, DockerGround(None).base_image),
                *_switches(),
                *_faults(DockerGround(None), {"disk": "loop"}),
            ]
    except InfrastructureError as error:
        what, _, remedy = str(error).partition(". ")
        return [Finding("docker", "engine", False, what, remedy)]


def _engine(client: DockerClient) -> Iterator[Finding]:
    version = client.version()
    told = f"version {version.get('Version', 'unknown')}, API {version.get('ApiVersion', 'unknown')}"
    yield Finding("docker", "engine", True, told)
    own = sys.platform == "linux" and "Docker Desktop" not in str(version.get("Platform", {}).get("Name", ""))
    host = os.environ.get("DOCKER_HOST", "")
    away = bool(host) and not host.startswith("unix://") and client.info().get("Name") != socket.gethostname()
    here = own and not away
    elsewhere = "on another machine" if away else "in a virtual machine of their own"
    yield Finding(
        "docker",
        "way to containers",
        here,
        "containers are processes of this machine" if here else f"containers are {elsewhere}",
        "" if here else "run splitbrain on the Linux machine that runs the engine, or use --on sim",
    )


def _switches() -> Iterator[Finding]:
    """Other ways of making the same faults, which need more than the usual ones."""
    from harness.docker_ground.abilities import refused

    for switch, told in (
        ({"clock_by": "vdso"}, "clocks of static programs, too"),
        ({"links": "netem"}, "links by the kernel's own means"),
    ):
        [(name, value)] = switch.items()
        words = f"--{name.replace('_', '-')} {value}"
        why, _, remedy = (refused(switch) or "").removeprefix(f"{words}: ").partition("; ")
        yield Finding("docker", words, not why, why or told, remedy)


def _base_image(client: DockerClient, named: str | None) -> Finding:
    from harness.docker_ground.images import DEFAULT_BASE, MADE_BASE, is_present

    candidates = [named] if named else [DEFAULT_BASE, MADE_BASE]
    try:
        present = [image for image in candidates if is_present(client, image)]
    except InfrastructureError as error:
        return Finding("docker", "base image", False, str(error), "correct SPLITBRAIN_BASE_IMAGE")
    if present:
        return Finding("docker", "base image", True, f"{present[0]} is on this machine")
    remedy = f"docker pull {candidates[0]}"
    if not named and shutil.which("apt-get"):
        remedy += f", or make {MADE_BASE} with .ci/base-image where no registry can be reached"
    return Finding("docker", "base image", False, f"{candidates[0]} is not on this machine yet", remedy)


def _faults(ground: Ground, options: Mapping[str, Any]) -> Iterator[Finding]:
    """Each fault, with what it needs where it can be had, and why not where it cannot."""
    from harness.nemesis.catalogue import FAULTS

    lacking = ground.lacking(options) if isinstance(ground, Tunable) else {}
    always = ground.lacking({}) if isinstance(ground, Tunable) else {}
    otherwise = "use --on sim, where it is simulated" if ground.name != "sim" else "use --on docker"
    for kind, fault in FAULTS.items():
        if kind in lacking:
            why, _, remedy = lacking[kind].partition("; ")
            yield Finding(ground.name, kind, False, why, remedy or otherwise)
        elif not fault.needs - {"membership"} <= ground.faults:
            yield Finding(ground.name, kind, False, f"the ground {ground.name} cannot do it", otherwise)
        else:
            switch = f" (with {always[kind].rpartition('use ')[2]})" if kind in always else ""
            yield Finding(ground.name, kind, True, fault.summary + switch)
