"""The simulated ground: servers, clients and faults in one thread, on virtual time, decided by one seed.

ground.py     the way in: `SimGround(seed)` implements `harness.protocols.Ground`
world.py      what kind of world it is: scheduler, delays, disks, clocks
cluster.py    the nodes of one run;  surfaces.py: the fault surfaces that act on them
node.py       one host, and one life of a server after the other;  machine.py: what a life is handed;  clock.py
loop.py       the asyncio event loop whose clock jumps to the next deadline;  timers.py, scheduling.py: what runs next
network.py    hosts and listeners;  link.py: one way between two hosts;  datagram.py: sockets without connection
pipe.py       one direction of a connection;  transport.py: its ends;  server.py: where it is accepted
disk.py       a disk that forgets what was not synced;  file.py: one file of it;  trouble.py: what else it does wrong
handles.py    tasks and futures that sets keep in the same order in every run
guard.py      real time, chance and files, kept away from simulated servers;  refusals.py: what no simulated code may do
trace.py      the digest over every event;  recording.py: the list of them;  compare.py: where two runs part
"""
