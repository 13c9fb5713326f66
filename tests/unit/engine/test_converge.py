"""One host from its facts to its playbook: orderings that are hard to hit with real hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.engine.stop import Stop
from provision.events import Connected, Judged, LinkLost, Note, Planned, Probed, StepFinished, StepStarted, Waiting
from provision.model.plan import Outcome, Severity
from provision.playbook.options import MinicondaOptions
from tests.unit.engine.model_host import STATE, DetachedStep, ModelHost, Prefix
from tests.unit.engine.situations import HOLDER, SPEC, Run, environment_task, playbook

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.model.plan import Program

CHANGING = {
    "detach.sh",
    "receive.sh",
    "switch_environment.sh",
    "write_record.sh",
    "write_file.sh",
    "reject_generation.sh",
}


def converged() -> ModelHost:
    host = ModelHost()
    assert Run(host).go().outcome is Outcome.CHANGED
    host.ran.clear()
    return host


def cut_at(number: int, where: str) -> Callable[[int, Program], str | None]:
    return lambda at, _program: where if at == number else None


def names(run: Run, kind: type[StepStarted | StepFinished] = StepStarted) -> list[str]:
    return [one.step.name for one in run.events if isinstance(one, kind)]


def judged(run: Run) -> list[str]:
    last = run.of(Judged)[-1]
    assert isinstance(last, Judged)
    return [one.code for one in last.findings]


def test_a_bare_host_is_changed_and_then_converged_with_one_probe_alone() -> None:
    host = ModelHost()
    first = Run(host).go()
    assert (first.error, first.outcome, first.left) == (None, Outcome.CHANGED, ())
    assert host.holder is None
    host.ran.clear()
    again = Run(host).go()
    assert again.outcome is Outcome.CONVERGED
    assert host.ran == ["probe.sh"]
    assert [type(one) for one in again.events if type(one).__name__ != "CommandRan"] == [
        Connected,
        Probed,
        Planned,
        Judged,
    ]


def test_an_installer_without_a_known_checksum_is_pinned_and_installed_in_one_run() -> None:
    run = Run(tasks=playbook(MinicondaOptions(installer="https://files.example/New.sh"))).go()
    assert run.outcome is Outcome.CHANGED
    assert names(run)[1].startswith("pin and download")


def test_plan_touches_nothing_and_says_what_is_pending() -> None:
    run = Run(mode="plan").go()
    assert run.outcome is Outcome.PENDING
    assert run.host.ran == ["probe.sh"]
    assert run.host.holder is None


def test_an_objection_stops_before_anything_is_changed_and_names_what_is_left() -> None:
    run = Run(ModelHost(free=50 << 20)).go()
    assert run.error is not None
    assert (run.error.kind, run.error.exit_code) == ("unfit", 5)
    assert run.host.ran == ["probe.sh"]
    assert run.left[0] == "install git"
    assert "DISK-SMALL" in judged(run)


def test_a_stop_between_steps_finishes_the_present_one_and_names_the_rest() -> None:
    run = Run()

    def stop_in_the_second(program: Program) -> None:
        if program.script == "detach.sh" and len(run.of(StepStarted)) == 2:
            run.stop.ask()

    run.link.seen = stop_in_the_second
    run.go()
    assert run.error is not None
    assert run.error.exit_code == 130
    assert len(run.of(StepStarted)) == 2
    assert all(isinstance(one, StepFinished) and one.ok for one in run.of(StepFinished))
    assert run.left[0].startswith("install Miniconda")
    assert run.host.holder is None
    again = Run(run.host).go()
    assert again.outcome is Outcome.CHANGED


def test_a_second_stop_ends_the_step_on_the_host_too() -> None:
    run = Run()

    def stop_twice(program: Program) -> None:
        if program.script == "follow.sh":
            run.stop.ask()
            run.stop.ask()

    run.link.seen = stop_twice
    run.go()
    assert run.error is not None
    assert run.error.kind == "interrupted"
    assert run.host.ran[-1] == "stop_step.sh"
    (ended,) = run.of(StepFinished)
    assert isinstance(ended, StepFinished)
    assert not ended.ok


def test_a_second_stop_while_the_link_is_gone_says_that_the_step_may_still_run() -> None:
    run = Run()
    run.link.cuts = iter((20,))
    run.link.back = False

    def stop_twice(_number: int, program: Program) -> str | None:
        if program.script == "follow.sh":
            run.stop.ask()
            run.stop.ask()
        return "before" if program.script == "stop_step.sh" else None

    run.link.cut = stop_twice
    run.go()
    assert run.error is not None
    assert run.error.kind == "interrupted"
    assert "could not be ended" in run.error.message


def test_a_stop_before_the_first_change_leaves_the_host_untouched() -> None:
    stop = Stop()
    stop.ask()
    run = Run(stop=stop).go()
    assert run.error is not None
    assert run.error.exit_code == 130
    assert not CHANGING & set(run.host.ran)


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_link_lost_once_at_any_command_is_survived(where: str) -> None:
    commands = Run()
    commands.go()
    for number in range(1, commands.link.commands + 1):
        run = Run()
        run.link.cut = cut_at(number, where)
        run.go()
        assert run.error is None, (number, run.error)
        assert run.outcome is Outcome.CHANGED
        assert len(run.of(LinkLost)) == 1
        run.host.ran.clear()
        assert Run(run.host).go().outcome is Outcome.CONVERGED
        assert run.host.ran == ["probe.sh"]


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_link_lost_for_good_at_any_command_leaves_a_host_that_the_next_run_finishes(where: str) -> None:
    commands = Run()
    commands.go()
    for number in range(1, commands.link.commands + 1):
        run = Run()
        run.link.back = False
        run.link.cut = cut_at(number, where)
        run.go()
        assert run.error is not None
        assert run.error.exit_code == 3
        assert "did not come back" in run.error.message
        run.host.holder = None  # the lease has ended itself
        again = Run(run.host).go()
        assert (again.error, again.outcome in {Outcome.CHANGED, Outcome.CONVERGED}) == (None, True)


def test_a_detached_step_is_started_once_although_the_link_broke_right_after_it_began() -> None:
    run = Run()
    cut: list[int] = []

    def after_detach(_number: int, program: Program) -> str | None:
        if program.script == "detach.sh" and not cut:
            cut.append(1)
            return "after"
        return None

    run.link.cut = after_detach
    run.go()
    assert run.outcome is Outcome.CHANGED
    assert run.host.ran.count("install_packages.sh") == 1


def test_a_lost_lease_is_regained_although_the_host_still_counts_the_old_connection() -> None:
    run = Run(ModelHost(lingers=3))
    run.link.cut = lambda at, _program: "before" if at == 4 else None
    run.go()
    assert run.outcome is Outcome.CHANGED
    assert any("still counts the lost connection" in one.reason for one in run.of(Waiting) if isinstance(one, Waiting))


def test_a_host_taken_by_another_while_we_were_cut_off_is_given_up() -> None:
    run = Run()

    def taken(at: int, _program: Program) -> str | None:
        if at == 4:
            run.host.holder = "eve@desk (up, run 2)"
            return "before"
        return None

    run.link.cut = taken
    run.go()
    assert run.error is not None
    assert (run.error.kind, run.error.exit_code) == ("busy", 6)
    assert "eve@desk" in run.error.message
    assert run.host.holder == "eve@desk (up, run 2)"


def test_an_own_lease_that_never_ends_is_given_up_after_its_silence() -> None:
    run = Run(ModelHost(lingers=10_000))
    run.link.cut = lambda at, _program: "before" if at == 4 else None
    run.go()
    assert run.error is not None
    assert run.error.kind == "busy"


@pytest.mark.parametrize(("between", "first"), [("eve@desk (up, run 2)", Probed), (HOLDER, StepFinished)])
def test_after_a_regained_lease_the_host_is_looked_at_anew_where_another_may_have_held_it(
    between: str, first: type
) -> None:
    run = Run()

    def cut(at: int, _program: Program) -> str | None:
        if at == 4:
            run.host.last_holder = between
            return "after"
        return None

    run.link.cut = cut
    run.go()
    assert run.outcome is Outcome.CHANGED
    lost = next(index for index, one in enumerate(run.events) if isinstance(one, LinkLost))
    finished = next(index for index, one in enumerate(run.events) if index > lost and isinstance(one, StepFinished))
    following = run.events[finished:]
    again = next(type(one) for one in following[1:] if isinstance(one, (Probed, StepFinished)))
    assert again is first


def test_a_busy_host_is_named_and_left_alone() -> None:
    run = Run(ModelHost(holder="eve@desk (up, run 2)")).go()
    assert run.error is not None
    assert (run.error.message, run.error.exit_code) == ("held by eve@desk (up, run 2)", 6)
    assert not CHANGING & set(run.host.ran)


def test_waiting_for_a_busy_host_goes_on_once_it_is_free_and_says_it_once() -> None:
    run = Run(ModelHost(holder="eve@desk (up, run 2)"), wait=True)
    asked: list[int] = []
    hold = run.link.hold

    def free_at_the_third(program: Program) -> object:
        asked.append(1)
        if len(asked) == 3:
            run.host.holder = None
        return hold(program)

    run.link.hold = free_at_the_third  # type: ignore[assignment, method-assign]
    run.go()
    assert run.outcome is Outcome.CHANGED
    assert len(run.of(Waiting)) == 1


def test_waiting_ends_when_the_user_stops() -> None:
    run = Run(ModelHost(holder="eve@desk (up, run 2)"), wait=True)
    hold = run.link.hold

    def stopped(program: Program) -> object:
        run.stop.ask()
        return hold(program)

    run.link.hold = stopped  # type: ignore[assignment, method-assign]
    run.go()
    assert run.error is not None
    assert run.error.exit_code == 130


def test_a_host_that_nobody_can_hold_says_why() -> None:
    run = Run()
    run.link.hold = lambda program: (None, f"nobody: the host has no flock for {program.script}")  # type: ignore[method-assign]
    run.go()
    assert run.error is not None
    assert run.error.kind == "step"
    assert "the host has no flock" in run.error.message


def test_what_was_done_without_an_error_and_is_not_there_ends_the_run() -> None:
    run = Run(ModelHost(lies={"install_packages.sh"})).go()
    assert run.error is not None
    assert run.error.message == "install git: it was done without an error, and its result is not there"
    assert run.host.ran.count("detach.sh") <= 4


def test_a_build_that_does_nothing_is_no_endless_circle() -> None:
    run = Run(ModelHost(lies={"build_environment.sh"})).go()
    assert run.error is not None
    assert "its result is not there" in run.error.message
    assert "build mymodel" in run.error.message


def test_a_failed_step_names_the_host_side_cause_and_what_is_left() -> None:
    host = ModelHost(breaks={"build_environment.sh": (10, "CondaHTTPError: HTTP 000\n")})
    run = Run(host).go()
    assert run.error is not None
    assert run.error.exit_code == 4
    assert "a server could not be reached from the host" in run.error.message
    assert run.left[0].startswith("build mymodel 1-")
    last = run.of(StepFinished)[-1]
    assert isinstance(last, StepFinished)
    assert not last.ok


def test_a_build_that_does_not_import_is_rejected_and_the_former_stays_current() -> None:
    host = converged()
    before = host.environments["mymodel/mymodel"].current
    host.broken_modules.add("scipy")
    tasks = (*playbook()[:2], environment_task(replace(SPEC, dependencies=(*SPEC.dependencies, "scipy"))))
    run = Run(host, tasks).go()
    assert run.error is not None
    assert "scipy does not import" in run.error.message
    have = host.environments["mymodel/mymodel"]
    assert have.current == before
    (rejected,) = [one for one in have.generations.values() if one.rejected]
    assert rejected.rejected == "it does not import"
    host.broken_modules.clear()
    again = Run(host, tasks).go()
    assert again.outcome is Outcome.CHANGED
    assert have.current == max(have.generations)


def test_a_changed_file_builds_beside_and_keeps_the_former_generation() -> None:
    host = converged()
    before = host.environments["mymodel/mymodel"].current
    tasks = (*playbook()[:2], environment_task(replace(SPEC, dependencies=("python=3.11", "numpy=2.0"))))
    assert Run(host, tasks).go().outcome is Outcome.CHANGED
    have = host.environments["mymodel/mymodel"]
    assert have.current is not None
    assert have.current.startswith("2-")
    assert before in have.generations


def test_a_reboot_repeats_the_check_alone_and_changes_nothing() -> None:
    host = converged()
    host.boot = "boot-2"
    run = Run(host).go()
    assert run.outcome is Outcome.CONVERGED
    assert [name.split()[0] for name in names(run)] == ["import"]


def test_a_step_of_an_earlier_run_is_followed_to_its_end_before_anything_is_planned() -> None:
    host = ModelHost(steps={"old": DetachedStep(b"still building\n", 0)}, newest="old", running="old")
    run = Run(host).go()
    assert run.outcome is Outcome.CHANGED
    assert [type(one) for one in run.of(Waiting)] == [Waiting]
    assert host.ran.index("follow.sh") < host.ran.index("detach.sh")


def test_a_converged_plan_under_a_running_step_is_not_believed() -> None:
    host = converged()
    host.steps["old"], host.newest, host.running = DetachedStep(b"", 0), "old", "old"
    assert Run(host).go().outcome is Outcome.CONVERGED
    assert "follow.sh" in host.ran


def test_processes_that_a_step_left_behind_are_named_after_a_while() -> None:
    host = ModelHost(steps={"old": DetachedStep(b"", 0, looks=10_000)}, newest="old", running="old")
    run = Run(host).go()
    assert run.error is not None
    assert run.error.exit_code == 6
    assert run.error.hint is not None
    assert f"{STATE}/step.lock" in run.error.hint


def test_a_lock_without_a_known_step_is_waited_for() -> None:
    host = ModelHost(running="unknown")
    run = Run(host)
    probes: list[int] = []

    def free_after_three(program: Program) -> None:
        probes.append(program.script == "probe.sh")
        if sum(probes) == 4:
            host.running = None

    run.link.seen = free_after_three
    assert run.go().outcome is Outcome.CHANGED


def test_verify_repeats_every_check_and_changes_nothing() -> None:
    host = converged()
    run = Run(host, mode="verify").go()
    assert run.outcome is Outcome.CONVERGED
    assert not CHANGING & set(host.ran)
    assert [name.split()[0] for name in names(run)] == ["check", "read", "import"]


def test_verify_goes_on_after_a_failed_check_and_says_all() -> None:
    host = converged()
    host.broken_modules.add("_lzma")
    host.breaks["check_conda.sh"] = (1, "Traceback")
    run = Run(host, mode="verify").go()
    assert run.outcome is Outcome.UNFIT
    assert {"CONDA-BROKEN", "ENV-STDLIB-MISSING"} <= set(judged(run))


def test_verify_of_a_bare_host_says_that_it_is_not_converged() -> None:
    run = Run(mode="verify").go()
    assert run.outcome is Outcome.UNFIT
    assert "NOT-CONVERGED" in judged(run)


def test_findings_come_the_worst_first_and_each_once() -> None:
    host = ModelHost(prefixes={"/opt/conda": Prefix({"python", "conda", "package"}, "26.7.1", True)}, free=1 << 20)
    run = Run(host, mode="plan").go()
    last = run.of(Judged)[-1]
    assert isinstance(last, Judged)
    ranks = [list(Severity).index(one.severity) for one in last.findings]
    assert ranks == sorted(ranks)
    assert len(set(last.findings)) == len(last.findings)


def test_notes_of_the_link_are_told_before_the_facts() -> None:
    run = Run()
    run.link.notes.append("the key of 192.0.2.1 was recorded")
    run.go()
    kinds = [type(one) for one in run.events]
    assert kinds.index(Note) < kinds.index(Probed)


def test_the_link_is_closed_and_the_lease_free_however_it_ends() -> None:
    for host in (ModelHost(), ModelHost(breaks={"install_packages.sh": (1, "no")}), ModelHost(free=0)):
        run = Run(host).go()
        assert run.link.closed
        assert host.holder is None


def test_steps_are_paired_and_numbered_in_every_round() -> None:
    run = Run().go()
    open_step = None
    for event in run.events:
        if isinstance(event, StepStarted):
            assert open_step is None
            assert 1 <= event.number <= event.total
            open_step = event.step
        elif isinstance(event, StepFinished):
            assert event.step is open_step
            open_step = None
    assert open_step is None


def test_the_lease_names_its_holder_while_steps_run() -> None:
    run = Run()
    seen: set[str | None] = set()
    run.link.seen = lambda program: seen.add(run.host.holder) if program.script in CHANGING else None
    run.go()
    assert seen == {HOLDER}
