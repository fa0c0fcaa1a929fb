"""The `ssh` ground: machines that the user has, reached as their owner reaches them.

    splitbrain run --on ssh --machines admin@10.0.0.1,admin@10.0.0.2,admin@10.0.0.3 --sudo

`machines` reads who they are, `login` gets in (keys, agent, jump host, known hosts), `machine.sh` prepares a machine
and cleans it, `installation` brings the system there, `fleet` does all that for several, `ground` for a run.
"""

from harness.ssh_ground.ground import SshGround
from harness.ssh_ground.login import Access
from harness.ssh_ground.machines import Machine, read_machines

__all__ = ["Access", "Machine", "SshGround", "read_machines"]
