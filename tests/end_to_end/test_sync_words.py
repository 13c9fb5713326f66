"""What a user reads of `provision sync`, against real hosts."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

TREE = "/home/ubuntu/work/mymodel"


@pytest.fixture
def box(git_box: LabHost, laptop: Laptop) -> LabHost:
    (laptop.project / "src").mkdir()
    (laptop.project / "src" / "model.py").write_text("model\n")
    return git_box


def snapshot(box: LabHost) -> str:
    """Return every file there with its time and content."""
    find = f"cd {TREE} && find . -printf '%p %y %s %T@ %m\\n' | sort && find . -type f -exec sha256sum {{}} + | sort"
    return box.run(find, user="ubuntu", check=True).stdout


def test_a_tree_that_was_copied_there_by_hand_is_gone_on_with(box: LabHost, laptop: Laptop) -> None:
    box.run(f"mkdir -p {TREE}/src && echo other >{TREE}/train.py && echo model >{TREE}/src/model.py", user="ubuntu")
    for words in (("sync",), ("sync", "--dry-run")):
        refused = laptop.type(*words)
        assert refused.code == 4, refused
        assert f"{TREE} has files of the same names, which no sync put there: src, train.py" in refused.out, refused
        assert (
            "-> --take-over goes on there: equal files stay, others are kept aside; or set another `workdir:`"
            in refused.out
        ), refused

    shown = laptop.type("sync", "gpu-box", "--dry-run", "--take-over")
    assert shown.code == 0, shown
    assert "  + train.py  (stands there, and no sync had put it there: it would be kept aside)" in shown.out, shown
    assert "  + src/model.py\n" in shown.out, shown
    assert "1 file is there already with the same content" in shown.out, shown
    assert shown.out.endswith("next: provision sync gpu-box --take-over\n"), shown

    done = laptop.type("sync", "--take-over")
    assert done.code == 0, done
    assert f"  stood there, and no sync had put it there: train.py; kept at {TREE}/.provision/kept/" in done.out, done
    assert "changed on the host" not in done.out, done
    assert "1 file was there already with the same content" in done.out, done


def test_a_file_beside_ours_that_must_make_way_is_not_called_ours(box: LabHost, laptop: Laptop) -> None:
    assert laptop.type("sync").code == 0
    box.run(f"echo theirs >{TREE}/new.py; echo theirs >{TREE}/train.py", user="ubuntu")
    (laptop.project / "new.py").write_text("ours\n")
    (laptop.project / "train.py").write_text("ours\n")
    done = laptop.type("sync", "--json").document["hosts"]["gpu-box"]
    assert {one["path"]: one["synced_before"] for one in done["kept"]} == {"new.py": False, "train.py": True}


def test_a_folder_in_the_place_of_a_file_is_foreseen(box: LabHost, laptop: Laptop) -> None:
    assert laptop.type("sync").code == 0
    box.run(f"rm {TREE}/train.py && mkdir {TREE}/train.py && touch {TREE}/train.py/theirs", user="ubuntu")
    before = snapshot(box)
    for words in (("sync", "--dry-run"), ("sync",)):
        refused = laptop.type(*words)
        assert refused.code == 4, refused
        assert "train.py: there is a folder of somebody else's where a file must go" in refused.out, refused
        if "--dry-run" in words:
            assert snapshot(box) == before


def test_what_no_sync_put_there_and_must_make_way_is_foreseen(box: LabHost, laptop: Laptop) -> None:
    assert laptop.type("sync").code == 0
    box.run(f"echo theirs >{TREE}/new.py; echo ours >{TREE}/same.py; echo file >{TREE}/folder", user="ubuntu")
    for name in ("new.py", "same.py", "folder/inside.py"):
        (laptop.project / name).parent.mkdir(exist_ok=True)
        (laptop.project / name).write_text("ours\n")
    before = snapshot(box)
    shown = laptop.type("sync", "--dry-run")
    assert shown.code == 0, shown
    assert "+ new.py  (stands there, and no sync had put it there: it would be kept aside)" in shown.out, shown
    assert "  + same.py\n" in shown.out, shown
    assert "  stands there where a folder must go, and no sync had put it there: it would be kept aside: folder\n" in (
        shown.out
    ), shown
    assert laptop.type("sync", "--dry-run", "--json").document["hosts"]["gpu-box"]["files"]["standing"] == [
        "folder",
        "new.py",
    ]
    assert snapshot(box) == before
    kept = laptop.type("sync", "--json").document["hosts"]["gpu-box"]["kept"]
    assert sorted(one["path"] for one in kept) == ["folder", "new.py"]


def test_a_refused_secret_says_how_to_go_on_with_all_that_was_typed(box: LabHost, laptop: Laptop) -> None:
    (laptop.project / ".env").write_text("KEY=1\n")
    refused = laptop.type("sync", "gpu-box", "--checksum")
    assert refused.code == 2, refused
    assert "  -> provision sync gpu-box --checksum --yes\n     (sends it all the same)\n" in refused.out, refused
    error = laptop.type("sync", "gpu-box", "--json").document["hosts"]["gpu-box"]["error"]
    assert error["questions"] == [{"message": "1 file to send looks like a secret", "paths": [".env"]}]

    shown = laptop.type("sync", "--dry-run")
    assert shown.code == 0, shown
    assert "  would ask first: 1 file to send looks like a secret:\n    .env  (variables by its name)\n" in shown.out
    files = laptop.type("sync", "--dry-run", "--json").document["hosts"]["gpu-box"]["files"]
    assert files["questions"] == error["questions"]
    assert "would ask" not in laptop.type("sync", "--dry-run", "--yes").out
    assert box.run(f"test -e {TREE}/train.py").returncode == 1


def test_an_include_that_names_nothing_is_told_once_and_skipped_links_are_listed(
    box: LabHost, lab: Lab, laptop: Laptop
) -> None:
    laptop.hosts([box, lab.host("den")])
    (laptop.project / "provision.yaml").write_text("include: [wieghts/*.bin]\nlinks: skip\n")
    (laptop.project / "datasets").symlink_to("/mnt/datasets")
    shown = laptop.type("sync", "all", "--dry-run")
    assert shown.code == 0, shown
    assert shown.err.count("note: include: wieghts/*.bin matches no file\n") == 1, shown
    assert "  datasets  (links: skip, as it points out of the project: /mnt/datasets)" in shown.out, shown
    document = laptop.type("sync", "all", "--json").document
    assert document["notes"] == ["include: wieghts/*.bin matches no file"]
    # Also where nothing is left to be done.
    assert "note: include: wieghts/*.bin matches no file" in laptop.type("sync", "all").err


def test_who_waits_is_told_so_once_and_ctrl_c_ends_it_at_once(box: LabHost, laptop: Laptop) -> None:
    assert laptop.type("sync").code == 0
    holder = subprocess.Popen(box.ssh_command(f"flock {TREE}/.provision/lock sleep 100"))
    try:
        time.sleep(1)
        process = laptop.start("sync", "--wait")
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        holder.kill()
        holder.wait()
    assert process.returncode == 130, out
    (line,) = (one for one in out.splitlines() if "waiting" in one)
    assert line.startswith("waiting: "), out
    assert line.count("waiting") == 1, out
    assert "\nstopping this sync; once more to stop at once\n" in out
    assert "finishing" not in out


def test_what_no_sync_put_there_is_not_said_to_be_removed(box: LabHost, laptop: Laptop) -> None:
    assert laptop.type("sync").code == 0
    box.run(f"echo results >{TREE}/results.txt", user="ubuntu", check=True)
    (laptop.project / "results.txt").write_text("results\n")
    assert "1 file was there already with the same content" in laptop.type("sync").out
    (laptop.project / "results.txt").unlink()
    shown = laptop.type("sync", "--dry-run")
    assert "- results.txt  (stays there: no sync had put it there)" in shown.out, shown
    assert "to remove" not in shown.out, shown
    done = laptop.type("sync")
    assert "  1 file removed here stays on the host: no sync had put it there\n" in done.out, done
    assert box.run(f"cat {TREE}/results.txt", user="ubuntu", check=True).stdout == "results\n"


@pytest.mark.usefixtures("box")
def test_an_unfinished_pull_is_never_sent(laptop: Laptop) -> None:
    assert laptop.type("sync").code == 0
    (laptop.project / ".model.pt.provision-part").write_text("half\n")
    assert "up to date" in laptop.type("sync").out
    assert ".model.pt.provision-part  (a pull that is not finished)" in laptop.type("sync", "--dry-run", "-v").out


@pytest.mark.usefixtures("box")
def test_a_followed_link_that_leads_nowhere_is_told(laptop: Laptop) -> None:
    (laptop.project / "provision.yaml").write_text("links: follow\n")
    (laptop.project / "up").symlink_to("../nosuch")
    told = laptop.type("sync")
    assert told.code == 0, told
    assert "note: up is not sent: points to what cannot be read: No such file or directory" in told.err, told
