"""The simulated disk against a real ext4 volume that loses its power: what the real one shows is what it allows.

Both go through the same random script of appends, writes, truncations, renames, removals and syncs. Then the power goes
on the real one; what is found afterwards must be among all that the simulated one could have left.
"""

import os

import pytest
from volume import ext4_volume

from harness.disk import RealDisk
from harness.simulation.disk import SimDisk
from harness.simulation.file import apply, resize
from harness.simulation.world import World
from harness.streams import Random

NAMES = ("a", "b", "c")
SIZES = (1, 3, 100, 600, 3000, 4096, 9000)
SCRIPTS = 2000 if os.environ.get("SPLITBRAIN_TORTURE") else 40


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    with ext4_volume(tmp_path_factory.mktemp("volume")) as mounted:
        yield mounted


SIZE_GOES_AHEAD = [
    ("append", "a", b"one"),
    ("sync", "a"),
    ("append", "a", b"two"),
    ("append", "b", b"x"),
    ("sync", "b"),
]
"""What an ext4 volume makes zeros of: the journal has the new size of a, and nobody has written its bytes."""


def script(random):
    """Steps that both disks can go through, of a few kinds of length."""
    steps, sizes = [], {}
    for _ in range(random.randint(1, 14)):
        name, other = random.choice(NAMES), random.choice(NAMES)
        kind = random.choice(("append", "append", "append", "write", "sync", "sync", "rename", "truncate", "remove"))
        data = bytes([random.randint(1, 255)]) * random.choice(SIZES)
        if kind in ("append", "write"):
            steps.append((kind, name, data))
            sizes[name] = len(data) + (sizes.get(name, 0) if kind == "append" else 0)
        elif name not in sizes:
            continue
        elif kind == "truncate":
            sizes[name] = random.randint(0, sizes[name])
            steps.append((kind, name, sizes[name]))
        elif kind == "rename":
            steps.append((kind, name, other))
            sizes[other] = sizes.pop(name) if other != name else sizes[name]
        else:
            steps.append((kind, name))
            if kind == "remove":
                del sizes[name]
    return steps


def contents(disk):
    return {name: disk.read(name) for name in disk.list()}


def possible_contents(file):
    """All that a loss of power may make of a file, by the definition of the model, written down once more."""
    pending = list(file.pending)
    possible = set()
    states = [bytes(file.synced)]
    for keep, data in pending:
        state = bytearray(states[-1])
        apply(state, keep, data)
        states.append(bytes(state))
    ends = [keep + len(data) for keep, data in pending]
    for kept in range(len(pending) + 1):
        sizes = {len(states[kept]), *ends[max(0, kept - 1) :]}
        for size in sizes:
            whole = bytearray(states[kept])
            resize(whole, size)
            possible.add(bytes(whole))
    return possible, states, ends


def could_leave(file, found):
    """Whether a file may be so, torn anywhere."""
    whole, states, ends = possible_contents(file)
    if found in whole:
        return True
    for kept, (_keep, data) in enumerate(file.pending, 1):
        start = len(states[kept]) - len(data)
        for size in {len(found)} & ({*ends[kept - 1 :]} | set(range(start, len(states[kept]) + 1))):
            same = next((i for i, (x, y) in enumerate(zip(found, states[kept], strict=False)) if x != y), size)
            if same >= start and not found[same:].strip(b"\0"):
                return True
    return False


def allowed(disk, found):
    """Whether the simulated disk could show just these files after a loss of power; else why not."""
    why = []
    for count in range(len(disk._pending_names) + 1):
        names = dict(disk._synced_names)
        for change in disk._pending_names[:count]:
            for path, file in change:
                if file is None:
                    names.pop(path, None)
                else:
                    names[path] = file
        if sorted(names) != sorted(found):
            why.append(f"{count} changes of names: {sorted(names)}")
            continue
        wrong = [name for name in names if not could_leave(names[name], found[name])]
        if not wrong:
            return None
        why.append(f"{count} changes of names: content of {wrong}")
    return "; ".join(why)


def told(steps):
    return [
        (kind, *(f"{len(part)} x {part[0]}" if isinstance(part, bytes) and part else part for part in rest))
        for kind, *rest in steps
    ]


def shape(files):
    return {
        name: (
            len(data),
            [(index, data[index]) for index in range(len(data)) if not index or data[index] != data[index - 1]],
        )
        for name, data in files.items()
    }


@pytest.mark.volume
def test_what_a_real_volume_shows_after_a_loss_of_power_is_what_the_simulated_disk_allows(volume):
    random, seen_lost, seen_zeros = Random(11), 0, 0
    for number in range(SCRIPTS):
        root = volume.root / f"s{number}"
        root.mkdir()
        os.sync()
        real, simulated = RealDisk(root), SimDisk(Random(number), world=World(survivors="ext4"))
        steps = script(random) if number else SIZE_GOES_AHEAD
        for call, *arguments in steps:
            getattr(real, call)(*arguments)
            getattr(simulated, call)(*arguments)
        before = contents(real)
        assert before == contents(simulated)
        volume.lose_power()
        found = contents(real)
        reason = allowed(simulated, found)
        assert reason is None, f"script {number}: {told(steps)}\n found {shape(found)}\n but {reason}"
        seen_lost += found != before
        seen_zeros += any(b"\0" in data for data in found.values())
    assert seen_lost > SCRIPTS / 5
    assert seen_zeros


def test_the_comparison_can_fail():
    """A synced byte that is gone, a byte that nobody wrote, zeros before what is there, and names out of order."""
    disk = SimDisk(Random(1))
    disk.append("a", b"ab")
    disk.sync("a")
    disk.append("a", b"cd")
    disk.append("b", b"x")
    disk.rename("a", "c")
    assert allowed(disk, {"a": b"ab"}) is None
    assert allowed(disk, {"c": b"abc\0", "b": b""}) is None
    for found in ({"a": b"a"}, {"a": b"abX"}, {"a": b"ab\0d"}, {"c": b"ab"}, {"a": b"abcdef"}, {}):
        assert allowed(disk, found) is not None, found
