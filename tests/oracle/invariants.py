"""The simple invariants by their definitions, pair by pair, on small histories. Shares nothing with the checkers."""

from itertools import combinations

from oracle.structures import operations

START, END, KIND, F, ARGUMENT, RESULT = range(6)


def _of(events, f, *kinds):
    return [op for op in operations(events) if op[F] == f and op[KIND] in kinds]


def set_final(events):
    final = _of(events, "read", "ok")[-1]
    shown = final[RESULT]
    for element in {op[ARGUMENT] for op in _of(events, "add", "ok") if op[END] < final[START]}:
        if element not in shown:
            return False
    tried = [op[ARGUMENT] for op in _of(events, "add", "ok", "info") if op[START] < final[END]]
    return all(element in tried and shown.count(element) == 1 for element in shown)


def unique_ids(events):
    return all(one[RESULT] != other[RESULT] for one, other in combinations(_of(events, "generate", "ok"), 2))


def counter_bounds(events):
    """Every way to choose what is open counts."""
    adds = _of(events, "add", "ok", "info")
    for read in _of(events, "read", "ok"):
        sure = sum(op[ARGUMENT] for op in adds if op[END] < read[START])
        sums = {sure}
        for op in adds:
            if op[END] > read[START] and op[START] < read[END]:
                sums |= {number + op[ARGUMENT] for number in sums}
        if not min(sums) <= read[RESULT] <= max(sums):
            return False
    return True


def bank(events):
    reads = _of(events, "read", "ok")
    return all(sum(op[RESULT].values()) == 10 and min(op[RESULT].values()) >= 0 for op in reads)


def long_fork(events):
    reads = [{key: value for _, key, value in op[RESULT]} for op in _of(events, "read", "ok")]
    for one, other in combinations(reads, 2):
        keys = one.keys() & other.keys()
        ahead = any(one[key] is not None and other[key] is None for key in keys)
        behind = any(one[key] is None and other[key] is not None for key in keys)
        if ahead and behind:
            return False
    return True


def comments(events):
    writes = _of(events, "write", "ok", "info")
    for read in _of(events, "read", "ok"):
        for then in writes:
            for first in writes:
                before = first[KIND] == "ok" and first[END] < then[START]
                if before and then[ARGUMENT] in read[RESULT] and first[ARGUMENT] not in read[RESULT]:
                    return False
    return True
