"""The store as a system under test: its switches, its command, and whom it calls the leader."""

import asyncio
import dataclasses

import pytest
from loopback import free_addresses

from harness.errors import SetupError
from harness.protocols import Packaged, Simulated
from system_under_test.leader_follower.configuration import Configuration
from system_under_test.leader_follower.system import OPTIONS, SYSTEM, _missing
from system_under_test.leader_follower.wire import Decoder, encode

ADDRESSES = {"n1": ("10.0.0.1", 7000), "n2": ("10.0.0.2", 7000)}


def test_it_has_the_abilities_it_claims():
    assert isinstance(SYSTEM, Simulated)
    assert isinstance(SYSTEM, Packaged)


def test_the_switches_default_to_what_the_server_defaults_to():
    server = {f.name: f.default for f in dataclasses.fields(Configuration) if f.default is not dataclasses.MISSING}
    switches = {option.name: option.default for option in OPTIONS}
    assert switches == server


def test_the_command_carries_every_switch_that_concerns_the_server():
    options = {option.name: option.default for option in OPTIONS} | {"fencing": False, "fsync": "never", "keys": 3}
    command = SYSTEM.command("n2", ADDRESSES, options)
    assert command[command.index("--peers") + 1] == "n1=10.0.0.1:7000,n2=10.0.0.2:7000"
    assert command[command.index("--fencing") + 1] == "false"
    assert command[command.index("--fsync") + 1] == "never"
    assert "--keys" not in command


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"replication": "most"}, "replication is 'most'"),
        ({"heartbeat_ms": 300}, "heartbeat_ms"),
        ({"wait_ms": 0}, "wait_ms must be positive"),
        ({"max_lag_ms": 0}, "max_lag_ms must be positive"),
        ({"snapshot_entries": -1}, "snapshot_entries must be positive, or 0 for no snapshots"),
        ({"election": "bully"}, "election is 'bully'; it must be one of raft, paxos, none"),
        ({"read": "lease"}, "read is 'lease', but lease is 'off'; choose lease monotonic or wall"),
        ({"lease": "monotonic", "election": "none"}, "with election none there is nobody whom it would hold back"),
        ({"lease": "wall", "lease_ms": 50}, r"lease_ms \(50\), shortened for drift_ppm \(1000\), must be above heart"),
        ({"lease": "wall", "lease_ms": 60, "drift_ppm": 200_000}, "must be above heartbeat_ms"),
        ({"drift_ppm": 1_000_000}, "drift_ppm .* must be at least 0 and below a million"),
        ({"read": "bounded", "max_lag_ms": 150}, r"max_lag_ms \(150\) must be above 3 times heartbeat_ms"),
        ({"members": "n1,n3"}, "members is 'n1,n3'; it must name some of n1, n2, each once"),
        ({"members": "n1,n1"}, "each once"),
        ({"members": "n2", "election": "none"}, "members must name n1, which leads for ever with election none"),
    ],
)
def test_a_bad_switch_is_named(options, problem):
    with pytest.raises(ValueError, match=problem):
        Configuration.from_options("n1", ("n1", "n2"), options)


def test_a_bad_switch_is_told_before_anybody_waits():
    class Nodes:
        nodes = ("n1", "n2")

    with pytest.raises(SetupError, match=r"cannot start: heartbeat_ms \(400\) must be positive and below"):
        asyncio.run(SYSTEM.wait_ready(Nodes(), {"heartbeat_ms": 400}, 60))


def said(role="follower", leader="n1", generation=3, ready=True, lag=0):
    followers = {"n2": {"lag": lag, "lag_ms": 0, "heard_ms": 0}} if role == "leader" else {}
    told = {"role": role, "leader": leader, "generation": generation, "ready": ready, "followers": followers}
    return told | {"members": ["n1", "n2"], "joining": None}


@pytest.mark.parametrize(
    ("statuses", "missing"),
    [
        ({"n1": said("leader"), "n2": said()}, None),
        ({"n1": said("leader"), "n2": said(), "n3": said(leader=None)}, None),
        ({"n1": said("leader"), "n2": None}, "no answer from n2"),
        ({"n1": said("leader", ready=False), "n2": said()}, "no leader is ready"),
        ({"n1": said("leader"), "n2": said("leader")}, "n1 and n2 both lead"),
        ({"n1": said("leader"), "n2": said(leader=None)}, "n2 not following n1"),
        ({"n1": said("leader", lag=4), "n2": said()}, "n2 behind n1"),
    ],
)
def test_what_is_missing_is_said_in_words(statuses, missing):
    assert _missing(statuses) == missing


def test_of_two_who_claim_to_lead_the_newer_generation_is_believed():
    claims = {"n1": said("leader", generation=9), "n2": said("leader", generation=10), "n3": said()}

    class Claimants:
        nodes = tuple(claims)
        addresses = free_addresses(nodes)

        def address(self, node):
            return self.addresses[node]

    def node(name):
        async def serve(reader, writer):
            for request in Decoder().feed(await reader.read(1000)):
                writer.write(encode({"id": request["id"], "status": "ok", "value": claims[name]}))
            await reader.read()
            writer.close()

        return serve

    async def run(up):
        cluster = Claimants()
        servers = [await asyncio.start_server(node(name), *cluster.address(name)) for name in up]
        leader = await SYSTEM.leader(cluster)
        for server in servers:
            server.close()
        await asyncio.sleep(0.02)
        return leader

    assert asyncio.run(run(("n1", "n2", "n3"))) == "n2"
    assert asyncio.run(run(("n1", "n3"))) == "n1"
    assert asyncio.run(run(("n3",))) is None
