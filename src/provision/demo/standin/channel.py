"""A small real conda channel, built from what this machine has, and a wheel index beside it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import archive, catalogue, interpreter, wheels
from .command import virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .archive import Package
    from .interpreter import Interpreter

TERMS = {"version": "2026-01-01", "text": "Made-up terms of the stand-in's channel. They bind nobody."}


@dataclass(frozen=True, slots=True)
class Channel:
    """A finished channel: ``path`` has noarch/ and the platform, ``simple`` is the wheel index."""

    path: Path
    simple: Path
    subdir: str
    pythons: tuple[str, ...]
    has_real_numpy: bool

    @property
    def url(self) -> str:
        """Return the channel's file address; serve ``path`` over HTTP for another one."""
        return self.path.as_uri()

    def set_terms(self, *, serve: bool) -> None:
        """Serve terms of service from this channel, or stop it."""
        path = self.path / "terms.json"
        if serve:
            path.write_text(json.dumps(TERMS))
        else:
            path.unlink(missing_ok=True)


def build_channel(
    target: Path,
    *,
    pythons: Sequence[Interpreter] | None = None,
    numpy: bool = True,
    terms: bool = False,
    cache: Path | None = None,
) -> Channel:
    """Build a channel in ``target`` (which must not exist) and return it.

    Args:
        target: The folder to create; it gets ``channel/`` and ``simple/``.
        pythons: The interpreters to package, the running one's base when not given.
        numpy: Fetch numpy's wheel with pip; without it or without a wheel, a tiny stand-in takes its name.
        terms: Serve terms of service (``terms.json``), which the command's gate then asks for.
        cache: A folder that keeps built packages between builds, by what they are made of.
    """
    chosen = tuple(pythons) if pythons else (interpreter.describe(),)
    channel, simple = target / "channel", target / "simple"
    platform = virtual.subdir()
    indexes: dict[str, dict[str, Any]] = {platform: {}, "noarch": {}}
    kept = cache or target / "kept"
    real_numpy = False
    for one in chosen:
        for folder in _native(one, kept, numpy=numpy):
            real_numpy |= folder.name == "numpy"
            _adopt(folder, channel / platform, indexes[platform])
    made = [*catalogue.packages(), *catalogue.torch()]
    if not real_numpy:
        made.append(wheels.pure_package(catalogue.NUMPY, depends=()))
    for package in made:
        fn, record = archive.write(package, channel / "noarch")
        indexes["noarch"][fn] = record
    for subdir, records in indexes.items():
        document = {
            "info": {"subdir": subdir},
            "packages": {},
            "packages.conda": records,
            "repodata_version": 1,
        }
        (channel / subdir / "repodata.json").write_text(json.dumps(document, indent=1))
    wheels.write_index(simple, catalogue.WHEELS)
    built = Channel(channel, simple, platform, tuple(one.version for one in chosen), real_numpy)
    built.set_terms(serve=terms)
    return built


def _native(one: Interpreter, kept: Path, *, numpy: bool) -> list[Path]:
    """Return folders of built packages for one interpreter, made once and kept."""
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    made_by = hashlib.sha256(sources).hexdigest()
    stamp = f"{one.executable} {one.version} {one.executable.stat().st_mtime_ns} {made_by}"
    folder = kept / hashlib.sha256(stamp.encode()).hexdigest()[:16]
    found = [_keep(folder / "python", partial(interpreter.package, one))]
    pip = wheels.bundled_pip(one) or wheels.download("pip", folder / "wheels", one)
    if pip is not None:
        found.append(_keep(folder / "pip", partial(wheels.package, pip, one)))
    ready = folder / "numpy"
    if numpy and not ready.is_dir():
        wheel = wheels.download("numpy", folder / "wheels", one)
        if wheel is not None:
            _keep(ready, partial(wheels.package, wheel, one))
    return [*found, ready] if numpy and ready.is_dir() else found


def _keep(folder: Path, make: Callable[[], Package]) -> Path:
    """Return the folder with the built package, building it aside and renaming when it is not there yet."""
    if not folder.is_dir():
        aside = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        fn, record = archive.write(make(), aside / virtual.subdir())
        (aside / "record.json").write_text(json.dumps({"fn": fn, "record": record}))
        try:
            aside.rename(folder)
        except OSError:
            shutil.rmtree(aside)
    return folder


def _adopt(kept: Path, folder: Path, index: dict[str, Any]) -> None:
    said = json.loads((kept / "record.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    source, target = kept / virtual.subdir() / said["fn"], folder / said["fn"]
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    index[said["fn"]] = said["record"]
