"""The screen, as every report uses it: a reader that went away is not an error of the run.

    console = screen()            standard output
    console = screen(stderr=True) standard error

rich ends the program with exit code 1 when its pipe is closed (`splitbrain run | head -1`), and 1 is our code for a
broken promise. Here the rest of the text is dropped instead, and the exit code stays what the outcome says.
"""

from __future__ import annotations

import contextlib
import os

from rich.console import Console


class Screen(Console):
    """A console that falls silent when nobody reads it. Overriding this method is rich's own way to say so."""

    def on_broken_pipe(self) -> None:
        """Say nothing more, and let nothing that is still buffered complain at the end of the program."""
        self.quiet = True
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)


def screen(stderr: bool = False) -> Console:
    """A console on standard output or standard error; NO_COLOR and FORCE_COLOR decide about colour."""
    return Screen(stderr=stderr, highlight=False)
