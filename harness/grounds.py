"""Grounds by name: how each is made from a seed and a base image. Imported lazily, one by one."""

from __future__ import annotations

from harness.protocols import Ground


def simulated(seed: int, base_image: str | None) -> Ground:  # noqa: ARG001 (every ground is made the same way)
    """The real server code in one process, on simulated network, disks and clocks, decided by the seed."""
    from harness.simulation.ground import SimGround

    return SimGround(seed)


def docker(seed: int, base_image: str | None) -> Ground:  # noqa: ARG001 (every ground is made the same way)
    """Containers on a private network, provisioned with the Docker SDK and controlled over SSH."""
    from harness.docker_ground import DockerGround

    return DockerGround(base_image)


def local(seed: int, base_image: str | None) -> Ground:  # noqa: ARG001 (every ground is made the same way)
    """Plain processes of this machine, with network namespaces where root allows."""
    from harness.local_ground import LocalGround

    return LocalGround()


def ssh(seed: int, base_image: str | None) -> Ground:  # noqa: ARG001 (every ground is made the same way)
    """Machines that the user has, reached with the user's keys."""
    from harness.ssh_ground import SshGround

    return SshGround()
