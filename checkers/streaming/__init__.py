"""Checkers that judge while the test runs, event by event and in bounded memory, and can stop it at a violation.

`register` (with compare-and-sets) and `counter` for linearizability, `sessions` for session guarantees by versions;
`protocol` says what a streaming checker is, `watch` runs several on the events of a run.
"""

from checkers.streaming.counter import StreamingCounter
from checkers.streaming.protocol import StreamingChecker
from checkers.streaming.register import StreamingRegister
from checkers.streaming.sessions import StreamingSessions
from checkers.streaming.watch import Watch

__all__ = ["StreamingChecker", "StreamingCounter", "StreamingRegister", "StreamingSessions", "Watch"]
