"""The venv and requirements.txt judged against environment.yml: what the hosts will have, and this machine has not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from provision.environment.matchspec import parse
from provision.environment.names import distribution_of
from provision.environment.requirement import requirements
from provision.venv.belonging import belongs_to_conda, is_system
from provision.venv.names import same_thing
from provision.venv.remark import Remark, advice, ok, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.environment.listing import Listing
    from provision.environment.matchspec import MatchSpec
    from provision.environment.requirement import PipLine
    from provision.environment.spec import EnvironmentSpec
    from provision.venv.declared import Requirements


def judge_environment(
    spec: EnvironmentSpec, listing: Listing | None, declared: Requirements | None
) -> Iterator[Remark]:
    """Yield where the venv and requirements.txt differ from what an environment file asks for."""
    conda, pip = conda_part(spec), pip_part(spec)
    remarks = [
        *_shadows(spec, conda, pip),
        *(_versions(spec, conda, pip, listing) if listing is not None else ()),
        *(_missing(spec, pip, listing, declared) if listing is not None else ()),
        *(_undeclared(spec, conda, pip, declared) if declared is not None else ()),
    ]
    yield from remarks
    if not remarks and listing is not None:
        yield ok("environment", f"nothing in the venv contradicts {spec.source}")


def conda_part(spec: EnvironmentSpec) -> dict[str, MatchSpec]:
    """Return conda's packages that are Python distributions, by the distribution's name."""
    found: dict[str, MatchSpec] = {}
    for text in spec.dependencies:
        try:
            one = parse(text)
        except ValueError:
            continue
        if not one.virtual and not is_system(one.name):
            found.setdefault(distribution_of(one.name), one)
    return found


def pip_part(spec: EnvironmentSpec) -> dict[str, PipLine]:
    """Return the requirements of the pip section, by the distribution's name."""
    found: dict[str, PipLine] = {}
    for text in spec.pip:
        try:
            found.update((one.name, one) for one in requirements([text]) if one.name is not None)
        except ValueError:
            continue
    return found


def brought_names(spec: EnvironmentSpec) -> frozenset[str]:
    """Return the distributions that an environment file asks for, in both its parts."""
    return frozenset((*conda_part(spec), *pip_part(spec)))


def _shadows(spec: EnvironmentSpec, conda: dict[str, MatchSpec], pip: dict[str, PipLine]) -> Iterator[Remark]:
    things = {same_thing(name): one for name, one in conda.items()}
    both = tuple(
        f"{one.text!r} and {things[same_thing(name)].text!r}" for name, one in pip.items() if same_thing(name) in things
    )
    if both:
        yield advice(
            "environment-shadowed",
            f"{spec.source} asks pip and conda for the same thing: {some(both)}",
            "pip may replace conda's files: name each once, in conda's list where it needs CUDA or system libraries",
            both,
        )


def _versions(
    spec: EnvironmentSpec, conda: dict[str, MatchSpec], pip: dict[str, PipLine], listing: Listing
) -> Iterator[Remark]:
    differing: list[str] = []
    for package in sorted(listing.pip, key=lambda one: one.name.lower()):
        name = canonicalize_name(package.name)
        # A wheel says in its version for which accelerator it is (2.4.0+cpu): the rest is what is compared.
        plain = package.version.partition("+")[0]
        asked = conda.get(name)
        if asked is not None and not asked.accepts_version(plain):
            differing.append(f"{package.name} {package.version} ({asked.text})")
        line = pip.get(name)
        if line is not None and not line.met_by([package]) and _applies(line, listing):
            differing.append(f"{package.name} {package.version} ({line.text.partition(' --hash')[0]})")
    if differing:
        yield advice(
            "environment-versions",
            f"here in another version than {spec.source} asks for: {some(differing)}",
            "what runs here may fail there: ask for the same in both files",
            tuple(differing),
        )


def _missing(
    spec: EnvironmentSpec, pip: dict[str, PipLine], listing: Listing, declared: Requirements | None
) -> Iterator[Remark]:
    there = {same_thing(one.name) for one in listing.pip}
    # What requirements.txt asks for too was told as missing already.
    told = {same_thing(one) for one in declared.names} if declared is not None else set()
    missing = tuple(
        sorted(name for name, line in pip.items() if same_thing(name) not in there | told and _applies(line, listing))
    )
    if missing:
        text = f"in the pip section of {spec.source}, and not in the venv: {some(missing)}"
        fix = "install what runs here too, and name it in requirements.txt"
        yield advice("environment-missing", text, fix, missing)


def _undeclared(
    spec: EnvironmentSpec, conda: dict[str, MatchSpec], pip: dict[str, PipLine], declared: Requirements
) -> Iterator[Remark]:
    there = {same_thing(one) for one in (*conda, *pip)}
    absent = tuple(
        sorted(name for name in declared.names if same_thing(name) not in there and belongs_to_conda(name) is None)
    )
    if absent:
        yield advice(
            "environment-lacks",
            f"{declared.source} asks for them and {spec.source} does not: {some(absent)}",
            f"add to {spec.source} what jobs use; tools for this machine alone need not be there",
            absent,
        )


def _applies(line: PipLine, listing: Listing) -> bool:
    return listing.markers is None or line.applies(listing.markers)
