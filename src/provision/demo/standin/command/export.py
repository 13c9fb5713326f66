"""``env export`` and ``export``: an environment as text, with what each form loses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import prefix
from .errors import StandinError
from .virtual import subdir

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from .session import Session


def export(session: Session, options: argparse.Namespace) -> int:
    """Print an environment file; ``--from-history`` loses pip and resets channels, explicit refuses pip's."""
    target = session.environment(options.prefix, options.name)
    if options.format == "explicit":
        return _explicit(target)
    document = _from_history(session, target) if options.from_history else _whole(target, builds=not options.no_builds)
    import yaml

    session.give(document, yaml.safe_dump(document, sort_keys=False).rstrip())
    return 0


def _whole(target: Path, *, builds: bool) -> dict[str, Any]:
    records = prefix.records(target)
    dependencies: list[Any] = [
        f"{record['name']}={record['version']}" + (f"={record['build']}" if builds else "") for record in records
    ]
    pip = [f"{package.name}=={package.version}" for package in prefix.pip_packages(target)]
    if pip:
        dependencies.append({"pip": pip})
    channels = list(dict.fromkeys(str(record["channel"]).rsplit("/", 1)[0] for record in records))
    return _document(target, channels, dependencies, prefix.variables(target))


def _from_history(session: Session, target: Path) -> dict[str, Any]:
    return _document(target, list(session.settings.channels), list(prefix.requested(target).values()), {})


def _document(target: Path, channels: list[str], dependencies: list[Any], variables: dict[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = {"name": target.name, "channels": channels, "dependencies": dependencies}
    if variables:
        document["variables"] = variables
    return {**document, "prefix": str(target)}


def _explicit(target: Path) -> int:
    if prefix.pip_packages(target):
        raise StandinError("CondaValueError", "Cannot export the explicit format: there are packages from pip.")
    lines = [f"{record['url']}#{record.get('md5', '')}" for record in prefix.records(target)]
    print(f"# platform: {subdir()}\n@EXPLICIT\n" + "\n".join(lines))
    return 0
