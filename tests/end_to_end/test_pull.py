"""`provision pull` as it is typed."""

from __future__ import annotations

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
