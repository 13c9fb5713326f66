"""The task `miniconda`: named situations of a host, and what is to be done and said of each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from provision.miniconda.table import newest
from provision.model.facts import CondaInstallation
from provision.model.host import Host, Mirror
from provision.model.plan import Detached, Fetch, Later, Run, Severity
from provision.playbook.options import MinicondaOptions
from provision.playbook.tasks.miniconda import MinicondaTask
from tests.facts_builder import PREFIX, RECORD, STATE, TOOLS, conda, conda_record, disk, facts, system

if TYPE_CHECKING:
    from provision.model.facts import Facts
    from provision.model.plan import Step

NEWEST = newest("x86_64")
MIRROR = Mirror("china", installer="https://mirror.example/miniconda/")
NOT_PINNED = "py310_23.1.0-9"
OTHER_SHA = "cd" * 32


@dataclass
class KeptPins:
    """Pins in memory."""

    kept: dict[str, str] = field(default_factory=dict)

    def find(self, file_name: str) -> str | None:
        return self.kept.get(file_name)

    def remember(self, file_name: str, sha256: str) -> None:
        self.kept[file_name] = sha256


def task(options: MinicondaOptions | None = None, mirror: Mirror | None = None, **pins: str) -> MinicondaTask:
    return MinicondaTask(options or MinicondaOptions(), Host("box", "192.0.2.1", mirror=mirror), KeptPins(dict(pins)))


def names(one: MinicondaTask, seen: Facts) -> list[str]:
    return [step.name for step in one.plan(seen)]


def objections(seen: Facts, one: MinicondaTask | None = None) -> list[str]:
    return [found.code for found in (one or task()).objections(seen)]


FETCH = f"download {NEWEST.file_name}"
INSTALL = f"install Miniconda {NEWEST.version} at {PREFIX}"
REPAIR = f"repair Miniconda {NEWEST.version} at {PREFIX}"
CHECK = f"check Miniconda 26.7.1 at {PREFIX}"
HALF = conda(runs=False, version=None)
EMPTY = conda(runs=False, version=None, empty=True, conda_shaped=False, distribution=None)
FOREIGN = conda(runs=False, version=None, conda_shaped=False, distribution=None)
OLD = conda(version="4.12.0")

SITUATIONS: dict[str, tuple[Facts, list[str], list[str]]] = {
    "absent": (facts(), [FETCH, INSTALL], []),
    "an empty folder": (facts(condas=(EMPTY,)), [FETCH, INSTALL], []),
    "half installed": (facts(condas=(HALF,)), [FETCH, REPAIR], []),
    "an installation of ours was not finished": (
        facts(condas=(conda(installing=True),), records=(conda_record(),)),
        [FETCH, REPAIR],
        [],
    ),
    "our installation had only begun": (facts(condas=(replace(EMPTY, installing=True),)), [FETCH, INSTALL], []),
    "our installation broke before its first conda file": (
        facts(condas=(replace(FOREIGN, installing=True),)),
        [FETCH, REPAIR],
        [],
    ),
    "healthy and recorded": (facts(condas=(conda(),), records=(conda_record(),)), [], []),
    "healthy and never run by us": (facts(condas=(conda(),)), [CHECK], []),
    "updated since it was recorded": (facts(condas=(conda(),), records=(conda_record("25.1.0"),)), [CHECK], []),
    "recorded at another prefix": (
        facts(condas=(conda(),), records=(conda_record(prefix="/opt/conda"),)),
        [CHECK],
        [],
    ),
    "too old": (facts(condas=(OLD,)), [f"check Miniconda 4.12.0 at {PREFIX}"], ["CONDA-OLD"]),
    "a folder of something else": (facts(condas=(FOREIGN,)), [], ["CONDA-PREFIX-FOREIGN"]),
    "another conda elsewhere": (facts(condas=(conda(prefix="/opt/conda"),)), [FETCH, INSTALL], []),
    "32 bit": (facts(system=system(architecture="i686")), [], ["ARCHITECTURE"]),
    "32-bit ARM": (facts(system=system(architecture="armv7l")), [], ["ARCHITECTURE"]),
    "musl": (facts(system=system(libc="musl", glibc=None)), [FETCH, INSTALL], ["LIBC-MUSL"]),
    "old glibc": (facts(system=system(glibc="2.17")), [FETCH, INSTALL], ["GLIBC-OLD"]),
    "the oldest glibc that serves": (facts(system=system(glibc="2.28")), [FETCH, INSTALL], []),
    "a glibc that told no version": (facts(system=system(glibc=None)), [FETCH, INSTALL], []),
    "a small disk": (facts(disks=(disk(free=100 << 20),)), [FETCH, INSTALL], ["DISK-SMALL"]),
    "no inodes left": (facts(disks=(disk(free_inodes=900),)), [FETCH, INSTALL], ["INODES-FEW"]),
    "noexec": (facts(disks=(disk(noexec=True),)), [FETCH, INSTALL], ["NOEXEC"]),
    "a disk that we may not write": (facts(disks=(disk(writable=False),)), [FETCH, INSTALL], ["NOT-WRITABLE"]),
    "a disk that told nothing": (facts(disks=()), [FETCH, INSTALL], []),
    "tools missing": (facts(system=system(tools=TOOLS - {"flock", "tar"})), [FETCH, INSTALL], ["TOOL-MISSING"]),
    "a home that others can write": (facts(home_owned=False), [FETCH, INSTALL], ["HOME-WRITABLE"]),
    "everything wrong at once": (
        facts(system=system(glibc="2.17", tools=frozenset()), disks=(disk(free=0),), home_owned=False),
        [FETCH, INSTALL],
        ["TOOL-MISSING", "HOME-WRITABLE", "GLIBC-OLD", "DISK-SMALL"],
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_each_situation_has_its_steps_and_its_objections(situation: str) -> None:
    seen, steps, codes = SITUATIONS[situation]
    assert names(task(), seen) == steps
    assert objections(seen) == codes
    assert all(one.severity is Severity.ERROR and one.fix for one in task().objections(seen))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_plan_is_the_same_when_it_is_made_twice(situation: str) -> None:
    seen = SITUATIONS[situation][0]
    first, second = ([_told(step) for step in task().plan(seen)] for _ in range(2))
    assert first == second


def _told(step: Step) -> tuple[object, ...]:
    action = step.action
    program = action.program if isinstance(action, (Run, Detached)) else None
    return step.name, step.reason, step.changed, step.details, program


@pytest.mark.parametrize("situation", ["a folder of something else", "32 bit", "32-bit ARM"])
def test_a_host_where_nothing_can_be_done_is_judged_unfit_and_never_converged(situation: str) -> None:
    found = task().judge(SITUATIONS[situation][0])
    assert [one.code for one in found if one.severity is Severity.ERROR] == SITUATIONS[situation][2]


def test_a_version_that_names_no_installer_is_told() -> None:
    one = task(MinicondaOptions(version="25.99.1"))
    assert [*one.plan(facts()), *(found for found in one.judge(facts()) if found.severity is Severity.ERROR)]


def test_the_missing_tools_are_named_and_only_they() -> None:
    (found,) = task().objections(facts(system=system(tools=TOOLS - {"flock", "tar"})))
    assert found.message == "the host has no flock, tar"


def test_the_installer_of_the_machines_architecture_is_taken() -> None:
    arm = newest("aarch64")
    fetch, install = task().plan(facts(system=system(architecture="aarch64")))
    assert isinstance(fetch.action, Fetch)
    assert (fetch.action.name, fetch.action.sha256) == (arm.file_name, arm.sha256)
    assert arm.file_name.endswith("aarch64.sh")
    assert f"sha256 {arm.sha256}" in install.details


def test_the_step_names_the_checksum_and_the_public_source_that_it_was_read_from() -> None:
    _, install = task().plan(facts())
    assert install.details == (f"sha256 {NEWEST.sha256}", f"pinned by {NEWEST.source}")
    assert NEWEST.source


@pytest.mark.parametrize(("seen", "mode"), [(facts(), "fresh"), (facts(condas=(HALF,)), "repair")])
def test_the_installation_is_detached_and_knows_whether_it_repairs(seen: Facts, mode: str) -> None:
    _, install = task().plan(seen)
    assert isinstance(install.action, Detached)
    mark = f"{STATE}/installing/%home%ubuntu%miniconda3"
    assert install.action.program.arguments == (STATE, NEWEST.sha256, PREFIX, mark, mode)


def test_a_mirror_is_tried_first_and_the_checksum_stays_that_of_the_original() -> None:
    fetch, _ = task(mirror=MIRROR).plan(facts())
    assert isinstance(fetch.action, Fetch)
    assert fetch.action.urls == (f"https://mirror.example/miniconda/{NEWEST.file_name}", NEWEST.url)
    assert fetch.action.sha256 == NEWEST.sha256


def test_a_local_installer_is_sent_and_never_downloaded() -> None:
    one = task(MinicondaOptions(installer="~/Downloads/Mine.sh", sha256=OTHER_SHA), mirror=MIRROR)
    fetch, install = one.plan(facts())
    assert isinstance(fetch.action, Fetch)
    assert (fetch.action.local, fetch.action.urls) == ("~/Downloads/Mine.sh", ())
    assert (fetch.action.name, fetch.action.sha256) == ("Mine.sh", OTHER_SHA)
    assert install.details[0] == f"sha256 {OTHER_SHA}"


def test_a_url_of_the_playbook_wins_over_the_mirror() -> None:
    url = "https://files.example/Miniforge3-Linux-x86_64.sh"
    fetch, _ = task(MinicondaOptions(installer=url, sha256=OTHER_SHA), mirror=MIRROR).plan(facts())
    assert isinstance(fetch.action, Fetch)
    assert (fetch.action.urls, fetch.action.local) == ((url,), None)


@pytest.mark.parametrize(
    "options", [MinicondaOptions(version=NOT_PINNED), MinicondaOptions(installer="https://files.example/New.sh")]
)
def test_an_installer_without_a_checksum_is_pinned_first_and_installed_in_the_next_round(
    options: MinicondaOptions,
) -> None:
    one = task(options)
    fetch, install = one.plan(facts())
    assert fetch.name.startswith("pin and download")
    assert isinstance(fetch.action, Fetch)
    assert fetch.action.sha256 is None
    assert isinstance(install.action, Later)
    assert fetch.action.pin is not None
    fetch.action.pin(OTHER_SHA)
    again, install = one.plan(facts())
    assert isinstance(again.action, Fetch)
    assert again.action.sha256 == OTHER_SHA
    assert isinstance(install.action, Detached)
    assert OTHER_SHA in install.action.program.arguments


def test_the_users_checksum_stands_above_an_earlier_pin() -> None:
    file_name = f"Miniconda3-{NOT_PINNED}-Linux-x86_64.sh"
    one = MinicondaTask(
        MinicondaOptions(version=NOT_PINNED, sha256=OTHER_SHA),
        Host("box", "192.0.2.1"),
        KeptPins({file_name: "ef" * 32}),
    )
    fetch, _ = one.plan(facts())
    assert isinstance(fetch.action, Fetch)
    assert (fetch.action.name, fetch.action.sha256) == (file_name, OTHER_SHA)


def test_a_conda_that_runs_is_recorded_with_its_version_once_it_was_run() -> None:
    (step,) = task().plan(facts(condas=(conda(),)))
    assert not step.changed
    assert isinstance(step.action, Run)
    assert step.action.on_pass is not None
    _, _, name, text = step.action.on_pass.arguments
    assert (name, json.loads(text)) == (RECORD, conda_record()[1])
    assert step.action.judge is not None
    assert step.action.judge(b"conda 26.7.1\n") == ()
    assert [one.code for one in step.action.judge(b"Traceback\n")] == ["CONDA-BROKEN"]


def test_verify_runs_conda_again_and_records_nothing() -> None:
    (step,) = task().checks(facts(condas=(conda(),), records=(conda_record(),)))
    assert isinstance(step.action, Run)
    assert step.action.on_pass is None
    assert list(task().checks(facts())) == []


def test_a_conda_elsewhere_is_told_with_the_line_that_would_adopt_it() -> None:
    forge = conda(prefix="/opt/conda", distribution="Miniforge")
    (found,) = task().judge(facts(condas=(forge,)))
    assert (found.code, found.severity) == ("CONDA-ELSEWHERE", Severity.INFO)
    assert found.fix == "`prefix: /opt/conda` in the playbook would adopt it"
    assert list(task().judge(facts(condas=(forge, conda())))) == []


def test_a_prefix_is_expanded_from_the_probes_home() -> None:
    root = facts(system=system(home="/root", user="root"), disks=())
    assert task().asks() == ("conda=~/miniconda3",)
    assert names(task(), root)[-1].endswith(" at /root/miniconda3")
    assert names(task(MinicondaOptions(prefix="/opt/conda/")), root)[-1].endswith(" at /opt/conda")


def test_a_conda_below_the_playbooks_own_minimum_is_refused() -> None:
    seen = facts(condas=(conda(),))
    assert objections(seen, task(MinicondaOptions(minimum="26.7.1"))) == []
    assert objections(seen, task(MinicondaOptions(minimum="26.8"))) == ["CONDA-OLD"]


def test_the_prefix_of_a_conda_is_matched_whole() -> None:
    near = CondaInstallation(f"{PREFIX}-old", "26.7.1", True, False, True, False)
    assert names(task(), facts(condas=(near,))) == [FETCH, INSTALL]
