"""`env:` of a host reaches what runs there, and no log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

AWKWARD = 'it\'s $HOME `id` \\ "two words"'


def test_the_users_variables_reach_steps_and_typed_commands_byte_for_byte(lab: Lab, laptop: Laptop) -> None:
    box = lab.host("box")
    laptop.hosts([box], {"box": {"env": {"HF_ENDPOINT": AWKWARD}}})
    (laptop.project / "playbooks/training.yaml").write_text(
        "name: training\ntasks:\n  - command: {run: 'printf %s \"$HF_ENDPOINT\" >seen', creates: ~/seen}\n"
    )
    done = laptop.type("up", "box")
    assert done.code == 0, done
    assert box.run("cat /home/ubuntu/seen").stdout == AWKWARD
    typed = laptop.type("exec", "box", "--", 'printf %s "$HF_ENDPOINT"')
    assert typed.out.rstrip("\n") == AWKWARD, typed
    logs = "".join(path.read_text() for path in (laptop.home / ".local/state/provision/logs").iterdir())
    assert AWKWARD not in logs
