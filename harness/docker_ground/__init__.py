"""The ground `docker`: containers provisioned with the Docker SDK and controlled over SSH.

ground.py      DockerGround: a cluster as a context
engine.py, images.py, containers.py     the engine, and what is made on it
control.py     commands on nodes; net.py, processes.py     the fault surfaces; cluster.py     nodes that are up
leftovers.py, owner.py      finding and removing what a killed harness left behind
node_image/    what is in every node's image below the system under test
"""

from __future__ import annotations

from harness.docker_ground.ground import DockerGround

__all__ = ["DockerGround"]
