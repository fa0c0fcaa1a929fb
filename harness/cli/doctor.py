"""`splitbrain doctor`: what this machine can do, ground by ground and fault by fault."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from harness.cli.arguments import Parser


def main(argv: Sequence[str]) -> int:
    """Print findings with remedies; returns 0, since lacking something is no failure."""
    parser = Parser(prog="splitbrain doctor", description="Say what this machine can do, with the remedy for the rest.")
    parser.add_argument("--on", choices=("sim", "docker"), help="only this ground")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    given = parser.parse_args(argv)
    from harness.doctor import examine

    findings = [finding for finding in examine() if given.on in (None, finding.ground)]
    if given.json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
        return 0
    from reports.terminal import print_findings

    print_findings(findings)
    return 0
