"""Finds when which fault was in force: from the fault events of a history to windows that plots and checkers use.

A fault is injected by an operation `start-<kind>` of the process `NEMESIS` and lifted by `stop-<kind>`; kinds are
partition, kill, pause, power. The completion's value tells what was done and how it is known:

    {"fault": "partition-3", "kind": "partition", "nodes": ["n1"], "detail": "n1 n2 | n3 n4 n5",
     "proven": true, "evidence": "n3 did not receive what n1 sent, probed 12 ms after the cut."}

The completion of the stop carries the same "fault". A window opens when the injection was *invoked* and closes when
the lifting *completed*: in between the fault may have been in force, outside it certainly was not.

    >>> fault_windows([])
    []

An injection that ends `fail` did not happen, and neither did one that ends `info` with an error of NOT_DONE: there was
nobody to aim at. A lifting that ends `info` "nothing-to-lift" closes the window all the same, unproven.

Limits: nothing here raises. A start whose completion is missing or has no such value still opens a window (unproven),
named after its kind and its place; a stop that fits no open window is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.op import NEMESIS, Op

NOT_DONE: Final = frozenset({"no-target", "nothing-to-cut", "unknown-fault"})
"""First words of errors with which a nemesis says that it did not even try."""
NOTHING_TO_LIFT: Final = "nothing-to-lift"


@dataclass(frozen=True)
class FaultWindow:
    """One fault, from the invocation of its injection to the completion of its lifting.

    Attributes:
        id: "partition-3".
        kind: "partition", "kill", "pause", "power".
        nodes: the nodes that it was aimed at.
        detail: for people: "n1 n2 | n3 n4 n5".
        roles, phase: what each of the nodes was, and what the cluster was at, when it fired; empty where nobody told
            (`harness.history.circumstances`).
        start_ns, stop_ns: times since the run's start; `stop_ns` is None when it was never lifted. A history without
            times has 0 and None.
        start_index, stop_index: the same as event indices; None when it was never lifted.
        injected_proven: whether evidence says that it took hold.
        lifted_proven: whether evidence says that it was lifted.
        evidence: sentences, injection first.
    """

    id: str
    kind: str
    nodes: tuple[str, ...] = ()
    detail: str = ""
    roles: tuple[str, ...] = ()
    phase: str = ""
    start_ns: int = 0
    stop_ns: int | None = None
    start_index: int = 0
    stop_index: int | None = None
    injected_proven: bool = False
    lifted_proven: bool = False
    evidence: tuple[str, ...] = ()

    def overlaps(self, first_index: int, last_index: int) -> bool:
        """Whether the fault may have been in force at some event index of [first_index, last_index]."""
        return self.start_index <= last_index and (self.stop_index is None or first_index <= self.stop_index)


def fault_windows(events: Iterable[Op]) -> list[FaultWindow]:
    """The windows of a history, in order of injection."""
    windows: list[FaultWindow | None] = []
    open_windows: dict[str, int] = {}
    invoked: dict[str, Op] = {}
    for op in events:
        if op.process != NEMESIS or not isinstance(op.f, str):
            continue
        verb, _, kind = op.f.partition("-")
        if not kind or verb not in {"start", "stop"}:
            continue
        if op.type == "invoke":
            # An injection counts from here: whatever becomes of its completion, the fault may be in force.
            invoked[op.f] = op
            if verb == "start":
                open_windows[f"? {kind}"] = len(windows)
                windows.append(_opened(op, kind, len(windows)))
        elif verb == "start":
            _inject(windows, open_windows, invoked.pop(op.f, None), op, kind)
        else:
            _lift(windows, open_windows, op, kind)
    return [window for window in windows if window is not None]


def _opened(op: Op, kind: str, place: int) -> FaultWindow:
    return FaultWindow(f"{kind}-{place + 1}", kind, start_ns=op.time or 0, start_index=op.index)


def _inject(
    windows: list[FaultWindow | None], open_windows: dict[str, int], invocation: Op | None, op: Op, kind: str
) -> None:
    """The completion of an injection: says which fault it is, and what proves it."""
    place = open_windows.pop(f"? {kind}", None) if invocation is not None else None
    if op.type == "fail" or _first_word(op.error) in NOT_DONE:  # it certainly did not happen
        if place is not None:
            windows[place] = None
        return
    if place is None:
        place = len(windows)
        windows.append(_opened(op, kind, place))
    told = _told(op.value)
    window = windows[place]
    assert window is not None
    windows[place] = window = replace(
        window,
        id=_text(told.get("fault")) or window.id,
        kind=_text(told.get("kind")) or kind,
        nodes=_names(told.get("nodes")),
        detail=_text(told.get("detail")),
        roles=_names(told.get("roles")),
        phase=_text(told.get("phase")),
        injected_proven=op.type == "ok" and told.get("proven") is True,
        evidence=_sentences(op, told),
    )
    open_windows[window.id] = place


def _lift(windows: list[FaultWindow | None], open_windows: dict[str, int], op: Op, kind: str) -> None:
    """The completion of a lifting: closes the window that it names, or else the newest open one of its kind."""
    if op.type == "fail" and _first_word(op.error) != NOTHING_TO_LIFT:
        return  # it certainly did not happen, and the fault is in force until it does
    told = _told(op.value)
    name = _text(told.get("fault"))
    if name not in open_windows:
        same_kind = [fault for fault, place in open_windows.items() if _kind(windows[place]) == kind]
        if name or not same_kind:
            return
        name = same_kind[-1]
    window = windows[open_windows[name]]
    assert window is not None
    proven = op.type == "ok" and told.get("proven") is True
    done = op.type == "ok" or _first_word(op.error) == NOTHING_TO_LIFT
    windows[open_windows[name]] = replace(
        window,
        stop_ns=op.time if done else None,
        stop_index=op.index if done else None,
        lifted_proven=proven,
        evidence=window.evidence + _sentences(op, told),
    )
    if done:  # a lifting that nobody is sure of leaves the window open for the next attempt
        del open_windows[name]


def _first_word(error: str | None) -> str:
    return (error or "").partition(":")[0]


def _kind(window: FaultWindow | None) -> str:
    return window.kind if window else ""


def _told(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(node) for node in value) if isinstance(value, list | tuple) else ()


def _sentences(op: Op, told: dict[str, Any]) -> tuple[str, ...]:
    found = told.get("evidence")
    parts = found if isinstance(found, list | tuple) else [found]
    sentences = tuple(str(part) for part in parts if part)
    if sentences or not op.error:
        return sentences
    return (f"{op.f}: {op.error}",)
