"""Re-checks what checkers say, each family of certificates by itself; `checkers.verify` chooses among them.

They share no code with the checkers, on purpose: what both read are a history's events, or its columns.

    events, accesses                      what the events of a history say
    orders, search, models, lines         orders of operations, and that there is none, of registers and any model
    objects, structures                   queues, stacks, sets, locks, counters, logs
    sessions, causal, staleness, token    what sessions were shown; on which keys versions can be believed
    transactions                          isolation levels
    invariants, durability                simple invariants, and what became of acknowledged writes

What ends in `columns`, `lookup` or `facts` belongs to the family that it is named for: many operations at once, and
those of one anomaly.
"""
