"""A build that fails, or that conda calls done though it is not: told, and never put in the place of what works."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.environment.site import codes, current, inside, told
from tests.lab.webserver import Fault

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Answer, Laptop
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
    laptop.playbook({"environment": {"allow_pip_options": True}}, miniconda=site.adopting())
    return laptop


def base(name: str) -> str:
    return f".provision/envs/mymodel/{name}"


def left(box: LabHost, name: str) -> list[str]:
    """Return what stands in the environment's folder."""
    return sorted(box.run(f"ls -A {box.home}/{base(name)}").stdout.split())


def index(site: Site) -> list[str]:
    return [f"--index-url {site.web.url}/simple", f"--trusted-host {site.web.url.split('/')[2].split(':')[0]}"]


def works_first(typist: Laptop, box: LabHost, name: str) -> str:
    typist.environment_yml("python", "pip", "standin-alpha=1", name=name)
    assert typist.type("up").code == 0
    return current(box, base(name))


def failed(answer: Answer, *words: str) -> None:
    assert answer.code == 4, answer
    error = told(answer)["error"]
    for word in words:
        assert word in f"{error['message']}\n{error['hint']}", answer


# -- failures ------------------------------------------------------------------------------------


def test_a_pip_section_that_fails_leaves_the_old_generation_in_use_and_no_half_one(
    site: Site, typist: Laptop, box: LabHost
) -> None:
    before = works_first(typist, box, "clash")
    for wrong in ("standin-clash", "no-such-distribution"):
        typist.environment_yml("python", "pip", "standin-alpha=1", {"pip": [*index(site), wrong]}, name="clash")
        failed(typist.type("up", "--json"), "pip finds no version of")
        assert current(box, base("clash")) == before
        assert left(box, "clash") == [before, "current"]
        assert inside(box, "import standin_alpha; print(1)", base("clash")) == "1"


@pytest.mark.parametrize(
    ("dependencies", "words"),
    [
        pytest.param(
            ["standin-left", "standin-right"], ["do not fit together", "loosen a version"], id="unsatisfiable"
        ),
        pytest.param(["no-such-package"], ["in none of the channels", "no-such-package"], id="unknown package"),
        pytest.param(["standin-alpha=9"], ["in none of the channels"], id="unknown version"),
    ],
)
def test_what_cannot_be_solved_is_explained_and_changes_nothing(
    typist: Laptop, box: LabHost, dependencies: list[str], words: list[str]
) -> None:
    before = works_first(typist, box, "unsolved")
    typist.environment_yml("python", *dependencies, name="unsolved")
    failed(typist.type("up", "--json"), *words)
    assert left(box, "unsolved") == [before, "current"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(Fault(status=404), ["a channel does not exist (404)"], id="404"),
        pytest.param(Fault(status=403), ["a server refused (403)", "mirrors:"], id="403"),
    ],
)
def test_a_channel_that_does_not_serve_is_explained(
    site: Site, typist: Laptop, box: LabHost, fault: Fault, words: list[str]
) -> None:
    for subdir in ("noarch", "linux-64", "linux-aarch64"):
        for name in ("repodata.json", "repodata.json.zst"):
            site.web.fault(f"/{subdir}/{name}", fault)
    typist.environment_yml("cuda-version=12.1", name="unserved")
    failed(typist.type("up", "--json"), *words)
    assert current(box, base("unserved")) == ""


@pytest.mark.usefixtures("box")
def test_a_package_that_is_not_what_the_channel_promised_is_refused_and_explained(site: Site, typist: Laptop) -> None:
    (package,) = (site.web.folder / "noarch").glob("standin-gamma-*")
    site.web.fault(f"/noarch/{package.name}", Fault(flip_at=package.stat().st_size - 10))
    typist.environment_yml("python", "standin-gamma", name="promised")
    failed(typist.type("up", "--json"), "not what it had promised", "mirror")
    site.web.heal()
    assert typist.type("up").code == 0


def test_what_does_not_import_is_rejected_before_it_is_used_and_the_old_one_stays(typist: Laptop, box: LabHost) -> None:
    before = works_first(typist, box, "broken")
    typist.environment_yml("python", "pip", "standin-alpha=1", "standin-broken", name="broken")
    for _ in range(2):
        answer = typist.type("up", "--json")
        failed(answer, "standin_broken", "libbroken.so.1")
        assert "ENV-IMPORT-FAILED" in codes(answer)
        assert current(box, base("broken")) == before
    rejected = [one for one in left(box, "broken") if one not in {before, "current"}]
    assert len(rejected) == 1, "a rejected generation is removed before its successor is built"
    typist.environment_yml("python", "pip", "standin-alpha=2", name="broken")
    assert typist.type("up").code == 0
    assert not set(left(box, "broken")) & set(rejected)


def test_a_wheel_that_does_not_import_is_rejected_too(site: Site, typist: Laptop) -> None:
    typist.environment_yml("python", "pip", {"pip": [*index(site), "standin-broken"]}, name="brokenwheel")
    answer = typist.type("up", "--json")
    failed(answer, "standin_broken", "libbroken.so.1")
    assert told(answer)["outcome"] == "failed"


def test_a_key_that_conda_would_ignore_is_an_error_with_a_near_match(typist: Laptop, box: LabHost) -> None:
    typist.environment_yml("python", dependancies=["numpy"])
    before = box.connections()
    answer = typist.type("up")
    assert answer.code == 2, answer
    assert "dependancies: unknown key, did you mean 'dependencies'?" in answer.err
    assert box.connections() == before


# -- what was asked for --------------------------------------------------------------------------


def test_pip_lines_from_included_files_and_with_options_are_installed_and_read_back(
    site: Site, typist: Laptop, box: LabHost
) -> None:
    (typist.project / "requirements.txt").write_text("# the wheels\nstandin-wheel>=1.1 ; python_version >= '3'\n")
    (typist.project / "limits.txt").write_text("standin-wheel<2\n")
    lines = [*index(site), "-r requirements.txt", "-c limits.txt", "standin-plugin"]
    typist.environment_yml("python", "pip", {"pip": lines}, name="included")
    plan = typist.type("plan")
    assert "+ pip: standin-plugin" in plan.out
    assert "pip is told: --index-url" in plan.out
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    assert (
        inside(box, "import standin_wheel, standin_plugin; print(standin_wheel.__version__)", base("included")) == "1.1"
    )
    (typist.project / "requirements.txt").write_text("standin-wheel==1.0\n")
    changed = typist.type("plan")
    assert "+ pip: standin-wheel==1.0" in changed.out


def test_variables_are_there_after_activation_from_bash_and_zsh_logins(site: Site, typist: Laptop) -> None:
    box = site.host("shells")
    typist.hosts([box])
    variables = {"GREETING": 'it\'s "me" $HOME', "EMPTY": ""}
    typist.environment_yml("python", variables=variables, name="spoken")
    assert typist.type("up").code == 0
    code = "import os, sys; print(repr(os.environ['GREETING']), sys.prefix)"
    line = f'. /srv/conda/26.7.1/etc/profile.d/conda.sh && conda activate spoken && python -c "{code}"'
    for shell in ("bash", "zsh"):
        done = box.run([shell, "-lc", line], user=box.user)
        assert done.returncode == 0, done
        assert repr(variables["GREETING"]) in done.stdout
        assert "/spoken" in done.stdout
    direct = box.run(f"{box.home}/.conda/envs/spoken/bin/python -c 'import sys; print(sys.prefix)'", user=box.user)
    assert direct.stdout.strip() == f"{box.home}/.conda/envs/spoken"


def test_requirements_txt_alone_gets_a_python_from_conda_and_the_rest_by_pip(
    site: Site, typist: Laptop, box: LabHost
) -> None:
    (typist.project / "environment.yml").unlink()
    (typist.project / "requirements.txt").write_text("standin-wheel==1.1\n")
    inventory = json.loads((typist.project / "hosts.yaml").read_text())
    inventory["mirrors"] = {"near": {"channels": {"conda-forge": site.web.url}, "pip": f"{site.web.url}/simple"}}
    inventory["hosts"]["box"]["mirrors"] = "near"
    (typist.project / "hosts.yaml").write_text(json.dumps(inventory))
    typist.playbook({"environment": {"python": "3.11"}}, miniconda=site.adopting())
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    assert inside(box, "import standin_wheel, sys; print(standin_wheel.__version__, sys.version_info.minor)",
                  base("mymodel")) == "1.1 11"  # fmt: skip


def test_a_hostile_prefix_and_the_name_base_are_ignored_with_one_line_each(typist: Laptop, box: LabHost) -> None:
    box.run("mkdir -p ~/thesis && echo mine >~/thesis/chapter", user=box.user, check=True)
    typist.environment_yml("cuda-version=12.6", name="base", prefix="/home/ubuntu/thesis")
    typist.playbook({"environment": {}}, miniconda={"prefix": "/srv/conda/26.7.1"})
    answer = typist.type("up", "--json")
    assert answer.code == 0, answer
    notes = [one["message"] for one in told(answer)["findings"] if one["code"] == "ENV-NOTE"]
    assert sum("'prefix: /home/ubuntu/thesis' is ignored" in one for one in notes) == 1
    assert sum("'name: base' means conda's own environment" in one for one in notes) == 1
    assert box.run("cat /home/ubuntu/thesis/chapter").stdout == "mine\n"
    assert current(box, base("mymodel"))


# -- who else is there ---------------------------------------------------------------------------


def test_two_laptops_at_once_build_one_environment_and_the_second_waits_or_is_told_who_holds_the_host(
    site: Site, typist: Laptop, box: LabHost
) -> None:
    typist.environment_yml("python", "standin-beta=2", name="shared")
    second = site.laptop()
    second.hosts([box])
    second.playbook({"environment": {"allow_pip_options": True}}, miniconda=site.adopting())
    second.environment_yml("python", "standin-beta=2", name="shared")
    (box.root / "etc/standin-faults.json").write_text('{"sleep_at": "link:1", "seconds": 4}')
    running = typist.start("up")
    try:
        wait_for(box, "/home/ubuntu/.provision/envs/mymodel/shared/.work")
        refused = second.type("up", "--json")
        assert refused.code == 6, refused
        assert "held by" in told(refused)["error"]["message"]
        waited = second.type("up", "--wait", "--json")
        assert waited.code == 0, waited
        assert told(waited)["outcome"] == "converged"
        assert running.wait(60) == 0
    finally:
        (box.root / "etc/standin-faults.json").unlink()
        second.kill(running)
    assert len(left(box, "shared")) == 2


def wait_for(box: LabHost, path: str) -> None:
    from tests.lab.machine import wait_until

    wait_until(lambda: box.run(f"test -e {path}").returncode == 0, f"{path} does not appear", 30)


def test_an_environment_of_the_same_name_that_is_not_ours_is_never_replaced(typist: Laptop, box: LabHost) -> None:
    box.run("mkdir -p ~/.conda/envs/taken/conda-meta", user=box.user, check=True)
    typist.environment_yml("cuda-version=12.4", name="taken")
    answer = typist.type("up", "--json")
    assert answer.code == 5, answer
    assert codes(answer)[0] == "ENV-NAME-FOREIGN"
    assert box.run("ls -A /home/ubuntu/.conda/envs/taken").stdout == "conda-meta\n"


@pytest.mark.usefixtures("box")
def test_an_environment_of_conda_itself_that_would_shadow_ours_is_told_before_and_after_the_build(
    site: Site, typist: Laptop
) -> None:
    shadow = site.root("26.7.1") / "envs/shadowed"
    typist.environment_yml("cuda-version=12.4", name="shadowed")
    shadow.mkdir(parents=True)
    try:
        before = typist.type("up", "--json")
        assert before.code == 5, before
        assert codes(before)[0] == "ENV-NAME-SHADOWED"
        shadow.rmdir()
        assert typist.type("up").code == 0
        shadow.mkdir()
        after = typist.type("up", "--json")
        assert after.code == 5, after
        assert codes(after)[0] == "ENV-NAME-SHADOWED"
    finally:
        shadow.rmdir()
