"""Staleness: how far behind reads were; `missed` counts, `zones` does without versions, `checker` tells."""

from checkers.staleness.checker import Staleness

__all__ = ["Staleness"]
