"""The venv judged against what an environment on a host has: the place where "works here, fails there" comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.environment.names import distribution_of
from provision.venv.names import same_thing
from provision.venv.remark import Level, Remark, advice, ok, problem, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.environment.listing import Listing
    from provision.venv.imports import Source
    from provision.venv.modules import Modules

_TOOLS = frozenset({"pip", "setuptools", "wheel", "conda"})


def judge_host(
    here: Listing, there: Listing, source: Source, modules: Modules, declared: frozenset[str]
) -> Iterator[Remark]:
    """Yield how the venv and the environment of a host differ.

    Args:
        here: What the venv has.
        there: What the host's current generation has.
        source: What the project imports.
        modules: Which distribution of the venv brings a module.
        declared: The distributions that the project's files name: others are needed by them.
    """
    mine, theirs = _versions(here), _versions(there)
    lacking = tuple(
        f"{one.module} ({one.where})"
        for one in source.imports
        if not one.aside and not {same_thing(name) for name in modules.brought_by(one.module)} & set(theirs)
    )
    if lacking:
        text = f"imported, and not in the environment there: {some(lacking)}"
        yield problem("host-imports", text, "add it to environment.yml, then `provision up`", lacking)
    wanted = {same_thing(one) for one in declared} | {
        same_thing(name) for one in source.imports for name in modules.brought_by(one.module)
    }
    differing = [
        (name, f"{name} {mine[name]} here, {theirs[name]} there")
        for name in sorted(mine.keys() & theirs.keys() - _TOOLS)
        if _public(mine[name]) != _public(theirs[name])
    ]
    yield from _differing(
        tuple(text for name, text in differing if name in wanted),
        tuple(text for name, text in differing if name not in wanted),
    )
    only_here = tuple(sorted(name for name in mine.keys() - theirs.keys() - _TOOLS))
    only_there = tuple(sorted(name for name in theirs.keys() - mine.keys() - _TOOLS))
    named = tuple(name for name in only_here if name in wanted)
    if named:
        yield advice("host-lacks", f"asked for and here, not there: {some(named)}", "add what jobs use", named)
    rest = tuple(name for name in only_here if name not in wanted)
    if rest or only_there:
        sides = [
            f"{len(names)} {side} ({some(names)})" for names, side in ((rest, "here"), (only_there, "there")) if names
        ]
        text = f"others that only one side has: {'; '.join(sides)}"
        yield Remark("host-only", Level.OK, text, names=(*rest, *only_there))
    if not lacking and not differing and not named:
        yield ok("host", f"of one version on both sides: {len(mine.keys() & theirs.keys())} packages")


def judge_pythons(here: Listing, there: Listing) -> Iterator[Remark]:
    """Yield how the two Pythons differ."""
    mine, theirs = ((one.markers or {}).get("python_full_version") for one in (here, there))
    if mine is None or theirs is None:
        return
    if mine.split(".")[:2] != theirs.split(".")[:2]:
        yield advice(
            "host-python",
            f"Python {mine} here, {theirs} there",
            f"make the venv with Python {'.'.join(theirs.split('.')[:2])}, or ask for this one in environment.yml",
        )
    else:
        yield ok("host-python", f"Python {mine} here, {theirs} there")


def _differing(wanted: tuple[str, ...], others: tuple[str, ...]) -> Iterator[Remark]:
    if wanted:
        text = f"of another version: {some(wanted)}"
        yield advice("host-versions", text, "ask for the same version in requirements.txt and environment.yml", wanted)
    if others:
        text = f"of another version, and only needed by others: {some(others)}"
        yield Remark("host-versions-others", Level.OK, text, names=others)


def _versions(listing: Listing) -> dict[str, str]:
    """Return the Python distributions by name; a package of conda's that left no metadata counts by its own name."""
    # The project itself, installed where it stands, is no package that travels.
    found = {same_thing(one.name): one.version for one in listing.pip if not one.editable}
    for package in listing.conda:
        if package.distributions:
            continue
        name = same_thing(distribution_of(package.name))
        if name in {"torch", "tensorflow", "opencv-python"}:
            found.setdefault(name, package.version)
    return found


def _public(version: str) -> str:
    """Return a version without what says for which accelerator it was built: `2.4.0+cpu` here is meant to differ."""
    return version.partition("+")[0]
