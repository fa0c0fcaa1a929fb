"""What is brought to a machine: the harness' own helpers and the system's files, as one archive unpacked there.

Nothing is fetched from the machine's side: what a system needs beyond its own files has to be installed already, and is
looked for (`machine.sh prepare`).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.docker_ground.node_image import FOLDER as NODE_FOLDER

CODE_FOLDER: Final = "opt/splitbrain"
HELPERS: Final = ("server.sh", "probe_listener.py", "link_queue.py")
MACHINE_SCRIPT: Final = Path(__file__).parent / "machine.sh"


def archive(files: Mapping[str, bytes | Path]) -> bytes:
    """A tar of helpers and system, to be unpacked at the root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in HELPERS:
            _add(tar, f"{CODE_FOLDER}/node/{name}", (NODE_FOLDER / name).read_bytes(), 0o755)
        for name, content in sorted(files.items()):
            _add(tar, f"{CODE_FOLDER}/{name}", content if isinstance(content, bytes) else content.read_bytes(), 0o644)
    return packed.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))
