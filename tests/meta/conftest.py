"""What several tests of the project itself need."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder which, on PYTHONPATH, is an installation of the plug-in in examples/tickets, metadata and all."""
    folder = tmp_path_factory.mktemp("tickets")
    source = folder / "source"
    shutil.copytree(ROOT / "examples" / "tickets", source, ignore=shutil.ignore_patterns("__pycache__"))
    make = "import sys, setuptools.build_meta as b; b.prepare_metadata_for_build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", make, str(folder)], cwd=source, check=True, capture_output=True, timeout=60)
    shutil.copy(source / "tickets.py", folder / "tickets.py")
    return folder
