"""`provision sync` as a user types it, against real hosts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.test_questions import sit

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

TREE = "/home/ubuntu/work/mymodel"


@pytest.fixture
def box(git_box: LabHost, laptop: Laptop) -> LabHost:
    """A host, and a project under git with a few files."""
    (laptop.project / "data").mkdir()
    (laptop.project / "data" / "set.csv").write_text("1,2\n")
    (laptop.project / "notes.txt").write_text("old\n")
    (laptop.project / ".gitignore").write_text("data/\n")
    return git_box


def content(box: LabHost, path: str) -> str:
    return str(box.run(f"cat {TREE}/{path}").stdout)


def test_the_project_is_there_and_a_second_sync_has_nothing_to_do(box: LabHost, laptop: Laptop) -> None:
    first = laptop.type("sync")
    assert first.code == 0, first
    assert f"gpu-box (ubuntu@{box.address}:22): ~/work/mymodel" in first.err
    assert "gpu-box: first sync: " in first.out, first
    assert f"-> {TREE}" in first.out, first
    assert content(box, "train.py") == "print('one')\n"
    assert box.run(f"test -e {TREE}/data").returncode == 1

    second = laptop.type("sync", "gpu-box")
    assert second.code == 0, second
    assert second.out.startswith("gpu-box: up to date ("), second

    (laptop.project / "train.py").write_text("print('two')\n")
    (laptop.project / "notes.txt").unlink()
    third = laptop.type("sync")
    assert third.out.startswith("gpu-box: 1 file sent, 1 removed (13 B in "), third
    assert content(box, "train.py") == "print('two')\n"
    assert box.run(f"test -e {TREE}/notes.txt").returncode == 1


def test_what_was_changed_there_is_named_and_kept(box: LabHost, laptop: Laptop) -> None:
    assert laptop.type("sync").code == 0
    box.run(f"echo theirs >{TREE}/train.py", user="ubuntu")
    box.run(f"rm {TREE}/notes.txt", user="ubuntu")
    (laptop.project / "train.py").write_text("ours\n")
    done = laptop.type("sync")
    assert done.code == 0, done
    line = next(one for one in done.out.splitlines() if "changed on the host since the last sync: train.py" in one)
    assert content(box, "train.py") == "ours\n"
    kept = line.partition("is kept at ")[2]
    assert box.run(f"cat '{kept}'").stdout == "theirs\n"
    assert "was gone on the host, and sent again: notes.txt" in done.out


def test_a_dry_run_names_files_and_rules_and_writes_nothing(box: LabHost, laptop: Laptop) -> None:
    shown = laptop.type("sync", "--dry-run")
    assert shown.code == 0, shown
    assert "  + train.py" in shown.out, shown
    assert "data/  (.gitignore:1:data/)" in shown.out, shown
    assert "next: provision sync gpu-box" in shown.out
    assert box.run("test -e /home/ubuntu/work").returncode == 1

    document = laptop.type("sync", "--dry-run", "--json").document["hosts"]["gpu-box"]
    assert document["outcome"] == "pending"
    assert "train.py" in document["files"]["sent"]
    assert {"path": "data/", "rule": ".gitignore:1:data/"} in document["files"]["left_out"]
    assert document["sent"] == 0


def test_json_says_what_went(box: LabHost, laptop: Laptop) -> None:
    document = json.loads(laptop.type("sync", "--json").out)
    host = document["hosts"]["gpu-box"]
    assert document["command"] == "sync"
    assert (host["outcome"], host["up_to_date"], host["tree"]) == ("changed", False, TREE)
    assert host["sent"] >= 4
    assert host["bytes"] > 0
    assert host["wire_bytes"] > 0
    again = laptop.type("sync", "--json").document["hosts"]["gpu-box"]
    assert (again["outcome"], again["up_to_date"], again["sent"]) == ("converged", True, 0)
    assert box.run(f"test -e {TREE}/train.py").returncode == 0


def test_a_secret_is_asked_about_and_nothing_is_sent_without_a_yes(box: LabHost, laptop: Laptop) -> None:
    (laptop.project / ".env").write_text("KEY=1\n")
    refused = laptop.type("sync")
    assert refused.code == 2, refused
    assert ".env  (variables by its name)" in refused.out
    assert "/.env" in refused.out
    assert box.run(f"test -e {TREE}/train.py").returncode == 1

    agreed = laptop.type("sync", "--yes")
    assert agreed.code == 0, agreed
    (laptop.project / ".env").write_text("KEY=2\n")
    assert laptop.type("sync").code == 0, "what was agreed to once is not asked again"
    assert content(box, ".env") == "KEY=2\n"


def test_removing_everything_needs_a_yes_each_time(box: LabHost, laptop: Laptop) -> None:
    for number in range(40):
        (laptop.project / f"part{number}.py").write_text(str(number))
    assert laptop.type("sync").code == 0
    for number in range(40):
        (laptop.project / f"part{number}.py").unlink()
    refused = laptop.type("sync")
    assert refused.code == 2, refused
    assert "more than half of what syncs put on gpu-box, would be removed there" in refused.out
    assert content(box, "part7.py") == "7"
    assert laptop.type("sync", "--yes").code == 0
    assert box.run(f"test -e {TREE}/part7.py").returncode == 1


@pytest.mark.usefixtures("box")
def test_another_machines_tree_is_left_alone_until_it_is_taken_over(laptop: Laptop) -> None:
    assert laptop.type("sync").code == 0
    other = str(laptop.home / "other")
    refused = laptop.type("sync", XDG_STATE_HOME=other)
    assert refused.code not in {0, 1, 2}, refused
    assert "--take-over" in refused.out, refused
    assert "-> --take-over makes it yours; or set another `workdir:` in hosts.yaml" in refused.out, refused
    taken = laptop.type("sync", "--take-over", XDG_STATE_HOME=other)
    assert taken.code == 0, taken
    whose = refused.out.partition(" is the tree of ")[2].splitlines()[0]
    assert f"  it was the tree of {whose}; now it is yours" in taken.out, taken
    assert "it was the tree of" not in laptop.type("sync", "--take-over", XDG_STATE_HOME=other).out


def test_one_host_that_is_away_does_not_stop_the_others(box: LabHost, lab: Lab, laptop: Laptop) -> None:
    away = lab.host("away")
    laptop.hosts([box, away], {"away": {"port": 1}})
    done = laptop.type("sync", "all", "--json")
    assert done.code == 3, done
    hosts = done.document["hosts"]
    assert (hosts["gpu-box"]["outcome"], hosts["away"]["outcome"]) == ("changed", "unreachable")
    assert content(box, "train.py") == "print('one')\n"


def test_at_a_terminal_one_question_is_asked_for_all_hosts_and_the_yes_is_remembered(
    box: LabHost, lab: Lab, laptop: Laptop
) -> None:
    laptop.hosts([box, lab.host("den")])
    (laptop.project / ".env").write_text("KEY=1\n")
    with sit(laptop, "sync", "all") as terminal:
        terminal.expect("go on all the same? [y/N]")
        assert "/.env" in terminal.said
        terminal.answer("n")
        assert terminal.end() == 2, terminal.said
    assert box.run(f"test -e {TREE}").returncode == 1 or not content(box, "train.py")
    with sit(laptop, "sync", "all") as terminal:
        terminal.expect("go on all the same? [y/N]")
        terminal.answer("y")
        assert terminal.end() == 0, terminal.said
    assert terminal.said.count("[y/N]") == 1, terminal.said
    assert content(box, ".env") == "KEY=1\n"


def test_a_folder_that_is_no_project_is_not_sent(laptop: Laptop, box: LabHost) -> None:
    empty = laptop.home / "elsewhere"
    empty.mkdir()
    hosts = str(laptop.project / "hosts.yaml")
    refused = laptop.type("sync", "-i", hosts, cwd=Path("/usr"))
    assert refused.code == 2, refused
    assert "there is no project here" in refused.err
    (laptop.home / "provision.yaml").write_text("")
    refused = laptop.type("sync", "-i", hosts, cwd=empty)
    assert refused.code == 2, refused
    assert "your home folder: that is not sent" in refused.err
    assert box.run("test -e /home/ubuntu/work").returncode == 1


def test_the_host_knows_of_which_commit_its_tree_is_though_no_file_differs(box: LabHost, laptop: Laptop) -> None:
    def recorded() -> dict[str, object]:
        record: dict[str, object] = json.loads(content(box, ".provision/owner.json"))
        return {name: record[name] for name in ("commit", "branch", "dirty")}

    def typed(*words: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=dev", "-c", "user.email=dev@localhost", *words],
            cwd=laptop.project,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    typed("checkout", "-q", "-b", "main")
    assert laptop.type("sync").code == 0
    assert recorded() == {"commit": None, "branch": "main", "dirty": True}
    typed("add", "-A")
    typed("commit", "-q", "-m", "first")
    again = laptop.type("sync", "--json")
    assert again.document["hosts"]["gpu-box"]["up_to_date"], again
    assert recorded() == {"commit": typed("rev-parse", "HEAD"), "branch": "main", "dirty": False}
    typed("checkout", "-q", "-b", "other")
    assert laptop.type("sync", "--dry-run").code == 0
    assert recorded()["branch"] == "main"
    assert laptop.type("sync").code == 0
    assert recorded()["branch"] == "other"
    (laptop.project / "train.py").write_text("print('three')\n")
    assert laptop.type("sync").code == 0
    assert recorded()["dirty"] is True
