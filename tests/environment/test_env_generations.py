"""Generations as a user sees them: listed, gone back to, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.environment.site import BASE, codes, current, told

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

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


def three(typist: Laptop, box: LabHost) -> list[str]:
    """Build three generations, and return their names."""
    made = []
    for dependencies in (("python", "pip", "standin-alpha=1"), ("python", "pip"), ("python",)):
        typist.environment_yml(*dependencies)
        answer = typist.type("up")
        assert answer.code == 0, answer
        made.append(current(box))
    return made


def there(box: LabHost) -> set[str]:
    return set(box.run(f"ls {box.home}/{BASE} | grep -- -").stdout.split())


def test_a_job_holds_the_generation_that_it_began_with(site: Site, typist: Laptop) -> None:
    box = site.host("jobs")
    typist.hosts([box])
    typist.playbook({"environment": {}}, miniconda=site.adopting())
    typist.environment_yml("python", "pip", "standin-alpha=1")
    assert typist.type("up").code == 0
    first = current(box)
    launched = typist.type("run", "--detach", "jobs", "--", "sleep", "300")
    assert launched.code == 0, launched
    three(typist, box)
    listed = told(typist.type("env", "list", "jobs", "--json"), "jobs")
    (held,) = [one for one in listed["environments"][0]["generations"] if one["generation"] == first]
    assert any(launched.out.strip() in one for one in held["used_by"]), held
    answer = typist.type("env", "gc", "jobs", "--keep", "1", "--yes")
    assert answer.code == 0, answer
    assert first in there(box)
    assert typist.type("stop", launched.out.strip()).code == 0
    assert typist.type("env", "gc", "jobs", "--keep", "1", "--yes").code == 0
    assert there(box) == {current(box)}


def test_gc_says_first_what_goes_and_a_kill_in_the_middle_leaves_nothing_half(site: Site, typist: Laptop) -> None:
    box = site.host("killed")
    typist.hosts([box])
    typist.playbook({"environment": {}}, miniconda=site.adopting())
    made = three(typist, box)
    answer = typist.type("env", "gc", "killed", "--keep", "1", "--dry-run")
    assert answer.code == 0, answer
    assert made[0] in answer.out + answer.err
    assert there(box) == set(made)
    refused = typist.type("env", "gc", "killed", "--keep", "1")
    assert refused.code == 2, refused
    assert "--yes" in refused.err
    assert there(box) == set(made)
    # As a kill leaves it: renamed aside, half deleted.
    aside = f"{box.home}/.provision/.removing"
    box.run(f"mkdir -p {aside}/9-0123abcd-1/lib && touch {aside}/9-0123abcd-1/lib/left", user=box.user, check=True)
    answer = typist.type("env", "gc", "killed", "--keep", "1", "--yes", "--json")
    assert answer.code == 0, answer
    assert told(answer, "killed")["freed_bytes"] > 0
    assert there(box) == {made[-1]}
    assert box.run(f"ls -A {aside}").stdout == "", "what an interrupted removal left is still there"
    assert typist.type("up", "--json").document["hosts"]["killed"]["outcome"] == "converged"
