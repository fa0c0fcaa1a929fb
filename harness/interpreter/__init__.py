"""Carries out what generators say: the only scheduler of a run. See `interpreter`."""

from harness.interpreter.interpreter import Interpreter

__all__ = ["Interpreter"]
