"""`provision sync --watch` as a user types it."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

TREE = "/home/ubuntu/work/mymodel"
LONGEST = 60.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def box(lab: Lab, laptop: Laptop) -> LabHost:
    host = lab.host("gpu-box")
    laptop.hosts([host])
    (laptop.project / "train.py").write_text("one")
    (laptop.project / ".gitignore").write_text("runs/\n")
    subprocess.run(["git", "init", "-q", str(laptop.project)], check=True)
    return host


@pytest.fixture
def watching(box: LabHost, laptop: Laptop) -> Iterator[subprocess.Popen[str]]:
    process = laptop.start("sync", "--watch")
    until(lambda: has(box, "train.py", "one") or process.poll() is not None)
    yield process
    if process.poll() is None:
        laptop.kill(process)


def has(box: LabHost, path: str, text: str) -> bool:
    return bool(box.run(f"cat {TREE}/{path} 2>/dev/null").stdout == text)


def test_each_change_is_sent_until_ctrl_c(box: LabHost, laptop: Laptop, watching: subprocess.Popen[str]) -> None:
    connections = box.connections()
    (laptop.project / "train.py").write_text("two")
    until(lambda: has(box, "train.py", "two"))
    (laptop.project / "new").mkdir()
    (laptop.project / "new" / "model.py").write_text("three")
    until(lambda: has(box, "new/model.py", "three"))
    (laptop.project / "runs").mkdir()
    (laptop.project / "runs" / "log").write_text("not sent")
    (laptop.project / "new" / "model.py").unlink()
    until(lambda: box.run(f"test -e {TREE}/new/model.py").returncode == 1)
    time.sleep(1)
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=LONGEST)
    assert watching.returncode == 0, out
    assert "gpu-box: train.py sent (" in out
    assert "gpu-box: new/model.py sent (" in out
    assert "gpu-box: new/model.py removed (" in out
    assert "runs" not in out
    assert "up to date" not in out
    assert "\nstopping; once more to stop at once\n" in out
    assert out.endswith("stopped watching\n"), out
    assert box.connections() == connections, "one connection is enough"


def test_a_lost_link_is_told_once_and_what_changed_meanwhile_is_caught_up(
    box: LabHost, laptop: Laptop, watching: subprocess.Popen[str]
) -> None:
    box.stop_sshd()
    box.reset_connections()
    (laptop.project / "train.py").write_text("meanwhile")
    time.sleep(4)
    box.start_sshd()
    until(lambda: has(box, "train.py", "meanwhile"))
    time.sleep(1)
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=LONGEST)
    assert watching.returncode == 0, out
    assert out.count("connecting again") == 1, out


def test_what_stands_in_the_way_is_told_and_watching_goes_on(
    box: LabHost, laptop: Laptop, watching: subprocess.Popen[str]
) -> None:
    (laptop.project / ".env").write_text("KEY=1\n")
    (laptop.project / "train.py").write_text("two")
    time.sleep(3)
    assert has(box, "train.py", "one")
    (laptop.project / ".env").unlink()
    until(lambda: has(box, "train.py", "two"))
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=LONGEST)
    assert watching.returncode == 0, out
    assert "gpu-box: not synced: nothing was sent without a yes: 1 file to send looks like a secret" in out
    assert "-> provision sync --watch --yes   (sends it all the same)" in out, out
    assert ".env  (variables by its name)" in out, out


def test_a_file_that_git_tracks_all_at_once_is_sent_where_the_project_is_a_part_of_a_repository(
    box: LabHost, laptop: Laptop
) -> None:
    subprocess.run(["rm", "-r", str(laptop.project / ".git")], check=True)
    subprocess.run(["git", "init", "-q", str(laptop.home)], check=True)
    (laptop.project / "provision.yaml").write_text("project: mymodel\n")
    (laptop.project / "runs").mkdir()
    (laptop.project / "runs" / "best.txt").write_text("kept")
    process = laptop.start("sync", "--watch")
    try:
        until(lambda: has(box, "train.py", "one") or process.poll() is not None)
        time.sleep(2)
        assert not has(box, "runs/best.txt", "kept")
        subprocess.run(["git", "-C", str(laptop.project), "add", "-f", "runs/best.txt"], check=True)
        until(lambda: has(box, "runs/best.txt", "kept") or process.poll() is not None)
        assert process.poll() is None
    finally:
        laptop.kill(process)


def test_what_provision_yaml_says_counts_while_it_is_watched(
    box: LabHost, laptop: Laptop, watching: subprocess.Popen[str]
) -> None:
    (laptop.project / "runs").mkdir()
    (laptop.project / "runs" / "wanted").write_text("ignored by git")
    (laptop.project / "provision.yaml").write_text("includes: [runs/wanted]\n")
    time.sleep(2)
    (laptop.project / "provision.yaml").write_text("include: [runs/wanted]\n")
    until(lambda: has(box, "runs/wanted", "ignored by git"))
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=LONGEST)
    assert watching.returncode == 0, out
    assert "includes: unknown key, did you mean 'include'?" in out, out
