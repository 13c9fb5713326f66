from __future__ import annotations

from itertools import permutations

import pytest

from provision.events import Failure, HostEvent, HostFinished, HostStarted
from provision.model.plan import Outcome
from provision.report.exit_code import CODES, exit_code
from provision.report.fold import Report, fold
from tests.unit.report.streams import converged, failed, interrupted, pending, skipped, timed

OUTCOME_OF = {130: Outcome.INTERRUPTED, 1: Outcome.CRASHED, 3: Outcome.UNREACHABLE, 4: Outcome.FAILED, 5: Outcome.UNFIT}
OUTCOME_OF |= {6: Outcome.BUSY, 7: Outcome.PENDING, 0: Outcome.CHANGED}
RANKED = (130, 1, 3, 4, 5, 6, 7, 0)


def report(*codes: int) -> Report:
    made = Report("up", [str(one) for one in codes])
    for one in codes:
        failure = None if one in {0, 7, 5} else Failure("kind", "message", one)
        made.take(HostEvent(str(one), 1.0, HostFinished(OUTCOME_OF[one], failure)))
    return made


@pytest.mark.parametrize(("first", "second"), list(permutations(RANKED, 2)))
def test_of_two_hosts_the_graver_code_is_given(first: int, second: int) -> None:
    graver = min((first, second), key=RANKED.index)
    assert exit_code(report(first, second), pending_is_7=True) == graver


@pytest.mark.parametrize("code", RANKED)
def test_one_host_gives_its_own_code(code: int) -> None:
    assert exit_code(report(code), pending_is_7=True) == code


def test_pending_counts_only_where_asked() -> None:
    run = fold("plan", ["a"], timed({"a": pending("a")}))
    assert exit_code(run, pending_is_7=False) == 0
    assert exit_code(run, pending_is_7=True) == 7


def test_every_outcome_has_a_code() -> None:
    assert set(CODES) == set(Outcome)


def test_a_host_that_never_finished_is_a_bug() -> None:
    run = fold("up", ["a", "b"], [HostEvent("a", 1.0, HostStarted("a")), *timed({"b": converged("b")})])
    assert exit_code(run) == 1


def test_the_hosts_that_fail_fast_stopped_do_not_hide_the_failure() -> None:
    run = fold("up", ["a", "b", "c"], timed({"a": failed("a"), "b": skipped(), "c": interrupted("c")}))
    assert exit_code(run, fail_fast=True) == 4
    assert exit_code(run) == 130
    run.asked_to_stop = True
    assert exit_code(run, fail_fast=True) == 130


def test_a_code_outside_the_table_is_not_lost() -> None:
    run = Report("up", ["a"])
    run.take(HostEvent("a", 1.0, HostFinished(Outcome.FAILED, Failure("file", "m", 2))))
    assert exit_code(run) == 2


def test_no_host_is_no_failure() -> None:
    assert exit_code(Report("up", [])) == 0
