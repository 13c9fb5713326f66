"""The task `environment`: named situations of a host, and what is to be done and said of each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provision.environment.digest import digest
from provision.environment.spec import EnvironmentSpec
from provision.model.facts import GpuFacts
from provision.model.host import Expect, Host, Mirror
from provision.model.plan import Detached, Later, Run, Severity
from provision.playbook.tasks.environment import EnvironmentTask, Variant
from provision.remote import catalogue
from tests.facts_builder import HOME, PREFIX, STATE, a10, conda, disk, environment, facts, generation, link, system

if TYPE_CHECKING:
    from provision.model.facts import Facts, Generation
    from provision.model.plan import Program, Step

SPEC = EnvironmentSpec("mymodel", ("conda-forge",), ("python=3.11", "numpy"), pip=("requests==2.32",))
OLDER = EnvironmentSpec("mymodel", ("conda-forge",), ("python=3.10", "numpy"))
WANTED = digest(SPEC, "linux-64", None, cuda=False)
BEFORE = digest(OLDER, "linux-64", None, cuda=False)
NOW = f"2-{WANTED[:8]}"
WAS = f"1-{BEFORE[:8]}"
BASE = f"{STATE}/envs/mymodel/mymodel"
SHADOW = "~/miniconda3/envs/mymodel"


def task(
    *variants: Variant, host: Host | None = None, spec: EnvironmentSpec = SPEC, accept_tos: bool = False
) -> EnvironmentTask:
    return EnvironmentTask(
        "mymodel",
        "mymodel",
        variants or (Variant(None, spec),),
        "~/miniconda3",
        host or Host("box", "192.0.2.1"),
        accept_tos,
    )


def built(name: str = NOW, wanted: str = WANTED, spec: EnvironmentSpec = SPEC, **changes: Any) -> Generation:
    one = generation(name, wanted)
    marker = {
        **(one.marker or {}),
        "spec": {"channels": list(spec.channels), "dependencies": list(spec.dependencies), "pip": list(spec.pip)},
    }
    return replace(one, marker=marker, **changes)


def proof(seen: Facts, one: Generation) -> tuple[str, dict[str, Any]]:
    """Return the record of a deep check that passed under these facts."""
    depends = {
        "boot": seen.system.boot_id,
        "driver": seen.gpu.driver_loaded or seen.gpu.driver,
        "gpus": [card.uuid for card in seen.gpu.gpus],
        "mig_devices": list(seen.gpu.mig_devices),
        "generation": one.name,
        "packages": one.packages,
        "script": catalogue.script_digest("deep_check.py"),
    }
    return "deep-mymodel-mymodel", {"format": 1, "depends": depends}


def proven(seen: Facts, one: Generation | None = None) -> Facts:
    return replace(seen, records=(*seen.records, proof(seen, one or built())))


def have(*generations: Generation, current: str | None = NOW, **changes: Any) -> Facts:
    links = changes.pop("conda_links", (link(),))
    return facts(
        condas=(conda(),), environments=(environment(*generations, current=current),), conda_links=links, **changes
    )


def steps(seen: Facts, one: EnvironmentTask | None = None) -> list[str]:
    return [step.name for step in (one or task()).plan(seen)]


def codes(seen: Facts, one: EnvironmentTask | None = None) -> list[str]:
    return [found.code for found in (one or task()).objections(seen)]


def program(step: Step) -> Program:
    assert isinstance(step.action, (Run, Detached))
    return step.action.program


def build(counter: int = 1, wanted: str = WANTED) -> list[str]:
    name = f"{counter}-{wanted[:8]}"
    return [f"build mymodel {name}", f"prove mymodel {name}", f"make {name} the current mymodel"]


READ, IMPORT, SWITCH = (
    f"read back mymodel {NOW}",
    f"import what mymodel {NOW} is for",
    f"make {NOW} the current mymodel",
)
OLD = built(WAS, BEFORE, OLDER)
DRIFTED = replace(built(), packages="q")
MARKERLESS = replace(built(), marker=None)
REJECTED = replace(built(), rejected="not what was asked for")
REBUILT = f"3-{WANTED[:8]}"

SITUATIONS: dict[str, tuple[Facts, list[str]]] = {
    "a bare host": (facts(), build()),
    "conda without an environment": (facts(condas=(conda(),)), build()),
    "an empty folder of the environment": (have(current=None, conda_links=()), build()),
    "current and proven": (proven(have(built())), []),
    "current and never proven": (have(built()), [IMPORT]),
    "proven on an earlier boot": (
        replace(proven(have(built())), system=system(boot_id="boot-2")),
        [IMPORT],
    ),
    "proven with another driver": (replace(proven(have(built())), gpu=GpuFacts(driver_loaded="560.1")), [IMPORT]),
    "the file changed": (have(OLD, current=WAS), build(2)),
    "the file changed back to a generation that is kept": (
        have(OLD, built(), current=WAS),
        [READ, IMPORT, SWITCH],
    ),
    "complete but not current": (have(built(), current=None), [READ, IMPORT, SWITCH]),
    "current names what is gone": (have(built(), current="9-gone"), [READ, IMPORT, SWITCH]),
    "not complete": (have(MARKERLESS, current=None), build(3)),
    "rejected": (have(OLD, REJECTED, current=WAS), build(3)),
    "rejected while it was current": (have(REJECTED), build(3)),
    "packages installed by hand": (have(DRIFTED), build(3)),
    "packages of conda-meta cannot be read": (have(replace(built(), packages=None)), build(3)),
    "drifted beside a healthy twin": (
        have(DRIFTED, built(REBUILT)),
        [
            f"read back mymodel {REBUILT}",
            f"import what mymodel {REBUILT} is for",
            f"make {REBUILT} the current mymodel",
        ],
    ),
    "two healthy twins, the older one current": (proven(have(built(), built(REBUILT))), []),
    "the link is missing": (proven(have(built(), conda_links=())), [SWITCH]),
    "the link points into another state folder": (
        proven(have(built(), conda_links=(link("/mnt/old/envs/mymodel/mymodel/current"),))),
        [SWITCH],
    ),
    "only a link of another name": (proven(have(built(), conda_links=(link(name="other"),))), [SWITCH]),
    "counters above nine": (have(built(f"12-{BEFORE[:8]}", BEFORE, OLDER), current=None), build(13)),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_each_situation_has_its_steps(situation: str) -> None:
    seen, expected = SITUATIONS[situation]
    assert steps(seen) == expected
    assert codes(seen) == []


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_plan_is_the_same_when_it_is_made_twice(situation: str) -> None:
    first, second = (
        [(step.name, step.reason, step.changed, step.details) for step in task().plan(SITUATIONS[situation][0])]
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_follows_a_build_is_planned_anew_after_it(situation: str) -> None:
    planned = list(task().plan(SITUATIONS[situation][0]))
    if planned and planned[0].name.startswith("build"):
        assert [type(step.action) for step in planned] == [Detached, Later, Later]
    assert all(step.changed == (not step.name.startswith(("read back", "import", "prove"))) for step in planned)


FOREIGN: dict[str, tuple[Facts, str, str]] = {
    "a folder of the user's": (
        have(built(), current=None, conda_links=(link(None),)),
        "ENV-NAME-FOREIGN",
        "of its own",
    ),
    "a link of the user's": (
        have(built(), current=None, conda_links=(link("/opt/envs/theirs"),)),
        "ENV-NAME-FOREIGN",
        "points to /opt/envs/theirs",
    ),
    "another project's link": (
        facts(conda_links=(link(f"{STATE}/envs/other/mymodel/current"),)),
        "ENV-NAME-FOREIGN",
        "points to",
    ),
    "base has one of that name": (facts(paths=((SHADOW, "directory"),)), "ENV-NAME-SHADOWED", SHADOW),
    "even a file of that name": (facts(paths=((SHADOW, "file:644:00"),)), "ENV-NAME-SHADOWED", SHADOW),
}


@pytest.mark.parametrize("situation", FOREIGN)
def test_what_is_not_ours_is_never_replaced(situation: str) -> None:
    seen, code, words = FOREIGN[situation]
    (found,) = task().objections(seen)
    assert (found.code, found.severity) == (code, Severity.ERROR)
    assert words in found.message
    assert found.fix is not None


def test_the_shadow_is_asked_for_by_the_name_that_conda_activate_takes() -> None:
    assert task().asks() == ("conda=~/miniconda3", f"path={SHADOW}")
    assert codes(facts(paths=((SHADOW, "absent"),))) == []


GPU_FILE = EnvironmentSpec("mymodel", ("conda-forge",), ("python=3.11", "pytorch-gpu"))
CPU_FILE = EnvironmentSpec("mymodel", ("conda-forge",), ("python=3.11", "pytorch-cpu"))
BOTH = (Variant("gpu", GPU_FILE), Variant("cpu", CPU_FILE))
ABSENT_GPU = Host("box", "192.0.2.1", expect=Expect(gpus=1, cuda="12.4"))

CHOICES: dict[str, tuple[Facts, Host, str, str]] = {
    "the driver's own word": (facts(gpu=a10()), Host("b", "192.0.2.1"), "pytorch-gpu", "12.4"),
    "no word of it, by the driver's version": (
        facts(gpu=a10(cuda=None)),
        Host("b", "192.0.2.1"),
        "pytorch-gpu",
        "12.4",
    ),
    "a newer driver than the host is expected to have": (
        facts(gpu=a10(cuda="13.0")),
        Host("b", "192.0.2.1", expect=Expect(cuda="12.4")),
        "pytorch-gpu",
        "13.0",
    ),
    "booted without its GPU, CUDA expected": (facts(), ABSENT_GPU, "pytorch-gpu", "12.4"),
    "booted without its GPU, only CUDA expected": (
        facts(),
        Host("b", "192.0.2.1", expect=Expect(cuda="12.1")),
        "pytorch-gpu",
        "12.1",
    ),
    "a GPU is expected and nothing tells its CUDA": (
        facts(),
        Host("b", "192.0.2.1", expect=Expect(gpus=2)),
        "pytorch-gpu",
        "none",
    ),
    "a driver without visible cards": (
        facts(gpu=GpuFacts(nvidia_smi=6, driver="535.54.03")),
        Host("b", "192.0.2.1"),
        "pytorch-gpu",
        "12.2",
    ),
    "no GPU": (facts(), Host("b", "192.0.2.1"), "pytorch-cpu", "none"),
    "no GPU is expected": (facts(), Host("b", "192.0.2.1", expect=Expect(gpus=0)), "pytorch-cpu", "none"),
}


@pytest.mark.parametrize("situation", CHOICES)
def test_the_variant_and_the_cuda_of_a_build_follow_from_the_facts(situation: str) -> None:
    seen, host, package, cuda = CHOICES[situation]
    first = next(iter(task(*BOTH, host=host).plan(seen)))
    arguments = program(first).arguments
    assert package in arguments[5].splitlines()
    assert arguments[10] == cuda
    assert json.loads(arguments[9] + "}")["cuda"] == cuda


def test_a_gpu_changes_the_digest_and_so_the_generation() -> None:
    without, with_one = steps(facts()), steps(facts(gpu=a10()))
    assert without[0] != with_one[0]
    wanted = digest(SPEC, "linux-64", None, cuda=True)
    assert with_one == [*build(1, wanted), f"compute with mymodel 1-{wanted[:8]} on every GPU"]


def test_a_newer_driver_alone_builds_nothing_anew() -> None:
    assert steps(facts(gpu=a10())) == steps(facts(gpu=a10(cuda="13.0", driver="580.65.06")))


@pytest.mark.parametrize(
    ("variants", "seen"),
    [
        ((Variant("gpu", GPU_FILE),), facts()),
        ((Variant("cpu", CPU_FILE),), facts(gpu=a10())),
        ((Variant(None, SPEC),), facts(system=system(architecture="i686"))),
    ],
    ids=["cpu host without a cpu file", "gpu host without a gpu file", "no platform of conda's"],
)
def test_a_host_without_a_file_of_its_kind_is_objected_to(variants: tuple[Variant, ...], seen: Facts) -> None:
    assert codes(seen, task(*variants)) == ["ENV-NO-VARIANT"]
    assert steps(seen, task(*variants)) == []


def test_a_host_without_a_file_of_its_kind_is_judged_unfit_and_never_converged() -> None:
    found = task(Variant("gpu", GPU_FILE)).judge(facts())
    assert [one.code for one in found] == ["ENV-NO-VARIANT"]


@pytest.mark.parametrize(
    ("channels", "concerned"),
    [
        (("defaults",), "defaults"),
        (("main", "r"), "main, r"),
        (("pkgs/main", "conda-forge", "pkgs/r"), "pkgs/main, pkgs/r"),
        (("https://repo.anaconda.com/pkgs/main",), "https://repo.anaconda.com/pkgs/main"),
    ],
)
def test_channels_with_terms_stop_before_anything_is_downloaded(channels: tuple[str, ...], concerned: str) -> None:
    spec = replace(SPEC, channels=channels)
    (found,) = task(spec=spec).objections(facts())
    assert found.code == "CONDA-TERMS"
    assert f"the channels {concerned} have" in found.message
    assert found.fix is not None
    assert "accept_tos: true" in found.fix
    assert "conda-forge" in found.fix
    assert codes(facts(), task(spec=spec, accept_tos=True)) == []


MIRROR = Mirror(
    "china",
    channels=(
        ("defaults", "https://mirror.example/pkgs/main"),
        ("defaults", "https://mirror.example/pkgs/r"),
        ("conda-forge", "https://mirror.example/cloud/conda-forge"),
    ),
    pip="https://mirror.example/simple",
)
MIRRORED = Host("box", "192.0.2.1", mirror=MIRROR)


def test_a_mirror_of_defaults_has_no_terms_and_the_digest_does_not_know_it() -> None:
    spec = replace(SPEC, channels=("defaults", "conda-forge", "bioconda"))
    one = task(spec=spec, host=MIRRORED)
    assert codes(facts(), one) == []
    first = next(iter(one.plan(facts())))
    assert program(first).arguments[4].splitlines() == [
        "https://mirror.example/pkgs/main",
        "https://mirror.example/pkgs/r",
        "https://mirror.example/cloud/conda-forge",
        "bioconda",
    ]
    assert program(first).arguments[12] == "https://mirror.example/simple -"
    assert steps(facts(), one) == steps(facts(), task(spec=spec))


def test_accepting_the_terms_reaches_the_build_as_the_users_word() -> None:
    assert program(next(iter(task().plan(facts())))).arguments[11] == ""
    assert program(next(iter(task(accept_tos=True).plan(facts())))).arguments[11] == "yes"


def test_terms_and_disk_are_not_asked_for_what_is_already_built() -> None:
    spec = replace(SPEC, channels=("defaults",))
    wanted = digest(spec, "linux-64", None, cuda=False)
    seen = have(built(f"2-{wanted[:8]}", wanted, spec), current=None, disks=(disk(STATE, free=0),))
    assert codes(seen, task(spec=spec)) == []


TORCH = replace(SPEC, dependencies=("python=3.11", "pytorch"))


@pytest.mark.parametrize(
    ("spec", "free_gib", "gpu", "expected"),
    [(SPEC, 1, False, []), (TORCH, 5, False, []), (TORCH, 5, True, ["DISK-SMALL"]), (TORCH, 1, False, ["DISK-SMALL"])],
    ids=["small", "torch for a CPU", "torch for a GPU", "torch on a full disk"],
)
def test_the_room_is_judged_by_what_this_build_needs(
    spec: EnvironmentSpec, free_gib: int, gpu: bool, expected: list[str]
) -> None:
    seen = facts(disks=(disk(STATE, free=free_gib << 30),), gpu=a10() if gpu else GpuFacts())
    assert codes(seen, task(spec=spec)) == expected


FULL = (disk(STATE, free=0, free_inodes=100),)
KILLED = generation(f"1-{WANTED[:8]}", WANTED, marker=None)

LEFT: dict[str, tuple[Facts, Severity]] = {
    "nothing": (facts(disks=FULL), Severity.ERROR),
    "a killed first build": (have(KILLED, current=None, disks=FULL), Severity.WARNING),
    "a killed build beside the one in use": (have(OLD, MARKERLESS, current=WAS, disks=FULL), Severity.WARNING),
    "a rejected build": (have(OLD, REJECTED, current=WAS, disks=FULL), Severity.WARNING),
    "a rejected build that is still in use": (have(REJECTED, disks=FULL), Severity.ERROR),
    "builds that are kept": (have(OLD, DRIFTED, current=WAS, disks=FULL), Severity.ERROR),
    "a killed build of another environment": (
        facts(environments=(environment(KILLED, name="other"),), disks=FULL),
        Severity.ERROR,
    ),
}


@pytest.mark.parametrize("situation", LEFT)
def test_a_full_disk_forbids_no_build_that_first_removes_what_a_kill_or_a_rejection_left(situation: str) -> None:
    seen, severity = LEFT[situation]
    found = list(task().objections(seen))
    assert [(one.code, one.severity) for one in found] == [("DISK-SMALL", severity), ("INODES-FEW", severity)]
    assert all(("frees some" in one.message) == (severity is Severity.WARNING) for one in found)


def test_what_is_left_of_a_kill_makes_a_disk_neither_writable_nor_executable() -> None:
    unfit = (disk(STATE, writable=False, noexec=True),)
    found = list(task().objections(have(KILLED, current=None, disks=unfit)))
    assert [(one.code, one.severity) for one in found] == [
        ("NOT-WRITABLE", Severity.ERROR),
        ("NOEXEC", Severity.ERROR),
    ]


def test_noexec_of_the_state_folder_is_told_before_the_build() -> None:
    assert codes(facts(disks=(disk(STATE, noexec=True, mount="/tmp"),))) == ["NOEXEC"]


def test_a_changed_file_is_shown_as_a_difference() -> None:
    first = next(iter(task().plan(have(OLD, current=WAS))))
    assert first.reason == f"environment.yml changed: {BEFORE[:8]} -> {WANTED[:8]}"
    assert first.details == ("- python=3.10", "+ python=3.11", "+ pip: requests==2.32")


def test_a_changed_channel_is_shown_as_one() -> None:
    spec = replace(SPEC, channels=("nvidia", "conda-forge"))
    first = next(iter(task(spec=spec).plan(have(built()))))
    assert first.details == ("+ channel nvidia",)


def test_a_first_build_lists_what_comes() -> None:
    first = next(iter(task().plan(facts())))
    assert first.reason == "there is no such environment yet"
    assert first.details == ("+ python=3.11", "+ numpy", "+ pip: requests==2.32")


def test_drift_says_that_somebody_changed_packages_by_hand() -> None:
    first = next(iter(task().plan(have(DRIFTED))))
    assert "by hand" in first.reason
    assert first.details == ()


def test_a_marker_of_another_shape_breaks_no_plan() -> None:
    strange = replace(OLD, marker={"digest": 7, "spec": None, "packages": ["x"]})
    assert steps(have(strange, current=WAS)) == build(2)


def test_the_marker_carries_all_that_a_later_plan_reads() -> None:
    spec = replace(SPEC, variables=(("B", "2"), ("A", "secret")))
    arguments = program(next(iter(task(spec=spec).plan(facts())))).arguments
    marker = json.loads(arguments[9] + "}")
    assert marker == {
        "format": 1,
        "digest": digest(spec, "linux-64", None, cuda=False),
        "variant": None,
        "cuda": "none",
        "spec": {
            "channels": ["conda-forge"],
            "dependencies": ["python=3.11", "numpy"],
            "pip": ["requests==2.32"],
            "variables": ["A", "B"],
        },
    }
    assert json.loads(arguments[8]) == {"env_vars": {"B": "2", "A": "secret"}}


def test_the_build_gets_its_arguments_in_the_order_that_its_script_reads() -> None:
    first = next(iter(task().plan(facts())))
    assert program(first).arguments[:8] == (
        STATE,
        f"{PREFIX}/bin/conda",
        BASE,
        f"1-{WANTED[:8]}",
        "conda-forge",
        "python=3.11\nnumpy",
        "requests==2.32\n",
        "",
    )


def test_what_is_not_in_use_yet_is_rejected_where_it_fails_and_what_is_in_use_never() -> None:
    fresh = {step.name: step.action for step in task().plan(have(built(), current=None))}
    for name in (READ, IMPORT):
        action = fresh[name]
        assert isinstance(action, Run)
        assert action.on_fail is not None
        assert action.on_fail.script == "reject_generation.sh"
        assert action.on_fail.arguments[0] == f"{BASE}/{NOW}"
    (repeated,) = task().plan(have(built()))
    assert isinstance(repeated.action, Run)
    assert repeated.action.on_fail is None
    for step in task().checks(have(built())):
        assert isinstance(step.action, Run)
        assert (step.action.on_fail, step.action.on_pass) == (None, None)


def test_a_passed_check_is_recorded_with_all_that_it_holds_for() -> None:
    seen = have(built())
    (step,) = task().plan(seen)
    assert isinstance(step.action, Run)
    assert step.action.on_pass is not None
    _, machine, name, text = step.action.on_pass.arguments
    assert machine == seen.system.machine_id
    written = json.loads(text)
    parts = {"driver": None, "kernel": "6.8.0-49-generic", "glibc": "2.35", "os": "Ubuntu 22.04.5 LTS"}
    assert written.pop("machine") == {"clock": seen.system.clock, **parts}
    assert (name, written) == proof(seen, built())
    assert steps(replace(seen, records=((name, json.loads(text)),))) == []


@pytest.mark.parametrize("machine", [None, "m"])
def test_records_go_to_the_machines_own_folder(machine: str | None) -> None:
    (step,) = task().plan(replace(have(built()), system=system(machine_id=machine)))
    assert isinstance(step.action, Run)
    assert step.action.on_pass is not None
    assert step.action.on_pass.arguments[1] == (machine or "none")


def test_verify_reads_back_and_imports_what_is_in_use() -> None:
    assert [step.name for step in task().checks(proven(have(built())))] == [READ, IMPORT]
    assert [step.name for step in task().checks(have(OLD, current=WAS))] == [
        f"read back mymodel {WAS}",
        f"import what mymodel {WAS} is for",
    ]
    assert list(task().checks(facts())) == []
    assert list(task().checks(have(MARKERLESS))) == []


def test_the_link_is_named_by_the_file_and_the_folder_by_the_environment() -> None:
    one = EnvironmentTask(
        "mymodel",
        "eval",
        (Variant(None, replace(SPEC, name="evaluation")),),
        "/opt/conda",
        Host("b", "192.0.2.1"),
        False,
    )
    assert one.asks() == ("conda=/opt/conda", "path=/opt/conda/envs/evaluation")
    seen = facts(environments=(environment(built(), current=None, name="eval"),))
    switch = list(one.plan(seen))[-1]
    assert program(switch).arguments == (
        f"{STATE}/envs/mymodel/eval",
        NOW,
        f"{HOME}/.conda/envs/evaluation",
    )


def test_notes_of_the_file_are_findings() -> None:
    spec = replace(SPEC, notes=("'prefix' is ignored",))
    (found,) = task(spec=spec).judge(facts())
    assert (found.code, found.severity, found.message) == ("ENV-NOTE", Severity.INFO, "'prefix' is ignored")


def test_the_nonce_of_a_check_belongs_to_its_generation() -> None:
    (step,) = task().plan(have(built()))
    expected = hashlib.sha256(f"{BASE}/{NOW}".encode()).hexdigest()[:32]
    assert program(step).arguments[3] == expected
