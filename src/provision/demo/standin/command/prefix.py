"""What a prefix holds: its packages, what was asked for, its variables, and what pip put there."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import StandinError

if TYPE_CHECKING:
    from .settings import Settings


def exists(prefix: Path) -> bool:
    """Return whether conda would call this an environment: it has a history."""
    return (prefix / "conda-meta/history").is_file()


def records(prefix: Path) -> list[dict[str, Any]]:
    """Return every conda-meta record, by name; one that cannot be read is a CorruptedEnvironmentError."""
    found = []
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        try:
            read = json.loads(path.read_text())
            found.append({**read, "name": str(read["name"])})
        except (ValueError, KeyError, TypeError):
            message = f"The target environment has been corrupted.\nEnvironment: {prefix}\nFile: {path}"
            raise StandinError("CorruptedEnvironmentError", message) from None
    return sorted(found, key=lambda record: str(record["name"]))


def requested(prefix: Path) -> dict[str, str]:
    """Return the specs that the history remembers, by package name."""
    from .solve import name_of

    specs: dict[str, str] = {}
    path = prefix / "conda-meta/history"
    for line in path.read_text().splitlines() if path.exists() else []:
        match = re.match(r"# (update|remove|neutered) specs: (\[.*\])", line)
        for spec in json.loads(match[2].replace("'", '"')) if match else []:
            if match and match[1] == "update":
                specs[name_of(spec)] = spec
            else:
                specs.pop(name_of(spec), None)
    return specs


def remember(
    prefix: Path,
    *,
    command: str,
    version: str,
    added: list[str],
    removed: list[str],
    specs: list[str],
    action: str,
) -> None:
    """Append one transaction to conda-meta/history, the file that makes a prefix an environment."""
    now = datetime.now(timezone.utc).astimezone()
    lines = [f"==> {now:%Y-%m-%d %H:%M:%S} <==", f"# cmd: {command}", f"# conda version: {version}"]
    lines += [f"-{item}" for item in removed] + [f"+{item}" for item in added]
    if specs:
        lines.append(f"# {action} specs: {specs!r}")
    with (prefix / "conda-meta/history").open("a") as file:
        file.write("\n".join(lines) + "\n")


def variables(prefix: Path) -> dict[str, str]:
    """Return the environment's own variables, from conda-meta/state."""
    path = prefix / "conda-meta/state"
    return dict(json.loads(path.read_text()).get("env_vars", {})) if path.exists() else {}


def set_variables(prefix: Path, new: dict[str, str]) -> None:
    """Add variables to the environment; none is ever taken away."""
    if new:
        merged = {**variables(prefix), **new}
        (prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
        (prefix / "conda-meta/state").write_text(json.dumps({"version": 1, "env_vars": merged}))


@dataclass(frozen=True)
class PipPackage:
    """A distribution that pip installed."""

    name: str
    version: str


def pip_packages(prefix: Path) -> list[PipPackage]:
    """Return the distributions in site-packages that no conda package put there."""
    owned = {path for record in records(prefix) for path in record["files"]}
    found = []
    for metadata in sorted(prefix.glob("lib/python3*/site-packages/*.dist-info/METADATA")):
        if str(metadata.relative_to(prefix)) in owned:
            continue
        text = metadata.read_text(errors="replace")
        fields = dict(re.findall(r"^(Name|Version): (.+)$", text, re.MULTILINE))
        found.append(PipPackage(fields.get("Name", "?").strip(), fields.get("Version", "?").strip()))
    return found


def register(prefix: Path, settings: Settings) -> None:
    """Add the prefix to ~/.conda/environments.txt."""
    path = Path(os.environ.get("HOME", "/")) / ".conda/environments.txt"
    try:
        path.parent.mkdir(exist_ok=True)
        known = path.read_text().splitlines() if path.exists() else []
        if str(prefix) not in known and prefix != settings.root:
            path.write_text("\n".join([*known, str(prefix)]) + "\n")
    except OSError:
        return


def forget(prefix: Path) -> None:
    """Take the prefix out of ~/.conda/environments.txt."""
    path = Path(os.environ.get("HOME", "/")) / ".conda/environments.txt"
    if path.exists():
        path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines() if line != str(prefix)))


def known(settings: Settings) -> list[Path]:
    """Return base, the environments of every envs folder and those of environments.txt that still exist."""
    found = [settings.root]
    for folder in settings.envs_dirs:
        found += [path for path in sorted(folder.iterdir()) if exists(path)] if folder.is_dir() else []
    listed = Path(os.environ.get("HOME", "/")) / ".conda/environments.txt"
    for line in listed.read_text().splitlines() if listed.exists() else []:
        if exists(Path(line)):
            found.append(Path(line))
    return list(dict.fromkeys(found))


def locate(settings: Settings, name: str) -> Path | None:
    """Return the prefix that a name means: base's own folder, then the configured ones."""
    if name in ("base", "root"):
        return settings.root
    if "/" in name:
        return Path(name).expanduser().absolute()
    return next((folder / name for folder in settings.envs_dirs if (folder / name).is_dir()), None)
