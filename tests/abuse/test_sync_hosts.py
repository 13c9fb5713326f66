"""What hosts, disks, other logins and the user's own hands do to a sync, and what it promises all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from provision.engine.stop import Stop
from provision.engine.sync import SyncGoal, sync_once
from provision.engine.watch import Changes, Watcher
from provision.errors import ProvisionError
from provision.events import Synced
from provision.model.sync import Origin
from provision.sync.secrets import by_content
from provision.tree.archive import TreeSource
from provision.tree.listing import scan_tree
from tests.lab.machine import wait_until
from tests.scripts.sync_client import file
from tests.scripts.test_sync_tree_killed import mounted, namespace
from tests.ssh.reach import inventory, link
from tests.sync.conftest import own_home
from tests.sync.desk import Work
from tests.sync.test_hostile_host import Liar, answer, said
from tests.sync.trees import git
from tests.unit.cli.typed import REPOSITORY, Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provision.model.link import Link
    from provision.model.plan import Outcome, Program
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab
    from tests.scripts.test_sync_tree_killed import Namespace

__all__ = ["namespace", "own_home"]

pytestmark = pytest.mark.timeout(120)

TREE = "/home/ubuntu/work/mymodel"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----\n"
HEX = b"0123456789abcdef0123456789abcdef01234567"
MOST_MEMORY = 512 << 10
"""KiB."""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A project under git, with an inventory that lies outside it."""
    desk = Desk(tmp_path / "home")
    (desk.project / ".git").rmdir()
    git(desk.project, "init", "-q")
    (desk.project / "src").mkdir()
    write(desk, "old")
    return desk


@pytest.fixture
def box(lab: Lab, desk: Desk) -> LabHost:
    """A host that the project's inventory names."""
    host = lab.host("box")
    listed(desk, host)
    return host


def listed(desk: Desk, host: LabHost, **settings: object) -> None:
    inventory(desk, host, settings={host.name: settings})
    (desk.project / "hosts.yaml").rename(desk.home / "hosts.yaml")


def synced(desk: Desk, *words: str) -> Any:
    return desk.type("sync", "-i", str(desk.home / "hosts.yaml"), *words)


def write(desk: Desk, text: str) -> None:
    for name in ("a.py", "src/b.py", "z.py"):
        (desk.project / name).write_text(text)


def at(host: LabHost, script: str) -> str:
    return str(host.run(["sh", "-c", script], user=host.user).stdout)


# -- placing ---------------------------------------------------------------------------------------


@pytest.mark.lab
def test_a_folder_there_that_takes_no_writes_is_noticed_while_the_tree_is_still_the_old_one(
    desk: Desk, box: LabHost
) -> None:
    assert synced(desk).code == 0
    at(box, f"chmod 555 {TREE}/src")
    write(desk, "new")
    told = synced(desk)
    assert told.code == 4, told
    assert at(box, f"cd {TREE} && cat a.py src/b.py z.py") == "oldoldold", told
    at(box, f"chmod 755 {TREE}/src")


@dataclass
class Tight:
    """A disk with so many free inodes, a tree on it, a file that somebody changed there, and a sync that was tried."""

    view: Path
    said: dict[str, Any]

    @property
    def content(self) -> tuple[str, str]:
        return (self.view / "a").read_text(), (self.view / "b").read_text()

    @property
    def litter(self) -> set[str]:
        usual = {"folders", "lock", "manifest", "owner.json", "stamps", "kept"}
        return {one.name for one in (self.view / ".provision").iterdir()} - usual


def tight(namespace: Namespace, tree: Path, free: int) -> Tight:
    tree.mkdir()
    namespace.run("mount", "-t", "tmpfs", "-o", "size=8m,mode=755,nr_inodes=60", "none", str(tree))
    laptop = namespace.laptop(tree, {b"a": file("old"), b"b": file("old")})
    laptop.sync()
    view = namespace.view(tree)
    (view / "b").write_text("theirs")
    for number in range(os.statvfs(view).f_favail - free):
        (view / f"filler{number}").touch()
    laptop.items = {b"a": file("newer"), b"b": file("newer")}
    return Tight(view, laptop.sync())


def test_a_disk_without_inodes_keeps_the_old_tree_or_gets_the_new_one(namespace: Namespace, tmp_path: Path) -> None:
    for free in range(1, 13):
        disk = tight(namespace, tmp_path / f"disk{free}", free)
        assert disk.content == (("old", "theirs") if "kind" in disk.said else ("newer", "newer")), (free, disk.said)


def test_a_disk_without_inodes_is_no_fuller_after_a_sync_that_failed(namespace: Namespace, tmp_path: Path) -> None:
    for free in range(1, 9):
        disk = tight(namespace, tmp_path / f"disk{free}", free)
        assert disk.said["kind"] == "space"
        assert not disk.litter, (free, disk.said)


def test_what_must_be_kept_aside_from_a_mount_needs_room_before_anything_moves(
    namespace: Namespace, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    mounted(namespace, tree, "3m")
    view = namespace.view(tree)
    (view / "data").mkdir()
    mounted(namespace, tree / "data", "20m")
    laptop = namespace.laptop(tree, {b"a": file("old"), b"data/b": file("old")})
    laptop.sync()
    (view / "data/b").write_bytes(os.urandom(4_000_000))
    laptop.items = {b"a": file("newer"), b"data/b": file("newer")}
    assert laptop.sync()["kind"] == "space"
    assert (view / "a").read_text() == "old"


@pytest.mark.lab
def test_another_logins_link_in_a_folder_for_all_does_not_choose_where_the_tree_goes(lab: Lab, desk: Desk) -> None:
    box = lab.host("box")
    listed(desk, box, workdir="/data")
    box.run("mkdir -p /data && chmod 1777 /data && install -d -o ubuntu /home/ubuntu/thesis", check=True)
    box.run("ln -s /home/ubuntu/thesis /data/mymodel && chown -h 4000 /data/mymodel", check=True)
    told = synced(desk)
    assert at(box, "ls -A /home/ubuntu/thesis") == "", told
    assert told.code == 4, told


# -- hosts that lie --------------------------------------------------------------------------------


class Growing(Liar):
    """A host that has more and more of a file that nobody sent, and hangs up each time."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.conversations = 0

    def converse(self, program: Program) -> Liar:
        self.conversations += 1
        assert self.conversations < 60, "it goes on for ever"
        there: Any = self.conversations if self._name == "staged" else {"a" * 64: self.conversations}
        self._said = (answer(**{self._name: there}),)
        return super().converse(program)


def told_by(project: Path, host: Any, **how: Any) -> Outcome:
    (project / "a").write_text("a")
    source = TreeSource(lambda: scan_tree(project))
    goal = SyncGoal("~/work", "~/.provision", "p", Origin("c" * 32, "/p", "me@here", "p"), lambda _: None, **how)
    try:
        return sync_once(host, goal, source, lambda _: None, Stop())
    finally:
        source.close()


@pytest.mark.parametrize("name", ["staged", "partial"])
def test_a_host_that_says_it_has_ever_more_and_hangs_up_is_given_up(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProvisionError):
        told_by(tmp_path, Growing(name))


class Busy(Liar):
    """A host that does not wait before it says that it is busy."""

    conversations = 0

    def converse(self, program: Program) -> Liar:
        self.conversations += 1
        return super().converse(program)


def test_a_host_that_says_at_once_that_it_is_busy_is_not_asked_without_a_pause(tmp_path: Path) -> None:
    host = Busy(said(b"E", kind="busy", message="busy", hint=""))
    with pytest.raises(ProvisionError):
        told_by(tmp_path, host, wait=1.0)
    assert host.conversations < 20


def test_a_host_that_threw_damaged_parts_away_is_sent_them_anew_but_not_for_ever(tmp_path: Path) -> None:
    host = Busy(answer(), said(b"E", kind="damaged", message="2 files were damaged", hint=""))
    with pytest.raises(ProvisionError, match="2 files were damaged"):
        told_by(tmp_path, host)
    assert 1 < host.conversations < 5


def test_an_answer_of_empty_lists_does_not_take_all_memory() -> None:
    """A child, so that its peak is its own; not ru_maxrss, which begins with the peak of whoever started it."""
    text = (
        "from provision.sync.answers import answer_of; from provision.sync.wire import LIMITS\n"
        "try: answer_of(b'{\"protocol\":1,\"kept\":[' + b'[],' * ((LIMITS[b'A'] >> 1) // 3) + b'[]]}')\n"
        "except ValueError: pass\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < MOST_MEMORY


# -- guards ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b'os.environ["WANDB_API_KEY"] = "' + HEX + b'"',
        b"os.environ['AWS_SECRET_ACCESS_KEY'] = 'wJalrXUtnFEMIK7MDENGbPxRfiCYzqWkRtPlKEYa'",
        b'wandb.login(key="' + HEX + b'")',
        b"wandb login " + HEX,
        b'os.environ.setdefault("WANDB_API_KEY", "' + HEX + b'")',
        b"access_key_secret = AbCdEfGhIjKlMnOpQrStUvWxYz0123",
    ],
)
def test_a_key_in_the_usual_line_of_a_training_script_is_seen(line: bytes) -> None:
    assert by_content("train.py", b"import os, wandb\n" + line + b"\n") is not None


@pytest.mark.lab
def test_a_private_key_that_a_followed_link_leads_to_is_asked_about(desk: Desk, box: LabHost) -> None:
    (desk.home / "outside").write_text(KEY)
    (desk.project / "deploy.pem").symlink_to(desk.home / "outside")
    (desk.project / "provision.yaml").write_text("links: follow\n")
    told = synced(desk)
    assert told.code == 2, told
    assert at(box, f"ls {TREE}/deploy.pem 2>/dev/null") == ""


@pytest.mark.lab
def test_a_fifth_of_the_files_may_go_without_a_question_though_most_others_change(desk: Desk, box: LabHost) -> None:
    many = [desk.project / f"part{number}.py" for number in range(100)]
    for one in many:
        one.write_text("old")
    assert synced(desk).code == 0
    for one in many[:20]:
        one.unlink()
    for one in many[20:]:
        one.write_text("new")
    told = synced(desk)
    assert told.code == 0, told
    assert at(box, f"ls {TREE} | grep -c part") == "80\n"


# -- watching --------------------------------------------------------------------------------------


@pytest.fixture
def watching(desk: Desk) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts `sync --watch`, and returns when the host has the tree."""
    started = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        with (desk.home / "said").open("wb") as said_there:
            process = subprocess.Popen(
                [sys.executable, "-m", "provision", "sync", "-i", str(desk.home / "hosts.yaml"), "--watch", *words],
                cwd=desk.project,
                env=desk.environment,
                stdin=subprocess.DEVNULL,
                stdout=said_there,
                stderr=subprocess.STDOUT,
            )
        started.append(process)
        wait_until(lambda: b"watching for changes" in (desk.home / "said").read_bytes(), "it never watched", 30)
        time.sleep(1)
        return process

    yield start
    for one in started:
        one.kill()
        one.wait()


def arrives(box: LabHost, path: str, text: str, seconds: float = 8) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if at(box, f"cat {TREE}/{path} 2>/dev/null") == text:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.lab
def test_a_project_folder_that_was_removed_and_is_there_again_is_watched_on_or_the_watch_ends(
    desk: Desk, box: LabHost, watching: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = watching()
    shutil.copytree(desk.project, desk.home / "copy")
    shutil.rmtree(desk.project)
    time.sleep(1.5)
    shutil.copytree(desk.home / "copy", desk.project)
    time.sleep(1.5)
    (desk.project / "a.py").write_text("saved later")
    assert arrives(box, "a.py", "saved later") or process.poll() is not None, (desk.home / "said").read_text()


@pytest.mark.lab
def test_a_project_folder_that_is_gone_empties_no_host_even_with_yes(
    desk: Desk, box: LabHost, watching: Callable[..., subprocess.Popen[bytes]]
) -> None:
    watching("--yes")
    shutil.rmtree(desk.project)
    time.sleep(4)
    assert at(box, f"cat {TREE}/a.py") == "old", (desk.home / "said").read_text()


@pytest.mark.lab
def test_an_ignored_file_that_git_was_told_to_track_is_watched_like_the_others(
    desk: Desk, box: LabHost, watching: Callable[..., subprocess.Popen[bytes]]
) -> None:
    (desk.project / ".gitignore").write_text("conf/\n")
    (desk.project / "conf").mkdir()
    (desk.project / "conf/x.yaml").write_text("one")
    watching()
    git(desk.project, "add", "-f", "conf/x.yaml")
    (desk.project / "a.py").write_text("another file")
    assert arrives(box, "conf/x.yaml", "one")
    (desk.project / "conf/x.yaml").write_text("two")
    assert arrives(box, "conf/x.yaml", "two"), (desk.home / "said").read_text()


@pytest.mark.lab
def test_no_watched_host_is_left_out_without_a_word_where_few_files_may_be_open(lab: Lab, desk: Desk) -> None:
    first, second = lab.fleet(["one", "two"])
    inventory(desk, first, second)
    (desk.project / "hosts.yaml").rename(desk.home / "hosts.yaml")
    command = f"ulimit -n 40 && exec {sys.executable} -m provision sync all --watch -i ../hosts.yaml"
    with (desk.home / "said").open("wb") as said_there:
        process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=desk.project,
            env=desk.environment,
            stdin=subprocess.DEVNULL,
            stdout=said_there,
            stderr=subprocess.STDOUT,
        )
    try:
        told = (desk.home / "said").read_text
        wait_until(lambda: "watching for changes" in told() or process.poll() is not None, "it never watched", 30)
        each = arrives(first, "a.py", "old", 4) and arrives(second, "a.py", "old", 4)
        assert each or process.poll() is not None or "open files" in told(), told()
    finally:
        process.kill()
        process.wait()


@pytest.mark.lab
@pytest.mark.usefixtures("own_home")
@pytest.mark.parametrize("big", [False, True])
def test_a_file_that_was_saved_twice_while_it_was_sent_arrives_as_it_is_in_the_end(
    lab: Lab, tmp_path: Path, big: bool
) -> None:
    host = lab.host("box")
    work = Work(tmp_path / "home" / "mymodel", host)
    pad = b"." * ((5 << 20) if big else 1)
    work.write("a.py", b"one" + pad)
    changes, stop = Changes(), Stop()
    made: dict[int, TreeSource] = {}
    told: list[int] = []

    def tree_of(generation: int) -> TreeSource:
        return made.setdefault(generation, work.source())

    def sync(tree: TreeSource, connection: Link) -> tuple[Outcome, str]:
        told.append(1)
        second = len(told) == 2
        tree.manifest()
        if second:
            work.write("a.py", b"3ee" + pad)
        outcome = sync_once(connection, work.goal(), tree, work.events.append, stop)
        if second:
            work.write("a.py", b"two" + pad)
            changes.note()
        return outcome, [one.result.id for one in work.events if isinstance(one, Synced)][-1]

    with link(host) as connection:
        watcher = Watcher("box", tree_of, sync, lambda: connection, changes=changes, emit=work.events.append)
        thread = threading.Thread(target=watcher.run, args=(stop,), daemon=True)
        thread.start()
        wait_until(lambda: len(told) == 1, "no first sync")
        time.sleep(1)
        work.write("a.py", b"two" + pad)
        changes.note()
        wait_until(lambda: len(told) >= 2, "no second sync")
        time.sleep(3)
        there = at(host, "head -c 3 ~/work/mymodel/a.py")
        stop.ask()
        thread.join(10)
    for one in made.values():
        one.close()
    assert there == "two"
