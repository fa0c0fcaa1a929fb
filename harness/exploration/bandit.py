"""Which template to use next: Thompson sampling, where success is a run that reached a state that was new.

Choices are made for a whole round of runs at a time, from what all rounds before brought, so they do not depend on how
many runs go on at once or which of them ends first.

>>> from harness.streams import Streams
>>> bandit = Bandit(["a", "b"])
>>> for _ in range(50): bandit.learn("a", True); bandit.learn("b", False)
>>> chosen = [bandit.choose(Streams(1).stream(str(number))) for number in range(20)]
>>> chosen.count("a") >= 19
True
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.streams import Random

MEMORY_RUNS = 100.0
"""What was learned longer ago than so many runs of an arm counts less: novelty wears off."""


class Bandit:
    """A Beta distribution for each arm."""

    def __init__(self, arms: Sequence[str]) -> None:
        self._arms = {arm: [1.0, 1.0] for arm in arms}

    def choose(self, random: Random) -> str:
        """The arm of the largest draw."""
        return max(self._arms, key=lambda arm: random.betavariate(*self._arms[arm]))

    def learn(self, arm: str, succeeded: bool) -> None:
        """Take what one run of an arm brought."""
        counts = self._arms[arm]
        counts[0 if succeeded else 1] += 1
        if sum(counts) > MEMORY_RUNS:
            self._arms[arm] = [max(1.0, count * 0.9) for count in counts]

    def means(self) -> dict[str, float]:
        """How likely each arm is thought to succeed."""
        return {arm: good / (good + bad) for arm, (good, bad) in self._arms.items()}
