"""A disk that fills up: a clear word, exit 4, what was in use stays in use, and with room the next run gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.aftermath import current, faults, gets_there, idle, litter, works
from tests.faults.inside import only_command
from tests.lab.knobs import MIB

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.host import LabHost
    from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def leave(box: LabHost, free: int) -> None:
    """Fill the home so that only so many bytes are free, unseen by the plan's own estimate."""
    # Tried again: what runs there may take room between the question and the answer.
    done = box.run(
        f"cd {box.home} || exit; for _ in 1 2 3 4 5 6 7 8; do free=$(df --output=avail -B1 . | tail -1); "
        f"fallocate -l $((free - {free})) filler && exit; rm -f filler; sleep 0.2; done; exit 1"
    )
    assert done.returncode == 0, done


def make_room(box: LabHost) -> None:
    box.run(f"rm -f {box.home}/filler", check=True)


def test_a_disk_that_fills_up_during_the_installation_is_told_and_gets_its_room_back(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box", home_size=2048 * MIB)
    laptop.hosts([box])
    faults(box, sleep_at="installer:early", seconds=4, times=1)
    run = laptop.start("up", "-v")
    assert run.stdout is not None
    for line in run.stdout:
        if "Unpacking payload" in line:
            break
    leave(box, 20 * MIB)
    out = run.communicate()[0]
    assert run.returncode == 4, out
    assert "the disk is full" in out
    make_room(box)
    idle(box)
    assert box.run(f"test -e {box.home}/miniconda3").returncode == 1
    gets_there(laptop, box)


def test_a_disk_that_fills_up_during_the_build_leaves_the_old_generation_in_use_and_nothing_half_done(
    lab: Lab, laptop: Laptop
) -> None:
    box = lab.host("box", home_size=2048 * MIB)
    laptop.hosts([box])
    assert laptop.type("up").code == 0
    before = current(box)
    laptop.environment_yml("python", "pip", "standin-alpha=2", "standin-beta")
    box.run(f"rm -rf {box.home}/.provision/pkgs")
    faults(box, sleep_at="solve", seconds=4, times=1)
    run = laptop.start("up", "-v")
    assert run.stdout is not None
    for line in run.stdout:
        if "conda create" in line:
            break
    leave(box, 30 * MIB)
    out = run.communicate()[0]
    assert run.returncode == 4, out
    assert "the disk is full" in out
    assert current(box) == before
    assert works(box)
    assert litter(box) == ""
    idle(box)
    make_room(box)
    gets_there(laptop, box)
    assert current(box).startswith("2-")


@pytest.mark.parametrize(
    ("knob", "point"),
    [("fail_at", "extract:2"), ("fail_at", "link:1"), ("fail", "enospc-link"), ("fail", "enospc-corrupted")],
)
def test_every_way_in_which_conda_says_that_the_disk_is_full_is_understood(
    lab: Lab, laptop: Laptop, knob: str, point: str
) -> None:
    box = lab.host("box")
    laptop.hosts([box])
    faults(box, **{knob: point}, times=1)
    answer = laptop.type("up", "--json")
    if point == "enospc-corrupted":
        # There is room in truth: cleaned, and tried once more.
        assert answer.code == 0, answer
    else:
        assert answer.code == 4, answer
        assert "the disk is full" in answer.document["hosts"]["box"]["error"]["message"]
    assert litter(box) == ""
    gets_there(laptop, box)


def test_a_disk_without_a_byte_left_is_told_as_such_and_not_as_a_bug(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box", home_size=64 * MIB)
    laptop.hosts([box])
    only_command(laptop, "echo ran")
    leave(box, 0)
    answer = laptop.type("up", "--json")
    assert answer.code == 4, answer
    assert "No space left on device" in answer.document["hosts"]["box"]["error"]["message"]
    make_room(box)
    assert laptop.type("up").code == 0
    idle(box)
