"""A job runs once, as it was asked for, and how it ended is known."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from typing import TYPE_CHECKING

import pytest

from tests.scripts.launch_client import PATIENCE
from tests.scripts.shells import eventually
from tests.scripts.supervised_jobs import Site, is_alive, made_site, new_id, script, sleep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with made_site(tmp_path) as site:
        yield site


@pytest.mark.parametrize("code", [0, 1, 7, 137, 255])
def test_an_exit_code_is_kept(site: Site, code: int) -> None:
    job = site.run("sh", "-c", f"exit {code}")
    assert job.ended() == ("exited", code, None, None)
    assert job.wait()["started"] <= job.wait()["ended"] <= time.time()
    assert (job.wait()["ended_others"], job.wait()["log_lost"]) == (0, 0)


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM", "INT", "USR1"])
def test_a_signal_that_ended_it_is_kept(site: Site, name: str) -> None:
    assert site.run("sh", "-c", f"kill -{name} $$").ended() == ("exited", None, name, None)


def test_what_the_job_does_is_told_while_it_runs(site: Site) -> None:
    job = site.make("cat", "gate")
    os.mkfifo(site.tree / "gate")
    supervisor = job.start()
    assert eventually(lambda: job.state()["state"] == "running")
    state = job.state()
    assert (state["pid"], state["gpus"], state["waiting"]) == (supervisor.pid, [], None)
    fields = (site.home / f"/proc/{supervisor.pid}/stat").read_text().rpartition(")")[2].split()
    assert state["starttime"] == int(fields[19])
    assert state["since"] <= time.time()
    assert not (job.folder / "env").exists()
    (site.tree / "gate").write_bytes(b"on")
    assert job.wait()["started"] == state["started"]
    assert supervisor.wait(PATIENCE) == 0
    assert {stat.S_IMODE(one.stat().st_mode) for one in job.folder.glob("[!ja]*") if one.name != "reserve"} == {0o600}


def test_every_byte_that_an_argument_can_have_arrives(site: Site) -> None:
    every = bytes(range(1, 256))
    job = site.run("printf", "%s", os.fsdecode(every))
    assert job.printed(0) == every


def test_every_byte_that_a_variable_can_have_arrives(site: Site) -> None:
    every = bytes(range(1, 256))
    job = site.run("cat", "/proc/self/environ", env={"EVERY": os.fsdecode(every), os.fsdecode(b"N\xff"): "odd"})
    found = job.printed(0).split(b"\0")
    assert b"EVERY=" + every in found
    assert b"N\xff=odd" in found
    assert not [one for one in found if one.startswith((b"RECORDED_NVIDIA_SMI", b"CUDA"))]


def test_it_runs_where_it_was_asked_to_run(site: Site) -> None:
    (site.tree / "snapshot" / os.fsdecode(b"caf\xe9")).mkdir(parents=True)
    inside = {"snapshot": str(site.tree / "snapshot"), "cwd": os.fsdecode(b"caf\xe9")}
    assert site.run("pwd", **inside).printed(0).endswith(b"/tree/snapshot/caf\xe9\n")
    assert site.run("pwd").printed(0).endswith(b"/tree\n")


def test_a_command_begins_with_nothing_of_the_supervisor(site: Site) -> None:
    def differ() -> None:
        os.umask(0o027)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR2, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])

    # Of 13 and 25 Python decides itself; 32 and 33 are the C library's own: whoever started the tests may ignore
    # them, and no program can change that.
    theirs = sum(1 << number - 1 for number in (13, 25, 32, 33))
    show = script(
        f"""
        import json, os
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        fds = sorted(os.listdir("/proc/self/fd"), key=int)[:-1]
        print(json.dumps({{
            "fds": fds, "stdin": os.readlink("/proc/self/fd/0"), "leader": os.getsid(0) == os.getpid(),
            "blocked": int(status["SigBlk"], 16), "ignored": int(status["SigIgn"], 16) & ~{theirs},
            "umask": status["Umask"].strip(),
        }}))
        """
    )
    job = site.make(*show)
    job.start(preexec=differ)
    assert job.ended() == ("exited", 0, None, None), job.printed(1)
    assert json.loads(job.printed(0)) == {
        "fds": ["0", "1", "2"],
        "stdin": "/dev/null",
        "leader": True,
        "blocked": 0,
        "ignored": 0,
        "umask": "0027",
    }


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("no-such-program", 127, "no-such-program: No such file or directory"),
        ("./data", 126, "./data: Permission denied"),
        ("./folder", 126, "./folder: Permission denied"),
        ("./plain", 126, "./plain: Exec format error (does its first line name what runs it?)"),
        ("./lost", 127, "./lost: No such file or directory"),
    ],
)
def test_a_command_that_cannot_be_started_is_told(site: Site, command: str, code: int, message: str) -> None:
    (site.tree / "folder").mkdir()
    for name, text, mode in (("data", "", 0o644), ("plain", "echo one", 0o755), ("lost", "#!/no/python\n", 0o755)):
        (site.tree / name).write_text(text)
        (site.tree / name).chmod(mode)
    job = site.run(command)
    assert job.ended() == ("exited", code, None, "not-started")
    assert job.wait()["message"] == message


def test_a_folder_that_is_not_there_any_more_is_told(site: Site) -> None:
    job = site.run("true", cwd="gone")
    assert job.ended() == ("exited", 127, None, "not-started")
    assert job.wait()["message"] == f"{site.tree}/gone: the folder is not there any more"


def test_activation_scripts_are_run_before_the_command(site: Site) -> None:
    scripts = site.home / "the env" / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "one.sh").write_text('export ONE="$CONDA_PREFIX"\n')
    (scripts / "two.sh").write_text("false\nexport TWO=2\n")
    (scripts / "three.csh").write_text("exit 3\n")
    environment = {"name": "e", "prefix": str(site.home / "the env")}
    every = os.fsdecode(bytes(range(1, 256)))
    command = ("sh", "-c", 'printf "%s|%s|%s|" "$ONE" "$TWO" "$#"; printf %s "$1"; exit 9', "me", every)
    job = site.run(*command, env={"CONDA_PREFIX": str(site.home / "the env")}, environment=environment)
    assert job.ended() == ("exited", 9, None, None)
    assert job.printed(0) == os.fsencode(f"{site.home}/the env|2|1|{every}")
    without = site.run(*command, env={"CONDA_PREFIX": str(site.home / "the env")}, environment=None)
    assert without.printed(0) == os.fsencode(f"||1|{every}")


def test_an_activated_command_that_is_not_there_is_told(site: Site) -> None:
    scripts = site.home / "env" / "etc" / "conda" / "activate.d"
    scripts.mkdir(parents=True)
    (scripts / "one.sh").touch()
    job = site.run("no-such-program", env={"CONDA_PREFIX": str(site.home / "env")}, environment={"name": "e"})
    assert job.ended()[:2] == ("exited", 127)
    assert b"no-such-program" in job.printed(1)


def test_whoever_is_started_twice_at_once_runs_the_command_once(site: Site) -> None:
    job = site.make("sh", "-c", "echo ran >>runs; sleep 0.5")
    both = [job.start(pause=False) for _ in range(4)]
    assert job.ended() == ("exited", 0, None, None)
    assert [one.wait(PATIENCE) for one in both] == [0] * 4
    assert (site.tree / "runs").read_text() == "ran\n"


def test_a_command_never_starts_again(site: Site) -> None:
    job = site.run("sh", "-c", "echo ran >>runs")
    end = job.wait()
    # Not even where its variables are there again.
    for name in ("env", "state.json", "end.json"):
        (job.folder / "env").write_text("[]")
        (job.folder / name).unlink()
        assert job.start(pause=False).wait(PATIENCE) == 0
        assert (site.tree / "runs").read_text() == "ran\n"
        (job.folder / "state.json").touch()
        (job.folder / "end.json").write_text(json.dumps(end))


LEFT = """
    import os, signal, subprocess, sys, time
    def forked(setsid, deaf, env):
        if os.fork() == 0:
            if setsid:
                os.setsid()
                if os.fork():
                    os._exit(0)
            if deaf:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with open("pids", "a") as stream:
                stream.write("%d\\n" % os.getpid())
            os.execve("/bin/sleep", ["sleep", "600"], env)
    forked(False, False, dict(os.environ))
    forked(False, True, dict(os.environ))
    forked(True, False, {})
    forked(True, True, {})
    forked(True, True, dict(os.environ))
    while not os.path.exists("pids") or open("pids").read().count("\\n") < 5:
        time.sleep(0.02)
    print("there", flush=True)
"""
"""It leaves a child, a deaf one, and demons: one with no variables, a deaf one, and one with the mark of the job."""


def numbers(site: Site) -> list[int]:
    return list(map(int, (site.tree / "pids").read_text().split()))


def test_nothing_is_left_of_a_job_that_ended(site: Site) -> None:
    job = site.run(*script(LEFT))
    assert job.ended() == ("exited", 0, None, None)
    assert not [pid for pid in numbers(site) if is_alive(pid)]
    assert job.wait()["ended_others"] == 5


def test_nothing_is_left_of_a_job_that_was_stopped(site: Site) -> None:
    job = site.make(*script(LEFT + "    time.sleep(600)\n"))
    job.start()
    assert job.prints(b"there")
    end = job.stop(grace=1)
    assert (end["state"], end["reason"], end["signal"]) == ("stopped", "stop", "TERM")
    assert not [pid for pid in numbers(site) if is_alive(pid)]


def test_what_ends_by_itself_a_moment_later_was_not_ended(site: Site) -> None:
    job = site.run("sh", "-c", "{ sleep 0.1; echo last; } & echo first")
    assert (job.printed(0), job.wait()["ended_others"]) == (b"first\nlast\n", 0)


def test_a_process_of_another_job_is_left_alone(site: Site) -> None:
    other = site.make(*sleep())
    other.start()
    job = site.make("sh", "-c", f"PROVISION_JOB={new_id()} setsid sleep 600 & exit 0")
    job.start()
    assert job.wait()["ended_others"] == 1
    assert other.said("end") is None
    assert other.stop()["signal"] == "TERM"


def test_a_supervisor_that_is_killed_takes_the_command_with_it(site: Site) -> None:
    job = site.make("sh", "-c", "echo $$ >pids; exec sleep 600")
    supervisor = job.start()
    assert eventually(lambda: (site.tree / "pids").exists() and bool(numbers(site)))
    supervisor.kill()
    supervisor.wait()
    assert eventually(lambda: not is_alive(numbers(site)[0]))
    assert job.said("end") is None


OOM = "def oom_kills():\n    return int(os.path.exists(%r))\n"


@pytest.mark.parametrize("ended", ["kill -KILL $$", "sh -c 'kill -KILL $$'; exit $?"])
def test_a_command_that_the_kernel_killed_for_its_memory_is_told(site: Site, ended: str) -> None:
    job = site.make("sh", "-c", f"touch killed; {ended}")
    job.start(prologue=OOM % str(site.tree / "killed"))
    assert job.ended()[0::3] == ("exited", "oom")
    assert "memory" in job.wait()["message"]


def test_a_command_that_ends_itself_beside_one_that_was_killed_keeps_its_own_end(site: Site) -> None:
    job = site.make("sh", "-c", "touch killed; exit 1")
    job.start(prologue=OOM % str(site.tree / "killed"))
    assert job.ended() == ("exited", 1, None, None)


@pytest.mark.parametrize("name", ["job.json", "env"])
def test_a_job_that_cannot_be_understood_is_lost_and_says_so(site: Site, name: str) -> None:
    job = site.make("true")
    (job.folder / name).write_text("{")
    job.start()
    assert job.ended() == ("lost", None, None, "killed")
    assert "JSONDecodeError" in job.wait()["message"]


def test_a_supervisor_that_fails_leaves_no_command_behind(site: Site) -> None:
    job = site.make("sh", "-c", "echo $$ >pids; echo go; exec sleep 600")
    job.start(prologue="def broken(self, fd):\n    raise KeyError('x')\nSupervisor.pump = broken\n", pause=False)
    # The failure comes again while the command is ended.
    assert eventually(lambda: (site.tree / "pids").exists() and bool(numbers(site)))
    assert eventually(lambda: not is_alive(numbers(site)[0]))
