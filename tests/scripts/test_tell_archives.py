"""What a host knows of its packages for a lock: by made folders, and by what the real pip leaves in its cache."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provision.remote.sources import source

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = source("tell_archives.py")


def pythons() -> list[str]:
    """Return this interpreter and those of pyenv, which cover the oldest that hosts have."""
    folder = Path(os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))) / "versions"
    return [sys.executable, *(str(one) for one in sorted(folder.glob("3.*/bin/python")))]


def told(prefix: Path, cache: Path | None = None, python: str = sys.executable) -> Any:
    command = [python, "-I", "-c", SCRIPT, str(prefix), str(cache or prefix / "no cache")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return json.loads(done.stdout)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    made = tmp_path / "a [strange] prefix"
    (made / "conda-meta").mkdir(parents=True)
    (made / "lib/python3.11/site-packages").mkdir(parents=True)
    return made


def wheel(path: Path, content: bytes = b"x = 1\n", name: str = "tool", version: str = "1.0") -> Path:
    """Write a wheel as tools make them, with a script, whose name differs where it is installed."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": content,
        f"{name}-{version}.data/scripts/{name}": b"#!python\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{one},sha256={digest(data)},{len(data)}\n" for one, data in files.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in files.items():
            archive.writestr(one, data)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


def digest(data: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def pip(*words: str, cache: Path) -> None:
    command = [sys.executable, "-I", "-m", "pip", *words, "--cache-dir", str(cache), "--disable-pip-version-check"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=120)


def installed(prefix: Path, archive: Path) -> None:
    """Install a wheel's files and its record as pip does: scripts and its own notes are added."""
    site = prefix / "lib/python3.11/site-packages"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(site)
    (info,) = site.glob("*.dist-info")
    with (info / "RECORD").open("a") as record:
        record.write(f"../../../bin/tool,sha256={digest(b'#!/other')},9\n{info.name}/INSTALLER,sha256=x,4\n")


@pytest.mark.parametrize("python", pythons())
def test_what_packages_of_condas_need_is_told_by_name(prefix: Path, python: str) -> None:
    needs = ["python >=3.11,<3.12.0a0", "libblas", "zstd=1.5", "_x[build=1]"]
    record = {"name": "numpy", "depends": needs, "size": 7}
    (prefix / "conda-meta/numpy-1-0.json").write_text(json.dumps(record))
    (prefix / "conda-meta/bare-1-0.json").write_text('{"name": "bare"}')
    for number, damage in enumerate(("{", "[]", '{"name": "x", "depends": 5}', '{"depends": []}')):
        (prefix / f"conda-meta/damaged{number}-1-0.json").write_text(damage)
    assert told(prefix, python=python)["conda"] == {
        "bare": {"needs": [], "size": 0},
        "numpy": {"needs": ["python", "libblas", "zstd", "_x"], "size": 7},
    }


@pytest.mark.parametrize("python", pythons())
def test_a_wheel_in_pips_cache_is_known_where_it_is_what_is_installed(
    prefix: Path, tmp_path: Path, python: str
) -> None:
    cache = tmp_path / "pip-cache"
    right = wheel(cache / "http-v2/a/b/c/d/e/right.body")
    wheel(cache / "http-v2/f/b/c/d/e/other-build.body", b"x = 2\n")
    wheel(cache / "http-v2/1/b/c/d/e/other-version.body", version="1.1")
    (cache / "http-v2/1/b/c/d/e/page.body").write_text("<html>")
    (cache / "http-v2/1/b/c/d/e/torn.body").write_bytes(right.read_bytes()[:-30])
    installed(prefix, right)
    sha256 = hashlib.sha256(right.read_bytes()).hexdigest()
    assert told(prefix, cache, python)["pip"] == {
        "tool-1.0.dist-info": {"sha256": sha256, "size": right.stat().st_size}
    }


def test_a_file_that_was_changed_after_its_installation_is_of_no_wheel(prefix: Path, tmp_path: Path) -> None:
    right = wheel(tmp_path / "pip-cache/http-v2/a/b/c/d/e/right.body")
    installed(prefix, right)
    record = prefix / "lib/python3.11/site-packages/tool-1.0.dist-info/RECORD"
    record.write_text(record.read_text().replace(digest(b"x = 1\n"), digest(b"x = 2\n")))
    assert told(prefix, tmp_path / "pip-cache")["pip"] == {}


def test_a_wheel_without_a_list_of_its_files_is_nobodys(prefix: Path, tmp_path: Path) -> None:
    right = wheel(tmp_path / "kept.whl")
    installed(prefix, right)
    empty = tmp_path / "pip-cache/http-v2/a/b/c/d/e/empty.body"
    empty.parent.mkdir(parents=True)
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("tool-1.0.dist-info/RECORD", "tool.py,,\n")
    assert told(prefix, tmp_path / "pip-cache")["pip"] == {}


@pytest.mark.parametrize(
    ("archive", "known"),
    [
        ({"hashes": {"sha256": "a" * 64}}, "a" * 64),
        ({"hash": "sha256=" + "b" * 64}, "b" * 64),
        ({"hash": "md5=" + "b" * 32}, None),
        ({}, None),
        ([], None),
        ({"hashes": []}, None),
    ],
)
def test_what_pip_noted_of_an_address_is_told(prefix: Path, archive: object, known: str | None) -> None:
    info = prefix / "lib/python3.11/site-packages/tool-1.0.dist-info"
    info.mkdir()
    address = "https://x.example/tool-1.0-py3-none-any.whl"
    (info / "direct_url.json").write_text(json.dumps({"url": address, "archive_info": archive}))
    wheels = {info.name: {"sha256": known, "url": address}} if known else {}
    assert told(prefix)["pip"] == wheels


class _Cacheable(http.server.SimpleHTTPRequestHandler):
    """An index whose answers pip keeps, as those of real ones."""

    def end_headers(self) -> None:
        self.send_header("ETag", '"1"')
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "index"
    archive = wheel(folder / "tool/tool-1.0-py3-none-any.whl")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Cacheable, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", archive
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_real_pip_leaves_enough_to_know_what_it_installed(tmp_path: Path, index: tuple[str, Path]) -> None:
    url, archive = index
    cache, made = tmp_path / "pip-cache", tmp_path / "prefix"
    words = ("--index-url", f"{url}/", "--trusted-host", "127.0.0.1", "--no-warn-script-location", "--ignore-installed")
    pip("install", "tool", "--prefix", str(made), *words, cache=cache)
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    size = archive.stat().st_size
    assert told(made, cache)["pip"] == {"tool-1.0.dist-info": {"sha256": sha256, "size": size}}
    by_address = tmp_path / "by address"
    pip("install", f"tool @ {url}/tool/{archive.name}", "--prefix", str(by_address), *words, cache=cache)
    assert told(by_address)["pip"]["tool-1.0.dist-info"]["sha256"] == sha256
