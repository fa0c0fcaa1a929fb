"""The parts of the docker ground that need no engine: archives, names, owners, probes, and errors as sentences."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from harness.docker_ground import DockerGround, images, leftovers, node_image, owner
from harness.docker_ground.cluster import LOG_BYTES_MAX, DockerCluster, unpack_logs
from harness.docker_ground.engine import connect, plain
from harness.docker_ground.node_image import probe_listener
from harness.errors import InfrastructureError

# ── images ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_build_context_has_the_same_bytes_for_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_bytes(b"pass\n")
    context = {"Dockerfile": b"FROM x\n", "code.py": tmp_path / "code.py"}
    packed = images.pack_context(context)
    os.utime(tmp_path / "code.py", (1, 1))
    assert images.pack_context(dict(reversed(context.items()))) == packed
    assert images.pack_context(context | {"Dockerfile": b"FROM y\n"}) != packed
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == {
            "Dockerfile": b"FROM x\n",
            "code.py": b"pass\n",
        }


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("debian", ("debian", "latest")),
        ("debian:12", ("debian", "12")),
        ("registry:5000/debian", ("registry:5000/debian", "latest")),
        ("registry:5000/debian:12", ("registry:5000/debian", "12")),
        ("debian@sha256:0123", ("debian", "sha256:0123")),
    ],
)
def test_exactly_one_image_is_pulled_never_all_of_a_name(image: str, parts: tuple[str, str]) -> None:
    shelf = Shelf(set(), {":".join(parts)})
    assert images.find_base(shelf, image, lambda: False) == image
    assert shelf.asked == [parts]


class Shelf:
    """An engine that has some images, and a registry that has some more."""

    def __init__(self, present: set[str], registry: set[str] = frozenset()) -> None:
        self.present, self.registry = set(present), registry
        self.asked: list[tuple[str, str]] = []
        self.images, self.api = self, self

    def get(self, image: str) -> SimpleNamespace:
        if image not in self.present:
            raise docker.errors.ImageNotFound("no such image")
        return SimpleNamespace(id=f"sha256:{image}")

    def pull(self, name: str, tag: str, stream: bool, decode: bool) -> Iterator[dict[str, Any]]:
        self.asked.append((name, tag))
        if f"{name}:{tag}" not in self.registry:
            raise docker.errors.APIError("no", explanation="dial tcp: no such host")
        yield {"status": "Pulling"}
        yield {"status": "Done"}


@pytest.mark.parametrize(
    ("present", "registry", "named", "found", "pulled"),
    [
        ({images.DEFAULT_BASE, images.MADE_BASE}, set(), None, images.DEFAULT_BASE, []),
        ({images.MADE_BASE}, {images.DEFAULT_BASE}, None, images.MADE_BASE, []),
        (set(), {images.DEFAULT_BASE}, None, images.DEFAULT_BASE, [images.DEFAULT_BASE]),
        ({images.DEFAULT_BASE, "own:1"}, set(), "own:1", "own:1", []),
        ({images.DEFAULT_BASE}, {"own:1"}, "own:1", "own:1", ["own:1"]),
    ],
)
def test_the_base_image_is_the_named_one_else_a_local_one_else_pulled(present, registry, named, found, pulled) -> None:
    shelf = Shelf(present, registry)
    assert images.find_base(shelf, named, lambda: False) == found
    assert [":".join(asked) for asked in shelf.asked] == pulled


@pytest.mark.parametrize(
    ("named", "remedy"), [(None, "Make splitbrain-base:bookworm with .ci/base-image, or"), ("own:1", "Correct it, or")]
)
def test_a_base_image_that_cannot_be_had_comes_with_a_remedy(named: str | None, remedy: str) -> None:
    with pytest.raises(InfrastructureError) as caught:
        images.find_base(Shelf({images.MADE_BASE} if named else set()), named, lambda: False)
    said = f"cannot be pulled: dial tcp: no such host. {remedy} name another with --base-image."
    assert str(caught.value) == f"The base image {named or images.DEFAULT_BASE} is not on this machine and {said}"


def test_a_pull_that_nobody_waits_for_is_given_up() -> None:
    with pytest.raises(InfrastructureError, match="given up"):
        images.find_base(Shelf(set(), {"own:1"}), "own:1", lambda: True)


class Builder(Shelf):
    """An engine whose builds say these messages."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        super().__init__({images.DEFAULT_BASE})
        self.messages = messages

    def build(self, *, tag: str, **_: object) -> Iterator[dict[str, Any]]:
        self.present.add(tag)
        yield from self.messages


class Store:
    image = "some-store"

    def build_context(self) -> dict[str, bytes]:
        return {"Dockerfile": b"ARG BASE"}


STEPS = (
    {"stream": "Step 1/2 : FROM  ${BASE}\n"},
    {"stream": " ---> 0123\n"},
    {"stream": "Step 2/2 : RUN make\n"},
    {"stream": "first\nsecond\n"},
    {"aux": {"ID": "sha256:1"}},
)


def test_whoever_waits_for_an_image_hears_each_step_and_its_last_line() -> None:
    heard: list[tuple[str, str]] = []
    tag = images.system_image(Builder(*STEPS), Store(), None, lambda: False, lambda *said: heard.append(said))
    assert tag.startswith("some-store:")
    node = heard[: len(heard) // 2]
    assert node == [
        ("building splitbrain-node", ""),
        ("building splitbrain-node, step 1/2: FROM ${BASE}", ""),
        ("building splitbrain-node, step 1/2: FROM ${BASE}", "---> 0123"),
        ("building splitbrain-node, step 2/2: RUN make", ""),
        ("building splitbrain-node, step 2/2: RUN make", "first"),
        ("building splitbrain-node, step 2/2: RUN make", "second"),
    ]
    assert heard[len(node) :] == [(step.replace("splitbrain-node", "some-store"), line) for step, line in node]


def test_an_image_that_is_there_is_not_talked_about() -> None:
    shelf, heard = Builder(), list[str]()
    for _ in range(2):
        heard.clear()
        images.system_image(shelf, Store(), None, lambda: False, lambda step, _line: heard.append(step))
    assert heard == []


def test_a_pull_tells_what_the_registry_is_at() -> None:
    heard: list[tuple[str, str]] = []
    images.find_base(Shelf(set(), {"own:1"}), "own:1", lambda: False, lambda *said: heard.append(said))
    assert heard == [("pulling own:1", ""), ("pulling own:1", "Pulling"), ("pulling own:1", "Done")]


def test_a_build_that_fails_shows_its_last_lines_and_no_others() -> None:
    printed = [{"stream": f"line {number}\n"} for number in range(30)]
    engine = Builder(*printed, {"error": "The command '/bin/sh -c make' returned a non-zero code: 2"})
    with pytest.raises(InfrastructureError) as caught:
        images.system_image(engine, Store(), None, lambda: False)
    shown = " / ".join(f"line {number}" for number in range(30 - images.LINES_SHOWN, 30))
    said = f"{shown} / The command '/bin/sh -c make' returned a non-zero code: 2."
    assert str(caught.value) == f"The image splitbrain-node could not be built on {images.DEFAULT_BASE}: {said}"


def test_every_file_of_the_node_image_is_there_and_sent() -> None:
    there = {path.name for path in node_image.FOLDER.iterdir() if path.is_file()} - {"__init__.py"}
    assert there == set(node_image.FILES)


class Album:
    """An engine with images that were built here, of which one is in use."""

    def __init__(self) -> None:
        self.images, self.left = self, {"node:1": "2026-01-01", "used:1": "2026-01-02", "store:1": "2026-01-03"}

    def list(self, filters: dict[str, str]) -> list[SimpleNamespace]:
        assert filters == {"label": images.IMAGE_LABEL}
        return [SimpleNamespace(tags=[tag], attrs={"Created": created}) for tag, created in self.left.items()]

    def remove(self, tag: str) -> None:
        if tag == "used:1":
            raise docker.errors.APIError("conflict", response=SimpleNamespace(status_code=409, reason="", url=""))
        del self.left[tag]


def test_images_are_removed_children_first_and_those_in_use_are_left() -> None:
    album = Album()
    assert list(leftovers._remove_images(album)) == ["store:1", "node:1"]
    assert set(album.left) == {"used:1"}


# ── owners ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_process_is_alive_as_long_as_it_runs() -> None:
    ask = "from harness.docker_ground.owner import this_process; print(this_process(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        named = other.stdout.readline().decode().strip()
        assert named != owner.this_process()
        assert owner.is_alive(named)
        other.kill()
        deadline = time.monotonic() + 20.0
        while owner.is_alive(named) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not owner.is_alive(named)  # though nobody has collected it yet
    assert not owner.is_alive(named)
    assert owner.is_alive(owner.this_process())


def test_a_number_given_out_again_is_another_process() -> None:
    assert not owner.is_alive(owner.this_process() + "0")


@pytest.mark.parametrize("named", ["", "x", "another-machine/7/7", "/7/7"])
def test_a_process_of_which_nothing_can_be_known_counts_as_alive(named: str) -> None:
    assert owner.is_alive(named)


def test_without_proc_everybody_counts_as_alive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = owner.this_process() + "0"
    monkeypatch.setattr(owner, "PROC", tmp_path)
    assert owner.is_alive(gone)
    assert owner.is_alive(owner.this_process())


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def packed(*members: tuple[str, bytes | None]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content or b""))
    buffer.seek(0)
    return buffer


def test_logs_stay_in_their_folder_whatever_a_node_names_them(tmp_path: Path) -> None:
    inside = tmp_path / "nodes" / "n1"
    inside.mkdir(parents=True)
    unpack_logs(
        packed(("splitbrain/server.log", b"a\n"), ("../../escaped", b"b\n"), ("x/..", b"c"), ("link", None)), inside
    )
    assert {path.name: path.read_bytes() for path in inside.iterdir()} == {"server.log": b"a\n", "escaped": b"b\n"}
    assert [path.name for path in tmp_path.iterdir()] == ["nodes"]


def test_of_a_log_that_is_too_long_the_end_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOG_BYTES_MAX >= 1 << 20
    monkeypatch.setattr("harness.docker_ground.cluster.LOG_BYTES_MAX", 4)
    unpack_logs(packed(("server.log", b"begin end\n")), tmp_path)
    assert (tmp_path / "server.log").read_bytes() == b"end\n"


def test_a_node_without_logs_is_named_in_a_file(tmp_path: Path) -> None:
    def read_logs(node: str) -> io.BytesIO:
        if node == "n2":
            raise InfrastructureError("No such container: abc.")
        return packed(("server.log", b"fine\n"))

    addresses = dict.fromkeys(("n1", "n2"), ("10.0.0.1", 7000))
    asyncio.run(DockerCluster(addresses, None, None, None, None, read_logs).collect_logs(tmp_path))
    assert (tmp_path / "n1" / "server.log").read_text() == "fine\n"
    assert (
        tmp_path / "n2" / "missing.txt"
    ).read_text() == "The logs of n2 could not be read: No such container: abc.\n"


# ── probes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("datagram", "noted"),
    [
        (b"0123456789abcdef", True),
        (b"0123456789ABCDEF", False),
        (b"0123456789abcdef\n", False),
        (b"../../etc/passwd", False),
        (b"\xff" * 16, False),
        (b"", False),
    ],
)
def test_only_probes_are_noted(datagram: bytes, noted: bool, tmp_path: Path) -> None:
    assert probe_listener.note(datagram, tmp_path) is noted
    assert [path.name.encode() for path in tmp_path.iterdir()] == ([datagram] if noted else [])


def test_notes_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_listener, "FILES_MAX", 2)
    assert [probe_listener.note(b"%016x" % number, tmp_path) for number in range(3)] == [True, True, False]


# ── an engine that is not there ──────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def entered() -> Iterator[None]:
    with connect():
        yield


@pytest.mark.parametrize("use", [lambda: entered().__enter__(), leftovers.remove_leftovers], ids=["connect", "cleanup"])
def test_no_engine_is_one_sentence_with_the_remedy(use, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    with pytest.raises(InfrastructureError) as caught:
        use()
    assert caught.value.exit_code == 255
    assert str(caught.value) == (
        f"No Docker engine answers at {tmp_path}/none (No such file or directory). Start one (systemctl start docker),"
        " name one in DOCKER_HOST, or use --on sim, which needs none."
    )


def test_a_socket_that_may_not_be_used_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("DOCKER_HOST", "unix:///run/engine.sock")
    monkeypatch.setattr("socket.socket.connect", refuse)
    with pytest.raises(InfrastructureError, match=r"^You may not use the Docker engine at /run/engine\.sock\. Join"):
        entered().__enter__()


def test_an_engine_that_is_named_wrongly_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(
        InfrastructureError, match=r"^The Docker engine at tcp://127\.0\.0\.1:1 does not answer: .*--on sim"
    ):
        entered().__enter__()


def test_an_error_of_the_engine_becomes_one_line_of_bounded_length() -> None:
    assert plain(docker.errors.APIError("x", explanation="no\n  such\tnetwork.")) == "no such network"
    assert plain(docker.errors.DockerException("why")) == "why"
    assert plain(ValueError()) == "ValueError"
    assert len(plain(ValueError("x" * 5000))) == 500


def test_making_the_ground_asks_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setenv("SPLITBRAIN_BASE_IMAGE", "own:1")
    assert DockerGround(None).base_image == "own:1"
    assert DockerGround("mine:2").base_image == "mine:2"
    monkeypatch.setenv("SPLITBRAIN_BASE_IMAGE", "")
    assert DockerGround(None).base_image is None
