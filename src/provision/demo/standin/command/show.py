"""``list``, ``info``, ``config --show`` and ``doctor``: telling, never changing."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

from . import link, prefix, virtual

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from .session import Session

BANNER = "the stand-in (not conda)"


def packages(session: Session, options: argparse.Namespace) -> int:
    """Print what an environment holds; ``--explicit`` says nothing of pip's packages."""
    target = session.environment(options.prefix, options.name)
    records = prefix.records(target)
    if options.explicit:
        lines = [f"{record['url']}#{record.get('md5', '')}" for record in records]
        print(f"# platform: {virtual.subdir()}\n@EXPLICIT\n" + "\n".join(lines))
        return 0
    rows = [
        {
            "base_url": str(record["channel"]).rsplit("/", 1)[0],
            "build_number": record["build_number"],
            "build_string": record["build"],
            "channel": str(record["channel"]).rsplit("/", 2)[-2],
            "dist_name": link.stem(record),
            "name": record["name"],
            "platform": record["subdir"],
            "version": record["version"],
        }
        for record in records
    ]
    rows += [
        {
            "base_url": "https://conda.anaconda.org/pypi",
            "build_number": 0,
            "build_string": "pypi_0",
            "channel": "pypi",
            "dist_name": f"{package.name}-{package.version}-pypi_0",
            "name": package.name.lower().replace("_", "-"),
            "platform": "pypi",
            "version": package.version,
        }
        for package in prefix.pip_packages(target)
    ]
    rows.sort(key=lambda row: str(row["name"]))
    lines = [f"{row['name']:<25} {row['version']:<15} {row['build_string']:<20} {row['channel']}" for row in rows]
    session.give(rows, f"# packages in environment at {target}:\n#\n" + "\n".join(lines))
    return 0


def info(session: Session, _options: argparse.Namespace) -> int:
    """Print what the installation is and what it found here."""
    settings = session.settings
    document = {
        "active_prefix": None,
        "channels": session.addresses(settings.channels),
        "conda_prefix": str(settings.root),
        "conda_version": settings.emulates,
        "config_files": list(settings.sources),
        "default_prefix": str(settings.root),
        "envs": [str(path) for path in prefix.known(settings)],
        "envs_dirs": [str(path) for path in settings.envs_dirs],
        "offline": settings.offline,
        "pkgs_dirs": [str(path) for path in settings.pkgs_dirs],
        "platform": virtual.subdir(),
        "python_version": f"{platform.python_version()}.final.0",
        "root_prefix": str(settings.root),
        "standin": BANNER,
        "sys.executable": sys.executable,
        "virtual_pkgs": [list(package) for package in virtual.packages()],
    }
    session.give(document, "\n".join(f"{key:>20} : {value}" for key, value in document.items()))
    return 0


def config(session: Session, _options: argparse.Namespace) -> int:
    """Print the merged configuration."""
    settings = session.settings
    document: dict[str, object] = {
        "channel_alias": settings.channel_alias,
        "channel_priority": settings.channel_priority,
        "channels": list(settings.channels),
        "create_default_packages": list(settings.create_default_packages),
        "custom_channels": settings.custom_channels,
        "default_channels": list(settings.default_channels),
        "envs_dirs": [str(path) for path in settings.envs_dirs],
        "pkgs_dirs": [str(path) for path in settings.pkgs_dirs],
    }
    session.give(document, "\n".join(f"{key}: {value}" for key, value in document.items()))
    return 0


def doctor(session: Session, options: argparse.Namespace) -> int:
    """Print which files of an environment are missing; that is no failure to it."""
    target = session.environment(options.prefix, options.name)
    session.say(f"Environment Health Report for: {target}\n")
    for record in prefix.records(target):
        missing = [path for path in record["files"] if not _there(target / path)]
        if missing:
            session.say(f"X Missing Files: {record['name']}: {len(missing)}")
    return 0


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()
