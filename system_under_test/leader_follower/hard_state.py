"""Generation and vote on disk: replaced atomically, so that a node never votes twice in one generation.

Written aside, synced, renamed over the old, and the name synced too. What a crash leaves is the old or the new, whole.
"""

from __future__ import annotations

import json

from .machine import Disk
from .messages import Vote
from .wal import CorruptLog, encode_frame, frame_at

NAME = "hard-state"
ASIDE = "hard-state.new"


def load_hard_state(disk: Disk) -> tuple[int, Vote]:
    """(generation, vote) as last saved; (0, None) on a new disk. What is returned is durable: a process that was killed
    between rename and sync leaves a state that is read again, and that a power cut could still take back.

    Raises:
        CorruptLog: the file is damaged; starting anyway could elect two leaders.
    """
    if NAME not in disk.list():
        return 0, None
    payload = frame_at(disk.read(NAME), 0)
    if payload is None:
        raise CorruptLog(f"{NAME} is damaged: which votes this node gave is not known")
    disk.sync(NAME)
    generation, vote = json.loads(payload)
    return generation, vote


def save_hard_state(disk: Disk, generation: int, vote: Vote) -> None:
    """Durable when it returns; OSError leaves the old state."""
    disk.write(ASIDE, encode_frame(json.dumps([generation, vote]).encode()))
    disk.sync(ASIDE)
    disk.rename(ASIDE, NAME)
    disk.sync(NAME)
