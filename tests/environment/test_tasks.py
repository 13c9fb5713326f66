"""The tasks packages, files and command on real hosts."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tests.environment.site import codes, told

if TYPE_CHECKING:
    from tests.end_to_end.laptop import Laptop
    from tests.environment.site import Site
    from tests.lab.host import LabHost

pytestmark = pytest.mark.lab

# Not apt-get: it notes how it was called, and marks the packages as installed for the dpkg-query beside it.
STANDIN_APT = """#!/bin/sh
printf '%s %s\\n' "$(id -un)" "$*" >>/var/apt-calls
case " $* " in *" install "*) ;; *) exit 0 ;; esac
while [ "$1" != -- ]; do shift; done
shift
for name in "$@"; do
    [ "$name" != no-such-package ] || { echo 'E: Unable to locate package no-such-package'; exit 100; }
    echo "Setting up $name"
    printf 'Package: %s\\nStatus: install ok installed\\n' "$name" >>/var/lib/dpkg/status
    printf 'Architecture: all\\nVersion: 1.0\\nDescription: x\\nMaintainer: x\\n\\n' >>/var/lib/dpkg/status
done
"""


@pytest.fixture(scope="module")
def bare(site: Site) -> LabHost:
    return site.host("box", sudo="nopasswd", files=(("/usr/bin/apt-get", STANDIN_APT, 0o755),))


@pytest.fixture
def box(bare: LabHost, laptop: Laptop, site: Site) -> LabHost:
    laptop.hosts([bare])
    del site
    return bare


def apt_calls(box: LabHost) -> str:
    """Every call so far: the tests of this module share the host."""
    calls = box.root / "var/apt-calls"
    return calls.read_text() if calls.exists() else ""


def play(laptop: Laptop, *tasks: dict[str, object]) -> None:
    """A playbook of these tasks alone."""
    import json

    text = json.dumps({"name": "training", "tasks": list(tasks)})
    (laptop.project / "playbooks/training.yaml").write_text(text)


def test_packages_are_installed_as_root_once_and_only_those_that_are_absent(laptop: Laptop, box: LabHost) -> None:
    before = apt_calls(box)
    play(laptop, {"packages": {"names": ["bash", "standin-tool"], "dnf": ["never-here"]}})
    plan = laptop.type("plan")
    assert "install standin-tool" in plan.out, plan
    assert apt_calls(box) == before
    first = laptop.type("up", "--json")
    assert first.code == 0, first
    calls = apt_calls(box)
    assert calls.startswith(before)
    assert calls.splitlines()[-1].startswith("root ")
    assert calls.splitlines()[-1].endswith("install -- standin-tool")
    assert told(laptop.type("up", "--json"))["outcome"] == "converged"
    assert apt_calls(box) == calls
    assert laptop.type("verify").code == 0


@pytest.mark.usefixtures("box")
def test_a_package_that_does_not_exist_is_named(laptop: Laptop) -> None:
    play(laptop, {"packages": {"names": ["no-such-package"]}})
    answer = laptop.type("up", "--json")
    assert answer.code == 4, answer
    assert "Unable to locate package no-such-package" in told(answer)["error"]["message"]


@pytest.mark.parametrize(
    ("sudo", "line"),
    [
        ("password", "type it there: sudo apt-get install standin-tool"),
        ("none", "type it there as root: apt-get install standin-tool"),
    ],
)
def test_without_sudo_the_line_to_type_is_told_before_anything_is_done(
    site: Site, laptop: Laptop, sudo: str, line: str
) -> None:
    box = site.host("box", sudo=sudo)
    laptop.hosts([box])
    play(laptop, {"packages": {"names": ["standin-tool"]}}, {"command": {"run": "touch ~/ran", "creates": "~/ran"}})
    answer = laptop.type("up", "--json")
    assert answer.code == 5, answer
    (finding, *_) = told(answer)["findings"]
    assert finding["code"] == "SUDO-NEEDED"
    assert finding["fix"] == line
    assert box.run("test -e /home/ubuntu/ran").returncode == 1


def test_the_package_managers_lock_is_waited_for_and_its_holder_is_named(laptop: Laptop, box: LabHost) -> None:
    play(laptop, {"packages": {"names": ["standin-late"]}})
    # A process of that name, as the first boot's own updates are.
    box.run("cp /bin/sleep /run/unattended-upgr && (setsid /run/unattended-upgr 5 >/dev/null 2>&1 &)", check=True)
    answer = laptop.type("up", "-v")
    assert answer.code == 0, answer
    assert "the package manager is busy (unattended-upgr)" in answer.out + answer.err


def test_files_converge_by_content_and_mode(laptop: Laptop, box: LabHost) -> None:
    (laptop.project / "daemon.json").write_text('{"a": "$HOME `x` \\\\"}\n')
    files = [
        {"path": "~/conf/daemon.json", "source": "daemon.json", "mode": "0600"},
        {"path": "~/conf/note", "content": 'it\'s "here"\n'},
    ]
    play(laptop, {"files": files})
    first = laptop.type("up", "--json")
    assert first.code == 0, first
    assert box.run("cat /home/ubuntu/conf/daemon.json").stdout == (laptop.project / "daemon.json").read_text()
    assert box.run("stat -c %a%U /home/ubuntu/conf/daemon.json").stdout == "600ubuntu\n"
    assert box.run("cat /home/ubuntu/conf/note").stdout == 'it\'s "here"\n'
    assert told(laptop.type("up", "--json"))["outcome"] == "converged"

    box.run("chmod 644 ~/conf/daemon.json; echo more >>~/conf/note", user=box.user)
    verdict = laptop.type("verify", "--json")
    assert verdict.code == 5, verdict
    (finding,) = told(verdict)["findings"]
    assert finding["code"] == "NOT-CONVERGED"
    assert "write ~/conf/daemon.json, write ~/conf/note" in finding["message"]
    plan = laptop.type("plan")
    assert "its mode differs" in plan.out
    assert "its content differs" in plan.out
    assert laptop.type("up").code == 0
    assert laptop.type("verify").code == 0


def test_a_folder_where_a_file_belongs_is_refused(laptop: Laptop, box: LabHost) -> None:
    box.run("mkdir -p ~/folder/kept", user=box.user, check=True)
    play(laptop, {"files": [{"path": "~/folder", "content": "x"}]})
    answer = laptop.type("up", "--json")
    assert answer.code == 5, answer
    assert "FILE-IS-FOLDER" in codes(answer)
    assert box.run("ls /home/ubuntu/folder").stdout == "kept\n"


@pytest.mark.parametrize(
    ("task", "undo"),
    [
        pytest.param({"creates": "~/made-creates"}, "rm ~/made-creates", id="creates"),
        pytest.param({"unless": "test -e ~/made-unless"}, "rm ~/made-unless", id="unless"),
        pytest.param({}, None, id="once"),
    ],
)
def test_a_command_runs_until_it_is_done_and_then_no_more(
    laptop: Laptop, box: LabHost, task: dict[str, str], undo: str | None
) -> None:
    kind = next(iter(task), "once")
    run = f'echo "it\'s $((1 + 1))" >>~/made-{kind}; cat /dev/stdin >/dev/null; pwd >>~/made-{kind}'
    box.run("mkdir -p ~/work", user=box.user)
    play(laptop, {"command": {"run": run, "cwd": "~/work", **task}})
    first = laptop.type("up", "--json")
    assert first.code == 0, first
    assert told(first)["outcome"] == "changed"
    assert box.run(f"cat /home/ubuntu/made-{kind}").stdout == "it's 2\n/home/ubuntu/work\n"
    assert told(laptop.type("up", "--json"))["outcome"] == "converged"
    assert laptop.type("verify").code == 0
    if undo:
        box.run(undo, user=box.user, check=True)
        assert laptop.type("verify").code == 5
        assert told(laptop.type("up", "--json"))["outcome"] == "changed"


def test_a_command_that_fails_is_told_with_its_code_and_last_line_and_nothing_after_it_runs(
    laptop: Laptop, box: LabHost
) -> None:
    later = f"touch {shlex.quote('/home/ubuntu/later')}"
    play(
        laptop,
        {"command": {"name": "compile it", "run": "echo working; echo no compiler here >&2; exit 9"}},
        {"command": {"run": later, "creates": "~/later"}},
    )
    answer = laptop.type("up", "--json")
    assert answer.code == 4, answer
    assert "compile it: exit code 9: no compiler here" in told(answer)["error"]["message"]
    assert box.run("test -e /home/ubuntu/later").returncode == 1
    assert laptop.type("up", "--json").code == 4, "a command that failed was not recorded as done"


SOURCES = {
    "/etc/apt/sources.list": (
        "deb http://archive.example.com/ubuntu/ jammy main\n"
        "deb [signed-by=/k] https://archive.example.com/ubuntu jammy-updates main\n"
        "deb http://security.example.com/ubuntu jammy-security main\n"
        "deb http://other.example.com/tools stable main\n"
    ),
    "/etc/apt/sources.list.d/base.sources": (
        "Types: deb\nURIs: http://archive.example.com/debian\nSuites: trixie trixie-updates\nComponents: main\n\n"
        "Types: deb\nURIs: http://security.example.com/debian-security\nSuites: trixie-security\nComponents: main\n"
    ),
}
KEEPS_SOURCES = """#!/bin/sh
case " $* " in *" update "*) ;; *) exit 0 ;; esac
for option in "$@"; do
    case $option in
    Dir::Etc::sourcelist=*) cat "${option#*=}" ;;
    Dir::Etc::sourceparts=*) cat "${option#*=}"/* ;;
    esac
done >>/var/sources-asked
"""


def test_apts_archives_come_from_the_mirror_and_security_updates_do_not(laptop: Laptop, site: Site) -> None:
    files = [(path, text, 0o644) for path, text in SOURCES.items()]
    host = site.host("mirrored", sudo="nopasswd", files=(("/usr/bin/apt-get", KEEPS_SOURCES, 0o755), *files))
    laptop.hosts([host], {host.name: {"mirrors": "near"}})
    path = laptop.project / "hosts.yaml"
    path.write_text(
        path.read_text().replace('"hosts":', '"mirrors": {"near": {"apt": "http://near.example.com/a&b"}},\n"hosts":')
    )
    play(laptop, {"packages": {"names": ["standin-tool"]}})
    laptop.type("up", host.name)
    asked_text = (host.root / "var/sources-asked").read_text()
    assert "deb http://near.example.com/a&b/ubuntu/ jammy main\n" in asked_text
    assert "deb [signed-by=/k] http://near.example.com/a&b/ubuntu/ jammy-updates main\n" in asked_text
    assert "deb http://security.example.com/ubuntu jammy-security main\n" in asked_text
    assert "deb http://other.example.com/tools stable main\n" in asked_text
    assert "URIs: http://near.example.com/a&b/debian/\nSuites: trixie trixie-updates\n" in asked_text
    assert "URIs: http://security.example.com/debian-security\nSuites: trixie-security\n" in asked_text
    assert (host.root / "etc/apt/sources.list").read_text() == SOURCES["/etc/apt/sources.list"]
    assert host.run("ls -d /tmp/tmp.*").returncode != 0, "nothing is left behind"
