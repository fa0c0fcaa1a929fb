"""Generators: the pure algebra that says what to do next."""
