"""The tasks `gpu`, `packages`, `files` and `command`: named situations, and what is to be done and said of each."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from provision.model.facts import GpuFacts
from provision.model.host import Expect
from provision.model.plan import Detached, Run, Severity, Step
from provision.playbook.options import CommandOptions, PackagesOptions
from provision.playbook.tasks.command import CommandTask
from provision.playbook.tasks.files import FilesTask, WantedFile
from provision.playbook.tasks.gpu import GpuTask
from provision.playbook.tasks.packages import PackagesTask
from tests.facts_builder import HOME, STATE, TOOLS, a10, facts, system

if TYPE_CHECKING:
    from provision.model.facts import Facts
    from provision.model.plan import Program


def program(step: Step) -> Program:
    assert isinstance(step.action, (Run, Detached))
    return step.action.program


# -- gpu ---------------------------------------------------------------------------------------------

ORDERED = Expect(gpus=1, model="A10", memory_gib=22, driver=">=550")
GPU_SITUATIONS: dict[str, tuple[Facts, Expect, list[str], list[str]]] = {
    "what was ordered": (facts(gpu=a10()), ORDERED, [], []),
    "nothing is asked, nothing is there": (facts(), Expect(gpus=0), [], []),
    "one card of two": (facts(gpu=a10()), Expect(gpus=2), ["GPU-COUNT"], ["GPU-COUNT"]),
    "another model": (facts(gpu=a10()), Expect(model="A100"), ["GPU-MODEL"], ["GPU-MODEL"]),
    "too little memory": (facts(gpu=a10()), Expect(memory_gib=40), ["GPU-MEMORY"], ["GPU-MEMORY"]),
    "an old driver": (facts(gpu=a10()), Expect(driver=">=560"), ["GPU-DRIVER-OLD"], ["GPU-DRIVER-OLD"]),
    "a card where none was ordered": (facts(gpu=a10()), Expect(gpus=0), ["GPU-COUNT"], ["GPU-COUNT"]),
    "booted without its card": (facts(), ORDERED, [], ["GPU-UNPROVEN"]),
}


@pytest.mark.parametrize("situation", GPU_SITUATIONS)
def test_a_build_is_objected_to_only_where_the_machine_is_not_the_one_that_was_ordered(situation: str) -> None:
    seen, expect, objections, judgement = GPU_SITUATIONS[situation]
    task = GpuTask(expect)
    assert [one.code for one in task.objections(seen)] == objections
    assert [one.code for one in task.judge(seen) if one.severity is Severity.ERROR] == judgement
    assert [*task.plan(seen), *task.checks(seen), *task.asks()] == []


def test_a_hung_driver_stops_a_build() -> None:
    hung = facts(gpu=GpuFacts(nvidia_smi=124, driver_loaded="550.127.05", pci_devices=("10de:2236",)))
    assert [one.code for one in GpuTask(ORDERED).objections(hung)] == ["GPU-HUNG"]


# -- packages ----------------------------------------------------------------------------------------

APT = frozenset({"apt-get"})
DNF = frozenset({"dnf", "yum"})
YUM = frozenset({"yum"})
WANTED = PackagesOptions(names=("git", "tmux"), apt=("libgl1",), dnf=("mesa-libGL",))
PACKAGE_SITUATIONS: dict[str, tuple[Facts, list[str], list[str]]] = {
    "nothing is there": (facts(), ["install git, tmux, libgl1"], []),
    "one is there": (facts(packages=(("git", "2.39"),)), ["install tmux, libgl1"], []),
    "all are there": (facts(packages=(("git", "2"), ("tmux", "3"), ("libgl1", "1"))), [], []),
    "one was removed and left its settings": (
        facts(packages=(("git", "2"), ("tmux", None), ("libgl1", "1"))),
        ["install tmux"],
        [],
    ),
    "dnf": (facts(system=system(tools=DNF)), ["install git, tmux, mesa-libGL"], []),
    "yum takes dnf's": (facts(system=system(tools=YUM)), ["install git, tmux, mesa-libGL"], []),
    "no manager": (facts(system=system(tools=frozenset())), [], ["PACKAGES-NO-MANAGER"]),
    "sudo with a password": (facts(system=system(sudo="password")), ["install git, tmux, libgl1"], ["SUDO-NEEDED"]),
    "no sudo": (facts(system=system(sudo="none")), ["install git, tmux, libgl1"], ["SUDO-NEEDED"]),
    "no sudo and nothing to do": (
        facts(system=system(sudo="none"), packages=(("git", "2"), ("tmux", "3"), ("libgl1", "1"))),
        [],
        [],
    ),
}


@pytest.mark.parametrize("situation", PACKAGE_SITUATIONS)
def test_missing_packages_are_installed_by_the_hosts_own_manager(situation: str) -> None:
    seen, steps, objections = PACKAGE_SITUATIONS[situation]
    task = PackagesTask(WANTED)
    assert [step.name for step in task.plan(seen)] == steps
    assert [one.code for one in task.objections(seen)] == objections
    # What a step cures is in the plan, and not a fault of the host.
    assert [one.code for one in task.judge(seen)] == [one for one in objections if one == "PACKAGES-NO-MANAGER"]
    assert list(task.checks(seen)) == []


def test_every_name_of_every_manager_is_asked_once() -> None:
    options = PackagesOptions(names=("git",), apt=("git", "libgl1"), dnf=("mesa",), yum=("mesa", "old"))
    assert tuple(PackagesTask(options).asks()) == (
        "sudo=1",
        "package=git",
        "package=libgl1",
        "package=mesa",
        "package=old",
    )


def test_yums_own_names_stand_above_dnfs() -> None:
    (step,) = PackagesTask(PackagesOptions(dnf=("new",), yum=("old",))).plan(facts(system=system(tools=YUM)))
    assert program(step).arguments == ("yum", "sudo", "", "old")


def test_root_needs_no_sudo() -> None:
    (step,) = PackagesTask(WANTED).plan(facts(system=system(sudo="root", tools=TOOLS)))
    assert program(step).arguments == ("apt-get", "", "", "git", "tmux", "libgl1")


def test_the_line_to_type_is_given_where_sudo_wants_a_password() -> None:
    (found,) = PackagesTask(WANTED).objections(facts(system=system(sudo="password")))
    assert found.fix == "type it there: sudo apt-get install git tmux libgl1"


def test_who_holds_the_package_manager_stands_in_the_reason() -> None:
    (step,) = PackagesTask(WANTED).plan(facts(system=system(locked="apt-get (pid 71)")))
    assert step.reason == "not installed; apt-get (pid 71), which is waited for"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            "Reading...\nE: Unable to locate package tmuxx\n",
            "there is no such package: E: Unable to locate package tmuxx",
        ),
        ("Error: No match for argument: tmuxx\nbye\n", "there is no such package: Error: No match for argument: tmuxx"),
        ("E: Could not get lock /var/lib/dpkg/lock\n", "the package manager was busy for more than ten minutes"),
        ("E: something else\n", None),
    ],
)
def test_a_failure_of_the_package_manager_is_explained(output: str, told: str | None) -> None:
    (step,) = PackagesTask(WANTED).plan(facts())
    assert isinstance(step.action, Detached)
    assert step.action.explain is not None
    found = step.action.explain(output)
    assert (found[0] if found else None) == told


# -- files -------------------------------------------------------------------------------------------

FILE = WantedFile("~/.config/mine.toml", "0644", b"key = 1\n")
SHA = hashlib.sha256(FILE.content).hexdigest()
OTHER = "0" * 64
FILE_SITUATIONS: dict[str, tuple[str | None, str | None]] = {
    "not asked": (None, "it is not there"),
    "absent": ("absent", "it is not there"),
    "as wanted": (f"file:644:{SHA}", None),
    "as wanted, four digits": (f"file:0644:{SHA}", None),
    "another mode": (f"file:600:{SHA}", "its mode differs"),
    "another content": (f"file:644:{OTHER}", "its content differs"),
    "both": (f"file:755:{OTHER}", "its content differs"),
}


@pytest.mark.parametrize("situation", FILE_SITUATIONS)
def test_a_file_is_written_where_it_is_not_as_wanted(situation: str) -> None:
    answer, reason = FILE_SITUATIONS[situation]
    seen = facts(paths=((FILE.path, answer),) if answer else ())
    steps = list(FilesTask((FILE,)).plan(seen))
    assert [step.reason for step in steps] == ([reason] if reason else [])
    assert list(FilesTask((FILE,)).judge(seen)) == []
    for step in steps:
        assert program(step).arguments == (f"{HOME}/.config/mine.toml", "0644")
        assert program(step).data == FILE.content


def test_a_folder_is_never_replaced_by_a_file_and_the_host_is_not_converged() -> None:
    seen = facts(paths=((FILE.path, "directory"),))
    assert list(FilesTask((FILE,)).plan(seen)) == []
    assert [one.code for one in FilesTask((FILE,)).objections(seen)] == ["FILE-IS-FOLDER"]
    assert all(one.severity is Severity.ERROR for one in FilesTask((FILE,)).judge(seen))
    assert len(list(FilesTask((FILE,)).judge(seen))) == 1


def test_a_mode_of_zeros_equals_the_systems_zero() -> None:
    shut = WantedFile("/srv/shut", "0000", b"")
    seen = facts(paths=((shut.path, f"file:0:{hashlib.sha256(b'').hexdigest()}"),))
    assert list(FilesTask((shut,)).plan(seen)) == []


def test_each_file_is_a_step_of_its_own_in_the_playbooks_order() -> None:
    files = FilesTask((FILE, WantedFile("/etc/motd", "0600", b"")))
    assert files.asks() == ("path=~/.config/mine.toml", "path=/etc/motd")
    assert [step.name for step in files.plan(facts())] == ["write ~/.config/mine.toml", "write /etc/motd"]


# -- command -----------------------------------------------------------------------------------------

RUN = "make -C data\nsync"


def question(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


RECORD = f"command-{hashlib.sha256(json.dumps([RUN, None], separators=(',', ':')).encode()).hexdigest()[:16]}"
COMMAND_SITUATIONS: dict[str, tuple[CommandOptions, Facts, int]] = {
    "never run": (CommandOptions(RUN), facts(), 2),
    "its record is there": (CommandOptions(RUN), facts(records=((RECORD, {"format": 1}),)), 0),
    "another text has another record": (CommandOptions("make"), facts(records=((RECORD, {"format": 1}),)), 2),
    "another folder has another record": (
        CommandOptions(RUN, cwd="/srv"),
        facts(records=((RECORD, {"format": 1}),)),
        2,
    ),
    "creates what is absent": (CommandOptions(RUN, creates="/srv/x"), facts(paths=(("/srv/x", "absent"),)), 1),
    "creates what is there": (CommandOptions(RUN, creates="/srv/x"), facts(paths=(("/srv/x", "directory"),)), 0),
    "creates what was not answered": (CommandOptions(RUN, creates="/srv/x"), facts(), 1),
    "a record does not stand for what it creates": (
        CommandOptions(RUN, creates="/srv/x"),
        facts(records=((RECORD, {"format": 1}),)),
        1,
    ),
    "unless says yes": (CommandOptions(RUN, unless="test -e x"), facts(unless=((question("test -e x"), 0),)), 0),
    "unless says no": (CommandOptions(RUN, unless="test -e x"), facts(unless=((question("test -e x"), 1),)), 1),
    "unless gave no answer": (CommandOptions(RUN, unless="test -e x"), facts(), 1),
    "either is enough": (
        CommandOptions(RUN, unless="false", creates="/srv/x"),
        facts(unless=((question("false"), 1),), paths=(("/srv/x", "file:644:00"),)),
        0,
    ),
}


@pytest.mark.parametrize("situation", COMMAND_SITUATIONS)
def test_a_command_runs_unless_it_is_done(situation: str) -> None:
    options, seen, count = COMMAND_SITUATIONS[situation]
    task = CommandTask(options)
    assert len(list(task.plan(seen))) == count
    assert [*task.objections(seen), *task.judge(seen), *task.checks(seen)] == []


def test_a_command_without_a_question_is_recorded_after_it_ran() -> None:
    run, record = CommandTask(CommandOptions(RUN)).plan(facts())
    assert isinstance(run.action, Detached)
    assert program(run).arguments == (HOME, RUN)
    assert run.details == ("$ make -C data", "$ sync")
    assert (run.changed, record.changed) == (True, False)
    assert program(record).arguments[:3] == (STATE, "0123456789abcdef", RECORD)


def test_a_command_is_named_by_its_name_or_by_its_first_line() -> None:
    (named, _) = CommandTask(CommandOptions(RUN, name="fetch data")).plan(facts())
    (plain, _) = CommandTask(CommandOptions("x" * 200)).plan(facts())
    assert (named.name, plain.name) == ("run fetch data", f"run {'x' * 60}")


def test_the_reason_is_the_question_that_was_asked() -> None:
    reasons = {
        "it was never run here": CommandOptions(RUN),
        "~/x is not there": CommandOptions(RUN, creates="~/x"),
        "`false` does not exit with 0": CommandOptions(RUN, unless="false"),
    }
    for reason, options in reasons.items():
        assert next(iter(CommandTask(options).plan(facts()))).reason == reason


def test_the_question_reaches_the_probe_with_an_id_that_no_question_can_forge() -> None:
    options = CommandOptions(RUN, unless="test -e 'a b'\ntrue", creates="~/x")
    assert list(CommandTask(options).asks()) == [
        "path=~/x",
        f"unless={question(options.unless or '')} test -e 'a b'\ntrue",
    ]
    assert (
        program(next(iter(CommandTask(CommandOptions(RUN, cwd="~/data/")).plan(facts())))).arguments[0]
        == f"{HOME}/data"
    )
