"""Plug-ins are found by name, and a wrong name says what was meant."""

import pytest

from harness import registry
from harness.errors import PlanError


@pytest.mark.parametrize("group", registry.GROUPS)
def test_every_registered_plugin_can_be_loaded(group):
    for name in registry.names(group):
        assert registry.load(group, name) is not None


def test_the_wrong_name_is_told_the_nearest():
    with pytest.raises(PlanError, match=r"no workload 'regster'\. Did you mean 'register'\?"):
        registry.load("workloads", "regster")


def test_a_plugin_that_cannot_be_imported_is_one_sentence(monkeypatch):
    class Broken:
        value = "nowhere:THING"

        def load(self):
            raise ImportError("No module named 'nowhere'")

    monkeypatch.setattr(registry, "_entries", lambda group: {"broken": Broken()})
    with pytest.raises(PlanError, match=r"The nemesis 'broken' \(nowhere:THING\) cannot be loaded"):
        registry.load("nemeses", "broken")
