"""What a run's report says in rows, and what changed since the ledger saw the host last."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.events import Connected, HostFinished, HostStarted, Judged, Planned, Probed
from provision.ledger import reading
from provision.ledger.happened import CAME, FACT, GENERATION, RUN, WENT, story
from provision.ledger.rows import Run
from provision.ledger.store import Ledger, open_ledger
from provision.ledger.told import LONGEST, Told, task_of
from provision.model.plan import Finding, Outcome, Plan, Severity
from provision.report.fold import Report, fold
from tests.facts_builder import a10, environment, facts, generation
from tests.ledger.samples import NOW
from tests.unit.report.streams import BUILD, INSTALL, changed, converged, failed, hostile, interrupted, timed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provision.events import Event
    from provision.model.facts import Facts

OLD = Finding("GPU-DRIVER-OLD", Severity.WARNING, "driver 470 is older than CUDA 12.4 needs", "install 550")
XID = Finding("GPU-XID", Severity.ERROR, "GPU 0: Xid 79", "sudo reboot")
DRIFTED = Finding("ENV-DRIFT", Severity.WARNING, "mymodel 1-aaaaaaaa: numpy is another", "provision up")
A_NOTE = Finding("ENV-NOTE", Severity.INFO, "conda picks the CPU build")
FIRST, SECOND = "1-aaaaaaaa", "2-bbbbbbbb"


@pytest.fixture
def ledger(environ: dict[str, str]) -> Iterator[Ledger]:
    opened = open_ledger(environ, writing=True)
    yield opened
    opened.close()


class Machine:
    """Runs commands on a host that is `seen` so, and lets the ledger know."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.runs = 0

    def run(
        self,
        command: str,
        seen: Facts | None,
        *findings: Finding,
        outcome: Outcome = Outcome.CONVERGED,
        argv: tuple[str, ...] = (),
    ) -> str:
        events: list[Event] = [HostStarted("root@gpu-box:22"), Connected(0.1)]
        if seen is not None:
            events += [Probed(seen, 0.1), Judged(findings)]
        events += [HostFinished(outcome)]
        return self.write(command, events, argv)

    def write(self, command: str, events: Sequence[Event], argv: tuple[str, ...] = (), hide: str = "") -> str:
        self.runs += 1
        name = f"20960101T00000{self.runs}Z-000000"
        at = NOW + 100 * self.runs
        told = timed({"gpu-box": list(events)})
        told = [replace(one, at=at + number) for number, one in enumerate(told)]
        report = fold(command, ["gpu-box"], told)
        rows = Told(
            name,
            report,
            looked_for_drift="--drift" in argv,
            hide=lambda text: text.replace(hide, "***") if hide else text,
        )
        run = Run(name, command, argv, None, at, at + 50, 0, "0.1.0", "dev", None)
        assert self.ledger.write([run, *rows.rows()], rows.compared), self.ledger.problem
        return name


def built(*names: str, current: str) -> Facts:
    there = [replace(generation(one, one[2:]), packages=f"p{one}") for one in names]
    return facts(environments=(environment(*there, current=current),), gpu=a10())


def test_a_run_that_changed_a_host_leaves_its_steps_and_its_verdict(ledger: Ledger) -> None:
    run = Machine(ledger).write("up", changed("gpu-box"))
    (host,) = reading.hosts_of(ledger, run)
    assert (host.host, host.outcome, host.changed, host.error) == ("gpu-box", "changed", True, None)
    assert (host.verdict or "").startswith("fit: ")
    steps = reading.steps_of(ledger, run)
    assert [one.number for one in steps] == list(range(1, len(steps) + 1))
    assert {one.outcome for one in steps} == {"done"}
    assert all(one.seconds is not None and one.started >= NOW for one in steps)
    assert (INSTALL.name, BUILD.name) == (steps[0].title, steps[1].title)
    assert steps[0].reason == INSTALL.reason


def test_a_step_that_failed_and_the_reason_are_told(ledger: Ledger) -> None:
    run = Machine(ledger).write("up", failed("gpu-box"))
    (host,) = reading.hosts_of(ledger, run)
    assert (host.outcome, host.verdict) == ("failed", None)
    assert host.error
    assert reading.steps_of(ledger, run)[-1].outcome == "failed"


def test_a_run_that_was_interrupted_says_which_step_did_not_end(ledger: Ledger) -> None:
    run = Machine(ledger).write("up", interrupted("gpu-box")[:-2])
    assert reading.hosts_of(ledger, run)[0].outcome == "unknown"
    assert reading.hosts_of(ledger, run)[0].ended is None


def test_a_plan_tells_what_would_be_done_and_changes_nothing(ledger: Ledger) -> None:
    events: list[Event] = [HostStarted("t"), Probed(facts(), 0.1), Planned(Plan((INSTALL, BUILD)))]
    run = Machine(ledger).write("plan", [*events, HostFinished(Outcome.PENDING)])
    assert [(one.title, one.outcome, one.seconds) for one in reading.steps_of(ledger, run)] == [
        (INSTALL.name, "pending", None),
        (BUILD.name, "pending", None),
    ]
    assert not reading.hosts_of(ledger, run)[0].changed
    assert reading.states(ledger)[0].facts["verdict"] is None


def test_a_host_that_no_run_reached_keeps_the_state_it_had(ledger: Ledger) -> None:
    machine = Machine(ledger)
    machine.run("verify", built(FIRST, current=FIRST))
    before = reading.states(ledger)
    machine.run("verify", None, outcome=Outcome.UNREACHABLE)
    assert reading.states(ledger) == before


def test_the_state_of_a_host_is_its_facts_in_a_few_words(ledger: Ledger) -> None:
    run = Machine(ledger).run("verify", built(FIRST, current=FIRST))
    (state,) = reading.states(ledger)
    told = dict(state.facts)
    assert state.run == run
    assert told["target"] == "root@gpu-box:22"
    assert told["gpus"] == "1x NVIDIA A10 (22.5 GiB)"
    assert (told["driver"], told["cuda"]) == ("550.127.05", "12.4")
    assert (told["environment"], told["generation"]) == ("mymodel", FIRST)
    assert str(told["verdict"]).startswith("fit: 1x NVIDIA A10")
    assert told["verified_at"] == state.at
    assert told["drift"] is None


def test_the_first_sight_of_a_host_is_no_change_and_the_next_one_names_what_is_another(ledger: Ledger) -> None:
    machine = Machine(ledger)
    machine.run("up", built(FIRST, current=FIRST))
    assert reading.changes(ledger) == []
    newer = replace(built(FIRST, current=FIRST), gpu=a10(driver="570.1", cuda="12.8"))
    machine.run("up", newer)
    machine.run("up", newer)
    assert [(one.name, one.before, one.after) for one in reading.changes(ledger)] == [
        ("driver", "550.127.05", "570.1"),
        ("cuda", "12.4", "12.8"),
    ]


def test_a_host_that_becomes_unfit_is_told_once(ledger: Ledger) -> None:
    machine = Machine(ledger)
    seen = built(FIRST, current=FIRST)
    machine.run("verify", seen)
    machine.run("verify", seen, XID, outcome=Outcome.UNFIT)
    machine.run("verify", seen, XID, outcome=Outcome.UNFIT)
    machine.run("verify", seen)
    verdicts = [(one.before, one.after) for one in reading.changes(ledger) if one.name == "verdict"]
    assert verdicts == [("fit", "unfit"), ("unfit", "fit")]


def test_generations_are_built_become_current_go_back_and_go(ledger: Ledger) -> None:
    machine = Machine(ledger)
    machine.run("up", built(FIRST, current=FIRST))
    machine.run("up", built(FIRST, SECOND, current=SECOND))
    machine.run("up", built(FIRST, SECOND, current=FIRST))
    machine.run("up", built(FIRST, current=FIRST))
    machine.run("up", built(FIRST, SECOND, current=SECOND))
    seen = [(one.generation, one.event) for one in reading.generations(ledger)]
    assert seen == [
        (FIRST, "built"),
        (FIRST, "current"),
        (SECOND, "built"),
        (SECOND, "current"),
        (FIRST, "rolled-back"),
        (SECOND, "removed"),
        (SECOND, "built"),
        (SECOND, "current"),
    ]
    assert {one.environment for one in reading.generations(ledger)} == {"mymodel/mymodel"}


@pytest.mark.parametrize("built_at", [NOW - 5000, NOW - 400 * 86400, NOW * 2, "then", None, float("nan")])
def test_when_a_generation_was_built_is_believed_where_it_can_be(built_at: object, ledger: Ledger) -> None:
    one = replace(generation(FIRST, "d"), marker={"format": 1, "digest": "d", "packages": "p", "built": built_at})
    Machine(ledger).run("up", facts(environments=(environment(one, current=FIRST),), gpu=a10()))
    seen = next(each.at for each in reading.generations(ledger) if each.event == "built")
    assert seen == NOW - 5000 if built_at == NOW - 5000 else NOW < seen < NOW + 1000


def test_drift_stands_in_the_state_until_a_run_mends_it(ledger: Ledger) -> None:
    machine = Machine(ledger)
    seen = built(FIRST, current=FIRST)

    def drift() -> object:
        return reading.states(ledger)[0].facts["drift"]

    machine.run("verify", seen, argv=("--drift",))
    assert drift() == []
    machine.run("verify", seen, DRIFTED, OLD, argv=("--drift",), outcome=Outcome.PENDING)
    assert drift() == ["ENV-DRIFT"]
    machine.run("verify", seen, OLD)
    machine.run("plan", seen)
    machine.run("up", None, outcome=Outcome.UNREACHABLE)
    machine.run("up", seen, outcome=Outcome.FAILED)
    assert drift() == ["ENV-DRIFT"]
    machine.run("up", seen)
    assert drift() == []


def test_findings_come_and_go_and_only_who_looks_for_one_ends_it(ledger: Ledger) -> None:
    machine = Machine(ledger)
    seen = built(FIRST, current=FIRST)
    machine.run("verify", seen, DRIFTED, OLD, A_NOTE, argv=("--drift",))
    machine.run("verify", seen, OLD)
    machine.run("plan", seen)
    machine.run("verify", seen, outcome=Outcome.INTERRUPTED)
    machine.run("verify", None, outcome=Outcome.UNREACHABLE)
    assert {one.last.code for one in story(ledger, "gpu-box").open} == {"ENV-DRIFT", "GPU-DRIVER-OLD"}
    machine.run("verify", seen, DRIFTED, argv=("--drift",), outcome=Outcome.PENDING)
    (still,) = story(ledger, "gpu-box").open
    assert (still.last.code, still.first.at < still.last.at) == ("ENV-DRIFT", True)
    machine.run("up", seen, outcome=Outcome.CHANGED)
    told = story(ledger, "gpu-box")
    assert told.open == ()
    came_and_went = [(one.kind, one.name) for one in told.happened if one.kind in {CAME, WENT}]
    assert came_and_went == [
        (CAME, "ENV-DRIFT"),
        (CAME, "GPU-DRIVER-OLD"),
        (WENT, "GPU-DRIVER-OLD"),
        (WENT, "ENV-DRIFT"),
    ]


def test_a_story_has_runs_that_changed_something_or_went_wrong_and_no_other(ledger: Ledger) -> None:
    machine = Machine(ledger)
    seen = built(FIRST, current=FIRST)
    machine.run("up", seen)
    machine.run("up", None, outcome=Outcome.UNREACHABLE)
    machine.run("up", replace(seen, gpu=a10(driver="570.1")), outcome=Outcome.CHANGED)
    told = story(ledger, "gpu-box")
    assert [(one.kind, one.name) for one in told.happened] == [
        (GENERATION, "mymodel/mymodel"),
        (GENERATION, "mymodel/mymodel"),
        (RUN, "unreachable"),
        (RUN, "changed"),
        (FACT, "driver"),
    ]
    assert sorted(told.happened, key=lambda one: one.at) == list(told.happened)


def test_those_who_only_ask_a_host_something_judge_nothing(ledger: Ledger) -> None:
    run = Machine(ledger).run("env list", built(FIRST, current=FIRST))
    assert reading.hosts_of(ledger, run)[0].verdict is None
    assert reading.states(ledger)[0].facts["verified_at"] is None


def test_no_secret_and_no_endless_text_is_kept(ledger: Ledger) -> None:
    long = Finding("GPU-XID", Severity.ERROR, f"hunter2-{'x' * 100_000}", "hunter2")
    machine = Machine(ledger)
    events: list[Event] = [HostStarted("hunter2@box"), Probed(facts(), 0.1), Judged((long,))]
    run = machine.write("verify", [*events, HostFinished(Outcome.UNFIT)], hide="hunter2")
    (finding,) = reading.findings_of(ledger, run)
    assert len(finding.title) == LONGEST
    everything = repr((finding, reading.hosts_of(ledger, run), reading.states(ledger)))
    assert "hunter2" not in everything
    assert "***@box" in everything


def test_what_a_malicious_host_says_is_kept_as_text(ledger: Ledger) -> None:
    run = Machine(ledger).write("up", hostile("gpu-box"))
    assert ledger.problem is None
    assert len(reading.hosts_of(ledger, run)) == 1


def test_several_hosts_of_a_run_are_apart(ledger: Ledger) -> None:
    report = fold("up", ["a", "b", "c"], timed({"a": converged("a"), "b": failed("b")}))
    told = Told("r", report, looked_for_drift=False, hide=str)
    # What is old is removed by the first one that writes: these are of a time that is long ago.
    ledger.write([])
    ledger.write(list(told.rows(5)), told.compared)
    assert {one.host: one.outcome for one in reading.host_runs(ledger)} == {"a": "converged", "b": "failed"}
    assert {one.host for one in reading.steps_of(ledger, "r")} == {"b"}
    assert min(one.number for one in reading.steps_of(ledger, "r")) == 5


def test_a_sync_that_sent_something_changed_the_host() -> None:
    report = Report("sync", ["a"])
    for one in timed({"a": [HostStarted("t"), HostFinished(Outcome.CHANGED)]}):
        report.take(one)
    (host,) = Told("r", report, looked_for_drift=False, hide=str).rows()
    assert getattr(host, "changed", None) is True


@pytest.mark.parametrize(
    ("title", "task"),
    [
        ("build mymodel 1-3f2a91bc", "build mymodel"),
        ("make 12-3f2a91bc the current mymodel", "make the current mymodel"),
        ("install Miniconda 24.11.1 at /opt/conda", "install Miniconda at /opt/conda"),
        ("compute with mymodel 1-3f2a91bc on all 8 GPUs", "compute with mymodel on all GPUs"),
        ("42", "42"),
    ],
)
def test_the_same_step_of_two_runs_is_the_same_task(title: str, task: str) -> None:
    assert task_of(title) == task
