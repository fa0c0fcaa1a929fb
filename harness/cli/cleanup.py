"""`splitbrain cleanup`: remove what a killed harness left behind."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from harness.cli.arguments import Parser


def main(argv: Sequence[str]) -> int:
    """Remove leftovers and say what was removed; returns 0."""
    parser = Parser(
        prog="splitbrain cleanup", description="Remove containers, networks and disks that a killed harness left."
    )
    parser.add_argument("--run", help="only what belongs to this run")
    parser.add_argument("--everything", action="store_true", help="also what belongs to runs that are still alive")
    parser.add_argument("--images", action="store_true", help="also the images that were built")
    given = parser.parse_args(argv)
    from harness.docker_ground.leftovers import remove_leftovers

    removed = remove_leftovers(run_id=given.run, everything=given.everything, images=given.images)
    for sentence in removed:
        sys.stdout.write(f"{sentence}\n")
    sys.stdout.write(f"{len(removed)} removed.\n" if removed else "Nothing was left behind.\n")
    return 0
