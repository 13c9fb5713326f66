"""list_packages.py against made prefixes and a real venv, under every Python of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from provision.environment.readback import judge, parse_listing
from provision.remote.sources import source

SCRIPT = source("list_packages.py")


def pythons() -> list[str]:
    """Return this interpreter and those of pyenv, which cover the oldest that hosts have."""
    folder = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))) / "versions"
    return [sys.executable, *(str(one) for one in sorted(folder.glob("3.*/bin/python")))]


def listed(*arguments: str, python: str = sys.executable) -> bytes:
    command = [python, "-I", "-c", SCRIPT, *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60).stdout


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    made = tmp_path / "a [strange] prefix"
    site = made / "lib" / "python3.12" / "site-packages"
    (made / "conda-meta").mkdir(parents=True)
    (made / "conda-meta" / "history").write_text("")
    record(made, "python", "3.12.4", "h1_0_cpython", ["bin/python", "lib/libpython.so"])
    record(
        made,
        "numpy",
        "1.26.4",
        "py312_0",
        [f"{relative(made, site)}/numpy-1.26.4.dist-info/METADATA", "lib/gone.so"],
    )
    distribution(site, "numpy-1.26.4.dist-info", "numpy", "1.26.4", "conda")
    distribution(site, "Flash_Attn-2.6.3.dist-info", "Flash.Attn", "2.6.3", "pip")
    address = {"url": "file:///home/me/tool", "dir_info": {"editable": True}}
    distribution(site, "tool-1.0.dist-info", "tool", "1.0", "uv")
    (site / "tool-1.0.dist-info" / "direct_url.json").write_text(json.dumps(address))
    (made / "lib" / "libpython.so").write_text("")
    (made / "bin").mkdir()
    (made / "bin" / "python").symlink_to("nowhere")
    return made


def relative(prefix: Path, path: Path) -> str:
    return str(path.relative_to(prefix))


def record(prefix: Path, name: str, version: str, build: str, files: list[str]) -> None:
    content = {
        "name": name,
        "version": version,
        "build": build,
        "build_number": 0,
        "channel": "https://conda.anaconda.org/conda-forge/linux-64",
        "files": files,
    }
    (prefix / "conda-meta" / f"{name}-{version}-{build}.json").write_text(json.dumps(content))


def distribution(site: Path, folder: str, name: str, version: str, installer: str) -> None:
    (site / folder).mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: 9 in the description\n"
    (site / folder / "METADATA").write_text(metadata)
    (site / folder / "INSTALLER").write_text(installer + "\n")


@pytest.mark.parametrize("python", pythons())
def test_a_prefix_is_listed_alike_by_every_python(prefix: Path, python: str) -> None:
    listing = parse_listing(listed(str(prefix), python=python))
    assert [(one.name, one.version, one.build, one.missing) for one in listing.conda] == [
        ("numpy", "1.26.4", "py312_0", 1),
        ("python", "3.12.4", "h1_0_cpython", 0),
    ]
    assert listing.conda[0].missing_examples == ("lib/gone.so",)
    assert listing.conda[0].distributions == ("numpy",)
    assert [(one.name, one.version, one.installer) for one in listing.pip] == [
        ("Flash.Attn", "2.6.3", "pip"),
        ("numpy", "1.26.4", "conda"),
        ("tool", "1.0", "uv"),
    ]
    assert (listing.pip[2].direct_url, listing.pip[2].editable) == ("file:///home/me/tool", True)
    assert listing.markers is not None
    assert listing.markers["python_full_version"] == "3.12.4"
    assert listing.markers["python_version"] == "3.12"


def test_the_listing_of_a_prefix_can_be_judged(prefix: Path) -> None:
    listing = parse_listing(listed(str(prefix)))
    findings = judge(
        ["conda-forge::numpy=1.26", "python>=3.12"],
        ["flash-attn>=2", "-e ./tool"],
        listing,
        cuda_expected=False,
    )
    assert [one.code for one in findings] == ["ENV-PIP-ABSENT", "ENV-FILES-MISSING"]


def test_a_damaged_record_is_a_problem_and_not_the_end(prefix: Path) -> None:
    (prefix / "conda-meta" / "broken-1-0.json").write_text('{"name": ')
    (prefix / "conda-meta" / "strange-1-0.json").write_text("[]")
    listing = parse_listing(listed(str(prefix)))
    assert len(listing.conda) == 2
    assert len(listing.problems) == 2


def test_without_time_the_files_are_not_counted(prefix: Path) -> None:
    listing = parse_listing(listed(str(prefix), "0"))
    assert [one.missing for one in listing.conda] == [None, None]


def test_a_prefix_that_is_not_there_is_empty(tmp_path: Path) -> None:
    listing = parse_listing(listed(str(tmp_path / "absent")))
    assert (listing.conda, listing.pip, listing.markers) == ((), (), None)


def test_a_real_venv_is_listed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=120, capture_output=True)
    listing = parse_listing(listed(str(tmp_path / "venv")))
    assert listing.conda == ()
    assert "pip" in {one.name for one in listing.pip}
    assert listing.markers is not None
    assert listing.markers["python_full_version"] == ".".join(str(one) for one in sys.version_info[:3])
    assert judge([], ["pip>=20"], listing, cuda_expected=False) == ()


def test_it_agrees_with_pip_about_this_environment() -> None:
    command = [sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    shown = subprocess.run(command, capture_output=True, timeout=120, check=False)
    if shown.returncode:
        pytest.skip("this environment has no pip to compare with")
    wanted = {(one["name"].lower().replace("_", "-"), one["version"]) for one in json.loads(shown.stdout)}
    listing = parse_listing(listed(sys.prefix))
    found = {(one.name.lower().replace("_", "-").replace(".", "-"), one.version) for one in listing.pip}
    assert {(name.replace(".", "-"), version) for name, version in wanted} <= found
