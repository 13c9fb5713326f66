"""The scripts that guard a host, run by several shells: what they promise when things go wrong at the worst moment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.remote import catalogue
from provision.remote.command import compose
from provision.remote.frame import Frame
from provision.remote.sources import source
from tests.lab.machine import wait_until

if TYPE_CHECKING:
    from provision.model.plan import Program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these scripts are for Linux hosts")
NONCE = "n" * 32
SHELLS = [
    pytest.param(one, marks=pytest.mark.skipif(shutil.which(one[0]) is None, reason=f"no {one[0]} here"))
    for one in (("dash",), ("bash",), ("busybox", "sh"))
]


@pytest.fixture(params=SHELLS, ids=lambda one: one[0])
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    chosen: tuple[str, ...] = request.param
    return chosen


def start(shell: tuple[str, ...], program: Program) -> subprocess.Popen[bytes]:
    command = compose(source(program.script), program.arguments, nonce=NONCE, data=program.data or b"")
    text = command.stdin[: len(command.stdin) - len(program.data or b"")]
    return subprocess.Popen(
        [*shell, "-c", text.decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def run(shell: tuple[str, ...], program: Program) -> tuple[int, bytes]:
    return answer(start(shell, program).communicate(program.data, timeout=60)[0])


def answer(out: bytes) -> tuple[int, bytes]:
    frame = Frame(NONCE)
    payload = frame.feed(out)
    assert frame.exit_code is not None, out
    return frame.exit_code, payload


def step(script: str) -> Program:
    """Return a program that runs this text: `run_command` is the shortest of ours."""
    return catalogue.run_command("/", script)


def alive(pid: int) -> bool:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink()) != ""
    except OSError:
        return False


def test_asked_twice_for_one_step_it_runs_once_also_when_it_has_ended(shell: tuple[str, ...], tmp_path: Path) -> None:
    program = catalogue.detach(str(tmp_path), "s1", step(f"echo ran >>{tmp_path}/ran"))
    assert run(shell, program)[0] == 0
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 0))[0] == 0
    assert run(shell, program)[0] == 0
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 0))[0] == 0
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_asked_twice_at_the_same_moment_it_runs_once(shell: tuple[str, ...], tmp_path: Path) -> None:
    program = catalogue.detach(str(tmp_path), "s1", step(f"echo ran >>{tmp_path}/ran; sleep 1"))
    both = [start(shell, program) for _ in range(2)]
    for one in both:
        assert one.stdin is not None
        one.stdin.write(program.data or b"")
        one.stdin.flush()
    codes = [answer(one.communicate(timeout=60)[0])[0] for one in both]
    assert codes == [0, 0]
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 0))[0] == 0
    assert (tmp_path / "ran").read_text() == "ran\n"


def test_a_transfer_that_hangs_half_way_does_not_keep_the_lock(shell: tuple[str, ...], tmp_path: Path) -> None:
    program = catalogue.detach(str(tmp_path), "s1", step("echo ran"))
    hanging = start(shell, program)
    assert hanging.stdin is not None
    hanging.stdin.write((program.data or b"")[:100])
    hanging.stdin.flush()
    wait_until(lambda: any((tmp_path / "steps").glob("s1*")), "it never began")
    code, _ = run(shell, program)
    assert code == 0
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 0)) == (0, b"ran\n")
    hanging.stdin.close()
    hanging.wait(timeout=30)
    for stream in (hanging.stdout, hanging.stderr):
        assert stream is not None
        stream.close()
    assert [one.name for one in (tmp_path / "steps").iterdir()] == ["s1"]


def test_a_script_that_did_not_arrive_whole_is_not_run(shell: tuple[str, ...], tmp_path: Path) -> None:
    program = catalogue.detach(str(tmp_path), "s1", step(f"echo ran >{tmp_path}/ran"))
    cut = start(shell, program)
    out, _ = cut.communicate((program.data or b"")[:-5], timeout=60)
    assert answer(out)[0] == 74
    assert not (tmp_path / "ran").exists()
    assert list((tmp_path / "steps").iterdir()) == []


def test_another_step_is_refused_while_one_runs(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert run(shell, catalogue.detach(str(tmp_path), "s1", step("sleep 4")))[0] == 0
    assert run(shell, catalogue.detach(str(tmp_path), "s2", step("echo ran")))[0] == 75
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 0))[0] == 0


def test_following_starts_at_any_byte_and_ends_with_the_steps_own_code(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert run(shell, catalogue.detach(str(tmp_path), "s1", step("printf 'one\\ntwo'; exit 7")))[0] == 0
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 0)) == (7, b"one\ntwo")
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 2)) == (7, b"e\ntwo")
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 7)) == (7, b"")
    assert run(shell, catalogue.follow(str(tmp_path), "never", 0))[0] == 252


def test_a_step_that_was_killed_is_told_as_vanished(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert run(shell, catalogue.detach(str(tmp_path), "s1", step("echo begun; sleep 60")))[0] == 0
    wait_until(lambda: "begun" in (tmp_path / "steps/s1/log").read_text(), "it never began")
    pid = int((tmp_path / "steps/s1/pid").read_text())
    os.killpg(pid, signal.SIGKILL)
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 0)) == (251, b"begun\n")


def test_stopping_a_step_ends_what_left_its_group_and_what_ignores_the_first_signal(
    shell: tuple[str, ...], tmp_path: Path
) -> None:
    stubborn = "sh -c 'trap \"\" TERM; sleep 90; sleep 90'"
    script = f"timeout 90 sleep 90 & echo $! >{tmp_path}/a; {stubborn} & echo $! >{tmp_path}/b; wait"
    assert run(shell, catalogue.detach(str(tmp_path), "s1", step(script)))[0] == 0
    wait_until(lambda: (tmp_path / "b").exists() and (tmp_path / "b").read_text() != "", "it never began")
    pids = [int((tmp_path / name).read_text()) for name in "ab"]
    assert all(alive(pid) for pid in pids)
    assert run(shell, catalogue.stop_step(str(tmp_path), "s1"))[0] == 0
    assert not any(alive(pid) for pid in pids)
    assert run(shell, catalogue.detach(str(tmp_path), "s2", step("true")))[0] == 0
    assert run(shell, catalogue.follow(str(tmp_path), "s2", 0))[0] == 0


def test_stopping_a_step_that_has_ended_touches_nothing(shell: tuple[str, ...], tmp_path: Path) -> None:
    assert run(shell, catalogue.detach(str(tmp_path), "s1", step("true")))[0] == 0
    assert run(shell, catalogue.follow(str(tmp_path), "s1", 0))[0] == 0
    # Its number belongs to another process by now.
    stranger = subprocess.Popen(["sleep", "30"], start_new_session=True)
    (tmp_path / "steps/s1/pid").write_text(f"{stranger.pid}\n")
    (tmp_path / "steps/s1/code").unlink()
    assert run(shell, catalogue.stop_step(str(tmp_path), "s1"))[0] == 0
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_only_the_newest_steps_are_kept(shell: tuple[str, ...], tmp_path: Path) -> None:
    for number in range(8):
        assert run(shell, catalogue.detach(str(tmp_path), f"s{number}", step("true")))[0] == 0
        assert run(shell, catalogue.follow(str(tmp_path), f"s{number}", 0))[0] == 0
    assert len(list((tmp_path / "steps").iterdir())) <= 6
    assert (tmp_path / "steps/s7").exists()


def lease(folder: Path, holder: str) -> Program:
    """Return the lease program with two seconds of patience."""
    whole = catalogue.lease(str(folder), holder)
    return replace(whole, arguments=(*whole.arguments[:2], "2"))


def said(process: subprocess.Popen[bytes]) -> bytes:
    """Return the first words after the frame's beginning."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    return lines[-1]


def test_a_lease_ends_with_its_client_or_after_its_silence(shell: tuple[str, ...], tmp_path: Path) -> None:
    holder = start(shell, lease(tmp_path, "me"))
    assert said(holder) == b"held.\n"
    assert holder.stdin is not None
    for _ in range(4):
        assert run(shell, lease(tmp_path, "other")) == (75, b"busy me\n")
        time.sleep(1)
        holder.stdin.write(b".")
        holder.stdin.flush()
    holder.wait(timeout=30)
    holder.communicate()

    killed = start(shell, lease(tmp_path, "me"))
    assert said(killed) == b"held again.\n", "nobody held it in between"
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=30)

    other = start(shell, lease(tmp_path, "other"))
    assert said(other) == b"held.\n"
    other.communicate(timeout=30)
    me = start(shell, lease(tmp_path, "me"))
    assert said(me) == b"held.\n", "somebody held it in between"
    me.communicate(timeout=30)
