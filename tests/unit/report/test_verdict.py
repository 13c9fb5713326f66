"""The last lines of a run: one verdict, nothing twice, and what leads on is about this run's environment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provision.errors import KnownCause
from provision.events import Failure, HostFinished, Judged, Planned, Probed, StepFinished, StepStarted
from provision.model.facts import EnvironmentFacts, GpuFacts
from provision.model.plan import Finding, Outcome, Plan, Severity, Step
from provision.report.asked import Asked
from provision.report.causes import TeamCause
from provision.report.document import document
from provision.report.fold import fold
from provision.report.pages import why
from tests.facts_builder import STATE, a10, conda, facts, generation, link
from tests.unit.report.streams import CHECK, INSTALL, NOTHING_LEFT, UNPROVEN, begun, judged, shown, timed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.events import Event
    from provision.model.facts import Facts

OTHER = Finding("GPU-UNPROVEN", Severity.ERROR, "another reason", "sudo reboot   (if it stays: another machine)")


def one(name: str, project: str = "mymodel") -> Asked:
    return Asked(project, name, f"link-of-{name}", "/opt/conda")


def crowded() -> Facts:
    """A host with environments of two projects, each of which computed."""
    names = (("a-project", "zeta"), ("mymodel", "first"), ("mymodel", "second"))
    built = generation("1-aa", "d")
    gpu = a10()
    passed = {"boot": "boot-1", "driver": gpu.driver_loaded, "gpus": ["GPU-0000"], "generation": "1-aa"}
    return facts(
        gpu=gpu,
        condas=(conda(),),
        environments=tuple(EnvironmentFacts(project, name, "1-aa", (built,)) for project, name in names),
        conda_links=tuple(link(f"{STATE}/envs/{project}/{name}/current", f"link-of-{name}") for project, name in names),
        records=tuple(
            (f"compute-{project}-{name}", {"depends": {**passed, "packages": "p"}, "summary": f"{name} computes"})
            for project, name in names
        ),
    )


def ended(found: Facts) -> list[Event]:
    return [Probed(found, 0.1), Planned(Plan()), Judged(()), HostFinished(Outcome.CONVERGED)]


def said(*asked: Asked, found: Facts | None = None) -> str:
    return shown("up", {"box": ended(found or crowded())}, asked={"box": asked})


def test_the_verdict_and_the_next_command_are_about_the_environment_of_this_run() -> None:
    text = said(one("second"))
    assert "second computes, environment second 1-aa, and 2 other environments\n" in text
    assert "first" not in text
    assert "there: . /opt/conda/etc/profile.d/conda.sh && conda activate link-of-second\n" in text


def test_an_environment_that_is_not_there_is_not_activated() -> None:
    assert "conda activate" not in said(one("third"))
    assert "conda activate" not in said()
    assert "and 3 other environments\n" in said()


def test_the_first_environment_of_the_playbook_is_the_one_to_activate() -> None:
    assert "conda activate link-of-second" in said(one("second"), one("first"))


@pytest.mark.parametrize(
    "changes",
    [{"boot": "boot-0"}, {"driver": "1"}, {"gpus": ["GPU-1"]}, {"generation": "0-aa"}, {"packages": "q"}],
    ids=str,
)
def test_a_computation_that_holds_no_longer_is_not_told(changes: dict[str, Any]) -> None:
    found = crowded()
    records = tuple((name, {**record, "depends": {**record["depends"], **changes}}) for name, record in found.records)
    text = said(one("second"), found=replace(found, records=records))
    assert "environment second 1-aa" in text
    assert "computes" not in text


def test_a_host_without_a_gpu_is_called_fit_too() -> None:
    text = said(one("second"), found=replace(crowded(), gpu=GpuFacts()))
    assert "  fit: no GPU, environment second 1-aa, and 2 other environments\n" in text


def refused(name: str) -> list[Event]:
    failure = Failure("unfit", f"nothing was changed: {NOTHING_LEFT.message}", 5, NOTHING_LEFT.fix)
    plan = Plan((INSTALL,), (NOTHING_LEFT,))
    return [*begun(name), Planned(plan), Judged(plan.findings), HostFinished(Outcome.UNFIT, failure, (INSTALL.name,))]


def computed_wrong(name: str) -> list[Event]:
    found = Finding("FRAMEWORK-WRONG-RESULT", Severity.ERROR, "GPU 1 computes wrong")
    failure = Failure("unfit", f"{CHECK.name}: {found.message} (and 1 more)", 5)
    return [
        *begun(name),
        Planned(Plan((CHECK,))),
        StepStarted(CHECK, 1, 1),
        StepFinished(CHECK, 1.0, ok=False),
        Judged((found, UNPROVEN)),
        HostFinished(Outcome.UNFIT, failure),
    ]


@pytest.mark.parametrize(
    ("events", "line"),
    [
        (refused("box"), "unfit: 2 GiB free, 9 GiB needed (nothing was changed)"),
        (computed_wrong("box"), "unfit: GPU 1 computes wrong (and 1 other error)"),
        (judged("box", Outcome.UNFIT, UNPROVEN), "unfit: no GPU is there, one is expected"),
        (
            [*begun("box"), HostFinished(Outcome.UNFIT, Failure("unfit", "box: others can write there", 5))],
            "unfit: others can write there",
        ),
    ],
    ids=["refused", "computed wrong", "judged", "state folder"],
)
def test_the_verdict_has_one_shape_whatever_stopped_the_host(events: Sequence[Event], line: str) -> None:
    text = shown("up", {"box": events})
    assert f"\n     {line}\n" in text
    assert text.count("2 GiB free") <= 1
    assert document(fold("up", ["box"], timed({"box": events})))["hosts"]["box"]["verdict"] == line


def test_a_host_that_was_not_judged_has_no_verdict() -> None:
    gone = [HostFinished(Outcome.UNREACHABLE, Failure("network", "no answer", 3))]
    assert document(fold("up", ["box"], timed({"box": gone})))["hosts"]["box"]["verdict"] is None


def test_what_the_verdict_says_is_not_said_again_below() -> None:
    text = shown("up", {"box": judged("box", Outcome.UNFIT, UNPROVEN, NOTHING_LEFT)})
    assert text.count(UNPROVEN.message) == 1
    assert "\nerror GPU-UNPROVEN\n" in text
    assert f"\nerror DISK-FULL: {NOTHING_LEFT.message}\n" in text


def test_a_finding_that_another_host_has_not_in_its_verdict_is_said_in_full() -> None:
    runs = {
        "a": judged("a", Outcome.UNFIT, UNPROVEN),
        "b": judged("b", Outcome.UNFIT, NOTHING_LEFT, UNPROVEN),
    }
    assert f"error GPU-UNPROVEN on a, b: {UNPROVEN.message}" in shown("up", runs)


@pytest.mark.parametrize("command", ["up", "plan"])
def test_why_a_code_matters_is_told_once(command: str) -> None:
    runs = {"a": judged("a", Outcome.UNFIT, UNPROVEN), "b": judged("b", Outcome.UNFIT, OTHER)}
    reason = why("GPU-UNPROVEN")
    assert reason
    assert shown(command, runs).count(reason) == 1


def test_a_command_stands_alone_and_its_remark_below() -> None:
    text = shown("up", {"box": judged("box", Outcome.UNFIT, OTHER)})
    assert "  -> sudo reboot\n     (if it stays: another machine)\n" in text


def test_the_codes_that_have_pages_are_told_how_to_read() -> None:
    codes = ("GPU-XID", "GPU-COUNT", "GPU-ECC", "GPU-BUSY")
    several = [Finding(code, Severity.WARNING, "x") for code in codes]
    line = "more: provision verify --explain"
    assert f"{line} GPU-UNPROVEN\n" in shown("up", {"box": judged("box", Outcome.UNFIT, UNPROVEN)})
    many = shown("plan", {"box": judged("box", Outcome.UNFIT, *several, UNPROVEN)})
    assert f"{line} CODE, for one of GPU-UNPROVEN, GPU-XID, GPU-COUNT ...\n" in many
    note = Finding("ENV-NOTE", Severity.INFO, "x")
    assert line not in shown("up", {"box": judged("box", Outcome.CONVERGED, note)}, verbose=True)


def only_a_check(name: str) -> list[Event]:
    check: list[Event] = [StepStarted(CHECK, 1, 1), StepFinished(CHECK, 1.0, ok=True)]
    return [*begun(name), Planned(Plan((CHECK,))), *check, Judged(()), HostFinished(Outcome.CONVERGED)]


def test_a_run_that_only_checked_does_not_say_that_there_was_nothing_to_do() -> None:
    text = shown("up", {"box": only_a_check("box")})
    assert "converged    1 check in " in text
    assert "nothing to do" not in text


def test_a_plan_does_not_say_check_twice() -> None:
    adopt = Step("check Miniconda 24.11.1 at /opt/conda", "it was found", CHECK.action, changed=False)
    events = [*begun("box"), Planned(Plan((adopt,))), HostFinished(Outcome.PENDING)]
    assert "  ? check: Miniconda 24.11.1 at /opt/conda  (it was found)\n" in shown("plan", {"box": events})


def test_steps_are_numbered_alike_at_their_begin_and_end_and_their_total_never_shrinks() -> None:
    steps: list[Event] = []
    for number, total in ((1, 6), (2, 6), (1, 2), (2, 2), (1, 3)):
        steps += [StepStarted(CHECK, number, total), StepFinished(CHECK, 1.0, ok=True)]
    text = shown("up", {"box": [*begun("box"), *steps, HostFinished(Outcome.CONVERGED)]})
    numbers = [line.split("]")[0] for line in text.splitlines() if line.startswith("[")]
    assert numbers[::2] == numbers[1::2]
    assert numbers[::2] == ["[1/6", "[2/6", "[3/6", "[4/6", "[5/7"]


SHIPPED = KnownCause("disk-full", "a disk is full", ("$ df -h", "empty the caches"))
TEAM = TeamCause("nas-gone", "the shared disk is not mounted", ("$ sudo mount /nas",))
ECHO = KnownCause("echo", "it hangs", ("mount the disk",))


def failing(*known: KnownCause, hint: str | None = "mount the disk first") -> str:
    failure = Failure("step", "build: it hangs", 4, hint, known=known)
    return shown("up", {"box": [*begun("box"), HostFinished(Outcome.FAILED, failure)]})


def test_known_causes_are_shown_beside_a_hint_the_teams_own_first() -> None:
    lines = [line.strip() for line in failing(SHIPPED, TEAM, replace(SHIPPED, id="third")).splitlines()]
    at = lines.index("-> mount the disk first")
    assert lines[at + 1 : at + 6] == [
        "known pitfall nas-gone (your team's): the shared disk is not mounted",
        "-> sudo mount /nas",
        "known pitfall disk-full: a disk is full",
        "-> df -h",
        "-> empty the caches",
    ]
    assert "third" not in failing(SHIPPED, TEAM, replace(SHIPPED, id="third"))


def test_a_known_cause_that_only_repeats_what_was_said_is_left_out() -> None:
    assert "known pitfall" not in failing(ECHO)
    # Its cure is new where the step had none.
    assert "known pitfall" in failing(replace(ECHO, cause="the disk has gone"), hint=None)
