"""exec.sh, run_command.sh, python.sh, check_conda.sh, install_packages.sh: what runs gets exactly what was meant."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from provision.model.plan import Program
from provision.remote import catalogue
from tests.scripts.shells import names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scripts.shells import Ended, HostOfOneShell

AWKWARD = (
    "",
    " ",
    "it's",
    '"$HOME"',
    "`id`$(id)",
    "a\nb\n",
    "-n",
    "*",
    "\\n\\",
    "tab\t",
    "é中\udcff\udc80",
    "!!",
    "~",
    "#x",
)
ECHO = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"


def exec_words(host: HostOfOneShell, *words: str) -> Ended:
    return host.run(catalogue.user_command(words, timeout=60))


# -- exec.sh -----------------------------------------------------------------------------------------


def test_words_reach_the_program_as_they_were_typed(host: HostOfOneShell) -> None:
    ended = exec_words(host, sys.executable, "-c", ECHO, *AWKWARD)
    assert ended.code == 0
    assert ended.out == b"\0".join(one.encode("utf-8", "surrogateescape") for one in AWKWARD)


def test_one_word_alone_is_read_by_the_hosts_shell_in_the_home(host: HostOfOneShell) -> None:
    assert exec_words(host, 'printf "%s" "$PWD"; exit 42') == exec_words(
        host, "sh", "-c", 'printf "%s" "$PWD"; exit 42'
    )
    ended = exec_words(host, 'printf "%s" "$PWD"; exit 42')
    assert (ended.code, ended.out) == (42, str(host.home).encode())


@pytest.mark.parametrize(("words", "code"), [(("/no/such/program",), 127), (("true", "x"), 0), (("false", "x"), 1)])
def test_the_exit_code_is_the_programs_own(host: HostOfOneShell, words: tuple[str, ...], code: int) -> None:
    assert exec_words(host, *words, "more").code == code


def test_both_streams_stay_apart(host: HostOfOneShell) -> None:
    ended = exec_words(host, "printf out; printf err >&2; exit 3")
    assert (ended.code, ended.out, ended.err) == (3, b"out", b"err")


# -- run_command.sh ----------------------------------------------------------------------------------


def test_a_playbooks_command_runs_in_its_folder_and_its_code_is_passed_on(host: HostOfOneShell) -> None:
    folder = host.home / "a 'b'"
    folder.mkdir()
    ended = host.run(catalogue.run_command(str(folder), "pwd\ntouch made\nexit 9"))
    assert (ended.code, ended.out) == (9, f"{folder}\n".encode())
    assert names(folder) == {"made"}
    gone = host.run(catalogue.run_command(str(host.home / "none"), f"touch '{host.tools}/ran'"))
    assert gone.code == 1
    assert not (host.tools / "ran").exists()


# -- python.sh ---------------------------------------------------------------------------------------

LOOK = """
import json, os, sys
print(json.dumps([sys.argv[1:], sys.flags.isolated, os.getcwd(), os.environ["PATH"].split(":")[0],
                  os.environ.get("CONDA_PREFIX"), sys.stdin.read()]))
"""


def python(host: HostOfOneShell, prefix: str, *arguments: str, data: bytes | None = None) -> list[object]:
    ended = host.run(Program("python.sh", (sys.executable, prefix, LOOK, *arguments), data=data))
    assert ended.code == 0, ended
    found: list[object] = json.loads(ended.out)
    return found


def test_python_runs_our_source_apart_from_the_users_settings(host: HostOfOneShell) -> None:
    (host.home / "json.py").write_text("raise SystemExit('the wrong module')\n")
    host.env |= {"PYTHONPATH": str(host.home), "PYTHONSTARTUP": str(host.home / "json.py"), "PYTHONHOME": "/nowhere"}
    words = ("it's", "", "a\nb")
    assert python(host, "", *words, data=b"question") == [list(words), 1, "/", str(host.tools), None, "question"]


def test_the_environments_own_programs_come_first(host: HostOfOneShell) -> None:
    prefix = str(host.home / "envs" / "a b")
    assert python(host, prefix)[3:5] == [f"{prefix}/bin", prefix]


def test_an_interpreter_that_is_not_there_fails(host: HostOfOneShell) -> None:
    assert host.run(Program("python.sh", ("/no/python", "", LOOK))).code in {126, 127}


# -- check_conda.sh ----------------------------------------------------------------------------------


def conda(host: HostOfOneShell, text: str) -> Path:
    program = host.home / "miniconda3" / "bin" / "conda"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program.parent.parent


def test_a_conda_is_run_apart_from_the_users_configuration(host: HostOfOneShell) -> None:
    prefix = conda(host, 'echo "conda 26.7.1"; env >"$0.env"; pwd >>"$0.env"')
    host.env |= {"CONDA_ENVS_PATH": "/evil", "PIP_INDEX_URL": "/evil", "PYTHONPATH": "/evil", "CONDARC": "/evil"}
    host.env |= {"MAMBA_ROOT_PREFIX": "/evil", "_CE_CONDA": "/evil", "HTTPS_PROXY": "http://proxy:3128"}
    ended = host.run(catalogue.check_conda(str(prefix)))
    assert (ended.code, ended.out) == (0, b"conda 26.7.1\n")
    seen = (prefix / "bin" / "conda.env").read_text()
    assert "/evil" not in seen
    assert "HOME=/nonexistent\n" in seen
    assert "HTTPS_PROXY=http://proxy:3128\n" in seen
    assert seen.endswith("/\n")
    assert names(host.home) == {"miniconda3"}


@pytest.mark.parametrize("text", ["exit 1", "kill -9 $$", "exec /no/interpreter"])
def test_a_conda_that_does_not_run_fails_the_check(host: HostOfOneShell, text: str) -> None:
    assert host.run(catalogue.check_conda(str(conda(host, text)))).code != 0


# -- install_packages.sh -----------------------------------------------------------------------------


def recorded(host: HostOfOneShell, *tools: str, failing: str = "") -> Path:
    log = host.home / "calls"
    for name in tools:
        fails = f'case "$*" in *"{failing}"*) exit 100 ;; esac' if failing else ":"
        host.stand_in(name, f"""echo "{name} $* [${{DEBIAN_FRONTEND:-}}]" >>'{log}.log'\n{fails}""")
    host.stand_in("ps", "exit 0")
    host.home.joinpath("calls.log").touch()
    return host.home / "calls.log"


@pytest.fixture(autouse=True)
def _plain_home(request: pytest.FixtureRequest) -> None:
    """The recorders are shell scripts: their log stands in a folder with a quote in its name."""
    if "packages" in request.node.name:
        host: HostOfOneShell = request.getfixturevalue("host")
        host.home = host.tools.parent / "plain"
        host.home.mkdir()


def test_packages_of_apt_are_updated_and_installed_without_questions(host: HostOfOneShell) -> None:
    log = recorded(host, "apt-get")
    assert host.run(catalogue.install_packages("apt-get", ("git", "libgl1"), sudo=False)).code == 0
    update, install = log.read_text().splitlines()
    assert update == "apt-get -q -o DPkg::Lock::Timeout=600 update [noninteractive]"
    assert install.endswith("--no-install-recommends install -- git libgl1 [noninteractive]")
    assert " -y " in install
    assert "--force-confold" in install


@pytest.mark.parametrize("manager", ["dnf", "yum"])
def test_packages_of_dnf_and_yum_are_installed_without_questions(host: HostOfOneShell, manager: str) -> None:
    log = recorded(host, manager)
    assert host.run(catalogue.install_packages(manager, ("git", "tmux"), sudo=False)).code == 0
    assert log.read_text().splitlines() == [f"{manager} -y install git tmux [noninteractive]"]


def test_packages_by_sudo_never_wait_for_a_password_and_keep_the_front_end(host: HostOfOneShell) -> None:
    log = recorded(host, "apt-get")
    host.stand_in("sudo", f"""echo "sudo $*" >>'{log}'; shift; exec "$@" """)
    assert host.run(catalogue.install_packages("apt-get", ("git",), sudo=True)).code == 0
    calls = log.read_text().splitlines()
    assert [one.split()[:4] for one in calls[::2]] == [["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]] * 2
    assert all(one.endswith("[noninteractive]") for one in calls[1::2])


def test_packages_are_tried_with_the_lists_that_are_there_when_the_update_fails(host: HostOfOneShell) -> None:
    log = recorded(host, "apt-get", failing=" update")
    ended = host.run(catalogue.install_packages("apt-get", ("git",), sudo=False))
    assert ended.code == 0
    assert b"going on with the lists that are there" in ended.out
    assert len(log.read_text().splitlines()) == 2


def test_packages_that_cannot_be_installed_fail_with_the_managers_own_code(host: HostOfOneShell) -> None:
    recorded(host, "apt-get", failing=" install ")
    assert host.run(catalogue.install_packages("apt-get", ("nonsense",), sudo=False)).code == 100


def test_packages_wait_for_another_apt_and_say_for_whom(host: HostOfOneShell) -> None:
    recorded(host, "apt-get")
    host.stand_in("ps", f"""[ -e '{host.home}/asked' ] || {{ : >'{host.home}/asked'; echo unattended-upgr; }}""")
    host.stand_in("sleep", "exit 0")
    ended = host.run(catalogue.install_packages("apt-get", ("git",), sudo=False))
    assert ended.code == 0
    assert b"busy (unattended-upgr): waited 0 s of at most 600" in ended.out
