"""Checks JSON data against a JSON Schema: the part of the 2020-12 draft that our schemas use, and nothing else.

A keyword that is not understood here is an error, so that a schema cannot say something that nobody checks.

    >>> list(problems(7, {"type": "string"}, {}))
    ['$: 7 is not of type string']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
SILENT = {"$schema", "$id", "$defs", "$comment", "title", "description", "default", "examples"}


def problems(value: Any, schema: Any, root: dict[str, Any], at: str = "$") -> Iterator[str]:
    """What is wrong with a value, one sentence each."""
    if schema is True or schema == {}:
        return
    if schema is False:
        yield f"{at}: nothing is allowed here"
        return
    for keyword, wanted in schema.items():
        if keyword in SILENT or keyword in ("properties", "additionalProperties", "prefixItems", "items"):
            continue
        if keyword not in CHECKS:
            raise ValueError(f"{at}: the schema's keyword {keyword!r} is not understood")
        yield from CHECKS[keyword](value, wanted, root, at)
    if isinstance(value, dict):
        yield from _members(value, schema, root, at)
    if isinstance(value, list):
        yield from _items(value, schema, root, at)


def _members(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for name, member in value.items():
        yield from problems(member, known.get(name, schema.get("additionalProperties", True)), root, f"{at}.{name}")


def _items(value: list[Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    first = schema.get("prefixItems", [])
    for i, item in enumerate(value):
        wanted = first[i] if i < len(first) else schema.get("items", True)
        yield from problems(item, wanted, root, f"{at}[{i}]")


def _type(value: Any, wanted: Any, root: Any, at: str) -> Iterator[str]:
    names = [wanted] if isinstance(wanted, str) else wanted
    fits = [isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool)) for name in names]
    if not any(fits):
        yield f"{at}: {value!r} is not of type {' or '.join(names)}"


def _ref(value: Any, wanted: str, root: dict[str, Any], at: str) -> Iterator[str]:
    found: Any = root
    for part in wanted.removeprefix("#/").split("/"):
        found = found[part]
    yield from problems(value, found, root, at)


def _any_of(value: Any, wanted: list[Any], root: dict[str, Any], at: str) -> Iterator[str]:
    tries = [list(problems(value, option, root, at)) for option in wanted]
    if all(tries):
        yield f"{at}: {value!r} fits none of {len(tries)} forms ({'; '.join(min(tries, key=len))})"


def _required(value: Any, wanted: list[str], root: Any, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{at}: {name} is missing" for name in wanted if name not in value)


def _enum(value: Any, wanted: list[Any], root: Any, at: str) -> Iterator[str]:
    if not any(type(value) is type(option) and value == option for option in wanted):
        yield f"{at}: {value!r} is none of {wanted}"


def _least(value: Any, wanted: float, root: Any, at: str) -> Iterator[str]:
    if isinstance(value, int | float) and value < wanted:
        yield f"{at}: {value!r} is less than {wanted}"


def _most(value: Any, wanted: float, root: Any, at: str) -> Iterator[str]:
    if isinstance(value, int | float) and value > wanted:
        yield f"{at}: {value!r} is more than {wanted}"


def _min_items(value: Any, wanted: int, root: Any, at: str) -> Iterator[str]:
    if isinstance(value, list) and len(value) < wanted:
        yield f"{at}: {len(value)} elements; at least {wanted}"


def _max_items(value: Any, wanted: int, root: Any, at: str) -> Iterator[str]:
    if isinstance(value, list) and len(value) > wanted:
        yield f"{at}: {len(value)} elements; at most {wanted}"


def _pattern(value: Any, wanted: str, root: Any, at: str) -> Iterator[str]:
    if isinstance(value, str) and not re.search(wanted, value):
        yield f"{at}: {value!r} does not match {wanted}"


CHECKS = {
    "type": _type,
    "$ref": _ref,
    "anyOf": _any_of,
    "required": _required,
    "enum": _enum,
    "const": lambda value, wanted, root, at: _enum(value, [wanted], root, at),
    "minimum": _least,
    "maximum": _most,
    "minItems": _min_items,
    "maxItems": _max_items,
    "pattern": _pattern,
}
