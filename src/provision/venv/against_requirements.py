"""The venv judged against requirements.txt, and its lines against the rule of what belongs to conda."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from provision.venv.belonging import RULE, belongs_to_conda, wheel_of_cuda
from provision.venv.remark import Remark, advice, ok, problem, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.environment.listing import Listing, PipPackage
    from provision.venv.declared import DeclaredLine, Requirements

_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "distribute", "pkg-resources"})
"""What venvs are made with."""


def judge_requirements(declared: Requirements, listing: Listing, install: str) -> Iterator[Remark]:
    """Yield what the venv lacks, has in another version, or has without being asked.

    Args:
        declared: What requirements.txt asks for.
        listing: What the venv has.
        install: The command that installs what is missing.
    """
    wanted = [one for one in declared.lines if listing.markers is None or one.line.applies(listing.markers)]
    there: dict[str, PipPackage] = {canonicalize_name(one.name): one for one in listing.pip}
    missing = [one for one in wanted if one.name is not None and one.name not in there]
    unmet = [one for one in wanted if one not in missing and not one.line.met_by(listing.pip)]
    if missing:
        yield problem("requirements-missing", f"not in the venv: {some(_texts(missing))}", install, _texts(missing))
    if unmet:
        shown = tuple(_differs(one, there) for one in unmet)
        yield problem("requirements-unmet", f"in another version than asked for: {some(shown)}", install, shown)
    if wanted and not missing and not unmet:
        yield ok("requirements", f"the venv has all {len(wanted)} that {declared.source} asks for")
    extra = tuple(
        sorted(
            f"{one.name} {one.version}"
            for one in listing.pip
            if one.requested and not one.editable and canonicalize_name(one.name) not in declared.names | _TOOLS
        )
    )
    if extra:
        what = "installed by name, and not in"
        yield advice("requirements-extra", f"{what} {declared.source}: {some(extra)}", "add what the code uses", extra)


def judge_lines(declared: Requirements) -> Iterator[Remark]:
    """Yield the lines that belong to conda."""
    torch = "torch" in declared.names
    found: list[str] = []
    moves: list[str] = []
    for one in declared.lines:
        belonging = belongs_to_conda(one.name) if one.name is not None else None
        if one.name is None or belonging is None:
            continue
        found.append(f"{one.name} ({one.where}: {belonging.reason})")
        if belonging.conda is not None and not (torch and wheel_of_cuda(one.name)):
            moves.append(belonging.conda)
    if not found:
        return
    fix = f"{RULE}: take them out" + (
        f", and put {some(sorted(set(moves)))} into conda's list of environment.yml"
        if moves
        else ": torch brings the CUDA libraries that it was built for"
    )
    yield advice("requirements-system", f"lines that belong to conda: {some(found)}", fix, tuple(found))


def judge_problems(problems: tuple[str, ...], check: str) -> Iterator[Remark]:
    """Yield what could not be read, a remark each."""
    for one in problems:
        yield problem(check, one, "correct it: the rest was looked at without it")


def _texts(lines: list[DeclaredLine]) -> tuple[str, ...]:
    return tuple(one.line.text.partition(" --hash")[0] for one in lines)


def _differs(one: DeclaredLine, there: dict[str, PipPackage]) -> str:
    text = one.line.text.partition(" --hash")[0]
    package = there.get(one.name or "")
    return f"{text} (there is {package.version})" if package is not None else text
