"""What this tool began with: a host whose own Python lacks liblzma, and an environment that brings it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


def test_a_host_python_without_liblzma_is_found_out_and_the_environments_own_has_it(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    # A Python that was built where liblzma's headers were missing has no such module.
    box.run("rm /usr/lib/python3.*/lib-dynload/_lzma.*.so", check=True)
    assert "No module named '_lzma'" in box.run("python3 -c 'import lzma'").stderr

    answer = laptop.type("up", "box", "--json")
    assert answer.code == 0, answer
    (told,) = [one for one in answer.document["hosts"]["box"]["findings"] if one["code"] == "HOST-PYTHON-STDLIB"]
    assert told["severity"] == "info"
    assert "the host's own /usr/bin/python3 (3." in told["message"]
    assert "lacks _lzma; the environment's Python 3." in told["message"]
    assert told["message"].endswith("has it")

    verdict = laptop.type("verify", "box")
    assert verdict.code == 0, verdict
    assert "HOST-PYTHON-STDLIB" in verdict.out
    inside = ". ~/miniconda3/etc/profile.d/conda.sh && conda activate mymodel && python -c 'import lzma; print(1)'"
    assert box.run(inside, user="ubuntu").stdout == "1\n"


def test_a_host_whose_python_is_whole_or_absent_is_told_nothing(lab: Lab, laptop: Laptop) -> None:
    laptop.hosts([lab.host("box"), lab.host("bare", without=("python3", "python3.11"))])
    answer = laptop.type("up", "all", "--json")
    assert answer.code == 0, answer
    for host in answer.document["hosts"].values():
        assert not [one for one in host["findings"] if one["code"] == "HOST-PYTHON-STDLIB"]
