"""What `splitbrain doctor` says, with and without a Docker engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from harness import doctor
from harness.docker_ground import DockerGround
from harness.docker_ground.abilities import refused
from harness.docker_ground.images import DEFAULT_BASE, MADE_BASE
from harness.nemesis.compose import SURFACES


def refused_switches() -> list[str]:
    """What this machine cannot have besides faults."""
    switches = {"--clock-by vdso": {"clock_by": "vdso"}, "--links netem": {"links": "netem"}}
    return [words for words, switch in switches.items() if refused(switch) is not None]


def lacking_with_loop() -> dict[str, str]:
    """What this very machine lacks, whoever runs the tests."""
    return DockerGround(None).lacking({"disk": "loop"})


class Engine:
    """An engine with some images."""

    def __init__(self, *present: str, platform: str = "Docker Engine - Community") -> None:
        self.images, self._present, self._platform = self, present, platform

    def version(self) -> dict[str, Any]:
        return {"Version": "28.2.2", "ApiVersion": "1.50", "Platform": {"Name": self._platform}}

    def get(self, image: str) -> SimpleNamespace:
        if " " in image:
            raise docker.errors.APIError("bad", explanation="invalid reference format")
        if image not in self._present:
            raise docker.errors.ImageNotFound("no such image")
        return SimpleNamespace(id="sha256:1")


def examined(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> dict[str, doctor.Finding]:
    @contextmanager
    def connect(timeout_s: float) -> Iterator[Engine]:
        yield engine

    monkeypatch.setattr("harness.docker_ground.engine.connect", connect)
    return {finding.ability: finding for finding in doctor.examine_docker()}


def test_the_simulation_needs_nothing_and_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    findings = doctor.examine()
    assert (findings[0].ground, findings[0].available) == ("sim", True)
    assert list(dict.fromkeys(finding.ground for finding in findings)) == ["sim", "local", "docker", "ssh"]


def test_each_ground_names_every_fault_and_how_to_have_those_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.local_ground.namespaces.os.geteuid", lambda: 1000)
    for ground in ("sim", "local", "ssh"):
        findings = {finding.ability: finding for finding in doctor.examine(ground)}
        assert findings.keys() >= SURFACES.keys()
        assert all(finding.remedy for finding in findings.values() if not finding.available)
        assert {finding.ground for finding in findings.values()} == {ground}
    local = {finding.ability: finding for finding in doctor.examine("local")}
    assert local["partition"].detail == "only root can make network namespaces"
    assert local["kill"].available
    assert not local["power"].available


def test_ssh_without_machines_says_how_to_name_them() -> None:
    first = doctor.examine("ssh")[0]
    assert (first.available, first.detail) == (False, "no machines")
    assert first.remedy == "name them with --machines or --machines-file"


def test_no_engine_is_one_finding_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert doctor.examine_docker() == [
        doctor.Finding(
            "docker",
            "engine",
            False,
            "No Docker engine answers at /nowhere (No such file or directory)",
            "Start one (systemctl start docker), name one in DOCKER_HOST, or use --on sim, which needs none.",
        )
    ]


def test_a_good_machine_can_do_all_that_the_ground_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPLITBRAIN_BASE_IMAGE", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    found = examined(monkeypatch, Engine(MADE_BASE))
    assert found["engine"].detail == "version 28.2.2, API 1.50"
    assert found["base image"].detail == f"{MADE_BASE} is on this machine"
    lacking = lacking_with_loop()
    assert found.keys() >= SURFACES.keys()
    assert {ability for ability, finding in found.items() if not finding.available} == {*lacking, *refused_switches()}


def test_every_lack_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPLITBRAIN_BASE_IMAGE", raising=False)
    found = examined(monkeypatch, Engine(platform="Docker Desktop 4.30"))
    lacking = [ability for ability, finding in found.items() if not finding.available]
    faults = [kind for kind in SURFACES if kind in lacking_with_loop()]
    assert lacking == ["way to containers", "base image", *refused_switches(), *faults]
    assert all(found[ability].remedy for ability in lacking)
    assert found["base image"].remedy.startswith(f"docker pull {DEFAULT_BASE}")


@pytest.mark.parametrize(
    ("named", "said"), [("own:1", "own:1 is not on this machine yet"), ("a b", "'a b' is no name")]
)
def test_the_base_image_of_the_environment_is_looked_for(
    named: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLITBRAIN_BASE_IMAGE", named)
    finding = examined(monkeypatch, Engine(DEFAULT_BASE))["base image"]
    assert not finding.available
    assert finding.detail.startswith(said)
    assert "splitbrain-base" not in finding.remedy


@pytest.mark.docker
def test_the_engine_of_this_machine_is_found() -> None:
    found = {finding.ability: finding for finding in doctor.examine_docker()}
    assert found["engine"].available
    assert found["partition"].available


@pytest.mark.parametrize("kind", ["power", "disk-full", "clock-drift", "packet"])
def test_what_a_machine_lacks_is_told_with_why_and_what_to_do(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    monkeypatch.setattr("harness.docker_ground.abilities.no_queue", lambda: "the kernel cannot; change it")
    finding = examined(monkeypatch, Engine(MADE_BASE))[kind]
    assert not finding.available
    assert {"power": "root", "disk-full": "root", "clock-drift": "x86-64", "packet": "kernel"}[kind] in finding.detail
    assert finding.remedy
