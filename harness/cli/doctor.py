"""`splitbrain doctor`: what this machine can do, ground by ground and fault by fault.

splitbrain doctor --on docker
splitbrain doctor --on ssh --machines root@10.0.0.1,root@10.0.0.2
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from harness.cli import arguments
from harness.cli.arguments import Parser


def main(argv: Sequence[str]) -> int:
    """Print findings with remedies; returns 0, since lacking something is no failure."""
    from harness.ssh_ground.ground import OPTIONS

    parser = Parser(prog="splitbrain doctor", description="Say what this machine can do, with the remedy for the rest.")
    parser.add_argument("--on", choices=("sim", "docker", "ssh", "local"), help="only this ground")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    arguments.add_options(parser, "machines to look at, for ssh", OPTIONS)
    given = parser.parse_args(argv)
    from harness.doctor import examine

    findings = examine(given.on, arguments.given_options(given))
    if given.json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
        return 0
    from reports.terminal import print_findings

    print_findings(findings)
    return 0
