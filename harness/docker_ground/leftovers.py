"""Removing what a killed harness left behind: containers, their networks, their disks, and, when asked for, images.

    for sentence in remove_leftovers():
        ...  # "container splitbrain-20261124-093000-1f2e-n1, of the run 20261124-093000-1f2e"

Only what carries our label is touched, and of that only what belongs to runs whose harness is gone (`owner.py`): it
is safe beside a run that is going on. Where there is no engine there is an error, not an empty list; disks are removed
all the same. Whatever works inside containers (queues, captures, rules) goes with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import docker.errors
from docker import DockerClient

from harness.docker_ground import volumes
from harness.docker_ground.containers import OWNER_LABEL, RUN_LABEL, remove_run
from harness.docker_ground.engine import connect
from harness.docker_ground.images import IMAGE_LABEL
from harness.docker_ground.owner import is_alive

THREADS: Final = 16


def remove_leftovers(run_id: str | None = None, everything: bool = False, images: bool = False) -> list[str]:
    """Remove leftovers; returns one sentence for each thing that was removed.

    Args:
        run_id: only what belongs to this run.
        everything: also what belongs to runs whose harness is, or may be, alive.
        images: also the images that were built here and that no container uses.

    Raises:
        InfrastructureError: no engine, or something could not be removed.
    """
    removed: list[str] = []
    try:
        removed += _containers_and_images(run_id, everything, images)
    finally:
        for run, folder in volumes.leftovers(everything):
            if run_id in (None, run):
                removed += [f"{thing}, of the run {run}" for thing in volumes.remove_folder(folder)]
    return removed


def _containers_and_images(run_id: str | None, everything: bool, images: bool) -> list[str]:
    removed: list[str] = []
    with connect() as client, ThreadPoolExecutor(THREADS) as threads:
        for run, owner in sorted(_found(client)):
            if run_id in (None, run) and (everything or not is_alive(owner)):
                removed += [f"{thing}, of the run {run}" for thing in remove_run(client, run, owner, threads)]
        if images:
            removed += [f"image {tag}" for tag in _remove_images(client)]
    return removed


def _found(client: DockerClient) -> set[tuple[str, str]]:
    """Run and owner of every container and network that carries our labels."""
    wanted = {"label": [RUN_LABEL, OWNER_LABEL]}
    entries = [*client.api.containers(all=True, filters=wanted), *client.api.networks(filters=wanted)]
    return {(str(entry["Labels"][RUN_LABEL]), str(entry["Labels"][OWNER_LABEL])) for entry in entries}


def _remove_images(client: DockerClient) -> Iterator[str]:
    """Children first, so the image below every system's comes last; an image in use is left."""
    found = client.images.list(filters={"label": IMAGE_LABEL})
    for image in sorted(found, key=lambda image: str(image.attrs.get("Created")), reverse=True):
        for tag in image.tags:
            try:
                client.images.remove(tag)
            except docker.errors.APIError as error:
                if error.status_code not in (404, 409):
                    raise
            else:
                yield tag
