"""Which checkers judge a history of which model, what each costs, and where it comes from.

    suite_of("queue", header, "")      the checkers of a queue
    BOUNDS["linearizability"]          Bound("O(n log n) where values ...", "Gibbons and Korach 1997; ...")

A model of a foreign history may mean more than one promise (a queue is judged for order and for damage); what several
checkers say is told side by side. `--checker` names any registered checker instead.

Costs are per operation count n, s sessions, k of the most operations open at one time; "search" is exponential in k at
worst, and ends with the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

from harness import registry
from harness.errors import PlanError
from harness.history import Header

SESSION: Final = "session"
TOTAL_QUEUE: Final = "total-queue"
TRANSACTIONS: Final = ("list-append", "rw-register", "transactions")


class Bound(NamedTuple):
    """What a checker costs, and its source."""

    cost: str
    source: str


BOUNDS: Final[Mapping[str, Bound]] = {
    "append-only": Bound("O(size of reads + n log n)", "nested reads and a sweep by rank"),
    "availability": Bound("O(n log n)", "outages and time to recover, per fault"),
    "bank": Bound("O(n)", "the bank test of Jepsen"),
    "causal": Bound("O(n s)", "Bouajjani, Enea, Guerraoui, Hamza, POPL 2017; AWDIT, PLDI 2025"),
    "causal-convergent": Bound("O(n s)", "Bouajjani, Enea, Guerraoui, Hamza, POPL 2017; AWDIT, PLDI 2025"),
    "comments": Bound("O(n log n)", "the comments test of Jepsen"),
    "counter": Bound("O(n log k)", "credits: increments are counted as late as they can be"),
    "counter-bounds": Bound("O(n)", "the counter test of Jepsen: necessary, not sufficient"),
    "durability": Bound("O(n log n)", "acknowledged writes against final reads"),
    "fenced-lock": Bound("O(n log n)", "tokens that grow, sections that do not overlap"),
    "linearizability": Bound(
        "O(n log n) for unambiguous values; else search",
        "Gibbons, Korach, SIAM J. Comput. 1997; Lowe, CCPE 2017; Lee, Mathur, OOPSLA 2025; Abdulla et al., PLDI 2025",
    ),
    "linearizable-mutex": Bound("O(n log n)", "sections as zones"),
    "linearizable-queue": Bound("O(n log n)", "Lee, Mathur, OOPSLA 2025; Abdulla et al., PLDI 2025"),
    "linearizable-set": Bound("O(n)", "Abdulla et al., PLDI 2025"),
    "linearizable-stack": Bound("O(n log n) typical, O(n²) at worst", "Lee, Mathur, OOPSLA 2025"),
    "log-pattern": Bound("O(bytes)", "a regular expression over node logs"),
    "long-fork": Bound("O(reads²) per group of keys", "the long fork test of Jepsen"),
    "monotonic-reads": Bound("O(n); by values O(n s)", "Terry et al., PDIS 1994; Viotti, Vukolić, CSUR 2016"),
    "monotonic-writes": Bound("O(n); by values O(n s)", "Terry et al., PDIS 1994"),
    "pram": Bound("O(n s)", "read-your-writes, monotonic reads and monotonic writes; Brzeziński et al., PDP 2004"),
    "read-your-writes": Bound("O(n); by values O(n s)", "Terry et al., PDIS 1994"),
    "sequential": Bound("saturation O(n³); then search", "Zennou et al., CAV 2019"),
    "set-final": Bound("O(n)", "the set test of Jepsen"),
    "set-full": Bound("O(size of reads)", "the set-full test of Jepsen, duplicates counted as they are"),
    "staleness": Bound("O(n log n)", "Golab, Li, Shah, PODC 2011; Golab et al., ICDCS 2014"),
    "statistics": Bound("O(n log n)", "counts, latencies, outages; judges nothing"),
    "token": Bound("O(n log n)", "what the node had against what the session had seen"),
    "total-queue": Bound("O(n)", "the total-queue test of Jepsen"),
    "transactions": Bound(
        "O(n) for lists; registers without reads before writes: search",
        "Adya 1999; Elle, VLDB 2020; Biswas, Enea, OOPSLA 2019; AWDIT, PLDI 2025",
    ),
    "unique-ids": Bound("O(n)", "the unique ids test of Jepsen"),
    "vacuity": Bound("O(n)", "whether anything was tested; judges nothing"),
    "writes-follow-reads": Bound("O(n); by values O(n s)", "Terry et al., PDIS 1994"),
}


MODEL_BOUNDS: Final[Mapping[str, Bound]] = {
    "cas-register": Bound("O(n log n) for unambiguous values; else search", "Gibbons, Korach 1997; Lowe, CCPE 2017"),
    "counter": Bound("O(n log k) for adds of one amount; else search", "credits; Lee, Mathur 2025"),
    "fenced-lock": Bound("O(n log n) where every acquire returns its token; else search", "a sweep by token"),
    "grow-set": Bound("O(size of reads + n log n)", "nested reads and a sweep by rank"),
    "kv": Bound("key by key; search", "Horn, Kroening, FORTE 2015; Lowe, CCPE 2017"),
    "log": Bound("O(size of reads + n log n)", "nested reads and a sweep by rank"),
    "multi-register": Bound("search", "Lowe, CCPE 2017"),
    "mutex": Bound("O(n log n)", "sections as zones: Gibbons, Korach 1997"),
    "queue": Bound(
        "O(n log n) for unambiguous elements; else search", "Lee, Mathur, OOPSLA 2025; Abdulla et al., PLDI 2025"
    ),
    "register": Bound("O(n log n) for unambiguous values; else search", "Gibbons, Korach, SIAM J. Comput. 1997"),
    "set": Bound("O(n) for elements added and removed once; else search", "Abdulla et al., PLDI 2025"),
    "stack": Bound("O(n log n) typical, O(n²) at worst; else search", "Lee, Mathur, OOPSLA 2025"),
}
"""What linearizability of a model costs; "search" is exponential in k at worst, and ends with the budget."""


class Meaning(NamedTuple):
    """What a model is that is judged by other checkers than linearizability.

    Attributes:
        summary: in one line.
        words: the functions that its operations may have; () where others do no harm.
    """

    summary: str
    words: tuple[str, ...] = ()


_TXN: Final = ("txn", "read", "write", "append")
_MEANINGS: Final[Mapping[str, Meaning]] = {
    SESSION: Meaning(
        "one value by key, judged for the four session guarantees (--sessions): read, write, cas",
        ("read", "write", "cas"),
    ),
    "bank": Meaning(
        "accounts whose balances keep their total: transfer, and read of all balances", ("transfer", "read")
    ),
    "comments": Meaning("elements are written one by one, a read shows all of them: write, read"),
    "list": Meaning("elements are appended at the end, the whole is read, by key: append, read", ("append", "read")),
    "list-append": Meaning('transactions over lists by key: txn of ["append", key, element], ["r", key, list]', _TXN),
    "lock": Meaning("a lock whose fencing tokens must grow, by key: acquire, release", ("acquire", "release")),
    "long-fork": Meaning('keys written once, read in groups: txn of ["w", key, value], ["r", key, value or null]'),
    "rw-register": Meaning('transactions over registers by key: txn of ["w", key, value], ["r", key, value]', _TXN),
    "set-final": Meaning("elements are added, the last read shows them all: add, read", ("add", "read")),
    "set-full": Meaning("elements are added, every read shows all that are there: add, read", ("add", "read")),
    TOTAL_QUEUE: Meaning(
        "what was enqueued comes out, once, in any order: enqueue, dequeue, drain (a list)",
        ("enqueue", "dequeue", "drain"),
    ),
    "transactions": Meaning("transactions over lists or registers by key: txn, or a single read, write, append", _TXN),
    "unique-ids": Meaning("ids are given out, each once: generate"),
}


def words_of(model: str) -> tuple[str, ...]:
    """The functions that operations of a model may have; () where others do no harm."""
    if model in _MEANINGS:
        return _MEANINGS[model].words
    from checkers.linearizability.register import MODELS

    if model in MODELS:
        return MODELS[model]
    words = tuple(registry.load("models", model).fs)
    return (*words, "read") if model == "set" else words


BY_KEY: Final = frozenset({"linearizability"})
"""Checkers whose promise is made for each key by itself, so that their work can be divided."""


def described() -> dict[str, list[dict[str, str]]]:
    """What `--list` prints: name, summary, cost and source of every checker and model, and who judges a model."""
    checkers = []
    for name in registry.names("checkers"):
        bound = BOUNDS.get(name, Bound("", ""))
        summary = _first_line(registry.load("checkers", name))
        checkers.append({"name": name, "summary": summary, "cost": bound.cost, "source": bound.source})
    declared = registry.names("models")
    described_models = []
    for name in [*declared, *(name for name in models() if name not in declared)]:
        judges = [checker.name for checker in suite_of(Header(model=name))]
        known = name in declared
        bound = MODEL_BOUNDS.get(name, BOUNDS["linearizability"]) if known else BOUNDS[judges[0]]
        summary = registry.load("models", name).summary if known else _MEANINGS[name].summary
        row = {"name": name, "summary": summary, "checkers": ", ".join(judges), "cost": bound.cost}
        described_models.append({**row, "source": bound.source})
    return {"checkers": checkers, "models": described_models}


def _first_line(thing: object) -> str:
    return (thing.__doc__ or "").strip().partition("\n")[0]


def _of(package: str, *names: str) -> Callable[[Header], list[Any]]:
    """Checkers of ours, without a look at what else is installed; that takes as long as judging a small history."""
    return lambda _: [getattr(import_module(f"checkers.{package}"), name)() for name in names]


def _linearizable(header: Header) -> list[Any]:
    from checkers.linearizability import Linearizability

    return [Linearizability(header.model)]


def _queue(header: Header) -> list[Any]:
    """Ours are emptied in the end, so that what was lost can be named; of others only the order is known."""
    return [*_linearizable(header), *(_of("objects", "TotalQueue")(header) if header.workload else ())]


_SUITES: Final[Mapping[str, Callable[[Header], list[Any]]]] = {
    SESSION: _of("sessions", "ReadYourWrites", "MonotonicReads", "MonotonicWrites", "WritesFollowReads"),
    "bank": _of("invariants", "Bank"),
    "comments": _of("invariants", "Comments"),
    "counter": _of("objects", "Counter"),
    "list": _of("objects", "AppendOnly"),
    "lock": _of("objects", "FencedLock"),
    "long-fork": _of("invariants", "LongFork"),
    "queue": _queue,
    "set": _of("objects", "SetFull"),
    "set-final": _of("invariants", "FinalSet"),
    "set-full": _of("objects", "SetFull"),
    TOTAL_QUEUE: _of("objects", "TotalQueue"),
    "unique-ids": _of("invariants", "UniqueIds"),
    **dict.fromkeys(TRANSACTIONS, _of("transactions", "Transactions")),
}
"""Models that have more than linearizability, or something else; every other one is judged for that."""

_PLAIN: Final = ("cas-register", "register")
"""The commonest of the others."""


def models() -> list[str]:
    """Every name that a history's model may have."""
    return sorted({*_SUITES, *registry.names("models")})


def is_model(name: str) -> bool:
    """Whether a history's model may have a name."""
    return name in _SUITES or name in _PLAIN or name in models()


def suite_of(header: Header, level: str = "", asked: Collection[str] = ()) -> list[Any]:
    """The checkers of a history.

    Args:
        level: the isolation level of transactions; "" for what the header says.
        asked: the functions in it; a set that is asked for single elements is not one that is read whole, and
            a counter to which any amount may be added needs more than counting.

    Raises:
        PlanError: there is no such level.
    """
    if header.model in TRANSACTIONS and level:
        from checkers.transactions import Transactions
        from checkers.transactions.levels import LEVELS, level_of

        if level_of(level) is None:
            raise PlanError(
                f"There is no isolation level {level!r}; wanted one of {', '.join(one.name for one in LEVELS)}."
            )
        return [Transactions(level)]
    by_element = header.model == "set" and not {*asked} <= {"add", "read"}
    if by_element or (header.model == "counter" and "add" in asked):
        return _linearizable(header)
    return _SUITES.get(header.model, _linearizable)(header)
