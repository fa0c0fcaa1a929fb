"""JSON in as few steps as CPython allows: what every frame goes through, on the wire and on the disk.

`json.dumps` makes an encoder for each call, and `JSONEncoder.encode` makes the compiled one anew each time;
`json.loads` looks twice for white space that no frame of ours has. Here the compiled parts are made once.

>>> to_json(["write", "x", 5]), from_json('["write","x",5]')
('["write","x",5]', ['write', 'x', 5])

Limits: what is encoded must be a tree; numbers that JSON does not know (infinity, NaN) are refused both ways.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def from_json(text: str) -> Any:
    """The value; ValueError if it is not JSON."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:  # white space comes first, or nothing at all
        return _DECODER.decode(text)
    return value if end == len(text) else _DECODER.decode(text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _encoder() -> Callable[[Any], str]:
    plain = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # not CPython
        return plain.encode
    quoted = json.encoder.encode_basestring_ascii
    compiled = make(None, plain.default, quoted, None, ":", ",", False, False, False)
    return lambda value: "".join(compiled(value, 0))


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_scan: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]  # it is there since 2.7
to_json = _encoder()
"""A value as compact JSON in ASCII; ValueError if there is none for it."""
