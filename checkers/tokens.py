"""Values as JSON has them, made comparable: 1, 1.0 and true are three values, and a list can be a key.

>>> token_of(1) == token_of(1.0), token_of([1]) == token_of([1])
(False, True)

Models work on values, not on tokens, so theirs are `frozen`: they can be hashed, and Python's == tells them apart as
JSON does.

>>> frozen(1) == frozen(True), frozen([["a", 1]]) == frozen({"a": 1}), frozen(True) == True
(False, False, True)
"""

from __future__ import annotations

from typing import Any

from harness.op import canonical

Token = Any
"""Something hashable that is equal for equal JSON values only; the fields of an object have no order."""


def token_of(value: Any) -> Token:
    """See `Token`."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    return canonical(thawed(value) if kind in _FROZEN else value)


class Truth(int):
    """true or false, which is no number."""

    __slots__ = ()
    __hash__ = int.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Truth | bool) and int(self) == int(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return "true" if self else "false"


class Decimal(float):
    """A number that was written with a point, which no whole number is."""

    __slots__ = ()
    __hash__ = float.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and repr(float(self)) == repr(float(other))

    def __ne__(self, other: object) -> bool:
        return not self == other


class Fields(tuple[Any, ...]):
    """An object as (name, value), ... by name, which no list is."""

    __slots__ = ()
    __hash__ = tuple.__hash__

    def __eq__(self, other: object) -> bool:
        return type(other) is Fields and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other


_FROZEN = frozenset({Truth, Decimal, Fields, tuple})


def frozen(value: Any) -> Any:
    """A JSON value that can be a part of a state: lists as tuples, objects as tuples of (name, value) by name."""
    kind = type(value)
    if kind is int or kind is str or value is None:
        return value
    if kind is list or kind is tuple:
        return tuple(map(frozen, value))
    if kind is dict:
        names = sorted(value)
        return Fields(zip(names, map(frozen, map(value.__getitem__, names)), strict=True))
    if kind is bool:
        return Truth(value)
    return Decimal(value) if kind is float else value


def denies(value: Any) -> bool:
    """Whether a value, frozen or not, is false; null and 0 are not."""
    return type(value) in (bool, Truth) and not value


def thawed(value: Any) -> Any:
    """The JSON value again; what is no frozen value stays as it is."""
    kind = type(value)
    if kind is Fields:
        return {name: thawed(item) for name, item in value}
    if kind is tuple or kind is list:
        return list(map(thawed, value))
    if kind is Truth:
        return bool(value)
    return float(value) if kind is Decimal else value
