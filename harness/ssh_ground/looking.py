"""What machines that exist answer when they are only looked at: nothing is installed, started or changed there.

    look_at(machines, access)      [Seen("10.0.0.1", "root here, all programs are there", "")]

Asked is what `machine.sh prepare` would refuse for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from harness.errors import InfrastructureError
from harness.ssh_ground.fleet import Fleet
from harness.ssh_ground.login import Access
from harness.ssh_ground.machines import Machine, named

LOOK_S: Final = 15.0
PROGRAMS: Final = ("python3", "iptables", "iptables-restore", "tar", "setsid", "bash", "pkill", "ping")
"""What `machine.sh` wants, in its order."""
QUESTIONS: Final = b"""
PATH="$PATH:/usr/sbin:/sbin"
id -u
for program in "$@"; do command -v "$program" >/dev/null || printf '%s ' "$program"; done
echo
cat /opt/splitbrain/run 2>/dev/null || { [ ! -e /opt/splitbrain ] || echo somebody; }
"""


@dataclass(frozen=True)
class Seen:
    """One machine: its name; what it told; what to do before a run can use it, "" if nothing."""

    name: str
    told: str
    lacks: str


def look_at(machines: Sequence[Machine], access: Access) -> list[Seen]:
    """Ask all machines at once; those that do not answer say why."""

    async def look() -> list[Seen]:
        with ThreadPoolExecutor(len(machines), thread_name_prefix="ssh-look") as threads:
            fleet = Fleet(named(machines), access, threads)
            try:
                return list(await asyncio.gather(*(_look(fleet, name) for name in fleet.nodes)))
            finally:
                for remote in fleet.remotes.values():
                    remote.close()

    return asyncio.run(look())


async def _look(fleet: Fleet, name: str) -> Seen:
    try:
        words = ["sh", "-s", "--", *PROGRAMS]
        answer = await fleet.remotes[name].check(words, timeout_s=LOOK_S, stdin=QUESTIONS)
    except InfrastructureError as error:
        return Seen(name, str(error), "see that `ssh` gets in there with the same user and key")
    user, missing, used = [line.strip() for line in [*answer.splitlines(), "", "", ""][:3]]
    if user != "0":
        return Seen(name, "it answers, but not as root", "give --sudo, or log in as root")
    if missing:
        return Seen(name, f"it answers; missing there: {missing}", f"install {missing} there")
    if used:
        return Seen(name, f"it is in use by the run {used}", "splitbrain cleanup --on ssh, if that is over")
    return Seen(name, "it answers as root, and has all programs", "")
