"""The simulated ground: servers, clients and faults in one thread, on virtual time, decided by one seed.

ground.py     the way in: `SimGround(seed)` implements `harness.protocols.Ground`
cluster.py    the nodes of one run and the fault surfaces that act on them
node.py       one host: its disk, its wall clock, its log, and one life of a server after the other
loop.py       the asyncio event loop whose clock jumps to the next deadline
network.py    hosts, listeners, cuts and delays;  pipe.py: one direction of a connection;  transport.py: its ends
disk.py       a disk that forgets what was not synced
handles.py    tasks and futures that sets keep in the same order in every run
guard.py      real time and chance, kept away from simulated servers;  refusals.py: what no simulated code may do
trace.py      the digest over every event
"""
