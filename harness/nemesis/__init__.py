"""Faults: who is hit, what happens to them, the proof that it did, and when.

- `targets`  which nodes ("leader", "minority", ...), resolved when the fault fires;
- `shapes`   which links a partition cuts;
- `partition`, `process`, `clock`  the nemeses, written against fault surfaces, never against a ground;
- `compose`  several nemeses as one, and what is still in force.

When they come and go is a list: `harness.schedule`.

Every fault is four events: its invocation, its completion with evidence that it took hold, and the same two for
lifting it. The completion's value is

    {"fault": "partition-3", "kind": "partition", "nodes": ["n1"], "detail": "n1 | n2 n3", "proven": true,
     "evidence": "4 cut links probed, nothing passes"}
"""

from harness.nemesis.compose import ComposedNemesis, build_nemesis

__all__ = ["ComposedNemesis", "build_nemesis"]
