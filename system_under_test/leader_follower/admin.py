"""For operators: ask a node how it is, have a leader hand over, add and remove nodes.

    python3 -m system_under_test.leader_follower.admin 127.0.0.1:7000 status
    python3 -m system_under_test.leader_follower.admin 127.0.0.1:7000 transfer n2
    python3 -m system_under_test.leader_follower.admin 127.0.0.1:7000 add-node n4
    python3 -m system_under_test.leader_follower.admin 127.0.0.1:7000 remove-node n3

Only the leader can do the last three; another node says who that is. Ends with status 0 when it is done, 1 when it is
not, 2 when nobody knows: no answer, or an answer that leaves it open.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from .connection import ask_once

TIMEOUT_S = 5.0
COMMANDS = ("status", "transfer", "add-node", "remove-node")
HEADER = ("follower", "match", "lag", "lag ms", "heard ms ago", "member")


def describe(status: dict[str, Any]) -> str:
    """What a node says of itself, for people."""
    lag = "unknown" if status["lag_ms"] is None else f"{status['lag_ms']} ms"
    lines = [
        f"{status['role']} in generation {status['generation']}, leader {status['leader'] or 'unknown'}",
        f"members {', '.join(status['members'])}",
        f"log to {status['last_index']}, durable to {status['durable_index']}, committed to {status['commit_index']}",
        f"lag {lag}, lease for {status['lease_ms']} ms, disk {'full' if status['disk_full'] else 'takes data'}",
    ]
    if status["transferring_to"]:
        lines.append(f"handing over to {status['transferring_to']}")
    if status["joining"]:
        lines.append(f"bringing {status['joining']} up to date")
    rows = [HEADER] + [
        (name, *(str(one[field]) for field in ("match_index", "lag", "lag_ms", "heard_ms")), str(one["member"]).lower())
        for name, one in sorted(status["followers"].items())
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines + (table if status["followers"] else []))


def conclude(command: str, answer: dict[str, Any] | None) -> tuple[str, int]:
    """What to print, and the exit status."""
    if answer is None:
        return "no answer", 2
    if answer["status"] == "ok":
        return (describe(answer["value"]) if command == "status" else "done"), 0
    hint = f"; the leader is {answer['leader']}" if answer.get("leader") else ""
    return f"{answer['status']}: {answer['error']}{hint}", 2 if answer["status"] == "indeterminate" else 1


def main() -> int:
    """Ask one node one thing."""
    parser = argparse.ArgumentParser(prog="python3 -m system_under_test.leader_follower.admin", description=__doc__)
    parser.add_argument("address", help="HOST:PORT of a node")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("node", nargs="?", help="whom it is about; not for status")
    given = parser.parse_args()
    host, _, port = given.address.rpartition(":")
    if not host or not port.isdigit():
        parser.error(f"{given.address!r} is no address; wanted HOST:PORT")
    if (given.node is None) != (given.command == "status"):
        parser.error(f"{given.command} wants {'no node' if given.command == 'status' else 'a node'}")
    request = {"f": given.command, "key": given.node}
    told, code = conclude(given.command, asyncio.run(ask_once((host, int(port)), request, TIMEOUT_S)))
    print(told)  # noqa: T201 - what the command is for
    return code


if __name__ == "__main__":
    sys.exit(main())
