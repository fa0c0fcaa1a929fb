"""Linearizability of registers, judged while they are used: exactly, where all values are different.

For each value, f is when the first operation on it was over, and s when the last one began. Values that successful
compare-and-sets replace one by another form a chain, which is judged as one value, and inside of which no operation may
be over before one on an earlier value began. Two chains clash if each was begun after the other was done with.

    read 1, over ... read 2, begun and over ... read 1, begun      1 and 2 clash, as soon as the last read is over

A chain is dead when another one has been begun after it was done with: whoever still comes upon it is wrong. Once
every read and compare-and-set under way began after that, nothing can be added to it, and when every other chain is
done with later than the last operation on it began, or is settled itself, it can be forgotten. The front of a chain is
forgotten in the same way. What is then found there has a value that is not known any more, which is wrong either way.

Source: `checkers.linearizability.zones`, whose theorem this applies event by event.
Limits: memory for what is under way, for writes in doubt that nobody has seen, and for one chain or two of each key. A
value that is written twice while it is remembered makes its key undecided, and so does a refused compare-and-set that
tells no state where refusals mean something; repetitions of forgotten values are taken for new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from checkers.sessions.explain import key_text, value_text
from checkers.tokens import Token, token_of
from harness.history.header import Header
from harness.op import NEMESIS, Op
from harness.verdict import Anomaly, Verdict

NEVER: Final = 1 << 62
ANOMALIES_MAX: Final = 100
SWEEP_EVERY: Final = 16
"""Completions on a key after which it is looked through for what can be forgotten."""


@dataclass(eq=False)
class Write:
    """A write or compare-and-set that is under way or in doubt; `seen` once it happened, `over` once it has ended."""

    op: Op
    old: Token | None
    new: Token
    is_cas: bool
    seen: bool = False
    linking: bool = False


@dataclass(eq=False)
class Block:
    """One value: when it was first done with, and by whom; who replaced it."""

    token: Token
    value: Any
    chain: Chain
    finished: int = NEVER
    finished_by: int = -1
    next: Block | None = None
    linked_by: int = -1


@dataclass(eq=False)
class Chain:
    """Blocks one after another; `dead` is the event at which nobody could come upon it any more, NEVER before."""

    blocks: list[Block] = field(default_factory=list)
    finished: int = NEVER
    finished_by: int = -1
    starting: int = -2
    starting_by: int = -1
    dead: int = NEVER


class _BrokenError(Exception):
    """Something is wrong: the rule, the operations that show it, and a sentence."""

    def __init__(self, rule: str, ops: Sequence[int], sentence: str) -> None:
        super().__init__(sentence)
        self.rule, self.ops = rule, ops


class StreamingRegister:
    """See the module docstring; one for all keys of a history."""

    name: str = "linearizability"

    def __init__(self, header: Header) -> None:
        self.header = header
        self.anomalies: list[Anomaly] = []
        self._keys: dict[Token, _Key] = {}
        self._running: dict[int | str, Op] = {}

    def event(self, op: Op) -> Sequence[Anomaly]:
        """Take in an event."""
        if op.process == NEMESIS:
            return ()
        if op.type == "invoke":
            self._running[op.process] = op
            self._key(op).begin(op)
            return ()
        begun = self._running.pop(op.process, None)
        if begun is None:
            return ()
        key = self._key(begun)
        if key.broken or key.undecided:
            return ()
        try:
            key.end(begun, op)
        except _BrokenError as broken:
            key.broken = True
            anomaly = _anomaly(begun, broken)
            if len(self.anomalies) < ANOMALIES_MAX:
                self.anomalies.append(anomaly)
            return (anomaly,)
        return ()

    def verdicts(self) -> Sequence[Verdict]:
        """One verdict."""
        broken = sum(key.broken for key in self._keys.values())
        undecided = [key for key in self._keys.values() if key.undecided and not key.broken]
        counts = {"anomalies": broken, "keys": len(self._keys), "keys_decided": len(self._keys) - len(undecided)}
        if broken:
            summary = f"{broken} of {len(self._keys)} keys admit no order."
            return (Verdict(self.name, "invalid", summary, tuple(self.anomalies), counts),)
        if undecided:
            some = "; ".join(f"{key_text(key.key)}: {key.undecided}" for key in undecided[:3])
            reason = f"{some}; keys decided: {counts['keys_decided']} of {len(self._keys)}."
            return (Verdict(self.name, "unknown", "Not every key could be decided.", counts=counts, reason=reason),)
        return (Verdict(self.name, "valid", f"All {len(self._keys)} keys admit an order.", counts=counts),)

    def held(self) -> int:
        """Blocks, and operations under way or in doubt."""
        return len(self._running) + sum(len(key.blocks) + len(key.writes) for key in self._keys.values())

    def _key(self, op: Op) -> _Key:
        token = token_of(op.key)
        found = self._keys.get(token)
        if found is None:
            found = self._keys[token] = _Key(op.key, self.header)
        return found


class _Key:
    """One register."""

    def __init__(self, key: Any, header: Header) -> None:
        self.key, self.header = key, header
        self.broken = False
        self.undecided = ""
        self.blocks: dict[Token, Block] = {}
        self.chains: list[Chain] = []
        self.writes: dict[Token, Write] = {}
        self.observers: dict[int, Op] = {}  # reads and compare-and-sets under way, by invocation
        self._since_sweep = 0
        first = self._chain(token_of(header.initial), header.initial)
        first.blocks[0].finished = first.finished = -1

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, op: Op) -> None:
        """An operation begins."""
        if self.broken or self.undecided:
            return
        if op.f in ("read", "cas"):
            self.observers[op.index] = op
        if op.f == "read":
            return
        is_cas = op.f == "cas"
        if op.f != "write" and not (is_cas and isinstance(op.value, list) and len(op.value) == 2):
            self.undecided = f"{op.f!r} is no operation of a register"
            return
        new = op.value[1] if is_cas else op.value
        token = token_of(new)
        if token in self.writes or token in self.blocks:
            self.undecided = f"the value {value_text(new)} was written twice or is the initial one"
            return
        self.writes[token] = Write(op, token_of(op.value[0]) if is_cas else None, token, is_cas)

    def end(self, begun: Op, ended: Op) -> None:
        """An operation ends; raises when that cannot be."""
        self.observers.pop(begun.index, None)
        if begun.f == "read":
            if ended.type == "ok":
                self._found(token_of(ended.value), ended.value, begun, ended.index)
        else:
            self._end_write(begun, ended)
        self._since_sweep += 1
        if self._since_sweep >= SWEEP_EVERY:
            self._since_sweep = 0
            self._sweep()

    def _end_write(self, begun: Op, ended: Op) -> None:
        new = begun.value[1] if begun.f == "cas" else begun.value
        token = token_of(new)
        write = self.writes.get(token)
        if write is None or ended.type == "info":
            return
        del self.writes[token]
        if ended.type == "ok":
            if write.seen and token not in self.blocks:
                return  # it was seen and forgotten before it was over
            block = self.blocks.get(token) or self._happened(write, begun)
            self._touch(block, begun, ended.index)
            return
        if write.seen:
            text = f"somebody saw {value_text(new)}, whose {begun.f} by process {begun.process} failed"
            raise _BrokenError("unwritten-value", [begun.index], text)
        if begun.f == "cas":
            self._refused(begun, ended)

    def _refused(self, begun: Op, ended: Op) -> None:
        """A compare-and-set that failed: what it says depends on the system."""
        told = self.header.fail_cas != "drop" and (ended.error or "mismatch").startswith("mismatch")
        if not told:
            return
        if self.header.fail_cas != "returned" or not isinstance(ended.value, list) or len(ended.value) != 3:
            self.undecided = "a compare-and-set was refused without telling the state"
            return
        current = token_of(ended.value[2])
        if current == token_of(begun.value[0]):
            text = f"process {begun.process} was refused because of {value_text(ended.value[2])}, which it had expected"
            raise _BrokenError("unwritten-value", [begun.index], text)
        self._found(current, ended.value[2], begun, ended.index)

    # ── what happens to values ───────────────────────────────────────────────────────────────────────────────────────

    def _found(self, token: Token, value: Any, begun: Op, now: int) -> None:
        """Somebody found a value."""
        block = self.blocks.get(token)
        if block is None:
            write = self.writes.get(token)
            if write is None or write.seen:
                text = f"process {begun.process} found {value_text(value)}, which nobody can have written"
                raise _BrokenError("unwritten-value", [begun.index], f"{text} or which was overwritten long before")
            block = self._happened(write, begun)
        self._touch(block, begun, now)

    def _happened(self, write: Write, by: Op) -> Block:
        """A write took effect: its value gets a block, behind the one that it replaced if it is a compare-and-set."""
        op, new = write.op, write.op.value[1] if write.is_cas else write.op.value
        block = self._replaced(write, new, by) if write.is_cas else self._chain(write.new, new).blocks[0]
        write.seen = True
        self._start(block.chain, op.index)
        return block

    def _replaced(self, write: Write, new: Any, by: Op) -> Block:
        if write.linking:
            raise _BrokenError(
                "cas-cycle", [write.op.index, by.index], "compare-and-sets replace each other in a circle"
            )
        write.linking = True
        old, parent = write.op.value[0], self.blocks.get(write.old)
        if parent is None:
            before = self.writes.get(write.old)
            if before is None or before.seen:
                text = f"process {write.op.process} replaced {value_text(old)}, which nobody can have written"
                raise _BrokenError("unwritten-value", [write.op.index], f"{text} or which was overwritten long before")
            parent = self._happened(before, write.op)
        if parent.next is not None or parent.linked_by >= 0:
            text = f"two compare-and-sets replaced {value_text(old)}, which was there once"
            raise _BrokenError("double-cas", [parent.linked_by, write.op.index], text)
        parent.linked_by = write.op.index
        block = self.blocks[write.new] = Block(write.new, new, parent.chain)
        parent.next = block
        parent.chain.blocks.append(block)
        return block

    def _touch(self, block: Block, op: Op, now: int) -> None:
        """An operation on a value is over: raises when that makes any order impossible."""
        later = block.next
        while later is not None:
            if later.finished < op.index:
                text = f"process {op.process} found {value_text(block.value)} after it had been replaced"
                raise _BrokenError("chain-order", [op.index, later.finished_by], text)
            later = later.next
        chain = block.chain
        if now < block.finished:
            block.finished, block.finished_by = now, op.index
        if now < chain.finished:
            chain.finished, chain.finished_by = now, op.index
        self._start(chain, op.index)
        for other in self.chains:
            if other is not chain and other.finished < chain.starting:
                if chain.finished < other.starting:
                    ops = [chain.finished_by, other.starting_by, other.finished_by, chain.starting_by]
                    text = f"process {op.process} found {value_text(block.value)} after something newer had been found"
                    raise _BrokenError("blocks", [index for index in ops if index >= 0], text)
                other.dead = min(other.dead, now)
            if other is not chain and chain.finished < other.starting:
                chain.dead = min(chain.dead, now)

    def _start(self, chain: Chain, begun: int) -> None:
        if begun > chain.starting:
            chain.starting, chain.starting_by = begun, begun

    def _chain(self, token: Token, value: Any) -> Chain:
        chain = Chain()
        block = self.blocks[token] = Block(token, value, chain)
        chain.blocks.append(block)
        self.chains.append(chain)
        return chain

    # ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _sweep(self) -> None:
        """Forget dead chains that are settled, and the fronts of the others."""
        oldest = min(self.observers, default=NEVER)
        settled = [chain for chain in self.chains if chain.dead < oldest]
        moving = min((chain.finished for chain in self.chains if chain.dead >= oldest), default=NEVER)
        for chain in settled:
            if chain.starting < moving:
                self.chains.remove(chain)
                for block in chain.blocks:
                    del self.blocks[block.token]
        for chain in self.chains:
            if len(chain.blocks) > 1:
                self._shorten(chain, oldest)

    def _shorten(self, chain: Chain, oldest: int) -> None:
        """Forget the blocks that were replaced, and whose successors were done with, before all that is under way."""
        soonest = NEVER
        for place in range(len(chain.blocks) - 1, 0, -1):
            soonest = min(soonest, chain.blocks[place].finished)
            if soonest < oldest:
                for block in chain.blocks[:place]:
                    del self.blocks[block.token]
                del chain.blocks[:place]
                return


def _anomaly(begun: Op, broken: _BrokenError) -> Anomaly:
    where = f"At {key_text(begun.key)}, " if begun.key is not None else ""
    sentence = f"{where}{broken}."
    return Anomaly(
        name="non-linearizable",
        guarantee="linearizability",
        sentence=sentence[0].upper() + sentence[1:],
        key=begun.key,
        ops=tuple(sorted({begun.index, *(index for index in broken.ops if index >= 0)})),
        culprit=begun.index,
    )
