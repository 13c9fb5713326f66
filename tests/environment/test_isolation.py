"""Terms of Service, and the user's own configuration of conda and pip: neither accepted nor obeyed in silence."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.environment.site import codes, inside, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.laptop import Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab

VERSIONS = ("24.11.3", "25.11.1", "26.5.3", "26.7.1")
soak = pytest.mark.soak
EVERY_VERSION = [pytest.param(one, marks=[] if one in {VERSIONS[0], VERSIONS[-1]} else soak) for one in VERSIONS]

HOSTILE_CONDARC = """
channels: [defaults, nowhere-at-all]
default_channels: [{terms}]
create_default_packages: [standin-right, no-such-package]
envs_dirs: [/home/ubuntu/elsewhere]
pkgs_dirs: [/home/ubuntu/elsewhere-pkgs]
pip_interop_enabled: true
channel_priority: strict
always_yes: false
"""
HOSTILE_RC = """
export CONDARC=/home/ubuntu/other.condarc CONDA_CHANNELS=nowhere-at-all CONDA_ENVS_DIRS=/home/ubuntu/elsewhere
export CONDA_PKGS_DIRS=/home/ubuntu/elsewhere-pkgs CONDA_PREFIX=/home/ubuntu/elsewhere/x CONDA_SHLVL=3
export CONDA_CREATE_DEFAULT_PACKAGES=no-such-package CONDA_OVERRIDE_CUDA=12.8 CONDA_OFFLINE=true CONDA_DRY_RUN=true
export PIP_INDEX_URL=http://127.0.0.1:9/ PIP_TARGET=/home/ubuntu/elsewhere PIP_REQUIRE_VIRTUALENV=1 PIP_USER=1
export PIP_NO_INDEX=1 PYTHONPATH=/home/ubuntu/hostile PYTHONHOME=/nowhere PYTHONUSERBASE=/home/ubuntu/elsewhere
"""
HOSTILE_PIP = "[global]\nindex-url = http://127.0.0.1:9/\ntarget = /home/ubuntu/elsewhere\nrequire-virtualenv = true\n"


@pytest.fixture(scope="module")
def terms(site: Site) -> str:
    """A channel like the others that serves terms of service."""
    folder = site.folder / "served/terms"
    shutil.copytree(site.channel.path, folder, copy_function=os.link)
    (folder / "terms.json").write_text('{"version": "2026-01-01", "text": "made up"}')
    return f"{site.web.url}/terms"


@pytest.fixture(scope="module")
def box(site: Site, terms: str) -> Iterator[LabHost]:
    """A host whose user configured all that could be in the way, and whose condas have a .condarc of their own."""
    configured = HOSTILE_CONDARC.format(terms=terms)
    private = "/home/ubuntu"
    files = (
        (f"{private}/.condarc", configured, 0o644),
        (f"{private}/other.condarc", configured, 0o644),
        (f"{private}/.config/conda/condarc", configured, 0o644),
        (f"{private}/.conda/condarc", configured, 0o644),
        (f"{private}/.config/pip/pip.conf", HOSTILE_PIP, 0o644),
        (f"{private}/.pip/pip.conf", HOSTILE_PIP, 0o644),
        (f"{private}/.bashrc", HOSTILE_RC, 0o644),
        (f"{private}/hostile/json.py", "raise SystemExit('a hostile module was imported')\n", 0o644),
        ("/etc/pip.conf", HOSTILE_PIP, 0o644),
    )
    wanted = VERSIONS if os.environ.get("PROVISION_SOAK") else (VERSIONS[0], VERSIONS[-1])
    before = {one: (site.root(one) / ".condarc").read_text() for one in wanted}
    for one in wanted:
        (site.root(one) / ".condarc").write_text(f"channels: [defaults]\ndefault_channels: [{terms}]\n")
    box = site.host("box", files=files)
    box.run("chown -R ubuntu: /home/ubuntu", check=True)
    yield box
    for one, text in before.items():
        (site.root(one) / ".condarc").write_text(text)


def ask(site: Site, laptop: Laptop, box: LabHost, version: str, **miniconda: object) -> None:
    laptop.hosts([box])
    task = {"environment": {"allow_pip_options": True}}
    laptop.playbook(task, miniconda={**site.adopting(version), **miniconda})


@pytest.mark.parametrize("channels", [["defaults"], [], ["conda-forge", "pkgs/main"]])
def test_channels_with_terms_are_refused_before_anything_is_downloaded_and_both_ways_out_are_told(
    site: Site, laptop: Laptop, channels: list[str]
) -> None:
    box = site.lab.host("bare")
    laptop.hosts([box])
    laptop.environment_yml("python", channels=channels)
    before = sum(site.web.requests.values())
    answer = laptop.type("up", "--json")
    assert answer.code == 5, answer
    (finding,) = [one for one in told(answer, "bare")["findings"] if one["severity"] == "error"]
    assert finding["code"] == "CONDA-TERMS"
    assert "accept_tos: true" in finding["fix"]
    assert "channels: [conda-forge]" in finding["fix"]
    assert sum(site.web.requests.values()) == before
    assert box.run("test -e /home/ubuntu/.provision -o -e /home/ubuntu/miniconda3").returncode == 1


@pytest.mark.parametrize("version", EVERY_VERSION)
def test_the_users_word_lets_a_channel_with_terms_pass(
    site: Site, laptop: Laptop, box: LabHost, terms: str, version: str
) -> None:
    ask(site, laptop, box, version, accept_tos=True)
    laptop.environment_yml("cuda-version=12.4", channels=[terms], name=f"word{version}")
    answer = laptop.type("up", "--json")
    assert answer.code == 0, answer
    assert box.run("test -e /home/ubuntu/.conda/tos").returncode == 1


@pytest.mark.parametrize("version", EVERY_VERSION)
def test_terms_that_only_the_server_knows_of_fail_the_build_with_the_ways_out(
    site: Site, laptop: Laptop, box: LabHost, terms: str, version: str
) -> None:
    ask(site, laptop, box, version)
    laptop.environment_yml("cuda-version=12.6", channels=[terms], name=f"silent{version}")
    answer = laptop.type("up", "--json")
    assert answer.code == 4, answer
    error = told(answer)["error"]
    assert "Terms of Service" in error["message"]
    assert "accept_tos: true" in error["hint"]


@pytest.mark.parametrize("version", EVERY_VERSION)
def test_nothing_that_the_user_configured_gets_into_an_environment_and_nothing_of_it_is_changed(
    site: Site, laptop: Laptop, box: LabHost, version: str
) -> None:
    ask(site, laptop, box, version)
    name = f"apart{version}"
    host = site.web.url.split("/")[2].split(":")[0]
    lines = [f"--index-url {site.web.url}/simple", f"--trusted-host {host}", "standin-wheel==1.1"]
    laptop.environment_yml("python", "pip", "standin-alpha=1.0", "pytorch", {"pip": lines}, name=name)
    before = {path: entry for path, entry in box.snapshot().items() if own(path)}
    answer = laptop.type("up", "--json")
    assert answer.code == 0, answer
    assert laptop.type("verify").code == 0
    base = f".provision/envs/mymodel/{name}"
    assert inside(box, "import standin_alpha as a, standin_wheel as w, torch; print(a.__version__, w.__version__, "
                  "torch.__version__)", base) == "1.0 1.1 2.6.0+cpu"  # fmt: skip
    listed = box.run(f"ls {box.home}/{base}/current/conda-meta").stdout
    assert "standin-right" not in listed
    assert {path: entry for path, entry in box.snapshot().items() if own(path)} == before
    assert box.run("ls -d /home/ubuntu/elsewhere /home/ubuntu/elsewhere-pkgs").stdout == ""


def own(path: str) -> bool:
    """Whether a path is the user's own: not ours below ~/.provision, nor our links in ~/.conda/envs."""
    return path.startswith("/home/ubuntu/") and not path.startswith(
        ("/home/ubuntu/.provision", "/home/ubuntu/.conda/envs")
    ) and path != "/home/ubuntu/.conda"  # fmt: skip


def test_rc_files_of_every_shell_stay_as_they_are(laptop: Laptop, site: Site) -> None:
    box = site.host("plain")
    ask(site, laptop, box, "26.7.1")
    names = ".bashrc .bash_profile .profile .zshrc .zprofile .config/fish/config.fish .tcshrc .condarc"
    before = box.run(f"cd /home/ubuntu && cat {names} 2>&1").stdout
    assert laptop.type("up").code == 0
    assert box.run(f"cd /home/ubuntu && cat {names} 2>&1").stdout == before


def test_the_codes_of_a_refusal_are_in_the_plan_too(laptop: Laptop, site: Site) -> None:
    box = site.host("planned")
    ask(site, laptop, box, "26.7.1")
    laptop.environment_yml("python", channels=["defaults"])
    plan = laptop.type("plan", "--json")
    assert codes(plan, "planned")[0] == "CONDA-TERMS"
