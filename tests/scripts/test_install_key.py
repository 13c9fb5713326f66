"""install_key.sh, run for real under the shells that hosts have."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from provision.remote.command import quote, script_text
from provision.remote.keys import Installed, PublicKey, install_key, read_answer
from provision.remote.sources import source

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]
KEY = PublicKey("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIP1of0e1yL7Tg0CCDLf1pPiKj/Xj1jAS4b0p+JmEAvZk", "me@here 'x'")
LINE = f"{KEY.type} {KEY.blob} {KEY.comment}"
OTHER = 'command="echo hi",from="10.*" ssh-rsa AAAAB3NzaC1yc2E= somebody'


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> list[str]:
    found: list[str] = request.param
    if shutil.which(found[0]) is None:
        pytest.skip(f"there is no {found[0]} here")
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home of ours"
    folder.mkdir(mode=0o700)
    return folder


def run(home: Path, shell: list[str] | None = None) -> subprocess.CompletedProcess[bytes]:
    program = install_key(KEY)
    # The user database knows the developer's own home: it must never be asked here.
    asked = "home=$(home_folder)"
    script = source(program.script)
    assert script.count(asked) == 1
    script = script.replace(asked, f"home={quote(str(home))}")
    tools = home.parent / "tools"
    text = script_text(script, program.arguments).replace("PATH=/usr/local/sbin", f"PATH={tools}:/usr/local/sbin", 1)
    return subprocess.run(
        [*(shell or ["sh"]), "-c", text, "sh"],
        env={"PATH": os.environ["PATH"], "HOME": str(home.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
    )


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    answer = read_answer(done.stdout)
    assert answer is not None, done
    assert done.returncode == 0, done
    assert done.stderr == b""
    return answer.state


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_fresh_home_gets_the_folder_and_the_file_with_the_right_modes(home: Path, shell: list[str]) -> None:
    assert said(run(home, shell)) == "added"
    file = home / ".ssh/authorized_keys"
    assert file.read_text() == f"{LINE}\n"
    assert (mode(home / ".ssh"), mode(file)) == (0o700, 0o600)
    assert list((home / ".ssh").iterdir()) == [file]


@pytest.mark.parametrize("end", ["\n", ""], ids=["with newline", "without newline"])
def test_other_lines_stay_and_the_key_gets_a_line_of_its_own(home: Path, shell: list[str], end: str) -> None:
    file = home / ".ssh/authorized_keys"
    file.parent.mkdir()
    file.write_text(f"# mine\n\n{OTHER}{end}")
    file.chmod(0o644)
    assert said(run(home, shell)) == "added"
    assert file.read_text() == f"# mine\n\n{OTHER}\n{LINE}\n"
    assert mode(file) == 0o600


@pytest.mark.parametrize("line", [f"{KEY.type} {KEY.blob}", f"  {KEY.type}\t{KEY.blob} other comment", LINE])
def test_a_key_that_is_there_is_not_added_again(home: Path, shell: list[str], line: str) -> None:
    file = home / ".ssh/authorized_keys"
    file.parent.mkdir()
    file.write_text(line)
    before = file.stat()
    assert said(run(home, shell)) == "present"
    assert file.read_text() == line
    assert file.stat().st_ino == before.st_ino


def test_twice_is_as_once(home: Path) -> None:
    assert [said(run(home)), said(run(home))] == ["added", "present"]
    assert (home / ".ssh/authorized_keys").read_text() == f"{LINE}\n"


def test_a_key_behind_options_is_told_and_not_added_beside(home: Path, shell: list[str]) -> None:
    file = home / ".ssh/authorized_keys"
    file.parent.mkdir()
    file.write_text(f'command="echo Please log in as ubuntu" {LINE}\n')
    before = file.read_text()
    assert said(run(home, shell)) == "restricted"
    assert file.read_text() == before


def test_a_key_that_is_commented_out_is_not_there(home: Path, shell: list[str]) -> None:
    file = home / ".ssh/authorized_keys"
    file.parent.mkdir()
    file.write_text(f"# {LINE}\n")
    assert said(run(home, shell)) == "added"
    assert file.read_text() == f"# {LINE}\n{LINE}\n"


def test_a_link_stays_and_its_target_is_written(home: Path, shell: list[str]) -> None:
    (home / ".ssh").mkdir()
    (home / "elsewhere").write_text(f"{OTHER}\n")
    (home / ".ssh/authorized_keys").symlink_to("../elsewhere")
    assert said(run(home, shell)) == "added"
    assert (home / ".ssh/authorized_keys").is_symlink()
    assert (home / "elsewhere").read_text() == f"{OTHER}\n{LINE}\n"


def test_modes_for_which_sshd_refuses_keys_are_mended_but_the_homes_is_only_told(home: Path, shell: list[str]) -> None:
    file = home / ".ssh/authorized_keys"
    file.parent.mkdir()
    file.parent.chmod(0o775)
    file.write_text(f"{LINE}\n")
    file.chmod(0o664)
    home.chmod(0o770)
    done = run(home, shell)
    assert read_answer(done.stdout) == Installed("present", str(home))
    assert (mode(file.parent), mode(file), mode(home)) == (0o755, 0o644, 0o770)


def test_something_else_in_its_place_is_refused_and_left(home: Path, shell: list[str]) -> None:
    (home / ".ssh/authorized_keys").mkdir(parents=True)
    done = run(home, shell)
    assert done.returncode == 73
    assert b"not a file" in done.stderr
    assert read_answer(done.stdout) is None


def test_a_full_disk_leaves_the_file_as_it_was(home: Path) -> None:
    file = home / ".ssh/authorized_keys"
    file.parent.mkdir()
    file.write_text(f"{OTHER}\n")
    tools = home.parent / "tools"
    tools.mkdir()
    (tools / "cat").write_text("#!/bin/sh\nprintf 'ssh-rsa half'\nexit 1\n")
    (tools / "cat").chmod(0o755)
    done = run(home)
    assert done.returncode == 73
    assert file.read_text() == f"{OTHER}\n"
    assert list((home / ".ssh").iterdir()) == [file]


def test_the_home_is_the_one_of_the_user_database(home: Path) -> None:
    found = subprocess.run(
        ["sh", "-c", source("install_key.sh").replace('main "$@" </dev/null', "home_folder")],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == pwd.getpwuid(os.geteuid()).pw_dir


def test_an_answer_of_something_else_is_none() -> None:
    assert read_answer(b"") is None
    assert read_answer(b"hello\n") is None
    assert read_answer(b"added\n") == Installed("added", None)
