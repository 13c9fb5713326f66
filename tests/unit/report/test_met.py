"""What a run leaves behind of what it met, and what a later one says of it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from provision.errors import KnownCause
from provision.events import Event, Failure, HostFinished, Judged
from provision.model.plan import Finding, Outcome, Severity
from provision.report import met_file
from provision.report.entries import Met, Solved, as_json, entry_of, sightings
from provision.report.fold import Report, fold
from provision.report.met import hiding, new_entries, remember
from provision.report.met_file import add, open_mark, read
from provision.report.met_file import met_file as path_of
from tests.unit.report.streams import A_NOTE, BUILD, OLD_DRIVER, begun, changed, converged, timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from provision.report.entries import Entry

LZMA = KnownCause(
    "host-python-lzma",
    "This Python was compiled without liblzma.",
    ("use conda's Python", "$ provision up HOST"),
    "ModuleNotFoundError: No module named '_lzma'",
)
XID = Finding("GPU-XID", Severity.ERROR, "GPU 0 reported Xid 79", "sudo reboot")
XID_TOO = Finding("GPU-XID", Severity.ERROR, "GPU 1 reported Xid 79", "sudo reboot")


def broken(name: str, *known: KnownCause) -> list[Event]:
    failure = Failure("step", f"{BUILD.name}: exit code 1", 4, None, "Solving", known or (LZMA,))
    return [*begun(name), HostFinished(Outcome.FAILED, failure)]


def judged(name: str, outcome: Outcome, *findings: Finding) -> list[Event]:
    return [*begun(name), Judged(findings), HostFinished(outcome)]


def run(command: str = "up", **hosts: Sequence[Event]) -> Report:
    return fold(command, hosts, timed({name: list(events) for name, events in hosts.items()}))


def after(*runs: Report) -> list[Entry]:
    entries: list[Entry] = []
    for one in runs:
        entries.extend(list(new_entries(one, "mymodel", entries)))
    return entries


def still_open(*runs: Report) -> list[str]:
    return [one.met.code for one in sightings(after(*runs)) if one.solved is None]


def written(path: Path) -> tuple[int, ...]:
    """Return what a write would change; that it was read changes its atime."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def test_a_pitfall_is_remembered_with_its_evidence_cause_and_fix() -> None:
    assert after(run(box=broken("box"))) == [
        Met(
            "2023-11-14T22:13:27Z", "mymodel", "box", "up", "pitfall", "host-python-lzma", "error",
            "ModuleNotFoundError: No module named '_lzma'", LZMA.cause, LZMA.fix,
        )
    ]  # fmt: skip


def test_findings_of_one_code_are_one_entry_and_information_is_none() -> None:
    (entry,) = after(run(box=judged("box", Outcome.UNFIT, A_NOTE, XID, XID_TOO)))
    assert isinstance(entry, Met)
    assert (entry.code, entry.message, entry.fix) == ("GPU-XID", "GPU 0 reported Xid 79 (and 1 more)", ("sudo reboot",))


def test_a_later_good_run_solves_it_and_names_the_steps_that_changed_the_host() -> None:
    entries = after(run(box=broken("box")), run(box=changed("box")))
    solved = [one for one in entries if isinstance(one, Solved)]
    assert [one.codes for one in solved] == [("host-python-lzma",)]
    assert BUILD.name in solved[0].steps
    assert still_open(run(box=broken("box")), run(box=changed("box"))) == ["GPU-DRIVER-OLD"]


def test_a_good_run_with_nothing_open_adds_nothing() -> None:
    assert after(run(box=converged("box"))) == []
    twice = after(run(box=broken("box")), run(box=converged("box")), run(box=converged("box")))
    assert [type(one) for one in twice] == [Met, Solved]


def test_what_a_good_run_meets_again_stays_open() -> None:
    warned = judged("box", Outcome.CONVERGED, OLD_DRIVER)
    assert still_open(run(box=warned), run(box=warned)) == ["GPU-DRIVER-OLD"]


def test_another_host_or_another_project_solves_nothing() -> None:
    assert [type(one) for one in after(run(box=broken("box")), run(other=converged("other")))] == [Met]
    standing = list(new_entries(run(box=broken("box")), "theirs", []))
    assert list(new_entries(run(box=converged("box")), "mymodel", standing)) == []


def test_what_is_met_again_after_it_was_solved_is_open_again() -> None:
    runs = [run(box=broken("box")), run(box=converged("box")), run(box=broken("box"))]
    (one,) = sightings(after(*runs))
    assert (one.times, one.solved) == (2, None)


def test_what_verify_met_is_not_solved_by_a_run_that_checks_less() -> None:
    met = run("verify", box=judged("box", Outcome.UNFIT, XID))
    assert still_open(met, run("up", box=converged("box"))) == ["GPU-XID"]
    assert still_open(met, run("plan", box=converged("box"))) == ["GPU-XID"]
    assert still_open(met, run("verify", box=converged("box"))) == []
    assert "GPU-XID" not in still_open(met, run("up", box=changed("box")))


def test_what_the_steps_of_a_plan_will_cure_is_not_remembered() -> None:
    assert after(run("plan", box=judged("box", Outcome.PENDING, XID))) == []
    assert still_open(run("plan", box=judged("box", Outcome.UNFIT, XID))) == ["GPU-XID"]


def test_secrets_are_not_written_even_where_the_evidence_was_cut_through_one() -> None:
    hide = hiding(["hf_secretsecret", "first line of it\nsecond line of it"])
    assert hide("token hf_secretsecret here") == "token *** here"
    assert hide("ends in hf_secretse") == "ends in ***"
    assert hide("tsecret begins it") == "*** begins it"
    assert hide("has second line of it in it") == "has *** in it"
    assert hide("half \udc80 a byte") == "half \\udc80 a byte"


# -- the file ------------------------------------------------------------------------------------------------------


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": "/nowhere"}


def note(number: int, *, message: str = "seen") -> Met:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + number))
    return Met(at, "mymodel", f"box-{number}", "up", "pitfall", "disk-full", "error", message, "full", ("$ df -h",))


def test_the_file_is_the_users_alone(environ: dict[str, str]) -> None:
    remember(run(box=broken("box")), environ, lambda: "mymodel")
    assert stat.S_IMODE(path_of(environ).stat().st_mode) == 0o600
    assert [one.host for one in read(path_of(environ))] == ["box"]
    assert open_mark(environ).exists()


def test_a_good_run_where_nothing_is_open_touches_no_file_and_asks_for_no_project(environ: dict[str, str]) -> None:
    def asked() -> str:
        raise AssertionError("the project is not needed")

    remember(run(box=converged("box")), environ, asked)
    assert not path_of(environ).parent.exists()
    remember(run(box=broken("box")), environ, lambda: "mymodel")
    remember(run(box=converged("box")), environ, lambda: "mymodel")
    assert not open_mark(environ).exists()
    before = written(path_of(environ))
    remember(run(box=converged("box")), environ, asked)
    assert written(path_of(environ)) == before


def test_a_good_run_writes_nothing_where_another_host_has_something_open(environ: dict[str, str]) -> None:
    remember(run(box=broken("box")), environ, lambda: "mymodel")
    before = [written(one) for one in (path_of(environ), open_mark(environ))]
    remember(run(other=converged("other")), environ, lambda: "mymodel")
    assert [written(one) for one in (path_of(environ), open_mark(environ))] == before


def test_lines_that_are_no_entries_are_passed_over_and_a_torn_one_spoils_nothing(environ: dict[str, str]) -> None:
    good = json.dumps(as_json(note(1)))
    bad = [
        "", "not json", "[]", "7", "[" * 5000, '{"at": 1}', json.dumps({**as_json(note(1)), "code": "../../passwd"}),
        json.dumps({**as_json(note(1)), "at": "yesterday"}), json.dumps({**as_json(note(1)), "kind": "other"}),
        json.dumps({**as_json(note(1)), "fix": "rm -r"}), "\udcff",
    ]  # fmt: skip
    path_of(environ).parent.mkdir(parents=True)
    text = "\n".join([*bad, good, '{"at": "2023-'])
    path_of(environ).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read(path_of(environ)) == [note(1)]
    add(environ, lambda _: [note(2)])
    assert read(path_of(environ)) == [note(1), note(2)]


def test_the_oldest_entries_are_dropped_when_the_file_grows_too_large(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(met_file, "LARGEST", 4000)
    monkeypatch.setattr(met_file, "KEPT", 3000)
    for number in range(40):
        add(environ, lambda _, number=number: [note(number)])  # type: ignore[misc]
        assert path_of(environ).stat().st_size <= 4000
    kept = [one.host for one in read(path_of(environ))]
    assert kept == [f"box-{number}" for number in range(40 - len(kept), 40)]
    assert len(kept) > 5
    assert stat.S_IMODE(path_of(environ).stat().st_mode) == 0o600
    assert sorted(one.name for one in path_of(environ).parent.iterdir()) == ["met.jsonl", "met.open"]


def note_ten() -> None:
    """Add ten entries, each named after how many there were."""
    for _ in range(10):
        add(os.environ, lambda standing: [note(len(standing))])


def test_runs_that_end_at_once_see_and_keep_each_others_entries(environ: dict[str, str]) -> None:
    # Processes of their own: a fork of a process with threads, as a test's worker has them, may hang.
    paths = os.pathsep.join(sys.path)
    run_each = [sys.executable, "-c", f"from {__name__} import note_ten; note_ten()"]
    running = [subprocess.Popen(run_each, env={**environ, "PYTHONPATH": paths}) for _ in range(6)]
    assert [one.wait(timeout=60) for one in running] == [0] * 6
    assert sorted(one.host for one in read(path_of(environ))) == sorted(f"box-{number}" for number in range(60))


def test_nothing_of_it_makes_a_run_fail(environ: dict[str, str], tmp_path: Path) -> None:
    def no_project() -> str:
        raise ValueError("provision.yaml was removed")

    remember(run(box=broken("box")), environ, no_project)
    (tmp_path / "state").write_text("a file where the folder should be")
    remember(run(box=broken("box")), environ, lambda: "mymodel")
    (tmp_path / "state").unlink()
    path_of(environ).mkdir(parents=True)
    remember(run(box=broken("box")), environ, lambda: "mymodel")


def test_a_link_in_the_place_of_the_file_is_not_followed(environ: dict[str, str], tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    path_of(environ).parent.mkdir(parents=True)
    path_of(environ).symlink_to(target)
    remember(run(box=broken("box")), environ, lambda: "mymodel")
    assert target.read_text() == "precious"


def test_an_entry_is_read_back_as_it_was_written() -> None:
    for one in after(run(box=broken("box")), run(box=changed("box"))):
        assert entry_of(json.loads(json.dumps(as_json(one)))) == one
