"""Log pattern: no node wrote what a healthy one never writes, as "panic" or a stack trace.

    LogPattern(folder=run.path / "nodes")         folder/<node>/<any file>

A checker is a function of a history, and node logs are not in one. So whoever makes the checker hands it the folder to
which the run collected them; the history is not looked at. Without a folder the answer is "unknown".

    nodes/n1/server.log:17: panic: index out of range          a node panicked

Files are read as they come, line by line, at most LINE_BYTES_MAX of each; what is no UTF-8 is shown as such. Links are
not followed. O(bytes).

Limits: the certificate names file and line, which `checkers.verify` cannot look up without the folder: `still_there`
does. Compressed logs are not unpacked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from checkers.protocol import Budget
from harness.history import History
from harness.verdict import Anomaly, Verdict

PATTERN: Final = (
    r"\bpanic(?:ked)?\b|\bfatal error\b|\bassertion\b.*\bfailed\b|\bAssertionError\b"
    r"|Traceback \(most recent call last\)|\bsegmentation fault\b|\bSIGSEGV\b|\bdata race\b"
)
"""What healthy servers do not write, in whatever case."""
LINE_BYTES_MAX: Final = 64 * 1024
SHOWN_MAX: Final = 100
LINE_SHOWN_MAX: Final = 300
_LINES_PER_LOOK: Final = 4096


@dataclass(frozen=True)
class LogPattern:
    """No log line fits the pattern.

    Attributes:
        folder: with one folder for each node; None: there is none.
        pattern: a regular expression that is searched for in every line, without regard to case.
    """

    name: str = "log-pattern"
    folder: Path | None = None
    pattern: str = PATTERN

    def check(self, history: History, budget: Budget) -> Verdict:
        """Search all files."""
        try:
            wanted = re.compile(self.pattern.encode(), re.IGNORECASE)
        except re.error as error:
            return _unknown(self.name, f"the pattern {self.pattern!r} is no regular expression: {error}")
        if self.folder is None or not self.folder.is_dir():
            return _unknown(
                self.name, f"there are no node logs at {self.folder}" if self.folder else "no logs were given"
            )
        anomalies: list[Anomaly] = []
        counts = {"files": 0, "lines": 0, "anomalies": 0}
        trouble = ""
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink()):
            if trouble or budget.spent():
                trouble = trouble or f"the time was over after {counts['files']:,} files"
                break
            counts["files"] += 1
            try:
                trouble = self._search(path, wanted, counts, anomalies, budget)
            except OSError as error:
                trouble = f"{path} cannot be read: {error.strerror}"
        if anomalies:
            text = f"{counts['anomalies']:,} of {counts['lines']:,} lines are what no healthy node writes."
            return Verdict(self.name, "invalid", text, tuple(anomalies), counts)
        if trouble:
            return _unknown(self.name, trouble)
        told = "tells of a crash" if self.pattern == PATTERN else f"fits {self.pattern!r}"
        text = f"None of {counts['lines']:,} lines in {counts['files']:,} files {told}."
        return Verdict(self.name, "valid", text, counts=counts)

    def _search(
        self, path: Path, wanted: re.Pattern[bytes], counts: dict[str, int], anomalies: list[Anomaly], budget: Budget
    ) -> str:
        """One file; says why not all of it was searched, or ""."""
        assert self.folder is not None
        inside = path.relative_to(self.folder)
        for number, line in enumerate(_lines(path), 1):
            counts["lines"] += 1
            if number % _LINES_PER_LOOK == 0 and budget.spent():
                return f"the time was over in {inside}, line {number:,}"
            if not wanted.search(line):
                continue
            counts["anomalies"] += 1
            if len(anomalies) < SHOWN_MAX:
                said = line.decode("utf-8", "backslashreplace").strip()[:LINE_SHOWN_MAX]
                sentence = f"Node {inside.parts[0]} wrote in {inside}, line {number:,}: {said}"
                certificate = {"file": str(inside), "line": number, "pattern": self.pattern}
                anomalies.append(
                    Anomaly(
                        "log-line",
                        "log-pattern",
                        sentence,
                        inside.parts[0],
                        rule="log-pattern",
                        certificate=certificate,
                    )
                )
        return ""


def still_there(folder: Path, anomaly: Anomaly) -> bool:
    """Whether the line that an anomaly names is in the folder's file, and fits."""
    path = (folder / anomaly.certificate["file"]).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return False
    wanted = re.compile(anomaly.certificate["pattern"].encode(), re.IGNORECASE)
    numbered = enumerate(_lines(path), 1)
    return any(wanted.search(line) is not None for number, line in numbered if number == anomaly.certificate["line"])


def _lines(path: Path) -> Iterator[bytes]:
    """Lines, of which only the beginning where they are too long."""
    with path.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX):
            yield line
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE_BYTES_MAX)


def _unknown(name: str, reason: str) -> Verdict:
    return Verdict(name, "unknown", "The node logs were not searched.", reason=reason)
