"""Linearizability of registers: is there one order, respecting real time, in which every answer makes sense?"""

from checkers.linearizability.checker import Linearizability

__all__ = ["Linearizability"]
