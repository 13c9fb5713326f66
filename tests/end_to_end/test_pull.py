"""`provision pull` as it is typed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def test_a_relative_path_stands_below_the_project_s_folder_there(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    box.run("mkdir -p ~/work/mymodel/outputs && echo 1 >~/work/mymodel/outputs/a.pt", user=box.user, check=True)
    answer = laptop.type("pull", "box:outputs", "--json")
    assert answer.code == 0, answer
    host = answer.document["hosts"]["box"]
    assert (host["outcome"], host["pulled"], host["refused"]) == ("changed", 1, [])
    assert (laptop.project / "outputs" / "a.pt").read_text() == "1\n"
    (laptop.project / "outputs" / "a.pt").write_text("mine")
    answer = laptop.type("pull", "box:outputs")
    assert answer.code == 4, answer
    assert "--overwrite" in answer.err
    answer = laptop.type("pull", "box:nothing")
    assert answer.code == 4, answer
    assert "no such file" in answer.err


def test_a_word_without_a_colon_is_a_job_that_nobody_knows(laptop: Laptop) -> None:
    inventory(laptop)
    answer = laptop.type("pull", "j-1234")
    assert answer.code == 2, answer
    assert "HOST:PATH" in answer.err


def inventory(laptop: Laptop) -> None:
    """Write two hosts that nobody can reach, and a group of them."""
    text = '{"version": 1, "hosts": {"a": {"address": "198.18.9.1"}, "b": {"address": "198.18.9.2"}}'
    (laptop.project / "hosts.yaml").write_text(text + ', "groups": {"train": ["a", "b"]}}')


def test_a_host_alone_and_a_path_alone_are_told_what_to_type(laptop: Laptop) -> None:
    inventory(laptop)
    for word, meant in (("b", "provision pull b:outputs"), ("outputs", "provision pull a:outputs")):
        answer = laptop.type("pull", word)
        assert answer.code == 2, answer
        assert f"'{word}' is not HOST:PATH" in answer.err
        assert meant in answer.err


def test_a_group_of_several_is_refused_with_the_names_of_its_hosts(laptop: Laptop) -> None:
    inventory(laptop)
    answer = laptop.type("pull", "train:outputs")
    assert answer.code == 2, answer
    assert "means 2: a, b" in answer.err
    assert "-> provision pull a:outputs" in answer.err


def test_a_destination_that_cannot_be_is_an_error_of_this_machine_before_any_connection(laptop: Laptop) -> None:
    inventory(laptop)
    (laptop.project / "afile").touch()
    for dest, said in (
        ("afile/x", "afile here is no folder"),
        ("afile/", "afile here is no folder"),
        ("afile/x/y/", "afile here is no folder"),
        ("nodir/sub/name", "there is no folder nodir/sub here"),
    ):
        for more in ((), ("--dry-run",)):
            answer = laptop.type("pull", "a:outputs", dest, *more)
            assert answer.code == 2, answer
            assert f"provision: {said}" in answer.err
            assert "  -> " in answer.err
    assert not (laptop.project / "nodir").exists()


def test_a_path_in_a_folder_that_is_closed_is_not_said_to_be_missing(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    box.run(f"mkdir -m 700 {box.home}/shut && touch {box.home}/shut/a", check=True)
    for path in ("~/shut/a", "~/shut/a*"):
        answer = laptop.type("pull", f"box:{path}")
        assert answer.code == 4, answer
        assert "Permission denied" in answer.err
        assert f"its folder {box.home}/shut belongs to root" in answer.err
        assert "no such file" not in answer.err
        assert "  -> " in answer.err


def test_the_last_word_says_where_it_went_how_much_and_in_the_units_of_sync(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    made = "mkdir -p ~/out/empty && head -c 1500000 /dev/zero >~/out/a && ln -s a ~/out/l && mkfifo ~/pipe"
    box.run(made, user=box.user, check=True)
    for words, said in (
        (("box:~/out", "--dry-run"), "1 file, 1 link, 2 new folders would come into out/, 1.5 MB"),
        (("box:~/out",), "1 file, 1 link, 2 new folders pulled into out/, 1.5 MB"),
        (("box:~/out", "--dry-run"), "0 files would come into out/, 0 B, 2 already here"),
        (("box:~/out/a", "today.bin"), "1 file pulled to today.bin, 1.5 MB"),
        (("box:~/out/a", "all/"), "1 file pulled to all/a, 1.5 MB"),
        (("box:~/out/[al]", "both/"), "2 files pulled into both/, 3.0 MB"),
    ):
        answer = laptop.type("pull", *words)
        assert answer.code == 0, answer
        assert answer.out.splitlines()[-1] == said
    answer = laptop.type("pull", "box:~/pipe")
    assert answer.code == 4, answer
    assert "not pulled: pipe: a device, a fifo or a socket" in answer.err
    to = laptop.type("pull", "box:~/out", "--json").document["hosts"]["box"]["to"]
    assert to == str(laptop.project / "out")


def test_a_full_disk_under_our_messages_does_not_stop_the_files(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    box.run("mkdir ~/out && echo 1 >~/out/a && mkfifo ~/out/pipe", user=box.user, check=True)
    for path, code in (("~/out", 0), ("~/nothing", 4)):
        line = f"exec {sys.executable} -m provision pull 'box:{path}' 2>/dev/full"
        done = subprocess.run(
            ["sh", "-c", line], cwd=laptop.project, env=laptop.environment, stdin=subprocess.DEVNULL, check=False
        )
        assert done.returncode == code
    assert (laptop.project / "out" / "a").read_text() == "1\n"


def test_a_host_without_python_says_what_installs_one(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box", without=("python3", "python"))
    laptop.hosts([box])
    answer = laptop.type("pull", "box:outputs")
    assert answer.code == 4, answer
    assert "no Python 3.6 or later there" in answer.err
    assert "provision up" in answer.err


def test_what_cannot_be_read_there_is_told_and_the_rest_comes(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    box.run("mkdir ~/out && cd ~/out && echo 1 >a && echo 2 >b && mkdir shut", user=box.user, check=True)
    box.run(f"chown root {box.home}/out/b {box.home}/out/shut && chmod 700 {box.home}/out/b {box.home}/out/shut")
    answer = laptop.type("pull", "box:~/out")
    assert answer.code == 4, answer
    for name in ("out/b", "out/shut"):
        assert f"not pulled: {name}: on the host: Permission denied" in answer.err
    assert (laptop.project / "out" / "a").read_text() == "1\n"


def test_a_failed_pull_names_its_log_which_holds_the_error(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    answer = laptop.type("pull", f"box:{box.home}/nothing")
    assert answer.code == 4, answer
    (line,) = [one for one in answer.err.splitlines() if one.startswith("log:")]
    log = Path(line.split(maxsplit=1)[1])
    assert "no such file" in log.read_text()
    assert laptop.type("pull", "box:nothing", "--json").document["hosts"]["box"]["error"]["kind"]


def test_ctrl_c_keeps_the_part_and_the_next_pull_goes_on(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box", rate_mbit=40)
    laptop.hosts([box])
    box.run("head -c 16000000 /dev/urandom >~/w.pt", user=box.user, check=True)
    part = laptop.project / ".w.pt.provision-part"
    running = laptop.start("pull", "box:~/w.pt")
    while running.poll() is None and not (part.exists() and part.stat().st_size > 2_000_000):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "goes on" in said
    assert part.exists()
    answer = laptop.type("pull", "box:~/w.pt", "--json")
    assert answer.code == 0, answer
    assert answer.document["hosts"]["box"]["resumed_bytes"] >= 2_000_000
    assert (laptop.project / "w.pt").stat().st_size == 16_000_000
