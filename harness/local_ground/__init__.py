"""The `local` ground: a system's server as plain processes of this machine.

For debugging a system without containers. Where root allows, each node has a network namespace of its own, so that
links can be cut; elsewhere only processes can be broken. Clocks and disks are this machine's own, and are left alone.

`ground` provisions, `processes` starts and strikes servers, `namespaces` makes hosts and cuts links, `ledger` writes
down what was made, so that it can be removed when the harness was killed.
"""

from harness.local_ground.ground import LocalGround

__all__ = ["LocalGround"]
