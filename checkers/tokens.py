"""Values as JSON has them, made comparable: 1, 1.0 and true are three values, and a list can be a key.

>>> token_of(1) == token_of(1.0), token_of([1]) == token_of([1])
(False, True)
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
    return kind.__name__, canonical(value)
