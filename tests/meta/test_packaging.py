"""What the wheel and the sdist hold, whether every declared plug-in loads, and whether the locks are exact.

Both archives are built from a copy of the sources, without a network, so that nothing is left behind in the checkout
and no stale build folder can hide a missing file.
"""

from __future__ import annotations

import configparser
import importlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = {"harness", "system_under_test", "checkers", "workloads", "reports"}
GROUPS = {
    f"splitbrain.{kind}" for kind in ("systems", "workloads", "nemeses", "checkers", "models", "reports", "grounds")
}
ENTRY_POINTS = PROJECT["project"].get("entry-points", {})
BUILD_S = 120


def command(*arguments: str | Path, cwd: Path) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=BUILD_S)
    assert done.returncode == 0, f"{arguments} gave {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def build(kind: str, source: Path, into: Path, pattern: str) -> Path:
    """Asks the build backend itself, in a process of its own, so that no pip is needed."""
    into.mkdir(exist_ok=True)
    command("-c", f"import sys, setuptools.build_meta as b; b.build_{kind}(sys.argv[1])", into, cwd=source)
    (archive,) = into.glob(pattern)
    return archive


def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the archives are built from."""
    copy = tmp_path_factory.mktemp("source")
    for package in sorted(PACKAGES):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", source, tmp_path_factory.mktemp("wheel"), "*.whl")


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", source, tmp_path_factory.mktemp("sdist"), "*.tar.gz")


def source_files() -> set[str]:
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def test_the_wheel_installs_the_five_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in members(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Templates, scripts and Dockerfiles too: one that package-data forgets is missed only after installation."""
    inside = {name for name in members(wheel) if ".dist-info/" not in name}
    assert inside == source_files()
    assert {f"{package}/py.typed" for package in PACKAGES} <= inside


def test_the_wheel_carries_the_licence(wheel: Path) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in members(wheel))


def test_a_wheel_built_from_the_sdist_is_the_same(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert members(build("wheel", unpacked, tmp_path / "wheel", "*.whl")) == members(wheel)


def test_the_wheel_declares_the_entry_points_of_pyproject(wheel: Path) -> None:
    declared = {"console_scripts": PROJECT["project"]["scripts"], **ENTRY_POINTS}
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        parser = configparser.ConfigParser(delimiters=("=",))
        parser.optionxform = str  # keep the case of names
        parser.read_string(archive.read(name).decode())
    assert {section: dict(parser[section]) for section in parser.sections()} == declared


def test_every_group_of_plug_ins_is_declared() -> None:
    assert set(ENTRY_POINTS) == GROUPS | {"pytest11"}
    assert all(ENTRY_POINTS.values()), "a group without a plug-in"


@pytest.mark.parametrize(
    ("group", "name", "target"),
    [
        (group, name, target)
        for group, points in [("scripts", PROJECT["project"]["scripts"]), *ENTRY_POINTS.items()]
        for name, target in points.items()
    ],
)
def test_an_entry_point_loads(group: str, name: str, target: str) -> None:
    module, _, attribute = target.partition(":")
    found = importlib.import_module(module)
    for part in attribute.split(".") if attribute else ():
        found = getattr(found, part)
    assert found is not None


PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; [^\\]+)? ?\\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pins(lock: str) -> dict[str, Version]:
    """Name → version of a lock, which may hold pins, their hashes and comments, and nothing else."""
    found: dict[str, Version] = {}
    hashes = 1
    for number, line in enumerate((ROOT / lock).read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        if HASH.match(line):
            hashes += 1
            continue
        pin = PIN.match(line)
        assert pin, f"{lock}:{number}: neither a pin, nor a hash, nor a comment: {line!r}"
        assert hashes, f"{lock}:{number}: the pin before this line has no hash"
        hashes = 0
        found[canonicalize_name(pin["name"])] = Version(pin["version"])
    assert hashes, f"{lock}: the last pin has no hash"
    return found


def test_the_locks_pin_what_pyproject_declares() -> None:
    """A dependency that is declared and not locked, or locked outside its range, means: run `make lock`."""
    run = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"]]
    develop = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    for lock, requirements in (("requirements.lock", run), ("requirements-dev.lock", develop)):
        locked = pins(lock)
        for requirement in map(Requirement, requirements):
            version = locked.get(canonicalize_name(requirement.name))
            assert version is not None, f"{lock} lacks {requirement.name}; run `make lock`"
            assert version in requirement.specifier, f"{lock}: {requirement} is pinned to {version}; run `make lock`"


def test_both_locks_agree() -> None:
    run, develop = pins("requirements.lock"), pins("requirements-dev.lock")
    both = run.keys() & develop.keys()
    assert {name: run[name] for name in both} == {name: develop[name] for name in both}
    assert run.keys() - both == {canonicalize_name(Requirement(r).name) for r in PROJECT["build-system"]["requires"]}


def test_the_locks_name_no_address() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index" not in text and "--find-links" not in text
