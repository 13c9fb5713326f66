"""A channel and installers built once for all workers, and installed stand-ins to run."""

from __future__ import annotations

import fcntl
import functools
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from provision.demo.standin.channel import Channel, build_channel
from provision.demo.standin.installer import Installer, build_installer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is for Linux hosts")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Conda:
    """An installed stand-in with a home and a package cache of its own."""

    root: Path
    home: Path
    pkgs: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self, faults: Mapping[str, object] | None = None, **env: str) -> dict[str, str]:
        knobs = self.home / "faults.json"
        (self.home / "faults.json.count").unlink(missing_ok=True)
        knobs.write_text(json.dumps(faults or {}))
        own = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "CONDA_PKGS_DIRS": str(self.pkgs)}
        return {**own, "STANDIN_FAULTS": str(knobs), **self.env, **env}

    def run(self, *arguments: str | Path, faults: Mapping[str, object] | None = None, **env: str) -> Result:
        done = subprocess.run(
            [str(self.root / "bin/conda"), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
            env=self.environment(faults, **env),
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str | Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.root / "bin/conda"), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            env=dict(env),
        )

    def file(self, text: str, name: str = "environment.yml") -> Path:
        path = self.home / name
        path.write_text(text)
        return path


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "standin"
    shared.mkdir(exist_ok=True)
    return shared


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: one worker builds, the others then find what it built."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def channel(shared: Path) -> Channel:
    pytest.importorskip("rattler", reason="the extra 'demo' is not installed")
    with alone(shared):
        kept = shared / "channel.pickle"
        if not kept.exists():
            built = build_channel(shared / "built", numpy=False, cache=shared / "cache")
            kept.write_bytes(pickle.dumps(built))
        read: Channel = pickle.loads(kept.read_bytes())  # noqa: S301 - a worker of this run wrote it
        return read


class Installers:
    """An installer of each emulated version, built when first asked for by any worker."""

    def __init__(self, shared: Path, channel: Channel) -> None:
        self.shared = shared
        self.channel = channel

    def __getitem__(self, version: str) -> Installer:
        kept = self.shared / f"{version}.pickle"
        with alone(self.shared):
            if not kept.exists():
                built = build_installer(
                    self.shared / version,
                    emulates=version,
                    channel_url=self.channel.url,
                    cache=self.shared / "cache",
                )
                kept.write_bytes(pickle.dumps(built))
            read: Installer = pickle.loads(kept.read_bytes())  # noqa: S301 - a worker of this run wrote it
            return read


@pytest.fixture(scope="session")
def installers(shared: Path, channel: Channel) -> Installers:
    return Installers(shared, channel)


def install(installer: Installer, prefix: Path, *options: str, **env: str) -> Result:
    done = subprocess.run(
        ["bash", str(installer.path), "-b", "-p", str(prefix), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(prefix.parent), **env},
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def roots(installers: Installers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("roots")

    class Lazy(dict[str, Path]):
        def __missing__(self, version: str) -> Path:
            self[version] = base / version
            assert install(installers[version], self[version]).status == 0
            return self[version]

    return Lazy()


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package cache that tests share, for those that do not spoil it."""
    return tmp_path_factory.mktemp("pkgs")


@pytest.fixture
def conda(roots: dict[str, Path], warm: Path, tmp_path: Path) -> Conda:
    home = tmp_path / "home"
    home.mkdir()
    return Conda(roots["26.7.1"], home, warm)


@pytest.fixture
def versions(roots: dict[str, Path], warm: Path, tmp_path: Path) -> Mapping[str, Conda]:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)

    class Lazy(dict[str, Conda]):
        def __missing__(self, version: str) -> Conda:
            return Conda(roots[version], home, warm)

    return Lazy()


@pytest.fixture
def cold(conda: Conda, tmp_path: Path) -> Conda:
    """The same with a package cache of its own, empty."""
    return Conda(conda.root, conda.home, tmp_path / "pkgs")


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "env"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a loopback port and give its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def with_terms(channel: Channel, tmp_path: Path) -> Channel:
    """A copy of the channel's small half that serves terms of service."""
    copy = tmp_path / "terms"
    (copy / "noarch").mkdir(parents=True)
    for file in (channel.path / "noarch").iterdir():
        os.link(file, copy / "noarch" / file.name)
    made = Channel(copy, channel.simple, channel.subdir, channel.pythons, channel.has_real_numpy)
    made.set_terms(serve=True)
    return made
