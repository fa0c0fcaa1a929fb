"""What a run came to: the content of `verdict.json`, schema in docs/verdict.schema.json.

It is a pure function of plan and history, so judging a stored run again gives the same bytes; real times of the
machine that ran it are in `log.jsonl` instead.
"""

from __future__ import annotations

from typing import Any

import msgspec

from harness.verdict import EXIT_CODES, Outcome, Verdict


class FaultProof(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fault and what is known of it.

    Attributes:
        fault: its id; kind: "partition", "kill", ...; nodes: whom it hit; detail: its shape in words.
        start_ns, stop_ns: when it took hold and was lifted, from the start of the run; stop is None when it never was.
        proven: both injection and lifting have evidence; evidence: the sentences.
        roles: what each of the nodes was when it fired; phase: what the cluster was at; empty where nobody told.
        first_success_s: from its injection to the first success of an operation that began after it.
        recovery_s: the same from its lifting; null: not lifted, or nobody succeeded after it.
        unavailable_s: the longest time without any success that overlaps it.
        dip: by which share fewer operations per second succeeded during it than before it.
    """

    fault: str
    kind: str
    nodes: tuple[str, ...] = ()
    detail: str = ""
    start_ns: int = 0
    stop_ns: int | None = None
    proven: bool = False
    evidence: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    phase: str = ""
    first_success_s: float | None = None
    recovery_s: float | None = None
    unavailable_s: float | None = None
    dip: float | None = None


class Struck(msgspec.Struct, frozen=True):
    """How many proven faults of a kind hit a node of a role in a phase; see `harness.history.circumstances`.

    Attributes:
        kind, role, phase: the circumstance; count: the faults, 0 for a gap.
    """

    kind: str
    role: str
    phase: str
    count: int


class Counts(msgspec.Struct, frozen=True):
    """Client operations by how they ended; `running` never completed."""

    operations: int
    ok: int
    fail: int
    info: int
    running: int = 0


class Result(msgspec.Struct, frozen=True):
    """The judgement of one run or of one history file.

    Attributes:
        schema: version of this layout.
        outcome: see `harness.verdict.Outcome`; exit_code: what the command exits with.
        headline: one sentence.
        reason: why it is inconclusive, vacuous, infrastructure or harness; "" otherwise.
        title: "leader-follower / register" or the file's name.
        plan: the plan as JSON data; empty for a foreign history.
        duration_ns: time of the last event.
        repeat: the command that runs the same plan again; "" for a foreign history.
        faults: every fault with its proof, in order.
        coverage: every circumstance under which the plan's faults, or those that there were, can strike; empty where
            none took part or none told.
        verdicts: one per checker, in the order they were asked.
        truncated: a sentence when the history was cut off, the run interrupted, or the system not well again before
            the final reads; else "".
    """

    outcome: Outcome
    headline: str
    title: str
    counts: Counts
    verdicts: tuple[Verdict, ...]
    schema: int = 1
    reason: str = ""
    plan: dict[str, Any] = msgspec.field(default_factory=dict)
    duration_ns: int = 0
    repeat: str = ""
    faults: tuple[FaultProof, ...] = ()
    coverage: tuple[Struck, ...] = ()
    truncated: str = ""

    @property
    def exit_code(self) -> int:
        """0 valid, 1 violation, 2 undecided, 255 not the product's fault."""
        return EXIT_CODES[self.outcome]

    def to_json(self) -> bytes:
        """Canonical JSON with the exit code in it."""
        data = msgspec.to_builtins(self)
        data["exit_code"] = self.exit_code
        return msgspec.json.format(msgspec.json.encode(data, order="deterministic"), indent=1)
