"""What stands at the playbook's prefix already: adopted, repaired, or refused, never replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.environment.site import codes, inside, told

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Answer, Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def box(site: Site) -> LabHost:
    site.root("26.7.1")
    return site.host("box")


def up(laptop: Laptop, box: LabHost, prefix: str, *tasks: dict[str, object], **miniconda: object) -> Answer:
    laptop.hosts([box])
    laptop.playbook(*tasks, miniconda={"prefix": prefix, **miniconda})
    return laptop.type("up", "--json")


@pytest.mark.parametrize("with_environment", [True, False])
def test_a_foreign_folder_is_refused_and_stays_as_it_is(
    laptop: Laptop, box: LabHost, *, with_environment: bool
) -> None:
    prefix = f"{box.home}/thesis"
    box.run(f"mkdir -p {prefix} && echo mine >{prefix}/chapter", user=box.user, check=True)
    before = box.snapshot()
    tasks: tuple[dict[str, object], ...] = ({"environment": {}},) if with_environment else ()
    answer = up(laptop, box, "~/thesis", *tasks)
    assert answer.code == 5, answer
    assert codes(answer)[0] == "CONDA-PREFIX-FOREIGN"
    assert box.snapshot() == before
    plan = laptop.type("plan")
    assert "CONDA-PREFIX-FOREIGN" in plan.out, plan
    box.run(f"rm -rf {prefix}")


@pytest.mark.parametrize("brand", ["Miniconda", "Miniforge", "Anaconda"])
def test_a_healthy_conda_of_any_make_is_adopted_and_not_a_file_of_it_changes(
    laptop: Laptop, box: LabHost, brand: str
) -> None:
    prefix = f"{box.home}/{brand.lower()}3"
    box.run(f"cp -a /srv/conda/26.7.1 {prefix} && chown -R {box.user}: {prefix}", check=True)
    made_by = {
        "Miniconda": "conda-anaconda-tos-0.2.1-py311_0",
        "Miniforge": "mamba-2.0.5-0",
        "Anaconda": "anaconda-2025.6-0",
    }
    box.run(f"echo '{{}}' >{prefix}/conda-meta/{made_by[brand]}.json", check=True)
    before = {path: entry for path, entry in box.snapshot().items() if path.startswith(prefix)}
    answer = up(laptop, box, f"~/{brand.lower()}3")
    assert answer.code == 0, answer
    assert [one["name"] for one in told(answer)["steps"]] == [f"check {brand} 26.7.1 at {prefix}"]
    assert {path: entry for path, entry in box.snapshot().items() if path.startswith(prefix)} == before
    assert told(laptop.type("up", "--json"))["outcome"] == "converged"
    box.run(f"rm -rf {prefix}")


def test_a_conda_owned_by_root_and_read_only_builds_environments_in_our_state_folder(
    laptop: Laptop, box: LabHost
) -> None:
    answer = up(laptop, box, "/srv/conda/26.7.1", {"environment": {}})
    assert answer.code == 0, answer
    assert inside(box, "import standin_alpha; print(standin_alpha.__version__)") == "1.1"


def test_a_conda_that_is_too_old_is_refused_with_both_versions(laptop: Laptop, box: LabHost) -> None:
    answer = up(laptop, box, "/srv/conda/26.7.1", {"environment": {}}, minimum="27.1")
    assert answer.code == 5, answer
    (finding, *_) = told(answer)["findings"]
    assert finding["code"] == "CONDA-OLD"
    assert "26.7.1" in finding["message"]
    assert "27.1" in finding["message"]


def test_a_conda_that_is_too_old_is_refused_also_where_nothing_else_is_to_be_done(laptop: Laptop, box: LabHost) -> None:
    assert up(laptop, box, "/srv/conda/26.7.1").code == 0
    answer = up(laptop, box, "/srv/conda/26.7.1", minimum="27.1")
    assert answer.code == 5, answer
    assert codes(answer) == ["CONDA-OLD"]


def test_a_conda_that_is_whole_and_does_not_run_fails_its_check(laptop: Laptop, box: LabHost) -> None:
    prefix = f"{box.home}/broken3"
    box.run(f"cp -a /srv/conda/26.7.1 {prefix} && chown -R {box.user}: {prefix}", check=True)
    box.run(f"printf '#!/bin/sh\\nexit 3\\n' >{prefix}/bin/conda", check=True)
    answer = up(laptop, box, "~/broken3")
    assert answer.code == 4, answer
    assert codes(answer) == ["CONDA-BROKEN"] or "does not run" in told(answer)["error"]["message"], answer
    box.run(f"rm -rf {prefix}")


def test_an_empty_folder_left_by_a_full_disk_is_used(site: Site, laptop: Laptop) -> None:
    box = site.lab.host("box")
    box.run("mkdir /home/ubuntu/miniconda3", user=box.user, check=True)
    answer = up(laptop, box, "~/miniconda3")
    assert answer.code == 0, answer
    assert box.run("/home/ubuntu/miniconda3/bin/conda --version").stdout.startswith("conda 26.7.1")


def test_a_half_installed_prefix_is_repaired_whoever_began_it(site: Site, laptop: Laptop) -> None:
    box = site.lab.host("box")
    installer = f"/tmp/{laptop.installer.path.name}"
    box.run(f"curl -so {installer} {site.web.url}/{laptop.installer.path.name}", user=box.user, check=True)
    knobs = box.root / "etc/standin-faults.json"
    knobs.write_text('{"kill_at": "installer:half"}')
    assert box.run(f"bash {installer} -b -p ~/miniconda3", user=box.user).returncode != 0
    knobs.unlink()
    assert box.run("test -f /home/ubuntu/miniconda3/conda-meta/history").returncode == 0
    answer = up(laptop, box, "~/miniconda3", {"environment": {}})
    assert answer.code == 0, answer
    assert any("repair Miniconda" in one["name"] for one in told(answer)["steps"])
    assert laptop.type("verify").code == 0


def test_a_symlinked_prefix_to_a_healthy_conda_is_adopted_and_stays_a_link(laptop: Laptop, box: LabHost) -> None:
    box.run("ln -sfn /srv/conda/26.7.1 ~/linked3", user=box.user, check=True)
    answer = up(laptop, box, "~/linked3", {"environment": {}})
    assert answer.code == 0, answer
    assert box.run("readlink /home/ubuntu/linked3").stdout.strip() == "/srv/conda/26.7.1"


def test_a_dangling_link_at_the_prefix_is_refused_and_stays(laptop: Laptop, box: LabHost) -> None:
    box.run("ln -sfn /mnt/gone ~/dangling3", user=box.user, check=True)
    answer = up(laptop, box, "~/dangling3")
    assert answer.code == 5, answer
    assert box.run("readlink /home/ubuntu/dangling3").stdout.strip() == "/mnt/gone"


def test_a_path_with_spaces_is_refused_in_the_playbook(laptop: Laptop, box: LabHost) -> None:
    answer = up(laptop, box, "~/my conda")
    assert answer.code == 2, answer
    assert "playbooks/training.yaml:" in answer.err
    assert "without spaces" in answer.err
