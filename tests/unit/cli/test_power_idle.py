"""When a machine counts as idle, and what is work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.cli.power_idle import Idle, idle_seconds, work_of
from provision.errors import UsageError
from provision.model.facts import GpuFacts, GpuProcess, StepLock
from tests.facts_builder import facts

if TYPE_CHECKING:
    from tests.unit.cli.typed import Desk


def test_only_time_without_any_work_counts_and_it_begins_anew_after_work() -> None:
    now = [0.0]
    idle = Idle(100, clock=lambda: now[0])

    def seen(at: float, work: str | None) -> bool:
        now[0] = at
        return idle.ripe("a", work)

    assert not seen(0, None)
    assert not seen(99, None)
    assert not seen(99.5, "job x")
    assert not seen(120, None)
    assert not seen(219, None)
    assert seen(220, None)
    assert not idle.ripe("b", None), "each host has a time of its own"


def test_jobs_steps_and_processes_on_gpus_are_work() -> None:
    process = GpuProcess("GPU-1", 71, "python", 900)
    assert work_of(facts()) is None
    assert work_of(facts(jobs=("abcdef",))) == "job abcdef"
    assert work_of(facts(step_lock=StepLock(held=True, step="s"))) == "a step of provision"
    assert work_of(facts(gpu=GpuFacts(processes=(process, process)))) == "2 processes on the GPUs"


@pytest.mark.parametrize("text", ["30", "5s", "soon", ""])
def test_a_time_that_is_none_or_too_short_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        idle_seconds(text)
    assert idle_seconds("never") == 0
    assert idle_seconds("30m") == 1800


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("on", "a", "--when-idle", "30m"), "--when-idle belongs to `power off`"),
        (("off", "a", "--on-host"), "--on-host says who waits"),
        (("off", "a", "--when-idle", "never"), "--when-idle never disarms what --on-host armed"),
        (("off", "a", "--when-idle", "30m"), "a is no machine of a cloud"),
    ],
)
def test_words_that_do_not_go_together_are_told(desk: Desk, words: tuple[str, ...], says: str) -> None:
    (desk.project / "hosts.yaml").write_text("version: 1\nhosts: {a: {address: 192.0.2.1}}\n")
    answer = desk.type("power", *words)
    assert answer.code == 2, answer
    assert says in answer.err
