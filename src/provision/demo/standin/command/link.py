"""Linking extracted packages into a prefix, and taking back what was linked."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dist import Dist

SCRIPT = """#!{prefix}/bin/python
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({function}())
"""


class Linker:
    """Links packages into one prefix and remembers every path it made, so that it can undo them."""

    def __init__(self, prefix: Path, site_packages: str) -> None:
        self.prefix = prefix
        self.site_packages = site_packages
        self.made: list[Path] = []

    def link(self, dist: Dist, place: Path) -> list[str]:
        """Put every file of one package into the prefix; return their paths relative to it."""
        linked = []
        pure = dist.record.get("noarch") == "python"
        for entry in json.loads((place / "info/paths.json").read_text())["paths"]:
            relative = self._target(str(entry["_path"])) if pure else str(entry["_path"])
            self._place(place / entry["_path"], self.prefix / relative, entry)
            linked.append(relative)
        if pure:
            linked += self._entry_points(place)
        return linked

    def record(self, dist: Dist, place: Path, files: list[str], requested: str | None) -> None:
        """Write the package's conda-meta record, which makes it count as installed."""
        document = {
            **dist.record,
            "fn": dist.fn,
            "url": dist.url,
            "channel": f"{dist.channel}/{dist.subdir}",
            "subdir": dist.subdir,
            "files": files,
            "link": {"source": str(place), "type": 1},
            "extracted_package_dir": str(place),
            "package_tarball_full_path": f"{place.parent / dist.fn}",
            "requested_spec": requested or "None",
        }
        path = self.prefix / "conda-meta" / f"{dist.stem}.json"
        path.write_text(json.dumps(document, indent=2))
        self.made.append(path)

    def undo(self) -> None:
        """Remove everything that was made, the newest first, and the folders that are empty then."""
        for path in reversed(self.made):
            path.unlink(missing_ok=True)
        remove_empty_folders(self.prefix)

    def _target(self, relative: str) -> str:
        head, _, tail = relative.partition("/")
        if head == "site-packages":
            return f"{self.site_packages}/{tail}"
        return f"bin/{tail}" if head == "python-scripts" else relative

    def _place(self, source: Path, target: Path, entry: dict[str, Any]) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.exists():
            target.unlink()
        # noted first: a file that is only half there when the disk is full must go as well
        self.made.append(target)
        placeholder = entry.get("prefix_placeholder")
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif placeholder:
            _rewrite(source, target, placeholder.encode(), str(self.prefix).encode(), entry["file_mode"])
        else:
            _hard_link(source, target)

    def _entry_points(self, place: Path) -> list[str]:
        path = place / "info/link.json"
        points = json.loads(path.read_text())["noarch"].get("entry_points", []) if path.exists() else []
        made = []
        for point in points:
            command, _, target = (part.strip() for part in point.partition("="))
            module, _, function = (part.strip() for part in target.partition(":"))
            script = self.prefix / "bin" / command
            script.parent.mkdir(exist_ok=True)
            first = function.split(".")[0]
            script.write_text(SCRIPT.format(prefix=self.prefix, module=module, first=first, function=function))
            script.chmod(0o755)
            self.made.append(script)
            made.append(f"bin/{command}")
        return made


def unlink(prefix: Path, record: dict[str, Any]) -> None:
    """Remove an installed package's files and its conda-meta record."""
    for relative in record["files"]:
        path = prefix / relative
        if path.is_symlink() or path.exists():
            path.unlink()
    (prefix / "conda-meta" / f"{stem(record)}.json").unlink()


def stem(record: dict[str, Any]) -> str:
    """Return NAME-VERSION-BUILD of a conda-meta record."""
    return f"{record['name']}-{record['version']}-{record['build']}"


def remove_empty_folders(prefix: Path) -> None:
    """Remove every empty folder below the prefix, and the prefix when it is empty then."""
    for folder, _, _ in os.walk(prefix, topdown=False):
        try:
            Path(folder).rmdir()
        except OSError:
            continue


def _rewrite(source: Path, target: Path, placeholder: bytes, prefix: bytes, mode: str) -> None:
    content = source.read_bytes()
    if mode == "binary":
        padded = prefix + b"\0" * (len(placeholder) - len(prefix))
        target.write_bytes(content.replace(placeholder, padded))
    else:
        target.write_bytes(content.replace(placeholder, prefix))
    shutil.copymode(source, target)


def _hard_link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if isinstance(error, (FileNotFoundError, FileExistsError)):
            raise
        shutil.copy2(source, target)
