"""install_miniconda.sh with an installer that keeps the real one's contract: refusal, repair, kills, full disks."""

from __future__ import annotations

import hashlib
import os
import signal
from typing import TYPE_CHECKING

import pytest

from provision.remote import catalogue
from tests.scripts.shells import eventually, names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scripts.shells import Ended, HostOfOneShell

INSTALLER = """
while getopts bufp: word; do
    case $word in u) update=1 ;; p) prefix=$OPTARG ;; *) ;; esac
done
[ -z "$SLOW" ] || echo $$ >"$SLOW"
if [ -e "$prefix" ] && [ -z "$update" ]; then
    echo "ERROR: File or directory already exists: '$prefix'" >&2
    exit 1
fi
mkdir -p "$prefix/bin" "$prefix/conda-meta" || exit 1
env >"$prefix/seen"; pwd >>"$prefix/seen"; umask >>"$prefix/seen"
: >"$prefix/conda-meta/history"
[ -z "$SLOW" ] || exec sleep 60
[ -z "$FAILS" ] || { echo "$FAILS"; exit 1; }
printf '#!/bin/sh\\n%s\\n' "${BIN_SAYS:-exit 0}" >"$prefix/bin/python"
printf '#!/bin/sh\\necho conda 26.7.1\\n' >"$prefix/bin/conda"
chmod 755 "$prefix/bin/python" "$prefix/bin/conda"
echo "${update:+repaired}"
"""
SHA = hashlib.sha256(INSTALLER.encode()).hexdigest()


@pytest.fixture
def prefix(host: HostOfOneShell) -> Path:
    cache = host.state / "cache"
    cache.mkdir(parents=True)
    (cache / SHA).write_text(INSTALLER)
    return host.home / "miniconda3"


def install(host: HostOfOneShell, prefix: Path, *, repair: bool = False) -> Ended:
    return host.run(catalogue.install_miniconda(str(host.state), SHA, str(prefix), repair=repair))


def marks(host: HostOfOneShell) -> set[str]:
    return names(host.state / "installing")


def test_it_is_installed_where_nothing_was_and_leaves_no_mark(host: HostOfOneShell, prefix: Path) -> None:
    ended = install(host, prefix)
    assert (ended.code, ended.out.splitlines()[-1]) == (0, b"conda 26.7.1")
    assert marks(host) == set()
    assert names(host.state / "cache") == {SHA}


def test_the_empty_folder_that_a_full_disk_left_is_no_obstacle(host: HostOfOneShell, prefix: Path) -> None:
    prefix.mkdir()
    assert install(host, prefix).code == 0


def test_the_installer_sees_nothing_of_the_users_configuration(host: HostOfOneShell, prefix: Path) -> None:
    host.env |= {"CONDA_PREFIX": "/evil", "PYTHONPATH": "/evil", "PYTHONHOME": "/evil", "_CONDA_EXE": "/evil"}
    assert install(host, prefix).code == 0
    seen = (prefix / "seen").read_text()
    assert "/evil" not in seen
    assert f"HOME={host.state}/cache/home\n" in seen
    assert seen.endswith("/\n0022\n")


def test_a_damaged_installer_never_runs_and_is_thrown_away(host: HostOfOneShell, prefix: Path) -> None:
    (host.state / "cache" / SHA).write_text(INSTALLER + "touch /evil\n")
    assert install(host, prefix).code == 65
    assert not prefix.exists()
    assert names(host.state / "cache") == set()


def test_what_appeared_there_meanwhile_is_never_replaced(host: HostOfOneShell, prefix: Path) -> None:
    prefix.mkdir()
    (prefix / "mine").write_text("mine")
    ended = install(host, prefix)
    assert ended.code == 1
    assert b"not ours to replace" in ended.out
    assert names(prefix) == {"mine"}
    assert marks(host) == set()


def test_a_half_installation_is_repaired_in_place(host: HostOfOneShell, prefix: Path) -> None:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "conda").write_text("half")
    ended = install(host, prefix, repair=True)
    assert ended.code == 0
    assert b"repaired" in ended.out
    assert (prefix / "bin" / "conda").read_text().startswith("#!")


def test_a_failed_first_installation_gives_the_room_back(host: HostOfOneShell, prefix: Path) -> None:
    host.env["FAILS"] = "boom"
    ended = install(host, prefix)
    assert (ended.code, b"boom" in ended.out) == (1, True)
    assert not prefix.exists()
    assert marks(host) == set()


def test_a_failed_repair_keeps_what_is_there_and_its_mark(host: HostOfOneShell, prefix: Path) -> None:
    (prefix / "envs" / "of the user").mkdir(parents=True)
    host.env["FAILS"] = "boom"
    assert install(host, prefix, repair=True).code == 1
    assert (prefix / "envs" / "of the user").is_dir()
    assert len(marks(host)) == 1


def test_an_installer_that_lies_about_being_done_is_caught(host: HostOfOneShell, prefix: Path) -> None:
    host.env["BIN_SAYS"] = "echo 'No module named _lzma' >&2; exit 1"
    ended = install(host, prefix)
    assert ended.code == 1
    assert b"does not run" in ended.out
    assert not prefix.exists()


def test_a_full_disk_is_named(host: HostOfOneShell, prefix: Path) -> None:
    host.env["FAILS"] = "boom"
    host.stand_in("df", "printf 'Filesystem 1024-blocks Used Available Capacity Mounted\\n/dev/x 9 9 17 99%% /\\n'")
    assert b"No space left on device: 17 kB free" in install(host, prefix).out


def test_a_kill_in_the_middle_leaves_the_mark_and_the_next_run_repairs(host: HostOfOneShell, prefix: Path) -> None:
    slow = host.home / "pid"
    host.env["SLOW"] = str(slow)
    process, _ = host.start(catalogue.install_miniconda(str(host.state), SHA, str(prefix), repair=False))
    try:
        assert eventually(lambda: (prefix / "conda-meta" / "history").exists() and slow.exists())
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert marks(host) == {str(prefix).replace("/", "%")}
    assert prefix.exists()
    del host.env["SLOW"]
    assert install(host, prefix, repair=True).code == 0
    assert marks(host) == set()
