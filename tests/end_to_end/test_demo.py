"""`provision demo` as a user types it: the whole story, as an ordinary user too, and Ctrl-C in the middle."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from provision.demo.limits import why_plan_only

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [
    # It builds the stand-in each time, which takes a minute where many tests run at once.
    pytest.mark.timeout(300),
    pytest.mark.skipif(why_plan_only() is not None, reason="the demo stops after the plan here"),
    pytest.mark.skipif(importlib.util.find_spec("rattler") is None, reason="the extra 'demo' is not installed"),
]
SOURCE = Path(__file__).parents[2] / "src"
NOBODY = 65534


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}


def demo(*words: str, python: str = sys.executable) -> list[str]:
    return [python, "-m", "provision", "demo", *words]


def readable_python(folder: Path) -> tuple[str, str]:
    """Return an interpreter that everybody may run, and copies of the package and its libraries for it.

    This one may stand in a home that is closed to others; then the system's, where it is of the same version.
    """
    copied = folder.parent / f"{folder.name}-python"
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(yaml.__file__).parents[1], copied / "site", ignore=without)
    shutil.copytree(SOURCE / "provision", copied / "src/provision", ignore=without)
    shutil.copytree(SOURCE.parent / "playbooks", copied / "playbooks")
    subprocess.run(["chmod", "-R", "a+rX", str(copied)], check=True)
    own = Path(sys.executable).resolve()
    closed = any(not folder.stat().st_mode & 0o001 for folder in own.parents)
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}" if closed else str(own)
    return python, f"{copied / 'src'}:{copied / 'site'}"


def play(env: Mapping[str, str], *, python: str = sys.executable, **more: Any) -> dict[str, Any]:
    done = subprocess.run(
        demo("--json", python=python),
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=280,
        **more,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def running(folder: Path) -> list[str]:
    """Return the command lines of processes that have the folder in them or in their environment."""
    found = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit() and int(one.name) != os.getpid():
            try:
                said = (one / "cmdline").read_bytes() + b"\n" + (one / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(folder / "provision-demo-") in said:
                found.append(said.split(b"\n")[0].replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_the_whole_story_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    told = play(environment(tmp_path))
    steps = told["steps"]
    assert [one["command"].split()[1] for one in steps] == ["init", "plan", "up", "verify", "up", "exec"]
    assert [one["exit_code"] for one in steps] == [0] * 6
    assert "demo-box  changed" in steps[2]["output"]
    assert "demo-box  converged" in steps[4]["output"]
    assert "trained in" in steps[5]["output"]
    assert told["miniconda"] == "stand-in"
    assert list(tmp_path.iterdir()) == []
    assert running(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_can_play_it() -> None:
    as_nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    folder = Path("/var/tmp") / f"demo-test-{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    try:
        python, paths = readable_python(folder)
        told = play({**environment(folder), "HOME": str(folder), "PYTHONPATH": paths}, python=python, **as_nobody)
        assert "nobody@127.0.0.1" in told["steps"][0]["command"]
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["rm", "-rf", str(folder), f"{folder}-python"], check=True)


@pytest.mark.parametrize("moment", ["stand-in for Miniconda", "$ provision plan", "] install Miniconda"])
def test_ctrl_c_at_any_moment_leaves_no_process_and_no_folder(moment: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        demo(),
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if moment in line:
            break
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    seen += process.stdout.readlines()
    process.stdout.close()
    assert process.wait(120) == 130, "".join(seen)
    assert "the demo was stopped" in seen[-1]
    assert list(tmp_path.iterdir()) == []
    assert running(tmp_path) == []
