"""What a job's supervisor does when things go wrong: a full disk, its own death, what a command leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jobs.place import made, script, until
from tests.lab.knobs import MIB
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.jobs.place import Place
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def test_a_full_disk_loses_output_and_not_the_job(lab: Lab, tmp_path: Path) -> None:
    place = made(Desk(tmp_path / "home"), lab.host("box", home_size=64 * MIB))
    text = "import sys; [sys.stdout.write('x' * 999999 + chr(10)) for _ in range(150)]; sys.stdout.flush(); sys.exit(5)"
    answer = place.run("--detach", "--", "python3", "-c", text)
    assert answer.code == 0, answer
    told = place.until_state(answer.out.strip(), "exited")
    assert told["exit_code"] == 5
    assert told["log_lost"] > 50 * MIB
    assert told["log_lost"] + told["log_bytes"] >= 150_000_000
    shown = place.desk.type("jobs", "show", "last")
    assert "the disk was full" in shown.out, shown


def test_a_gap_is_told_where_it_is_once_there_is_room_again(lab: Lab, tmp_path: Path) -> None:
    place = made(Desk(tmp_path / "home"), lab.host("box", home_size=64 * MIB))
    text = script(
        "head -c 50000000 /dev/zero >~/fill; cat /dev/zero 2>/dev/null | head -c 100000000 >~/fill2",
        "echo lost",
        "rm ~/fill ~/fill2; sleep 3; echo kept",
    )
    answer = place.shell(text)
    assert answer.code == 0, answer
    assert answer.out.endswith("kept\n"), answer
    if "lost" not in answer.out:
        assert "bytes of output were lost here: the disk was full" in answer.err


def test_a_project_that_does_not_fit_twice_is_refused_and_nothing_is_left(lab: Lab, tmp_path: Path) -> None:
    place = made(Desk(tmp_path / "home"), lab.host("box", home_size=64 * MIB))
    (place.project / "model.bin").write_bytes(b"\1\2\3" * (12 << 20))
    answer = place.run("--yes", "--", "true")
    assert answer.code == 4, answer
    assert "bytes" in answer.err
    assert place.jobs() == {}
    assert place.on_host("ls ~/work/mymodel/.provision/snapshots 2>/dev/null || true").strip() == ""
    assert place.run("--yes", "--in-place", "--", "true").code == 0


def test_a_supervisor_that_is_killed_takes_its_command_with_it(place: Place) -> None:
    job = place.detached("exec sleep 1000")
    place.until_state(job, "running")
    place.host.run(["pkill", "-KILL", "-f", f"supervise-.*{job}"])
    assert place.until_state(job, "lost")["reason"] == "killed"
    until(lambda: place.processes_of(job) == [], "its command goes on")


def test_what_is_left_of_a_job_whose_supervisor_was_killed_is_ended_by_stop(place: Place) -> None:
    job = place.detached("setsid sleep 1000 & sleep 1000; true")
    place.until_state(job, "running")
    until(lambda: len([one for one in place.processes_of(job) if one.startswith("sleep")]) == 2, "it never began")
    place.host.run(["pkill", "-KILL", "-f", f"supervise-.*{job}"])
    assert place.until_state(job, "lost")["reason"] == "killed"
    refused = place.desk.type("jobs", "rm", job, "--yes")
    assert refused.code == 4, "what is left of it would be nobody's"
    assert f"provision stop {job}" in refused.err
    assert place.desk.type("stop", job).code == 0
    assert place.processes_of(job) == []
    assert place.desk.type("jobs", "rm", job, "--yes").code == 0


def test_what_a_command_leaves_in_the_background_ends_with_it(place: Place) -> None:
    job = place.detached("setsid sleep 1000 & sleep 1000 & echo done")
    told = place.until_state(job, "exited")
    assert told["exit_code"] == 0
    assert place.processes_of(job) == []


def test_the_last_words_of_a_command_are_in_the_log(place: Place) -> None:
    answer = place.shell("(sleep 0.5; echo late) & echo first; exec 1>&-; sleep 1; echo end >&2")
    assert (answer.code, answer.out) == (0, "first\nlate\n"), answer
    assert "end" in answer.err.splitlines()


def test_a_job_gets_the_session_s_limits_umask_and_signals(place: Place) -> None:
    (place.project / "show.py").write_text(
        "import os, signal\n"
        "old = os.umask(0); print(oct(old))\n"
        "print(sorted(s.name for s in signal.Signals if signal.getsignal(s) is signal.SIG_IGN))\n"
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
        "print(sorted(map(int, os.listdir('/proc/self/fd')))[:4], os.getpid() == os.getsid(0))\n"
    )
    answer = place.run("--", "python3", "show.py")
    assert answer.code == 0, answer
    umask, ignored, masked, rest = answer.out.splitlines()
    assert umask == "0o" + place.host.ssh("umask").stdout.strip().lstrip("0")
    assert ignored == "['SIGPIPE', 'SIGXFSZ']", "as Python itself has it"
    assert masked == "set()"
    assert rest == "[0, 1, 2, 3] True"


def test_stdin_is_empty(place: Place) -> None:
    answer = place.run("--", "cat")
    assert (answer.code, answer.out) == (0, ""), answer


def test_the_variables_of_a_job_that_never_began_do_not_stay(place: Place) -> None:
    job = place.detached("true", "--env", "SECRET=hidden-value")
    place.until_state(job, "exited")
    # As it is where the host was cut off between the launch and the first word of the supervisor.
    record = f"{place.folder(job)}/job.json"
    place.on_host(f'cd {place.folder(job)} && rm state.json end.json && echo \'[["A", "hidden-value"]]\' >env')
    place.on_host(f'sed -i \'s/"boot_id": "[^"]*"/"boot_id": "another"/\' {record}')
    assert place.state(job) == "lost"
    place.detached("true")
    until(lambda: place.on_host(f"ls {place.folder(job)}").split().count("env") == 0, "it is there still")
