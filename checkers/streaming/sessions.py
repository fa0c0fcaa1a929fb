"""Session guarantees by versions, judged while the sessions run: a few comparisons per operation.

Per session and key, the newest version that it wrote and that it read; per session the same over all keys.

    read-your-writes      a read of an older version than the session wrote of the key before
    monotonic-reads       a read of an older version than the session read of the key before
    monotonic-writes      a write with an older version than the session wrote of the key before
    writes-follow-reads   a write with an older version than the session read of the key before

Each of these two operations is a violation by itself, whatever else happens. As for writes to different keys: while
they are in the order of their versions as well, which is so wherever all keys share one log, nothing can be wrong with
them; where they are not, the last two guarantees are "unknown" here, and the offline checkers decide.

What nobody can have written is found as long as it is newer than what was forgotten: the VERSIONS_MAX newest writes
of each key are remembered, besides those under way and in doubt.

Limits: memory grows with the pairs of session and key that were used; a session whose process met doubt is forgotten if
it has no name of its own, and so are the SESSION_KEYS_MAX-th key of a session and beyond, oldest first, which is said.
A key whose operations tell no version, or contradict each other within what is remembered, is undecided. A value that
was written again after it was forgotten counts as new. Compare-and-sets count as writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from checkers.sessions.explain import IMPOSSIBLE, key_text, value_text, version_text
from checkers.sessions.record import INTEGRITY
from checkers.tokens import Token, token_of
from harness.history.header import Header
from harness.op import NEMESIS, Op, Version
from harness.verdict import Anomaly, Verdict

RYW, MR, MW, WFR = "read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"
GUARANTEES: Final = (RYW, MR, MW, WFR)
ANOMALIES_MAX: Final = 100
VERSIONS_MAX: Final = 64
SESSION_KEYS_MAX: Final = 10_000
OLDEST: Final[Version] = (-1, -1)
NONE: Final[tuple[Version, Op | None]] = (OLDEST, None)
Newest = tuple[Version, Op | None]


class _Seen:
    """What one session wrote and read of one key, or (`every`) of all: the newest, and by which invocation."""

    __slots__ = ("read", "wrote")

    def __init__(self) -> None:
        self.wrote: Newest = NONE
        self.read: Newest = NONE


class _Session:
    """One session."""

    __slots__ = ("every", "keys")

    def __init__(self) -> None:
        self.every = _Seen()
        self.keys: dict[Token, _Seen] = {}


class _Key:
    """What is remembered of one key."""

    __slots__ = ("doubtful", "forgotten", "key", "read_early", "undecided", "values", "versions")

    def __init__(self, key: Any) -> None:
        self.key = key
        self.versions: dict[Version, Token] = {}  # of acknowledged writes
        self.values: dict[Token, Version] = {}
        self.doubtful: dict[Token, _Begun] = {}  # writes under way and in doubt
        self.read_early: dict[Token, Version] = {}  # what was read of those
        self.forgotten: Version = OLDEST
        self.undecided = ""


_Begun = tuple[Op, _Session, Newest, Newest, Newest, Newest]
"""An operation under way, its session, and what that knew: of the key written and read, of all written and read."""


class StreamingSessions:
    """See the module docstring; all four guarantees at once, of which `guarantees` are told."""

    name: str = "sessions"

    def __init__(self, header: Header, guarantees: Sequence[str] = GUARANTEES) -> None:
        self.guarantees = tuple(guarantees)
        self.found: dict[str, list[Anomaly]] = {guarantee: [] for guarantee in guarantees}
        self.counts = dict.fromkeys(guarantees, 0)
        self.reads = 0
        self.writes = 0
        self.crossing = False
        self.dropped = 0
        self._initial = token_of(header.initial)
        self._returned = header.fail_cas == "returned"
        self._keys: dict[Token, _Key] = {}
        self._sessions: dict[Any, _Session] = {}
        self._running: dict[int | str, _Begun] = {}

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def event(self, op: Op) -> Sequence[Anomaly]:
        """Take in an event."""
        if op.type == "invoke":
            if op.process != NEMESIS and op.f in ("read", "write", "cas"):
                self._begin(op)
            return ()
        running = self._running.pop(op.process, None)
        if running is None:
            return ()
        begun = running[0]
        if begun.f == "read":
            return self._read(op, running) if op.type == "ok" else ()
        if op.type == "ok":
            return self._wrote(op, running)
        if op.type == "info":
            if begun.session is None:
                self._sessions.pop(begun.process, None)
            return ()
        return self._failed(op, running)

    def verdicts(self) -> Sequence[Verdict]:
        """One for each guarantee."""
        return [self._verdict(guarantee) for guarantee in self.guarantees]

    def held(self) -> int:
        """Pairs of session and key, and writes that are remembered."""
        pairs = sum(len(session.keys) for session in self._sessions.values())
        return pairs + sum(len(key.versions) + len(key.doubtful) for key in self._keys.values())

    def _begin(self, op: Op) -> None:
        name = op.process if op.session is None else ("", op.session)
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = _Session()
        token = op.key if type(op.key) is str else token_of(op.key)
        seen, every = session.keys.get(token), session.every
        # What a session knows when an operation begins is what obliges it, whatever ends meanwhile.
        if seen is None:
            self._running[op.process] = op, session, NONE, NONE, every.wrote, every.read
        else:
            self._running[op.process] = op, session, seen.wrote, seen.read, every.wrote, every.read
        if op.f != "read":
            key = self._keys.get(token)
            if key is None:
                key = self._keys[token] = _Key(op.key)
            value = op.value[1] if op.f == "cas" and isinstance(op.value, list) and len(op.value) == 2 else op.value
            new = token_of(value)
            if new in key.doubtful or new in key.values or new == self._initial:
                key.undecided = (
                    key.undecided or f"the value {value_text(value)} was written twice or is the initial one"
                )
            key.doubtful[new] = self._running[op.process]

    def _read(self, ended: Op, running: _Begun, value: Any = None) -> Sequence[Anomaly]:
        begun, session, wrote, read, _, _ = running
        value = ended.value if begun.f == "read" else value
        token, found = (begun.key if type(begun.key) is str else token_of(begun.key)), token_of(value)
        key = self._keys.get(token)
        if key is None:
            key = self._keys[token] = _Key(begun.key)
        if key.undecided:
            return ()
        told = ended.version
        if told is None:
            key.undecided = f"operation {begun.index} tells no version"
            return ()
        version: Version = OLDEST if found == self._initial else (told[0], told[1])
        self.reads += 1
        anomalies: list[Anomaly] = []
        if version is not OLDEST and found in key.doubtful and found not in key.read_early:
            anomalies += self._placed(key.doubtful[found], version, value)
        if version is not OLDEST and (wrong := self._unknown(key, version, found)):
            if wrong != "undecided":
                anomalies += self._each(wrong, begun, ended, value)
            return anomalies
        if version < wrote[0]:
            anomalies += self._older(RYW, begun, version, value, wrote)
        if version < read[0]:
            anomalies += self._older(MR, begun, version, value, read)
        seen = session.keys.get(token) or self._remembered(session, token)
        if version > seen.read[0]:
            seen.read = version, begun
            if version > session.every.read[0]:
                session.every.read = version, begun
        return anomalies

    def _wrote(self, ended: Op, running: _Begun) -> Sequence[Anomaly]:
        begun, session = running[:2]
        value = begun.value[1] if begun.f == "cas" else begun.value
        token, new = (begun.key if type(begun.key) is str else token_of(begun.key)), token_of(value)
        key = self._keys[token]
        key.doubtful.pop(new, None)
        early = key.read_early.pop(new, None)
        if key.undecided:
            return ()
        if ended.version is None:
            key.undecided = f"operation {begun.index} tells no version"
            return ()
        version: Version = (ended.version[0], ended.version[1])
        if version in key.versions or (early is not None and early != version):
            key.undecided = f"version {version_text(version)} contradicts another one"
            return ()
        self._keep(key, version, new)
        self.writes += 1
        anomalies = [] if early is not None else self._placed(running, version, value)
        seen = session.keys.get(token) or self._remembered(session, token)
        if version > seen.wrote[0]:
            seen.wrote = version, begun
            if version > session.every.wrote[0]:
                session.every.wrote = version, begun
        return anomalies

    def _failed(self, ended: Op, running: _Begun) -> Sequence[Anomaly]:
        begun = running[0]
        is_cas = begun.f == "cas"
        value = begun.value[1] if is_cas and isinstance(begun.value, list) and len(begun.value) == 2 else begun.value
        key = self._keys[begun.key if type(begun.key) is str else token_of(begun.key)]
        key.doubtful.pop(token_of(value), None)
        if key.read_early.pop(token_of(value), None) is not None and not key.undecided:
            return self._each("aborted-read", begun, ended, value)
        if is_cas and self._returned and isinstance(ended.value, list) and len(ended.value) == 3:
            return self._read(ended, running, ended.value[2])
        return ()

    def _placed(self, running: _Begun, version: Version, value: Any) -> list[Anomaly]:
        """The version of a write is known: whether it is newer than what its session knew when it began."""
        begun, _, wrote, read, any_wrote, any_read = running
        anomalies: list[Anomaly] = []
        if version < wrote[0]:
            anomalies += self._older(MW, begun, version, value, wrote)
        if version < read[0]:
            anomalies += self._older(WFR, begun, version, value, read)
        if version <= any_wrote[0] or version <= any_read[0]:
            self.crossing = True
        return anomalies

    # ── what is remembered ───────────────────────────────────────────────────────────────────────────────────────────

    def _unknown(self, key: _Key, version: Version, found: Token) -> str:
        """Whether nobody can have written what was read, or the versions contradict each other; "" if neither."""
        known = key.values.get(found)
        if known is not None:
            if known == version:
                return ""
        elif found in key.doubtful:
            if key.read_early.setdefault(found, version) == version and version not in key.versions:
                return ""
        elif version <= key.forgotten:
            return ""
        elif version not in key.versions:
            return "garbage-read"
        key.undecided = f"version {version_text(version)} contradicts another one"
        return "undecided"

    def _keep(self, key: _Key, version: Version, token: Token) -> None:
        key.versions[version] = token
        key.values[token] = version
        if len(key.versions) > 2 * VERSIONS_MAX:
            for oldest in sorted(key.versions)[:VERSIONS_MAX]:
                del key.values[key.versions.pop(oldest)]
                key.forgotten = max(key.forgotten, oldest)

    def _remembered(self, session: _Session, token: Token) -> _Seen:
        if len(session.keys) >= SESSION_KEYS_MAX:
            del session.keys[next(iter(session.keys))]
            self.dropped += 1
        seen = session.keys[token] = _Seen()
        return seen

    # ── in words ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _older(self, guarantee: str, begun: Op, version: Version, value: Any, newest: Newest) -> Iterator[Anomaly]:
        if guarantee not in self.found:
            return
        newer, earlier = newest
        assert earlier is not None
        knew = "wrote" if guarantee in (RYW, MW) else "read"
        did = "read" if guarantee in (RYW, MR) else "wrote"
        told = f" (version {version_text(version)})" if version > OLDEST else ", the initial value"
        sentence = (
            f"At {key_text(begun.key)}, {_who(begun)} {knew} version {version_text(newer)}, and later {did} "
            f"{value_text(value)}{told}, which is older."
        )
        certificate = {"earlier": earlier.index, "later": begun.index}
        yield self._anomaly(guarantee, guarantee, sentence, (earlier.index, begun.index), begun, certificate)

    def _each(self, name: str, begun: Op, ended: Op, value: Any) -> list[Anomaly]:
        """What is wrong whatever is asked for."""
        what = "whose write failed" if name == "aborted-read" else "which nobody can have written"
        sentence = f"At {key_text(begun.key)}, somebody read {value_text(value)}, {what} (operation {begun.index})."
        return [self._anomaly(g, name, sentence, (begun.index,), begun, {}) for g in self.guarantees]

    def _anomaly(
        self, guarantee: str, name: str, sentence: str, ops: tuple[int, ...], begun: Op, certificate: dict[str, Any]
    ) -> Anomaly:
        broken = INTEGRITY if name in IMPOSSIBLE else guarantee
        shown = tuple(sorted(ops))
        anomaly = Anomaly(name, broken, sentence, begun.key, shown, begun.index, certificate=certificate)
        self.counts[guarantee] += 1
        if len(self.found[guarantee]) < ANOMALIES_MAX:
            self.found[guarantee].append(anomaly)
        return anomaly

    def _verdict(self, guarantee: str) -> Verdict:
        undecided = [key for key in self._keys.values() if key.undecided]
        counts = {
            "anomalies": self.counts[guarantee],
            "keys": len(self._keys),
            "keys_undecided": len(undecided),
            "reads": self.reads,
            "writes": self.writes,
            "forgotten": self.dropped,
        }
        if counts["anomalies"]:
            summary = f"{counts['anomalies']:,} violations found while streaming, by versions."
            return Verdict(guarantee, "invalid", summary, tuple(self.found[guarantee]), counts)
        reasons = [f"{key_text(key.key)}: {key.undecided}" for key in undecided[:3]]
        if self.crossing and guarantee in (MW, WFR):
            reasons.append(
                "versions of different keys are not in the order of the sessions, which takes all of the history"
            )
        if self.dropped:
            reasons.append(f"{self.dropped:,} pairs of session and key were forgotten")
        if not self._keys:
            reasons.append("no operation is a read, a write or a cas")
        if reasons:
            reason = "; ".join(reasons) + "."
            return Verdict(guarantee, "unknown", "Not everything could be decided.", counts=counts, reason=reason)
        summary = f"Nothing older was read or written, in {self.reads:,} reads and {self.writes:,} writes, by versions."
        return Verdict(guarantee, "valid", summary, counts=counts)


def _who(op: Op) -> str:
    return f"process {op.process}" if op.session is None else f"session {op.session}"
