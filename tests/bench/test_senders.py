"""What each contestant of `sync` needs before a run, and that a host's wrong files are noticed."""

from __future__ import annotations

from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest
from bench.installed import Installed
from bench.senders import rsync, sync
from bench.stage import Stage
from bench.timing import CommandFailedError, run
from bench.trees import Tree, plant

from provision.demo.standin.installer import Installer
from tests.end_to_end.laptop import Laptop

if TYPE_CHECKING:
    from bench.stage import Fleet

    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.skipif(which("rsync") is None, reason="needs rsync")]


@pytest.fixture
def stage(lab: Lab, tmp_path: Path) -> Stage:
    laptop = Laptop(tmp_path / "home", lab.serve(tmp_path), Installer(tmp_path / "none", "", 0))
    return Stage(laptop, lab, Installed(tmp_path / "none"))


@pytest.fixture
def fleet(stage: Stage) -> Fleet:
    return stage.bare("box", 1, 0)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return plant(tmp_path / "sources", 50)


def test_rsync_brings_the_whole_tree_and_then_only_the_edit(stage: Stage, fleet: Fleet, tree: Tree) -> None:
    sender = rsync(stage, fleet, tree)
    run(sender.contestant("first upload"))
    sender.check()
    run(sender.contestant("one file changed"))
    sender.check()
    run(sender.contestant("nothing changed"))
    sender.check()
    assert sum("revision" in (tree.folder / name).read_text() for name in tree.files) == 1


def test_a_host_whose_files_are_not_the_source_is_noticed(stage: Stage, fleet: Fleet, tree: Tree) -> None:
    sender = rsync(stage, fleet, tree)
    run(sender.contestant("first upload"))
    Path(f"{sender.host.root}{sender.there}", tree.files[0]).write_text("other")
    with pytest.raises(CommandFailedError, match="is not what"):
        sender.check()


def test_before_a_first_upload_nobody_remembers_the_tree(stage: Stage, fleet: Fleet, tree: Tree) -> None:
    sender = sync(stage, fleet, tree)
    assert sender.memory is not None
    sender.memory.mkdir(parents=True)
    sender.host.run(["mkdir", "-p", f"{sender.there}/.provision"], user=sender.host.user, check=True)
    sender.contestant("first upload").prepare()
    assert not sender.memory.exists()
    parent = Path(f"{sender.host.root}{sender.there}").parent
    assert list(parent.iterdir()) == []
    assert sender.host.run(["stat", "-c", "%U", str(Path(sender.there).parent)]).stdout == "ubuntu\n"


@pytest.mark.parametrize(
    ("said", "work"),
    [
        (
            "box: first sync: 50 files, 300 kB (100 kB over the wire) in 0.3 s -> /home/u/work/sources\n",
            "first upload",
        ),
        ("box: up to date (50 files)\n", "nothing changed"),
        ("box: 1 file sent (6 kB in 0.3 s)\n", "one file changed"),
    ],
)
def test_each_result_of_sync_proves_its_own_work_only(
    stage: Stage, fleet: Fleet, tree: Tree, said: str, work: str
) -> None:
    proves = sync(stage, fleet, tree).proves
    assert [one for one, judge in proves.items() if judge(said)] == [work]
