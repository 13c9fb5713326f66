"""``create``, ``install`` and ``remove``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache, link, prefix, specs, terms, transaction
from .errors import StandinError
from .solve import name_of, solve

if TYPE_CHECKING:
    import argparse

    from .dist import Dist
    from .session import Session


def create(session: Session, options: argparse.Namespace) -> int:
    """Make an environment; with ``-y`` an environment that is already there is deleted first."""
    target = session.target(options.prefix, options.name)
    names = session.channels(options.channel, override=options.override_channels)
    terms.gate(session.settings, names)
    if target == session.settings.root:
        raise StandinError("CondaValueError", "The target prefix is the base prefix. Aborting.")
    if target.exists():
        kind = "conda environment" if prefix.exists(target) else "directory"
        session.say(f"WARNING: A {kind} already exists at {target}")
        session.confirm()
        if prefix.exists(target):
            shutil.rmtree(target)
    lines, explicit = specs.read([Path(file) for file in options.file])
    wanted = [*options.specs, *([] if explicit else lines), *session.settings.create_default_packages]
    dists = specs.explicit(session, lines) if explicit else _solve(session, wanted, names)
    change = transaction.between(target, dists, wanted)
    show(session, change)
    if options.dry_run:
        session.say("DryRunExit: Dry run. Exiting.")
        session.give(_document(change, dry=True))
        return 0
    session.confirm()
    transaction.carry_out(session, change)
    session.say(f"#\n# To activate this environment, use\n#\n#     $ conda activate {options.name or target}\n#")
    session.give(_document(change))
    return 0


def install(session: Session, options: argparse.Namespace) -> int:
    """Add packages to an environment, keeping what was asked for before."""
    target = session.environment(options.prefix, options.name)
    names = session.channels(options.channel, override=options.override_channels)
    terms.gate(session.settings, names)
    lines, explicit = specs.read([Path(file) for file in options.file])
    asked = [*options.specs, *([] if explicit else lines)]
    if explicit:
        dists = specs.explicit(session, lines)
        change = transaction.Change(target, dists, _replaced(target, dists), asked)
    else:
        before = prefix.requested(target)
        merged = {**before, **{name_of(spec): spec for spec in asked}}
        change = transaction.between(target, _solve(session, list(merged.values()), names), asked)
    show(session, change)
    session.confirm()
    transaction.carry_out(session, change)
    session.give(_document(change))
    return 0


def remove(session: Session, options: argparse.Namespace) -> int:
    """Remove packages and all that needs them, or with ``--all`` the environment."""
    target = session.environment(options.prefix, options.name)
    terms.gate(session.settings, session.channels(options.channel, override=options.override_channels))
    if options.all:
        return delete(session, target)
    there = prefix.records(target)
    leaving = {name_of(spec) for spec in options.specs}
    missing = leaving - {record["name"] for record in there}
    if missing:
        raise StandinError("PackagesNotFoundError", "Not installed here:\n" + "\n".join(sorted(missing)))
    grown = True
    while grown:
        needing = {
            record["name"]
            for record in there
            if any(str(need).split(" ")[0] in leaving for need in record.get("depends", ()))
        }
        grown = not needing <= leaving
        leaving |= needing
    gone = [record for record in there if record["name"] in leaving]
    change = transaction.Change(target, [], gone, list(options.specs), "remove")
    show(session, change)
    session.confirm()
    transaction.carry_out(session, change)
    session.give(_document(change))
    return 0


def delete(session: Session, target: Path) -> int:
    """Delete a whole environment after asking."""
    session.say(f"\nRemove all packages in environment {target}:\n")
    session.confirm()
    shutil.rmtree(target)
    prefix.forget(target)
    session.give({"success": True, "prefix": str(target)})
    return 0


def show(session: Session, change: transaction.Change) -> None:
    """Print what is about to be done."""
    session.say(f"\n## Package Plan ##\n\n  environment location: {change.target}\n")
    for spec in change.specs:
        session.say(f"    - {spec}")
    for heading, stems in (
        ("NEW packages will be INSTALLED", [dist.stem for dist in change.add]),
        ("packages will be REMOVED", [link.stem(record) for record in change.remove]),
    ):
        if stems:
            session.say(f"\nThe following {heading}:\n\n" + "\n".join(f"  {stem}" for stem in sorted(stems)))


def _solve(session: Session, wanted: list[str], names: list[str]) -> list[Dist]:
    if not wanted:
        return []
    urls = session.addresses(names)
    session.say("Channels:\n" + "\n".join(f" - {name}" for name in names))
    session.say("Collecting package metadata (repodata.json): ...working...")
    session.faults.at("solve")
    found = solve(session.settings, wanted, urls, session.faults, cache.folder(session.settings))
    session.say("Solving environment: done")
    return found


def _replaced(target: Path, dists: list[Dist]) -> list[dict[str, object]]:
    names = {dist.name for dist in dists}
    return [record for record in prefix.records(target) if record["name"] in names]


def _document(change: transaction.Change, *, dry: bool = False) -> dict[str, object]:
    linked = [
        {"name": dist.name, "version": dist.version, "build_string": dist.build, "channel": dist.channel}
        for dist in change.add
    ]
    gone = [{"name": record["name"], "version": record["version"]} for record in change.remove]
    actions = {"LINK": linked, "UNLINK": gone, "PREFIX": str(change.target)}
    return {"success": True, "prefix": str(change.target), "dry_run": dry, "actions": actions}
