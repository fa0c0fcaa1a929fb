"""From the command line to a plan and back."""

import shlex

import pytest

from harness.cli import planning
from harness.errors import PlanError, UsageError
from harness.plan import Plan, Thresholds


def plan_of(*argv):
    return planning.parse(argv)[1].plan


def parts_of(*argv):
    return planning.parse(argv)[1]


def test_no_arguments_mean_the_demonstration():
    plan = plan_of()
    assert plan.nemesis == ("partition", "kill")
    assert plan.on == "sim"


def test_a_seed_is_drawn_when_none_is_given_and_kept_when_one_is(monkeypatch):
    monkeypatch.delenv("SPLITBRAIN_SEED", raising=False)
    assert plan_of("--rate", "10").seed > 0
    assert plan_of("--seed", "0").seed == 0
    monkeypatch.setenv("SPLITBRAIN_SEED", "41")
    assert plan_of("--rate", "10").seed == 41
    assert plan_of("--seed", "7").seed == 7


def test_a_seed_of_the_environment_that_is_no_number(monkeypatch):
    monkeypatch.setenv("SPLITBRAIN_SEED", "many")
    with pytest.raises(UsageError, match="SPLITBRAIN_SEED must be a whole number, found 'many'"):
        plan_of()


def test_flags_override_the_plan_file(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text('nodes = 3\nrate = 50.0\nworkload = "session"\n[options]\nreplication = "async"\n')
    plan = plan_of(str(file), "--nodes", "7", "--seed", "1")
    assert (plan.nodes, plan.rate, plan.workload) == (7, 50.0, "session")
    assert plan.options["replication"] == "async"
    assert plan.options["election"] == "raft"


def test_every_switch_of_system_and_workload_is_in_the_plan():
    parts = parts_of("--seed", "1")
    assert set(parts.plan.options) == {option.name for option in [*parts.system.options, *parts.workload.options]}


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("nodes = 0", "nodes must be above zero, found 0"),
        ("nodes = 'five'", "the field 'nodes' wants int, found str"),
        ("nods = 5", "nods"),
        ("[options]\nreplicaton = 'async'", "'replicaton' is unknown. Did you mean 'replication'"),
        ("[options]\nreplication = 'asink'", "cannot be 'asink'. Did you mean 'async'"),
        ("[options]\nfencing = 'yes'", "wants bool, found str 'yes'"),
        ("nodes = ", "this is not a plan"),
    ],
)
def test_a_plan_file_with_a_mistake_is_refused_in_one_sentence(tmp_path, toml, complaint):
    file = tmp_path / "plan.toml"
    file.write_text(toml)
    with pytest.raises(PlanError, match=complaint) as caught:
        plan_of(str(file))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--workload", "regster"], "no workload 'regster'. Did you mean 'register'"),
        (["--nodez", "5"], "no option '--nodez'. Did you mean '--nodes'"),
        (["--nodes", "0"], "whole number of at least 1"),
        (["--nodes", "-3"], "whole number of at least 1|expected one argument"),
        (["--rate", "fast"], "above 0, found 'fast'"),
        (["--rate", "nan"], "above 0, found 'nan'"),
        (["--replication", "asink"], "cannot be 'asink'. Did you mean 'async'"),
        (["--fencing", "perhaps"], "wanted true or false, found 'perhaps'"),
        (["nowhere.toml"], "nowhere.toml: the plan cannot be read: No such file"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(argv, complaint):
    with pytest.raises(UsageError, match=complaint) as caught:
        plan_of(*argv)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["--nemesis", "partion"], "no nemesis 'partion'. Did you mean 'partition'"),
        (["--nemesis", "kill", "--target", "n9"], "no node or group 'n9'"),
        (["--on", "moon"], "no ground 'moon'"),
        (
            ["--on", "docker", "--nemesis", "power"],
            "'power' cannot be made on the ground 'docker': .*",
        ),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused_before_anything_starts(argv, complaint):
    with pytest.raises(PlanError, match=complaint):
        planning.preflight(parts_of(*argv), None)


def test_the_printed_command_gives_the_same_plan_again():
    argv = shlex.split(
        "--seed 9 --nodes 3 --rate 12.5 --time-limit 7 --nemesis partition,pause --target leader --combine "
        "--partition isolate --replication async --fencing false --keys 2 --interval 0.5"
    )
    parts = parts_of(*argv)
    command = planning.repeat_command(parts.plan, [*parts.system.options, *parts.workload.options])
    words = shlex.split(command)
    assert words[:2] == ["splitbrain", "run"]
    assert plan_of(*words[2:]) == parts.plan


def test_the_printed_command_spells_out_only_what_differs():
    parts = parts_of("--seed", "9")
    command = planning.repeat_command(parts.plan, [*parts.system.options, *parts.workload.options])
    assert command == "splitbrain run --on sim --seed 9"


def test_a_plan_survives_its_own_json(tmp_path):
    parts = parts_of("--seed", "3", "--nemesis", "kill")
    file = tmp_path / "plan.json"
    file.write_bytes(parts.plan.to_json())
    assert plan_of(str(file)) == parts.plan
    assert parts.plan.digest() == plan_of(str(file)).digest()
    assert parts.plan.digest() != Plan().digest()


def test_all_machines_are_nodes_unless_it_is_said_how_many():
    three = ("--on", "ssh", "--machines", "a,b,root@c:2222", "--seed", "1")
    assert plan_of(*three).nodes == 3
    assert plan_of(*three, "--nodes", "2").nodes == 2
    assert plan_of("--on", "ssh", "--seed", "1").nodes == Plan().nodes
    again = shlex.split(planning.repeat_command(plan_of(*three, "--nodes", "5"), parts_of(*three).system.options))
    assert again[again.index("--nodes") + 1] == "5"


def test_machines_that_are_none_are_one_sentence():
    with pytest.raises(UsageError, match=r"'root@;reboot' is no machine; wanted \[USER@\]HOST\[:PORT\]"):
        plan_of("--on", "ssh", "--machines", "root@;reboot", "--seed", "1")


def test_a_fault_that_a_ground_cannot_make_here_is_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr("harness.local_ground.namespaces.os.geteuid", lambda: 1000)
    with pytest.raises(PlanError, match="'partition' cannot be made on the ground 'local': only root"):
        planning.preflight(parts_of("--on", "local", "--nemesis", "partition", "--seed", "1"), None)


def test_thresholds_come_from_the_plan_and_flags_override_them(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text("seed = 1\n[thresholds]\nrecovery_s_max = 5\nsuccess_share_min = 0.5\n")
    plan = plan_of(str(file), "--recovery-max", "7.5", "--unavailable-max", "4")
    assert plan.thresholds == Thresholds(recovery_s_max=7.5, unavailable_s_max=4.0, success_share_min=0.5)
    words = planning.repeat_command(plan, parts_of().system.options)
    assert plan_of(*shlex.split(words)[2:]).thresholds == plan.thresholds


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("recovery_max = 5", "no field 'recovery_max'. Did you mean 'recovery_s_max'?"),
        ("recovery_s_max = 'soon'", "'thresholds.recovery_s_max' wants float | null, found str"),
        ("recovery_s_max = -1", "threshold recovery_s_max cannot be -1"),
        ("success_share_min = 1.5", "threshold success_share_min cannot be 1.5"),
    ],
)
def test_a_threshold_that_is_none_is_one_sentence(tmp_path, toml, complaint):
    file = tmp_path / "plan.toml"
    file.write_text(f"[thresholds]\n{toml}\n")
    with pytest.raises(PlanError) as error:
        plan_of(str(file))
    assert complaint in str(error.value)
