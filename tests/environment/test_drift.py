"""What somebody changed on a host by hand: named by `verify --drift` and `env diff`, repaired by `up`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.environment.site import RECORDED, codes, current, told

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Answer, Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

APT_CONFIG = """#!/bin/sh
echo 'APT::Periodic::Enable "1";'
echo 'APT::Periodic::Unattended-Upgrade "1";'
echo 'Unattended-Upgrade::Package-Blacklist:: "libnvidia-";'
"""
DPKG_QUERY = """#!/bin/sh
echo 'driver|ii |nvidia-driver-550|550.127.05-0ubuntu1'
echo 'driver|ii |libnvidia-compute-550|550.127.05-0ubuntu1'
echo 'driver|hi |nvidia-dkms-550|550.127.05-0ubuntu1'
"""


@pytest.fixture(scope="module")
def box(site: Site) -> LabHost:
    return site.host("box", gpu=RECORDED / "a10")


@pytest.fixture
def by_hand(site: Site, typist: Laptop, box: LabHost) -> Laptop:
    typist.hosts([box])
    del site
    return typist


def base(name: str) -> str:
    return f".provision/envs/mymodel/{name}"


def built(typist: Laptop, box: LabHost, name: str, *dependencies: str) -> str:
    """Bring one environment to the host and return its generation."""
    typist.environment_yml(*(dependencies or ("python", "pip", "standin-alpha=1")), name=name)
    answer = typist.type("up")
    assert answer.code == 0, answer
    return current(box, base(name))


def wheels(site: Site, box: LabHost) -> str:
    """Bring a wheel to the host, as a user would have it from an index."""
    box.run("mkdir -p /var/wheels")
    for wheel in (site.channel.simple / "standin-wheel").glob("*.whl"):
        (box.root / "var/wheels" / wheel.name).write_bytes(wheel.read_bytes())
    return "/var/wheels"


def pip_install(site: Site, box: LabHost, name: str) -> None:
    prefix = f"{box.home}/{base(name)}/current"
    words = f"cd / && {prefix}/bin/python -m pip install --no-index --find-links {wheels(site, box)} standin-wheel"
    box.run(words, user=box.user, check=True)


def drift(answer: Answer, code: str = "ENV-DRIFT", name: str = "box") -> list[str]:
    """Return the messages of findings of one code."""
    return [one["message"] for one in told(answer, name)["findings"] if one["code"] == code]


def test_a_manual_pip_install_is_named_with_its_time_and_up_builds_anew(
    site: Site, by_hand: Laptop, box: LabHost
) -> None:
    old = built(by_hand, box, "piped")
    clean = by_hand.type("verify", "--drift", "--json")
    assert clean.code == 0, clean
    assert told(clean)["outcome"] == "converged"
    assert by_hand.type("env", "diff", "box").code == 0
    pip_install(site, box, "piped")

    verdict = by_hand.type("verify", "--drift", "--json")
    assert verdict.code == 7, verdict
    assert told(verdict)["outcome"] == "pending"
    (message,) = drift(verdict)
    assert message.startswith(f"piped {old}: standin-wheel "), message
    assert " was installed by pip, on 20" in message
    diff = by_hand.type("env", "diff", "box", "--json")
    assert diff.code == 7, diff
    (package,) = diff.document["diff"]["packages"]
    assert (package["name"], package["by"], package["change"]) == ("standin-wheel", "pip", "added")
    assert package["there"] is None
    assert package["since"].endswith(" UTC")

    plan = by_hand.type("plan", "--exit-code")
    assert plan.code == 7, plan
    assert "something was installed or removed by hand" in plan.out
    assert "was installed by pip" in plan.out
    answer = by_hand.type("up", "--json")
    assert answer.code == 0, answer
    assert current(box, base("piped")) != old
    assert by_hand.type("verify", "--drift").code == 0


def test_a_removal_by_conda_is_named_and_is_worse_than_drift_where_it_was_asked_for(
    by_hand: Laptop, box: LabHost
) -> None:
    old = built(by_hand, box, "removed")
    prefix = f"{box.home}/{base('removed')}/current"
    box.run(f"cd / && /srv/conda/26.7.1/bin/conda remove -y -p {prefix} standin-alpha", user=box.user, check=True)
    verdict = by_hand.type("verify", "--drift", "--json")
    assert verdict.code == 5, verdict
    assert {"ENV-DRIFT", "ENV-SPEC-UNMET", "NOT-CONVERGED"} <= set(codes(verdict))
    assert any("standin-alpha 1.1 " in one and one.endswith("(conda) was removed") for one in drift(verdict)), verdict
    assert by_hand.type("up").code == 0
    assert current(box, base("removed")) != old
    assert by_hand.type("verify", "--drift").code == 0


def test_a_deleted_file_is_noted_for_the_next_up_and_jobs_go_on_until_then(by_hand: Laptop, box: LabHost) -> None:
    old = built(by_hand, box, "holed")
    box.run(f"rm {box.home}/{base('holed')}/current/lib/python3*/site-packages/standin_alpha.py", check=True)
    assert told(by_hand.type("plan", "--json"))["steps"] == []
    verdict = by_hand.type("verify", "--drift", "--json")
    assert verdict.code == 5, verdict
    assert "ENV-FILES-MISSING" in codes(verdict)
    (message,) = drift(verdict)
    assert "standin-alpha 1.1 lacks 1 of its " in message
    assert message.endswith("/standin_alpha.py")
    assert box.run(f"test -e {box.home}/{base('holed')}/{old}/.provision-rejected").returncode == 1

    plan = by_hand.type("plan")
    assert "files of its packages are missing" in plan.out, plan
    assert "standin-alpha 1.1 lacks 1 of its " in plan.out, plan
    assert by_hand.type("up").code == 0
    assert current(box, base("holed")) != old
    assert by_hand.type("verify", "--drift").code == 0


def test_a_file_that_came_back_is_no_reason_for_a_build(by_hand: Laptop, box: LabHost) -> None:
    old = built(by_hand, box, "back")
    folder = f"{box.home}/{base('back')}/current/lib/python3*/site-packages"
    box.run(f"cd {folder} && mv standin_alpha.py /var/kept.py", check=True)
    assert by_hand.type("verify", "--drift").code == 5
    assert by_hand.type("plan", "--exit-code").code == 7
    box.run(f"cd {folder} && mv /var/kept.py standin_alpha.py && chown ubuntu standin_alpha.py", check=True)
    assert by_hand.type("verify", "--drift", "--json").code == 7
    assert by_hand.type("verify", "--drift").code == 0
    assert by_hand.type("up", "--json").document["hosts"]["box"]["outcome"] == "converged"
    assert current(box, base("back")) == old


def test_keep_drift_leaves_what_was_installed_by_hand_and_says_so(site: Site, by_hand: Laptop, box: LabHost) -> None:
    old = built(by_hand, box, "kept")
    pip_install(site, box, "kept")
    plan = by_hand.type("plan", "--keep-drift", "--json")
    assert not [one for one in told(plan)["steps"] if one["changed"]], plan
    answer = by_hand.type("up", "--keep-drift", "--json")
    assert answer.code == 0, answer
    assert current(box, base("kept")) == old
    (message,) = drift(answer, "ENV-DRIFT-KEPT")
    assert "standin-wheel" in message
    assert told(by_hand.type("up", "--keep-drift", "--json"))["steps"] == []
    assert by_hand.type("verify", "--drift").code == 7
    assert by_hand.type("up").code == 0
    assert current(box, base("kept")) != old


def test_another_driver_is_named_with_the_one_before_and_up_proves_the_environment_with_it(
    site: Site, typist: Laptop
) -> None:
    box = site.host("driven", gpu=RECORDED / "a10")
    typist.hosts([box])
    built(typist, box, "driven")
    assert typist.type("verify", "--drift").code == 0
    was = told(typist.type("plan", "--json"), "driven")["facts"]["gpu"]["driver"]
    recording = box.root / "usr/share/recorded-nvidia-smi"
    for file in recording.iterdir():
        file.write_text(file.read_text().replace(was, "580.65.06"))
    verdict = typist.type("verify", "--drift", "--json")
    assert verdict.code == 7, verdict
    (message,) = drift(verdict, "SYSTEM-DRIFT", "driven")
    assert message.startswith(f"the GPU driver is 580.65.06, and was {was} when the last `up` proved"), message
    assert typist.type("up").code == 0
    assert typist.type("verify", "--drift").code == 0


def test_a_restart_that_is_due_and_updates_that_come_by_themselves_are_told(site: Site, typist: Laptop) -> None:
    scripts = (("/usr/local/bin/apt-config", APT_CONFIG, 0o755), ("/usr/local/bin/dpkg-query", DPKG_QUERY, 0o755))
    cron = ("/etc/cron.daily/apt-compat", "#!/bin/sh\n", 0o755)
    upgrade = ("/usr/local/bin/unattended-upgrade", "#!/bin/sh\n", 0o755)
    box = site.host("due", gpu=RECORDED / "a10", files=(*scripts, cron, upgrade))
    typist.hosts([box])
    built(typist, box, "due")
    armed = typist.type("verify", "--drift", "--json")
    assert armed.code == 0, armed
    (message,) = drift(armed, "UPGRADES-ARMED", "due")
    assert message.endswith("nothing keeps the GPU driver as it is: nvidia-driver-550 550.127.05-0ubuntu1")
    box.run("touch /run/reboot-required && echo linux-image-6.8.0-50-generic >/run/reboot-required.pkgs", check=True)
    due = typist.type("verify", "--drift", "--json")
    assert due.code == 7, due
    (message,) = drift(due, "REBOOT-PENDING", "due")
    assert message.endswith(": linux-image-6.8.0-50-generic")


def test_a_conda_that_was_updated_by_hand_is_named_with_what_is_newer(site: Site, laptop: Laptop) -> None:
    box = site.host("updated")
    laptop.hosts([box])
    laptop.playbook({"environment": {}})
    built(laptop, box, "mymodel")
    meta = f"{box.home}/miniconda3/conda-meta"
    record = box.run(f"ls {meta}/conda-[0-9]*.json").stdout.strip().rpartition("/")[2]
    newer = record.replace("26.7.1", "26.9.0")
    assert newer != record
    box.run(f"cd {meta} && mv {record} {newer} && touch -d '+2 minutes' {newer}", user=box.user, check=True)
    verdict = laptop.type("verify", "--drift", "--json")
    (message,) = drift(verdict, "SYSTEM-DRIFT", "updated")
    assert f"is 26.9.0, and was 26.7.1 when provision last ran it; newer there: {newer[:-5]}" in message
    assert verdict.code == 7, verdict
    assert laptop.type("up").code == 0
    assert laptop.type("verify", "--drift").code == 0


def listing(folder: Any, *packages: tuple[str, str]) -> str:
    """Make a venv of these distributions and return its path."""
    site_packages = folder / "lib/python3.11/site-packages"
    site_packages.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.9\n")
    for name, version in packages:
        info = site_packages / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "INSTALLER").write_text("pip\n")
    return str(folder)


def test_two_hosts_and_the_local_venv_are_compared_package_by_package(
    site: Site, by_hand: Laptop, box: LabHost
) -> None:
    built(by_hand, box, "mymodel")
    other = site.host("other", gpu=RECORDED / "a10")
    by_hand.hosts([box, other])
    assert by_hand.type("up", "other").code == 0
    same = by_hand.type("env", "diff", "box", "other")
    assert same.code == 0, same
    assert "no difference" in same.out
    pip_install(site, box, "mymodel")
    different = by_hand.type("env", "diff", "box", "other", "--json")
    assert different.code == 7, different
    assert [one["name"] for one in different.document["diff"]["packages"]] == ["standin-wheel"]
    assert set(different.document["hosts"]) == {"box", "other"}
    table = by_hand.type("env", "diff", "other", "box")
    assert table.code == 7, table
    assert "standin-wheel" in table.out
    assert "1 only there" in table.out

    venv = listing(by_hand.project / ".venv", ("standin-wheel", "0.5"), ("only-here", "1.0"))
    local = by_hand.type("env", "diff", "box", "--local", "--json")
    assert local.code == 7, local
    changes = {one["name"]: one["change"] for one in local.document["diff"]["packages"]}
    assert changes["only-here"] == "removed"
    assert changes["standin-wheel"] == "changed"
    assert local.document["diff"]["other"] == venv


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("box", "box"), "named twice"),
        (("box", "other", "--lock"), "two sides"),
        (("box", "--venv", "x"), "belongs to --local"),
        (("box", "--local"), "no venv here"),
    ],
)
@pytest.mark.usefixtures("box")
def test_what_has_no_two_sides_is_refused_before_any_connection(
    by_hand: Laptop, words: tuple[str, ...], says: str
) -> None:
    answer = by_hand.type("env", "diff", *words)
    assert answer.code == 2, answer
    assert says in answer.err


def test_a_host_without_a_lock_or_without_a_build_is_told(by_hand: Laptop, box: LabHost) -> None:
    by_hand.environment_yml("python", "pip", name="never-built")
    absent = by_hand.type("env", "diff", "box", "--json")
    assert absent.code == 4, absent
    assert "no complete build" in json.loads(absent.out)["hosts"]["box"]["error"]["message"]
    built(by_hand, box, "unlocked")
    unlocked = by_hand.type("env", "diff", "box", "--lock")
    assert unlocked.code == 4, unlocked
    assert "provision env lock" in unlocked.err
