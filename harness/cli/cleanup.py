"""`splitbrain cleanup`: remove what a killed harness left behind.

    splitbrain cleanup                                                   on this machine: containers, and local runs
    splitbrain cleanup --on ssh --machines root@10.0.0.1,root@10.0.0.2   on machines that exist

What a run that is still alive has on this machine is left alone. A machine that is reached over SSH cannot tell, since
it does not know who uses it: cleaning it ends the run that goes on there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from harness.cli import arguments
from harness.cli.arguments import Parser
from harness.errors import UsageError


def main(argv: Sequence[str]) -> int:
    """Remove leftovers and say what was removed; returns 0."""
    from harness.ssh_ground.ground import OPTIONS

    parser = Parser(
        prog="splitbrain cleanup",
        description="Remove containers, networks, disks, namespaces, folders and servers that a killed harness left.",
    )
    parser.add_argument("--on", choices=("docker", "local", "ssh"), help="only there (default: docker and local)")
    parser.add_argument("--run", help="only what belongs to this run")
    parser.add_argument("--everything", action="store_true", help="also what belongs to runs that are still alive")
    parser.add_argument("--images", action="store_true", help="also the images that were built")
    arguments.add_options(parser, "machines, for --on ssh", OPTIONS)
    given = parser.parse_args(argv)
    removed = 0
    for sentence in _over_ssh(given) if given.on == "ssh" else _here(given):
        sys.stdout.write(f"{sentence}\n")
        removed += 1
    if given.on != "ssh":
        sys.stdout.write(f"{removed} removed.\n" if removed else "Nothing was left behind.\n")
    return 0


def _here(given: argparse.Namespace) -> Iterable[str]:
    """What was removed from this machine, one by one; that there is no engine is told last."""
    from harness.docker_ground.leftovers import remove_leftovers
    from harness.local_ground import ledger

    if given.on in (None, "local"):
        yield from ledger.remove_leftovers(given.run, given.everything)
    if given.on in (None, "docker"):
        yield from remove_leftovers(run_id=given.run, everything=given.everything, images=given.images)


def _over_ssh(given: argparse.Namespace) -> Iterable[str]:
    """One sentence for each machine that is clean now.

    Raises:
        UsageError: no machines are named.
    """
    from harness.ssh_ground.fleet import clean_machines
    from harness.ssh_ground.ground import access_of, machines_of

    options = arguments.given_options(given)
    machines = machines_of(options)
    if not machines:
        raise UsageError("splitbrain cleanup: --on ssh needs machines; name them with --machines or --machines-file.")
    return clean_machines(machines, access_of(options))
