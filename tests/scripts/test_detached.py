"""detach.sh, follow.sh, stop_step.sh: steps that outlive the connection, kept apart by one lock."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.model.plan import Program
from provision.remote import catalogue
from tests.scripts.shells import Ended, eventually, mode, names

if TYPE_CHECKING:
    from tests.scripts.shells import HostOfOneShell

STEP = "20260101-000000-abc123"


def begin(host: HostOfOneShell, shell_text: str, step: str = STEP) -> Ended:
    return host.run(catalogue.detach(str(host.state), step, catalogue.run_command(str(host.home), shell_text)))


def follow(host: HostOfOneShell, step: str = STEP, offset: int = 0) -> Ended:
    return host.run(catalogue.follow(str(host.state), step, offset))


def folder(host: HostOfOneShell, step: str = STEP) -> Path:
    return host.state / "steps" / step


def pid(host: HostOfOneShell) -> int:
    assert eventually(lambda: (folder(host) / "pid").is_file() and bool((folder(host) / "pid").read_text().strip()))
    return int((folder(host) / "pid").read_text())


def locked(host: HostOfOneShell) -> bool:
    with (host.state / "step.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def members(leader: int) -> list[int]:
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            words = (one / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[3]) == leader and words[0] != "Z":
            found.append(int(one.name))
    return found


def test_its_output_and_its_code_are_followed_to_the_end(host: HostOfOneShell) -> None:
    assert begin(host, "echo out; echo err >&2; sleep 0.3; printf 'no newline'; exit 7").code == 0
    ended = follow(host)
    assert (ended.code, ended.out) == (7, b"out\nerr\nno newline")


@pytest.mark.parametrize("offset", [0, 1, 4, 7, 8])
def test_it_is_followed_from_any_byte(host: HostOfOneShell, offset: int) -> None:
    begin(host, "printf 'abc\\303\\251\\nz\\000'")
    whole = "abcé\nz\0".encode()
    assert follow(host, offset=offset).out == whole[offset:]


def test_the_connection_does_not_wait_for_it_and_does_not_take_it_along(host: HostOfOneShell) -> None:
    began = time.monotonic()
    begin(host, "sleep 1; echo lived")
    assert time.monotonic() - began < 1
    assert os.getsid(pid(host)) == pid(host)
    assert follow(host).out == b"lived\n"


def test_asking_twice_starts_it_once(host: HostOfOneShell) -> None:
    text = f"echo once >>'{host.tools}/count'; sleep 0.2"
    assert (begin(host, text).code, begin(host, text).code) == (0, 0)
    follow(host)
    assert begin(host, text).code == 0
    assert (host.tools / "count").read_text() == "once\n"


def test_a_second_step_is_refused_while_one_runs_and_leaves_nothing(host: HostOfOneShell) -> None:
    begin(host, "sleep 20")
    assert begin(host, "true", "second").code == 75
    assert names(host.state / "steps") == {STEP}
    assert host.run(catalogue.stop_step(str(host.state), STEP)).code == 0


def test_its_data_reaches_it_byte_for_byte_and_does_not_stay(host: HostOfOneShell) -> None:
    data = bytes(range(256)) * 300
    program = catalogue.write_file(str(host.home / "a b" / "written"), "0640", data)
    assert host.run(catalogue.detach(str(host.state), STEP, program)).code == 0
    assert follow(host).code == 0
    assert (host.home / "a b" / "written").read_bytes() == data
    assert names(folder(host)) == {"script", "log", "ready", "pid", "code"}


def test_arguments_survive_the_second_shell(host: HostOfOneShell) -> None:
    awkward = 'it\'s "$HOME" `id` \\ \n * \t end'
    host.run(catalogue.detach(str(host.state), STEP, Program("exec.sh", ("printf", "%s", awkward))))
    assert follow(host).out == awkward.encode()


@pytest.mark.parametrize("cut", [1, 500])
def test_a_script_that_did_not_arrive_whole_never_starts(host: HostOfOneShell, cut: int) -> None:
    whole = catalogue.detach(str(host.state), STEP, catalogue.run_command("/", f"touch '{host.tools}/ran'"))
    assert whole.data is not None
    ended = host.run(Program(whole.script, whole.arguments, whole.data[:-cut]))
    assert ended.code == 74
    assert names(host.state / "steps") == set()
    assert not (host.tools / "ran").exists()
    assert begin(host, "echo fine").code == 0
    assert follow(host).out == b"fine\n"


def test_all_of_it_is_the_login_users_alone(host: HostOfOneShell) -> None:
    begin(host, "umask; true")
    follow(host)
    for one in (host.state, host.state / "steps", folder(host)):
        assert mode(one) == 0o700
    for name in names(folder(host)):
        assert mode(folder(host) / name) == 0o600
    assert mode(host.state / "step.lock") == 0o600
    assert (host.state / "step").read_text() == f"{STEP}\n"


def test_a_step_whose_shell_was_killed_is_told_as_vanished(host: HostOfOneShell) -> None:
    begin(host, "echo begun; exec sleep 20")
    leader = pid(host)
    assert eventually(lambda: (folder(host) / "log").read_bytes() == b"begun\n")
    for one in members(leader):
        os.kill(one, signal.SIGKILL)
    ended = follow(host)
    assert (ended.code, ended.out) == (251, b"begun\n")


def test_a_step_that_was_never_started_is_told_as_such(host: HostOfOneShell) -> None:
    assert follow(host).code == 252
    assert host.run(catalogue.stop_step(str(host.state), STEP)).code == 0


def test_ending_a_step_ends_all_that_it_started_and_frees_the_lock(host: HostOfOneShell) -> None:
    begin(host, "trap '' TERM; sleep 60 & timeout 60 sleep 60 & echo up; wait; sleep 60")
    leader = pid(host)
    assert eventually(lambda: (folder(host) / "log").read_bytes() == b"up\n")
    assert eventually(lambda: len(members(leader)) >= 4)
    assert host.run(catalogue.stop_step(str(host.state), STEP)).code == 0
    assert members(leader) == []
    assert follow(host).code in {143, 137, 251}
    assert begin(host, "echo next", "next").code == 0
    assert follow(host, "next").out == b"next\n"


def test_ending_a_step_that_has_ended_touches_nobody(host: HostOfOneShell) -> None:
    begin(host, "true")
    follow(host)
    (folder(host) / "pid").write_text(f"{os.getpid()}\n")  # its number is somebody else's by now
    assert eventually(lambda: host.run(catalogue.stop_step(str(host.state), STEP)).code == 0)


def test_what_a_step_leaves_behind_keeps_the_lock_but_what_a_users_command_starts_does_not(
    host: HostOfOneShell,
) -> None:
    ours = Program("exec.sh", ("sh", "-c", "sleep 60 & echo left"))
    assert host.run(catalogue.detach(str(host.state), STEP, ours)).code == 0
    assert follow(host).code == 0
    assert locked(host)
    assert host.run(catalogue.stop_step(str(host.state), STEP)).code == 0
    assert begin(host, "sleep 3 & echo service", "second").code == 0
    assert follow(host, "second").code == 0
    assert eventually(lambda: not locked(host), 2)


def test_the_logs_of_the_newest_steps_are_kept(host: HostOfOneShell) -> None:
    for number in range(8):
        begin(host, f"echo {number}", f"step-{number}")
        assert follow(host, f"step-{number}").out == f"{number}\n".encode()
        os.utime(folder(host, f"step-{number}"), (number, number))
    assert names(host.state / "steps") == {f"step-{number}" for number in range(3, 8)}
    assert follow(host, "step-7").code == 0


def test_a_full_disk_is_told_and_leaves_no_half_step(host: HostOfOneShell) -> None:
    host.stand_in("cat", "echo 'cat: write error: No space left on device' >&2; exit 1")
    ended = begin(host, "true")
    assert ended.code == 73
    assert names(host.state / "steps") == set()
