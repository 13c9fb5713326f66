"""The pip part of a lock, solved by uv for the Python, platform and conda packages that hosts will have."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from provision.environment.lock import LockedWheel
from provision.environment.names import distribution_of
from provision.environment.requirement import requirements
from provision.errors import StepFailedError, UsageError
from provision.solving.conda_part import INSTALL
from provision.solving.machine import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.tags import Tag

    from provision.environment.spec import EnvironmentSpec
    from provision.solving.conda_part import CondaSolution
    from provision.solving.machine import Machine

LONGEST = 900.0
_REPOSITORY = re.compile(r"(-e\s*|--editable[\s=]+)?([\w.\[\],-]+\s*@\s*)?(git|hg|svn|bzr)\+")
"""A line of pip's that names a repository."""


def solve(
    spec: EnvironmentSpec,
    conda: CondaSolution,
    machine: Machine,
    index: str | None,
    kept: Sequence[LockedWheel] = (),
) -> tuple[tuple[LockedWheel, ...], tuple[str, ...]]:
    """Return what pip will install beside conda's packages, and the option lines that go with it.

    Args:
        spec: What the environment file asks for.
        conda: What conda installs; pip finds it there and does not replace it.
        machine: The kind of host.
        index: Address of the index to ask instead of PyPI; it is not written down.
        kept: Versions that stay, if all of them can.

    Raises:
        UsageError: uv is not installed, or there is no Python for pip.
        StepFailedError: uv finds no solution; its words are the detail.
    """
    options = tuple(line for line in spec.pip if line.startswith("--"))
    if len(options) == len(spec.pip):
        return (), ()
    if conda.python is None:
        raise UsageError(f"{spec.source} has pip lines, and no python for them", hint="add python to the dependencies")
    for line in spec.pip:
        if _REPOSITORY.match(line):
            raise _no_release(spec.source, line)
    there = _there(conda, spec.pip)
    with tempfile.TemporaryDirectory(prefix="provision-lock-") as name:
        folder = Path(name)
        for one in there.items():
            _stand_for(folder / "there", *one)
        (folder / "requirements.in").write_text("".join(f"{line}\n" for line in spec.pip), "utf-8")
        known = [*spec.constraints, *(f"{name}=={version}" for name, version in there.items())]
        pins = [f"{one.name}=={one.version}" for one in kept if one.version and one.name not in there]
        try:
            text = _compile(folder, (*known, *pins), conda.python, machine, index, source=spec.source)
        except StepFailedError:
            if not pins:
                raise
            text = _compile(folder, known, conda.python, machine, index, source=spec.source)
    tags = tuple(_tags(conda.python, machine))
    found = (_wheel(one, tags, spec.source) for one in _packages(text) if canonicalize_name(one["name"]) not in there)
    return tuple(sorted(found, key=lambda one: one.name)), options


def _there(conda: CondaSolution, lines: Sequence[str]) -> dict[str, str]:
    """Return the distributions that conda brings, but for those that a pip line wants in another version."""
    found: dict[str, str] = {}
    for package in conda.packages:
        name = distribution_of(package.name)
        if package.name in conda.of_python:
            try:
                found[name] = str(Version(package.version))
            except InvalidVersion:
                continue
    for line in requirements([one for one in lines if not one.startswith("--")]):
        wanted = line.requirement
        version = found.get(line.name or "")
        if version is None or wanted is None:
            continue
        if wanted.url is not None or not wanted.specifier.contains(Version(version), prereleases=True):
            del found[line.name or ""]
    return found


def _stand_for(folder: Path, name: str, version: str) -> None:
    """Write a wheel without content: it tells uv what conda installs, in a version that an index may not have."""
    folder.mkdir(exist_ok=True)
    plain = name.replace("-", "_")
    info = f"{plain}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{plain}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: provision\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def _compile(
    folder: Path, constraints: Sequence[str], python: str, machine: Machine, index: str | None, *, source: str
) -> str:
    (folder / "constraints.txt").write_text("".join(f"{line}\n" for line in constraints), "utf-8")
    processor = PLATFORMS[machine.platform][0]
    minor = machine.glibc.split(".")[1]
    command = [
        *_uv(),
        *("pip", "compile", str(folder / "requirements.in")),
        *("--constraints", str(folder / "constraints.txt")),
        *("--output-file", str(folder / "pylock.toml"), "--format", "pylock.toml"),
        *("--python-version", python),
        *("--python-platform", f"{processor}-manylinux_2_{min(int(minor), 40)}"),
        # As pip does: the best version of all indexes, not the first index that has one.
        *("--index-strategy", "unsafe-best-match"),
        *("--no-python-downloads", "--no-annotate", "--no-header", "--quiet", "--no-progress", "--color", "never"),
    ]
    if (folder / "there").is_dir():
        command += ["--find-links", str(folder / "there")]
    if index is not None:
        command += ["--default-index", index]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=LONGEST, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepFailedError(f"uv did not solve the pip part: {error}") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise StepFailedError(
            f"the pip part of {source} has no solution beside conda's packages, for Python {python} on {machine.shown}",
            hint="relax a version, or leave to conda what conda brings: `provision env lock` shows uv's words",
            detail="\n".join(said[:60]),
        )
    return (folder / "pylock.toml").read_text("utf-8")


def _uv() -> list[str]:
    try:
        import uv
    except ImportError:
        raise UsageError("nothing here can solve the pip part: uv is not installed", hint=INSTALL) from None
    return [str(uv.find_uv_bin())] if hasattr(uv, "find_uv_bin") else [sys.executable, "-m", "uv"]


def _packages(text: str) -> Iterable[dict[str, Any]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    found: list[dict[str, Any]] = tomllib.loads(text).get("packages", [])
    return found


def _tags(python: str, machine: Machine) -> Iterable[Tag]:
    """Yield the tags of wheels that fit, the best first."""
    processor = PLATFORMS[machine.platform][0]
    version = tuple(int(one) for one in re.findall(r"\d+", python)[:2])
    minors = range(int(machine.glibc.split(".")[1]), 4, -1)
    names = [f"manylinux_2_{minor}_{processor}" for minor in minors]
    names += [f"{old}_{processor}" for old in ("manylinux2014", "manylinux2010", "manylinux1", "linux")]
    yield from cpython_tags(version, platforms=names)
    yield from compatible_tags(version, f"cp{version[0]}{version[1]}", names)


def _no_release(source: str, what: str) -> StepFailedError:
    return StepFailedError(
        f"{source}: {what} comes from a repository: pip takes no such line beside checksums",
        hint="name a release or a wheel's https:// address, or leave this environment without a lock",
    )


def _wheel(record: dict[str, Any], tags: Sequence[Tag], source: str) -> LockedWheel:
    name = canonicalize_name(record["name"])
    if archive := record.get("archive"):
        return LockedWheel(name, "", _hashes([archive], name, source), archive["url"], archive.get("size"))
    if "vcs" in record or "directory" in record:
        raise _no_release(source, name)
    version = str(record["version"])
    best = _best(record.get("wheels", ()), tags)
    if best is None and "sdist" not in record:
        raise StepFailedError(f"{source}: {name} {version} has no file for these hosts", hint="choose another version")
    chosen = best if best is not None else record["sdist"]
    return LockedWheel(name, version, _hashes([chosen], name, source), chosen.get("url"), chosen.get("size"))


def _best(wheels: Iterable[dict[str, Any]], tags: Sequence[Tag]) -> dict[str, Any] | None:
    rank = {tag: number for number, tag in reversed(list(enumerate(tags)))}
    ranked: list[tuple[int, str, dict[str, Any]]] = []
    for wheel in wheels:
        file_name = wheel.get("name") or unquote(urlsplit(wheel.get("url", "")).path.rsplit("/", 1)[-1])
        try:
            its_tags = parse_wheel_filename(file_name)[3]
        except InvalidWheelFilename:
            continue
        fits = [rank[tag] for tag in its_tags if tag in rank]
        if fits:
            ranked.append((min(fits), file_name, wheel))
    return min(ranked, key=lambda one: one[:2])[2] if ranked else None


def _hashes(files: Sequence[dict[str, Any]], name: str, source: str) -> tuple[str, ...]:
    found = tuple(str(one.get("hashes", {}).get("sha256", "")) for one in files)
    if not all(re.fullmatch(r"[0-9a-f]{64}", one) for one in found):
        raise StepFailedError(f"{source}: the index gives no sha256 for {name}", hint="another index, or no lock")
    return found
