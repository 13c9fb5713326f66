"""The installer of the stand-in (not conda): one self-extracting file with the real one's command line."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import json
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import interpreter, wheels
from .archive import PLACEHOLDER, Entry, Package, members
from .binaries import stripped
from .command import virtual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .interpreter import Interpreter

HERE = Path(__file__).parent
EMULATED = ("24.11.3", "25.11.1", "26.5.3", "26.7.1")
ROOM_KB = 20 * 1024


class MissingRattlerError(RuntimeError):
    """py-rattler, which the stand-in solves with, is not installed here."""

    def __init__(self) -> None:
        super().__init__("the stand-in needs py-rattler: install provision-gpu with its extra 'demo'")


@dataclass(frozen=True, slots=True)
class Installer:
    """A finished installer file; ``size`` is in bytes."""

    path: Path
    sha256: str
    size: int


def build_installer(
    target: Path,
    *,
    emulates: str = "26.7.1",
    channel_url: str | None = None,
    python: Interpreter | None = None,
    cache: Path | None = None,
) -> Installer:
    """Write ``Miniconda3-standin-<platform>.sh`` into the folder ``target`` and return it.

    Args:
        target: The folder for the file; it is created.
        emulates: The conda version whose behaviour the installed command keeps.
        channel_url: What base's ``defaults`` channel stands for; the real defaults' addresses when not given.
        python: The interpreter of base, the running one's base when not given.
        cache: A folder that keeps the large part of the payload between builds.

    Raises:
        MissingRattlerError: py-rattler is not installed in the running interpreter's environment.
        ValueError: The version is none of those whose behaviour was measured.
    """
    if emulates not in EMULATED:
        raise ValueError(f"{emulates} is not one of {', '.join(EMULATED)}")
    one = python or interpreter.describe()
    rest, unpacked = _rest(one, cache)
    early = _tar_gz(_early(one, emulates, channel_url))
    header = _header(emulates, early, rest, unpacked // 1024 + ROOM_KB)
    target.mkdir(parents=True, exist_ok=True)
    machine = platform.machine()
    path = target / f"Miniconda3-standin-Linux-{machine}.sh"
    content = header + early + rest
    path.write_bytes(content)
    path.chmod(0o755)
    return Installer(path, hashlib.sha256(content).hexdigest(), len(content))


def _early(one: Interpreter, emulates: str, channel_url: str | None) -> list[Entry]:
    def text(name: str) -> bytes:
        content = (HERE / "shell" / name).read_text()
        return content.replace("@PLACEHOLDER@", PLACEHOLDER).replace("@EMULATES@", emulates).encode()

    defaults = f"default_channels:\n  - {channel_url}\n" if channel_url else ""
    conda = Package("conda", emulates, f"{one.build}_0", (), summary="the stand-in (not conda)")
    record = {
        **conda.index(virtual.subdir()),
        "fn": f"{conda.stem}.conda",
        "channel": "standin",
        "url": "",
        "files": [],
    }
    return [
        Entry("bin/conda", text("conda.py.txt"), mode=0o755),
        Entry("bin/activate", text("activate")),
        Entry("condabin/conda", link="../bin/conda"),
        Entry("etc/profile.d/conda.sh", text("conda.sh")),
        Entry(".condarc", f"channels:\n  - defaults\n{defaults}".encode()),
        Entry(
            "conda-meta/history",
            f"==> 2026-01-01 00:00:00 <==\n# cmd: installer\n+standin::{conda.stem}\n".encode(),
        ),
        Entry(f"conda-meta/{conda.stem}.json", json.dumps({**record, "files": ["bin/conda"]}, indent=1).encode()),
    ]


def _rest(one: Interpreter, cache: Path | None) -> tuple[bytes, int]:
    """Return the large part of the payload and its unpacked size in bytes, kept by what it is made of."""
    root = _rattler()
    key = f"{one.executable} {one.version} {root} {root.stat().st_mtime_ns} {_stamp()}"
    kept = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.payload" if cache else None
    if kept is not None and kept.is_file():
        size, _, payload = kept.read_bytes().partition(b"\n")
        return payload, int(size)
    entries = list(_base(one, root))
    payload, size_now = _tar_gz(entries), sum(len(entry.read()) for entry in entries)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{id(entries)}.part")
        aside.write_bytes(b"%d\n" % size_now + payload)
        aside.replace(kept)
    return payload, size_now


def _base(one: Interpreter, rattler: Path) -> Iterable[Entry]:
    python = interpreter.package(one)
    wheel = wheels.bundled_pip(one)
    packages = [python, *([wheels.package(wheel, one)] if wheel else [])]
    site = f"lib/python{one.short}/site-packages"
    yield from _tree(HERE / "command", f"{site}/standin_conda", "*.py")
    # where the real one has its package: whoever looks for a whole installation looks here
    yield Entry(f"{site}/conda/__init__.py", b'"""The stand-in (not conda)."""\n')
    yield from _tree(_folder_of("yaml"), f"{site}/yaml", "*.py")
    yield from _tree(rattler, f"{site}/rattler", "*")
    for package in packages:
        yield from package.entries
    for package in packages:
        # written last: what is recorded as installed is there
        files = [entry.path for entry in package.entries]
        record = {
            **package.index(virtual.subdir()),
            "fn": f"{package.stem}.conda",
            "channel": "standin",
            "url": "",
        }
        yield Entry(f"conda-meta/{package.stem}.json", json.dumps({**record, "files": files}, indent=1).encode())


def _tree(root: Path, target: str, pattern: str) -> Iterable[Entry]:
    for path in sorted(root.rglob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            yield Entry(f"{target}/{path.relative_to(root)}", stripped(content) if path.suffix == ".so" else content)


def _rattler() -> Path:
    if importlib.util.find_spec("rattler") is None:
        raise MissingRattlerError
    return _folder_of("rattler")


def _folder_of(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    return Path(spec.origin).parent


def _stamp() -> str:
    sources = [*HERE.glob("*.py"), *HERE.glob("command/*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()


def _tar_gz(entries: Iterable[Entry]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for member, content in members(entries):
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _header(emulates: str, early: bytes, rest: bytes, needed_kb: int) -> bytes:
    digest = hashlib.md5(early, usedforsecurity=False)
    digest.update(rest)
    text = (HERE / "header.sh").read_text()
    values = {
        "EMULATES": emulates,
        "EARLY": str(len(early)),
        "REST": str(len(rest)),
        "MD5": digest.hexdigest(),
        "NEEDED_KB": str(needed_kb),
        "MACHINE": platform.machine(),
        "PLACEHOLDER": PLACEHOLDER,
    }
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    length = len(text.replace("@HEADER@", "").encode())
    # the number's own digits count as well
    total = next(length + digits for digits in range(1, 9) if len(str(length + digits)) == digits)
    return text.replace("@HEADER@", str(total)).encode()
