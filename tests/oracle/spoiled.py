"""Certificates with something wrong in them: what a verifier must refuse, unless it does not matter.

spoiled(random, certificate, events, words)
"""

from random import Random
from typing import Any

import msgspec


def spoiled(random: Random, certificate: dict[str, Any], events: int, words: tuple[str, ...]) -> dict[str, Any]:
    """The same with one thing in it changed, and now and then another one left out, or there twice.

    Args:
        events: how many the history has, most of which begin an operation; words: that a certificate may say.
    """
    certificate = msgspec.json.decode(msgspec.json.encode(certificate))
    if not certificate:
        return {}
    holder, at = random.choice(list(places(certificate)))
    holder[at] = other(random, holder[at], events, words)
    if random.random() < 0.15:
        holder, at = random.choice(list(places(certificate)))
        holder.pop(at)
    elif random.random() < 0.1 and isinstance(holder, list):
        holder.insert(at, holder[at])
    return certificate


def places(part: Any):
    """Everything in a certificate that can be changed, as (what holds it, where)."""
    for at, inside in part.items() if isinstance(part, dict) else enumerate(part):
        yield part, at
        if isinstance(inside, dict | list):
            yield from places(inside)


def other(random: Random, value: Any, events: int, words: tuple[str, ...]) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        near = value + random.choice((-2, -1, 1, 2))
        return random.choice((near, random.randrange(events), random.randrange(events), -1, events, str(value)))
    if isinstance(value, str):
        return random.choice((*words, ""))
    if isinstance(value, list):
        return random.choice((value[::-1], value[1:], value[:-1], []))
    return value
