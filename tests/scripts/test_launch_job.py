"""Launching: the record, the variables, the environment, what is refused, and that a job is never begun twice."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.scripts.launch_client import SUPERVISOR, JobHost
from tests.scripts.shells import SHELLS, mode, names
from tests.scripts.sync_client import file

RUN = 'echo ran >>"$HOME/runs"'
RECORDED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-00000000-0000-0000-0000-000000000000)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-11111111-1111-1111-1111-111111111111)
  MIG 3g.40gb     Device  0: (UUID: MIG-22222222-2222-2222-2222-222222222222)
  MIG 3g.40gb     Device  1: (UUID: MIG-33333333-3333-3333-3333-333333333333)
"""


@pytest.fixture
def host(tmp_path: Path) -> JobHost:
    home = tmp_path / "home of 'ours' $HOME é"
    home.mkdir()
    return JobHost(home)


def recorded_gpus(host: JobHost, tmp_path: Path) -> Path:
    """Put a recorded `nvidia-smi -L` on the PATH; return the file that has a line for each time that it was asked."""
    tools, asked = tmp_path / "tools", tmp_path / "asked"
    tools.mkdir()
    program = tools / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho \"$@\" >>'{asked}'\ncat <<'END'\n{RECORDED}END\n")
    program.chmod(0o755)
    host.prologue += f"os.environ['PATH'] = {str(tools)!r} + ':' + os.environ['PATH']\n"
    return asked


def old_python(host: JobHost) -> str:
    """Let the host's first Python be the oldest one that there is here; return its version."""
    for found in sorted(Path.home().glob(".pyenv/versions/3.[678].*/bin/python3")):
        if not subprocess.run([found, "-c", ""], check=False, stderr=subprocess.DEVNULL).returncode:
            conda = host.home / "miniconda3"
            (conda / "bin").mkdir(parents=True)
            (conda / "lib" / "python3.6" / "site-packages" / "zstandard").mkdir(parents=True)
            (conda / "bin" / "python").write_text(f'#!/bin/sh\nexec {found} "$@"\n')
            (conda / "bin" / "python").chmod(0o755)
            return found.parts[-3]
    pytest.skip("there is no old Python here")


def built_environment(host: JobHost, marker: str = '{"format": 1, "digest": "d1", "packages": "p1"}') -> Path:
    base = host.state / "envs" / "project" / "train"
    prefix = base / "3-0123abcd"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / ".provision-generation.json").write_text(marker)
    (base / "current").symlink_to("3-0123abcd")
    return prefix


@pytest.mark.parametrize("shell", SHELLS)
def test_a_job_is_written_down_and_runs_in_a_copy_of_the_project(host: JobHost, shell: str) -> None:
    host.shell = shell
    tree = host.sync({"train.py": file("print(1)")})
    said = host.launch("sh", "-c", "pwd; cat train.py", name="first try", tree_id=tree, max_time=60, gpus=0)
    job = said["job"]
    assert said["again"] is False
    assert job == host.read("job.json")
    assert (job["id"], job["name"], job["tree_id"], job["way"], job["unit"]) == (
        "abcdef",
        "first try",
        tree,
        "session",
        None,
    )
    assert job["command"] == ["sh", "-c", "pwd; cat train.py"]
    assert job["snapshot"] == str(host.snapshots / "abcdef")
    assert job["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert host.log() == f"{host.snapshots / 'abcdef'}\nprint(1)"
    assert host.ended()["exit_code"] == 0


def test_only_the_login_can_look_at_a_job(host: JobHost) -> None:
    host.launch("true")
    host.ended()
    assert {mode(host.state / one) for one in ("jobs", "programs", "queue", "gpus", "jobs/abcdef")} == {0o700}
    files = names(host.job())
    assert {"job.json", "alive", "reserve", "launcher", "snapshot.list", "state.json", "end.json", "log"} == files
    for one in ("job.json", "alive", "reserve", "launcher", "snapshot.list"):
        assert mode(host.job() / one) == 0o600, one
    assert names(host.state / "jobs") == {"abcdef"}


def test_the_values_of_variables_and_secrets_are_nowhere_but_in_the_command(host: JobHost) -> None:
    said = host.launch(
        "sh", "-c", 'echo "$EPOCHS $TOKEN"', env=[["EPOCHS", "seventeen"]], secrets=[["TOKEN", "hush-hush"]]
    )
    assert host.log() == "seventeen hush-hush\n"
    assert (said["job"]["variables"], said["job"]["secrets"]) == (["EPOCHS"], ["TOKEN"])
    kept = [one for one in host.state.rglob("*") if one.is_file() and one.name != "log"]
    assert kept
    assert not [one for one in kept if b"hush-hush" in one.read_bytes() or b"seventeen" in one.read_bytes()]


def test_arguments_and_variables_of_any_bytes_arrive_as_they_are(host: JobHost) -> None:
    every = bytes(range(1, 256)).decode("utf-8", "surrogateescape")
    host.launch("sh", "-c", 'printf "%s|%s" "$1" "$ODD"', "sh", every, env=[["ODD", every]])
    host.ended()
    raw = bytes(range(1, 256))
    assert (host.job() / "log").read_bytes() == raw + b"|" + raw


def test_the_command_gets_the_sessions_variables_without_those_of_the_connection_and_of_conda(host: JobHost) -> None:
    host.variables = {
        "LANG": "C.UTF-8",
        "SSH_CONNECTION": "1 2 3 4",
        "CONDA_PREFIX": "/elsewhere",
        "PYTHONHOME": "/nowhere",
        "PYTHONPATH": "/libraries",
        "PATH": "/home/me/bin:" + os.environ["PATH"],
        "KEPT": "yes",
    }
    host.launch("env")
    found = dict(line.partition("=")[::2] for line in host.log().splitlines())
    assert (found["KEPT"], found["PYTHONPATH"], found["PYTHONUNBUFFERED"]) == ("yes", "/libraries", "1")
    assert (found["PROVISION_JOB"], found["PROVISION_JOB_NAME"]) == ("abcdef", "")
    assert found["PATH"].startswith("/home/me/bin:")
    gone = {"SSH_CONNECTION", "CONDA_PREFIX", "PYTHONHOME", "PROVISION_NONCE", "LC_ALL", "OLDPWD"}
    assert not gone & set(found)


def test_an_environment_is_the_generation_that_is_current_at_the_launch(host: JobHost) -> None:
    prefix = built_environment(host)
    (prefix / "conda-meta" / "state").write_text('{"env_vars": {"FROM_ENV": "1", "KEPT": "***unset***"}}')
    host.variables = {"KEPT": "yes"}
    said = host.launch("env", environment={"name": "train"})
    found = dict(line.partition("=")[::2] for line in host.log().splitlines())
    assert found["CONDA_PREFIX"] == str(prefix)
    assert (found["CONDA_DEFAULT_ENV"], found["CONDA_SHLVL"], found["FROM_ENV"]) == ("train", "1", "1")
    assert found["PATH"].startswith(f"{prefix}/bin:")
    assert "KEPT" not in found
    assert said["job"]["environment"] == {
        "name": "train",
        "generation": "3-0123abcd",
        "prefix": str(prefix),
        "digest": "d1",
        "packages": "p1",
    }
    assert said["marker"] == {"format": 1, "digest": "d1", "packages": "p1"}


def test_in_place_the_command_runs_in_the_tree_itself_and_needs_no_sync(host: JobHost) -> None:
    (host.tree / ".provision" / "manifest").unlink()
    (host.tree / ".provision").rmdir()
    (host.tree / "src").mkdir()
    said = host.launch("sh", "-c", "pwd; touch made", in_place=True, cwd="src")
    assert host.log() == f"{host.tree}/src\n"
    assert (host.tree / "src" / "made").exists()
    assert (said["job"]["snapshot"], said["job"]["tree_id"]) == (None, None)


def test_the_difference_to_the_commit_is_kept_up_to_256_kib(host: JobHost) -> None:
    said = host.launch("true", diff="x" * (1 << 20))
    kept = (host.job() / "diff.patch").read_bytes()
    assert len(kept) == 256 << 10
    assert kept.endswith(b"\n(cut here: the rest is not kept)\n")
    assert (
        said["job"]["diff"]
        == subprocess.run(["sha256sum"], input=kept, capture_output=True, check=True).stdout.split()[0].decode()
    )


def test_an_old_python_does_it_all(host: JobHost) -> None:
    version = old_python(host)
    host.prologue += "os.write(2, sys.version.encode())\n"
    odd = os.fsdecode(b"odd \xff")
    host.sync({"é.py": file("1"), "d/ü/x": file("y" * 900_000), odd: file("3")})
    request = host.request("cat", "é.py", "runs ö/in", persist=["runs ö"], env=[["Ü", "é\udcff"]], name="nä")
    (host.tree / "runs ö").mkdir()
    (host.tree / "runs ö" / "in").write_text("2")
    _, errors = host.start(request).communicate(timeout=60)
    assert version in errors.decode()
    assert host.log() == "12"
    assert (host.snapshots / "abcdef" / odd).read_text() == "3"
    assert host.idle()
    host.start(host.request("true", id="bbbbbb", keep={"days": 0, "gib": 0})).communicate(timeout=60)
    assert names(host.snapshots) == {"bbbbbb"}


def damaged_manifest(host: JobHost) -> None:
    (host.tree / ".provision" / "manifest").write_bytes(b"PVM1 and nothing")


def no_tree(host: JobHost) -> None:
    host.tree.rename(host.home / "moved")


def cut_sync(host: JobHost) -> None:
    (host.tree / ".provision" / "journal").write_text("{}")


def rejected(host: JobHost) -> None:
    (built_environment(host) / ".provision-rejected").write_text("no GPU")


def link_for_own_folder(host: JobHost) -> None:
    (host.tree / ".provision").rename(host.home / "elsewhere")
    (host.tree / ".provision").symlink_to(host.home / "elsewhere")


@pytest.mark.parametrize(
    ("kind", "before", "more"),
    [
        ("no-tree", no_tree, {}),
        ("no-tree", no_tree, {"in_place": True}),
        ("no-tree", damaged_manifest, {}),
        ("no-tree", link_for_own_folder, {}),
        ("changed", None, {"tree_id": "0" * 64}),
        ("changed", cut_sync, {}),
        ("no-environment", None, {"environment": {"name": "train"}}),
        ("no-environment", rejected, {"environment": {"name": "train"}}),
        ("cwd", None, {"cwd": "src/missing"}),
        ("cwd", None, {"cwd": "../project"}),
        ("cwd", None, {"cwd": ".provision"}),
        ("gpus", None, {"gpus": 1}),
        ("protocol", None, {"id": "../../x"}),
        ("protocol", None, {"nonce": "../../xxxxx"}),
        ("protocol", None, {"command": []}),
        ("protocol", None, {"persist": ["../other"]}),
        ("protocol", None, {"format": 2}),
        ("protocol", None, {"env": [["A=B", "1"]]}),
        ("protocol", None, {"environment": {"name": "../x"}}),
        ("logout", "outlives_logout = lambda: False\n", {}),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_left_of_it(
    host: JobHost, kind: str, before: Any, more: dict[str, Any]
) -> None:
    host.sync({"a": file("1")})
    if isinstance(before, str):
        host.prologue += before
    elif before is not None:
        before(host)
    # No GPUs of this machine.
    host.prologue += "os.environ['PATH'] = '/usr/bin:/bin' if not shutil.which('nvidia-smi') else '/nowhere'\n"
    said = host.refused("true", **more)
    assert said["kind"] == kind
    assert said["message"]
    assert not any((host.state / "jobs").glob("*")) if (host.state / "jobs").exists() else True
    assert not host.snapshots.exists() or not names(host.snapshots)


def test_the_same_launch_again_begins_nothing(host: JobHost) -> None:
    request = host.request("sh", "-c", RUN)
    first = host.ask(request)[1]
    host.ended()
    _, again = host.ask(request)
    assert again["again"] is True
    assert again["job"] == first["job"]
    assert again["state"]["state"] == "exited"
    assert (host.home / "runs").read_text() == "ran\n"


def test_many_launches_of_one_job_at_once_begin_it_once(host: JobHost) -> None:
    host.sync({f"f{number}": file("x" * 100) for number in range(200)})
    request = host.request("sh", "-c", RUN)
    started = [host.start(request) for _ in range(6)]
    said = [one.communicate(timeout=60)[0] for one in started]
    assert [b'"again": false' in one for one in said].count(True) == 1
    assert [b'"again": true' in one for one in said].count(True) == 5
    host.ended()
    assert host.idle()
    assert (host.home / "runs").read_text() == "ran\n"
    assert names(host.state / "jobs") == {"abcdef"}
    assert names(host.snapshots) == {"abcdef"}


def test_an_id_that_another_job_has_is_refused_and_that_job_stays(host: JobHost) -> None:
    host.launch("true")
    assert host.refused("true", nonce="2" * 32)["kind"] == "taken"
    assert host.read("job.json")["nonce"] == "1" * 32
    assert names(host.snapshots) == {"abcdef"}


def test_a_snapshot_that_another_job_has_is_never_touched(host: JobHost) -> None:
    (host.snapshots / "abcdef").mkdir(parents=True)
    (host.snapshots / "abcdef" / "result").write_text("of another login's job")
    assert host.refused("true")["kind"] == "taken"
    assert names(host.snapshots / "abcdef") == {"result"}


def test_a_job_that_had_no_time_to_begin_begins_when_it_is_launched_again(host: JobHost) -> None:
    request = host.request("sh", "-c", RUN)
    usual, host.prologue = host.prologue, host.prologue + "def begin(*words):\n    os._exit(0)\n"
    process = host.start(request)
    process.communicate(timeout=60)
    assert "env" in names(host.job())
    host.prologue = usual
    said = host.ask(request)[1]
    assert said["again"] is True
    assert said["state"]["state"] in {"running", "exited"}
    host.ended()
    assert (host.home / "runs").read_text() == "ran\n"


def test_a_job_is_not_begun_after_a_restart_of_the_host(host: JobHost) -> None:
    request = host.request("sh", "-c", RUN)
    usual, host.prologue = host.prologue, host.prologue + "def begin(*words):\n    os._exit(0)\n"
    host.start(request).communicate(timeout=60)
    record = host.read("job.json")
    (host.job() / "job.json").write_text(json.dumps({**record, "boot_id": "an earlier one"}))
    host.prologue = usual
    said = host.ask(request)[1]
    assert (said["state"]["state"], said["state"]["reason"]) == ("lost", "reboot")
    assert not (host.home / "runs").exists()


def test_a_supervisor_that_dies_at_once_leaves_no_job(host: JobHost) -> None:
    said = host.refused("true", supervisor="import sys\nsys.exit(3)\n")
    assert said["kind"] == "refused"
    assert "before its first word" in said["message"]
    assert not any((host.state / "jobs").iterdir())
    assert not names(host.snapshots)


def test_a_launch_waits_for_a_sync_and_says_so(host: JobHost) -> None:
    holder = subprocess.Popen(["flock", str(host.tree / ".provision" / "lock"), "sleep", "1.7"])
    time.sleep(0.2)
    process = host.start(host.request("true"))
    said, _ = process.communicate(timeout=60)
    holder.wait()
    assert b'{"files": 0, "total": 0}' in said
    assert b'"again": false' in said


def test_a_sync_that_does_not_end_is_told(host: JobHost) -> None:
    host.prologue += "BUSY = 0.3\n"
    with subprocess.Popen(["flock", str(host.tree / ".provision" / "lock"), "sleep", "60"]) as holder:
        time.sleep(0.2)
        assert host.refused("true")["kind"] == "busy"
        holder.kill()
    assert not any((host.state / "jobs").iterdir())


def test_gpus_are_written_down_and_asked_for_once_a_boot(host: JobHost, tmp_path: Path) -> None:
    asked = recorded_gpus(host, tmp_path)
    first = host.launch("true")["job"]
    assert host.launch("true", id="bbbbbb")["job"]["cards"] == first["cards"]
    assert asked.read_text() == "-L\n"
    assert first["cards"] == [
        {"index": 0, "uuid": "GPU-00000000-0000-0000-0000-000000000000", "name": "NVIDIA H100 80GB HBM3"},
        {
            "index": 1,
            "uuid": "MIG-22222222-2222-2222-2222-222222222222",
            "name": "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        },
        {
            "index": 1,
            "uuid": "MIG-33333333-3333-3333-3333-333333333333",
            "name": "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        },
    ]


def test_jobs_that_need_gpus_draw_tickets_in_the_order_of_their_launches(host: JobHost, tmp_path: Path) -> None:
    recorded_gpus(host, tmp_path)
    for job in ("aaaaaa", "zzzzzz", "bbbbbb"):
        host.launch("sleep", "3", id=job, gpus=2)
    host.launch("true", id="cccccc")
    queue = host.state / "queue"
    assert names(queue) == {"lock", "000000000001-aaaaaa", "000000000002-zzzzzz", "000000000003-bbbbbb"}
    said = host.refused("true", id="dddddd", gpus=4)
    assert (said["kind"], "4 GPUs" in said["message"]) == ("gpus", True)
    for job in ("aaaaaa", "zzzzzz", "bbbbbb"):
        host.ended(job)
    assert host.idle()
    # Their supervisors left the tickets of jobs that are over; the next one does not take an earlier place by that.
    host.launch("true", id="eeeeee", gpus=1)
    assert names(queue) == {"lock", "000000000004-eeeeee"}


def test_one_text_of_the_supervisor_stands_there_for_all_jobs(host: JobHost) -> None:
    host.launch("true")
    host.launch("true", id="bbbbbb")
    (program,) = (host.state / "programs").iterdir()
    program.write_text("damaged")
    host.launch("true", id="cccccc")
    assert host.ended("cccccc")["exit_code"] == 0
    assert len(names(host.state / "programs")) == 1


def test_a_supervisor_that_found_its_lock_held_for_a_moment_is_started_once_more(host: JobHost) -> None:
    once = """
import os, sys
if not os.path.exists(sys.argv[1] + "/looked"):
    open(sys.argv[1] + "/looked", "w").close()
    sys.exit(0)
"""
    said = host.launch("sh", "-c", RUN, supervisor=once + SUPERVISOR)
    assert said["job"]["way_note"] is None
    host.ended()
    assert (host.home / "runs").read_text() == "ran\n"


def test_the_lock_of_a_job_that_may_be_about_to_begin_is_left_alone(host: JobHost, tmp_path: Path) -> None:
    recorded_gpus(host, tmp_path)
    usual, host.prologue = host.prologue, host.prologue + "def begin(*words):\n    os._exit(0)\n"
    host.start(host.request("true")).communicate(timeout=60)
    host.prologue = (
        usual
        + f"""
usual = is_locked
def noted(path):
    open({str(tmp_path / "looked")!r}, "a").write(path + "\\n")
    return usual(path)
is_locked = noted
"""
    )
    (host.state / "queue" / "000000000001-abcdef").touch()
    request = host.request("sleep", "1", id="bbbbbb", gpus=1, keep={"days": 0, "gib": 0})
    host.start(request).communicate(timeout=60)
    host.ended("bbbbbb")
    looked = (tmp_path / "looked").read_text().splitlines()
    assert {one.split("/")[-2] for one in looked} == {"bbbbbb"}
    assert (host.state / "queue" / "000000000001-abcdef").exists()
