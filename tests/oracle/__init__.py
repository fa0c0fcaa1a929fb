"""Brute force, straight from the definitions: slow, and too plain to be wrong. Checkers are compared with it."""
