"""The channel is a real one: py-rattler reads it, and what is installed from it runs from any prefix."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.demo.standin import archive, interpreter, wheels
from provision.demo.standin.archive import Entry, Package
from provision.demo.standin.channel import Channel, build_channel

if TYPE_CHECKING:
    from rattler import IndexJson
    from tests.standin.conftest import Conda

EXTENSIONS = "import _lzma, _bz2, _ssl, _ctypes, _sqlite3, zlib, readline"


def test_pythons_extensions_import_from_another_prefix(conda: Conda, prefix: Path) -> None:
    assert conda.run("create", "-y", "-p", prefix, "python", "pip").status == 0
    code = f"{EXTENSIONS}; import sys; print(sys.prefix)"
    done = subprocess.run([prefix / "bin/python", "-c", code], capture_output=True, text=True, check=True, env={})
    assert done.stdout == f"{prefix}\n"


def test_pip_installs_from_the_wheel_index_into_the_prefix(conda: Conda, prefix: Path, channel: Channel) -> None:
    assert conda.run("create", "-y", "-p", prefix, "python", "pip").status == 0
    python, index = str(prefix / "bin/python"), channel.simple.as_uri()
    command = [python, "-m", "pip", "install", "--no-input", "--index-url", index, "standin-plugin"]
    subprocess.run(command, check=True, capture_output=True, env={"HOME": str(conda.home)})
    names = {path.name for path in prefix.glob("lib/python3*/site-packages/standin_*.dist-info")}
    assert names == {"standin_plugin-0.3.dist-info", "standin_wheel-1.1.dist-info"}


def test_torch_says_what_it_was_built_for(conda: Conda, prefix: Path) -> None:
    assert conda.run("create", "-y", "-p", prefix, "pytorch", CONDA_OVERRIDE_CUDA="12.4").status == 0
    code = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())"
    done = subprocess.run([prefix / "bin/python", "-c", code], capture_output=True, text=True, check=True, env={})
    assert done.stdout == "2.6.0+cu124 12.4 False\n"


def test_the_virtual_cuda_comes_from_libcuda_in_a_child(conda: Conda, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler here to make a libcuda with")
    source = "int cuInit(int f){return 0;} int cuDriverGetVersion(int*v){*v=12060;return 0;}"
    (tmp_path / "cuda.c").write_text(source)
    subprocess.run(["gcc", "-shared", "-o", tmp_path / "libcuda.so.1", tmp_path / "cuda.c"], check=True)
    said = conda.run("info", "--json", LD_LIBRARY_PATH=str(tmp_path)).document["virtual_pkgs"]
    assert ["__cuda", "12.6", "0"] in said
    hidden = conda.run("info", "--json", LD_LIBRARY_PATH=str(tmp_path), CONDA_OVERRIDE_CUDA="").document
    assert "__cuda" not in {name for name, _, _ in hidden["virtual_pkgs"]}


def test_a_second_build_takes_what_the_cache_has(shared: Path, channel: Channel, tmp_path: Path) -> None:
    again = build_channel(tmp_path / "again", numpy=False, cache=shared / "cache")
    for subdir in ("noarch", channel.subdir):
        old = json.loads((channel.path / subdir / "repodata.json").read_text())
        assert json.loads((again.path / subdir / "repodata.json").read_text()) == old
    assert again.pythons == (interpreter.describe().version,)


def test_an_archive_is_read_by_py_rattler_with_modes_and_links(tmp_path: Path) -> None:
    streaming = pytest.importorskip("rattler.package_streaming")
    large = bytes(range(256)) * 2000
    entries = (
        Entry("bin/tool", b"#!/bin/sh\n", mode=0o755),
        Entry("bin/alias", link="tool"),
        Entry("data", large),
    )
    name, record = archive.write(Package("made", "1.0", "0", entries), tmp_path / "noarch")
    streaming.extract(tmp_path / "noarch" / name, tmp_path / "out")
    assert (tmp_path / "out/data").read_bytes() == large
    assert (tmp_path / "out/bin/tool").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/bin/alias").readlink() == Path("tool")
    index = asyncio.run(_index(tmp_path / "noarch" / name))
    assert (str(index.name.normalized), record["size"]) == (
        "made",
        (tmp_path / "noarch" / name).stat().st_size,
    )


async def _index(path: Path) -> IndexJson:
    from rattler.package_streaming import PackageArchive

    return await (await PackageArchive.from_path(path)).index_json()


def test_a_wheel_becomes_a_package_whose_scripts_point_to_their_prefix(tmp_path: Path) -> None:
    points = {"tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n"}
    made = wheels.Made("tool", "1.0", {"tool.py": "def main(): print('hello')\n", **points})
    package = wheels.package(wheels.write(made, tmp_path), interpreter.describe())
    script = next(entry for entry in package.entries if entry.path == "bin/tool")
    assert script.has_placeholder
    assert script.content.decode().startswith(f"#!{archive.PLACEHOLDER}/bin/python\n")
    assert any(entry.path.endswith(".pyc") for entry in package.entries)


def test_debians_python_gets_a_site_packages_of_its_own(cold: Conda, prefix: Path, tmp_path: Path) -> None:
    debian = Path("/usr/bin/python3")
    if not debian.exists() or "posix_local" not in _schemes(debian):
        pytest.skip("no Debian Python here")
    built = build_channel(tmp_path / "debian", pythons=[interpreter.describe(debian)], numpy=False)
    options = ("--override-channels", "-c", built.url, "python", "standin-alpha")
    assert cold.run("create", "-y", "-p", prefix, *options).status == 0
    code = f"{EXTENSIONS}; import standin_alpha, sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([prefix / "bin/python", "-c", code], capture_output=True, text=True, check=True, env={})
    assert done.stdout.startswith(f"{prefix}/lib/python3")
    assert done.stdout.endswith("/site-packages\n")


def _schemes(python: Path) -> str:
    code = "import sysconfig; print(sysconfig.get_scheme_names())"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
