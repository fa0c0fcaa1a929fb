"""Exact stories: a text file says, step by step, who asks what of whom, what breaks, and what must come of it.

- `language`   from text to steps, with errors that name the line
- `play`       carries the steps out on any ground's cluster
"""
