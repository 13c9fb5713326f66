"""An environment over time: changed by hand, deleted, gone back to, checked again after a reboot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.environment.site import codes, current, inside, told

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def box(site: Site) -> LabHost:
    site.root("26.7.1")
    return site.host("box")


@pytest.fixture
def typist(site: Site, laptop: Laptop, box: LabHost) -> Laptop:
    laptop.hosts([box])
    laptop.playbook({"environment": {}}, miniconda=site.adopting())
    return laptop


def base(name: str) -> str:
    return f".provision/envs/mymodel/{name}"


def built(typist: Laptop, box: LabHost, name: str, *dependencies: str) -> str:
    """Bring one environment to the host and return its generation."""
    typist.environment_yml(*(dependencies or ("python", "pip", "standin-alpha=1")), name=name)
    answer = typist.type("up")
    assert answer.code == 0, answer
    return current(box, base(name))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("piped", "{prefix}/bin/python -m pip install --no-index --find-links {wheels} standin-wheel"),
        ("condaed", "/srv/conda/26.7.1/bin/conda remove -y -p {prefix} standin-alpha"),
        (
            "removed",
            "rm -rf {prefix}/conda-meta/standin-alpha-*.json {prefix}/lib/python3*/site-packages/standin_alpha*",
        ),
    ],
)
def test_what_was_installed_or_removed_by_hand_is_found_and_a_new_generation_is_built(
    site: Site, typist: Laptop, box: LabHost, name: str, damage: str
) -> None:
    old = built(typist, box, name)
    prefix = f"{box.home}/{base(name)}/current"
    box.run("mkdir -p /var/wheels")
    for wheel in (site.channel.simple / "standin-wheel").glob("*.whl"):
        (box.root / "var/wheels" / wheel.name).write_bytes(wheel.read_bytes())
    done = box.run(f"cd / && {damage.format(prefix=prefix, wheels='/var/wheels')}", user=box.user)
    assert done.returncode == 0, done
    verdict = typist.type("verify", "--json")
    assert verdict.code == 5, verdict
    assert "NOT-CONVERGED" in codes(verdict)
    plan = typist.type("plan")
    assert "something was installed or removed by hand" in plan.out, plan
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    assert told(answer)["outcome"] == "changed"
    assert current(box, base(name)) != old
    assert inside(box, "import standin_alpha; print(standin_alpha.__version__)", base(name)) == "1.1"
    assert typist.type("verify").code == 0


def test_files_deleted_below_an_intact_record_are_found_by_verify_and_its_fix_brings_them_back(
    typist: Laptop, box: LabHost
) -> None:
    old = built(typist, box, "holed")
    box.run(f"rm {box.home}/{base('holed')}/current/lib/python3*/site-packages/standin_alpha.py", check=True)
    verdict = typist.type("verify", "--json")
    assert verdict.code == 5, verdict
    (finding,) = [one for one in told(verdict)["findings"] if one["code"] == "ENV-FILES-MISSING"]
    line = finding["fix"].split("`")[1]
    assert typist.type("exec", "box", "--", line).code == 0
    assert typist.type("up").code == 0
    assert current(box, base("holed")) != old
    assert typist.type("verify").code == 0


def test_a_deleted_current_link_is_made_again_without_a_build(typist: Laptop, box: LabHost) -> None:
    generation = built(typist, box, "unlinked")
    for link in (f"{box.home}/{base('unlinked')}/current", f"{box.home}/.conda/envs/unlinked"):
        box.run(f"rm {link}", check=True)
        answer = typist.type("up", "--json")
        assert answer.code == 0, answer
        assert not any(one["name"].startswith("build") for one in told(answer)["steps"])
        assert current(box, base("unlinked")) == generation
        assert box.run(f"test -x {link}/bin/python").returncode == 0


def test_a_deleted_generation_is_built_again(typist: Laptop, box: LabHost) -> None:
    built(typist, box, "gone")
    box.run(f"rm -rf {box.home}/{base('gone')}/1-*", check=True)
    assert typist.type("up").code == 0
    assert inside(box, "import standin_alpha; print(1)", base("gone")) == "1"


def test_a_generation_that_was_rejected_in_use_is_built_anew(typist: Laptop, box: LabHost) -> None:
    old = built(typist, box, "rejected")
    box.run(f"touch {box.home}/{base('rejected')}/current/.provision-rejected", user=box.user, check=True)
    assert typist.type("up").code == 0
    assert current(box, base("rejected")) != old


def test_going_back_to_the_old_file_goes_back_to_the_old_generation_without_a_build(
    site: Site, typist: Laptop, box: LabHost
) -> None:
    first = built(typist, box, "back")
    second = built(typist, box, "back", "python", "pip", "standin-alpha=2")
    assert second != first
    before = sum(site.web.requests.values())
    typist.environment_yml("python", "pip", "standin-alpha=1", name="back")
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    assert not any(one["name"].startswith("build") for one in told(answer)["steps"])
    assert current(box, base("back")) == first
    assert sum(site.web.requests.values()) == before


def test_comments_and_order_of_the_file_change_nothing(typist: Laptop, box: LabHost) -> None:
    built(typist, box, "comments", "python", "standin-alpha=1", "pip")
    head = f"# a comment\nname: comments\nchannels: [{typist.web.url}]  # ours\n"
    text = f"{head}dependencies:\n- pip\n- python\n- standin-alpha=1\n"
    (typist.project / "environment.yml").write_text(text)
    assert told(typist.type("up", "--json"))["outcome"] == "converged"


def test_verify_repeats_the_deep_check_and_changes_nothing_on_the_disk(typist: Laptop, box: LabHost) -> None:
    built(typist, box, "verified")
    before = box.snapshot()
    verdict = typist.type("verify", "--json")
    assert verdict.code == 0, verdict
    steps = told(verdict)["steps"]
    assert any(one["name"].startswith("import what") for one in steps)
    assert not any(one["changed"] for one in steps)
    assert box.snapshot() == before


def test_after_a_reboot_the_deep_check_is_repeated_and_the_host_counts_as_converged(site: Site, typist: Laptop) -> None:
    box = site.host("rebooted")
    typist.hosts([box])
    built(typist, box, "rebooted")
    assert told(typist.type("up", "--json"), "rebooted")["steps"] == []
    box.reboot()
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    assert told(answer, "rebooted")["outcome"] == "converged"
    assert [one["name"].split()[0] for one in told(answer, "rebooted")["steps"]] == ["import"]
    assert told(typist.type("up", "--json"), "rebooted")["steps"] == []


def test_a_running_job_keeps_its_generation(typist: Laptop, box: LabHost) -> None:
    old = built(typist, box, "running")
    prefix = box.run(f"readlink -f {box.home}/{base('running')}/current").stdout.strip()
    built(typist, box, "running", "python", "pip", "standin-alpha=2")
    code = "import standin_alpha; print(standin_alpha.__version__)"
    assert box.run([f"{prefix}/bin/python", "-c", code], user=box.user).stdout == "1.1\n"
    assert prefix.endswith(old)


def test_a_state_folder_on_another_path_holds_everything(site: Site, typist: Laptop) -> None:
    box = site.host("elsewhere")
    box.run("mkdir -p /mnt/data && chown ubuntu: /mnt/data", check=True)
    typist.hosts([box], {"elsewhere": {"state_dir": "/mnt/data/provision"}})
    typist.environment_yml("python", "standin-alpha=1", name="moved")
    assert typist.type("up").code == 0
    assert box.run("test -e /home/ubuntu/.provision").returncode == 1
    assert box.run("readlink /home/ubuntu/.conda/envs/moved").stdout.startswith("/mnt/data/provision/envs/")
    assert told(typist.type("up", "--json"), "elsewhere")["outcome"] == "converged"


def test_a_disk_that_is_too_small_is_told_before_anything_is_downloaded(site: Site, typist: Laptop) -> None:
    box = site.host("small", home_size=300 << 20)
    typist.hosts([box])
    before = sum(site.web.requests.values())
    answer = typist.type("up", "--json")
    assert answer.code == 5, answer
    (finding,) = [one for one in told(answer, "small")["findings"] if one["severity"] == "error"]
    assert finding["code"] == "DISK-SMALL"
    assert "state_dir:" in finding["fix"]
    assert sum(site.web.requests.values()) == before
    assert box.run("test -e /home/ubuntu/.provision").returncode == 1


def test_a_state_folder_that_may_not_run_programs_is_told_before_anything_is_downloaded(
    site: Site, typist: Laptop
) -> None:
    box = site.host("noexec", noexec_tmp=True)
    typist.hosts([box], {"noexec": {"state_dir": "/tmp/provision"}})
    answer = typist.type("up", "--json")
    assert answer.code == 5, answer
    assert "NOEXEC" in codes(answer, "noexec")
    assert box.run("test -e /tmp/provision").returncode == 1


def test_two_environments_of_one_project_stand_side_by_side(typist: Laptop, site: Site) -> None:
    box = site.host("two")
    typist.hosts([box])
    (typist.project / "provision.yaml").write_text("environments: {train: environment.yml, eval: eval.yml}\n")
    typist.environment_yml("python", "standin-alpha=1", name="train")
    (typist.project / "eval.yml").write_text(
        f"name: eval\nchannels: ['{site.web.url}']\ndependencies: [python, standin-alpha=2]\n"
    )
    typist.playbook({"environment": {}}, {"environment": {"name": "eval"}}, miniconda=site.adopting())
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    code = "import standin_alpha; print(standin_alpha.__version__)"
    assert inside(box, code, base("train")) == "1.1"
    assert inside(box, code, base("eval")) == "2.0"
    assert told(typist.type("up", "--json"), "two")["outcome"] == "converged"
