"""`provision pull` as it is typed."""

from __future__ import annotations

import signal
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
    answer = laptop.type("pull", "j-1234")
    assert answer.code == 2, answer
    assert "HOST:PATH" in answer.err


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
