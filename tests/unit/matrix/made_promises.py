"""A small system's promises, made up: three switches, two faults."""

from typing import ClassVar

from harness.matrix import Figures, Promise, Scenario, Statement

NOTHING = Figures(
    runs=1,
    acked=0,
    lost=0,
    write_ms_p50=0.0,
    acked_per_s_in_faults=0.0,
    acked_per_s_outside=0.0,
    unavailable_s_max=0.0,
    deposed_acks=0,
    deposed_acks_clear=0,
    broken={},
)


class MadePromises:
    dimensions: ClassVar = {"copies": ("all", "one"), "sync": (True, False), "colour": ("red", "green", "blue")}
    workloads = ("register", "session")
    guarantees = ("linearizability", "durability", "read-your-writes")
    faults = (frozenset(), frozenset({"kill"}), frozenset({"power"}), frozenset({"kill", "power"}))
    scenarios = (
        Scenario(
            name="one copy", workload="register", configuration={"copies": "one", "sync": True, "colour": "red"},
            faults=("kill",), settings={"target": "leader"}, docker=True,
        ),
        Scenario(
            name="with clocks", workload="register", configuration={"copies": "all", "sync": True, "colour": "red"},
            faults=("clock",),
        ),
        Scenario(
            name="in pink", workload="register", configuration={"copies": "all", "sync": True, "colour": "pink"},
        ),
    )  # fmt: skip
    statements = (
        Statement("One copy is lost.", ("one copy",), lambda figures: (figures["one copy"].lost > 0, "so many")),
        Statement("Pink is best.", ("in pink",), lambda figures: (True, "never run")),
    )

    def possible(self, configuration):
        return not (configuration["copies"] == "one" and configuration["colour"] == "blue")

    def promise(self, configuration, faults, guarantee):
        if not configuration["sync"] and "power" in faults:
            return Promise(False, "not synced")
        if configuration["copies"] == "one" and "kill" in faults and guarantee == "durability":
            return Promise(False, "only one copy")
        return Promise(True, "all is well")


JUDGED = {"register": ("linearizability", "durability"), "session": ("durability", "read-your-writes")}
