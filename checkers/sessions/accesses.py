"""Operations on registers, seen as what each one wrote and what each one read, key by key.

The session checkers and durability need the same few facts of an operation, whatever its name:

    operation                                       is an access that
    read, ok                                        reads what it returned
    write, ok / info / fail                         wrote its argument / may have / never did
    cas [old, new], ok                              wrote `new`, and showed `old` to hold before it
    cas [old, new], info / fail                     may have written `new` / never did
    cas, fail, in a history of "returned" failures  reads the third element, the state it met instead

An `info` read says nothing and is left out, and so is every operation of another name.

Values are compared as JSON has it: 1, 1.0 and true are three values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from checkers.tokens import Token, token_of
from harness.history import History, Operations
from harness.history.operations import FAIL, OK
from harness.op import Version

FS: Final = frozenset({"read", "write", "cas"})


class Access(NamedTuple):
    """One operation's access to one key.

    Attributes:
        row: of the operation, in `Operations`.
        reads: whether it reads; else it writes.
        value: what was read or written; token: the same for comparisons.
        session: code of the session.
        invoke, response: event indices; response is NEVER for `info`.
        status: OK, FAIL or INFO; a read is OK.
        version: what the system said, if it did.
        before: token of the value that a cas found, as a 1-tuple; () otherwise.
    """

    row: int
    reads: bool
    value: Any
    token: Token
    session: int
    invoke: int
    response: int
    status: int
    version: Version | None
    before: tuple[Token, ...] = ()


def by_key(history: History) -> dict[int, list[Access]]:
    """Per code of a key its accesses, in order of invocation."""
    operations = history.operations
    keys = operations.key.tolist()
    found: dict[int, list[Access]] = {}
    for access in _accesses(operations, history.header.fail_cas == "returned"):
        found.setdefault(keys[access.row], []).append(access)
    return found


def _accesses(operations: Operations, returned: bool) -> Iterator[Access]:
    values, fs = list(operations.values), operations.fs
    tokens = [token_of(value) for value in values]
    columns = zip(
        operations.f.tolist(),
        operations.status.tolist(),
        operations.argument.tolist(),
        operations.result.tolist(),
        operations.session.tolist(),
        operations.invoke.tolist(),
        operations.response.tolist(),
        operations.generation.tolist(),
        operations.log_index.tolist(),
        strict=True,
    )
    for row, (f, status, argument, result, session, invoke, response, generation, index) in enumerate(columns):
        version = (generation, index) if generation >= 0 else None
        name = fs[f]
        if name == "read":
            if status == OK:
                yield Access(row, True, values[result], tokens[result], session, invoke, response, OK, version)
        elif name == "write":
            yield Access(row, False, values[argument], tokens[argument], session, invoke, response, status, version)
        elif name == "cas":
            yield from _cas(row, values[argument], values[result], session, invoke, response, status, version, returned)


def _cas(
    row: int,
    argument: Any,
    result: Any,
    session: int,
    invoke: int,
    response: int,
    status: int,
    version: Version | None,
    returned: bool,
) -> Iterator[Access]:
    if not isinstance(argument, list) or len(argument) != 2:
        return
    old, new = argument
    if returned and status == FAIL and isinstance(result, list) and len(result) == 3:
        # What it never wrote is still wanted: somebody may have read it.
        yield Access(row, True, result[2], token_of(result[2]), session, invoke, response, OK, version)
        version = None
    before = (token_of(old),) if status == OK else ()
    yield Access(row, False, new, token_of(new), session, invoke, response, status, version, before)
