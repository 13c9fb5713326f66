"""Syncs that are cut, killed and starved at any moment: the tree is the old or the new one, and nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.knobs import MIB
from tests.ssh.reach import inventory
from tests.sync.trees import Listing, git, lying, tracked, tree_of
from tests.unit.cli.typed import Desk

if TYPE_CHECKING:
    from tests.faults.conftest import Size
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

CUTTER = Path(__file__).resolve().parents[1] / "sync" / "cutter.py"
FOREIGN = {b"outputs/model.pt": b"weights", b"src/notes of the host": b"mine", b"data/x/y": b"1,2,3"}
"""Of the host's own, beside the code and below its folders."""


@dataclass
class Site:
    """A project with two states, a host that has the old one, and files of its own there."""

    desk: Desk
    host: LabHost
    old: Listing
    new: Listing
    scratch: Path
    seed: int

    @property
    def there(self) -> bytes:
        """The host's tree, seen from here."""
        return tree_of(self.host)

    def listing(self) -> Listing:
        """Return what is visible there; the host's own files must be among it."""
        there = lying(self.there)
        for path, content in FOREIGN.items():
            place = self.there + b"/" + path
            assert Path(os.fsdecode(place)).read_bytes() == content, path
            del there[path]
        return there

    def whole(self) -> None:
        """Check that the tree is the old or the new one; in the middle of the renames a journal says so."""
        if not os.path.exists(self.there + b"/.provision/journal"):
            assert self.listing() in (self.old, self.new)

    def gets_there(self) -> None:
        """Sync again: then the tree is the new one, and nothing is left over."""
        answer = self.desk.type("sync", "--yes", "--wait")
        assert answer.code == 0, answer
        assert self.listing() == self.new
        left = set(os.listdir(self.there + b"/.provision"))
        assert left <= {b"lock", b"owner.json", b"manifest", b"stamps", b"folders"}, left

    def again(self) -> None:
        """Go back to the old state, here and there."""
        fill(self.desk.project, self.seed, changed=False)
        assert self.desk.type("sync", "--yes", "--wait").code == 0
        assert self.listing() == self.old
        fill(self.desk.project, self.seed, changed=True)


def fill(project: Path, seed: int, *, changed: bool) -> None:
    """Write the old or the new state: files added, removed, changed, made executable; folders that become files."""
    chance = random.Random(seed)
    for number in range(120):
        path = project / f"src/part{number % 7}/file_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = chance.randbytes(chance.randrange(4000))
        if number % 5 == 0 and changed:
            text += b"changed"
        if number % 9 == 0 and changed:
            path.unlink(missing_ok=True)
            continue
        path.write_bytes(text)
        path.chmod(0o755 if (number % 4 == 0) != (changed and number % 3 == 0) else 0o644)
    (project / "big.bin").write_bytes(random.Random(seed + changed).randbytes(5 * MIB))
    turns = project / "turns"
    link = project / "link"
    link.unlink(missing_ok=True)
    if changed:
        for name in ("a", "b"):
            (turns / name).unlink(missing_ok=True)
        if turns.is_dir():
            turns.rmdir()
        turns.write_bytes(b"a file now")
        (project / "fresh/deep/er").mkdir(parents=True, exist_ok=True)
        (project / "fresh/deep/er/new.py").write_bytes(b"new")
        link.symlink_to("src/part2")
    else:
        if turns.is_file():
            turns.unlink()
        turns.mkdir(exist_ok=True)
        (turns / "a").write_bytes(b"a")
        (turns / "b").write_bytes(b"b")
        (project / "fresh/deep/er/new.py").unlink(missing_ok=True)
        link.symlink_to("src/part1")


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    """The old state is there; the new one is to come."""
    return made(lab.host("box", home_size=256 * MIB), tmp_path)


def made(host: LabHost, tmp_path: Path) -> Site:
    desk = Desk(tmp_path / "home")
    (desk.project / ".git").rmdir()
    git(desk.project, "init", "-q")
    (desk.project / ".gitignore").write_text("hosts.yaml\n")
    inventory(desk, host)
    seed = 20261122
    scratch = tmp_path / "scratch-index"
    fill(desk.project, seed, changed=False)
    old = tracked(desk.project, scratch)
    first = desk.type("sync", "--yes")
    assert first.code == 0, first
    for path, content in FOREIGN.items():
        folder, _, name = os.fsdecode(path).rpartition("/")
        host.run(
            ["sh", "-c", 'mkdir -p "$1" && cat >"$1/$2"', "sh", f"{host.home}/work/mymodel/{folder}", name],
            user=host.user,
            stdin=content.decode(),
            check=True,
        )
    fill(desk.project, seed, changed=True)
    new = tracked(desk.project, scratch)
    assert old != new
    return Site(desk, host, old, new, scratch, seed)


def through_the_cutter(site: Site, way: str, most: int, tally: Path) -> None:
    command = f"{sys.executable} {CUTTER} %h %p {way} {most} {tally}"
    inventory(site.desk, site.host, settings={"box": {"proxy_command": command}})


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_link_that_is_cut_at_any_byte_leaves_the_old_tree_or_the_new_one(
    site: Site, tmp_path: Path, size: Size, way: str
) -> None:
    tally = tmp_path / "tally"
    through_the_cutter(site, way, sys.maxsize, tally)
    answer = site.desk.type("sync", "--yes")
    assert answer.code == 0, answer
    total = int(tally.read_text().split()[0 if way == "up" else 1])
    chance = random.Random(f"{site.seed}{way}")
    for at in sorted(chance.sample(range(total), size(1, 25))):
        inventory(site.desk, site.host)
        site.again()
        through_the_cutter(site, way, at, tally)
        with_cut = site.desk.type("sync", "--yes")
        assert with_cut.code in {0, 3}, with_cut
        site.whole()
        inventory(site.desk, site.host)
        site.gets_there()


def test_a_client_that_is_killed_leaves_the_old_tree_or_the_new_one(site: Site, size: Size) -> None:
    for number in range(size(4, 30)):
        process = started(site)
        time.sleep(0.25 + number * size(0.25, 0.035))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        site.whole()
        site.gets_there()
        site.again()


@pytest.mark.parametrize(
    "pattern",
    ["^sshd: ubuntu", "^sshd: ubuntu .priv.", "-I -B -c", "^[^ ]*python[^ ]* -I -B -c"],
    ids=["session", "its parent", "receiver and shells", "receiver"],
)
def test_whatever_is_killed_on_the_host_the_sync_gets_there(site: Site, size: Size, pattern: str) -> None:
    for number in range(size(3, 20)):
        process = started(site)
        time.sleep(0.3 + number * size(0.15, 0.03))
        site.host.run(["pkill", "-KILL", "-f", "--", pattern])
        out = process.communicate(timeout=120)[0]
        assert process.returncode == 0, out
        site.whole()
        site.gets_there()
        site.again()


def test_a_host_that_is_rebooted_in_the_middle_is_brought_there_by_the_next_sync(site: Site, size: Size) -> None:
    for number in range(size(1, 6)):
        process = started(site)
        time.sleep(0.35 + number * 0.1)
        site.host.reboot()
        process.communicate(timeout=200)
        assert process.returncode in {0, 3}
        site.whole()
        site.gets_there()
        site.again()


def test_a_link_that_is_dead_for_a_while_is_taken_up_again(site: Site) -> None:
    process = started(site)
    time.sleep(0.5)
    site.host.cut()
    threading.Timer(6, site.host.heal).start()
    out = process.communicate(timeout=200)[0]
    assert process.returncode == 0, out
    assert site.listing() == site.new


def test_a_disk_that_is_full_leaves_the_old_tree_and_with_room_the_next_sync_gets_there(site: Site) -> None:
    home = site.host.home
    free = int(site.host.run(f"df --output=avail -B1 {home} | tail -1").stdout)
    site.host.run(f"fallocate -l {free - 3 * MIB} {home}/filler", check=True)
    answer = site.desk.type("sync", "--yes", "--json")
    assert answer.code == 4, answer
    document: Any = json.loads(answer.out)
    assert "free" in document["hosts"]["box"]["error"]["message"], answer
    assert site.listing() == site.old
    site.host.run(f"rm {home}/filler", check=True)
    site.gets_there()


def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_tree(site: Site) -> None:
    """Unseen beforehand: what is free is taken while the stream is on its way."""
    home = site.host.home
    (site.desk.project / "huge.bin").write_bytes(random.Random(1).randbytes(60 * MIB))
    site.new = tracked(site.desk.project, site.scratch)
    process = started(site)
    deadline = time.monotonic() + 60
    while not lying(site.there + b"/.provision/partial") and time.monotonic() < deadline:
        time.sleep(0.01)
    site.host.run(f"fallocate -l $(( $(df --output=avail -B1 {home} | tail -1) - 100000 )) {home}/filler")
    out = process.communicate(timeout=120)[0]
    if process.returncode == 4:
        assert "No space left" in out or "disk is full" in out or "room" in out, out
        assert site.listing() == site.old
    site.host.run(f"rm -f {home}/filler", check=True)
    site.gets_there()


def test_two_syncs_of_one_tree_at_once_come_one_after_the_other(site: Site) -> None:
    one, other = started(site, "--wait"), started(site, "--wait")
    outs = [process.communicate(timeout=120)[0] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], outs
    assert site.listing() == site.new


def started(site: Site, *options: str) -> subprocess.Popen[str]:
    """Start a sync without waiting for its end."""
    return subprocess.Popen(
        [sys.executable, "-m", "provision", "sync", "--yes", *options],
        cwd=site.desk.project,
        env=site.desk.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
