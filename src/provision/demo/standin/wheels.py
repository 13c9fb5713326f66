"""Wheels as conda packages, wheels made here, and a simple index of them for pip."""

from __future__ import annotations

import base64
import configparser
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .archive import PLACEHOLDER, Entry, Package

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .interpreter import Interpreter

SCRIPT = """#!{placeholder}/bin/python
import sys

from {module} import {function}

if __name__ == "__main__":
    sys.exit({function}())
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A pure distribution made here: modules by path, and what it needs."""

    name: str
    version: str
    modules: dict[str, str]
    requires: tuple[str, ...] = ()
    summary: str = ""


def bundled_pip(interpreter: Interpreter) -> Path | None:
    """Return the pip wheel that an interpreter carries, else Debian's copy of one."""
    folders = (interpreter.stdlib / "ensurepip/_bundled", Path("/usr/share/python-wheels"))
    found = [wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))]
    return found[0] if found else None


def download(requirement: str, folder: Path, interpreter: Interpreter) -> Path | None:
    """Fetch one wheel for an interpreter with pip as it is configured here; None when it cannot be had."""
    wheel = None if importlib.util.find_spec("pip") else bundled_pip(interpreter)
    # an environment without pip borrows the wheel that comes with the interpreter
    pip = [sys.executable, f"{wheel}/pip"] if wheel else [sys.executable, "-m", "pip"]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version", interpreter.short]
    with tempfile.TemporaryDirectory() as fresh:
        limits = ["--timeout", "10", "--retries", "1", "--dest", fresh]
        command = [*pip, "download", *options, *limits, requirement]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return None
        fetched = list(Path(fresh).glob("*.whl"))
        if done.returncode != 0 or not fetched:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / fetched[0].name
        shutil.copy2(fetched[0], kept)
        return kept


def package(wheel: Path, interpreter: Interpreter, *, depends: tuple[str, ...] = ()) -> Package:
    """Return a wheel as a package for one interpreter, its modules compiled by it."""
    name, version = wheel.name.split("-")[:2]
    site = f"lib/python{interpreter.short}/site-packages"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root)
        scripts = _scripts(root)
        arguments = [
            "-m",
            "compileall",
            "-q",
            "-j",
            "0",
            "--invalidation-mode",
            "unchecked-hash",
            "-s",
            folder,
        ]
        subprocess.run([str(interpreter.executable), *arguments, folder], capture_output=True, check=False)
        entries = [
            Entry(
                f"{site}/{path.relative_to(root)}",
                path.read_bytes(),
                mode=0o755 if ".so" in path.name else 0o644,
            )
            for path in sorted(root.rglob("*"))
            if path.is_file() and not {"tests", "test"}.intersection(path.relative_to(root).parts)
        ]
    entries.append(Entry(f"{site}/{name}-{version}.dist-info/INSTALLER", b"conda\n"))
    short = interpreter.short
    return Package(
        name=name.lower().replace("_", "-"),
        version=version,
        build=f"{interpreter.build}_0",
        entries=(*entries, *scripts),
        depends=(f"python >={short},<{_next(short)}.0a0", *depends),
        summary=f"{name} from its wheel {wheel.name}, repackaged by the stand-in (not conda)",
    )


def pure_package(made: Made, *, depends: tuple[str, ...], build: str = "pyh_0", number: int = 0) -> Package:
    """Return a distribution made here as a noarch package."""
    folder = f"{made.name.replace('-', '_')}-{made.version}.dist-info"
    files = {**made.modules, f"{folder}/METADATA": _metadata(made), f"{folder}/INSTALLER": "conda\n"}
    return Package(
        name=made.name,
        version=made.version,
        build=build,
        entries=tuple(Entry(f"site-packages/{path}", text.encode()) for path, text in files.items()),
        depends=("python >=3.8", *depends),
        build_number=number,
        noarch="python",
        summary=made.summary,
    )


def write(made: Made, folder: Path) -> Path:
    """Write a distribution made here as a wheel."""
    stem = f"{made.name.replace('-', '_')}-{made.version}"
    info = f"{stem}.dist-info"
    tags = "Wheel-Version: 1.0\nGenerator: standin\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {**made.modules, f"{info}/METADATA": _metadata(made), f"{info}/WHEEL": tags}
    rows = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items()]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": "".join([*rows, f"{info}/RECORD,,\n"])}.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return target


def write_index(folder: Path, made: tuple[Made, ...]) -> None:
    """Write a PEP 503 simple index: one folder a project, with relative links that carry hashes."""
    for one in made:
        write(one, folder / one.name)
    projects = sorted({one.name for one in made})
    (folder / "index.html").write_text(_page(f'<a href="{name}/">{name}</a>' for name in projects))
    for name in projects:
        links = []
        for wheel in sorted((folder / name).glob("*.whl")):
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            links.append(f'<a href="{wheel.name}#sha256={digest}">{wheel.name}</a>')
        (folder / name / "index.html").write_text(_page(links))


def _page(links: Iterable[str]) -> str:
    lines = "<br>\n".join(links)
    return f"<!DOCTYPE html>\n<html><body>\n{lines}\n</body></html>\n"


def _scripts(root: Path) -> list[Entry]:
    points = configparser.ConfigParser(delimiters=("=",))
    points.optionxform = str  # type: ignore[assignment,method-assign]
    points.read(root.glob("*.dist-info/entry_points.txt"))
    made = []
    for command, target in points.items("console_scripts") if points.has_section("console_scripts") else ():
        module, function = target.split(":")
        text = SCRIPT.format(placeholder=PLACEHOLDER, module=module, function=function)
        made.append(Entry(f"bin/{command}", text.encode(), mode=0o755, has_placeholder=True))
    return made


def _metadata(made: Made) -> str:
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {made.name}",
        f"Version: {made.version}",
        f"Summary: {made.summary}",
    ]
    return "\n".join([*lines, *(f"Requires-Dist: {requirement}" for requirement in made.requires)]) + "\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def _next(short: str) -> str:
    major, minor = short.split(".")
    return f"{major}.{int(minor) + 1}"
