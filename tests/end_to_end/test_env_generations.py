"""Generations as a user sees them: listed, gone back to, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.environment.conftest import laptop, roots, site, typist
from tests.environment.site import BASE, codes, current, told
from tests.standin.conftest import channel, installers, shared

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.environment.site import Site

__all__ = ["channel", "installers", "laptop", "roots", "shared", "site", "typist"]
pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


def test_a_rollback_stands_until_the_file_changes_and_gc_removes_what_nothing_uses(site: Site, typist: Laptop) -> None:
    box = site.host("box")
    typist.hosts([box])
    typist.playbook({"environment": {}}, miniconda=site.adopting())
    made = []
    for dependencies in (("python", "pip", "standin-alpha=1"), ("python", "pip"), ("python",)):
        typist.environment_yml(*dependencies)
        answer = typist.type("up")
        assert answer.code == 0, answer
        made.append(current(box))
    first, second, third = made

    answer = typist.type("env", "list", "--json")
    assert answer.code == 0, answer
    (environment,) = told(answer)["environments"]
    assert [(one["generation"], one["standing"]) for one in environment["generations"]] == [
        (first, "complete"),
        (second, "previous"),
        (third, "current"),
    ]
    assert all(one["bytes"] > 0 for one in environment["generations"])

    answer = typist.type("env", "rollback", "box")
    assert answer.code == 0, answer
    assert current(box) == second
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    assert current(box) == second
    assert "ENV-ROLLED-BACK" in codes(answer)
    answer = typist.type("env", "rollback", "box", "--undo")
    assert answer.code == 0, answer
    assert current(box) == third

    # A process that lives in the oldest one holds it.
    python = f"{box.home}/{BASE}/{first}/bin/python"
    pid = box.run(
        f"setsid {python} -c 'import time; time.sleep(90)' >/dev/null 2>&1 </dev/null & echo $!", user=box.user
    ).stdout
    try:
        answer = typist.type("env", "gc", "box", "--keep", "1", "--yes", "--json")
        assert answer.code == 0, answer
        assert [one.split("/")[-1] for one in told(answer)["generations"]] == [second]
    finally:
        box.run(f"kill -9 {pid.strip()}; sleep 0.3")
    assert (box.root / f"{box.home}/{BASE}/{first}".lstrip("/")).exists()
    answer = typist.type("env", "gc", "box", "--keep", "1", "--yes", "--json")
    assert answer.code == 0, answer
    assert [one.split("/")[-1] for one in told(answer)["generations"]] == [first]
    assert current(box) == third
    assert typist.type("up").code == 0

    typist.environment_yml("python", "pip")
    answer = typist.type("up")
    assert answer.code == 0, answer
    assert current(box) not in made
