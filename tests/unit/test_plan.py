"""Plans: canonical, typed, and readable from files."""

import re

import pytest

from harness.errors import PlanError
from harness.plan import Plan, read_plan


def test_equal_plans_have_equal_bytes_and_digests():
    one = Plan(options={"b": 1, "a": 2})
    two = Plan(options={"a": 2, "b": 1})
    assert one.to_json() == two.to_json()
    assert one.digest() == two.digest() != Plan().digest()


def test_a_plan_comes_from_toml_or_json(tmp_path):
    toml = tmp_path / "p.toml"
    toml.write_text('nodes = 3\nnemesis = ["kill"]\n[options]\nreplication = "async"\n')
    json = tmp_path / "p.json"
    json.write_bytes(read_plan(toml).to_json())
    assert read_plan(json) == read_plan(toml) == Plan(nodes=3, nemesis=("kill",), options={"replication": "async"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('nodes = "five"', "the field 'nodes' wants int, found str"),
        ("ndoes = 5", "there is no field 'ndoes'. Did you mean 'nodes'"),
        ("nodes = ", "this is not a plan: "),
    ],
)
def test_a_wrong_plan_is_one_sentence_with_file_and_field(tmp_path, text, message):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(PlanError, match=rf"plan\.toml: {re.escape(message)}"):
        read_plan(path)


def test_a_missing_plan_is_one_sentence(tmp_path):
    with pytest.raises(PlanError, match="No such file"):
        read_plan(tmp_path / "none.toml")
