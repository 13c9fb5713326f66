"""A Python of this machine as a conda package: its files, made to run from any prefix."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .archive import Entry, Package
from .binaries import stripped

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK = """
import json, sys, sysconfig, platform
base = sys.base_prefix
print(json.dumps({
    "version": platform.python_version(), "prefix": base,
    "stdlib": sysconfig.get_path("stdlib"),
    "dynload": next((p for p in sys.path if p.endswith("lib-dynload")), ""),
    "executable": getattr(sys, "_base_executable", sys.executable),
    "shared": sysconfig.get_config_var("Py_ENABLE_SHARED") and sysconfig.get_config_var("INSTSONAME"),
    "libdir": sysconfig.get_config_var("LIBDIR"), "abi": sys.implementation.cache_tag,
}))
"""
LEFT_OUT_FOLDERS = {
    "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages",
    "dist-packages",    "__pycache__", "_bundled", "pydoc_data", "msilib",
}  # fmt: skip
LEFT_OUT_MODULES = ("_test", "xx", "_tkinter", "_ctypes_test", "_xx")
NEEDED = ("_lzma", "_bz2", "_ssl", "_ctypes", "_sqlite3", "zlib", "readline")
VALIDATED_BY_TIME = b"\0\0\0\0"
NEVER_VALIDATED = b"\x01\0\0\0"

# Debian's site (frozen into its binary) and sysconfig know only dist-packages; pip's place is site-packages
DEBIAN_SITECUSTOMIZE = b'''"""Make this prefix's own site-packages count, which Debian's site leaves out."""

import site
import sys

_PLACE = "%s/lib/python%d.%d/site-packages" % (sys.prefix, *sys.version_info[:2])
site.getsitepackages = lambda prefixes=None: [_PLACE]
site.addsitedir(_PLACE)
'''
DEBIAN_SYSCONFIG = """

for _name in ("posix_local", "deb_system"):
    _INSTALL_SCHEMES[_name] = _INSTALL_SCHEMES["posix_prefix"]


def _get_preferred_schemes():
    return {"prefix": "posix_prefix", "home": "posix_home", "user": "posix_user"}
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python found on this machine, described by itself."""

    executable: Path
    version: str
    prefix: Path
    stdlib: Path
    dynload: Path
    shared: Path | None
    tag: str

    @property
    def short(self) -> str:
        """Return MAJOR.MINOR."""
        return ".".join(self.version.split(".")[:2])

    @property
    def build(self) -> str:
        """Return the build string of packages made for it: ``py311``."""
        return f"py{self.short.replace('.', '')}"


def describe(executable: Path | str = sys.executable) -> Interpreter:
    """Ask a Python what it is; one of a virtual environment answers for its base."""
    answer = subprocess.run([str(executable), "-I", "-c", ASK], capture_output=True, text=True, check=True)
    said = json.loads(answer.stdout)
    library = Path(said["libdir"] or "/") / said["shared"] if said["shared"] else None
    if library is not None and not library.is_file():
        found = Path(said["prefix"]) / "lib" / library.name
        library = found if found.is_file() else None
    return Interpreter(
        executable=Path(said["executable"]).resolve(),
        version=said["version"],
        prefix=Path(said["prefix"]),
        stdlib=Path(said["stdlib"]),
        dynload=Path(said["dynload"] or Path(said["stdlib"]) / "lib-dynload"),
        shared=library,
        tag=said["abi"],
    )


def pyenv(*versions: str) -> list[Interpreter]:
    """Return the interpreters of these MAJOR.MINOR versions that pyenv has here."""
    root = Path.home() / ".pyenv/versions"
    found = (sorted(root.glob(f"{version}.*/bin/python{version}")) for version in versions)
    return [describe(paths[-1]) for paths in found if paths]


def package(interpreter: Interpreter) -> Package:
    """Return the ``python`` package of an interpreter."""
    short = interpreter.short
    entries = [
        Entry(f"bin/python{short}", _relocated(interpreter.executable, interpreter.prefix, "../lib"), mode=0o755),
        Entry("bin/python3", link=f"python{short}"),
        Entry("bin/python", link=f"python{short}"),
        *_library(interpreter),
        *_stdlib(interpreter),
        Entry(f"lib/python{short}/site-packages/README.txt", b"Packages of this environment.\n"),
    ]
    missing = [name for name in NEEDED if not any(f"/{name}." in entry.path for entry in entries)]
    return Package(
        name="python",
        version=interpreter.version,
        build="0_standin",
        entries=tuple(entries),
        summary=f"Python {interpreter.version} of this machine, repackaged by the stand-in (not conda)",
        extra={"modules_built_in_or_missing": missing},
    )


def _library(interpreter: Interpreter) -> Iterator[Entry]:
    if interpreter.shared is not None:
        content = _relocated(interpreter.shared, interpreter.prefix, ".")
        yield Entry(f"lib/{interpreter.shared.name}", stripped(content), mode=0o755)


def _stdlib(interpreter: Interpreter) -> Iterator[Entry]:
    base = f"lib/python{interpreter.short}"
    for path in sorted(interpreter.stdlib.rglob("*.py")):
        relative = path.relative_to(interpreter.stdlib)
        if LEFT_OUT_FOLDERS.intersection(relative.parts[:-1]) or not path.is_file():
            continue
        if path.name == "sitecustomize.py":
            continue
        content = path.read_bytes()
        if _is_debians(path, content):
            yield Entry(f"{base}/sitecustomize.py", DEBIAN_SITECUSTOMIZE)
        changed = _without_debian(path, content)
        yield Entry(f"{base}/{relative}", changed)
        compiled = _compiled(path, interpreter.tag) if changed == content else None
        if compiled:
            yield Entry(f"{base}/{relative.parent}/__pycache__/{path.stem}.{interpreter.tag}.pyc", compiled)
    for path in sorted(interpreter.dynload.glob("*.so")):
        if not path.name.startswith(LEFT_OUT_MODULES):
            content = _relocated(path, interpreter.prefix, "../..")
            yield Entry(f"{base}/lib-dynload/{path.name}", stripped(content), mode=0o755)


def _is_debians(path: Path, content: bytes) -> bool:
    return path.name == "sysconfig.py" and b"posix_local" in content


def _without_debian(path: Path, content: bytes) -> bytes:
    if _is_debians(path, content):
        new = f"{DEBIAN_SYSCONFIG}\n\ndef get_default_scheme".encode()
        return content.replace(b"\ndef get_default_scheme", new, 1)
    return content


def _compiled(path: Path, tag: str) -> bytes | None:
    """Return the compiled module, never to be checked against its source: packages keep no times."""
    compiled = path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc"
    try:
        content = compiled.read_bytes()
    except OSError:
        return None
    state = path.stat()
    stamp = (int(state.st_mtime) & 0xFFFFFFFF).to_bytes(4, "little") + (state.st_size & 0xFFFFFFFF).to_bytes(
        4, "little"
    )
    if content[4:8] != VALIDATED_BY_TIME or content[8:16] != stamp:
        return None
    return content[:4] + NEVER_VALIDATED + content[8:]


def _relocated(path: Path, prefix: Path, up: str) -> bytes:
    """Return a binary that looks for PREFIX/lib from its own place; the name is only ever shortened."""
    content = path.read_bytes()
    origin = b"$ORIGIN" if up == "." else f"$ORIGIN/{up}".encode()
    old = f"{prefix}/lib".encode() + b"\0"
    if str(prefix) in ("/usr", "/") or len(origin) >= len(old):
        return content
    return content.replace(old, origin.ljust(len(old), b"\0"))
