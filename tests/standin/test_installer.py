"""The installer's command line is the real one's, half-states included."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.standin.conftest import Installers, install

from provision.demo.standin.installer import Installer, build_installer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installer(installers: Installers) -> Installer:
    return installers["26.7.1"]


def faults(tmp_path: Path, **knobs: object) -> dict[str, str]:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps(knobs))
    return {"STANDIN_FAULTS": str(path)}


def test_installing_gives_a_conda_that_says_its_version_and_that_it_is_none(
    installer: Installer, tmp_path: Path
) -> None:
    done = install(installer, tmp_path / "mc")
    assert done.status == 0
    said = subprocess.run([tmp_path / "mc/bin/conda", "--version"], capture_output=True, text=True, check=True).stdout
    assert said == "conda 26.7.1 (the stand-in, not conda)\n"
    assert list((tmp_path / "mc/conda-meta").glob("conda-26.7.1-*.json"))


@pytest.mark.parametrize("shell", [("dash",), ("busybox", "sh")], ids=" ".join)
def test_other_shells_run_the_installer_too(installer: Installer, tmp_path: Path, shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]} here")
    command = [*shell, str(installer.path), "-b", "-p", str(tmp_path / "mc")]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    subprocess.run([tmp_path / "mc/bin/conda", "info"], capture_output=True, check=True)


def test_a_prefix_with_odd_characters_still_works(installer: Installer, tmp_path: Path) -> None:
    assert install(installer, tmp_path / "m&c|é").status == 0
    command = [str(tmp_path / "m&c|é/bin/conda"), "info", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(said)["root_prefix"] == str(tmp_path / "m&c|é")


def test_an_existing_prefix_is_refused(installer: Installer, tmp_path: Path) -> None:
    (tmp_path / "mc").mkdir()
    done = install(installer, tmp_path / "mc")
    assert done.status == 1
    assert f"ERROR: File or directory already exists: '{tmp_path / 'mc'}'" in done.err


@pytest.mark.parametrize("option", ["-u", "-f"])
def test_both_force_options_install_over_what_is_there(installer: Installer, tmp_path: Path, option: str) -> None:
    (tmp_path / "mc").mkdir()
    assert install(installer, tmp_path / "mc", option).status == 0


def test_help_exits_2_and_installs_nothing(installer: Installer, tmp_path: Path) -> None:
    done = install(installer, tmp_path / "mc", "-h")
    assert done.status == 2
    assert not (tmp_path / "mc").exists()


def test_spaces_in_the_prefix_are_refused(installer: Installer, tmp_path: Path) -> None:
    done = install(installer, tmp_path / "m c")
    assert (done.status, done.err) == (1, "ERROR: Cannot install into directories with spaces\n")


def test_a_full_disk_leaves_an_empty_prefix_that_blocks_the_next_run(installer: Installer, tmp_path: Path) -> None:
    # a df that tells of a full disk: the installer asks nothing else
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\nprintf 'head\\n/dev/x 100 90 10 90%% /\\n'\n")
    (tools / "df").chmod(0o755)
    done = install(installer, tmp_path / "mc", PATH=f"{tools}:/usr/bin:/bin")
    assert done.status == 1
    assert "Not enough free disk space" in done.err
    assert list((tmp_path / "mc").iterdir()) == []
    assert "already exists" in install(installer, tmp_path / "mc").err


def test_an_old_c_library_is_refused_on_stdout(installer: Installer, tmp_path: Path) -> None:
    done = install(installer, tmp_path / "mc", **faults(tmp_path, glibc="2.17"))
    assert done.status == 1
    assert ">=2.28" in done.out
    assert not (tmp_path / "mc").exists()


def test_a_truncated_installer_only_warns_and_then_dies_of_it(installer: Installer, tmp_path: Path) -> None:
    content = installer.path.read_bytes()
    cut = Installer(tmp_path / "cut.sh", "", 0)
    cut.path.write_bytes(content[: len(content) * 2 // 3])
    done = install(cut, tmp_path / "mc")
    assert done.status == 1
    assert "WARNING: size of" in done.err
    assert "Traceback" in done.err


def test_a_flipped_byte_only_warns(installer: Installer, tmp_path: Path) -> None:
    content = bytearray(installer.path.read_bytes())
    content[-1] ^= 1
    flipped = Installer(tmp_path / "flipped.sh", "", 0)
    flipped.path.write_bytes(content)
    assert "WARNING: md5sum mismatch" in install(flipped, tmp_path / "mc").err


@pytest.mark.parametrize("point", ["installer:early", "installer:half"])
def test_a_killed_run_leaves_what_looks_installed_until_u_repairs_it(
    installer: Installer, tmp_path: Path, point: str
) -> None:
    killed = install(installer, tmp_path / "mc", **faults(tmp_path, kill_at=point))
    assert killed.status == -9
    assert (tmp_path / "mc/bin/conda").exists()
    assert (tmp_path / "mc/conda-meta/history").exists()
    with pytest.raises((OSError, subprocess.CalledProcessError)):
        subprocess.run([tmp_path / "mc/bin/conda", "info"], capture_output=True, check=True)
    assert install(installer, tmp_path / "mc").status == 1
    assert install(installer, tmp_path / "mc", "-u").status == 0
    subprocess.run([tmp_path / "mc/bin/conda", "info"], capture_output=True, check=True)


def test_one_conda_version_that_nobody_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"4\.5\.0 is not one of"):
        build_installer(tmp_path, emulates="4.5.0")
