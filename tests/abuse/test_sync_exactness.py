"""What travels, and how exactly it arrives: corner cases, typed as a user does and looked at on a real host."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.knobs import MIB
from tests.ssh.reach import inventory
from tests.sync.trees import git, lying, tree_of
from tests.unit.cli.typed import Answer, Desk

if TYPE_CHECKING:
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]


@dataclass
class Site:
    """A project under git, and a host."""

    desk: Desk
    host: LabHost

    @property
    def project(self) -> Path:
        return self.desk.project

    @property
    def there(self) -> Path:
        """The host's tree, seen from here."""
        return Path(os.fsdecode(tree_of(self.host)))

    @property
    def own(self) -> Path:
        return self.there / ".provision"

    def sync(self, *words: str) -> Answer:
        return self.desk.type("sync", "--yes", *words)

    def first(self) -> None:
        done = self.sync()
        assert done.code == 0, done

    def at(self, script: str, user: str | None = None) -> None:
        """Do something in the tree on the host."""
        place = f"{self.host.home}/work/mymodel"
        self.host.run(["sh", "-c", f"cd {place} && {script}"], user=user or self.host.user, check=True)

    def listing(self) -> dict[bytes, tuple[str, str]]:
        return lying(os.fsencode(self.there))


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    desk = Desk(tmp_path / "home")
    (desk.project / ".git").rmdir()
    git(desk.project, "init", "-q")
    (desk.project / ".gitignore").write_text("hosts.yaml\n")
    (desk.project / "src").mkdir()
    for name in ("train.py", "notes.txt", *(f"src/{one}.py" for one in "abcdefghijkl")):
        (desk.project / name).write_text(f"{name}\n")
    host = lab.host("box")
    inventory(desk, host)
    return Site(desk, host)


def test_what_cannot_be_read_here_is_not_removed_there(site: Site) -> None:
    (site.project / "more").mkdir()
    (site.project / "more/x.py").write_text("x")
    site.first()
    (site.project / "more").chmod(0)
    # Root without its right to read everything is like any user.
    subprocess.run(
        [
            *("setpriv", "--bounding-set=-dac_override,-dac_read_search"),
            *(sys.executable, "-m", "provision", "sync", "--yes"),
        ],
        cwd=site.project,
        env=site.desk.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (site.there / "more/x.py").exists()


def test_a_folder_of_another_user_stops_a_sync_before_anything_changes(site: Site) -> None:
    site.first()
    site.at("mkdir outputs", user="root")
    old = site.listing()
    (site.project / "train.py").write_text("two\n")
    (site.project / "notes.txt").unlink()
    (site.project / "outputs").mkdir()
    (site.project / "outputs/README").write_text("here go the outputs\n")
    assert site.sync().code != 0
    assert site.listing() == old


def test_a_folder_without_the_right_to_write_stops_only_the_sync_that_removes_something_in_it(site: Site) -> None:
    site.first()
    site.at("chmod 555 src")
    (site.project / "src/a.py").unlink()
    assert site.sync().code != 0
    (site.project / "src/a.py").write_text("src/a.py\n")
    (site.project / "train.py").write_text("two\n")
    done = site.sync()
    assert done.code == 0, done


def test_a_damaged_owner_does_not_open_the_tree_to_another(site: Site, tmp_path: Path) -> None:
    site.first()
    (site.own / "owner.json").write_text("{garbage")
    other = Desk(tmp_path / "other")
    (other.project / ".git").rmdir()
    (other.project / "pyproject.toml").write_text("")
    (other.project / "train.py").write_text("other\n")
    inventory(other, site.host)
    old = site.listing()
    done = other.type("sync", "--yes")
    assert site.listing() == old, done


def test_an_output_that_was_pulled_stays_there_when_the_copy_here_is_removed(site: Site) -> None:
    site.first()
    site.at("mkdir outputs && echo weights >outputs/model.txt")
    pulled = site.desk.type("pull", "box:outputs", "outputs")
    assert (site.project / "outputs/model.txt").exists(), pulled
    site.first()
    shutil.rmtree(site.project / "outputs")
    site.first()
    assert [path.read_text() for path in site.there.rglob("model.txt")] == ["weights\n"]


def test_a_file_there_from_long_ago_stops_no_sync(site: Site) -> None:
    site.first()
    site.at("touch -d 1600-01-01 train.py && sleep 2.2")
    (site.project / "notes.txt").write_text("new\n")
    done = site.sync()
    assert done.code == 0, done


def test_a_file_here_from_long_ago_travels(site: Site) -> None:
    # Not every file system holds such a time; the one in memory does.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        desk = Desk(Path(folder) / "home")
        (desk.project / ".git").rmdir()
        (desk.project / "pyproject.toml").write_text("")
        subprocess.run(["touch", "-d", "1600-01-01", str(desk.project / "old.py")], check=True)
        inventory(desk, site.host)
        subprocess.run(["sleep", "2.2"], check=True)  # else its time of change is too young for the index
        done = desk.type("sync", "--yes")
        assert done.code == 0, done


def test_damaged_parts_of_big_files_are_sent_anew(site: Site) -> None:
    site.first()
    parts = site.own / "partial"
    site.at("mkdir .provision/partial")
    for number in range(3):
        content = random.Random(number).randbytes(5 * MIB)
        (site.project / f"{number}.bin").write_bytes(content)
        # As a power cut leaves what was never written to the disk.
        (parts / hashlib.sha256(content).hexdigest()).write_bytes(bytes(MIB))
    site.at(f"chown {site.host.user} .provision/partial/*", user="root")
    done = site.sync()
    assert done.code == 0, done


@pytest.mark.parametrize("damage", ["rm .provision/manifest", "echo spoilt >.provision/manifest"])
def test_a_host_that_lost_its_list_of_what_was_synced_goes_on_and_says_so_once(site: Site, damage: str) -> None:
    site.first()
    site.at(f"{damage} && echo edited >train.py")
    (site.project / "notes.txt").write_text("two\n")
    done = site.sync()
    assert done.code == 0, done
    assert done.err.count("lost or damaged") == 1, done
    assert "no sync had put" not in done.out, done
    for name in ("train.py", "notes.txt", "src/a.py"):
        assert (site.there / name).read_text() == (site.project / name).read_text()
    assert [one.read_text() for one in site.own.glob("kept/*/train.py")] == ["edited\n"]
    again = site.sync()
    assert again.code == 0, again
    assert "lost or damaged" not in again.err, again


def test_files_of_a_submodule_without_git_are_sent_or_named(site: Site, tmp_path: Path) -> None:
    module = tmp_path / "module"
    module.mkdir()
    git(module, "init", "-q")
    (module / "part.py").write_text("part")
    git(module, "add", ".")
    git(module, "commit", "-qm", "one")
    git(site.project, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(module), "module")
    (site.project / "module/.git").unlink()
    shown = site.sync("--dry-run")
    assert shown.code == 0, shown
    assert "module/" in shown.out, shown


@pytest.mark.parametrize(
    "damage", ["rm stamps && mkdir stamps", "mkdir -p partial/x", "touch staging", "touch partial"]
)
def test_a_damaged_cache_there_costs_time_and_nothing_else(site: Site, damage: str) -> None:
    site.first()
    site.at(f"cd .provision && {damage}")
    (site.project / "train.py").write_text("two\n")
    done = site.sync()
    assert done.code == 0, done


@pytest.mark.parametrize("journal", ["[1,2", "null"])
def test_nobody_claims_that_the_tree_is_the_old_one_where_a_journal_is_damaged(site: Site, journal: str) -> None:
    site.first()
    site.at(f"echo '{journal}' >.provision/journal")
    done = site.sync()
    assert done.code == 4, done
    assert "journal" in done.out, done
    assert "the old tree is as it was" not in done.out, done
