"""From a base image to the image of a node: two builds, each done once and found again by the digest of what went in.

    base image       debian:bookworm-slim, or what the user names
    └── splitbrain-node:<digest>            SSH, iptables and the harness' helpers (node_image/)
        └── <system's image>:<digest>       the system under test (`Packaged.build_context`)

A build whose digest is known is not started at all, which takes milliseconds where even a cached build takes longer.
Nothing is pulled where a base image is on this machine already. Whoever waits is told what the engine is at: the image
and the step, and the last line that the step printed.

Limits: a pull is bounded by the engine's own patience with the registry, not by ours.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import docker.errors
import requests
from docker import DockerClient
from docker.utils import parse_repository_tag

from harness.docker_ground import node_image
from harness.docker_ground.engine import plain
from harness.errors import InfrastructureError
from harness.protocols import Packaged
from harness.telling import Tell, say_nothing

DEFAULT_BASE: Final = "debian:bookworm-slim"
MADE_BASE: Final = "splitbrain-base:bookworm"
"""What .ci/base-image makes where nothing can be pulled."""
NODE_IMAGE: Final = "splitbrain-node"
IMAGE_LABEL: Final = "splitbrain.image"
"""On every image built here: its name. So that cleanup finds them."""
LINES_SHOWN: Final = 8
SILENCE_S: Final = 300
"""How long a build may say nothing."""
GivenUp = Callable[[], bool]
"""Whether nobody waits for the image any more."""
STEP: Final = re.compile(r"Step (\d+/\d+) : (.*)")
WORDS_MAX: Final = 120
"""Of a line, for people."""


def system_image(
    client: DockerClient, system: Packaged, base_image: str | None, given_up: GivenUp, tell: Tell = say_nothing
) -> str:
    """The tag of the image that runs the system, built now unless it was built before.

    Args:
        tell: hears what is being done.

    Raises:
        InfrastructureError: no base image, or the build failed (with its last lines).
    """
    base = find_base(client, base_image, given_up, tell)
    helpers = {name: node_image.FOLDER / name for name in node_image.FILES}
    node = _built(client, helpers, NODE_IMAGE, base, given_up, tell)
    return _built(client, system.build_context(), system.image, node, given_up, tell)


def find_base(client: DockerClient, named: str | None, given_up: GivenUp, tell: Tell = say_nothing) -> str:
    """The base image to build on: the named one, pulled if need be; else a local one; else Debian's, pulled.

    Raises:
        InfrastructureError: it is neither here nor can it be pulled.
    """
    for image in [named] if named else [DEFAULT_BASE, MADE_BASE]:
        if is_present(client, image):
            return image
    wanted = named or DEFAULT_BASE
    name, tag = parse_repository_tag(wanted)
    following = Following(f"pulling {wanted}", given_up, tell)
    failed = following.to_the_end(lambda: client.api.pull(name, tag=tag or "latest", stream=True, decode=True))
    if failed:
        remedy = "Correct it, or" if named else f"Make {MADE_BASE} with .ci/base-image, or"
        raise InfrastructureError(
            f"The base image {wanted} is not on this machine and cannot be pulled: {failed}."
            f" {remedy} name another with --base-image."
        )
    return wanted


def is_present(client: DockerClient, image: str) -> bool:
    """Whether the engine has the image."""
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    except docker.errors.APIError as error:
        raise InfrastructureError(f"{image!r} is no name of an image: {plain(error)}.") from error
    return True


def _built(
    client: DockerClient, context: Mapping[str, bytes | Path], name: str, base: str, given_up: GivenUp, tell: Tell
) -> str:
    packed = pack_context(context)
    base_id = str(client.images.get(base).id)
    tag = f"{name}:{hashlib.sha256(base_id.encode() + packed).hexdigest()[:16]}"
    if not is_present(client, tag):
        _build(client, packed, tag, base, Following(f"building {name}", given_up, tell))
    return tag


def _build(client: DockerClient, packed: bytes, tag: str, base: str, following: Following) -> None:
    name = tag.partition(":")[0]

    def build() -> Iterable[Mapping[str, Any]]:
        return client.api.build(
            fileobj=io.BytesIO(packed),
            custom_context=True,
            tag=tag,
            buildargs={"BASE": base},
            labels={IMAGE_LABEL: name},
            network_mode="host",
            timeout=SILENCE_S,
            rm=True,
            forcerm=True,
            decode=True,
        )

    failed = following.to_the_end(build)
    if failed:
        shown = " / ".join(" ".join(line.split())[:300] for line in [*following.lines, failed])
        raise InfrastructureError(f"The image {name} could not be built on {base}: {shown}.")


class Following:
    """Follows what the engine says of one build or pull.

    Attributes:
        lines: the last ones that a build printed.
    """

    def __init__(self, what: str, given_up: GivenUp, tell: Tell) -> None:
        self.lines: list[str] = []
        self._what, self._step, self._given_up, self._tell = what, what, given_up, tell

    def to_the_end(self, work: Callable[[], Iterable[Mapping[str, Any]]]) -> str:
        """Its error, "" when it is done."""
        self._tell(self._what, "")
        try:
            for message in work():
                self._hear(message)
                if "error" in message:
                    return " ".join(str(message["error"]).split()).rstrip(".")
                if self._given_up():
                    return "it was given up"  # leaving the stream ends the engine's work on it
        except (docker.errors.DockerException, requests.RequestException) as error:
            return plain(error)
        return ""

    def _hear(self, message: Mapping[str, Any]) -> None:
        new = [line for line in str(message.get("stream", "")).splitlines() if line.strip()]
        self.lines += new
        del self.lines[:-LINES_SHOWN]
        for line in new:
            if (step := STEP.match(line)) is not None:
                self._step, line = f"{self._what}, step {step[1]}: {_short(step[2])}", ""
            self._tell(self._step, _short(line))
        if "status" in message:
            parts = (message.get("id"), message["status"], message.get("progress"))
            self._tell(self._what, _short(" ".join(str(part) for part in parts if part)))


def _short(line: str) -> str:
    return " ".join(line.split())[:WORDS_MAX]


def pack_context(context: Mapping[str, bytes | Path]) -> bytes:
    """A build context as a tar that has the same bytes for the same files: no times, no owners, names sorted."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in sorted(context):
            content = context[name]
            data = content.read_bytes() if isinstance(content, Path) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o644
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
