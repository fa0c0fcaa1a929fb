"""A small but honest replicated key-value store: the Leader and Followers pattern, with every promise switchable.

One node is the leader: it takes all writes, decides their order by appending them to its write-ahead log, and sends
that log to the followers, who apply it in the same order and stand ready to be elected. How many followers must have an
entry before the client is answered (`sync`, `async`, `quorum`), how leaders are chosen and how reads are served are
options, so that the store can be run with its promises kept, and with each of them broken.

How it is built, and in which order to read it:

    messages.py  what nodes say, what happens to a node (events) and what it wants done (effects)
    commands.py, objects.py, sessions.py, store.py     what may be asked; what keys hold; requests that come again; both
    log.py, state.py               entries; everything that one node knows
    roles.py, replication.py, writes.py, reads.py, forwarding.py   one file per concern
    election.py, paxos.py, leading.py, transfer.py                 who leads, and how that comes and goes
    rounds.py, lease.py            what the answers of a majority prove, and for how long
    membership.py, changes.py, autopilot.py    who belongs to the cluster
    status.py                      what a node says of itself
    node.py      the pure machine: `handle(event, now_ns) -> effects`; no input or output, no clock, no asyncio
    wal.py, hard_state.py          what survives a crash
    wire.py, requests.py, peers.py, server.py, __main__.py         the machine on sockets and a disk
    client.py, connection.py, system.py, admin.py                  the harness' side, and the operator's

All but the last line is the server: it imports only the standard library (and, in `__main__`, three such modules of
the harness), so that the folder runs in a container that has Python and nothing else, and on the simulated loop.

Limits: the state is held in memory, and saved whole with every snapshot; every node that may ever become a member has
an address from the start.
"""
