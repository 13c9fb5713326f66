"""``env create``, ``update``, ``remove`` and ``list``, with what each version does to what is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, environment_file, packages, prefix, terms, transaction
from .errors import StandinError
from .solve import name_of, solve

if TYPE_CHECKING:
    import argparse

    from .dist import Dist
    from .environment_file import EnvironmentFile
    from .session import Session

FIRST_THAT_MODIFIES = (25, 11)
FIRST_THAT_RECREATES = (26, 7)
FIRST_THAT_OBEYS_PREFIX = (26, 3)
FIRST_WITH_NEW_NAMES = (25, 11)


def create(session: Session, options: argparse.Namespace) -> int:
    """Make the environment of a file; it never asks, whatever is at the prefix."""
    file = environment_file.read(Path(options.file))
    terms.gate(session.settings, session.channels([]))
    target = _target(session, options, file)
    version = session.settings.version
    if target.exists():
        if version < FIRST_THAT_MODIFIES and not (options.yes or options.force):
            raise StandinError("CondaValueError", f"prefix already exists: {target}")
        if version < FIRST_THAT_MODIFIES or version >= FIRST_THAT_RECREATES:
            shutil.rmtree(target)
    wanted = [*file.specs, *session.settings.create_default_packages]
    change = transaction.between(target, _solve(session, wanted, file), wanted)
    return _carry_out(session, change, file)


def update(session: Session, options: argparse.Namespace) -> int:
    """Bring an environment to a file; ``--prune`` drops conda packages, never pip's nor variables."""
    file = environment_file.read(Path(options.file))
    terms.gate(session.settings, session.channels([]))
    target = _target(session, options, file)
    before = {} if options.prune or not prefix.exists(target) else prefix.requested(target)
    wanted = {**before, **{name_of(spec): spec for spec in file.specs}}
    change = transaction.between(target, _solve(session, list(wanted.values()), file), file.specs)
    return _carry_out(session, change, file)


def remove(session: Session, options: argparse.Namespace) -> int:
    """Delete an environment."""
    target = session.environment(options.prefix, options.name)
    if target == session.settings.root:
        raise StandinError("CondaEnvironmentError", "cannot remove the base environment")
    return packages.delete(session, target)


def show(session: Session, _options: argparse.Namespace) -> int:
    """List the known environments."""
    known = prefix.known(session.settings)
    lines = []
    for path in known:
        named = path.parent in session.settings.envs_dirs
        label = "base" if path == session.settings.root else path.name if named else ""
        lines.append(f"{label:<24} {path}")
    session.give({"envs": [str(path) for path in known]}, "# conda environments:\n#\n" + "\n".join(lines) + "\n")
    return 0


def _target(session: Session, options: argparse.Namespace, file: EnvironmentFile) -> Path:
    if options.prefix or options.name:
        return session.target(options.prefix, options.name)
    if file.prefix and session.settings.version >= FIRST_THAT_OBEYS_PREFIX:
        return Path(file.prefix).expanduser().absolute()
    if file.name in ("base", "root"):
        raise StandinError("CondaValueError", "The target prefix is the base prefix. Aborting.")
    return session.target(None, file.name)


def _solve(session: Session, wanted: list[str], file: EnvironmentFile) -> list[Dist]:
    names = session.channels([], file.channels)
    if not wanted:
        return []
    session.say("Channels:\n" + "\n".join(f" - {name}" for name in names))
    session.say("Collecting package metadata (repodata.json): ...working...")
    session.faults.at("solve")
    old = session.settings.version < FIRST_WITH_NEW_NAMES
    store = cache.folder(session.settings)
    found = solve(session.settings, wanted, session.addresses(names), session.faults, store, old=old)
    session.say("Solving environment: done")
    return found


def _carry_out(session: Session, change: transaction.Change, file: EnvironmentFile) -> int:
    transaction.carry_out(session, change)
    prefix.set_variables(change.target, file.variables)
    if file.pip:
        _pip(session, change.target, file.pip)
    session.say(f"#\n# To activate this environment, use\n#\n#     $ conda activate {change.target}\n#")
    session.give({"success": True, "prefix": str(change.target)})
    return 0


def _pip(session: Session, target: Path, lines: list[str]) -> None:
    """Run pip on the file's pip section; when it fails the environment stays as it is, history and all."""
    session.say("Installing pip dependencies: ...working...")
    failed = session.faults.at("pip") or session.faults.fails("pip")
    # pip's relative paths and -r lines count from the folder of the environment file, which is ours
    with tempfile.NamedTemporaryFile("w", dir=".", prefix="condaenv.", suffix=".requirements.txt") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        command = [f"{target}/bin/python", "-m", "pip", "install", "-U", "-r", file.name, "--exists-action=b"]
        where = sys.stderr if session.as_json else None
        try:
            failed = failed or subprocess.run(command, stdout=where, check=False).returncode != 0
        except OSError:
            failed = True
    if failed:
        raise StandinError("CondaEnvException", "Pip failed")
