"""What the doctor reads of the project on this machine: the venv, the files that ask for packages, the source."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.cli.doctor_sources import python_files
from provision.decode.document import shown_path
from provision.environment.spec import EnvironmentSpec, load_spec
from provision.errors import BadFileError, UsageError
from provision.remote.sources import source
from provision.venv.against_environment import brought_names, judge_environment
from provision.venv.against_requirements import judge_lines, judge_problems, judge_requirements
from provision.venv.against_source import Files, judge_source
from provision.venv.declared import Requirements, read_requirements
from provision.venv.imports import Source, read_source
from provision.venv.modules import Modules, read_modules
from provision.venv.place import Venv, elsewhere, find_venv
from provision.venv.pythons import judge_python
from provision.venv.reading import read_packages
from provision.venv.remark import Remark, Section, advice, ok, problem, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from provision.environment.listing import Listing
    from provision.project import Project

REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True, slots=True)
class Local:
    """The project as it stands here; what is not there is ``None`` or empty."""

    root: Path
    venv: Venv | None
    active: str | None
    """A venv that is active and not the project's."""
    listing: Listing | None
    modules: Modules
    requirements: Requirements | None
    specs: tuple[EnvironmentSpec, ...]
    source: Source
    problems: tuple[Remark, ...] = ()

    @property
    def files(self) -> Files:
        """What each file asks for."""
        asked: dict[str, frozenset[str]] = {}
        if self.requirements is not None:
            asked[self.requirements.source] = self.requirements.names
        asked.update((spec.source, brought_names(spec)) for spec in self.specs)
        return Files(asked)


def look(project: Project, chosen: Path | None, environ: Mapping[str, str]) -> Local:
    """Read all of it; what cannot be read is told.

    Raises:
        UsageError: what was chosen as the venv is none.
    """
    problems: list[Remark] = []
    try:
        venv = find_venv(project.root, environ, chosen)
    except ValueError as error:
        raise UsageError(str(error), hint="give the folder that `python -m venv` made") from None
    listing = _listing(venv, problems)
    modules = read_modules(venv.path, listing.markers) if venv is not None and listing is not None else Modules()
    path = project.root / REQUIREMENTS
    return Local(
        root=project.root,
        venv=venv,
        active=elsewhere(project.root, environ),
        listing=listing,
        modules=modules,
        requirements=read_requirements(path) if os.path.lexists(path) else None,
        specs=tuple(_specs(project, problems)),
        source=read_source(project.root, python_files(project.root)),
        problems=tuple(problems),
    )


def sections(local: Local) -> Iterator[Section]:
    """Yield what is thought of the project on this machine."""
    yield Section("venv", tuple(_venv(local)))
    yield Section("packages", tuple(_packages(local)))
    yield Section("imports", tuple(judge_source(local.source, local.files, local.modules, local.listing)))
    if local.venv is not None:
        yield Section("Python", tuple(judge_python(local.venv, local.specs)))


def _listing(venv: Venv | None, problems: list[Remark]) -> Listing | None:
    if venv is None:
        return None
    try:
        return read_packages(venv.path, source("list_packages.py"))
    except ValueError as error:
        problems.append(problem("venv-unread", str(error), "make it anew: remove it, then `provision init --venv`"))
        return None


def _specs(project: Project, problems: list[Remark]) -> Iterator[EnvironmentSpec]:
    paths = dict.fromkeys(path for one in project.environments for _, path in one.files)
    for path in paths:
        if path.name == REQUIREMENTS:
            continue
        try:
            yield load_spec(path, project.name, project.root, allow_pip_options=True)
        except BadFileError as error:
            problems.append(problem("environment-unread", error.message, error.hint))


def _venv(local: Local) -> Iterator[Remark]:
    venv = local.venv
    if venv is None:
        yield advice("venv", "the project has no venv (.venv, venv or env)", "provision init --venv    makes one")
    else:
        shown = shown_path(venv.path)
        if venv.broken is not None:
            fix = "remove it and make it anew: `provision init --venv`"
            yield problem("venv-broken", f"{shown}: {venv.broken}", fix)
        else:
            count = f", {len(local.listing.pip)} packages" if local.listing is not None else ""
            yield ok("venv", f"{shown} (by {venv.origin}): Python {venv.version or '?'}{count}")
        if venv.others:
            others = tuple(shown_path(one) for one in venv.others)
            yield advice(
                "venv-others", f"further venvs, which are not looked at: {some(others)}", "--venv PATH chooses"
            )
        if venv.system_site:
            text = "it sees the packages of the Python that it was made with: what is missing in it may not show"
            yield advice("venv-system-site", text, "include-system-site-packages = false in its pyvenv.cfg")
        if local.listing is not None and local.listing.problems:
            found = local.listing.problems
            text = f"records of installed packages that cannot be read: {some(found)}"
            yield problem("venv-records", text, "install those packages anew", found)
    if local.active is not None:
        text = f"$VIRTUAL_ENV is {local.active}, which is not the project's"
        yield advice("venv-active", text, "deactivate, or --venv PATH")
    yield from (one for one in local.problems if one.check == "venv-unread")


def _packages(local: Local) -> Iterator[Remark]:
    declared = local.requirements
    if declared is None and not local.specs and not local.problems:
        yield advice("files", "neither requirements.txt nor environment.yml asks for anything")
    if declared is not None:
        yield from judge_problems(declared.problems, "requirements-unread")
        if local.listing is not None and local.venv is not None:
            python = shown_path(local.venv.python)
            yield from judge_requirements(declared, local.listing, f"{python} -m pip install -r {declared.source}")
        yield from judge_lines(declared)
    yield from (one for one in local.problems if one.check == "environment-unread")
    for spec in local.specs:
        yield from judge_environment(spec, local.listing, declared)
