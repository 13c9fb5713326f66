"""The fleet as it is read from the ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from provision.ledger.rows import FactChanged, FindingSeen, HostState, JobSeen, LockSeen, StepRun
from provision.page.from_ledger import fingerprint, fleet_of
from tests.page.ledgers import environ, on, run, write

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["environ"]
NOW = time.time()


def finding(
    run: str, at: float, code: str = "ENV-DRIFT", subject: str | None = "main", title: str = "t"
) -> FindingSeen:
    return FindingSeen(run, "a", at, code, "warning", title, "do it", subject)


def test_without_a_ledger_there_is_an_empty_fleet_and_nothing_is_made(environ: dict[str, str], tmp_path: Path) -> None:
    fleet = fleet_of(environ, None)
    assert (fleet.hosts, fleet.runs, fleet.problem) == ((), (), None)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_ledger_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "state" / "provision" / "ledger.sqlite"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"no database, but quite long enough to be looked at" * 40)
    fleet = fleet_of(environ, None)
    assert fleet.hosts == ()
    assert fleet.problem


def test_a_host_is_what_it_was_last_known_to_be(environ: dict[str, str]) -> None:
    facts = {
        "target": "root@a",
        "gpus": "1x NVIDIA A10",
        "verified_at": NOW - 9,
        "drift": ["x", "y"],
        "kernel": "6.1",
        "driver": None,
    }
    job = JobSeen("a", "1", None, "running", None, NOW - 50, None, NOW, (0,))
    write(environ, run("r", NOW - 20), on("r", NOW - 20), HostState("a", NOW - 16, "r", facts), job)
    fleet = fleet_of(environ, "mine")
    (host,) = fleet.hosts
    assert (host.name, host.target, host.gpus, host.driver, host.drift) == ("a", "root@a", "1x NVIDIA A10", None, 2)
    assert host.verified == NOW - 9
    assert host.others == (("kernel", "6.1"),)
    assert host.word == "unknown", "nobody judged it"
    assert fleet.live_jobs("a") == 1
    (seen,) = fleet.runs
    assert seen.typed == "provision up 'gpu box'"
    assert [(one.host, one.outcome, one.seconds) for one in seen.hosts] == [("a", "converged", 4.0)]


def test_another_projects_hosts_are_shown_with_all_of_them_only(environ: dict[str, str]) -> None:
    write(
        environ,
        *(run("r", NOW - 20), on("r", NOW - 20), HostState("a", NOW, "r", {})),
        *(run("s", NOW - 20, "theirs"), on("s", NOW - 20, "b"), HostState("b", NOW, "s", {})),
        StepRun("s", "b", 1, "build", "build", NOW - 19, 3.0, "done", None),
        LockSeen("s", NOW, "/x.lock", "linux-64", None, "d", 3),
    )
    mine, every = fleet_of(environ, "mine"), fleet_of(environ, None)
    assert ([one.name for one in mine.hosts], len(mine.runs), mine.steps, mine.events) == (["a"], 1, (), ())
    assert ([one.name for one in every.hosts], len(every.runs)) == (["a", "b"], 2)
    assert len(every.steps) == 1
    assert [one.kind for one in every.events] == ["lock"]
    brief = fleet_of(environ, None, brief=True)
    assert (brief.hosts, brief.runs, brief.steps, brief.events) == (every.hosts, every.runs, (), ())


def test_a_host_that_was_not_seen_for_months_is_still_one_of_the_project(environ: dict[str, str]) -> None:
    then = NOW - 120 * 86400
    write(environ, run("r", then), on("r", then), HostState("a", then, "r", {}))
    fleet = fleet_of(environ, "mine")
    assert [one.name for one in fleet.hosts] == ["a"]
    assert fleet.runs == ()


def test_a_finding_is_open_until_a_run_judges_the_host_and_does_not_meet_it(environ: dict[str, str]) -> None:
    write(environ, run("1", NOW - 90), on("1", NOW - 90), finding("1", NOW - 88), HostState("a", NOW, "1", {}))
    write(environ, run("2", NOW - 80), on("2", NOW - 80), finding("2", NOW - 78, title="now two"))
    (one,) = fleet_of(environ, "mine").findings
    assert (one.open, one.first, one.last, one.title) == (True, NOW - 88, NOW - 78, "now two")
    write(environ, run("3", NOW - 70), on("3", NOW - 70, verdict=None))
    write(environ, run("4", NOW - 60, command="exec"), on("4", NOW - 60))
    assert fleet_of(environ, "mine").findings[0].open, "neither of these judged it"
    write(environ, run("5", NOW - 50, command="verify"), on("5", NOW - 50))
    assert not fleet_of(environ, "mine").findings[0].open


def test_several_findings_of_one_code_in_one_run_are_several(environ: dict[str, str]) -> None:
    both = [FindingSeen("1", "a", NOW - 8, "GPU-XID", "error", title, None, None) for title in ("one", "two")]
    write(environ, run("1", NOW - 9), on("1", NOW - 9), *both)
    assert sorted(one.title for one in fleet_of(environ, "mine").findings) == ["one", "two"]


def test_what_changed_is_told_and_what_is_drift_is_told_as_such(environ: dict[str, str]) -> None:
    changes = [
        FactChanged("1", "a", NOW - 8, "driver", "550", "580"),
        FactChanged("1", "a", NOW - 7, "drift", None, "ENV-DRIFT"),
    ]
    write(environ, run("1", NOW - 9), on("1", NOW - 9), *changes)
    events = fleet_of(environ, "mine").events
    assert [(one.kind, one.text) for one in events] == [
        ("drift", "drift: – → ENV-DRIFT"),
        ("fact", "driver: 550 → 580"),
    ]


def test_what_is_written_changes_the_fingerprint(environ: dict[str, str]) -> None:
    seen = [fingerprint(environ)]
    for at in range(3):
        write(environ, run(str(at), NOW))
        seen.append(fingerprint(environ))
    assert len(set(seen)) == len(seen)
    assert fingerprint(environ) == seen[-1]
